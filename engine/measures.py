"""Measures: what is known of some sensors at the end of a pane, on its way to the rules.

A table that rooms hand to each other: panes and windows fill it, models add their score, rules
look at it.  Statistics are worked out of the windows' records when a rule first asks for them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine import trends
from engine.stacks import Window
from engine.trails import Spans
from rules import expression as ex
from rules.needs import Asked, needs_trail, timeless

Floats = NDArray[np.floating]
Rows = NDArray[np.intp]

NS_PER_S = 1_000_000_000


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
    kind        of the sensor type: gauge, increment, counter or waveform
    windows     by length in ns; so are `motions`, whose fields are peaks, and `heard`, the numbers
                of readings of any quality
    smooth      exponential means by time constant
    spans       the readings themselves, where a rule needs them
    delayed     what was asked at an offset
    raw         the same of all readings, also those marked bad, where a rule asks for that view
    scores      windows over the scores of the model, where a rule asks for them
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
    kind: str = "gauge"
    anomaly: Floats | None = None
    motions: dict[int, Window] = field(default_factory=dict)
    heard: dict[int, Floats] = field(default_factory=dict)
    smooth: dict[int, Floats] = field(default_factory=dict)
    spans: Spans | None = None
    delayed: dict[Asked, tuple[Floats, Floats]] = field(default_factory=dict)
    raw: "Measures | None" = None
    scores: "Measures | None" = None
    cache: dict[tuple[ex.Feature, str, int], Floats] = field(default_factory=dict)

    def column(self, asked: Asked, target: Floats | None = None) -> Floats:
        """A feature of a window, unknown where that holds less than the share asked for.

        target  float[m]  what `time_to` waits for
        """
        feature = asked.feature
        if feature.offset_ns:
            found, share = self.delayed[timeless(asked)]
        else:
            found, share = self.figure(asked, target), self.share(feature)
        if feature.name in UNGATED:
            return found
        return np.where(share >= asked.coverage, found, np.nan)

    def figure(self, asked: Asked, target: Floats | None = None) -> Floats:
        """A feature at this pane's end, whatever its coverage; computed once for all rules."""
        feature = asked.feature
        if feature.name == "ewma":
            return self.smooth[feature.windows_ns[0]]
        key = (feature, asked.kind or self.kind, asked.side)
        if key not in self.cache or target is not None:
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                found = self._of_window(asked, target)
                if feature.name in COMPARED:
                    # The newest reading is what is compared: half of the others must be there.
                    window = self.windows[feature.windows_ns[0]]
                    found = np.where(window.count - 1 >= window.expected / 2, found, np.nan)
            self.cache[key] = found
        return self.cache[key]

    def share(self, feature: ex.Feature) -> NDArray[np.float64]:
        """How much of what was due in a feature's window is there, 0 to 1; 1 without a window."""
        if feature.name == "ewma":
            return np.ones(self.rows.size)
        is_motion = feature.name in ("pga", "pgv")
        window = (self.motions if is_motion else self.windows)[feature.windows_ns[0]]
        return np.minimum(window.count / window.expected, 1.0)

    def _of_window(self, asked: Asked, target: Floats | None) -> Floats:
        feature, length_ns = asked.feature, asked.feature.windows_ns[0]
        share = feature.option("p")
        if needs_trail(asked, self.kind):
            assert self.spans is not None
            found = self.spans.statistic(feature.name, length_ns, 0.5 if share is None else share)
            # A float32 reading is compared with thresholds as a float32.
            is_reading = feature.name in ("median", "p") and self.value.dtype == np.float32
            return found.astype(np.float32) if is_reading else found
        window = self.windows[length_ns]
        match feature.name:
            case "forecast":
                horizon_s = feature.option("horizon")
                assert horizon_s is not None
                return trends.forecast(window, horizon_s, share, asked.side)
            case "time_to":
                assert target is not None
                return trends.time_to(window, target, share)
            case "bad_share":
                heard = self.heard[length_ns]
                # Infinite, or too few: readings from before all of them were counted.
                is_known = (heard > 0) & (heard >= window.count) & np.isfinite(heard)
                return np.where(is_known, 1 - window.count / heard, np.nan)
            case "pga":
                return self.motions[length_ns].fields["high"]
            case "pgv":
                return -self.motions[length_ns].fields["low"]
            case "rate" if (asked.kind or self.kind) == "increment":
                return window.fields["mean"] * window.count / window.length_s
            case "mean" if self.value.dtype == np.float32:
                # The mean of readings that are all 0.7 is 0.7 (decision 0013).
                return FORMULAS["mean"](window).astype(np.float32)
            case name:
                return FORMULAS[name](window)

    def of_window(self, name: str, length_ns: int) -> Floats:
        """A window's feature, whatever its coverage."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return FORMULAS[name](self.windows[length_ns])

    def coverage(self, length_ns: int) -> Floats:
        """Share of the readings that were due in a window, at most 1."""
        return self.of_window("coverage", length_ns)


def _std(window: Window) -> Floats:
    return np.sqrt(window.fields["m2"] / window.count)


def _rate(window: Window) -> Floats:
    span_s = (window.fields["last_ns"] - window.fields["first_ns"]) / NS_PER_S
    return np.where(span_s > 0, _change(window) / span_s, np.nan)


def _change(window: Window) -> Floats:
    return window.fields["last"] - window.fields["first"]


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
    "change": _change,
    "rate": _rate,
    "slope": trends.slope,
}
# What is known although the window is poorly filled.
ALWAYS_KNOWN = frozenset({"count", "coverage"})
UNGATED = ALWAYS_KNOWN | {"bad_share", "ewma"}
COMPARED = frozenset({"zscore", "mad_score"})
