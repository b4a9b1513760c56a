"""Expecting: what speaks against an expectation of a test; empty where it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.episodes import Body
from engine.scene import START_NS
from rules.grade import Grade
from rules.scenario import At, Between, Events, Expectation, Feed, Happening, Lead, Never

NS_PER_S: Final = 1_000_000_000
CHANGES: Final = ("raised", "upgraded", "downgraded", "cleared")


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """How an instance stands at one moment; the gravest is the greatest."""

    grade: Grade
    state: str
    quality: str
    key: str


def contradiction(
    expectation: Expectation,
    events: Sequence[Body],
    feed: Feed | None,
    standing: Standing | None = None,
) -> str:
    """What speaks against an expectation.

    feed      the first of the test, for a lead before its peak
    standing  at the instant of an `At`
    """
    match expectation:
        case At():
            assert standing is not None
            return _not_at(expectation, standing)
        case Never():
            return _not_never(expectation, events)
        case Between():
            return _not_between(expectation, events)
        case Events():
            found = [body for body in events if body["event"] in CHANGES]
            same = len(found) == len(expectation.happenings) and all(
                _is(happening, body)
                for happening, body in zip(expectation.happenings, found, strict=True)
            )
            return "" if same else f"the events were: {told(found) or 'none'}"
        case Lead():
            return _not_ahead(expectation, events, feed)


def since_start_ns(body: Body) -> int:
    """The event time of a message, from the start of the test."""
    event_ns = body["event_time"]
    assert isinstance(event_ns, int)
    return event_ns - START_NS


def _not_at(expectation: At, standing: Standing) -> str:
    wrong = []
    if expectation.grade is not None and standing.grade != expectation.grade:
        wrong.append(f"grade {standing.grade.word}, not {expectation.grade.word}")
    if expectation.state is not None and standing.state != expectation.state:
        wrong.append(f"state {standing.state}, not {expectation.state}")
    if expectation.quality is not None and standing.quality != expectation.quality:
        wrong.append(f"quality {standing.quality}, not {expectation.quality}")
    return f"at {clock(expectation.at_ns)}: {'; '.join(wrong)}" if wrong else ""


def _not_never(expectation: Never, events: Sequence[Body]) -> str:
    for body in events:
        grade = Grade[str(body["grade"]).upper()]
        if expectation.grade is not None and grade >= expectation.grade:
            return f"{told([body])}, which must never be"
        if expectation.event is not None and body["event"] == expectation.event:
            return f"{told([body])}, which must never happen"
    return ""


def _not_between(expectation: Between, events: Sequence[Body]) -> str:
    inside = [
        body
        for body in events
        if body["event"] in CHANGES
        and expectation.start_ns < since_start_ns(body) <= expectation.end_ns
    ]
    if len(inside) == expectation.transitions:
        return ""
    return f"expected {expectation.transitions} changes, found {len(inside)}: {told(inside)}"


def _not_ahead(expectation: Lead, events: Sequence[Body], feed: Feed | None) -> str:
    """Why a warning did not come early enough."""
    before_ns = expectation.before_ns
    if before_ns is None:
        assert feed is not None
        before_ns = feed.time_ns[feed.value.index(max(feed.value))]
    wanted = expectation.grade or Grade.BLUE
    for body in events:
        if Grade[str(body["grade"]).upper()] >= wanted:
            lead_ns = before_ns - since_start_ns(body)
            if lead_ns >= expectation.least_ns:
                return ""
            at = clock(since_start_ns(body))
            if lead_ns < 0:
                return f"{wanted.word} came @{at}, {clock(-lead_ns)} too late for any lead"
            return f"{wanted.word} came @{at}, only {clock(lead_ns)} ahead"
    return f"{wanted.word} never came"


def _is(happening: Happening, body: Body) -> bool:
    return (
        body["event"] == happening.event
        and since_start_ns(body) == happening.at_ns
        and (happening.grade is None or body["grade"] == happening.grade.word)
    )


def told(bodies: Sequence[Body]) -> str:
    """Events as packs write them: `raised orange @3m05s`."""
    return ", ".join(f"{_change(body)} @{clock(since_start_ns(body))}" for body in bodies)


def _change(body: Body) -> str:
    """The event, and the grade it leads to; what is cleared leads to none."""
    event = str(body["event"])
    return event if event == "cleared" else f"{event} {body['grade']}"


def clock(time_ns: int) -> str:
    """A time as people write it: 3m05s, 2h10m, 0.1s."""
    seconds = time_ns / NS_PER_S
    if seconds < 60:
        return f"{seconds:g}s"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{hours:.0f}h" if hours else ""
    return text + f"{minutes:.0f}m" + (f"{rest:04.1f}s".replace(".0s", "s") if rest else "")
