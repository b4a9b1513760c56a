"""Limits: how careless an override may make a ladder before somebody has to sign for it."""

from rules.drafts import Draft
from rules.fields import Fields
from rules.grade import Grade
from rules.grading_text import (
    LadderDraft,
    amount_of_threshold,
    draft_thresholds,
    grade_exists,
    steps_of,
)


def draft_limits(rule: Fields, ladder: LadderDraft | None) -> dict[Grade, Draft]:
    """`limits: {red: 1.5 %}`: what an override may set at most, or at least, unapproved."""
    node = rule.node_of("limits")
    if node is None:
        return {}
    if ladder is None:
        message = "`limits` bound the thresholds of a ladder, and this rule has none"
        rule.faults.add("E322", rule.key_place("limits"), message, remedy="remove it")
        return {}
    steps = {
        grade: step
        for grade, step in steps_of(node, "limits", rule.faults).items()
        if grade_exists(grade, ladder.grades, step, "limits", rule.faults)
    }
    return draft_thresholds(ladder, steps)


def build_limits(ladder: LadderDraft, limits: dict[Grade, Draft]) -> dict[Grade, float]:
    """The limits in the ladder's scale; one that depends on a sensor bounds nothing."""
    amounts = {grade: amount_of_threshold(ladder, draft) for grade, draft in limits.items()}
    return {grade: amount for grade, amount in amounts.items() if amount is not None}
