"""Sequences: how far each instance of a rule has come through the steps of its story.

Enters     what the condition of each step is from an instant on; instants at which time itself acts
Leaves     which steps have been reached
Remembers  when each step was reached, and for how long its condition has held
Refuses    nothing: unknown is not absence, and stops every count

A step is reached once its condition has held for `for`, after the step it follows and no later
than `within` after that one.  A step of absence is reached once its condition has been known to be
false for `within` since the step it follows; a single moment of truth ends that hope.  What is
reached stays so until the story is over: `within` after its first step, or when `reset` is true.
Then everything is forgotten, and what holds just then begins the next story.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.signals import FALSE, TRUE, UNKNOWN
from kernels.standing import FOREVER_NS, NEVER_NS
from rules import pack
from rules.judge import Truth

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


class Progress:
    """The steps of one rule's sequence, on all its instances; arrays are [steps, instances].

    reached_ns  int64  when the step was reached; NEVER_NS: not yet
    held_ns     int64  for how long its condition has held; of an absence: not
    truth       uint8  what its condition is now
    is_void     bool   an absence that cannot come about any more in this story
    mark_ns     int64[instances]  up to when all this is counted
    """

    __slots__ = ("held_ns", "is_void", "mark_ns", "place", "reached_ns", "sequence", "truth")

    def __init__(self, sequence: pack.Sequence, row_count: int) -> None:
        shape = (len(sequence.steps), row_count)
        self.sequence = sequence
        self.place = {step.name: number for number, step in enumerate(sequence.steps)}
        self.reached_ns = np.full(shape, NEVER_NS, dtype=np.int64)
        self.held_ns = np.zeros(shape, dtype=np.int64)
        self.truth = np.full(shape, UNKNOWN, dtype=np.uint8)
        self.is_void = np.zeros(shape, dtype=bool)
        self.mark_ns = np.zeros(row_count, dtype=np.int64)

    def meet(
        self, rows: Ints, instant_ns: int, truths: Sequence[Truth], reset: Truth | None
    ) -> None:
        """One instant of some instances: first what time has brought, then what is known anew."""
        self._pass(rows, instant_ns)
        self._reach(rows, instant_ns)
        self._end(rows, self._is_over(rows, instant_ns))
        for number, truth in enumerate(truths):
            code = np.where(truth.unknown, UNKNOWN, np.where(truth.true, TRUE, FALSE))
            self._turn(number, rows, code.astype(np.uint8))
        self._reach(rows, instant_ns)
        if reset is not None:
            self._end(rows, reset.true)

    def _pass(self, rows: Ints, instant_ns: int) -> None:
        """Count the time since the last look."""
        span_ns = instant_ns - self.mark_ns[rows]
        for number, step in enumerate(self.sequence.steps):
            counts = self.truth[number, rows] == (FALSE if step.is_absent else TRUE)
            if step.is_absent:
                counts &= self._follows(number, rows) & ~self.is_void[number, rows]
            self.held_ns[number, rows] += np.where(counts, span_ns, 0)
        self.mark_ns[rows] = instant_ns

    def _turn(self, number: int, rows: Ints, code: Codes) -> None:
        """The condition of a step is this from now on."""
        step = self.sequence.steps[number]
        if step.is_absent:
            follows = self._follows(number, rows)
            self.is_void[number, rows] |= (code == TRUE) & follows
        else:
            self.held_ns[number, rows[code == FALSE]] = 0
        self.truth[number, rows] = code

    def _reach(self, rows: Ints, instant_ns: int) -> None:
        """Take every step that can be taken, the later ones on the ground of the earlier ones."""
        for _ in self.sequence.steps:
            for number, step in enumerate(self.sequence.steps):
                ready = (self.reached_ns[number, rows] == NEVER_NS) & self._follows(number, rows)
                after_ns = self._after_ns(number, rows)
                if step.is_absent:
                    assert step.within_ns is not None
                    # Its count begins with the step it follows; true at that moment ends it.
                    self.is_void[number, rows] |= ready & (self.truth[number, rows] == TRUE)
                    ready &= ~self.is_void[number, rows]
                    ready &= self.held_ns[number, rows] >= step.within_ns
                else:
                    ready &= self.truth[number, rows] == TRUE
                    ready &= self.held_ns[number, rows] >= step.for_ns
                    if step.after is not None and step.within_ns is not None:
                        ready &= instant_ns <= after_ns + step.within_ns
                self.reached_ns[number, rows[ready]] = instant_ns

    def _follows(self, number: int, rows: Ints) -> NDArray[np.bool_]:
        """The step that this one follows has been reached."""
        follows: NDArray[np.bool_] = self._after_ns(number, rows) != NEVER_NS
        return follows

    def _after_ns(self, number: int, rows: Ints) -> Ints:
        after = self.sequence.steps[number].after
        if after is None:
            return np.zeros(rows.size, dtype=np.int64)
        after_ns: Ints = self.reached_ns[self.place[after], rows]
        return after_ns

    def _first_ns(self, rows: Ints) -> Ints:
        """When the story of each instance began; FOREVER_NS where there is none."""
        reached = self.reached_ns[:, rows]
        first: Ints = np.where(reached == NEVER_NS, FOREVER_NS, reached).min(axis=0)
        return first

    def _is_over(self, rows: Ints, instant_ns: int) -> NDArray[np.bool_]:
        first_ns = self._first_ns(rows)
        if self.sequence.within_ns is None:
            return np.zeros(rows.size, dtype=bool)
        return (first_ns < FOREVER_NS) & (instant_ns - first_ns >= self.sequence.within_ns)

    def _end(self, rows: Ints, is_over: NDArray[np.bool_]) -> None:
        """Forget the story of some instances; how long a condition has held is no part of it."""
        gone = rows[is_over]
        self.reached_ns[:, gone] = NEVER_NS
        self.is_void[:, gone] = False
        for number, step in enumerate(self.sequence.steps):
            if step.is_absent:
                self.held_ns[number, gone] = 0

    def truth_of(self, name: str, rows: Ints) -> Truth:
        """Whether a step has been reached; unknown where its condition is, and it still could."""
        number = self.place[name]
        step = self.sequence.steps[number]
        reached = self.reached_ns[number, rows] != NEVER_NS
        possible = self._follows(number, rows) & ~self.is_void[number, rows]
        if step.after is not None and step.within_ns is not None and not step.is_absent:
            possible &= self.mark_ns[rows] <= self._after_ns(number, rows) + step.within_ns
        return Truth(reached, ~reached & possible & (self.truth[number, rows] == UNKNOWN))

    def wakes(self, rows: Ints, instant_ns: int) -> Ints:
        """When time alone changes something; FOREVER_NS where it does not."""
        due_ns = np.full(rows.size, FOREVER_NS, dtype=np.int64)
        for number, step in enumerate(self.sequence.steps):
            waits = (self.reached_ns[number, rows] == NEVER_NS) & self._follows(number, rows)
            needed_ns = (step.within_ns or 0) if step.is_absent else step.for_ns
            counts = self.truth[number, rows] == (FALSE if step.is_absent else TRUE)
            counts &= ~self.is_void[number, rows] & waits
            end_ns = instant_ns + needed_ns - self.held_ns[number, rows]
            due_ns = np.where(counts & (end_ns > instant_ns), np.minimum(due_ns, end_ns), due_ns)
            if step.after is not None and step.within_ns is not None and not step.is_absent:
                # From the next instant on it is too late, and no longer unknown.
                late_ns = self._after_ns(number, rows) + step.within_ns + 1
                due_ns = np.where(
                    waits & (late_ns > instant_ns), np.minimum(due_ns, late_ns), due_ns
                )
        if self.sequence.within_ns is not None:
            first_ns = self._first_ns(rows)
            over_ns = np.minimum(first_ns, FOREVER_NS - self.sequence.within_ns)
            over_ns = over_ns + self.sequence.within_ns
            due_ns = np.where(over_ns > instant_ns, np.minimum(due_ns, over_ns), due_ns)
        return due_ns

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        return {
            "sequence/reached_ns": self.reached_ns,
            "sequence/held_ns": self.held_ns,
            "sequence/truth": self.truth,
            "sequence/is_void": self.is_void,
            "sequence/mark_ns": self.mark_ns,
        }
