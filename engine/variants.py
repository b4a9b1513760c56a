"""Variants: which settings of a rule hold for each row.

Overrides give some sensors other thresholds, timings or quality; `input.where` and `mode: disabled`
leave some out.  A rule that has none of these is one variant that all rows share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.features import Attributes, Floats, PaneColumns
from engine.measures import Measures
from rules import expression as ex
from rules.plan import RulePlan

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Variants:
    """The different plans of a rule, and the one of each row.

    of  int32[rows]  -1: the rule does not apply to this row
    """

    plans: tuple[RulePlan, ...]
    of: NDArray[np.int32]

    @classmethod
    def single(cls, plan: RulePlan, rows: int) -> "Variants":
        """The same settings for all rows."""
        return cls((plan,), np.zeros(rows, dtype=np.int32))

    @property
    def is_single(self) -> bool:
        """All rows are judged alike."""
        return len(self.plans) == 1 and not self.is_partial

    @property
    def is_partial(self) -> bool:
        """There are rows to which the rule does not apply."""
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


SeenColumns = PaneColumns | VariedColumns


def view_of(plan: RulePlan) -> tuple[object, ...]:
    """What a column depends on beside its feature."""
    read, quality = plan.rule.input, plan.rule.quality
    return read.unit, read.kind, plan.coverage, quality.stale_after_ns, quality.view


def pane_columns(
    variants: Variants, stale_ns: Ints, measures: Measures, attributes: Attributes
) -> SeenColumns:
    """What the conditions of a rule see at the end of a pane; stale_ns int64[rows]."""
    tables = [PaneColumns(plan, measures, attributes, stale_ns) for plan in variants.plans]
    if len({view_of(plan) for plan in variants.plans}) == 1:
        return tables[0]
    return VariedColumns(tables, variants.of[measures.rows])
