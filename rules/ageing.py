"""Ageing: what a rule would say later if nothing came. Only its ages move then, and they grow.

Where an age stands once in a comparison, beside what stays as it is, the difference of the two
sides only grows or only falls, however it is rounded.  So which side is the greater changes but
once or twice, and what is so at two instants is so at all between them.  `unchanged > age` and
what this version of the language adds elsewhere are not looked through: those rules are judged at
the end of every pane.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rules import expression as ex
from rules.judge import Columns, as_wide_as_measured, number
from rules.needs import RAW_FEATURES
from rules.plan import RulePlan

Pair = tuple[ex.Node, ex.Node]
UNKNOWN = 2


class Opaque(Exception):
    """A condition whose future cannot be told from two of its instants."""


def ageing(plan: RulePlan) -> tuple[Pair, ...] | None:
    """The comparisons of a rule in which an age stands; None where its future cannot be told."""
    nodes = [node for grade in plan.grades for node in (grade.when, grade.clear) if node]
    try:
        pairs = [pair for node in nodes for pair in _pairs(node)]
        counts = [_ages(left) + _ages(right) for left, right in pairs]
    except Opaque:
        return None
    if max(counts, default=0) > 1:
        return None
    return tuple(dict.fromkeys(p for p, count in zip(pairs, counts, strict=True) if count))


def sides(pairs: Sequence[Pair], columns: Columns) -> NDArray[np.int8]:
    """How each pair stands in each row, int8[c, s]: -1, 0 or 1 as the left is less, equal, greater;
    2 where it is unknown."""
    found = np.empty((len(pairs), columns.row_count), dtype=np.int8)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for row, (left, right) in zip(found, pairs, strict=True):
            a, b = as_wide_as_measured(number(left, columns), number(right, columns))
            row[:] = np.greater(a, b).astype(np.int8) - np.less(a, b)
            row[np.broadcast_to(np.isnan(a) | np.isnan(b), row.shape)] = UNKNOWN
    return found


def _pairs(node: ex.Node) -> Iterator[Pair]:
    """Everything that a condition compares."""
    match node:
        case ex.Compare():
            yield from zip(node.operands, node.operands[1:], strict=False)
        case ex.Member():
            yield from ((node.operand, item) for item in node.items)
        case ex.And() | ex.Or():
            for item in node.items:
                yield from _pairs(item)
        case ex.Not():
            yield from _pairs(node.operand)
        case ex.Known():
            if ex.is_condition(node.operand):
                yield from _pairs(node.operand)
            elif _ages(node.operand):
                # Whether `1 / age` is known may change with it.
                yield node.operand, node.operand
        case ex.OrElse():
            yield from _pairs(node.first)
            yield from _pairs(node.second)
        case _:
            raise Opaque


def _ages(node: ex.Node) -> int:
    """How often an age stands in a quantity."""
    match node:
        case ex.Number() | ex.Text() | ex.Attribute():
            return 0
        case ex.Feature():
            return int(node.name in RAW_FEATURES)
        case ex.Negate():
            return _ages(node.operand)
        case ex.Arithmetic():
            return _ages(node.left) + _ages(node.right)
        case ex.OrElse():
            return _ages(node.first) + _ages(node.second)
        case _:
            raise Opaque
