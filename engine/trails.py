"""Trails: the newest readings of each sensor of one stream; see `kernels/trail.py`.

What only readings can tell is worked out of them when a rule first asks for it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries
from kernels import course, robust, trail
from kernels.columns import aligned
from rules.needs import TrailPlan

NS_PER_S = 1_000_000_000
# Readings copied out at once: 2 columns * 8 bytes * 2 ** 17 = 2 MiB stay in the cache. The window
# of one sensor may be longer.
READINGS_AT_ONCE = 1 << 17

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Piece:
    """Windows of some of the rows: readings start[i] to start[i + 1] are those of row low + i."""

    low: int
    high: int
    start: Ints
    since_s: Floats
    value: Floats


class Trail:
    """The newest readings of the sensors of one stream of a bank."""

    __slots__ = (
        "filled", "overfull_count", "pane_ns", "plan", "precision", "ring", "slots", "times",
        "values", "work",
    )  # fmt: skip

    def __init__(
        self, plan: TrailPlan, rows: int, *, slots: int, pane_ns: int, is_narrow: bool
    ) -> None:
        self.plan = plan
        self.slots = slots
        self.pane_ns = pane_ns
        self.precision = np.float32 if is_narrow else np.float64
        self.times = aligned((rows, plan.capacity), np.dtype(np.int64))
        self.values = aligned((rows, plan.capacity), np.dtype(np.float64))
        self.ring = aligned(rows, trail.RING)
        self.filled = np.zeros(rows * slots, dtype=np.uint32)
        self.work = np.empty(max(plan.window_max, robust.PAIRS_MAX))
        # Windows that held more readings than are kept, and were unknown for it.
        self.overfull_count = 0

    @property
    def _rings(self) -> tuple[Ints, Floats, NDArray[np.void]]:
        return self.times, self.values, self.ring

    def fold(self, admitted: Admitted) -> None:
        """Let readings in, in the precision of their panes."""
        value = admitted.value
        if value.dtype != self.precision:
            with np.errstate(over="ignore"):
                value = value.astype(self.precision)
        trail.add_points(
            *(*self._rings, self.filled, self.plan.pane_max, self.slots),
            *(admitted.slot, admitted.time_ns, _read_only(value), admitted.outcome),
        )

    def fold_series(self, block: AdmittedSeries, rows: Ints) -> None:
        """Let the samples of a block in; `rows` are those of its sensors within the bank."""
        value = block.value
        if value.dtype != self.precision:
            with np.errstate(over="ignore"):
                value = value.astype(self.precision)
        trail.add_series(
            *(*self._rings, self.filled, self.plan.pane_max, self.slots, rows),
            *(block.t0_ns, block.period_ns, block.start, block.stop, self.pane_ns),
            *(_read_only(value), block.outcome),
        )

    def put(self, rows: Ints, time_ns: int, value: NDArray[np.floating]) -> None:
        """Let one value of some sensors in, all of one time."""
        slot = rows * self.slots + (time_ns - 1) // self.pane_ns % self.slots
        times = np.full(rows.size, time_ns, dtype=np.int64)
        outcome = np.zeros(rows.size, dtype=np.uint8)
        trail.add_points(
            *(*self._rings, self.filled, self.plan.pane_max, self.slots),
            *(slot, times, _read_only(value), outcome),
        )

    def close(self, pane: int, low_row: Ints, high_row: Ints) -> None:
        """No reading of a pane comes any more."""
        end_ns = (pane + 1) * self.pane_ns
        trail.close_pane(
            *(self.filled, self.plan.pane_max, self.slots, pane, end_ns, low_row, high_row),
            self.ring,
        )

    def find(self, rows: Ints, begin_ns: int, end_ns: int) -> tuple[Ints, Ints]:
        """Where the readings in (begin, end] are, and how many; -1: more than are kept."""
        begin, count = np.empty((2, rows.size), dtype=np.int64)
        trail.find(
            *(self.times, self.ring, rows, begin_ns, end_ns, self.plan.window_max),
            *(begin, count),
        )
        return begin, count

    def pieces(self, rows: Ints, found: tuple[Ints, Ints], end_ns: int) -> Iterator[Piece]:
        """The readings that were found, some rows at a time; none where they are not known."""
        begin, count = found
        ends = np.cumsum(np.maximum(count, 0))
        low = 0
        while low < rows.size:
            before = ends[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(ends, before + READINGS_AT_ONCE, "right")))
            start = np.append(0, ends[low:high] - before)
            since_s, value = np.empty((2, int(start[-1])))
            trail.gather(
                *(*self._rings, rows[low:high], begin[low:high], start),
                *(end_ns, since_s, value),
            )
            yield Piece(low, high, start, since_s, value)
            low = high

    def begin(self, rows: NDArray[np.intp], until_ns: Ints) -> None:
        """What was read up to then is not known of some rows."""
        self.ring["lost_ns"][rows] = until_ns

    def take_overfull(self) -> int:
        """How many windows held more readings than are kept, since this was last asked."""
        count, self.overfull_count = self.overfull_count, 0
        return count

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot: one record of all readings per sensor."""
        record = np.dtype((np.void, 8 * self.plan.capacity))
        found: dict[str, NDArray[np.generic]] = {
            "times": self.times.reshape(-1).view(record),
            "values": self.values.reshape(-1).view(record),
            "ring": self.ring,
            "filled": self.filled,
        }
        return {f"{self._label}/{name}": column for name, column in found.items()}

    @property
    def name(self) -> str:
        """A column that is kept if and only if the trail is."""
        return f"{self._label}/times"

    @property
    def _label(self) -> str:
        """Trails of another length are other columns: half of one is never taken over."""
        return f"trail/{self.plan.window_max}-{self.plan.pane_max}-{self.plan.capacity}"


