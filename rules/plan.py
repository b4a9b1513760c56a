"""Plan: what the rules of a book need of each sensor type, and what that costs.

State is allocated for the windows, statistics and latches that rules ask for, and for no others.
The plan says which, chooses the pane of each sensor type, and makes the bill: bytes per sensor,
known before the first frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rules import expression as ex
from rules.grade import Grade
from rules.graded import GradePlan, conditions_of, features_of, grades_of, shown_value
from rules.grouping import GroupPlan, grouped
from rules.needs import (
    RAW_FEATURES,
    WINDOWED,
    Asked,
    HistoryPlan,
    Sort,
    WindowPlan,
    asks_calendar,
    danger_side,
    history,
    pane_length_ns,
    reach_ns,
    ring_length,
)
from rules.overriding import settle
from rules.pack import Book, Rule
from rules.shown import shown_features
from rules.units import read_unit

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

STALE_NS_MIN = 10 * NS_PER_S
STALE_PERIODS = 3
COVERAGE_DEFAULT = 0.5

LINE_BYTES = {"float32": 64, "float64": 128}
RAW_BYTES = 32
# A line of 64, an episode of 16, when the next timer ends, 18 masks of a bit, and what was
# compared last: 64 + 16 + 8 + 3 + 8.
LATCH_BYTES = 99
ONSET_BYTES = 32
CARD_BYTES = 32
# The last value and its time, carried over the panes that had no reading.
CARRY_BYTES = 16
# When it was heard, since when it has its value, that value; since when it is pegged, and whether.
SIGN_BYTES = 33
# The ratio of two averages, for each open pane.
RATIO_BYTES = 8


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule made ready for judging; grades run from blue to red."""

    rule: Rule
    version: str
    digest: str
    grades: tuple[GradePlan, ...]
    features: tuple[ex.Feature, ...]
    value: ex.Node
    unit: str
    is_per_reading: bool
    is_plain_ladder: bool
    is_above: bool
    coverage: float
    # The sensor type, where the rule is for all of them.
    sort: str = ""

    @property
    def home(self) -> str:
        """Where its state is kept: a rule for all sensor types has one on each."""
        return f"{self.name}@{self.sort}" if self.sort else self.name

    @property
    def name(self) -> str:
        """The rule's name beyond its pack."""
        return f"{self.rule.pack}/{self.rule.id}"

    def shown(self, value: float) -> float:
        """A value that was compared, in the unit of the rule's thresholds."""
        if not self.unit:
            return value
        is_point = ex.dimension_of(self.value) == self.rule.input.scale.unit.dimension
        return self.rule.input.scale.show(value, read_unit(self.unit), is_point=is_point)

    def margins(self, value: float) -> dict[str, float]:
        """Distance to the threshold of each grade, in the rule's unit; positive is beyond it."""
        sign = 1.0 if self.is_above else -1.0
        return {
            Grade(grade.grade).word: sign * (self.shown(value) - self.shown(grade.enter))
            for grade in self.grades
            if grade.enter is not None
        }

    @property
    def asks_calendar(self) -> bool:
        """A condition may change with the hour, without any reading."""
        return asks_calendar(conditions_of(self.grades))

    @property
    def is_raw(self) -> bool:
        """The rule also sees readings that are marked bad."""
        return self.rule.quality.view == "raw"

    @property
    def sees_good(self) -> bool:
        """For some sensors it looks at good readings only."""
        return not self.is_raw or self.may_set("view")

    @property
    def sees_raw(self) -> bool:
        """For some sensors it also sees readings that are marked bad."""
        return self.is_raw or self.may_set("view")

    def may_set(self, key: str) -> bool:
        """An override may set this key of `quality` for some sensors."""
        settings = (name for one in self.rule.overrides for name in one.settings)
        return any(name in ("quality", f"quality.{key}") for name in settings)

    def asks(self, feature: ex.Feature) -> Asked:
        """A feature as this rule means it."""
        read = self.rule.inputs.get(feature.input, self.rule.input)
        side = 1 if self.is_above else -1
        if feature.name == "forecast" and self.rule.ladder is None:
            side = danger_side(feature, (grade.when for grade in self.grades))
        return Asked(replace(feature, input=""), read.kind or "", self.coverage, side)

    def stale_ns(self, period_ns: int) -> int:
        """How long a reading of a sensor with this period holds (rule-language 5a.9)."""
        if self.rule.quality.stale_after_ns is not None:
            return self.rule.quality.stale_after_ns
        return max(STALE_PERIODS * period_ns, STALE_NS_MIN)

    def blind_ns(self, period_ns: int) -> int:
        """How long unknown must last before the warning is flagged; by default as stale_after."""
        if self.rule.quality.max_blind_ns is not None:
            return self.rule.quality.max_blind_ns
        return self.stale_ns(period_ns)


