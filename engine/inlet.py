"""Inlet: where the journal is read; durable records become work for the shards.

Frames are decoded and their readings routed by site; ticks go to every shard, and so does the
activation of a set of rules, at exactly its place in the work.  Nothing here remembers anything
but the place in the journal and the set that judges there: reading it again gives the same work.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine import decode, segments
from engine.activations import digest_in
from engine.acts import Act
from engine.assembly import Activation, Assembly
from engine.columns import Readings, Series
from engine.decode import Decoder
from engine.layout import Layout
from engine.meters import Meters
from engine.ports import Work as Delivery
from engine.reader import Reader
from engine.rule_sets import Sets
from engine.shard import Tick, Work
from engine.wire import FrameFault

Item = Work | Activation


class Records(Protocol):
    """A journal as its reader sees it, also one that nobody writes any more."""

    @property
    def durable_offset(self) -> int:
        """Everything before this offset may be read."""

    def reader(self, offset: int) -> Reader:
        """Return a reader that begins at an offset."""

    def wait_durable(self, after_offset: int, timeout_s: float) -> bool:
        """Wait until more than `after_offset` may be read; False when the time is over first."""


class Inlet:
    """Reads the journal below its durable mark."""

    def __init__(
        self,
        journal: Records,
        sets: Sets,
        meters: Meters,
        *,
        is_over: Callable[[], bool],
        on_commit: Callable[[Sequence[int]], None],
    ) -> None:

        self.journal = journal
        self.sets = sets
        self.meters = meters
        self.stopping = is_over
        self.on_commit = on_commit
        self.reader: Reader | None = None
        self.misfit_count = 0
        self.record_count = 0
        self.keys = [f"shard-{number:03d}" for number in range(sets.shard_count)]
        # Of the set that judges at the reader's place; nothing before the first record.
        self.assembly: Assembly | None = None
        self.decoder = Decoder({})
        self.layouts: Sequence[Layout] = ()
        self.shard_of = np.zeros(0, dtype=np.int32)

    def read(
        self, offset: int, size_bytes: int, count_max: int = sys.maxsize
    ) -> tuple[list[tuple[str, Delivery]], int]:
        """Durable records from `offset` on as work for the shards, and the offset after them."""
        work: list[list[Item]] = [[] for _ in self.keys]
        if self.reader is None or self.reader.offset != offset:
            self.reader = self.journal.reader(offset)
            found = self.sets.active_at(offset)
            if found is not None:
                self._activate(found, offset, work)
        records = self.reader.read(size_bytes, count_max)
        self.record_count += len(records)
        for record in records:
            self._take(record, work)
        deliveries: list[tuple[str, Delivery]] = [
            (key, (number, items))
            for number, (key, items) in enumerate(zip(self.keys, work, strict=True))
            if items
        ]
        return deliveries, self.reader.offset

    def _take(self, record: segments.Record, work: list[list[Item]]) -> None:
        digest = digest_in(record.header) if record.kind == segments.RULES else None
        if digest is not None:
            self._activate(self.sets.assembly(digest), record.next_offset, work)
        if record.kind not in (segments.TICK, segments.FRAME, segments.ACT):
            return
        if self.assembly is None:
            offset = record.offset
            found = self.sets.active_at(offset)
            self._activate(found or self.sets.fall_back(offset), offset, work)
        if record.kind == segments.FRAME:
            self._route(record, work)
            return
        is_tick = record.kind == segments.TICK
        item = Tick(record.received_ns) if is_tick else Act.unpack(record.header)
        for items in work:
            items.append(item)

    def _activate(self, assembly: Assembly, offset: int, work: list[list[Item]]) -> None:
        """From here on frames mean what this set says, and every shard is told so."""
        if self.assembly is None or self.assembly.catalogue is not assembly.catalogue:
            self.decoder = Decoder(assembly.manifests)
            self.layouts = assembly.layouts
            # The owner of each sensor of the catalogue.
            self.shard_of = np.zeros(self.layouts[0].dense.size, dtype=np.int32)
            for number, layout in enumerate(self.layouts):
                self.shard_of[layout.dense >= 0] = number
        self.assembly = assembly
        self.sets.activated(offset, assembly)
        for items in work:
            items.append(Activation(assembly))

    def _route(self, record: segments.Record, work: list[list[Item]]) -> None:
        try:
            frame = self.decoder.decode(record)
        except FrameFault:
            # The catalogue has changed since the frame was accepted; it stays in the journal.
            self.misfit_count += 1
            return
        self.meters.readings_received += frame.count
        if len(self.layouts) == 1:
            work[0].append(_for_shard(frame, self.layouts[0].dense, None))
            return
        owner = self.shard_of[frame.sensor]
        for number in np.unique(owner):
            chosen = np.flatnonzero(owner == number)
            work[number].append(_for_shard(frame, self.layouts[number].dense, chosen))

    def wait(self, offset: int, seconds: float) -> None:
        """Wait until something after `offset` is durable, or for so long."""
        self.journal.wait_durable(offset, seconds)

    def is_over(self, offset: int) -> bool:
        """The engine is stopping and nothing durable is left after `offset`."""
        return self.stopping() and self.journal.durable_offset <= offset

    def committed(self, offsets: Sequence[int]) -> None:
        """Everything before these offsets will not be asked for again."""
        self.on_commit(offsets)


def _for_shard(
    frame: decode.Points | decode.Series,
    dense: NDArray[np.int32],
    chosen: NDArray[np.intp] | None,
) -> Work:
    """The part of a frame that a shard owns, sensors numbered as the shard does."""
    every = chosen is None
    sensor = dense[frame.sensor if every else frame.sensor[chosen]]
    value = frame.value if every else frame.value[chosen]
    quality = frame.quality if every or not frame.quality.size else frame.quality[chosen]
    if isinstance(frame, decode.Points):
        time_ns = frame.time_ns if every else frame.time_ns[chosen]
        return Readings(sensor, time_ns, value, quality, frame.received_ns)
    if not quality.size:
        quality = np.empty((0, 0), dtype=np.uint8)
    return Series(sensor, frame.t0_ns, frame.period_ns, value, quality, frame.received_ns)
