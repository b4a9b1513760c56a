"""Counters, scores and failures by their definitions, in exact fractions where they can be."""

import math
from fractions import Fraction
from itertools import pairwise


def increase(values):
    if len(values) < 2:
        return math.nan
    pairs = pairwise(values)
    return float(sum(Fraction(b) - Fraction(a) if b >= a else Fraction(b) for a, b in pairs))


def score(values):
    *others, last = [Fraction(x) for x in values]
    if not others:
        return math.nan
    mean = sum(others) / len(others)
    square = sum((x - mean) ** 2 for x in others) / len(others)
    if square == 0:
        return 0.0 if last == mean else math.nan
    return float(last - mean) / math.sqrt(square)


def slope(readings):
    n = len(readings)
    mean_t, mean = sum(t for t, _ in readings) / n, sum(x for _, x in readings) / n
    square = sum((t - mean_t) ** 2 for t, _ in readings)
    if square == 0:
        return None
    return sum((t - mean_t) * (x - mean) for t, x in readings) / square


def failure(readings, length_s, part_count):
    """Seconds to failure of (seconds from the end, value) pairs, NaN without acceleration."""
    readings = [(Fraction(t), Fraction(x)) for t, x in readings]
    points = []
    for part in range(part_count):
        low = Fraction(length_s) * (part - part_count) / part_count
        high = Fraction(length_s) * (part + 1 - part_count) / part_count
        inside = [(t, x) for t, x in readings if low < t <= high]
        speed = slope(inside) if len(inside) > 1 else None
        if not speed:
            return math.nan
        points.append((sum(t for t, _ in inside) / len(inside), speed))
    speeds = [speed if points[0][1] > 0 else -speed for _, speed in points]
    if any(after <= before for before, after in zip([0, *speeds], speeds, strict=False)):
        return math.nan
    inverse = [(t, 1 / speed) for (t, _), speed in zip(points, speeds, strict=True)]
    mean_t = sum(t for t, _ in inverse) / part_count
    mean_y = sum(y for _, y in inverse) / part_count
    return max(float(mean_t - mean_y / slope(inverse)), 0.0)
