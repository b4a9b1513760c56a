"""Plan: what the rules of a book need of each sensor type, and what that costs.

State is allocated for the windows, statistics and latches that rules ask for, and for no others.
The plan says which, chooses the pane of each sensor type, and makes the bill: bytes per sensor,
known before the first frame.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rules import expression as ex
from rules.grade import Grade
from rules.grouping import OWN_ROLLUP, GroupPlan, grouped
from rules.pack import Book, Rule
from rules.units import NUMBER, read_unit

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

# Which running fields of a window each feature reads; the count is always there.
GROUPS: dict[str, frozenset[str]] = {
    "mean": frozenset({"moments"}),
    "std": frozenset({"moments"}),
    "sum": frozenset({"moments"}),
    "min": frozenset({"extremes"}),
    "max": frozenset({"extremes"}),
    "range": frozenset({"extremes"}),
    "rise": frozenset({"extremes", "ends"}),
    "drop": frozenset({"extremes", "ends"}),
    "change": frozenset({"ends"}),
    "slope": frozenset({"moments", "trend"}),
    "count": frozenset(),
    "coverage": frozenset(),
}
GROUP_FIELDS = {"moments": 2, "extremes": 2, "trend": 3, "ends": 2}
RAW_FEATURES = frozenset({"age", "unchanged"})

NICE_PANES_NS = tuple(
    amount * NS_PER_MS
    for amount in (
        *(100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000),
        *(60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000),
    )
)
# A window of more panes than this costs more memory than its finer steps are worth; an author
# who wants them fixes `pane` in types.yaml.
PANES_PER_WINDOW_MAX = 360
STALE_NS_MIN = 10 * NS_PER_S
STALE_PERIODS = 3
COVERAGE_DEFAULT = 0.5

LINE_BYTES = {"float32": 64, "float64": 128}
RAW_BYTES = 32
LATCH_BYTES = 64
ONSET_BYTES = 32
CARD_BYTES = 32
# The last value and its time, carried over the panes that had no reading.
CARRY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sort:
    """What the plan must know of a sensor type; `links_max` is the most gateways of one site."""

    name: str
    unit: str
    kind: str
    lateness_ns: int
    pane_ns: int | None
    precision: str
    period_ns: int
    sensor_count: int
    links_max: int


@dataclass(frozen=True, slots=True)
class GradePlan:
    """One grade of a rule: its conditions, its holds, and its threshold if it is a ladder's."""

    grade: int
    when: ex.Node
    clear: ex.Node | None
    for_ns: int
    clear_for_ns: int
    enter: float | None
    leave: float | None


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
class WindowPlan:
    """One window of a sensor type: its length, its panes, the fields that are kept of it."""

    length_ns: int
    pane_count: int
    groups: frozenset[str]

    @property
    def bytes_per_sensor(self) -> int:
        """Ring, running back, each of float64 fields; the count is one of them."""
        fields = 1 + sum(GROUP_FIELDS[group] for group in self.groups)
        return 8 * fields * (self.pane_count + 1)


