"""Retold: expressions after type checking, written as an author would write them.

Not what was written, for `let` and macros are gone, but what is judged; numbers are in units that
people read, and the text is a valid expression of the language.
"""

import math

from rules import expression as ex
from rules.expression import Node
from rules.phrases import plain
from rules.units import DURATION, NUMBER, Dimension, Scale, read_unit

NS_PER_S = 1_000_000_000
SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
# How tightly the parts of an expression hold together, loosest first.
OR, AND, NOT, COMPARE, SUM, TERM, ATOM = range(7)


def span_text(span_ns: int) -> str:
    """A duration as packs have it: 30s, 5min, 1h30min."""
    if span_ns % NS_PER_S:
        return f"{plain(span_ns / 1e6, None)}ms"
    rest, parts = span_ns // NS_PER_S, []
    for size, unit in SPANS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


class Teller:
    """Writes the expressions of one rule; quantities in the units of its input."""

    __slots__ = ("member_of", "scale", "unit")

    def __init__(self, unit: str, member_of: str | None = None) -> None:
        """Write in the scale of a unit; of one member of a set the input is not said again."""
        self.unit = unit
        self.member_of = member_of
        self.scale = Scale(read_unit(unit)) if unit else None

    def amount(self, value: float, dimension: Dimension, *, is_point: bool) -> str:
        """A number of the rule's scale with its unit: `1.04 %`, `20 kPa/min`, `3h`."""
        if dimension == DURATION:
            return "never" if value == float("inf") else span_text(round(value * NS_PER_S))
        if dimension == NUMBER or self.scale is None:
            return plain(value, None)
        unit = self.scale.unit_of(dimension)
        shown = self.scale.show(value, unit, is_point=is_point)
        return f"{plain(shown, None)} {unit.symbol}".rstrip()

    def value(self, value: float, node: Node) -> str:
        """A value that a node came to."""
        if math.isnan(value):
            return "unknown"
        return self.amount(value, ex.dimension_of(node), is_point=ex.is_point(node))

    def text(self, node: Node, outer: int = OR) -> str:
        """An expression as text; brackets where `outer` holds tighter."""
        text, own = self._told(node)
        return f"({text})" if own < outer else text

    def _told(self, node: Node) -> tuple[str, int]:
        match node:
            case ex.Compare(operators=operators, operands=operands):
                parts = [self.text(operands[0], SUM)]
                for operator, operand in zip(operators, operands[1:], strict=True):
                    parts += [operator, self.text(operand, SUM)]
                return " ".join(parts), COMPARE
            case ex.And(items=items):
                return " and ".join(self.text(item, NOT) for item in items), AND
            case ex.Or(items=items):
                return " or ".join(self.text(item, AND) for item in items), OR
            case ex.Not(operand=operand):
                return f"not {self.text(operand, NOT)}", NOT
            case ex.Arithmetic(operator=operator, left=left, right=right):
                own = SUM if operator in "+-" else TERM
                return f"{self.text(left, own)} {operator} {self.text(right, own + 1)}", own
            case ex.Negate(operand=operand):
                return f"-{self.text(operand, ATOM)}", TERM
            case ex.Member(operand=operand, items=items):
                among = ", ".join(self.text(item) for item in items)
                return f"{self.text(operand, SUM)} in [{among}]", COMPARE
            case _:
                return self._atom(node), ATOM

    def _atom(self, node: Node) -> str:
        match node:
            case ex.Number(value=value, dimension=dimension):
                return self.amount(value, dimension, is_point=False)
            case ex.Text(value=value):
                return f'"{value}"'
            case ex.Feature():
                return self._feature(node)
            case ex.Attribute(scope=scope, name=name):
                return f"{scope}.{name}"
            case ex.Known(operand=operand):
                return f"known({self.text(operand)})"
            case ex.OrElse(first=first, second=second):
                return f"or_else({self.text(first)}, {self.text(second)})"
            case ex.Vote(method=method, members=members, condition=inner):
                return f"{_members(members)}.{method}({self._of_member(members, inner)})"
            case ex.Gather(method=method, members=members, of=inner):
                return f"{_members(members)}.{method}({self._of_member(members, inner)})"
            case ex.Step(name=name):
                return f"seq.{name}"
            case ex.OtherRule():
                return _other_rule(node)
            case ex.ClusterSize():
                return "cluster.size"
            case ex.Calendar(name=name, calendar=calendar):
                return f'{name}("{calendar}")' if calendar else f"{name}()"
            case _:
                message = f"{type(node).__name__} has no text of its own"
                raise AssertionError(message)

    def _of_member(self, members: ex.Members, inner: Node) -> str:
        return Teller(self.unit, members.input).text(inner)

    def _feature(self, feature: ex.Feature) -> str:
        """`p.mean(10s, offset=1d)`."""
        arguments = [] if feature.target is None else [self.text(feature.target)]
        arguments += [span_text(window_ns) for window_ns in feature.windows_ns]
        if feature.offset_ns:
            arguments.append(f"offset={span_text(feature.offset_ns)}")
        arguments += [f"{name}={_option(name, value)}" for name, value in feature.options]
        owner = f"{feature.input}." if feature.input not in ("", self.member_of) else ""
        owner += f"{feature.stream}." if feature.stream else ""
        return f"{owner}{feature.name}" + (f"({', '.join(arguments)})" if arguments else "")


def _option(name: str, value: float) -> str:
    if name == "robust":
        return "true" if value else "false"
    return (
        span_text(round(value * NS_PER_S)) if name in ("horizon", "trend") else plain(value, None)
    )


def _members(members: ex.Members) -> str:
    if members.radius_m is not None:
        return f"neighbours({plain(members.radius_m / 1000, None)} km)"
    if members.attribute:
        return f"same({members.attribute})"
    return "cluster" if members.is_cluster else members.input or "input"


def _other_rule(node: ex.OtherRule) -> str:
    reach = "" if node.radius_m is None else f", radius={plain(node.radius_m / 1000, None)} km"
    if node.within_ns is not None:
        return f'rule("{node.rule}").within({span_text(node.within_ns)}{reach})'
    return f'rule("{node.rule}").{node.what}'
