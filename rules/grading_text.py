"""Grading: the `ladder` or the `levels` of a rule, read, checked and made into nodes.

Reading has two halves. First everything is drafted, so that comparisons anywhere in the rule can
tell the unit of an attribute; then, with the units settled, the nodes are built.
"""

import re
from dataclasses import dataclass, field

from rules import expression as ex
from rules import wording
from rules.checking import Checker
from rules.drafts import Draft
from rules.errors import Faults, Place
from rules.fields import Fields, as_text_node, duration_of, pair_place, whole_entries, wrong_shape
from rules.grade import Grade, read_grade
from rules.pack import Ladder, Level
from rules.phrases import plain
from rules.units import NUMBER, SHARES, Dimension
from rules.vocabulary import LADDER, LEVEL
from rules.yaml_text import MapNode, Node, TextNode

RELATIVE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class Step:
    """What one grade of a map says: its key and its value."""

    key: TextNode
    value: Node

    @property
    def place(self) -> Place:
        """Key and value together."""
        return pair_place(self.key, self.value)


def steps_of(node: Node, what: str, faults: Faults) -> dict[Grade, Step]:
    """The entries of a map by grade, from the mildest."""
    if not isinstance(node, MapNode):
        wrong_shape(node, f"`{what}` is a mapping by grade: {{blue: …, red: …}}", faults)
        return {}
    steps: dict[Grade, Step] = {}
    for key, value in whole_entries(node, faults):
        grade = read_grade(key.text, key.place, faults)
        if grade is None:
            continue
        if grade in steps:
            before = steps[grade].key
            message = f"`{key.text}` and `{before.text}` are the same grade"
            faults.add("E004", key.place, message, remedy="keep one of them")
            continue
        steps[grade] = Step(key, value)
    return dict(sorted(steps.items()))


def durations_by_grade(fields: Fields, key: str, grades: tuple[Grade, ...]) -> dict[Grade, int]:
    """`for` or `clear_for`: one duration for all grades, or one for each; 0 where it says none."""
    node = fields.node_of(key)
    found = dict.fromkeys(grades, 0)
    if node is None:
        return found
    if isinstance(node, TextNode):
        one = as_text_node(node, fields.faults)
        length_ns = duration_of(one, fields.faults) if one else None
        return dict.fromkeys(grades, length_ns or 0)
    for grade, step in steps_of(node, key, fields.faults).items():
        value = as_text_node(step.value, fields.faults)
        length_ns = duration_of(value, fields.faults) if value else None
        if not grade_exists(grade, grades, step, key, fields.faults):
            continue
        found[grade] = length_ns or 0
    return found


def grade_exists(
    grade: Grade, grades: tuple[Grade, ...], step: Step, key: str, faults: Faults
) -> bool:
    """False, with a fault, where a map names a grade that the ladder does not have."""
    if grade in grades or not grades:
        return grade in grades
    message = f"`{key}` names {grade.word}, which this ladder does not have"
    remedy = "a grade left out of a ladder does not exist; it has " + ", ".join(
        known.word for known in grades
    )
    faults.add("E305", step.key.place, message, remedy=remedy)
    return False


@dataclass(slots=True)
class LadderDraft:
    """A ladder between reading and building."""

    fields: Fields
    checker: Checker
    direction: str = "above"
    value: Draft | None = None
    steps: dict[Grade, Step] = field(default_factory=dict)
    enter: dict[Grade, Draft] = field(default_factory=dict)
    clear_steps: dict[Grade, Step] = field(default_factory=dict)
    clear: dict[Grade, Draft] = field(default_factory=dict)
    deadband: Draft | None = None
    relative: float | None = None
    for_ns: dict[Grade, int] = field(default_factory=dict)
    clear_for_ns: dict[Grade, int] = field(default_factory=dict)

    @property
    def grades(self) -> tuple[Grade, ...]:
        """The grades the ladder has."""
        return tuple(self.steps)

    @property
    def is_point(self) -> bool:
        """Of temperatures: whether thresholds are points on the scale."""
        return self.value is None or self.value.kind != "difference"


