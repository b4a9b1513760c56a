"""Disks that fail on purpose: the Nth call, with an error or with the whole machine.

They wrap the real disk, so what they leave behind is what a real failure leaves behind.
"""

import errno
import os
import random
from pathlib import Path

from engine.disk import PosixDisk


class Crash(Exception):
    """The machine has stopped; nothing after this call happened."""


class FaultyDisk(PosixDisk):
    """A disk whose Nth call of one sort fails once with an error number, half of it done."""

    def __init__(self, call: str, nth: int, number: int) -> None:
        self.call = call
        self.left = nth
        self.number = number
        self.has_failed = False

    def _count(self, call: str) -> None:
        if call != self.call or self.has_failed:
            return
        self.left -= 1
        if self.left <= 0:
            self.has_failed = True
            raise OSError(self.number, os.strerror(self.number))

    def create(self, path: Path) -> int:
        self._count("create")
        return super().create(path)

    def write(self, fd, buffers, position) -> None:
        try:
            self._count("write")
        except OSError:
            whole = b"".join(buffers)
            os.pwrite(fd, whole[: len(whole) // 2], position)
            raise
        super().write(fd, buffers, position)

    def fdatasync(self, fd: int) -> None:
        self._count("fdatasync")
        super().fdatasync(fd)

    def truncate(self, fd: int, length: int) -> None:
        self._count("truncate")
        super().truncate(fd, length)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._count("sync_folder")
        super().sync_folder(folder)


class FullDisk(PosixDisk):
    """A disk with little room: what fits is written, then the write fails; None is plenty."""

    def __init__(self) -> None:
        self.room_bytes: int | None = None

    def write(self, fd, buffers, position) -> None:
        whole = b"".join(buffers)
        if self.room_bytes is not None and len(whole) > self.room_bytes:
            os.pwrite(fd, whole[: self.room_bytes], position)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.room_bytes is not None:
            self.room_bytes -= len(whole)
        super().write(fd, buffers, position)


class CrashingDisk(PosixDisk):
    """A disk under a machine that loses power at the Nth call.

    What was written and not synced is then partly gone: cut, zeroed or scrambled, at random.
    Creating, renaming and syncing folders are taken to be done when they return.
    """

    def __init__(self, random_: random.Random, calls_left: int, synced: int) -> None:
        self.random = random_
        self.calls_left = calls_left
        self.synced = synced

    def _is_crash(self) -> bool:
        self.calls_left -= 1
        return self.calls_left <= 0

    def write(self, fd, buffers, position) -> None:
        if not self._is_crash():
            super().write(fd, buffers, position)
            return
        whole = b"".join(buffers)
        os.pwrite(fd, whole[: self.random.randrange(len(whole) + 1)], position)
        self._lose(fd)

    def fdatasync(self, fd: int) -> None:
        if not self._is_crash():
            self.synced = os.fstat(fd).st_size
            return
        self._lose(fd)

    def create(self, path: Path) -> int:
        self.synced = 0
        return super().create(path)

    def rename(self, source: Path, target: Path) -> None:
        if self._is_crash():
            raise Crash
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        """Folders are synced at once here."""

    def _lose(self, fd: int) -> None:
        """Damage what was not synced, block by block, as a lost cache does."""
        synced, size = self.synced, os.fstat(fd).st_size
        for place in range(synced, size, 512):
            fate = self.random.randrange(4)
            block = min(512, size - place)
            if fate == 0:
                os.pwrite(fd, bytes(block), place)
            elif fate == 1:
                os.pwrite(fd, self.random.randbytes(block), place)
        if size > synced and self.random.randrange(2):
            os.ftruncate(fd, self.random.randrange(synced, size + 1))
        raise Crash
