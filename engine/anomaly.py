"""Anomaly: online models of river, fed with features at the ends of panes.

Enters     the measures of closed panes, for the sensor types that a model is bound to
Leaves     the feature `anomaly` of each sensor: a score, NaN where it is unknown
Remembers  one model per sensor, made when its first features are known; the last good copy of it
Refuses    features that are unknown, infinite or absurd: the model neither scores nor learns them

One NaN poisons most online models for ever, an infinity too, and a drift detector silently goes
deaf.  So nothing unguarded goes in; and what comes out is checked: a model that gives no number,
or fails, goes back to its last good copy, and is counted.

`HalfSpaceTrees` believes that features lie in [0, 1]; unless its `limits` are configured, they are
scaled by their own least and greatest so far.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from river import anomaly, compose, preprocessing

from engine.measures import Measures
from engine.model_state import UntrustedState, decode, encode
from rules import expression as ex
from rules.needs import Asked

# How many panes a model may learn before its copy is renewed: what a fault may cost it.
PANES_PER_COPY = 1000

# What sums inside a model end in when they have lost their digits: a variance a little below
# zero has a complex root, and river's rolling scorer then compares or passes on what it cannot.
INNER_FAULTS = (ArithmeticError, TypeError, ValueError)

SUPERVISED = ("GaussianScorer", "StandardAbsoluteDeviation")
FILTERS = ("QuantileFilter", "ThresholdFilter")


class Detector(Protocol):
    """What all models of river here can do; `y` is the value for those that look at one."""

    def score_one(self, *arguments: object) -> float:
        """How unusual this is."""

    def learn_one(self, *arguments: object) -> object:
        """Take this as an example."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model as configured: what it looks at, and beyond what bound a value is absurd."""

    name: str
    detector: str
    parameters: Mapping[str, object]
    features: tuple[ex.Feature, ...]
    sensors: frozenset[int] | None
    limit: float


def make_detector(name: str, parameters: Mapping[str, object]) -> Detector:
    """Build a model of river by name; TypeError or ValueError say what it does not take."""
    options = dict(parameters)
    if name in FILTERS:
        inner = cast(dict[str, object], options.pop("anomaly_detector", {}))
        inner_name = str(inner.get("detector", "HalfSpaceTrees"))
        inner_options = cast(dict[str, object], inner.get("parameters", {}))
        options["anomaly_detector"] = make_detector(inner_name, inner_options)
    model = getattr(anomaly, name)(**options)
    if name == "HalfSpaceTrees" and "limits" not in options:
        model = compose.Pipeline(preprocessing.MinMaxScaler(), model)
    return cast(Detector, model)


def looks_at_one_value(plan_detector: str, parameters: Mapping[str, object]) -> bool:
    """True for models that are told one value, not a set of features."""
    if plan_detector in FILTERS:
        inner = cast(dict[str, object], parameters.get("anomaly_detector", {}))
        return str(inner.get("detector", "")) in SUPERVISED
    return plan_detector in SUPERVISED


