"""Watching: a thread that reloads when somebody asks by a signal, or when watched files change.

It also looks at the calendar: an override ends at the midnight after its last day.

Files are looked at once a second by size, time of change and number.  What has changed is loaded
when it has stayed the same for one more look: an editor may write a file in several goes, and a
copy of a folder arrives file by file.  What was refused is not tried again until it changes.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import structlog

from engine.config import EngineConfig
from engine.reloading import Reloader

LOOK_EVERY_S: Final = 1.0

Seen = frozenset[tuple[str, int, int, int]]

log = structlog.get_logger()


class Watcher:
    """Reloads by itself, between `start` and `stop`."""

    def __init__(self, reloader: Reloader, now_ns: Callable[[], int]) -> None:
        self.reloader = reloader
        self.now_ns = now_ns
        self._asked = threading.Event()
        self._ending = threading.Event()
        self._loaded = self._pending = look(reloader.config)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def ask(self) -> None:
        """Reload soon; may be called from a signal."""
        self._asked.set()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End; a reload that runs is waited for."""
        self._ending.set()
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            is_asked = self._asked.wait(LOOK_EVERY_S)
            self._asked.clear()
            if self._ending.is_set():
                return
            try:
                if is_asked:
                    self._loaded = self._pending = look(self.reloader.config)
                    self.reloader.reload("signal", waits=True)
                elif self.reloader.config.watch:
                    self.look_again(look(self.reloader.config))
                self.reloader.end_overrides(self.now_ns())
            except Exception:
                # Nobody hears what a thread dies of, and the rules that judge go on.
                log.exception("reload_failed")

    def look_again(self, seen: Seen) -> None:
        """Load what is different and has settled."""
        if seen == self._pending and seen != self._loaded:
            self._loaded = seen
            self.reloader.reload("watch", waits=True)
        self._pending = seen


def look(config: EngineConfig) -> Seen:
    """How the watched files are: engine.yaml, and all that lies where the rules are."""
    return frozenset(_stats(config))


def _stats(config: EngineConfig) -> Iterable[tuple[str, int, int, int]]:
    for path in (config.path, *config.rules):
        inside = [p for p in path.rglob("*") if not p.is_dir()] if path.is_dir() else [path]
        for file in inside:
            one = _stat(file)
            if one is not None:
                yield one


def _stat(path: Path) -> tuple[str, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None  # removed between two looks: the next one will tell
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino
