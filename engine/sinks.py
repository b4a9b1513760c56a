"""Sinks: the egress log, where a warning becomes final before anybody hears of it.

Enters     warnings and system messages (topic and body), in the order in which they were decided
Leaves     the same on disk, numbered by `seq` from 1 without holes; then they may be published
Remembers  the content of each (id, revision) in the kept log   dict, 16 bytes of hash + seq each
Refuses    a second, different content for one (id, revision): the first is kept, the difference
           is a `system/nondeterminism` message; and everything while the disk is full or broken

After a crash the flow goes back a little and decides some warnings again. They get the same id
and revision, are recognised here by their content and not sent twice. `seq` and `decided_time`
are given here and are the only fields that may differ.

One thread or several may send; another reads. Readers see only what has been synced.
"""

from __future__ import annotations

import hashlib
import threading
import time
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeAlias

import msgpack

from engine.content import GIVEN_BY_THE_LOG, WIRE_VERSION, Key, identity
from engine.disk import PosixDisk
from engine.ledger import EgressDamaged, EgressFull, EgressLocked, Ledger, Stored, drop
from engine.positions import Positions

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.disk import Disk
    from engine.meters import Meters

__all__ = ["EgressDamaged", "EgressFull", "EgressLocked", "EgressLog", "Message", "Stored"]

Body: TypeAlias = Mapping[str, object]
Message: TypeAlias = tuple[str, Body]

SEGMENT_BYTES: Final = 64 * 1024 * 1024
HAND_OVER_S: Final = 100e-6


class Known(NamedTuple):
    """What was sent first under an (id, revision)."""

    content: bytes
    seq: int


@dataclass(slots=True)
class Batch:
    """What one call of `send` will write; nothing of it counts until it is on disk."""

    first_seq: int
    decided_ns: int
    records: list[tuple[str, bytes]] = field(default_factory=list)
    fresh: dict[Key, Known] = field(default_factory=dict)
    repeated_count: int = 0
    different_count: int = 0


