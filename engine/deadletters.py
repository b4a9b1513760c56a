"""Dead letters: every frame that was refused for good, with the reason, where a person can look.

One line of JSON each, in numbered files of bounded size and number. The first bytes of a frame
and its SHA-256 are always kept; the whole frame when it is small and its gateway has not used
up its share of the file, so that one mad gateway cannot push out the letters of the others.
A letter that cannot be written is counted and let go: its refusal, with the same reason, is in
the journal, and other gateways' frames must not wait for it.
"""

import base64
import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.disk import Disk, make_folder

HEAD_BYTES: Final = 256
WHOLE_BYTES_MAX: Final = 64 << 10
PREFIX: Final = "dead-letters-"
SUFFIX: Final = ".jsonl"


@dataclass(frozen=True, slots=True)
class DeadLetterSettings:
    """How much disk dead letters may take: files_kept times file_bytes, and a line more."""

    file_bytes: int
    files_kept: int
    gateway_bytes_max: int  # of whole frames, for each gateway and file


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A frame that was refused for good; session and seq are 0 where they could not be read."""

    gateway: str
    session: int
    seq: int
    code: str
    text: str
    received_ns: int
    parts: tuple[bytes, ...] = field(repr=False)


class DeadLetters:
    """The log of dead letters of one engine."""

    def __init__(self, folder: Path, settings: DeadLetterSettings, disk: Disk) -> None:
        """Begin a new file; OSError when the folder cannot be written."""
        self._folder = folder
        self._settings = settings
        self._disk = disk
        self._lock = threading.Lock()
        self._pending: list[DeadLetter] = []
        self._spent: dict[str, int] = {}
        self._fd = -1
        self._size = 0
        self.written_count = 0
        self.lost_count = 0
        make_folder(folder, disk)
        self._number = max(_numbers(folder), default=0)

    @property
    def is_pending(self) -> bool:
        """There are letters that `flush` has not written yet."""
        return bool(self._pending)

    def append(self, letter: DeadLetter) -> None:
        """Take a letter; `flush` writes it."""
        with self._lock:
            self._pending.append(letter)

    def flush(self) -> None:
        """Write and sync what was appended; what the disk refuses is counted in `lost_count`."""
        with self._lock:
            letters, self._pending = self._pending, []
        if not letters:
            return
        lines = b"".join(self._line(letter) for letter in letters)
        try:
            if self._fd < 0 or self._size + len(lines) > self._settings.file_bytes:
                self._begin_file()
            self._disk.write(self._fd, [lines], self._size)
            self._disk.fdatasync(self._fd)
        except OSError:
            self.lost_count += len(letters)
            # The next flush begins a new file: this descriptor may have forgotten its pages.
            self.close()
            return
        self._size += len(lines)
        self.written_count += len(letters)

    def close(self) -> None:
        """Give the file back; what was appended and not flushed is let go."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._disk.truncate(self._fd, self._size)
            with contextlib.suppress(OSError):
                self._disk.close(self._fd)
            self._fd = -1

    def _begin_file(self) -> None:
        self.close()
        self._number += 1
        self._fd = self._disk.create(self._folder / f"{PREFIX}{self._number:08d}{SUFFIX}")
        self._size = 0
        self._spent = {}
        for number in _numbers(self._folder):
            if number <= self._number - self._settings.files_kept:
                self._disk.unlink(self._folder / f"{PREFIX}{number:08d}{SUFFIX}")
        self._disk.sync_folder(self._folder)

    def _line(self, letter: DeadLetter) -> bytes:
        whole = b"".join(letter.parts)
        line: dict[str, str | int | list[int]] = {
            "received_ns": letter.received_ns,
            "gateway": letter.gateway,
            "session": letter.session,
            "seq": letter.seq,
            "code": letter.code,
            "text": letter.text,
            "parts_bytes": [len(part) for part in letter.parts],
            "sha256": hashlib.sha256(whole).hexdigest(),
        }
        spent = self._spent.get(letter.gateway, 0) + len(whole)
        if len(whole) <= WHOLE_BYTES_MAX and spent <= self._settings.gateway_bytes_max:
            self._spent[letter.gateway] = spent
            line["whole"] = base64.b64encode(whole).decode()
        else:
            line["head"] = base64.b64encode(whole[:HEAD_BYTES]).decode()
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the files there are."""
    found = (path.name[len(PREFIX) : -len(SUFFIX)] for path in folder.glob(f"{PREFIX}*{SUFFIX}"))
    return [int(number) for number in found if number.isdecimal()]
