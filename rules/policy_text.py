"""Policy: what a rule does with its grades once they are due: hold, mute, cap, escalate, demote.

Read here: `flap`, `budget`, `suppress`, `inhibits`, `escalate`, `downgrade`, `area`,
`require_assets`. None of it changes what the conditions say; all of it changes what people hear.
"""

import re
from typing import Literal

from rules.checking import Checker
from rules.drafts import Draft
from rules.errors import did_you_mean
from rules.fields import Fields, amount_of, as_text_node, duration_of, identifier
from rules.grade import COLOURS, Grade, read_grade
from rules.pack import Budget, Escalation, Flap, Inhibition, Suppression
from rules.vocabulary import BUDGET, ESCALATE, FLAP, INHIBITS, SUPPRESS
from rules.yaml_text import ListNode, TextNode

HULL = re.compile(r"cluster\.hull(\(\s*(buffer\s*=\s*(?P<buffer>[^()]*?))?\s*\))?")
RULE_NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,63}/)?[A-Za-z0-9][\w.-]{0,63}")
WORDS = frozenset(grade.word for grade in COLOURS)
WHILE = ("shelved", "maintenance")


def read_flap(rule: Fields) -> Flap | None:
    """`flap: {changes: 6, window: 30m, then: hold_highest, for: 30m}`."""
    fields = Fields.open(rule.node_of("flap"), FLAP, rule.faults)
    if fields is None:
        return None
    example = "flap: {changes: 6, window: 30m, then: hold_highest, for: 30m}"
    fields.word("then", ("hold_highest",))
    if not fields.needs("changes", "window", "for", remedy=example):
        return None
    changes, window_ns = fields.count("changes", 2), positive(fields, "window")
    for_ns = positive(fields, "for")
    if changes is None or window_ns is None or for_ns is None:
        return None
    return Flap(changes, window_ns, for_ns)


def read_budget(rule: Fields, by: tuple[str, ...]) -> Budget | None:
    """`budget: {raises: 2, per: sensor, window: 7d, then: shadow}`."""
    fields = Fields.open(rule.node_of("budget"), BUDGET, rule.faults)
    if fields is None:
        return None
    example = "budget: {raises: 2, per: sensor, window: 7d, then: shadow}"
    fields.word("then", ("shadow",))
    per = fields.word("per", {*by, "rule"}) if by else None
    if not fields.needs("raises", "window", remedy=example):
        return None
    raises, window_ns = fields.count("raises", 1), positive(fields, "window")
    if raises is None or window_ns is None:
        return None
    return Budget(raises, per or (by[0] if by else "rule"), window_ns)


def draft_suppressions(rule: Fields, checker: Checker) -> list[tuple[Suppression, Draft | None]]:
    """`suppress: [{while: maintenance, max: 4h, effect: cap yellow, never: [red]}]`.

    A `while` that is neither word is a condition; its node takes the place of the word when it is
    built. A cap never hides red; to hide red, a rule must say `effect: mute` without `never`.
    """
    found: list[tuple[Suppression, Draft | None]] = []
    for item in rule.items("suppress"):
        fields = Fields.open(item, SUPPRESS, rule.faults)
        if fields is None:
            continue
        example = "suppress: [{while: maintenance, effect: cap yellow}]"
        during = fields.required("while", example)
        effect = read_effect(fields, example)
        never = {grade for grade in _grades(fields, "never") if grade is not None}
        max_ns = positive(fields, "max")
        draft = None
        if during is not None and during.text not in WHILE:
            draft = checker.condition(during)
            if draft is None:
                continue
        if during is None or effect is None:
            continue
        cap = effect[0]
        if cap is not None and "never" not in fields.values:
            never = {Grade.RED}
        word: Literal["shelved", "maintenance"]
        word = "shelved" if during.text == "shelved" else "maintenance"
        found.append((Suppression(word, max_ns, cap, frozenset(never)), draft))
    return found


def read_effect(fields: Fields, example: str) -> tuple[Grade | None] | None:
    """`mute` as (None,), `cap yellow` as (YELLOW,); None after a fault."""
    node = fields.required("effect", example)
    if node is None:
        return None
    if node.text == "mute":
        return (None,)
    words = node.text.split()
    if len(words) == 2 and words[0] == "cap":
        at = node.text.index(words[1], len("cap"))
        grade = read_grade(words[1], node.part(at, at + len(words[1])), fields.faults)
        return None if grade is None else (grade,)
    message = f"`effect: {node.text}` is unknown"
    fields.faults.add("E014", node.place, message, remedy="write `mute` or `cap yellow`")
    return None


def read_inhibits(rule: Fields, pack: str) -> tuple[Inhibition, ...]:
    """`inhibits: [{rules: [missing], at: yellow, effect: mute, same: [site]}]`."""
    found: list[Inhibition] = []
    example = "inhibits: [{rules: [missing], at: yellow, effect: mute, same: [site]}]"
    for item in rule.items("inhibits"):
        fields = Fields.open(item, INHIBITS, rule.faults)
        if fields is None:
            continue
        is_whole = fields.needs("rules", "at", "same", remedy=example)
        rules = names_of_rules(fields, "rules", pack)
        at = fields.grade("at")
        effect = read_effect(fields, example)
        same = [text.text for text in _texts(fields, "same")]
        if is_whole and at is not None and effect is not None and rules:
            found.append(Inhibition(rules, at, effect[0], tuple(same)))
    return tuple(found)


