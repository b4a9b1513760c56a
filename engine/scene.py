"""Scene: what a test of a rule makes up: sensors with their sites, and the readings they send.

One gateway; one site, but a fleet has a site for each of its sensors, on its grid.  A sensor is
called as its feed is: `input`, `p`, or `G1` of `gas.G1`.  What an instance is keyed by and the
test does not say is the same for all sensors; a rule with one sensor an instance has one instance
for each.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.assembly import Assembly, assembly_of
from engine.columns import Readings
from engine.config import unconnected
from engine.puppets import KIND, grade_feeds, puppets_of
from engine.registry import Catalogue, Gateways, Sensors, Sites
from engine.sensor_types import SensorType
from rules.csv_feed import feeds_of
from rules.errors import Fault, Faults, RuleErrors
from rules.grouping import inputs_of
from rules.pack import Book, Input, Pack, Rule, references
from rules.scenario import Feed, Scenario

NS_PER_S: Final = 1_000_000_000
# 2026-01-01T00:00:00Z: every pane length divides it.
START_NS: Final = 1_767_225_600 * NS_PER_S
ONLY: Final = "input"
LATENESS_NS: Final = 2 * NS_PER_S
# Keys of instances that need no attribute.
BUILT_IN: Final = frozenset({"sensor", "site", "division", "cluster"})
# Where a fleet's first sensor stands; the rest follows from metres.
HOME_LAT, HOME_LON = 30.0, 110.0
METRES_PER_DEGREE: Final = 111_194.93
CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Actor:
    """One sensor of a scene; `east_m` and `north_m` are None where it stands on the common site."""

    name: str
    feed_name: str
    source: Input
    feed: Feed
    east_m: float | None
    north_m: float | None


@dataclass(frozen=True, slots=True)
class Scene:
    """An engine for one test, and what it is fed.

    sensor, time_ns, value, quality, arrival_ns   one row for each reading, in order of arrival
    end_ns   when the longest feed ends, after the start
    """

    assembly: Assembly
    sensor: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    arrival_ns: NDArray[np.int64]
    end_ns: int

    @property
    def has_late(self) -> bool:
        """Some reading arrives after its time."""
        return bool(np.any(self.arrival_ns != self.time_ns))

    def work(self, until_ns: int) -> Iterator[Readings]:
        """The readings that have arrived by an instant, after the start."""
        dense = self.assembly.layouts[0].dense
        count = int(np.searchsorted(self.arrival_ns, until_ns, side="right"))
        for start in range(0, count, CHUNK):
            part = slice(start, min(start + CHUNK, count))
            yield Readings(
                dense[self.sensor[part]],
                START_NS + self.time_ns[part],
                self.value[part],
                self.quality[part],
                START_NS + int(self.arrival_ns[part][-1]),
            )


def scene_of(pack: Pack, rule: Rule | None, scenario: Scenario) -> Scene:
    """Make up what a test needs; RuleErrors where it cannot be made.

    rule  whose test it is; None: a test of the whole pack
    """
    faults = Faults()
    feeds = feeds_of(scenario, faults)
    if faults.errors():
        raise RuleErrors(faults)
    scenario = replace(scenario, feeds=feeds)
    rules = _rules(pack, rule, scenario)
    actors = [*_actors(pack, rule, scenario), *_puppeteers(rules, scenario)]
    if not actors:
        fault = Fault("E502", scenario.place, "no sensor is fed", "feed: {input: …}")
        raise RuleErrors(Faults({fault: None}))
    awake = [replace(one, mode="live", tests=()) for one in rules]
    home = Path(pack.path)
    config = replace(
        unconnected(home, (home,), clock="wall"),
        shards=1,
        silence_ns=0,
        future_max_ns=0,
    )
    catalogue = _catalogue(awake, scenario, actors)
    return _fed(assembly_of(config, catalogue, _book(pack, awake)), actors)


def _rules(pack: Pack, rule: Rule | None, scenario: Scenario) -> list[Rule]:
    """The rules that take part: the one that is tried, or all; and stand-ins for other rules."""
    if rule is None:
        return list(pack.rules)
    if inputs_of(rule) and not scenario.grades and not references(rule):
        return [rule]
    fed = {given.type for name, given in _sources(pack, rule).items() if name in scenario.feeds}
    puppets = puppets_of(pack, rule, scenario)
    judged = [
        one
        for one in pack.rules
        if one is not rule and any(given.type in fed for given in inputs_of(one).values())
    ]
    names = {f"{one.pack}/{one.id}" for one in judged}
    return [*judged, *(p for name, p in puppets.items() if name not in names), rule]


def _puppeteers(rules: Sequence[Rule], scenario: Scenario) -> Iterator[Actor]:
    """The made-up sensors behind the stand-ins."""
    puppets = {
        f"{one.pack}/{one.id}": one.input for one in rules if one.input.type.startswith(KIND)
    }
    for name, key, feed in grade_feeds(list(puppets), scenario):
        yield Actor(key, "", puppets[name], feed, None, None)


def _book(pack: Pack, rules: Sequence[Rule]) -> Book:
    """The rules in their packs; a stand-in may belong to another pack than the one tried."""
    names = dict.fromkeys(one.pack for one in rules)
    packs = tuple(
        replace(pack, name=name, rules=tuple(r for r in rules if r.pack == name), tests=())
        for name in names
    )
    return Book(packs, pack.digest, Faults())


def _actors(pack: Pack, rule: Rule | None, scenario: Scenario) -> Iterator[Actor]:
    """The sensors that a test feeds, in the order in which it names them."""
    sources = _sources(pack, rule)
    names: set[str] = set()
    for source in dict.fromkeys(name.partition(".")[0] for name in scenario.feeds):
        fleet = scenario.fleets.get(source)
        positions = fleet.positions if fleet else {}
        for member, feed in scenario.members(source).items():
            feed_name = f"{source}.{member}" if member else source
            name = member or source
            if name in names:
                name = feed_name
            names.add(name)
            east_m, north_m = positions.get(member, (None, None))
            yield Actor(name, feed_name, sources[source], feed, east_m, north_m)


def _sources(pack: Pack, rule: Rule | None) -> dict[str, Input]:
    """What may be fed: the inputs of a rule by name, or all sensor types of a pack."""
    if rule is not None and inputs_of(rule):
        return {name or ONLY: given for name, given in inputs_of(rule).items()}
    return {given.type: given for one in pack.rules for given in inputs_of(one).values()}


def _catalogue(rules: Sequence[Rule], scenario: Scenario, actors: Sequence[Actor]) -> Catalogue:
    types = _types(actors)
    names = [sensor_type.name for sensor_type in types]
    count = len(actors)
    attributes = [_attributes(rules, scenario, actor) for actor in actors]
    columns = dict.fromkeys(name for texts in attributes for name in texts)
    sites, site = _sites(actors, scenario.attributes)
    every = np.arange(count, dtype=np.int32)
    return Catalogue(
        types=tuple(types),
        sites=sites,
        gateways=Gateways(["gateway"], np.zeros(1, dtype=np.int32), [""]),
        sensors=Sensors(
            [actor.name for actor in actors],
            np.zeros(count, dtype=np.int32),
            site,
            np.array([names.index(_type_name(a.source)) for a in actors], dtype=np.int16),
            np.array([actor.feed.period_ns for actor in actors], dtype=np.int64),
            np.array([_bound(texts, "range_low", -math.inf) for texts in attributes]),
            np.array([_bound(texts, "range_high", math.inf) for texts in attributes]),
            {name: [texts.get(name) for texts in attributes] for name in columns},
        ),
        digest="",
        manifest_order=every,
        manifest_start=np.array([0, count]),
    )


def _type_name(given: Input) -> str:
    return "sensor" if given.type == "*" else given.type


def _types(actors: Sequence[Actor]) -> list[SensorType]:
    """One sensor type for each that is fed."""
    found: dict[str, SensorType] = {}
    for actor in actors:
        name, period_ns = _type_name(actor.source), actor.feed.period_ns
        known = found.get(name)
        if known is not None and known.period_ns is not None:
            period_ns = min(known.period_ns, period_ns)
        kind = actor.source.kind or "gauge"
        found[name] = SensorType(
            name=name,
            unit=actor.source.unit or "1",
            kind=kind,
            lateness_ns=0 if kind == "waveform" else LATENESS_NS,
            pane_ns=None,
            precision="float64",
            period_ns=period_ns,
        )
    return list(found.values())


def _attributes(rules: Sequence[Rule], scenario: Scenario, actor: Actor) -> dict[str, str]:
    """What the catalogue says of a sensor; keys of instances are made up where nobody says them."""
    texts = {**scenario.attributes, **scenario.own.get(actor.feed_name, {})}
    for rule in rules:
        # Every sensor has what messages show of it; a test rarely says so.
        for _, name in rule.message.attributes:
            texts.setdefault(name, name)
        is_lone = len(inputs_of(rule)) == 1 and not any(i.many for i in inputs_of(rule).values())
        for key in rule.by:
            if key not in BUILT_IN:
                texts.setdefault(key, actor.name if is_lone else key)
    return texts


def _bound(texts: Mapping[str, str], name: str, default: float) -> float:
    return float(texts[name].split()[0]) if name in texts else default


def _sites(
    actors: Sequence[Actor], attributes: Mapping[str, str]
) -> tuple[Sites, NDArray[np.int32]]:
    """The sites of a scene, and which of them each sensor has."""
    places: dict[str, tuple[float, float]] = {}
    site = []
    for actor in actors:
        name, lat, lon = "site", HOME_LAT, HOME_LON
        if actor.east_m is not None and actor.north_m is not None:
            name = f"site-{actor.name}"
            lat = HOME_LAT + actor.north_m / METRES_PER_DEGREE
            across = METRES_PER_DEGREE * math.cos(math.radians(HOME_LAT))
            lon = HOME_LON + actor.east_m / across
        places.setdefault(name, (lat, lon))
        site.append(list(places).index(name))
    names = list(places)
    lats, lons = (np.array([place[at] for place in places.values()]) for at in (0, 1))
    found = Sites(
        *(names, ["站点"] * len(names), names, ["100000"] * len(names), lats, lons),
        [dict(attributes) for _ in names],
    )
    return found, np.array(site, dtype=np.int32)


def _fed(assembly: Assembly, actors: Sequence[Actor]) -> Scene:
    """Put the readings of all sensors in the order of their arrival."""
    sensor = np.concatenate(
        [np.full(len(a.feed.time_ns), n, dtype=np.int32) for n, a in enumerate(actors)]
    )
    time_ns = np.concatenate([np.array(a.feed.time_ns, dtype=np.int64) for a in actors])
    delay_ns = np.concatenate([np.array(a.feed.delay_ns, dtype=np.int64) for a in actors])
    value = np.concatenate([np.array(a.feed.value, dtype=np.float64) for a in actors])
    quality = np.concatenate([np.array(a.feed.quality, dtype=np.uint8) for a in actors])
    arrival_ns = time_ns + delay_ns
    order = np.argsort(arrival_ns, kind="stable")
    return Scene(
        assembly,
        sensor[order],
        time_ns[order],
        value[order],
        quality[order],
        arrival_ns[order],
        max(actor.feed.end_ns for actor in actors),
    )
