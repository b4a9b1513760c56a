"""Variants: which settings of a rule hold for each row.

Overrides give some sensors other thresholds, timings or quality; `input.where` and `mode: disabled`
leave some out.  A rule that has none of these is one variant that all rows share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.features import AttributeColumns, Attributes, Floats, PaneColumns
from engine.measures import Measures
from engine.registry import Catalogue
from rules import expression as ex
from rules import judge, overriding
from rules.plan import RulePlan, variant_plan
from rules.units import Scale

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Variants:
    """The different plans of a rule, and the one of each row.

    of  int32[rows]  -1: the rule does not apply to this row
    """

    plans: tuple[RulePlan, ...]
    of: NDArray[np.int32]

    @classmethod
    def single(cls, plan: RulePlan, rows: int) -> "Variants":
        """The same settings for all rows."""
        # One zero that all rows share: a million of them cost as much as one.
        return cls((plan,), np.broadcast_to(np.int32(0), rows))

    @property
    def is_single(self) -> bool:
        """All rows are judged alike."""
        return len(self.plans) == 1 and not self.is_partial

    @cached_property
    def is_partial(self) -> bool:
        """There are rows to which the rule does not apply; asked at every frame, so found once."""
        return bool(np.any(self.of < 0))

    def plan_of(self, row: int) -> RulePlan:
        """The settings of one row."""
        return self.plans[max(int(self.of[row]), 0)]


class VariedColumns:
    """What the conditions of a rule see at the end of a pane, where its variants see differently.

    A window is covered or not by the settings of its own row.
    """

    __slots__ = ("measures", "of", "row_count", "tables")

    def __init__(self, tables: Sequence[PaneColumns], of: NDArray[np.int32]) -> None:
        """tables: one per variant, over the same measures; of int32[m]: the variant of each row."""
        self.tables = tables
        self.of = of
        self.measures: Measures = tables[0].measures
        self.row_count = tables[0].row_count

    def feature(self, feature: ex.Feature) -> Floats:
        """The feature of each row, as its variant sees it."""
        return self._chosen([table.feature(feature) for table in self.tables])

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute of each row."""
        return self.tables[0].attribute(attribute)

    def calendar(self, node: ex.Calendar) -> NDArray[np.generic]:
        """The season, hour or calendar of each row."""
        return self.tables[0].calendar(node)

    def coverage(self) -> Floats:
        """Share of the expected inputs that were known."""
        return self.tables[0].coverage()

    def _chosen(self, columns: Sequence[Floats]) -> Floats:
        found = columns[0].copy()
        for number, column in enumerate(columns[1:], 1):
            mine = self.of == number
            found[mine] = column[mine]
        return found


def variants_of(plan: RulePlan, attributes: Attributes, *, today: str) -> Variants:
    """Which settings of a rule hold for each row of a bank, on a day (ISO; empty: any day)."""
    rule, catalogue, sensor = plan.rule, attributes.catalogue, attributes.sensor
    if not rule.overrides and rule.input.where is None and rule.mode != "disabled":
        return Variants.single(plan, sensor.size)
    plans = [plan]
    of = np.zeros(sensor.size, dtype=np.int32)
    if rule.overrides:
        keys = sorted({key for override in rule.overrides for key in override.match})
        texts = [_texts_of(catalogue, sensor, key) for key in keys]
        # Sensors that say the same of what is matched have the same settings.
        kinds = dict.fromkeys(zip(*texts, strict=True)) if texts else {}
        known = [
            {key: text for key, text in zip(keys, kind, strict=True) if text is not None}
            for kind in kinds
        ]
        rules, numbers, _ = overriding.variants(rule, known, today=today)
        number_of = dict(zip(kinds, numbers, strict=True))
        of[:] = [number_of[kind] for kind in zip(*texts, strict=True)]
        plans += [variant_plan(plan, other) for other in rules[1:]]
    if rule.input.where is not None:
        rows = SettledColumns(attributes, sensor.size, rule.input.scale)
        of[~judge.truth(rule.input.where, rows).true] = -1
    for number, one in enumerate(plans):
        if one.rule.mode == "disabled":
            of[of == number] = -1
    return Variants(tuple(plans), of)


def _texts_of(catalogue: Catalogue, sensor: NDArray[np.int32], key: str) -> list[str | None]:
    """What an override matches of each sensor: its name, its site's name, or an attribute."""
    sensors, sites = catalogue.sensors, catalogue.sites
    site = sensors.site[sensor].tolist()
    if key == "sensor":
        return [sensors.name[number] for number in sensor.tolist()]
    if key == "site":
        return [sites.name[number] for number in site]
    own = sensors.attributes.get(key)
    if own is None:
        return [sites.attributes[number].get(key) for number in site]
    return [
        own[number] if own[number] is not None else sites.attributes[at].get(key)
        for number, at in zip(sensor.tolist(), site, strict=True)
    ]


class SettledColumns:
    """The attributes of all rows of a bank, as a rule's conditions see them."""

    __slots__ = ("attributes", "row_count", "scale")

    def __init__(self, attributes: AttributeColumns, row_count: int, scale: Scale) -> None:
        self.attributes = attributes
        self.row_count = row_count
        self.scale = scale

    def feature(self, feature: ex.Feature) -> Floats:
        """No feature depends on attributes alone."""
        message = f"{feature.name} is not settled"
        raise AssertionError(message)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """An attribute of every row."""
        return self.attributes.column(attribute, self.scale)


SeenColumns = PaneColumns | VariedColumns


def view_of(plan: RulePlan) -> tuple[object, ...]:
    """What a column depends on beside its feature."""
    read, quality = plan.rule.input, plan.rule.quality
    return read.scale, read.kind, plan.coverage, quality.stale_after_ns, quality.view


def pane_columns(
    variants: Variants, stale_ns: Ints, measures: Measures, attributes: Attributes
) -> SeenColumns:
    """What the conditions of a rule see at the end of a pane; stale_ns int64[rows]."""
    tables = [PaneColumns(plan, measures, attributes, stale_ns) for plan in variants.plans]
    if len({view_of(plan) for plan in variants.plans}) == 1:
        return tables[0]
    return VariedColumns(tables, variants.of[measures.rows])
