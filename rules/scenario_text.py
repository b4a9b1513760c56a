"""The `tests` of a rule, read from a pack: feeds and expectations, each fault at its place."""

import re
from collections.abc import Mapping

from rules.errors import Faults, did_you_mean, nearest
from rules.fields import Fields, as_text_node, duration_of, wrong_shape
from rules.grade import SPELLINGS, Grade, read_grade
from rules.scenario import (
    At,
    Between,
    Events,
    Expectation,
    Feed,
    Happening,
    Never,
    Scenario,
    read_feed,
)
from rules.vocabulary import EXPECTATION, TEST, refuse_later
from rules.yaml_text import ListNode, MapNode, Node, TextNode

EVENTS = ("raised", "upgraded", "downgraded", "cleared", "updated", "blind", "restored")
# Events that are told with the grade they lead to.
GRADED = ("raised", "upgraded", "downgraded")
STATES = ("inactive", "pending", "active", "clearing")
STANDINGS = ("ok", "degraded", "blind")
HAPPENING = re.compile(r"(?P<event>\S+)(?:\s+(?P<grade>[^\s@]+))?\s*@\s*(?P<at>\S+)")
# The name of the only input in a feed.
ONLY = "input"


def read_scenarios(
    items: tuple[Node, ...], periods_ns: Mapping[str, int | None], faults: Faults
) -> tuple[Scenario, ...]:
    """Read the tests of one rule; those with a fault are left out.

    `periods_ns` are the periods of the rule's inputs by name; an only input is called `input`.
    """
    found = [_read_scenario(item, periods_ns, faults) for item in items]
    return tuple(scenario for scenario in found if scenario is not None)


def _read_scenario(
    node: Node, periods_ns: Mapping[str, int | None], faults: Faults
) -> Scenario | None:
    fields = Fields.open(node, TEST, faults)
    if fields is None:
        return None
    before = len(faults)
    name = fields.required("name", "say in words what must happen")
    feeds = _feeds(fields, periods_ns)
    attributes = _attributes(fields)
    if "expect" not in fields.values:
        remedy = "expect: [{at: 2m, grade: none}]"
        faults.add("E012", fields.node.place, "`expect` is missing in `test`", remedy=remedy)
    expects = [_expectation(item, faults) for item in fields.items("expect")]
    if len(faults) > before or name is None:
        return None
    kept = tuple(expect for expect in expects if expect is not None)
    return Scenario(name.text, feeds, attributes, kept, fields.node.place)


def _feeds(fields: Fields, periods_ns: Mapping[str, int | None]) -> dict[str, Feed]:
    """The feeds of a test by name."""
    faults = fields.faults
    node = fields.node_of("feed")
    if node is None:
        message, remedy = "`feed` is missing in `test`", 'feed: {input: "0.2 for 2m @5s"}'
        faults.add("E012", fields.node.place, message, remedy=remedy)
        return {}
    if not isinstance(node, MapNode):
        wrong_shape(node, '`feed` is a mapping: {input: "0.2 for 2m @5s"}', faults)
        return {}
    feeds: dict[str, Feed] = {}
    for key, value in node.entries:
        text = as_text_node(value, faults)
        if text is None:
            continue
        if key.text == "csv" or text.text.lstrip().startswith("csv:"):
            refuse_later("csv", key.place, faults)
            continue
        name, dot, _ = key.text.partition(".")
        if dot and ONLY in periods_ns:
            refuse_later(key.text, key.place, faults, where=" (several sensors in one test)")
            continue
        if name not in periods_ns:
            remedy = did_you_mean(name, periods_ns)
            faults.add("E502", key.place, f"unknown input `{key.text}`", remedy=remedy)
        period_ns = periods_ns.get(name)
        feed = read_feed(text, period_ns, faults)
        if feed is not None:
            feeds[key.text] = feed
    return feeds


def _attributes(fields: Fields) -> dict[str, str]:
    """The attributes that a test gives its sensor."""
    node = fields.node_of("assets")
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        wrong_shape(node, "`assets` is a mapping: {v_red: 5 mm/d}", fields.faults)
        return {}
    texts = {key.text: as_text_node(value, fields.faults) for key, value in node.entries}
    return {key: value.text for key, value in texts.items() if value is not None}


