"""Positions: how far each consumer has read the egress log, by its own account.

One small file, replaced as a whole: written beside, synced, renamed, and the folder synced. A
position may go back; a consumer that wants to read again is right to say so.
"""

from __future__ import annotations

import os
import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import msgpack

from engine.errors import EgressError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 4096 consumers of 64 characters are 300 KB, written in one go.
CONSUMER_COUNT_MAX: Final = 4096
CONSUMER_NAME_MAX: Final = 64


class TooManyConsumers(EgressError):
    """A consumer that is not known yet, when no more can be remembered."""


@dataclass(slots=True)
class Positions:
    """The positions of all consumers; one thread may store while another asks."""

    path: Path
    seq: dict[str, int]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the file, or begin with nobody."""
        if not path.exists():
            return cls(path, {})
        column = path.read_bytes()
        crc, body = column[:4], column[4:]
        if zlib.crc32(body).to_bytes(4, "little") != crc:
            text = f"{path} is damaged; delete it, and consumers say anew where they are"
            raise EgressError(text)
        return cls(path, msgpack.unpackb(body))

    def where(self, consumer: str) -> int:
        """The stored position; 0 for a consumer that is not known."""
        with self.lock:
            return self.seq.get(consumer, 0)

    def store(self, positions: Mapping[str, int]) -> None:
        """Store positions durably, all or none of them."""
        with self.lock:
            merged = {**self.seq, **positions}
            if len(merged) > CONSUMER_COUNT_MAX:
                text = f"{CONSUMER_COUNT_MAX} consumers are remembered already"
                raise TooManyConsumers(text)
            if merged != self.seq:
                self._replace(merged)
                self.seq = merged

    def _replace(self, merged: Mapping[str, int]) -> None:
        body: bytes = msgpack.packb(merged)
        new = self.path.with_suffix(".tmp")
        try:
            with new.open("wb") as file:
                file.write(zlib.crc32(body).to_bytes(4, "little") + body)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            text = f"{self.path}: {error.strerror}; no position was stored"
            raise EgressError(text) from error
