"""Journal: every frame is written down, and synced, before anybody acts on it.

Enters     records: frames, refused frames, skips, sessions, ticks and rule activations
Leaves     the durable offset, which only a finished sync moves; records, through a Reader
Remembers  the sequence table, gateway -> (session, highest seq): on disk, at each segment's head
Refuses    a second writer, damage before the torn tail, and everything after a failed sync

`append` gathers in memory, `commit` writes the group and syncs it once; the two may be called
from two threads, so frames are received while the disk works. A full disk is no disaster: the
part of the group that did not fit is cut off again, `commit` raises JournalFull, and the one
who appends calls `rollback` and tells the gateways to keep their frames. After a failed
fdatasync the kernel may have marked the lost pages clean, so a second try would lie: what was
not synced is cut off, the journal refuses everything from then on, and a new process decides
by the checksums.
"""

import contextlib
import errno
import itertools
import os
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine import segments
from engine.disk import Buffer, Disk, lock_folder, make_folder
from engine.errors import JournalError, JournalLocked
from engine.reader import Reader
from engine.segments import ZEROS, Table, padding

# What a write may meet that passes when somebody makes room.
NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NEW_SUFFIX: Final = ".new"


class JournalFull(JournalError):
    """There is no room on the disk now; nothing was lost, and a later commit may succeed."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """How the journal uses its disk."""

    segment_bytes: int
    spare_bytes: int  # left free for the egress log and the saved states; 0: none


@dataclass(slots=True)
class _Part:
    """What a commit writes to one segment; `header` when the segment begins with it."""

    base: int
    header: bytes
    buffers: list[Buffer] = field(default_factory=list)
    written_bytes: int = 0
    marks: list[tuple[int, str, int, int]] = field(default_factory=list)


class Journal:
    """The writer of a journal folder, and the one who knows how much of it is durable."""

    def __init__(self, folder: Path, settings: JournalSettings, disk: Disk, lock_fd: int) -> None:
        """Use `Journal.open`; this only lays out the fields of a folder whose lock is held."""
        self._folder = folder
        self._settings = settings
        self._disk = disk
        self._lock_fd = lock_fd
        self._fd = -1
        self._lock = threading.Lock()
        self._durable_moved = threading.Condition()
        self._base = 0
        self._first = 0
        self._durable_offset = 0
        self._table: Table = {}
        # Appended; a rollback sets these back to what the disk has, the four above.
        self._next_base = 0
        self._next_first = 0
        self._next_offset = 0
        self._next_table: Table = {}
        self._parts: list[_Part] = []
        self._pending_bytes = 0
        self._is_rollback_due = False
        self._broken = ""
        self.torn_bytes = 0

    @classmethod
    def open(cls, folder: Path, settings: JournalSettings, disk: Disk) -> "Journal":
        """Lock the folder, cut a torn tail, read the sequence table; the journal may be written.

        JournalLocked when another process has it; JournalDamaged when something durable is
        gone. `torn_bytes` tells afterwards how much was cut.
        """
        try:
            make_folder(folder, disk)
            lock_fd = lock_folder(folder)
        except OSError as fault:
            raise _told(fault, "the journal's folder cannot be opened") from fault
        if lock_fd is None:
            text = f"another engine writes to the journal in {folder}; one folder has one writer"
            raise JournalLocked(text)
        journal = cls(folder, settings, disk, lock_fd)
        try:
            journal._recover()
        except (OSError, JournalError) as fault:
            journal.close()
            if isinstance(fault, JournalError):
                raise
            raise _told(fault, "the journal cannot be opened") from fault
        return journal

    @property
    def durable_offset(self) -> int:
        """Everything before this offset survives a power cut."""
        return self._durable_offset

    @property
    def append_offset(self) -> int:
        """Where the next record will begin."""
        return self._next_offset

    @property
    def pending_bytes(self) -> int:
        """Bytes appended that no commit has taken up yet."""
        return self._pending_bytes

    @property
    def first_offset(self) -> int:
        """Return the first offset that retention has left."""
        return segments.segment_bases(self._folder)[0]

    def durable_place(self, gateway: str) -> tuple[int, int] | None:
        """Return (session, highest durable seq) of a gateway; None when it has never been here."""
        return self._table.get(gateway)

    def wait_durable(self, after_offset: int, timeout_s: float) -> bool:
        """Wait until more than `after_offset` is durable; False when the time is over first."""
        with self._durable_moved:
            return self._durable_moved.wait_for(
                lambda: self._durable_offset > after_offset, timeout_s
            )

    def reader(self, offset: int) -> Reader:
        """Return a reader of this journal that begins at an offset and stays below durable."""
        return Reader(self._folder, offset, lambda: self._durable_offset)

    def append(
        self,
        kind: int,
        gateway: str,
        *,
        session: int,
        seq: int,
        received_ns: int,
        header: bytes,
        body: Buffer,
        body_crc: int | None = None,
    ) -> int:
        """Take a record into the pending group; return the offset of its end.

        body must not change before the commit. body_crc is the body's CRC-32 where it is known.
        The record is durable when `durable_offset` has reached the offset returned.
        """
        if self._broken:
            raise JournalError(self._broken)
        name = gateway.encode()
        assert kind in segments.KINDS
        assert len(name) <= segments.GATEWAY_BYTES_MAX
        assert len(header) <= segments.HEADER_BYTES_MAX
        if kind in (segments.FRAME, segments.REJECT):
            assert self._next_table.get(gateway) == (session, seq - 1), "a hole in the sequence"
        with self._lock:
            part = self._part_for(
                segments.record_bytes(len(name), len(header), len(body)), received_ns
            )
            head = segments.pack_record_head(
                kind=kind,
                gateway=name,
                session=session,
                seq=seq,
                received_ns=received_ns,
                header=header,
                body_bytes=len(body),
                body_crc=zlib.crc32(body) if body_crc is None else body_crc,
                offset=self._next_offset,
                durable=self._durable_offset,
            )
            size = len(head) + len(body) + padding(len(body))
            part.buffers.append(head)
            if len(body):
                part.buffers += (body, ZEROS[: padding(len(body))])
            part.written_bytes += size
            part.marks.append((kind, gateway, session, seq))
            segments.note(self._next_table, kind, gateway, session=session, seq=seq)
            self._pending_bytes += size
            self._next_offset += size
            return self._next_offset

    def commit(self) -> int:
        """Write what is pending, sync it once, publish and return the durable offset.

        JournalFull: no room; call `rollback`, then go on. JournalError: never again in this
        process. In both cases `durable_offset` tells what was saved before it went wrong.
        """
        with self._lock:
            assert not self._is_rollback_due, "a failed commit is followed by a rollback"
            parts, self._parts = self._parts, []
            self._pending_bytes = 0
        if self._broken:
            raise JournalError(self._broken)
        try:
            for part in parts:
                self._write(part)
        except JournalError:
            self._is_rollback_due = True
            raise
        return self._durable_offset

    def rollback(self) -> None:
        """Forget everything that is not durable, after a commit that failed."""
        with self._lock:
            self._parts = []
            self._pending_bytes = 0
            self._next_base = self._base
            self._next_first = self._first
            self._next_offset = self._durable_offset
            self._next_table = dict(self._table)
            self._is_rollback_due = False

    def retain(self, now_ns: int, keep_ns: int, oldest_needed_offset: int) -> list[int]:
        """Remove segments that are both too old and no longer needed; return their bases.

        oldest_needed_offset  the lesser of the last two committed offsets of the flow: the
                              newest commit may be the one that a crash tears
        A segment is as old as its newest record, which the next segment's beginning bounds.
        """
        bases = segments.segment_bases(self._folder)
        removed = []
        try:
            for base, following in itertools.pairwise(bases):
                path = segments.segment_path(self._folder, following)
                created_ns = segments.read_segment_header(path).created_ns
                if following > oldest_needed_offset or created_ns > now_ns - keep_ns:
                    break
                self._disk.unlink(segments.segment_path(self._folder, base))
                removed.append(base)
            if removed:
                self._disk.sync_folder(self._folder)
        except OSError as fault:
            raise _told(fault, "an old segment cannot be removed") from fault
        return removed

    def close(self) -> None:
        """Give the files and the lock back; what was not committed was never acknowledged."""
        if self._fd >= 0:
            self._disk.close(self._fd)
            self._fd = -1
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1
        self._broken = self._broken or "the journal is closed"

    def _part_for(self, record_bytes: int, received_ns: int) -> _Part:
        """Return the part that takes the next record, beginning a segment where one is full."""
        used_bytes = self._next_offset - self._next_base
        if (
            self._next_offset > self._next_first
            and used_bytes + record_bytes > self._settings.segment_bytes
        ):
            base = self._next_offset
            header = segments.pack_segment_header(base, received_ns, self._next_table)
            self._next_base = base
            self._next_offset = self._next_first = base + len(header)
            self._parts.append(_Part(base, header))
        elif not self._parts:
            self._parts.append(_Part(self._next_base, b""))
        return self._parts[-1]

    def _write(self, part: _Part) -> None:
        """Write and sync one part; afterwards it is durable, or what is left is as before."""
        if part.header:
            self._begin_segment(part.base, part.header)
        assert part.base == self._base
        position = self._durable_offset - self._base
        try:
            self._check_room(part.written_bytes)
            self._disk.write(self._fd, part.buffers, position)
        except OSError as fault:
            self._cut_off(position, fault)
            if fault.errno in NO_ROOM:
                raise _full(fault) from fault
            text = "a write to the journal failed"
            raise self._break(text, fault) from fault
        try:
            self._disk.fdatasync(self._fd)
        except OSError as fault:
            self._cut_off(position, fault)
            text = "a sync of the journal failed"
            raise self._break(text, fault) from fault
        for kind, gateway, session, seq in part.marks:
            segments.note(self._table, kind, gateway, session=session, seq=seq)
        self._publish(self._durable_offset + part.written_bytes)

    def _begin_segment(self, base: int, header: bytes) -> None:
        """Make the next segment: whole before it has its name, and its name synced."""
        assert base == self._durable_offset
        path = segments.segment_path(self._folder, base)
        new_path = path.with_suffix(NEW_SUFFIX)
        fd = -1
        try:
            self._check_room(len(header))
            fd = self._disk.create(new_path)
            self._disk.write(fd, [header], 0)
        except OSError as fault:
            self._drop(fd, new_path)
            if fault.errno in NO_ROOM:
                raise _full(fault) from fault
            text = "a new segment cannot be written"
            raise self._break(text, fault) from fault
        try:
            self._disk.fdatasync(fd)
            self._disk.rename(new_path, path)
            self._disk.sync_folder(self._folder)
        except OSError as fault:
            self._disk.close(fd)
            text = "a new segment cannot be synced"
            raise self._break(text, fault) from fault
        if self._fd >= 0:
            self._disk.close(self._fd)
        self._fd = fd
        self._base = base
        self._first = base + len(header)
        self._publish(self._first)

    def _publish(self, durable_offset: int) -> None:
        with self._durable_moved:
            self._durable_offset = durable_offset
            self._durable_moved.notify_all()

    def _check_room(self, size: int) -> None:
        if self._settings.spare_bytes == 0:
            return
        if self._disk.free_bytes(self._folder) - size < self._settings.spare_bytes:
            text = f"less than the {self._settings.spare_bytes} bytes to spare would be left"
            raise OSError(errno.ENOSPC, text)

    def _cut_off(self, length: int, fault: OSError) -> None:
        """Cut a partial write away, so that the file ends with what is durable."""
        try:
            self._disk.truncate(self._fd, length)
        except OSError as second:
            text = "a partial write cannot be cut off"
            raise self._break(text, second) from fault

    def _drop(self, fd: int, path: Path) -> None:
        """Remove an unfinished segment; what stays is overwritten, or removed when opening."""
        with contextlib.suppress(OSError):
            if fd >= 0:
                self._disk.close(fd)
                self._disk.unlink(path)

    def _break(self, what: str, fault: OSError) -> JournalError:
        """Refuse everything from now on."""
        error = _told(fault, what)
        self._broken = f"{error}; start the engine again, which checks what the disk has"
        return JournalError(self._broken)

    def _recover(self) -> None:
        for path in self._folder.glob(f"*{NEW_SUFFIX}"):
            self._disk.unlink(path)
        bases = segments.segment_bases(self._folder)
        if not bases:
            self._begin_segment(0, segments.pack_segment_header(0, 0, {}))
            self.rollback()
            return
        segments.check_contiguous(self._folder, bases)
        path = segments.segment_path(self._folder, bases[-1])
        header = segments.read_segment_header(path)
        tail = segments.scan_file(path)
        self._fd = self._disk.open(path)
        if tail.torn_bytes:
            self._disk.truncate(self._fd, tail.end_offset - bases[-1])
        # Whole records that a killed process wrote may still be in the page cache only.
        self._disk.fdatasync(self._fd)
        self.torn_bytes = tail.torn_bytes
        self._base = bases[-1]
        self._first = self._base + header.header_bytes
        self._durable_offset = tail.end_offset
        self._table = tail.table
        self.rollback()


def _full(fault: OSError) -> JournalFull:
    return JournalFull(f"there is no room for the journal: {fault.strerror}")


def _told(fault: OSError, what: str) -> JournalError:
    place = f" ({fault.filename})" if fault.filename else ""
    return JournalError(f"{what}: {fault.strerror or fault}{place}")