class EgressLog:
    """The log of everything that was sent, and the positions of those who read it."""

    def __init__(
        self, ledger: Ledger, positions: Positions, meters: Meters, now_ns: Callable[[], int]
    ) -> None:
        self._ledger = ledger
        self._positions = positions
        self._meters = meters
        self._now_ns = now_ns
        self._writing = threading.Lock()
        # Guards what readers see. Never held during a sync, which takes milliseconds.
        self._readable = threading.Condition(threading.Lock())
        self._known: dict[Key, Known] = {}
        self._is_closed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        meters: Meters,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        now_ns: Callable[[], int] = time.time_ns,
        disk: Disk | None = None,
    ) -> Self:
        """Lock the folder, cut a torn end, and learn which warnings have been sent.

        Raises EgressLocked, or EgressDamaged with the segment and the offset.
        """
        ledger = Ledger.open(folder, segment_bytes=segment_bytes, disk=disk or PosixDisk())
        try:
            log = cls(ledger, Positions.open(folder / "consumers"), meters, now_ns)
            for segment in ledger.segments:
                for record in ledger.every(segment):
                    log._learn(record)
        except BaseException:
            ledger.close()
            raise
        return log

    @property
    def durable_seq(self) -> int:
        """The newest record that is on disk; 0 when there is none."""
        with self._readable:
            return self._ledger.next_seq - 1

    @property
    def first_seq(self) -> int:
        """The oldest record that is kept; 1 until something has been retired."""
        with self._readable:
            return self._ledger.first_seq

    @property
    def is_closed(self) -> bool:
        """Nothing can be read any more."""
        return self._is_closed

    @property
    def cut_bytes(self) -> int:
        """What a crash had left at the end and `open` cut away."""
        return self._ledger.cut_bytes

    def send(self, messages: Sequence[Message]) -> list[int]:
        """Write messages, sync once, and let them be published; returns the seq of each.

        A message that had been sent before keeps its first seq and is not written again.
        Raises EgressFull when there is no room: then nothing of this call was written, and
        the same call may be made again. Any other EgressError lasts until a restart.
        """
        with self._writing:
            assert not self._is_closed, "a closed egress log cannot send"
            batch = Batch(self._ledger.next_seq, self._now_ns())
            sent = [self._place(batch, topic, body) for topic, body in messages]
            if batch.records:
                offset = self._append(batch.records)
                with self._readable:
                    self._known.update(batch.fresh)
                    self._ledger.publish(offset)
                    self._readable.notify_all()
                # Whoever publishes needs the interpreter, and would wait its switch interval of
                # 5 ms while this thread goes on computing (measured: p50 5.3 ms against 0.15 ms).
                time.sleep(HAND_OVER_S)
            self._count(batch)
            return sent

    def read(self, from_seq: int, max_count: int) -> list[Stored]:
        """Return some records in order, at most `max_count` and at most 256 KiB or one record.

        Begins with the oldest kept record when `from_seq` is older. Empty at the end.
        """
        with self._readable:
            return [] if self._is_closed else self._ledger.read(from_seq, max_count)

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        """Wait until there is something behind `after_seq`; False when the time is up."""
        with self._readable:
            self._readable.wait_for(
                lambda: self._is_closed or self._ledger.next_seq - 1 > after_seq, timeout_s
            )
            return not self._is_closed and self._ledger.next_seq - 1 > after_seq

    def seen(self, positions: Mapping[str, int]) -> None:
        """Store how far consumers have come; durable when this returns."""
        self._positions.store(positions)

    def where(self, consumer: str) -> int:
        """How far a consumer has come, by its own account; 0 for one that is not known."""
        return self._positions.where(consumer)

    def retire(self, before_ns: int) -> int:
        """Delete whole segments decided before a time; returns how many.

        Keep at least as much as the journal keeps: a warning whose id is forgotten and whose
        frames are played again would be sent a second time.
        """
        with self._writing:
            with self._readable:
                gone = self._ledger.retire(lambda record: _decided_time(record) < before_ns)
                oldest = self._ledger.first_seq
                if gone:
                    self._known = {k: v for k, v in self._known.items() if v.seq >= oldest}
            drop(gone, self._ledger.disk)
            return len(gone)

    def close(self) -> None:
        """Wake whoever waits, and give up the folder."""
        with self._writing, self._readable:
            if not self._is_closed:
                self._is_closed = True
                self._ledger.close()
                self._readable.notify_all()

    def _place(self, batch: Batch, topic: str, body: Body) -> int:
        """Give a new message its place in the batch; returns the seq under which it is known."""
        assert GIVEN_BY_THE_LOG.isdisjoint(body), "seq and decided_time are given by the egress log"
        named = identity(body)
        known = (batch.fresh.get(named[0]) or self._known.get(named[0])) if named else None
        if named is None or known is None:
            seq = batch.first_seq + len(batch.records)
            whole = {"v": WIRE_VERSION, "seq": seq, **body, "decided_time": batch.decided_ns}
            batch.records.append((topic, msgpack.packb(whole, use_bin_type=True)))
            if named:
                batch.fresh[named[0]] = Known(named[1], seq)
            return seq
        key, content = named
        if known.content == content:
            batch.repeated_count += 1
        else:
            batch.different_count += 1
            self._place(batch, *_nondeterminism(key, known, content))
        return known.seq

    def _append(self, records: list[tuple[str, bytes]]) -> array[int]:
        """Put records on disk; the time of the sync is measured, for it is most of the latency."""
        start_ns = time.perf_counter_ns()
        offset = self._ledger.append(records)
        self._meters.egress_sync.add(time.perf_counter_ns() - start_ns)
        return offset

    def _count(self, batch: Batch) -> None:
        """Count a batch once it is on disk; one that failed will come again."""
        for topic, _ in batch.records:
            self._meters.count_sent(topic)
        self._meters.warnings_repeated += batch.repeated_count
        self._meters.warnings_different += batch.different_count

    def _learn(self, record: Stored) -> None:
        """Remember what was sent; of two contents under one identity the first counts."""
        named = identity(msgpack.unpackb(record.body))
        if named:
            self._known.setdefault(named[0], Known(named[1], record.seq))


def _nondeterminism(key: Key, known: Known, content: bytes) -> Message:
    """Tell people that one warning came out in two ways, once for each second content."""
    episode, revision = key
    name = f"nondeterminism/{episode}/{revision}/".encode() + content
    body: dict[str, object] = {
        "id": b32encode(hashlib.sha256(name).digest()).decode()[:26],
        "revision": 0,
        "code": "nondeterminism",
        "text": f"warning {episode} revision {revision} was decided again with another content; "
        f"the first, seq {known.seq}, stands",
        "episode": episode,
        "episode_revision": revision,
        "first_seq": known.seq,
        "first_content": known.content.hex(),
        "second_content": content.hex(),
    }
    return "system/nondeterminism", body


def _decided_time(record: Stored) -> int:
    decided = msgpack.unpackb(record.body)["decided_time"]
    assert isinstance(decided, int)
    return decided
