"""Order statistics by their definitions; readings are (seconds from the window's end, value)."""

import math
from itertools import pairwise

SCALE = 1.4826022185056018


def quantile(values, share):
    if not values:
        return math.nan
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def mad_score(values):
    *others, last = values
    if not others:
        return math.nan
    centre = median(others)
    spread = SCALE * median([abs(x - centre) for x in others])
    if spread == 0:
        return 0.0 if last == centre else math.nan
    return (last - centre) / spread


def noise(values):
    steps = [after - before for before, after in pairwise(values)]
    if len(steps) < 2:
        return math.nan
    centre = median(steps)
    return SCALE * median([abs(step - centre) for step in steps]) / math.sqrt(2)


def robust_slope(readings, length_s, points_max):
    points = readings
    if len(readings) > points_max:
        parts = {}
        for t, x in readings:
            parts.setdefault(math.ceil((t + length_s) * points_max / length_s), []).append((t, x))
        points = [
            (sum(t for t, _ in part) / len(part), median([x for _, x in part]))
            for _, part in sorted(parts.items())
        ]
    slopes = [(y - x) / (u - t) for t, x in points for u, y in points if u > t]
    return median(slopes) if slopes else math.nan
