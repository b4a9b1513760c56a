"""Placement: the instances of the rules on several sensors, whom they follow, and who judges them.

A site never spans shards, so a rule all of whose instances lie inside one site each is judged
where its sensors are.  Any other rule, and any that looks at other rules, is judged by
`correlate`, which all shards report to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.geography import metres_between
from engine.instances import Edges, Instances, instances_of, key_of, positions, sensors_of
from engine.registry import Catalogue
from rules.errors import Fault
from rules.expression import Feature, Negate, Node
from rules.grouping import Followed, GroupPlan, input_of
from rules.plan import Plan

Ints = NDArray[np.int64]

# Features that are readings as they were sent, in the width in which they were kept.
AS_READ = frozenset({"value", "min", "max", "mean"})
# Up to where what is known at a site: signals of members, grades of rules judged at ends of
# panes, grades of rules judged reading by reading.
SIGNALS, PANES, READINGS = range(3)
KNOWN_KINDS = 3

# Instances, and the kind, types and sites that they wait for.
Part = tuple[Ints, int | Ints, Ints, Ints]


@dataclass(frozen=True, slots=True)
class Sources:
    """What instances wait for: the clocks of which types at which sites, for what.

    row, kind, type, site  int64[n]  instance; SIGNALS, PANES or READINGS; by the catalogue
    """

    row: Ints
    kind: Ints
    type: Ints
    site: Ints

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "Sources":
        """Several tables as one, each line once."""
        tables = [np.stack(np.broadcast_arrays(*part)) for part in parts if part[0].size]
        whole = np.concatenate(tables, axis=1) if tables else np.zeros((4, 0), dtype=np.int64)
        whole = np.unique(whole, axis=1)
        return cls(whole[0], whole[1], whole[2], whole[3])


@dataclass(frozen=True, slots=True)
class Following:
    """Another rule's grades, as instances look at them.

    edges       its subjects for each instance: sensors' numbers, or rows of its instances
    is_cluster  its subjects come and go: one edge for each instance stands for all of them
    """

    what: Followed
    edges: Edges
    is_cluster: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule with its instances.

    is_local  each shard judges the instances of its own sites
    narrow    for each signal: its numbers are float32 readings, to be compared as such
    lat, lon  float64[i]  middle of the sites of its members, NaN where unknown
    """

    group: GroupPlan
    instances: Instances
    is_local: bool
    narrow: tuple[bool, ...]
    followings: tuple[Following, ...]
    sources: Sources
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]

    def only(self, rows: Ints) -> "Placed":
        """Some of the instances, for a shard; they follow nobody."""
        assert not self.followings
        place = np.full(len(self.instances.key), -1, dtype=np.int64)
        place[rows] = np.arange(rows.size)
        mine = place[self.sources.row] >= 0
        sources = Sources(
            *(place[self.sources.row[mine]], self.sources.kind[mine]),
            *(self.sources.type[mine], self.sources.site[mine]),
        )
        return Placed(
            *(self.group, self.instances.only(rows), self.is_local, self.narrow, ()),
            *(sources, self.lat[rows], self.lon[rows]),
        )


def place(plan: Plan, catalogue: Catalogue) -> tuple[tuple[Placed, ...], list[Fault]]:
    """The rules of a plan on several sensors, the followed ones first; and what is wrong."""
    placer = _Placer(plan, catalogue)
    waiting = list(plan.groups)
    while waiting:
        names = {group.name for group in waiting}
        ready = [g for g in waiting if not names & {one.rule for one in g.followed}]
        if not ready:
            chain = ", ".join(f"`{name}`" for name in sorted(names))
            text = f"these rules wait for each other: {chain}"
            placer.faults.append(Fault("E751", waiting[0].plan.rule.place, text))
            break
        for group in ready:
            placer.add(group)
        waiting = [group for group in waiting if group not in ready]
    placed = tuple(placer.placed.values())
    return placed, [*placer.faults, *_out_of_reach(plan, placed)]


def _out_of_reach(plan: Plan, placed: Sequence[Placed]) -> Iterator[Fault]:
    """Rules that are to hold down rules which are judged elsewhere."""
    rules = [*plan.rules, *(group.plan for group in plan.groups)]
    where = {rule.name: "in its shard" for rule in rules}
    where |= {one.group.name: "beyond one site" for one in placed if not one.is_local}
    where |= {rule.name: f"by clusters ({rule.name})" for rule in rules if rule.rule.cluster}
    for rule in {rule.name: rule for rule in rules}.values():
        for name in (name for one in rule.rule.inhibits for name in one.rules if name in where):
            if where[name] != where[rule.name]:
                text = (
                    f"`{rule.name}` is judged {where[rule.name]} and `{name}` {where[name]}: "
                    "it cannot hold it down"
                )
                remedy = "let a rule of the same site inhibit it"
                yield Fault("E752", rule.rule.place, text, remedy)


