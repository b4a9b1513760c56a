"""Shard: the corridor that joins the rooms, for the sites that one shard owns.

A page one can recite: readings are admitted by the clock, judged one by one where a rule looks at
`value` alone, folded into panes; panes that are complete are measured, scored and judged; timers
that came due end; changes of grade become warnings.

A shard knows no socket, no wall clock, no Bytewax.  Its state is columns, saved under names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.acts import Act
from engine.anomaly import Anomaly
from engine.bank import Bank, desk_name, desk_of, make_bank
from engine.clock import Clock
from engine.columns import Admitted, AdmittedSeries, Readings, Series
from engine.episodes import Message
from engine.groups import HOME
from engine.latches import Changes, Latches
from engine.layout import Layout
from engine.leap import Outlook
from engine.measures import Measures
from engine.meters import Meters
from engine.obedience import obey
from engine.parties import Parties
from engine.placement import Placed
from engine.quorum import Quorum, Report
from engine.ranges import Ranges, blocks_of, ranges_of
from engine.registry import Catalogue
from engine.variants import SeenColumns, pane_columns
from engine.windows import bank_table, card_table, extremes
from kernels.stage import NEVER, OUTCOMES
from rules.plan import STALE_NS_MIN, Plan

Columns = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Tick:
    """The engine's wall clock as the journal tells it, once a second."""

    now_ns: int