def _read_only(value: NDArray[np.floating]) -> NDArray[np.floating]:
    """Columns of one kind, or the kernel is compiled again when a writable one comes."""
    view = np.ascontiguousarray(value).view()
    view.flags.writeable = False
    return view


Fill = Callable[[Piece, float, Floats], None]


@dataclass(slots=True)
class Spans:
    """The windows of some rows that end with one pane, over their trail."""

    trail: Trail
    rows: Ints
    end_ns: int
    found: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)

    def statistic(self, name: str, length_ns: int, share: float = 0.5) -> Floats:
        """A feature of the readings of each window; NaN where they are not all kept."""
        trail_ = self.trail

        def fill(piece: Piece, length_s: float, out: Floats) -> None:
            start, since_s, value, work = piece.start, piece.since_s, piece.value, trail_.work
            match name:
                case "median" | "p":
                    robust.quantiles(value, start, share, work, out)
                case "mad_score":
                    robust.mad_scores(value, start, work, out)
                case "noise":
                    robust.noises(value, start, work, out)
                case "slope":
                    point_s, point = np.empty((2, robust.POINTS_MAX))
                    robust.robust_slopes(since_s, value, start, length_s, work, point_s, point, out)
                case "zscore":
                    course.scores(value, start, out)
                case "inverse_velocity":
                    course.failures(since_s, value, start, length_s, out)
                case "sum" | "rate":
                    span_s = np.empty(out.size)
                    course.increases(since_s, value, start, out, span_s)
                    if name == "rate":
                        out /= np.where(span_s > 0, span_s, np.nan)
                case _:
                    message = f"{name} is not told by readings"
                    raise AssertionError(message)

        return self._each(length_ns, fill)

    def _each(self, length_ns: int, fill: Fill) -> Floats:
        if length_ns not in self.found:
            found = self.trail.find(self.rows, self.end_ns - length_ns, self.end_ns)
            self.trail.overfull_count += int(np.count_nonzero(found[1] < 0))
            self.found[length_ns] = found
        found = self.found[length_ns]
        out = np.empty(self.rows.size)
        for piece in self.trail.pieces(self.rows, found, self.end_ns):
            fill(piece, length_ns / NS_PER_S, out[piece.low : piece.high])
        out[found[1] < 0] = np.nan
        return out
