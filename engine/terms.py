"""Terms: a rule's settings as the columns that the kernels read, one line for each variant."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.variants import Variants
from kernels import ladder, stage, standing
from rules.grade import Grade
from rules.plan import RulePlan

FOREVER_NS = standing.FOREVER_NS
OUTCOMES = stage.OUTCOMES
POLICIES = {"ignore": ladder.IGNORE, "raise": ladder.RAISE, "unknown": ladder.UNKNOWN}

Ints = NDArray[np.int64]
Rows = NDArray[np.integer]


Kinds = list[tuple[int, int]]


def terms_of_rows(variants: Variants, period_ns: Ints) -> tuple[NDArray[np.void], Kinds, Rows]:
    """The different terms, the variant and period of each, and which of them each row has."""
    if variants.is_single:
        periods, of_row = np.unique(period_ns, return_inverse=True)
        kinds = [(0, period) for period in periods.tolist()]
    else:
        pairs = np.stack([variants.of.astype(np.int64), period_ns])
        found, of_row = np.unique(pairs, axis=1, return_inverse=True)
        kinds = [(number, period) for number, period in found.T.tolist()]
    return terms_of(variants, kinds), kinds, of_row


def terms_of(variants: Variants, kinds: Kinds) -> NDArray[np.void]:
    """The terms of some variants at some periods."""
    terms = [
        _terms(variants.plans[max(number, 0)], period, applies=number >= 0)
        for number, period in kinds
    ]
    return np.array(terms, standing.TERMS)


def stale_rules(variants: Variants) -> list[int | None]:
    """What each variant says of how long a reading holds; None: that depends on its period."""
    return [plan.rule.quality.stale_after_ns for plan in variants.plans]


def stale_of_rows(variants: Variants, period_ns: Ints) -> Ints:
    """How long a reading of each row holds: int64[rows]."""
    found = np.empty(period_ns.size, dtype=np.int64)
    for number, plan in enumerate(variants.plans):
        mine = np.flatnonzero(np.maximum(variants.of, 0) == number)
        periods, of_row = np.unique(period_ns[mine], return_inverse=True)
        found[mine] = np.array([plan.stale_ns(int(p)) for p in periods], np.int64)[of_row]
    return found


def _terms(plan: RulePlan, period_ns: int, *, applies: bool) -> tuple[object, ...]:
    by_grade = {grade.grade - 1: grade for grade in plan.grades}
    for_ns = [by_grade[g].for_ns if g in by_grade else 0 for g in range(4)]
    clear_for_ns = [by_grade[g].clear_for_ns if g in by_grade else 0 for g in range(4)]
    exists = sum(1 << g for g in by_grade) if applies else 0
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


def exists_of(plans: Sequence[RulePlan]) -> NDArray[np.uint8]:
    """Which grades each variant has; the last has none."""
    found = [sum(1 << (grade.grade - 1) for grade in plan.grades) for plan in plans]
    return np.array([*found, 0], dtype=np.uint8)


def verdicts_of(
    plans: Sequence[RulePlan],
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """What becomes of a reading by its outcome, for each variant; for the last nothing does."""
    kind = np.full((len(plans) + 1, OUTCOMES), ladder.IGNORED, dtype=np.uint8)
    forced = np.zeros((len(plans) + 1, OUTCOMES), dtype=np.uint16)
    for number, (plan, exists) in enumerate(zip(plans, exists_of(plans), strict=False)):
        quality = plan.rule.quality
        kind[number], forced[number] = ladder.verdicts(
            int(exists),
            POLICIES[quality.over],
            int(quality.over_grade or Grade.RED),
            POLICIES[quality.under],
        )
    return kind, forced


def thresholds(plans: Sequence[RulePlan]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Entry and clear threshold of each grade of plain ladders, NaN where there is none."""
    enter, clear = np.full((2, len(plans) + 1, 4), np.nan)
    for number, plan in enumerate(plans):
        for grade in plan.grades:
            if grade.enter is not None and grade.leave is not None:
                place = grade.grade - 1
                enter[number, place], clear[number, place] = grade.enter, grade.leave
    return enter, clear
