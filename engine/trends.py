"""Trends: where the straight line through a window leads, and when it arrives.

The line is the least squares of the window's readings.  With a share p, the bound of its
prediction interval is meant: the next reading lies between both bounds in a share p of all cases,
if readings scatter normally around the line.  Of two readings, or all at one time, no interval is
known.

    centre(h) = mean + slope * (h - tmean)
    bound(h)  = centre(h) +- t * s * sqrt(1 + 1 / n + (h - tmean) ** 2 / mt2)

t: Student's quantile (1 + p) / 2 with n - 2 degrees of freedom; s ** 2 = rss / (n - 2), the sum
of squared residuals rss = m2 - c ** 2 / mt2.  Times count from the window's end.

Source: Draper and Smith 1998, Applied Regression Analysis, 3rd edition, section 3.1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from engine.stacks import Window

Floats = NDArray[np.floating]

# What is further than a century is never: such a slope is what rounding left of a level.
CENTURY_S = 100 * 365.25 * 86_400.0


def slope(window: Window) -> Floats:
    """Unit of value per second; NaN without two different times."""
    spread = window.fields["mt2"]
    return np.where(spread > 0, window.fields["c"] / spread, np.nan)


def forecast(window: Window, horizon_s: float, share: float | None, side: int) -> Floats:
    """The line `horizon_s` after the window's end; with a share, its upper (side 1) or lower bound.

    A rule that fears great values takes the upper bound, one that fears small ones the lower.
    """
    ahead = horizon_s - window.fields["tmean"]
    centre = window.fields["mean"] + slope(window) * ahead
    if share is None:
        return centre
    count, spread = window.count, window.fields["mt2"]
    return centre + side * _scale(window, share) * np.sqrt(1 + 1 / count + ahead**2 / spread)


def time_to(window: Window, target: Floats, share: float | None) -> Floats:
    """Seconds until the line reaches the target, inf: never; with a share, until its bound does.

    0 while the line has passed the target within the window, whichever way; inf where it leads
    away, takes more than a century, or lies beyond the target since before the window.  The bound
    is the one on the side of the target, so its time is the earliest to be reckoned with.
    """
    now, speed = forecast(window, 0.0, None, 1), slope(window)
    then = now - speed * window.length_s
    has_passed = (np.minimum(then, now) <= target) & (target <= np.maximum(then, now))
    if share is None:
        ahead = (target - now) / speed
        found = np.where((speed == 0) | (ahead < 0), np.inf, ahead)
    else:
        found = _bound_arrives(window, target, share, now, speed)
    found = np.where(has_passed, 0.0, np.where(found > CENTURY_S, np.inf, found))
    return np.where(np.isnan(now) | np.isnan(target), np.nan, found)


def _scale(window: Window, share: float) -> Floats:
    """Half the width of the interval, in deviations of a reading from the line: t * s."""
    freedom = window.count - 2
    spread = window.fields["mt2"]
    rest = np.maximum(window.fields["m2"] - window.fields["c"] ** 2 / spread, 0.0)
    known = (freedom >= 1) & (spread > 0)
    quantile = stdtrit(np.where(known, freedom, 1.0), (1 + share) / 2)
    return np.where(known, quantile * np.sqrt(rest / freedom), np.nan)


def _bound_arrives(
    window: Window, target: Floats, share: float, now: Floats, speed: Floats
) -> Floats:
    """When the bound on the side of the target meets it.

    Mirrored so that the target is above, the bound is convex and starts below: it arrives once or
    never.  a u**2 - 2 b u + c = 0 with u = h - tmean follows from squaring; of its roots the one
    where the line itself is still below the target counts.
    """
    side = np.where(target > now, 1.0, -1.0)
    rate, gap = side * speed, side * (target - window.fields["mean"])
    width = _scale(window, share)
    spread, begin = window.fields["mt2"], -window.fields["tmean"]
    near = side * (target - now) - width * np.sqrt(1 + 1 / window.count + begin**2 / spread)
    a = rate**2 - width**2 / spread
    c = gap**2 - width**2 * (1 + 1 / window.count)
    root = np.sqrt(np.maximum((rate * gap) ** 2 - a * c, 0.0))
    # Both roots without a difference of nearly equal numbers.
    q = rate * gap + np.copysign(root, rate * gap)
    found = np.full(now.shape, np.inf)
    for u in (np.where(a != 0, q / a, np.inf), np.where(q != 0, c / q, np.inf)):
        ahead = u - begin
        is_root = (ahead > 0) & (gap - rate * u >= -1e-9 * np.abs(gap)) & np.isfinite(u)
        found = np.where(is_root, np.minimum(found, ahead), found)
    found = np.where((rate * gap) ** 2 < a * c, np.inf, found)
    return np.where(np.isnan(width), np.nan, np.where(near <= 0, 0.0, found))
