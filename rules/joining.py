"""Joining: what two or more quantities become when an operator stands between them."""

from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rules import expression as ex
from rules import wording
from rules.drafts import Draft, Kind
from rules.syntax import Call, Chain, Infix, Within
from rules.units import NUMBER, SHARES, TEMPERATURES, Dimension, times
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker


def infix(checker: "Checker", syntax: Infix, pair: list[Draft], node: TextNode) -> Draft | None:
    """`a + b`, `a - b`, `a * b`, `a / b`."""
    wanted = [checker.wanted(draft, "quantity") for draft in pair]
    if None in wanted:
        return None
    left, right = pair
    if syntax.operator in ("+", "-"):
        return _sum(checker, syntax, left, right, node)
    return _product(checker, syntax, left, right, node)


def _sum(
    checker: "Checker", syntax: Infix, left: Draft, right: Draft, node: TextNode
) -> Draft | None:
    verb = "added" if syntax.operator == "+" else "subtracted"
    # Faults about `a + b` speak of b first: b is added to a.
    if not checker.equate(left, right, "used" if right.is_bare or left.is_bare else verb):
        return None
    whole = _lead([left, right])
    is_temperature = checker.solver.dimension(whole) == TEMPERATURES
    kind = _sum_kind(syntax.operator, left.kind, right.kind)
    if kind is None and is_temperature:
        wording.two_points(right, syntax.operator, checker.faults)
        return None
    place = node.part(syntax.start, syntax.end)

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        of_left, of_right = _sides(syntax.operator, left.kind, right.kind, is_point)
        return ex.Arithmetic(
            syntax.operator,
            left.build(dimension, of_left),
            right.build(dimension, of_right),
            dimension,
            place,
        )

    return Draft(
        "quantity",
        node.text[syntax.start : syntax.end],
        node,
        syntax.start,
        syntax.end,
        build,
        dimension=whole.dimension,
        variables=whole.variables,
        kind=kind or "difference",
        unit=whole.unit,
        is_bare=left.is_bare and right.is_bare,
        input=left.input or right.input,
    )


