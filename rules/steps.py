"""Steps: one rule's conditions in the operations of kernels/zones.py.

The meaning is that of `rules/judge.py`, to the bit: where a side is float32 both are compared in
float32, and a calculation has the precision that numpy would give it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from kernels import zones
from rules import expression as ex
from rules import judge

# What `Number` holds takes the precision of its neighbour; numpy calls it weak.
Precision = Literal["weak", "narrow", "wide"]
HOW: dict[ex.Comparison, tuple[int, int]] = {
    "<": (zones.LESS, 0),
    "<=": (zones.AT_MOST, 0),
    ">": (zones.AT_MOST, 1),
    ">=": (zones.LESS, 1),
    "==": (zones.EQUAL, 0),
    "!=": (zones.EQUAL, 1),
}
FLIPPED: dict[ex.Comparison, ex.Comparison] = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=",
}  # fmt: skip
SUMS = {"+": zones.ADD, "-": zones.SUBTRACT, "*": zones.MULTIPLY, "/": zones.DIVIDE}


@dataclass(frozen=True, slots=True)
class Varied:
    """A quantity that depends on no reading, and that overrides set differently: by variant."""

    nodes: tuple[ex.Node, ...]


@dataclass(frozen=True, slots=True)
class IsVariant:
    """Whether a row's settings are those of a variant; with none given, of any at all."""

    number: int | None


Node = ex.Node | Varied | IsVariant


def is_settled(node: Node) -> bool:
    """True for what depends on no reading and no time."""
    if isinstance(node, Varied | IsVariant):
        return True
    moving = ex.Feature | ex.Calendar
    return not any(isinstance(part, moving) for part in ex.walk(node))


def is_text(node: Node) -> bool:
    """True for what is compared as a text."""
    return (
        isinstance(node, ex.Text)
        or (isinstance(node, ex.Attribute) and node.is_text)
        or (isinstance(node, ex.Calendar) and node.name == "season")
    )


def is_given(node: Node) -> bool:
    """True where a node is a column of its own."""
    if isinstance(node, Varied | IsVariant | ex.Feature | ex.Calendar):
        return True
    if ex.is_condition(node):
        parts = ex.parts(node)
        return is_settled(node) or any(is_text(p) or isinstance(p, ex.Calendar) for p in parts)
    return is_settled(node) and any(ex.attributes(node))


