"""Sequence: steps in time, read from a rule, with their order checked.

    sequence:
      within: 48h
      steps:
        - {as: wet,  when: rain.sum(24h) >= 80 mm}
        - {as: move, when: disp.slope(2h) >= 1 mm/h, for: 30min, after: wet, within: 36h}
        - {as: dry,  absent: pump.mean(10min) >= 2 L/s, after: move, within: 1h}
      reset: rain.sum(72h) < 10 mm

The levels of the rule look at its steps as `seq.wet`; so a sequence may have no steps that wait
for each other, and each name stands for one step.
"""

import re
from dataclasses import dataclass, field

from rules.checking import Checker
from rules.drafts import Draft
from rules.errors import did_you_mean
from rules.fields import Fields
from rules.pack import Sequence, SequenceStep
from rules.vocabulary import SEQUENCE, STEP
from rules.yaml_text import ListNode, MapNode, Node, TextNode

STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
STEPS_MAX = 16
EXAMPLE = "steps: [{as: wet, when: rain.sum(24h) >= 80 mm}]"


@dataclass(slots=True)
class StepDraft:
    """One step between reading and building."""

    fields: Fields
    name: TextNode
    condition: Draft | None
    after: TextNode | None
    within_ns: int | None
    for_ns: int


@dataclass(slots=True)
class SequenceDraft:
    """A sequence between reading and building."""

    within_ns: int | None = None
    steps: list[StepDraft] = field(default_factory=list)
    reset: Draft | None = None


def step_names(node: Node | None) -> frozenset[str]:
    """The names of the steps of a sequence that nobody has looked through yet."""
    steps = node.get("steps") if isinstance(node, MapNode) else None
    found: set[str] = set()
    for item in steps.items if isinstance(steps, ListNode) else ():
        name = item.get("as") if isinstance(item, MapNode) else None
        if isinstance(name, TextNode):
            found.add(name.text)
    return frozenset(found)


def draft_sequence(rule: Fields, checker: Checker) -> SequenceDraft | None:
    """Read a sequence; None where the rule has none."""
    fields = Fields.open(rule.node_of("sequence"), SEQUENCE, rule.faults)
    if fields is None:
        return None
    draft = SequenceDraft(within_ns=fields.duration("within"))
    fields.needs("steps", remedy=EXAMPLE)
    items = fields.items("steps")
    if len(items) > STEPS_MAX:
        message = f"{len(items)} steps; a sequence has at most {STEPS_MAX}"
        fields.faults.add("E311", fields.key_place("steps"), message)
    for item in items[:STEPS_MAX]:
        step = _draft_step(item, checker, draft)
        if step is not None:
            draft.steps.append(step)
    _check_order(draft, fields)
    if "steps" in fields.values and not items:
        fields.faults.add("E311", fields.key_place("steps"), "a sequence without a step")
    reset = fields.text("reset")
    draft.reset = checker.condition(reset) if reset is not None else None
    return draft


def _draft_step(node: Node, checker: Checker, sequence: SequenceDraft) -> StepDraft | None:
    """Read one step; None where it has no name."""
    faults = checker.faults
    fields = Fields.open(node, STEP, faults)
    if fields is None:
        return None
    name = fields.required("as", "give the step a name: `as: wet`")
    conditions = [key for key in ("when", "absent") if fields.node.get(key) is not None]
    if len(conditions) != 1:
        message = "a step has either `when` or `absent`"
        faults.add("E311", fields.node.place, message, remedy="write `when: …` or `absent: …`")
    text = fields.text(conditions[0]) if conditions else None
    condition = checker.condition(text) if text is not None else None
    after, within_ns, for_ns = (
        fields.text("after"),
        fields.duration("within"),
        fields.duration("for"),
    )
    if conditions == ["absent"]:
        fields.needs("after", "within", remedy="{absent: …, after: wet, within: 1h}")
    elif within_ns is not None and after is None and "after" not in fields.values:
        message = "`within` of a step counts from the step it comes after"
        faults.add("E311", fields.key_place("within"), message, remedy="add `after: …`")
    if name is None:
        return None
    if not STEP_NAME.fullmatch(name.text):
        remedy = "use letters A-Z a-z, digits and _"
        faults.add("E311", name.place, f"`{name.text}` cannot be the name of a step", remedy=remedy)
        return None
    before = next((known.name for known in sequence.steps if known.name.text == name.text), None)
    if before is not None:
        remedy = f"it already stands in line {before.place.line}"
        faults.add("E311", name.place, f"two steps are called `{name.text}`", remedy=remedy)
        return None
    return StepDraft(fields, name, condition, after, within_ns, for_ns or 0)


def _check_order(draft: SequenceDraft, fields: Fields) -> None:
    """Each `after` names a step, and no step waits for itself, directly or round a circle."""
    by_name = {step.name.text: step for step in draft.steps}
    for step in draft.steps:
        if step.after is not None and step.after.text not in by_name:
            remedy = did_you_mean(step.after.text, sorted(by_name.keys() - {step.name.text}))
            message = f"`after: {step.after.text}` names no step of this sequence"
            fields.faults.add("E311", step.after.place, message, remedy=remedy)
    told: set[str] = set()
    for step in draft.steps:
        chain = [step.name.text]
        here: StepDraft | None = step
        while here is not None and here.after is not None:
            chain.append(here.after.text)
            here = by_name.get(here.after.text)
            if here is not None and here.name.text in chain[:-1]:
                break
        else:
            continue
        circle = chain[chain.index(chain[-1]) :]
        if told.isdisjoint(circle) and step.after is not None:
            told.update(circle)
            message = "steps wait for each other: " + " after ".join(circle)
            remedy = "one of them must come first, without `after`"
            fields.faults.add("E311", step.after.place, message, remedy=remedy)


def build_sequence(draft: SequenceDraft, checker: Checker) -> Sequence:
    """Make the nodes of a sequence without faults."""
    steps: list[SequenceStep] = []
    for step in draft.steps:
        assert step.condition is not None
        steps.append(
            SequenceStep(
                name=step.name.text,
                condition=checker.built(step.condition),
                is_absent="absent" in step.fields.values,
                after=step.after.text if step.after else None,
                within_ns=step.within_ns,
                for_ns=step.for_ns,
            )
        )
    reset = checker.built(draft.reset) if draft.reset is not None else None
    return Sequence(draft.within_ns, tuple(steps), reset)
