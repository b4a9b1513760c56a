"""Instances: which sensors belong to each instance of a rule, as the catalogue says.

The key of an instance is the value of its `by` attributes on a sensor, or on the sensor's site:
all sensors of one tank are one instance, whatever gateways send them. A sensor without such a
value belongs to none. A set of neighbours holds other sensors of the same type nearby, or with the
same value of an attribute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.calendars import Calendars
from engine.geography import metres_between
from engine.registry import Catalogue
from rules import expression as ex
from rules import judge
from rules.errors import Fault, Place
from rules.grouping import GroupPlan, input_of, inputs_of
from rules.pack import Input, Rule
from rules.units import NUMBER, Scale, UnitError, attribute_value

Ints = NDArray[np.int64]
Sensors = NDArray[np.int32]
KEY_JOINT = "/"
NETWORK = "network"
NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class Edges:
    """Which sensors a set holds for each instance.

    start   int64[i + 1]  those of instance j are start[j] : start[j + 1]
    sensor  int32[e]      number in the catalogue
    row     int64[e]      the instance of each
    """

    start: Ints
    sensor: Sensors
    row: Ints

    @classmethod
    def of(cls, row: Sequence[int], sensor: Sequence[int], row_count: int) -> "Edges":
        """Pairs of instances and sensors, put in the order of both."""
        pairs = np.unique(
            np.array([*zip(row, sensor, strict=True)], np.int64).reshape(-1, 2), axis=0
        )
        start = np.searchsorted(pairs[:, 0], np.arange(row_count + 1)).astype(np.int64)
        return cls(start, pairs[:, 1].astype(np.int32), pairs[:, 0].copy())

    def only(self, place: Ints, row_count: int) -> "Edges":
        """Those of some instances; `place` int64[i] is where each is now, -1 for the others."""
        kept = place[self.row] >= 0
        row = place[self.row[kept]]
        start = np.searchsorted(row, np.arange(row_count + 1)).astype(np.int64)
        return Edges(start, self.sensor[kept], row)


@dataclass(frozen=True, slots=True)
class Instances:
    """The instances of one rule.

    key      name of each, in the order of the alphabet
    home     int32[i]  number in the catalogue of the site it is said to be at
    members  all sensors of each instance, whatever their input
    edges    those of each set
    """

    key: tuple[str, ...]
    home: NDArray[np.int32]
    members: Edges
    edges: dict[ex.Members, Edges]

    def sites_of(self, catalogue: Catalogue) -> list[Sensors]:
        """The sites of the members of each instance."""
        found: list[set[int]] = [set() for _ in self.key]
        for edges in (self.members, *self.edges.values()):
            sites = catalogue.sensors.site[edges.sensor]
            for row, site in zip(edges.row.tolist(), sites.tolist(), strict=True):
                found[row].add(site)
        return [np.array(sorted(sites), dtype=np.int32) for sites in found]

    def are_local(self, catalogue: Catalogue) -> bool:
        """Each instance lies inside one site."""
        return all(sites.size <= 1 for sites in self.sites_of(catalogue))

    def only(self, rows: Ints) -> "Instances":
        """Some of the instances, in their order."""
        place = np.full(len(self.key), -1, dtype=np.int64)
        place[rows] = np.arange(rows.size)
        edges = {members: every.only(place, rows.size) for members, every in self.edges.items()}
        key = tuple(self.key[row] for row in rows)
        return Instances(key, self.home[rows], self.members.only(place, rows.size), edges)


def instances_of(group: GroupPlan, catalogue: Catalogue) -> tuple[Instances, list[Fault]]:
    """The instances of a rule, and what is wrong with them."""
    rule = group.plan.rule
    mine = {
        name: sensors_of(group.inputs[name].rule, given, catalogue)
        for name, given in inputs_of(rule).items()
    }
    # A rule about other rules alone has the instances that there are in the whole catalogue.
    asked = mine or {"": np.arange(len(catalogue.sensors.name), dtype=np.int32)}
    keys = {name: _keys(rule, catalogue, sensors) for name, sensors in asked.items()}
    if rule.cluster is not None:
        # Its instances come and go: what the catalogue knows is the network as a whole.
        keys = {name: [NETWORK] * sensors.size for name, sensors in asked.items()}
    known = sorted({key for found in keys.values() for key in found if key is not None})
    place = {key: row for row, key in enumerate(known)}
    faults: list[Fault] = []
    by_input: dict[str, Edges] = {}
    for name, sensors in asked.items():
        chosen = [(place[k], s) for k, s in zip(keys[name], sensors.tolist(), strict=True) if k]
        rows, members = zip(*chosen, strict=True) if chosen else ((), ())
        by_input[name] = Edges.of(rows, members, len(known))
        if name in mine:
            faults += _crowded(group, name, known, by_input[name], catalogue)
    if not known and rule.cluster is None:
        text = f"no sensor of rule `{rule.id}` has the attribute `{KEY_JOINT.join(rule.by)}`"
        hint = "its instances are the values of a column of sensors.csv or sites.csv"
        faults.append(Fault("E745", rule.place, text, hint))
    edges = {
        members: by_input[input_of(rule, members)]
        if members.radius_m is None and not members.attribute
        else _around(members, by_input[input_of(rule, members)], catalogue, len(known))
        for members in group.sets
    }
    every = Edges.of(
        np.concatenate([one.row for one in by_input.values()]).tolist(),
        np.concatenate([one.sensor for one in by_input.values()]).tolist(),
        len(known),
    )
    return Instances(tuple(known), _homes(every, catalogue), every, edges), faults


def sensors_of(rule: Rule, given: Input, catalogue: Catalogue) -> Sensors:
    """The sensors an input looks at: those of its type of which its `where` is true."""
    names = [kind.name for kind in catalogue.types]
    types = [number for number, name in enumerate(names) if given.type in (name, "*")]
    sensors = np.flatnonzero(np.isin(catalogue.sensors.type, types)).astype(np.int32)
    if given.where is None:
        return sensors
    return sensors[judge.truth(given.where, _Texts(catalogue, sensors, given)).true]


def text_of(catalogue: Catalogue, attribute: str, sensor: int, scope: str = "asset") -> str | None:
    """What the catalogue says of a sensor: its own attribute, or that of its site."""
    sites = catalogue.sites
    site = int(catalogue.sensors.site[sensor])
    if scope != "site":
        own = catalogue.sensors.attributes.get(attribute)
        if own is not None and own[sensor] is not None:
            return own[sensor]
    return None if scope == "sensor" else sites.attributes[site].get(attribute)


def key_of(catalogue: Catalogue, by: Sequence[str], sensor: int) -> str | None:
    """The instance that a sensor belongs to; None where one of the attributes is missing."""
    parts = []
    site = int(catalogue.sensors.site[sensor])
    for name in by:
        if name == "sensor":
            text: str | None = catalogue.sensors.name[sensor]
        elif name == "site":
            text = catalogue.sites.name[site]
        elif name == "division":
            text = catalogue.sites.division[site]
        else:
            text = text_of(catalogue, name, sensor)
        if not text:
            return None
        parts.append(text)
    return KEY_JOINT.join(parts)


def positions(catalogue: Catalogue) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of each sensor's site, NaN where it is not known."""
    site = catalogue.sensors.site
    return catalogue.sites.lat[site], catalogue.sites.lon[site]


