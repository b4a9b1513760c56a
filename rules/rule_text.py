"""One rule, read from its mapping: every fault in it is found before it is given up."""

from dataclasses import dataclass

from rules import expression as ex
from rules import grading_text, lint, rule_parts
from rules.checking import Checker
from rules.errors import Faults
from rules.fields import Fields, identifier
from rules.grade import Grade
from rules.message_text import read_message
from rules.pack import Input, Rule
from rules.scenario_text import ONLY, read_scenarios
from rules.units import Dimension
from rules.vocabulary import MODES, RULE, refuse_later
from rules.yaml_text import MapNode, Node

# What says how a rule is graded, in the whole language; without any of them it could never warn.
GRADING = ("ladder", "levels", "rollup")
GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Grading:
    """The ladder or the levels of a rule, drafted."""

    ladder: grading_text.LadderDraft | None
    levels: dict[Grade, grading_text.LevelDraft]
    # The grades the rule has; none where they could not all be read.
    grades: tuple[Grade, ...]


def read_rule(node: Node, pack: str, macros: frozenset[str], faults: Faults) -> Rule | None:
    """Read one rule; None after a fault, and then `faults` says why.

    `faults` holds the faults of this rule alone.
    """
    fields = Fields.open(node, RULE, faults)
    if fields is None:
        return None
    checker = _checker(fields, macros)
    grading = _draft_grading(fields, checker)
    lets = {name: checker.draft_let(name) for name in checker.lets}
    is_settled = checker.settle() and not checker.has_failed
    if grading.ladder is not None:
        grading_text.check_ladder(grading.ladder)
    shown = _shown_dimension(grading, checker) if is_settled else None
    message = read_message(fields.node_of("message"), checker, shown, faults)
    mode = _mode(fields)
    rule_id = identifier(fields.required("id", "id: ch4-high"), faults)
    hazard = _hazard(fields)
    title = rule_parts.read_title(fields, is_live=mode == "live")
    basis = rule_parts.read_texts(fields, "basis")
    quality = rule_parts.read_quality(fields.node_of("quality"), grading.grades, faults)
    lateness_ns = rule_parts.read_lateness(fields)
    latch = rule_parts.read_latch(fields, grading.grades)
    closure = fields.truth("closure", True)
    cap = rule_parts.read_cap(fields, grading.grades)
    model = rule_parts.read_model(fields)
    by = rule_parts.read_by(fields)
    home = checker.main
    sources: dict[str, Input | None] = {**checker.inputs} or {ONLY: home}
    periods_ns = {name: source.period_ns if source else None for name, source in sources.items()}
    tests = read_scenarios(fields.items("tests"), periods_ns, faults)
    if faults.errors() or home is None:
        return None
    levels = {
        grade: grading_text.build_level(checker, level) for grade, level in grading.levels.items()
    }
    rule = Rule(
        pack=pack,
        id=rule_id,
        hazard=hazard,
        title=title,
        basis=basis,
        mode="disabled" if mode == "disabled" else "live",
        input=home,
        by=by,
        quality=quality,
        lateness_ns=lateness_ns,
        lets={name: checker.built(draft) for name, draft in lets.items() if draft},
        ladder=grading_text.build_ladder(grading.ladder) if grading.ladder else None,
        levels=levels or None,
        latch=latch,
        closure=closure,
        cap=cap,
        message=message,
        tests=tests,
        model=model,
        place=fields.key_place("id"),
        inputs={"": home},
    )
    lint.look_through(rule, fields, faults)
    return None if faults.errors() else rule


def _checker(fields: Fields, macros: frozenset[str]) -> Checker:
    """What the expressions of this rule may look at."""
    faults = fields.faults
    inputs, many = rule_parts.read_inputs(fields.node.get("inputs"), faults)
    main = rule_parts.read_input(fields.node_of("input"), faults)
    by = fields.node.get("by")
    key = by.source.text[by.start : by.end].strip("[] ") if by else ""
    # Rules over several inputs or other rules are refused as a whole, where they say so.
    has_other = any(fields.node.get(part) is not None for part in ("inputs", "rollup"))
    if "input" not in fields.values and not has_other and key in ("", "sensor"):
        fields.required("input", 'input: {type: methane, unit: "%"}')
    if by is None and not has_other:
        fields.required("by", "by: [sensor]")
    return Checker(
        faults=faults,
        main=main,
        inputs=inputs,
        many=many,
        lets=rule_parts.read_lets(fields),
        macros=macros,
        key=key,
    )


def _draft_grading(fields: Fields, checker: Checker) -> Grading:
    """Draft the ladder or the levels; exactly one of them must be there."""
    present = [key for key in GRADING if fields.node.get(key) is not None]
    if len(present) != 1:
        message = "a rule is graded in exactly one way: `ladder`, `levels` or `rollup`"
        remedy = "ladder: {value: mean(15s), above: {blue: …, red: …}}"
        if present:
            remedy = "keep one of " + ", ".join(f"`{key}`" for key in present)
        fields.faults.add("E303", fields.key_place("id"), message, remedy=remedy)
    ladder_node, levels_node = fields.node_of("ladder"), fields.node_of("levels")
    ladder = grading_text.draft_ladder(ladder_node, checker) if ladder_node else None
    levels, grades = grading_text.draft_levels(levels_node, checker) if levels_node else ({}, ())
    if isinstance(levels_node, MapNode) and not levels_node.entries:
        fields.faults.add("E303", fields.key_place("levels"), "levels without a grade")
    return Grading(ladder, levels, ladder.grades if ladder else grades)


def _shown_dimension(grading: Grading, checker: Checker) -> Dimension | None:
    """The dimension of the value that warnings show; None where it is not known.

    A ladder shows its value, levels the first feature that the mildest of them looks at.
    """
    if grading.ladder is not None:
        value = grading.ladder.value
        return checker.solver.dimension(value) if value is not None else None
    if not grading.grades or grading.grades[0] not in grading.levels:
        return None
    when = checker.built(grading.levels[grading.grades[0]].when)
    feature = next(ex.features(when), None)
    return feature.dimension if feature is not None else None


def _mode(fields: Fields) -> str:
    """`live` unless the rule says otherwise."""
    mode = fields.word("mode", MODES)
    if mode == "shadow":
        node = fields.values["mode"][1]
        refuse_later("shadow", node.place, fields.faults, where=" of `mode`")
    return mode or "live"


def _hazard(fields: Fields) -> str:
    """The hazard, which is part of every topic."""
    if "hazard" not in fields.values:
        message = f"no hazard; its topics will say `{GENERAL}`"
        remedy = "hazard: gas"
        fields.faults.add("W403", fields.key_place("id"), message, remedy=remedy)
        return GENERAL
    return identifier(fields.text("hazard"), fields.faults)
