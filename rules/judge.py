"""Judge: a rule's conditions over columns, as codes that the latches understand.

A condition is true, false or unknown.  A number that is not known is NaN; a comparison with it is
unknown; `and`, `or` and `not` follow Kleene.  What comes out is one code per row: for each grade,
whether its `when` and its `clear` are true, and whether they are unknown.

    bits 0-3 when is true   4-7 when is unknown   8-11 clear is true   12-15 clear is unknown

Thresholds are compared in the precision of the column: a float32 reading of 0.7 equals the
threshold 0.7, and is not below it by the 1e-8 that its width leaves off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rules import expression as ex
from rules.graded import GradePlan
from rules.plan import RulePlan

Numbers = NDArray[np.floating]
Truths = NDArray[np.bool_]

WHEN_TRUE, WHEN_UNKNOWN, CLEAR_TRUE, CLEAR_UNKNOWN = 0, 4, 8, 12

COMPARISONS: dict[str, Callable[[Numbers, Numbers], Truths]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


class Columns(Protocol):
    """What the conditions may look at; a column is unknown where it is NaN."""

    row_count: int

    def feature(self, feature: ex.Feature) -> Numbers:
        """The feature's column, in the unit of the rule's input (rates per second)."""

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute's column: numbers in the rule's scale, or texts and None."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A three-valued column: false where neither is set; never both."""

    true: Truths
    unknown: Truths

    def negated(self) -> "Truth":
        """Kleene's not: unknown stays unknown."""
        return Truth(~(self.true | self.unknown), self.unknown)


def codes(plan: RulePlan, columns: Columns) -> NDArray[np.uint16]:
    """One code per row for the latches of `plan`."""
    found = np.zeros(columns.row_count, dtype=np.uint16)
    with np.errstate(invalid="ignore", divide="ignore"):
        for grade in plan.grades:
            when, clear = _conditions(grade, columns)
            place = grade.grade - 1
            found |= _bits(when, place + WHEN_TRUE, place + WHEN_UNKNOWN)
            found |= _bits(clear, place + CLEAR_TRUE, place + CLEAR_UNKNOWN)
    return found


def _conditions(grade: GradePlan, columns: Columns) -> tuple[Truth, Truth]:
    when = truth(grade.when, columns)
    clear = when.negated() if grade.clear is None else truth(grade.clear, columns)
    return when, clear


def _bits(truths: Truth, true_bit: int, unknown_bit: int) -> NDArray[np.uint16]:
    true = truths.true.astype(np.uint16) << np.uint16(true_bit)
    return true | truths.unknown.astype(np.uint16) << np.uint16(unknown_bit)


def truth(node: ex.Node, columns: Columns) -> Truth:
    """The three-valued column of a condition."""
    match node:
        case ex.Compare():
            return _chain(node, columns)
        case ex.And():
            return _all([truth(item, columns) for item in node.items])
        case ex.Or():
            return _all([truth(item, columns).negated() for item in node.items]).negated()
        case ex.Not():
            return truth(node.operand, columns).negated()
        case ex.Calendar():
            found = _calendar(node, columns).astype(np.float64)
            return Truth(found == 1.0, np.isnan(found))
        case ex.Member():
            pairs = [_compared("==", node.operand, item, columns) for item in node.items]
            if not pairs:
                nowhere = np.zeros(columns.row_count, dtype=bool)
                return Truth(nowhere, nowhere)
            return _all([pair.negated() for pair in pairs]).negated()
        case ex.Known():
            known = _is_known(node.operand, columns)
            return Truth(known, np.zeros_like(known))
        case ex.OrElse():
            first, second = truth(node.first, columns), truth(node.second, columns)
            return Truth(
                np.where(first.unknown, second.true, first.true),
                first.unknown & second.unknown,
            )
        case _:
            message = f"{type(node).__name__} is not a condition"
            raise AssertionError(message)


