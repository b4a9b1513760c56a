"""Needs: what each feature needs remembered of its sensors, and the bytes of that.

Three ways to remember the past of a sensor. *Stacks* of merged panes answer for means, extremes,
trends and counts of a window, whatever its length. A *trail* keeps the readings themselves, for
what only their order tells: medians, robust slopes, counters. *Walks* are recursions from reading
to reading. What is read at an offset waits in a *delay*, one number per pane.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rules import expression as ex

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
    "rate": frozenset({"moments", "ends"}),
    "median": frozenset(),
    "zscore": frozenset(),
    "mad_score": frozenset(),
    "noise": frozenset(),
    "inverse_velocity": frozenset(),
    "bad_share": frozenset(),
    "pga": frozenset(),
    "pgv": frozenset(),
}
# Windows that need more than a length: a share, a horizon, a target.
FURTHER: dict[str, frozenset[str]] = {
    "p": frozenset(),
    "forecast": frozenset({"moments", "trend"}),
    "time_to": frozenset({"moments", "trend"}),
}
WINDOWED = frozenset(GROUPS) | frozenset(FURTHER)
TRAILED = frozenset({"median", "p", "zscore", "mad_score", "noise", "inverse_velocity"})
MOTIONS = frozenset({"pga", "pgv"})
GROUP_FIELDS = {"moments": 2, "extremes": 2, "trend": 3, "ends": 4}
RAW_FEATURES = frozenset({"age", "unchanged"})

# A trail has room for half as many readings again as are due, and for some more: sensors that
# are read faster for a while. A type without a period keeps so many.
SPARE_SHARE = 0.5
SPARE_READINGS = 8
UNSTEADY_READINGS = 1024

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

READING_BYTES = 16
# Begin and length of the ring, and the time of the newest loss.
TRAIL_BYTES = 16
FILLED_BYTES = 4
SMOOTH_BYTES = 24
MOTION_BYTES = 40
# A number and the coverage of its window.
DELAY_BYTES = 16


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
class Asked:
    """A feature as one rule means it.

    kind      of the rule's input, empty where the sensor type's counts
    coverage  share of the expected readings below which it is unknown
    side      1 where greater is worse, -1 where less is: the bound that `forecast` with p takes
    """

    feature: ex.Feature
    kind: str
    coverage: float
    side: int


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
class TrailPlan:
    """How many readings are kept: of the longest window, and of one open pane."""

    window_max: int
    pane_max: int
    capacity: int


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What is remembered of one stream of a sensor: good readings, raw ones, or scores.

    smooth   time constants of exponential means
    motions  windows over the peaks of the ground's motion
    delays   what is read at an offset
    """

    windows: tuple[WindowPlan, ...] = ()
    trail: TrailPlan | None = None
    smooth_ns: tuple[int, ...] = ()
    motions: tuple[WindowPlan, ...] = ()
    delays: tuple[tuple[Asked, int], ...] = ()

    def bytes_per_sensor(self, slots: int) -> int:
        """State of one sensor in this stream, its open panes aside."""
        trail = 0
        if self.trail is not None:
            trail = self.trail.capacity * READING_BYTES + TRAIL_BYTES + slots * FILLED_BYTES
        return (
            sum(window.bytes_per_sensor for window in (*self.windows, *self.motions))
            + trail
            + SMOOTH_BYTES * len(self.smooth_ns)
            + (MOTION_BYTES if self.motions else 0)
            + sum(DELAY_BYTES * (panes + 1) for _, panes in self.delays)
        )


def needs_trail(asked: Asked, kind: str) -> bool:
    """True where only the readings of the window can tell."""
    feature = asked.feature
    if feature.name == "slope":
        return bool(feature.option("robust"))
    is_counter = (asked.kind or kind) == "counter"
    return feature.name in TRAILED or (is_counter and feature.name in ("sum", "rate"))


def timeless(asked: Asked) -> Asked:
    """Under what a feature waits for its offset: whatever coverage a rule asks for."""
    return replace(asked, coverage=0.0)


def groups_of(asked: Asked, kind: str) -> frozenset[str]:
    """The running fields that a feature reads."""
    if needs_trail(asked, kind):
        return frozenset()
    return GROUPS.get(asked.feature.name, frozenset()) | FURTHER.get(
        asked.feature.name, frozenset()
    )