def _expectation(node: Node, faults: Faults) -> Expectation | None:
    """One expectation; None after a fault."""
    fields = Fields.open(node, EXPECTATION, faults)
    if fields is None:
        return None
    keys = fields.values.keys()
    if "at" in keys:
        return _at(fields)
    if "never" in keys and len(keys) == 1:
        return _never(fields)
    if {"between", "transitions"} == keys:
        return _between(fields)
    if "events" in keys and len(keys) == 1:
        return _events(fields)
    if len(fields.node.entries) == len(keys):
        faults.add(
            "E502",
            fields.node.place,
            "this is not an expectation",
            remedy="write `{at: 2m, grade: none}`, `{never: red}`, "
            "`{between: [0s, 5m], transitions: 1}` or `{events: [raised blue @3m05s]}`",
        )
    return None


def _at(fields: Fields) -> At | None:
    at = fields.text("at")
    at_ns = duration_of(at, fields.faults) if at else None
    state = fields.word("state", STATES)
    standing = fields.word("quality", STANDINGS)
    node = fields.text("grade")
    grade = _grade(node, fields.faults) if node else None
    if not {"grade", "state", "quality"} & fields.values.keys():
        message, remedy = "nothing is expected at this time", "add `grade`, `state` or `quality`"
        fields.faults.add("E502", fields.node.place, message, remedy=remedy)
    if at_ns is None:
        return None
    return At(at_ns, grade, state, standing, fields.node.place)  # type: ignore[arg-type]


def _grade(node: TextNode, faults: Faults) -> Grade | None:
    """A colour, or `none`."""
    if node.text in ("none", "无"):
        return Grade.NONE
    return read_grade(node.text, node.place, faults)


def _never(fields: Fields) -> Never | None:
    node = fields.text("never")
    if node is None:
        return None
    if node.text in EVENTS:
        return Never(None, node.text, node.place)
    guess = nearest(node.text, (*EVENTS, *SPELLINGS))
    if guess in EVENTS:
        remedy = f"did you mean `{guess}`?"
        message = f"unknown event `{node.text}`"
        fields.faults.add("E502", node.place, message, remedy=remedy, fix=guess)
        return None
    grade = read_grade(node.text, node.place, fields.faults)
    return None if grade is None else Never(grade, None, node.place)


def _between(fields: Fields) -> Between | None:
    faults = fields.faults
    node = fields.node_of("between")
    ends = node.items if isinstance(node, ListNode) else ()
    texts = [as_text_node(end, faults) for end in ends]
    times = [duration_of(text, faults) if text else None for text in texts]
    count = fields.text("transitions")
    if len(times) != 2 or count is None or not count.text.isdecimal():
        remedy = "write `{between: [0s, 5m], transitions: 1}`"
        faults.add("E502", fields.node.place, "two times and a count are needed", remedy=remedy)
        return None
    start_ns, end_ns = times
    if start_ns is None or end_ns is None:
        return None
    return Between(start_ns, end_ns, int(count.text), fields.node.place)


def _events(fields: Fields) -> Events | None:
    faults = fields.faults
    happenings: list[Happening] = []
    items = fields.items("events")
    for item in items:
        node = as_text_node(item, faults)
        happening = _happening(node, faults) if node else None
        if happening is not None:
            happenings.append(happening)
    place = fields.pair_place("events")
    return Events(tuple(happenings), place) if len(happenings) == len(items) else None


def _happening(node: TextNode, faults: Faults) -> Happening | None:
    """`raised orange @3m05s`."""
    found = HAPPENING.fullmatch(node.text.strip())
    if found is None:
        remedy = "write `raised orange @3m05s` or `cleared @11m55s`"
        faults.add("E502", node.place, f"`{node.text}` is not an event", remedy=remedy)
        return None
    offset = len(node.text) - len(node.text.lstrip())
    event, colour = found["event"], found["grade"]
    if event not in EVENTS:
        place = node.part(offset, offset + len(event))
        remedy = did_you_mean(event, EVENTS)
        faults.add("E502", place, f"unknown event `{event}`", remedy=remedy)
        return None
    grade: Grade | None = None
    if colour is not None:
        place = node.part(offset + found.start("grade"), offset + found.end("grade"))
        grade = Grade.NONE if colour == "none" else read_grade(colour, place, faults)
    elif event in GRADED:
        remedy = f"write `{event} orange @{found['at']}`"
        faults.add("E502", node.place, f"`{event}` to which grade?", remedy=remedy)
        return None
    at = TextNode(found["at"], node.source, node.start, node.end, node.is_quoted)
    at_ns = duration_of(at, faults)
    if at_ns is None or (colour is not None and grade is None):
        return None
    return Happening(event, grade, at_ns)
