"""Wording: what is said about expressions whose parts do not fit together."""

from collections.abc import Iterable

from rules.drafts import Draft, Solver, Variable
from rules.errors import Faults, Place, did_you_mean
from rules.pack import Input
from rules.unit_table import BASES
from rules.units import (
    DURATION,
    LENGTH,
    OWN,
    SPEED,
    WIND_FORCE,
    Dimension,
    describe,
    times,
)

JOINED = {"compared": "with", "added": "to", "subtracted": "from", "used": "beside"}
NOUNS = {
    "quantity": "a quantity",
    "condition": "a condition",
    "text": "a text",
    "set": "a set",
    "grade": "a grade",
    "none": "no value",
}
OWN_REMEDY = (
    "an input of all types has no unit: compare it with itself, with `asset.range_high`, "
    "or as a ratio such as `rise(1h) / (asset.range_high - asset.range_low)`"
)


def place_of(draft: Draft) -> Place:
    """Where a draft stands."""
    return draft.place


def is_own(dimension: Dimension | None) -> bool:
    """True for a quantity in the unit of each sensor's own type, or per time of it."""
    return dimension is not None and dimension[BASES.index("own")] != 0


def unit_mismatch(left: Draft, right: Draft, verb: str, solver: Solver, faults: Faults) -> None:
    """Two quantities of different dimensions."""
    first, second = (right, left) if left.is_literal else (left, right)
    a, b = solver.dimension(first), solver.dimension(second)
    ours = describe(a) if a is not None else "of one kind"
    theirs = describe(b) if b is not None else "one of another kind"
    fix, remedy = _meant(first, second, a, b)
    faults.add(
        "E203",
        place_of(second),
        f"unit mismatch: `{first.text}` is {ours}{_in(first.unit)}, "
        f"{verb} {JOINED[verb]} {theirs}{_in(second.unit)}",
        remedy=remedy,
        fix=fix,
    )


def _meant(
    first: Draft, second: Draft, ours: Dimension | None, theirs: Dimension | None
) -> tuple[str, str]:
    """What to write instead of a literal of the wrong dimension, and the line of help for it."""
    if is_own(ours) or is_own(theirs):
        return "", OWN_REMEDY
    if not second.is_literal or ours is None or theirs is None:
        return "", ""
    if ours == times(theirs, DURATION, -1):
        fix = f"{second.text}/min"
        return fix, f"did you mean `{fix}`?"
    if second.unit.endswith("/m") and ours == times(times(theirs, LENGTH), DURATION, -1):
        fix = f"{second.text}in"
        return fix, f"did you mean `{fix}`? Rates are per `/min`; `/m` is per metre"
    return "", f"write a value in {first.unit} or a unit of the same kind" if first.unit else ""


def _in(unit: str) -> str:
    return f" ({unit})" if unit and unit != "*" else ""


def bare_number(
    bare: Draft, home: Input, names: dict[str, Input | None], faults: Faults, *, verb: str
) -> None:
    """A number without a unit beside a quantity of an input: read in the input's unit."""
    name = next((name for name, known in names.items() if known is home), "")
    owner = f"input `{name}`" if name else "the input"
    shown = f"{bare.text} {home.unit}"
    faults.add(
        "W204",
        place_of(bare),
        f"number without a unit {verb} {JOINED[verb]} {describe(home.scale.unit.dimension)}; "
        f"read as {shown} (the unit of {owner})",
        remedy=f"write `{shown}`",
        fix=shown,
    )


def unit_needed(
    bare: Draft, other: Draft, dimension: Dimension, faults: Faults, *, verb: str
) -> None:
    """A number without a unit where no unit can be taken for granted."""
    if is_own(dimension):
        message = f"a number {verb} {JOINED[verb]} `{other.text}`, which is {describe(OWN)}"
        faults.add("E204", place_of(bare), message, remedy=OWN_REMEDY)
        return
    example = f"{bare.text} {other.unit}".replace("/s", "/min") if other.unit else ""
    if dimension == DURATION:
        example = f"{bare.text}s` or `{bare.text}min"
    faults.add(
        "E204",
        place_of(bare),
        f"number without a unit {verb} {JOINED[verb]} {describe(dimension)}",
        remedy=f"write the unit, such as `{example}`" if example else "write the unit",
    )


def wrong_sort(draft: Draft, wanted: str, faults: Faults) -> None:
    """A condition where a quantity is needed, or the other way round."""
    if draft.sort == "set":
        one_of_set(draft, "", "", faults)
        return
    remedy = ""
    if wanted == "a condition" and draft.sort == "quantity":
        remedy = f"compare it with something: `{draft.text} >= …`"
    if wanted == "a condition" and draft.sort == "grade":
        remedy = f"compare it with a grade: `{draft.text} >= yellow`"
    message = f"`{draft.text}` is {NOUNS[draft.sort]}, but {wanted} is needed here"
    faults.add("E207", place_of(draft), message, remedy=remedy)


def one_of_set(draft: Draft, operator: str, other: str, faults: Faults, *, key: str = "") -> None:
    """A set of sensors where one value is needed."""
    name = draft.text
    per = f" per {key}" if key else ""
    message = f"`{name}` is a set (several sensors{per}), a comparison needs one value"
    remedy = f"{name}.any(…), {name}.votes(…) >= 2, or {name}.max_of(…)"
    if operator:
        test = f"value {operator} {other}"
        remedy = (
            f"{name}.any({test}), {name}.votes({test}) >= 2, "
            f"or {name}.max_of(mean(10s)) {operator} {other}"
        )
    faults.add("E210", place_of(draft), message, remedy=remedy)


