"""Signals: what the members of instances tell, found where the sensors are, sent when it changes.

Enters     the measures of closed panes
Leaves     tables of changes: at which end of a pane, of which sensors, what it is from then on
Remembers  what was told last of each sensor
Refuses    nothing: what cannot be known is told as unknown
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.calendars import Calendars
from engine.features import AttributeColumns, Attributes, PaneColumns
from engine.instances import InstanceAttributes, Instances, numbers
from engine.measures import Measures
from rules import expression as ex
from rules import judge
from rules.grouping import GroupPlan, input_of, plain
from rules.units import Scale

FALSE, TRUE, UNKNOWN, UNHEARD = range(4)

Sensors = NDArray[np.int32]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SignalTable:
    """One signal of some sensors, from one end of a pane on.

    sensor  int32[n]    number in the catalogue
    truth   uint8[n]    FALSE, TRUE or UNKNOWN; of a number: FALSE where it is known
    value   float64[n]  the number, or what the condition was about; NaN where it is unknown
    """

    group: str
    signal: int
    time_ns: int
    sensor: Sensors
    truth: Codes
    value: Floats


class SharedAttributes:
    """Attributes of an instance as columns of its members: its own, or what the others say."""

    def __init__(
        self, own: Attributes, shared: InstanceAttributes, instance: NDArray[np.int64]
    ) -> None:
        """instance int64[rows of the bank]: the instance of each, -1 where there is none."""
        self.own = own
        self.shared = shared
        self.instance = instance
        self.columns: dict[tuple[Scale, ex.Attribute], NDArray[np.generic]] = {}

    @property
    def calendars(self) -> Calendars:
        """Seasons, hours and calendars are those of the sensors' own sites."""
        return self.own.calendars

    def column(self, attribute: ex.Attribute, scale: Scale) -> NDArray[np.generic]:
        """All rows of the bank: float64[s] with NaN, or texts with None."""
        key = (scale, attribute)
        if key not in self.columns:
            column = self.own.column(attribute, scale).copy()
            texts = self.shared.texts(attribute)
            missing = (
                np.equal(column, np.array(None, dtype=object)).astype(bool)
                if attribute.is_text
                else np.isnan(column.astype(np.float64))
            )
            for row in np.flatnonzero(missing & (self.instance >= 0)):
                text = texts[self.instance[row]]
                column[row] = text if attribute.is_text else numbers([text], attribute, scale)[0]
            self.columns[key] = column
        return self.columns[key]


class Listener:
    """The signals of one input of one rule, on the sensors of one bank."""

    __slots__ = (
        "attributes",
        "is_member",
        "nodes",
        "numbers",
        "plan",
        "rule",
        "sensor",
        "stale_ns",
        "truth",
        "value",
    )

    def __init__(
        self,
        group: GroupPlan,
        name: str,
        instances: Instances,
        *,
        sensor: Sensors,
        period_ns: NDArray[np.int64],
        attributes: Attributes,
        shared: InstanceAttributes,
    ) -> None:
        """sensor int32[s], period_ns int64[s]: of the rows of the bank."""
        self.rule = group.name
        self.plan = group.inputs[name]
        self.sensor = sensor
        self.numbers = [
            number
            for number, signal in enumerate(group.signals)
            if input_of(group.plan.rule, signal.members) == name
        ]
        self.nodes = [group.signals[number] for number in self.numbers]
        edges = [instances.edges[signal.members] for signal in self.nodes]
        self.is_member = np.zeros((len(edges), sensor.size), dtype=bool)
        for place, one in enumerate(edges):
            self.is_member[place] = np.isin(sensor, one.sensor)
        periods, period_of = np.unique(period_ns, return_inverse=True)
        stale_ns = [self.plan.stale_ns(int(period)) for period in periods]
        self.stale_ns = np.array(stale_ns, dtype=np.int64)[period_of]
        instance = np.full(sensor.size, -1, dtype=np.int64)
        for signal, one in zip(self.nodes, edges, strict=True):
            if signal.is_asked_of == "instance":
                order = np.argsort(one.sensor, kind="stable")
                mine = np.flatnonzero(np.isin(sensor, one.sensor))
                at = np.searchsorted(one.sensor[order], sensor[mine])
                instance[mine] = one.row[order][at]
        self.attributes: Mapping[str, AttributeColumns] = {
            "member": attributes,
            "instance": SharedAttributes(attributes, shared, instance),
        }
        # The first end of a pane is told in any case: from then on the instance is judged.
        self.truth = np.full((len(edges), sensor.size), UNHEARD, dtype=np.uint8)
        self.value = np.full((len(edges), sensor.size), np.nan)

    def close(self, measures: Measures) -> Iterator[SignalTable]:
        """What has changed at the end of a pane."""
        for place, (number, signal) in enumerate(zip(self.numbers, self.nodes, strict=True)):
            attributes = self.attributes[signal.is_asked_of]
            columns = PaneColumns(self.plan, measures, attributes, self.stale_ns)
            truth, value = _told(plain(signal.node), signal.is_condition, columns)
            rows = measures.rows
            before, was = self.truth[place, rows], self.value[place, rows]
            moved = before != truth
            if not signal.is_condition:
                moved |= (was != value) & ~(np.isnan(was) & np.isnan(value))
            moved &= self.is_member[place, rows]
            changed = np.flatnonzero(moved)
            if changed.size:
                self.truth[place, rows[changed]] = truth[changed]
                self.value[place, rows[changed]] = value[changed]
                yield SignalTable(
                    *(self.rule, number, measures.end_ns, self.sensor[rows[changed]]),
                    *(truth[changed], value[changed]),
                )

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        return {"truth": self.truth, "value": self.value}


def _told(node: ex.Node, is_condition: bool, columns: PaneColumns) -> tuple[Codes, Floats]:
    """What a signal is for each row: its truth, and the number behind it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if not is_condition:
            value = _as_floats(judge.number(node, columns), columns.row_count)
            return np.where(np.isnan(value), UNKNOWN, FALSE).astype(np.uint8), value
        found = judge.truth(node, columns)
        about = next((f for f in ex.features(node) if not f.target), None)
        shown = np.nan if about is None else columns.feature(about)
    truth = np.where(found.unknown, UNKNOWN, np.where(found.true, TRUE, FALSE))
    return truth.astype(np.uint8), _as_floats(shown, columns.row_count)


def _as_floats(column: judge.Numbers | float, row_count: int) -> Floats:
    return np.array(np.broadcast_to(np.asarray(column, dtype=np.float64), row_count))
