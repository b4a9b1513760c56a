"""Inline tests of rules: a feed in words becomes columns of readings, expectations become records.

    0.2 for 2m, ramp 0.2 to 1.2 over 1m, gap 20m, bad 3.9 for 10s, late 40 by 12min, 0.7 @5s

One reading each period, from time 0. A segment covers [start, start + duration): the first reading
stands at its start, and where it ends the next segment starts. A ramp is at its first value at its
start and would reach its second at its end. `late V by D` and a single `V` are one reading and
take one period; the late one arrives D after its time. `noise N` adds up to ±N, the same in every
run. Nothing here knows the engine: it runs the columns and compares.
"""

import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rules.errors import Faults, Place
from rules.grade import Grade
from rules.units import UnitError, read_duration
from rules.yaml_text import TextNode

READINGS_MAX = 1_000_000
# "Suspect rate": the reading is set aside as bad, and can never be taken for a pegged sensor.
BAD_QUALITY = 2

State = Literal["inactive", "pending", "active", "clearing"]
Standing = Literal["ok", "degraded", "blind"]


@dataclass(frozen=True, slots=True)
class Feed:
    """The readings of one sensor, in the order of their time; `delay_ns` is how late each arrives.

    Values are in the unit of the rule's input; quality is a code of the wire, 0 is good.
    """

    time_ns: tuple[int, ...]
    value: tuple[float, ...]
    quality: tuple[int, ...]
    delay_ns: tuple[int, ...]
    period_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class CsvFeed:
    """Readings that stand in a file: its path, and the column, empty for a file of many feeds.

    The file is read when the test is run (see `csv_feed`): the engine reads packs without tests.
    """

    path: Path
    column: str
    period_ns: int | None
    place: Place


@dataclass(frozen=True, slots=True)
class Fleet:
    """Sensors of one input on a grid, `S00` in the south-west, row by row to the north.

    Each stands on a site of its own; all of them are of one network.
    """

    rows: int
    columns: int
    spacing_m: float

    @property
    def positions(self) -> dict[str, tuple[float, float]]:
        """Metres east and north of the first sensor, by name: `S12` is in row 1, column 2."""
        width = len(str(max(self.rows, self.columns) - 1))
        return {
            f"S{row:0{width}}{column:0{width}}": (column * self.spacing_m, row * self.spacing_m)
            for row in range(self.rows)
            for column in range(self.columns)
        }


@dataclass(frozen=True, slots=True)
class GradeFeed:
    """The grades of one instance of another rule: each from its time on, until `end_ns`."""

    steps: tuple[tuple[int, Grade], ...]
    end_ns: int


@dataclass(frozen=True, slots=True)
class At:
    """What must hold at one instant; None is not looked at.

    why   a word that the explanation of the grade must name: a `let`, an input, a step
    rule  whose grade, in a test of a whole pack; empty for the rule the test stands in
    key   which instance, where the test has several; empty for the gravest of them
    """

    at_ns: int
    grade: Grade | None
    state: State | None
    quality: Standing | None
    place: Place
    why: str = ""
    rule: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Never:
    """A grade that is never reached (nor a graver one), or an event that never happens."""

    grade: Grade | None
    event: str | None
    place: Place
    rule: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Between:
    """How many changes of grade there are in (start, end]."""

    start_ns: int
    end_ns: int
    transitions: int
    place: Place
    rule: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that must happen at one instant; the grade is the one after it."""

    event: str
    grade: Grade | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class Events:
    """All changes of grade, in order: these and no others."""

    happenings: tuple[Happening, ...]
    place: Place
    rule: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """How long before something a grade is first reached, at least.

    before_ns  the instant; None: the first greatest value (least, of a ladder that goes `below`)
               of the feed that stands first
    grade      the grade that must be reached by then, or a graver one; None: any
    """

    least_ns: int
    before_ns: int | None
    grade: Grade | None
    place: Place
    rule: str = ""
    key: str = ""


Expectation = At | Never | Between | Events | Lead


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test: readings of sensors, and what must follow.

    feeds       by name: `input` for the only input, `p` for a named one, `gas.G1` for one of its
                sensors, `sta.*` for all of a fleet that have no feed of their own; in a test of a
                whole pack, or of a rule without inputs, sensor types stand for inputs
    attributes  the catalogue's texts for every sensor of this test, by name
    csv         feeds that stand in files, by the same names; empty for a file of many feeds
    fleets      grids of sensors by input
    own         attributes of single sensors by the name of their feed, beside `attributes`
    grades      grades of other rules, by `pack/id` and the key of the instance (empty: all)
    """

    name: str
    feeds: Mapping[str, Feed]
    attributes: Mapping[str, str]
    expects: tuple[Expectation, ...]
    place: Place
    csv: Mapping[str, CsvFeed] = field(default_factory=dict)
    fleets: Mapping[str, Fleet] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    grades: Mapping[tuple[str, str], GradeFeed] = field(default_factory=dict)

    def members(self, source: str) -> dict[str, Feed]:
        """The sensors of an input with their feeds, `*` written out; the only one has no name."""
        found: dict[str, Feed] = {}
        everyone = self.feeds.get(f"{source}.*")
        if everyone is not None and source in self.fleets:
            found = dict.fromkeys(self.fleets[source].positions, everyone)
        for name, feed in self.feeds.items():
            of, _, member = name.partition(".")
            if of == source and member != "*":
                found[member] = feed
        return found


