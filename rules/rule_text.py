"""One rule, read from its mapping: every fault in it is found before it is given up."""

from dataclasses import dataclass
from dataclasses import replace as changed
from functools import partial

from rules import (
    cluster_text,
    grading_text,
    limits_text,
    lint,
    policy_text,
    rollup_text,
    rule_parts,
    sequence_text,
)
from rules import expression as ex
from rules.checking import Checker
from rules.drafts import Draft
from rules.errors import Faults
from rules.feeds_text import ONLY
from rules.fields import Fields, identifier
from rules.grade import COLOURS, Grade
from rules.macros import Macros
from rules.message import NO_MESSAGE
from rules.message_text import read_message
from rules.override_text import read_overrides
from rules.pack import NO_INPUT, Input, Rule, Suppression, Written
from rules.scenario_text import read_scenarios
from rules.shown import shown_nodes
from rules.units import Dimension
from rules.vocabulary import MODES, RULE
from rules.yaml_text import MapNode, Node, TextNode

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


@dataclass(frozen=True, slots=True)
class Drafts:
    """Every expression of a rule, drafted."""

    grading: Grading
    lets: dict[str, Draft | None]
    where: dict[str, Draft]
    cluster: cluster_text.ClusterDraft | None
    sequence: sequence_text.SequenceDraft | None
    suppressions: list[tuple[Suppression, Draft | None]]
    limits: dict[Grade, Draft]


def read_rule(
    node: Node, pack: str, macros: Macros, faults: Faults, *, today: str = ""
) -> Rule | None:
    """Read one rule; None after a fault, and then `faults` says why.

    `faults` holds the faults of this rule alone. `today` is an ISO day; overrides that held until
    an earlier one are told.
    """
    fields = Fields.open(node, RULE, faults)
    if fields is None or not isinstance(node, MapNode):
        return None
    checker = _checker(fields, pack, macros)
    drafts = _draft(fields, checker)
    is_settled = checker.settle() and not checker.has_failed
    if drafts.grading.ladder is not None:
        grading_text.check_ladder(drafts.grading.ladder)
    shown = _shown_dimension(drafts.grading, checker) if is_settled else None
    rule = _plain(fields, drafts, checker, pack)
    message = read_message(
        fields.node_of("message"), checker, shown, faults, lets=_told_lets(drafts, checker)
    )
    if faults.errors():
        return None
    kept = tuple(entry for entry in node.entries if entry[0].text not in ("overrides", "tests"))
    alone = MapNode(kept, node.source, node.start, node.end)
    written = Written(alone, partial(_read_again, pack=pack, macros=macros))
    rule = _with_nodes(changed(rule, message=message, written=written), drafts, checker)
    rule = changed(rule, shown=shown_nodes(rule))
    lint.look_through(rule, fields, faults)
    items = fields.items("overrides")
    if items and not faults.errors():
        rule = changed(rule, overrides=read_overrides(items, rule, faults, today=today))
    return None if faults.errors() else rule


def _told_lets(drafts: Drafts, checker: Checker) -> dict[str, Dimension | None]:
    """The dimension of what each `let` is, for its message; None where it is no quantity."""
    return {
        name: checker.solver.dimension(draft) if draft.sort == "quantity" else None
        for name, draft in drafts.lets.items()
        if draft is not None and draft.sort != "set"
    }


def _read_again(node: MapNode, faults: Faults, *, pack: str, macros: Macros) -> Rule | None:
    """Read a rule over whose mapping overrides were laid."""
    return read_rule(node, pack, macros, faults)


def _draft(fields: Fields, checker: Checker) -> Drafts:
    """Draft every expression of a rule."""
    where: dict[str, Draft] = {}
    for name, text in rule_parts.where_nodes(fields).items():
        draft = checker.condition_of(text, name)
        if draft is not None and checker.looks_at_readings:
            message = "`where` chooses sensors by their attributes, before there are readings"
            remedy = "write for example `where: 'asset.limit != none'`"
            checker.faults.add("E309", draft.place, message, remedy=remedy)
        elif draft is not None:
            where[name] = draft
    cluster = cluster_text.draft_cluster(fields, checker)
    sequence = sequence_text.draft_sequence(fields, checker)
    grading = _draft_grading(fields, checker)
    lets = {name: checker.draft_let(name) for name in checker.lets}
    suppressions = policy_text.draft_suppressions(fields, checker)
    return Drafts(
        grading=grading,
        lets=lets,
        where=where,
        cluster=cluster,
        sequence=sequence,
        suppressions=suppressions,
        limits=limits_text.draft_limits(fields, grading.ladder),
    )