class Anomaly:
    """The models of one sensor type in one shard."""

    __slots__ = (
        "copies",
        "is_single",
        "learnt",
        "models",
        "names",
        "plan",
        "reset_count",
        "told_count",
    )

    def __init__(self, plan: ModelPlan) -> None:
        self.plan = plan
        self.is_single = looks_at_one_value(plan.detector, plan.parameters)
        self.names = [f"x{place}" for place in range(len(plan.features))]
        self.models: dict[int, Detector] = {}
        self.learnt: dict[int, int] = {}
        self.copies: dict[int, bytes] = {}
        self.reset_count = 0
        self.told_count = 0

    def probe(self) -> None:
        """Build a model once; TypeError says what it does not take."""
        make_detector(self.plan.detector, self.plan.parameters)

    def score(self, sensor: NDArray[np.int32], measures: Measures) -> NDArray[np.float64]:
        """Score each sensor whose features are known, and let its model learn them.

        sensor  int32[s]  number in the catalogue of each row of the bank
        Returns float64[m], NaN where nothing can be said.
        """
        table = np.stack([_column(measures, feature) for feature in self.plan.features])
        with np.errstate(invalid="ignore"):
            sane = np.all(np.abs(table) <= self.plan.limit, axis=0)
        scores = np.full(measures.rows.size, np.nan)
        for place in np.flatnonzero(sane):
            number = int(sensor[measures.rows[place]])
            if self.plan.sensors is None or number in self.plan.sensors:
                scores[place] = self._step(number, table[:, place].tolist())
        return scores

    def _step(self, number: int, values: Sequence[float]) -> float:
        model = self.models.get(number)
        if model is None:
            model = self.models[number] = make_detector(self.plan.detector, self.plan.parameters)
        arguments: tuple[object, ...] = (
            (None, values[0]) if self.is_single else (dict(zip(self.names, values, strict=True)),)
        )
        try:
            score = float(model.score_one(*arguments))
            model.learn_one(*arguments)
        except INNER_FAULTS:
            score = math.nan
        if not math.isfinite(score):
            self._reset(number)
            return math.nan
        learnt = self.learnt[number] = self.learnt.get(number, 0) + 1
        if learnt % PANES_PER_COPY == 0:
            self.copies[number] = encode(model)
        return score

    def _reset(self, number: int) -> None:
        """Back to the last good copy, or to a model that has seen nothing."""
        self.reset_count += 1
        copy = self.copies.get(number)
        if copy is None:
            del self.models[number]
            self.learnt.pop(number, None)
        else:
            self.models[number] = cast(Detector, decode(copy))

    def take_resets(self) -> int:
        """How often models went back since this was last asked."""
        fresh, self.told_count = self.reset_count - self.told_count, self.reset_count
        return fresh

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """The models and their last good copies as bytes, for a snapshot."""
        found: dict[str, NDArray[np.generic]] = {}
        for number, model in self.models.items():
            name = f"model/{self.plan.name}/{number}"
            found[name] = np.frombuffer(encode(model), dtype=np.uint8)
            found[f"{name}/learnt"] = np.array([self.learnt.get(number, 0)], dtype=np.int64)
            if number in self.copies:
                found[f"{name}/copy"] = np.frombuffer(self.copies[number], dtype=np.uint8)
        return found

    def restore(
        self, saved: Mapping[str, NDArray[np.generic]], renumbered: Mapping[int, int] | None
    ) -> None:
        """Take over the models of a snapshot; their scores go on exactly.

        `renumbered` gives today's number of a sensor for the one it was saved under, and leaves
        out those that are gone; None where nothing has changed.
        """
        prefix = f"model/{self.plan.name}/"
        for name, column in saved.items():
            if not name.startswith(prefix):
                continue
            before, _, part = name[len(prefix) :].partition("/")
            number = int(before) if renumbered is None else renumbered.get(int(before))
            if number is None:
                continue
            if part == "learnt":
                self.learnt[number] = int(column[0])
            elif part == "copy":
                self.copies[number] = column.tobytes()
            else:
                self._restore_model(number, column.tobytes())

    def _restore_model(self, number: int, packed: bytes) -> None:
        """A model that cannot be read, as after a change of river, begins anew and is counted."""
        try:
            self.models[number] = cast(Detector, decode(packed))
        except UntrustedState:
            self.reset_count += 1


def _column(measures: Measures, feature: ex.Feature) -> NDArray[np.floating]:
    if feature.name == "value":
        # A value that holds no longer is no example of anything.
        return np.where(measures.is_fresh, measures.value, np.nan)
    if feature.name == "stalta":
        short_ns, long_ns = feature.windows_ns
        return measures.onsets[short_ns, long_ns]
    return measures.column(Asked(feature, "", 0.0, 1))
