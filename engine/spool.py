"""Spool: the frames of a gateway that nobody has acknowledged yet, on the gateway's own disk.

A frame is written here before it is sent and removed when the engine says that it is durable, so
a gateway that is killed at any moment goes on where it was. The session number is synced before
it is used, because a number used twice would make new frames look like old ones.

    lock            one process per spool
    state           session, source, and how far both are acknowledged; replaced as a whole
    00000042.frame  one frame: lengths, the last row of the source in it, checksum, header, body

Frames are not synced one by one: a killed process loses nothing, and after a power cut a frame
that did not reach the disk is found by its checksum and made again from the source.
"""

import fcntl
import json
import os
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import DiskError, UsageError

# bytes of the header, bytes of the body, row after the last one in the frame, crc of both parts
PREFIX: Final = struct.Struct("<IIQI")


class SpooledFrame(NamedTuple):
    """One frame, and how many rows of the source are sent once it and all before it are."""

    seq: int
    row_end: int
    header: bytes
    body: bytes


@dataclass(slots=True)
class SpoolState:
    """What must survive: the session in use, and how far it and its source are acknowledged."""

    session: int = 0
    source: str = ""
    acked_seq: int = 0
    acked_row: int = 0


class Spool:
    """The spool of one gateway; opening it keeps every other process out."""

    __slots__ = ("_folder", "_lock", "_row_end", "state")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            message = f"another feed of this gateway is running (its spool is {folder})"
            raise UsageError(message) from None
        self.state = _read_state(folder / "state")
        self._row_end: dict[int, int] = {}

    def close(self) -> None:
        """Let go of the spool; what it holds stays."""
        os.close(self._lock)

    def leftover(self) -> list[SpooledFrame]:
        """Return the whole frames of the last session that nobody acknowledged, without holes."""
        frames = []
        expected = None
        for path in sorted(self._folder.glob("*.frame")):
            seq = int(path.stem)
            frame = _read_frame(path, seq)
            is_next = expected is None or seq == expected
            if seq <= self.state.acked_seq or frame is None or not is_next:
                path.unlink()
                continue
            frames.append(frame)
            self._row_end[seq] = frame.row_end
            expected = seq + 1
        return frames

    def begin(self, source: str, row: int) -> int:
        """Start the next session, with nothing in it, and return its number."""
        for path in self._folder.glob("*.frame"):
            path.unlink()
        self._row_end.clear()
        self.state = SpoolState(self.state.session + 1, source, 0, row)
        self._save(is_synced=True)
        return self.state.session

    def put(self, frame: SpooledFrame) -> None:
        """Keep a frame until it is acknowledged."""
        checksum = zlib.crc32(frame.body, zlib.crc32(frame.header))
        prefix = PREFIX.pack(len(frame.header), len(frame.body), frame.row_end, checksum)
        path = self._path(frame.seq)
        draft = path.with_suffix(".draft")
        try:
            draft.write_bytes(prefix + frame.header + frame.body)
            draft.rename(path)
        except OSError as error:
            message = f"the spool {self._folder} cannot be written: {error.strerror}"
            raise DiskError(message) from error
        self._row_end[frame.seq] = frame.row_end

    def read(self, seq: int) -> SpooledFrame:
        """Return a frame that was put here in this session."""
        frame = _read_frame(self._path(seq), seq)
        if frame is None:
            message = f"frame {seq} of the spool {self._folder} is damaged"
            raise DiskError(message)
        return frame

    def acknowledge(self, durable: int) -> None:
        """Remove every frame up to `durable`; the engine has them on its disk."""
        done = [seq for seq in self._row_end if seq <= durable]
        if not done:
            return
        self.state.acked_seq = max(done)
        self.state.acked_row = self._row_end[max(done)]
        self._save(is_synced=False)
        for seq in done:
            self._path(seq).unlink(missing_ok=True)
            del self._row_end[seq]

    def finish(self) -> None:
        """Note that the source is sent to its end, so that the next feed of it starts anew."""
        self.state.source = ""
        self._save(is_synced=True)

    def _path(self, seq: int) -> Path:
        return self._folder / f"{seq:012d}.frame"

    def _save(self, *, is_synced: bool) -> None:
        draft = self._folder / "state.draft"
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(asdict(self.state), file)
                file.flush()
                if is_synced:
                    os.fsync(file.fileno())
            draft.rename(self._folder / "state")
            if is_synced:
                _sync_folder(self._folder)
        except OSError as error:
            message = f"the spool {self._folder} cannot be written: {error.strerror}"
            raise DiskError(message) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_state(path: Path) -> SpoolState:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return SpoolState()
    try:
        return SpoolState(**json.loads(text))
    except (ValueError, TypeError) as error:
        message = f"{path} is damaged; remove the folder, and the engine will be asked anew"
        raise DiskError(message) from error


def _read_frame(path: Path, seq: int) -> SpooledFrame | None:
    raw = path.read_bytes()
    if len(raw) < PREFIX.size:
        return None
    header_bytes, body_bytes, row_end, checksum = PREFIX.unpack_from(raw)
    if len(raw) != PREFIX.size + header_bytes + body_bytes:
        return None
    header = raw[PREFIX.size : PREFIX.size + header_bytes]
    body = raw[PREFIX.size + header_bytes :]
    if zlib.crc32(body, zlib.crc32(header)) != checksum:
        return None
    return SpooledFrame(seq, row_end, header, body)
