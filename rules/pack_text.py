"""One pack, read from its file: head, defaults, rules, tests of the whole, and files beside it.

`defaults` are laid under each rule: what a rule says itself wins; `input`, `quality` and `message`
are filled up part by part. Files beside a pack (`kind: overrides`, `kind: tests`, `*.test.yaml`)
add local tuning and tests, so that a new version of the pack loses neither.
"""

import re
from collections.abc import Sequence
from dataclasses import replace as changed

from rules import macro_text
from rules.errors import Faults, Place, did_you_mean
from rules.feeds_text import ONLY
from rules.fields import Fields, as_text_node, identifier, wrong_shape
from rules.macros import Macros
from rules.override_text import read_overrides
from rules.pack import Pack, Rule
from rules.rule_text import read_rule
from rules.scenario import Scenario
from rules.scenario_text import read_scenarios
from rules.vocabulary import BESIDE, DEEP, DEFAULTS, LANGUAGE_VERSION, OVERRIDE_OF, PACK
from rules.yaml_text import MapNode, Node, TextNode

# Settings that mean something in one rule only.
GRADED = re.compile(r"ladder\.(above|below|clear|deadband)(\.|$)")


def read_pack(
    node: Node, macros: Macros, faults: Faults, *, path: str, digest: str, today: str
) -> Pack | None:
    """Read the mapping of a pack; None where it is no mapping."""
    if isinstance(node, MapNode) and node.get("tocsin") is None:
        message, remedy = "this is not a rule pack: it does not start with `tocsin: 1`", ""
        if node.get("pack") is not None or node.get("rules") is not None:
            remedy = "add the line `tocsin: 1`"
        faults.add("E011", node.place, message, remedy=remedy)
    fields = Fields.open(node, PACK, faults)
    if fields is None:
        return None
    check_language(fields)
    name = identifier(fields.required("pack", "pack: coal-gas"), faults)
    version = fields.required("version", "version: 1.0.0")
    owner = fields.text("owner")
    if owner is None and "pack" in fields.values:
        message = "no owner: nobody to ask when this pack warns at night"
        faults.add("W426", fields.values["pack"][1].place, message, remedy="owner: safety-team")
    macro_text.check(fields, name, macros)
    rules = _read_rules(fields, name, macros, today)
    pack = Pack(
        name=name,
        version=version.text if version else "",
        digest=digest,
        owner=owner.text if owner else "",
        path=path,
        rules=tuple(rules),
    )
    if faults.errors():
        return pack
    return _with_more(pack, fields, today=today)


def check_language(fields: Fields) -> None:
    """The version of the language that a file is written in must be ours."""
    language = fields.text("tocsin")
    if language is not None and language.text != LANGUAGE_VERSION:
        message = f"version {language.text} of the rule language is not known here"
        fields.faults.add("E011", language.place, message, remedy="write `tocsin: 1`", fix="1")


def _read_rules(fields: Fields, pack: str, macros: Macros, today: str) -> list[Rule]:
    """Read the rules of a pack; ids must differ."""
    fields.needs("rules", remedy="rules: [{id: …}]")
    rules: list[Rule] = []
    ids: dict[str, Place] = {}
    for node in fields.items("rules"):
        mine = Faults()
        rule = read_rule(_with_defaults(node, fields), pack, macros, mine, today=today)
        fields.faults.extend(mine)
        key = node.get("id") if isinstance(node, MapNode) else None
        name = getattr(key, "text", "")
        if key is not None and name in ids:
            remedy = f"it already stands in line {ids[name].line}; choose another"
            fields.faults.add("E024", key.place, f"two rules are called `{name}`", remedy=remedy)
        elif key is not None:
            ids[name] = key.place
        if rule is not None:
            rules.append(rule)
    _check_defaults(fields, set(ids))
    return rules


def _check_defaults(fields: Fields, ids: set[str]) -> None:
    """Keys of `defaults` that no rule could take, and `limits` of rules that are not there."""
    Fields.open(fields.node_of("defaults"), DEFAULTS, fields.faults)
    limits = fields.node_of("limits")
    if limits is not None and not isinstance(limits, MapNode):
        wrong_shape(
            limits, "`limits` is a mapping by rule: {ch4-high: {red: 1.5 %}}", fields.faults
        )
    for key, _ in limits.entries if isinstance(limits, MapNode) else ():
        if key.text not in ids:
            message = f"`limits` of a rule `{key.text}`, which this pack does not have"
            remedy = did_you_mean(key.text, ids) if ids else ""
            fields.faults.add("E330", key.place, message, remedy=remedy)


def _with_defaults(node: Node, fields: Fields) -> Node:
    """A rule with the pack's defaults and limits laid under it."""
    if not isinstance(node, MapNode):
        return node
    defaults, limits = fields.node_of("defaults"), fields.node_of("limits")
    said = {key.text for key, _ in node.entries}
    takes_input = said.isdisjoint({"inputs", "rollup"})
    rollup = node.get("rollup")
    has_by = isinstance(rollup, MapNode) and rollup.get("by") is not None
    left_out = set() if takes_input else {"input"}
    left_out |= {"by"} if has_by or "cluster" in said else set()
    if isinstance(defaults, MapNode):
        kept = tuple(
            (key, value)
            for key, value in defaults.entries
            if key.text in DEFAULTS.now and key.text not in left_out
        )
        node = _under(node, kept)
    name = node.get("id")
    if isinstance(limits, MapNode) and isinstance(name, TextNode) and limits.get(name.text):
        kept = tuple(
            (_limits_key(key), value) for key, value in limits.entries if key.text == name.text
        )
        node = _under(node, kept)
    return node


