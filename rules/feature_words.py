"""Features: the numbers about one sensor that the rule language has, and how they are written."""

from dataclasses import dataclass, field
from typing import Literal

# What comes out of a feature of an input in some unit.
Outcome = Literal["input", "difference", "rate", "integral", "number", "duration"]
# Which inputs a feature can be of.
Needs = Literal["", "amounts", "acceleration", "level"]
# What stands before the windows: nothing, a percentage, a time ahead, or a value to be reached.
Lead = Literal["", "percent", "horizon", "target"]


@dataclass(frozen=True, slots=True)
class FeatureWord:
    """A feature of one sensor.

    usage     how it is written
    windows   how many windows it takes by position; a trend's window is a keyword
    of        input: the unit of the input · difference: the same, never a point ·
              rate: per second · integral: times seconds · number: a plain number ·
              duration: seconds
    keywords  what may stand after the windows, by name
    needs     amounts: an increment or a counter · acceleration: a unit of that kind ·
              level: no counter
    """

    usage: str
    windows: Literal[0, 1, 2]
    of: Outcome
    meaning: str
    keywords: frozenset[str] = field(default_factory=frozenset)
    needs: Needs = ""
    lead: Lead = ""

    @property
    def example(self) -> str:
        """A use of it that could be copied."""
        return EXAMPLES.get(self.usage) or self.usage.replace("(w)", "(5m)")


EXAMPLES = {
    "p(95, w)": "p(95, 5m)",
    "stalta(s, l)": "stalta(0.5s, 10s)",
    "ewma(tau)": "ewma(10m)",
    "forecast(h, trend=w)": "forecast(1h, trend=30min)",
    "time_to(x, trend=w)": "time_to(asset.limit, trend=30min)",
}
BACK = frozenset({"offset"})
TREND = frozenset({"trend", "p"})


def _window(name: str, of: Outcome, meaning: str, *, needs: Needs = "") -> FeatureWord:
    """A feature of one window, which may be shifted back."""
    return FeatureWord(f"{name}(w)", 1, of, meaning, BACK, needs)


FEATURES: dict[str, FeatureWord] = {
    "value": FeatureWord(
        "value", 0, "input", "last good reading; unknown when older than `stale_after`"
    ),
    "mean": _window("mean", "input", "mean of the readings of a window"),
    "median": _window("median", "input", "median of the readings of a window"),
    "min": _window("min", "input", "least reading of a window"),
    "max": _window("max", "input", "greatest reading of a window"),
    "std": _window("std", "difference", "standard deviation of the readings of a window"),
    "range": _window("range", "difference", "greatest minus least reading of a window"),
    "p": FeatureWord(
        "p(95, w)",
        1,
        "input",
        "the reading that 95 % of a window's readings do not exceed, interpolated between two",
        BACK,
        lead="percent",
    ),
    "sum": _window(
        "sum",
        "difference",
        "sum of a window; of a counter its steps, a fall being a reset",
        needs="amounts",
    ),
    "count": _window("count", "number", "number of good readings in a window; never unknown"),
    "rate": _window(
        "rate",
        "rate",
        "sum of a window per its length; of a counter per the time between its first and "
        "last reading",
        needs="amounts",
    ),
    "slope": FeatureWord(
        "slope(w)",
        1,
        "rate",
        "least-squares slope over a window, per time; with `robust=true` the median of the slopes "
        "between any two readings (Theil-Sen), of more than 128 readings between 128 medians",
        frozenset({"offset", "robust"}),
    ),
    "rise": _window("rise", "difference", "last minus least reading of a window"),
    "drop": _window("drop", "difference", "greatest minus last reading of a window"),
    "change": _window("change", "difference", "last minus first reading of a window"),
    "ewma": FeatureWord(
        "ewma(tau)",
        1,
        "input",
        "exponential mean that looks back by tau, sampled at any times; unknown for tau "
        "after a gap",
    ),
    "zscore": FeatureWord(
        "zscore(w)",
        1,
        "number",
        "distance of the last reading from the mean of those before it, in standard deviations; "
        "unknown until the window is half full",
    ),
    "mad_score": FeatureWord(
        "mad_score(w)",
        1,
        "number",
        "distance of the last reading from the median of those before it, in robust deviations; "
        "unknown until the window is half full",
    ),
    "noise": _window(
        "noise",
        "difference",
        "standard deviation of the noise in a window, from the median absolute deviation "
        "of its steps",
    ),
    "stalta": FeatureWord(
        "stalta(s, l)", 2, "number", "short-term over long-term average, recursive"
    ),
    "pga": FeatureWord(
        "pga(w)",
        1,
        "difference",
        "peak of an acceleration in a window, after a high-pass of 0.075 Hz; unknown for "
        "6.4 s after "
        "a gap",
        needs="acceleration",
    ),
    "pgv": FeatureWord(
        "pgv(w)",
        1,
        "integral",
        "peak of the velocity in a window, integrated from an acceleration, both after a high-pass "
        "of 0.075 Hz; unknown for 6.4 s after a gap",
        needs="acceleration",
    ),
    "age": FeatureWord(
        "age", 0, "duration", "time since the last reading of any quality; never unknown"
    ),
    "unchanged": FeatureWord("unchanged", 0, "duration", "time since the value last changed"),
    "bad_share": _window(
        "bad_share", "number", "share of bad readings among all that came in a window, 0 to 1"
    ),
    "coverage": _window("coverage", "number", "share of the expected readings of a window, 0 to 1"),
    "forecast": FeatureWord(
        "forecast(h, trend=w)",
        0,
        "input",
        "value expected after h, from the least-squares line of a window; `p=0.8`: the "
        "bound of its "
        "80 % prediction interval on the side of danger, above for `>`, below for `<`",
        TREND,
        "level",
        "horizon",
    ),
    "time_to": FeatureWord(
        "time_to(x, trend=w)",
        0,
        "duration",
        "time until the least-squares line of a window reaches x, 0 while it has passed "
        "x within the "
        "window, `never` where it leads away; `p=0.8`: until the nearer bound of the prediction "
        "interval does",
        TREND,
        "level",
        "target",
    ),
    "inverse_velocity": FeatureWord(
        "inverse_velocity(w)",
        1,
        "duration",
        "time until the inverse velocities of five parts of a window lead to failure (Fukuzono); "
        "unknown unless each part is faster than the one before",
        needs="level",
    ),
    "anomaly": FeatureWord("anomaly", 0, "number", "score of the bound model, 0 to 1"),
}
# What can be asked of the scores of a model, which are a stream of numbers themselves.
OF_SCORES = frozenset(
    {"mean", "median", "min", "max", "std", "range", "p", "count", "slope", "rise", "drop"}
    | {"change", "ewma"}
)
