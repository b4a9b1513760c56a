"""Windows: readings become panes, panes become windows, for the sensors of one bank.

Enters     admitted readings; the order to close a pane for some sites
Leaves     measures: what was in the windows that end with the pane, newest values, ages
Remembers  open panes as lines in a ring, the newest value carried on, the history of closed panes
Refuses    nothing: readings without a place were counted by the clock

Only what the plan asks for is allocated and touched.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries
from engine.history import History
from engine.layout import Layout
from engine.measures import Measures
from engine.onsets import Onsets
from engine.registry import Catalogue
from engine.stacks import Stacks
from kernels import panes, raw, stage
from kernels.columns import aligned
from rules.needs import HistoryPlan
from rules.plan import STALE_NS_MIN, STALE_PERIODS, BankPlan

NEVER = stage.NEVER
NS_PER_S = 1_000_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]
Rows = NDArray[np.intp]
Ranges = tuple[Ints, Ints]

LINES = {"float32": panes.LINE32, "float64": panes.LINE64}
NARROW_MAX = float(np.finfo(np.float32).max)


def bank_table(layout: Layout, plans: Sequence[BankPlan]) -> NDArray[np.void]:
    """The banks as the kernels see them: BANK[b]."""
    table = np.zeros(len(plans), dtype=stage.BANK)
    for number, plan in enumerate(plans):
        line = LINES[plan.sort.precision]
        table[number]["pane_ns"] = plan.pane_ns
        table[number]["lateness_ns"] = plan.sort.lateness_ns
        table[number]["slots"] = plan.slots
        table[number]["step_ns"] = panes.step_ns(plan.pane_ns, line)
    assert len(layout.bank_type) == len(plans)
    return table


def card_table(layout: Layout, plans: Sequence[BankPlan], catalogue: Catalogue) -> NDArray[np.void]:
    """The sensors as the kernels see them: CARD[s]."""
    table = aligned(layout.sensor.size, stage.CARD)
    sensors = catalogue.sensors
    table["low"] = sensors.low[layout.sensor]
    table["high"] = sensors.high[layout.sensor]
    table["link"] = layout.link_of
    table["site"] = layout.site_of
    for number, plan in enumerate(plans):
        rows = slice(int(layout.bank_start[number]), int(layout.bank_start[number + 1]))
        table["bank"][rows] = number
        table["row"][rows] = np.arange(rows.stop - rows.start)
        if plan.sort.precision == "float32":
            table["low"][rows] = np.maximum(table["low"][rows], -NARROW_MAX)
            table["high"][rows] = np.minimum(table["high"][rows], NARROW_MAX)
    return table


class View:
    """One stream of readings of a bank: its open panes, its newest values, its history."""

    __slots__ = ("bank", "history", "lines", "number", "plan", "value", "value_ns")

    def __init__(
        self,
        plan: BankPlan,
        kept: HistoryPlan,
        bank: NDArray[np.void],
        number: int,
        history: History,
    ) -> None:
        rows = history.period_ns.size
        self.plan = plan
        self.bank = bank
        self.number = number
        self.history = history
        is_kept = plan.needs_lines or kept is plan.raw
        self.lines = aligned(rows * plan.slots if is_kept else 0, LINES[plan.sort.precision])
        narrow = plan.sort.precision == "float32"
        self.value: Floats = np.full(rows, np.nan, dtype=np.float32 if narrow else np.float64)
        self.value_ns = np.full(rows, NEVER, dtype=np.int64)

    def fold(self, admitted: Admitted) -> None:
        """Fold readings into the open panes."""
        if self.lines.size:
            panes.fold_points(
                self.lines, admitted.slot, admitted.moment, admitted.value, admitted.outcome
            )
        if self.history.trail is not None:
            self.history.trail.fold(admitted)

    def fold_series(
        self, block: AdmittedSeries, card: NDArray[np.void]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fold a block; returns the least and the greatest folded sample of each sensor."""
        low, high = np.full((2, block.sensor.size), np.nan)
        if self.lines.size:
            panes.fold_series(
                *(self.lines, block.sensor, block.t0_ns, block.period_ns, block.start),
                *(block.stop, block.value, block.outcome, card, self.bank, low, high),
            )
        else:
            low, high = extremes(block)
        if self.history.trail is not None:
            rows = card["row"][block.sensor].astype(np.int64)
            self.history.trail.fold_series(block, rows)
        return low, high

    def close(self, pane: int, ranges: Ranges, rows: Rows, stale_ns: Ints) -> Measures:
        """Close a pane for ranges of rows; returns what is known at its end."""
        end_ns = (pane + 1) * self.plan.pane_ns
        table = np.empty((panes.PANE_ROWS, rows.size))
        panes.close_panes(self.lines, self.bank, self.number, pane, *ranges, self._asked(), table)
        self._carry(rows, end_ns, table)
        measures = Measures(
            end_ns=end_ns,
            rows=rows,
            value=self.value[rows],
            value_ns=self.value_ns[rows],
            is_fresh=end_ns - self.value_ns[rows] < stale_ns[rows],
            age_s=None,
            unchanged_s=None,
            pegged=None,
            pegged_ns=None,
            raw_value=None,
            windows={},
            onsets={},
            kind=self.plan.sort.kind,
        )
        self.history.close(pane, ranges, table, measures)
        return measures

    def _asked(self) -> int:
        asked = panes.ENDS
        for stacks in self.history.stacks:
            groups = stacks.plan.groups
            asked |= panes.MOMENTS if "moments" in groups else 0
            asked |= panes.BOUNDS if "extremes" in groups else 0
            asked |= panes.TREND if "trend" in groups else 0
        return asked

    def _carry(self, rows: Rows, end_ns: int, table: NDArray[np.float64]) -> None:
        """The newest value is carried over panes without a reading."""
        filled = table[panes.COUNT] > 0
        filled_rows = rows[filled]
        self.value[filled_rows] = table[panes.LAST, filled]
        self.value_ns[filled_rows] = end_ns + table[panes.LAST_NS, filled].astype(np.int64)

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        return {
            **{"lines": self.lines, "value": self.value, "value_ns": self.value_ns},
            **self.history.columns(),
        }


