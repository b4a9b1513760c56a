"""Features: the measures that rules ask for, as columns that conditions can be judged over.

Enters     closed panes with the windows that end there; readings for the rules on `value` alone
Leaves     one column per feature, NaN where it is unknown; attributes of the catalogue as columns
Remembers  the attributes, read once
Refuses    nothing: what cannot be known is unknown

A feature of a window is unknown when the window holds less than the rule's share of the readings
that were due.  `value` is unknown from `stale_after` after the reading it comes from.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.calendars import Calendars
from engine.measures import ALWAYS_KNOWN, Measures
from engine.registry import Catalogue
from rules import expression as ex
from rules.errors import Place
from rules.needs import WINDOWED
from rules.plan import RulePlan
from rules.units import NUMBER, Scale, UnitError, attribute_value, of_own_unit

NS_PER_S = 1_000_000_000

Floats = NDArray[np.floating]
Rows = NDArray[np.intp]

ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


class AttributeColumns(Protocol):
    """Where the attributes of some rows are looked up."""

    @property
    def calendars(self) -> Calendars:
        """Seasons, hours and calendars of the rows."""

    def column(self, attribute: ex.Attribute, scale: Scale) -> NDArray[np.generic]:
        """All rows: float64[s] with NaN, or texts with None."""


class Attributes:
    """The catalogue's attributes of the sensors of one bank, as columns in a rule's scale."""

    __slots__ = ("catalogue", "columns", "known_calendars", "sensor")

    def __init__(self, catalogue: Catalogue, sensor: NDArray[np.int32]) -> None:
        self.catalogue = catalogue
        self.sensor = sensor
        self.columns: dict[tuple[Scale, ex.Attribute], NDArray[np.generic]] = {}
        self.known_calendars: Calendars | None = None

    def column(self, attribute: ex.Attribute, scale: Scale) -> NDArray[np.generic]:
        """All rows of the bank: float64[s] with NaN, or texts with None."""
        key = (scale, attribute)
        if key not in self.columns:
            texts = [self._text(attribute, int(sensor)) for sensor in self.sensor]
            units = [self.catalogue.types[int(t)].unit for t in self._types()]
            self.columns[key] = (
                np.array(texts, dtype=object)
                if attribute.is_text
                else np.array(
                    [
                        _number(text, attribute, scale, own)
                        for text, own in zip(texts, units, strict=True)
                    ]
                )
            )
        return self.columns[key]

    @property
    def calendars(self) -> Calendars:
        """The calendars of the rows, read when a rule first asks for one."""
        if self.known_calendars is None:
            sites, site = self.catalogue.sites, self.catalogue.sensors.site[self.sensor]
            zone = [sites.attributes[number].get("timezone") for number in site]
            self.known_calendars = Calendars(
                zone, sites.lat[site] < 0, self._texts, usual=self.catalogue.time_zone
            )
        return self.known_calendars

    def _texts(self, name: str) -> list[str | None]:
        """An attribute of the asset as it is written, of each row."""
        attribute = ex.Attribute("asset", name, NUMBER, True, False, Place("", 0, 0))
        return [self._text(attribute, int(sensor)) for sensor in self.sensor]

    def _types(self) -> NDArray[np.int16]:
        return self.catalogue.sensors.type[self.sensor]

    def _text(self, attribute: ex.Attribute, sensor: int) -> str | None:
        sensors, sites = self.catalogue.sensors, self.catalogue.sites
        site_text = sites.attributes[int(sensors.site[sensor])].get(attribute.name)
        own = sensors.attributes.get(attribute.name)
        own_text = None if own is None else own[sensor]
        if attribute.scope == "site":
            return site_text
        if own_text is None and attribute.scope == "asset":
            own_text = site_text
        return own_text if own_text is not None else _built_in(self.catalogue, attribute, sensor)


def _built_in(catalogue: Catalogue, attribute: ex.Attribute, sensor: int) -> str | None:
    """What every sensor has: its period and its physical range."""
    sensors = catalogue.sensors
    match attribute.name:
        case "period":
            period_ns = int(sensors.period_ns[sensor])
            return f"{period_ns / NS_PER_S} s" if period_ns else None
        case "range_low" | "range_high":
            bound = (sensors.low if attribute.name == "range_low" else sensors.high)[sensor]
            return repr(float(bound)) if np.isfinite(bound) else None
        case _:
            return None


def _number(text: str | None, attribute: ex.Attribute, scale: Scale, own: str) -> float:
    """An attribute in the rule's scale; a bare number is in the unit of the rule's input.

    `own` is the unit of the sensor's type, which a rule over all types computes in.
    """
    if text is None or not text.strip():
        return float("nan")
    try:
        dimension, scale = of_own_unit(attribute.dimension, scale, own)
        return attribute_value(text, dimension, scale, is_point=attribute.is_point)
    except UnitError:
        # `tocsin check` and the start of the engine refuse it with its cell; here it is unknown.
        return float("nan")


class PaneColumns:
    """What the conditions of one rule see at the end of a pane."""

    __slots__ = ("attributes", "measures", "plan", "row_count", "stale_ns")

    def __init__(
        self,
        plan: RulePlan,
        measures: Measures,
        attributes: AttributeColumns,
        stale_ns: NDArray[np.int64],
    ) -> None:
        self.plan = plan
        self.measures = measures
        self.attributes = attributes
        self.stale_ns = stale_ns
        self.row_count = measures.rows.size

    def feature(self, feature: ex.Feature) -> Floats:
        """The feature's column, unknown where the rule's coverage or staleness says so."""
        measures = self._stream(feature)
        if measures is None:
            nothing = 0.0 if feature.name in ALWAYS_KNOWN else np.nan
            return np.full(self.row_count, nothing)
        match feature.name:
            case "value":
                fresh = measures.end_ns - measures.value_ns < self.stale_ns[measures.rows]
                return np.where(fresh, measures.value, measures.value.dtype.type(np.nan))
            case "age":
                assert measures.age_s is not None
                return measures.age_s
            case "unchanged":
                assert measures.unchanged_s is not None
                return measures.unchanged_s
            case "anomaly":
                missing = np.full(self.row_count, np.nan)
                return missing if self.measures.anomaly is None else self.measures.anomaly
            case "stalta":
                short_ns, long_ns = feature.windows_ns
                return self.measures.onsets[short_ns, long_ns]
            case _:
                target = None if feature.target is None else self._quantity(feature.target)
                return measures.column(self.plan.asks(feature), target)

    def _stream(self, feature: ex.Feature) -> Measures | None:
        """What the feature is about: good readings, all readings, or scores; None: no scores."""
        if feature.stream == "anomaly":
            return self.measures.scores
        # How many readings are bad is told by the good ones beside all of them.
        if not self.plan.is_raw or feature.name == "bad_share":
            return self.measures
        assert self.measures.raw is not None
        return self.measures.raw

    def _quantity(self, node: ex.Node) -> Floats:
        """What `time_to` waits for: numbers, attributes, and what is reckoned of them."""
        match node:
            case ex.Number(value=value):
                return np.full(self.row_count, value)
            case ex.Attribute():
                return self.attribute(node).astype(np.float64)
            case ex.Negate(operand=operand):
                return -self._quantity(operand)
            case ex.Arithmetic(operator=operator, left=left, right=right):
                a, b = self._quantity(left), self._quantity(right)
                with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                    found = ARITHMETIC[operator](a, b)
                return np.where(np.isfinite(found), found, np.nan)
            case ex.OrElse(first=first, second=second):
                one, other = self._quantity(first), self._quantity(second)
                return np.where(np.isnan(one), other, one)
            case _:
                message = f"{type(node).__name__} is nothing to wait for"
                raise AssertionError(message)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute of each row."""
        scale = self.plan.rule.input.scale
        return self.attributes.column(attribute, scale)[self.measures.rows]

    def calendar(self, node: ex.Calendar) -> NDArray[np.generic]:
        """The season, hour or calendar of each row at the pane's end: engine/calendars.py."""
        return self.attributes.calendars.column(node, self.measures.end_ns, self.measures.rows)

    def coverage(self) -> Floats:
        """Share of the expected inputs that were known, over the rule's longest window."""
        windowed = [f for f in self.plan.features if f.name in WINDOWED and not f.stream]
        if not windowed:
            return np.ones(self.row_count)
        longest = max(windowed, key=lambda feature: feature.windows_ns[0])
        measures = self._stream(longest)
        assert measures is not None
        return measures.coverage(longest.windows_ns[0])


class ReadingColumns:
    """What the conditions of a rule on `value` alone see: readings, one row each."""

    __slots__ = ("attributes", "plan", "row_count", "rows", "value")

    def __init__(
        self, plan: RulePlan, rows: NDArray[np.int32], value: Floats, attributes: Attributes
    ) -> None:
        self.plan = plan
        self.rows = rows
        self.value = value
        self.attributes = attributes
        self.row_count = value.size

    def feature(self, feature: ex.Feature) -> Floats:
        """The readings."""
        assert feature.name == "value"
        return self.value

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute of each reading's sensor."""
        return self.attributes.column(attribute, self.plan.rule.input.scale)[self.rows]
