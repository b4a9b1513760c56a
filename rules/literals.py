"""Literals: numbers, quantities, durations and texts, each as a draft of an expression."""

import math
from dataclasses import replace as changed

from rules import expression as ex
from rules.drafts import Draft
from rules.errors import Faults, Place
from rules.grade import Grade, read_grade
from rules.pack import Input
from rules.syntax import Leaf, Syntax, place_of
from rules.units import (
    DURATION,
    LENGTH,
    METRE_PER_S,
    NS_PER_S,
    NUMBER,
    SPEED,
    WIND_FORCE,
    Dimension,
    Scale,
    Unit,
    UnitError,
    force_of_wind,
    read_duration,
    read_quantity,
    read_unit,
    wind_of_force,
)
from rules.yaml_text import TextNode

MINUTE = Unit("min", 60.0, DURATION)
# Far beyond anything that is measured, and far from where floats end, whatever it is multiplied by.
AMOUNT_MAX = 1e100
PLAIN = Scale(Unit("", 1.0, NUMBER))


def number(leaf: Leaf, node: TextNode, sign: int, faults: Faults) -> Draft | None:
    """A number without a unit; beside a quantity of an input it is read in the input's unit."""
    value = sign * float(leaf.text)
    if not _is_sensible(value, leaf, node, faults):
        return None

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        place = place_of(leaf, node)
        if home is None or dimension != home.scale.unit.dimension:
            return ex.Number(value, dimension, place)
        brought = home.scale.bring(value, home.scale.unit, is_point=is_point)
        return ex.Number(brought, dimension, place)

    draft = Draft.of("quantity", leaf, node, build)
    shown = f"-{leaf.text}" if sign < 0 else leaf.text
    return changed(draft, text=shown, kind="either", is_bare=True, amount=value)


def _is_sensible(value: float, leaf: Leaf, node: TextNode, faults: Faults) -> bool:
    """False, with a fault, for a number that nothing measures."""
    if abs(value) <= AMOUNT_MAX:
        return True
    place = place_of(leaf, node)
    faults.add("E104", place, f"`{leaf.text}` is too large", remedy="nothing measures so much")
    return False


def quantity(
    leaf: Leaf, node: TextNode, sign: int, home: Input | None, faults: Faults
) -> Draft | None:
    """A number with a unit; None when there is no such unit."""
    amount, symbol = read_quantity(leaf.text)
    value = sign * amount
    unit = _unit_of(symbol, leaf, node, faults)
    if unit is None or not _is_sensible(value, leaf, node, faults):
        return None
    if unit.dimension == WIND_FORCE and not _is_force(value, leaf, node, faults):
        return None
    scale = home.scale if home else PLAIN

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        place = place_of(leaf, node)
        if dimension == DURATION and unit.dimension == LENGTH:
            return ex.Number(scale.bring(value, MINUTE, is_point=False), DURATION, place)
        if dimension == NUMBER:
            return ex.Number(PLAIN.bring(value, unit, is_point=False), NUMBER, place)
        if dimension == SPEED and unit.dimension == WIND_FORCE:
            speed = scale.bring(wind_of_force(value), METRE_PER_S, is_point=False)
            return ex.Number(speed, SPEED, place)
        if dimension == WIND_FORCE and unit.dimension == SPEED:
            force = force_of_wind(value * unit.factor)
            assert force is not None
            return ex.Number(float(force), WIND_FORCE, place)
        if unit.symbol == "m" and " " not in leaf.text:
            _note_metres(amount, leaf, place, faults)
        return ex.Number(scale.bring(value, unit, is_point=is_point), dimension, place)

    draft = Draft.of("quantity", leaf, node, build)
    return changed(
        draft,
        text=f"-{leaf.text}" if sign < 0 else leaf.text,
        dimension=unit.dimension,
        kind="either",
        unit=unit.symbol,
        amount=value,
        is_literal=True,
    )


