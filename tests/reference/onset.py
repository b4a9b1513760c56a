"""What the recursive STA/LTA of a list of readings is, written down as its authors do."""

import math


def ratios(readings, short_count, long_count, gap_ns):
    """Give the ratio after each (t, value) pair; NaN while unknown, None for what is skipped."""
    found = []
    newest = None
    for t, x in readings:
        if newest is not None and t <= newest:
            found.append(None)
            continue
        if newest is None or t - newest > gap_ns:
            sta, lta, seen = 0.0, 1e-99, 1
        else:
            sta = (1 / short_count) * x**2 + (1 - 1 / short_count) * sta
            lta = (1 / long_count) * x**2 + (1 - 1 / long_count) * lta
            seen += 1
        newest = t
        found.append(sta / lta if seen > long_count else math.nan)
    return found


def per_pane(readings, found, pane_ns):
    """Give {pane: ratio after its last reading}."""
    last = {}
    for (t, _), ratio in zip(readings, found, strict=True):
        if ratio is not None:
            last[(t - 1) // pane_ns] = ratio
    return last
