"""Lint: what a careful duty officer would ask about a rule that is right in form."""

from rules import expression as ex
from rules.errors import Faults, Place
from rules.fields import Fields
from rules.grade import Grade
from rules.graded import conditions_of, features_of, grades_of
from rules.needs import asks_calendar
from rules.pack import Pack, Rule
from rules.scenario import At, Events, Lead, Scenario
from rules.shown import unmeasured
from rules.units import NS_PER_S
from rules.vocabulary import DATA_FEATURES
from rules.yaml_text import MapNode, Node

# Hazards in which minutes kill: a red warning that waits longer is asked about.
SUDDEN = frozenset({"gas", "process", "earthquake"})
SUDDEN_FOR_NS_MAX = 300 * NS_PER_S
PERIODS_MIN = 3


def look_through(rule: Rule, fields: Fields, faults: Faults) -> None:
    """Ask the questions of policy about one rule."""
    _refuse_model_alone(rule, fields, faults)
    _ask_about_times(rule, fields, faults)
    _ask_about_silence(rule, fields, faults)
    _ask_about_reach(rule, fields, faults)
    _refuse_unmeasured(rule, fields, faults)
    _name_what_does_not_act(rule, fields, faults)


def _refuse_model_alone(rule: Rule, fields: Fields, faults: Faults) -> None:
    """A model alone never issues orange or red."""
    for grade in rule.grades:
        too_grave = grade > Grade.YELLOW and (rule.cap is None or grade <= rule.cap)
        if too_grave and rests_on_model(rule, grade):
            faults.add(
                "E401",
                _grade_place(fields, grade),
                f"{grade.word} would rest on `anomaly` alone; a model alone never exceeds yellow",
                remedy="ask for other evidence too (`… and mean(1m) >= …`), or write `cap: yellow`",
            )


def rests_on_model(rule: Rule, grade: Grade) -> bool:
    """True where `anomaly` alone, whatever the world does, can turn a grade on."""
    if rule.ladder is not None:
        return evidence(rule.ladder.value) == {"model"}
    level = (rule.levels or {}).get(grade)
    return level is not None and is_model_alone(level.when, is_negated=False) is True


def evidence(node: ex.Node) -> set[str]:
    """What a quantity rests on: `model`, `world`, both or nothing; the state of data is nothing."""
    found: set[str] = set()
    for part in ex.walk(node):
        if isinstance(part, ex.Feature) and part.name not in DATA_FEATURES:
            found.add("model" if part.name == "anomaly" or part.stream else "world")
        elif isinstance(part, ex.OtherRule | ex.Step):
            found.add("world")
    return found


def is_model_alone(node: ex.Node, *, is_negated: bool) -> bool | None:
    """Whether the model alone can make a condition true; None where it asks for no evidence.

    `a and b` rests on the model alone when no part of it asks for other evidence; `a or b` when one
    part does.
    """
    match node:
        case ex.Not(operand=operand):
            return is_model_alone(operand, is_negated=not is_negated)
        case ex.And(items=items) | ex.Or(items=items):
            found = [is_model_alone(item, is_negated=is_negated) for item in items]
            needs_all = isinstance(node, ex.And) is not is_negated
            return _all_of(found) if needs_all else _one_of(found)
        case ex.OrElse(first=first, second=second):
            pair = [is_model_alone(part, is_negated=is_negated) for part in (first, second)]
            return _one_of(pair)
        case ex.Vote(condition=condition):
            return is_model_alone(condition, is_negated=is_negated)
        case ex.Known():
            return None
        case _:
            asked = [part for part in ex.walk(node) if isinstance(part, ex.Vote)]
            if asked:
                return _one_of([is_model_alone(vote, is_negated=is_negated) for vote in asked])
            rests_on = evidence(node)
            return rests_on == {"model"} if rests_on else None


def _all_of(found: list[bool | None]) -> bool | None:
    if False in found:
        return False
    return True if True in found else None


def _one_of(found: list[bool | None]) -> bool | None:
    if True in found:
        return True
    return False if False in found else None


