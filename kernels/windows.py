"""What happened in the last so many panes? Windows are merged from panes, one pane at a time.

A window of W panes is two stacks. `back` is the merger of the panes since the last flip; the ring
holds, at the places that this cycle has not reached yet, the mergers of the panes from there to
the end of the cycle before. So a window is always one front and one back, whatever its length:

    place      0    1    2    3    4              the pane before place 0 was the last of a cycle
    ring      p5   p6   [p2+p3+p4] [p3+p4] [p4]   p6 has just come to place 1:
    back      p5+p6                               window = ring[2] + back = p2 ... p6

At the last place of a cycle the ring is flipped into mergers and `back` is emptied. What leaves a
window is never subtracted, because that loses all digits after one spike; a window's result
depends on the readings inside it and on nothing else.

All sensors flip together, so rows are contiguous and the loops are vectorised: no loop touches
more than 16 columns, or the compiler gives up. A window's result has the rows of a pane's table
(kernels/panes.py): a window is a longer pane. Empty panes merge as count 0 and leave no trace.

Source: the Chan merge of kernels/panes.py; two stacks: Tangwongsan, Hirzel and Schneider 2021,
VLDB Journal 30, 933-957.
"""

import numpy as np

from kernels.jit import kernel

# Rows of a pane's table, as in kernels/panes.py: a kernel file imports no other.
COUNT, MEAN, M2, LOW, HIGH, FIRST, LAST, FIRST_NS, LAST_NS, TMEAN, MT2, C = range(12)

# Fields of the rings: a ring of sums has the first 1, 3 or 6 of count, mean, m2, tmean, mt2, c.
COUNT_FIELDS, MOMENT_FIELDS, TREND_FIELDS = 1, 3, 6
BOUND_FIELDS = 2
END_FIELDS = 4

# Loops over rows count in uint64: for a signed index Numba adds a test for counting from the end,
# and the loop is not vectorised (3.0 instead of 0.7 ns for push_moments).
# Rows are worked on in blocks of which all columns stay in the second-level cache:
# 13 columns * 2048 * 8 bytes = 208 KiB.
BLOCK = 2048


@kernel
def clear(ring, back, low_row, high_row, blank):
    """Forget everything about ranges of rows: at the start, and after a gap as long as the window.

    ring      float64[f, W, s]                                             (in place)
    back      float64[f, s]                                                (in place)
    low_row   int64[r]          rows low to high are cleared
    high_row  int64[r]
    blank     float64[f]        SUMS: 0; bounds: +inf, -inf; ends: NaN
    """
    for f in range(ring.shape[0]):
        for r in range(low_row.size):
            for p in range(ring.shape[1]):
                for i in range(low_row[r], high_row[r]):
                    ring[f, p, i] = blank[f]
            for i in range(low_row[r], high_row[r]):
                back[f, i] = blank[f]


@kernel
def tick_sums(ring, back, position, pane_ns, low_row, high_row, pane, out):
    """Take in one closed pane: count, mean and deviation, trend.

    ring      float64[f, W, s]   f = 1: count, 3: and mean, m2, 6: and tmean, mt2, c (in place)
    back      float64[f, s]                                                (in place)
    position  int                pane index % W, the same for all rows of the call
    pane_ns   int
    low_row   int64[r]           rows low to high closed this pane
    high_row  int64[r]
    pane      float64[12, m]     from panes.close_panes for the same ranges
    out       float64[12, m]     the window that ends with the pane: rows COUNT; MEAN, M2; TMEAN,
                                 MT2, C                                    (out)

    Every pane of a row must come, one after the other, empty ones too.
    """
    o = np.uint64(0)
    for r in range(low_row.size):
        for low in range(low_row[r], high_row[r], BLOCK):
            start, rows = np.uint64(low), np.uint64(min(BLOCK, high_row[r] - low))
            if ring.shape[0] >= TREND_FIELDS:
                push_trend(ring, back, position, pane_ns / 1e9, start, rows, pane, o)
            if ring.shape[0] >= MOMENT_FIELDS:
                push_moments(ring, back, position, start, rows, pane, o)
            else:
                push_counts(ring, back, position, start, rows, pane, o)
            if position == ring.shape[1] - 1:
                whole_sums(back, ring.shape[1] * pane_ns / 1e9, start, rows, out, o)
                flip_sums(ring, back, pane_ns / 1e9, start, rows)
            else:
                if ring.shape[0] >= TREND_FIELDS:
                    join_trend(ring, back, position, pane_ns / 1e9, start, rows, out, o)
                if ring.shape[0] >= MOMENT_FIELDS:
                    join_moments(ring, back, position, start, rows, out, o)
                else:
                    for i in range(rows):
                        out[COUNT, o + i] = ring[0, position + 1, start + i] + back[0, start + i]
            o += rows


