"""Ports: everything of Bytewax that Tocsin touches, and nothing of Tocsin that Bytewax must know.

Three adapters: a source that reads the journal below its durable mark, a stateful step that hands
each shard its work, a sink that hands warnings to the egress log.  Bytewax keeps for us one small
token for each of them: the journal offset, the number of the shard's last snapshot, nothing for
the sink (the egress log itself knows what it has sent).  Tokens of one epoch belong together, so a
shard restored from its token meets exactly the records that it has not seen.

Bytewax has no call-back for "this epoch is committed", but says it all the same: the first
`next_batch` after a `snapshot` runs only when that epoch is durable on every worker.
"""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir

from engine.allowance import Allowance
from engine.episodes import Message

TOKEN_VERSION = 1
JOURNAL_PART = "journal"
EGRESS_PART = "egress"
CORRELATE_KEY = "correlate"
# The source waits on the journal, not on Bytewax's clock: p50 0.1 ms instead of 0.8 ms.
POLL_WAIT_S = 0.005
AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)
COMMITS_KEPT = 2

SourceToken = tuple[int, int]
ShardToken = tuple[int, int, int]
Work = tuple[int, Sequence[object]]


class Inlet(Protocol):
    """What the source needs of the engine."""

    record_count: int  # read so far

    def read(
        self, offset: int, size_bytes: int, count_max: int
    ) -> tuple[list[tuple[str, Work]], int]:
        """Durable records from `offset` on as work for the shards, and the offset after them."""

    def wait(self, offset: int, seconds: float) -> None:
        """Wait until something after `offset` is durable, or for so long."""

    def is_over(self, offset: int) -> bool:
        """The engine is stopping and nothing durable is left after `offset`."""

    def committed(self, offsets: Sequence[int]) -> None:
        """Everything before these offsets, the last two committed, will not be asked for again."""


class ShardPort(Protocol):
    """What the stateful step needs of a shard."""

    def advance(self, work: Sequence[object]) -> list[Message]:
        """Take work in the journal's order; return the warnings that follow."""

    def save(self) -> int:
        """Make the state durable if it changed; return the number of the snapshot."""

    def reports(self) -> list[object]:
        """What rules beyond one site must know since the last call."""

    @property
    def has_to_speak(self) -> bool:
        """There are warnings that need no further work, such as those of rules that are gone."""


class CorrelatePort(Protocol):
    """What the step behind the shards needs of the rules beyond one site."""

    def advance(self, shard: int, reports: Sequence[object]) -> list[Message]:
        """Take what a shard reports, in its order; return the warnings that follow."""

    def save(self) -> int:
        """Make the state durable if it changed; return the number of the snapshot."""


ShardBuilder = Callable[[int, int | None], ShardPort]
CorrelateBuilder = Callable[[int | None], CorrelatePort]


@dataclass(frozen=True, slots=True)
class Reports:
    """What a shard tells the rules beyond one site, on its way there."""

    shard: int
    reports: Sequence[object]


Spoken = Sequence[Message] | Reports


@dataclass(frozen=True, slots=True)
class Ports:
    """The engine's side of the flow."""

    inlet: Inlet
    build_shard: ShardBuilder
    build_correlate: CorrelateBuilder
    send: Callable[[Sequence[Message]], None]
    start_offset: int


