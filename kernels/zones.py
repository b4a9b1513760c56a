"""What can be true in a block at all? Bounds of columns, and what they say about a program.

This file holds what the machine of kernels/vm.py is made of: its operations, and the tables that
it is handed. For each block of 4096 rows and each column the least and the greatest number are
found once, whatever the number of rules; then each rule asks them, in nanoseconds, whether any of
its `when` can be true there. In a quiet block none can, and the block is not read again.

A program is rows of int64 (`rules/program.py` writes them): an operation, where its result goes,
two operands, the place of a bound, and whether the answer is turned round.
"""

from typing import NamedTuple

import numpy as np

from kernels.jit import (
    STRETCH,
    floats32_at,
    floats64_at,
    kernel,
    numbers_at,
    widen32,
    widen64,
)

# 4096 rows * 8 bytes = 32 KiB: a register is half of a first-level cache, a dozen of them and of
# columns fit into the second. 2048 and 8192 rows were 5 % slower.
BLOCK = 4096
LANES = 64
WORDS = BLOCK // LANES

# Numbers: what a register holds. An operand is a column c, or register ~r.
LOAD, ROUND, NEGATE, FILL, ADD, SUBTRACT, MULTIPLY, DIVIDE, FIRST = range(9)
# Masks: comparisons with a bound and with each other, what is known, and Kleene's operations.
WITH_BOUND, WITH_OTHER, HAS_NUMBER, AND, OR, NOT, KNOWN, OR_ELSE, SET = range(9, 18)
LESS, AT_MOST, EQUAL = range(3)
FALSE, TRUE, UNKNOWN = range(3)
# What of a mask goes out.
IS_TRUE, IS_FALSE, IS_UNKNOWN = range(3)
CODE_BITS = 16
WHEN_BITS = 4


class Program(NamedTuple):
    """What is asked of the columns.

    steps    int64[k, 6]   operation, result, operand, operand, place of a bound, is turned round
    bounds   float64[b]
    rules    int64[r, 5]   of each rule: steps of `when` from, to, steps of `clear` to; outputs
                           from, to
    outputs  int64[o, 3]   bit of the code, mask, what of it; those of `when` first
    """

    steps: np.ndarray
    bounds: np.ndarray
    rules: np.ndarray
    outputs: np.ndarray


class Registers(NamedTuple):
    """Working memory: what a block needs, and nothing that outlives it.

    numbers  float64[r, 4096]
    masks    uint64[a, 2, 64]   true, false
    place    int64[3, c]        of the block in each column: address, bytes a number, has gaps
    tail     float64[c, 4096]   rows that do not fill a word
    hull     float64[r + c, 2]  least and greatest number of a register, then of a column; where
                                there is none +inf, -inf
    may      uint8[a, 2]        whether a mask can be true, can be false
    lanes32  float32[2, 64];  lanes64  float64[2, 64]
    """

    numbers: np.ndarray
    masks: np.ndarray
    place: np.ndarray
    tail: np.ndarray
    hull: np.ndarray
    may: np.ndarray
    lanes32: np.ndarray
    lanes64: np.ndarray


@kernel
def survey(columns, start, n, registers):
    """Find a block in each column: where it is, between which bounds, and whether it has gaps.

    columns    int64[2, c]  address of each column, and 4 or 8 bytes a number
    start, n   int          first row of the block, and how many it has, at most 4096
    registers  Registers    (place, tail and hull in place)

    Rows that do not fill a word of 64 are set apart, with NaN after them: words are read whole.
    """
    first = registers.numbers.shape[0]
    for c in range(columns.shape[1]):
        width = columns[1, c]
        place = columns[0, c] + start * width
        if width == 4:
            low, high, known = bounds32(place, n, registers.lanes32)
        else:
            low, high, known = bounds64(place, n, registers.lanes64)
        registers.hull[first + c, 0], registers.hull[first + c, 1] = low, high
        if n % LANES:
            place = set_apart(place, width, n, registers.tail[c])
        registers.place[0, c], registers.place[1, c] = place, width
        registers.place[2, c] = not known


@kernel
def set_apart(place, width, n, tail):
    """Copy some rows, and NaN up to the end of a word; where they are."""
    rest = (n + LANES - 1) // LANES * LANES
    there = np.int64(tail.ctypes.data)
    if width == 4:
        copy_column(numbers_at(floats32_at(place), (n,)), numbers_at(floats32_at(there), (rest,)))
    else:
        copy_column(numbers_at(floats64_at(place), (n,)), numbers_at(floats64_at(there), (rest,)))
    return there