@kernel
def push_counts(ring, back, q, start, rows, pane, o):
    """Put the counts of a pane at place q, and add them to back."""
    for i in range(rows):
        ring[0, q, start + i] = pane[COUNT, o + i]
        back[0, start + i] += pane[COUNT, o + i]


@kernel
def push_moments(ring, back, q, start, rows, pane, o):
    """Put count, mean and m2 of a pane at place q, and merge them into back."""
    for i in range(rows):
        n_new = pane[COUNT, o + i]
        mean_new = pane[MEAN, o + i] if n_new > 0.0 else 0.0
        m2_new = pane[M2, o + i] if n_new > 0.0 else 0.0
        ring[0, q, start + i] = n_new
        ring[1, q, start + i] = mean_new
        ring[2, q, start + i] = m2_new
        n_old = back[0, start + i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = mean_new - back[1, start + i]
        back[0, start + i] = n
        back[1, start + i] += dx * share
        back[2, start + i] += m2_new + dx * dx * (n_old * share)


@kernel
def join_moments(ring, back, q, start, rows, out, o):
    """Merge the front of the window, the suffix after place q, with back."""
    for i in range(rows):
        n_old = ring[0, q + 1, start + i]
        n_new = back[0, start + i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = back[1, start + i] - ring[1, q + 1, start + i]
        mean = ring[1, q + 1, start + i] + dx * share
        m2 = ring[2, q + 1, start + i] + back[2, start + i] + dx * dx * (n_old * share)
        out[COUNT, o + i] = n
        out[MEAN, o + i] = mean if n > 0.0 else np.nan
        out[M2, o + i] = m2 if n > 0.0 else np.nan


@kernel
def push_trend(ring, back, q, pane_s, start, rows, pane, o):
    """Put tmean, mt2 and c at place q and merge them into back, before push_moments changes it.

    Times in the ring count from the beginning of the cycle.
    """
    shift = (q + 1) * pane_s
    for i in range(rows):
        n_new = pane[COUNT, o + i]
        mean_new = pane[MEAN, o + i] if n_new > 0.0 else 0.0
        tmean_new = pane[TMEAN, o + i] + shift if n_new > 0.0 else 0.0
        mt2_new = pane[MT2, o + i] if n_new > 0.0 else 0.0
        c_new = pane[C, o + i] if n_new > 0.0 else 0.0
        ring[3, q, start + i] = tmean_new
        ring[4, q, start + i] = mt2_new
        ring[5, q, start + i] = c_new
        n_old = back[0, start + i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = mean_new - back[1, start + i]
        dt = tmean_new - back[3, start + i]
        back[3, start + i] += dt * share
        back[4, start + i] += mt2_new + dt * dt * (n_old * share)
        back[5, start + i] += c_new + dt * dx * (n_old * share)


@kernel
def join_trend(ring, back, q, pane_s, start, rows, out, o):
    """Merge front and back; the front's times count from the beginning of the cycle before."""
    cycle_s, end_s = ring.shape[1] * pane_s, (q + 1) * pane_s
    for i in range(rows):
        n_old = ring[0, q + 1, start + i]
        n_new = back[0, start + i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = back[1, start + i] - ring[1, q + 1, start + i]
        tmean_old = ring[3, q + 1, start + i] - cycle_s
        dt = back[3, start + i] - tmean_old
        tmean = tmean_old + dt * share - end_s
        mt2 = ring[4, q + 1, start + i] + back[4, start + i] + dt * dt * (n_old * share)
        c = ring[5, q + 1, start + i] + back[5, start + i] + dt * dx * (n_old * share)
        out[TMEAN, o + i] = tmean if n > 0.0 else np.nan
        out[MT2, o + i] = mt2 if n > 0.0 else np.nan
        out[C, o + i] = c if n > 0.0 else np.nan


@kernel
def whole_sums(back, cycle_s, start, rows, out, o):
    """At the last place of a cycle the window is back alone."""
    for i in range(rows):
        out[COUNT, o + i] = back[0, start + i]
    if back.shape[0] >= MOMENT_FIELDS:
        for i in range(rows):
            is_empty = back[0, start + i] == 0.0
            out[MEAN, o + i] = np.nan if is_empty else back[1, start + i]
            out[M2, o + i] = np.nan if is_empty else back[2, start + i]
    if back.shape[0] >= TREND_FIELDS:
        for i in range(rows):
            is_empty = back[0, start + i] == 0.0
            out[TMEAN, o + i] = np.nan if is_empty else back[3, start + i] - cycle_s
            out[MT2, o + i] = np.nan if is_empty else back[4, start + i]
            out[C, o + i] = np.nan if is_empty else back[5, start + i]


@kernel
def flip_sums(ring, back, pane_s, start, rows):
    """Turn the panes of a cycle into the mergers from each to the cycle's end; empty back."""
    for p in range(ring.shape[1] - 2, -1, -1):
        if ring.shape[0] >= TREND_FIELDS:
            flip_trend(ring, p, start, rows)
        if ring.shape[0] >= MOMENT_FIELDS:
            flip_moments(ring, p, start, rows)
        else:
            for i in range(start, start + rows):
                ring[0, p, i] += ring[0, p + 1, i]
    for f in range(back.shape[0]):
        for i in range(start, start + rows):
            back[f, i] = 0.0


@kernel
def flip_moments(ring, p, start, rows):
    """Merge place p + 1, already a suffix, into place p."""
    for i in range(start, start + rows):
        n_old = ring[0, p, i]
        n_new = ring[0, p + 1, i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = ring[1, p + 1, i] - ring[1, p, i]
        ring[0, p, i] = n
        ring[1, p, i] += dx * share
        ring[2, p, i] += ring[2, p + 1, i] + dx * dx * (n_old * share)


@kernel
def flip_trend(ring, p, start, rows):
    """Merge the trend of place p + 1 into place p, before flip_moments changes count and mean."""
    for i in range(start, start + rows):
        n_old = ring[0, p, i]
        n_new = ring[0, p + 1, i]
        n = n_old + n_new
        share = n_new / (n if n > 1.0 else 1.0)
        dx = ring[1, p + 1, i] - ring[1, p, i]
        dt = ring[3, p + 1, i] - ring[3, p, i]
        ring[3, p, i] += dt * share
        ring[4, p, i] += ring[4, p + 1, i] + dt * dt * (n_old * share)
        ring[5, p, i] += ring[5, p + 1, i] + dt * dx * (n_old * share)


@kernel
def tick_bounds(ring, back, position, low_row, high_row, pane, out):
    """Take in one closed pane: the least and the greatest value.

    ring      float64[2, W, s]   low, high; float32 for a bank of LINE32   (in place)
    back      float64[2, s]                                                (in place)
    position ... pane            as in tick_sums
    out       float64[12, m]     rows LOW, HIGH of the window; NaN if it is empty (out)
    """
    o = np.uint64(0)
    for r in range(low_row.size):
        for low in range(low_row[r], high_row[r], BLOCK):
            start, rows = np.uint64(low), np.uint64(min(BLOCK, high_row[r] - low))
            push_bounds(ring, back, position, start, rows, pane, o)
            if position == ring.shape[1] - 1:
                for i in range(rows):
                    is_empty = back[0, start + i] > back[1, start + i]
                    out[LOW, o + i] = np.nan if is_empty else back[0, start + i]
                    out[HIGH, o + i] = np.nan if is_empty else back[1, start + i]
                flip_bounds(ring, back, start, rows)
            else:
                join_bounds(ring, back, position, start, rows, out, o)
            o += rows


@kernel
def push_bounds(ring, back, q, start, rows, pane, o):
    """Put the bounds of a pane at place q and into back."""
    for i in range(rows):
        low = pane[LOW, o + i] if pane[COUNT, o + i] > 0.0 else np.inf
        high = pane[HIGH, o + i] if pane[COUNT, o + i] > 0.0 else -np.inf
        ring[0, q, start + i] = low
        ring[1, q, start + i] = high
        back[0, start + i] = low if low < back[0, start + i] else back[0, start + i]
        back[1, start + i] = high if high > back[1, start + i] else back[1, start + i]


@kernel
def join_bounds(ring, back, q, start, rows, out, o):
    """The bounds of front and back together."""
    for i in range(rows):
        low_old, low_new = ring[0, q + 1, start + i], back[0, start + i]
        high_old, high_new = ring[1, q + 1, start + i], back[1, start + i]
        low = low_old if low_old < low_new else low_new
        high = high_old if high_old > high_new else high_new
        out[LOW, o + i] = low if low <= high else np.nan
        out[HIGH, o + i] = high if low <= high else np.nan


@kernel
def flip_bounds(ring, back, start, rows):
    """Turn the panes of a cycle into the bounds from each to the cycle's end; empty back."""
    for p in range(ring.shape[1] - 2, -1, -1):
        for i in range(start, start + rows):
            low, low_new = ring[0, p, i], ring[0, p + 1, i]
            high, high_new = ring[1, p, i], ring[1, p + 1, i]
            ring[0, p, i] = low_new if low_new < low else low
            ring[1, p, i] = high_new if high_new > high else high
    for i in range(start, start + rows):
        back[0, i] = np.inf
        back[1, i] = -np.inf


@kernel
def tick_ends(ring, back, position, pane_ns, low_row, high_row, pane, out):
    """Take in one closed pane: the first and the last reading, and their times.

    ring      float64[4, W, s]   first, last, first_ns, last_ns            (in place)
    back      float64[4, s]                                                (in place)
    position ... pane            as in tick_sums
    out       float64[12, m]     rows FIRST, LAST, FIRST_NS, LAST_NS; NaN if empty (out)
    """
    o = np.uint64(0)
    end_ns = (position + 1) * pane_ns
    for r in range(low_row.size):
        for low in range(low_row[r], high_row[r], BLOCK):
            start, rows = np.uint64(low), np.uint64(min(BLOCK, high_row[r] - low))
            push_ends(ring, back, position, end_ns, start, rows, pane, o)
            if position == ring.shape[1] - 1:
                for i in range(rows):
                    out[FIRST, o + i] = back[0, start + i]
                    out[LAST, o + i] = back[1, start + i]
                    out[FIRST_NS, o + i] = back[2, start + i] - end_ns
                    out[LAST_NS, o + i] = back[3, start + i] - end_ns
                flip_ends(ring, back, start, rows)
            else:
                join_ends(ring, back, position, pane_ns, start, rows, out, o)
            o += rows


@kernel
def join_ends(ring, back, q, pane_ns, start, rows, out, o):
    """The first of front or back, and the last of back or front."""
    end_ns, cycle_ns = (q + 1) * pane_ns, ring.shape[1] * pane_ns
    for i in range(rows):
        first, last = ring[0, q + 1, start + i], ring[1, q + 1, start + i]
        first_ns, last_ns = ring[2, q + 1, start + i], ring[3, q + 1, start + i]
        first_new, last_new = back[0, start + i], back[1, start + i]
        first_ns_new, last_ns_new = back[2, start + i], back[3, start + i]
        out[FIRST, o + i] = first_new if np.isnan(first) else first
        out[LAST, o + i] = last if np.isnan(last_new) else last_new
        out[FIRST_NS, o + i] = (first_ns_new if np.isnan(first) else first_ns - cycle_ns) - end_ns
        out[LAST_NS, o + i] = (last_ns - cycle_ns if np.isnan(last_new) else last_ns_new) - end_ns


@kernel
def push_ends(ring, back, q, end_ns, start, rows, pane, o):
    """Put the ends of a pane at place q, their times from the cycle's beginning, and into back."""
    for i in range(rows):
        first, last = pane[FIRST, o + i], pane[LAST, o + i]
        first_ns, last_ns = pane[FIRST_NS, o + i] + end_ns, pane[LAST_NS, o + i] + end_ns
        ring[0, q, start + i] = first
        ring[1, q, start + i] = last
        ring[2, q, start + i] = first_ns
        ring[3, q, start + i] = last_ns
        first_old, last_old = back[0, start + i], back[1, start + i]
        first_ns_old, last_ns_old = back[2, start + i], back[3, start + i]
        back[0, start + i] = first if np.isnan(first_old) else first_old
        back[1, start + i] = last_old if np.isnan(last) else last
        back[2, start + i] = first_ns if np.isnan(first_old) else first_ns_old
        back[3, start + i] = last_ns_old if np.isnan(last) else last_ns


@kernel
def flip_ends(ring, back, start, rows):
    """Turn the panes of a cycle into the ends from each to the cycle's end; empty back."""
    for p in range(ring.shape[1] - 2, -1, -1):
        for i in range(start, start + rows):
            first, last = ring[0, p, i], ring[1, p, i]
            first_ns, last_ns = ring[2, p, i], ring[3, p, i]
            first_new, last_new = ring[0, p + 1, i], ring[1, p + 1, i]
            first_ns_new, last_ns_new = ring[2, p + 1, i], ring[3, p + 1, i]
            ring[0, p, i] = first_new if np.isnan(first) else first
            ring[2, p, i] = first_ns_new if np.isnan(first) else first_ns
            ring[1, p, i] = last if np.isnan(last_new) else last_new
            ring[3, p, i] = last_ns if np.isnan(last_new) else last_ns_new
    for f in range(END_FIELDS):
        for i in range(start, start + rows):
            back[f, i] = np.nan
