"""Ladders: what each reading means for the four grades, as one code of 16 bits.

A ladder compares one value with an entry and a clear threshold per grade. A comparison is made in
the precision of the readings, so that a float32 reading of 0.7 reaches a threshold of 0.7. The
code is laid out as kernels/latch.py reads it: four bits each, blue the lowest, for `when` true,
`when` unknown, `clear` true, `clear` unknown.
"""

import numpy as np

from kernels.jit import kernel

# What becomes of a reading, by its outcome (kernels/stage.py).
JUDGED, FORCED, IGNORED = range(3)
FOLDED, LATE, NAN, INFINITE, OVER, UNDER, FUTURE, QUALITY, ANCIENT = range(9)

# What a rule may want of a reading beyond its range.
IGNORE, RAISE, UNKNOWN = range(3)


def verdicts(exists, over_policy, over_grade, under_policy):
    """What becomes of a reading for each of the nine outcomes: columns `kind` and `forced`.

    exists       one bit per grade of the ladder, blue the lowest
    over_policy  IGNORE, RAISE or UNKNOWN;  under_policy  IGNORE or UNKNOWN
    over_grade   1 blue to 4 red: with RAISE, a pegged sensor reaches the grades up to this one

    A pegged sensor says nothing of the grades above `over_grade`: they are unknown, neither
    raised nor cleared.
    """
    assert over_policy in (IGNORE, RAISE, UNKNOWN)
    assert under_policy in (IGNORE, UNKNOWN)
    assert 0 <= exists <= 0x0F
    unknown = exists << 4 | exists << 12
    reached = exists & ((1 << over_grade) - 1)
    beyond = exists & ~reached
    kind = np.full(9, IGNORED, np.uint8)
    forced = np.zeros(9, np.uint16)
    kind[[FOLDED, LATE]] = JUDGED
    if over_policy != IGNORE:
        kind[OVER] = FORCED
        raised = reached | beyond << 4 | beyond << 12
        forced[OVER] = raised if over_policy == RAISE else unknown
    if under_policy == UNKNOWN:
        kind[UNDER] = FORCED
        forced[UNDER] = unknown
    return kind, forced


@kernel
def codes(value, outcome, enter, clear, exists, is_above, kind, forced, code, applies):
    """Write what each reading means, and whether it counts at all.

    value     float32|64[n]  in the unit of the thresholds
    outcome   uint8[n]       what the stage made of the reading
    enter     float32|64[4]  entry threshold per grade, of the type of `value`; NaN: not known
    clear     float32|64[4]  clear threshold per grade, likewise
    exists    one bit per grade of the ladder
    is_above  True: entered at value >= enter, cleared at value < clear;
              False: entered at value <= enter, cleared at value > clear
    kind      uint8[9]       from `verdicts`
    forced    uint16[9]      from `verdicts`
    code      uint16[n]      (out)
    applies   uint8[n]       0: the reading does not count    (out)

    A threshold that is not known leaves its condition unknown. Changing the sign of both sides
    turns a ladder that goes down into one that goes up, exactly.
    """
    sign = value.dtype.type(1 if is_above else -1)
    e0, e1, e2, e3 = sign * enter[0], sign * enter[1], sign * enter[2], sign * enter[3]
    c0, c1, c2, c3 = sign * clear[0], sign * clear[1], sign * clear[2], sign * clear[3]
    mask = np.uint16(exists | exists << 8)
    unknown = np.uint16(unknown_bits(enter, clear, exists))
    for i in range(value.size):
        v = sign * value[i]
        when = (v >= e0) | (v >= e1) << 1 | (v >= e2) << 2 | (v >= e3) << 3
        free = (v < c0) << 8 | (v < c1) << 9 | (v < c2) << 10 | (v < c3) << 11
        code[i] = np.uint16(when | free) & mask | unknown
    force(outcome, kind, forced, code, applies)


@kernel
def codes_by_row(
    value, outcome, row, choice, enter, clear, exists, is_above, kind, forced, code, applies
):
    """The same where sensors have thresholds of their own.

    row       int32[n]          row of each reading
    choice    uint16[rows]      which thresholds and verdicts a row uses, 0 <= choice < c
    enter, clear   float32|64[c, 4]
    exists    uint8[c];  kind  uint8[c, 9];  forced  uint16[c, 9]
    """
    sign = value.dtype.type(1 if is_above else -1)
    for i in range(value.size):
        mine = choice[row[i]]
        applies[i] = kind[mine, outcome[i]] != IGNORED
        code[i] = forced[mine, outcome[i]]
        if kind[mine, outcome[i]] != JUDGED:
            continue
        meaning = unknown_bits(enter[mine], clear[mine], exists[mine])
        for g in range(4):
            if exists[mine] >> g & 1:
                meaning |= (sign * value[i] >= sign * enter[mine, g]) << g
                meaning |= (sign * value[i] < sign * clear[mine, g]) << 8 + g
        code[i] = meaning


@kernel
def unknown_bits(enter, clear, exists):
    """The part of a code that is unknown because a threshold is."""
    unknown = 0
    for g in range(4):
        if exists >> g & 1:
            unknown |= np.isnan(enter[g]) << 4 + g
            unknown |= np.isnan(clear[g]) << 12 + g
    return unknown


@kernel
def force(outcome, kind, forced, code, applies):
    """Replace the codes of readings that were not folded by what the rule wants of them."""
    for i in range(outcome.size):
        applies[i] = 1
        if outcome[i] > LATE:
            applies[i] = kind[outcome[i]] != IGNORED
            if kind[outcome[i]] == FORCED:
                code[i] = forced[outcome[i]]
