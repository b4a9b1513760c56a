"""Plants in memory: a catalogue, rules as text, shards, and what they say about some work.

Work is numbered as the catalogue does, as frames are; each shard is given the part it owns.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgpack
import numpy as np

from engine.anomaly import Anomaly, ModelPlan
from engine.assembly import Assembly
from engine.columns import Readings, Series
from engine.config import load as load_config
from engine.correlate import Correlate
from engine.episodes import Message
from engine.layout import lay_out
from engine.meters import Meters
from engine.placement import place
from engine.registry import Catalogue, Gateways, Sensors, Sites
from engine.sensor_types import SensorType
from engine.shard import Shard, ShardSettings, Tick, Work
from engine.sorts import sorts_of
from rules import book as rule_book
from rules import expression as ex
from rules.errors import Place
from rules.pack import Book
from rules.plan import Plan, make_plan
from rules.units import NUMBER

S = 1_000_000_000
MS = 1_000_000
# 2026-01-01T00:00:00Z: every pane length divides it.
START = 1_767_225_600 * S
NO_QUALITY = np.empty(0, dtype=np.uint8)
NO_QUALITIES = np.empty((0, 0), dtype=np.uint8)
FUTURE_MAX = 5 * S
MINE = Path(__file__).resolve().parents[2] / "configs" / "mine" / "engine.yaml"


@dataclass(frozen=True)
class Sensor:
    """One row of sensors.csv."""

    name: str
    type: str = "gas"
    site: str = "a"
    gateway: str = "g"
    period_ns: int = S
    low: float = -np.inf
    high: float = np.inf
    attributes: Mapping[str, str] = field(default_factory=dict)


def kind(name: str = "gas", **changes: object) -> SensorType:
    """A sensor type in metres, once a second, without lateness."""
    plain = SensorType(name, "m", "gauge", 0, None, "float64", S)
    return replace(plain, **changes)


def catalogue_of(types: Sequence[SensorType], sensors: Sequence[Sensor]) -> Catalogue:
    """A catalogue in the order in which its parts are first named."""
    sites = list(dict.fromkeys(sensor.site for sensor in sensors))
    gateways = list(dict.fromkeys(sensor.gateway for sensor in sensors))
    gateway = np.array([gateways.index(sensor.gateway) for sensor in sensors], dtype=np.int32)
    site = np.array([sites.index(sensor.site) for sensor in sensors], dtype=np.int32)
    names = [sensor_type.name for sensor_type in types]
    columns = sorted({name for sensor in sensors for name in sensor.attributes})
    nowhere = np.full(len(sites), np.nan)
    home = [int(site[np.flatnonzero(gateway == g)[0]]) for g in range(len(gateways))]
    return Catalogue(
        types=tuple(types),
        sites=Sites(
            *(sites, sites, sites, ["140200"] * len(sites), nowhere, nowhere),
            [{} for _ in sites],
        ),
        gateways=Gateways(gateways, np.array(home, dtype=np.int32), [""] * len(gateways)),
        sensors=Sensors(
            *([sensor.name for sensor in sensors], gateway, site),
            np.array([names.index(sensor.type) for sensor in sensors], dtype=np.int16),
            np.array([sensor.period_ns for sensor in sensors], dtype=np.int64),
            np.array([sensor.low for sensor in sensors]),
            np.array([sensor.high for sensor in sensors]),
            {name: [sensor.attributes.get(name) for sensor in sensors] for name in columns},
        ),
        digest="",
        manifest_order=np.argsort(gateway, kind="stable").astype(np.int32),
        manifest_start=np.searchsorted(np.sort(gateway), np.arange(len(gateways) + 1)),
    )


def rule_text(
    grading: str, *, name: str = "r", sensor_type: str = "gas", more: str = "", unit: str = "m"
) -> str:
    """One rule of a pack; `grading` is its ladder or levels, `more` any other keys, a line each."""
    lines = [
        f"- id: {name}",
        "  title: {zh: 演练, en: Exercise}",
        "  hazard: test",
        f'  input: {{type: {sensor_type}, unit: "{unit}"}}',
        "  by: [sensor]",
        *(f"  {line}" for line in (more + "\n" + grading).splitlines() if line),
    ]
    return "\n".join(f"  {line}" for line in lines)


def book_of(*rules: str, pack: str = "p") -> Book:
    """A book of one pack; it must be without faults."""
    head = f"tocsin: 1\npack: {pack}\nversion: 1.0.0\nowner: o\nrules:\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{pack}.yaml"
        path.write_text(head + "\n".join(rules) + "\n", encoding="utf-8")
        book = rule_book.load([path])
    assert not book.errors, [str(fault) for fault in book.errors]
    return book


def feature(name: str, *windows_ns: int) -> ex.Feature:
    """A feature that a model looks at."""
    return ex.Feature(name, windows_ns, NUMBER, Place("engine.yaml", 1, 1))


@dataclass
class Plant:
    """What is the same for all its shards."""

    catalogue: Catalogue
    book: Book
    silence_ns: int = 10 * S
    tick_ns: int | None = S
    models: Mapping[str, ModelPlan] = field(default_factory=dict)
    status: str = "test"

    @property
    def plan(self) -> Plan:
        """What the rules need of the sensor types."""
        return make_plan(
            self.book,
            sorts_of(self.catalogue),
            silence_ns=self.silence_ns,
            tick_ns=self.tick_ns,
            model_features=[(name, f) for name, m in self.models.items() for f in m.features],
        )

    def shard(self, number: int = 0, count: int = 1) -> Shard:
        """A shard that has seen nothing."""
        return Shard(
            lay_out(self.catalogue, number, count),
            self.plan,
            self.catalogue,
            settings=ShardSettings(self.silence_ns, FUTURE_MAX, self.status),
            meters=Meters([sensor_type.name for sensor_type in self.catalogue.types]),
            anomalies={name: Anomaly(model) for name, model in self.models.items()},
            placed=place(self.plan, self.catalogue)[0],
        )

    def assembly(self, count: int = 1) -> Assembly:
        """What an engine would have made of this plant."""
        config = replace(
            load_config(MINE),
            shards=count,
            silence_ns=self.silence_ns,
            future_max_ns=FUTURE_MAX,
            status=self.status,
        )
        layouts = tuple(lay_out(self.catalogue, number, count) for number in range(count))
        plan = self.plan
        manifest = f"{self.status} {self.silence_ns} {plan.digest}".encode()
        return Assembly(
            *(config, self.catalogue, self.book, plan, layouts, self.models),
            placed=place(plan, self.catalogue)[0],
            manifest=manifest,
            texts={},
            stamp=(),
            sorts=tuple(sorts_of(self.catalogue)),
        )

    def sensor(self, name: str) -> int:
        """The sensor's number in the catalogue."""
        return self.catalogue.sensors.name.index(name)

    def points(
        self,
        rows: Iterable[tuple[str, float, float] | tuple[str, float, float, int]],
        received_ns: int | None = None,
        dtype: type = np.float64,
    ) -> Readings:
        """A frame of (sensor, seconds after the start, value[, quality]) rows."""
        table = list(rows)
        time_ns = np.array([START + round(row[1] * S) for row in table], dtype=np.int64)
        quality = np.array([row[3] if len(row) > 3 else 0 for row in table], dtype=np.uint8)
        with np.errstate(over="ignore"):
            value = np.array([row[2] for row in table], dtype=np.float64).astype(dtype)
        return Readings(
            np.array([self.sensor(row[0]) for row in table], dtype=np.int32),
            time_ns,
            value,
            quality if quality.any() else NO_QUALITY,
            int(time_ns.max(initial=0)) if received_ns is None else received_ns,
        )

    def feed(self, sensor: str, values: Mapping[float, float] | Sequence[float]) -> list[Work]:
        """One frame for each value: by seconds, or one a second."""
        pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
        return [self.points([(sensor, second, value)]) for second, value in pairs]

    def correlate(self, meters: Meters | None = None) -> Correlate:
        """What judges the rules beyond one site, and has seen nothing."""
        placed, faults = place(self.plan, self.catalogue)
        assert not [fault for fault in faults if fault.is_error], faults
        names = [sensor_type.name for sensor_type in self.catalogue.types]
        return Correlate(
            *(placed, self.catalogue),
            hazards={f"{rule.pack}/{rule.id}": rule.hazard for rule in self.book.rules},
            status=self.status,
            meters=meters or Meters(names),
        )

    def run(self, groups: Iterable[Sequence[Work]], count: int = 1) -> list[Message]:
        """What all shards say when each group of work is given to `advance` at once."""
        shards = [self.shard(number, count) for number in range(count)]
        correlate = self.correlate()
        told: list[Message] = []
        for group in groups:
            for shard in shards:
                told += shard.advance(owned(group, shard))
                report = shard.report()
                if report is not None:
                    told += correlate.advance([report])
        return told


