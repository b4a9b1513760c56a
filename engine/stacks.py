"""Stacks: one window over the panes of a stream, kept as two stacks; see `kernels/windows.py`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import panes, windows
from kernels.columns import aligned
from rules.needs import WindowPlan

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Window:
    """The merged record of one window at one pane end; each float64[m], NaN where it is empty."""

    count: Floats
    expected: Floats
    fields: dict[str, Floats]
    length_s: float = np.nan


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

    def begin_part(self, part: str, rows: NDArray[np.intp], pane: NDArray[np.int64]) -> None:
        """Make a part unknown for rows whose other parts know more: sums, bounds or ends.

        pane  int64[m]  the last pane that each row closed

        That pane counts as having held the infinite, until it leaves the window.
        """
        ring, back = {
            "sums": (self.sums, self.sums_back),
            "bounds": (self.bounds, self.bounds_back),
            "ends": (self.ends, self.ends_back),
        }[part]
        poison = np.full(ring.shape[0], np.inf)
        if part == "bounds":
            poison[0] = -np.inf
        place = pane % self.plan.pane_count
        is_flipped = place == self.plan.pane_count - 1
        ring[:, place, rows] = poison[:, None]
        # At the end of a cycle each place is the merger from there to the end.
        ring[:, :, rows[is_flipped]] = poison[:, None, None]
        back[:, rows[~is_flipped]] = poison[:, None]

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
    "ends": {
        **{"first": panes.FIRST, "last": panes.LAST},
        **{"first_ns": panes.FIRST_NS, "last_ns": panes.LAST_NS},
    },
    "trend": {"tmean": panes.TMEAN, "mt2": panes.MT2, "c": panes.C},
}
# Kept in the precision of the readings.
AS_READ = frozenset({"low", "high", "first", "last"})


def _ring(
    fields: int, plan: WindowPlan, rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ring = aligned((fields, plan.pane_count, rows), np.dtype(np.float64))
    return ring, np.zeros((fields, rows))
