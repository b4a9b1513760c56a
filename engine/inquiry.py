"""Inquiry: how one rule stood on one sensor at one instant, found by driving there again.

Only the sensor's site is driven: a site never waits for another.  The journal is cut where nothing
may be cut wrong, in front of single readings: up to the first reading that is later than the
instant, everything is as it was live; from there on the state is looked at before each reading
until the site's clock has passed the instant, since a slower gateway may still know of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.acts import Act
from engine.assembly import Activation, Assembly
from engine.bank import Bank
from engine.columns import Readings, Series
from engine.drive import ClosedJournal, Drive
from engine.episodes import Body, Message
from engine.errors import UsageError
from engine.inlet import Item
from engine.latches import Latches
from engine.layout import lay_out_sites
from engine.shard import Shard, Tick, Work
from engine.variants import SeenColumns
from rules import expression as ex
from rules.errors import did_you_mean
from rules.plan import RulePlan

READINGS_KEPT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Question:
    """A rule by its full name, a sensor by its name, an instant."""

    rule: str
    sensor: str
    time_ns: int


@dataclass(slots=True)
class Finding:
    """What was found: the latch of the row at the instant, and what it was judged by.

    latch     a LATCH record, as it stood
    judged_ns the pane end or the reading whose conditions held then; None: nothing was judged yet
    features  what each feature was then, in the rule's scale; NaN is unknown
    readings  (time, value, quality) of the sensor up to the instant, the newest last
    messages  what was said of this rule and sensor up to the instant
    """

    question: Question
    rule: Latches
    bank: Bank
    row: int
    latch: NDArray[np.void]
    judged_ns: int | None = None
    features: dict[ex.Feature, float] = field(default_factory=dict)
    readings: list[tuple[int, float, int]] = field(default_factory=list)
    messages: list[Body] = field(default_factory=list)

    @property
    def plan(self) -> RulePlan:
        """The rule with the settings of this sensor."""
        return self.rule.variants.plan_of(self.row)


def inquire(assembly: Assembly, journal: ClosedJournal, question: Question) -> Finding:
    """Drive through a journal to an instant, and see."""
    sensor = _sensor(assembly, question.sensor)
    is_mine = np.zeros(len(assembly.catalogue.sites.name), dtype=bool)
    is_mine[assembly.catalogue.sensors.site[sensor]] = True
    layout = lay_out_sites(assembly.catalogue, is_mine)
    drive = Drive.of(replace(assembly, layouts=(layout,)))
    watch = _Watch(drive.shards[0], question, int(layout.dense[sensor]))
    told: list[Message] = []
    for work, _ in drive.work(journal):
        for part in watch.parts(_owned(work[0])):
            told += drive.shards[0].advance(part)
        if watch.is_over and _is_told(drive.shards[0], question.time_ns):
            break
    watch.look()
    found = watch.finding
    found.messages = [
        body
        for _, body in told
        if f"{body['pack']}/{body['rule']}" == question.rule
        and body["subject"] == question.sensor
        and int(str(body["event_time"])) <= question.time_ns
    ]
    return found


def _sensor(assembly: Assembly, name: str) -> int:
    names = assembly.catalogue.sensors.name
    if name not in names:
        message = f"there is no sensor `{name}`; {did_you_mean(name, names)}"
        raise UsageError(message)
    return names.index(name)


def _owned(work: Sequence[Item]) -> Iterator[Work]:
    """The work of one site: a frame may hold the readings of others, numbered -1."""
    for item in work:
        if isinstance(item, Activation):
            continue  # one set judges all of it
        if isinstance(item, Tick | Act):
            yield item
            continue
        mine = np.flatnonzero(item.sensor >= 0)
        if mine.size == item.sensor.size:
            yield item
        elif mine.size and isinstance(item, Readings):
            quality = item.quality[mine] if item.quality.size else item.quality
            yield replace(
                item,
                sensor=item.sensor[mine],
                time_ns=item.time_ns[mine],
                value=item.value[mine],
                quality=quality,
            )
        elif mine.size:
            quality = item.quality[mine] if item.quality.size else item.quality
            yield replace(item, sensor=item.sensor[mine], value=item.value[mine], quality=quality)


def _is_told(shard: Shard, time_ns: int) -> bool:
    """Whatever can be said about an instant has been said."""
    lateness_ns = int(shard.clock.bank["lateness_ns"].max(initial=0))
    pane_ns = int(shard.clock.bank["pane_ns"].max(initial=0))
    return int(shard.clock.clock_ns.min()) > time_ns + lateness_ns + pane_ns


class _Watch:
    """Cuts work into parts around an instant, and looks at the state in between."""

    def __init__(self, shard: Shard, question: Question, dense: int) -> None:
        self.shard = shard
        self.dense = dense
        self.time_ns = question.time_ns
        self.is_over = False
        # No reading later than the instant has been seen: nothing needs to be cut yet.
        self.is_before = True
        self._has_later_pane = False
        bank, rule = _rule_of(shard, question, dense)
        # What is known of a row is asked also while it is quiet.
        rule.is_thorough = True
        row = dense - bank.rows.start
        self.finding = Finding(question, rule, bank, row, rule.latch[row : row + 1].copy())
        self.is_per_reading = rule in bank.reading_rules
        shard.watcher = self._on_pane

    def parts(self, work: Iterator[Work]) -> Iterator[list[Work]]:
        """The same work, cut where the state must be looked at."""
        whole: list[Work] = []
        for item in work:
            if self.is_over or (self.is_before and _latest_ns(item) <= self.time_ns):
                self._note(item)
                whole.append(item)
                continue
            if whole:
                yield whole
                whole = []
            for single in _singles(item):
                self._step(single)
                yield [single]
        if whole:
            yield whole

    def _step(self, item: Work) -> None:
        """Look at the state in front of a single reading or tick, unless it is too late for it."""
        if self.is_over:
            return
        self.is_before = self.is_before and _latest_ns(item) <= self.time_ns
        self.look()
        is_mine = not isinstance(item, Tick | Act) and bool((item.sensor == self.dense).any())
        bank = self.finding.bank.number
        has_passed = int(self.shard.clock.horizon_ns(bank).min()) > self.time_ns
        if has_passed or (is_mine and _latest_ns(item) > self.time_ns):
            self.is_over = True
        else:
            self._note(item)

    def look(self) -> None:
        """Take down how a rule on readings stands; one on panes is taken down at their ends."""
        found = self.finding
        if self.is_over or not self.is_per_reading:
            if not self.is_per_reading and not self._has_later_pane:
                found.latch = found.rule.latch[found.row : found.row + 1].copy()
            return
        found.latch = found.rule.latch[found.row : found.row + 1].copy()
        seen_ns = int(found.latch["seen_ns"][0])
        if seen_ns > 0:
            found.judged_ns = seen_ns
            found.features = dict.fromkeys(found.plan.features, float(found.latch["value"][0]))

    def _on_pane(self, rule: Latches, columns: SeenColumns) -> None:
        """What a rule on windows is judged by at the end of a pane; before it is judged."""
        found = self.finding
        if rule is not found.rule or self._has_later_pane:
            return
        at = np.flatnonzero(columns.measures.rows == found.row)
        if not at.size:
            return
        if columns.measures.end_ns > self.time_ns:
            found.latch = rule.latch[found.row : found.row + 1].copy()
            self._has_later_pane = True
            return
        found.judged_ns = columns.measures.end_ns
        found.features = {
            feature: float(columns.feature(feature)[at[0]]) for feature in found.plan.features
        }

    def _note(self, item: Work) -> None:
        """Remember the readings of the sensor up to the instant."""
        if isinstance(item, Tick | Act):
            return
        at = np.flatnonzero(item.sensor == self.dense)
        kept = self.finding.readings
        for index in at:
            if isinstance(item, Readings):
                quality = int(item.quality[index]) if item.quality.size else 0
                rows = [(int(item.time_ns[index]), float(item.value[index]), quality)]
            else:
                rows = [
                    (
                        item.t0_ns + sample * item.period_ns,
                        float(item.value[index, sample]),
                        int(item.quality[index, sample]) if item.quality.size else 0,
                    )
                    for sample in range(item.value.shape[1])
                ]
            kept += (row for row in rows if row[0] <= self.time_ns)
        del kept[:-READINGS_KEPT]


def _rule_of(shard: Shard, question: Question, dense: int) -> tuple[Bank, Latches]:
    """The bank of the sensor and the rule on it."""
    bank = next(bank for bank in shard.banks if bank.rows.start <= dense < bank.rows.stop)
    found = next((rule for rule in bank.rules if rule.plan.name == question.rule), None)
    if found is None:
        known = [rule.plan.name for rule in bank.rules]
        message = f"no rule `{question.rule}` judges `{question.sensor}`; "
        message += did_you_mean(question.rule, known) if known else "no rule does"
        raise UsageError(message)
    return bank, found


def _latest_ns(item: Work) -> int:
    """The latest time in a piece of work."""
    if isinstance(item, Tick):
        return item.now_ns
    if isinstance(item, Act):
        return item.time_ns
    if isinstance(item, Readings):
        return int(item.time_ns.max(initial=0))
    return int(item.t0_ns + (item.value.shape[1] - 1) * item.period_ns)


def _singles(item: Work) -> Iterator[Work]:
    """A piece of work reading by reading; samples of one time stay together."""
    if isinstance(item, Tick | Act):
        yield item
    elif isinstance(item, Readings):
        for at in range(item.sensor.size):
            one = slice(at, at + 1)
            yield replace(
                item,
                sensor=item.sensor[one],
                time_ns=item.time_ns[one],
                value=item.value[one],
                quality=item.quality[one],
            )
    else:
        yield from _samples(item)


def _samples(item: Series) -> Iterator[Series]:
    for sample in range(item.value.shape[1]):
        one = np.s_[:, sample : sample + 1]
        yield replace(
            item,
            t0_ns=item.t0_ns + sample * item.period_ns,
            value=np.ascontiguousarray(item.value[one]),
            quality=np.ascontiguousarray(item.quality[one]) if item.quality.size else item.quality,
        )
