"""Shown: what the message of a rule tells beside its value, as expressions to be measured.

A template names inputs and `let`; only those are measured, and only when a grade changes. What
comes out is a number and a word for how to write it: a unit, or GRADE, TRUTH or SEASON.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rules import expression as ex
from rules.expression import Node
from rules.phrases import GRADE, SEASON, TRUTH

if TYPE_CHECKING:
    from rules.pack import Rule

# What one sensor alone cannot tell.
FAR = ex.Vote | ex.Gather | ex.Step | ex.OtherRule | ex.ClusterSize


def shown_nodes(rule: "Rule") -> dict[str, Node]:
    """What each name in the rule's templates stands for, in the order of the names.

    An input stands for its newest value.
    """
    return {name: _node(rule, name) for name in sorted(rule.message.names)}


def _node(rule: "Rule", name: str) -> Node:
    if name in rule.lets:
        return rule.lets[name]
    given = rule.inputs[name]
    return ex.Feature("value", (), given.scale.unit.dimension, rule.place, input=name)


def shown_features(rule: "Rule") -> Iterator[ex.Feature]:
    """The features that the rule's templates show."""
    for node in rule.shown.values():
        yield from ex.features(node)


def unmeasured(rule: "Rule", *, is_per_reading: bool) -> list[str]:
    """Names of what cannot be measured where the rule is judged: beside one sensor, or a reading.

    A message never decides how a rule is judged: what it shows must be there to be shown. A
    cluster has members, and nothing else.
    """
    if rule.cluster is not None:
        return [name for name, node in rule.shown.items() if not _is_of_members(node)]
    if not rule.is_local:
        return []
    return [
        name
        for name, node in rule.shown.items()
        if any(
            isinstance(part, FAR) or (is_per_reading and _is_of_panes(part))
            for part in ex.walk(node)
        )
    ]


def _is_of_panes(part: Node) -> bool:
    is_window = isinstance(part, ex.Feature) and part.name != "value"
    return is_window or isinstance(part, ex.Calendar)


def _is_of_members(node: Node) -> bool:
    if isinstance(node, ex.Vote | ex.Gather | ex.ClusterSize | ex.Number):
        return True
    inner = ex.parts(node)
    return bool(inner) and all(_is_of_members(part) for part in inner)


def word_of(node: Node, rule: "Rule") -> str:
    """How the number that a node comes to is written: in a unit, or as GRADE, TRUTH or SEASON."""
    if ex.is_condition(node):
        return TRUTH
    if isinstance(node, ex.Calendar) and node.name == "season":
        return SEASON
    if _is_grade(node):
        return GRADE
    first = next(ex.features(node), None)
    given = rule.input if first is None else rule.inputs.get(first.input, rule.input)
    return ex.unit_of(node, given.scale)


def _is_grade(node: Node) -> bool:
    match node:
        case ex.OtherRule(what=what):
            return what == "grade"
        case ex.OrElse(first=first):
            return _is_grade(first)
        case _:
            return False
