"""The one door through which Numba enters: how every kernel is compiled, and prefetching.

`error_model="numpy"`: with Python's, a division tests for zero and the loop is not vectorised.
No fast-math: it deletes tests for NaN, and NaN is how a gap is written.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

CACHE_LINE_BYTES = 64

Function = TypeVar("Function", bound=Callable[..., object])


def cache_folder(wanted: str) -> str:
    """Find a folder of this user's for compiled kernels; without one Numba fails at import.

    Numba compiles a file again when that file changes. It notices neither a change of another
    file nor whether bounds are checked, so the folder is named after all sources and that.
    """
    sums = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        sums.update(path.read_bytes())
    source = sums.hexdigest()[:12]
    is_checked = vars(config)["BOUNDSCHECK"]
    name = f"tocsin-{source}-{'checked' if is_checked else 'unchecked'}"
    places = [wanted, "~/.cache", f"{tempfile.gettempdir()}/tocsin-{os.getuid()}"]
    for place in filter(None, places):
        folder = Path(os.path.expanduser(place)) / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            return str(folder)
    return wanted


CACHE_FOLDER = cache_folder(vars(config)["CACHE_DIR"])
vars(config)["CACHE_DIR"] = CACHE_FOLDER


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