def _unit_of(symbol: str, leaf: Leaf, node: TextNode, faults: Faults) -> Unit | None:
    """The unit of a literal; None when there is no such unit, and then `faults` says so."""
    try:
        return read_unit(symbol)
    except UnitError as problem:
        place = place_of(leaf, node)
        if not leaf.inside:
            at = leaf.start + leaf.text.index(symbol)
            place = node.part(at, at + len(symbol))
        guess = problem.remedy.split("`")[1] if "`" in problem.remedy else ""
        faults.add("E201", place, str(problem), remedy=problem.remedy, fix=guess)
        return None


def _is_force(value: float, leaf: Leaf, node: TextNode, faults: Faults) -> bool:
    """False, with a fault, for a force that the scale of winds does not have."""
    try:
        wind_of_force(value)
    except UnitError as problem:
        faults.add("E215", place_of(leaf, node), str(problem), remedy=problem.remedy)
        return False
    return True


def _note_metres(amount: float, leaf: Leaf, place: Place, faults: Faults) -> None:
    """`5m` beside a length: metres, and whoever meant minutes should know."""
    faults.add(
        "N107",
        place,
        f"`{leaf.text}` is {amount:g} metres here",
        remedy=f"write `{amount:g} m`; minutes are `{amount:g}min`",
        fix=f"{amount:g} m",
    )


def duration(leaf: Leaf, node: TextNode, sign: int, faults: Faults) -> Draft | None:
    """A compound duration such as `1h30m`."""
    seconds_ns = window_ns(leaf, place_of(leaf, node), faults)
    if seconds_ns is None:
        return None
    value = sign * seconds_ns / NS_PER_S

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Number(value, dimension, place_of(leaf, node))

    draft = Draft.of("quantity", leaf, node, build)
    return changed(
        draft, text=leaf.text, dimension=DURATION, unit="s", amount=value, is_literal=True
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

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Text(leaf.text, place_of(leaf, node))

    return Draft.of("text", leaf, node, build)


def truth(leaf: Leaf, node: TextNode, is_true: bool) -> Draft:
    """`true` or `false`, as a comparison of constants."""

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        place = place_of(leaf, node)
        one = ex.Number(1.0, NUMBER, place)
        other = one if is_true else ex.Number(0.0, NUMBER, place)
        return ex.Compare(("==",), (one, other), place)

    return Draft.of("condition", leaf, node, build)


def never(leaf: Leaf, node: TextNode) -> Draft:
    """`never`: a duration above every other."""

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Number(math.inf, DURATION, place_of(leaf, node))

    return changed(Draft.of("quantity", leaf, node, build), dimension=DURATION, unit="s")


def grade(leaf: Leaf, node: TextNode, faults: Faults) -> Draft | None:
    """The word of a grade; `none` is the lowest, or nothing at all beside an attribute."""
    if leaf.text == "none":
        found: Grade | None = Grade.NONE
    else:
        found = read_grade(leaf.text, place_of(leaf, node), faults)
    if found is None:
        return None
    amount = float(found)

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Number(amount, NUMBER, place_of(leaf, node))

    return Draft.of("grade" if found else "none", leaf, node, build)


def metres(syntax: Syntax, node: TextNode, faults: Faults) -> float | None:
    """A distance in metres; None when it is none, and then `faults` says so."""
    place = place_of(syntax, node)
    remedy = "write for example `5 km` or `500 m`"
    if not isinstance(syntax, Leaf) or syntax.form != "quantity":
        faults.add("E202", place, "a distance is a fixed length", remedy=remedy)
        return None
    amount, symbol = read_quantity(syntax.text)
    unit = _unit_of(symbol, syntax, node, faults)
    if unit is None:
        return None
    if unit.dimension != LENGTH or amount <= 0:
        faults.add("E202", place, f"`{syntax.text}` is no distance", remedy=remedy)
        return None
    return amount * unit.factor
