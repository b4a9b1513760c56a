"""Grouping: what a rule whose instance is more than one sensor must know of each of its members.

The parts of its conditions that look at one sensor alone become *signals*: whether a condition
holds for a member, or what a quantity of a member is. Signals are found where the sensors are, at
the ends of their panes; what remains is a condition over signals, judged once for each instance
(`rules/intervals.py`). A signal keeps its value until it changes, so only changes need to travel.

    gas.votes(mean(10s) >= 20 %LEL) >= 2      one signal of each gas head, then a count
    t.mean(30s) >= asset.t_max                one signal of the one thermometer: nothing remains
    rule("eew/quake-detect").within(24h)      the grade of another rule is a signal, too
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rules import expression as ex
from rules.expression import Members, Node
from rules.pack import Input, Rule

if TYPE_CHECKING:
    from rules.plan import RulePlan

# What is known of an instance only: it never stands inside a signal.
OF_INSTANCES = ex.Vote | ex.Gather | ex.Step | ex.OtherRule | ex.ClusterSize | ex.Calendar
# The name under which a rollup's conditions find its own result: no rule is called like that.
OWN_ROLLUP = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing to know of each member of a set, at each end of a pane.

    members       whose it is: an input's sensors of the instance, or neighbours
    node          as it stands in the rule
    is_condition  true, false or unknown; otherwise a number
    is_asked_of   `instance`: attributes in it are the instance's; `member`: the member's own
    """

    members: Members
    node: Node
    is_condition: bool
    is_asked_of: str


@dataclass(frozen=True, slots=True)
class Followed:
    """Another rule whose grades count: of the same instance, or of all within a distance."""

    rule: str
    radius_m: float | None


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A rule on instances of several sensors, made ready.

    signals  in the order in which they stand in the rule
    inputs   for each input, a plan under which its features and staleness are looked up
    shown    the signal whose numbers a warning shows; None: `plan.value` is shown
    """

    plan: "RulePlan"
    signals: tuple[Signal, ...]
    inputs: "Mapping[str, RulePlan]"
    shown: int | None

    @property
    def name(self) -> str:
        """The rule's name beyond its pack."""
        return self.plan.name

    @property
    def sets(self) -> tuple[Members, ...]:
        """The sets of members that signals speak of, each once."""
        return tuple(dict.fromkeys(signal.members for signal in self.signals))

    @property
    def others(self) -> tuple[ex.OtherRule, ...]:
        """What the rule looks at in other rules."""
        found = [n for top in tops(self.plan) for n in ex.walk(top)]
        return tuple(dict.fromkeys(n for n in found if isinstance(n, ex.OtherRule) and n.rule))

    @property
    def followed(self) -> tuple[Followed, ...]:
        """The other rules it looks at, each once; those of its rollup first."""
        rollup = self.plan.rule.rollup
        members = () if rollup is None else rollup.of
        found = [Followed(name, None) for name in members]
        found += [Followed(other.rule, other.radius_m) for other in self.others]
        return tuple(dict.fromkeys(found))

    @property
    def needs_correlation(self) -> bool:
        """It looks at other rules or at clusters: one shard alone never knows enough."""
        return bool(self.followed) or self.plan.rule.cluster is not None

    def places(self) -> dict[int, int]:
        """The signal that each node of the rule is, or is counted from, by the node's identity.

        Nodes that are equal are hashed by all that is below them, which takes long.
        """
        number = {signal: place for place, signal in enumerate(self.signals)}
        found: dict[int, int] = {}
        waiting: list[Node] = [*tops(self.plan), *self.plan.rule.lets.values()]
        while waiting:
            node = waiting.pop()
            signal = _signal_of(node, self.plan.rule)
            if signal is None:
                waiting += ex.parts(node)
            elif signal in number:
                found[id(node)] = number[signal]
        return found

    def features(self, type_name: str) -> tuple[ex.Feature, ...]:
        """What the signals ask of the sensors of a type."""
        found: list[ex.Feature] = []
        for name, plan in self.inputs.items():
            if plan.rule.input.type in (type_name, "*"):
                mine = [s for s in self.signals if input_of(plan.rule, s.members) == name]
                found += [f for s in mine for f in ex.features(plain(s.node))]
        return tuple(dict.fromkeys(found))


def inputs_of(rule: Rule) -> dict[str, Input]:
    """The inputs of a rule by their names; a rule about other rules alone has none."""
    return dict(rule.inputs) or ({"": rule.input} if rule.input.type else {})


def input_of(rule: Rule, members: Members) -> str:
    """The name of the input whose sensors a set holds."""
    if members.is_cluster and rule.cluster is not None:
        return rule.cluster.of
    return members.input if members.input in inputs_of(rule) else next(iter(inputs_of(rule)))


