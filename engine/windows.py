"""Windows: readings become panes, panes become windows, for the sensors of one bank.

Enters     admitted readings; the order to close a pane for some sites
Leaves     measures: what was in the windows that end with the pane, newest values, ages
Remembers  open panes as lines in a ring, closed panes as two stacks, the newest value carried on
Refuses    nothing: readings without a place were counted by the clock

Only what the plan asks for is allocated and touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries
from engine.layout import Layout
from engine.measures import Measures, Window
from engine.onsets import Onsets
from engine.registry import Catalogue
from kernels import panes, raw, stage, windows
from kernels.columns import aligned
from rules.plan import STALE_NS_MIN, STALE_PERIODS, BankPlan, WindowPlan

NEVER = stage.NEVER
NS_PER_S = 1_000_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]

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


@dataclass(frozen=True, slots=True)
class Stacks:
    """The two stacks of one window: rings of closed panes and what has come since the flip.

    sums, bounds, ends  float64[f, W, s], without fields where no rule asks for them
    """

    plan: WindowPlan
    sums: NDArray[np.float64]
    sums_back: NDArray[np.float64]
    bounds: NDArray[np.float64]
    bounds_back: NDArray[np.float64]
    ends: NDArray[np.float64]
    ends_back: NDArray[np.float64]

    @classmethod
    def make(cls, plan: WindowPlan, rows: int) -> "Stacks":
        """Empty stacks for some sensors."""
        fields = windows.COUNT_FIELDS
        if "moments" in plan.groups:
            fields = windows.MOMENT_FIELDS
        if "trend" in plan.groups:
            fields = windows.TREND_FIELDS
        sums = _ring(fields, plan, rows)
        bounds = _ring(windows.BOUND_FIELDS if "extremes" in plan.groups else 0, plan, rows)
        ends = _ring(windows.END_FIELDS if "ends" in plan.groups else 0, plan, rows)
        stacks = cls(plan, *sums, *bounds, *ends)
        everything = np.array([0]), np.array([rows])
        stacks.clear(*everything)
        return stacks

    def clear(self, low_row: Ints, high_row: Ints) -> None:
        """Forget everything about ranges of rows."""
        for ring, back, blank in (
            (self.sums, self.sums_back, (0.0,) * self.sums.shape[0]),
            (self.bounds, self.bounds_back, (np.inf, -np.inf)),
            (self.ends, self.ends_back, (np.nan,) * windows.END_FIELDS),
        ):
            if ring.shape[0]:
                windows.clear(ring, back, low_row, high_row, np.array(blank))

    def tick(
        self, pane: int, pane_ns: int, ranges: tuple[Ints, Ints], table: NDArray[np.float64]
    ) -> dict[str, Floats]:
        """Take in a closed pane; returns the fields of the window that ends with it."""
        out = np.empty(table.shape)
        position = pane % self.plan.pane_count
        windows.tick_sums(self.sums, self.sums_back, position, pane_ns, *ranges, table, out)
        if self.bounds.shape[0]:
            windows.tick_bounds(self.bounds, self.bounds_back, position, *ranges, table, out)
        if self.ends.shape[0]:
            windows.tick_ends(self.ends, self.ends_back, position, pane_ns, *ranges, table, out)
        groups = ("counts", *self.plan.groups)
        return {name: out[row] for group in groups for name, row in FIELDS[group].items()}

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot."""
        return {
            "sums": self.sums,
            "sums_back": self.sums_back,
            "bounds": self.bounds,
            "bounds_back": self.bounds_back,
            "ends": self.ends,
            "ends_back": self.ends_back,
        }


# Where the fields of a window's result stand; what no rule asks for is not filled.
FIELDS = {
    "counts": {"count": panes.COUNT},
    "moments": {"mean": panes.MEAN, "m2": panes.M2},
    "extremes": {"low": panes.LOW, "high": panes.HIGH},
    "ends": {"first": panes.FIRST, "last": panes.LAST},
    "trend": {"tmean": panes.TMEAN, "mt2": panes.MT2, "c": panes.C},
}
# Kept in the precision of the readings.
AS_READ = frozenset({"low", "high", "first", "last"})