def number(node: ex.Node, columns: Columns) -> Numbers | float:
    """The column of a quantity; NaN where it is unknown."""
    match node:
        case ex.Number():
            return node.value
        case ex.Feature():
            return columns.feature(node)
        case ex.Attribute():
            return columns.attribute(node)  # type: ignore[return-value]
        case ex.Calendar():
            return _calendar(node, columns).astype(np.float64)
        case ex.Negate():
            return -number(node.operand, columns)
        case ex.Arithmetic():
            return _arithmetic(node, columns)
        case ex.OrElse():
            first, second = number(node.first, columns), number(node.second, columns)
            return np.where(np.isnan(first), second, first)
        case _:
            message = f"{type(node).__name__} is not a quantity"
            raise AssertionError(message)


def _calendar(node: ex.Calendar, columns: Columns) -> NDArray[np.generic]:
    """What the calendar says of each row; readings alone have none."""
    calendar = getattr(columns, "calendar", None)
    assert calendar is not None, "what asks for the calendar is judged at ends of panes"
    found: NDArray[np.generic] = calendar(node)
    return found


def _arithmetic(node: ex.Arithmetic, columns: Columns) -> Numbers | float:
    left, right = number(node.left, columns), number(node.right, columns)
    match node.operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            # Division by zero says nothing, so it is unknown rather than infinite.
            quotient = np.divide(left, right)
            return np.where(np.isfinite(quotient), quotient, np.nan)


def _chain(node: ex.Compare, columns: Columns) -> Truth:
    links = zip(node.operators, node.operands, node.operands[1:], strict=False)
    return _all([_compared(operator, a, b, columns) for operator, a, b in links])


def _compared(operator: str, left: ex.Node, right: ex.Node, columns: Columns) -> Truth:
    if _is_text(left) or _is_text(right):
        return _compared_texts(operator, left, right, columns)
    a, b = as_wide_as_measured(number(left, columns), number(right, columns))
    unknown = np.broadcast_to(np.isnan(a) | np.isnan(b), columns.row_count)
    true = np.broadcast_to(COMPARISONS[operator](a, b), columns.row_count)
    return Truth(true & ~unknown, unknown)


def as_wide_as_measured(a: Numbers | float, b: Numbers | float) -> tuple[Numbers, Numbers]:
    """Both sides in float32 where one is: thresholds of the catalogue come as float64."""
    one, other = np.asarray(a), np.asarray(b)
    if np.float32 in (one.dtype, other.dtype):
        with np.errstate(over="ignore"):
            return one.astype(np.float32, copy=False), other.astype(np.float32, copy=False)
    return one, other


def _is_text(node: ex.Node) -> bool:
    return (
        isinstance(node, ex.Text)
        or (isinstance(node, ex.Attribute) and node.is_text)
        or (isinstance(node, ex.Calendar) and node.name == "season")
    )


def _compared_texts(operator: str, left: ex.Node, right: ex.Node, columns: Columns) -> Truth:
    def texts(node: ex.Node) -> NDArray[np.generic]:
        if isinstance(node, ex.Text):
            return np.full(columns.row_count, node.value, dtype=object)
        if isinstance(node, ex.Calendar):
            return _calendar(node, columns).astype(object)
        assert isinstance(node, ex.Attribute), "only attributes and texts are compared as texts"
        return columns.attribute(node)

    a, b = texts(left), texts(right)
    nothing = np.array(None, dtype=object)
    unknown = np.equal(a, nothing) | np.equal(b, nothing)
    true = COMPARISONS[operator](a, b)  # type: ignore[arg-type]
    return Truth(true.astype(bool) & ~unknown, unknown.astype(bool))


def _is_known(node: ex.Node, columns: Columns) -> Truths:
    if isinstance(node, ex.Attribute) and node.is_text:
        is_there: Truths = np.not_equal(columns.attribute(node), np.array(None, dtype=object))
        return is_there.astype(bool)
    if ex.is_condition(node):
        return ~truth(node, columns).unknown
    return np.broadcast_to(~np.isnan(number(node, columns)), columns.row_count)


def _all(parts: list[Truth]) -> Truth:
    """Kleene's and: false wins, then unknown."""
    true = parts[0].true
    possible = parts[0].true | parts[0].unknown
    for part in parts[1:]:
        true = true & part.true
        possible = possible & (part.true | part.unknown)
    return Truth(true, possible & ~true)