@dataclass(frozen=True, slots=True)
class BankPlan:
    """What one sensor type keeps."""

    sort: Sort
    pane_ns: int
    slots: int
    windows: tuple[WindowPlan, ...]
    onsets: tuple[tuple[int, int], ...]
    needs_lines: bool
    needs_raw: bool
    reading_rules: tuple[RulePlan, ...]
    pane_rules: tuple[RulePlan, ...]
    # Rules on instances of several sensors, as they look at this type: they find signals only.
    signal_rules: tuple[RulePlan, ...]

    @property
    def watched(self) -> tuple[RulePlan, ...]:
        """What looks at the ends of panes."""
        return (*self.pane_rules, *self.signal_rules)

    @property
    def bytes_per_sensor(self) -> int:
        """State of one sensor, all rules included."""
        lines = LINE_BYTES[self.sort.precision] * self.slots + CARRY_BYTES
        return (
            CARD_BYTES
            + (lines if self.needs_lines else 0)
            + (RAW_BYTES * self.slots if self.needs_raw else 0)
            + sum(window.bytes_per_sensor for window in self.windows)
            + ONSET_BYTES * len(self.onsets)
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
        _rule_plan(rule, pack.version, pack.digest)
        for pack in book.packs
        for rule in pack.rules
        if rule.mode != "disabled"
    ]
    groups = tuple(grouped(rule) for rule in rules if not rule.rule.is_local)
    lone = [rule for rule in rules if rule.rule.is_local]
    members = [member for group in groups for member in group.inputs.values()]
    banks = []
    for sort in sorts:
        mine, signal_rules = (
            tuple(rule for rule in every if rule.rule.input.type in (sort.name, "*"))
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
    features = [*(f for rule in watched for f in rule.features), *asked]
    lengths: dict[int, frozenset[str]] = {}
    for feature in features:
        if feature.name in GROUPS:
            length_ns = feature.windows_ns[0]
            lengths[length_ns] = lengths.get(length_ns, frozenset()) | GROUPS[feature.name]
    needs_raw = any(f.name in RAW_FEATURES for f in features) or any(
        rule.rule.quality.over != "ignore" for rule in watched
    )
    wanted_ns = tick_ns if tick_ns and any(f.name in RAW_FEATURES for f in features) else None
    pane_ns = _pane_ns(sort, sorted(lengths), wanted_ns)
    return BankPlan(
        sort=sort,
        pane_ns=pane_ns,
        slots=_slots(sort, pane_ns, silence_ns),
        windows=tuple(
            WindowPlan(length, length // pane_ns, lengths[length]) for length in sorted(lengths)
        ),
        onsets=tuple(sorted({_pair(f) for f in features if f.name == "stalta"})),
        needs_lines=bool(watched) or bool(asked),
        needs_raw=needs_raw,
        reading_rules=reading_rules,
        pane_rules=pane_rules,
        signal_rules=signal_rules,
    )


def _pair(feature: ex.Feature) -> tuple[int, int]:
    short_ns, long_ns = feature.windows_ns
    return short_ns, long_ns


def _pane_ns(sort: Sort, lengths_ns: Sequence[int], wanted_ns: int | None) -> int:
    """The pane: fixed by types.yaml, or the nice length nearest to the sensor's period.

    It divides every window; where no nice length does, it is their greatest common divisor.
    """
    if sort.pane_ns is not None:
        return sort.pane_ns
    natural_ns = 100 * NS_PER_MS if sort.kind == "waveform" else max(NS_PER_S, sort.period_ns)
    wish_ns = min(natural_ns, wanted_ns) if wanted_ns else natural_ns
    if not lengths_ns:
        return max(nice for nice in NICE_PANES_NS if nice <= max(wish_ns, NICE_PANES_NS[0]))
    common_ns = math.gcd(*lengths_ns)
    wish_ns = max(wish_ns, lengths_ns[-1] // PANES_PER_WINDOW_MAX)
    nice = [n for n in NICE_PANES_NS if common_ns % n == 0]
    fitting = [n for n in nice if n <= wish_ns] or nice[:1] or [common_ns]
    return fitting[-1]


def _slots(sort: Sort, pane_ns: int, silence_ns: int) -> int:
    """Open panes: the lateness, the lag of a slow gateway, and the pane of the present."""
    lag_ns = silence_ns if sort.links_max > 1 else 0
    open_panes = -(-(sort.lateness_ns + lag_ns) // pane_ns) + 2
    return 1 << max(1, (open_panes - 1).bit_length())


def _rule_plan(rule: Rule, version: str, digest: str) -> RulePlan:
    how = _ladder_grades if rule.ladder else _rollup_grades if rule.rollup else _level_grades
    grades = tuple(how(rule))
    if rule.cap is not None:
        grades = tuple(grade for grade in grades if grade.grade <= rule.cap)
    features = tuple(dict.fromkeys(_features(grades)))
    value = rule.ladder.value if rule.ladder is not None else _shown_value(grades)
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
        is_per_reading=rule.is_local and all(feature.name == "value" for feature in features),
        is_plain_ladder=is_plain,
        is_above=rule.ladder is None or rule.ladder.direction == "above",
        coverage=COVERAGE_DEFAULT if rule.quality.coverage is None else rule.quality.coverage,
    )


def _ladder_grades(rule: Rule) -> Iterable[GradePlan]:
    ladder = rule.ladder
    assert ladder is not None
    is_above = ladder.direction == "above"
    enter_with: ex.Comparison = ">=" if is_above else "<="
    leave_with: ex.Comparison = "<" if is_above else ">"
    for grade in sorted(ladder.enter):
        enter, leave = ladder.enter[grade], ladder.clear[grade]
        yield GradePlan(
            grade=int(grade),
            when=ex.compare(enter_with, ladder.value, enter),
            clear=ex.compare(leave_with, ladder.value, leave),
            for_ns=ladder.for_ns[grade],
            clear_for_ns=ladder.clear_for_ns[grade],
            enter=ex.constant(enter),
            leave=ex.constant(leave),
        )


def _level_grades(rule: Rule) -> Iterable[GradePlan]:
    assert rule.levels is not None
    for grade in sorted(rule.levels):
        level = rule.levels[grade]
        yield GradePlan(
            grade=int(grade),
            when=level.when,
            clear=level.clear,
            for_ns=level.for_ns,
            clear_for_ns=level.clear_for_ns,
            enter=None,
            leave=None,
        )


def _rollup_grades(rule: Rule) -> Iterable[GradePlan]:
    """Each grade stands for as long as the members' grades, taken together, reach it."""
    rolled = ex.OtherRule(OWN_ROLLUP, "grade", None, None, rule.place)
    for grade in rule.grades:
        reached = ex.compare(">=", rolled, ex.Number(float(grade), NUMBER, rule.place))
        yield GradePlan(int(grade), reached, None, 0, 0, None, None)


def _features(grades: Iterable[GradePlan]) -> Iterable[ex.Feature]:
    for grade in grades:
        for condition in (grade.when, grade.clear):
            if condition is not None:
                yield from ex.features(condition)


def _shown_value(grades: Sequence[GradePlan]) -> ex.Node:
    """What a warning of `levels` shows: the first quantity that its lowest grade looks at."""
    return next(iter(_features(grades)), grades[0].when)
