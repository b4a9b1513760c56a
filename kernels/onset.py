"""Did the signal of a moment rise above that of the minutes before? Recursive STA/LTA.

The short-term and the long-term average of x ** 2 are kept per sensor; their ratio after the last
sample of a pane belongs to the pane. The averages walk in the order of event time: a reading that
is not newer than the newest is left out, and only FOLDED readings count. The ratio is unknown
until the long term is full, at the start and after a gap longer than the short term.

The recursion is obspy's `recursive_sta_lta` to the last bit, including its first sample, which
only opens the clock.
Source: Withers et al. 1998, Bulletin of the Seismological Society of America 88(1), 95-106.
"""

import numpy as np

from kernels.jit import kernel, prefetch

# As in kernels/stage.py: a kernel file imports no other.
FOLDED = 0

# As in kernels/stage.py, and in kernels/panes.py.
AHEAD = 32
SERIES_AHEAD = 4

# The long-term average starts here instead of at 0, so that the ratio is always a number.
LEAST = 1e-99

# One sensor and pair of terms. last_ns: time of the newest sample; seen: samples since the start
# or the latest gap, 0 at first. Zeroed memory is a good beginning.
ONSET = np.dtype([("sta", "f8"), ("lta", "f8"), ("last_ns", "i8"), ("seen", "i8")], align=True)


def terms(short_ns: int, long_ns: int, period_ns: int) -> tuple[int, int, int]:
    """Count the samples of the two terms; with them goes the longest gap, one short term."""
    short_count = max(1, round(short_ns / period_ns))
    long_count = max(1, round(long_ns / period_ns))
    return short_count, long_count, short_ns


@kernel
def step_one(line, t, x, short_count, long_count, gap_ns):
    """Let one sample into the averages; return the ratio after it, NaN while it is unknown."""
    if line.seen == 0 or t - line.last_ns > gap_ns:
        line.sta = 0.0
        line.lta = LEAST
        line.seen = 0
    else:
        c_short, c_long = 1.0 / short_count, 1.0 / long_count
        line.sta = c_short * (x * x) + (1.0 - c_short) * line.sta
        line.lta = c_long * (x * x) + (1.0 - c_long) * line.lta
    line.last_ns = t
    line.seen += 1
    return line.sta / line.lta if line.seen > long_count else np.nan


@kernel
def stalta_points(
    onset,
    ratio,
    short_count,
    long_count,
    gap_ns,
    sensor,
    time_ns,
    value,
    outcome,
    slot,
    card,
    bank,
    b,
):
    """Let the folded readings of one bank into its averages, in their order.

    onset    ONSET[m]     by row of the bank                               (in place)
    ratio    float64[q]   by slot of the bank, NaN at first: the ratio after the newest sample
                          of the slot's pane                               (in place)
    sensor   int32[n]     readings of any bank
    time_ns  int64[n]
    value    float[n]
    outcome  uint8[n]     from stage.admit
    slot     int64[n]     from stage.admit
    card     CARD[s]
    bank     BANK[b]
    """
    n = sensor.size
    last = np.uint64(n - 1)
    for i in range(np.uint64(0), np.uint64(n)):
        # The card first, then what it points to.
        prefetch(card, sensor[min(i + np.uint64(2 * AHEAD), last)])
        coming = min(i + np.uint64(AHEAD), last)
        prefetch(onset, card[np.uint32(sensor[coming])].row)
        prefetch(ratio, slot[coming] - bank[b].first_slot)
        mine = card[np.uint32(sensor[i])]
        if outcome[i] == FOLDED and mine.bank == b:
            line = onset[mine.row]
            if line.seen == 0 or time_ns[i] > line.last_ns:
                x = np.float64(value[i])
                now = step_one(line, time_ns[i], x, short_count, long_count, gap_ns)
                ratio[slot[i] - bank[b].first_slot] = now


@kernel
def stalta_series(
    onset,
    ratio,
    short_count,
    long_count,
    gap_ns,
    sensor,
    t0_ns,
    period_ns,
    start,
    stop,
    value,
    outcome,
    card,
    bank,
    b,
):
    """Let samples start to stop of a block into the averages, as stalta_points would.

    onset, ratio  as in stalta_points                                      (in place)
    sensor        int32[n]      of any bank
    value         float[n, m]
    outcome       uint8[n, m]   from stage.examine_series
    """
    pane_ns, slots = bank[b].pane_ns, bank[b].slots
    first_place = (t0_ns + start * period_ns - 1) // pane_ns & (slots - 1)
    last = np.uint64(sensor.size - 1)
    for i in range(np.uint64(0), np.uint64(sensor.size)):
        prefetch(card, sensor[min(i + np.uint64(2 * SERIES_AHEAD), last)])
        coming = card[sensor[min(i + np.uint64(SERIES_AHEAD), last)]].row
        prefetch(onset, coming)
        prefetch(ratio, coming * slots + first_place)
        mine = card[sensor[i]]
        if mine.bank != b:
            continue
        line = onset[mine.row]
        j = start
        while j < stop:
            pane = (t0_ns + j * period_ns - 1) // pane_ns
            beyond = min(((pane + 1) * pane_ns - t0_ns) // period_ns + 1, stop)
            newest_ns = line.last_ns
            now = step_run(
                line,
                t0_ns,
                period_ns,
                j,
                beyond,
                value[i],
                outcome[i],
                short_count,
                long_count,
                gap_ns,
            )
            if line.last_ns != newest_ns:
                ratio[mine.row * slots + (pane & (slots - 1))] = now
            j = beyond


@kernel
def step_run(line, t0_ns, period_ns, j, beyond, value, outcome, short_count, long_count, gap_ns):
    """Let samples j to beyond into the averages; return the ratio after them."""
    c_short, c_long = 1.0 / short_count, 1.0 / long_count
    rest_short, rest_long = 1.0 - c_short, 1.0 - c_long
    sta, lta, last_ns, seen = line.sta, line.lta, line.last_ns, line.seen
    t = t0_ns + (j - 1) * period_ns
    for i in range(np.uint64(j), np.uint64(beyond)):
        t += period_ns
        if outcome[i] == FOLDED and (seen == 0 or t > last_ns):
            if seen == 0 or t - last_ns > gap_ns:
                sta, lta, seen = 0.0, LEAST, 0
            else:
                e = np.float64(value[i]) * np.float64(value[i])
                sta = c_short * e + rest_short * sta
                lta = c_long * e + rest_long * lta
            last_ns = t
            seen += 1
    line.sta, line.lta, line.last_ns, line.seen = sta, lta, last_ns, seen
    return sta / lta if seen > long_count else np.nan


@kernel
def close_onset(ratio, bank, b, pane, low_row, high_row, out):
    """Give the ratios of one closed pane, and free their slots.

    ratio     float64[q]                                                   (in place)
    low_row   int64[r]     rows low to high of the bank are closed
    high_row  int64[r]
    out       float64[m]   NaN where no sample came or the ratio is unknown (out)
    """
    slots = bank[b].slots
    place = pane & (slots - 1)
    i = 0
    for r in range(low_row.size):
        for row in range(low_row[r], high_row[r]):
            out[i] = ratio[row * slots + place]
            ratio[row * slots + place] = np.nan
            i += 1
