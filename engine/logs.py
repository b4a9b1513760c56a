"""Logs: one line for each thing worth a line, as JSON for machines or coloured for people.

What repeats is held back: a broken gateway may be wrong a thousand times a second, and the
line that matters must not drown in it. The next line that passes says how many were held.
Nothing is logged per reading; a line costs some 11 us.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

# The first five of a kind in ten seconds are shown.
WINDOW_S: Final = 10.0
BURST: Final = 5
# Kinds remembered; a kind is the text and what it is about, both from a bounded set.
KINDS_MAX: Final = 1024
ABOUT: Final = ("event", "room", "gateway", "code", "rule")


@dataclass(slots=True)
class Kind:
    """How often one kind of line was seen in the present window."""

    began_s: float
    shown: int = 0
    held: int = 0


@dataclass(slots=True)
class Repeats:
    """A processor that lets few lines of one kind pass, and counts the others."""

    now_s: Callable[[], float] = time.monotonic
    kinds: dict[tuple[object, ...], Kind] = field(default_factory=dict)

    def __call__(self, _: WrappedLogger, method: str, line: EventDict) -> EventDict:
        """Pass a line, with `held` when others like it were not shown; or drop it."""
        now_s = self.now_s()
        key = (method, *(line.get(name) for name in ABOUT))
        kind = self.kinds.get(key)
        if kind is None or now_s - kind.began_s >= WINDOW_S:
            if kind and kind.held:
                line["held"] = kind.held
            self._begin(key, now_s)
        elif kind.shown >= BURST:
            kind.held += 1
            raise structlog.DropEvent
        self.kinds[key].shown += 1
        return line

    def rest(self) -> list[tuple[str, int]]:
        """Texts of which lines are still held, and how many; asked when the engine ends."""
        found = [(str(key[1]), kind.held) for key, kind in self.kinds.items() if kind.held]
        self.kinds.clear()
        return found

    def _begin(self, key: tuple[object, ...], now_s: float) -> None:
        self.kinds.pop(key, None)
        if len(self.kinds) >= KINDS_MAX:
            self.kinds.pop(next(iter(self.kinds)))
        self.kinds[key] = Kind(now_s)


def configure(
    style: Literal["json", "console"], *, level: str = "info", out: TextIO | None = None
) -> Repeats:
    """Set up logging for the process; lines go to stderr, for stdout belongs to results."""
    repeats = Repeats()
    out = out or sys.stderr
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if style == "console":
        last = structlog.dev.ConsoleRenderer(colors=out.isatty())
    structlog.configure(
        processors=[
            repeats,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    return repeats


def logger(room: str) -> FilteringBoundLogger:
    """The logger of one room; its lines carry the room's name."""
    found: FilteringBoundLogger = structlog.get_logger(room=room)
    return found
