"""What is usual in a window, whatever a few readings say? Order statistics of its readings.

A window is a span of two columns, seconds before its end and values, in the order of event time;
windows of many sensors follow each other. Nothing is remembered: each result is that of its
definition, from the readings themselves. `work` is room to rearrange copies in: as many as the
readings of the longest window, and at least PAIRS_MAX.
"""

import numpy as np

from kernels.jit import kernel

# The slope between any two of 128 points: 128 * 127 / 2 = 8128 of them, 60 us to take their
# median. A window of more readings is cut into 128 equal parts of time, each with one point.
POINTS_MAX = 128
PAIRS_MAX = POINTS_MAX * (POINTS_MAX - 1) // 2

# The median distance from the median of a normal distribution is so small a part of its deviation.
MAD_TO_STD = 1.4826022185056018


@kernel
def select(work, low, high, k):
    """The kth least, from 0, of work[low:high]; what is before it is not greater, what is after it
    not less (in place).
    """
    k += low
    high -= 1
    while high > low:
        middle = (low + high) // 2
        # The median of three as pivot: sorted columns are common, and would be the worst case.
        a, b, c = work[low], work[middle], work[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while work[i] < pivot:
                i += 1
            while pivot < work[j]:
                j -= 1
            if i <= j:
                work[i], work[j] = work[j], work[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return work[k]


@kernel
def order_of(work, low, high, share):
    """The value below which a share of work[low:high] lies, interpolated between neighbours."""
    place = share * (high - low - 1)
    k = int(np.floor(place))
    lower = select(work, low, high, k)
    rest = place - k
    if rest == 0.0:
        return lower
    upper = work[low + k + 1]
    for i in range(low + k + 2, high):
        upper = min(upper, work[i])
    # Never outside of its neighbours, as lower + rest * (upper - lower) would be by rounding.
    return min(max(lower * (1.0 - rest) + upper * rest, lower), upper)


@kernel
def quantiles(value, start, share, work, out):
    """The value below which a share of each window's readings lies; 0.5 is the median.

    value  float64[n]    readings of all windows
    start  int64[m+1]    window i is start[i] to start[i + 1]
    share  float         0 to 1
    work   float64[w]                                                      (in place)
    out    float64[m]    NaN for an empty window                           (out)

    Between two readings it is interpolated: share * (count - 1) is the place in their order.
    Source: Hyndman and Fan 1996, The American Statistician 50(4), 361-365, definition 7.
    """
    for i in range(start.size - 1):
        n = start[i + 1] - start[i]
        out[i] = np.nan
        if n > 0:
            for k in range(n):
                work[k] = value[start[i] + k]
            out[i] = order_of(work, 0, n, share)


@kernel
def mad_scores(value, start, work, out):
    """How far the last reading of each window is from the others, by their median and MAD.

    value, start, work  as in quantiles
    out  float64[m]     deviations, with sign; NaN without others           (out)

    Median and median absolute deviation of the readings before the last, the latter scaled so that
    it is the standard deviation of normal readings. Where all others are equal, 0 for the same
    value again and NaN for any other: there is no measure of distance.
    """
    for i in range(start.size - 1):
        n = start[i + 1] - start[i] - 1
        out[i] = np.nan
        if n < 1:
            continue
        for k in range(n):
            work[k] = value[start[i] + k]
        centre = order_of(work, 0, n, 0.5)
        for k in range(n):
            work[k] = abs(work[k] - centre)
        spread = order_of(work, 0, n, 0.5) * MAD_TO_STD
        away = value[start[i] + n] - centre
        out[i] = away / spread if spread > 0.0 else (0.0 if away == 0.0 else np.nan)


@kernel
def noises(value, start, work, out):
    """The standard deviation of the noise of each window, from its differences.

    value, start, work  as in quantiles
    out  float64[m]     in the unit of value; NaN for less than three readings (out)

    The median absolute deviation of the differences of successive readings, scaled to a standard
    deviation, over the root of 2: a difference has the noise of two readings. A trend moves the
    median of the differences and not their spread; a step is one difference out of many.
    """
    for i in range(start.size - 1):
        n = start[i + 1] - start[i] - 1
        out[i] = np.nan
        if n < 2:
            continue
        for k in range(n):
            work[k] = value[start[i] + k + 1] - value[start[i] + k]
        centre = order_of(work, 0, n, 0.5)
        for k in range(n):
            work[k] = abs(work[k] - centre)
        out[i] = order_of(work, 0, n, 0.5) * MAD_TO_STD / np.sqrt(2.0)


@kernel
def thin(since_s, value, begin, end, length_s, work, point_s, point):
    """One point of each part of a window: the mean of its times, the median of its values.

    Returns how many of the POINTS_MAX parts hold readings.
    """
    points = 0
    k = begin
    while k < end:
        part = int(np.ceil((since_s[k] + length_s) * POINTS_MAX / length_s))
        count = 0
        total_s = 0.0
        while k < end and int(np.ceil((since_s[k] + length_s) * POINTS_MAX / length_s)) == part:
            work[count] = value[k]
            total_s += since_s[k]
            count += 1
            k += 1
        point_s[points] = total_s / count
        point[points] = order_of(work, 0, count, 0.5)
        points += 1
    return points


@kernel
def robust_slopes(since_s, value, start, length_s, work, point_s, point, out):
    """The median of the slopes between any two points of each window (Theil and Sen).

    since_s  float64[n]     times in seconds from the window's end, (-length, 0]
    value, start, work  as in quantiles
    length_s float          length of the windows
    point_s  float64[128]   room for the points                            (in place)
    point    float64[128]                                                  (in place)
    out      float64[m]     unit of value per second; NaN without two different times (out)

    The points are the readings; of a window with more than POINTS_MAX of them, one per part of
    POINTS_MAX equal parts of its time. Up to 29 % of wild readings cannot move it far.
    Source: Sen 1968, Journal of the American Statistical Association 63(324), 1379-1389.
    """
    for i in range(start.size - 1):
        begin, end = start[i], start[i + 1]
        points = end - begin
        if points > POINTS_MAX:
            points = thin(since_s, value, begin, end, length_s, work, point_s, point)
        else:
            for k in range(points):
                point_s[k] = since_s[begin + k]
                point[k] = value[begin + k]
        pairs = 0
        for k in range(points):
            for j in range(k):
                dt = point_s[k] - point_s[j]
                if dt > 0.0:
                    work[pairs] = (point[k] - point[j]) / dt
                    pairs += 1
        out[i] = order_of(work, 0, pairs, 0.5) if pairs > 0 else np.nan
