"""Which way did the readings of a window take? What needs their order, and no more of them.

Windows of many sensors follow each other in two columns, seconds before the window's end and
values, each in the order of event time. Nothing is remembered.
"""

import numpy as np

from kernels.jit import kernel

# Velocities of so many parts of a window must rise one after the other to foretell a failure:
# of five at random one in 120 does.
PARTS = 5


@kernel
def increases(since_s, value, start, increase, span_s):
    """How much a counter has counted in each window, and over what time.

    since_s   float64[n]    seconds from the window's end
    value     float64[n]
    start     int64[m+1]    window i is start[i] to start[i + 1]
    increase  float64[m]    in the unit of value; NaN for less than two readings  (out)
    span_s    float64[m]    from the first to the last reading, in seconds        (out)

    The sum of the steps from reading to reading; after a fall the counter has begun again at 0,
    and the new value counts.
    """
    for i in range(start.size - 1):
        total = 0.0
        for k in range(start[i] + 1, start[i + 1]):
            step = value[k] - value[k - 1]
            total += value[k] if step < 0.0 else step
        is_known = start[i + 1] - start[i] > 1
        increase[i] = total if is_known else np.nan
        span_s[i] = since_s[start[i + 1] - 1] - since_s[start[i]] if is_known else np.nan


@kernel
def scores(value, start, out):
    """How many standard deviations the last reading of each window is from the others' mean.

    value, start  as in increases
    out  float64[m]   with sign; NaN without others                        (out)

    Mean and deviation (of all of them, not of a sample) of the readings before the last, in two
    passes: taken out of the whole window's sums, a spike would take its own measure with it.
    Where all others are equal, 0 for the same value again and NaN for any other.
    """
    for i in range(start.size - 1):
        n = start[i + 1] - start[i] - 1
        out[i] = np.nan
        if n < 1:
            continue
        # From the first value, so that a large level costs no digits.
        origin = value[start[i]]
        mean = 0.0
        for k in range(start[i], start[i] + n):
            mean += (value[k] - origin) / n
        square = 0.0
        for k in range(start[i], start[i] + n):
            away = value[k] - origin - mean
            square += away * away / n
        away = value[start[i] + n] - origin - mean
        out[i] = away / np.sqrt(square) if square > 0.0 else (0.0 if away == 0.0 else np.nan)


@kernel
def velocity(since_s, value, begin, end):
    """The least-squares slope of readings begin to end, and the mean of their times."""
    n = end - begin
    origin, mean_t, mean = value[begin], 0.0, 0.0
    for k in range(begin, end):
        mean_t += since_s[k] / n
        mean += (value[k] - origin) / n
    square, product = 0.0, 0.0
    for k in range(begin, end):
        dt = since_s[k] - mean_t
        square += dt * dt
        product += dt * (value[k] - origin - mean)
    return (product / square if square > 0.0 else np.nan), mean_t


@kernel
def failures(since_s, value, start, length_s, out):
    """Seconds until each window's acceleration would end in failure (Fukuzono).

    since_s, value, start  as in increases; times in (-length, 0]
    length_s  float
    out       float64[m]   from the window's end, 0 if already due; NaN without a steady
                           acceleration                                    (out)

    The velocities of PARTS equal parts of the window are their least-squares slopes. Failure is
    where the line through their inverses reaches 0. Known only if all have one direction and
    each is faster than the one before; a part without two times makes it unknown.
    Source: Fukuzono 1985, Proceedings of the 4th International Conference and Field Workshop on
    Landslides, Tokyo, 145-150.
    """
    for i in range(start.size - 1):
        begin, fastest, direction = start[i], 0.0, 0.0
        sum_t, sum_y, sum_tt, sum_ty = 0.0, 0.0, 0.0, 0.0
        parts = 0
        while parts < PARTS:
            end = begin
            until_s = length_s * (parts + 1 - PARTS) / PARTS
            while end < start[i + 1] and (since_s[end] <= until_s or parts + 1 == PARTS):
                end += 1
            if end - begin < 2:
                break
            speed, t = velocity(since_s, value, begin, end)
            direction = np.sign(speed) if parts == 0 else direction
            if not speed * direction > fastest:
                break
            fastest = speed * direction
            # Times from the middle of the window, so that the sums below lose nothing.
            t += 0.5 * length_s
            sum_t += t
            sum_y += 1.0 / fastest
            sum_tt += t * t
            sum_ty += t / fastest
            begin = end
            parts += 1
        out[i] = np.nan
        if parts == PARTS:
            mean_t, mean_y = sum_t / PARTS, sum_y / PARTS
            fall = (sum_ty - sum_t * mean_y) / (sum_tt - sum_t * mean_t)
            out[i] = max(mean_t - mean_y / fall - 0.5 * length_s, 0.0)
