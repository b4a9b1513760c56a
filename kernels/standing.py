"""Standings: the columns in which a rule remembers, for each sensor, how its grades stand.

A row is one rule on one sensor. What a reading touches is one line of 64 bytes (LATCH); what only
a change of grade touches lies apart (EPISODE). The machine that moves them is kernels/latch.py.

    mark_ns     while a latch arms or clears: since when; while that timer is frozen: how long
    seen_ns     time of the newest reading judged
    value       what was compared last; unknowns left out while anything is armed or on
    unknown_ns  since when the warning is unconfirmed; only while UNKNOWN is set in `state`
    code        the code that holds
    terms       which of the rule's terms apply to this row (written by the caller)
    phase       two bits per grade;  state  FROZEN, BLIND, UNKNOWN
    grade, peak of the episode  0 none, 1 blue to 4 red
"""

import numpy as np

from kernels.jit import kernel, prefetch

# Longer than any run and later than any reading: 2 ** 62 ns is the year 2116. Twice as much still
# fits into 64 bits, so that the sum of an instant and a span never wraps.
FOREVER_NS = 1 << 62
NEVER_NS = -FOREVER_NS

# As in kernels/latch.py.
AHEAD = 24

# A code says what a reading or a pane means for the four grades, four bits each from the lowest:
# `when` is true, `when` is unknown, `clear` is true, `clear` is unknown; blue is the lowest bit.
WHEN_TRUE, WHEN_UNKNOWN, CLEAR_TRUE, CLEAR_UNKNOWN = 0x000F, 0x00F0, 0x0F00, 0xF000

EVENT_NAMES = ("raised", "upgraded", "downgraded", "cleared", "updated", "blind", "restored")

# The hot line of a row: see the top of this file.
LATCH_NAMES = "mark_ns seen_ns value unknown_ns code terms phase state grade peak"
LATCH = np.dtype(
    {
        "names": LATCH_NAMES.split(),
        "formats": [("i8", 4), "i8", "f8", "i8", "u2", "u2", "u1", "u1", "u1", "u1"],
        "itemsize": 64,
    }
)

# The cold part of a row, touched when something is said: instant of the latest record, episodes
# so far, records in this episode. A row that flaps each second for a day has 86 400 revisions,
# too many for 16 bits.
EPISODE = np.dtype([("last_ns", "i8"), ("ordinal", "u4"), ("revision", "u4")])

# How a rule holds its grades. Spans are at most FOREVER_NS, which never ends; `exists` and
# `sticky` (does not clear by itself) have one bit per grade; `closure` is 0 or 1.
TERMS_NAMES = "for_ns clear_for_ns stale_ns blind_ns exists sticky closure pad"
TERMS = np.dtype(
    {
        "names": TERMS_NAMES.split(),
        "formats": [("i8", 4), ("i8", 4), "i8", "i8", "u1", "u1", "u1", ("u1", 5)],
    }
)

CHANGE_NAMES = "row event_ns seen_ns value ordinal revision event grade previous peak blind"
CHANGE = np.dtype(
    {
        "names": CHANGE_NAMES.split(),
        "formats": ["i8", "i8", "i8", "f8", "u4", "u4", "u1", "u1", "u1", "u1", "u1"],
        "itemsize": 48,
    }
)


def forget(latch, episode, due_ns, start_row, stop_row):
    """Put rows into the state of never having seen anything; `terms` stays as it is."""
    rows = slice(start_row, stop_row)
    terms = latch["terms"][rows].copy()
    latch[rows] = np.zeros((), LATCH)
    latch["terms"][rows] = terms
    latch["seen_ns"][rows] = NEVER_NS
    latch["code"][rows] = WHEN_UNKNOWN | CLEAR_UNKNOWN
    episode[rows] = np.zeros((), EPISODE)
    episode["last_ns"][rows] = NEVER_NS
    due_ns[rows] = FOREVER_NS


@kernel
def earliest_due(due_ns, start_row, stop_row):
    """When the first timer of these rows ends if no reading comes; FOREVER_NS if none runs."""
    earliest_ns = FOREVER_NS
    for row in range(start_row, stop_row):
        earliest_ns = min(earliest_ns, due_ns[row])
    return earliest_ns


@kernel
def note_due(row, site_of, due_ns, site_due_ns):
    """Let sites know of the timers of rows that have just been judged.

    row          int32[n]
    site_of      int32[rows]
    due_ns       int64[rows]   when the row's next timer ends, or earlier
    site_due_ns  int64[k]      when the first timer of a site ends, or earlier     (in place)
    """
    for i in range(row.size):
        # The rows of a frame may be anywhere: 12 ns each at 1e6 rows without prefetching.
        prefetch(due_ns, row[min(i + AHEAD, row.size - 1)])
        due = due_ns[row[i]]
        if due < FOREVER_NS:
            site = site_of[row[i]]
            site_due_ns[site] = min(site_due_ns[site], due)


@kernel
def after(instant_ns, span_ns):
    """A span after an instant; FOREVER_NS if either is."""
    return FOREVER_NS if max(instant_ns, span_ns) >= FOREVER_NS else instant_ns + span_ns


@kernel
def is_upheld(code, g):
    """Whether the code holds a latch on: `when` is true, or `clear` is false."""
    return code >> g & 1 or not code >> 8 + g & 0x11


@kernel
def highest(phase):
    """The grade: the highest latch that is on or clearing, 0 if there is none."""
    grade = 0
    for g in range(4):
        if phase >> 2 * g + 1 & 1:
            grade = g + 1
    return grade