def _limits_key(key: TextNode) -> TextNode:
    return TextNode("limits", key.source, key.start, key.end, False)


def _under(node: MapNode, entries: Sequence[tuple[TextNode, Node]]) -> MapNode:
    """A mapping with entries laid under it: what it says itself stays."""
    own = {key.text: value for key, value in node.entries}
    merged = list(node.entries)
    for key, value in entries:
        mine = own.get(key.text)
        if mine is None:
            merged.append((key, value))
        elif key.text in DEEP and isinstance(mine, MapNode) and isinstance(value, MapNode):
            at = next(i for i, (known, _) in enumerate(merged) if known.text == key.text)
            merged[at] = (merged[at][0], _under(mine, value.entries))
    return MapNode(tuple(merged), node.source, node.start, node.end)


def with_beside(pack: Pack, node: Node, faults: Faults, *, today: str) -> Pack:
    """A pack with the overrides and the tests of a file beside it."""
    fields = Fields.open(node, BESIDE, faults)
    if fields is None:
        return pack
    check_language(fields)
    fields.word("kind", ("overrides", "tests"))
    if "overrides" not in fields.values and "tests" not in fields.values:
        fields.needs("overrides", remedy="overrides: [{rule: …, match: …, set: …, reason: …}]")
    return _with_more(pack, fields, today=today)


def _with_more(pack: Pack, fields: Fields, *, today: str) -> Pack:
    """A pack with overrides and tests that stand outside its rules."""
    alone = fields.text("for")
    default = alone.text.partition("/")[2] if alone is not None else ""
    if not default and len(pack.rules) == 1:
        default = pack.rules[0].id
    rules = {rule.id: rule for rule in pack.rules}
    for item in fields.items("overrides"):
        for rule in _rules_of(item, rules, default, fields):
            more = read_overrides((item,), rule, fields.faults, today=today, section=OVERRIDE_OF)
            rules[rule.id] = changed(rule, overrides=(*rule.overrides, *more))
    whole: list[Scenario] = []
    for item in fields.items("tests"):
        node = item.get("rule") if isinstance(item, MapNode) else None
        if node is None:
            whole += read_scenarios((item,), None, fields.faults, pack=pack.name)
            continue
        own = _rule_of(item, rules, "", fields)
        if own is not None:
            sources = {name or ONLY: source.period_ns for name, source in own.inputs.items()}
            tests = read_scenarios((item,), sources or None, fields.faults, pack=pack.name)
            rules[own.id] = changed(own, tests=(*own.tests, *tests))
    return changed(pack, rules=tuple(rules.values()), tests=(*pack.tests, *whole))


def _rules_of(item: Node, rules: dict[str, Rule], default: str, fields: Fields) -> list[Rule]:
    """The rules that an override outside a rule is for.

    It names its rule, as `rule` or in its `match`. One that names none is for each rule of the
    pack that has what it sets; but thresholds are numbers of one rule, and need its name.
    """
    match = item.get("match") if isinstance(item, MapNode) else None
    inside = match.get("rule") if isinstance(match, MapNode) else None
    settings = item.get("set") if isinstance(item, MapNode) else None
    keys = [key.text for key, _ in settings.entries] if isinstance(settings, MapNode) else []
    is_general = bool(keys) and not any(GRADED.match(key) for key in keys)
    if isinstance(item, MapNode) and (inside is not None or item.get("rule") or not is_general):
        rule = _rule_of(item, rules, default, fields, inside)
        return [rule] if rule is not None else []
    if default:
        return [rules[default]] if default in rules else []
    return [rule for rule in rules.values() if all(_has(rule, key) for key in keys)]


def _has(rule: Rule, key: str) -> bool:
    """Whether a rule has the part that a setting is in."""
    section, _, grade = key.partition(".")
    if section == "levels":
        return grade.partition(".")[0] in {known.word for known in rule.levels or ()}
    return section != "ladder" or rule.ladder is not None


def _rule_of(
    item: Node,
    rules: dict[str, Rule],
    default: str,
    fields: Fields,
    inside: Node | None = None,
) -> Rule | None:
    """The rule that an override or a test outside a rule is for."""
    if not isinstance(item, MapNode):
        wrong_shape(item, "each of them is a mapping: `key: value`", fields.faults)
        return None
    written = item.get("rule") or inside
    text = as_text_node(written, fields.faults)
    if written is not None and text is None:
        return None
    name = text.text if text is not None else default
    if not name:
        message = "`rule` is missing: which rule of the pack is this for?"
        remedy = "rule: " + next(iter(rules), "…")
        fields.faults.add("E012", item.place, message, remedy=remedy)
        return None
    if name not in rules:
        place = text.place if text is not None else fields.values["for"][1].place
        remedy = did_you_mean(name, rules) if rules else ""
        fields.faults.add("E330", place, f"the pack has no rule `{name}`", remedy=remedy)
        return None
    return rules[name]
