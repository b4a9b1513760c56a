"""Assembly: configuration, catalogue and rules become plans, layouts and shards.

Everything that can be wrong is found here, before a set of rules judges anything, and told at
once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.activations import Texts, describe, digest_of, read_texts
from engine.adoption import formats
from engine.anomaly import Anomaly, ModelPlan
from engine.config import EngineConfig, ModelConfig
from engine.correlate import Correlate
from engine.errors import ConfigError, StoreError
from engine.layout import Layout, lay_out
from engine.links import link_faults, read_model_feature
from engine.meters import Meters
from engine.placement import Placed, place
from engine.registry import FILES, Catalogue
from engine.registry import load as load_catalogue
from engine.shard import Shard, ShardSettings
from engine.sorts import sorts_of
from rules import book as rule_book
from rules.errors import Fault, Place
from rules.needs import Sort
from rules.overriding import in_force
from rules.pack import Book
from rules.plan import Plan, make_plan

NS_PER_S = 1_000_000_000
# An editor writes a file in a moment; who still writes after so many looks is not an editor.
LOOKS_MAX = 5

# Size, time of change and number of each file: when they are the same, so is what is in them.
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that follows from the files; the same files give the same assembly.

    manifest, texts  what the set of rules is made of (engine/activations.py)
    stamp            of the catalogue's files, before they were read
    """

    config: EngineConfig
    catalogue: Catalogue
    book: Book
    plan: Plan
    layouts: tuple[Layout, ...]
    models: Mapping[str, ModelPlan]
    placed: tuple[Placed, ...]
    manifest: bytes
    texts: Texts
    stamp: Stamp
    sorts: tuple[Sort, ...]

    @property
    def digest(self) -> str:
        """The name of this set of rules, with the catalogue and keys that belong to it."""
        return digest_of(self.manifest)

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

    def shard(self, index: int, meters: Meters, before: Shard | None = None) -> Shard:
        """Make a shard that has seen nothing; or one that takes over from `before` what it has."""
        config = self.config
        known = {} if before is None else {bank.windows.name: bank.anomaly for bank in before.banks}
        return Shard(
            self.layouts[index],
            self.plan,
            self.catalogue,
            settings=ShardSettings(config.silence_ns, config.future_max_ns, config.status),
            meters=meters,
            anomalies={name: _model(known.get(name), model) for name, model in self.models.items()},
            placed=self.placed,
            before=before,
        )

    def correlate(self, meters: Meters) -> Correlate | None:
        """Make what judges the rules beyond one site; None where there is no such rule."""
        if all(one.is_local for one in self.placed):
            return None
        hazards = {f"{rule.pack}/{rule.id}": rule.hazard for rule in self.book.rules}
        return Correlate(
            *(self.placed, self.catalogue),
            hazards=hazards,
            status=self.config.status,
            meters=meters,
        )


@dataclass(frozen=True, slots=True)
class Activation:
    """From its place in the work on, this set judges."""

    assembly: Assembly


def assemble(config: EngineConfig, before: Assembly | None = None, *, today: str = "") -> Assembly:
    """Read catalogue and rules; ConfigError carries every fault of both.

    before  an assembly whose catalogue is taken where its files have not been touched since
    today   an ISO day: overrides that held until an earlier one are left out; empty: none is
    """
    faults: list[Fault] = []
    catalogue = None
    stamp = stamp_of(config.catalogue)
    if before is not None and stamp and stamp == before.stamp:
        catalogue = before.catalogue
    else:
        try:
            catalogue = load_catalogue(config.catalogue)
        except ConfigError as error:
            faults += error.faults
    if before is not None and catalogue is not None:
        is_same = catalogue.digest == before.catalogue.digest
        catalogue = before.catalogue if is_same else catalogue
    book, texts = _read_book(config, today)
    faults += book.errors
    if catalogue is None or faults:
        raise ConfigError(faults)
    wrong = [f for f in link_faults(config, catalogue, book) if f.is_error]
    if wrong:
        raise ConfigError(wrong)
    return _assembled(config, (catalogue, stamp), (book, texts), before, today=today)


