"""The one door through which Numba enters: how every kernel is compiled, and prefetching.

`error_model="numpy"`: with Python's, a division tests for zero and the loop is not vectorised.
No fast-math: it deletes tests for NaN, and NaN is how a gap is written.
"""

from collections.abc import Callable
from typing import TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

CACHE_LINE_BYTES = 64

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function of arrays and scalars; it holds no lock while it runs."""
    return cast(Function, njit(nogil=True, cache=True, error_model="numpy")(function))


@intrinsic
def prefetch(typing_context, records, index):
    """Ask for the cache lines of `records[index]`, which will be written soon."""
    record_bytes = records.dtype.bitwidth // 8

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        record = builder.gep(array.data, [arguments[1]])
        i8, i32 = ir.IntType(8), ir.IntType(32)
        start = builder.bitcast(record, i8.as_pointer())
        touch_type = ir.FunctionType(ir.VoidType(), [i8.as_pointer(), i32, i32, i32])
        touch = builder.module.declare_intrinsic("llvm.prefetch", [i8.as_pointer()], touch_type)
        for offset in range(0, record_bytes, CACHE_LINE_BYTES):
            place = builder.gep(start, [ir.IntType(64)(offset)])
            builder.call(touch, [place, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(records, types.intp), generate
