"""Oracle for waveforms: recursive STA/LTA in one loop, judged at the ends of 100 ms panes.

It shares nothing with the engine.  Between two pane ends the ratio of the first of them holds; a
timer runs while its condition is known, ends at its exact instant, and stands still while the
ratio is unknown.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

NS = 1_000_000_000
PANE_NS = NS // 10
COLOURS = ("none", "blue", "yellow", "orange", "red")
GRADES = (1, 2, 3, 4)


class Event(NamedTuple):
    """What a consumer must see; episodes are counted from 1."""

    episode: int
    revision: int
    event: str
    grade: str
    event_time: int


@dataclass
class Ladder:
    """The rule: terms in samples, thresholds upwards, holds in ns."""

    short: int
    long: int
    gap_ns: int
    enter: Sequence[float]
    clear: Sequence[float]
    hold_ns: Sequence[int]
    clear_hold_ns: Sequence[int]
    blind_ns: int


@dataclass
class Standing:
    """One station: a state and the time left of its timer for each grade."""

    state: list[str] = field(default_factory=lambda: ["off"] * 5)
    left_ns: list[int] = field(default_factory=lambda: [0] * 5)
    grade: int = 0
    episode: int = 0
    revision: int = 0
    unknown_since: int | None = None
    is_blind: bool = False


def ratios(samples: Sequence[tuple[int, float]], ladder: Ladder) -> dict[int, float]:
    """The ratio after the last sample of each pane, by the pane's end; NaN while unknown."""
    found: dict[int, float] = {}
    sta = lta = 0.0
    seen, newest = 0, 0
    for t, x in samples:
        if seen == 0 or t - newest > ladder.gap_ns:
            sta, lta, seen = 0.0, 1e-99, 1
        else:
            sta = x * x / ladder.short + (1 - 1 / ladder.short) * sta
            lta = x * x / ladder.long + (1 - 1 / ladder.long) * lta
            seen += 1
        newest = t
        found[-(-t // PANE_NS) * PANE_NS] = sta / lta if seen > ladder.long else math.nan
    return found


def events_of(samples: Sequence[tuple[int, float]], ladder: Ladder) -> Iterator[Event]:
    """Every event of one station; a pane counts once a sample beyond its end has come."""
    found = ratios(samples, ladder)
    station = Standing()
    ratio = math.nan
    end = min(found)
    while end < samples[-1][0]:
        yield from walk(station, ladder, ratio, end - PANE_NS, end)
        ratio = found.get(end, math.nan)
        yield from judge(station, ladder, ratio, end)
        end += PANE_NS


def walk(s: Standing, ladder: Ladder, ratio: float, start: int, end: int) -> Iterator[Event]:
    """Let the time from one pane end to the next pass under one ratio; its end is included."""
    if math.isnan(ratio):
        if s.grade and not s.is_blind and s.unknown_since is not None:
            due = s.unknown_since + ladder.blind_ns
            if due <= end:
                s.is_blind = True
                s.revision += 1
                yield Event(s.episode, s.revision, "blind", COLOURS[s.grade], due)
        return
    now = start
    while True:
        running = [g for g in GRADES if s.state[g] in ("arming", "clearing")]
        step = min((s.left_ns[g] for g in running), default=end - now + 1)
        if now + step > end:
            for g in running:
                s.left_ns[g] -= end - now
            return
        now += step
        for g in running:
            s.left_ns[g] -= step
        for g in running:
            if s.left_ns[g] == 0 and s.state[g] == "arming":
                turn_on(s, g)
            elif s.left_ns[g] == 0 and s.state[g] == "clearing":
                s.state[g] = "off"
        if now < end:  # at the end itself, what the new ratio does belongs to the same message
            yield from tell(s, now)


def judge(s: Standing, ladder: Ladder, ratio: float, now: int) -> Iterator[Event]:
    """Apply the ratio that holds from now on."""
    if math.isnan(ratio):
        s.unknown_since = now if s.unknown_since is None else s.unknown_since
        yield from tell(s, now)
        return
    was_blind, s.is_blind, s.unknown_since = s.is_blind, False, None
    for g in GRADES:
        rises, falls = ratio >= ladder.enter[g - 1], ratio < ladder.clear[g - 1]
        if s.state[g] == "off" and rises:
            s.state[g], s.left_ns[g] = "arming", ladder.hold_ns[g - 1]
            if s.left_ns[g] == 0:
                turn_on(s, g)
        elif s.state[g] == "arming" and not rises:
            s.state[g] = "off"
        elif s.state[g] == "on" and falls:
            s.state[g], s.left_ns[g] = "clearing", ladder.clear_hold_ns[g - 1]
        elif s.state[g] == "clearing" and not falls:
            s.state[g] = "on"
    told = list(tell(s, now))
    if was_blind and not told:
        s.revision += 1
        told = [Event(s.episode, s.revision, "restored", COLOURS[s.grade], now)]
    yield from told


def turn_on(s: Standing, grade: int) -> None:
    """A latch that is on switches the lower ones on."""
    for lower in range(1, grade + 1):
        s.state[lower] = "on"


def tell(s: Standing, now: int) -> Iterator[Event]:
    """One message for whatever changed at one instant."""
    new = max((g for g in GRADES if s.state[g] in ("on", "clearing")), default=0)
    if new == s.grade:
        return
    if s.grade == 0:
        name, s.episode, s.revision = "raised", s.episode + 1, 0
    else:
        name = "upgraded" if new > s.grade else "downgraded" if new else "cleared"
        s.revision += 1
    s.grade = new
    yield Event(s.episode, s.revision, name, COLOURS[new], now)
