"""Store: the shards' arrays on disk, in a codec of our own, the two last kept.

A snapshot is one file: a magic word and version, a msgpack header that names every column with
dtype, shape and place, then the raw bytes of the columns, then a CRC-32 of everything before it.
It is written beside its final name, synced and renamed, so that a crash leaves the old snapshot
or the new one and nothing between.  No class is ever pickled: whoever can write the folder can
spoil a snapshot (the CRC says so), but cannot make the engine run anything.

Bytewax is handed a token only: the snapshot's number and digest.
"""

import contextlib
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgpack
import numpy as np
from numpy.typing import NDArray

from engine.errors import StateUnreadable, StoreError

MAGIC = b"TOCSIN-STATE"
VERSION = 1
# Two: the one that Bytewax has committed, and the one that it may be committing just now.
SNAPSHOTS_KEPT = 2
# zlib.crc32 of 16 MiB takes about 4 ms and lets other threads run meanwhile.
CHUNK_BYTES = 16 << 20
ALIGNMENT_BYTES = 64

Columns = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one file holds: facts about the shard (small, msgpack) and its columns."""

    facts: dict[str, object]
    columns: dict[str, NDArray[np.generic]]


class Store:
    """The snapshots of one shard, numbered upwards, in one folder."""

    __slots__ = ("folder", "shard")

    def __init__(self, folder: Path, shard: str) -> None:
        self.folder = folder
        self.shard = shard
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def save(self, number: int, facts: Mapping[str, object], columns: Columns) -> int:
        """Write snapshot `number`, make it durable, drop those older than the two last.

        Returns the file's size in bytes; StoreError names the file when it cannot be written.
        """
        final = self._path(number)
        draft = final.with_suffix(".draft")
        try:
            with draft.open("wb") as file:
                size_bytes = _write(file, facts, columns)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(final)
            _sync_folder(self.folder)
            self._forget(number)
        except OSError as fault:
            # What was written in vain shall not keep others from writing.
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            message = f"{final}: the state cannot be saved: {fault.strerror or fault}"
            raise StoreError(message) from fault
        return size_bytes

    def load(self, number: int) -> Snapshot:
        """Read snapshot `number`; StateUnreadable names the file and what is wrong with it."""
        path = self._path(number)
        if not path.exists():
            have = ", ".join(str(n) for n in self.numbers()) or "none"
            message = f"{path}: snapshot {number} is not there (there: {have})"
            raise StateUnreadable(message)
        return _read(path)

    def numbers(self) -> list[int]:
        """The numbers of the snapshots on disk, oldest first."""
        return sorted(
            int(p.stem.rsplit("-", 1)[1]) for p in self.folder.glob(f"{self.shard}-*.state")
        )

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.shard}-{number:012d}.state"

    def _forget(self, newest: int) -> None:
        kept = [n for n in self.numbers() if n <= newest][-SNAPSHOTS_KEPT:]
        for number in self.numbers():
            if number not in kept and number < newest:
                self._path(number).unlink()


def _write(file: BinaryIO, facts: Mapping[str, object], columns: Columns) -> int:
    places: list[dict[str, object]] = []
    offset = 0
    for name, column in columns.items():
        assert column.flags.c_contiguous, name
        places.append(
            {
                "name": name,
                # Records are saved as bytes; whoever restores them knows their fields.
                "dtype": column.dtype.str,
                "shape": list(column.shape),
                "offset": offset,
            }
        )
        offset += _padded(column.nbytes)
    header = msgpack.packb({"facts": dict(facts), "columns": places}, use_bin_type=True)
    head = MAGIC + VERSION.to_bytes(4, "little") + len(header).to_bytes(8, "little") + header
    head += bytes(_padded(len(head)) - len(head))
    crc = zlib.crc32(head)
    file.write(head)
    for column in columns.values():
        raw = column.reshape(-1).view(np.uint8).data
        for start in range(0, len(raw), CHUNK_BYTES):
            crc = zlib.crc32(raw[start : start + CHUNK_BYTES], crc)
            file.write(raw[start : start + CHUNK_BYTES])
        padding = bytes(_padded(len(raw)) - len(raw))
        crc = zlib.crc32(padding, crc)
        file.write(padding)
    file.write(crc.to_bytes(4, "little"))
    return len(head) + offset + 4


def _read(path: Path) -> Snapshot:
    try:
        whole = np.fromfile(path, dtype=np.uint8)
    except OSError as fault:
        message = f"{path}: cannot be read: {fault.strerror or fault}"
        raise StateUnreadable(message) from fault
    if whole.size < len(MAGIC) + 16 or whole[: len(MAGIC)].tobytes() != MAGIC:
        message = f"{path}: not a snapshot (its first bytes are not {MAGIC.decode()})"
        raise StateUnreadable(message)
    crc = 0
    for start in range(0, whole.size - 4, CHUNK_BYTES):
        crc = zlib.crc32(whole[start : min(start + CHUNK_BYTES, whole.size - 4)].data, crc)
    if crc != int.from_bytes(whole[-4:].tobytes(), "little"):
        message = f"{path}: the checksum does not fit: the snapshot is damaged"
        raise StateUnreadable(message)
    at = len(MAGIC)
    version = int.from_bytes(whole[at : at + 4].tobytes(), "little")
    if version != VERSION:
        message = f"{path}: written by format version {version}, this engine reads {VERSION}"
        raise StateUnreadable(message)
    size = int.from_bytes(whole[at + 4 : at + 12].tobytes(), "little")
    header = msgpack.unpackb(whole[at + 12 : at + 12 + size].tobytes(), strict_map_key=False)
    body = _padded(at + 12 + size)
    columns = {}
    for place in header["columns"]:
        dtype = np.dtype(place["dtype"])
        count = int(np.prod(place["shape"], dtype=np.int64))
        start = body + place["offset"]
        raw = whole[start : start + count * dtype.itemsize]
        columns[place["name"]] = raw.view(dtype).reshape(place["shape"])
    return Snapshot(header["facts"], columns)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
