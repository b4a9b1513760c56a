"""Instance columns: what the members of instances told last, as columns for conditions.

A *slot* is one thing that a rule knows of each member of a set, or the grade of another rule; an
*edge* is one member of one instance.  The edges of an instance are neighbours, so what a set says
is a sum over a slice.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.grades import NS_PER_S, PAST, highest_lately, past_of, rolled_up
from engine.instances import InstanceAttributes
from engine.placement import Placed
from engine.registry import Catalogue
from engine.sequences import Progress
from engine.signals import FALSE, TRUE, UNKNOWN
from kernels.standing import FOREVER_NS
from rules import expression as ex
from rules import judge, sets
from rules.expression import Node
from rules.grouping import OWN_ROLLUP, Followed, Signal, tops
from rules.intervals import Interval
from rules.judge import Truth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

QUARTER_NS = 900 * NS_PER_S


class InstanceState:
    """What each edge told last; one column for each slot, those of signals first.

    truth    uint8[e]    FALSE, TRUE or UNKNOWN
    value    float64[e]  the number, what the condition was about, or the grade
    time_ns  int64[e]    since when
    past     PAST[n]     grades of other rules that are over, as long as somebody asks for them
    """

    __slots__ = (
        "aged",
        "attributes",
        "edges",
        "has_calendar",
        "hazards",
        "ignores",
        "kept_ns",
        "missing",
        "past",
        "placed",
        "places",
        "progress",
        "signal_count",
        "slots",
        "time_ns",
        "truth",
        "value",
    )

    def __init__(
        self, placed: Placed, catalogue: Catalogue, hazards: Mapping[str, str] | None = None
    ) -> None:
        """hazards: of the rules that are followed, by their names."""
        group = placed.group
        self.placed = placed
        self.hazards = hazards or {}
        self.ignores = group.plan.rule.quality.unknown == "ignore"
        self.attributes = InstanceAttributes(placed.instances, catalogue)
        self.places = group.places()
        self.edges = [placed.instances.edges[s.members] for s in group.signals]
        self.signal_count = len(self.edges)
        self.slots = {
            following.what: self.signal_count + number
            for number, following in enumerate(placed.followings)
        }
        self.edges += [following.edges for following in placed.followings]
        self.truth = [np.full(e.row.size, UNKNOWN, dtype=np.uint8) for e in self.edges]
        self.value = [np.full(e.row.size, np.nan) for e in self.edges]
        self.time_ns = [np.zeros(e.row.size, dtype=np.int64) for e in self.edges]
        for slot in self.slots.values():
            self.truth[slot][:] = FALSE
            self.value[slot][:] = 0.0
        self.missing = [self._missing(signal) for signal in group.signals]
        self.past = np.empty(0, dtype=PAST)
        nodes = [node for top in tops(group.plan) for node in ex.walk(top)]
        asked = [n for n in nodes if isinstance(n, ex.OtherRule) and n.within_ns is not None]
        # How long what is over stays of interest, by slot.
        self.kept_ns: dict[int, list[int]] = {}
        for node in asked:
            slot = self.slots[Followed(node.rule, node.radius_m)]
            self.kept_ns.setdefault(slot, []).append(node.within_ns or 0)
        self.has_calendar = any(isinstance(node, ex.Calendar) for node in nodes)
        others = [n for n in nodes if isinstance(n, ex.OtherRule) and n.what == "age"]
        self.aged = sorted({self.slots[Followed(n.rule, n.radius_m)] for n in others})
        sequence = group.plan.rule.sequence
        rows = len(placed.instances.key)
        self.progress = None if sequence is None else Progress(sequence, rows)

    def _missing(self, signal: Signal) -> NDArray[np.uint8]:
        """What a condition is for an instance that has no such sensor: `known(x)` is false then."""
        row_count = len(self.placed.instances.key)
        if signal.is_asked_of == "member" or not signal.is_condition:
            return np.full(row_count, UNKNOWN, dtype=np.uint8)
        found = judge.truth(signal.node, _Missing(self, row_count))
        code = np.where(found.unknown, UNKNOWN, np.where(found.true, TRUE, FALSE))
        return code.astype(np.uint8)

    def apply(self, told: NDArray[np.void]) -> None:
        """From here on this holds: TOLD[n] of one instant."""
        for slot in np.unique(told["slot"]).tolist():
            mine = told[told["slot"] == slot]
            if slot in self.kept_ns:
                self.past = np.concatenate([self.past, past_of(slot, mine, self.value[slot])])
            self.truth[slot][mine["edge"]] = mine["truth"]
            self.value[slot][mine["edge"]] = mine["value"]
            self.time_ns[slot][mine["edge"]] = mine["time_ns"]

    def wakes(self, rows: Ints, instant_ns: int) -> Ints:
        """When something about these instances changes by itself; FOREVER_NS if nothing does."""
        found = np.full(len(self.placed.instances.key), FOREVER_NS, dtype=np.int64)
        for slot, spans_ns in self.kept_ns.items():
            mine = self.past[self.past["slot"] == slot]
            row = self.edges[slot].row[mine["edge"]]
            for span_ns in spans_ns:
                ends_ns = mine["until_ns"] + span_ns
                ahead = ends_ns > instant_ns
                np.minimum.at(found, row[ahead], ends_ns[ahead])
        if self.has_calendar:
            # Zones begin their hours and days at quarters of hours.
            np.minimum.at(found, rows, (instant_ns // QUARTER_NS + 1) * QUARTER_NS)
        for slot in self.aged:
            # An age is looked at each second, counted from when it began.
            mine = np.flatnonzero((self.value[slot] > 0) & (self.time_ns[slot] <= instant_ns))
            since_ns = self.time_ns[slot][mine]
            passed = (instant_ns - since_ns) // NS_PER_S + 1
            np.minimum.at(found, self.edges[slot].row[mine], since_ns + passed * NS_PER_S)
        if self.progress is not None:
            np.minimum.at(found, rows, self.progress.wakes(rows, instant_ns))
        return found[rows]

    def forget(self, instant_ns: int) -> None:
        """Drop the grades that nobody can ask for any more after an instant."""
        longest_ns = {slot: max(spans) for slot, spans in self.kept_ns.items()}
        keep = np.zeros(self.past.size, dtype=bool)
        for slot, span_ns in longest_ns.items():
            mine = self.past["slot"] == slot
            keep |= mine & (self.past["until_ns"] + span_ns >= instant_ns)
        self.past = self.past[keep]

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
        return found if self.progress is None else found | dict(self.progress.columns())


class _Missing:
    """Instances without the sensor that a condition is about."""

    def __init__(self, state: InstanceState, row_count: int) -> None:
        self.state = state
        self.row_count = row_count

    def feature(self, feature: ex.Feature) -> Floats:
        """Nothing is known of it."""
        del feature
        return np.full(self.row_count, np.nan)

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """What the catalogue says of each instance."""
        scale = self.state.placed.group.plan.rule.input.scale
        return self.state.attributes.column(attribute, scale)


class InstanceRows:
    """Some instances of a rule at one instant, as its conditions see them."""

    def __init__(self, state: InstanceState, rows: Ints, instant_ns: int) -> None:
        self.state = state
        self.rows = rows
        self.instant_ns = instant_ns
        self.row_count = rows.size
        self._slices: dict[int, tuple[Ints, Ints]] = {}

    def truth_of(self, node: Node) -> Truth | None:
        """A signal, what a set says of one, or a step of the sequence."""
        if isinstance(node, ex.Calendar) and ex.is_condition(node):
            said = self._calendar(node).astype(np.float64)
            return Truth(said == 1.0, np.isnan(said))
        if isinstance(node, ex.Step):
            assert self.state.progress is not None
            return self.state.progress.truth_of(node.name, self.rows)
        slot = self.state.places.get(id(node))
        if slot is None:
            return None
        if isinstance(node, ex.Vote):
            start, truth = self._members(slot)
            how = sets.has_any if node.method == "any" else sets.have_all
            return how(start, truth, ignores=self.state.ignores)
        code = self.state.missing[slot][self.rows]
        edge, is_there = self._lone(slot)
        code[is_there] = self.state.truth[slot][edge[is_there]]
        return Truth(code == TRUE, code == UNKNOWN)

    def number_of(self, node: Node) -> Interval | None:
        """A signal's number, what a set makes of them, or what another rule says."""
        if isinstance(node, ex.OtherRule):
            return self._other(node)
        if isinstance(node, ex.Calendar):
            hour = self._calendar(node).astype(np.float64)
            return Interval(hour, hour)
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
        found = np.full(self.row_count, np.nan)
        edge, is_there = self._lone(slot)
        found[is_there] = self.state.value[slot][edge[is_there]]
        return found

    def attribute(self, attribute: ex.Attribute) -> NDArray[np.generic]:
        """What the catalogue says of each instance."""
        scale = self.state.placed.group.plan.rule.input.scale
        return self.state.attributes.column(attribute, scale)[self.rows]

    def text_of(self, node: Node) -> NDArray[np.generic]:
        """The season of each instance."""
        assert isinstance(node, ex.Calendar)
        return self._calendar(node)

    def _calendar(self, node: ex.Calendar) -> NDArray[np.generic]:
        return self.state.attributes.calendars.column(node, self.instant_ns, self.rows)

    def _other(self, node: ex.OtherRule) -> Interval:
        """The highest grade of another rule's subjects, now or lately, or its age in seconds."""
        if node.rule == OWN_ROLLUP:
            grade = self._rolled_up()
            return Interval(grade, grade)
        slot = self.state.slots[Followed(node.rule, node.radius_m)]
        start, edges = self._slice(slot)
        value = self.state.value[slot][edges]
        grade, _ = sets.greatest(start, value, ignores=False)
        grade = np.where(np.isnan(grade), 0.0, grade)
        if node.what == "age":
            for_s = (self.instant_ns - self.state.time_ns[slot][edges]) / NS_PER_S
            age, _ = sets.greatest(start, np.where(value > 0, for_s, np.nan), ignores=True)
            return Interval(age, age)
        if node.within_ns is not None:
            past = self.state.past[self.state.past["slot"] == slot]
            lately = highest_lately(
                *(past, self.state.edges[slot]),
                since_ns=self.instant_ns - node.within_ns,
                row_count=len(self.state.placed.instances.key),
            )
            grade = np.maximum(grade, lately[self.rows])
        return Interval(grade, grade)

    def _rolled_up(self) -> Floats:
        rollup = self.state.placed.group.plan.rule.rollup
        assert rollup is not None
        slots = [self.state.slots[Followed(name, None)] for name in rollup.of]
        slices = [self._slice(slot) for slot in slots]
        return rolled_up(
            [self.state.value[slot][edges] for slot, (_, edges) in zip(slots, slices, strict=True)],
            [start for start, _ in slices],
            [self.state.hazards.get(name, "") for name in rollup.of],
            rollup.promote,
            by_hazard=rollup.each == "hazard",
        )

    def _lone(self, slot: int) -> tuple[Ints, NDArray[np.bool_]]:
        """The one edge of each instance, and whether it has one."""
        start = self.state.edges[slot].start
        return start[self.rows], start[self.rows + 1] > start[self.rows]

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
