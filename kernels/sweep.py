"""Which rows of a closed pane need the machine? The others are not touched.

A row is one rule on one sensor; the machine is kernels/latch.py, its columns kernels/standing.py.
A pane closes for all rows of a site at once, and nearly all of them mean what they meant before:
nothing is on, or what is on stays on. A row that nothing happens to need not be told so. Its line
of 64 bytes may stay as it was, because for rules on panes

    nothing turns stale    so when it was last told does not matter
    time goes only forward so no pane is older than the newest one it was told of
    a code that repeats    moves nothing before the next timer ends

Only a timer that ends between this end of a pane and the next says what was compared last, so a
row is told of the pane before its timer ends. What must be known of the others is kept apart
(`Watch`): the codes that hold, as one mask of 64 rows for each bit, so that a word of 64 rows is
compared in 16 steps; when the first timer of a word ends; and what was compared last.
"""

from typing import NamedTuple

import numpy as np

from kernels.columns import aligned
from kernels.jit import (
    count_bits,
    kernel,
    lowest_bit,
    prefetch,
    take32,
    take64,
)
from kernels.latch import is_quiet, is_same, meet, next_due
from kernels.standing import FOREVER_NS

# As in kernels/zones.py; rows that are awake are counted by blocks, too.
BLOCK, LANES = 4096, 64
WORDS = BLOCK // LANES
CODE_BITS = 16
# Rows of `held`: a mask for each bit of the code; which rows are awake (something is on, arming or
# clearing); and which of them hold a code that says nothing. Those are told of every pane, so that
# they keep what was compared when something was known.
# Rows of a word that are noted one by one: more of them are sooner noted all at once.
FEW = 16
AWAKE, DEAF, MASKS = CODE_BITS, CODE_BITS + 1, CODE_BITS + 2


class Watch(NamedTuple):
    """What a sweep must know of each row without touching its line; one word more than rows need.

    held        uint64[w + 1, 18]  masks of 64 rows: the code that holds, AWAKE and DEAF
    soonest_ns  int64[w + 1]       when the first timer of the word ends, or earlier
    shown       float64[s]         what was compared last, of rows that are awake
    awake       int32[n]           rows of 4096 that are awake
    words       uint64[2, 64]      working memory
    """

    held: np.ndarray
    soonest_ns: np.ndarray
    shown: np.ndarray
    awake: np.ndarray
    words: np.ndarray


@kernel
def apply_panes(
    latch, episode, due_ns, terms, start_row, stop_row, end_ns, value, code, start, changes
):
    """Judge ranges of rows at one end of a pane; how many rows are done, and how many changes.

    latch, episode, due_ns, terms, changes   as in apply_readings
    start_row, stop_row   int64[q]   first row of each range, and one past its last
    value   float64[m]   what was compared, of the ranges one after another
    code    uint16[m]    what it means; unknown bits stop the timers of their grade

    The old code holds up to `end_ns`, the new one from then on. Begins at place `start` of m.
    """
    count = i = 0
    for q in range(start_row.size):
        for row in range(start_row[q], stop_row[q]):
            line = latch[row]
            if i >= start and not is_quiet(line, end_ns, value[i], code[i]):
                term = terms[line.terms]
                is_done = True
                if not is_same(line, term, end_ns, value[i], code[i], end_ns, due_ns[row]):
                    count, is_done = meet(
                        *(line, episode[row], term, row, end_ns, value[i], code[i], end_ns),
                        *(changes, count),
                    )
                due_ns[row] = next_due(line, term)
                if not is_done:
                    return i, count
            i += 1
    return i, count


