"""Instance columns: what the members of instances told last, as columns for conditions.

A *slot* is one thing that a rule knows of each member of a set, an *edge* is one member of one
instance.  The edges of an instance are neighbours, so what a set says is a sum over a slice.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.instances import InstanceAttributes
from engine.placement import Placed
from engine.registry import Catalogue
from engine.signals import TRUE, UNKNOWN
from rules import expression as ex
from rules import sets
from rules.expression import Node
from rules.intervals import Interval
from rules.judge import Truth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class InstanceState:
    """What each edge told last; one column for each slot.

    truth    uint8[e]    FALSE, TRUE or UNKNOWN
    value    float64[e]  the number, or what the condition was about
    time_ns  int64[e]    since when
    """

    __slots__ = ("attributes", "edges", "ignores", "placed", "places", "time_ns", "truth", "value")

    def __init__(self, placed: Placed, catalogue: Catalogue) -> None:
        self.placed = placed
        self.ignores = placed.group.plan.rule.quality.unknown == "ignore"
        self.attributes = InstanceAttributes(placed.instances, catalogue)
        self.places = placed.group.places()
        self.edges = [placed.instances.edges[s.members] for s in placed.group.signals]
        self.truth = [np.full(e.row.size, UNKNOWN, dtype=np.uint8) for e in self.edges]
        self.value = [np.full(e.row.size, np.nan) for e in self.edges]
        self.time_ns = [np.zeros(e.row.size, dtype=np.int64) for e in self.edges]

    def coverage(self, row: int) -> float:
        """The share of what the instance looks at that is known."""
        told = [self.truth[n][self.slice_of(n, row)] for n in range(len(self.edges))]
        known = sum(int(np.count_nonzero(one != UNKNOWN)) for one in told)
        count = sum(one.size for one in told)
        return known / count if count else 1.0

    def slice_of(self, slot: int, row: int) -> slice:
        """The edges of one instance in a slot."""
        start = self.edges[slot].start
        return slice(int(start[row]), int(start[row + 1]))

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {}
        for slot in range(len(self.edges)):
            found[f"{slot}/truth"] = self.truth[slot]
            found[f"{slot}/value"] = self.value[slot]
            found[f"{slot}/time_ns"] = self.time_ns[slot]
        return found


class InstanceRows:
    """Some instances of a rule, as its conditions see them."""

    def __init__(self, state: InstanceState, rows: Ints) -> None:
        self.state = state
        self.rows = rows
        self.row_count = rows.size
        self._slices: dict[int, tuple[Ints, Ints]] = {}

    def truth_of(self, node: Node) -> Truth | None:
        """A signal, or what a set says of one."""
        slot = self.state.places.get(id(node))
        if slot is None:
            return None
        if isinstance(node, ex.Vote):
            start, truth = self._members(slot)
            how = sets.has_any if node.method == "any" else sets.have_all
            return how(start, truth, ignores=self.state.ignores)
        edge, is_there = self._lone(slot)
        code = np.where(is_there, self.state.truth[slot][edge], UNKNOWN) if edge.size else edge
        return Truth(code == TRUE, code == UNKNOWN)

    def number_of(self, node: Node) -> Interval | None:
        """A signal's number, or what a set makes of them."""
        slot = self.state.places.get(id(node))
        if slot is None:
            return None
        if isinstance(node, ex.Vote):
            start, truth = self._members(slot)
            count = sets.votes if node.method == "votes" else sets.share
            return Interval(*count(start, truth, ignores=self.state.ignores))
        is_narrow = self.state.placed.narrow[slot]
        if isinstance(node, ex.Gather):
            start, edges = self._slice(slot)
            value = self.state.value[slot][edges]
            gather = sets.GATHERED[node.method]
            return Interval(*gather(start, value, ignores=self.state.ignores), is_narrow)
        value = self.shown(slot)
        return Interval(value, value, is_narrow)

    def shown(self, slot: int) -> Floats:
        """The number behind a slot of one sensor, NaN where there is none."""
        edge, is_there = self._lone(slot)
        if not self.state.value[slot].size:
            return np.full(self.row_count, np.nan)
        return np.where(is_there, self.state.value[slot][edge], np.nan)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """What the catalogue says of each instance."""
        scale = self.state.placed.group.plan.rule.input.scale
        return self.state.attributes.column(attribute, scale)[self.rows]

    def _lone(self, slot: int) -> tuple[Ints, NDArray[np.bool_]]:
        """The one edge of each instance, and whether it has one."""
        start = self.state.edges[slot].start
        first = start[self.rows]
        is_there = start[self.rows + 1] > first
        return np.where(is_there, first, 0), is_there

    def _members(self, slot: int) -> tuple[Ints, Truth]:
        start, edges = self._slice(slot)
        code = self.state.truth[slot][edges]
        return start, Truth(code == TRUE, code == UNKNOWN)

    def _slice(self, slot: int) -> tuple[Ints, Ints]:
        """Edges of the instances one after another, and where those of each begin."""
        if slot not in self._slices:
            start = self.state.edges[slot].start
            first, count = start[self.rows], start[self.rows + 1] - start[self.rows]
            local = np.concatenate(([0], np.cumsum(count))).astype(np.int64)
            edges = np.repeat(first - local[:-1], count) + np.arange(local[-1])
            self._slices[slot] = local, edges
        return self._slices[slot]
