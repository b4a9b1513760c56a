"""Stations: what the sensors of a network told last, and which of them make up which cluster.

A cluster is a row that is taken when it is born and given back when all has been said of it.  What
a set says of a cluster is said over its members.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.instances import positions
from engine.placement import Placed
from engine.registry import Catalogue
from engine.signals import FALSE, TRUE, UNHEARD, UNKNOWN, SignalTable
from kernels.standing import FOREVER_NS, NEVER_NS
from rules import expression as ex
from rules import sets
from rules.expression import Node
from rules.intervals import Interval
from rules.judge import Truth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# As many clusters at once as a bad day has aftershocks within `linger`.
CLUSTERS_MAX = 64


class Stations:
    """One network: n stations, CLUSTERS_MAX rows for clusters.

    truth, value  uint8|float64[slots, n]  what each station told last
    onset_ns      int64[n]     since when it triggers; NEVER_NS: it does not
    hit_ns        int64[n]     when it last began to; NEVER_NS: never, or with its whole network
    member        bool[c, n]   the stations of each cluster, living or remembered
    born_ns       int64[c]     when it was born; NEVER_NS: the row is free
    active_ns     int64[c]     when a member last began or ceased to trigger
    is_over       bool[c]      it has died, and waits for its latches
    seed          int64[c]     the station that triggered first
    serial        int64[c]     its number since the beginning
    """

    __slots__ = (
        "active_ns",
        "born_ns",
        "hit_ns",
        "ignores",
        "is_over",
        "lat",
        "lon",
        "member",
        "onset_ns",
        "placed",
        "places",
        "seed",
        "sensor",
        "serial",
        "site",
        "slots",
        "trigger",
        "truth",
        "value",
    )

    def __init__(self, placed: Placed, catalogue: Catalogue) -> None:
        group = placed.group
        self.placed = placed
        self.places = group.places()
        self.ignores = group.plan.rule.quality.unknown == "ignore"
        self.sensor = placed.instances.members.sensor
        lat, lon = positions(catalogue)
        self.lat, self.lon = lat[self.sensor], lon[self.sensor]
        self.site = catalogue.sensors.site[self.sensor]
        cluster = group.plan.rule.cluster
        assert cluster is not None
        # The signal that says whether a station triggers.
        self.trigger = next(
            n
            for n, s in enumerate(group.signals)
            if s.members.is_cluster and s.is_condition and s.node == cluster.when
        )
        shape, count = (len(group.signals), self.sensor.size), self.sensor.size
        self.truth = np.full(shape, UNKNOWN, dtype=np.uint8)
        self.value = np.full(shape, np.nan)
        self.onset_ns = np.full(count, NEVER_NS, dtype=np.int64)
        self.hit_ns = np.full(count, NEVER_NS, dtype=np.int64)
        self.member = np.zeros((CLUSTERS_MAX, count), dtype=bool)
        self.born_ns = np.full(CLUSTERS_MAX, NEVER_NS, dtype=np.int64)
        self.active_ns = np.full(CLUSTERS_MAX, NEVER_NS, dtype=np.int64)
        self.is_over = np.zeros(CLUSTERS_MAX, dtype=bool)
        self.seed = np.zeros(CLUSTERS_MAX, dtype=np.int64)
        self.serial = np.zeros(CLUSTERS_MAX, dtype=np.int64)

    def tell(self, table: SignalTable, place: Ints) -> NDArray[np.int64]:
        """Some stations tell something from now on; those whose trigger begins are returned."""
        known = table.truth != UNHEARD
        self.truth[table.signal, place[known]] = table.truth[known]
        self.value[table.signal, place] = table.value
        if table.signal != self.trigger:
            return place[:0]
        begun: Ints = place[(table.truth == TRUE) & (self.onset_ns[place] == NEVER_NS)]
        ended = place[table.truth == FALSE]
        self.onset_ns[begun] = table.time_ns
        # A station that nothing is known of has not stopped shaking.
        self.onset_ns[ended] = NEVER_NS
        return begun

    @property
    def living(self) -> Ints:
        """Rows of clusters that have been born and have not died."""
        return np.flatnonzero((self.born_ns != NEVER_NS) & ~self.is_over)

    @property
    def taken(self) -> Ints:
        """Rows that something is still to be said of."""
        return np.flatnonzero(self.born_ns != NEVER_NS)

    def ends_ns(self, linger_ns: int) -> Ints:
        """When each living cluster dies if nothing comes; FOREVER_NS while a member triggers."""
        rows = self.living
        shaking = self.truth[self.trigger] == TRUE
        is_active = (self.member[rows] & shaking).any(axis=1)
        found: Ints = np.where(is_active, FOREVER_NS, self.active_ns[rows] + linger_ns)
        return found

    def middle(self, row: int) -> tuple[float, float]:
        """The middle of a cluster's stations."""
        mine = self.member[row] & ~np.isnan(self.lat)
        return float(self.lat[mine].mean()), float(self.lon[mine].mean())

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        names = (
            "truth",
            "value",
            "onset_ns",
            "hit_ns",
            "member",
            "born_ns",
            "active_ns",
            "is_over",
        )
        return {name: getattr(self, name) for name in (*names, "seed", "serial")}


class ClusterRows:
    """Some clusters, as the conditions of their rule see them."""

    def __init__(self, stations: Stations, rows: Ints) -> None:
        self.stations = stations
        self.rows = rows
        self.row_count = rows.size
        alive = stations.member[rows] & ~stations.is_over[rows][:, np.newaxis]
        self.station = np.nonzero(alive)[1]
        self.start = np.concatenate(([0], np.cumsum(alive.sum(axis=1)))).astype(np.int64)

    def truth_of(self, node: Node) -> Truth | None:
        """What a set says of the members."""
        slot = self.stations.places.get(id(node))
        if slot is None or not isinstance(node, ex.Vote) or not ex.is_condition(node):
            return None
        how = sets.has_any if node.method == "any" else sets.have_all
        return how(self.start, self._truth(slot), ignores=self.stations.ignores)

    def number_of(self, node: Node) -> Interval | None:
        """How many members there are, or what a set makes of their numbers."""
        ignores = self.stations.ignores
        if isinstance(node, ex.ClusterSize):
            size = np.diff(self.start).astype(np.float64)
            return Interval(size, size)
        slot = self.stations.places.get(id(node))
        if slot is None:
            return None
        if isinstance(node, ex.Vote):
            count = sets.votes if node.method == "votes" else sets.share
            return Interval(*count(self.start, self._truth(slot), ignores=ignores))
        assert isinstance(node, ex.Gather), "a cluster has no sensor of its own"
        value = self.stations.value[slot][self.station]
        bounds = sets.GATHERED[node.method](self.start, value, ignores=ignores)
        return Interval(*bounds, self.stations.placed.narrow[slot])

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """A cluster is not in the catalogue."""
        return np.full(self.row_count, None if attribute.is_text else np.nan)

    def text_of(self, node: Node) -> NDArray[np.generic]:
        """Seasons are those of places, and a cluster has many."""
        del node
        return np.full(self.row_count, None)

    def _truth(self, slot: int) -> Truth:
        code = self.stations.truth[slot][self.station]
        return Truth(code == TRUE, code == UNKNOWN)
