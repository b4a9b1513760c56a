"""Joining: what two or more quantities become when an operator stands between them."""

from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rules import expression as ex
from rules import wording
from rules.drafts import Draft, Kind
from rules.pack import Input
from rules.syntax import Call, Chain, Infix, Within, place_of
from rules.units import NUMBER, SHARES, SPEED, TEMPERATURES, WIND_FORCE, Dimension, times
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
    if wording.is_force_beside_speed(left, right, checker.solver):
        wording.force_in_sum(left, right, checker.faults)
        return None
    whole = _lead([left, right])
    is_temperature = checker.solver.dimension(whole) == TEMPERATURES
    kind = _sum_kind(syntax.operator, left.kind, right.kind)
    if kind is None and is_temperature:
        wording.two_points(right, syntax.operator, checker.faults)
        return None
    place = place_of(syntax, node)
    own = left.input or right.input

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        of_left, of_right = _sides(syntax.operator, left.kind, right.kind, is_point)
        home = own or home
        return ex.Arithmetic(
            syntax.operator,
            left.build(dimension, of_left, home),
            right.build(dimension, of_right, home),
            dimension,
            place,
        )

    return changed(
        Draft.of("quantity", syntax, node, build),
        dimension=whole.dimension,
        variables=whole.variables,
        kind=kind or "difference",
        unit=whole.unit,
        is_bare=left.is_bare and right.is_bare,
        input=own,
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
        checker.faults.add("E104", right.place, "a division by zero", remedy=remedy)
        return None
    # Beside a quantity a share is a factor: `80 % * asset.p_max` is a pressure.
    of_left = NUMBER if _is_factor(left, right, sign) else left.dimension
    of_right = NUMBER if _is_factor(right, left, sign) else right.dimension
    powers = dict(left.variables)
    for variable, power in right.variables:
        powers[variable] = powers.get(variable, 0) + sign * power
    place = place_of(syntax, node)
    is_bare = left.is_bare and right.is_bare

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        a = checker.solver.dimension(left) if of_left == left.dimension else of_left
        b = checker.solver.dimension(right) if of_right == right.dimension else of_right
        assert a is not None
        assert b is not None
        # `2 * 150` beside a pressure is a number of kPa times a number.
        a = dimension if is_bare else a
        operands = left.build(a, False, home), right.build(b, False, None)
        return ex.Arithmetic(syntax.operator, *operands, dimension, place)

    dimension = times(of_left, of_right, sign)
    own = left.input or right.input
    return changed(
        Draft.of("quantity", syntax, node, build),
        dimension=dimension,
        variables=tuple((variable, power) for variable, power in powers.items() if power),
        unit=own.scale.unit_of(dimension).symbol if own and not powers else "",
        is_bare=is_bare,
        input=own,
    )


def _is_factor(draft: Draft, other: Draft, sign: int) -> bool:
    """True for a share that multiplies a quantity; `2 * 3 %` are 6 %."""
    is_share = draft.is_literal and draft.dimension == SHARES
    return sign == 1 and is_share and not other.is_bare


def chain(checker: "Checker", syntax: Chain, operands: list[Draft], node: TextNode) -> Draft | None:
    """`a < b <= c`."""
    place = place_of(syntax, node)
    if any(draft.sort == "none" for draft in operands):
        asked = [draft for draft in operands if draft.sort != "none"]
        if any(draft.sort != "grade" for draft in asked) or not asked:
            return _existence(checker, syntax, operands, node)
    kind = _common_kind(checker, operands)
    if kind is None:
        return None
    if checker.is_text(operands[0]) and not set(syntax.operators) <= {"==", "!="}:
        message = "texts have no order"
        checker.faults.add("E207", place, message, remedy="compare them with `==` or `!=`")
        return None
    if not _forces_fit(checker, syntax, operands):
        return None
    lead = _lead(operands)

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        common = checker.solver.dimension(lead) or NUMBER
        is_common_point = kind != "difference"
        built = tuple(draft.build(common, is_common_point, lead.input) for draft in operands)
        return ex.Compare(syntax.operators, built, place)  # type: ignore[arg-type]

    return Draft.of("condition", syntax, node, build)


def _existence(
    checker: "Checker", syntax: Chain, operands: list[Draft], node: TextNode
) -> Draft | None:
    """`asset.x != none`: whether the catalogue says anything of it."""
    attribute = next((draft for draft in operands if draft.attribute is not None), None)
    is_pair = len(operands) == 2 and syntax.operators[0] in ("==", "!=")
    if attribute is None or attribute.attribute is None or not is_pair:
        wording.no_none(operands, checker.faults)
        return None
    checker.solver.asked[attribute.attribute] += 1
    place = place_of(syntax, node)

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        of = checker.solver.dimension(attribute) or NUMBER
        known = ex.Known(attribute.build(of, attribute.kind != "difference", home), place)
        return known if syntax.operators[0] == "!=" else ex.Not(known, place)

    return Draft.of("condition", syntax, node, build)


def _forces_fit(checker: "Checker", syntax: Chain, operands: list[Draft]) -> bool:
    """A force of the wind begins at a speed: only `>=` and `<` mean the same of both."""
    links = zip(syntax.operators, operands, operands[1:], strict=False)
    for operator, left, right in links:
        if not wording.is_force_beside_speed(left, right, checker.solver):
            continue
        allowed = (">=", "<") if right.is_literal else ("<=", ">")
        if operator not in allowed:
            wording.force_compared(right if right.is_literal else left, operator, checker.faults)
            return False
    return True


def member(
    checker: "Checker", syntax: Within, members: list[Draft], node: TextNode
) -> Draft | None:
    """`a in [b, c]`."""
    place = place_of(syntax, node)
    if len(members) == 1:
        checker.faults.add("E101", place, "an empty list", remedy="it could never be true")
        return None
    kind = _common_kind(checker, members)
    if kind is None:
        return None
    lead = _lead(members)
    if checker.solver.dimension(lead) in (SPEED, WIND_FORCE):
        for draft in members:
            if wording.is_force_beside_speed(draft, lead, checker.solver):
                wording.force_compared(draft, "in", checker.faults)
                return None

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        common = checker.solver.dimension(lead) or NUMBER
        is_common_point = kind != "difference"
        operand, *items = (d.build(common, is_common_point, lead.input) for d in members)
        return ex.Member(operand, tuple(items), place)

    return Draft.of("condition", syntax, node, build)


def either(checker: "Checker", pair: list[Draft], syntax: Call, node: TextNode) -> Draft | None:
    """`or_else(a, b)`: two quantities of one kind, two grades, or two conditions."""
    first, second = pair
    place = place_of(syntax, node)
    lead, kind = first, first.kind
    if first.sort == "quantity" and second.sort in ("quantity", "grade"):
        common = _common_kind(checker, pair)
        if common is None:
            return None
        lead, kind = _lead(pair), common
    elif first.sort == "grade" and second.sort != "condition":
        if not _grades(checker, pair):
            return None
    elif not first.sort == second.sort == "condition":
        wording.wrong_sort(second, wording.NOUNS[first.sort], checker.faults)
        return None

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        home = lead.input or home
        a = first.build(dimension, is_point, home)
        b = second.build(dimension, is_point, home)
        return ex.OrElse(a, b, dimension, place)

    return changed(lead.moved(syntax, node), build=build, kind=kind)


def _lead(drafts: list[Draft]) -> Draft:
    """The draft whose dimension is the others' too: best one that is not a literal."""
    ranked = sorted(drafts, key=lambda draft: 2 * draft.is_bare + draft.is_literal)
    return ranked[0]


def _common_kind(checker: "Checker", drafts: list[Draft]) -> Kind | None:
    """Let quantities, or texts, or grades be of one kind; None after a fault."""
    if any(draft.sort == "grade" for draft in drafts):
        return "difference" if _grades(checker, drafts) else None
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
    words = next((draft.words for draft in drafts if draft.words), ())
    for draft in drafts:
        if draft.attribute is not None:
            checker.solver.texts.add(draft.attribute)
        elif draft.sort != "text":
            wording.wrong_sort(draft, wording.NOUNS["text"], checker.faults)
            is_right = False
        elif words and not draft.words and draft.text.strip("\"'") not in words:
            wording.unknown_text(draft, words, checker.faults)
            is_right = False
    return is_right


def _grades(checker: "Checker", drafts: list[Draft]) -> bool:
    """Let all be grades; a number is none, whatever its author meant by it."""
    wrong = [draft for draft in drafts if draft.sort not in ("grade", "none")]
    for draft in wrong:
        wording.no_grade(draft, checker.faults)
    return not wrong
