"""Desk: where the changes of one rule, the acts of operators and the word of other rules meet.

Changes and acts are taken as they come: all that stands before an act in the journal has been
judged when it is obeyed.  Where another rule may hold this one down, everything waits until that
rule's verdict is known, and is taken in the order of its instants; so where one turn of the shard
ends decides when something is said, never what.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray

from engine.conduct import Conduct
from engine.courses import Course, Facts, Stay, Told, courses_of, pack_courses
from engine.episodes import Message
from kernels.standing import CHANGE
from rules.grade import Grade
from rules.pack import Rule

VERSION = 1
# At one instant: other rules speak before operators, both before the latches.
VERDICT, ACT, LATCHES = range(3)
STAYS = {"shelve": "shelved", "maintenance": "maintenance"}
ENDS = {"unshelve": "shelved", "resume": "maintenance"}


class Rows(Protocol):
    """What a desk must know of the rows it speaks for."""

    def write(self, told: Told) -> Message:
        """Make the message of what is told."""

    def reset(self, row: int, now_ns: int) -> NDArray[np.void]:
        """Let the row's latched grades go; the changes that follow."""

    def facts(self, change: np.void) -> Facts:
        """What is known now of a change that the desk itself has asked for."""


@dataclass(order=True, slots=True)
class _Waiting:
    """Something that waits for its instant."""

    time_ns: int
    sort: int
    number: int
    what: str = field(compare=False)
    content: list[object] = field(compare=False)


AnyRows = TypeVar("AnyRows", bound=Rows)


@dataclass(slots=True)
class Desk(Generic[AnyRows]):
    """The desk of one rule.

    is_held    another rule may hold this one down, so every change waits for that rule's verdict
    listeners  hear what is told, before it is written
    """

    rule: Rule
    rows: AnyRows
    is_held: bool = False
    conduct: Conduct = field(init=False)
    listeners: list[Callable[[Told], None]] = field(default_factory=list)
    waiting: dict[int, list[_Waiting]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.conduct = Conduct(self.rule)

    def tell(self, change: np.void, more: Facts) -> Iterator[Message]:
        """Tell a change, or keep it until everything before it is known."""
        row = int(change["row"])
        if self.is_held:
            content: list[object] = [change.tobytes(), dict(more)]
            self._wait(row, int(change["event_ns"]), LATCHES, "change", content)
            return
        yield from self._written(self.conduct.take(change, more))

    def act(self, row: int, what: str, now_ns: int, until_ns: int) -> Iterator[Message]:
        """Obey an operator, now or in its turn; `now_ns` is the time at the row's site."""
        number = next(self.numbers)
        if self.is_held:
            heappush(self._line(row), _Waiting(now_ns, ACT, number, what, [until_ns]))
        else:
            yield from self._obey(row, _Waiting(now_ns, ACT, number, what, [until_ns]))

    def rule_on(self, row: int, source: str, now_ns: int, cap: Grade | None) -> None:
        """Another rule mutes a row from an instant on, or caps it."""
        self._wait(row, now_ns, VERDICT, "inhibit", [source, None if cap is None else int(cap)])

    def rule_off(self, row: int, source: str, now_ns: int) -> None:
        """Another rule lets a row go."""
        self._wait(row, now_ns, VERDICT, "release", [source])

    def flush(self, known_ns: Callable[[int], int]) -> Iterator[Message]:
        """Tell what is now in order, and what came due by itself.

        known_ns  by row: nothing that happened before is unknown any more
        """
        for row in sorted(self.waiting):
            yield from self._flush_row(row, known_ns(row))
        if self.conduct.restless:
            yield from self._written(self.conduct.advance(self._limit(known_ns)))

    def _limit(self, known_ns: Callable[[int], int]) -> Callable[[int], int]:
        """Timers of a row run no further than to what still waits before them."""

        def limit(row: int) -> int:
            waiting = self.waiting.get(row)
            return min(known_ns(row), waiting[0].time_ns) if waiting else known_ns(row)

        return limit

    def _flush_row(self, row: int, known_ns: int) -> Iterator[Message]:
        waiting = self.waiting[row]
        while waiting and waiting[0].time_ns < known_ns:
            yield from self._obey(row, heappop(waiting))
        if not waiting:
            del self.waiting[row]

    def _obey(self, row: int, one: _Waiting) -> Iterator[Message]:
        conduct, now_ns = self.conduct, one.time_ns
        match one.what:
            case "change":
                packed, more = one.content
                assert isinstance(packed, bytes)
                assert isinstance(more, dict)
                yield from self._written(conduct.take(np.frombuffer(packed, CHANGE)[0], more))
            case "inhibit":
                source, cap = one.content
                grade = None if cap is None else Grade(int(str(cap)))
                yield from self._written(conduct.inhibit(row, str(source), grade, now_ns))
            case "release":
                yield from self._written(conduct.release(row, str(one.content[0]), now_ns))
            case "acknowledge":
                yield from self._written(conduct.acknowledge(row, now_ns))
            case "reset":
                for change in self.rows.reset(row, now_ns):
                    yield from self._written(conduct.take(change, self.rows.facts(change)))
            case what if what in STAYS:
                stay = Stay(STAYS[what], int(str(one.content[0])))
                yield from self._written(conduct.shelve(row, stay, now_ns))
            case what:
                stay = Stay(ENDS[what], now_ns)
                yield from self._written(conduct.shelve(row, stay, now_ns))

    def _written(self, found: Iterator[Told]) -> Iterator[Message]:
        for told in found:
            for listener in self.listeners:
                listener(told)
            yield self.rows.write(told)

    def _wait(self, row: int, now_ns: int, sort: int, what: str, content: list[object]) -> None:
        one = _Waiting(now_ns, sort, next(self.numbers), what, content)
        heappush(self._line(row), one)

    def _line(self, row: int) -> list[_Waiting]:
        return self.waiting.setdefault(row, [])

    @property
    def is_clear(self) -> bool:
        """Nothing is remembered, and nothing waits."""
        return not self.waiting and not self.conduct.courses

    def packed(self) -> NDArray[np.uint8]:
        """All that is remembered as bytes, for a snapshot."""
        waiting = {
            row: [[one.time_ns, one.sort, one.what, one.content] for one in sorted(rows)]
            for row, rows in self.waiting.items()
        }
        packed = msgpack.packb([VERSION, pack_courses(self.conduct.courses).tobytes(), waiting])
        return np.frombuffer(packed, dtype=np.uint8)

    def unpack(self, saved: NDArray[np.uint8], renumbered: Mapping[int, int] | None = None) -> None:
        """Take it over; `renumbered` says which row of today each old row is."""
        version, conduct, waiting = msgpack.unpackb(saved.tobytes(), strict_map_key=False)
        assert version == VERSION, f"a desk of version {version}"
        self.conduct.take_over(courses_of(np.frombuffer(conduct, dtype=np.uint8), renumbered))
        self.waiting = {}
        for old, rows in waiting.items():
            row = old if renumbered is None else renumbered.get(old, -1)
            for time_ns, sort, what, content in rows if row >= 0 else ():
                self._wait(row, time_ns, sort, what, content)


def courses_in(saved: NDArray[np.generic] | None) -> dict[int, Course]:
    """The courses of a packed desk, by the rows of that day."""
    if saved is None:
        return {}
    _, conduct, _ = msgpack.unpackb(saved.tobytes(), strict_map_key=False)
    return courses_of(np.frombuffer(conduct, dtype=np.uint8))
