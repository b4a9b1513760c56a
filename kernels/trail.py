"""Which readings did a sensor send lately? A short trail of them, in the order of event time.

Medians and robust slopes need the readings themselves. The trail of a sensor is a ring of its
newest readings, of any pane; a reading goes to its place by its time, and of two with the same
time the smaller value comes first, so order of arrival changes nothing. All statistics look at
the readings between two times, never at how many have come since.

Memory is bounded twice: by readings of one open pane, and by readings of one window. A pane that
had more is told when it closes, so what is known never depends on how frames were cut. A trail of
`window_max + slots * pane_max + 1` readings then holds every window that has at most window_max:
the panes still open hold at most slots * pane_max, and one more tells that there were more.
"""

import numpy as np

from kernels.jit import kernel, prefetch

# As in kernels/stage.py: a kernel file imports no other.
FOLDED = 0
AHEAD = 32

# The ring of one sensor. first: where the oldest reading is; size: how many there are; lost_ns:
# end of the newest closed pane of which readings are missing. Zeroed memory is a good beginning:
# nothing is missing after time 0.
RING = np.dtype([("first", "i4"), ("size", "i4"), ("lost_ns", "i8")], align=True)


@kernel
def insert(times, values, ring, row, t, x):
    """Put one reading before those that are newer; the oldest of a full trail makes room."""
    capacity = times.shape[1]
    mine = ring[row]
    head, n = mine.first, mine.size
    if n == capacity:
        if t < times[row, head]:
            return
        head = head + 1 if head + 1 < capacity else 0
        mine.first = head
        n -= 1
    k = n
    while k > 0:
        before = head + k - 1
        before -= capacity if before >= capacity else 0
        t_before = times[row, before]
        if t_before < t or (t_before == t and values[row, before] <= x):
            break
        at = before + 1 if before + 1 < capacity else 0
        times[row, at] = t_before
        values[row, at] = values[row, before]
        k -= 1
    at = head + k
    at -= capacity if at >= capacity else 0
    times[row, at] = t
    values[row, at] = x
    mine.size = n + 1


@kernel
def add_points(times, values, ring, filled, pane_max, slots, slot, time_ns, value, outcome):
    """Let the folded readings of one bank into the trails of their sensors.

    times     int64[s, c]    event times, a ring of c per sensor            (in place)
    values    float64[s, c]                                                 (in place)
    ring      RING[s]                                                       (in place)
    filled    uint32[q]      readings so far of each open pane; past pane_max they are only
                             counted                                        (in place)
    pane_max  int
    slots     int            panes in the ring of the bank
    slot      int64[n]       row * slots + place; -1: none, left out
    time_ns   int64[n]
    value     float[n]
    outcome   uint8[n]
    """
    n = slot.size
    capacity = times.shape[1]
    bits = 0
    while slots >> (bits + 1):
        bits += 1
    last = np.uint64(n - 1)
    for i in range(np.uint64(0), np.uint64(n)):
        # The ring first, then the places that it points to.
        prefetch(ring, max(slot[min(i + np.uint64(2 * AHEAD), last)], 0) >> bits)
        coming = max(slot[min(i + np.uint64(AHEAD), last)], 0)
        prefetch(filled, coming)
        soon = (coming >> bits) * capacity + ring[coming >> bits].first
        prefetch(times, soon)
        prefetch(values, soon)
        if slot[i] < 0 or outcome[i] != FOLDED:
            continue
        filled[slot[i]] += np.uint32(1)
        if filled[slot[i]] > pane_max:
            continue
        row, t, x = slot[i] >> bits, time_ns[i], np.float64(value[i])
        mine = ring[row]
        head, size = mine.first, mine.size
        end = head + size
        end -= capacity if end >= capacity else 0
        newest = end - 1 if end > 0 else capacity - 1
        if size > 0 and t <= times[row, newest]:
            insert(times, values, ring, row, t, x)
            continue
        # Nearly always; in place, not in a kernel of its own: to hand over arrays costs more.
        times[row, end] = t
        values[row, end] = x
        if size < capacity:
            mine.size = size + 1
        else:
            mine.first = head + 1 if head + 1 < capacity else 0


@kernel
def add_series(
    times,
    values,
    ring,
    filled,
    pane_max,
    slots,
    row,
    t0_ns,
    period_ns,
    start,
    stop,
    pane_ns,
    value,
    outcome,
):
    """Let samples start to stop of a block into the trails, as add_points would.

    row      int64[n]     rows of the sensors within the bank
    value    float[n, m]
    outcome  uint8[n, m]  from stage.examine_series: what is late is not FOLDED
    """
    for i in range(row.size):
        for j in range(start, stop):
            if outcome[i, j] != FOLDED:
                continue
            t = t0_ns + j * period_ns
            place = row[i] * slots + (((t - 1) // pane_ns) & (slots - 1))
            filled[place] += np.uint32(1)
            if filled[place] <= pane_max:
                insert(times, values, ring, row[i], t, np.float64(value[i, j]))


@kernel
def close_pane(filled, pane_max, slots, pane, end_ns, low_row, high_row, ring):
    """Note which sensors had more readings in a closed pane than are kept; free its slots.

    filled    uint32[q]                                                    (in place)
    low_row   int64[r]    rows low to high of the bank are closed
    high_row  int64[r]
    ring      RING[s]     lost_ns                                           (in place)

    Returns how many readings went missing.
    """
    missing = 0
    for r in range(low_row.size):
        for row in range(low_row[r], high_row[r]):
            place = row * slots + (pane & (slots - 1))
            if filled[place] > pane_max:
                ring[row].lost_ns = end_ns
                missing += np.int64(filled[place]) - pane_max
            filled[place] = 0
    return missing


@kernel
def after(times, ring, row, t):
    """How many readings of a trail are not newer than t."""
    capacity = times.shape[1]
    first = np.int64(ring[row].first)
    low, high = 0, np.int64(ring[row].size)
    while low < high:
        middle = (low + high) // 2
        at = first + middle
        at -= capacity if at >= capacity else 0
        if times[row, at] <= t:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def find(times, ring, rows, begin_ns, end_ns, window_max, begin, count):
    """Find the readings in (begin, end] of some sensors.

    rows        int64[m]
    window_max  int         more readings than that are not known in full
    begin       int64[m]    how many readings of the trail are older        (out)
    count       int64[m]    how many are in the window; -1: not known in full (out)
    """
    for i in range(rows.size):
        row = rows[i]
        begin[i] = after(times, ring, row, begin_ns)
        count[i] = after(times, ring, row, end_ns) - begin[i]
        if count[i] > window_max or begin_ns < ring[row].lost_ns:
            count[i] = -1


@kernel
def gather(times, values, ring, rows, begin, start, end_ns, since_s, value):
    """Copy the readings that `find` found, sensor by sensor, each in the order of time.

    rows     int64[m]
    begin    int64[m]    from find
    start    int64[m+1]  readings of rows[i] go to start[i] to start[i + 1]
    since_s  float64[n]  times in seconds from the window's end, 0 or negative (out)
    value    float64[n]                                                    (out)

    A difference of times is a whole number of ns below 2 ** 53 for windows up to 104 days.
    """
    capacity = times.shape[1]
    for i in range(rows.size):
        row = rows[i]
        at = ring[row].first + begin[i]
        at -= capacity if at >= capacity else 0
        for k in range(start[i], start[i + 1]):
            since_s[k] = (times[row, at] - end_ns) / 1e9
            value[k] = values[row, at]
            at = at + 1 if at + 1 < capacity else 0