Work = Readings | Series | Tick | Act


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What a shard is told beside its layout and plan."""

    silence_ns: int
    future_max_ns: int
    status: str


class Shard:
    """Everything between readings and warnings."""

    __slots__ = (
        "banks",
        "catalogue",
        "clock",
        "desks",
        "layout",
        "meters",
        "parties",
        "quorum",
        "retired",
        "settings",
        "told",
        "watcher",
    )

    def __init__(
        self,
        layout: Layout,
        plan: Plan,
        catalogue: Catalogue,
        *,
        settings: ShardSettings,
        meters: Meters,
        anomalies: Mapping[str, Anomaly],
        placed: Sequence[Placed] = (),
        before: "Shard | None" = None,
    ) -> None:
        """before: the shard of the same sensors under other rules that ask the same windows; its
        clock, windows and latches are taken over as they stand (engine/succession.py)."""
        plans = [plan.banks[number] for number in layout.bank_type]
        bank_columns = bank_table(layout, plans)
        self.layout = layout
        self.catalogue = catalogue
        self.settings = settings
        self.meters = meters
        self.clock: Clock = (
            Clock(
                layout,
                card_table(layout, plans, catalogue),
                bank_columns,
                silence_ns=settings.silence_ns,
                future_max_ns=settings.future_max_ns,
            )
            if before is None
            else before.clock
        )
        self.clock.silence_ns = settings.silence_ns
        self.clock.future_max_ns = settings.future_max_ns
        self.banks: tuple[Bank, ...] = tuple(
            make_bank(
                *(number, bank_plan, layout, catalogue),
                bank_columns=bank_columns,
                anomalies=anomalies,
                before=None if before is None else before.banks[number],
            )
            for number, bank_plan in enumerate(plans)
        )
        status = settings.status
        self.desks = {
            (bank.number, rule.plan.name): desk_of(bank, rule, catalogue, status, meters)
            for bank in self.banks
            for rule in bank.rules
        }
        self.quorum = Quorum(placed, layout, catalogue, status=status, meters=meters)
        self.parties = Parties(
            *(self.banks, self.desks, self.quorum.groups), clock=self.clock, catalogue=catalogue
        )
        self.told: list[Message] = []
        # How many episodes those rules and sensors had that are gone (engine/adoption.py).
        self.retired: dict[str, int] = {}
        # Sees what a rule on windows is about to be judged by; for whoever asks why.
        self.watcher: Callable[[Latches, SeenColumns], None] | None = None

    def advance(self, work: Sequence[Work]) -> list[Message]:
        """Take work in the journal's order; return the warnings that follow from it."""
        for item in work:
            if isinstance(item, Tick):
                self.clock.tick(item.now_ns)
                continue
            if isinstance(item, Act):
                self._obey(item)
                continue
            for admitted in self.clock.admit(item):
                for bank, part in self._by_bank(admitted):
                    self._take(bank, part)
                if not admitted.is_last:
                    self._close_panes()
        self._close_panes()
        self._end_timers()
        told, self.told = self.told, []
        return told

    def _obey(self, act: Act) -> None:
        """What stands before an act in the journal is judged before it is obeyed."""
        self._close_panes()
        self._end_timers()
        orders = obey(
            act,
            desks=self.desks,
            groups=self.quorum.groups,
            time_of=self.clock.time_of,
            catalogue=self.catalogue,
        )
        self.told.extend(orders)
        self.quorum.hear(act, self.clock)

    def _by_bank(
        self, admitted: Admitted | AdmittedSeries
    ) -> Iterator[tuple[Bank, Admitted | AdmittedSeries]]:
        """Most frames hold sensors of one type; others are taken apart."""
        sensor = admitted.sensor
        if sensor.size == 0:
            return
        start = self.layout.bank_start
        lowest = int(np.searchsorted(start, sensor.min(), side="right")) - 1
        highest = int(np.searchsorted(start, sensor.max(), side="right")) - 1
        if lowest == highest:
            yield self.banks[lowest], admitted
            return
        of_bank = self.clock.card["bank"][sensor]
        for number in range(lowest, highest + 1):
            chosen = np.flatnonzero(of_bank == number)
            if chosen.size:
                yield self.banks[number], admitted.only(chosen)

    def _take(self, bank: Bank, part: Admitted | AdmittedSeries) -> None:
        rows = part.sensor - np.int32(self.layout.bank_start[bank.number])
        counted = self.meters.counts_of(bank.plan.sort.name)
        if isinstance(part, Admitted):
            counted += np.bincount(part.outcome, minlength=OUTCOMES)
            bank.windows.fold(part, self.clock.card)
            for rule in bank.reading_rules:
                seen = part.as_raw(bank.windows.precision) if rule.plan.is_raw else part
                if rule.plan.name in self.quorum.followed:
                    self._read_followed(bank, rule, seen, rows)
                    continue
                for changes in rule.read(seen, rows):
                    self.tell(bank, rule, changes, None)
            return
        counted += part.tally.sum(axis=0)
        low, high = bank.windows.fold_series(part, self.clock.card)
        for rule in bank.reading_rules:
            block, bounds = part, (low, high)
            if rule.plan.is_raw:
                block = part.as_raw(bank.windows.precision)
                bounds = extremes(block)
            for changes in rule.read_series(block, rows, *bounds):
                self.tell(bank, rule, changes, None)

    def _read_followed(
        self, bank: Bank, rule: Latches, seen: Admitted, rows: NDArray[np.int32]
    ) -> None:
        """Judge readings for a rule that others follow: late ones one by one.

        What a late reading says holds for its sensor as of its own time, but others may have been
        told that this time is over: for them it holds from the horizon on that it met.
        """
        late = np.flatnonzero(seen.time_ns < seen.horizon_ns)
        pieces = np.unique(np.concatenate(([0], late, late + 1, [rows.size])))
        site_rows = self.layout.site_rows[bank.number]
        for start, stop in pairwise(pieces.tolist()):
            part = seen.only(np.arange(start, stop))
            horizon_ns = int(part.horizon_ns[0])
            if part.time_ns[0] >= horizon_ns:
                for changes in rule.read(part, rows[start:stop]):
                    self.tell(bank, rule, changes, None)
                continue
            # Timers of its sensor that ended before are no work of this reading.
            site = int(self.clock.card["site"][part.sensor[0]])
            horizons_ns = np.full(site_rows.size - 1, NEVER, dtype=np.int64)
            horizons_ns[site] = horizon_ns
            for changes in rule.advance(site_rows, horizons_ns):
                self.tell(bank, rule, changes, None)
            for changes in rule.read(part, rows[start:stop]):
                self.tell(bank, rule, changes, None, not_before_ns=horizon_ns)

    def _close_panes(self) -> None:
        for bank in self.banks:
            site_rows = self.layout.site_rows[bank.number]
            is_at_rest = partial(bank.is_at_rest, site_rows=site_rows)
            jump = bank.panes_remembered
            ageing = bank.ageing or ()
            for closing in self.clock.close_ready(
                bank.number, jump, is_at_rest, is_ageing=bool(ageing)
            ):
                change = closing.stop
                for block in blocks_of(*ranges_of(site_rows, closing.sites)):
                    measures = self._close_pane(bank, closing.pane, block)
                    if measures is not None and change > closing.pane + 1:
                        outlook = Outlook(ageing, bank.windows, bank.attributes, measures)
                        change = outlook.next_change(closing.pane, change)
                # A timer may have begun with this pane; then nothing is left out. The pane before
                # a change is closed as well: it is what the change is told from.
                if all(is_at_rest(int(site)) for site in closing.sites):
                    closing.next_pane = max(change - 1, closing.pane + 1)
        self.told.extend(self.quorum.judge(self.clock))

    def _close_pane(self, bank: Bank, pane: int, block: Ranges) -> Measures | None:
        measures = bank.windows.close(pane, *block)
        if measures is None:
            return None
        if bank.anomaly is not None:
            measures.anomaly = bank.anomaly.score(bank.sensor, measures)
            self.meters.count_resets(bank.anomaly.plan.name, bank.anomaly.take_resets())
        bank.windows.take_scores(pane, block, measures)
        if bank.pane_rules:
            self._judge_pane(bank, measures)
        self.quorum.close(bank.number, measures)
        self.meters.count_overfull(bank.plan.sort.name, bank.windows.take_overfull())
        return measures

    def _judge_pane(self, bank: Bank, measures: Measures) -> None:
        tables = [
            pane_columns(rule.variants, rule.stale_ns, measures, bank.attributes)
            for rule in bank.pane_rules
        ]
        stirring = np.stack(
            [rule.stirring(table) for rule, table in zip(bank.pane_rules, tables, strict=True)]
        )
        found = bank.verdicts.weigh(tables, measures.rows, stirring)
        next_ns = measures.end_ns + bank.plan.pane_ns
        for number, (rule, table) in enumerate(zip(bank.pane_rules, tables, strict=True)):
            if self.watcher is not None:
                self.watcher(rule, table)
            told = rule.close(table, found.bits[number], found.is_loud[number], next_ns=next_ns)
            for changes in told:
                self.tell(bank, rule, changes, table)

    def _end_timers(self) -> None:
        for bank in self.banks:
            site_rows = self.layout.site_rows[bank.number]
            horizon_ns = self.clock.horizon_ns(bank.number)
            for rule in bank.reading_rules:
                for changes in rule.advance(site_rows, horizon_ns):
                    self.tell(bank, rule, changes, None)
        self.told.extend(self.parties.speak())

    def tell(
        self,
        bank: Bank,
        rule: Latches,
        changes: Changes,
        columns: SeenColumns | None,
        *,
        not_before_ns: int = NEVER,
    ) -> None:
        """Write the warnings of some changes; `columns` is what they were judged by, if a pane.

        not_before_ns  from when on the rules that follow this one may know of them
        """
        share = np.ones(changes.size)
        if columns is not None:
            at = np.searchsorted(columns.measures.rows, changes["row"])
            share = columns.coverage()[at].astype(np.float64)
        sensor = bank.sensor[changes["row"]]
        self.quorum.grade(rule.plan.name, sensor, changes, not_before_ns)
        desk = self.desks[bank.number, rule.plan.name]
        sayings = desk.rows.sayings(changes, columns)
        for change, known, said in zip(changes, share, sayings, strict=True):
            more = desk.rows.evidence(change, 0.0 if change["blind"] else float(known), said)
            self.told.extend(desk.tell(change, more))

    def report(self) -> Report | None:
        """What rules beyond one site must know since the last report; None: nothing."""
        return self.quorum.report(self.clock)

    def live_count(self) -> int:
        """Sensors that have been heard within three of their periods, by their sites' clocks."""
        count = 0
        for bank in self.banks:
            heard_ns = bank.windows.value_ns
            if not bank.rules:
                # Nothing is kept of sensors that no rule looks at: their gateway speaks for them.
                heard_ns = self.clock.link["time_ns"][self.clock.card["link"][bank.rows]]
            for rule in bank.reading_rules:
                heard_ns = np.maximum(heard_ns, rule.latch["seen_ns"])
            stale_ns = np.maximum(3 * bank.windows.period_ns, STALE_NS_MIN)
            now_ns = self.clock.clock_ns[self.clock.card["site"][bank.rows]]
            count += int(np.count_nonzero((heard_ns > 0) & (now_ns - heard_ns < stale_ns)))
        return count

    def columns(self) -> Columns:
        """All state under its names; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = dict(self.clock.columns())
        for bank in self.banks:
            found |= bank.windows.columns()
            if bank.anomaly is not None:
                found |= bank.anomaly.columns()
            for rule in bank.rules:
                found |= rule.columns()
        for (number, name), desk in self.desks.items():
            if not desk.is_clear:
                found[desk_name(self.banks[number].windows.name, name)] = desk.packed()
        return found | dict(self.quorum.columns())

    def restore(self, saved: Columns) -> None:
        """Take over a saved state; what the snapshot does not have starts empty."""
        for bank in self.banks:
            if bank.anomaly is not None:
                bank.anomaly.restore(saved, None)
        self.quorum.restore(saved)
        for (number, rule_name), desk in self.desks.items():
            packed = saved.get(desk_name(self.banks[number].windows.name, rule_name))
            if packed is not None:
                desk.unpack(packed.view(np.uint8))
        for name, column in self.columns().items():
            if name.startswith(("model/", "desk/", HOME)):
                continue
            before = saved.get(name)
            if before is None:
                continue
            assert before.shape == column.shape, name
            column[...] = as_saved(before, column.dtype)
        for bank in self.banks:
            for rule in bank.rules:
                rule.wake()


def as_saved(before: NDArray[np.generic], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """A saved column in the format of today; records were saved as bytes."""
    assert before.dtype.itemsize == dtype.itemsize, (before.dtype, dtype)
    return before if before.dtype == dtype else before.view(dtype)
