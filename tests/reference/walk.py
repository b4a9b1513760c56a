"""Exponential means and the motion of the ground, reading by reading; times in whole ns."""

import math

TAU = 1 / (2 * math.pi * 0.075)
S = 10**9


def smooth(readings, end, tau, gap):
    """The mean at `end` of sorted (time, value) pairs; tau in seconds, gap in ns."""
    level = begun = last = None
    for t, x in readings:
        if t > end:
            break
        if last is None or t - last > gap:
            level, begun = x, t
        else:
            rest = math.exp(-(t - last) / S / tau)
            level = rest * level + (1 - rest) * x
        last = t
    if last is None or end - last > gap or end - begun < tau * S:
        return math.nan
    return level


def peaks(readings, begin, end, gap):
    """Samples that count in (begin, end], the greatest |acceleration| and |velocity| of them."""
    inside = []
    a = v = last = raw = begun = None
    for t, x in readings:
        if last is None or t - last > gap:
            a, v, begun = 0.0, 0.0, t
        else:
            dt = (t - last) / S
            before = a
            a = (a + x - raw) * TAU / (TAU + dt)
            v = v * math.exp(-dt / TAU) + (before + a) / 2 * dt
        raw, last = x, t
        if begin < t <= end and t - begun >= 3 * TAU * S:
            inside.append((abs(a), abs(v)))
    if not inside:
        return 0, math.nan, math.nan
    return len(inside), max(a for a, _ in inside), max(v for _, v in inside)
