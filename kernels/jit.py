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
from numba import carray, config, njit, types  # type: ignore[attr-defined]
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


# What follows reads 64 numbers at an address and answers with one bit for each, the lowest for
# the first: the compiler does not make such loops out of Numba's, and masks of bytes take three
# times as long. The caller sees to it that all 64 are there.
LANES = 64
Code = Callable[..., object]


def _read_lanes(builder, address, number):
    """Load 64 numbers of a kind."""
    lanes = ir.VectorType(number, LANES)
    item_bytes = {"float": 4, "double": 8, "i16": 2, "i64": 8}[str(number)]
    return builder.load(builder.inttoptr(address, lanes.as_pointer()), align=item_bytes)


def _all_lanes(builder, value):
    """The same number 64 times."""
    lanes = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.IntType(32)(0))
    which = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(lanes, ir.Undefined), which)


def _compare_with_number(sign: str, kind: types.Float, number: ir.Type) -> Code:
    def compare(typing_context, address, bound):
        def generate(context, builder, signature, arguments):
            read = _read_lanes(builder, arguments[0], number)
            found = builder.fcmp_ordered(sign, read, _all_lanes(builder, arguments[1]))
            return builder.bitcast(found, ir.IntType(LANES))

        return types.uint64(types.int64, kind), generate

    return intrinsic(compare)


# Numbers that `widen` takes at once: the bounds stay in vector registers from 64 to the next 64.
STRETCH = 512


def _widen(number: ir.Type) -> Code:
    def widen(typing_context, address, bounds):
        def generate(context, builder, signature, arguments):
            lanes = ir.VectorType(number, LANES)
            item_bytes = 4 if number == ir.FloatType() else 8
            low_at = builder.inttoptr(arguments[1], lanes.as_pointer())
            high_at = builder.gep(low_at, [ir.IntType(64)(1)])
            low, high = (builder.load(at, align=item_bytes) for at in (low_at, high_at))
            known = ir.IntType(LANES)(-1)
            for step in range(0, STRETCH, LANES):
                place = builder.add(arguments[0], ir.IntType(64)(step * item_bytes))
                read = _read_lanes(builder, place, number)
                low = builder.select(builder.fcmp_ordered("<", read, low), read, low)
                high = builder.select(builder.fcmp_ordered(">", read, high), read, high)
                there = builder.fcmp_ordered("ord", read, read)
                known = builder.and_(known, builder.bitcast(there, ir.IntType(LANES)))
            builder.store(low, low_at, align=item_bytes)
            builder.store(high, high_at, align=item_bytes)
            return known

        return types.uint64(types.int64, types.int64), generate

    return intrinsic(widen)


# Let 64 least and then 64 greatest numbers, at an address, take in 512 numbers at another; which
# of 64 places had only known ones.
widen32, widen64 = _widen(ir.FloatType()), _widen(ir.DoubleType())


def _compare_two(sign: str) -> Code:
    def compare(typing_context, address, other):
        def generate(context, builder, signature, arguments):
            read, beside = (_read_lanes(builder, a, ir.DoubleType()) for a in arguments)
            found = builder.fcmp_ordered(sign, read, beside)
            return builder.bitcast(found, ir.IntType(LANES))

        return types.uint64(types.int64, types.int64), generate

    return intrinsic(compare)


# Which of 64 float32 or float64 at an address are less than a number, at most it, equal to it,
# and known at all; and of two float64 columns. NaN compares false.
less32, at_most32, equal32, known32 = (
    _compare_with_number(sign, types.float32, ir.FloatType()) for sign in ("<", "<=", "==", "ord")
)
less64, at_most64, equal64, known64 = (
    _compare_with_number(sign, types.float64, ir.DoubleType()) for sign in ("<", "<=", "==", "ord")
)
less_two, at_most_two, equal_two, known_two = (
    _compare_two(sign) for sign in ("<", "<=", "==", "ord")
)


@intrinsic
def mark16(typing_context, address, mask, weight):
    """Set a bit (`weight`) in those of 64 uint16 that a mask names."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(16)
        chosen = builder.bitcast(arguments[1], ir.VectorType(ir.IntType(1), LANES))
        nothing = _all_lanes(builder, word(0))
        marks = builder.select(chosen, _all_lanes(builder, arguments[2]), nothing)
        place = builder.inttoptr(arguments[0], ir.VectorType(word, LANES).as_pointer())
        marked = builder.or_(builder.load(place, align=2), marks)
        builder.store(marked, place, align=2)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64, types.uint16), generate


def _take(number: ir.Type) -> Code:
    def take(typing_context, target, source, mask):
        def generate(context, builder, signature, arguments):
            lanes = ir.VectorType(ir.DoubleType(), LANES)
            chosen = builder.bitcast(arguments[2], ir.VectorType(ir.IntType(1), LANES))
            place = builder.inttoptr(arguments[0], lanes.as_pointer())
            new = _read_lanes(builder, arguments[1], number)
            if number == ir.FloatType():
                new = builder.fpext(new, lanes)
            both = builder.select(chosen, new, builder.load(place, align=8))
            builder.store(both, place, align=8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.uint64), generate

    return intrinsic(take)


# Copy those of 64 numbers at the second address that a mask names to float64 at the first.
take32, take64 = _take(ir.FloatType()), _take(ir.DoubleType())


@intrinsic
def count_bits(typing_context, mask):
    """How many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic
def lowest_bit(typing_context, mask):
    """The place of the lowest bit that is set; 64 where none is."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


def _numbers_at(number: types.Float) -> Code:
    def view(typing_context, address):
        pointer = types.CPointer(number)

        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(pointer))

        return pointer(types.int64), generate

    return intrinsic(view)


# A column of what lies at an address: numbers_at(floats32_at(address), (rows,)).
floats32_at, floats64_at = _numbers_at(types.float32), _numbers_at(types.float64)
numbers_at = carray
