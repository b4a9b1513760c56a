"""The smaller sections of a rule: title, input, quality, lateness, model, `let`."""

import re
from collections.abc import Container
from dataclasses import replace

from rules.errors import Faults, did_you_mean, nearest
from rules.fields import (
    Fields,
    as_text_node,
    identifier,
    share_of,
    whole_entries,
    wrong_shape,
)
from rules.grade import Grade, read_grade
from rules.pack import Input, Model, Quality
from rules.phrases import LANGUAGES, Language
from rules.policy_text import positive
from rules.units import OWN_SYMBOL, OWN_UNIT, Scale, UnitError, read_unit
from rules.vocabulary import (
    INPUT,
    KEYS_BY,
    KINDS,
    LATENESS,
    MODEL,
    QUALITY,
    TAKEN,
    TEXTS,
)
from rules.yaml_text import ListNode, MapNode, Node, TextNode

VERSION = r"(>=|<=|==|!=|>|<)?\s*\d+(\.\d+)*"
VERSIONS = re.compile(rf"{VERSION}(\s+{VERSION})*")
LET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The type of an input over all sensor types.
ALL_TYPES = "*"
LANGUAGE_NAMES: dict[Language, str] = {"zh": "Chinese", "en": "English"}


def read_texts(rule: Fields, key: str) -> dict[Language, str]:
    """A text in one or both languages."""
    node, faults = rule.node_of(key), rule.faults
    if node is not None and not isinstance(node, MapNode):
        wrong_shape(node, f"`{key}` is a mapping: {{zh: …, en: …}}", faults)
        return {}
    fields = Fields.open(node, TEXTS, faults)
    if fields is None:
        return {}
    found = {language: fields.text(language) for language in LANGUAGES}
    return {language: text.text for language, text in found.items() if text is not None}


def read_title(rule: Fields, *, is_live: bool) -> dict[Language, str]:
    """The title; a live rule needs both languages."""
    title = read_texts(rule, "title")
    if not is_live:
        return title
    if "title" not in rule.values:
        message = "no title; `mode: live` needs both zh and en"
        remedy = "title: {zh: …, en: …}"
        rule.faults.add("W401", rule.key_place("id"), message, remedy=remedy)
        return title
    for language in LANGUAGES:
        if title and language not in title:
            shown = {**dict.fromkeys(LANGUAGES, "…"), **title}
            rule.faults.add(
                "W401",
                rule.key_place("title"),
                f"no {LANGUAGE_NAMES[language]} title; `mode: live` needs both zh and en",
                remedy=f"title: {{zh: {shown['zh']}, en: {shown['en']}}}",
            )
    return title


def read_input(node: Node | None, faults: Faults) -> Input | None:
    """The input of a rule; None after a fault."""
    fields = Fields.open(node, INPUT, faults)
    if fields is None:
        return None
    kind_text = fields.text("type")
    if "type" not in fields.values:
        fields.required("type", "say which sensors: `type: methane`")
    is_any = kind_text is not None and kind_text.text == ALL_TYPES
    kind = ALL_TYPES if is_any else identifier(kind_text, faults)
    period_ns = fields.duration("period")
    what = fields.word("kind", KINDS)
    many = fields.truth("many", False)
    fields.text("where")
    if is_any and "unit" not in fields.values:
        own = Scale(OWN_UNIT)
        return Input(ALL_TYPES, OWN_SYMBOL, own, period_ns, what, many)  # type: ignore[arg-type]
    if not kind and "unit" not in fields.values:
        return None
    unit_text = fields.required("unit", 'say in which unit they report: `unit: "%"`')
    if unit_text is None:
        return None
    if is_any or unit_text.text == OWN_SYMBOL:
        message = "an input of all types has no unit of its own" if is_any else "`*` is not a unit"
        remedy = "remove `unit`" if is_any else 'write for example `unit: "%"`'
        faults.add("E201", unit_text.place, message, remedy=remedy)
        return None
    try:
        unit = read_unit(unit_text.text)
    except UnitError as problem:
        faults.add("E201", unit_text.place, str(problem), remedy=problem.remedy)
        return None
    symbol = unit.symbol or "1"
    return Input(kind, symbol, Scale(unit), period_ns, what, many)  # type: ignore[arg-type]


