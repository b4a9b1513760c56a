"""Which rows of a closed pane need the machine? The others are not touched.

A row is one rule on one sensor; the machine is kernels/latch.py, its columns kernels/standing.py.
A pane closes for all rows of a site at once, and nearly all of them mean what they meant before:
nothing is on, or what is on stays on. A row that nothing happens to need not be told so. Its line
of 64 bytes may stay as it was, because for rules on panes

    nothing turns stale    so when it was last told does not matter
    time goes only forward so no pane is older than the newest one it was told of
    a code that repeats    moves nothing before the next timer ends

Only a timer that ends between this end of a pane and the next says what was compared last, so a
row is told of the pane before its timer ends. What must be known of the others is kept apart in
18 bytes: `held`, the code that holds, `due_ns`, and `shown`, what was compared last.
"""

import numpy as np

from kernels.jit import (
    at_most_int64,
    differ16,
    kernel,
    lowest_bit,
    mark16,
    prefetch,
    take64,
    unequal16,
)
from kernels.latch import is_quiet, is_same, meet, next_due
from kernels.standing import FOREVER_NS

# What `held` says of a row where nothing is on, arming or clearing: no code has both bits of a
# condition, so none is this.
ASLEEP = 0xFFFF
# And of a row that is awake although its code says nothing: it is told of every pane, so that it
# keeps what was compared when something was known.
DEAF = 0xFFFE
# As in kernels/zones.py; rows that are awake are counted by blocks, too.
BLOCK, LANES = 4096, 64
WORDS = BLOCK // LANES
WHEN_BITS = 4


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


@kernel
def wake(latch, due_ns, terms, held, shown, awake):
    """Find out which rows are awake, after their lines were written by somebody else.

    latch   LATCH[rows]
    due_ns  int64[rows]    a row that sleeps waits for nothing          (in place)
    terms   TERMS[c]
    held    uint16[rows]   the code that holds; ASLEEP or DEAF          (out)
    shown   float64[rows]  what was compared last                       (out)
    awake   int32[blocks]  rows of 4096 that are awake                  (out)
    """
    for block in range(awake.size):
        awake[block] = 0
    for row in range(latch.size):
        line = latch[row]
        held[row] = holding(line, terms[line.terms])
        shown[row] = line.value
        if line.phase == 0:
            due_ns[row] = FOREVER_NS
        else:
            awake[row // BLOCK] += 1


@kernel
def note_shown(latch, held, shown):
    """Write into the lines what was compared last, for whoever reads the lines.

    latch  LATCH[rows]  (in place);  held  uint16[rows];  shown  float64[rows]
    """
    for row in range(latch.size):
        if held[row] != ASLEEP:
            latch[row].value = shown[row]


@kernel
def find_stirring(awake, rows, stirring):
    """Mark the blocks of a table in which a row is awake, or may be.

    awake     int32[blocks]  rows of 4096 that are awake
    rows      int64[m]       rows of the table, ascending
    stirring  uint8[n]       one for 4096 rows of the table; 0 only where all are asleep   (out)
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
    held,
    shown,
    awake,
    rows,
    end_ns,
    next_ns,
    value,
    bits,
    is_loud,
    code,
    start,
    changes,
):
    """Judge blocks of rows at one end of a pane; how many rows are done, and how many changes.

    latch, episode, due_ns, terms, changes   as in latch.apply_readings
    held, shown, awake  as in `wake`                                     (in place)
    rows      int64[m]       rows of the table, ascending
    next_ns   int            no pane of these rows ends between `end_ns` and it
    value     float64[m]     what was compared
    bits      uint64[16, w]  what it means: one mask for each bit of the code
    is_loud   uint8[n]       0: no `when` is true in the block, and no row of it is awake
    code      uint16[64]     working memory

    Says what apply_panes says of the same codes. Begins at place `start` of m.
    """
    count = 0
    for w in range(start // LANES, bits.shape[1]):
        first = w * LANES
        if not is_loud[w // WORDS] or first >= rows.size:
            continue
        size = min(LANES, rows.size - first)
        near, compared = rows[first : first + size], value[first : first + size]
        busy = busy_rows(bits, w, near, held, due_ns, next_ns, shown, compared, code)
        if start > first:
            busy &= ~np.uint64(0) << np.uint64(start - first)
        ahead = busy
        while ahead:
            prefetch(latch, rows[first + lowest_bit(ahead)])
            ahead &= ahead - np.uint64(1)
        while busy:
            j = lowest_bit(busy)
            busy &= busy - np.uint64(1)
            i, row = first + j, rows[first + j]
            line = latch[row]
            if is_quiet(line, end_ns, value[i], code[j]):
                continue
            term = terms[line.terms]
            is_done = True
            was_awake = held[row] != ASLEEP
            if was_awake:
                line.value = shown[row]
            if not is_same(line, term, end_ns, value[i], code[j], end_ns, due_ns[row]):
                count, is_done = meet(
                    *(line, episode[row], term, row, end_ns, value[i], code[j], end_ns),
                    *(changes, count),
                )
            due_ns[row] = next_due(line, term)
            held[row], shown[row] = holding(line, term), line.value
            awake[row // BLOCK] += np.int32(held[row] != ASLEEP) - np.int32(was_awake)
            if not is_done:
                return i, count
    return rows.size, count


@kernel
def holding(line, term):
    """The code that a row holds while it is awake; DEAF where that says nothing."""
    unknown = term.exists << 4 | term.exists << 12
    if line.phase == 0:
        return ASLEEP
    return DEAF if line.code & unknown == unknown else line.code


@kernel
def busy_rows(bits, w, rows, held, due_ns, next_ns, shown, value, code):
    """Which of 64 rows something may happen to; their codes are in `code` if any.

    What was compared last is noted for the others that are awake.
    """
    when = np.uint64(0)
    for bit in range(WHEN_BITS):
        when |= bits[bit, w]
    if rows.size < LANES:
        when &= (np.uint64(1) << np.uint64(rows.size)) - np.uint64(1)
    row = rows[0]
    is_run = rows.size == LANES and rows[LANES - 1] - row == LANES - 1
    awake = np.uint64(0)
    held_at = np.int64(held.ctypes.data) + row * 2
    if is_run:
        awake = unequal16(held_at, np.uint16(ASLEEP))
    else:
        for j in range(rows.size):
            awake |= np.uint64(held[rows[j]] != ASLEEP) << np.uint64(j)
    if not when | awake:
        return np.uint64(0)
    for j in range(LANES):
        code[j] = 0
    code_at = np.int64(code.ctypes.data)
    for bit in range(bits.shape[0]):
        if bits[bit, w]:
            mark16(code_at, bits[bit, w], np.uint16(1 << bit))
    if is_run:
        busy = differ16(code_at, held_at)
        busy |= at_most_int64(np.int64(due_ns.ctypes.data) + row * 8, next_ns)
        busy &= when | awake
        shown_at = np.int64(shown.ctypes.data) + row * 8
        take64(shown_at, np.int64(value.ctypes.data), awake & ~busy)
        return busy
    busy = np.uint64(0)
    for j in range(rows.size):
        if code[j] != held[rows[j]] or due_ns[rows[j]] <= next_ns:
            busy |= (when | awake) & np.uint64(1) << np.uint64(j)
        elif held[rows[j]] != ASLEEP:
            shown[rows[j]] = value[j]
    return busy
