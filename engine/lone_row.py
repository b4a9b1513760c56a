"""Lone row: what the conditions of a rule saw of one sensor, for those who look afterwards."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.features import ReadingColumns
from engine.latches import Latches
from rules import expression as ex
from rules import judge


class LoneRow:
    """The columns of one row of a rule on single sensors; a feature not given is unknown."""

    row_count = 1

    def __init__(
        self, rule: Latches, row: int, features: Mapping[ex.Feature, float], now_ns: int
    ) -> None:
        assert rule.attributes is not None, "a row of a rule on single sensors"
        self.rows = np.array([row])
        self.attributes = rule.attributes
        nothing = np.full(1, np.nan)
        rows = self.rows.astype(np.int32)
        self.known = ReadingColumns(rule.variants.plan_of(row), rows, nothing, rule.attributes)
        self.features = features
        self.now_ns = now_ns

    def feature(self, feature: ex.Feature) -> NDArray[np.floating]:
        """What a feature was."""
        return np.array([self.features.get(feature, np.nan)])

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """What an attribute is."""
        return self.known.attribute(attribute)

    def calendar(self, node: ex.Calendar) -> NDArray[np.generic]:
        """The season, hour or calendar at the instant."""
        return self.attributes.calendars.column(node, self.now_ns, self.rows)

    def truth(self, node: ex.Node) -> bool | None:
        """Whether a condition held; None: unknown."""
        found = judge.truth(node, self)
        return None if found.unknown[0] else bool(found.true[0])

    def number(self, node: ex.Node) -> float:
        """What a quantity came to; NaN: unknown."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.asarray(judge.number(node, self)).reshape(-1)[0])