def _ring(
    fields: int, plan: WindowPlan, rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ring = aligned((fields, plan.pane_count, rows), np.dtype(np.float64))
    return ring, np.zeros((fields, rows))


class Windows:
    """The panes and windows of the sensors of one bank."""

    __slots__ = (
        "bank",
        "heard_ns",
        "lines",
        "name",
        "number",
        "onsets",
        "pegged",
        "pegged_ns",
        "period_ns",
        "plan",
        "raw",
        "run_ns",
        "run_value",
        "stacks",
        "stale_ns",
        "value",
        "value_ns",
    )

    def __init__(
        self, plan: BankPlan, bank: NDArray[np.void], number: int, period_ns: Ints
    ) -> None:
        rows = period_ns.size
        narrow = plan.sort.precision == "float32"
        self.plan = plan
        self.bank = bank
        self.number = number
        self.name = plan.sort.name
        self.period_ns = period_ns
        self.stale_ns = np.maximum(STALE_PERIODS * period_ns, STALE_NS_MIN)
        line_count = rows * plan.slots if plan.needs_lines else 0
        self.lines = aligned(line_count, LINES[plan.sort.precision])
        self.raw = aligned(rows * plan.slots if plan.needs_raw else 0, raw.RAW)
        self.stacks = tuple(Stacks.make(window, rows) for window in plan.windows)
        self.onsets = tuple(Onsets(pair, plan, bank, number, rows) for pair in plan.onsets)
        self.value = np.full(rows, np.nan, dtype=np.float32 if narrow else np.float64)
        self.value_ns = np.full(rows, NEVER, dtype=np.int64)
        self.heard_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)
        self.run_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)
        self.run_value = np.full(rows if plan.needs_raw else 0, np.nan)
        self.pegged = np.zeros(rows if plan.needs_raw else 0, dtype=bool)
        self.pegged_ns = np.full(rows if plan.needs_raw else 0, NEVER, dtype=np.int64)

    def fold(self, admitted: Admitted, card: NDArray[np.generic]) -> None:
        """Fold readings into the open panes."""
        if self.plan.needs_lines:
            panes.fold_points(
                self.lines, admitted.slot, admitted.moment, admitted.value, admitted.outcome
            )
        if self.plan.needs_raw:
            raw.fold_raw(self.raw, admitted.slot, admitted.moment, admitted.value, admitted.outcome)
        for onset in self.onsets:
            onset.fold(admitted, card)

    def fold_series(
        self, block: AdmittedSeries, card: NDArray[np.generic]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fold a block; returns the least and the greatest good sample of each sensor."""
        low, high = np.full((2, block.sensor.size), np.nan)
        if self.plan.needs_lines:
            panes.fold_series(
                *(self.lines, block.sensor, block.t0_ns, block.period_ns, block.start),
                *(block.stop, block.value, block.outcome, card, self.bank, low, high),
            )
        else:
            _extremes(block, low, high)
        if self.plan.needs_raw:
            raw.fold_raw_series(
                *(self.raw, block.sensor, block.t0_ns, block.period_ns, block.start, block.stop),
                *(block.first_sample, block.latest_ns, block.value, block.outcome),
                *(card, self.bank),
            )
        for onset in self.onsets:
            onset.fold_series(block, card)
        return low, high

    def close(self, pane: int, start_row: Ints, stop_row: Ints) -> Measures | None:
        """Close a pane for ranges of rows; returns what is known at its end."""
        if not self.plan.needs_lines:
            return None
        ranges = (start_row, stop_row)
        rows = np.concatenate(
            [np.arange(low, high) for low, high in zip(start_row, stop_row, strict=True)]
        )
        end_ns = (pane + 1) * self.plan.pane_ns
        table = np.empty((panes.PANE_ROWS, rows.size))
        panes.close_panes(self.lines, self.bank, self.number, pane, *ranges, self._asked(), table)
        self._carry(rows, end_ns, table)
        measures = Measures(
            end_ns=end_ns,
            rows=rows,
            value=self.value[rows],
            value_ns=self.value_ns[rows],
            is_fresh=end_ns - self.value_ns[rows] < self.stale_ns[rows],
            age_s=None,
            unchanged_s=None,
            pegged=None,
            pegged_ns=None,
            raw_value=None,
            windows=self._windows(pane, ranges, rows, table),
            onsets={o.pair: o.close(pane, *ranges, rows.size) for o in self.onsets},
        )
        if self.plan.needs_raw:
            self._close_raw(pane, ranges, measures)
        return measures

    def _asked(self) -> int:
        asked = panes.ENDS
        for window in self.plan.windows:
            asked |= panes.MOMENTS if "moments" in window.groups else 0
            asked |= panes.BOUNDS if "extremes" in window.groups else 0
            asked |= panes.TREND if "trend" in window.groups else 0
        return asked

    def _carry(self, rows: NDArray[np.intp], end_ns: int, table: NDArray[np.float64]) -> None:
        """The newest value is carried over panes without a reading."""
        filled = table[panes.COUNT] > 0
        filled_rows = rows[filled]
        self.value[filled_rows] = table[panes.LAST, filled]
        self.value_ns[filled_rows] = end_ns + table[panes.LAST_NS, filled].astype(np.int64)

    def _windows(
        self,
        pane: int,
        ranges: tuple[Ints, Ints],
        rows: NDArray[np.intp],
        table: NDArray[np.float64],
    ) -> dict[int, Window]:
        found = {}
        period_ns = self.period_ns[rows]
        narrow = self.value.dtype == np.float32
        for stacks in self.stacks:
            fields = stacks.tick(pane, self.plan.pane_ns, ranges, table)
            if narrow:
                # A float32 extreme is compared with thresholds as a float32.
                for name in AS_READ & fields.keys():
                    fields[name] = fields[name].astype(np.float32)
            length_ns = stacks.plan.length_ns
            expected = np.where(period_ns > 0, length_ns / np.maximum(period_ns, 1), 1.0)
            found[length_ns] = Window(fields["count"], expected, fields)
        return found

    def _close_raw(self, pane: int, ranges: tuple[Ints, Ints], measures: Measures) -> None:
        rows, end_ns = measures.rows, measures.end_ns
        table = np.empty((raw.RAW_ROWS, rows.size))
        raw.close_raw(self.raw, self.bank, self.number, pane, *ranges, table)
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
        measures.age_s = (end_ns - self.heard_ns[rows]) / NS_PER_S
        run_ns = self.run_ns[rows]
        measures.unchanged_s = np.where(run_ns == NEVER, np.nan, (end_ns - run_ns) / NS_PER_S)
        measures.pegged = self.pegged[rows]
        measures.pegged_ns = self.pegged_ns[rows]
        measures.raw_value = self.run_value[rows]

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {
            "lines": self.lines,
            "raw": self.raw,
            "value": self.value,
            "value_ns": self.value_ns,
            "heard_ns": self.heard_ns,
            "run_ns": self.run_ns,
            "run_value": self.run_value,
            "pegged": self.pegged,
            "pegged_ns": self.pegged_ns,
        }
        for stacks in self.stacks:
            for name, column in stacks.columns().items():
                found[f"window/{stacks.plan.length_ns}/{name}"] = column
        for onset in self.onsets:
            for name, column in onset.columns().items():
                found[f"onset/{onset.pair[0]}/{onset.pair[1]}/{name}"] = column
        return {f"bank/{self.name}/{name}": column for name, column in found.items()}


def _extremes(block: AdmittedSeries, low: Floats, high: Floats) -> None:
    samples = block.value[:, block.start : block.stop]
    good = block.outcome[:, block.start : block.stop] == stage.FOLDED
    low[:] = np.where(good, samples, np.inf).min(axis=1, initial=np.inf)
    high[:] = np.where(good, samples, -np.inf).max(axis=1, initial=-np.inf)
