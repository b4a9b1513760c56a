"""Is a sensor heard from, does it move, is it pegged? The raw signal of one slice of time.

Good and bad readings alike, because a sensor that sends nonsense is not silent. Only sensor types
of which a rule asks `age`, `unchanged` or its window above the range have raw lines. Their slots,
moments and panes are those of kernels/panes.py.
"""

import numpy as np

from kernels.jit import kernel, prefetch

# As in kernels/stage.py: a kernel file imports no other.
NAN, INFINITE, OVER = 2, 3, 4

# As in kernels/stage.py.
AHEAD = 32

# `last` is the newest value, of time `value_t`; its run of equal values began at `run_t`, and is
# the last of `runs`. `last_t` is the time of the newest reading, with or without a value.
RAW = np.dtype(
    {
        "names": ["last", "count", "last_t", "value_t", "run_t", "runs", "pegged"],
        "formats": ["f8", "u4", "u4", "u4", "u4", "u4", "u1"],
        "offsets": [0, 8, 12, 16, 20, 24, 28],
        "itemsize": 32,
    },
    align=True,
)

# Rows of the table that close_raw fills.
RAW_COUNT, RAW_LAST_NS, RAW_VALUE, RAW_RUN_NS, RAW_RUNS, RAW_PEGGED, RAW_VALUE_NS = range(7)
RAW_ROWS = 7


@kernel
def fold_raw(raw, slot, moment, value, outcome):
    """Fold every reading that has a place, good or bad, into the raw lines.

    raw      RAW[q]                                                        (in place)
    slot     int64[n]    from stage.admit; -1: no place, not folded
    moment   uint32[n]   steps since the pane's start
    value    float[n]    one that is not finite counts for the age only
    outcome  uint8[n]

    For readings that arrive in the order of their times the run is exact. An older reading
    that breaks the newest run makes it begin at the newest reading.
    """
    n = slot.size
    last = np.uint64(n - 1)
    for i in range(np.uint64(0), np.uint64(n)):
        prefetch(raw, slot[min(i + np.uint64(AHEAD), last)])
        if slot[i] >= 0:
            line = raw[np.uint64(slot[i])]
            fold_raw_one(line, moment[i], np.float64(value[i]), outcome[i])


@kernel
def fold_raw_one(line, t, x, outcome):
    """Fold one reading into one raw line."""
    if line.count == 0:
        line.runs = 0
        line.last_t = t
    line.count += 1
    line.last_t = max(line.last_t, t)
    if outcome in (NAN, INFINITE):
        return
    if line.runs == 0:
        line.runs = 1
        line.run_t = t
        line.value_t = t
        line.last = x
        line.pegged = outcome == OVER
    elif t > line.value_t or (t == line.value_t and x > line.last):
        if x != line.last:
            line.runs += 1
            line.run_t = t
        line.value_t = t
        line.last = x
        line.pegged = outcome == OVER
    elif x == line.last:
        if line.runs == 1 and t < line.run_t:
            line.run_t = t
    else:
        line.runs += 1
        if t >= line.run_t:
            line.run_t = line.value_t


@kernel
def fold_raw_series(
    raw, sensor, t0_ns, period_ns, start, stop, first_sample, latest_ns, value, outcome, card, bank
):
    """Fold samples start to stop of a block, as fold_raw would.

    raw           RAW[q]                                                   (in place)
    sensor        int32[n]
    first_sample  int64[n]     from stage.admit_series: those before it have no place
    value         float[n, m]
    outcome       uint8[n, m]  from stage.examine_series
    card          CARD[s]
    bank          BANK[b]
    """
    for i in range(sensor.size):
        mine = card[sensor[i]]
        group = bank[mine.bank]
        for j in range(max(start, first_sample[i]), stop):
            t = t0_ns + j * period_ns
            if 0 < t <= latest_ns:
                pane = (t - 1) // group.pane_ns
                place = mine.row * group.slots + (pane & (group.slots - 1))
                moment = np.uint32((t - pane * group.pane_ns) // group.step_ns)
                line = raw[group.first_slot + place]
                fold_raw_one(line, moment, np.float64(value[i, j]), outcome[i, j])


@kernel
def close_raw(raw, bank, b, pane, low_row, high_row, out):
    """Turn the raw lines of one closed pane into columns, and free their slots.

    raw       RAW[q]                                                       (in place)
    bank      BANK[b]
    low_row   int64[r]      rows low to high of the bank are closed
    high_row  int64[r]
    out       float64[7, m]  RAW_COUNT readings of any outcome; RAW_LAST_NS time of the newest;
              RAW_VALUE newest value, RAW_VALUE_NS its time, RAW_RUN_NS begin of its run of
              equal values, RAW_RUNS number of runs, RAW_PEGGED 1 if that value is above the
              range                                                                     (out)

    Times are whole ns from the pane's end, 0 or negative; NaN where there is none.
    """
    group = bank[b]
    place = group.first_slot + (pane & (group.slots - 1))
    i = 0
    for r in range(low_row.size):
        for row in range(low_row[r], high_row[r]):
            line = raw[place + row * group.slots]
            last_ns = np.int64(line.last_t) * group.step_ns - group.pane_ns
            run_ns = np.int64(line.run_t) * group.step_ns - group.pane_ns
            has_value = line.count > 0 and line.runs > 0
            out[RAW_COUNT, i] = line.count
            out[RAW_LAST_NS, i] = last_ns if line.count > 0 else np.nan
            out[RAW_VALUE, i] = line.last if has_value else np.nan
            out[RAW_RUN_NS, i] = run_ns if has_value else np.nan
            out[RAW_RUNS, i] = line.runs if has_value else 0
            out[RAW_PEGGED, i] = line.pegged if has_value else 0
            value_ns = np.int64(line.value_t) * group.step_ns - group.pane_ns
            out[RAW_VALUE_NS, i] = value_ns if has_value else np.nan
            line.count = 0
            i += 1
