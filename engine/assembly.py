"""Assembly: configuration, catalogue and rules become plans, layouts and shards.

Everything that can be wrong is found here, before the first frame, and told at once.
"""

import hashlib
import re
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
from engine.meters import Meters
from engine.registry import Catalogue
from engine.registry import load as load_catalogue
from engine.shard import Shard, ShardSettings
from engine.sorts import sorts_of
from rules import book as rule_book
from rules import expression as ex
from rules.errors import Fault, Place
from rules.pack import Book
from rules.plan import GROUPS, Plan, make_plan
from rules.units import NUMBER, duration_ns

NS_PER_S = 1_000_000_000
FEATURE = re.compile(r"([a-z]+)(?:\(([^)]*)\))?")


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that follows from the files; the same files give the same assembly."""

    config: EngineConfig
    catalogue: Catalogue
    book: Book
    plan: Plan
    layouts: tuple[Layout, ...]
    models: Mapping[str, ModelPlan]

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
    models, wrong = _models(config, catalogue)
    wrong += _strangers(book, catalogue)
    if wrong:
        raise ConfigError(wrong)
    plan = make_plan(
        book,
        sorts_of(catalogue),
        silence_ns=config.silence_ns,
        tick_ns=NS_PER_S if config.clock == "wall" else None,
        model_features=[(name, f) for name, model in models.items() for f in model.features],
    )
    layouts = tuple(lay_out(catalogue, number, config.shards) for number in range(config.shards))
    return Assembly(config, catalogue, book, plan, layouts, models)


def _strangers(book: Book, catalogue: Catalogue) -> list[Fault]:
    """Rules whose input is not what the catalogue has under that name."""
    units = {sensor_type.name: sensor_type.unit for sensor_type in catalogue.types}
    faults = []
    for rule in book.rules:
        unit = units.get(rule.input.type)
        if rule.input.type != "*" and unit is not None and unit != rule.input.unit:
            text = (
                f"rule `{rule.id}` takes {rule.input.type} in {rule.input.unit}, "
                f"but the catalogue has it in {unit}"
            )
            faults.append(Fault("E731", rule.place, text, f'write `unit: "{unit}"`'))
    return faults


def _models(config: EngineConfig, catalogue: Catalogue) -> tuple[dict[str, ModelPlan], list[Fault]]:
    """The models by sensor type, and what is wrong with their configuration."""
    models: dict[str, ModelPlan] = {}
    faults: list[Fault] = []
    known = {sensor_type.name for sensor_type in catalogue.types}
    place = Place(str(config.path), 1, 1)
    for model in config.models:
        for name in model.types:
            if name not in known:
                faults.append(Fault("E732", place, f"model `{model.name}`: no type `{name}`"))
            elif name in models:
                text = f"`{name}` has two models: {models[name].name} and {model.name}"
                faults.append(Fault("E733", place, text))
            else:
                try:
                    models[name] = _model_plan(model, catalogue, config.path)
                except ValueError as error:
                    faults.append(Fault("E734", place, f"model `{model.name}`: {error}"))
    return models, faults


def _model_plan(model: ModelConfig, catalogue: Catalogue, path: Path) -> ModelPlan:
    sites = {name: number for number, name in enumerate(catalogue.sites.name)}
    missing = [name for name in model.sites if name not in sites]
    if missing:
        message = f"no site `{missing[0]}`"
        raise ValueError(message)
    sensors = None
    if model.sites:
        chosen = np.isin(catalogue.sensors.site, [sites[name] for name in model.sites])
        sensors = frozenset(int(number) for number in np.flatnonzero(chosen))
    features = tuple(_feature(text, path) for text in model.features)
    plan = ModelPlan(model.name, model.detector, model.parameters, features, sensors, model.limit)
    try:
        Anomaly(plan).probe()
    except (TypeError, AttributeError, KeyError) as error:
        message = f"{model.detector} does not take these parameters: {error}"
        raise ValueError(message) from error
    return plan


def _feature(text: str, path: Path) -> ex.Feature:
    """A feature that a model looks at: `value`, or a window such as `mean(1m)`."""
    place = Place(str(path), 1, 1)
    found = FEATURE.fullmatch(text.strip())
    if found is None:
        message = f"`{text}` is not a feature such as value or mean(1m)"
        raise ValueError(message)
    name, argument = found.group(1), found.group(2)
    if name == "value" and argument is None:
        return ex.Feature("value", (), NUMBER, place)
    length_ns = duration_ns(argument) if argument else None
    if name not in GROUPS or not length_ns:
        message = f"`{text}`: expected value or one of {', '.join(sorted(GROUPS))} with a window"
        raise ValueError(message)
    return ex.Feature(name, (length_ns,), NUMBER, place)
