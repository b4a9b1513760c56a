"""The `tests` of a rule, read from a pack: feeds and expectations, each fault at its place."""

import re
from collections.abc import Sequence
from dataclasses import replace as changed

from rules.errors import Faults, did_you_mean, nearest
from rules.feeds_text import Periods, read_attributes, read_feeds, read_fleets, read_grades
from rules.fields import Fields, as_text_node, duration_of
from rules.grade import SPELLINGS, Grade, read_grade
from rules.policy_text import part_of
from rules.scenario import At, Between, Events, Expectation, Happening, Lead, Never, Scenario
from rules.vocabulary import EXPECTATION, TEST
from rules.yaml_text import ListNode, Node, TextNode

EVENTS = (
    *("raised", "upgraded", "downgraded", "cleared", "updated", "blind", "restored"),
    *("acknowledged", "reset", "revised", "superseded"),
)
# Events that are told with the grade they lead to.
GRADED = ("raised", "upgraded", "downgraded")
STATES = ("inactive", "pending", "active", "clearing")
STANDINGS = ("ok", "degraded", "blind")
HAPPENING = re.compile(r"(?P<event>\S+)(?:\s+(?P<grade>[^\s@]+))?\s*@\s*(?P<at>\S+)")


def read_scenarios(
    items: Sequence[Node], periods_ns: Periods, faults: Faults, *, pack: str
) -> tuple[Scenario, ...]:
    """Read the tests of one rule, or of a whole pack; those with a fault are left out.

    `periods_ns` are the periods of the rule's inputs by name; an only input is called `input`.
    None: the test feeds sensor types, for a rule without inputs or for a whole pack.
    """
    found = [_read_scenario(item, periods_ns, faults, pack) for item in items]
    return tuple(scenario for scenario in found if scenario is not None)


def _read_scenario(node: Node, periods_ns: Periods, faults: Faults, pack: str) -> Scenario | None:
    fields = Fields.open(node, TEST, faults)
    if fields is None:
        return None
    before = len(faults.errors())
    name = fields.required("name", "say in words what must happen")
    fleets = read_fleets(fields, periods_ns)
    feeds, files = read_feeds(fields, periods_ns, fleets)
    attributes, own = read_attributes(fields)
    grades = read_grades(fields, pack)
    fields.needs("expect", remedy="expect: [{at: 2m, grade: none}]")
    expects = [_expectation(item, faults, pack) for item in fields.items("expect")]
    if len(faults.errors()) > before or name is None:
        return None
    kept = tuple(expect for expect in expects if expect is not None)
    return Scenario(
        name.text,
        feeds,
        attributes,
        kept,
        fields.node.place,
        csv=files,
        fleets=fleets,
        own=own,
        grades=grades,
    )


def _expectation(node: Node, faults: Faults, pack: str) -> Expectation | None:
    """One expectation; None after a fault."""
    fields = Fields.open(node, EXPECTATION, faults)
    if fields is None:
        return None
    found = _one_of_five(fields)
    key = fields.text("key")
    rule = fields.text("rule")
    if found is None or (key is None and rule is None):
        return found
    name = rule.text if rule else ""
    full = f"{pack}/{name}" if name and "/" not in name else name
    return changed(found, rule=full, key=key.text if key else "")


def _one_of_five(fields: Fields) -> Expectation | None:
    """What is expected, whosoever's it is."""
    keys = fields.values.keys() - {"rule", "key"}
    if "at" in keys:
        return _at(fields)
    if keys == {"never"}:
        return _never(fields)
    if keys == {"between", "transitions"}:
        return _between(fields)
    if keys == {"events"}:
        return _events(fields)
    if "lead" in keys and keys <= {"lead", "before", "grade"}:
        return _lead(fields)
    if len(fields.node.entries) == len(fields.values):
        fields.faults.add(
            "E502",
            fields.node.place,
            "this is not an expectation",
            remedy="write `{at: 2m, grade: none}`, `{never: red}`, "
            "`{between: [0s, 5m], transitions: 1}`, `{events: [raised blue @3m05s]}` "
            'or `{lead: ">= 30m", before: peak}`',
        )
    return None


def _lead(fields: Fields) -> Lead | None:
    """`{lead: ">= 30m", before: peak}`, with the grade that must be reached, if not any."""
    faults = fields.faults
    lead, before = fields.text("lead"), fields.required("before", "before: peak")
    grade = fields.grade("grade")
    if lead is None or before is None:
        return None
    text = lead.text.removeprefix(">=").strip()
    least_ns = duration_of(part_of(lead, text), faults)
    before_ns = None if before.text == "peak" else duration_of(before, faults)
    if least_ns is None or (before_ns is None and before.text != "peak"):
        return None
    return Lead(least_ns, before_ns, grade, fields.node.place)


def _at(fields: Fields) -> At | None:
    at = fields.text("at")
    at_ns = duration_of(at, fields.faults) if at else None
    state = fields.word("state", STATES)
    standing = fields.word("quality", STANDINGS)
    node = fields.text("grade")
    grade = _grade(node, fields.faults) if node else None
    why = fields.text("why")
    if not {"grade", "state", "quality", "why"} & fields.values.keys():
        message, remedy = "nothing is expected at this time", "add `grade`, `state` or `quality`"
        fields.faults.add("E502", fields.node.place, message, remedy=remedy)
    if at_ns is None:
        return None
    place = fields.node.place
    said = why.text if why else ""
    return At(at_ns, grade, state, standing, place, why=said)  # type: ignore[arg-type]


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
    known = node.text in SPELLINGS
    guess = "" if known else nearest(node.text, (*EVENTS, *SPELLINGS))
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