def read_escalations(rule: Fields, grades: tuple[Grade, ...]) -> tuple[Escalation, ...]:
    """`escalate: [{from: orange, after: 30min, unless: acknowledged, to: red}]`."""
    found: list[Escalation] = []
    example = "escalate: [{from: orange, after: 30min, unless: acknowledged, to: red}]"
    for item in rule.items("escalate"):
        fields = Fields.open(item, ESCALATE, rule.faults)
        if fields is None:
            continue
        is_whole = fields.needs("from", "after", "to", remedy=example)
        fields.word("unless", ("acknowledged",))
        grade, to, after_ns = fields.grade("from"), fields.grade("to"), positive(fields, "after")
        if not is_whole or grade is None or to is None or after_ns is None:
            continue
        if to <= grade:
            place = fields.values["to"][1].place
            message = f"an escalation from {grade.word} to {to.word} does not rise"
            rule.faults.add("E310", place, message, remedy=f"name a grade above {grade.word}")
            continue
        if grades and grade not in grades:
            place = fields.values["from"][1].place
            message = f"`from: {grade.word}`, but the rule has no {grade.word}"
            remedy = "it has " + ", ".join(known.word for known in grades)
            rule.faults.add("E306", place, message, remedy=remedy)
            continue
        found.append(Escalation(grade, after_ns, to))
    return tuple(found)


def read_downgrade(rule: Fields) -> int:
    """`downgrade: never_within 60s`: nanoseconds, 0 where the rule does not say."""
    node = rule.text("downgrade")
    if node is None:
        return 0
    word, _, rest = node.text.partition(" ")
    if word != "never_within" or not rest.strip():
        message = f"`downgrade: {node.text}` is unknown"
        remedy = "write `downgrade: never_within 60s`"
        rule.faults.add("E014", node.place, message, remedy=remedy)
        return 0
    return duration_of(part_of(node, rest.strip()), rule.faults) or 0


def read_area(rule: Fields, *, has_cluster: bool) -> float | None:
    """`area: cluster.hull(buffer=30 km)`: metres around the members; None where it is not said."""
    node = rule.text("area")
    if node is None:
        return None
    found = HULL.fullmatch(node.text.strip())
    if found is None:
        message = f"`area: {node.text}` is unknown"
        remedy = "write `area: cluster.hull(buffer=30 km)`"
        rule.faults.add("E014", node.place, message, remedy=remedy)
        return None
    if not has_cluster:
        message = "an area is drawn around a cluster, and this rule has none"
        rule.faults.add("E312", node.place, message, remedy="add `cluster`, or remove `area`")
    if not found["buffer"]:
        return 0.0
    return amount_of(part_of(node, found["buffer"].strip()), "m", rule.faults)


def read_required_assets(rule: Fields) -> tuple[str, ...]:
    """`require_assets: [v_blue, v_red]`: attributes that every instance must have."""
    found: list[str] = []
    for text in _texts(rule, "require_assets"):
        name = identifier(text, rule.faults)
        if name in found:
            rule.faults.add("E004", text.place, f"`{name}` stands twice in `require_assets`")
        elif name:
            found.append(name)
    return tuple(found)


def read_monotone(rule: Fields, checker: Checker) -> str:
    """`monotone: v`: v_blue < v_yellow < v_orange < v_red, of the attributes that a rule uses."""
    node = rule.text("monotone")
    if node is None:
        return ""
    used = {name for _, name, _ in checker.solver.seen}
    stems = {name.rpartition("_")[0] for name in used if name.rpartition("_")[2] in WORDS}
    if node.text not in stems and not checker.has_failed:
        message = f"no attribute `{node.text}_blue`, `{node.text}_red` is used in this rule"
        remedy = did_you_mean(node.text, stems) if stems else "remove `monotone`"
        rule.faults.add("E301", node.place, message, remedy=remedy)
    return node.text


def names_of_rules(fields: Fields, key: str, pack: str) -> tuple[str, ...]:
    """Rules by their full names: a short one is a rule of the same pack."""
    found: list[str] = []
    for text in _texts(fields, key):
        if not RULE_NAME.fullmatch(text.text):
            message = f"`{text.text}` cannot be the name of a rule"
            remedy = "write the id of a rule of this pack, or `pack/id`"
            fields.faults.add("E014", text.place, message, remedy=remedy)
            continue
        name = text.text if "/" in text.text else f"{pack}/{text.text}"
        if name in found:
            fields.faults.add("E004", text.place, f"`{text.text}` stands twice in `{key}`")
            continue
        found.append(name)
    if key in fields.values and not fields.items(key) and isinstance(fields.node_of(key), ListNode):
        message = f"`{key}` names no rule"
        fields.faults.add("E310", fields.key_place(key), message, remedy=f"{key}: [some-rule]")
    return tuple(found)


def positive(fields: Fields, key: str) -> int | None:
    """A duration that is not zero; None when the key is not there."""
    length_ns = fields.duration(key)
    if length_ns == 0:
        node = fields.values[key][1]
        fields.faults.add("E014", node.place, f"`{key}` must be longer than nothing")
        return None
    return length_ns


def part_of(node: TextNode, text: str) -> TextNode:
    """A part of a scalar as a scalar of its own, at its place."""
    at = node.text.find(text)
    start = node.start + (1 if node.is_quoted else 0) + max(0, at)
    return TextNode(text, node.source, start, start + len(text), False)


def _texts(fields: Fields, key: str) -> list[TextNode]:
    """The items of a list of single words."""
    texts = [as_text_node(item, fields.faults) for item in fields.items(key)]
    return [text for text in texts if text is not None]


def _grades(fields: Fields, key: str) -> list[Grade | None]:
    return [read_grade(text.text, text.place, fields.faults) for text in _texts(fields, key)]
