"""Wording: what is said about expressions whose parts do not fit together."""

from rules.drafts import Draft, Solver
from rules.errors import Faults, Place
from rules.pack import Input
from rules.units import DURATION, LENGTH, Dimension, describe, times

JOINED = {"compared": "with", "added": "to", "subtracted": "from", "used": "beside"}
NOUNS = {"quantity": "a quantity", "condition": "a condition", "text": "a text", "set": "a set"}


def place_of(draft: Draft) -> Place:
    """Where a draft stands."""
    return draft.node.part(draft.start, draft.end)


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
    return f" ({unit})" if unit else ""


def bare_number(
    bare: Draft, home: Input, names: dict[str, Input], faults: Faults, *, verb: str
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


def unit_unknown(variable: tuple[str, str], draft: Draft, faults: Faults) -> None:
    """An attribute that is compared with nothing that has a unit."""
    scope, name = variable
    faults.add(
        "E206",
        place_of(draft),
        f"the unit of `{scope}.{name}` cannot be told from here",
        remedy="compare it with a feature, or with a value that has a unit",
    )


def torn(variable: tuple[str, str], draft: Draft, faults: Faults) -> None:
    """An attribute that is a text here and a quantity there."""
    scope, name = variable
    message = f"`{scope}.{name}` is compared with a text in one place and with a quantity elsewhere"
    faults.add("E207", place_of(draft), message)
