"""Linking: what the rules of a book say of each other must be there, and lead to an end.

A rollup, `inhibits` and `rule(…)` name rules that exist; no rule waits for itself round a circle,
and no two silence each other; no two rules ask the same of the same sensors. See `points` for what
rules say of a catalogue.
"""

from collections.abc import Iterable, Mapping, Sequence

from rules import expression as ex
from rules.errors import Fault, Faults, Place, did_you_mean
from rules.grade import Grade
from rules.pack import Pack, Rule
from rules.yaml_text import ListNode, MapNode, Node, TextNode


def link(packs: Sequence[Pack], faults: Faults, *, elsewhere: Iterable[str] = ()) -> None:
    """Look through all packs together; `elsewhere` are packs with faults of their own."""
    rules = {f"{rule.pack}/{rule.id}": rule for pack in packs for rule in pack.rules}
    names = {pack.name for pack in packs}
    for rule in rules.values():
        for name, place in references(rule):
            pack = name.partition("/")[0]
            if name in rules or pack in elsewhere:
                continue
            if pack in names:
                message = f"there is no rule `{name}`"
                faults.add("E330", place, message, remedy=did_you_mean(name, rules))
            else:
                message = f"there is no pack `{pack}` among these files, for `{name}`"
                remedy = "an engine refuses this; check the packs together"
                faults.add("W330", place, message, remedy=remedy)
    looks_at = {name: _looked_at(rule) for name, rule in rules.items()}
    _refuse_circles(looks_at, faults, verb="looks at", what="wait for")
    inhibits = {name: _inhibited(rule) for name, rule in rules.items()}
    _refuse_circles(inhibits, faults, verb="inhibits", what="silence")
    _ask_about_twins(list(rules.values()), faults)
    for rule in rules.values():
        for said in rule.inhibits:
            hidden = [name for name in said.rules if name in rules and _has_red(rules[name])]
            if said.cap is None and hidden:
                place = _place(rule, ("inhibits", "rules"), hidden[0])
                message = f"this `mute` can hide red of `{hidden[0]}`"
                faults.add("W421", place, message, remedy="write `effect: cap yellow`, or less")


def references(rule: Rule) -> list[tuple[str, Place]]:
    """The rules that a rule names, and where."""
    return _looked_at(rule) + _inhibited(rule)


def unknown_packs(packs: Sequence[Pack]) -> list[Fault]:
    """What a whole engine refuses: rules that name packs it does not have."""
    faults = Faults()
    link(packs, faults)
    return [
        Fault("E330", fault.place, fault.message, "add the pack to `rules`")
        for fault in faults
        if fault.code == "W330"
    ]


def _looked_at(rule: Rule) -> list[tuple[str, Place]]:
    """The rules whose grades a rule looks at."""
    found: list[tuple[str, Place]] = []
    if rule.rollup is not None:
        found += [(name, _place(rule, ("rollup", "of"), name)) for name in rule.rollup.of]
    for top in _expressions(rule):
        found += [(n.rule, n.place) for n in ex.walk(top) if isinstance(n, ex.OtherRule)]
    return found


def _inhibited(rule: Rule) -> list[tuple[str, Place]]:
    """The rules that a rule mutes or caps."""
    names = dict.fromkeys(name for inhibition in rule.inhibits for name in inhibition.rules)
    return [(name, _place(rule, ("inhibits", "rules"), name)) for name in names]


def _expressions(rule: Rule) -> list[ex.Node]:
    """Every expression of a rule that is judged."""
    found = [*rule.conditions, *rule.lets.values()]
    if rule.sequence is not None:
        found += [step.condition for step in rule.sequence.steps]
        found += [rule.sequence.reset] if rule.sequence.reset is not None else []
    found += [said.during for said in rule.suppress if not isinstance(said.during, str)]
    return found


def _place(rule: Rule, path: tuple[str, str], name: str) -> Place:
    """Where a rule names another; the rule itself where that cannot be found."""
    here: Node | None = rule.written.node if rule.written else None
    here = here.get(path[0]) if isinstance(here, MapNode) else None
    for item in here.items if isinstance(here, ListNode) else (here,):
        names = item.get(path[1]) if isinstance(item, MapNode) else None
        for text in names.items if isinstance(names, ListNode) else ():
            if isinstance(text, TextNode) and text.text in (name, name.partition("/")[2]):
                return text.place
    return rule.place


def _refuse_circles(
    edges: Mapping[str, Sequence[tuple[str, Place]]], faults: Faults, *, verb: str, what: str
) -> None:
    """Say each circle with its whole chain, where its last rule closes it."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        chain, waiting = [start], [iter(edges[start])]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                done.add(chain.pop())
                continue
            name, place = step
            if name in chain:
                circle = f" {verb} ".join([*chain[chain.index(name) :], name])
                remedy = "one of them must not name the other"
                faults.add("E331", place, f"rules {what} each other: {circle}", remedy=remedy)
            elif name in edges and name not in done:
                chain.append(name)
                waiting.append(iter(edges[name]))


def _has_red(rule: Rule) -> bool:
    return Grade.RED in rule.grades and (rule.cap is None or rule.cap is Grade.RED)


def _ask_about_twins(rules: Sequence[Rule], faults: Faults) -> None:
    """Two rules that ask the same of the same sensors would both warn of one thing."""
    seen: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        if rule.mode == "disabled" or len(rule.inputs) != 1:
            continue
        about = (rule.input.type, rule.input.where, rule.by, rule.hazard)
        for asked in _asked(rule):
            before = seen.setdefault((*about, *asked), rule)
            if before is not rule:
                message = (
                    f"`{before.pack}/{before.id}` asks the same of the same sensors, "
                    f"for the same hazard"
                )
                faults.add("W424", rule.place, message, remedy="two warnings will tell one thing")
                break


def _asked(rule: Rule) -> list[tuple[object, ...]]:
    if rule.ladder is not None:
        return [(rule.ladder.value, rule.ladder.direction)]
    return [(level.when,) for level in (rule.levels or {}).values()]
