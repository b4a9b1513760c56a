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

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.boards import InstanceBoard
from engine.desk import Desk
from engine.episodes import Message
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

# What an edge tells, from an instant on.
TOLD = np.dtype(
    [("time_ns", "i8"), ("value", "f8"), ("slot", "i4"), ("edge", "i4"), ("truth", "u1")]
)


class Groups:
    """One rule on its instances."""

    __slots__ = (
        "desk",
        "frontier_ns",
        "group",
        "latches",
        "meters",
        "pending",
        "sensor_order",
        "sources",
        "state",
        "tidings",
    )

    def __init__(
        self, placed: Placed, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        rows = len(placed.instances.key)
        self.group = placed.group
        self.meters = meters
        self.state = InstanceState(placed, catalogue)
        self.tidings = Tidings(self.state, catalogue, status=status, meters=meters)
        period_ns = _periods(placed, catalogue)
        self.latches = Latches(placed.group.plan, period_ns, np.arange(rows + 1))
        self.desk = Desk(placed.group.plan.rule, InstanceBoard(self.latches, self.tidings))
        self.pending = np.empty(0, dtype=TOLD)
        # Every instant before it has been judged.
        self.frontier_ns = np.full(rows, NEVER_NS, dtype=np.int64)
        self.sources = _sources(placed, catalogue)
        self.sensor_order = [np.argsort(e.sensor, kind="stable") for e in self.state.edges]

    def take(self, tables: Sequence[SignalTable]) -> None:
        """Note what members tell; it is judged when its instant is over."""
        found = [self._told(table) for table in tables]
        self.pending = np.concatenate([self.pending, *found])

    def _told(self, table: SignalTable) -> NDArray[np.void]:
        """A table of sensors as a table of edges: a sensor may be a neighbour of many."""
        edges = self.state.edges[table.signal]
        order = self.sensor_order[table.signal]
        in_order = edges.sensor[order]
        first = np.searchsorted(in_order, table.sensor, side="left")
        count = np.searchsorted(in_order, table.sensor, side="right") - first
        source = np.repeat(np.arange(first.size), count)
        start = np.concatenate(([0], np.cumsum(count)))[:-1]
        told = np.zeros(source.size, dtype=TOLD)
        told["edge"] = order[first[source] + np.arange(source.size) - start[source]]
        told["slot"] = table.signal
        told["truth"] = table.truth[source]
        told["value"] = table.value[source]
        over_ns = self.frontier_ns[edges.row[told["edge"]]]
        told["time_ns"] = np.maximum(table.time_ns, over_ns)
        self.meters.late_signals += int(np.count_nonzero(over_ns > table.time_ns))
        return told

    def judge(self, known_ns: Ints) -> Iterator[Message]:
        """Judge every instant that is over.

        known_ns  int64[types, sites]  no signal changes any more before it, by the catalogue
        """
        frontier_ns = self._frontier(known_ns)
        due, instants = self._due(frontier_ns)
        bounds = [*np.searchsorted(due["time_ns"], instants, side="left").tolist(), due.size]
        for number, instant_ns in enumerate(instants.tolist()):
            part = due[bounds[number] : bounds[number + 1]]
            rows = self._rows_of(part)
            horizon_ns = np.full(frontier_ns.size, NEVER_NS)
            horizon_ns[rows] = instant_ns
            yield from self._end_timers(horizon_ns)
            self._apply(part)
            yield from self._settle(rows, instant_ns)
        yield from self._end_timers(frontier_ns)
        self.frontier_ns = frontier_ns

    def _frontier(self, known_ns: Ints) -> Ints:
        """Up to where each instance is known; it never goes back."""
        row, kind, site = self.sources
        frontier_ns = np.full(self.frontier_ns.size, FOREVER_NS, dtype=np.int64)
        np.minimum.at(frontier_ns, row, known_ns[kind, site])
        return np.maximum(self.frontier_ns, frontier_ns)

    def _due(self, frontier_ns: Ints) -> tuple[NDArray[np.void], Ints]:
        """What is due, in the order of time, and its instants; the rest goes on waiting."""
        row = self._row_of(self.pending)
        is_due = self.pending["time_ns"] < frontier_ns[row]
        due, self.pending = self.pending[is_due], self.pending[~is_due]
        due = due[np.argsort(due["time_ns"], kind="stable")]
        return due, np.unique(due["time_ns"])

    def _row_of(self, told: NDArray[np.void]) -> Ints:
        row = np.zeros(told.size, dtype=np.int64)
        for slot, edges in enumerate(self.state.edges):
            mine = told["slot"] == slot
            row[mine] = edges.row[told["edge"][mine]]
        return row

    def _rows_of(self, told: NDArray[np.void]) -> Ints:
        return np.unique(self._row_of(told))

    def _apply(self, told: NDArray[np.void]) -> None:
        """From here on this holds."""
        for slot in np.unique(told["slot"]).tolist():
            mine = told[told["slot"] == slot]
            self.state.truth[slot][mine["edge"]] = mine["truth"]
            self.state.value[slot][mine["edge"]] = mine["value"]
            self.state.time_ns[slot][mine["edge"]] = mine["time_ns"]

    def _settle(self, rows: Ints, instant_ns: int) -> Iterator[Message]:
        """Let the latches of some instances answer to what holds now."""
        columns = InstanceRows(self.state, rows)
        code = intervals.codes(self.group.plan, columns)
        value = _shown(self.group, columns)
        for changes in self.latches.apply(code, value, instant_ns, (rows, rows + 1)):
            yield from self._tell(changes)

    def _end_timers(self, horizon_ns: Ints) -> Iterator[Message]:
        # Each row is a site of its own: its clock is that of its slowest member.
        np.copyto(self.latches.site_due_ns, self.latches.due_ns)
        every = np.arange(horizon_ns.size + 1)
        for changes in self.latches.advance(every, horizon_ns):
            yield from self._tell(changes)

    def _tell(self, changes: Changes) -> Iterator[Message]:
        for change in changes:
            yield from self.desk.tell(change, self.tidings.facts(change))

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        home = f"group/{self.group.name}"
        found = {f"{home}/{name}": column for name, column in self.latches.columns().items()}
        found |= {f"{home}/{name}": column for name, column in self.state.columns().items()}
        found |= {f"{home}/pending": self.pending, f"{home}/frontier_ns": self.frontier_ns}
        return found if self.desk.is_clear else found | {f"{home}/desk": self.desk.packed()}

    def restore(self, saved: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what was remembered of the same rule on the same instances."""
        home = f"group/{self.group.name}"
        if f"{home}/pending" not in saved:
            return
        if f"{home}/desk" in saved:
            self.desk.unpack(saved[f"{home}/desk"].view(np.uint8))
        for name, column in self.columns().items():
            if name == f"{home}/desk":
                continue
            before = saved[name]
            if name == f"{home}/pending":
                self.pending = before.view(TOLD).copy()
                continue
            assert before.shape == column.shape, name
            column[...] = before if before.dtype == column.dtype else before.view(column.dtype)


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


def _sources(placed: Placed, catalogue: Catalogue) -> tuple[Ints, Ints, Ints]:
    """Which types at which sites each instance listens to: rows, types, sites."""
    rows: list[NDArray[np.int64]] = []
    for edges in placed.instances.edges.values():
        kind = catalogue.sensors.type[edges.sensor].astype(np.int64)
        site = catalogue.sensors.site[edges.sensor].astype(np.int64)
        rows.append(np.stack([edges.row, kind, site]))
    pairs = np.unique(np.concatenate(rows, axis=1), axis=1) if rows else np.zeros((3, 0), np.int64)
    return pairs[0], pairs[1], pairs[2]