def history(
    asked: Sequence[Asked], *, kind: str, period_ns: int, pane_ns: int, slots: int
) -> HistoryPlan:
    """What one stream of a sensor type keeps for the features that rules ask of it."""
    windowed = [one for one in asked if one.feature.name in WINDOWED]
    lengths: dict[int, frozenset[str]] = {}
    for one in windowed:
        length_ns = one.feature.windows_ns[0]
        lengths[length_ns] = lengths.get(length_ns, frozenset()) | groups_of(one, kind)
    motions = {one.feature.windows_ns[0] for one in windowed if one.feature.name in MOTIONS}
    trailed = [one.feature.windows_ns[0] for one in windowed if needs_trail(one, kind)]
    smooth_ns = {one.feature.windows_ns[0] for one in asked if one.feature.name == "ewma"}
    delays = dict.fromkeys(timeless(one) for one in asked if one.feature.offset_ns)
    return HistoryPlan(
        windows=tuple(
            WindowPlan(length, length // pane_ns, lengths[length]) for length in sorted(lengths)
        ),
        trail=(
            _trail(max(trailed, default=0), period_ns, pane_ns, slots)
            if trailed or smooth_ns or motions
            else None
        ),
        smooth_ns=tuple(sorted(smooth_ns)),
        motions=tuple(
            WindowPlan(length, length // pane_ns, frozenset({"extremes"}))
            for length in sorted(motions)
        ),
        delays=tuple((one, one.feature.offset_ns // pane_ns) for one in delays),
    )


def _trail(length_ns: int, period_ns: int, pane_ns: int, slots: int) -> TrailPlan:
    def room(span_ns: int) -> int:
        due = math.ceil(span_ns * (1 + SPARE_SHARE) / period_ns)
        return due + SPARE_READINGS

    pane_max = room(pane_ns) if period_ns else UNSTEADY_READINGS
    window_max = max(room(length_ns), pane_max) if period_ns else UNSTEADY_READINGS
    return TrailPlan(window_max, pane_max, window_max + slots * pane_max + 1)


def pane_length_ns(wish_ns: int, lengths_ns: Sequence[int], offsets_ns: Iterable[int]) -> int:
    """The pane of a type: the nice length nearest to what is wished, by the period of its sensors.

    It divides every window and every offset; where no nice length does, it is their greatest
    common divisor.
    """
    if not lengths_ns:
        return max(nice for nice in NICE_PANES_NS if nice <= max(wish_ns, NICE_PANES_NS[0]))
    common_ns = math.gcd(*lengths_ns, *offsets_ns)
    wish_ns = max(wish_ns, max(lengths_ns) // PANES_PER_WINDOW_MAX)
    nice = [n for n in NICE_PANES_NS if common_ns % n == 0]
    fitting = [n for n in nice if n <= wish_ns] or nice[:1] or [common_ns]
    return fitting[-1]


def ring_length(wait_ns: int, pane_ns: int) -> int:
    """Open panes: the lateness, the lag of a slow gateway, and the pane of the present."""
    open_panes = -(-wait_ns // pane_ns) + 2
    return 1 << max(1, (open_panes - 1).bit_length())


def reach_ns(asked: Iterable[Asked]) -> tuple[int, int]:
    """How far back the features look: their longest window, and their longest offset."""
    features = [one.feature for one in asked]
    window_ns = max((max(f.windows_ns, default=0) for f in features), default=0)
    return window_ns, max((f.offset_ns for f in features), default=0)


def asks_calendar(conditions: Iterable[ex.Node | None]) -> bool:
    """True where a condition may change with the hour, without any reading."""
    nodes = (node for top in conditions if top is not None for node in ex.walk(top))
    return any(isinstance(node, ex.Calendar) for node in nodes)


def danger_side(feature: ex.Feature, conditions: Iterable[ex.Node]) -> Literal[-1, 1]:
    """Whether a condition fears great values of a feature (1) or small ones (-1).

    By the first comparison in which it stands; 1 where none tells.
    """
    for condition in conditions:
        for node in ex.walk(condition):
            if not isinstance(node, ex.Compare):
                continue
            for place, operator in enumerate(node.operators):
                for side, operand in ((1, node.operands[place]), (-1, node.operands[place + 1])):
                    sign = _sign(feature, operand)
                    if sign and operator in ("<", "<=", ">", ">="):
                        is_greater = (operator in (">", ">=")) == (side * sign > 0)
                        return 1 if is_greater else -1
    return 1


def _sign(feature: ex.Feature, node: ex.Node) -> int:
    """With what sign a feature goes into a quantity; 0 where it does not."""
    if node == feature:
        return 1
    match node:
        case ex.Negate(operand=operand):
            return -_sign(feature, operand)
        case ex.Arithmetic(operator=operator, left=left, right=right):
            turn = -1 if operator in ("-", "/") else 1
            return _sign(feature, left) or turn * _sign(feature, right)
        case _:
            return next((s for part in ex.parts(node) if (s := _sign(feature, part))), 0)
