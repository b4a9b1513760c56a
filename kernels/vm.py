"""Which rows meet the conditions of which rules? One machine for all rules, compiled once.

A program (kernels/zones.py, written by rules/program.py) runs over blocks of 4096 rows, so that
columns and registers stay in the caches from one rule to the next; no code is made for a rule.

A condition is two masks of one bit per row, true and false; where neither is set it is unknown.
So Kleene's tables are plain: `and` joins the true by and, the false by or; `not` changes the two.
A comparison takes 64 rows at a time.

A block in which no `when` can be true, and no row has a grade or waits for one, is not read.
"""

import numpy as np

from kernels.jit import (
    at_most32,
    at_most64,
    at_most_two,
    equal32,
    equal64,
    equal_two,
    floats32_at,
    floats64_at,
    kernel,
    known32,
    known64,
    known_two,
    less32,
    less64,
    less_two,
    mark16,
    numbers_at,
)
from kernels.zones import (
    ADD,
    AND,
    AT_MOST,
    BLOCK,
    DIVIDE,
    FALSE,
    FILL,
    FIRST,
    HAS_NUMBER,
    IS_TRUE,
    IS_UNKNOWN,
    KNOWN,
    LANES,
    LESS,
    LOAD,
    MULTIPLY,
    NEGATE,
    NOT,
    OR,
    ROUND,
    SET,
    SUBTRACT,
    TRUE,
    WHEN_BITS,
    WITH_BOUND,
    WITH_OTHER,
    WORDS,
    foresee,
    survey,
)


@kernel
def weigh(program, columns, rows, stirring, registers, bits, is_loud):
    """Say for each block of each rule whether it is quiet, and if not, what its rows mean.

    columns   int64[2, c]        address of each column, and 4 or 8 bytes a number
    rows      int                m: how many numbers each has
    stirring  uint8[r, n]        1: a row of the block has a grade, or waits for one
    bits      uint64[r, w, 16]   for each word of 64 rows one mask for each bit of the code; only
                                 loud blocks are written, and only grades that there are    (out)
    is_loud   uint8[r, n]        0: no `when` is true in the block, and nothing stirs       (out)
    """
    steps, bounds, outputs = program.steps, program.bounds, program.outputs
    numbers, masks, place = registers.numbers, registers.masks, registers.place
    hull, may = registers.hull, registers.may
    for block in range(is_loud.shape[1]):
        n = min(BLOCK, rows - block * BLOCK)
        words = (n + LANES - 1) // LANES
        survey(columns, block * BLOCK, n, registers)
        for r in range(program.rules.shape[0]):
            when, clear, end = program.rules[r, 0], program.rules[r, 1], program.rules[r, 2]
            first, last = program.rules[r, 3], program.rules[r, 4]
            stirs = stirring[r, block]
            is_loud[r, block] = stirs
            if not stirs:
                foresee(steps, bounds, when, clear, numbers.shape[0], hull, may)
                can_be = False
                for o in range(first, last):
                    can_be |= outputs[o, 0] < WHEN_BITS and may[outputs[o, 1], 0] != 0
                if not can_be:
                    continue
            run(steps, bounds, when, clear, words, numbers, masks, place)
            if not stirs and not any_true(outputs, first, last, masks, words, n % LANES):
                continue
            is_loud[r, block] = 1
            run(steps, bounds, clear, end, words, numbers, masks, place)
            write(outputs, first, last, masks, words, bits[r], block * WORDS)


@kernel
def any_true(outputs, first, last, masks, words, left):
    """Whether some `when` is true; of the last word only the rows that are there count."""
    found = np.uint64(0)
    for o in range(first, last):
        if outputs[o, 0] < WHEN_BITS:
            mask = masks[outputs[o, 1], 0]
            for w in range(words - (left > 0)):
                found |= mask[w]
            if left:
                found |= mask[words - 1] & ((np.uint64(1) << np.uint64(left)) - np.uint64(1))
    return found != 0


@kernel
def write(outputs, first, last, masks, words, bits, start):
    """Put out the masks of a rule for a block."""
    for o in range(first, last):
        bit, mask, what = outputs[o, 0], outputs[o, 1], outputs[o, 2]
        if what == IS_UNKNOWN:
            for w in range(words):
                bits[start + w, bit] = ~(masks[mask, 0, w] | masks[mask, 1, w])
        else:
            rail = 0 if what == IS_TRUE else 1
            for w in range(words):
                bits[start + w, bit] = masks[mask, rail, w]


