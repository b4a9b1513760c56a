"""Intervals: the conditions of an instance, over signals that may be known in part only.

A quantity of an instance lies between two bounds; a comparison is true when it is true for every
value between them, false when for none, and unknown otherwise. Where both bounds are one number
this is the arithmetic of `rules/judge.py`, and NaN is unknown there as here.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rules import expression as ex
from rules.judge import CLEAR_TRUE, CLEAR_UNKNOWN, WHEN_TRUE, WHEN_UNKNOWN, Truth
from rules.plan import RulePlan

Floats = NDArray[np.float64]
# Readings kept in half the width are compared in it: 0.7 is not below a threshold of 0.7.
AS_READ = frozenset({"value", "min", "max", "mean"})


@dataclass(frozen=True, slots=True)
class Interval:
    """A quantity of each row, float64[n] from `low` to `high`; both NaN where it is unknown.

    `is_narrow`: these are float32 readings as they were sent, to be compared as such.
    """

    low: Floats
    high: Floats
    is_narrow: bool = False

    @classmethod
    def of(cls, number: float, row_count: int) -> "Interval":
        """One number in all rows."""
        column = np.full(row_count, number)
        return cls(column, column)


class InstanceColumns(Protocol):
    """What the conditions of instances may look at."""

    row_count: int

    def truth_of(self, node: ex.Node) -> Truth | None:
        """What is known of a condition as a whole; None for one that is to be taken apart."""

    def number_of(self, node: ex.Node) -> Interval | None:
        """What is known of a quantity as a whole; None for one that is to be taken apart."""

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute's column: numbers, or texts and None."""

    def text_of(self, node: ex.Node) -> NDArray[np.generic]:
        """The column of a text that is no attribute, such as the season."""


def codes(plan: RulePlan, columns: InstanceColumns) -> NDArray[np.uint16]:
    """One code per row for the latches of `plan`, laid out as in `rules/judge.py`."""
    found = np.zeros(columns.row_count, dtype=np.uint16)
    for grade in plan.grades:
        when = truth(grade.when, columns)
        clear = when.negated() if grade.clear is None else truth(grade.clear, columns)
        for said, bit in (
            (when.true, WHEN_TRUE),
            (when.unknown, WHEN_UNKNOWN),
            (clear.true, CLEAR_TRUE),
            (clear.unknown, CLEAR_UNKNOWN),
        ):
            found |= said.astype(np.uint16) << np.uint16(grade.grade - 1 + bit)
    return found


def truth(node: ex.Node, columns: InstanceColumns) -> Truth:
    """The three-valued column of a condition."""
    found = columns.truth_of(node)
    if found is not None:
        return found
    match node:
        case ex.Compare():
            links = zip(node.operators, node.operands, node.operands[1:], strict=False)
            return _all([_compared(operator, a, b, columns) for operator, a, b in links])
        case ex.And():
            return _all([truth(item, columns) for item in node.items])
        case ex.Or():
            return _all([truth(item, columns).negated() for item in node.items]).negated()
        case ex.Not():
            return truth(node.operand, columns).negated()
        case ex.Member():
            nowhere = np.ones(columns.row_count, dtype=bool)
            pairs = [_compared("==", node.operand, item, columns) for item in node.items]
            none = [pair.negated() for pair in pairs]
            return _all([Truth(nowhere, ~nowhere), *none]).negated()
        case ex.Known():
            known = _is_known(node.operand, columns)
            return Truth(known, np.zeros_like(known))
        case ex.OrElse():
            first, second = truth(node.first, columns), truth(node.second, columns)
            true = np.where(first.unknown, second.true, first.true)
            return Truth(true, first.unknown & second.unknown)
        case _:
            message = f"{type(node).__name__} is not a condition of instances"
            raise AssertionError(message)


def number(node: ex.Node, columns: InstanceColumns) -> Interval:
    """The bounds of a quantity."""
    found = columns.number_of(node)
    if found is not None:
        return found
    match node:
        case ex.Number():
            return Interval.of(node.value, columns.row_count)
        case ex.Attribute():
            column = columns.attribute(node).astype(np.float64)
            return Interval(column, column)
        case ex.Negate():
            inner = number(node.operand, columns)
            return Interval(-inner.high, -inner.low, inner.is_narrow)
        case ex.Arithmetic():
            return _arithmetic(node, columns)
        case ex.OrElse():
            first, second = number(node.first, columns), number(node.second, columns)
            unknown = np.isnan(first.low)
            low = np.where(unknown, second.low, first.low)
            return Interval(low, np.where(unknown, second.high, first.high))
        case _:
            message = f"{type(node).__name__} is not a quantity of instances"
            raise AssertionError(message)


