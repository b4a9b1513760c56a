"""History: what is remembered of one stream of a bank beyond its open panes.

A stream is the good readings of its sensors, all their readings, or the scores of their models.
Closed panes go in, one after the other for each row; the windows that end with them come out.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.measures import ALWAYS_KNOWN, Measures
from engine.stacks import AS_READ, Stacks, Window
from engine.trails import Spans, Trail
from kernels import panes, walk
from kernels.columns import aligned
from rules.needs import Asked, HistoryPlan

NS_PER_S = 1_000_000_000
# Samples of an accelerometer that are further apart are not one motion.
MOTION_GAP_NS = NS_PER_S
MOTION_PERIODS = 3

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Ranges = tuple[Ints, Ints]


class History:
    """Stacks, trail, walks and delays of one stream."""

    __slots__ = (
        "delays", "is_narrow", "motion", "pane_ns", "peaks", "period_ns", "plan", "smooth",
        "stacks", "stale_ns", "trail",
    )  # fmt: skip

    def __init__(
        self,
        plan: HistoryPlan,
        period_ns: Ints,
        stale_ns: Ints,
        *,
        slots: int,
        pane_ns: int,
        is_narrow: bool,
    ) -> None:
        rows = period_ns.size
        self.plan = plan
        self.pane_ns = pane_ns
        self.period_ns = period_ns
        self.stale_ns = stale_ns
        self.is_narrow = is_narrow
        self.stacks = tuple(Stacks.make(window, rows) for window in plan.windows)
        self.trail = (
            None
            if plan.trail is None
            else Trail(plan.trail, rows, slots=slots, pane_ns=pane_ns, is_narrow=is_narrow)
        )
        self.smooth = {tau_ns: aligned(rows, walk.SMOOTH) for tau_ns in plan.smooth_ns}
        self.motion = aligned(rows if plan.motions else 0, walk.MOTION)
        self.peaks = tuple(Stacks.make(window, rows) for window in plan.motions)
        self.delays = {asked: _delay(asked, panes_, rows) for asked, panes_ in plan.delays}

    def close(self, pane: int, ranges: Ranges, table: Floats, measures: Measures) -> None:
        """Take in a closed pane, and tell what is known at its end.

        table  float64[12, m]  the pane, as kernels/panes.py gives it
        """
        rows = measures.rows
        period_ns = self.period_ns[rows]
        for stacks in self.stacks:
            fields = stacks.tick(pane, self.pane_ns, ranges, table)
            for name in AS_READ & fields.keys():
                # Infinite: of a pane from before this part was kept (Stacks.begin_part).
                fields[name][np.isinf(fields[name])] = np.nan
                if self.is_narrow:
                    # A float32 extreme is compared with thresholds as a float32.
                    fields[name] = fields[name].astype(np.float32)
            length_ns = stacks.plan.length_ns
            measures.windows[length_ns] = Window(
                fields["count"], _expected(length_ns, period_ns), fields, length_ns / NS_PER_S
            )
        if self.trail is not None:
            self.trail.close(pane, *ranges)
            measures.spans = Spans(self.trail, rows, measures.end_ns)
            if self.smooth or self.peaks:
                self._walk(pane, ranges, measures)
        for asked, ring in self.delays.items():
            now = _now(asked)
            measures.delayed[asked] = _delayed(
                ring, pane, rows, (measures.figure(now), measures.share(now.feature))
            )

    def _walk(self, pane: int, ranges: Ranges, measures: Measures) -> None:
        assert self.trail is not None
        rows, end_ns = measures.rows, measures.end_ns
        found = self.trail.find(rows, end_ns - self.pane_ns, end_ns)
        # What is not known in full cannot be walked through: the walk begins anew.
        lost = rows[found[1] < 0]
        for line in (*self.smooth.values(), *((self.motion,) if self.peaks else ())):
            line["last_ns"][lost] = 0
        measures.smooth = {tau_ns: np.empty(rows.size) for tau_ns in self.smooth}
        peaks = np.full((panes.PANE_ROWS, rows.size), np.nan)
        for piece in self.trail.pieces(rows, found, end_ns):
            part = slice(piece.low, piece.high)
            readings = (rows[part], piece.since_s, piece.value, piece.start, end_ns)
            for tau_ns, line in self.smooth.items():
                gap_ns = np.maximum(self.stale_ns, tau_ns)
                out = measures.smooth[tau_ns][part]
                walk.smooth(line, *readings, tau_ns / NS_PER_S, gap_ns, out)
            if self.peaks:
                # The greatest |velocity| stands below, negative: one stack of bounds keeps both.
                gap_ns = np.maximum(MOTION_PERIODS * self.period_ns, MOTION_GAP_NS)
                velocity = np.empty(piece.high - piece.low)
                walk.move(self.motion, *readings, gap_ns, peaks[panes.COUNT, part],
                          peaks[panes.HIGH, part], velocity)  # fmt: skip
                peaks[panes.LOW, part] = -velocity
        for stacks in self.peaks:
            length_ns = stacks.plan.length_ns
            fields = stacks.tick(pane, self.pane_ns, ranges, peaks)
            expected = _expected(length_ns, self.period_ns[rows])
            measures.motions[length_ns] = Window(
                fields["count"], expected, fields, length_ns / NS_PER_S
            )

    def begin_parts(
        self, kept: Collection[str], rows: NDArray[np.intp], open_from: Ints, open_until: Ints
    ) -> None:
        """After a change of rules: what was not kept before is unknown until it has filled.

        kept        names, as in `columns`, of what was taken over for some rows
        open_from   int64[m]  their oldest open pane; open_until: the last that may be open
        """
        for stacks in self.stacks:
            prefix = f"window/{stacks.plan.length_ns}"
            for part, ring in (("bounds", stacks.bounds), ("ends", stacks.ends)):
                if ring.shape[0] and f"{prefix}/sums" in kept and f"{prefix}/{part}" not in kept:
                    stacks.begin_part(part, rows, open_from - 1)
        if self.trail is not None and self.trail.name not in kept:
            self.trail.begin(rows, (open_until + 1) * self.pane_ns)

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {}
        for kind, stacks_of in (("window", self.stacks), ("motion", self.peaks)):
            for stacks in stacks_of:
                for name, column in stacks.columns().items():
                    found[f"{kind}/{stacks.plan.length_ns}/{name}"] = column
        if self.trail is not None:
            found |= self.trail.columns()
        for tau_ns, line in self.smooth.items():
            found[f"smooth/{tau_ns}"] = line
        if self.peaks:
            found["motion/line"] = self.motion
        for asked, ring in self.delays.items():
            found[f"delay/{_label(asked)}"] = ring
        return found


def _expected(length_ns: int, period_ns: Ints) -> Floats:
    return np.where(period_ns > 0, length_ns / np.maximum(period_ns, 1), 1.0)


def _now(asked: Asked) -> Asked:
    """The same feature without its offset."""
    return replace(asked, feature=replace(asked.feature, offset_ns=0))


def _delay(asked: Asked, pane_count: int, rows: int) -> Floats:
    """The newest numbers of a feature and the coverage of its window, pane by pane.

    At first there is nothing: no share of the readings, a count of 0, and else no number.
    """
    ring = aligned((2, pane_count + 1, rows), np.dtype(np.float64))
    ring[0] = 0.0 if asked.feature.name in ALWAYS_KNOWN else np.nan
    return ring


def _delayed(
    ring: Floats, pane: int, rows: Ints, columns: tuple[NDArray[np.floating], Floats]
) -> tuple[Floats, Floats]:
    """Put the present numbers in, and take out those of the offset ago."""
    here, then = pane % ring.shape[1], (pane + 1) % ring.shape[1]
    ring[0, here, rows], ring[1, here, rows] = columns
    return ring[0, then, rows], ring[1, then, rows]


def _label(asked: Asked) -> str:
    """What tells one delay from another, as a part of a column's name."""
    feature = asked.feature
    options = "+".join(f"{name}={value!r}" for name, value in feature.options)
    windows = "+".join(str(length_ns) for length_ns in feature.windows_ns)
    parts = (feature.name, windows, feature.offset_ns, options, asked.kind)
    return "/".join(str(part) for part in (*parts, asked.side))