def draft_ladder(node: Node, checker: Checker) -> LadderDraft | None:
    """Read a ladder; None when it is no mapping."""
    faults = checker.faults
    fields = Fields.open(node, LADDER, faults)
    if fields is None:
        return None
    ladder = LadderDraft(fields, checker)
    value = fields.required("value", "say what is measured: `value: mean(15s)`")
    ladder.value = checker.quantity(value) if value else None
    if ladder.value is not None and not checker.looks_at_readings:
        message = "this value looks at no reading, so it would never change"
        faults.add("E308", wording.place_of(ladder.value), message, remedy="write `value: value`")
    directions = [key for key in ("above", "below") if key in fields.values]
    if len(directions) != 1:
        message = "a ladder goes either `above` or `below`"
        remedy = "above: {blue: …, yellow: …, orange: …, red: …}"
        faults.add("E303", fields.node.place, message, remedy=remedy)
        return ladder
    ladder.direction = directions[0]
    thresholds = fields.node_of(ladder.direction)
    assert thresholds is not None
    ladder.steps = steps_of(thresholds, ladder.direction, faults)
    ladder.enter = draft_thresholds(ladder, ladder.steps)
    if not ladder.steps and not faults.errors():
        faults.add("E303", fields.key_place(ladder.direction), "a ladder without a grade")
    _draft_clear(ladder)
    _draft_deadband(ladder)
    ladder.for_ns = durations_by_grade(fields, "for", ladder.grades)
    ladder.clear_for_ns = durations_by_grade(fields, "clear_for", ladder.grades)
    return ladder


def draft_thresholds(ladder: LadderDraft, steps: dict[Grade, Step]) -> dict[Grade, Draft]:
    """The thresholds by grade, each of the same kind as the value."""
    checker = ladder.checker
    drafts: dict[Grade, Draft] = {}
    for grade, step in steps.items():
        node = as_text_node(step.value, checker.faults)
        draft = checker.quantity(node) if node else None
        if draft is None:
            continue
        if checker.looks_at_readings:
            message = "a threshold of a ladder is a number or an attribute, not a feature"
            remedy = "use `levels`, where each grade has a condition of its own"
            checker.faults.add("E309", wording.place_of(draft), message, remedy=remedy)
            continue
        if ladder.value is None or checker.threshold(ladder.value, draft):
            drafts[grade] = draft
    return drafts


def _draft_clear(ladder: LadderDraft) -> None:
    """`clear`: a map by grade, or one value for all."""
    node = ladder.fields.node_of("clear")
    if node is None:
        return
    faults = ladder.checker.faults
    if isinstance(node, TextNode):
        key = ladder.fields.values["clear"][0]
        steps = {grade: Step(key, node) for grade in ladder.grades}
    else:
        steps = {
            grade: step
            for grade, step in steps_of(node, "clear", faults).items()
            if grade_exists(grade, ladder.grades, step, "clear", faults)
        }
    ladder.clear_steps = steps
    ladder.clear = draft_thresholds(ladder, steps)


def _draft_deadband(ladder: LadderDraft) -> None:
    """`deadband`: a quantity, or a percentage of the entry value."""
    node = ladder.fields.text("deadband")
    if node is None:
        return
    checker, faults = ladder.checker, ladder.checker.faults
    relative = RELATIVE.fullmatch(node.text.strip())
    if relative is None:
        ladder.deadband = checker.quantity(node)
        if ladder.deadband is not None and ladder.value is not None:
            checker.equate(ladder.value, ladder.deadband, "used", is_quiet=True)
        amount = ladder.deadband.amount if ladder.deadband is not None else 0.0
        if ladder.deadband is not None and (amount is None or amount < 0):
            message = "a deadband is a fixed quantity that is not negative, or a percentage"
            faults.add(
                "E304", node.place, message, remedy="write `deadband: 0.1` or `deadband: 5%`"
            )
        return
    dimension = checker.solver.dimension(ladder.value) if ladder.value is not None else None
    if dimension == SHARES:
        amount_text = relative[1]
        faults.add(
            "E304",
            node.place,
            f"`{node.text}` could be {amount_text} % of the entry value, or a share of "
            f"{amount_text} %",
            remedy="write a number in the unit of the input (`deadband: 0.1`), or `clear` values",
        )
        return
    ladder.relative = float(relative[1]) / 100
    if ladder.relative >= 1:
        faults.add("E304", node.place, "a deadband of the whole entry value or more")


