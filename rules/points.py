"""Points: what a rule says of the sensors of a catalogue must be there, and in order.

Some sensor is meant, every point has the attributes that its rule requires, and the thresholds of
each point rise with the grade, also those that stand in the catalogue and not in the rule.
"""

from collections.abc import Iterable, Mapping, Sequence

from rules import expression as ex
from rules.errors import Fault, Place, nearest
from rules.grade import COLOURS, Grade
from rules.pack import Input, Rule
from rules.phrases import plain
from rules.units import UnitError, attribute_value
from rules.yaml_text import ListNode, MapNode, TextNode

POINTS_NAMED_MAX = 5
# What every sensor has, whatever columns the catalogue has.
BUILT_IN = frozenset({"period", "range_low", "range_high"})


def sensor_notes(rules: Iterable[Rule], counts: Mapping[str, int]) -> list[Fault]:
    """Inputs whose type no sensor has, with the type that was probably meant.

    `counts` is how many sensors there are of each type.
    """
    notes: list[Fault] = []
    for rule in rules:
        for source in rule.inputs.values():
            if source.type == "*" or counts.get(source.type, 0) > 0:
                continue
            meant = nearest(source.type, [name for name, count in counts.items() if count])
            hint = f"did you mean {meant}, {counts[meant]} sensors?" if meant else ""
            message = f'no sensor matches input.type "{source.type}"'
            notes.append(Fault("N501", _type_place(rule, source), message, hint, fix=meant))
    return notes


def _type_place(rule: Rule, source: Input) -> Place:
    """Where a rule names the type of an input."""
    node = rule.written.node if rule.written else None
    homes = [node.get("input"), node.get("inputs")] if node else []
    named = homes[-1] if homes else None
    for home in [*homes, *([v for _, v in named.entries] if isinstance(named, MapNode) else [])]:
        text = home.get("type") if isinstance(home, MapNode) else None
        if isinstance(text, TextNode) and text.text == source.type:
            return text.place
    return rule.place


def point_faults(rule: Rule, points: Sequence[Mapping[str, str]]) -> list[Fault]:
    """What the points of a rule lack: required attributes, and thresholds in their order.

    `points` are the texts that the catalogue has for each instance, its name under the rule's key.
    """
    faults: list[Fault] = []
    key = rule.by[0] if rule.by else "sensor"
    for attribute in rule.require_assets:
        lacking = [_named(point, key) for point in points if not point.get(attribute)]
        if lacking:
            place = _required_place(rule, attribute)
            noun = "point lacks" if len(lacking) == 1 else "points lack"
            message = f"{len(lacking)} {noun} asset.{attribute}: {_some(lacking)}"
            faults.append(Fault("E504", place, message, "add it to the catalogue"))
    return faults + _order_faults(rule, points, key)


def lack_notes(rule: Rule, points: Sequence[Mapping[str, str]]) -> list[Fault]:
    """Attributes that the conditions look at and some points do not have, and which points.

    Those that the rule requires are faults of their own; one that `where` asks for is there.
    """
    wheres = [given.where for given in rule.inputs.values() if given.where is not None]
    asked = {attribute.name for where in wheres for attribute in ex.attributes(where)}
    used = {a.name: a for top in rule.conditions for a in ex.attributes(top)}
    key = rule.by[0] if rule.by else "sensor"
    notes: list[Fault] = []
    for name, attribute in used.items():
        if name in asked or name in rule.require_assets or name in BUILT_IN:
            continue
        having = {_named(point, key) for point in points if point.get(name)}
        named = dict.fromkeys(_named(point, key) for point in points)
        lacking = [point for point in named if point not in having]
        if lacking:
            noun = "point lacks" if len(lacking) == 1 else "points lack"
            message = f"{len(lacking)} {noun} asset.{name}: {_some(lacking)}"
            hint = f"there what `{rule.id}` makes of it is unknown; `require_assets: [{name}]` asks"
            notes.append(Fault("N504", attribute.place, message, hint))
    return notes