class JournalSource(FixedPartitionedSource[tuple[str, Work], SourceToken]):
    """The journal as one partition."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def list_parts(self) -> list[str]:
        """One journal for each process."""
        return [JOURNAL_PART]

    def build_part(
        self, step_id: str, for_part: str, resume_state: SourceToken | None
    ) -> "JournalPartition":
        """Resume at the committed offset, or start where the journal starts."""
        offset = self.ports.start_offset
        if resume_state is not None:
            version, offset = resume_state
            assert version == TOKEN_VERSION, f"{step_id}: a token of version {version}"
        return JournalPartition(self.ports.inlet, offset)


class JournalPartition(StatefulSourcePartition[tuple[str, Work], SourceToken]):
    """Reads what is durable; remembers the last two committed offsets, for the retention."""

    def __init__(
        self, inlet: Inlet, offset: int, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.inlet = inlet
        self.now_ns = now_ns
        self.allowance = Allowance()
        self.given: tuple[int, int, int] | None = None
        self.offset = offset
        self.in_flight: int | None = None
        self.commits: deque[int] = deque(maxlen=COMMITS_KEPT)

    def next_batch(self) -> Iterable[tuple[str, Work]]:
        """Work for the shards; waits a moment when there is none."""
        if self.in_flight is not None:
            self.commits.append(self.in_flight)
            self.in_flight = None
            if len(self.commits) == COMMITS_KEPT:
                self.inlet.committed(tuple(self.commits))
        work = self._read()
        if not work:
            if self.inlet.is_over(self.offset):
                raise StopIteration
            self.inlet.wait(self.offset, POLL_WAIT_S)
        return work

    def _read(self) -> list[tuple[str, Work]]:
        """As much as may be worked through at once, by what the last poll took."""
        now_ns = self.now_ns()
        if self.given is not None:
            byte_count, record_count, given_ns = self.given
            self.allowance.spent(byte_count, record_count, now_ns - given_ns)
        before = self.offset, self.inlet.record_count
        allowed = self.allowance.byte_count, self.allowance.record_count
        work, self.offset = self.inlet.read(self.offset, *allowed)
        record_count = self.inlet.record_count - before[1]
        # Bytewax asks again when this has been worked through; reading is part of the work.
        self.given = (self.offset - before[0], record_count, now_ns) if work else None
        return work

    def next_awake(self) -> datetime | None:
        """At once: the waiting is done inside `next_batch`."""
        return AT_ONCE

    def snapshot(self) -> SourceToken:
        """The offset at which this epoch ends."""
        self.in_flight = self.offset
        return (TOKEN_VERSION, self.offset)


class ShardLogic(StatefulBatchLogic[Work, Spoken, ShardToken]):
    """Drives one shard."""

    def __init__(self, build: ShardBuilder, resume_state: ShardToken | None) -> None:
        self.build = build
        self.shard: ShardPort | None = None
        self.index = -1
        if resume_state is not None:
            version, self.index, number = resume_state
            assert version == TOKEN_VERSION, f"a token of version {version}"
            self.shard = build(self.index, number)

    def on_batch(self, values: list[Work]) -> tuple[list[Spoken], bool]:
        """Advance the shard through everything that waits."""
        warnings: list[Message] = []
        for index, work in values:
            if self.shard is None:
                self.index = index
                self.shard = self.build(index, None)
            assert index == self.index, "work of another shard"
            warnings.extend(self.shard.advance(work))
        return (self._spoken(warnings), StatefulBatchLogic.RETAIN)

    def _spoken(self, warnings: list[Message]) -> list[Spoken]:
        assert self.shard is not None
        reports = self.shard.reports()
        told: list[Spoken] = [warnings] if warnings else []
        return [*told, Reports(self.index, reports)] if reports else told

    def notify_at(self) -> datetime | None:
        """At once, where a restored shard has something to say before any work comes."""
        return AT_ONCE if self.shard is not None and self.shard.has_to_speak else None

    def on_notify(self) -> tuple[list[Spoken], bool]:
        """Let it speak."""
        assert self.shard is not None
        return (self._spoken(self.shard.advance(())), StatefulBatchLogic.RETAIN)

    def snapshot(self) -> ShardToken:
        """A token; the arrays are in our own store before Bytewax sees it."""
        assert self.shard is not None
        return (TOKEN_VERSION, self.index, self.shard.save())


class CorrelateLogic(StatefulBatchLogic[Reports, Sequence[Message], SourceToken]):
    """Drives the rules beyond one site; there is one of it."""

    def __init__(self, build: CorrelateBuilder, resume_state: SourceToken | None) -> None:
        number = None
        if resume_state is not None:
            version, number = resume_state
            assert version == TOKEN_VERSION, f"a token of version {version}"
        self.correlate = build(number)

    def on_batch(self, values: list[Reports]) -> tuple[list[Sequence[Message]], bool]:
        """Take the reports of all shards, each in its order."""
        warnings: list[Message] = []
        for value in values:
            warnings.extend(self.correlate.advance(value.shard, value.reports))
        return ([warnings] if warnings else [], StatefulBatchLogic.RETAIN)

    def snapshot(self) -> SourceToken:
        """A token; the arrays are in our own store before Bytewax sees it."""
        return (TOKEN_VERSION, self.correlate.save())


def warnings_of(spoken: list[tuple[str, Spoken]]) -> list[tuple[str, Sequence[Message]]]:
    """What shards say to people."""
    return [(key, told) for key, told in spoken if not isinstance(told, Reports)]


def reports_of(spoken: list[tuple[str, Spoken]]) -> list[tuple[str, Reports]]:
    """What shards say to the rules beyond one site: all of it goes to one place."""
    return [(CORRELATE_KEY, told) for _, told in spoken if isinstance(told, Reports)]


class EgressSink(FixedPartitionedSink[Sequence[Message], None]):
    """The egress log as one partition."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def list_parts(self) -> list[str]:
        """One egress log for each process."""
        return [EGRESS_PART]

    def part_fn(self, item_key: str) -> int:
        """Every shard's warnings go to the one log."""
        del item_key
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "EgressPartition":
        """The log remembers by itself what it has sent."""
        return EgressPartition(self.ports.send)


class EgressPartition(StatefulSinkPartition[Sequence[Message], None]):
    """Writes synchronously: what an epoch commits has been sent."""

    def __init__(self, send: Callable[[Sequence[Message]], None]) -> None:
        self.send = send

    def write_batch(self, values: list[Sequence[Message]]) -> None:
        """Append, sync, publish."""
        self.send([warning for warnings in values for warning in warnings])

    def snapshot(self) -> None:
        """Nothing to remember here."""


def recovery(folder: Path) -> RecoveryConfig:
    """Bytewax's own store, made whole or not at all.

    A crash in the middle of making it leaves an empty folder in which Bytewax never starts again,
    so it is made under another name and renamed.
    """
    if not folder.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.draft-", dir=folder.parent))
        init_db_dir(draft, 1)
        draft.rename(folder)
    return RecoveryConfig(str(folder))
