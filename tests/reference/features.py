"""What each feature of a window means, over all readings ever, one pane end at a time.

Readings are (time in ns, value) pairs of one sensor, good ones, in any order.
"""

import math

from scipy import stats

from tests.reference import course, robust, walk

S = 10**9


def inside(readings, end, length):
    return sorted((t, x) for t, x in readings if end - length < t <= end)


def feature(name, readings, end, length, options):
    """The feature at a pane's end; NaN where it is unknown, whatever the coverage."""
    window = inside(readings, end, length)
    values = [x for _, x in window]
    since = [((t - end) / S, x) for t, x in window]
    share = options.get("p")
    match name:
        case "count":
            return len(values)
        case "median" | "p":
            return robust.quantile(values, 0.5 if name == "median" else share)
        case "mad_score":
            return robust.mad_score(values) if values else math.nan
        case "zscore":
            return course.score(values) if values else math.nan
        case "noise":
            return robust.noise(values)
        case "slope":
            return robust.robust_slope(since, length / S, 128)
        case "inverse_velocity":
            return course.failure(since, length / S, 5)
        case "forecast" | "time_to":
            line = fit(since)
            if line is None:
                return math.nan
            if name == "forecast":
                return bound(line, options["horizon"], share, options["side"])
            return arrival(line, options["target"], share, length / S)
    message = f"no such feature: {name}"
    raise AssertionError(message)


def counter(readings, end, length):
    """How much, and how much per second, a counter has counted."""
    window = inside(readings, end, length)
    total = course.increase([x for _, x in window])
    if len(window) < 2:
        return math.nan, math.nan
    span = (window[-1][0] - window[0][0]) / S
    return total, total / span if span else math.nan


def fit(since):
    """Slope, mean time, mean, spread of times, residual sum of squares, count."""
    if not since:
        return None
    n = len(since)
    mean_t, mean = sum(t for t, _ in since) / n, math.fsum(x for _, x in since) / n
    spread = math.fsum((t - mean_t) ** 2 for t, _ in since)
    if spread == 0:
        return None
    slope = math.fsum((t - mean_t) * (x - mean) for t, x in since) / spread
    rest = math.fsum((x - mean - slope * (t - mean_t)) ** 2 for t, x in since)
    return slope, mean_t, mean, spread, rest, n


def bound(line, ahead, share, side):
    slope, mean_t, mean, spread, rest, n = line
    centre = mean + slope * (ahead - mean_t)
    if share is None:
        return centre
    if n < 3:
        return math.nan
    t = stats.t.ppf((1 + share) / 2, n - 2)
    scale = math.sqrt(rest / (n - 2))
    return centre + side * t * scale * math.sqrt(1 + 1 / n + (ahead - mean_t) ** 2 / spread)


def arrival(line, target, share, length):
    """When the line, or its bound on the side of the target, is first there: by halving."""
    now, then = bound(line, 0, None, 1), bound(line, -length, None, 1)
    if min(now, then) <= target <= max(now, then):
        return 0.0
    side = 1 if target > now else -1
    if share is not None and math.isnan(bound(line, 0, share, side)):
        return math.nan

    def is_there(ahead):
        return side * (bound(line, ahead, share, side) - target) >= 0

    if is_there(0):
        return 0.0
    beyond = 1.0
    while not is_there(beyond):
        beyond *= 2
        if beyond > 1e12:
            return math.inf  # far beyond a century
    low, high = 0.0, beyond
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if is_there(middle) else (middle, high)
    return high if high <= 100 * 365.25 * 86400 else math.inf


def smooth(readings, end, tau, gap):
    return walk.smooth(sorted(readings), end, tau / S, gap)