class _Placer:
    def __init__(self, plan: Plan, catalogue: Catalogue) -> None:
        self.plan = plan
        self.catalogue = catalogue
        self.lone = {rule.name: rule for rule in plan.rules}
        self.placed: dict[str, Placed] = {}
        self.faults: list[Fault] = []
        self.site = catalogue.sensors.site.astype(np.int64)
        self.type = catalogue.sensors.type.astype(np.int64)

    def add(self, group: GroupPlan) -> None:
        instances, wrong = instances_of(group, self.catalogue)
        self.faults += wrong
        lat, lon = _middles(instances, self.catalogue)
        followings = tuple(
            self._following(followed, group, instances, (lat, lon)) for followed in group.followed
        )
        parts: list[Part] = [
            (edges.row, SIGNALS, self.type[edges.sensor], self.site[edges.sensor])
            for edges in instances.edges.values()
        ]
        parts += [part for following in followings for part in self._waits(following)]
        is_local = not group.needs_correlation and instances.are_local(self.catalogue)
        self.placed[group.name] = Placed(
            *(group, instances, is_local, _narrow(group, self.plan)),
            *(followings, Sources.of(parts), lat, lon),
        )

    def _following(
        self,
        what: Followed,
        group: GroupPlan,
        instances: Instances,
        middles: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> Following:
        rows = len(instances.key)
        every = np.arange(rows, dtype=np.int64)
        other = self.placed.get(what.rule)
        if other is not None and other.group.plan.rule.cluster is not None:
            return Following(what, Edges(np.arange(rows + 1), every.astype(np.int32), every), True)
        if other is None and what.rule not in self.lone:
            text = f"rule `{group.plan.rule.id}` looks at `{what.rule}`, which does not judge here"
            self.faults.append(Fault("W505", group.plan.rule.place, text, "it counts as `none`"))
            return Following(what, Edges.of((), (), rows), False)
        pairs = (
            self._by_key(what, group, instances, other)
            if what.radius_m is None
            else self._nearby(what, middles, other)
        )
        row, subject = zip(*pairs, strict=True) if pairs else ((), ())
        return Following(what, Edges.of(row, subject, rows), False)

    def _by_key(
        self, what: Followed, group: GroupPlan, instances: Instances, other: Placed | None
    ) -> list[tuple[int, int]]:
        """Subjects that belong to the instance: of its key, or with a sensor that has it."""
        place = {key: row for row, key in enumerate(instances.key)}
        by = group.plan.rule.by
        if other is not None and other.group.plan.rule.by == by:
            keys = enumerate(other.instances.key)
            return [(place[key], subject) for subject, key in keys if key in place]
        pairs = []
        for subject, sensor in self._subjects(what, other):
            key = key_of(self.catalogue, by, sensor)
            if key in place:
                pairs.append((place[key], subject))
        return pairs

    def _nearby(
        self,
        what: Followed,
        middles: tuple[NDArray[np.float64], NDArray[np.float64]],
        other: Placed | None,
    ) -> list[tuple[int, int]]:
        """Subjects within the distance of the middle of the instance."""
        assert what.radius_m is not None
        if other is None:
            sensors = [sensor for _, sensor in self._subjects(what, None)]
            lats, lons = (column[sensors] for column in positions(self.catalogue))
            subjects = np.array(sensors, dtype=np.int64)
        else:
            lats, lons, subjects = other.lat, other.lon, np.arange(other.lat.size)
        pairs = []
        for row, (lat, lon) in enumerate(zip(*middles, strict=True)):
            away = metres_between(lat, lon, lats, lons)
            pairs += [(row, int(subject)) for subject in subjects[away <= what.radius_m]]
        return pairs

    def _subjects(self, what: Followed, other: Placed | None) -> list[tuple[int, int]]:
        """What another rule speaks of, with the sensors of each."""
        if other is not None:
            members = other.instances.members
            return list(zip(members.row.tolist(), members.sensor.tolist(), strict=True))
        rule = self.lone[what.rule].rule
        return [(s, s) for s in sensors_of(rule, rule.input, self.catalogue).tolist()]

    def _waits(self, following: Following) -> list[Part]:
        """What an instance waits for before it knows the grades that it follows."""
        edges = following.edges
        other = self.placed.get(following.what.rule)
        if other is None:
            plan = self.lone.get(following.what.rule)
            if plan is None:
                return []
            speed = READINGS if plan.is_per_reading else PANES
            return [(edges.row, speed, self.type[edges.sensor], self.site[edges.sensor])]
        theirs = other.sources
        if following.is_cluster:
            # Any station may bring a cluster about.
            row = np.repeat(edges.row, theirs.row.size)
            at = np.tile(np.arange(theirs.row.size), edges.row.size)
        else:
            start = np.searchsorted(theirs.row, edges.sensor)
            count = np.searchsorted(theirs.row, edges.sensor, side="right") - start
            row = np.repeat(edges.row, count)
            at = np.repeat(start, count) + np.arange(row.size)
            at -= np.repeat(np.cumsum(count) - count, count)
        return [(row, theirs.kind[at], theirs.type[at], theirs.site[at])]


def _middles(
    instances: Instances, catalogue: Catalogue
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middle of the sites of each instance's sensors; a site without a place counts not."""
    found = np.full((2, len(instances.key)), np.nan)
    lat, lon = positions(catalogue)
    start = instances.members.start
    for row in range(found.shape[1]):
        sensors = instances.members.sensor[start[row] : start[row + 1]]
        _, first = np.unique(catalogue.sensors.site[sensors], return_index=True)
        there = sensors[first][~np.isnan(lat[sensors[first]])]
        if there.size:
            found[:, row] = lat[there].mean(), lon[there].mean()
    return found[0], found[1]


def _narrow(group: GroupPlan, plan: Plan) -> tuple[bool, ...]:
    types = {bank.sort.name for bank in plan.banks if bank.sort.precision == "float32"}
    rule = group.plan.rule
    return tuple(
        _is_as_read(signal.node) and _looks_at(group, input_of(rule, signal.members), types)
        for signal in group.signals
    )


def _looks_at(group: GroupPlan, name: str, types: set[str]) -> bool:
    looked_at = group.inputs[name].rule.input.type
    return looked_at in types or (looked_at == "*" and bool(types))


def _is_as_read(node: Node) -> bool:
    inner = node.operand if isinstance(node, Negate) else node
    return isinstance(inner, Feature) and inner.name in AS_READ
