"""Literals: numbers, quantities, durations and texts, each as a draft of an expression."""

from rules import expression as ex
from rules.drafts import Draft
from rules.errors import Faults, Place
from rules.pack import Input
from rules.syntax import Leaf
from rules.units import (
    DURATION,
    LENGTH,
    NS_PER_S,
    NUMBER,
    Dimension,
    Scale,
    Unit,
    UnitError,
    read_duration,
    read_quantity,
    read_unit,
)
from rules.yaml_text import TextNode

MINUTE = Unit("min", 60.0, DURATION)
# Far beyond anything that is measured, and far from where floats end, whatever it is multiplied by.
AMOUNT_MAX = 1e100
PLAIN = Scale(Unit("", 1.0, NUMBER))


def number(
    leaf: Leaf, node: TextNode, sign: int, home: Input | None, faults: Faults
) -> Draft | None:
    """A number without a unit; beside a quantity of the input it is read in the input's unit."""
    value = sign * float(leaf.text)
    if not _is_sensible(value, leaf, node, faults):
        return None

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        place = node.part(leaf.start, leaf.end)
        if home is None or dimension != home.scale.unit.dimension:
            return ex.Number(value, dimension, place)
        brought = home.scale.bring(value, home.scale.unit, is_point=is_point)
        return ex.Number(brought, dimension, place)

    text = node.text[leaf.start : leaf.end]
    return Draft(
        "quantity",
        f"-{text}" if sign < 0 else text,
        node,
        leaf.start,
        leaf.end,
        build,
        kind="either",
        is_bare=True,
        amount=value,
    )


def _is_sensible(value: float, leaf: Leaf, node: TextNode, faults: Faults) -> bool:
    """False, with a fault, for a number that nothing measures."""
    if abs(value) <= AMOUNT_MAX:
        return True
    place = node.part(leaf.start, leaf.end)
    faults.add("E104", place, f"`{leaf.text}` is too large", remedy="nothing measures so much")
    return False


def quantity(
    leaf: Leaf, node: TextNode, sign: int, home: Input | None, faults: Faults
) -> Draft | None:
    """A number with a unit; None when there is no such unit."""
    amount, symbol = read_quantity(leaf.text)
    at = leaf.start + leaf.text.index(symbol)
    try:
        unit = read_unit(symbol)
    except UnitError as problem:
        place = node.part(at, at + len(symbol))
        guess = problem.remedy.split("`")[1] if "`" in problem.remedy else ""
        faults.add("E201", place, str(problem), remedy=problem.remedy, fix=guess)
        return None
    value = sign * amount
    if not _is_sensible(value, leaf, node, faults):
        return None
    scale = home.scale if home else PLAIN

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        place = node.part(leaf.start, leaf.end)
        if dimension == DURATION and unit.dimension == LENGTH:
            return ex.Number(scale.bring(value, MINUTE, is_point=False), DURATION, place)
        if dimension == NUMBER:
            return ex.Number(PLAIN.bring(value, unit, is_point=False), NUMBER, place)
        if unit.symbol == "m" and " " not in leaf.text:
            faults.add(
                "N107",
                place,
                f"`{leaf.text}` is {amount:g} metres here",
                remedy=f"write `{amount:g} m`; minutes are `{amount:g}min`",
                fix=f"{amount:g} m",
            )
        return ex.Number(scale.bring(value, unit, is_point=is_point), dimension, place)

    return Draft(
        "quantity",
        f"-{leaf.text}" if sign < 0 else leaf.text,
        node,
        leaf.start,
        leaf.end,
        build,
        dimension=unit.dimension,
        kind="either",
        unit=unit.symbol,
        amount=value,
        is_literal=True,
    )


def duration(leaf: Leaf, node: TextNode, sign: int, faults: Faults) -> Draft | None:
    """A compound duration such as `1h30m`."""
    seconds_ns = window_ns(leaf, node.part(leaf.start, leaf.end), faults)
    if seconds_ns is None:
        return None
    value = sign * seconds_ns / NS_PER_S

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        return ex.Number(value, dimension, node.part(leaf.start, leaf.end))

    return Draft(
        "quantity",
        leaf.text,
        node,
        leaf.start,
        leaf.end,
        build,
        dimension=DURATION,
        unit="s",
        amount=value,
        is_literal=True,
    )


def window_ns(leaf: Leaf, place: Place, faults: Faults) -> int | None:
    """Nanoseconds of a window; None when it is no duration or a zero one."""
    try:
        length_ns = read_duration(leaf.text)
    except UnitError as problem:
        faults.add("E202", place, f"a window is a duration: {problem}", remedy=problem.remedy)
        return None
    if length_ns <= 0:
        faults.add("E202", place, "a window of no length", remedy="write for example `30s` or `5m`")
        return None
    return length_ns


def text(leaf: Leaf, node: TextNode) -> Draft:
    """A quoted text."""

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        return ex.Text(leaf.text, node.part(leaf.start, leaf.end))

    shown = node.text[leaf.start : leaf.end]
    return Draft("text", shown, node, leaf.start, leaf.end, build)


def truth(leaf: Leaf, node: TextNode, is_true: bool) -> Draft:
    """`true` or `false`, as a comparison of constants."""

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        place = node.part(leaf.start, leaf.end)
        one = ex.Number(1.0, NUMBER, place)
        other = one if is_true else ex.Number(0.0, NUMBER, place)
        return ex.Compare(("==",), (one, other), place)

    return Draft("condition", leaf.text, node, leaf.start, leaf.end, build)