@kernel
def run(steps, bounds, begin, end, words, numbers, masks, place):
    """Take some steps over a block; what is handed on is kept small, for every step pays it."""
    for k in range(begin, end):
        operation, out, a, b = steps[k, 0], steps[k, 1], steps[k, 2], steps[k, 3]
        at, is_turned = steps[k, 4], steps[k, 5]
        if operation == WITH_BOUND:
            true, false = masks[out, is_turned], masks[out, 1 - is_turned]
            if a < 0:
                compare64(b, address_of(numbers[~a]), bounds[at], words, true)
                fail64(address_of(numbers[~a]), True, words, true, false)
            elif place[1, a] == 8:
                compare64(b, place[0, a], bounds[at], words, true)
                fail64(place[0, a], place[2, a] | (words < WORDS), words, true, false)
            else:
                compare32(b, place[0, a], np.float32(bounds[at]), words, true)
                fail32(place[0, a], place[2, a] | (words < WORDS), words, true, false)
        elif operation == WITH_OTHER:
            true, false = masks[out, is_turned], masks[out, 1 - is_turned]
            here = address_of(numbers[~a]) if a < 0 else place[0, a]
            there = address_of(numbers[~b]) if b < 0 else place[0, b]
            compare_two(at, here, there, words, true, false)
        elif operation == LOAD:
            load(place[0, a], place[1, a], words * LANES, numbers[out])
        elif operation < FIRST + 1:
            calculate(operation, numbers[~a], numbers[~b], bounds[at], words * LANES, numbers[out])
        elif operation == HAS_NUMBER:
            here = address_of(numbers[~a]) if a < 0 else place[0, a]
            for w in range(words):
                known = known64(here + w * LANES * 8, np.float64(0))
                masks[out, 0, w], masks[out, 1, w] = known, ~known
        elif operation == SET:
            for w in range(words):
                masks[out, 0, w] = ~np.uint64(0) if a == TRUE else np.uint64(0)
                masks[out, 1, w] = ~np.uint64(0) if a == FALSE else np.uint64(0)
        else:
            combine(operation, masks[out, 0], masks[out, 1], masks[a, 0], masks[a, 1], words)


@kernel
def address_of(numbers):
    """Where some numbers begin."""
    return np.int64(numbers.ctypes.data)


@kernel
def compare32(how, place, bound, words, true):
    """Compare float32 with a bound, which rules/steps.py has rounded."""
    if how == LESS:
        for w in range(words):
            true[w] = less32(place + w * LANES * 4, bound)
    elif how == AT_MOST:
        for w in range(words):
            true[w] = at_most32(place + w * LANES * 4, bound)
    else:
        for w in range(words):
            true[w] = equal32(place + w * LANES * 4, bound)


@kernel
def compare64(how, place, bound, words, true):
    """Compare float64 with a bound."""
    if how == LESS:
        for w in range(words):
            true[w] = less64(place + w * LANES * 8, bound)
    elif how == AT_MOST:
        for w in range(words):
            true[w] = at_most64(place + w * LANES * 8, bound)
    else:
        for w in range(words):
            true[w] = equal64(place + w * LANES * 8, bound)


@kernel
def compare_two(how, here, there, words, true, false):
    """Compare float64 row by row."""
    for w in range(words):
        one, other = here + w * LANES * 8, there + w * LANES * 8
        if how == LESS:
            true[w] = less_two(one, other)
        elif how == AT_MOST:
            true[w] = at_most_two(one, other)
        else:
            true[w] = equal_two(one, other)
        false[w] = known_two(one, other) & ~true[w]


@kernel
def fail32(place, has_gaps, words, true, false):
    """Write what is known and not true."""
    if has_gaps:
        for w in range(words):
            false[w] = known32(place + w * LANES * 4, np.float32(0)) & ~true[w]
    else:
        for w in range(words):
            false[w] = ~true[w]


@kernel
def fail64(place, has_gaps, words, true, false):
    """The same for float64."""
    if has_gaps:
        for w in range(words):
            false[w] = known64(place + w * LANES * 8, np.float64(0)) & ~true[w]
    else:
        for w in range(words):
            false[w] = ~true[w]


@kernel
def combine(operation, true, false, other_true, other_false, words):
    """Kleene's operations on a mask, and with another."""
    for w in range(words):
        if operation == AND:
            true[w] &= other_true[w]
            false[w] |= other_false[w]
        elif operation == OR:
            true[w] |= other_true[w]
            false[w] &= other_false[w]
        elif operation == NOT:
            true[w], false[w] = other_false[w], other_true[w]
        elif operation == KNOWN:
            known = other_true[w] | other_false[w]
            true[w], false[w] = known, ~known
        else:
            unknown = ~(true[w] | false[w])
            true[w] |= unknown & other_true[w]
            false[w] |= unknown & other_false[w]


@kernel
def load(place, width, rows, found):
    """Take a column into a register."""
    if width == 4:
        narrow = numbers_at(floats32_at(place), (rows,))
        for i in range(rows):
            found[i] = np.float64(narrow[i])
    else:
        wide = numbers_at(floats64_at(place), (rows,))
        for i in range(rows):
            found[i] = wide[i]


@kernel
def calculate(operation, one, other, bound, rows, found):
    """Fill a register of numbers; NaN is unknown and stays so."""
    for i in range(rows):
        if operation == FILL:
            found[i] = bound
        elif operation == ROUND:
            found[i] = np.float64(np.float32(one[i]))
        elif operation == NEGATE:
            found[i] = -one[i]
        elif operation == ADD:
            found[i] = one[i] + other[i]
        elif operation == SUBTRACT:
            found[i] = one[i] - other[i]
        elif operation == MULTIPLY:
            found[i] = one[i] * other[i]
        elif operation == DIVIDE:
            # Division by zero says nothing, so it is unknown rather than infinite.
            quotient = one[i] / other[i]
            found[i] = quotient if np.isfinite(quotient) else np.nan
        else:
            found[i] = other[i] if np.isnan(one[i]) else one[i]


@kernel
def spell(bits, rows, code):
    """Write masks as codes, one per row.

    bits  uint64[w, 16];  rows  int: m;  code  uint16[64 * w]  at least; zero before  (out)
    """
    place = np.int64(code.ctypes.data)
    for w in range((rows + LANES - 1) // LANES):
        for bit in range(bits.shape[1]):
            if bits[w, bit]:
                mark16(place + w * LANES * 2, bits[w, bit], np.uint16(1 << bit))