def check_ladder(ladder: LadderDraft) -> None:
    """Check that the thresholds rise, or fall, and that each clear lies on the right side."""
    faults = ladder.checker.faults
    sign = 1.0 if ladder.direction == "above" else -1.0
    enter = {grade: amount_of_threshold(ladder, draft) for grade, draft in ladder.enter.items()}
    clear = {grade: amount_of_threshold(ladder, draft) for grade, draft in ladder.clear.items()}
    arrow = " < " if sign > 0 else " > "
    wrong: set[Grade] = set()
    milder: tuple[Grade, float] | None = None
    for grade, amount in enter.items():
        if amount is None:
            continue
        if milder is not None and sign * (amount - milder[1]) <= 0:
            wrong.add(grade)
            side = "below" if sign > 0 else "above"
            verb = "equals" if amount == milder[1] else f"is {side}"
            faults.add(
                "E301",
                ladder.steps[grade].place,
                f"ladder is not monotone: {grade.word} ({ladder.enter[grade].text}) {verb} "
                f"{milder[0].word} ({ladder.enter[milder[0]].text}), but the ladder goes "
                f"`{ladder.direction}`",
                remedy="expected " + arrow.join(known.word for known in ladder.grades),
            )
            continue
        milder = (grade, amount)
    for grade, amount in clear.items():
        entry = enter.get(grade)
        if amount is None or entry is None or grade in wrong or sign * (entry - amount) > 0:
            continue
        _wrong_clear(ladder, grade, entry, sign)


def _wrong_clear(ladder: LadderDraft, grade: Grade, entry: float, sign: float) -> None:
    """A clear value on the wrong side of its entry value."""
    side, arrow = ("below", "<") if sign > 0 else ("above", ">")
    entry_text, clear_text = ladder.enter[grade].text, ladder.clear[grade].text
    remedy = f"use a value {arrow} {entry_text}"
    if entry:
        # A fifth of the entry value: enough to settle, small enough to clear.
        remedy += f", or `deadband: {plain(abs(entry) / 5, None)}`"
    ladder.checker.faults.add(
        "E302",
        ladder.clear_steps[grade].place,
        f"clear value {clear_text} is not {side} the entry value {entry_text}: "
        f"{grade.word} would never settle",
        remedy=remedy,
    )


def amount_of_threshold(ladder: LadderDraft, draft: Draft) -> float | None:
    """The value of a threshold that is the same for all sensors, as far as units are known."""
    if ladder.value is None:
        # Nothing says what is measured; thresholds written alike can be compared all the same.
        written = {known.unit for known in (*ladder.enter.values(), *ladder.clear.values())}
        return draft.amount if len(written) == 1 else None
    dimension = ladder.checker.solver.dimension(ladder.value if draft.is_bare else draft)
    home = ladder.value.input
    return None if dimension is None else ex.constant(draft.make(dimension, ladder.is_point, home))


def build_ladder(ladder: LadderDraft) -> Ladder:
    """Make the nodes of a ladder without faults."""
    value = ladder.value
    assert value is not None
    dimension = ladder.checker.solver.dimension(value)
    assert dimension is not None
    home, is_point = value.input, ladder.is_point
    enter = {g: _folded(d.make(dimension, is_point, home)) for g, d in ladder.enter.items()}
    clear = {g: _folded(d.make(dimension, is_point, home)) for g, d in ladder.clear.items()}
    for grade, entry in enter.items():
        clear.setdefault(grade, _behind(ladder, entry, dimension))
    written = {draft.unit for draft in ladder.enter.values() if draft.unit}
    own = value.unit if not written else ""
    return Ladder(
        value=value.make(dimension, is_point),
        direction="above" if ladder.direction == "above" else "below",
        enter=enter,
        clear=dict(sorted(clear.items())),
        for_ns=ladder.for_ns,
        clear_for_ns=ladder.clear_for_ns,
        shown=written.pop() if len(written) == 1 else own or value.unit,
    )