class Windows:
    """The panes and windows of the sensors of one bank."""

    __slots__ = (
        "bank", "good", "heard", "heard_ns", "name", "number", "onsets", "pegged", "pegged_ns",
        "period_ns", "plan", "raw", "raw_view", "run_ns", "run_value", "scores", "stale_ns",
    )  # fmt: skip

    def __init__(
        self, plan: BankPlan, bank: NDArray[np.void], number: int, period_ns: Ints
    ) -> None:
        rows = period_ns.size
        self.plan = plan
        self.bank = bank
        self.number = number
        self.name = plan.sort.name
        self.period_ns = period_ns
        self.stale_ns = np.maximum(STALE_PERIODS * period_ns, STALE_NS_MIN)
        self.good = self._view(plan.good)
        self.raw_view = None if plan.raw is None else self._view(plan.raw)
        # Scores come once per pane.
        each_pane_ns = np.full(rows, plan.pane_ns, dtype=np.int64)
        self.scores = None if plan.scores is None else self._history(plan.scores, each_pane_ns)
        self.heard = tuple(Stacks.make(window, rows) for window in plan.heard)
        self.raw = aligned(rows * plan.slots if plan.needs_raw else 0, raw.RAW)
        self.onsets = tuple(Onsets(pair, plan, bank, number, rows) for pair in plan.onsets)
        self.heard_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)
        self.run_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)
        self.run_value = np.full(rows if plan.needs_raw else 0, np.nan)
        self.pegged = np.zeros(rows if plan.needs_raw else 0, dtype=bool)
        self.pegged_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)

    def _view(self, kept: HistoryPlan) -> View:
        history = self._history(kept, self.period_ns)
        return View(self.plan, kept, self.bank, self.number, history)

    def _history(self, kept: HistoryPlan, period_ns: Ints) -> History:
        return History(
            kept,
            period_ns,
            np.maximum(STALE_PERIODS * period_ns, STALE_NS_MIN),
            slots=self.plan.slots,
            pane_ns=self.plan.pane_ns,
            is_narrow=self.plan.sort.precision == "float32" and kept is not self.plan.scores,
        )

    @property
    def precision(self) -> np.dtype[np.floating]:
        """In which readings are kept."""
        return self.good.value.dtype

    @property
    def value_ns(self) -> Ints:
        """Time of the newest good reading of each sensor in a closed pane."""
        return self.good.value_ns

    def take_overfull(self) -> int:
        """Windows that held more readings than are kept, since this was last asked."""
        histories = [self.good.history]
        histories += [] if self.raw_view is None else [self.raw_view.history]
        histories += [] if self.scores is None else [self.scores]
        return sum(one.trail.take_overfull() for one in histories if one.trail is not None)

    def fold(self, admitted: Admitted, card: NDArray[np.void]) -> None:
        """Fold readings into the open panes."""
        self.good.fold(admitted)
        if self.raw_view is not None:
            self.raw_view.fold(admitted.as_raw(self.precision))
        if self.plan.needs_raw:
            raw.fold_raw(self.raw, admitted.slot, admitted.moment, admitted.value, admitted.outcome)
        for onset in self.onsets:
            onset.fold(admitted, card)

    def fold_series(
        self, block: AdmittedSeries, card: NDArray[np.void]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fold a block; returns the least and the greatest good sample of each sensor."""
        if self.raw_view is not None:
            self.raw_view.fold_series(block.as_raw(self.precision), card)
        if self.plan.needs_raw:
            raw.fold_raw_series(
                *(self.raw, block.sensor, block.t0_ns, block.period_ns, block.start, block.stop),
                *(block.first_sample, block.latest_ns, block.value, block.outcome),
                *(card, self.bank),
            )
        for onset in self.onsets:
            onset.fold_series(block, card)
        return self.good.fold_series(block, card)

    def close(self, pane: int, start_row: Ints, stop_row: Ints) -> Measures | None:
        """Close a pane for ranges of rows; returns what is known at its end."""
        if not self.plan.needs_lines:
            return None
        ranges = (start_row, stop_row)
        rows = np.concatenate(
            [np.arange(low, high) for low, high in zip(start_row, stop_row, strict=True)]
        )
        measures = self.good.close(pane, ranges, rows, self.stale_ns)
        measures.onsets = {o.pair: o.close(pane, *ranges, rows.size) for o in self.onsets}
        raw_measures = None
        if self.raw_view is not None:
            raw_measures = self.raw_view.close(pane, ranges, rows, self.stale_ns)
            measures.raw = raw_measures
        if self.plan.needs_raw:
            self._close_raw(pane, ranges, measures)
            if raw_measures is not None:
                self._lend(measures, raw_measures)
        return measures

    def take_scores(self, pane: int, ranges: Ranges, measures: Measures) -> None:
        """The scores of a closed pane are readings, too: one per sensor, at the pane's end."""
        if self.scores is None:
            return
        rows, end_ns = measures.rows, measures.end_ns
        score = measures.anomaly
        score = np.full(rows.size, np.nan) if score is None else score.astype(np.float64)
        known = np.isfinite(score)
        score = np.where(known, score, np.nan)
        table = np.zeros((panes.PANE_ROWS, rows.size))
        table[panes.COUNT] = known
        table[[panes.MEAN, panes.LOW, panes.HIGH, panes.FIRST, panes.LAST]] = score
        table[[panes.FIRST_NS, panes.LAST_NS]] = np.where(known, 0.0, np.nan)
        if self.scores.trail is not None:
            self.scores.trail.put(rows[known], end_ns, score[known])
        time_ns = np.full(rows.size, end_ns, dtype=np.int64)
        measures.scores = Measures(
            *(end_ns, rows, score, time_ns, known, None, None, None, None, None, {}, {}),
        )
        self.scores.close(pane, ranges, table, measures.scores)

    def _close_raw(self, pane: int, ranges: Ranges, measures: Measures) -> None:
        rows, end_ns = measures.rows, measures.end_ns
        table = np.empty((raw.RAW_ROWS, rows.size))
        raw.close_raw(self.raw, self.bank, self.number, pane, *ranges, table)
        for stacks in self.heard:
            counts = np.zeros((panes.PANE_ROWS, rows.size))
            counts[panes.COUNT] = table[raw.RAW_COUNT]
            length_ns = stacks.plan.length_ns
            measures.heard[length_ns] = stacks.tick(pane, self.plan.pane_ns, ranges, counts)[
                "count"
            ]
        heard = table[raw.RAW_COUNT] > 0
        self.heard_ns[rows[heard]] = end_ns + table[raw.RAW_LAST_NS, heard].astype(np.int64)
        valued = table[raw.RAW_RUNS] > 0
        goes_on = (table[raw.RAW_RUNS] == 1) & (table[raw.RAW_VALUE] == self.run_value[rows])
        begins = valued & ~goes_on
        self.run_ns[rows[begins]] = end_ns + table[raw.RAW_RUN_NS, begins].astype(np.int64)
        self.run_value[rows[valued]] = table[raw.RAW_VALUE, valued]
        self.pegged[rows[valued]] = table[raw.RAW_PEGGED, valued] == 1
        self.pegged_ns[rows[valued]] = end_ns + table[raw.RAW_VALUE_NS, valued].astype(np.int64)
        # A sensor that has never been heard is as old as the watch over it.
        unheard = rows[self.heard_ns[rows] == NEVER]
        self.heard_ns[unheard] = end_ns - self.plan.pane_ns
        measures.age_s, measures.unchanged_s = self.ages(rows, end_ns)
        measures.pegged = self.pegged[rows]
        measures.pegged_ns = self.pegged_ns[rows]
        measures.raw_value = self.run_value[rows]

    def ages(self, rows: NDArray[np.intp], end_ns: int) -> tuple[Floats, Floats]:
        """Age and time without a change of some rows at an instant, in s, if nothing more comes."""
        run_ns = self.run_ns[rows]
        unchanged_s = np.where(run_ns == NEVER, np.nan, (end_ns - run_ns) / NS_PER_S)
        return (end_ns - self.heard_ns[rows]) / NS_PER_S, unchanged_s

    def begin_parts(self, kept: Collection[str], rows: Rows, open_from: Ints) -> None:
        """After a change of rules: what was not kept before is unknown until it has filled.

        kept       names, as in `columns`, of what was taken over for these rows
        open_from  int64[m]  the oldest open pane of each
        """
        prefix = f"bank/{self.name}/"
        names = {name.removeprefix(prefix) for name in kept}
        open_until = open_from + self.plan.slots - 1
        streams = {"": self.good.history, "scores/": self.scores}
        streams["raw_view/"] = None if self.raw_view is None else self.raw_view.history
        for part, history in streams.items():
            if history is not None:
                mine = {name.removeprefix(part) for name in names if name.startswith(part)}
                history.begin_parts(mine, rows, open_from, open_until)
        for stacks in self.heard:
            if f"heard/{stacks.plan.length_ns}/sums" not in names:
                stacks.begin_part("sums", rows, open_from - 1)

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {
            **self.good.columns(),
            "raw": self.raw,
            "heard_ns": self.heard_ns,
            "run_ns": self.run_ns,
            "run_value": self.run_value,
            "pegged": self.pegged,
            "pegged_ns": self.pegged_ns,
        }
        others = {"raw_view": self.raw_view, "scores": self.scores}
        for part, columns in ((p, one.columns()) for p, one in others.items() if one is not None):
            found |= {f"{part}/{name}": column for name, column in columns.items()}
        for stacks in self.heard:
            for name, column in stacks.columns().items():
                found[f"heard/{stacks.plan.length_ns}/{name}"] = column
        for onset in self.onsets:
            for name, column in onset.columns().items():
                found[f"onset/{onset.pair[0]}/{onset.pair[1]}/{name}"] = column
        return {f"bank/{self.name}/{name}": column for name, column in found.items()}

    def _lend(self, measures: Measures, view: Measures) -> None:
        """What is told by all readings is the same in both views."""
        view.age_s, view.unchanged_s = measures.age_s, measures.unchanged_s
        view.pegged, view.pegged_ns = measures.pegged, measures.pegged_ns
        view.raw_value = measures.raw_value


def extremes(block: AdmittedSeries) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest good sample of each sensor of a block."""
    samples = block.value[:, block.start : block.stop].astype(np.float64)
    good = block.outcome[:, block.start : block.stop] == stage.FOLDED
    low = np.where(good, samples, np.inf).min(axis=1, initial=np.inf)
    high = np.where(good, samples, -np.inf).max(axis=1, initial=-np.inf)
    return low, high
