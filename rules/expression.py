"""Expressions after type checking: a small tree in which every unit is resolved.

Quantities are in the rule's scale: the unit of its input, rates per second, durations in seconds.
What each node means when something is unknown:

    Number Text    always known
    Feature        unknown when its window has less than the coverage asked for, or its reading
                   is stale; `count` and `age` are never unknown
    Attribute      unknown for a sensor that has no such attribute
    Arithmetic     unknown when either side is, or when dividing by zero
    Compare        a chain `a < b < c` is `a < b and b < c`; unknown when an operand is
    Member         like `==` with each item, joined by `or`
    And Or Not     Kleene: `unknown and false` is false, `unknown or true` is true
    Known          never unknown
    OrElse         the first where it is known, else the second

Two nodes are equal when they mean the same, wherever they stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from rules.errors import Place
from rules.units import NUMBER, TEMPERATURES, Dimension, Scale, read_unit

Comparison = Literal["<", "<=", ">", ">=", "==", "!="]
Operator = Literal["+", "-", "*", "/"]
# Features whose value is a point of the input's dimension; the others are differences or ratios.
POINTS = frozenset({"value", "mean", "min", "max"})
Scope = Literal["asset", "sensor", "site"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the rule's scale."""

    value: float
    dimension: Dimension
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, to compare an attribute with."""

    value: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Feature:
    """A number about a sensor: `value`, `age`, or something of one window, or of two (stalta)."""

    name: str
    windows_ns: tuple[int, ...]
    dimension: Dimension = field(compare=False)
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """What the catalogue says of a sensor or its site; a quantity of `dimension`, or a text.

    `is_point` says whether 20 °C is a temperature or a difference of temperatures.
    """

    scope: Scope
    name: str
    dimension: Dimension
    is_text: bool
    is_point: bool
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum, difference, product or quotient."""

    operator: Operator
    left: "Node"
    right: "Node"
    dimension: Dimension
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """A quantity with the other sign."""

    operand: "Node"
    dimension: Dimension
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain of comparisons; one operator fewer than operands."""

    operators: tuple[Comparison, ...]
    operands: tuple["Node", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """True when the operand equals one of the items."""

    operand: "Node"
    items: tuple["Node", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """True when all are."""

    items: tuple["Node", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """True when one is."""

    items: tuple["Node", ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """True when its operand is false."""

    operand: "Node"
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """True when its operand is not unknown."""

    operand: "Node"
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class OrElse:
    """The first where it is known, else the second; both conditions, or both quantities."""

    first: "Node"
    second: "Node"
    dimension: Dimension
    place: Place = field(compare=False)


Node = (
    Number
    | Text
    | Feature
    | Attribute
    | Arithmetic
    | Negate
    | Compare
    | Member
    | And
    | Or
    | Not
    | Known
    | OrElse
)


def is_condition(node: Node) -> bool:
    """True for a node that is true, false or unknown; false for a quantity or a text."""
    if isinstance(node, OrElse):
        return is_condition(node.first)
    return isinstance(node, Compare | Member | And | Or | Not | Known)


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes a node is made of."""
    match node:
        case Arithmetic(left=left, right=right):
            return left, right
        case Negate(operand=operand) | Not(operand=operand) | Known(operand=operand):
            return (operand,)
        case Compare(operands=operands):
            return operands
        case Member(operand=operand, items=items):
            return operand, *items
        case And(items=items) | Or(items=items):
            return items
        case OrElse(first=first, second=second):
            return first, second
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, in the order it was written."""
    yield node
    for part in parts(node):
        yield from walk(part)


def features(node: Node) -> Iterator[Feature]:
    """The features a node looks at, in the order they were written."""
    return (part for part in walk(node) if isinstance(part, Feature))


def attributes(node: Node) -> Iterator[Attribute]:
    """The attributes a node looks at, in the order they were written."""
    return (part for part in walk(node) if isinstance(part, Attribute))


def compare(operator: Comparison, left: Node, right: Node) -> Compare:
    """One comparison of two nodes, standing where the right one stands."""
    return Compare((operator,), (left, right), right.place)


def dimension_of(node: Node) -> Dimension:
    """The dimension of a quantity; a plain number for conditions and texts."""
    if isinstance(node, Number | Feature | Attribute | Arithmetic | Negate | OrElse):
        return node.dimension
    return NUMBER


def is_point(node: Node) -> bool:
    """True when a node's value stands for a point of its dimension (20 °C), not for a difference.

    It matters for temperatures only. A number alone is neither; it is taken for a difference.
    """
    match node:
        case Feature(name=name):
            return name in POINTS
        case Attribute(is_point=known):
            return known
        case Arithmetic(operator="+", left=left, right=right):
            return is_point(left) or is_point(right)
        case Arithmetic(operator="-", left=left, right=right):
            return is_point(left) and not is_point(right)
        case OrElse(first=first, second=second):
            return is_point(first) or is_point(second)
        case _:
            return False


def unit_of(node: Node, input_unit: str) -> str:
    """The symbol of the unit a node's values are in, for a rule whose input is in `input_unit`."""
    dimension = dimension_of(node)
    if dimension == TEMPERATURES and not is_point(node):
        return "K"
    return Scale(read_unit(input_unit)).unit_of(dimension).symbol


def constant(node: Node) -> float | None:
    """The value of a node that looks at nothing; None when it depends on a sensor."""
    match node:
        case Number(value=value):
            return value
        case Negate(operand=operand):
            inner = constant(operand)
            return None if inner is None else -inner
        case Arithmetic(operator=operator, left=left, right=right):
            a, b = constant(left), constant(right)
            if a is None or b is None or (operator == "/" and b == 0):
                return None
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[operator]
        case _:
            return None
