"""Oracle for the recorded mine: the rule `ch4-high`, worked by hand over one column.

It shares nothing with the engine: lists, numbers and one loop.  Every hold of this rule is a
multiple of the 30 s between the rows, so timers can only end where a row falls; at one instant
the timers end first, then the new value counts, and what changes in all is one message.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STEP_S = 30
START_S = 1_393_632_000  # 2014-03-01T00:00:00Z
COLUMNS = ("MM31", "MM116", "AS038", "PG072", "PD", "BA13", "DMM116", "MM116_pred")
COLOURS = ("none", "blue", "yellow", "orange", "red")
ENTER = {1: 0.5, 2: 0.8, 3: 1.0, 4: 1.5}
CLEAR = {1: 0.4, 2: 0.7, 3: 0.8, 4: 1.0}
HOLD_S = {1: 60, 2: 30, 3: 0, 4: 0}
CLEAR_HOLD_S = 300


@dataclass
class Event:
    """What a consumer must see: episode (counted from 1), revision, event, grade, time."""

    episode: int
    revision: int
    event: str
    grade: str
    event_time: int


def read_column(path: Path, name: str) -> list[float]:
    """One column of the ARFF file, in file order."""
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().upper() == "@DATA") + 1
    at = COLUMNS.index(name)
    return [float(line.split(",")[at]) for line in lines[start:] if line.strip()]


def events_of(values: list[float]) -> Iterator[Event]:
    """Every event that `ch4-high` must send for this column."""
    state = dict.fromkeys(ENTER, "off")
    since = dict.fromkeys(ENTER, 0)
    grade = episode = revision = 0
    for row, value in enumerate(values):
        now = START_S + row * STEP_S
        for g in ENTER:  # timers that end here, under the value that held until now
            if state[g] == "arming" and now - since[g] >= HOLD_S[g]:
                turn_on(state, g)
            elif state[g] == "clearing" and now - since[g] >= CLEAR_HOLD_S:
                state[g] = "off"
        for g, enter in ENTER.items():  # then the new value
            if state[g] == "off" and value >= enter:
                state[g], since[g] = "arming", now
                if HOLD_S[g] == 0:
                    turn_on(state, g)
            elif state[g] == "arming" and value < enter:
                state[g] = "off"
            elif state[g] == "on" and value < CLEAR[g]:
                state[g], since[g] = "clearing", now
            elif state[g] == "clearing" and value >= CLEAR[g]:
                state[g] = "on"
        new = max((g for g in ENTER if state[g] in ("on", "clearing")), default=0)
        if new == grade:
            continue
        if grade == 0:
            name, episode, revision = "raised", episode + 1, 0
        else:
            name = "upgraded" if new > grade else "downgraded" if new else "cleared"
            revision += 1
        grade = new
        yield Event(episode, revision, name, COLOURS[new], now * 1_000_000_000)


def turn_on(state: dict[int, str], grade: int) -> None:
    """A latch that is on switches the lower ones on."""
    for lower in range(1, grade + 1):
        state[lower] = "on"