def _arithmetic(node: ex.Arithmetic, columns: InstanceColumns) -> Interval:
    a, b = number(node.left, columns), number(node.right, columns)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        match node.operator:
            case "+":
                low, high = a.low + b.low, a.high + b.high
            case "-":
                low, high = a.low - b.high, a.high - b.low
            case "*":
                low, high = _extremes(
                    [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]
                )
            case _:
                low, high = _extremes(
                    [a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high]
                )
                # Division by what may be zero says nothing.
                crosses = (b.low <= 0) & (b.high >= 0)
                low, high = np.where(crosses, np.nan, low), np.where(crosses, np.nan, high)
    unknown = np.isnan(low) | np.isnan(high)
    return Interval(np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))


def _extremes(corners: list[Floats]) -> tuple[Floats, Floats]:
    """The least and the greatest; NaN where a corner is (0 times infinity says nothing)."""
    return np.minimum.reduce(corners), np.maximum.reduce(corners)


def _compared(operator: str, left: ex.Node, right: ex.Node, columns: InstanceColumns) -> Truth:
    if _is_text(left) or _is_text(right):
        return _compared_texts(operator, left, right, columns)
    a, b = number(left, columns), number(right, columns)
    if a.is_narrow or b.is_narrow:
        a, b = _narrowed(a), _narrowed(b)
    unknown = np.isnan(a.low) | np.isnan(b.low)
    with np.errstate(invalid="ignore"):
        true, possible = _bounds_compared(operator, a, b)
    return Truth(true & ~unknown, unknown | (possible & ~true))


def _bounds_compared(
    operator: str, a: Interval, b: Interval
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a comparison holds for all values between the bounds, and where for one."""
    match operator:
        case "<":
            return a.high < b.low, a.low < b.high
        case "<=":
            return a.high <= b.low, a.low <= b.high
        case ">":
            return a.low > b.high, a.high > b.low
        case ">=":
            return a.low >= b.high, a.high >= b.low
    meets = (a.low <= b.high) & (b.low <= a.high)
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return (same, meets) if operator == "==" else (~meets, ~same)


def _narrowed(interval: Interval) -> Interval:
    with np.errstate(over="ignore"):
        low, high = interval.low.astype(np.float32), interval.high.astype(np.float32)
    return Interval(low.astype(np.float64), high.astype(np.float64))


def _is_text(node: ex.Node) -> bool:
    return (
        isinstance(node, ex.Text)
        or (isinstance(node, ex.Attribute) and node.is_text)
        or (isinstance(node, ex.Calendar) and node.name == "season")
    )


def _compared_texts(
    operator: str, left: ex.Node, right: ex.Node, columns: InstanceColumns
) -> Truth:
    def texts(node: ex.Node) -> NDArray[np.generic]:
        if isinstance(node, ex.Text):
            return np.full(columns.row_count, node.value, dtype=object)
        if isinstance(node, ex.Attribute):
            return columns.attribute(node)
        return columns.text_of(node)

    a, b = texts(left), texts(right)
    nothing = np.array(None, dtype=object)
    unknown = (np.equal(a, nothing) | np.equal(b, nothing)).astype(bool)
    same = np.equal(a, b).astype(bool)
    assert operator in ("==", "!="), "texts have no order"
    return Truth((same if operator == "==" else ~same) & ~unknown, unknown)


def _is_known(node: ex.Node, columns: InstanceColumns) -> NDArray[np.bool_]:
    if ex.is_condition(node):
        return ~truth(node, columns).unknown
    found = number(node, columns)
    # Between two bounds is not known: `known(x)` promises one number.
    known: NDArray[np.bool_] = found.low == found.high
    return known


def _all(parts: list[Truth]) -> Truth:
    """Kleene's and: false wins, then unknown."""
    true = parts[0].true
    possible = parts[0].true | parts[0].unknown
    for part in parts[1:]:
        true = true & part.true
        possible = possible & (part.true | part.unknown)
    return Truth(true, possible & ~true)
