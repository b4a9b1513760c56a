"""Allowance: how much of the journal the flow may take in one poll.

While a poll is worked through, nothing is sent and nothing is saved.  How long that takes cannot be
read off its bytes: 4 MiB are 40 frames of 8192 readings and 60 ms of kernels, or 16 000 frames of
one reading each, which with 20 rules on windows were 16 s (measured).  An engine that is killed
sooner than that would begin at the same place again, for ever.

So a poll is bounded in bytes and in records, and both bounds follow the time that polls take: when
one took longer than WORK_NS, the next may hold so much less; when one that used its bounds took
less than half of it, the next may hold twice as much.  The first poll is small, for nothing is
known yet.  Where polls end changes no warning (law 3), so this may look at the clock.
"""

from dataclasses import dataclass
from typing import Final

# Latency is about 1.5 times the work of one poll, but only of an engine that lags behind.
WORK_NS: Final = 100_000_000
BYTES_MAX: Final = 4 << 20
# The dearest records that were measured (20 rules, a pane each) take 1 ms: 0.5 s, once.
RECORDS_MAX: Final = 512
# A record at a time: the reader always gives one.
LEAST: Final = 1 / RECORDS_MAX
FIRST: Final = 1 / 16


@dataclass(slots=True)
class Allowance:
    """What the next poll may hold, as a share of the greatest."""

    share: float = FIRST

    @property
    def byte_count(self) -> int:
        """A poll ends with the record that reaches so many bytes."""
        return max(1, int(BYTES_MAX * self.share))

    @property
    def record_count(self) -> int:
        """A poll holds at most so many records."""
        return max(1, int(RECORDS_MAX * self.share))

    def spent(self, byte_count: int, record_count: int, work_ns: int) -> None:
        """A poll held so much, and took so long until it was worked through."""
        used = max(byte_count / BYTES_MAX, record_count / RECORDS_MAX)
        if work_ns > WORK_NS:
            self.share = max(LEAST, min(self.share, used * WORK_NS / work_ns))
        elif work_ns < WORK_NS // 2 and used >= self.share / 2:
            self.share = min(1.0, 2 * self.share)