def read_inputs(node: Node | None, faults: Faults) -> dict[str, Input | None]:
    """Named inputs, None for one with a fault; they compute in one scale."""
    if node is None:
        return {}
    if not isinstance(node, MapNode) or not node.entries:
        wrong_shape(node, "`inputs` is a mapping: {p: {type: …, unit: …}}", faults)
        return {}
    inputs: dict[str, Input | None] = {}
    for key, value in node.entries:
        found = read_input(value, faults)
        if key.text in TAKEN - {"p"} or not LET_NAME.fullmatch(key.text):
            why = "means something already" if key.text in TAKEN else "is not a name"
            remedy = "choose another: letters A-Z a-z, digits and _"
            faults.add("E114", key.place, f"`{key.text}` {why}", remedy=remedy)
        inputs[key.text] = found
    basis = tuple(one.scale.unit for one in inputs.values() if one is not None)
    if len(basis) < 2:
        return inputs
    return {
        name: replace(one, scale=Scale(one.scale.unit, basis)) if one is not None else None
        for name, one in inputs.items()
    }


def where_nodes(fields: Fields) -> dict[str, TextNode]:
    """The `where` of each input by its name, "" for the only one."""
    whole = {"": fields.node.get("input")}
    named = fields.node.get("inputs")
    if isinstance(named, MapNode):
        whole.update({key.text: value for key, value in named.entries})
    found = {name: one.get("where") for name, one in whole.items() if isinstance(one, MapNode)}
    return {name: one for name, one in found.items() if isinstance(one, TextNode) and one.text}


def read_by(rule: Fields, rollup: Fields | None, *, is_cluster: bool) -> tuple[str, ...]:
    """The instance key: `[sensor]`; a rollup may say it itself, and a cluster is its own.

    Any attribute of the catalogue can be a key; what is nearly a known one was meant to be it.
    """
    faults = rule.faults
    if is_cluster:
        return ("cluster",)
    owner = rollup if rollup is not None and "by" in rollup.values else rule
    if owner is rollup and "by" in rule.values:
        message = "`by` stands in the rule and in its `rollup`"
        faults.add("E004", rule.key_place("by"), message, remedy="keep one of them")
    if not owner.needs("by", remedy="by: [sensor]"):
        return ()
    node = owner.node_of("by")
    if not isinstance(node, ListNode) or not node.items:
        assert node is not None
        wrong_shape(node, "`by` is a list: `by: [sensor]`", faults)
        return ()
    keys: list[str] = []
    for item in node.items:
        text = as_text_node(item, faults)
        if text is None:
            continue
        if text.text in keys:
            faults.add("E004", text.place, f"`{text.text}` stands twice in `by`")
            continue
        keys.append(text.text)
        # A `port` is no misspelt `point`: only one letter off counts.
        meant = "" if text.text in KEYS_BY else nearest(text.text, KEYS_BY, likeness=0.8)
        if meant or not LET_NAME.fullmatch(text.text):
            remedy = did_you_mean(text.text, KEYS_BY)
            faults.add("E014", text.place, f"unknown key `{text.text}`", remedy=remedy, fix=meant)
    return tuple(keys)


def read_quality(node: Node | None, grades: tuple[Grade, ...], faults: Faults) -> Quality:
    """What counts as good data; `grades` are those the rule has."""
    fields = Fields.open(node, QUALITY, faults)
    if fields is None:
        return Quality()
    unknown = fields.text("unknown")
    if unknown is not None and unknown.text == "clear":
        message = "`unknown: clear` would take silence for an all-clear"
        faults.add("E404", unknown.place, message, remedy="write `unknown: hold`", fix="hold")
    elif unknown is not None:
        fields.word("unknown", ("hold", "ignore"))
    over, over_grade = _read_over(fields, grades)
    under = fields.word("under_range", ("ignore", "unknown"))
    coverage = fields.text("coverage")
    return Quality(
        stale_after_ns=positive(fields, "stale_after"),
        coverage=share_of(coverage, "coverage", faults) if coverage else None,
        over=over,  # type: ignore[arg-type]
        over_grade=over_grade,
        under=under or "ignore",  # type: ignore[arg-type]
        max_blind_ns=fields.duration("max_blind"),
        unknown="ignore" if unknown is not None and unknown.text == "ignore" else "hold",
        view="raw" if fields.word("view", ("good", "raw")) == "raw" else "good",
    )