def _plain(fields: Fields, drafts: Drafts, checker: Checker, pack: str) -> Rule:
    """The rule without its expressions; what has a fault is left out, and the fault is said."""
    faults, grades = fields.faults, drafts.grading.grades
    mode = fields.word("mode", MODES) or "live"
    rollup_fields = rollup_text.open_rollup(fields)
    by = rule_parts.read_by(fields, rollup_fields, is_cluster=drafts.cluster is not None)
    rollup = rollup_text.read_rollup(rollup_fields, pack) if rollup_fields else None
    possible = tuple(COLOURS) if rollup_fields else grades
    whole = checker.inputs or {"": checker.main}
    inputs = {name: source for name, source in whole.items() if source is not None}
    periods_ns = {name or ONLY: source.period_ns for name, source in inputs.items()}
    lateness_ns, revises = rule_parts.read_lateness(fields)
    return Rule(
        pack=pack,
        id=identifier(fields.required("id", "id: ch4-high"), faults),
        hazard=_hazard(fields),
        title=rule_parts.read_title(fields, is_live=mode == "live"),
        basis=rule_parts.read_texts(fields, "basis"),
        mode=mode,  # type: ignore[arg-type]
        input=next(iter(inputs.values()), NO_INPUT),
        by=by,
        quality=rule_parts.read_quality(fields.node_of("quality"), possible, faults),
        lateness_ns=lateness_ns,
        lets={},
        ladder=None,
        levels=None,
        latch=rule_parts.read_latch(fields, possible),
        closure=fields.truth("closure", True),
        cap=rule_parts.read_cap(fields, possible),
        message=NO_MESSAGE,
        tests=read_scenarios(fields.items("tests"), periods_ns or None, faults, pack=pack),
        model=rule_parts.read_model(fields),
        place=fields.key_place("id"),
        inputs=inputs,
        rollup=rollup,
        flap=policy_text.read_flap(fields),
        budget=policy_text.read_budget(fields, by),
        inhibits=policy_text.read_inhibits(fields, pack),
        escalate=policy_text.read_escalations(fields, possible),
        monotone=policy_text.read_monotone(fields, checker),
        require_assets=policy_text.read_required_assets(fields),
        downgrade_after_ns=policy_text.read_downgrade(fields),
        area_buffer_m=policy_text.read_area(fields, has_cluster=drafts.cluster is not None),
        is_safety=fields.truth("safety", False),
        revises=revises,
    )


def _with_nodes(rule: Rule, drafts: Drafts, checker: Checker) -> Rule:
    """The rule with its expressions, none of which has a fault."""
    grading = drafts.grading
    levels = {
        grade: grading_text.build_level(checker, level) for grade, level in grading.levels.items()
    }
    inputs = {
        name: changed(
            source,
            many=source.many or name in checker.sets,
            where=checker.built(drafts.where[name]) if name in drafts.where else None,
        )
        for name, source in rule.inputs.items()
    }
    suppress = [
        changed(said, during=checker.built(draft)) if draft is not None else said
        for said, draft in drafts.suppressions
    ]
    return changed(
        rule,
        input=next(iter(inputs.values()), NO_INPUT),
        inputs=inputs,
        lets={
            name: checker.built(draft)
            for name, draft in drafts.lets.items()
            if draft is not None and draft.sort != "set"
        },
        ladder=grading_text.build_ladder(grading.ladder) if grading.ladder else None,
        levels=levels or None,
        sequence=sequence_text.build_sequence(drafts.sequence, checker)
        if drafts.sequence
        else None,
        cluster=cluster_text.build_cluster(drafts.cluster, checker) if drafts.cluster else None,
        suppress=tuple(suppress),
        limits=limits_text.build_limits(grading.ladder, drafts.limits) if grading.ladder else {},
    )


def _checker(fields: Fields, pack: str, macros: Macros) -> Checker:
    """What the expressions of this rule may look at."""
    faults = fields.faults
    inputs = rule_parts.read_inputs(fields.node_of("inputs"), faults)
    main = rule_parts.read_input(fields.node_of("input"), faults)
    by = fields.node.get("by")
    key = by.source.text[by.start : by.end].strip("[] ") if by else ""
    has_input = "input" in fields.values or "inputs" in fields.values
    if "input" in fields.values and "inputs" in fields.values:
        place = fields.key_place("inputs")
        faults.add("E303", place, "a rule has `input` or `inputs`, not both", remedy="keep one")
    # Rules over several inputs or other rules say of themselves what they need.
    has_other = any(fields.node.get(part) is not None for part in ("inputs", "rollup"))
    if "input" not in fields.values and not has_other and key in ("", "sensor"):
        fields.required("input", 'input: {type: methane, unit: "%"}')
        has_input = True
    cluster = fields.node.get("cluster")
    of = cluster.get("of") if isinstance(cluster, MapNode) else None
    whole: dict[str, Input | None] = inputs or {"": main}
    return Checker(
        faults=faults,
        main=main,
        inputs=inputs,
        many=frozenset(name for name, one in whole.items() if one is not None and one.many),
        lets=rule_parts.read_lets(fields, inputs),
        key=key,
        pack=pack,
        macros=macros,
        steps=sequence_text.step_names(fields.node.get("sequence"))
        if fields.node.get("sequence") is not None
        else None,
        cluster=of.text if isinstance(of, TextNode) and of.text in inputs else None,
        has_input=has_input,
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


def _hazard(fields: Fields) -> str:
    """The hazard, which is part of every topic."""
    if "hazard" not in fields.values:
        message = f"no hazard; its topics will say `{GENERAL}`"
        remedy = "hazard: gas"
        fields.faults.add("W403", fields.key_place("id"), message, remedy=remedy)
        return GENERAL
    return identifier(fields.text("hazard"), fields.faults)
