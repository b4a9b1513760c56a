"""Assembly: configuration, catalogue and rules become plans, layouts and shards.

Everything that can be wrong is found here, before the first frame, and told at once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.adoption import formats
from engine.anomaly import Anomaly, ModelPlan
from engine.config import EngineConfig, ModelConfig
from engine.errors import ConfigError
from engine.layout import Layout, lay_out
from engine.links import link_faults, read_model_feature
from engine.meters import Meters
from engine.placement import Placed, place
from engine.registry import Catalogue
from engine.registry import load as load_catalogue
from engine.shard import Shard, ShardSettings
from engine.sorts import sorts_of
from rules import book as rule_book
from rules.errors import Fault, Place
from rules.pack import Book
from rules.plan import Plan, make_plan

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that follows from the files; the same files give the same assembly."""

    config: EngineConfig
    catalogue: Catalogue
    book: Book
    plan: Plan
    layouts: tuple[Layout, ...]
    models: Mapping[str, ModelPlan]
    placed: tuple[Placed, ...]

    @property
    def manifests(self) -> dict[str, NDArray[np.int32]]:
        """Catalogue numbers of each gateway's sensors, in the order of its frames."""
        names = self.catalogue.gateways.name
        return {name: self.catalogue.manifest(number) for number, name in enumerate(names)}

    @property
    def sensor_counts(self) -> dict[str, int]:
        """How many sensors each gateway has."""
        return {name: sensors.size for name, sensors in self.manifests.items()}

    def fingerprint(self, index: int) -> str:
        """Tells whether a saved state fits this assembly as it is."""
        parts = (
            *(self.layouts[index].digest, self.plan.digest, formats()),
            repr(sorted(self.models.items())),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def shard(self, index: int, meters: Meters) -> Shard:
        """Make a shard that has seen nothing."""
        config = self.config
        return Shard(
            self.layouts[index],
            self.plan,
            self.catalogue,
            settings=ShardSettings(config.silence_ns, config.future_max_ns, config.status),
            meters=meters,
            anomalies={name: Anomaly(model) for name, model in self.models.items()},
            placed=self.placed,
        )


def assemble(config: EngineConfig) -> Assembly:
    """Read catalogue and rules; ConfigError carries every fault of both."""
    faults: list[Fault] = []
    catalogue = None
    try:
        catalogue = load_catalogue(config.catalogue)
    except ConfigError as error:
        faults += error.faults
    book = rule_book.load(list(config.rules))
    faults += book.errors
    if catalogue is None or faults:
        raise ConfigError(faults)
    wrong = [f for f in link_faults(config, catalogue, book) if f.is_error]
    if wrong:
        raise ConfigError(wrong)
    models = {
        name: _model_plan(model, catalogue, config.path)
        for model in config.models
        for name in model.types
    }
    plan = make_plan(
        book,
        sorts_of(catalogue),
        silence_ns=config.silence_ns,
        tick_ns=NS_PER_S if config.clock == "wall" else None,
        model_features=[(name, f) for name, model in models.items() for f in model.features],
    )
    layouts = tuple(lay_out(catalogue, number, config.shards) for number in range(config.shards))
    placed, wrong = place(plan, catalogue)
    if wrong:
        raise ConfigError(wrong)
    return Assembly(config, catalogue, book, plan, layouts, models, placed)


def _model_plan(model: ModelConfig, catalogue: Catalogue, path: Path) -> ModelPlan:
    sensors = None
    if model.sites:
        sites = [catalogue.sites.name.index(name) for name in model.sites]
        chosen = np.flatnonzero(np.isin(catalogue.sensors.site, sites))
        sensors = frozenset(int(number) for number in chosen)
    place = Place(str(path), 1, 1)
    features = tuple(read_model_feature(text, place) for text in model.features)
    plan = ModelPlan(model.name, model.detector, model.parameters, features, sensors, model.limit)
    try:
        Anomaly(plan).probe()
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        text = f"model `{model.name}`: {model.detector} does not take these parameters: {error}"
        raise ConfigError([Fault("E734", place, text)]) from error
    return plan
