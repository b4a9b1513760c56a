"""Measures: what is known of some sensors at the end of a pane, on its way to the rules.

A table that rooms hand to each other: panes and windows fill it, models add their score, rules
look at it.  Statistics are worked out of the windows' records when a rule first asks for them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Window:
    """The merged record of one window at one pane end; each float64[m], NaN where it is empty."""

    count: Floats
    expected: Floats
    fields: dict[str, Floats]


@dataclass(slots=True)
class Measures:
    """What is known of some sensors of a bank at the end of one pane.

    rows        intp[m]     rows within the bank
    value       float[m]    newest good reading not later than the pane end, NaN: none yet
    value_ns    int64[m]    its time
    is_fresh    bool[m]     it holds still, by the period of its sensor
    age_s       float64[m]  time since the newest reading of any quality
    unchanged_s float64[m]  time since the value last changed
    pegged      bool[m]     the newest reading with a value is above the sensor's range
    pegged_ns   int64[m]    its time
    raw_value   float64[m]  its value
    """

    end_ns: int
    rows: Rows
    value: Floats
    value_ns: NDArray[np.int64]
    is_fresh: NDArray[np.bool_]
    age_s: Floats | None
    unchanged_s: Floats | None
    pegged: NDArray[np.bool_] | None
    pegged_ns: NDArray[np.int64] | None
    raw_value: Floats | None
    windows: dict[int, Window]
    onsets: dict[tuple[int, int], Floats]
    anomaly: Floats | None = None
    cache: dict[tuple[str, tuple[int, ...]], Floats] = field(default_factory=dict)

    def of_window(self, name: str, length_ns: int) -> Floats:
        """A window's feature, whatever its coverage; computed once for all rules."""
        key = (name, (length_ns,))
        if key not in self.cache:
            with np.errstate(invalid="ignore", divide="ignore"):
                self.cache[key] = FORMULAS[name](self.windows[length_ns])
        return self.cache[key]

    def coverage(self, length_ns: int) -> Floats:
        """Share of the readings that were due in a window, at most 1."""
        return self.of_window("coverage", length_ns)


def _std(window: Window) -> Floats:
    return np.sqrt(window.fields["m2"] / window.count)


def _slope(window: Window) -> Floats:
    spread = window.fields["mt2"]
    slope = window.fields["c"] / spread
    return np.where(spread > 0, slope, np.nan)


FORMULAS: dict[str, Callable[[Window], Floats]] = {
    "count": lambda window: window.count,
    "coverage": lambda window: np.minimum(window.count / window.expected, 1.0),
    "mean": lambda window: window.fields["mean"],
    "sum": lambda window: window.fields["mean"] * window.count,
    "std": _std,
    "min": lambda window: window.fields["low"],
    "max": lambda window: window.fields["high"],
    "range": lambda window: window.fields["high"] - window.fields["low"],
    "rise": lambda window: window.fields["last"] - window.fields["low"],
    "drop": lambda window: window.fields["high"] - window.fields["last"],
    "change": lambda window: window.fields["last"] - window.fields["first"],
    "slope": _slope,
}
# What is known although the window is poorly filled.
ALWAYS_KNOWN = frozenset({"count", "coverage"})
