"""Orders: records that somebody beside the intake wants in the journal, such as activations.

The journal has one writer, the intake's thread.  Whoever else has something to write down orders
it here, and waits until it is durable or has failed; nothing is half done when the disk is full.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.errors import JournalError
from engine.journal import Journal

# An fdatasync of a busy disk takes 20 ms; who waits looks this often whether anybody works.
LOOK_EVERY_S: Final = 0.5


@dataclass(slots=True)
class _Order:
    kind: int
    header: bytes
    body: bytes
    end_offset: int = -1
    error: JournalError | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Orders:
    """What is ordered, and what of it waits for the disk."""

    __slots__ = ("_ordered", "_written", "journal", "wake")

    def __init__(self, journal: Journal, wake: Callable[[], None]) -> None:
        """wake  tells the writer's thread that there is something to do"""
        self.journal = journal
        self.wake = wake
        self._ordered: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._written: deque[_Order] = deque()

    def write(self, kind: int, header: bytes, body: bytes, is_alive: Callable[[], bool]) -> int:
        """Have a record written and synced; returns the offset of its end. For any other thread.

        is_alive  the writer's thread is there; JournalError when it ends without an answer
        """
        order = _Order(kind, header, body)
        self._ordered.put(order)
        while not order.done.is_set():
            if not is_alive():
                text = "the intake does not run, so nothing can be written to the journal"
                raise JournalError(text)
            self.wake()
            order.done.wait(LOOK_EVERY_S)
        if order.error is not None:
            raise order.error
        return order.end_offset

    def take(self, now_ns: int) -> None:
        """Append what is ordered; for the writer's thread, as all below."""
        while not self._ordered.empty():
            order = self._ordered.get()
            order.end_offset = self.journal.append(
                order.kind, "", session=0, seq=0, received_ns=now_ns,
                header=order.header, body=order.body,
            )  # fmt: skip
            self._written.append(order)

    def settle(self, error: JournalError | None) -> None:
        """Answer what the last commit has made durable, and, after an error, what it has not."""
        durable_offset = self.journal.durable_offset
        while self._written and self._written[0].end_offset <= durable_offset:
            self._written.popleft().done.set()
        if error is None:
            return
        while self._written:
            order = self._written.popleft()
            order.error = error
            order.done.set()