SIGNED = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
SPAN = r"\S+"
SEGMENTS = {
    "ramp": re.compile(rf"ramp\s+(?P<a>{SIGNED})\s+to\s+(?P<b>{SIGNED})\s+over\s+(?P<d>{SPAN})"),
    "gap": re.compile(rf"gap\s+(?P<d>{SPAN})"),
    "bad": re.compile(rf"bad\s+(?P<a>{SIGNED})\s+for\s+(?P<d>{SPAN})"),
    "late": re.compile(rf"late\s+(?P<a>{SIGNED})\s+by\s+(?P<d>{SPAN})"),
    "hold": re.compile(rf"(?P<a>{SIGNED})\s+for\s+(?P<d>{SPAN})(?:\s+noise\s+(?P<n>{SIGNED}))?"),
    "one": re.compile(rf"(?P<a>{SIGNED})"),
}
PERIOD = re.compile(r"@\s*(?P<d>\S+)\s*$")


@dataclass(frozen=True, slots=True)
class _Segment:
    form: str
    first: float
    second: float
    noise: float
    duration_ns: int


class _Unreadable(Exception):
    """A segment that is none, at letters [start, end) of the feed."""

    def __init__(self, message: str, start: int, end: int, remedy: str = "") -> None:
        super().__init__(message)
        self.start, self.end, self.remedy = start, end, remedy


def read_feed(node: TextNode, period_ns: int | None, faults: Faults) -> Feed | None:
    """Read a feed; `period_ns` is used where the feed has no `@period`. None after a fault."""
    try:
        return _read(node.text, period_ns)
    except _Unreadable as problem:
        place = node.part(problem.start, problem.end)
        faults.add("E501", place, str(problem), remedy=problem.remedy)
        return None


def _read(text: str, period_ns: int | None) -> Feed:
    found = PERIOD.search(text)
    body = text[: found.start()] if found else text
    if found:
        period_ns = _duration(found["d"], found.start("d"))
    if period_ns is None:
        message = "how often does the sensor report?"
        raise _Unreadable(message, 0, len(text), "end the feed with its period: `… @5s`")
    if period_ns == 0:
        message = "a period of 0"
        raise _Unreadable(message, 0, len(text), "end the feed with its period: `… @5s`")
    segments = list(_segments(body))
    lengths_ns = [_length_ns(segment, period_ns) for segment in segments]
    if sum(lengths_ns) // period_ns > READINGS_MAX:
        message = f"more than {READINGS_MAX} readings"
        raise _Unreadable(message, 0, len(text), "make it shorter, or the period longer")
    return _sampled(segments, lengths_ns, period_ns)


def _segments(body: str) -> Iterator[_Segment]:
    at = 0
    for part in body.split(","):
        start = at + len(part) - len(part.lstrip())
        yield _segment(part.strip(), start)
        at += len(part) + 1


def _segment(text: str, start: int) -> _Segment:
    for form, pattern in SEGMENTS.items():
        found = pattern.fullmatch(text)
        if found:
            named = found.groupdict()
            first = float(named.get("a") or 0)
            duration_ns = _duration(named["d"], start + found.start("d")) if "d" in named else 0
            second = float(named.get("b") or first)
            noise = abs(float(named.get("n") or 0))
            if not math.isfinite(first + second + noise):
                message = "a reading too large to be one"
                raise _Unreadable(message, start, start + len(text))
            return _Segment(form, first, second, noise, duration_ns)
    message = f"`{text}` is not a segment of a feed" if text else "an empty segment"
    raise _Unreadable(
        message,
        start,
        start + len(text),
        "write `0.2 for 2m`, `ramp 0.2 to 1.2 over 1m`, `gap 20m`, `bad 3.9 for 10s`, "
        "`late 40 by 12min` or a single value",
    )


def _duration(text: str, start: int) -> int:
    try:
        return read_duration(text)
    except UnitError as problem:
        raise _Unreadable(str(problem), start, start + len(text), problem.remedy) from None


def _length_ns(segment: _Segment, period_ns: int) -> int:
    """How much time a segment takes: one period for those that are one reading."""
    return period_ns if segment.form in ("one", "late") else segment.duration_ns


def _sampled(segments: list[_Segment], lengths_ns: list[int], period_ns: int) -> Feed:
    """Take one reading each period."""
    noise = random.Random("tocsin")
    time_ns: list[int] = []
    value: list[float] = []
    quality: list[int] = []
    delay_ns: list[int] = []
    start_ns = 0
    for segment, length_ns in zip(segments, lengths_ns, strict=True):
        end_ns = start_ns + length_ns
        first_ns = -(-start_ns // period_ns) * period_ns
        times = range(first_ns, end_ns, period_ns) if segment.form != "gap" else range(0)
        time_ns += times
        rise, first, spread = segment.second - segment.first, segment.first, segment.noise
        if spread:
            value += [_clean(first + noise.uniform(-spread, spread)) for _ in times]
        elif rise:
            value += [_clean(first + rise * (at - start_ns) / length_ns) for at in times]
        else:
            value += [_clean(first)] * len(times)
        quality += [BAD_QUALITY if segment.form == "bad" else 0] * len(times)
        delay_ns += [segment.duration_ns if segment.form == "late" else 0] * len(times)
        start_ns = end_ns
    return Feed(tuple(time_ns), tuple(value), tuple(quality), tuple(delay_ns), period_ns, start_ns)


def _clean(reading: float) -> float:
    """Twelve digits: a ramp from 0.2 to 1.2 passes 0.7, not 0.7000000000000001."""
    return float(f"{reading:.12g}")
