"""Placement: which rules on several sensors a shard can judge alone.

A site never spans shards, so a rule all of whose instances lie inside one site each is judged
where its sensors are.  Any other rule is judged by `correlate`, which all shards report to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.instances import Instances, instances_of
from engine.registry import Catalogue
from rules.errors import Fault
from rules.expression import Feature, Negate, Node
from rules.grouping import GroupPlan, input_of
from rules.plan import Plan

# Features that are readings as they were sent, in the width in which they were kept.
AS_READ = frozenset({"value", "min", "max", "mean"})


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule with its instances.

    is_local  each shard judges the instances of its own sites
    narrow    for each signal: its numbers are float32 readings, to be compared as such
    """

    group: GroupPlan
    instances: Instances
    is_local: bool
    narrow: tuple[bool, ...]


def place(plan: Plan, catalogue: Catalogue) -> tuple[tuple[Placed, ...], list[Fault]]:
    """The rules of a plan on several sensors, and what the catalogue lacks for them."""
    faults: list[Fault] = []
    placed = []
    for group in plan.groups:
        instances, wrong = instances_of(group, catalogue)
        faults += wrong
        is_local = not group.needs_correlation and instances.are_local(catalogue)
        placed.append(Placed(group, instances, is_local, _narrow(group, plan)))
    return tuple(placed), faults


def _narrow(group: GroupPlan, plan: Plan) -> tuple[bool, ...]:
    types = {bank.sort.name for bank in plan.banks if bank.sort.precision == "float32"}
    rule = group.plan.rule
    return tuple(
        _is_as_read(signal.node) and _looks_at(group, input_of(rule, signal.members), types)
        for signal in group.signals
    )


def _looks_at(group: GroupPlan, name: str, types: set[str]) -> bool:
    looked_at = group.inputs[name].rule.input.type
    return looked_at in types or (looked_at == "*" and bool(types))


def _is_as_read(node: Node) -> bool:
    inner = node.operand if isinstance(node, Negate) else node
    return isinstance(inner, Feature) and inner.name in AS_READ


def find(placed: Sequence[Placed], name: str) -> Placed:
    """The rule of a name."""
    return next(one for one in placed if one.group.name == name)
