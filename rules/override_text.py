"""Overrides, read from a rule or from a file of its own, each setting tried on the rule at once.

    - match: {place_class: return_airway}
      set: {ladder.above: {red: 1.0}, ladder.for.orange: 5s}
      reason: 回风巷断电浓度 1.0%
      until: 2027-01-31
      approved_by: duty-engineer-2

In a file of its own (`kind: overrides`, `for: coal-gas`) each item names its rule, too.
"""

import re
from collections.abc import Sequence
from datetime import date

from rules.errors import Faults, did_you_mean
from rules.fields import Fields, as_text_node, wrong_shape
from rules.overriding import beyond_limits, is_inside, lay_over
from rules.pack import Override, Rule
from rules.vocabulary import OVERRIDE, Section
from rules.yaml_text import MapNode, Node

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
GRADE = "(blue|yellow|orange|red|蓝|黄|橙|红)"
SETTABLE = re.compile(
    rf"ladder\.(above|below|clear|for|clear_for)(\.{GRADE})?|ladder\.deadband"
    rf"|levels\.{GRADE}\.(for|clear_for)"
    r"|quality(\.[a-z_]+)?|message(\.(zh|en)(\.[a-z_]+(\.\S+)?)?)?|mode|cap"
)
EXAMPLES = (
    "ladder.above",
    "ladder.below",
    "ladder.clear",
    "ladder.deadband",
    "ladder.for",
    "ladder.clear_for",
    "levels.red.for",
    "levels.red.clear_for",
    "quality.stale_after",
    "quality.coverage",
    "message.zh.headline",
    "mode",
    "cap",
)


def read_overrides(
    items: Sequence[Node],
    rule: Rule,
    faults: Faults,
    *,
    today: str,
    section: Section = OVERRIDE,
) -> tuple[Override, ...]:
    """Read overrides of a rule that is right by itself; `today` is an ISO day, or empty.

    They come after those that the rule has already.
    """
    found: list[Override] = []
    for item in items:
        override = _read(item, section, faults)
        if override is None:
            continue
        if override.until and today and override.until < today:
            message = f"this override held until {override.until}, and no longer holds"
            faults.add("W423", override.place, message, remedy="remove it, or renew `until`")
        _refuse_twin(override, [*rule.overrides, *found], faults)
        if _try(override, rule, faults):
            found.append(override)
    return tuple(found)


def _read(node: Node, section: Section, faults: Faults) -> Override | None:
    """Read one override, as far as it can be read without its rule."""
    fields = Fields.open(node, section, faults)
    if fields is None:
        return None
    before = len(faults.errors())
    fields.needs("match", remedy="match: {sensor: KJ-0317-T1}")
    fields.needs("set", remedy="set: {ladder.for.orange: 5s}")
    reason = fields.required("reason", "say why: whoever reads the warning will ask")
    match = _match(fields, names_rule=section is not OVERRIDE)
    settings = _settings(fields)
    until, approved_by = fields.text("until"), fields.text("approved_by")
    if until is not None and not _is_day(until.text):
        message = f"`until: {until.text}` is not a day"
        faults.add("E014", until.place, message, remedy="write `until: 2027-01-31`")
    if len(faults.errors()) > before or reason is None:
        return None
    return Override(
        match=match,
        settings=settings,
        reason=reason.text,
        until=until.text if until else "",
        approved_by=approved_by.text if approved_by else "",
        place=fields.key_place("match"),
    )


def _is_day(text: str) -> bool:
    if not DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _match(fields: Fields, *, names_rule: bool) -> dict[str, str]:
    """What a sensor must be to be meant; outside a rule, `rule` there is no attribute."""
    node = fields.node_of("match")
    if node is None:
        return {}
    if not isinstance(node, MapNode) or not node.entries:
        wrong_shape(node, "`match` is a mapping: {sensor: KJ-0317-T1}", fields.faults)
        return {}
    texts = {key.text: as_text_node(value, fields.faults) for key, value in node.entries}
    kept = {key: text.text for key, text in texts.items() if text is not None}
    return {key: text for key, text in kept.items() if key != "rule" or not names_rule}


def _settings(fields: Fields) -> dict[str, Node]:
    """What is set, by dotted key; a setting that must not be changed is a fault."""
    node = fields.node_of("set")
    if node is None:
        return {}
    if not isinstance(node, MapNode) or not node.entries:
        wrong_shape(node, "`set` is a mapping: {ladder.for.orange: 5s}", fields.faults)
        return {}
    settings: dict[str, Node] = {}
    for key, value in node.entries:
        if SETTABLE.fullmatch(key.text):
            settings[key.text] = value
            continue
        message = f"`{key.text}` cannot be set by an override"
        remedy = did_you_mean(key.text, EXAMPLES)
        if not remedy.startswith("did"):
            remedy = "thresholds, timings, `mode`, `quality`, `cap` and `message` can"
        fields.faults.add("E320", key.place, message, remedy=remedy)
    return settings


def _refuse_twin(override: Override, before: Sequence[Override], faults: Faults) -> None:
    """Two overrides of one match that set the same: the first would never hold."""
    for other in before:
        same = sorted(override.settings.keys() & other.settings.keys())
        if other.match == override.match and same:
            keys = ", ".join(f"`{key}`" for key in same)
            message = f"the same match stands in {other.place}, and sets {keys} too"
            remedy = "keep one of them; the first would never hold"
            faults.add("E323", override.place, message, remedy=remedy)
            return


def _try(override: Override, rule: Rule, faults: Faults) -> bool:
    """Lay an override over its rule, and say what is wrong with it then."""
    assert rule.written is not None
    node = lay_over(rule.written.node, override.settings)
    found = Faults()
    merged = rule.written.read(node, found)
    for fault in found:
        if is_inside(fault.place, override):
            faults.extend([fault])
        elif fault.is_error:
            note = f"this is said of {fault.place}"
            message = f"with this override, {fault.message}"
            faults.add(fault.code, override.place, message, remedy=fault.help, note=note)
    if merged is None:
        return False
    if not override.approved_by:
        faults.extend(beyond_limits(merged, override.place))
    return True
