"""Bank: one sensor type in one shard, its rooms side by side.

A corridor: it joins the windows of the type's sensors with the rules on them, their latches and
the desks at which they are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.anomaly import Anomaly
from engine.boards import SensorBoard
from engine.desk import Desk
from engine.episodes import Episodes
from engine.features import Attributes
from engine.latches import Latches
from engine.layout import Layout
from engine.leap import AgeingRules
from engine.measures import ALWAYS_KNOWN
from engine.meters import Meters
from engine.registry import Catalogue
from engine.variants import variants_of
from engine.verdicts import Verdicts
from engine.windows import Windows
from rules.ageing import ageing
from rules.needs import RAW_FEATURES
from rules.plan import BankPlan, RulePlan


@dataclass(frozen=True)
class Bank:
    """One sensor type in one shard: its rooms."""

    number: int
    plan: BankPlan
    rows: slice
    sensor: NDArray[np.int32]
    windows: Windows
    attributes: Attributes
    reading_rules: tuple[Latches, ...]
    pane_rules: tuple[Latches, ...]
    anomaly: Anomaly | None

    @cached_property
    def verdicts(self) -> Verdicts:
        """The conditions of all rules on windows."""
        return Verdicts([rule.variants for rule in self.pane_rules], self.attributes)

    @property
    def rules(self) -> tuple[Latches, ...]:
        """All rules on this type, those on readings first."""
        return (*self.reading_rules, *self.pane_rules)

    def is_at_rest(self, site: int, site_rows: NDArray[np.int64]) -> bool:
        """No rule on windows waits for a time to come at a site."""
        low, high = int(site_rows[site]), int(site_rows[site + 1])
        return all(rule.is_at_rest(low, high) for rule in self.pane_rules)

    @cached_property
    def ageing(self) -> AgeingRules | None:
        """The rules on ages, with what they compare; None where their future cannot be told."""
        features = [feature for rule in self.plan.watched for feature in rule.features]
        if self.plan.signal_rules and any(f.name in RAW_FEATURES for f in features):
            return None
        found = []
        for rule in self.pane_rules:
            pairs = ageing(rule.plan)
            if pairs is None:
                return None
            if pairs:
                found.append((rule, pairs))
        return found

    @cached_property
    def panes_remembered(self) -> int | None:
        """Empty panes after which all measures but ages stay as they are; None: they never do."""
        learnt = () if self.anomaly is None else self.anomaly.plan.features
        if self.ageing is None:
            return None
        if any(rule.asks_calendar for rule in self.plan.pane_rules):
            return None
        if any(f.name in ALWAYS_KNOWN for f in learnt):
            return None
        period_ns = int(self.windows.period_ns.max(initial=0))
        stale_ns = [rule.stale_ns(period_ns) for rule in self.plan.watched]
        stale_ns.append(int(self.windows.stale_ns.max(initial=0)))
        reach_ns = max(self.plan.reach_ns, *stale_ns) + self.plan.offset_ns
        return -(-reach_ns // self.plan.pane_ns) + 1


def make_bank(
    number: int,
    plan: BankPlan,
    layout: Layout,
    catalogue: Catalogue,
    *,
    bank_columns: NDArray[np.void],
    anomalies: Mapping[str, Anomaly],
    before: Bank | None = None,
) -> Bank:
    """Make a bank.

    before  the bank of the same sensors under other rules that ask the same windows: its windows
            and latches are taken over as they stand; None: the bank has seen nothing
    """
    rows = slice(int(layout.bank_start[number]), int(layout.bank_start[number + 1]))
    sensor = layout.sensor[rows]
    period_ns = catalogue.sensors.period_ns[sensor]
    site_rows = layout.site_rows[number]
    attributes = Attributes(catalogue, sensor) if before is None else before.attributes
    known = {} if before is None else {rule.plan.name: rule for rule in before.rules}

    def latches(rules: Sequence[RulePlan]) -> tuple[Latches, ...]:
        varied = [variants_of(rule, attributes, today="") for rule in rules]
        return tuple(
            Latches(*(plan, period_ns, site_rows, attributes, one), before=known.get(plan.name))
            for one in varied
            for plan in one.plans[:1]
        )

    windows = Windows(plan, bank_columns, number, period_ns) if before is None else before.windows
    windows.plan = plan

    return Bank(
        number=number,
        plan=plan,
        rows=rows,
        sensor=sensor,
        windows=windows,
        attributes=attributes,
        reading_rules=latches(plan.reading_rules),
        pane_rules=latches(plan.pane_rules),
        anomaly=anomalies.get(plan.sort.name),
    )


def asks_the_same(before: BankPlan, plan: BankPlan) -> bool:
    """Other rules, the same windows: what has been kept may be taken over as it stands."""
    return _without_rules(before) == _without_rules(plan)


def _without_rules(plan: BankPlan) -> BankPlan:
    return replace(plan, reading_rules=(), pane_rules=(), signal_rules=(), reach_ns=0, offset_ns=0)


def desk_name(type_name: str, rule: str) -> str:
    """The name under which a rule's desk is saved."""
    return f"desk/{type_name}/{rule}"


def desk_of(
    bank: Bank, rule: Latches, catalogue: Catalogue, status: str, meters: Meters
) -> Desk[SensorBoard]:
    """The desk at which one rule on a bank is told."""
    plans = rule.variants.plans
    episodes = [Episodes(plan, catalogue, status=status, meters=meters) for plan in plans]
    return Desk(rule.plan.rule, SensorBoard(rule, bank.sensor, tuple(episodes)))
