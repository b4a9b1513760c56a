"""Reasons: the names of what a condition rests on at the moment: inputs, `let`s, steps, rules.

A condition is walked where it is true: of `a or b` the parts that hold, of `a and b` both.  What
is false, or unknown, is no reason.
"""

from collections.abc import Callable, Iterator, Mapping

from rules import expression as ex
from rules.expression import Node

# True, False, or None for unknown.
TruthOf = Callable[[Node], bool | None]


def reasons(condition: Node, lets: Mapping[str, Node], truth_of: TruthOf) -> set[str]:
    """The names of everything that holds and makes a condition hold."""
    return set(_walked(condition, lets, truth_of, wanted=True))


def _walked(
    node: Node, lets: Mapping[str, Node], truth_of: TruthOf, *, wanted: bool
) -> Iterator[str]:
    if truth_of(node) is not wanted:
        return
    yield from (name for name, meant in lets.items() if meant == node)
    match node:
        case ex.And(items=items) | ex.Or(items=items):
            for item in items:
                yield from _walked(item, lets, truth_of, wanted=wanted)
        case ex.Not(operand=operand):
            yield from _walked(operand, lets, truth_of, wanted=not wanted)
        case _:
            for part in ex.walk(node):
                yield from (name for name, meant in lets.items() if meant == part)
                yield from _names(part)


def _names(node: Node) -> Iterator[str]:
    """How an author calls what a node looks at."""
    match node:
        case ex.Feature(name=name, input=given):
            yield from (name, given) if given else (name,)
        case ex.Vote(method=method, members=members) | ex.Gather(method=method, members=members):
            yield from (method, members.input) if members.input else (method,)
        case ex.Step(name=name) | ex.Attribute(name=name):
            yield name
        case ex.OtherRule(rule=rule):
            yield from (rule, rule.partition("/")[2])
        case _:
            return
