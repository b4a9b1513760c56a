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
from engine.features import Attributes, ReadingColumns
from engine.heirs import take_over
from engine.ranges import Ranges
from engine.terms import (
    exists_of,
    stale_of_rows,
    terms_of_rows,
    thresholds,
    verdicts_of,
)
from engine.variants import SeenColumns, Variants
from engine.verdicts import Verdicts
from kernels import ladder, latch, stage, standing, sweep, vm
from kernels.columns import aligned
from rules import expression as ex
from rules import judge
from rules.plan import RulePlan

# Changes are rare; a storm is drained in turns of this many.
CHANGES_PER_TURN = 4096
FOREVER_NS = standing.FOREVER_NS

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]
Rows = NDArray[np.integer]
Changes = NDArray[np.void]


class Latches:
    """One rule on the rows of one bank.

    A row is a sensor where the latches find the codes themselves.  Whoever brings the codes
    (`apply`) decides what a row is: a tank, a site, a cluster; then there are no attributes.
    """

    __slots__ = (
        "attributes",
        "buffer",
        "choice",
        "due_ns",
        "episode",
        "exists",
        "forced",
        "is_swept",
        "is_thorough",
        "kind",
        "latch",
        "plan",
        "site_due_ns",
        "site_of",
        "stale_ns",
        "term_kinds",
        "terms",
        "thresholds",
        "variants",
        "verdicts",
        "watch",
    )

    def __init__(
        self,
        plan: RulePlan,
        period_ns: Ints,
        site_rows: Ints,
        attributes: Attributes | None = None,
        variants: Variants | None = None,
        *,
        before: "Latches | None" = None,
    ) -> None:
        """period_ns int64[rows] of each row's sensor; rows of site k: site_rows[k : k + 2].

        before  the latches of the rule as it was, of the same rows; they are taken over as they
                stand, and must not be used any more (engine/succession.py)
        """
        rows = period_ns.size
        self.plan = plan
        self.attributes = attributes
        self.variants = Variants.single(plan, rows) if variants is None else variants
        plans = self.variants.plans
        self.exists = sum(1 << g for g in {grade.grade - 1 for p in plans for grade in p.grades})
        self.kind, self.forced = verdicts_of(plans)
        self.thresholds = thresholds(plans)
        self.verdicts: Verdicts | None = None
        if before is None:
            self._begin(period_ns, site_rows)
        else:
            take_over(self, before, period_ns)

    def _begin(self, period_ns: Ints, site_rows: Ints) -> None:
        """Nothing has been seen."""
        rows = period_ns.size
        self.latch = aligned(rows, standing.LATCH)
        self.episode = np.zeros(rows, dtype=standing.EPISODE)
        self.due_ns = np.empty(rows, dtype=np.int64)
        standing.forget(self.latch, self.episode, self.due_ns, 0, rows)
        self.terms, self.term_kinds, self.latch["terms"] = terms_of_rows(self.variants, period_ns)
        self.stale_ns = stale_of_rows(self.variants, period_ns)
        # One row for each variant, and the last for rows to which the rule does not apply.
        self.choice = (self.variants.of % (len(self.variants.plans) + 1)).astype(np.uint16)
        # When the first timer of each site ends, or earlier: most sites are never looked at.
        site_count = site_rows.size - 1
        self.site_due_ns = np.full(site_count, FOREVER_NS, dtype=np.int64)
        self.site_of = np.repeat(np.arange(site_count, dtype=np.int32), np.diff(site_rows))
        self.buffer = np.zeros(CHANGES_PER_TURN, dtype=standing.CHANGE)
        # Which rows are awake, for rules on windows; found from the lines.
        self.watch = sweep.watch_of(rows)
        self.is_thorough = self.is_swept = False
        self.wake()

    def wake(self) -> None:
        """Look at the lines again, after they were written from outside."""
        sweep.wake(self.latch, self.due_ns, self.terms, self.watch)

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

    @property
    def _is_plain(self) -> bool:
        """The conditions are comparisons of a reading with numbers, in all variants."""
        return all(plan.is_plain_ladder for plan in self.variants.plans)

    def _is_quiet(
        self, block: AdmittedSeries, rows: NDArray[np.int32], low: Floats, high: Floats
    ) -> NDArray[np.bool_]:
        if not self._is_plain:
            return np.zeros(rows.size, dtype=bool)
        quiet: NDArray[np.bool_] = self.latch["phase"][rows] == 0
        grades = [grade for plan in self.variants.plans for grade in plan.grades]
        enters = [grade.enter for grade in grades if grade.enter is not None]
        # A float32 sample is compared with the threshold in float32: the nearer of both bounds.
        bounds = [*enters, *(float(np.float32(enter)) for enter in enters)]
        quiet &= high < min(bounds) if self.plan.is_above else low > max(bounds)
        for what in (stage.OVER, stage.UNDER):
            if np.any(self.kind[:, what] != ladder.IGNORED):
                quiet &= block.tally[:, what] == 0
        # A late sample may be the newest of its sensor, and then it counts.
        quiet &= block.tally[:, stage.LATE] == 0
        return quiet

    def reading_codes(
        self, admitted: Admitted, rows: NDArray[np.int32]
    ) -> tuple[Floats, NDArray[np.uint16], NDArray[np.uint8]]:
        """What was compared, what it means for the grades, and whether it counts."""
        value, outcome = admitted.value, admitted.outcome
        if not self._is_plain:
            return self._conditions(value, outcome, rows)
        code = np.empty(rows.size, dtype=np.uint16)
        applies = np.empty(rows.size, dtype=np.uint8)
        enter, clear = (bound.astype(value.dtype) for bound in self.thresholds)
        is_above = self.plan.is_above
        if self.variants.is_single:
            ladder.codes(
                *(value, outcome, enter[0], clear[0], self.exists, is_above),
                *(self.kind[0], self.forced[0], code, applies),
            )
        else:
            exists = exists_of(self.variants.plans)
            ladder.codes_by_row(
                *(value, outcome, rows, self.choice, enter, clear, exists, is_above),
                *(self.kind, self.forced, code, applies),
            )
        return value, code, applies

    def _conditions(
        self, value: Floats, outcome: NDArray[np.uint8], rows: NDArray[np.int32]
    ) -> tuple[Floats, NDArray[np.uint16], NDArray[np.uint8]]:
        """The same for a rule that is more than a ladder of numbers."""
        assert self.attributes is not None
        columns = ReadingColumns(self.plan, rows, value, self.attributes)
        if self.verdicts is None:
            self.verdicts = Verdicts([self.variants], self.attributes)
        code = self.verdicts.codes(columns, rows)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            shown = np.ascontiguousarray(judge.number(self.plan.value, columns))
        choice = self.choice[rows]
        kind = self.kind[choice, outcome]
        forced = kind == ladder.FORCED
        code[forced] = self.forced[choice, outcome][forced]
        return shown, code, (kind != ladder.IGNORED).view(np.uint8)

    def stirring(self, columns: SeenColumns) -> NDArray[np.uint8]:
        """Which blocks of 4096 rows must be judged although nothing may be true of them.

        Returns uint8[n]: 1 where a row is awake, or a sensor is pegged.
        """
        rows = columns.measures.rows
        found = np.zeros(-(-rows.size // sweep.BLOCK), dtype=np.uint8)
        if self.is_thorough:
            found[:] = 1
            return found
        sweep.find_stirring(self.watch.awake, rows, found)
        if np.any(self.kind[:, stage.OVER] == ladder.FORCED):
            found[np.flatnonzero(self._pegged(columns)) // sweep.BLOCK] = 1
        return found

    def close(
        self,
        columns: SeenColumns,
        bits: NDArray[np.uint64],
        is_loud: NDArray[np.uint8],
        *,
        next_ns: int,
    ) -> Iterator[Changes]:
        """Judge rows at the end of a pane; `columns` has them one by one.

        bits, is_loud   what the conditions say of them: of one rule, from engine/verdicts.py
        next_ns         no pane of these rows ends before it
        """
        if not is_loud.any():
            return
        measures = columns.measures
        with np.errstate(invalid="ignore", divide="ignore"):
            shown = judge.number(self.plan.value, columns)
        value: Floats = np.broadcast_to(np.asarray(shown, np.float64), measures.rows.size)
        if np.any(self.kind[:, stage.OVER] == ladder.FORCED):
            pegged = np.flatnonzero(self._pegged(columns))
            _force(bits, pegged, self.forced[self.choice[measures.rows[pegged]], stage.OVER])
            if ex.is_point(self.plan.value) and pegged.size:
                # What the window holds is older than the reading that speaks here.
                assert measures.raw_value is not None
                value = value.copy()
                value[pegged] = measures.raw_value[pegged]
        value = _read_only(value)
        if self.is_thorough:
            yield from self._tell_all(bits, value, columns)
            return
        self.is_swept = True
        start = 0
        while start < value.size:
            start, count = sweep.apply_blocks(
                *(self.latch, self.episode, self.due_ns, self.terms, self.watch, measures.rows),
                *(measures.end_ns, next_ns, value, bits, is_loud, start, self.buffer),
            )
            yield from self._drain(count)

    def _tell_all(
        self, bits: NDArray[np.uint64], value: Floats, columns: SeenColumns
    ) -> Iterator[Changes]:
        """Tell every row of the pane, as if none could be left alone."""
        code = np.zeros(-(-value.size // sweep.LANES) * sweep.LANES, dtype=np.uint16)
        vm.spell(bits, value.size, code)
        rows, end_ns = columns.measures.rows.astype(np.int64), columns.measures.end_ns
        yield from self.apply(code[: value.size], value, end_ns, (rows, rows + 1))

    def apply(
        self, code: NDArray[np.uint16], value: Floats, end_ns: int, ranges: Ranges
    ) -> Iterator[Changes]:
        """Judge ranges of rows at one instant, which is no earlier than any before it.

        code    uint16[m]   what is true and unknown of each grade, laid out as in rules/judge.py
        value   float64[m]  what was compared
        ranges  first rows of the ranges and the rows one past their last; m rows in all
        """
        start_row, stop_row = ranges
        value = _read_only(value)
        start = 0
        while start < code.size:
            start, count = sweep.apply_panes(
                *(self.latch, self.episode, self.due_ns, self.terms, start_row, stop_row),
                *(end_ns, value, code, start, self.buffer),
            )
            yield from self._drain(count)

    def _pegged(self, columns: SeenColumns) -> NDArray[np.bool_]:
        """Where the newest reading is above the range and holds still, and the rule minds."""
        measures = columns.measures
        assert measures.pegged is not None
        assert measures.pegged_ns is not None
        is_fresh = measures.end_ns - measures.pegged_ns < self.stale_ns[measures.rows]
        minds = self.kind[self.choice[measures.rows], stage.OVER] == ladder.FORCED
        found: NDArray[np.bool_] = measures.pegged & is_fresh & minds
        return found

    def reset(self, rows: Ints, time_ns: int) -> Iterator[Changes]:
        """An operator lets go of what is latched on some rows, where it is over."""
        self.note_shown()
        start = 0
        while start < rows.size:
            start, count = latch.reset(
                *(self.latch, self.episode, self.due_ns, self.terms, rows, time_ns, start),
                self.buffer,
            )
            yield from self._drain(count)
        standing.note_due(rows.astype(np.int32), self.site_of, self.due_ns, self.site_due_ns)
        self.wake()

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

    def note_shown(self) -> None:
        """What was compared last is in the lines again, where it was kept apart."""
        if self.is_swept:
            sweep.note_shown(self.latch, self.watch.held, self.watch.shown)

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        name = self.plan.home
        self.note_shown()
        return {
            f"latch/{name}/line": self.latch,
            f"latch/{name}/episode": self.episode,
            f"latch/{name}/due_ns": self.due_ns,
            f"latch/{name}/site_due_ns": self.site_due_ns,
        }


def _read_only(value: Floats) -> Floats:
    """Columns of one kind, or the kernel is compiled again when a writable one comes."""
    view = np.ascontiguousarray(value).view()
    view.flags.writeable = False
    return view


def _force(bits: NDArray[np.uint64], places: Rows, code: NDArray[np.uint16]) -> None:
    """Write codes over what the conditions said of some places."""
    word, mark = places // sweep.LANES, np.uint64(1) << (places % sweep.LANES).astype(np.uint64)
    for bit in range(bits.shape[1]):
        np.bitwise_and.at(bits[:, bit], word, ~mark)
        is_set = code >> bit & 1 == 1
        np.bitwise_or.at(bits[:, bit], word[is_set], mark[is_set])
