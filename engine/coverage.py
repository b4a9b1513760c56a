"""Coverage: which grades of a rule no test fires, and which no test keeps silent.

A grade that never fired in a test may never fire at all; one that fires in every test may fire on
anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.trial import Trial
from rules.errors import Place, RuleErrors
from rules.grade import Grade
from rules.pack import Rule


@dataclass(frozen=True, slots=True)
class Hole:
    """A grade of a rule that no test fires, or none keeps silent."""

    rule: str
    grade: Grade
    is_firing: bool
    place: Place


def holes_of(rule: Rule, trials: Sequence[Trial]) -> list[Hole]:
    """The holes in the tests of one rule; trials that cannot be made count for nothing."""
    reached = [found for trial in trials if (found := grades_reached(trial)) is not None]
    name = f"{rule.pack}/{rule.id}"
    holes = []
    for grade in rule.grades:
        if rule.cap is not None and grade > rule.cap:
            continue
        if not any(grade in grades for grades in reached):
            holes.append(Hole(name, grade, True, rule.place))
        if not any(max(grades, default=Grade.NONE) < grade for grades in reached):
            holes.append(Hole(name, grade, False, rule.place))
    return holes


def grades_reached(trial: Trial) -> set[Grade] | None:
    """Every grade that a test brings about; None where it cannot be played."""
    try:
        said = trial.whole.said(trial.name, "")
    except (RuleErrors, ConfigError):
        return None
    return {Grade[str(body["grade"]).upper()] for body in said}
