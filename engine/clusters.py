"""Clusters: stations that trigger together as a wave would make them, each cluster an instance.

Enters     what stations tell, each from some instant on; how far the clocks of their sites are
Leaves     warnings about clusters; their grades and places, for the rules that follow them
Remembers  what each station told last; the clusters that live, and their latches
Refuses    triggers of a whole network at once: that is no wave, but a fault

A cluster is born when enough stations near each other trigger within a short time, at instants
that one wave could have made.  It grows by stations that fit, merges with another when a station
fits both, and dies when none of its stations has triggered for `linger`.  It is named after the
instant of its birth and the station that triggered first, so it has the same name on every replay.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.boards import InstanceBoard
from engine.coincidence import TOLERANCE_S, extent_m, fit_wave
from engine.desk import Desk
from engine.episodes import Message
from engine.geography import metres_between
from engine.grades import GradeTable
from engine.groups import HOME
from engine.latches import Changes, Latches
from engine.meters import Meters
from engine.news import ClusterNews
from engine.placement import Placed
from engine.registry import Catalogue
from engine.signals import SignalTable
from engine.stations import ClusterRows, Stations
from kernels import standing
from kernels.standing import FOREVER_NS, NEVER_NS
from rules import expression as ex
from rules import intervals

Ints = NDArray[np.int64]

NS_PER_S = 1_000_000_000
# Of those that could belong to a wave, so many must fit it.
FITTING_SHARE = 0.6
# At once: within a quarter of the time that the fastest wave takes across the network, for a true
# one never reaches four fifths of it in that time; at least two panes of a waveform.
AT_ONCE_SHARE = 0.25
AT_ONCE_NS_MIN = 200_000_000
# The fastest wave in rock, where a rule does not say.
SPEED_MAX_M_S = 8_500.0


class Clusters:
    """One rule whose instances are clusters."""

    __slots__ = (
        "changes",
        "cluster",
        "desk",
        "frontier_ns",
        "group",
        "latches",
        "meters",
        "networks",
        "news",
        "pending",
        "placed",
        "serials",
        "stations",
    )

    def __init__(
        self, placed: Placed, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        cluster = placed.group.plan.rule.cluster
        assert cluster is not None
        self.placed = placed
        self.group = placed.group
        self.meters = meters
        self.cluster = cluster
        self.stations = Stations(placed, catalogue)
        rows = self.stations.born_ns.size
        self.latches = Latches(
            placed.group.plan, np.zeros(rows, dtype=np.int64), np.arange(rows + 1)
        )
        self.news = ClusterNews(self.stations, catalogue, status=status, meters=meters)
        self.desk = Desk(placed.group.plan.rule, InstanceBoard(self.latches, self.news))
        self.pending: list[SignalTable] = []
        self.frontier_ns = np.full(1, NEVER_NS, dtype=np.int64)
        self.serials = np.zeros(1, dtype=np.int64)
        self.changes: list[GradeTable] = []
        texts = [self.news.network_of(number) for number in range(self.stations.sensor.size)]
        self.networks = np.unique(np.array(texts, dtype=str), return_inverse=True)[1]

    def take(self, table: SignalTable) -> None:
        """Note what stations tell; it is judged when its instant is over."""
        self.pending.append(table)

    def judge(self, known_ns: Ints) -> Iterator[Message]:
        """Judge every instant that the clocks of all stations have passed.

        known_ns  int64[3, types, sites]  up to where what is known (engine/placement.py)
        """
        sources = self.placed.sources
        heard_ns = known_ns[sources.kind, sources.type, sources.site]
        frontier_ns = max(int(self.frontier_ns[0]), int(heard_ns.min(initial=FOREVER_NS)))
        due = sorted((t for t in self.pending if t.time_ns < frontier_ns), key=_time_ns)
        late = sum(t.sensor.size for t in due if t.time_ns < self.frontier_ns[0])
        self.meters.late_signals += late
        self.pending = [table for table in self.pending if table.time_ns >= frontier_ns]
        while True:
            coming = due[0].time_ns if due else FOREVER_NS
            ends_ns = int(self.stations.ends_ns(self.cluster.linger_ns).min(initial=FOREVER_NS))
            instant_ns = min(max(coming, int(self.frontier_ns[0])), ends_ns)
            if instant_ns >= frontier_ns:
                break
            now = [table for table in due if table.time_ns <= instant_ns]
            due = due[len(now) :]
            yield from self._meet(now, instant_ns)
        yield from self._end_timers(frontier_ns)
        self.frontier_ns[0] = frontier_ns

    def speak(self) -> Iterator[Message]:
        """What came due by itself in the conduct of the rule, or waited for its instant."""
        return self.desk.flush(lambda row: int(self.frontier_ns[0]))

    def _meet(self, tables: list[SignalTable], instant_ns: int) -> Iterator[Message]:
        """One instant: timers that end before it, what stations tell, births and deaths."""
        yield from self._end_timers(instant_ns)
        stations = self.stations
        begun: list[int] = []
        before = stations.onset_ns.copy()
        for table in tables:
            place = np.searchsorted(stations.sensor, table.sensor)
            begun += stations.tell(table, place).tolist()
        stations.onset_ns[begun] = stations.hit_ns[begun] = instant_ns
        ceased = np.flatnonzero((before != NEVER_NS) & (stations.onset_ns == NEVER_NS))
        for row in stations.living.tolist():
            if stations.member[row, ceased].any():
                stations.active_ns[row] = instant_ns
        self._bury(instant_ns)
        free = self._without_glitches(sorted(begun), instant_ns)
        for station in free:
            self._place(station, instant_ns)
        yield from self._settle(instant_ns)

    def _bury(self, instant_ns: int) -> None:
        """Clusters die whose stations have been at rest for long enough."""
        rows = self.stations.living
        over = rows[self.stations.ends_ns(self.cluster.linger_ns) <= instant_ns]
        self.stations.is_over[over] = True

    def _without_glitches(self, begun: list[int], instant_ns: int) -> list[int]:
        """The stations of networks that do not trigger as a whole at once."""
        share = self.cluster.glitch_share
        if share is None or not begun:
            return begun
        stations = self.stations
        spared: list[int] = []
        for network in dict.fromkeys(self.networks[begun].tolist()):
            mine = np.flatnonzero(self.networks == network)
            there = mine[~np.isnan(stations.lat[mine])]
            fastest = self.cluster.moveout_m_s[1] if self.cluster.moveout_m_s else SPEED_MAX_M_S
            across_ns = extent_m(stations.lat[there], stations.lon[there]) / fastest * NS_PER_S
            at_once_ns = max(AT_ONCE_NS_MIN, int(AT_ONCE_SHARE * across_ns))
            sudden = mine[stations.hit_ns[mine] > instant_ns - at_once_ns]
            if mine.size > 1 and sudden.size >= share * mine.size:
                stations.onset_ns[sudden] = stations.hit_ns[sudden] = NEVER_NS
            else:
                spared += [station for station in begun if self.networks[station] == network]
        return sorted(spared)

    def _place(self, station: int, instant_ns: int) -> None:
        """A station has begun to trigger: it belongs to a cluster, to two, or to a new one."""
        stations = self.stations
        if np.isnan(stations.lat[station]) or stations.member[stations.living, station].any():
            return
        fitting = [row for row in stations.living.tolist() if self._fits(row, station, instant_ns)]
        if not fitting:
            self._bear(station, instant_ns)
            return
        oldest, *others = sorted(fitting, key=lambda row: int(stations.serial[row]))
        stations.member[oldest, station] = True
        stations.active_ns[oldest] = instant_ns
        for row in others:
            # What two clusters share is one wave: the younger ends, its stations go over.
            stations.member[oldest] |= stations.member[row]
            stations.is_over[row] = True
        self._thin(oldest)

    def _fits(self, row: int, station: int, instant_ns: int) -> bool:
        """Whether a station could be shaken by the wave of a cluster."""
        stations = self.stations
        members = np.flatnonzero(stations.member[row])
        away = self._away(station, members)
        near = members[away <= self.cluster.radius_m]
        if not near.size:
            return False
        since_ns = instant_ns - stations.born_ns[row]
        if self.cluster.moveout_m_s is None:
            return bool(since_ns <= self.cluster.within_ns + self.cluster.linger_ns)
        # The slowest wave needs so long from the farthest member; none is faster than at once.
        slowest_ns = away.max() / self.cluster.moveout_m_s[0] * NS_PER_S
        return bool(since_ns <= slowest_ns + self.cluster.within_ns + TOLERANCE_S * NS_PER_S)

    def _bear(self, station: int, instant_ns: int) -> None:
        """A cluster is born if enough stations near this one have triggered lately, as a wave."""
        stations, cluster = self.stations, self.cluster
        lately = stations.hit_ns > instant_ns - cluster.within_ns
        taken = stations.member[stations.living].any(axis=0)
        pool = np.flatnonzero(lately & ~taken & ~np.isnan(stations.lat))
        pool = pool[self._away(station, pool) <= cluster.radius_m]
        pool = pool[np.lexsort((pool, stations.hit_ns[pool]))]
        if cluster.excludes_same_site:
            _, first = np.unique(stations.site[pool], return_index=True)
            pool = pool[np.sort(first)]
        if pool.size < cluster.members:
            return
        if cluster.moveout_m_s is not None:
            times = (stations.hit_ns[pool] - instant_ns) / NS_PER_S
            wave = fit_wave(stations.lat[pool], stations.lon[pool], times, cluster.moveout_m_s)
            if wave.fits.sum() < max(cluster.members, FITTING_SHARE * pool.size):
                return
            pool = pool[wave.fits]
        free = np.flatnonzero(stations.born_ns == NEVER_NS)
        if not free.size:
            self.meters.clusters_refused += 1
            return
        row = int(free[0])
        self.serials[0] += 1
        stations.member[row] = False
        stations.member[row, pool] = True
        stations.born_ns[row] = stations.active_ns[row] = instant_ns
        stations.seed[row], stations.serial[row] = pool[0], self.serials[0]
        stations.is_over[row] = False

    def _thin(self, row: int) -> None:
        """One station of each site counts: the one that triggered first."""
        if not self.cluster.excludes_same_site:
            return
        stations = self.stations
        members = np.flatnonzero(stations.member[row])
        in_order = members[np.lexsort((members, stations.hit_ns[members]))]
        _, first = np.unique(stations.site[in_order], return_index=True)
        stations.member[row] = False
        stations.member[row, in_order[first]] = True

    def _away(self, station: int, others: Ints) -> NDArray[np.float64]:
        stations = self.stations
        lat, lon = float(stations.lat[station]), float(stations.lon[station])
        return metres_between(lat, lon, stations.lat[others], stations.lon[others])

    def _settle(self, instant_ns: int) -> Iterator[Message]:
        """Let the latches of all clusters answer; give back the rows of those that are done."""
        rows = self.stations.taken
        columns = ClusterRows(self.stations, rows)
        plan = self.group.plan
        code = intervals.codes(plan, columns)
        value = np.full(rows.size, np.nan)
        if not ex.is_condition(plan.value):
            value = intervals.number(plan.value, columns).low
        for changes in self.latches.apply(code, value, instant_ns, (rows, rows + 1)):
            yield from self._tell(changes)
        self._give_back(rows)

    def _give_back(self, rows: Ints) -> None:
        line = self.latches.latch
        done = rows[self.stations.is_over[rows] & (line["phase"][rows] == 0)]
        for row in done.tolist():
            if row in self.desk.conduct.courses or row in self.desk.waiting:
                continue
            self.stations.born_ns[row] = NEVER_NS
            standing.forget(line, self.latches.episode, self.latches.due_ns, row, row + 1)

    def _end_timers(self, horizon_ns: int) -> Iterator[Message]:
        np.copyto(self.latches.site_due_ns, self.latches.due_ns)
        rows = self.stations.born_ns.size
        until_ns = np.full(rows, horizon_ns, dtype=np.int64)
        for changes in self.latches.advance(np.arange(rows + 1), until_ns):
            yield from self._tell(changes)

    def _tell(self, changes: Changes) -> Iterator[Message]:
        for change in changes:
            row = int(change["row"])
            if change["grade"] != change["previous"]:
                lat, lon = self.stations.middle(row)
                self.changes.append(
                    GradeTable(
                        *(self.group.name, self.stations.serial[row : row + 1].copy()),
                        *(np.array([change["event_ns"]]), np.array([change["grade"]])),
                        *(np.array([lat]), np.array([lon])),
                    )
                )
            yield from self.desk.tell(change, self.news.facts(change))

    def graded(self) -> list[GradeTable]:
        """Changes of grade since the last call, for the rules that follow this one."""
        found, self.changes = self.changes, []
        return found

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        home = f"{HOME}{self.group.name}"
        found = {f"{home}/{name}": column for name, column in self.latches.columns().items()}
        found |= {f"{home}/{name}": column for name, column in self.stations.columns().items()}
        found |= {f"{home}/frontier_ns": self.frontier_ns, f"{home}/serials": self.serials}
        size = [table.sensor.size for table in self.pending]
        found[f"{home}/pending/heads"] = np.array(
            [(t.signal, t.time_ns, n) for t, n in zip(self.pending, size, strict=True)], np.int64
        ).reshape(-1, 3)
        for name, kind in (("sensor", np.int32), ("truth", np.uint8), ("value", np.float64)):
            parts = [np.empty(0, kind), *(getattr(table, name) for table in self.pending)]
            found[f"{home}/pending/{name}"] = np.concatenate(parts)
        return found if self.desk.is_clear else found | {f"{home}/desk": self.desk.packed()}

    def restore(self, saved: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what was remembered of the same rule over the same stations."""
        home = f"{HOME}{self.group.name}"
        if f"{home}/serials" not in saved:
            return
        if f"{home}/desk" in saved:
            self.desk.unpack(saved[f"{home}/desk"].view(np.uint8))
        for name, column in self.columns().items():
            if "/pending/" in name or name.endswith("/desk"):
                continue
            before = saved[name]
            assert before.shape == column.shape, name
            column[...] = before if before.dtype == column.dtype else before.view(column.dtype)
        end = 0
        sensor = saved[f"{home}/pending/sensor"].view(np.int32)
        truth = saved[f"{home}/pending/truth"].view(np.uint8)
        value = saved[f"{home}/pending/value"].view(np.float64)
        for signal, time_ns, size in saved[f"{home}/pending/heads"].view(np.int64).tolist():
            cut = slice(end, end + size)
            end += size
            table = (sensor[cut].copy(), truth[cut].copy(), value[cut].copy())
            self.pending.append(SignalTable(self.group.name, signal, time_ns, *table))


def _time_ns(table: SignalTable) -> int:
    return table.time_ns
