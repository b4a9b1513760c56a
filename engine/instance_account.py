"""Instance account: why an instance of several sensors stood as it did at one instant.

The rule is watched while it judges: in front of the first instant behind the one that is asked for,
everything that its members told, and its latches, are what they were then.
"""

from collections.abc import Iterator

import numpy as np

from engine.account import Account
from engine.assembly import Assembly
from engine.clauses import GradeAccount, account_of_grade
from engine.drive import ClosedJournal, Drive
from engine.episodes import Message
from engine.errors import UsageError
from engine.groups import Groups
from engine.inquiry import Question
from engine.instance_columns import InstanceRows
from engine.placement import Placed
from engine.signals import TRUE, UNKNOWN
from kernels.standing import NEVER_NS
from rules import expression as ex
from rules import intervals
from rules.errors import did_you_mean
from rules.grouping import inputs_of
from rules.retold import Teller

MEMBERS_NAMED_MAX = 12


def placed_of(assembly: Assembly, rule: str) -> Placed | None:
    """A rule on several sensors; None for one on single sensors."""
    return next((one for one in assembly.placed if one.group.name == rule), None)


def account_of_instance(
    assembly: Assembly, journal: ClosedJournal, question: Question, placed: Placed
) -> Account:
    """Drive through a journal, and look when the rule passes the instant."""
    keys = placed.instances.key
    if question.sensor not in keys:
        message = f"`{question.rule}` has no instance `{question.sensor}`; "
        raise UsageError(message + did_you_mean(question.sensor, keys))
    drive = Drive.of(assembly)
    groups = _groups(drive, question)
    watch = _Watch(groups, question)
    told: list[Message] = []
    for work, _ in drive.work(journal):
        told += drive.advance(work)
        if watch.is_over:
            break
    if not watch.is_over:
        watch.look()
    messages = [
        body
        for _, body in told
        if f"{body['pack']}/{body['rule']}" == question.rule
        and body["subject"] == question.sensor
        and int(str(body["event_time"])) <= question.time_ns
    ]
    plan = placed.group.plan
    return Account(
        question=question,
        plan=plan,
        judged_ns=watch.judged_ns,
        messages=messages,
        features={},
        grades=watch.grades,
        inputs=None,
        overrides=(),
    )


def _groups(drive: Drive, question: Question) -> Groups:
    """The rule's groups in the shard that has the instance, or beyond."""
    beyond = drive.correlate
    found = [shard.quorum.groups[question.rule] for shard in drive.shards
             if question.rule in shard.quorum.groups]  # fmt: skip
    if beyond is not None and question.rule in beyond.groups:
        found.append(beyond.groups[question.rule])
    return next(one for one in found if question.sensor in one.state.placed.instances.key)


class _Watch:
    """Looks at an instance in front of the first instant that is too late."""

    def __init__(self, groups: Groups, question: Question) -> None:
        self.groups = groups
        self.question = question
        self.row = groups.state.placed.instances.key.index(question.sensor)
        self.is_over = False
        self.grades: tuple[GradeAccount, ...] = ()
        self.judged_ns: int | None = None
        groups.watcher = self.pass_by

    def pass_by(self, instant_ns: int) -> None:
        """An instant is about to be judged, up to where the instance is known."""
        is_known = int(self.groups.coming_ns[self.row]) > self.question.time_ns
        if not self.is_over and is_known and instant_ns > self.question.time_ns:
            self.look()
            self.is_over = True

    def look(self) -> None:
        """Take down how everything stands."""
        groups, now_ns = self.groups, self.question.time_ns
        line = groups.latches.latch[self.row]
        plan = groups.group.plan
        seen = _SeenInstance(groups, self.row, now_ns)
        self.grades = tuple(account_of_grade(line, g, now_ns, seen) for g in reversed(plan.grades))
        seen_ns = int(line["seen_ns"])
        self.judged_ns = seen_ns if seen_ns > NEVER_NS else None


class _SeenInstance:
    """What was seen of one instance."""

    def __init__(self, groups: Groups, row: int, now_ns: int) -> None:
        self.state = groups.state
        self.plan = groups.group.plan
        self.row = row
        self.columns = InstanceRows(groups.state, np.array([row]), now_ns)
        self.units = {name: given.unit for name, given in inputs_of(self.plan.rule).items()}

    def truth(self, node: ex.Node) -> bool | None:
        """Whether a condition held."""
        found = intervals.truth(node, self.columns)
        return None if found.unknown[0] else bool(found.true[0])

    def bounds(self, node: ex.Node) -> tuple[float, float]:
        """What a quantity came to, from least to most."""
        found = intervals.number(node, self.columns)
        return float(found.low[0]), float(found.high[0])

    def text(self, node: ex.Node) -> str | None:
        """An attribute that is a text."""
        found = self.columns.attribute(node)[0] if isinstance(node, ex.Attribute) else None
        return None if found is None else str(found)

    def is_whole(self, node: ex.Node) -> bool:
        """A condition that was found where its sensor is: only its result has travelled."""
        return self.columns.truth_of(node) is not None

    def teller(self, node: ex.Node) -> Teller:
        """In the unit of the input that a part looks at first."""
        for part in ex.walk(node):
            given = part.members.input if isinstance(part, ex.Vote | ex.Gather) else None
            given = part.input if isinstance(part, ex.Feature) else given
            if given is not None and given in self.units:
                return Teller(self.units[given])
        return Teller(self.plan.rule.input.unit or "1")

    def note(self, node: ex.Node) -> str:
        """Who is behind a part: its members, each with what it told."""
        slots = dict.fromkeys(
            self.state.places[id(part)] for part in ex.walk(node) if id(part) in self.state.places
        )
        return "; ".join(text for slot in slots for text in self._members(slot))

    def _members(self, slot: int) -> Iterator[str]:
        """`G1 yes, G2 no, G3 unknown`; of a number what it is."""
        edges = self.state.edges[slot]
        part = self.state.slice_of(slot, self.row)
        names = self.state.attributes.catalogue.sensors.name
        signal = self.plan_signal(slot)
        told = []
        for at in range(part.start, min(part.stop, part.start + MEMBERS_NAMED_MAX)):
            code, value = int(self.state.truth[slot][at]), float(self.state.value[slot][at])
            said = "unknown" if code >= UNKNOWN else "yes" if code == TRUE else "no"
            if signal is not None and not signal:
                said = "unknown" if np.isnan(value) else f"{value:.4g}"
            told.append(f"{names[int(edges.sensor[at])]} {said}")
        more = part.stop - part.start - len(told)
        if told:
            yield ", ".join(told) + (f" and {more} more" if more > 0 else "")

    def plan_signal(self, slot: int) -> bool | None:
        """Whether a slot is a condition; None where it is another rule's grade."""
        signals = self.state.placed.group.signals
        return signals[slot].is_condition if slot < len(signals) else None