def _keys(rule: Rule, catalogue: Catalogue, sensors: Sensors) -> list[str | None]:
    return [key_of(catalogue, rule.by, sensor) for sensor in sensors.tolist()]


def _crowded(
    group: GroupPlan, name: str, known: list[str], edges: Edges, catalogue: Catalogue
) -> Iterator[Fault]:
    """A singular input has one sensor for an instance: nobody can tell which of two is meant."""
    singular = ex.Members(input=name)
    is_asked = any(
        s.is_asked_of == "instance" and input_of(group.plan.rule, s.members) == name
        for s in group.signals
    )
    if not is_asked or group.inputs[name].rule.input.many:
        return
    for row in np.flatnonzero(np.diff(edges.start) > 1)[:NAMED_MAX]:
        crowd = edges.sensor[edges.start[row] : edges.start[row + 1]]
        names = ", ".join(f"`{catalogue.sensors.name[s]}`" for s in crowd[:NAMED_MAX])
        more = f" and {crowd.size - NAMED_MAX} more" if crowd.size > NAMED_MAX else ""
        what = f"input `{singular.input}` of " if singular.input else ""
        text = f"{what}rule `{group.plan.rule.id}` has more than one sensor for `{known[row]}`"
        hint = f"{names}{more}: say `many: true`, or choose one by `where`"
        yield Fault("E746", group.plan.rule.place, text, hint)


def _around(members: ex.Members, base: Edges, catalogue: Catalogue, row_count: int) -> Edges:
    """The neighbours of each instance's sensors: of the same type, themselves left out."""
    type_of = catalogue.sensors.type
    every = np.unique(base.sensor)
    lat, lon = positions(catalogue)
    rows: list[int] = []
    found: list[int] = []
    by_text: dict[tuple[int, str], list[int]] = {}
    if members.attribute:
        for sensor in every.tolist():
            text = key_of(catalogue, (members.attribute,), sensor)
            by_text.setdefault((int(type_of[sensor]), text or ""), []).append(sensor)
    for row, sensor in zip(base.row.tolist(), base.sensor.tolist(), strict=True):
        if members.attribute:
            text = key_of(catalogue, (members.attribute,), sensor)
            near = by_text[int(type_of[sensor]), text] if text else []
        else:
            assert members.radius_m is not None
            same = every[type_of[every] == type_of[sensor]]
            away = metres_between(lat[sensor], lon[sensor], lat[same], lon[same])
            near = same[away <= members.radius_m].tolist()
        others = [other for other in near if other != sensor]
        rows += [row] * len(others)
        found += others
    return Edges.of(rows, found, row_count)