def watch_of(rows):
    """A watch over rows of which none is awake; wake them with `wake`."""
    words = -(-rows // LANES) + 1
    return Watch(
        held=aligned((words, MASKS), np.dtype(np.uint64)),
        soonest_ns=np.full(words, FOREVER_NS, np.int64),
        shown=aligned(rows, np.dtype(np.float64)),
        awake=np.zeros(rows // BLOCK + 1, np.int32),
        words=np.zeros((2, WORDS), np.uint64),
    )


@kernel
def wake(latch, due_ns, terms, watch):
    """Find out which rows are awake, after their lines were written by somebody else.

    latch   LATCH[rows]
    due_ns  int64[rows]   a row that sleeps waits for nothing     (in place)
    terms   TERMS[c]
    watch   Watch         (out)
    """
    watch.awake[:] = 0
    watch.held[:] = 0
    watch.soonest_ns[:] = FOREVER_NS
    for row in range(latch.size):
        line = latch[row]
        if line.phase == 0:
            due_ns[row] = FOREVER_NS
        else:
            hold(watch.held[row // LANES], row % LANES, line, terms[line.terms])
            watch.awake[row // BLOCK] += 1
        watch.shown[row] = line.value
        watch.soonest_ns[row // LANES] = min(watch.soonest_ns[row // LANES], due_ns[row])


@kernel
def hold(held, place, line, term):
    """Note of one of 64 rows which code holds while it is awake."""
    mark = np.uint64(1) << np.uint64(place)
    for bit in range(MASKS):
        held[bit] &= ~mark
    if line.phase == 0:
        return
    unknown = term.exists << 4 | term.exists << 12
    for bit in range(CODE_BITS):
        held[bit] |= mark if line.code >> bit & 1 else np.uint64(0)
    held[AWAKE] |= mark
    held[DEAF] |= mark if line.code & unknown == unknown else np.uint64(0)


@kernel
def note_shown(latch, held, shown):
    """Write into the lines what was compared last, for whoever reads the lines.

    latch  LATCH[rows]  (in place);  held, shown  of a Watch
    """
    for row in range(latch.size):
        if held[row // LANES, AWAKE] >> np.uint64(row % LANES) & np.uint64(1):
            latch[row].value = shown[row]


@kernel
def find_stirring(awake, rows, stirring):
    """Mark the blocks of a table in which a row is awake, or may be.

    awake     int32[n]   rows of 4096 that are awake, of a Watch
    rows      int64[m]   rows of the table, ascending
    stirring  uint8[n]   one for 4096 rows of the table; 0 only where all are asleep   (out)
    """
    for block in range(stirring.size):
        start = block * BLOCK
        first, last = rows[start], rows[min(start + BLOCK, rows.size) - 1]
        found = 0
        for near in range(first // BLOCK, last // BLOCK + 1):
            found |= awake[near]
        stirring[block] = found != 0


@kernel
def apply_blocks(
    latch,
    episode,
    due_ns,
    terms,
    watch,
    rows,
    end_ns,
    next_ns,
    value,
    bits,
    is_loud,
    start,
    changes,
):
    """Judge blocks of rows at one end of a pane; how many rows are done, and how many changes.

    latch, episode, due_ns, terms, changes   as in latch.apply_readings
    watch     Watch          (in place)
    rows      int64[m]       rows of the table, ascending
    next_ns   int            no pane of these rows ends between `end_ns` and it
    value     float32|64[m]  what was compared
    bits      uint64[w, 16]  what it means: for 64 rows one mask for each bit of the code
    is_loud   uint8[n]       0: no `when` is true in the block, and no row of it is awake

    Says what apply_panes says of the same codes. Begins at place `start` of m.
    """
    held, soonest_ns, shown, awake = watch.held, watch.soonest_ns, watch.shown, watch.awake
    busy, kept = watch.words[0], watch.words[1]
    count, first = 0, start
    while first < rows.size:
        if not is_loud[first // BLOCK]:
            first = (first // BLOCK + 1) * BLOCK
            continue
        row, stop = rows[first], min(rows.size, (first // BLOCK + 1) * BLOCK)
        size = stop - first
        if row % LANES or first % LANES or rows[stop - 1] - row != size - 1:
            size = run_length(rows, first, min(stop, (first // LANES + 1) * LANES))
            look_at_run(bits, first, size, row, held, busy, kept)
        else:
            look_at_words(bits, first, size, row, held, busy, kept)
        add_due(row, size, due_ns, soonest_ns, next_ns, busy, kept)
        for low in range(first, first + size, LANES):
            w = (low - first) // LANES
            if kept[w]:
                keep(kept[w], rows[low], shown, value, low)
            left = busy[w]
            while left:
                prefetch(latch, rows[low] + lowest_bit(left))
                left &= left - np.uint64(1)
            left = busy[w]
            while left:
                i = low + lowest_bit(left)
                left &= left - np.uint64(1)
                row, line = rows[i], latch[rows[i]]
                term, code = terms[line.terms], code_of(bits, i)
                was_awake = line.phase != 0
                if was_awake:
                    line.value = shown[row]
                is_done = True
                is_told = is_quiet(line, end_ns, value[i], code)
                if not is_told and not is_same(
                    line, term, end_ns, value[i], code, end_ns, due_ns[row]
                ):
                    count, is_done = meet(
                        *(line, episode[row], term, row, end_ns, value[i], code, end_ns),
                        *(changes, count),
                    )
                due_ns[row], shown[row] = next_due(line, term), line.value
                soonest_ns[row // LANES] = min(soonest_ns[row // LANES], due_ns[row])
                hold(held[row // LANES], row % LANES, line, term)
                awake[row // BLOCK] += np.int32(line.phase != 0) - np.int32(was_awake)
                if not is_done:
                    return i, count
        first += size
    return rows.size, count


@kernel
def run_length(rows, first, stop):
    """How many rows from a place on follow each other without a gap."""
    if rows[stop - 1] - rows[first] == stop - 1 - first:
        return stop - first
    size = 1
    while rows[first + size] == rows[first] + size:
        size += 1
    return size


@kernel
def look_at_words(bits, first, size, row, held, busy, kept):
    """Find rows to which something may happen, and the others that are awake: of whole words.

    busy, kept   uint64[64]   (out)
    """
    for w in range((size + LANES - 1) // LANES):
        codes, holds = bits[first // LANES + w], held[row // LANES + w]
        when, awake = codes[0] | codes[1] | codes[2] | codes[3], holds[AWAKE]
        stirred = np.uint64(0)
        if when | awake:
            stirred = holds[DEAF]
            for bit in range(CODE_BITS):
                stirred |= codes[bit] ^ holds[bit]
        busy[w] = stirred & awake | when & ~awake
        kept[w] = awake & ~stirred
    if size % LANES:
        whole = ~np.uint64(0) >> np.uint64(LANES - size % LANES)
        busy[size // LANES] &= whole
        kept[size // LANES] &= whole


@kernel
def look_at_run(bits, first, size, row, held, busy, kept):
    """The same for rows within a word of the table, which may begin anywhere in their own."""
    whole = ~np.uint64(0) >> np.uint64(LANES - size)
    codes, shift = bits[first // LANES], np.uint64(first % LANES)
    when = (codes[0] | codes[1] | codes[2] | codes[3]) >> shift & whole
    # By twice, for 64 places are too many at once.
    low, high, down = held[row // LANES], held[row // LANES + 1], np.uint64(row % LANES)
    up, one = np.uint64(LANES - 1) - down, np.uint64(1)
    awake = (low[AWAKE] >> down | high[AWAKE] << up << one) & whole
    stirred = low[DEAF] >> down | high[DEAF] << up << one
    for bit in range(CODE_BITS):
        stirred |= codes[bit] >> shift ^ (low[bit] >> down | high[bit] << up << one)
    busy[0] = stirred & awake | when & ~awake
    kept[0] = awake & ~stirred


@kernel
def add_due(row, size, due_ns, soonest_ns, next_ns, busy, kept):
    """Count rows among the busy whose timer ends up to an instant.

    busy, kept   uint64[64]   (in place)
    """
    for near in range(row // LANES, (row + size - 1) // LANES + 1):
        if soonest_ns[near] > next_ns:
            continue
        soonest_ns[near] = soonest(due_ns, near * LANES)
        for other in range(max(row, near * LANES), min(row + size, (near + 1) * LANES)):
            if due_ns[other] <= next_ns:
                w, mark = (other - row) // LANES, np.uint64(1) << np.uint64((other - row) % LANES)
                busy[w] |= mark & kept[w]
                kept[w] &= ~mark


@kernel
def soonest(due_ns, start):
    """When the first timer of a word of rows ends."""
    found = FOREVER_NS
    for row in range(start, min(start + LANES, due_ns.size)):
        found = min(found, due_ns[row])
    return found


@kernel
def keep(kept, row, shown, value, first):
    """Note what was compared of some rows of a run: where they are few, one by one."""
    if count_bits(kept) > FEW and row + LANES <= shown.size and first + LANES <= value.size:
        shown_at = np.int64(shown.ctypes.data) + row * 8
        if value.itemsize == 4:
            take32(shown_at, np.int64(value.ctypes.data) + first * 4, kept)
        else:
            take64(shown_at, np.int64(value.ctypes.data) + first * 8, kept)
        return
    while kept:
        j = lowest_bit(kept)
        kept &= kept - np.uint64(1)
        shown[row + j] = value[first + j]


@kernel
def code_of(bits, i):
    """The code of one row."""
    code = 0
    for bit in range(CODE_BITS):
        code |= np.int64(bits[i // LANES, bit] >> np.uint64(i % LANES) & np.uint64(1)) << bit
    return np.uint16(code)
