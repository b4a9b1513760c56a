"""Oracle for ladders over `value`: one sensor's readings in the order in which they came.

It shares nothing with the engine.  Between two readings the older one holds; a timer ends at its
exact instant; what happens at one instant is one message.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

COLOURS = ("none", "blue", "yellow", "orange", "red")


class Event(NamedTuple):
    """What a consumer must see; episodes are counted from 1."""

    episode: int
    revision: int
    event: str
    grade: str
    previous: str
    peak: str
    event_time: int
    value: float


@dataclass(frozen=True)
class Ladder:
    """Thresholds upwards of blue, yellow, orange, red, and how long each has to hold, in ns."""

    enter: tuple[float, ...]
    clear: tuple[float, ...]
    hold_ns: tuple[int, ...]
    clear_hold_ns: tuple[int, ...]


def events_of(readings: Iterable[tuple[int, float]], ladder: Ladder) -> Iterator[Event]:
    """Every event of one sensor; no reading may be late by more than it takes to judge it.

    The readings end quietly: timers that would end after the last of them are not told.
    """
    state, due = ["off"] * 5, [0] * 5
    grade = peak = episode = revision = newest = 0
    held = 0.0
    for t, value in readings:
        if math.isnan(value) or t < newest:  # older than what has been judged
            continue
        ends = {due[g] for g in range(1, 5) if state[g] in ("arming", "clearing") and due[g] <= t}
        for now in sorted(ends | {t}):
            for g in range(1, 5):
                if state[g] == "arming" and due[g] <= now:
                    state[1 : g + 1] = ["on"] * g
                elif state[g] == "clearing" and due[g] <= now:
                    state[g] = "off"
            if now == t:
                newest, held = t, value
                judge(state, due, ladder, (t, value))
            new = max((g for g in range(1, 5) if state[g] in ("on", "clearing")), default=0)
            if new == grade:
                continue
            if grade == 0:
                name, episode, revision, peak = "raised", episode + 1, 0, 0
            else:
                name = "upgraded" if new > grade else "downgraded" if new else "cleared"
                revision += 1
            peak = max(peak, new)
            yield Event(
                *(episode, revision, name, COLOURS[new], COLOURS[grade], COLOURS[peak]), now, held
            )
            grade = new


def judge(state: list[str], due: list[int], ladder: Ladder, reading: tuple[int, float]) -> None:
    """Apply a reading to the four latches, blue first."""
    t, value = reading
    for g in range(1, 5):
        rises, falls = value >= ladder.enter[g - 1], value < ladder.clear[g - 1]
        if state[g] == "off" and rises:
            state[g], due[g] = "arming", t + ladder.hold_ns[g - 1]
            if ladder.hold_ns[g - 1] == 0:
                state[1 : g + 1] = ["on"] * g
        elif state[g] == "arming" and not rises:
            state[g] = "off"
        elif state[g] == "on" and falls:
            state[g], due[g] = "clearing", t + ladder.clear_hold_ns[g - 1]
        elif state[g] == "clearing" and not falls:
            state[g] = "on"
