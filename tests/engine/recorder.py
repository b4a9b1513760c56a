"""A fake model that looks at any features, keeps what it was shown, and gives planned scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.anomaly import ModelPlan
from engine.layout import lay_out
from engine.measures import Measures
from engine.meters import Meters
from engine.shard import Shard, ShardSettings
from engine.sorts import sorts_of
from rules import expression as ex
from rules.errors import Place
from rules.needs import Asked
from rules.plan import make_plan
from rules.units import NUMBER
from tests.engine.plants import FUTURE_MAX, START, Plant, S


class Recorder:
    """Stands where a model stands in a shard; see `engine/anomaly.py`."""

    def __init__(
        self, features: Sequence[ex.Feature], scores: Mapping[tuple[int, int], float]
    ) -> None:
        self.plan = ModelPlan("recorder", "", {}, tuple(features), None, 1e300)
        self.scores = scores
        # By sensor and seconds after the start of the pane's end: each feature.
        self.seen: dict[tuple[int, float], dict[ex.Feature, float]] = {}
        self.last: Measures | None = None

    def score(self, sensor: np.ndarray, measures: Measures) -> np.ndarray:
        """Note what the features are; the planned score of each sensor, or none."""
        second = (measures.end_ns - START) / S
        found = {f: column(measures, f) for f in self.plan.features if not f.stream}
        out = np.full(measures.rows.size, np.nan)
        for place, row in enumerate(measures.rows):
            key = (int(sensor[row]), second)
            self.seen[key] = {f: float(values[place]) for f, values in found.items()}
            out[place] = self.scores.get((key[0], round(second)), np.nan)
        self.last = measures
        return out

    def take_resets(self) -> int:
        return 0

    def columns(self) -> Mapping[str, np.ndarray]:
        return {}

    def restore(self, saved: object, renumbered: object) -> None:
        """It remembers nothing."""


def asked(feature: ex.Feature) -> Asked:
    """A feature as models ask for it: whatever its coverage."""
    return Asked(feature, "", 0.0, 1)


def column(measures: Measures, feature: ex.Feature) -> np.ndarray:
    target = None
    if isinstance(feature.target, ex.Number):
        target = np.full(measures.rows.size, feature.target.value)
    return measures.column(asked(feature), target)


def feature(
    name: str, window_s: float, *, offset_s: float = 0, target: float | None = None,
    stream: str = "", **options: float,
) -> ex.Feature:  # fmt: skip
    """A feature of one window, as the expressions of rules have it."""
    place = Place("e.yaml", 1, 1)
    return ex.Feature(
        name,
        (round(window_s * S),),
        NUMBER,
        place,
        offset_ns=round(offset_s * S),
        options=tuple(sorted(options.items())),
        target=None if target is None else ex.Number(target, NUMBER, place),
        stream=stream,
    )


def recording(
    plant: Plant,
    features: Sequence[ex.Feature],
    scores: Mapping[tuple[int, int], float] | None = None,
) -> tuple[Shard, Recorder]:
    """A shard whose type `gas` has a recorder for a model."""
    recorder = Recorder(features, scores or {})
    plan = make_plan(
        plant.book,
        sorts_of(plant.catalogue),
        silence_ns=plant.silence_ns,
        tick_ns=plant.tick_ns,
        model_features=[("gas", f) for f in features],
    )
    shard = Shard(
        lay_out(plant.catalogue, 0, 1),
        plan,
        plant.catalogue,
        settings=ShardSettings(plant.silence_ns, FUTURE_MAX, "test"),
        meters=Meters([sensor_type.name for sensor_type in plant.catalogue.types]),
        anomalies={"gas": recorder},
    )
    return shard, recorder
