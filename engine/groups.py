"""Groups: the standing of one rule on instances of several sensors, in the order of event time.

Enters     what members tell, each from some instant on; how far the clocks of their sites are
Leaves     warnings about instances
Remembers  what each member told last, what is not due yet, and the latches of the instances
Refuses    nothing: what comes for an instant that is over is counted, and holds from now on

What a member tells holds until it tells something else, so the condition of an instance is a
piecewise constant function of time.  An instant is judged once the clocks of all members of the
instance have passed it: what is said about it never depends on who came first, nor on how many
shards there are.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.boards import InstanceBoard
from engine.desk import Desk
from engine.episodes import Message
from engine.geography import metres_between
from engine.grades import PAST, GradeTable, Reach, graded
from engine.instance_columns import InstanceRows, InstanceState
from engine.latches import Changes, Latches
from engine.meters import Meters
from engine.placement import Placed
from engine.registry import Catalogue
from engine.signals import SignalTable
from engine.tidings import Tidings
from kernels.standing import FOREVER_NS, NEVER_NS
from rules import expression as ex
from rules import intervals
from rules.grouping import GroupPlan

Ints = NDArray[np.int64]

# The names of all columns begin with it.
HOME = "group/"
# What an edge tells, from an instant on.
TOLD = np.dtype(
    [("time_ns", "i8"), ("value", "f8"), ("slot", "i4"), ("edge", "i4"), ("truth", "u1")]
)


class Groups:
    """One rule on its instances."""

    __slots__ = (
        "changes",
        "coming_ns",
        "desk",
        "frontier_ns",
        "group",
        "latches",
        "meters",
        "order",
        "pending",
        "placed",
        "reach",
        "state",
        "tidings",
        "wake_ns",
        "watcher",
    )

    def __init__(
        self,
        placed: Placed,
        catalogue: Catalogue,
        *,
        status: str,
        meters: Meters,
        hazards: Mapping[str, str],
    ) -> None:
        """hazards: of the rules that are followed, by their names."""
        rows = len(placed.instances.key)
        self.placed = placed
        self.group = placed.group
        self.meters = meters
        self.state = InstanceState(placed, catalogue, hazards)
        self.tidings = Tidings(self.state, catalogue, status=status, meters=meters)
        period_ns = _periods(placed, catalogue)
        self.latches = Latches(placed.group.plan, period_ns, np.arange(rows + 1))
        self.desk = Desk(placed.group.plan.rule, InstanceBoard(self.latches, self.tidings))
        self.pending = np.empty(0, dtype=TOLD)
        # Every instant before it has been judged; when something next changes by itself.
        self.frontier_ns = np.full(rows, NEVER_NS, dtype=np.int64)
        self.wake_ns = np.full(rows, FOREVER_NS, dtype=np.int64)
        self.order = [np.argsort(edges.sensor, kind="stable") for edges in self.state.edges]
        self.reach = {slot: Reach() for slot in self.state.slots.values()}
        # Changes of grade since somebody last asked, for the rules that follow this one.
        self.changes: list[Changes] = []
        # For whoever asks why: told each instant before it is judged, and up to where it can be.
        self.watcher: Callable[[int], None] | None = None
        self.coming_ns = self.frontier_ns

    def take(self, table: SignalTable) -> None:
        """Note what members tell; it is judged when its instant is over."""
        time_ns = np.full(table.sensor.size, table.time_ns, dtype=np.int64)
        self._note(table.signal, table.sensor, time_ns, (table.truth, table.value))

    def follow(self, table: GradeTable) -> None:
        """Note the grades of another rule; those of clusters in the order of their times."""
        known = np.zeros(table.grade.size, dtype=np.uint8)
        for following in self.placed.followings:
            if following.what.rule != table.rule:
                continue
            slot = self.state.slots[following.what]
            if following.is_cluster:
                self._follow_clusters(slot, following.what.radius_m, table)
            else:
                grade = table.grade.astype(np.float64)
                self._note(slot, table.subject, table.time_ns, (known, grade))

    def _follow_clusters(self, slot: int, radius_m: float | None, table: GradeTable) -> None:
        every = np.arange(self.wake_ns.size)
        for number in range(table.grade.size):
            lat, lon = float(table.lat[number]), float(table.lon[number])
            rows = every
            if radius_m is not None:
                rows = every[metres_between(lat, lon, self.placed.lat, self.placed.lon) <= radius_m]
            serial, grade = int(table.subject[number]), int(table.grade[number])
            for row, highest in self.reach[slot].move(serial, grade, rows):
                at = table.time_ns[number : number + 1]
                told = np.zeros(1, dtype=np.uint8), np.array([float(highest)])
                self._note(slot, np.array([row]), at, told)

    def _note(
        self,
        slot: int,
        subject: NDArray[np.integer],
        time_ns: Ints,
        told: tuple[NDArray[np.uint8], NDArray[np.float64]],
    ) -> None:
        """What subjects tell, as what edges tell: a sensor may be a neighbour of many."""
        edges, order = self.state.edges[slot], self.order[slot]
        in_order = edges.sensor[order]
        first = np.searchsorted(in_order, subject, side="left")
        count = np.searchsorted(in_order, subject, side="right") - first
        source = np.repeat(np.arange(first.size), count)
        ahead = np.arange(source.size) - np.repeat(np.cumsum(count) - count, count)
        found = np.zeros(source.size, dtype=TOLD)
        found["edge"] = order[first[source] + ahead]
        found["slot"] = slot
        found["truth"], found["value"] = told[0][source], told[1][source]
        over_ns = self.frontier_ns[edges.row[found["edge"]]]
        found["time_ns"] = np.maximum(time_ns[source], over_ns)
        self.meters.late_signals += int(np.count_nonzero(over_ns > time_ns[source]))
        self.pending = np.concatenate([self.pending, found])

    def judge(self, known_ns: Ints) -> Iterator[Message]:
        """Judge every instant that is over.

        known_ns  int64[3, types, sites]  up to where what is known (engine/placement.py)
        """
        frontier_ns = self.coming_ns = self._frontier(known_ns)
        due = self._due(frontier_ns)
        at = 0
        while True:
            coming = int(due["time_ns"][at]) if at < due.size else FOREVER_NS
            instant_ns = min(coming, int(self._wakes(frontier_ns).min(initial=FOREVER_NS)))
            if self.watcher is not None:
                self.watcher(instant_ns)
            if instant_ns >= FOREVER_NS:
                break
            end = int(np.searchsorted(due["time_ns"], instant_ns, side="right"))
            yield from self._meet(due[at:end], instant_ns, frontier_ns)
            at = end
        yield from self._end_timers(frontier_ns)
        self.frontier_ns = frontier_ns
        if frontier_ns.size:
            self.state.forget(int(frontier_ns.min()))

    def speak(self) -> Iterator[Message]:
        """What came due by itself in the conduct of the rule, or waited for its instant."""
        return self.desk.flush(lambda row: int(self.frontier_ns[row]))

    def _wakes(self, frontier_ns: Ints) -> Ints:
        return self.wake_ns[self.wake_ns < frontier_ns]

    def _meet(
        self, told: NDArray[np.void], instant_ns: int, frontier_ns: Ints
    ) -> Iterator[Message]:
        """One instant: timers that end before it, then what is told, then the latches answer."""
        awake = np.flatnonzero((self.wake_ns <= instant_ns) & (self.wake_ns < frontier_ns))
        rows = np.union1d(self._row_of(told), awake)
        horizon_ns = np.full(frontier_ns.size, NEVER_NS, dtype=np.int64)
        horizon_ns[rows] = instant_ns
        yield from self._end_timers(horizon_ns)
        self.state.apply(told)
        columns = InstanceRows(self.state, rows, instant_ns)
        progress, sequence = self.state.progress, self.group.plan.rule.sequence
        if progress is not None and sequence is not None:
            truths = [intervals.truth(step.condition, columns) for step in sequence.steps]
            reset = None if sequence.reset is None else intervals.truth(sequence.reset, columns)
            progress.meet(rows, instant_ns, truths, reset)
        self.wake_ns[rows] = self.state.wakes(rows, instant_ns)
        code = intervals.codes(self.group.plan, columns)
        value = _shown(self.group, columns)
        for changes in self.latches.apply(code, value, instant_ns, (rows, rows + 1)):
            yield from self._tell(changes)

    def _frontier(self, known_ns: Ints) -> Ints:
        """Up to where each instance is known; it never goes back."""
        sources = self.placed.sources
        frontier_ns = np.full(self.frontier_ns.size, FOREVER_NS, dtype=np.int64)
        heard_ns = known_ns[sources.kind, sources.type, sources.site]
        np.minimum.at(frontier_ns, sources.row, heard_ns)
        # An instance that listens to nobody waits for nobody, and nothing is ever said of it.
        frontier_ns[frontier_ns == FOREVER_NS] = NEVER_NS
        return np.maximum(self.frontier_ns, frontier_ns)

    def _due(self, frontier_ns: Ints) -> NDArray[np.void]:
        """What is due, in the order of time; the rest goes on waiting."""
        is_due = self.pending["time_ns"] < frontier_ns[self._row_of(self.pending)]
        due, self.pending = self.pending[is_due], self.pending[~is_due]
        return due[np.argsort(due["time_ns"], kind="stable")]

    def _row_of(self, told: NDArray[np.void]) -> Ints:
        row = np.zeros(told.size, dtype=np.int64)
        for slot in np.unique(told["slot"]).tolist():
            mine = told["slot"] == slot
            row[mine] = self.state.edges[slot].row[told["edge"][mine]]
        return row

    def _end_timers(self, horizon_ns: Ints) -> Iterator[Message]:
        # Each row is a site of its own: its clock is that of its slowest member.
        np.copyto(self.latches.site_due_ns, self.latches.due_ns)
        every = np.arange(horizon_ns.size + 1)
        for changes in self.latches.advance(every, horizon_ns):
            yield from self._tell(changes)

    def _tell(self, changes: Changes) -> Iterator[Message]:
        self.changes.append(changes)
        for change in changes:
            yield from self.desk.tell(change, self.tidings.facts(change))

    def graded(self) -> list[GradeTable]:
        """Changes of grade since the last call, for the rules that follow this one."""
        changes, self.changes = self.changes, []
        return [
            table
            for part in changes
            for table in graded(self.group.name, part["row"].astype(np.int64), part)
        ]

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        home = f"{HOME}{self.group.name}"
        found = {f"{home}/{name}": column for name, column in self.latches.columns().items()}
        found |= {f"{home}/{name}": column for name, column in self.state.columns().items()}
        found |= {f"{home}/frontier_ns": self.frontier_ns, f"{home}/wake_ns": self.wake_ns}
        return found | {f"{home}/{name}": column for name, column in self._lists().items()}

    def _lists(self) -> Mapping[str, NDArray[np.generic]]:
        """What is as long as it happens to be."""
        found: dict[str, NDArray[np.generic]] = {"pending": self.pending, "past": self.state.past}
        if not self.desk.is_clear:
            found["desk"] = self.desk.packed()
        for slot, reach in self.reach.items():
            found |= {f"{slot}/reach/{name}": column for name, column in reach.columns().items()}
        return found

    def restore(self, saved: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what was remembered of the same rule on the same instances."""
        home = f"{HOME}{self.group.name}"
        if f"{home}/pending" not in saved:
            return
        lists = self._lists()
        for name, column in self.columns().items():
            if name.removeprefix(f"{home}/") not in lists:
                before = saved[name]
                assert before.shape == column.shape, name
                column[...] = before if before.dtype == column.dtype else before.view(column.dtype)
        if f"{home}/desk" in saved:
            self.desk.unpack(saved[f"{home}/desk"].view(np.uint8))
        self.pending = saved[f"{home}/pending"].view(TOLD).copy()
        self.state.past = saved[f"{home}/past"].view(PAST).copy()
        for slot, reach in self.reach.items():
            heads, rows = (saved[f"{home}/{slot}/reach/{name}"] for name in ("heads", "rows"))
            reach.restore(heads.view(np.int64), rows.view(np.int64))


def _shown(group: GroupPlan, columns: InstanceRows) -> NDArray[np.float64]:
    """What a warning shows; of an interval the lower bound: so many heads, and perhaps more."""
    if group.shown is not None:
        return columns.shown(group.shown)
    if ex.is_condition(group.plan.value):
        return np.full(columns.row_count, np.nan)
    return intervals.number(group.plan.value, columns).low


def _periods(placed: Placed, catalogue: Catalogue) -> Ints:
    """The longest period of the members of each instance."""
    period_ns = np.zeros(len(placed.instances.key), dtype=np.int64)
    for edges in placed.instances.edges.values():
        np.maximum.at(period_ns, edges.row, catalogue.sensors.period_ns[edges.sensor])
    return period_ns
