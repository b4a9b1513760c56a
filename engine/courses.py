"""Courses: what conduct remembers of one row, how it is saved, and what comes of it.

A course holds two standings: what the latches say, and what has been told of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgpack
import numpy as np
from numpy.typing import NDArray

GRADES = 5
VERSION = 1
RESTORED = 6  # as in kernels/standing.py

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Told:
    """A change as it is told.

    change      its record (CHANGE)
    more        what was known when the latches changed last: evidence, coverage, reasons
    event       its name on the wire
    suppressed  why it is muted; empty where it is not
    takes_off   with this message the warning goes off the board: those who show it must hear it
    is_demoted  the rule has used up its budget and goes on as a shadow
    began_ns    when the warning was raised
    """

    change: np.void
    more: Facts
    event: str
    suppressed: str
    is_demoted: bool
    takes_off: bool = field(default=False, kw_only=True)
    began_ns: int


@dataclass(frozen=True, slots=True)
class Stay:
    """A time off the board: `shelved` or `maintenance`, and until when."""

    why: str
    until_ns: int


@dataclass(slots=True)
class Mark:
    """What has been told: the episode and its revision, the grade, and why it was muted.

    began_ns  when the episode was raised; of one of which nothing was remembered, when it was heard
    """

    ordinal: int = 0
    revision: int = 0
    grade: int = 0
    peak: int = 0
    is_blind: bool = False
    why: str = ""
    began_ns: int = 0


@dataclass(slots=True)
class Course:
    """One row.

    since_ns    since when the latches are at least at each grade; None where they are not
    changes_ns  changes of grade within the flap window; `highest` of all of them
    raises_ns   raises within the budget's window
    inhibitors  rules that hold this row down, each with its cap; -1 mutes
    more        what was known when the latches changed last
    """

    grade: int = 0
    is_blind: bool = False
    value: float = float("nan")
    seen_ns: int = 0
    last_ns: int = 0
    told: Mark = field(default_factory=Mark)
    since_ns: list[int | None] = field(default_factory=lambda: [None] * GRADES)
    is_acknowledged: bool = False
    escalated: int = 0
    changes_ns: list[int] = field(default_factory=list)
    highest: int = 0
    hold_until_ns: int = 0
    hold_grade: int = 0
    raises_ns: list[int] = field(default_factory=list)
    is_demoted: bool = False
    stays: list[Stay] = field(default_factory=list)
    inhibitors: dict[str, int] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)

    @classmethod
    def before(cls, change: np.void) -> "Course":
        """A row of which nothing was remembered, as it was told before a change of its latches."""
        previous, is_blinded = int(change["previous"]), change["event"] == RESTORED
        mark = Mark(int(change["ordinal"]), int(change["revision"]) - 1, previous)
        if previous == 0:
            mark = Mark(int(change["ordinal"]) - 1)
        mark.peak, mark.is_blind = int(change["peak"]) if previous else 0, bool(is_blinded)
        now_ns = mark.began_ns = int(change["event_ns"])
        course = cls(previous, mark.is_blind, last_ns=now_ns, told=mark)
        course.since_ns = [now_ns if 0 < step <= previous else None for step in range(GRADES)]
        return course

    @property
    def is_over(self) -> bool:
        """Nothing is open, and nobody has a say over it."""
        return self.grade == self.told.grade == 0 and not self.stays and not self.inhibitors

    def as_list(self) -> list[object]:
        """All fields in order, for msgpack."""
        told = self.told
        mark = [
            *(told.ordinal, told.revision, told.grade, told.peak, told.is_blind, told.why),
            told.began_ns,
        ]
        return [
            *(self.grade, self.is_blind, self.value, self.seen_ns, self.last_ns, mark),
            *(self.since_ns, self.is_acknowledged, self.escalated, self.changes_ns),
            *(self.highest, self.hold_until_ns, self.hold_grade, self.raises_ns),
            *(self.is_demoted, [[s.why, s.until_ns] for s in self.stays], self.inhibitors),
            self.more,
        ]

    @classmethod
    def from_list(cls, fields: Sequence[object]) -> "Course":
        """What `as_list` made."""
        course = cls(*fields)  # type: ignore[arg-type]
        course.told = Mark(*fields[5])  # type: ignore[misc]
        course.stays = [Stay(*stay) for stay in fields[15]]  # type: ignore[attr-defined]
        return course


def pack_courses(courses: Mapping[int, Course]) -> NDArray[np.uint8]:
    """Courses by row as bytes, for a snapshot."""
    rows = {row: course.as_list() for row, course in courses.items()}
    return np.frombuffer(msgpack.packb([VERSION, rows]), dtype=np.uint8)


def courses_of(
    saved: NDArray[np.uint8], renumbered: Mapping[int, int] | None = None
) -> dict[int, Course]:
    """What `pack_courses` made; `renumbered` says which row of today each old row is."""
    version, rows = msgpack.unpackb(saved.tobytes(), strict_map_key=False)
    assert version == VERSION, f"courses of version {version}"
    return {
        row if renumbered is None else renumbered[row]: Course.from_list(fields)
        for row, fields in rows.items()
        if renumbered is None or row in renumbered
    }
