"""Succession: a shard of a new set of rules goes on with what the old one knew, in memory.

Where only rules have changed, and they ask the same windows of the same sensors, the new shard
takes the arrays of the old one as they stand: clock, windows, models, latches. Nothing is copied
and nothing is compiled, so twenty rules on a million sensors change between two frames. Otherwise
it is made from nothing and adopts what still means the same, as after a restart.
"""

from collections.abc import Sequence

from engine.adoption import adopt, facts_of, take_rules_over
from engine.assembly import Assembly
from engine.bank import asks_the_same
from engine.shard import Shard
from engine.store import Snapshot
from rules.plan import RulePlan


def succeed(before: Shard, assembly: Assembly, index: int) -> Shard:
    """Make the shard that judges from here on; the old one must not be used any more."""
    if is_rules_only(before, assembly, index):
        after = assembly.shard(index, before.meters, before)
        take_rules_over(after, before)
    else:
        after = assembly.shard(index, before.meters)
        adopt(after, Snapshot(facts_of(before), dict(before.columns())))
    after.told = [*before.told, *after.told]
    return after


def is_rules_only(before: Shard, assembly: Assembly, index: int) -> bool:
    """The sensors are the same, and so is all that is kept of them."""
    if before.catalogue is not assembly.catalogue:
        return False
    if before.layout is not assembly.layouts[index]:
        return False
    plans = [assembly.plan.banks[number] for number in before.layout.bank_type]
    return all(
        asks_the_same(bank.plan, plan)
        # A rule on readings keeps other lines than one on windows.
        and _share_no_name(bank.plan.reading_rules, plan.pane_rules)
        and _share_no_name(bank.plan.pane_rules, plan.reading_rules)
        for bank, plan in zip(before.banks, plans, strict=True)
    )


def _share_no_name(some: Sequence[RulePlan], others: Sequence[RulePlan]) -> bool:
    return {rule.name for rule in some}.isdisjoint(rule.name for rule in others)