def _refuse_unmeasured(rule: Rule, fields: Fields, faults: Faults) -> None:
    """What a message shows must be measured where the rule is judged."""
    graded = grades_of(rule) if rule.shown else ()
    of_panes = any(f.name != "value" for f in features_of(graded))
    is_per_reading = not of_panes and not asks_calendar(conditions_of(graded))
    for name in unmeasured(rule, is_per_reading=is_per_reading):
        faults.add(
            "E433",
            fields.key_place("message"),
            f"the message shows `{name}`, which is not measured where this rule is judged",
            remedy="a rule on `value` alone shows `value`, one on a sensor that sensor, a cluster "
            "its members",
        )


def _name_what_does_not_act(rule: Rule, fields: Fields, faults: Faults) -> None:
    """Words of the language on which this version does not act: nobody may rely on them."""
    found: list[tuple[Place, str, str]] = []
    if rule.revises:
        remedy = "late readings are counted and revise nothing: write `late: drop`"
        found.append((fields.key_place("lateness"), "late: revise", remedy))
    for item, said in zip(fields.items("suppress"), rule.suppress, strict=False):
        if not isinstance(said.during, str):
            remedy = "write a rule with that condition which `inhibits` this one"
            found.append((item.place, "a condition in `while`", remedy))
    if rule.budget is not None and rule.budget.per not in rule.by:
        remedy = f"each instance has a budget of its own: write `per: {rule.by[0]}`"
        found.append((fields.key_place("budget"), f"per: {rule.budget.per}", remedy))
    model = rule.model
    if model is not None and (model.warmup_ns or model.max_age_ns):
        remedy = "the model of engine.yaml decides: name it, and its `version`, and no more"
        found.append((fields.key_place("model"), "warmup, max_age", remedy))
    if model is not None and model.on_absent == "ignore":
        remedy = "without a score `anomaly` is unknown: write `or_else(anomaly, 0)`"
        found.append((fields.key_place("model"), "on_absent: ignore", remedy))
    for place, word, remedy in found:
        code = "`" if "`" not in word else ""
        message = f"{code}{word}{code} is read, but this version does not act on it"
        faults.add("W408", place, message, remedy=remedy)


def _ask_about_times(rule: Rule, fields: Fields, faults: Faults) -> None:
    """Windows and holds that do not fit the sensor's period, or the hazard."""
    holds = {grade: _holds(rule, grade) for grade in rule.grades}
    red_ns = holds.get(Grade.RED, (0, 0))[0]
    if rule.hazard in SUDDEN and red_ns > SUDDEN_FOR_NS_MAX:
        message = f"red waits {red_ns // NS_PER_S} s, in a hazard where minutes count"
        place = _grade_place(fields, Grade.RED)
        faults.add("W410", place, message, remedy="shorten `for` of red to 5 min or less")
    periods_ns = [known.period_ns for known in rule.inputs.values() if known.period_ns]
    for grade, (_, clear_for_ns) in holds.items():
        if 0 < clear_for_ns < PERIODS_MIN * max(periods_ns, default=0):
            message = f"`clear_for` of {grade.word} is shorter than three sensor periods"
            place = _grade_place(fields, grade)
            faults.add("W411", place, message, remedy="one lucky reading would clear it")
    for feature in _features(rule):
        source = rule.inputs.get(feature.input, rule.input)
        shortest_ns = min(feature.windows_ns, default=None)
        if shortest_ns is not None and shortest_ns < PERIODS_MIN * (source.period_ns or 0):
            message = f"a window of `{feature.name}` holds fewer than three readings"
            faults.add("W412", feature.place, message, remedy="make it three periods or longer")


def _ask_about_silence(rule: Rule, fields: Fields, faults: Faults) -> None:
    """Suppressions that can hide red, and a budget that would never be spent."""
    items = fields.items("suppress")
    for item, said in zip(items, rule.suppress, strict=False):
        hides = said.cap is None and Grade.RED not in said.never
        if hides and Grade.RED in rule.grades and (rule.cap is None or rule.cap is Grade.RED):
            message = "this `mute` can hide red"
            faults.add("W421", item.place, message, remedy="add `never: [red]`, or cap instead")
    if rule.budget is not None and rule.is_safety:
        message = "a rule marked `safety` is never demoted, so its budget only counts"
        faults.add("W407", fields.key_place("budget"), message, remedy="remove `budget`")