def _required_place(rule: Rule, attribute: str) -> Place:
    node = rule.written.node.get("require_assets") if rule.written else None
    for item in node.items if isinstance(node, ListNode) else ():
        if isinstance(item, TextNode) and item.text == attribute:
            return item.place
    return rule.place


def _order_faults(rule: Rule, points: Sequence[Mapping[str, str]], key: str) -> list[Fault]:
    """Points whose thresholds do not rise (or fall) with the grade."""
    steps: dict[Grade, ex.Node] = _steps(rule)
    names = sorted({a.name for node in steps.values() for a in ex.attributes(node)})
    if len(steps) < 2 or not names:
        return []
    falls = rule.ladder is not None and rule.ladder.direction == "below"
    wrong: dict[str, list[str]] = {}
    told: dict[tuple[str | None, ...], str] = {}
    for point in points:
        texts = tuple(point.get(name) for name in names)
        if texts not in told:
            told[texts] = _disorder(rule, steps, point, falls=falls)
        if told[texts]:
            wrong.setdefault(told[texts], []).append(_named(point, key))
    place = next(iter(steps.values())).place
    arrow = " > " if falls else " < "
    order = "expected " + arrow.join(grade.word for grade in steps)
    return [
        Fault("E301", place, f"for {_some(mine)}: {problem}", order)
        for problem, mine in wrong.items()
    ]


def _steps(rule: Rule) -> dict[Grade, ex.Node]:
    """What must rise with the grade: the entries of a ladder, or the attributes of `monotone`."""
    if rule.ladder is not None:
        return dict(rule.ladder.enter)
    used = {a.name: a for top in rule.conditions for a in ex.attributes(top)}
    named = {grade: used.get(f"{rule.monotone}_{grade.word}") for grade in COLOURS}
    if not rule.monotone:
        return {}
    return {grade: attribute for grade, attribute in named.items() if attribute is not None}


def _disorder(
    rule: Rule, steps: Mapping[Grade, ex.Node], point: Mapping[str, str], *, falls: bool
) -> str:
    """What is out of order for a point; empty when nothing is, or something is not known."""
    milder: tuple[Grade, float] | None = None
    for grade, node in steps.items():
        amount = amount_at(node, point, rule)
        if amount is None:
            continue
        if milder is not None and (amount >= milder[1] if falls else amount <= milder[1]):
            side = "above" if falls else "below"
            verb = "equals" if amount == milder[1] else f"is {side}"
            return (
                f"{grade.word} ({plain(amount, None)}) {verb} "
                f"{milder[0].word} ({plain(milder[1], None)})"
            )
        milder = (grade, amount)
    return ""


def amount_at(node: ex.Node, point: Mapping[str, str], rule: Rule) -> float | None:
    """The value of a threshold for one point, in the rule's scale; None where it is not known."""
    match node:
        case ex.Attribute(name=name):
            text = point.get(name)
            try:
                return (
                    attribute_value(text, node.dimension, rule.input.scale, is_point=node.is_point)
                    if text
                    else None
                )
            except UnitError:
                return None
        case ex.Negate(operand=operand):
            inner = amount_at(operand, point, rule)
            return None if inner is None else -inner
        case ex.Arithmetic(operator=operator, left=left, right=right):
            a, b = amount_at(left, point, rule), amount_at(right, point, rule)
            if a is None or b is None or (operator == "/" and b == 0):
                return None
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[operator]
        case _:
            return ex.constant(node)


def _named(point: Mapping[str, str], key: str) -> str:
    """The instance that a point belongs to, or its sensor where it belongs to none."""
    return point.get(key) or point.get("sensor", "")


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    shown = ", ".join(f"`{name}`" for name in names[:POINTS_NAMED_MAX])
    more = len(names) - POINTS_NAMED_MAX
    return f"{shown} and {more} more" if more > 0 else shown