@kernel
def copy_column(source, target):
    """Copy a column, NaN after its end."""
    for i in range(source.size):
        target[i] = source[i]
    for i in range(source.size, target.size):
        target[i] = np.nan


@kernel
def bounds32(place, n, lanes):
    """The least and the greatest of some float32, and whether all are known."""
    clear(lanes)
    known = ~np.uint64(0)
    whole = n // STRETCH * STRETCH
    for start in range(0, whole, STRETCH):
        known &= widen32(place + start * 4, np.int64(lanes.ctypes.data))
    rest = numbers_at(floats32_at(place + whole * 4), (n - whole,))
    return bounds_of(rest, lanes, known == ~np.uint64(0))


@kernel
def bounds64(place, n, lanes):
    """The same for float64."""
    clear(lanes)
    known = ~np.uint64(0)
    whole = n // STRETCH * STRETCH
    for start in range(0, whole, STRETCH):
        known &= widen64(place + start * 8, np.int64(lanes.ctypes.data))
    rest = numbers_at(floats64_at(place + whole * 8), (n - whole,))
    return bounds_of(rest, lanes, known == ~np.uint64(0))


@kernel
def clear(lanes):
    """No number has been seen."""
    for j in range(LANES):
        lanes[0, j], lanes[1, j] = np.inf, -np.inf


@kernel
def bounds_of(rest, lanes, is_known):
    """The bounds of 64 places and of some more numbers."""
    low, high = np.float64(np.inf), np.float64(-np.inf)
    for j in range(LANES):
        low, high = min(low, np.float64(lanes[0, j])), max(high, np.float64(lanes[1, j]))
    for i in range(rest.size):
        x = np.float64(rest[i])
        is_known &= not np.isnan(x)
        low, high = (x if x < low else low), (x if x > high else high)
    return low, high, is_known


@kernel
def foresee(steps, bounds, begin, end, first, hull, may):
    """Work out which masks can be true, and which can be false, somewhere in a block.

    steps, bounds  of a Program;  begin, end  int: which steps
    first          int              place of the first column in `hull`
    hull, may      of the Registers (in place)

    Never says that something cannot be which is; an unknown number makes nothing true or false.
    """
    for k in range(begin, end):
        operation, out, a, b = steps[k, 0], steps[k, 1], steps[k, 2], steps[k, 3]
        at, is_turned = steps[k, 4], steps[k, 5]
        one = ~a if a < 0 else first + a
        if operation <= FIRST:
            bound_numbers(operation, out, one, bounds[at], hull)
        elif operation == WITH_BOUND:
            bound = bounds[at]
            can_be, can_fail = order(b, hull[one, 0], hull[one, 1], bound, bound)
            may[out, is_turned], may[out, 1 - is_turned] = can_be, can_fail
        elif operation == WITH_OTHER:
            other = ~b if b < 0 else first + b
            can_be, can_fail = order(at, hull[one, 0], hull[one, 1], hull[other, 0], hull[other, 1])
            may[out, is_turned], may[out, 1 - is_turned] = can_be, can_fail
        elif operation == AND:
            may[out, 0] &= may[a, 0]
            may[out, 1] |= may[a, 1]
        elif operation == OR:
            may[out, 0] |= may[a, 0]
            may[out, 1] &= may[a, 1]
        elif operation == NOT:
            may[out, 0], may[out, 1] = may[a, 1], may[a, 0]
        elif operation == OR_ELSE:
            may[out, 0] |= may[a, 0]
            may[out, 1] |= may[a, 1]
        elif operation == SET:
            may[out, 0], may[out, 1] = a == TRUE, a == FALSE
        else:
            may[out, 0], may[out, 1] = True, True


@kernel
def order(how, low, high, least, most):
    """Whether numbers between two bounds can compare so with numbers between two others, and
    whether they can fail to; nothing can where there are no numbers."""
    if not (low <= high and least <= most):
        return False, False
    if how == LESS:
        return low < most, high >= least
    if how == AT_MOST:
        return low <= most, high > least
    return low <= most and least <= high, not (low == high and least == most and low == least)


@kernel
def bound_numbers(operation, out, one, bound, hull):
    """Carry the bounds through a calculation; where that is hard, anything may come out."""
    low, high = -np.inf, np.inf
    if operation == LOAD:
        low, high = hull[one, 0], hull[one, 1]
    elif operation == FILL:
        low, high = bound, bound
    elif operation == ROUND:
        low, high = np.float64(np.float32(hull[one, 0])), np.float64(np.float32(hull[one, 1]))
    elif operation == NEGATE:
        low, high = -hull[one, 1], -hull[one, 0]
    hull[out, 0], hull[out, 1] = low, high
