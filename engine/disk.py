"""The few calls by which the journal touches the disk, behind one small protocol.

Crashes are simulated at this line: a test hands the journal a disk whose Nth call fails, and
the journal cannot tell. Nothing here decides anything; what a failed call means is decided
where it is called.
"""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

# The kernel takes at most 1024 buffers in one call (UIO_MAXIOV).
BUFFERS_MAX: Final = 1024

Buffer = bytes | memoryview


class Disk(Protocol):
    """What a disk can do for the journal; every method may raise OSError."""

    def create(self, path: Path) -> int:
        """Make an empty file for writing, replacing what was there; return its descriptor."""
        ...

    def open(self, path: Path) -> int:
        """Open an existing file for writing; return its descriptor."""
        ...

    def write(self, fd: int, buffers: Sequence[Buffer], position: int) -> None:
        """Write all buffers one after the other from a position on, or raise."""
        ...

    def fdatasync(self, fd: int) -> None:
        """Return when what was written, and the length of the file, survive a power cut."""
        ...

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file to a length."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in its folder."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in the folder survive a power cut."""
        ...

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes may still be written to the folder's disk."""
        ...

    def close(self, fd: int) -> None:
        """Give a descriptor back."""
        ...


class PosixDisk:
    """The disk of this machine."""

    __slots__ = ()

    def create(self, path: Path) -> int:
        """Make an empty file for writing, replacing what was there; return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def open(self, path: Path) -> int:
        """Open an existing file for writing; return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def write(self, fd: int, buffers: Sequence[Buffer], position: int) -> None:
        """Write all buffers one after the other from a position on, or raise."""
        for start in range(0, len(buffers), BUFFERS_MAX):
            position = _write_some(fd, buffers[start : start + BUFFERS_MAX], position)

    def fdatasync(self, fd: int) -> None:
        """Return when what was written, and the length of the file, survive a power cut."""
        os.fdatasync(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file to a length."""
        os.ftruncate(fd, length)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in its folder."""
        os.rename(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        os.unlink(path)

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in the folder survive a power cut."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self, folder: Path) -> int:
        """Return how many bytes may still be written to the folder's disk."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def close(self, fd: int) -> None:
        """Give a descriptor back."""
        os.close(fd)


def lock_folder(folder: Path) -> int | None:
    """Return a descriptor that holds the folder for this process, or None when it is held."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    os.close(fd)
    return None


def make_folder(folder: Path, disk: Disk) -> None:
    """Make a folder, with those above it, whose name survives a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent, disk)
    folder.mkdir(mode=0o750, exist_ok=True)
    disk.sync_folder(folder.parent)


def _write_some(fd: int, buffers: Sequence[Buffer], position: int) -> int:
    """Write up to BUFFERS_MAX buffers; a short write goes on where the kernel stopped."""
    size = sum(len(buffer) for buffer in buffers)
    written = os.pwritev(fd, buffers, position)
    if written < size:
        rest = memoryview(b"".join(buffers))
        while written < size:
            written += os.pwrite(fd, rest[written:], position + written)
    return position + size
