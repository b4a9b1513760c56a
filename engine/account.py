"""Account: why each grade of a rule stood, or did not, at one instant.

For each grade its latch, its timer, and its condition taken apart into comparisons, each with the
value, the threshold, the margin, and where something is unknown the reason for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from engine.inquiry import Finding
from engine.lone_row import LoneRow
from engine.measures import ALWAYS_KNOWN
from engine.tables import span_text as human
from kernels.latch import FROZEN
from rules import expression as ex
from rules.grade import Grade
from rules.graded import GradePlan
from rules.overriding import holds, matches
from rules.pack import Override
from rules.plan import RulePlan
from rules.retold import Teller

Phase = Literal["off", "arming", "on", "clearing"]
PHASES: Final[tuple[Phase, ...]] = ("off", "arming", "on", "clearing")
ABOVE: Final = frozenset({">", ">="})


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison, or one joint of comparisons, `depth` steps inside its condition.

    is_true  None: unknown, and `reason` says why
    margin   how far beyond (positive) or short of being true, in the unit of its value
    """

    depth: int
    text: str
    is_true: bool | None
    value: str = ""
    margin: float | None = None
    margin_text: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GradeAccount:
    """One grade: its latch and timer, why it is (not) entered, and when it would clear.

    held_ns   how long the running timer has run, of `needed_ns`; None: none runs
    is_frozen the timer stands still, because its condition is unknown
    """

    grade: Grade
    phase: Phase
    held_ns: int | None
    needed_ns: int
    is_frozen: bool
    when: tuple[Clause, ...]
    clear: tuple[Clause, ...]


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
    """Everything that can be said of a rule, a sensor and an instant."""

    finding: Finding
    grade: Grade
    quality: Literal["ok", "blind"]
    grades: tuple[GradeAccount, ...]
    inputs: Inputs
    overrides: tuple[Override, ...]

    @property
    def plan(self) -> RulePlan:
        """The rule, as it judges this sensor."""
        return self.finding.plan


def account_of(finding: Finding) -> Account:
    """Take a finding apart."""
    plan = finding.plan
    _forget_stale(finding)
    said = finding.messages
    is_blind = any(body["event"] == "blind" for body in said) and (
        [b["event"] for b in said if b["event"] in ("blind", "restored", "cleared")][-1] == "blind"
    )
    return Account(
        finding=finding,
        grade=Grade[str(said[-1]["grade"]).upper()] if said else Grade.NONE,
        quality="blind" if is_blind else "ok",
        grades=tuple(_grade(finding, grade) for grade in reversed(plan.grades)),
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


def _grade(finding: Finding, grade: GradePlan) -> GradeAccount:
    line = finding.latch[0]
    place = grade.grade - 1
    phase = PHASES[int(line["phase"]) >> 2 * place & 3]
    is_frozen = bool(int(line["state"]) & FROZEN & 1 << place)
    held_ns: int | None = None
    needed_ns = grade.clear_for_ns if phase == "clearing" else grade.for_ns
    if phase in ("arming", "clearing"):
        mark_ns = int(line["mark_ns"][place])
        held_ns = mark_ns if is_frozen else finding.question.time_ns - mark_ns
        if held_ns >= needed_ns:
            # It has ended at or before the instant, though its pane was still to be judged.
            phase, held_ns = ("on" if phase == "arming" else "off"), None
    clauses = _Clauses(finding)
    clear = grade.clear
    return GradeAccount(
        grade=Grade(grade.grade),
        phase=phase,
        held_ns=held_ns,
        needed_ns=needed_ns,
        is_frozen=is_frozen and held_ns is not None,
        when=tuple(clauses.of(grade.when)),
        clear=() if clear is None else tuple(clauses.of(clear)),
    )


class _Clauses:
    """Takes conditions apart."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        now_ns = finding.question.time_ns
        self.row = LoneRow(finding.rule, finding.row, finding.features, now_ns)
        self.plan = finding.plan
        self.teller = Teller(self.plan.rule.input.unit)

    def of(self, node: ex.Node, depth: int = 0) -> Iterator[Clause]:
        """A condition and, where it is joined, its parts."""
        match node:
            case ex.And(items=items) | ex.Or(items=items):
                word = "all of" if isinstance(node, ex.And) else "any of"
                yield Clause(depth, word, self.row.truth(node))
                for item in items:
                    yield from self.of(item, depth + 1)
            case ex.Not(operand=operand):
                yield Clause(depth, "not", self.row.truth(node))
                yield from self.of(operand, depth + 1)
            case ex.Compare(operators=(operator,), operands=(left, right)):
                yield self._comparison(node, operator, left, right, depth)
            case _:
                truth = self.row.truth(node)
                reason = "" if truth is not None else self._reason(node)
                yield Clause(depth, self.teller.text(node), truth, reason=reason)

    def _comparison(
        self, node: ex.Node, operator: str, left: ex.Node, right: ex.Node, depth: int
    ) -> Clause:
        """`mean(15s) = 1.04 % >= 1.5 %`, and how far it is from that."""
        truth = self.row.truth(node)
        reason = "" if truth is not None else self._reason(node)
        text = self.teller.text(node)
        if _is_text(left) or _is_text(right):
            shown = self.row.attribute(left)[0] if isinstance(left, ex.Attribute) else None
            return Clause(depth, text, truth, value=str(shown or ""), reason=reason)
        a, b = self.row.number(left), self.row.number(right)
        # The side that is measured is shown with its value, whichever it is.
        measured = right if ex.constant(left) is not None else left
        value = self.teller.value(b if measured is right else a, measured)
        if measured is left and ex.constant(right) is None:
            value += f" against {self.teller.value(b, right)}"
        if np.isnan(a) or np.isnan(b):
            return Clause(depth, text, truth, value=value, reason=reason)
        margin = a - b if operator in ABOVE else b - a
        told = self.teller.amount(abs(margin), ex.dimension_of(left), is_point=False)
        way = "beyond" if margin > 0 else "short"
        exact = "exactly" if margin == 0 else f"{told} {way}"
        return Clause(depth, text, truth, value, float(margin), exact, reason)

    def _reason(self, node: ex.Node) -> str:
        """Why a condition is unknown: of each unknown part, what is missing."""
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
        name = self.teller.text(feature)
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


def _is_text(node: ex.Node) -> bool:
    return isinstance(node, ex.Text) or (isinstance(node, ex.Attribute) and node.is_text)


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
    """The overrides that are meant for this sensor and hold still."""
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
    today = str(np.datetime64(finding.question.time_ns, "ns").astype("datetime64[D]"))
    rule = finding.plan.rule
    return tuple(o for o in rule.overrides if matches(o, attributes) and holds(o, today))