def assemble_kept(
    config: EngineConfig, digest: str, others: Sequence[Assembly], *, today: str = ""
) -> Assembly:
    """A set that has judged before, from the folder where it is kept.

    others  assemblies at hand; who has the same catalogue lends it
    today   the day it was made for
    """
    same = [other for other in others if other.catalogue.digest == config.catalogue.name]
    catalogue = same[0].catalogue if same else load_catalogue(config.catalogue)
    book, texts = _read_book(config, today)
    if book.errors:
        raise ConfigError(book.errors)
    made = _assembled(
        config, (catalogue, ()), (book, texts), same[0] if same else None, today=today
    )
    if made.digest != digest:
        message = f"{config.rules[0].parent.parent}: the set that is kept here is another"
        raise StoreError(message)
    return made


def assemble_lapsed(config: EngineConfig, before: Assembly, *, today: str) -> Assembly:
    """A set that judges, without the overrides that hold no longer; else as it is kept.

    config  of the kept set: what its files say now, nobody has asked to judge
    """
    book, texts = _read_book(config, today)
    if book.errors:
        raise ConfigError(book.errors)
    return _assembled(config, (before.catalogue, before.stamp), (book, texts), before, today=today)


def assembly_of(config: EngineConfig, catalogue: Catalogue, book: Book) -> Assembly:
    """A set that no files say, such as that of a test; ConfigError where it does not fit."""
    return _assembled(config, (catalogue, ()), (book, {}), None, today="")


def _model(before: Anomaly | None, plan: ModelPlan) -> Anomaly:
    """The model that there was, where it is the same; else one that has learnt nothing."""
    return before if before is not None and before.plan == plan else Anomaly(plan)


def stamp_of(catalogue: Path) -> Stamp:
    """How the files of a catalogue are now; nothing where one is missing."""
    try:
        found = [(catalogue / name).stat() for name in FILES]
    except OSError:
        return ()
    return tuple((one.st_size, one.st_mtime_ns, one.st_ino) for one in found)


def _read_book(config: EngineConfig, today: str) -> tuple[Book, Texts]:
    """The rules and the very texts they were read from, though somebody may be writing them."""
    for _ in range(LOOKS_MAX):
        texts = _texts(config)
        book = rule_book.load(list(config.rules), today=today)
        if texts == _texts(config):
            return book, texts
    place = Place(str(config.rules[0]), 0, 0)
    raise ConfigError([Fault("E741", place, "the files of the rules change all the time", "")])


def _texts(config: EngineConfig) -> Texts:
    try:
        return read_texts(config.rules)
    except OSError:
        return {}  # the book says which file is missing


def _assembled(
    config: EngineConfig,
    catalogue_and_stamp: tuple[Catalogue, Stamp],
    book_and_texts: tuple[Book, Texts],
    before: Assembly | None,
    *,
    today: str,
) -> Assembly:
    catalogue, stamp = catalogue_and_stamp
    if catalogue.time_zone != config.time_zone:
        catalogue = replace(catalogue, time_zone=config.time_zone)
    book, texts = book_and_texts
    book, since = in_force(book, today)
    models = {
        name: _model_plan(model, catalogue, config.path)
        for model in config.models
        for name in model.types
    }
    is_known = before is not None and before.catalogue is catalogue
    sorts = before.sorts if before is not None and is_known else tuple(sorts_of(catalogue))
    plan = make_plan(
        book,
        sorts,
        silence_ns=config.silence_ns,
        tick_ns=NS_PER_S if config.clock == "wall" else None,
        model_features=[(name, f) for name, model in models.items() for f in model.features],
    )
    placed, found = place(plan, catalogue)
    wrong = [fault for fault in found if fault.is_error]
    if wrong:
        raise ConfigError(wrong)
    if before is not None and before.catalogue is catalogue and _shards(before) == config.shards:
        layouts = before.layouts
    else:
        layouts = tuple(lay_out(catalogue, n, config.shards) for n in range(config.shards))
    manifest = describe(config, catalogue.digest, texts, book.packs, since=since)
    return Assembly(
        *(config, catalogue, book, plan, layouts, models, placed),
        manifest=manifest,
        texts=texts,
        stamp=stamp,
        sorts=sorts,
    )


def _shards(assembly: Assembly) -> int:
    return len(assembly.layouts)


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
