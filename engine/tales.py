"""Tales: what was said about one warning from its beginning to its end, as one thing.

A drive through a journal gives messages; people ask about warnings: how many, how grave, how long,
how soon.  A tale is all messages of one id.  Two tellings of the same past are compared tale by
tale: by rule, subject and time, since ordinals, and with them ids, shift when a rule speaks more
often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.episodes import Message
from rules.grade import Grade

CHANGES: Final = frozenset({"raised", "upgraded", "downgraded", "cleared", "superseded"})
# A tale that has not ended; later than any instant of an int64.
OPEN_NS: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a tale: the grade is the one after it."""

    event_ns: int
    event: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Tale:
    """One warning; `ended_ns` is OPEN_NS where nothing has ended it."""

    id: str
    rule: str
    subject: str
    site: str
    hazard: str
    steps: tuple[Step, ...]

    @property
    def raised_ns(self) -> int:
        """When it began."""
        return self.steps[0].event_ns

    @property
    def ended_ns(self) -> int:
        """When it ended."""
        last = self.steps[-1]
        return last.event_ns if last.grade == Grade.NONE else OPEN_NS

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.ended_ns == OPEN_NS

    @property
    def end_event(self) -> str:
        """`cleared`, `superseded`, or nothing."""
        return "" if self.is_open else self.steps[-1].event

    @property
    def peak(self) -> Grade:
        """The highest grade it had."""
        return max(step.grade for step in self.steps)

    @property
    def grade(self) -> Grade:
        """The grade it has at its end."""
        return self.steps[-1].grade

    @property
    def went_blind(self) -> bool:
        """It could not be confirmed for a while."""
        return any(step.event == "blind" for step in self.steps)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The changes of grade."""
        return tuple(step for step in self.steps if step.event in CHANGES)

    def reached_ns(self, grade: Grade) -> int | None:
        """When it first had a grade or a graver one; None where it never did."""
        return next((step.event_ns for step in self.steps if step.grade >= grade), None)


def tales_of(messages: Iterable[Message]) -> list[Tale]:
    """The tales that messages tell, in the order in which they began."""
    found: dict[str, list[Mapping[str, object]]] = {}
    for _, body in messages:
        if "rule" in body and "subject" in body:
            found.setdefault(str(body["id"]), []).append(body)
    tales = [_tale(bodies) for bodies in found.values()]
    return sorted(tales, key=lambda tale: (tale.raised_ns, tale.rule, tale.subject))


def _tale(bodies: Sequence[Mapping[str, object]]) -> Tale:
    first = bodies[0]
    steps = [
        Step(int(str(body["event_time"])), str(body["event"]), Grade[str(body["grade"]).upper()])
        for body in bodies
    ]
    return Tale(
        id=str(first["id"]),
        rule=f"{first['pack']}/{first['rule']}",
        subject=str(first["subject"]),
        site=str(first["site"]),
        hazard=str(first["hazard"]),
        steps=tuple(steps),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """The same warning in two tellings."""

    before: Tale
    after: Tale

    @property
    def is_same(self) -> bool:
        """Both say the same, at the same instants."""
        return self.before.changes == self.after.changes

    @property
    def earlier_ns(self) -> int:
        """How much sooner the second telling raises it; negative: later."""
        return self.before.raised_ns - self.after.raised_ns

    @property
    def rise(self) -> int:
        """By how many grades the second telling goes higher."""
        return int(self.after.peak) - int(self.before.peak)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two tellings of one past: what only one of them says, and what both do."""

    gone: tuple[Tale, ...]
    new: tuple[Tale, ...]
    both: tuple[Pair, ...]

    @property
    def changed(self) -> tuple[Pair, ...]:
        """Warnings that both tell, but not alike."""
        return tuple(pair for pair in self.both if not pair.is_same)


def compare(before: Sequence[Tale], after: Sequence[Tale]) -> Difference:
    """Hold two tellings against each other; a warning is found again where the two overlap."""
    waiting: dict[tuple[str, str], list[Tale]] = {}
    for tale in after:
        waiting.setdefault((tale.rule, tale.subject), []).append(tale)
    gone: list[Tale] = []
    both: list[Pair] = []
    for tale in before:
        candidates = waiting.get((tale.rule, tale.subject), [])
        found = next((other for other in candidates if _overlap(tale, other)), None)
        if found is None:
            gone.append(tale)
            continue
        candidates.remove(found)
        both.append(Pair(tale, found))
    new = [tale for tales in waiting.values() for tale in tales]
    new.sort(key=lambda tale: tale.raised_ns)
    return Difference(tuple(gone), tuple(new), tuple(both))


def _overlap(one: Tale, other: Tale) -> bool:
    return one.raised_ns <= other.ended_ns and other.raised_ns <= one.ended_ns
