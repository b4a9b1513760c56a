"""Trial: the tests that rule packs carry, run through a real shard.

The readings of a test arrive in the order of their time and their delay; the events that follow
are compared with what the author expects.  The same rooms, kernels and latches as live; only the
catalogue is made up (`engine/scene.py`), and only data advance the clock, up to the very end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.clusters import Clusters
from engine.drive import Drive
from engine.episodes import Body
from engine.errors import ConfigError
from engine.expecting import Standing, contradiction
from engine.groups import Groups
from engine.instance_columns import InstanceRows
from engine.latches import Latches
from engine.lone_row import LoneRow
from engine.reasons import reasons
from engine.scene import START_NS, Scene, scene_of
from engine.shard import Shard, Tick
from engine.stations import ClusterRows
from engine.variants import SeenColumns
from kernels.latch import BLIND, UNKNOWN
from rules import expression as ex
from rules import intervals, judge
from rules.errors import Place, RuleErrors
from rules.grade import Grade
from rules.judge import WHEN_UNKNOWN
from rules.pack import Pack, Rule
from rules.scenario import At, Expectation, Scenario

PHASE_ARMING, PHASE_ON, PHASE_CLEARING = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold."""

    pack: str
    rule: str
    scenario: str
    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of a rule: its latches, and its place among them."""

    key: str
    latches: Latches
    row: int

    @property
    def phases(self) -> list[int]:
        """The phase of each grade, from blue to red."""
        phase = int(self.latches.latch[self.row]["phase"])
        return [phase >> 2 * grade & 3 for grade in range(4)]


class Played:
    """A test, played up to an instant: what was said, and how everything stands."""

    def __init__(self, scene: Scene, until_ns: int, *, watches: bool = False) -> None:
        """Play; until_ns counts from the start of the test; `watches` remembers for reasons."""
        self.scene = scene
        self.until_ns = until_ns
        self.drive = Drive.of(scene.assembly)
        shard = self.shard
        # What rules on windows were judged by last: rule, row -> the value of each feature.
        self.seen: dict[tuple[str, int], dict[ex.Feature, float]] = {}
        shard.watcher = self._note if watches else None
        for bank in shard.banks:
            for latches in bank.rules:
                # Expectations ask what is known of a row also while it is quiet.
                latches.is_thorough = True
        lateness_ns = int(shard.clock.bank["lateness_ns"].max())
        # The clock must pass the end by more than the lateness, so that all up to it is known.
        end = Tick(START_NS + until_ns + lateness_ns + 1)
        told = self.drive.advance([[*scene.work(until_ns), end]])
        self.events = [b for _, b in told if _event_ns(b) <= START_NS + until_ns]

    @property
    def shard(self) -> Shard:
        """The only one."""
        return self.drive.shards[0]

    def said(self, rule: str, key: str) -> list[Body]:
        """What was said of a rule, of one instance or of all."""
        return [
            body
            for body in self.events
            if f"{body['pack']}/{body['rule']}" == rule and key in ("", body["subject"])
        ]

    def rows(self, rule: str, key: str) -> Iterator[Row]:
        """The instances of a rule, or the one with a key."""
        for bank in self.shard.banks:
            for latches in bank.rules:
                if latches.plan.name == rule:
                    names = self.scene.assembly.catalogue.sensors.name
                    for row, sensor in enumerate(bank.sensor):
                        yield from _if_wanted(Row(names[sensor], latches, row), key)
        groups = self.groups(rule)
        if groups is not None:
            for row, name in enumerate(groups.state.placed.instances.key):
                yield from _if_wanted(Row(name, groups.latches, row), key)
        clusters = self.clusters(rule)
        if clusters is not None:
            # Clusters come and go: the last that was born stands for all of them.
            row = int(np.argmax(clusters.stations.serial))
            yield from _if_wanted(Row("", clusters.latches, row), key)

    def groups(self, rule: str) -> Groups | None:
        """The instances of a rule on several sensors, in the shard or beyond it."""
        far = self.drive.correlate
        return self.shard.quorum.groups.get(rule) or (far.groups.get(rule) if far else None)

    def clusters(self, rule: str) -> Clusters | None:
        """The clusters of a rule on a network of stations."""
        far = self.drive.correlate
        return far.clusters.get(rule) if far else None

    def _note(self, rule: Latches, columns: SeenColumns) -> None:
        if columns.measures.end_ns > START_NS + self.until_ns:
            return
        values = {feature: columns.feature(feature) for feature in rule.plan.features}
        for at, row in enumerate(columns.measures.rows.tolist()):
            self.seen[rule.plan.name, row] = {f: float(v[at]) for f, v in values.items()}

    def reasons(self, row: Row, grade: Grade) -> set[str]:
        """What the condition of a grade rests on now; nothing where the rule has no such grade."""
        plan = row.latches.variants.plan_of(row.row)
        found = next((one for one in plan.grades if one.grade == grade), None)
        if found is None:
            return set()
        return reasons(found.when, plan.rule.lets, self._truths(row))

    def _truths(self, row: Row) -> Callable[[ex.Node], bool | None]:
        """What is true of an instance at the end."""
        groups = self.groups(row.latches.plan.name)
        if groups is not None and groups.latches is row.latches:
            columns = InstanceRows(groups.state, np.array([row.row]), START_NS + self.until_ns)
            return lambda node: _told(intervals.truth(node, columns))
        clusters = self.clusters(row.latches.plan.name)
        if clusters is not None:
            cluster = ClusterRows(clusters.stations, np.array([row.row]))
            return lambda node: _told(intervals.truth(node, cluster))
        values = self.seen.get((row.latches.plan.name, row.row))
        if values is None:
            value = float(row.latches.latch[row.row]["value"])
            values = dict.fromkeys(row.latches.plan.features, value)
        return LoneRow(row.latches, row.row, values, START_NS + self.until_ns).truth

    def told_at(self, rule: str, key: str, at_ns: int) -> Standing:
        """The gravest grade that had been said by an instant."""
        grades: dict[object, Grade] = {}
        for body in self.said(rule, key):
            if _event_ns(body) <= START_NS + at_ns:
                grades[body["subject"]] = Grade[str(body["grade"]).upper()]
        return Standing(max(grades.values(), default=Grade.NONE), "", "", key)

    def judges(self, rule: str, key: str) -> bool:
        """Whether a rule takes part; clusters come and go, so theirs may have no instance."""
        plan = self.scene.assembly.plan
        is_cluster = any(
            one.name == rule and one.plan.rule.cluster is not None for one in plan.groups
        )
        return is_cluster or any(True for _ in self.rows(rule, key))

    def standing(self, rule: str, key: str) -> Standing:
        """How the gravest of the instances stands."""
        found = [self._standing(row, rule) for row in self.rows(rule, key)]
        return max(found, default=Standing(Grade.NONE, "inactive", "ok", ""))

    def _standing(self, row: Row, rule: str) -> Standing:
        said = self.said(rule, row.key)
        grade = Grade[str(said[-1]["grade"]).upper()] if said else Grade.NONE
        phases = row.phases
        highest = max((g for g in range(4) if phases[g] >= PHASE_ON), default=-1)
        state = "inactive"
        if highest >= 0:
            state = "clearing" if phases[highest] == PHASE_CLEARING else "active"
        elif PHASE_ARMING in phases:
            state = "pending"
        return Standing(grade, state, _quality(row, START_NS + self.until_ns), row.key)


def _if_wanted(row: Row, key: str) -> Iterator[Row]:
    if key in ("", row.key):
        yield row


def _told(truth: judge.Truth) -> bool | None:
    return None if truth.unknown[0] else bool(truth.true[0])


def _event_ns(body: Body) -> int:
    event_ns = body["event_time"]
    assert isinstance(event_ns, int)
    return event_ns


def _quality(row: Row, now_ns: int) -> str:
    """Whether what the rule says rests on data.

    The latch notes what is unknown only where a warning is open; here it counts before one, too:
    a value that holds no longer, or a condition that cannot be told.
    """
    latches = row.latches
    line = latches.latch[row.row]
    if line["state"] & BLIND:
        return "blind"
    known_ns = int(line["seen_ns"]) + int(latches.terms[line["terms"]]["stale_ns"])
    is_unsure = int(line["code"]) & latches.exists << WHEN_UNKNOWN
    return "degraded" if line["state"] & UNKNOWN or now_ns >= known_ns or is_unsure else "ok"


class Trial:
    """One test: its scene is made once, and played as often as its expectations need."""

    def __init__(self, pack: Pack, rule: Rule | None, scenario: Scenario) -> None:
        self.pack = pack
        self.rule = rule
        self.scenario = scenario

    @cached_property
    def scene(self) -> Scene:
        """What is made up; RuleErrors and ConfigError where it cannot be."""
        return scene_of(self.pack, self.rule, self.scenario)

    @cached_property
    def whole(self) -> Played:
        """The test from its beginning to its end."""
        return Played(self.scene, self.scene.end_ns)

    @property
    def name(self) -> str:
        """The rule that expectations are about when they do not say."""
        return f"{self.pack.name}/{self.rule.id}" if self.rule else ""

    def failures(self) -> list[Failure]:
        """What did not hold, with its place."""
        try:
            found = [(expect.place, self._wrong(expect)) for expect in self.scenario.expects]
        except (RuleErrors, ConfigError) as error:
            found = [(fault.place, str(fault)) for fault in error.faults]
        rule = self.rule.id if self.rule else ""
        return [
            Failure(self.pack.name, rule, self.scenario.name, place, text)
            for place, text in found
            if text
        ]

    def _wrong(self, expect: Expectation) -> str:
        """What speaks against one expectation; empty when it holds."""
        rule, key = expect.rule or self.name, expect.key
        if not self.whole.judges(rule, key):
            of = f" for `{key}`" if key else ""
            return f"nothing judges `{rule}`{of} in this test"
        if not isinstance(expect, At):
            feed = next(iter(self.scenario.feeds.values()), None)
            return contradiction(expect, self.whole.said(rule, key), feed)
        if self._is_told_by_the_whole(expect):
            return contradiction(expect, [], None, self.whole.told_at(rule, key, expect.at_ns))
        played = Played(self.scene, expect.at_ns, watches=bool(expect.why))
        standing = played.standing(rule, key)
        wrong = contradiction(expect, [], None, standing)
        if wrong or not expect.why:
            return wrong
        row = next(row for row in played.rows(rule, standing.key or key))
        found = played.reasons(row, standing.grade)
        if expect.why in found:
            return ""
        return f"`{expect.why}` is no reason; these are: {', '.join(sorted(found)) or 'none'}"

    def _is_told_by_the_whole(self, expect: At) -> bool:
        """Only the grade is asked, and nothing that comes later can change what was said."""
        is_plain = expect.state is None and expect.quality is None and not expect.why
        return is_plain and not self.scene.has_late and expect.at_ns <= self.scene.end_ns


def try_scenario(pack: Pack, rule: Rule | None, scenario: Scenario) -> list[Failure]:
    """Run one test; what did not hold comes back, with its place."""
    return Trial(pack, rule, scenario).failures()