@dataclass(frozen=True, slots=True)
class BankPlan:
    """What one sensor type keeps."""

    sort: Sort
    pane_ns: int
    slots: int
    good: HistoryPlan
    raw: HistoryPlan | None
    scores: HistoryPlan | None
    heard: tuple[WindowPlan, ...]
    onsets: tuple[tuple[int, int], ...]
    needs_lines: bool
    needs_raw: bool
    reading_rules: tuple[RulePlan, ...]
    pane_rules: tuple[RulePlan, ...]
    # Rules on instances of several sensors, as they look at this type: they find signals only.
    signal_rules: tuple[RulePlan, ...]
    reach_ns: int
    offset_ns: int

    @property
    def watched(self) -> tuple[RulePlan, ...]:
        """What looks at the ends of panes."""
        return (*self.pane_rules, *self.signal_rules)

    @property
    def windows(self) -> tuple[WindowPlan, ...]:
        """Windows over good readings."""
        return self.good.windows

    @property
    def bytes_per_sensor(self) -> int:
        """State of one sensor, all rules included."""
        lines = LINE_BYTES[self.sort.precision] * self.slots
        streams = [one for one in (self.good, self.raw, self.scores) if one is not None]
        return (
            CARD_BYTES
            + CARRY_BYTES
            + (lines if self.needs_lines else 0)
            + (lines + CARRY_BYTES if self.raw is not None else 0)
            + (RAW_BYTES * self.slots + SIGN_BYTES if self.needs_raw else 0)
            + sum(one.bytes_per_sensor(self.slots) for one in streams)
            + sum(window.bytes_per_sensor for window in self.heard)
            + (ONSET_BYTES + RATIO_BYTES * self.slots) * len(self.onsets)
            + LATCH_BYTES * (len(self.reading_rules) + len(self.pane_rules))
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """One bank for each sensor type of the catalogue, in its order; rules on more than a sensor."""

    banks: tuple[BankPlan, ...]
    digest: str
    groups: tuple[GroupPlan, ...] = ()

    @property
    def rules(self) -> tuple[RulePlan, ...]:
        """Every rule, bank by bank."""
        return tuple(r for bank in self.banks for r in (*bank.reading_rules, *bank.pane_rules))


def make_plan(
    book: Book,
    sorts: Sequence[Sort],
    *,
    silence_ns: int,
    tick_ns: int | None,
    model_features: Sequence[tuple[str, ex.Feature]] = (),
) -> Plan:
    """Say what each sensor type keeps for the rules of `book`.

    `tick_ns` is the spacing of the journal's ticks, None where only data advance the clock;
    `model_features` are (sensor type, feature) pairs that anomaly models ask for.
    """
    rules = [
        rule_plan(rule, pack.version, pack.digest)
        for pack in book.packs
        for rule in pack.rules
        if is_judged(rule)
    ]
    groups = tuple(grouped(rule) for rule in rules if not rule.rule.is_local)
    lone = [rule for rule in rules if rule.rule.is_local]
    members = [member for group in groups for member in group.inputs.values()]
    banks = []
    for sort in sorts:
        mine, signal_rules = (
            tuple(
                replace(rule, sort=sort.name) if rule.rule.input.type == "*" else rule
                for rule in every
                if rule.rule.input.type in (sort.name, "*")
            )
            for every in (lone, members)
        )
        asked = [feature for name, feature in model_features if name == sort.name]
        banks.append(
            _bank_plan(
                sort, mine, signal_rules, asked=asked, silence_ns=silence_ns, tick_ns=tick_ns
            )
        )
    return Plan(tuple(banks), book.digest, groups)


def _bank_plan(
    sort: Sort,
    rules: tuple[RulePlan, ...],
    signal_rules: tuple[RulePlan, ...],
    *,
    asked: Sequence[ex.Feature],
    silence_ns: int,
    tick_ns: int | None,
) -> BankPlan:
    # The panes of a type close once for all its rules, so the most patient of them decides.
    patience_ns = max((rule.rule.lateness_ns or 0 for rule in (*rules, *signal_rules)), default=0)
    sort = replace(sort, lateness_ns=max(sort.lateness_ns, patience_ns))
    reading_rules = tuple(rule for rule in rules if rule.is_per_reading)
    pane_rules = tuple(rule for rule in rules if not rule.is_per_reading)
    watched = (*pane_rules, *signal_rules)
    judged = [(rule, rule.asks(f)) for rule in watched for f in rule.features]
    learnt = [Asked(feature, "", 0.0, 1) for feature in asked]
    everything = [*(one for _, one in judged), *learnt]
    features = [one.feature for one in everything]
    streams = {
        "good": [
            *(one for rule, one in judged if rule.sees_good or one.feature.name == "bad_share"),
            *learnt,
        ],
        "raw": [one for rule, one in judged if rule.sees_raw and one.feature.name != "bad_share"],
        "scores": [one for one in everything if one.feature.stream],
    }
    needs_raw = any(f.name in RAW_FEATURES or f.name == "bad_share" for f in features) or any(
        rule.rule.quality.over != "ignore" or rule.may_set("over_range") for rule in watched
    )
    wanted_ns = tick_ns if tick_ns and any(f.name in RAW_FEATURES for f in features) else None
    lengths = sorted({f.windows_ns[0] for f in features if f.name in WINDOWED})
    offsets = {f.offset_ns for f in features if f.offset_ns}
    natural_ns = 100 * NS_PER_MS if sort.kind == "waveform" else max(NS_PER_S, sort.period_ns)
    wish_ns = min(natural_ns, wanted_ns) if wanted_ns else natural_ns
    pane_ns = sort.pane_ns or pane_length_ns(wish_ns, lengths, offsets)
    slots = ring_length(sort.lateness_ns + (silence_ns if sort.links_max > 1 else 0), pane_ns)

    def stream(name: str) -> HistoryPlan:
        period_ns = pane_ns if name == "scores" else sort.period_ns
        chosen = [one for one in streams[name] if (name == "scores") == bool(one.feature.stream)]
        return history(chosen, kind=sort.kind, period_ns=period_ns, pane_ns=pane_ns, slots=slots)

    heard = {f.windows_ns[0] for f in features if f.name == "bad_share"}
    window_ns, offset_ns = reach_ns(everything)
    return BankPlan(
        sort=sort,
        pane_ns=pane_ns,
        slots=slots,
        good=stream("good"),
        raw=stream("raw") if any(rule.sees_raw for rule in watched) else None,
        scores=stream("scores") if streams["scores"] else None,
        heard=tuple(WindowPlan(n, n // pane_ns, frozenset()) for n in sorted(heard)),
        onsets=tuple(sorted({_pair(f) for f in features if f.name == "stalta"})),
        needs_lines=bool(watched) or bool(asked),
        needs_raw=needs_raw,
        reading_rules=reading_rules,
        pane_rules=pane_rules,
        signal_rules=signal_rules,
        reach_ns=window_ns,
        offset_ns=offset_ns,
    )


def _pair(feature: ex.Feature) -> tuple[int, int]:
    short_ns, long_ns = feature.windows_ns
    return short_ns, long_ns


def is_judged(rule: Rule) -> bool:
    """Whether a rule is judged at all; an override may switch on for some what is off for most."""
    return rule.mode != "disabled" or any("mode" in known.settings for known in rule.overrides)


def variant_plan(plan: RulePlan, rule: Rule) -> RulePlan:
    """The plan of a rule with the settings that some sensors have."""
    own = rule_plan(rule, plan.version, plan.digest)
    return replace(own, is_per_reading=plan.is_per_reading, sort=plan.sort)


def rule_plan(rule: Rule, version: str, digest: str) -> RulePlan:
    """What a rule asks for; its features are those of all its overrides."""
    grades = grades_of(rule)
    settled = [settle(rule, [override])[0] for override in rule.overrides]
    others = [other for other in settled if other is not None]
    varied = [grades_of(other) for other in others]
    judged = tuple(dict.fromkeys(f for some in (grades, *varied) for f in features_of(some)))
    shown = (f for one in (rule, *others) for f in shown_features(one))
    features = tuple(dict.fromkeys((*judged, *shown)))
    value = rule.ladder.value if rule.ladder is not None else shown_value(grades)
    is_plain = (
        rule.ladder is not None
        and isinstance(value, ex.Feature)
        and value.name == "value"
        and all(grade.enter is not None and grade.leave is not None for grade in grades)
    )
    return RulePlan(
        rule=rule,
        version=version,
        digest=digest,
        grades=grades,
        features=features,
        value=value,
        unit=rule.ladder.shown if rule.ladder else ex.unit_of(value, rule.input.scale),
        is_per_reading=rule.is_local
        and all(feature.name == "value" for feature in judged)
        and not any(asks_calendar(conditions_of(some)) for some in (grades, *varied)),
        is_plain_ladder=is_plain,
        is_above=rule.ladder is None or rule.ladder.direction == "above",
        coverage=COVERAGE_DEFAULT if rule.quality.coverage is None else rule.quality.coverage,
    )