def tick(second: float) -> Tick:
    return Tick(START + round(second * S))


def owned(work: Iterable[Work], shard: Shard) -> list[Work]:
    """The part of some work that a shard owns, numbered as the shard does."""
    found: list[Work] = []
    for item in work:
        if isinstance(item, Tick):
            found.append(item)
            continue
        dense = shard.layout.dense[item.sensor]
        mine = np.flatnonzero(dense >= 0)
        if mine.size:
            quality = item.quality[mine] if item.quality.size else item.quality
            found.append(
                replace(item, sensor=dense[mine], value=item.value[mine], quality=quality)
                if isinstance(item, Series)
                else replace(
                    item,
                    sensor=dense[mine],
                    time_ns=item.time_ns[mine],
                    value=item.value[mine],
                    quality=quality,
                )
            )
    return found


def canonical(message: Message) -> bytes:
    """A message byte by byte, whatever the order of its keys."""

    def ordered(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: ordered(value[key]) for key in sorted(value)}
        if isinstance(value, list | tuple):
            return [ordered(part) for part in value]
        return value

    packed: bytes = msgpack.packb([message[0], ordered(message[1])], use_bin_type=True)
    return packed


def by_subject(messages: Iterable[Message]) -> dict[object, list[bytes]]:
    """All that is said about each subject, in order."""
    found: dict[object, list[bytes]] = {}
    for message in messages:
        found.setdefault(message[1]["subject"], []).append(canonical(message))
    return found


def by_rule(messages: Iterable[Message]) -> dict[object, list[bytes]]:
    """All that each rule says about each subject, in order."""
    found: dict[object, list[bytes]] = {}
    for message in messages:
        key = (message[1]["rule"], message[1]["subject"])
        found.setdefault(key, []).append(canonical(message))
    return found


def told(messages: Iterable[Message], rule: str | None = None) -> list[tuple[str, str, float]]:
    """(event, grade, seconds after the start) of each message of a rule."""
    return [
        (str(body["event"]), str(body["grade"]), (int(str(body["event_time"])) - START) / S)
        for _, body in messages
        if rule is None or body["rule"] == rule
    ]


def saved(shard: Shard) -> dict[str, np.ndarray]:
    """A copy of a shard's state."""
    return {name: column.copy() for name, column in shard.columns().items()}
