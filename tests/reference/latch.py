"""The truth about latches: one row, lived through nanosecond by nanosecond.

No instants are computed here. Time goes on by one tick, every latch that may count counts one,
and at each tick everybody is asked anew. A late reading turns the counters back to what they
were at its instant; what was said and what was switched stays.
"""

from dataclasses import dataclass, field

Condition = bool | None  # None is unknown
Meaning = tuple[Condition, Condition]  # of one grade: when, clear

NAMES = {(False, True): "raised", (True, True): "upgraded", (True, False): "downgraded"}


@dataclass(slots=True)
class Terms:
    """Spans in ticks per grade; None as a hold: no such grade; None otherwise: never."""

    hold: list[int | None]
    clear_hold: list[int]
    stale: int | None = None
    blind: int | None = None
    sticky: list[bool] = field(default_factory=lambda: [False] * 4)
    closure: bool = True


@dataclass(slots=True)
class Row:
    """One rule on one sensor."""

    terms: Terms
    now: int = 0
    phase: list[str] = field(default_factory=lambda: ["off"] * 4)
    held: list[int] = field(default_factory=lambda: [0] * 4)
    began: list[int] = field(default_factory=lambda: [0] * 4)
    meaning: list[Meaning] = field(default_factory=lambda: [(None, None)] * 4)
    value: float = float("nan")
    seen: int | None = None
    unsure_for: int = 0
    blind: bool = False
    last: int = -1
    ordinal: int = 0
    revision: int = 0
    peak: int = 0
    said: list[tuple[object, ...]] = field(default_factory=list)
    past: dict[int, tuple[list[int], int]] = field(default_factory=dict)

    def read(self, time: int, value: float, meaning: list[Meaning], horizon: int) -> None:
        self.live_until(horizon)
        if self.seen is not None and time < self.seen:
            return
        instant = max(time, self.last)
        self.go_to(instant)
        self.step((time, value, meaning))
        self.live_until(horizon)

    def reset(self, time: int) -> None:
        """Somebody who has looked lets go of what is latched; what stands or is unknown stays."""
        self.go_to(max(time, self.last, self.seen if self.seen is not None else 0))
        self.step(None, is_reset=True)

    def go_to(self, instant: int) -> None:
        self.live_until(instant)
        if instant < self.now:
            held, self.unsure_for = self.past[instant]
            self.held = [
                0 if began > instant else old for began, old in zip(self.began, held, strict=True)
            ]
            self.now = instant

    def live_until(self, end: int) -> None:
        while self.now < end:
            self.step(None)
            self.past[self.now] = (list(self.held), self.unsure_for)
            for g in range(4):
                when, clear = self.meaning[g]
                if self.is_known() and self.phase[g] == "arming" and when is True:
                    self.held[g] += 1
                if (
                    self.is_known()
                    and self.phase[g] == "clearing"
                    and (when, clear) == (False, True)
                ):
                    self.held[g] += 1
            self.unsure_for += self.is_unsure()
            self.now += 1

    def step(
        self, reading: tuple[int, float, list[Meaning]] | None, is_reset: bool = False
    ) -> None:
        before, was_blind = self.grade(), self.blind
        for g in range(4):
            self.end_timer(g)
        if reading is not None:
            self.seen, value, self.meaning = reading
            if any(
                self.meaning[g] != (None, None) for g in range(4) if self.terms.hold[g] is not None
            ):
                self.value = value
        if reading is not None or self.is_known():
            for g in range(4):
                if self.ask(g) and self.terms.closure:
                    for lower in range(g):
                        self.ask(lower)
        for g in range(4):
            is_over = self.is_known() and self.meaning[g] == (False, True)
            if is_reset and is_over and self.terms.sticky[g] and self.phase[g] == "on":
                self.phase[g] = "off"
        if not self.is_unsure():
            self.blind, self.unsure_for = False, 0
        elif self.terms.blind is not None:
            self.blind |= self.unsure_for >= self.terms.blind
        self.tell(before, was_blind)

    def ask(self, g: int) -> bool:
        """Let latch g meet its conditions; whether it turned on."""
        if self.terms.hold[g] is None:
            return False
        when, clear = self.meaning[g]
        if self.phase[g] in ("off", "arming"):
            if when is False:
                self.phase[g] = "off"
            elif when is True and self.phase[g] == "off":
                self.phase[g], self.held[g], self.began[g] = "arming", 0, self.now
            return when is True and self.end_timer(g)
        if self.terms.sticky[g] or when is True or clear is False:
            self.phase[g] = "on"
        elif (when, clear) == (False, True):
            if self.phase[g] == "on":
                self.phase[g], self.held[g], self.began[g] = "clearing", 0, self.now
            self.end_timer(g)
        return False

    def end_timer(self, g: int) -> bool:
        """Switch latch g if it has waited long enough; whether it turned on."""
        if self.phase[g] == "clearing" and self.held[g] >= self.terms.clear_hold[g]:
            self.phase[g] = "off"
        hold = self.terms.hold[g]
        if self.phase[g] != "arming" or hold is None or self.held[g] < hold:
            return False
        for lower in range(g + 1):
            if self.terms.hold[lower] is not None and (self.terms.closure or lower == g):
                self.phase[lower] = "on"
        return True

    def grade(self) -> int:
        return max((g + 1 for g in range(4) if self.phase[g] in ("on", "clearing")), default=0)

    def is_known(self) -> bool:
        if self.seen is None:
            return False
        return self.terms.stale is None or self.now < self.seen + self.terms.stale

    def is_unsure(self) -> bool:
        """Whether there is a warning that what is known neither upholds nor ends."""
        if self.grade() == 0:
            return False
        when, clear = self.meaning[self.grade() - 1]
        upheld = when is True or clear is False
        return not self.is_known() or (not upheld and None in (when, clear))

    def tell(self, before: int, was_blind: bool) -> None:
        grade = self.grade()
        if grade == before and self.blind == was_blind:
            return
        if before == 0:
            self.ordinal, self.revision, self.peak = self.ordinal + 1, 0, 0
        else:
            self.revision += 1
        self.peak = max(self.peak, grade)
        event = NAMES.get((before > 0, grade > before), "")
        if grade == before:
            event = "blind" if self.blind else "restored"
        elif grade == 0:
            event = "cleared"
        self.last = self.now
        self.said.append(
            (
                *(self.now, self.value, self.ordinal, self.revision, event),
                *(grade, before, self.peak, self.blind, self.seen),
            )
        )