def plain(node: Node) -> Node:
    """A node without the names of inputs: what it asks of a sensor, whatever the rule calls it."""
    match node:
        case ex.Feature():
            target = None if node.target is None else plain(node.target)
            return replace(node, input="", target=target)
        case ex.Arithmetic(left=left, right=right):
            return replace(node, left=plain(left), right=plain(right))
        case ex.Negate(operand=operand) | ex.Not(operand=operand) | ex.Known(operand=operand):
            return replace(node, operand=plain(operand))
        case ex.Compare(operands=operands):
            return replace(node, operands=tuple(plain(part) for part in operands))
        case ex.Member(operand=operand, items=items):
            plain_items = tuple(plain(part) for part in items)
            return replace(node, operand=plain(operand), items=plain_items)
        case ex.And(items=items) | ex.Or(items=items):
            return replace(node, items=tuple(plain(part) for part in items))
        case ex.OrElse(first=first, second=second):
            return replace(node, first=plain(first), second=plain(second))
        case _:
            return node


def grouped(plan: "RulePlan") -> GroupPlan:
    """Take the conditions of a rule apart into signals and what remains."""
    rule = plan.rule
    inputs = inputs_of(rule)
    found = tuple(dict.fromkeys(s for top in tops(plan) for s in _signals(top, rule)))
    members = {name: _member_plan(plan, name, found) for name in inputs}
    value = _shown(plan)
    owner = _input_of_value(value, rule)
    shown = _shown_signal(value, found)
    own_input = inputs.get(owner, rule.input)
    unit = rule.ladder.shown if rule.ladder else ex.unit_of(value, own_input.scale)
    whole = replace(plan, rule=replace(rule, input=own_input), value=value, unit=unit)
    return GroupPlan(whole, found, members, shown)


def _member_plan(plan: "RulePlan", name: str, signals: tuple[Signal, ...]) -> "RulePlan":
    """The rule as it looks at the sensors of one input, as if that were the only one."""
    given = inputs_of(plan.rule)[name]
    mine = [plain(s.node) for s in signals if input_of(plan.rule, s.members) == name]
    return replace(
        plan,
        rule=replace(plan.rule, input=given, inputs={name: given}),
        features=tuple(dict.fromkeys(f for node in mine for f in ex.features(node))),
        grades=tuple(
            replace(g, when=plain(g.when), clear=None if g.clear is None else plain(g.clear))
            for g in plan.grades
        ),
    )


def tops(plan: "RulePlan") -> Iterator[Node]:
    """The expressions that an instance is judged by, those of its sequence and cluster, too.

    Last what its message shows beside the value: that is to be known as well.
    """
    rule = plan.rule
    for grade in plan.grades:
        yield grade.when
        if grade.clear is not None:
            yield grade.clear
    if rule.ladder is not None:
        yield rule.ladder.value
    if rule.sequence is not None:
        yield from (step.condition for step in rule.sequence.steps)
        if rule.sequence.reset is not None:
            yield rule.sequence.reset
    if rule.cluster is not None:
        yield ex.Vote("any", Members(is_cluster=True), rule.cluster.when, rule.place)
    yield from rule.shown.values()


def _signals(node: Node, rule: Rule) -> Iterator[Signal]:
    """The signals below a node: the largest parts that look at one sensor of the instance."""
    signal = _signal_of(node, rule)
    if signal is not None:
        yield signal
        return
    for part in ex.parts(node):
        yield from _signals(part, rule)


def _signal_of(node: Node, rule: Rule) -> Signal | None:
    match node:
        case ex.Vote(members=members, condition=inner):
            return Signal(members, inner, True, "member")
        case ex.Gather(members=members, of=inner):
            return Signal(members, inner, False, "member")
    name = _lone_input(node, rule)
    if name is None:
        return None
    return Signal(Members(input=name), node, ex.is_condition(node), "instance")


def _lone_input(node: Node, rule: Rule) -> str | None:
    """The name of the one input that a node looks at; None where it is none, or more than that."""
    names = set()
    for part in ex.walk(node):
        if isinstance(part, OF_INSTANCES):
            return None
        if isinstance(part, ex.Feature):
            names.add(input_of(rule, Members(input=part.input)))
    return names.pop() if len(names) == 1 else None


def _shown(plan: "RulePlan") -> Node:
    """What a warning shows: the ladder's value, or the first quantity of the lowest grade."""
    if plan.rule.ladder is not None:
        return plan.rule.ladder.value
    quantities = ex.Vote | ex.Gather | ex.Feature | ex.OtherRule | ex.ClusterSize
    for top in tops(plan):
        for node in _above_signals(top):
            if isinstance(node, quantities) and not ex.is_condition(node):
                return node
    return plan.grades[0].when


def _above_signals(node: Node) -> Iterator[Node]:
    """A node and what is below it, but nothing inside a set's method."""
    yield node
    if not isinstance(node, ex.Vote | ex.Gather):
        for part in ex.parts(node):
            yield from _above_signals(part)


def _input_of_value(value: Node, rule: Rule) -> str:
    for node in ex.walk(value):
        if isinstance(node, ex.Gather):
            return input_of(rule, node.members)
        if isinstance(node, ex.Feature):
            return input_of(rule, Members(input=node.input))
    return ""


def _shown_signal(value: Node, signals: tuple[Signal, ...]) -> int | None:
    """The signal that a shown feature stands in, if it is not a signal by itself."""
    for number, signal in enumerate(signals):
        if signal.node == value:
            return None
        if signal.is_asked_of == "instance" and value in set(ex.walk(signal.node)):
            return number
    return None
