"""Follower: a consumer's memory of what it has heard, so that nothing is missed or told twice.

Two rules of the wire contract are kept here: `seq` has no holes, and the first content of an
(id, revision) is the true one. No socket and no clock; `listen.py` has those.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from engine.content import Key, identity

if TYPE_CHECKING:
    from collections.abc import Mapping

# The last 100 000 warnings take 30 MB; one repeated later than that is told again.
KNOWN_MAX: Final = 100_000


class Verdict(Enum):
    """What to do with a message that comes next."""

    NEW = "tell it"
    OLD = "it was heard already, live or replayed"
    REPEATED = "the same warning under another seq"
    DIFFERENT = "another content under a known id and revision: a fault; the first stands"


@dataclass(slots=True)
class Follower:
    """Which seq comes next, and what each warning said."""

    expected: int | None
    beat_seq: int = 0
    lost_count: int = 0
    different_count: int = 0
    unreadable_count: int = 0
    known: OrderedDict[Key, bytes] = field(default_factory=OrderedDict)

    @property
    def fault_count(self) -> int:
        """How often the engine or the link has broken the contract."""
        return self.lost_count + self.different_count + self.unreadable_count

    def hole_before(self, seq: int) -> tuple[int, int] | None:
        """The seqs that should have come before this one: (first, last), or None."""
        if self.expected is None:
            self.expected = seq
        return (self.expected, seq - 1) if seq > self.expected else None

    def accept(self, seq: int, body: Mapping[str, object]) -> Verdict:
        """Take a message whose hole, if there was one, has been filled or given up."""
        if self.expected is not None and seq < self.expected:
            return Verdict.OLD
        self.expected = seq + 1
        named = identity(body)
        if named is None:
            return Verdict.NEW
        key, content = named
        first = self.known.setdefault(key, content)
        if len(self.known) > KNOWN_MAX:
            self.known.popitem(last=False)
        if first != content:
            self.different_count += 1
            return Verdict.DIFFERENT
        # Its own seq came with the first one: the same content again is a repetition.
        return Verdict.NEW if first is content else Verdict.REPEATED

    def give_up(self, last: int) -> int:
        """Go on behind a hole that cannot be filled; returns how many messages are missed."""
        assert self.expected is not None
        missed = max(last + 1 - self.expected, 0)
        self.lost_count += missed
        self.expected = max(self.expected, last + 1)
        return missed

    def beat(self, seq: int) -> bool:
        """Take the seq of a heartbeat; False when the engine's log has gone back.

        A heartbeat that waited while a replay ran may be older than what was replayed; only
        one that is behind an earlier heartbeat shows that the log is another one.
        """
        has_gone_back = seq < self.beat_seq
        self.beat_seq = seq
        if has_gone_back or self.expected is None:
            self.expected = seq + 1
        return not has_gone_back