def _read_over(fields: Fields, grades: tuple[Grade, ...]) -> tuple[str, Grade | None]:
    """`over_range`: ignore, unknown, or `raise red`."""
    node = fields.text("over_range")
    if node is None:
        return "ignore", None
    words = node.text.split()
    if words[:1] != ["raise"]:
        return fields.word("over_range", ("ignore", "unknown", "raise red")) or "ignore", None
    if len(words) != 2:
        message = "`raise` which grade?"
        fields.faults.add("E014", node.place, message, remedy="write `raise red`", fix="raise red")
        return "ignore", None
    at = node.text.index(words[1], len("raise"))
    place = node.part(at, at + len(words[1]))
    grade = read_grade(words[1], place, fields.faults)
    if grade is not None and grades and grade not in grades:
        message = f"`over_range: {node.text}`, but the rule has no {grade.word}"
        fields.faults.add("E306", node.place, message, remedy="add the grade, or write `unknown`")
    return "raise", grade


def read_lateness(rule: Fields) -> tuple[int | None, bool]:
    """How long to wait for late readings, and whether they revise what was said.

    `lateness: 5s`, or `{allow: 15min, late: revise}`; `late: drop` is what is done otherwise.
    """
    node = rule.node_of("lateness")
    if node is None or isinstance(node, TextNode):
        return rule.duration("lateness"), False
    fields = Fields.open(node, LATENESS, rule.faults)
    if fields is None:
        return None, False
    late = fields.word("late", ("revise", "drop"))
    return fields.duration("allow"), late == "revise"


def read_model(rule: Fields) -> Model | None:
    """The model whose score is `anomaly`: a name, or `{name: …}`."""
    node = rule.node_of("model")
    if node is None or isinstance(node, TextNode):
        name = identifier(rule.text("model"), rule.faults)
        return Model(name) if name else None
    fields = Fields.open(node, MODEL, rule.faults)
    if fields is None:
        return None
    versions = fields.text("version")
    if versions is not None and not VERSIONS.fullmatch(versions.text):
        message = f"`version: {versions.text}` is no bound of versions"
        remedy = 'write `version: ">=2026.10 <2027"`'
        rule.faults.add("E014", versions.place, message, remedy=remedy)
    absent = fields.word("on_absent", ("unknown", "ignore"))
    name = identifier(fields.required("name", "name: ch4-hst"), rule.faults)
    return Model(
        name,
        versions.text if versions else "",
        fields.duration("warmup"),
        fields.duration("max_age"),
        "ignore" if absent == "ignore" else "unknown",
        versions.place if versions else None,
    )


def read_lets(rule: Fields, inputs: Container[str]) -> dict[str, TextNode]:
    """The rule's own names, their expressions not looked at yet."""
    node = rule.node_of("let")
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        wrong_shape(node, "`let` is a mapping: {score: mean(2m)}", rule.faults)
        return {}
    lets: dict[str, TextNode] = {}
    for key, value in whole_entries(node, rule.faults):
        text = as_text_node(value, rule.faults)
        is_taken = key.text in TAKEN or key.text in inputs
        if is_taken or not LET_NAME.fullmatch(key.text):
            why = "means something already" if is_taken else "is not a name"
            remedy = "choose another: letters A-Z a-z, digits and _"
            rule.faults.add("E114", key.place, f"`{key.text}` {why}", remedy=remedy)
        elif text is not None:
            lets[key.text] = text
    return lets


def read_latch(rule: Fields, grades: tuple[Grade, ...]) -> frozenset[Grade]:
    """The grades that stay until an operator resets them."""
    found: set[Grade] = set()
    for item in rule.items("latch"):
        text = as_text_node(item, rule.faults)
        grade = read_grade(text.text, text.place, rule.faults) if text else None
        if text is None or grade is None:
            continue
        if grades and grade not in grades:
            message = f"`latch` names {grade.word}, which this rule does not have"
            remedy = "it has " + ", ".join(known.word for known in grades)
            rule.faults.add("E402", text.place, message, remedy=remedy)
        found.add(grade)
    return frozenset(found)


def read_cap(rule: Fields, grades: tuple[Grade, ...]) -> Grade | None:
    """The gravest grade this rule may reach."""
    text = rule.text("cap")
    cap = read_grade(text.text, text.place, rule.faults) if text else None
    if text is None or cap is None or not grades:
        return cap
    if cap < grades[0]:
        message = f"`cap: {cap.word}` leaves nothing of this rule"
        remedy = f"its mildest grade is {grades[0].word}"
        rule.faults.add("E403", text.place, message, remedy=remedy)
    elif cap < grades[-1]:
        above = ", ".join(grade.word for grade in grades if grade > cap)
        message = (
            f"{above} above `cap: {cap.word}` is told as {cap.word}, and judged for the record"
        )
        rule.faults.add("W406", text.place, message, remedy="remove the grade, or raise the cap")
    return cap