def ask_about_tests(pack: Pack, faults: Faults) -> None:
    """A live rule that can turn orange or red is proved by a test that sees it do so.

    Tests beside the pack count, and those of the whole pack for each of its rules; so this is asked
    when all files have been read.
    """
    whole = {grade for test in pack.tests for grade in _expected(test)}
    for rule in pack.rules:
        gravest = max(rule.grades, default=Grade.NONE)
        if rule.mode != "live" or gravest < Grade.ORANGE:
            continue
        seen = whole | {grade for test in rule.tests for grade in _expected(test)}
        if not any(grade >= Grade.ORANGE for grade in seen):
            message = "no test of this live rule ever sees orange or red"
            remedy = f"expect: [{{at: …, grade: {gravest.word}}}]"
            faults.add("W420", rule.place, message, remedy=remedy)


def _expected(test: Scenario) -> list[Grade]:
    """The grades that a test says are reached."""
    found: list[Grade] = []
    for expect in test.expects:
        if isinstance(expect, At | Lead) and expect.grade is not None:
            found.append(expect.grade)
        if isinstance(expect, Events):
            found += [one.grade for one in expect.happenings if one.grade is not None]
    return found


def _ask_about_reach(rule: Rule, fields: Fields, faults: Faults) -> None:
    """A grade that a graver one always overtakes is never seen."""
    levels = rule.levels or {}
    for grade, level in levels.items():
        for graver, other in levels.items():
            if (
                graver <= grade
                or other.for_ns > level.for_ns
                or not implies(level.when, other.when)
            ):
                continue
            message = f"{grade.word} is never seen: whenever it is due, {graver.word} is too"
            place = _grade_place(fields, grade)
            faults.add("W425", place, message, remedy=f"ask for more in {graver.word}")
            break


def implies(first: ex.Node, second: ex.Node) -> bool:
    """Whether one condition being true makes another true, as far as that can be seen at once."""
    if first == second:
        return True
    match second:
        case ex.And(items=items):
            return all(implies(first, item) for item in items)
        case ex.Or(items=items) if any(implies(first, item) for item in items):
            return True
    match first:
        case ex.And(items=items):
            return any(implies(item, second) for item in items)
        case ex.Or(items=items):
            return all(implies(item, second) for item in items)
    return _narrower(first, second)


def _narrower(first: ex.Node, second: ex.Node) -> bool:
    """Whether a comparison with a number asks for more than another of the same quantity."""
    if not isinstance(first, ex.Compare) or not isinstance(second, ex.Compare):
        return False
    if len(first.operands) != 2 or len(second.operands) != 2:
        return False
    (left, bound), (other_left, other_bound) = first.operands, second.operands
    a, b = ex.constant(bound), ex.constant(other_bound)
    if left != other_left or a is None or b is None:
        return False
    one, two = first.operators[0], second.operators[0]
    if one in (">", ">=") and two in (">", ">="):
        return a > b or (a == b and not (one == ">=" and two == ">"))
    if one in ("<", "<=") and two in ("<", "<="):
        return a < b or (a == b and not (one == "<=" and two == "<"))
    return False


def _holds(rule: Rule, grade: Grade) -> tuple[int, int]:
    """`for` and `clear_for` of one grade."""
    if rule.ladder is not None:
        return rule.ladder.for_ns[grade], rule.ladder.clear_for_ns[grade]
    level = (rule.levels or {}).get(grade)
    return (level.for_ns, level.clear_for_ns) if level is not None else (0, 0)


def _features(rule: Rule) -> list[ex.Feature]:
    """Every feature that decides on a grade of a rule."""
    return [feature for top in rule.conditions for feature in ex.features(top)]


def _grade_place(fields: Fields, grade: Grade) -> Place:
    """Where a rule names a grade: its threshold, or its level."""
    ladder, levels = fields.node_of("ladder"), fields.node_of("levels")
    maps: list[Node | None] = [levels]
    if isinstance(ladder, MapNode):
        maps = [ladder.get("above") or ladder.get("below")]
    for found in maps:
        if isinstance(found, MapNode):
            for key, _ in found.entries:
                if key.text in (grade.word, grade.zh[0]):
                    return key.place
    return fields.key_place("id")
