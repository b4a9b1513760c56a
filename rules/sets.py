"""Sets: what many members say together, as an interval where some of them are unknown.

A member that is unknown could be anything: it might vote or not, be the greatest or the least. So
a count is an interval from those that certainly vote to those that might, and a comparison with it
is true, false or unknown accordingly. Under `unknown: ignore` such members are left out.

    start    int64[n + 1]  members of row i are start[i] : start[i + 1]
    true     bool[m]       the condition holds for the member
    unknown  bool[m]       it is not known whether it does; never both
    value    float64[m]    a quantity of the member, NaN where it is unknown

A set without members has no share, no greatest and no mean: they are unknown; nobody votes in it,
`any` is false, and `all` is unknown, for nothing vouches for it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rules.judge import Truth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Bounds = tuple[Floats, Floats]


def votes(start: Ints, truth: Truth, *, ignores: bool) -> Bounds:
    """How many members meet the condition: from certainly to possibly."""
    sure = counts(start, truth.true)
    return (sure, sure) if ignores else (sure, sure + counts(start, truth.unknown))


def share(start: Ints, truth: Truth, *, ignores: bool) -> Bounds:
    """The share of members that meet the condition."""
    sure, maybe = counts(start, truth.true), counts(start, truth.unknown)
    whole = np.diff(start) - (maybe if ignores else 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        low = np.where(whole > 0, sure / whole, np.nan)
        high = low if ignores else np.where(whole > 0, (sure + maybe) / whole, np.nan)
    return low, high


def has_any(start: Ints, truth: Truth, *, ignores: bool) -> Truth:
    """Whether one member meets the condition."""
    sure = counts(start, truth.true) > 0
    maybe = counts(start, truth.unknown) > 0
    return Truth(sure, np.zeros_like(sure) if ignores else maybe & ~sure)


def have_all(start: Ints, truth: Truth, *, ignores: bool) -> Truth:
    """Whether all members meet the condition."""
    sure, maybe = counts(start, truth.true), counts(start, truth.unknown)
    members = np.diff(start) - (maybe if ignores else 0.0)
    refused = sure + (0.0 if ignores else maybe) < members
    true = (sure == members) & (members > 0)
    return Truth(true, ~true & ~refused)


def greatest(start: Ints, value: Floats, *, ignores: bool) -> Bounds:
    """The greatest quantity; an unknown member might have a greater one."""
    low = _reduce(np.maximum, start, np.where(np.isnan(value), -np.inf, value), -np.inf)
    low = np.where(np.diff(start) > 0, low, np.nan)
    if ignores:
        known = np.where(counts(start, ~np.isnan(value)) > 0, low, np.nan)
        return known, known
    return low, np.where(counts(start, np.isnan(value)) > 0, np.inf, low)


def least(start: Ints, value: Floats, *, ignores: bool) -> Bounds:
    """The least quantity; an unknown member might have a lesser one."""
    low, high = greatest(start, -value, ignores=ignores)
    return -high, -low


def mean(start: Ints, value: Floats, *, ignores: bool) -> Bounds:
    """The mean; one unknown member makes it unknown, unless those are ignored."""
    known = ~np.isnan(value)
    total = _reduce(np.add, start, np.where(known, value, 0.0), 0.0)
    count = counts(start, known)
    whole = count > 0 if ignores else (count > 0) & (count == np.diff(start))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(whole, total / count, np.nan)
    return found, found


def median(start: Ints, value: Floats, *, ignores: bool) -> Bounds:
    """The middle quantity, the mean of the two middle ones; unknown members may be on any side."""
    unknown = np.isnan(value)
    if ignores:
        kept = np.concatenate(([0], np.cumsum(~unknown)))[start]
        found = _middle(kept.astype(np.int64), value[~unknown])
        return found, found
    low = _middle(start, np.where(unknown, -np.inf, value))
    return low, _middle(start, np.where(unknown, np.inf, value))


def _middle(start: Ints, value: Floats) -> Floats:
    count = np.diff(start)
    row = np.repeat(np.arange(count.size), count)
    in_order = value[np.lexsort((value, row))]
    found = np.full(count.size, np.nan)
    filled = np.flatnonzero(count)
    below = in_order[start[filled] + (count[filled] - 1) // 2]
    above = in_order[start[filled] + count[filled] // 2]
    with np.errstate(invalid="ignore"):
        # Halves first: the sum of two great numbers may not fit. Equal infinities stay as they are.
        found[filled] = np.where(below == above, below, below / 2 + above / 2)
    return found


def counts(start: Ints, is_counted: Truths) -> Floats:
    """How many members of each row are counted."""
    so_far = np.concatenate(([0], np.cumsum(is_counted)))
    return (so_far[start[1:]] - so_far[start[:-1]]).astype(np.float64)


def _reduce(how: np.ufunc, start: Ints, value: Floats, empty: float) -> Floats:
    """Reduce the members of each row; `empty` for a row without any."""
    found = np.full(start.size - 1, empty)
    filled = np.flatnonzero(np.diff(start))
    if filled.size:
        found[filled] = how.reduceat(value, start[filled])
    return found


# Where the name of a set's method leads to.
GATHERED: dict[str, Callable[..., Bounds]] = {
    "max_of": greatest,
    "min_of": least,
    "mean_of": mean,
    "median_of": median,
}
