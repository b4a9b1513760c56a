"""The truth about one rule on one sensor whose readings come in the order of their times.

A rule is a function of event time: at some instants what is known changes (a reading, its end, a
pane's end), between them nothing does. So the conditions are a list of (instant, meaning), and the
grades are lived through from instant to instant, stopping also where a timer ends.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

NEVER = float("inf")
Meaning = dict[int, tuple[bool | None, bool | None]]  # of each grade: when, clear; None: unknown
Reading = tuple[int, float]


@dataclass(frozen=True)
class Ladder:
    """Thresholds and holds by grade (1 blue to 4 red); times in any whole unit."""

    enter: dict[int, float]
    clear: dict[int, float]
    hold: dict[int, int]
    clear_hold: dict[int, int]
    blind: float
    is_above: bool = True

    def meaning(self, value: float | None) -> Meaning:
        if value is None:
            return dict.fromkeys(self.enter, (None, None))
        sign = 1 if self.is_above else -1
        return {
            g: (sign * value >= sign * self.enter[g], sign * value < sign * self.clear[g])
            for g in self.enter
        }


def by_reading(ladder: Ladder, readings: list[Reading], stale: int) -> list[tuple[int, Meaning]]:
    """What a rule on `value` knows and from when on."""
    known = []
    for i, (time, value) in enumerate(readings):
        known.append((time, ladder.meaning(value)))
        following = readings[i + 1][0] if i + 1 < len(readings) else NEVER
        if following > time + stale:
            known.append((time + stale, ladder.meaning(None)))
    return known


def by_pane(
    ladder: Ladder, readings: list[Reading], feature: str, window: tuple[int, int, float, int]
) -> list[tuple[int, Meaning]]:
    """What a rule on a window knows at the ends of panes.

    `window` is its length, the sensor's period, the coverage asked for, the length of a pane.
    """
    length, period, coverage, pane = window
    times = [time for time, _ in readings]
    first, last = -(-times[0] // pane) * pane, times[-1] + length + 2 * pane
    known = []
    for end in range(first, last, pane):
        inside = readings[bisect_right(times, end - length) : bisect_right(times, end)]
        is_covered = min(len(inside) * period / length, 1.0) >= coverage
        known.append((end, ladder.meaning(measure(feature, inside) if is_covered else None)))
    return known


def measure(feature: str, inside: list[Reading]) -> float | None:
    values = [value for _, value in inside]
    if not values:
        return None
    if feature == "mean":
        return sum(values) / len(values)
    if feature == "max":
        return max(values)
    assert feature == "slope"
    middle_t = sum(time for time, _ in inside) / len(inside)
    middle_v = sum(values) / len(values)
    spread = sum((time - middle_t) ** 2 for time, _ in inside)
    if spread == 0:
        return None
    return sum((t - middle_t) * (v - middle_v) for t, v in inside) / spread


@dataclass
class Row:
    """One rule on one sensor, between two instants."""

    ladder: Ladder
    meaning: Meaning = field(default_factory=dict)
    phase: dict[int, str] = field(default_factory=dict)
    left: dict[int, float] = field(default_factory=dict)
    grade: int = 0
    is_blind: bool = False
    unsure_for: float = 0
    events: list[tuple[int, str, int]] = field(default_factory=list)

    def live(self, known: list[tuple[int, Meaning]], end: int) -> list[tuple[int, str, int]]:
        """All events before `end`: (instant, event, grade after it)."""
        for g in self.ladder.enter:
            self.phase[g], self.meaning[g] = "off", (None, None)
        now = known[0][0]
        for instant, meaning in [*known, (end, None)]:
            while (step := self.next_end()) <= instant - now:
                now += int(step)
                self.pass_by(step)
                if now < instant:
                    self.at(now, self.meaning)
            self.pass_by(instant - now)
            now = instant
            if meaning is not None and instant < end:
                self.at(now, meaning)
        return self.events

    def runs(self, g: int) -> bool:
        when, clear = self.meaning[g]
        if self.phase[g] == "arming":
            return when is True
        return self.phase[g] == "clearing" and when is False and clear is True

    def next_end(self) -> float:
        """How long until a timer ends or the warning turns blind; only what is still ahead."""
        ends = [self.left[g] for g in self.ladder.enter if self.runs(g) and self.left[g] > 0]
        if self.is_unsure() and not self.is_blind and self.ladder.blind > self.unsure_for:
            ends.append(self.ladder.blind - self.unsure_for)
        return min(ends, default=NEVER)

    def pass_by(self, span: float) -> None:
        for g in self.ladder.enter:
            if self.runs(g):
                self.left[g] -= span
        if self.is_unsure():
            self.unsure_for += span

    def is_unsure(self) -> bool:
        """There is a warning, and its own conditions neither uphold nor end it."""
        return self.grade > 0 and self.meaning[self.grade] == (None, None)

    def at(self, now: int, meaning: Meaning) -> None:
        """One instant: first the timers that end, then what is known from now on."""
        was_blind = self.is_blind
        if self.is_unsure() and self.unsure_for >= self.ladder.blind:
            self.is_blind = True
        for g in sorted(self.phase):
            if self.runs(g) and self.left[g] <= 0:
                self.finish(g)
        self.meaning = meaning
        for g in sorted(self.phase):
            if self.ask(g):
                for lower in sorted(self.phase):
                    if lower < g:
                        self.ask(lower)
        before, self.grade = self.grade, max((g for g in self.phase if self.holds(g)), default=0)
        if not self.is_unsure():
            self.is_blind, self.unsure_for = False, 0
        if self.grade != before:
            name = "raised" if before == 0 else "upgraded" if self.grade > before else "downgraded"
            self.events.append((now, "cleared" if self.grade == 0 else name, self.grade))
        elif self.is_blind != was_blind:
            self.events.append((now, "blind" if self.is_blind else "restored", self.grade))

    def holds(self, g: int) -> bool:
        return self.phase[g] in ("on", "clearing")

    def finish(self, g: int) -> None:
        """End a timer: on, with all lower ones, or off."""
        if self.phase[g] == "clearing":
            self.phase[g] = "off"
            return
        for lower in self.phase:
            if lower <= g:
                self.phase[lower] = "on"

    def ask(self, g: int) -> bool:
        """Let a grade answer to its conditions; whether it turned on now."""
        when, clear = self.meaning[g]
        if not self.holds(g):
            if when is False:
                self.phase[g] = "off"
            elif when and self.phase[g] == "off":
                self.phase[g], self.left[g] = "arming", self.ladder.hold[g]
            if self.phase[g] == "arming" and when and self.left[g] <= 0:
                self.finish(g)
                return True
        elif when or clear is False:
            self.phase[g] = "on"
        elif when is False and clear:
            if self.phase[g] == "on":
                self.phase[g], self.left[g] = "clearing", self.ladder.clear_hold[g]
            if self.left[g] <= 0:
                self.phase[g] = "off"
        return False
