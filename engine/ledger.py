"""Ledger: numbered records in append-only segment files, synced before anybody may read them.

A folder holds segments `<first seq, 20 digits>.egress` and a `mark` of 20 bytes. A segment begins
with magic and its first seq; then come the records, each with a checksum over all of it. A batch
is one write and one fdatasync; readers see nothing that is not synced.

What a crash can leave behind is part of the last batch, in any order. So a bad record at the
end is cut when nothing says that it had been synced, and is called damage and refused when

- it stands below the mark, which is written after each sync (it outlives a killed process), or
- a whole record behind it was written when its place was synced already (`synced` in the head:
  this outlives a power cut, after which the mark may be old), or
- it stands in a segment that is not the last one.

A failed sync is never tried again: the kernel may have dropped the pages. A full disk is
different: the write is undone, and the next one may succeed.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import zlib
from array import array
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from engine.disk import lock_folder, make_folder
from engine.errors import EgressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engine.disk import Disk

# magic, crc of all that follows it, size of topic and body, seq, synced, size of topic
HEAD: Final = struct.Struct("<4sIIQIHxx")
CHECKED_FROM: Final = 8
RECORD_MAGIC: Final = b"\xabTE\x01"
SEGMENT_HEAD: Final = struct.Struct("<8sQ")
SEGMENT_MAGIC: Final = b"TOCSIN-E"
MARK: Final = struct.Struct("<QQ")
SEGMENT_SUFFIX: Final = ".egress"
DISK_IS_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# One record may not claim more than this; a real one has one or two KiB.
RECORD_BYTES_MAX: Final = 16 * 1024 * 1024
# Offsets inside a segment are uint32; a batch may exceed the segment's size but not this.
BATCH_BYTES_MAX: Final = 1024 * 1024 * 1024
# What one read hands out: small enough that a long replay never holds the lock for long.
READ_BYTES_MAX: Final = 256 * 1024


class EgressFull(EgressError):
    """No room on the disk: nothing was written, nothing is published, and it may be tried again."""


class EgressDamaged(EgressError):
    """A record that had been synced is not what was written; names the segment and the offset."""

    def __init__(self, segment: str, offset: int, reason: str) -> None:
        self.segment = segment
        self.offset = offset
        self.reason = reason
        super().__init__(f"egress segment {segment} is damaged at offset {offset}: {reason}")


class EgressLocked(EgressError):
    """Another engine writes in this folder."""


class Stored(NamedTuple):
    """One record of the log, as it was sent."""

    seq: int
    topic: str
    body: bytes


@dataclass(slots=True)
class Segment:
    """One open file; record `first_seq + i` lies at offset[i] .. offset[i + 1]."""

    first_seq: int
    path: Path
    file: int
    offset: array[int]

    @property
    def end(self) -> int:
        """Where the next record goes."""
        return self.offset[-1]

    @property
    def next_seq(self) -> int:
        """The seq of the next record."""
        return self.first_seq + len(self.offset) - 1


@dataclass(slots=True)
class Ledger:
    """The segments of a folder, the last of which is written. Not thread-safe by itself."""

    folder: Path
    segment_bytes: int
    disk: Disk
    # The lock on the folder, and the mark.
    held: list[int]
    segments: list[Segment]
    cut_bytes: int = 0
    broken: str = ""

    @classmethod
    def open(cls, folder: Path, *, segment_bytes: int, disk: Disk) -> Self:
        """Lock the folder, check every record in it, and cut what a crash left at the end."""
        make_folder(folder, disk)
        lock = lock_folder(folder)
        if lock is None:
            text = f"{folder}: another engine writes this egress log"
            raise EgressLocked(text)
        ledger = cls(folder, segment_bytes, disk, [lock], [])
        try:
            path = folder / "mark"
            ledger.held.append(disk.open(path) if path.exists() else disk.create(path))
            if os.fstat(ledger.held[1]).st_size < MARK.size + 4:
                # Its place on the disk is taken now, not when the disk is full.
                disk.write(ledger.held[1], [_mark(0, 0)], 0)
            ledger._load()
        except BaseException:
            ledger.close()
            raise
        return ledger

    @property
    def first_seq(self) -> int:
        """The oldest record that is kept; next_seq when there is none."""
        return self.segments[0].first_seq

    @property
    def next_seq(self) -> int:
        """The seq that the next record gets."""
        return self.segments[-1].next_seq

    def append(self, records: Sequence[tuple[str, bytes]]) -> array[int]:
        """Write and sync records; returns their offsets, which `publish` makes readable."""
        if self.broken:
            raise EgressError(self.broken)
        try:
            segment = self.segments[-1]
            if segment.end >= self.segment_bytes and segment.next_seq > segment.first_seq:
                segment = _create(self.disk, self.folder, self.next_seq)
                self.segments.append(segment)
            batch, offset = _frame(records, segment.next_seq, segment.end)
            _write(self.disk, segment, batch)
            self.disk.fdatasync(segment.file)
            self.disk.write(self.held[1], [_mark(segment.first_seq, offset[-1])], 0)
        except EgressFull:
            raise
        except OSError as error:
            # After a failed sync the pages may be gone although a second sync would succeed.
            self.broken = f"{self.folder}: {error.strerror}; the egress log is closed until restart"
            raise EgressError(self.broken) from error
        return offset

    def publish(self, offset: array[int]) -> None:
        """Let readers see what the last `append` has put on disk."""
        self.segments[-1].offset.extend(offset)

    def read(self, from_seq: int, max_count: int) -> list[Stored]:
        """Return records in order from `from_seq` on; few enough to be read in one go.

        Starts at the oldest kept record when `from_seq` is older. An empty list means that
        there is nothing at or behind `from_seq`.
        """
        from_seq = max(from_seq, self.first_seq)
        if from_seq >= self.next_seq or max_count <= 0:
            return []
        segment = self.segments[self._segment_index(from_seq)]
        first = from_seq - segment.first_seq
        last = min(first + max_count, len(segment.offset) - 1)
        start = segment.offset[first]
        # The record that ends beyond the limit is left for the next read, unless it is the first.
        within = bisect_right(segment.offset, start + READ_BYTES_MAX, first, last + 1) - 1
        last = max(first + 1, within)
        column = memoryview(os.pread(segment.file, segment.offset[last] - start, start))
        records = []
        for index in range(first, last):
            begin, end = segment.offset[index] - start, segment.offset[index + 1] - start
            record = _parse(column[begin:end], segment.first_seq + index)
            if record is None:
                raise EgressDamaged(segment.path.name, start + begin, "the checksum is wrong")
            records.append(record)
        return records

    def _segment_index(self, seq: int) -> int:
        """The segment that holds a seq."""
        return bisect_right(self.segments, seq, key=lambda segment: segment.first_seq) - 1

    def retire(self, is_old: Callable[[Stored], bool]) -> list[Segment]:
        """Take off leading segments whose newest record is old; the caller drops them."""
        gone = 0
        while gone < len(self.segments) - 1:
            segment = self.segments[gone]
            if not all(is_old(record) for record in self.read(segment.next_seq - 1, 1)):
                break
            gone += 1
        retired, self.segments = self.segments[:gone], self.segments[gone:]
        return retired

    def every(self, segment: Segment) -> Iterator[Stored]:
        """Each record of one segment."""
        seq = segment.first_seq
        while seq < segment.next_seq:
            for record in self.read(seq, segment.next_seq - seq):
                yield record
                seq = record.seq + 1

    def close(self) -> None:
        """Close the files and give up the lock; nothing is pending, for nothing is buffered."""
        for segment in self.segments:
            self.disk.close(segment.file)
        for file in self.held:
            self.disk.close(file)
        self.segments, self.held = [], []

    def _load(self) -> None:
        for leftover in self.folder.glob("*.new"):
            self.disk.unlink(leftover)
        paths = sorted(self.folder.glob("*" + SEGMENT_SUFFIX))
        mark_seq, mark_offset = _marked(os.pread(self.held[1], MARK.size + 4, 0))
        for index, path in enumerate(paths):
            file = self.disk.open(path)
            segment = Segment(int(path.name.removesuffix(SEGMENT_SUFFIX)), path, file, array("I"))
            self.segments.append(segment)
            is_last = index == len(paths) - 1
            synced = mark_offset if segment.first_seq == mark_seq else 0
            self.cut_bytes += _scan(self.disk, segment, is_last=is_last, synced=synced)
            if index and segment.first_seq != self.segments[index - 1].next_seq:
                expected = self.segments[index - 1].next_seq
                raise EgressDamaged(path.name, 0, f"the segment that begins at {expected} is gone")
        if not self.segments:
            self.segments.append(_create(self.disk, self.folder, 1))
        if mark_seq > self.segments[-1].first_seq:
            name = f"{mark_seq:020d}{SEGMENT_SUFFIX}"
            raise EgressDamaged(name, 0, "the segment is gone, although it was synced")


def drop(segments: Sequence[Segment], disk: Disk) -> None:
    """Delete segments that were taken off; the oldest goes first, so no hole can appear."""
    for segment in segments:
        disk.unlink(segment.path)
        disk.close(segment.file)
    if segments:
        disk.sync_folder(segments[0].path.parent)


def _mark(first_seq: int, end: int) -> bytes:
    """Where the last synced record ends: the segment and the offset in it."""
    place = MARK.pack(first_seq, end)
    return place + zlib.crc32(place).to_bytes(4, "little")


def _marked(mark: bytes) -> tuple[int, int]:
    """The place that a mark names; (0, 0), which says nothing, when it was torn itself."""
    place = mark[: MARK.size]
    if len(place) < MARK.size or mark != place + zlib.crc32(place).to_bytes(4, "little"):
        return 0, 0
    first_seq, end = MARK.unpack(place)
    return first_seq, end


def _create(disk: Disk, folder: Path, first_seq: int) -> Segment:
    """Make an empty segment; it gets its name only when its head is on disk."""
    path = folder / f"{first_seq:020d}{SEGMENT_SUFFIX}"
    new = path.with_suffix(".new")
    file = -1
    try:
        file = disk.create(new)
        disk.write(file, [SEGMENT_HEAD.pack(SEGMENT_MAGIC, first_seq)], 0)
        disk.fdatasync(file)
        disk.rename(new, path)
        disk.sync_folder(folder)
    except OSError as error:
        # Whatever is left has no records, and the next attempt replaces it.
        if file >= 0:
            disk.close(file)
        with suppress(FileNotFoundError):
            disk.unlink(new)
        if error.errno in DISK_IS_FULL:
            text = f"{folder}: no room for another segment of warnings"
            raise EgressFull(text) from error
        raise
    return Segment(first_seq, path, file, array("I", [SEGMENT_HEAD.size]))


def _frame(
    records: Sequence[tuple[str, bytes]], seq: int, start: int
) -> tuple[bytearray, array[int]]:
    """Lay out a batch that will be written at `start`; returns it and where each record ends."""
    batch = bytearray()
    offset = array("I")
    for index, (topic, body) in enumerate(records):
        name = topic.encode()
        assert len(name) + len(body) <= RECORD_BYTES_MAX, "a record is larger than any reader takes"
        head = HEAD.pack(RECORD_MAGIC, 0, len(name) + len(body), seq + index, start, len(name))
        crc = zlib.crc32(body, zlib.crc32(name, zlib.crc32(head[CHECKED_FROM:])))
        batch += head[:4] + crc.to_bytes(4, "little") + head[CHECKED_FROM:] + name + body
        offset.append(start + len(batch))
    assert len(batch) <= BATCH_BYTES_MAX, "a batch does not fit in one segment"
    return batch, offset


def _write(disk: Disk, segment: Segment, batch: bytearray) -> None:
    """Write all bytes at the segment's end, or none; a full disk is undone and reported."""
    try:
        disk.write(segment.file, [memoryview(batch)], segment.end)
    except OSError as error:
        if error.errno not in DISK_IS_FULL:
            raise
        disk.truncate(segment.file, segment.end)
        text = f"{segment.path.parent}: no room for {len(batch)} bytes of warnings"
        raise EgressFull(text) from error


