"""Graded: the grades of a rule as conditions with their holds, from blue to red."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rules import expression as ex
from rules.grouping import OWN_ROLLUP
from rules.pack import Rule
from rules.units import NUMBER


@dataclass(frozen=True, slots=True)
class GradePlan:
    """One grade of a rule: its conditions, its holds, and its threshold if it is a ladder's."""

    grade: int
    when: ex.Node
    clear: ex.Node | None
    for_ns: int
    clear_for_ns: int
    enter: float | None
    leave: float | None


def grades_of(rule: Rule) -> tuple[GradePlan, ...]:
    """The grades of a rule, those above its cap included: they are judged for the record.

    `downgrade: never_within` is a hold on the way down: what ends cannot have risen after it held.
    """
    how = _ladder_grades if rule.ladder else _rollup_grades if rule.rollup else _level_grades
    least_ns = rule.downgrade_after_ns
    return tuple(replace(g, clear_for_ns=max(g.clear_for_ns, least_ns)) for g in how(rule))


def _ladder_grades(rule: Rule) -> Iterable[GradePlan]:
    ladder = rule.ladder
    assert ladder is not None
    is_above = ladder.direction == "above"
    enter_with: ex.Comparison = ">=" if is_above else "<="
    leave_with: ex.Comparison = "<" if is_above else ">"
    for grade in sorted(ladder.enter):
        enter, leave = ladder.enter[grade], ladder.clear[grade]
        yield GradePlan(
            grade=int(grade),
            when=ex.compare(enter_with, ladder.value, enter),
            clear=ex.compare(leave_with, ladder.value, leave),
            for_ns=ladder.for_ns[grade],
            clear_for_ns=ladder.clear_for_ns[grade],
            enter=ex.constant(enter),
            leave=ex.constant(leave),
        )


def _level_grades(rule: Rule) -> Iterable[GradePlan]:
    assert rule.levels is not None
    for grade in sorted(rule.levels):
        level = rule.levels[grade]
        yield GradePlan(
            grade=int(grade),
            when=level.when,
            clear=level.clear,
            for_ns=level.for_ns,
            clear_for_ns=level.clear_for_ns,
            enter=None,
            leave=None,
        )


def _rollup_grades(rule: Rule) -> Iterable[GradePlan]:
    """Each grade stands for as long as the members' grades, taken together, reach it."""
    rolled = ex.OtherRule(OWN_ROLLUP, "grade", None, None, rule.place)
    for grade in rule.grades:
        reached = ex.compare(">=", rolled, ex.Number(float(grade), NUMBER, rule.place))
        yield GradePlan(int(grade), reached, None, 0, 0, None, None)


def conditions_of(grades: Iterable[GradePlan]) -> Iterator[ex.Node]:
    """What the grades are entered and left by."""
    for grade in grades:
        yield grade.when
        if grade.clear is not None:
            yield grade.clear


def features_of(grades: Iterable[GradePlan]) -> Iterator[ex.Feature]:
    """The features that the conditions look at."""
    for condition in conditions_of(grades):
        yield from ex.features(condition)


def shown_value(grades: Sequence[GradePlan]) -> ex.Node:
    """What a warning of `levels` shows: the first quantity that its lowest grade looks at."""
    return next(iter(features_of(grades)), grades[0].when)
