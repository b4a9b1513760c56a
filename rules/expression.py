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
    Vote           over the members of a set; an interval where some members are unknown
    Gather         one number of a set's members; an interval, too
    Step           whether a step of the rule's `sequence` has been reached
    OtherRule      the grade of another rule, or its age; `none` where it has no warning
    ClusterSize    how many members the rule's cluster has
    Calendar       the season, the hour or a named calendar, in the local time of the asset

Two nodes are equal when they mean the same, wherever they stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from rules.errors import Place
from rules.units import DURATION, NUMBER, TEMPERATURES, Dimension, Scale

Comparison = Literal["<", "<=", ">", ">=", "==", "!="]
Operator = Literal["+", "-", "*", "/"]
# Features whose value is a point of the input's dimension; the others are differences or ratios.
POINTS = frozenset({"value", "mean", "min", "max", "median", "p", "ewma", "forecast"})
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
    """A number about a sensor: `value`, `age`, or something of one window, or of two (stalta).

    input      name of the input among several, empty for the only one
    offset_ns  how far back the window is shifted
    options    further numbers by their keyword, in the rule's scale, in the order of their names:
               `p` (a share: 0.95 for p(95, w), the confidence of a trend), `robust` (1.0),
               `horizon` of a forecast in seconds
    target     what `time_to` waits for
    stream     `anomaly` where the window is over the model's scores, empty for readings
    """

    name: str
    windows_ns: tuple[int, ...]
    dimension: Dimension = field(compare=False)
    place: Place = field(compare=False)
    input: str = ""
    offset_ns: int = 0
    options: tuple[tuple[str, float], ...] = ()
    target: "Node | None" = None
    stream: Literal["", "anomaly"] = ""

    def option(self, name: str) -> float | None:
        """A further number by its keyword; None where it was not given."""
        return dict(self.options).get(name)


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


@dataclass(frozen=True, slots=True)
class Members:
    """Which sensors a set holds, seen from one instance of a rule.

    input      all sensors of that input that belong to the instance; empty for the only input
    radius_m   sensors of the input's type within so many metres, the sensor itself left out
    attribute  sensors of the input's type that share this attribute's value, itself left out
    is_cluster the stations of the rule's cluster
    """

    input: str = ""
    radius_m: float | None = None
    attribute: str = ""
    is_cluster: bool = False

    @property
    def is_whole(self) -> bool:
        """All sensors of the input that belong to the instance, and no others."""
        return self.radius_m is None and not self.attribute and not self.is_cluster


@dataclass(frozen=True, slots=True)
class Vote:
    """How many members meet a condition of one member: a number, a share, or any and all."""

    method: Literal["votes", "share", "any", "all"]
    members: Members
    condition: "Node"
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Gather:
    """One number of a quantity of each member."""

    method: Literal["max_of", "min_of", "mean_of", "median_of"]
    members: Members
    of: "Node"
    dimension: Dimension = field(compare=False)
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """True once a step of the rule's sequence has been reached."""

    name: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class OtherRule:
    """What another rule says: its grade as 0 to 4, or for how long it has had it, in seconds.

    Of the instances that fit: those of the same instance key, or within `radius_m`; the highest
    grade. `within_ns`: the highest grade it had in the time before.
    """

    rule: str
    what: Literal["grade", "age"]
    within_ns: int | None
    radius_m: float | None
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class ClusterSize:
    """How many members the rule's cluster has."""

    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`season()` as a text, `hour()` as a number, `in_calendar("x")` as a condition."""

    name: Literal["season", "hour", "in_calendar"]
    calendar: str
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
    | Vote
    | Gather
    | Step
    | OtherRule
    | ClusterSize
    | Calendar
)


def is_condition(node: Node) -> bool:
    """True for a node that is true, false or unknown; false for a quantity or a text."""
    if isinstance(node, OrElse):
        return is_condition(node.first)
    if isinstance(node, Vote):
        return node.method in ("any", "all")
    if isinstance(node, Calendar):
        return node.name == "in_calendar"
    return isinstance(node, Compare | Member | And | Or | Not | Known | Step)


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
        case Vote(condition=inner) | Gather(of=inner):
            return (inner,)
        case Feature(target=target) if target is not None:
            return (target,)
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
    if isinstance(node, Number | Feature | Attribute | Arithmetic | Negate | OrElse | Gather):
        return node.dimension
    if isinstance(node, OtherRule) and node.what == "age":
        return DURATION
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
        case Gather(of=inner):
            return is_point(inner)
        case _:
            return False


def unit_of(node: Node, scale: Scale) -> str:
    """The symbol of the unit to show a node's values in, for a rule that computes in `scale`."""
    dimension = dimension_of(node)
    if dimension == TEMPERATURES and not is_point(node):
        return "K"
    return scale.unit_of(dimension).symbol


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