def _parse(record: memoryview, seq: int) -> Stored | None:
    """The record at the start of these bytes, or None when it is not whole or has another seq."""
    if len(record) < HEAD.size:
        return None
    magic, crc, size, number, _, name_size = HEAD.unpack_from(record)
    is_whole = magic == RECORD_MAGIC and HEAD.size + size <= len(record) and name_size <= size
    if not is_whole or number != seq:
        return None
    if zlib.crc32(record[CHECKED_FROM : HEAD.size + size]) != crc:
        return None
    begin = HEAD.size + name_size
    topic = str(record[HEAD.size : begin], "utf-8")
    return Stored(seq, topic, bytes(record[begin : HEAD.size + size]))


def _scan(disk: Disk, segment: Segment, *, is_last: bool, synced: int) -> int:
    """Fill a segment's offsets; returns the bytes cut from its end, or refuses damage."""
    name = segment.path.name
    size = os.fstat(segment.file).st_size
    if size < SEGMENT_HEAD.size or os.pread(segment.file, SEGMENT_HEAD.size, 0) != (
        SEGMENT_HEAD.pack(SEGMENT_MAGIC, segment.first_seq)
    ):
        # The head was synced before the file got its name, so no crash explains this.
        raise EgressDamaged(name, 0, "the segment's head is wrong")
    segment.offset.append(SEGMENT_HEAD.size)
    with (
        mmap.mmap(segment.file, size, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        while segment.end < size:
            at = segment.end
            with view[at:] as rest:
                record = _parse(rest, segment.next_seq)
                if record is None:
                    break
                segment.offset.append(at + HEAD.size + HEAD.unpack_from(rest)[2])
        end = segment.end
        if end < synced:
            raise EgressDamaged(name, end, "a record that was synced is cut off or not what it was")
        if end < size and not is_last:
            raise EgressDamaged(name, end, "a record is not what was written")
        if end < size and _was_synced(mapped, end):
            raise EgressDamaged(name, end, "a record that was synced is not what was written")
    if end < size:
        disk.truncate(segment.file, end)
        disk.fdatasync(segment.file)
    return size - end


def _was_synced(mapped: mmap.mmap, end: int) -> bool:
    """Whether a whole record further on knew that the bytes at `end` were on disk."""
    at = mapped.find(RECORD_MAGIC, end + 1)
    while at >= 0:
        with memoryview(mapped) as view, view[at:] as rest:
            if len(rest) >= HEAD.size:
                _, _, _, seq, synced, _ = HEAD.unpack_from(rest)
                if synced > end and _parse(rest, seq) is not None:
                    return True
        at = mapped.find(RECORD_MAGIC, at + 1)
    return False