def _sum_kind(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Of a sum of temperatures: point or difference; None when it means nothing."""
    if operator == "+":
        if left == right == "point":
            return None
        if "point" in (left, right):
            return "point"
        return "difference" if "difference" in (left, right) else "either"
    if right == "point":
        return None if left == "difference" else "difference"
    return left


def _sides(operator: str, left: Kind, right: Kind, is_point: bool) -> tuple[bool, bool]:
    """Which side of a sum of temperatures is a point, given what the sum is."""
    if operator == "-" and right == "point":
        return True, True
    if left == "point" or right == "point":
        return left == "point", right == "point"
    if not is_point:
        return False, False
    return left == "either", left != "either" and operator == "+"


def _product(
    checker: "Checker", syntax: Infix, left: Draft, right: Draft, node: TextNode
) -> Draft | None:
    sign = 1 if syntax.operator == "*" else -1
    for draft in (left, right):
        if draft.kind == "point" and checker.solver.dimension(draft) == TEMPERATURES:
            wording.scaled_point(draft, checker.faults)
            return None
    if syntax.operator == "/" and right.amount == 0:
        remedy = "what is divided by zero is never known"
        place = wording.place_of(right)
        checker.faults.add("E104", place, "a division by zero", remedy=remedy)
        return None
    # Beside a quantity a share is a factor: `80 % * asset.p_max` is a pressure.
    of_left = NUMBER if _is_factor(left, right, sign) else left.dimension
    of_right = NUMBER if _is_factor(right, left, sign) else right.dimension
    powers = dict(left.variables)
    for variable, power in right.variables:
        powers[variable] = powers.get(variable, 0) + sign * power
    place = node.part(syntax.start, syntax.end)
    is_bare = left.is_bare and right.is_bare

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        a = checker.solver.dimension(left) if of_left == left.dimension else of_left
        b = checker.solver.dimension(right) if of_right == right.dimension else of_right
        assert a is not None
        assert b is not None
        # `2 * 150` beside a pressure is a number of kPa times a number.
        a = dimension if is_bare else a
        return ex.Arithmetic(
            syntax.operator, left.build(a, False), right.build(b, False), dimension, place
        )

    dimension = times(of_left, of_right, sign)
    home = left.input or right.input
    return Draft(
        "quantity",
        node.text[syntax.start : syntax.end],
        node,
        syntax.start,
        syntax.end,
        build,
        dimension=dimension,
        variables=tuple((variable, power) for variable, power in powers.items() if power),
        kind="difference",
        unit=home.scale.unit_of(dimension).symbol if home and not powers else "",
        is_bare=is_bare,
        input=home,
    )


def _is_factor(draft: Draft, other: Draft, sign: int) -> bool:
    """True for a share that multiplies a quantity; `2 * 3 %` are 6 %."""
    is_share = draft.is_literal and draft.dimension == SHARES
    return sign == 1 and is_share and not other.is_bare


def chain(checker: "Checker", syntax: Chain, operands: list[Draft], node: TextNode) -> Draft | None:
    """`a < b <= c`."""
    place = node.part(syntax.start, syntax.end)
    kind = _common_kind(checker, operands)
    if kind is None:
        return None
    if checker.is_text(operands[0]) and not set(syntax.operators) <= {"==", "!="}:
        message = "texts have no order"
        checker.faults.add("E207", place, message, remedy="compare them with `==` or `!=`")
        return None
    lead = _lead(operands)

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        common = checker.solver.dimension(lead) or NUMBER
        built = tuple(draft.build(common, kind != "difference") for draft in operands)
        return ex.Compare(syntax.operators, built, place)  # type: ignore[arg-type]

    text = node.text[syntax.start : syntax.end]
    return Draft("condition", text, node, syntax.start, syntax.end, build)


def member(
    checker: "Checker", syntax: Within, members: list[Draft], node: TextNode
) -> Draft | None:
    """`a in [b, c]`."""
    place = node.part(syntax.start, syntax.end)
    if len(members) == 1:
        checker.faults.add("E101", place, "an empty list", remedy="it could never be true")
        return None
    kind = _common_kind(checker, members)
    if kind is None:
        return None
    lead = _lead(members)

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        common = checker.solver.dimension(lead) or NUMBER
        operand, *items = (draft.build(common, kind != "difference") for draft in members)
        return ex.Member(operand, tuple(items), place)

    text = node.text[syntax.start : syntax.end]
    return Draft("condition", text, node, syntax.start, syntax.end, build)


def either(checker: "Checker", pair: list[Draft], syntax: Call, node: TextNode) -> Draft | None:
    """`or_else(a, b)`: two quantities of one kind, or two conditions."""
    first, second = pair
    place = node.part(syntax.start, syntax.end)
    lead, kind = first, first.kind
    if first.sort == second.sort == "quantity":
        common = _common_kind(checker, pair)
        if common is None:
            return None
        lead, kind = _lead(pair), common
    elif not first.sort == second.sort == "condition":
        wording.wrong_sort(second, wording.NOUNS[first.sort], checker.faults)
        return None

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        a, b = first.build(dimension, is_point), second.build(dimension, is_point)
        return ex.OrElse(a, b, dimension, place)

    return changed(
        lead,
        text=node.text[syntax.start : syntax.end],
        node=node,
        start=syntax.start,
        end=syntax.end,
        build=build,
        kind=kind,
        is_literal=False,
        attribute=None,
        amount=None,
    )


def _lead(drafts: list[Draft]) -> Draft:
    """The draft whose dimension is the others' too: best one that is not a literal."""
    ranked = sorted(drafts, key=lambda draft: 2 * draft.is_bare + draft.is_literal)
    return ranked[0]


def _common_kind(checker: "Checker", drafts: list[Draft]) -> Kind | None:
    """Let quantities, or texts, be of one kind; None after a fault."""
    if any(draft.sort == "text" for draft in drafts):
        return "difference" if _texts(checker, drafts) else None
    wanted = [checker.wanted(draft, "quantity") for draft in drafts]
    if None in wanted:
        return None
    lead = _lead(drafts)
    others = [draft for draft in drafts if draft is not lead]
    fitting = [checker.equate(lead, draft, "compared") for draft in others]
    if False in fitting:
        return None
    kinds = {draft.kind for draft in drafts}
    if {"point", "difference"} <= kinds and checker.solver.dimension(lead) == TEMPERATURES:
        other = next(draft for draft in others if draft.kind not in ("either", lead.kind))
        wording.point_and_difference(lead, other, "compared", checker.faults)
        return None
    return "point" if "point" in kinds else "difference" if "difference" in kinds else "either"


def _texts(checker: "Checker", drafts: list[Draft]) -> bool:
    """Let all be texts: quoted ones, and attributes; False after a fault."""
    is_right = True
    for draft in drafts:
        if draft.attribute is not None:
            checker.solver.texts.add(draft.attribute)
        elif draft.sort != "text":
            wording.wrong_sort(draft, wording.NOUNS["text"], checker.faults)
            is_right = False
    return is_right
