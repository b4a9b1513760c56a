"""Sayings: what a rule's message tells beside its value, measured when the grade changes.

A template names inputs and `let` of its rule (rules/shown.py).  Their values are kept with the
change, so what is told of it later, or on a replay, says the same.  Nothing is measured for a rule
whose templates name nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rules import expression as ex
from rules import intervals, judge
from rules.expression import Node
from rules.message import Shown
from rules.phrases import SEASON, SEASONS
from rules.plan import RulePlan
from rules.shown import word_of
from rules.units import Scale

# The facts of a change under which its sayings are kept; they are no part of what is sent.
SAYINGS = "sayings"
NOTHING: Mapping[str, Shown] = {}


class Settled(Protocol):
    """Where the attributes of all rows are looked up."""

    def column(self, attribute: ex.Attribute, scale: Scale) -> NDArray[np.generic]:
        """All rows: float64[s] with NaN, or texts with None."""


class Sayings:
    """What the templates of one rule name, with how each is written."""

    __slots__ = ("nodes", "plan")

    def __init__(self, plan: RulePlan) -> None:
        self.plan = plan
        self.nodes = {
            name: (node, word_of(node, plan.rule)) for name, node in plan.rule.shown.items()
        }

    def of_pane(
        self, columns: judge.Columns, places: NDArray[np.intp]
    ) -> Sequence[Mapping[str, Shown]]:
        """What holds for some rows of a pane's columns."""
        found: list[dict[str, Shown]] = [{} for _ in range(places.size)]
        for name, (node, word) in self.nodes.items():
            for said, value in zip(found, _column(node, columns)[places], strict=True):
                said[name] = _said(value, word)
        return found

    def of_readings(
        self, changes: NDArray[np.void], attributes: Settled
    ) -> Sequence[Mapping[str, Shown]]:
        """What holds with the readings that some changes come from."""
        if not self.nodes:
            return [NOTHING] * changes.size
        columns = _Readings(self.plan, changes, attributes)
        return self.of_pane(columns, np.arange(changes.size))

    def of_instance(self, columns: intervals.InstanceColumns) -> Mapping[str, Shown]:
        """What holds for one instance; of an interval the lower bound, as with the value."""
        found: dict[str, Shown] = {}
        for name, (node, word) in self.nodes.items():
            if _is_text(node):
                found[name] = _said(_text_of_instances(node, columns)[0], word)
            elif ex.is_condition(node):
                found[name] = (_truth(intervals.truth(node, columns))[0], word)
            else:
                found[name] = _said(intervals.number(node, columns).low[0], word)
        return found

    def kept(self, facts: Mapping[str, object]) -> Mapping[str, Shown]:
        """What was kept with a change, for every name there is; what was not kept is unknown."""
        kept = facts.get(SAYINGS, NOTHING)
        assert isinstance(kept, Mapping)
        found: dict[str, Shown] = {}
        for name, (node, word) in self.nodes.items():
            said = kept.get(name, "" if _is_plain_text(node) else (np.nan, word))
            # A snapshot turns pairs into lists.
            found[name] = said if isinstance(said, str) else (float(said[0]), str(said[1]))
        return found


class _Readings:
    """The readings behind some changes, as conditions see them."""

    def __init__(self, plan: RulePlan, changes: NDArray[np.void], attributes: Settled) -> None:
        self.plan = plan
        self.attributes = attributes
        self.rows = changes["row"].astype(np.int64)
        self.value = changes["value"].astype(np.float64)
        self.row_count = changes.size

    def feature(self, feature: ex.Feature) -> NDArray[np.float64]:
        """The reading, where it is what the rule compares."""
        assert feature.name == "value", "a message on readings shows readings: E433"
        is_compared = isinstance(self.plan.value, ex.Feature)
        return self.value if is_compared else np.full(self.row_count, np.nan)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """The attribute of each row."""
        return self.attributes.column(attribute, self.plan.rule.input.scale)[self.rows]


def _column(node: Node, columns: judge.Columns) -> NDArray[np.generic]:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if _is_text(node):
            return _text(node, columns)
        if ex.is_condition(node):
            return _truth(judge.truth(node, columns))
        return np.broadcast_to(np.asarray(judge.number(node, columns)), columns.row_count)


def _text(node: Node, columns: judge.Columns | intervals.InstanceColumns) -> NDArray[np.generic]:
    if isinstance(node, ex.Text):
        return np.full(columns.row_count, node.value, dtype=object)
    if isinstance(node, ex.Attribute):
        return columns.attribute(node)
    assert isinstance(node, ex.Calendar)
    calendar = getattr(columns, "calendar", None)
    assert calendar is not None, "a message on readings asks for no calendar: E433"
    found: NDArray[np.generic] = calendar(node)
    return found


def _text_of_instances(node: Node, columns: intervals.InstanceColumns) -> NDArray[np.generic]:
    return columns.text_of(node) if isinstance(node, ex.Calendar) else _text(node, columns)


def _is_text(node: Node) -> bool:
    is_season = isinstance(node, ex.Calendar) and node.name == "season"
    return is_season or _is_plain_text(node)


def _is_plain_text(node: Node) -> bool:
    return isinstance(node, ex.Text) or (isinstance(node, ex.Attribute) and node.is_text)


def _truth(truth: judge.Truth) -> NDArray[np.float64]:
    return np.where(truth.unknown, np.nan, truth.true.astype(np.float64))


def _said(value: object, word: str) -> Shown:
    """One value as it is kept: a text, or a number with how it is written."""
    if value is None:
        return ""
    if word == SEASON:
        return float(SEASONS["en"].index(str(value))), word
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    # Nothing is infinitely small: such a bound says that nothing is known.
    return (np.nan if number == -np.inf else number), word
