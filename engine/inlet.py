"""Inlet: where the journal is read; durable records become work for the shards.

Frames are decoded and their readings routed by site; ticks go to every shard.  Nothing here
remembers anything but the place in the journal: reading it again gives the same work.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine import decode, segments
from engine.columns import Readings, Series
from engine.decode import Decoder
from engine.layout import Layout
from engine.meters import Meters
from engine.ports import Work as Delivery
from engine.reader import Reader
from engine.shard import Tick, Work
from engine.wire import FrameFault

NS_PER_S = 1_000_000_000


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
        decoder: Decoder,
        layouts: Sequence[Layout],
        meters: Meters,
        *,
        is_over: Callable[[], bool],
        on_commit: Callable[[Sequence[int]], None],
    ) -> None:

        self.journal = journal
        self.decoder = decoder
        self.layouts = layouts
        self.meters = meters
        self.stopping = is_over
        self.on_commit = on_commit
        self.reader: Reader | None = None
        self.misfit_count = 0
        self.record_count = 0
        self.keys = [f"shard-{number:03d}" for number in range(len(layouts))]
        # The owner of each sensor of the catalogue.
        self.shard_of = np.zeros(layouts[0].dense.size, dtype=np.int32)
        for number, layout in enumerate(layouts):
            self.shard_of[layout.dense >= 0] = number

    def read(
        self, offset: int, size_bytes: int, count_max: int = sys.maxsize
    ) -> tuple[list[tuple[str, Delivery]], int]:
        """Durable records from `offset` on as work for the shards, and the offset after them."""
        if self.reader is None or self.reader.offset != offset:
            self.reader = self.journal.reader(offset)
        records = self.reader.read(size_bytes, count_max)
        self.record_count += len(records)
        if not records:
            return [], self.reader.offset
        work: list[list[Work]] = [[] for _ in self.layouts]
        for record in records:
            if record.kind == segments.TICK:
                for items in work:
                    items.append(Tick(record.received_ns))
            elif record.kind == segments.FRAME:
                self._route(record, work)
        deliveries: list[tuple[str, Delivery]] = [
            (key, (number, items))
            for number, (key, items) in enumerate(zip(self.keys, work, strict=True))
            if items
        ]
        return deliveries, self.reader.offset

    def _route(self, record: segments.Record, work: list[list[Work]]) -> None:
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
