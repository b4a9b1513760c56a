"""Mutation: rules with one thing wrong, which some test of theirs should notice.

A comparison is turned round, a threshold is moved by half.  What no test notices is either
untested or means nothing; both are worth knowing before the rule is trusted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final, cast

from engine.trial import Trial
from rules import expression as ex
from rules.errors import Place
from rules.expression import Comparison, Node
from rules.grade import Grade
from rules.pack import Level, Pack, Rule
from rules.retold import Teller
from rules.units import NUMBER

TURNED: Final[dict[str, Comparison]] = {
    ">=": "<", ">": "<=", "<=": ">", "<": ">=", "==": "!=", "!=": "==",
}  # fmt: skip
MOVES: Final = (1.5, 1 / 1.5)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one thing changed: where, from what, to what."""

    rule: Rule
    mutated: Rule
    place: Place
    before: str
    after: str


def mutants_of(rule: Rule) -> Iterator[Mutant]:
    """Every comparison turned round, every threshold moved both ways."""
    teller = Teller(rule.input.unit)
    if rule.ladder is not None:
        ladder = rule.ladder
        for grade, enter in ladder.enter.items():
            if rule.cap is not None and grade > rule.cap:
                continue
            for moved in _moved(enter):
                changed = replace(ladder, enter={**ladder.enter, grade: moved})
                yield Mutant(
                    *(rule, replace(rule, ladder=changed), _place(enter, rule)),
                    f"{grade.word}: {teller.text(enter)}",
                    f"{grade.word}: {_shown(moved, teller)}",
                )
    for grade, level in (rule.levels or {}).items():
        if rule.cap is not None and grade > rule.cap:
            continue
        for node, other in _changes(level.when):
            when = _swapped(level.when, node, other)
            levels: dict[Grade, Level] = {**(rule.levels or {}), grade: replace(level, when=when)}
            yield Mutant(
                *(rule, replace(rule, levels=levels), _place(node, rule)),
                teller.text(node),
                _shown(other, teller),
            )


def survives(pack: Pack, mutant: Mutant) -> bool:
    """Whether every test still holds."""
    return not any(
        Trial(pack, mutant.mutated, scenario).failures() for scenario in mutant.rule.tests
    )


def _changes(condition: Node) -> Iterator[tuple[Node, Node]]:
    """Nodes of a condition with what they may be changed into."""
    for node in ex.walk(condition):
        if not isinstance(node, ex.Compare) or len(node.operators) != 1:
            continue
        yield node, replace(node, operators=(TURNED[node.operators[0]],))
        for side in node.operands:
            if ex.constant(side) is not None:
                for moved in _moved(side):
                    yield side, moved


def _moved(threshold: Node) -> Iterator[Node]:
    """A threshold half as far again, and a third nearer; one of zero goes nowhere."""
    value = ex.constant(threshold)
    place = getattr(threshold, "place", Place("", 0, 0))
    for move in MOVES:
        if value is None:
            factor = ex.Number(move, NUMBER, place)
            yield ex.Arithmetic("*", threshold, factor, ex.dimension_of(threshold), place)
        elif value:
            yield ex.Number(value * move, ex.dimension_of(threshold), place)


def _swapped(tree: Node, node: Node, other: Node) -> Node:
    """A tree in which one node, found by its identity, is another."""
    if tree is node:
        return other
    changes: dict[str, object] = {}
    for part in fields(tree):
        value = getattr(tree, part.name)
        if isinstance(value, tuple):
            swapped = tuple(_part(item, node, other) for item in value)
            if any(a is not b for a, b in zip(value, swapped, strict=True)):
                changes[part.name] = swapped
        else:
            found = _part(value, node, other)
            if found is not value:
                changes[part.name] = found
    return replace(tree, **changes) if changes else tree  # type: ignore[arg-type]


def _part(value: object, node: Node, other: Node) -> object:
    is_node = is_dataclass(value) and not isinstance(value, Place | ex.Members | type)
    return _swapped(cast(Node, value), node, other) if is_node else value


def _place(node: Node, rule: Rule) -> Place:
    found = getattr(node, "place", None)
    return found if isinstance(found, Place) else rule.place


def _shown(node: Node, teller: Teller) -> str:
    return teller.text(node)