def _homes(members: Edges, catalogue: Catalogue) -> NDArray[np.int32]:
    """The site that an instance is said to be at: where most of its sensors are."""
    tally: list[dict[int, int]] = [{} for _ in range(members.start.size - 1)]
    sites = catalogue.sensors.site[members.sensor]
    for row, site in zip(members.row.tolist(), sites.tolist(), strict=True):
        tally[row][site] = tally[row].get(site, 0) + 1
    home = [min(found, key=lambda site: (-found[site], site)) for found in tally]
    return np.array(home, dtype=np.int32)


class _Texts:
    """The attributes of some sensors, for a `where`."""

    def __init__(self, catalogue: Catalogue, sensors: Sensors, given: Input) -> None:
        self.catalogue = catalogue
        self.sensors = sensors
        self.given = given
        self.row_count = sensors.size

    def feature(self, feature: ex.Feature) -> NDArray[np.float64]:
        """A `where` is about the catalogue alone."""
        message = f"`where` looks at {feature.name}"
        raise AssertionError(message)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """Numbers in the input's scale, or texts and None."""
        texts = [
            text_of(self.catalogue, attribute.name, sensor, attribute.scope)
            for sensor in self.sensors.tolist()
        ]
        if attribute.is_text:
            return np.array([*texts, None], dtype=object)[:-1]
        return numbers(texts, attribute, self.given.scale)


def numbers(
    texts: Sequence[str | None], attribute: ex.Attribute, scale: Scale
) -> NDArray[np.float64]:
    """Attributes as quantities in the scale of a rule; NaN where there is none."""

    def number(text: str | None) -> float:
        if text is None or not text.strip():
            return float("nan")
        try:
            return attribute_value(text, attribute.dimension, scale, is_point=attribute.is_point)
        except UnitError:
            # `tocsin check` and the start of the engine refuse it with its cell.
            return float("nan")

    return np.array([number(text) for text in texts], dtype=np.float64)


class InstanceAttributes:
    """What the catalogue says of each instance: what its sensors, or their sites, agree on."""

    def __init__(self, instances: Instances, catalogue: Catalogue) -> None:
        self.instances = instances
        self.catalogue = catalogue
        self.known_calendars: Calendars | None = None
        self.found: dict[tuple[str, str], list[str | None]] = {}
        self.columns: dict[tuple[Scale, ex.Attribute], NDArray[np.generic]] = {}

    def column(self, attribute: ex.Attribute, scale: Scale) -> NDArray[np.generic]:
        """All instances: float64[i] with NaN, or texts with None."""
        key = (scale, attribute)
        if key not in self.columns:
            texts = self.texts(attribute)
            self.columns[key] = (
                np.array([*texts, None], dtype=object)[:-1]
                if attribute.is_text
                else numbers(texts, attribute, scale)
            )
        return self.columns[key]

    @property
    def calendars(self) -> Calendars:
        """Seasons, hours and calendars of the instances, where they are said to be."""
        if self.known_calendars is None:
            sites, home = self.catalogue.sites, self.instances.home
            zone = [sites.attributes[number].get("timezone") for number in home.tolist()]
            self.known_calendars = Calendars(
                zone, sites.lat[home] < 0, self._named, usual=self.catalogue.time_zone
            )
        return self.known_calendars

    def _named(self, name: str) -> list[str | None]:
        return self.texts(ex.Attribute("asset", name, NUMBER, True, False, Place("", 0, 0)))

    def texts(self, attribute: ex.Attribute) -> list[str | None]:
        """The text of each instance: the first there is, in the order of the catalogue."""
        key = (attribute.scope, attribute.name)
        if key not in self.found:
            self.found[key] = [next(iter(said), None) for said in self.all_texts(attribute)]
        return self.found[key]

    def all_texts(self, attribute: ex.Attribute) -> list[dict[str, int]]:
        """Every text that is said of each instance, with the first sensor that says so."""
        said: list[dict[str, int]] = [{} for _ in self.instances.key]
        for members, edges in self.instances.edges.items():
            if members.radius_m is None and not members.attribute:
                for row, sensor in zip(edges.row.tolist(), edges.sensor.tolist(), strict=True):
                    text = text_of(self.catalogue, attribute.name, sensor, attribute.scope)
                    if text is not None:
                        said[row].setdefault(text, sensor)
        for row, home in enumerate(self.instances.home.tolist()):
            text = self.catalogue.sites.attributes[home].get(attribute.name)
            if not said[row] and text is not None and attribute.scope != "sensor":
                said[row][text] = -1
        return said
