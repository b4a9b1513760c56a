"""Account: why each grade of a rule stood, or did not, at one instant.

For each grade its latch, its timer, and its condition taken apart into comparisons, each with the
value, the threshold, the margin, and where something is unknown the reason for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.clauses import GradeAccount, account_of_grade
from engine.episodes import Body
from engine.inquiry import Finding, Question
from engine.lone_row import LoneRow
from engine.measures import ALWAYS_KNOWN
from engine.tables import span_text as human
from rules import expression as ex
from rules.grade import Grade
from rules.overriding import matches
from rules.pack import Override
from rules.plan import RulePlan
from rules.retold import Teller


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the sensor had sent: of its longest window, or within `stale_after`."""

    window_ns: int
    good_count: int
    bad_count: int
    expected_count: int | None
    newest_age_ns: int | None
    newest_value: float
    newest_quality: int


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that can be said of a rule, a sensor or instance, and an instant.

    judged_ns  the reading or the pane end whose conditions held; None: nothing was judged yet
    features   what each feature was, as text; of one sensor only
    inputs     what the sensor had sent; None for an instance of several
    """

    question: Question
    plan: RulePlan
    judged_ns: int | None
    messages: Sequence[Body]
    features: Mapping[str, float]
    grades: tuple[GradeAccount, ...]
    inputs: Inputs | None
    overrides: tuple[Override, ...]

    @property
    def grade(self) -> Grade:
        """The grade that was said last."""
        return Grade[str(self.messages[-1]["grade"]).upper()] if self.messages else Grade.NONE

    @property
    def quality(self) -> Literal["ok", "blind"]:
        """Whether the warning could be confirmed."""
        said = [str(body["event"]) for body in self.messages]
        turns = [event for event in said if event in ("blind", "restored", "cleared")]
        return "blind" if turns and turns[-1] == "blind" else "ok"


def account_of(finding: Finding) -> Account:
    """Take a finding about one sensor apart."""
    plan, now_ns = finding.plan, finding.question.time_ns
    _forget_stale(finding)
    seen = _SeenRow(finding)
    line = finding.latch[0]
    teller = Teller(plan.rule.input.unit)
    return Account(
        question=finding.question,
        plan=plan,
        judged_ns=finding.judged_ns,
        messages=finding.messages,
        features={teller.text(feature): value for feature, value in finding.features.items()},
        grades=tuple(account_of_grade(line, g, now_ns, seen) for g in reversed(plan.grades)),
        inputs=_inputs(finding),
        overrides=_overrides(finding),
    )


def _forget_stale(finding: Finding) -> None:
    """A reading that is older than `stale_after` is no longer known."""
    now_ns = finding.question.time_ns
    stale_ns = int(finding.rule.stale_ns[finding.row])
    if finding.judged_ns is None or not finding.plan.is_per_reading:
        return
    if now_ns - finding.judged_ns >= stale_ns:
        finding.features = dict.fromkeys(finding.features, float("nan"))


class _SeenRow:
    """What was seen of one sensor."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        now_ns = finding.question.time_ns
        self.row = LoneRow(finding.rule, finding.row, finding.features, now_ns)
        self.plan = finding.plan
        self.own = Teller(self.plan.rule.input.unit)

    def truth(self, node: ex.Node) -> bool | None:
        """Whether a condition held."""
        return self.row.truth(node)

    def bounds(self, node: ex.Node) -> tuple[float, float]:
        """What a quantity came to."""
        found = self.row.number(node)
        return found, found

    def text(self, node: ex.Node) -> str | None:
        """An attribute that is a text."""
        found = self.row.attribute(node)[0] if isinstance(node, ex.Attribute) else None
        return None if found is None else str(found)

    def is_whole(self, node: ex.Node) -> bool:
        """Everything is known of everything."""
        del node
        return False

    def teller(self, node: ex.Node) -> Teller:
        """All is in the unit of the only input."""
        del node
        return self.own

    def note(self, node: ex.Node) -> str:
        """Why a condition is unknown: of each unknown part, what is missing."""
        if self.truth(node) is not None:
            return ""
        reasons = [self._why_unknown(feature) for feature in ex.features(node)]
        for attribute in ex.attributes(node):
            known = self.row.attribute(attribute)[0]
            if known is None or (isinstance(known, float) and np.isnan(known)):
                reasons.append(f"{attribute.scope}.{attribute.name} is empty in the catalogue")
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason))

    def _why_unknown(self, feature: ex.Feature) -> str:
        finding = self.finding
        if not np.isnan(finding.features.get(feature, np.nan)):
            return ""
        name = self.own.text(feature)
        good = [row for row in finding.readings if is_good(row)]
        if not good:
            return f"{name}: no good reading has come"
        age_ns = finding.question.time_ns - good[-1][0]
        stale_ns = int(finding.rule.stale_ns[finding.row])
        if feature.name == "value" and age_ns >= stale_ns:
            return (
                f"{name}: the last good reading is {human(age_ns)} old, "
                f"stale after {human(stale_ns)}"
            )
        if feature.name == "anomaly":
            return f"{name}: no model has a score yet"
        if feature.windows_ns and feature.name not in ALWAYS_KNOWN:
            inputs = _inputs(finding, feature.windows_ns[-1])
            needed = f"{self.plan.coverage:.0%} are needed"
            of = "" if inputs.expected_count is None else f" of {inputs.expected_count}"
            return f"{name}: {inputs.good_count}{of} readings are good, {needed}"
        return f"{name}: not known yet"


def is_good(reading: tuple[int, float, int]) -> bool:
    """A reading with a value that may be believed."""
    return reading[2] == 0 and bool(np.isfinite(reading[1]))


def _inputs(finding: Finding, window_ns: int | None = None) -> Inputs:
    """The readings of a window, the longest of the rule where none is named."""
    plan, now_ns = finding.plan, finding.question.time_ns
    stale_ns = int(finding.rule.stale_ns[finding.row])
    lengths = [length for feature in plan.features for length in feature.windows_ns]
    window_ns = window_ns or max(lengths, default=stale_ns)
    # A window ends where its pane does; readings since then are not in it yet.
    end_ns = now_ns
    if not plan.is_per_reading and finding.judged_ns is not None:
        end_ns = finding.judged_ns
    inside = [row for row in finding.readings if end_ns - window_ns < row[0] <= end_ns]
    period_ns = int(finding.bank.windows.period_ns[finding.row])
    newest = finding.readings[-1] if finding.readings else None
    return Inputs(
        window_ns=window_ns,
        good_count=sum(is_good(row) for row in inside),
        bad_count=sum(not is_good(row) for row in inside),
        expected_count=window_ns // period_ns if period_ns else None,
        newest_age_ns=now_ns - newest[0] if newest else None,
        newest_value=newest[1] if newest else float("nan"),
        newest_quality=newest[2] if newest else 0,
    )


def _overrides(finding: Finding) -> tuple[Override, ...]:
    """The overrides that are meant for this sensor; the set that judged has no lapsed ones."""
    catalogue = finding.bank.attributes.catalogue
    number = int(finding.bank.sensor[finding.row])
    site = int(catalogue.sensors.site[number])
    attributes = dict(catalogue.sites.attributes[site])
    attributes |= {
        name: text
        for name, texts in catalogue.sensors.attributes.items()
        if (text := texts[number]) is not None
    }
    attributes |= {"sensor": finding.question.sensor, "site": catalogue.sites.name[site]}
    rule = finding.plan.rule
    return tuple(o for o in rule.overrides if matches(o, attributes))
