"""Latches: the standing of one rule on every sensor of a bank, or on instances of any other kind.

Enters     readings with their outcomes, the measures of closed panes, or codes; horizons
Leaves     change records, in the order in which they became true for each row
Remembers  one line of 64 bytes per row: phases, timers, code, grade; episodes and revisions
Refuses    nothing: what is unknown freezes the timers and moves nothing

The machine itself is `kernels/latch.py`; what a condition means is `rules/judge.py`.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries
from engine.features import Attributes, PaneColumns, ReadingColumns
from kernels import ladder, latch, stage, standing, sweep
from kernels.columns import aligned
from rules import expression as ex
from rules import judge
from rules.grade import Grade
from rules.judge import codes
from rules.plan import RulePlan

# Changes are rare; a storm is drained in turns of this many.
CHANGES_PER_TURN = 4096
FOREVER_NS = standing.FOREVER_NS
POLICIES = {"ignore": ladder.IGNORE, "raise": ladder.RAISE, "unknown": ladder.UNKNOWN}

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]
Changes = NDArray[np.void]
# First rows of ranges, and the rows one past their last.
Ranges = tuple[Ints, Ints]


class Latches:
    """One rule on the rows of one bank.

    A row is a sensor where the latches find the codes themselves.  Whoever brings the codes
    (`apply`) decides what a row is: a tank, a site, a cluster; then there are no attributes.
    """

    __slots__ = (
        "attributes",
        "buffer",
        "due_ns",
        "episode",
        "exists",
        "forced",
        "kind",
        "latch",
        "plan",
        "site_due_ns",
        "site_of",
        "stale_ns",
        "terms",
        "thresholds",
    )

    def __init__(
        self,
        plan: RulePlan,
        period_ns: Ints,
        site_rows: Ints,
        attributes: Attributes | None = None,
    ) -> None:
        """period_ns int64[rows] of each row's sensor; rows of site k: site_rows[k : k + 2]."""
        rows = period_ns.size
        self.plan = plan
        self.attributes = attributes
        self.latch = aligned(rows, standing.LATCH)
        self.episode = np.zeros(rows, dtype=standing.EPISODE)
        self.due_ns = np.empty(rows, dtype=np.int64)
        standing.forget(self.latch, self.episode, self.due_ns, 0, rows)
        periods, terms_of = np.unique(period_ns, return_inverse=True)
        self.terms = np.array([_terms(plan, int(period)) for period in periods], standing.TERMS)
        self.latch["terms"] = terms_of
        self.stale_ns = np.array([plan.stale_ns(int(p)) for p in periods], np.int64)[terms_of]
        self.exists = sum(1 << (grade.grade - 1) for grade in plan.grades)
        quality = plan.rule.quality
        self.kind, self.forced = ladder.verdicts(
            self.exists,
            POLICIES[quality.over],
            int(quality.over_grade or Grade.RED),
            POLICIES[quality.under],
        )
        self.thresholds = _thresholds(plan)
        # When the first timer of each site ends, or earlier: most sites are never looked at.
        site_count = site_rows.size - 1
        self.site_due_ns = np.full(site_count, FOREVER_NS, dtype=np.int64)
        self.site_of = np.repeat(np.arange(site_count, dtype=np.int32), np.diff(site_rows))
        self.buffer = np.zeros(CHANGES_PER_TURN, dtype=standing.CHANGE)

    def read(self, admitted: Admitted, rows: NDArray[np.int32]) -> Iterator[Changes]:
        """Judge readings in the order of their arrival.

        rows  int32[n]  row within the bank of each of the admitted readings
        """
        value, code, applies = self.reading_codes(admitted, rows)
        start = 0
        while start < rows.size:
            start, count = latch.apply_readings(
                *(self.latch, self.episode, self.due_ns, self.terms, rows, admitted.time_ns),
                *(value, code, applies, admitted.horizon_ns, start, self.buffer),
            )
            yield from self._drain(count)
        standing.note_due(rows, self.site_of, self.due_ns, self.site_due_ns)

    def read_series(
        self, block: AdmittedSeries, rows: NDArray[np.int32], low: Floats, high: Floats
    ) -> Iterator[Changes]:
        """Judge the samples of a block as if they were readings.

        rows       int32[n]  row within the bank of each sensor of the block
        low, high  float[n]  least and greatest good sample

        Where nothing is on and no sample reaches a threshold, only the last one matters.
        """
        if block.start == block.stop:
            return  # a block that only pulled the clock
        quiet = self._is_quiet(block, rows, low, high)
        first = np.where(quiet, block.stop - 1, block.start)
        usable = block.outcome[:, block.stop - 1] == stage.FOLDED
        first = np.where(quiet & ~usable, block.start, first)
        chosen = np.arange(rows.size)
        expanded = block.as_readings(chosen, first)
        yield from self.read(expanded, np.repeat(rows, block.stop - first))

    def _is_quiet(
        self, block: AdmittedSeries, rows: NDArray[np.int32], low: Floats, high: Floats
    ) -> NDArray[np.bool_]:
        if not self.plan.is_plain_ladder:
            return np.zeros(rows.size, dtype=bool)
        quiet: NDArray[np.bool_] = self.latch["phase"][rows] == 0
        enters = [grade.enter for grade in self.plan.grades if grade.enter is not None]
        # A float32 sample is compared with the threshold in float32: the nearer of both bounds.
        bounds = [*enters, *(float(np.float32(enter)) for enter in enters)]
        quiet &= high < min(bounds) if self.plan.is_above else low > max(bounds)
        for what in (stage.OVER, stage.UNDER):
            if self.kind[what] != ladder.IGNORED:
                quiet &= block.tally[:, what] == 0
        # A late sample may be the newest of its sensor, and then it counts.
        quiet &= block.tally[:, stage.LATE] == 0
        return quiet

    def reading_codes(
        self, admitted: Admitted, rows: NDArray[np.int32]
    ) -> tuple[Floats, NDArray[np.uint16], NDArray[np.uint8]]:
        """What was compared, what it means for the grades, and whether it counts."""
        value, outcome = admitted.value, admitted.outcome
        if not self.plan.is_plain_ladder:
            assert self.attributes is not None
            columns = ReadingColumns(self.plan, rows, value, self.attributes)
            code = codes(self.plan, columns)
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                value = np.ascontiguousarray(judge.number(self.plan.value, columns))
            kind = self.kind[outcome]
            forced = kind == ladder.FORCED
            code[forced] = self.forced[outcome[forced]]
            return value, code, (kind != ladder.IGNORED).view(np.uint8)
        code = np.empty(rows.size, dtype=np.uint16)
        applies = np.empty(rows.size, dtype=np.uint8)
        enter, clear = (bound.astype(value.dtype) for bound in self.thresholds)
        ladder.codes(
            *(value, outcome, enter, clear, self.exists, self.plan.is_above),
            *(self.kind, self.forced, code, applies),
        )
        return value, code, applies

    def close(
        self, columns: PaneColumns, start_row: NDArray[np.int64], stop_row: NDArray[np.int64]
    ) -> Iterator[Changes]:
        """Judge ranges of rows at the end of a pane; `columns` has their rows one by one."""
        code = codes(self.plan, columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            shown = judge.number(self.plan.value, columns)
        value = np.broadcast_to(np.asarray(shown, dtype=np.float64), code.size)
        if self.kind[stage.OVER] == ladder.FORCED:
            pegged, raw_value = self._pegged(columns)
            code[pegged] = self.forced[stage.OVER]
            if ex.is_point(self.plan.value):
                # What the window holds is older than the reading that speaks here.
                value = np.where(pegged, raw_value, value)
        yield from self.apply(code, value, columns.measures.end_ns, (start_row, stop_row))

    def apply(
        self, code: NDArray[np.uint16], value: NDArray[np.float64], end_ns: int, ranges: Ranges
    ) -> Iterator[Changes]:
        """Judge ranges of rows at one instant, which is no earlier than any before it.

        code    uint16[m]   what is true and unknown of each grade, laid out as in rules/judge.py
        value   float64[m]  what was compared
        ranges  first rows of the ranges and the rows one past their last; m rows in all
        """
        start_row, stop_row = ranges
        # Columns of one kind, or the kernel is compiled again when a writable one comes.
        value = np.ascontiguousarray(value).view()
        value.flags.writeable = False
        start = 0
        while start < code.size:
            start, count = sweep.apply_panes(
                *(self.latch, self.episode, self.due_ns, self.terms, start_row, stop_row),
                *(end_ns, value, code, start, self.buffer),
            )
            yield from self._drain(count)

    def _pegged(self, columns: PaneColumns) -> tuple[NDArray[np.bool_], Floats]:
        """Where the newest reading is above the range and holds still, and what it was."""
        measures = columns.measures
        assert measures.pegged is not None
        assert measures.pegged_ns is not None
        assert measures.raw_value is not None
        is_fresh = measures.end_ns - measures.pegged_ns < self.stale_ns[measures.rows]
        return measures.pegged & is_fresh, measures.raw_value

    def is_at_rest(self, start_row: int, stop_row: int) -> bool:
        """No row of a range waits for a time to come."""
        return bool(standing.earliest_due(self.due_ns, start_row, stop_row) >= FOREVER_NS)

    def advance(self, site_rows: Ints, horizon_ns: Ints) -> Iterator[Changes]:
        """Let the timers end that came due before the horizon of their site.

        site_rows   int64[k + 1]  rows of site k are site_rows[k] : site_rows[k + 1]
        horizon_ns  int64[k]
        """
        ready = np.flatnonzero(self.site_due_ns < horizon_ns)
        if ready.size == 0:
            return
        start_row, stop_row = site_rows[ready], site_rows[ready + 1]
        start = 0
        while start < ready.size:
            start, count = latch.advance(
                *(self.latch, self.episode, self.due_ns, self.terms, start_row, stop_row),
                *(horizon_ns[ready], start, self.buffer),
            )
            yield from self._drain(count)
        for site, low, high in zip(ready, start_row, stop_row, strict=True):
            self.site_due_ns[site] = standing.earliest_due(self.due_ns, low, high)

    def _drain(self, count: int) -> Iterator[Changes]:
        if count:
            yield self.buffer[:count].copy()

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        name = self.plan.name
        return {
            f"latch/{name}/line": self.latch,
            f"latch/{name}/episode": self.episode,
            f"latch/{name}/due_ns": self.due_ns,
            f"latch/{name}/site_due_ns": self.site_due_ns,
        }


def _terms(plan: RulePlan, period_ns: int) -> tuple[object, ...]:
    by_grade = {grade.grade - 1: grade for grade in plan.grades}
    for_ns = [by_grade[g].for_ns if g in by_grade else 0 for g in range(4)]
    clear_for_ns = [by_grade[g].clear_for_ns if g in by_grade else 0 for g in range(4)]
    exists = sum(1 << g for g in by_grade)
    sticky = sum(1 << (int(grade) - 1) for grade in plan.rule.latch)
    return (
        for_ns,
        clear_for_ns,
        plan.stale_ns(period_ns) if plan.is_per_reading else FOREVER_NS,
        plan.blind_ns(period_ns),
        exists,
        sticky & exists,
        int(plan.rule.closure),
        (0, 0, 0, 0, 0),
    )


def _thresholds(plan: RulePlan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Entry and clear threshold of each grade of a plain ladder, NaN where there is none."""
    enter, clear = np.full((2, 4), np.nan)
    for grade in plan.grades:
        if grade.enter is not None and grade.leave is not None:
            enter[grade.grade - 1], clear[grade.grade - 1] = grade.enter, grade.leave
    return enter, clear
