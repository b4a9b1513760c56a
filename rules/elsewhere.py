"""Elsewhere: what a rule looks at beside readings: steps, other rules, the calendar."""

from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rules import expression as ex
from rules import literals, members
from rules.drafts import Draft
from rules.errors import nearest
from rules.fields import IDENTIFIER
from rules.pack import Input
from rules.syntax import Argument, Call, Leaf, place_of
from rules.units import DURATION, Dimension
from rules.vocabulary import RULE_PARTS, SEASONS
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker

EXAMPLES = {
    "season": 'season() == "summer"',
    "hour": "hour() >= 22",
    "in_calendar": 'in_calendar("flood-season")',
    "grade": 'rule("pack/id").grade',
    "age": 'rule("pack/id").age',
    "within": 'rule("pack/id").within(24h, radius=100 km)',
}


def step(checker: "Checker", syntax: Call, node: TextNode) -> Draft | None:
    """`seq.wet`: whether a step of the rule's sequence has been reached; None after a fault."""
    place = place_of(syntax, node)
    if checker.focus is not None:
        members.refuse_inside(checker, f"`seq.{syntax.name}`", place)
        return None
    checker.looks_at_readings = True
    if checker.steps is None:
        message, remedy = "this rule has no `sequence`", "add `sequence: {steps: [{as: …}]}`"
        checker.faults.add("E116", place, message, remedy=remedy)
        return None
    if syntax.name not in checker.steps or syntax.arguments is not None:
        guess = nearest(syntax.name, checker.steps)
        known = ", ".join(f"`{name}`" for name in sorted(checker.steps))
        remedy = f"did you mean `seq.{guess}`?" if guess else f"its steps are {known}"
        message = f"the sequence has no step `{node.text[syntax.name_start : syntax.end]}`"
        checker.faults.add("E116", place, message, remedy=remedy)
        return None

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Step(syntax.name, place)

    return Draft.of("condition", syntax, node, build)


def other_rule(checker: "Checker", syntax: Call, base: Call, node: TextNode) -> Draft | None:
    """`rule("pack/id").grade`, `.age`, `.within(24h, radius=100 km)`; None after a fault."""
    place = place_of(syntax, node)
    if checker.focus is not None:
        members.refuse_inside(checker, "`rule(…)`", place)
        return None
    checker.looks_at_readings = True
    name = _rule_name(checker, base, node)
    if syntax.name not in RULE_PARTS:
        guess = nearest(syntax.name, RULE_PARTS)
        remedy = f"did you mean `.{guess}`?" if guess else "it has .grade, .age and .within(…)"
        message = f"another rule has no `.{syntax.name}`"
        checker.faults.add("E117", place, message, remedy=remedy)
        return None
    within: tuple[int, float | None] | None = None
    if syntax.name == "within":
        within = _within(checker, syntax, node)
        if within is None:
            return None
    elif syntax.arguments is not None:
        message = f"`.{syntax.name}` takes no arguments"
        checker.faults.add("E111", place, message, remedy=f"write `{EXAMPLES[syntax.name]}`")
        return None
    if name is None:
        return None
    within_ns, radius_m = within or (None, None)
    is_age = syntax.name == "age"

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.OtherRule(name, "age" if is_age else "grade", within_ns, radius_m, place)

    draft = Draft.of("quantity" if is_age else "grade", syntax, node, build)
    return changed(draft, dimension=DURATION, unit="s") if is_age else draft


def _rule_name(checker: "Checker", base: Call, node: TextNode) -> str | None:
    """The full name of a rule; one without a pack is of the same pack. None after a fault."""
    items = base.arguments.items if base.arguments else ()
    text = items[0].value if len(items) == 1 and not items[0].keyword else None
    if not isinstance(text, Leaf) or text.form != "string":
        message = "`rule` takes the name of a rule, in quotes"
        place, remedy = place_of(base, node), 'write for example `rule("pack/id").grade`'
        checker.faults.add("E117", place, message, remedy=remedy)
        return None
    parts = text.text.split("/")
    if len(parts) > 2 or not all(IDENTIFIER.fullmatch(part) for part in parts):
        message = f"`{text.text}` is not the name of a rule"
        remedy = 'write "pack/id", or "id" for a rule of this pack'
        checker.faults.add("E117", place_of(text, node), message, remedy=remedy)
        return None
    return text.text if len(parts) == 2 else f"{checker.pack}/{text.text}"


def _within(checker: "Checker", syntax: Call, node: TextNode) -> tuple[int, float | None] | None:
    """How long ago and how far away; None after a fault."""
    items = syntax.arguments.items if syntax.arguments else ()
    plain = [item for item in items if not item.keyword]
    named: dict[str, Argument] = {item.keyword: item for item in items if item.keyword}
    is_known = named.keys() <= {"radius"} and len(plain) + len(named) == len(items)
    first = plain[0].value if len(plain) == 1 else None
    if not is_known or not isinstance(first, Leaf):
        message = "`within` takes a duration, and `radius=` if it is to be near"
        remedy = f"write `{EXAMPLES['within']}`"
        checker.faults.add("E111", place_of(syntax, node), message, remedy=remedy)
        return None
    within_ns = literals.window_ns(first, place_of(first, node), checker.faults)
    radius_m = None
    if "radius" in named:
        radius_m = literals.metres(named["radius"].value, node, checker.faults)
        if radius_m is None:
            return None
    return None if within_ns is None else (within_ns, radius_m)


def calendar(checker: "Checker", syntax: Call, node: TextNode) -> Draft | None:
    """`season()`, `hour()`, `in_calendar("flood-season")`; None after a fault."""
    items = syntax.arguments.items if syntax.arguments else ()
    place, word = place_of(syntax, node), syntax.name
    text = items[0].value if len(items) == 1 and not items[0].keyword else None
    wants_name = word == "in_calendar"
    is_named = isinstance(text, Leaf) and text.form == "string" and bool(text.text)
    if wants_name is not is_named or len(items) > wants_name:
        what = "the name of a calendar, in quotes" if wants_name else "nothing"
        message = f"`{word}` takes {what}"
        checker.faults.add("E111", place, message, remedy=f"write `{EXAMPLES[word]}`")
        return None
    named = text.text if isinstance(text, Leaf) else ""

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        return ex.Calendar(word, named, place)  # type: ignore[arg-type]

    if wants_name:
        return Draft.of("condition", syntax, node, build)
    draft = Draft.of("text" if word == "season" else "quantity", syntax, node, build)
    return changed(draft, words=SEASONS) if word == "season" else draft