def _behind(ladder: LadderDraft, entry: ex.Node, dimension: Dimension) -> ex.Node:
    """The entry value less the deadband: below it for `above`, above it for `below`."""
    towards: ex.Operator = "-" if ladder.direction == "above" else "+"
    if ladder.deadband is not None:
        home = ladder.value.input if ladder.value is not None else None
        band = ladder.deadband.make(dimension, False, home)
        return _folded(ex.Arithmetic(towards, entry, band, dimension, entry.place))
    if ladder.relative is None:
        return entry
    amount = ex.constant(entry)
    if amount is not None:
        shift = abs(amount) * ladder.relative
        band = ex.Number(shift, dimension, entry.place)
        return _folded(ex.Arithmetic(towards, entry, band, dimension, entry.place))
    share = 1 - ladder.relative if towards == "-" else 1 + ladder.relative
    factor = ex.Number(share, NUMBER, entry.place)
    return ex.Arithmetic("*", entry, factor, dimension, entry.place)


def _folded(node: ex.Node) -> ex.Node:
    """One number where a node is the same for all sensors."""
    amount = ex.constant(node)
    if amount is None or isinstance(node, ex.Number):
        return node
    return ex.Number(float(f"{amount:.15g}"), ex.dimension_of(node), node.place)


@dataclass(frozen=True, slots=True)
class LevelDraft:
    """A level between reading and building."""

    fields: Fields
    when: Draft
    clear: Draft | None


def draft_levels(node: Node, checker: Checker) -> tuple[dict[Grade, LevelDraft], tuple[Grade, ...]]:
    """Read the levels of a rule: those without a fault, and the grades that have one.

    No grades when one of them cannot be read: then nothing can be said of the others.
    """
    faults = checker.faults
    if not isinstance(node, MapNode):
        wrong_shape(node, "`levels` is a mapping by grade: {blue: {when: …}, …}", faults)
        return {}, ()
    drafts: dict[Grade, LevelDraft] = {}
    grades: list[Grade] = []
    for key, value in node.entries:
        grade = read_grade(key.text, key.place, faults)
        fields = Fields.open(value, LEVEL, faults)
        drafted = _draft_level(fields, checker) if fields else None
        if grade in grades:
            message = f"`{key.text}` is the same grade as one above"
            faults.add("E004", key.place, message, remedy="keep one of them")
        elif grade is not None:
            grades.append(grade)
            if drafted is not None:
                drafts[grade] = drafted
    is_whole = len(grades) == len(node.entries)
    return dict(sorted(drafts.items())), tuple(sorted(grades)) if is_whole else ()


def _draft_level(fields: Fields, checker: Checker) -> LevelDraft | None:
    durations = [fields.duration(key) for key in ("for", "clear_for") if key in fields.values]
    clear_node = fields.text("clear")
    if "when" not in fields.values and _was_cut(fields):
        return None
    when_node = fields.required("when", "say when: `when: mean(1m) >= 0.8 %`")
    when = checker.condition(when_node) if when_node else None
    if when is not None and not checker.looks_at_readings:
        message = "this condition looks at no reading, so it would never change"
        checker.faults.add("E308", wording.place_of(when), message, remedy="compare a feature")
        when = None
    clear = checker.condition(clear_node) if clear_node else None
    if when is None or None in durations or (clear is None and clear_node is not None):
        return None
    return LevelDraft(fields, when, clear)


def _was_cut(fields: Fields) -> bool:
    """True where `when` is written, but its expression was cut at its commas and so left out."""
    return fields.node.get("when") is not None


def build_level(checker: Checker, draft: LevelDraft) -> Level:
    """Make the nodes of a level without faults."""
    return Level(
        when=checker.built(draft.when),
        clear=checker.built(draft.clear) if draft.clear else None,
        for_ns=draft.fields.duration("for") or 0,
        clear_for_ns=draft.fields.duration("clear_for") or 0,
    )
