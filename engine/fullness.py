"""Fullness: a disk without room is said when it begins, once a minute, and when there is room.

Whoever writes to a disk tries again several times a second; whoever looks after the machine reads
a log and asks `/readyz`.  One for each log that waits for room; the caller has the clock.
"""

from typing import Final

import structlog

from engine.meters import Meters

NS_PER_S: Final = 1_000_000_000
REMIND_EVERY_NS: Final = 60 * NS_PER_S

log = structlog.get_logger()


class Fullness:
    """Whether one log has room; `reason` is empty while it has."""

    __slots__ = ("_meters", "_name", "_remind_ns", "_since_ns", "reason")

    def __init__(self, name: str, meters: Meters) -> None:
        self._name = name
        self._meters = meters
        self._since_ns = 0
        self._remind_ns = 0
        self.reason = ""
        meters.disk_full[name] = 0

    def is_full(self, reason: str, now_ns: int) -> None:
        """A write found no room."""
        if not self.reason:
            self._since_ns = self._remind_ns = now_ns
            self._meters.disk_full[self._name] = 1
        self.reason = reason
        if now_ns >= self._remind_ns:
            self._remind_ns += REMIND_EVERY_NS
            seconds = (now_ns - self._since_ns) // NS_PER_S
            log.error(f"{self._name}_full", reason=reason, full_for_s=seconds)

    def has_room(self, now_ns: int) -> None:
        """A write found room."""
        if self.reason:
            self.reason = ""
            self._meters.disk_full[self._name] = 0
            seconds = (now_ns - self._since_ns) // NS_PER_S
            log.info(f"{self._name}_has_room", full_for_s=seconds)