def point_and_difference(left: Draft, right: Draft, verb: str, faults: Faults) -> None:
    """20 °C and a rise of 20 K are two things."""
    point, other = (left, right) if left.kind == "point" else (right, left)
    faults.add(
        "E208",
        place_of(right),
        f"`{point.text}` is a temperature, {verb} {JOINED[verb]} a difference of temperatures, "
        f"`{other.text}`",
        remedy="a temperature is compared with a temperature, a rise with a difference in K",
    )


def scaled_point(draft: Draft, faults: Faults) -> None:
    """Twice 20 °C is not 40 °C."""
    faults.add(
        "E205",
        place_of(draft),
        f"`{draft.text}` is a temperature on a scale with an arbitrary zero; "
        "it can be neither multiplied nor divided",
        remedy="add or subtract a difference: `asset.t_max - 5 K`",
    )


def two_points(draft: Draft, operator: str, faults: Faults) -> None:
    """20 °C + 20 °C means nothing."""
    faults.add(
        "E205",
        place_of(draft),
        f"`{operator} {draft.text}`: a temperature cannot be used as a difference",
        remedy="write a difference in K",
    )


def unit_unknown(variable: Variable, draft: Draft, faults: Faults) -> None:
    """An attribute that is compared with nothing that has a unit."""
    scope, name, _ = variable
    faults.add(
        "E206",
        place_of(draft),
        f"the unit of `{scope}.{name}` cannot be told from here",
        remedy="compare it with a feature, or with a value that has a unit",
    )


def torn(variable: Variable, draft: Draft, faults: Faults) -> None:
    """An attribute that is a text here and a quantity there."""
    scope, name, _ = variable
    message = f"`{scope}.{name}` is compared with a text in one place and with a quantity elsewhere"
    faults.add("E207", place_of(draft), message)


def set_used_alone(draft: Draft, faults: Faults, *, key: str) -> None:
    """A feature of a set, where it is not said of which of its members."""
    base, _, feature = draft.text.partition(".")
    name, inner = (base, feature) if feature else ("input", draft.text)
    per = f" per {key}" if key else ""
    faults.add(
        "E210",
        place_of(draft),
        f"`{name}` is a set (several sensors{per}), and `{draft.text}` is of one sensor",
        remedy=f"{name}.max_of({inner}), or {name}.votes({inner} >= …) >= 2",
    )


def used_both_ways(name: str, single: Place, faults: Faults, *, key: str) -> None:
    """An input that is one sensor here and a set there."""
    faults.add(
        "E211",
        single,
        f"`{name}` is one sensor here and a set elsewhere in this rule",
        remedy=f"a {key or 'key'} with several sensors: use a set method here too, "
        f"such as `{name}.max_of(…)`",
    )


def no_grade(draft: Draft, faults: Faults) -> None:
    """A number, or something else, where a grade is compared."""
    if draft.is_bare:
        faults.add(
            "E023",
            place_of(draft),
            f"a grade is a colour, not a number: `{draft.text}`",
            remedy="level I (一级) is red in Chinese law, level 1 is the mildest elsewhere; "
            "write blue, yellow, orange or red",
        )
        return
    wrong_sort(draft, "a grade", faults)


def no_none(operands: Iterable[Draft], faults: Faults) -> None:
    """`none` beside something that is neither a grade nor an attribute."""
    none = next(draft for draft in operands if draft.sort == "none")
    faults.add(
        "E207",
        place_of(none),
        "`none` is a grade, or what an attribute is when the catalogue does not say it",
        remedy="`asset.x != none` asks for an attribute, `known(mean(5m))` for a value",
    )


def unknown_text(draft: Draft, words: Iterable[str], faults: Faults) -> None:
    """A text that can never be equal."""
    remedy = did_you_mean(draft.text.strip("\"'"), words)
    faults.add("E118", place_of(draft), f"{draft.text} is none of its values", remedy=remedy)


def is_force_beside_speed(left: Draft, right: Draft, solver: Solver) -> bool:
    """True where a force of the wind stands beside a speed, and one of them is a literal."""
    for literal, other in ((left, right), (right, left)):
        pair = literal.dimension, solver.dimension(other)
        if literal.is_literal and pair in ((WIND_FORCE, SPEED), (SPEED, WIND_FORCE)):
            return True
    return False


def force_compared(literal: Draft, operator: str, faults: Faults) -> None:
    """`> 8 beaufort` would mean from force 9 on, `<= 8` below it; nobody should have to know."""
    faults.add(
        "E215",
        place_of(literal),
        f"`{operator} {literal.text}`: a force of the wind is a range of speeds",
        remedy="write `>=` for from this force on, or `<` for below it",
    )


def force_in_sum(left: Draft, right: Draft, faults: Faults) -> None:
    """The scale of winds is an order; its steps are not equal."""
    literal = left if left.is_literal else right
    message = f"`{literal.text}` is a step of an order, and cannot be added or subtracted"
    faults.add("E215", place_of(literal), message, remedy="write the wind in m/s")
