"""Truths: what really happened, as somebody wrote it down, and how soon it was told.

A truth file is a CSV with one event a line.  `time` is needed; the others narrow down which
warnings are about it:

    time, until    when it happened, ISO 8601 or epoch; `until` where it lasted
    name           what people call it
    site, sensor, hazard, rule
                   only warnings that agree; empty: any
    grade          only from this grade on counts as told; empty: blue

A warning is about an event when it stood at any time between `before` ahead of it and its end.
Lead is the time from the first such warning to the event; a warning about none is a false alarm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import UsageError
from engine.recordings import Recording, parse_time_ns, read_recording
from engine.tales import Tale
from rules.errors import did_you_mean
from rules.grade import COLOURS, SPELLINGS, Grade

NARROWING: Final = ("site", "sensor", "hazard", "rule")
KNOWN: Final = ("time", "until", "name", *NARROWING, "grade", "note")


@dataclass(frozen=True, slots=True)
class Truth:
    """One event that happened; an empty text narrows nothing down."""

    start_ns: int
    end_ns: int
    name: str
    site: str
    sensor: str
    hazard: str
    rule: str
    grade: Grade

    def is_told_by(self, tale: Tale, before_ns: int) -> bool:
        """Whether a warning is about this event."""
        pairs = (
            (self.site, tale.site),
            (self.sensor, tale.subject),
            (self.hazard, tale.hazard),
            (self.rule, tale.rule),
        )
        if any(wanted and wanted != found for wanted, found in pairs):
            return False
        return tale.raised_ns <= self.end_ns and tale.ended_ns >= self.start_ns - before_ns


@dataclass(frozen=True, slots=True)
class Lead:
    """How an event was told: by which warning first, and how long before it came to each grade.

    lead_ns  by grade: positive is before the event; a grade that was never told is left out
    """

    truth: Truth
    first: Tale | None
    lead_ns: dict[Grade, int]

    @property
    def is_told(self) -> bool:
        """The grade that counts was reached."""
        return self.truth.grade in self.lead_ns


def read_truths(path: Path) -> list[Truth]:
    """Read a truth file; UsageError names the line of what cannot be used."""
    recording = read_recording(path)
    unknown = [name for name in recording.names if name not in KNOWN]
    if unknown:
        message = f"{path}: unknown column `{unknown[0]}`; {did_you_mean(unknown[0], KNOWN)}"
        raise UsageError(message)
    recording.require("time")
    if recording.number:
        message = f"{path}: truths are a table of texts, a .csv"
        raise UsageError(message)
    return [_truth(recording, row) for row in range(recording.row_count)]


def _truth(recording: Recording, row: int) -> Truth:
    where = f"{recording.path}:{recording.first_line + row}"
    cells = {name: recording.text[name][row] for name in recording.names}
    start_ns = _time_ns(cells["time"], where)
    until = cells.get("until", "")
    end_ns = _time_ns(until, where) if until else start_ns
    if end_ns < start_ns:
        message = f"{where}: it ends at {until}, before it begins"
        raise UsageError(message)
    colour = cells.get("grade", "") or "blue"
    if colour not in SPELLINGS:
        message = f"{where}: `{colour}` is not a grade; {did_you_mean(colour, SPELLINGS)}"
        raise UsageError(message)
    return Truth(
        start_ns=start_ns,
        end_ns=end_ns,
        name=cells.get("name", "") or cells["time"],
        site=cells.get("site", ""),
        sensor=cells.get("sensor", ""),
        hazard=cells.get("hazard", ""),
        rule=cells.get("rule", ""),
        grade=SPELLINGS[colour],
    )


def _time_ns(text: str, where: str) -> int:
    time_ns = parse_time_ns(text)
    if time_ns is None:
        message = f"{where}: `{text}` is not a time; write 2026-11-23T08:00:00Z or an epoch time"
        raise UsageError(message)
    return time_ns


def lead_of(truth: Truth, tales: Iterable[Tale], before_ns: int) -> Lead:
    """How soon an event was told."""
    about = [tale for tale in tales if truth.is_told_by(tale, before_ns)]
    first = min(about, key=lambda tale: tale.raised_ns, default=None)
    lead_ns: dict[Grade, int] = {}
    for grade in COLOURS:
        reached = [at for tale in about if (at := tale.reached_ns(grade)) is not None]
        told = [at for at in reached if at <= truth.end_ns]
        if told:
            lead_ns[grade] = truth.start_ns - min(told)
    return Lead(truth, first, lead_ns)


def unfounded(tales: Sequence[Tale], truths: Sequence[Truth], before_ns: int) -> list[Tale]:
    """The warnings that are about no event."""
    return [tale for tale in tales if not any(t.is_told_by(tale, before_ns) for t in truths)]