class Step(NamedTuple):
    """One step: where its result goes, its operands, a bound's place, is the answer turned."""

    operation: int
    out: int
    a: int
    b: int = 0
    at: int = 0
    is_turned: int = 0


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number known already, or an operand: column c, or register ~r."""

    precision: Precision
    value: float
    operand: int | None

    @property
    def is_narrow(self) -> bool:
        return self.precision == "narrow"


@dataclass(slots=True)
class Writer:
    """Writes the steps of one rule."""

    column: Callable[[Node], int]
    narrow: Sequence[bool]
    bounds: dict[float, int]
    steps: list[Step] = field(default_factory=list)
    known: dict[Node, _Quantity] = field(default_factory=dict)
    numbers: int = 0
    masks: int = 0

    def condition(self, node: Node) -> int:
        """Write a condition; which mask it is in."""
        if is_given(node):
            # 1 is true, 0 is false, NaN unknown.
            return self._mask(
                zones.WITH_BOUND, self.column(node), zones.AT_MOST, self._bound(0.5), 1
            )
        match node:
            case ex.Compare(operators=operators, operands=operands):
                links = zip(operators, operands, operands[1:], strict=False)
                return self._join(zones.AND, [self._compare(*link) for link in links])
            case ex.Member(operand=operand, items=items):
                pairs = [self._compare("==", operand, item) for item in items]
                return self._join(zones.OR, pairs) if pairs else self._set(zones.FALSE)
            case ex.And(items=items):
                return self._join(zones.AND, [self.condition(item) for item in items])
            case ex.Or(items=items):
                return self._join(zones.OR, [self.condition(item) for item in items])
            case ex.Not(operand=operand):
                inner = self.condition(operand)
                self.steps.append(Step(zones.NOT, inner, inner))
                return inner
            case ex.Known(operand=operand):
                return self._known(operand)
            case ex.OrElse(first=one, second=other):
                return self._join(zones.OR_ELSE, [self.condition(one), self.condition(other)])
            case _:
                message = f"{type(node).__name__} is not a condition"
                raise AssertionError(message)

    def _compare(self, operator: ex.Comparison, left: Node, right: Node) -> int:
        one, other = self.number(left), self.number(right)
        if one.operand is None and other.operand is None:
            return self._set(_settled_truth(operator, one.value, other.value))
        if one.operand is None:
            one, other, operator = other, one, FLIPPED[operator]
        assert one.operand is not None
        how, is_turned = HOW[operator]
        if other.operand is None:
            value = _rounded(other.value) if one.is_narrow else other.value
            if np.isnan(value):
                return self._set(zones.UNKNOWN)
            bound = self._bound(value)
            return self._mask(zones.WITH_BOUND, one.operand, how, bound, is_turned)
        a, b = (self._side(side, one.is_narrow or other.is_narrow) for side in (one, other))
        return self._mask(zones.WITH_OTHER, a, b, how, is_turned)

    def _side(self, quantity: _Quantity, is_narrow: bool) -> int:
        """A float64 operand with the number as it is compared."""
        assert quantity.operand is not None
        if is_narrow and not quantity.is_narrow:
            return ~self._number(zones.ROUND, self._loaded(quantity))
        is_wide_column = quantity.operand >= 0 and not quantity.is_narrow
        return quantity.operand if is_wide_column else self._loaded(quantity)

    def _known(self, operand: Node) -> int:
        if not isinstance(operand, Varied | IsVariant) and ex.is_condition(operand):
            inner = self.condition(operand)
            self.steps.append(Step(zones.KNOWN, inner, inner))
            return inner
        quantity = self.number(operand)
        if quantity.operand is None:
            return self._set(zones.FALSE if np.isnan(quantity.value) else zones.TRUE)
        return self._mask(zones.HAS_NUMBER, self._loaded(quantity), 0, 0, 0)

    def number(self, node: Node) -> _Quantity:
        """Write a quantity, unless it has been written; where it is."""
        if node not in self.known:
            self.known[node] = self._written(node)
        return self.known[node]

    def _written(self, node: Node) -> _Quantity:
        if is_given(node):
            at = self.column(node)
            return _Quantity("narrow" if self.narrow[at] else "wide", 0.0, at)
        match node:
            case ex.Number(value=value):
                return _Quantity("weak", value, None)
            case ex.Negate(operand=operand):
                inner = self.number(operand)
                if inner.operand is None:
                    return _Quantity(inner.precision, -inner.value, None)
                register = self._number(zones.NEGATE, self._loaded(inner))
                return _Quantity(inner.precision, 0.0, ~register)
            case ex.Arithmetic(operator=operator, left=left, right=right):
                return self._sum(SUMS[operator], self.number(left), self.number(right))
            case ex.OrElse(first=one, second=other):
                return self._sum(zones.FIRST, self.number(one), self.number(other))
            case _:
                message = f"{type(node).__name__} is not a quantity"
                raise AssertionError(message)

    def _sum(self, operation: int, one: _Quantity, other: _Quantity) -> _Quantity:
        if one.operand is None and other.operand is None:
            return _settled_sum(operation, one, other)
        precisions = {one.precision, other.precision}
        is_narrow = "wide" not in precisions
        a, b = (self._loaded(side, is_narrow=is_narrow) for side in (one, other))
        register = self._number(operation, a, b)
        if is_narrow and operation != zones.FIRST:
            register = self._number(zones.ROUND, ~register)
        return _Quantity("narrow" if is_narrow else "wide", 0.0, ~register)

    def _loaded(self, quantity: _Quantity, *, is_narrow: bool = False) -> int:
        """The quantity in a register."""
        if quantity.operand is None:
            value = _rounded(quantity.value) if is_narrow else quantity.value
            return ~self._number(zones.FILL, 0, 0, self._bound(value))
        if quantity.operand < 0:
            return quantity.operand
        return ~self._number(zones.LOAD, quantity.operand)

    def _join(self, operation: int, masks: Sequence[int]) -> int:
        for mask in masks[1:]:
            self.steps.append(Step(operation, masks[0], mask))
        return masks[0]

    def _set(self, truth: int) -> int:
        return self._mask(zones.SET, truth, 0, 0, 0)

    def _mask(self, operation: int, a: int, b: int, at: int, is_turned: int) -> int:
        self.masks += 1
        self.steps.append(Step(operation, self.masks - 1, a, b, at, is_turned))
        return self.masks - 1

    def _number(self, operation: int, a: int, b: int = -1, at: int = 0) -> int:
        self.numbers += 1
        self.steps.append(Step(operation, self.numbers - 1, a, b, at))
        return self.numbers - 1

    def _bound(self, value: float) -> int:
        return self.bounds.setdefault(value, len(self.bounds))


def _rounded(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _settled_truth(operator: ex.Comparison, one: float, other: float) -> int:
    if np.isnan(one) or np.isnan(other):
        return zones.UNKNOWN
    found = judge.COMPARISONS[operator](np.asarray(one), np.asarray(other))
    return zones.TRUE if found else zones.FALSE


def _settled_sum(operation: int, one: _Quantity, other: _Quantity) -> _Quantity:
    """Work out what no column is part of, as `judge.number` does."""
    a, b = np.float64(one.value), np.float64(other.value)
    with np.errstate(all="ignore"):
        match operation:
            case zones.ADD:
                found = a + b
            case zones.SUBTRACT:
                found = a - b
            case zones.MULTIPLY:
                found = a * b
            case zones.FIRST:
                found = b if np.isnan(a) else a
            case _:
                found = a / b if np.isfinite(a / b) else np.float64(np.nan)
    is_weak = one.precision == other.precision == "weak"
    # What numpy divides or chooses is no longer weak.
    stays = is_weak and operation not in (zones.DIVIDE, zones.FIRST)
    return _Quantity("weak" if stays else "wide", float(found), None)
