"""The one door through which Numba enters: how every kernel is compiled, and prefetching.

`error_model="numpy"`: with Python's, a division tests for zero and the loop is not vectorised.
No fast-math: it deletes tests for NaN, and NaN is how a gap is written.
"""

from collections.abc import Callable
from typing import TypeVar

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile a function of arrays and scalars; it holds no lock while it runs."""
    compiled: Function = njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled


@intrinsic
def prefetch(typing_context, lines, index):  # type: ignore[no-untyped-def]
    """Ask for the cache line of `lines[index]`, which will be written soon."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        byte_pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        prefetch_type = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), i32, i32, i32])
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [ir.IntType(8).as_pointer()], prefetch_type
        )
        builder.call(function, [byte_pointer, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(lines, types.intp), generate
