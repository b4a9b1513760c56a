"""Rules made by hand, for what looks at more than one sensor: short words for the parts of trees.

votes("gas", above(feature("gas", "mean", 10 * S), 20)) >= 2
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from rules import expression as ex
from rules.errors import Faults, Place
from rules.expression import Members, Node
from rules.grade import Grade
from rules.message import NO_MESSAGE
from rules.pack import Book, Input, Level, Pack, Quality, Rule
from rules.units import NUMBER, Scale, read_unit

HERE = Place("by-hand.yaml", 1, 1)
LENGTH = read_unit("m").dimension
COLOURS = {"blue": Grade.BLUE, "yellow": Grade.YELLOW, "orange": Grade.ORANGE, "red": Grade.RED}


def number(value: float) -> ex.Number:
    return ex.Number(float(value), NUMBER, HERE)


def feature(given: str, name: str, *windows_ns: int) -> ex.Feature:
    return ex.Feature(name, windows_ns, LENGTH, HERE, input=given)


def asset(name: str) -> ex.Attribute:
    return ex.Attribute("asset", name, LENGTH, is_text=False, is_point=False, place=HERE)


def compare(left: Node, operator: ex.Comparison, right: Node | float) -> ex.Compare:
    other = right if not isinstance(right, int | float) else number(right)
    return ex.Compare((operator,), (left, other), HERE)


def above(left: Node, right: Node | float) -> ex.Compare:
    return compare(left, ">=", right)


def both(*items: Node) -> ex.And:
    return ex.And(items, HERE)


def either(*items: Node) -> ex.Or:
    return ex.Or(items, HERE)


def minus(left: Node, right: Node) -> ex.Arithmetic:
    return ex.Arithmetic("-", left, right, LENGTH, HERE)


def vote(
    given: str,
    condition: Node,
    method: Literal["votes", "share", "any", "all"] = "votes",
    *,
    radius_m: float | None = None,
) -> ex.Vote:
    return ex.Vote(method, Members(input=given, radius_m=radius_m), condition, HERE)


def gather(
    given: str,
    method: Literal["max_of", "min_of", "mean_of", "median_of"],
    of: Node,
    *,
    radius_m: float | None = None,
) -> ex.Gather:
    return ex.Gather(method, Members(input=given, radius_m=radius_m), of, LENGTH, HERE)


def given(sensor_type: str, *, many: bool = False, where: Node | None = None) -> Input:
    unit = "m" if sensor_type else ""
    return Input(sensor_type, unit, Scale(read_unit("m")), None, None, many, where)


def level(
    when: Node, *, clear: Node | None = None, for_ns: int = 0, clear_for_ns: int = 0
) -> Level:
    return Level(when, clear, for_ns, clear_for_ns)


def rule(
    inputs: Mapping[str, Input],
    levels: Mapping[str, Level],
    *,
    by: Sequence[str] = ("tank",),
    name: str = "g",
    lets: Mapping[str, Node] | None = None,
    quality: Quality | None = None,
    hazard: str = "test",
) -> Rule:
    """A live rule; `inputs` may be empty for one about other rules alone."""
    return Rule(
        pack="p",
        id=name,
        title={"zh": "演练", "en": "Exercise"},
        hazard=hazard,
        basis={},
        mode="live",
        input=next(iter(inputs.values()), given("")),
        by=tuple(by),
        quality=quality or Quality(),
        lateness_ns=None,
        lets=lets or {},
        ladder=None,
        levels={COLOURS[colour]: one for colour, one in levels.items()},
        latch=frozenset(),
        closure=True,
        cap=None,
        message=NO_MESSAGE,
        tests=(),
        model=None,
        place=HERE,
        inputs=inputs,
    )


def book(*rules: Rule, others: Book | None = None) -> Book:
    """The rules as one pack, beside the packs of another book."""
    pack = Pack("p", "1.0.0", "d", "o", "by-hand.yaml", tuple(rules))
    packs = (pack,) if others is None else (pack, *others.packs)
    return Book(packs, "digest", Faults())


def changed(one: Rule, **changes: object) -> Rule:
    """The rule with something else about it."""
    return replace(one, **changes)  # type: ignore[arg-type]
