"""Quorum: the rules on several sensors, as one shard sees them.

Enters     the measures of closed panes; the clock
Leaves     warnings of rules whose instances lie inside one site; a report for the others
Remembers  what was told last of each sensor, and the standings of the instances
Refuses    nothing
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.acts import Act
from engine.clock import Clock
from engine.episodes import Message
from engine.features import Attributes
from engine.grades import GradeTable, graded
from engine.groups import HOME, Groups
from engine.instances import InstanceAttributes
from engine.latches import Changes
from engine.layout import Layout
from engine.measures import Measures
from engine.meters import Meters
from engine.placement import KNOWN_KINDS, Placed
from engine.registry import Catalogue
from engine.signals import Listener, SignalTable
from kernels.stage import NEVER

Columns = Mapping[str, NDArray[np.generic]]
Ints = NDArray[np.int64]

NOTHING: Ints = np.empty((0, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Report:
    """What one shard tells `correlate`: changes, and up to where there will be no more.

    acts      operators' acts, each with the clocks of the sites when it was heard, int64[k]
    type      types of the shard's banks, by the catalogue   int64[b]
    site      sites of the shard, by the catalogue           int64[k]
    known_ns  up to where what is known there                int64[3, b, k]
    """

    tables: tuple[SignalTable, ...]
    grades: tuple[GradeTable, ...]
    acts: tuple[tuple[Act, Ints], ...]
    type: Ints
    site: Ints
    known_ns: Ints

    def known(self, mine_ns: Ints, whole_ns: Ints) -> None:
        """Write what is known of these types and sites into a table of all, int64[3, t, s]."""
        whole_ns[:, self.type[:, np.newaxis], self.site] = mine_ns


class Quorum:
    """Listeners in every bank, groups for the rules that this shard can judge alone."""

    def __init__(
        self,
        placed: Sequence[Placed],
        layout: Layout,
        catalogue: Catalogue,
        *,
        status: str,
        meters: Meters,
    ) -> None:
        self.layout = layout
        self.shape = (KNOWN_KINDS, len(catalogue.types), len(catalogue.sites.name))
        self.listeners: list[list[Listener]] = [[] for _ in layout.bank_type]
        self.groups: dict[str, Groups] = {}
        self.tables: list[SignalTable] = []
        # What the last report said of the clocks.
        self.told_ns: Ints = NOTHING
        self.is_heard_outside = any(not one.is_local for one in placed)
        self.rows: dict[str, Ints] = {}
        self.grades: list[GradeTable] = []
        self.acts: list[tuple[Act, Ints]] = []
        self.followed = {f.what.rule for one in placed for f in one.followings}
        types = np.array(layout.bank_type, dtype=np.int64)
        self.silent = Report((), (), (), types, layout.site.astype(np.int64), NOTHING)
        for one in placed:
            shared = InstanceAttributes(one.instances, catalogue)
            if one.is_local:
                mine = np.flatnonzero(np.isin(one.instances.home, layout.site))
                groups = Groups(one.only(mine), catalogue, status=status, meters=meters, hazards={})
                self.groups[one.group.name] = groups
                self.rows[one.group.name] = mine
            for number, kind in enumerate(layout.bank_type):
                self._listen(one, number, catalogue.types[kind].name, shared)

    def _listen(self, one: Placed, bank: int, type_name: str, shared: InstanceAttributes) -> None:
        """Have the signals found in a bank that a rule asks of its sensors."""
        rows = slice(int(self.layout.bank_start[bank]), int(self.layout.bank_start[bank + 1]))
        sensor = self.layout.sensor[rows]
        catalogue = shared.catalogue
        for name, plan in one.group.inputs.items():
            if plan.rule.input.type not in (type_name, "*"):
                continue
            listener = Listener(
                *(one.group, name, one.instances),
                sensor=sensor,
                period_ns=catalogue.sensors.period_ns[sensor],
                attributes=Attributes(catalogue, sensor),
                shared=shared,
            )
            if listener.is_member.any():
                self.listeners[bank].append(listener)

    def close(self, bank: int, measures: Measures) -> None:
        """A pane of a bank has closed for some of its rows."""
        for listener in self.listeners[bank]:
            self.tables += listener.close(measures)

    def judge(self, clock: Clock) -> Iterator[Message]:
        """Judge what all clocks of the shard's sites have passed."""
        if not self.groups:
            return
        known_ns = np.full(self.shape, NEVER, dtype=np.int64)
        self.silent.known(self._known(clock), known_ns)
        for name, groups in self.groups.items():
            for table in self.tables:
                if table.group == name:
                    groups.take(table)
            yield from groups.judge(known_ns)
            for changes in groups.changes:
                self.grade(name, self.rows[name][changes["row"]], changes)
            groups.changes.clear()
        self.tables = [table for table in self.tables if table.group not in self.groups]

    def grade(
        self,
        rule: str,
        subject: NDArray[np.integer],
        changes: Changes,
        not_before_ns: int = NEVER,
    ) -> None:
        """Note changes of grade that rules beyond one site follow, from some instant on."""
        if rule in self.followed:
            for table in graded(rule, subject.astype(np.int64), changes):
                time_ns = np.maximum(table.time_ns, not_before_ns)
                self.grades.append(replace(table, time_ns=time_ns))

    def hear(self, act: Act, clock: Clock) -> None:
        """Pass an operator's act on to the rules beyond one site, with what time it is here."""
        if self.is_heard_outside:
            self.acts.append((act, clock.clock_ns.copy()))

    def report(self, clock: Clock) -> Report | None:
        """What the rules beyond one site must know of this shard; None where nothing is new."""
        if not self.is_heard_outside:
            return None
        known_ns = self._known(clock)
        is_same = not self.tables and not self.grades and not self.acts
        if is_same and np.array_equal(known_ns, self.told_ns):
            return None
        found = replace(
            self.silent,
            tables=tuple(self.tables),
            grades=tuple(self.grades),
            acts=tuple(self.acts),
            known_ns=known_ns,
        )
        self.tables, self.grades, self.acts, self.told_ns = [], [], [], known_ns
        return found

    def _known(self, clock: Clock) -> Ints:
        """Up to where what is known: int64[3, b, k].

        Signals stay as they are until the end of the pane that is closed next.  Grades of rules
        at ends of panes are known at the last end, those of rules on readings before the horizon.
        """
        pane_ns = clock.bank["pane_ns"].astype(np.int64)[:, np.newaxis]
        lateness_ns = clock.bank["lateness_ns"].astype(np.int64)[:, np.newaxis]
        has_begun = clock.next_pane != NEVER
        pane = np.where(has_begun, clock.next_pane, 0)
        closed_ns = np.where(has_begun, pane * pane_ns + 1, NEVER)
        horizon_ns = np.maximum(clock.clock_ns[np.newaxis, :] - lateness_ns, NEVER)
        return np.stack([np.where(has_begun, (pane + 1) * pane_ns, NEVER), closed_ns, horizon_ns])

    def columns(self) -> Columns:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {}
        for groups in self.groups.values():
            found |= groups.columns()
        for bank, listeners in enumerate(self.listeners):
            for place, listener in enumerate(listeners):
                home = f"{HOME}listener/{bank}/{place}/{listener.rule}"
                found |= {f"{home}/{name}": one for name, one in listener.columns().items()}
        return found

    def restore(self, saved: Columns) -> None:
        """Take over what was remembered by the same rules of the same sensors."""
        for groups in self.groups.values():
            groups.restore(saved)
        for name, column in self.columns().items():
            if name.startswith(f"{HOME}listener/") and name in saved:
                assert saved[name].shape == column.shape, name
                column[...] = saved[name]
