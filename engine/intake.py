"""Intake: the socket on which gateways push, and the threads that keep it moving.

Enters     ZeroMQ messages of gateways: identity, header, body
Leaves     records in the journal; acknowledgements, after the sync and never before
Remembers  nothing of its own: what is not durable yet is in the gate and in the journal
Refuses    more than it may hold: while too much waits for the disk, the socket is not read

Two threads. The first receives, checks and appends; the second writes and syncs, so that what
arrives while the disk works makes the next group. A commit begins as soon as the second thread
is free and nothing more is waiting, or 256 KiB are, or 5 ms have passed: a lone frame never
waits for company, and a flood shares its syncs.
"""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import zmq

from engine.deadletters import DeadLetters
from engine.errors import JournalError, UnreachableError
from engine.fullness import Fullness
from engine.gate import Gate, GateSettings
from engine.journal import Journal, JournalFull
from engine.meters import Meters
from engine.orders import Orders

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
# A body a little too large shall meet a sentence, not a closed connection.
OVERSIZE_BYTES: Final = 64 << 10
PARTS_KEPT: Final = 3
# Answers are small: 1024 of them are less than a frame.
ANSWERS_MAX: Final = 1024
# Between two looks at the clock and at the commit; 64 frames of 100 KB take about 4 ms.
MESSAGES_AT_ONCE: Final = 64
POLL_MS_MAX: Final = 100
STOP_S: Final = 10.0
# The last answers may leave; gateways that hear nothing send again, so no longer than this.
CLOSE_MS: Final = 200


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """Where gateways connect, what they are told, and when a group is committed."""

    engine: str
    endpoint: str
    credit: int
    frame_bytes_max: int
    commit_bytes: int
    commit_ns: int
    waiting_bytes_max: int  # appended and not durable; above it the socket is not read
    silence_ns: int
    writes_ticks: bool


class Intake:
    """Receives from gateways in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        settings: IntakeSettings,
        sensor_counts: Mapping[str, int],
        *,
        journal: Journal,
        dead_letters: DeadLetters,
        meters: Meters,
        clock_ns: Callable[[], int],
    ) -> None:
        """Prepare everything but the socket.

        sensor_counts  the length of each gateway's manifest, by the gateway's name
        clock_ns       the wall clock; the one who starts the engine decides what that is
        """
        self._settings = settings
        self._journal = journal
        self._meters = meters
        self._clock_ns = clock_ns
        self._gate = Gate(
            GateSettings(settings.engine, settings.credit, settings.frame_bytes_max),
            sensor_counts,
            journal=journal,
            dead_letters=dead_letters,
            meters=meters,
        )
        self._dead_letters = dead_letters
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._committer = Committer(journal, dead_letters, meters, self._wake_fd)
        self._orders = Orders(journal, self._wake)
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._is_stopping = False
        self._group_since_ns = 0
        self._next_second_ns = 0
        self._owed: set[bytes] = set()
        self._frames_seen = meters.frames_received
        self.endpoint = settings.endpoint
        self.fullness = Fullness("journal", meters)
        self.failure: Exception | None = None
        self.last_frame_monotonic: float | None = None
        meters.gateways_known = len(sensor_counts)

    def start(self) -> None:
        """Bind the socket and begin; UnreachableError when the address cannot be had."""
        self._context = zmq.Context(1)
        self._socket = bound_socket(self._context, self._settings)
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._next_second_ns = time.monotonic_ns() + NS_PER_S
        self._committer.start()
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """The intake is receiving."""
        return self._thread.is_alive()

    def write(self, kind: int, header: bytes, body: bytes) -> int:
        """Have a record written beside the frames; returns the offset of its end, once durable.

        JournalError when there is no room, or when nobody writes any more.
        """
        return self._orders.write(kind, header, body, lambda: self.is_alive)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # closed: whoever waits sees that nobody is there
            os.eventfd_write(self._wake_fd, 1)

    def stop(self) -> None:
        """Stop receiving, make durable and acknowledge what has been received, and close."""
        if self._wake_fd < 0:
            return
        self._is_stopping = True
        os.eventfd_write(self._wake_fd, 1)
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
            assert not self._thread.is_alive(), "the intake does not stop"
        os.close(self._wake_fd)
        self._wake_fd = -1

    def _run(self) -> None:
        assert self._socket is not None
        assert self._context is not None
        try:
            self._serve(self._socket)
        except Exception as fault:
            # Whoever started the intake looks here; a thread has nobody to raise to.
            self.failure = fault
        finally:
            self._committer.stop()
            self._socket.close(CLOSE_MS)
            self._context.term()

    def _serve(self, socket: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(self._wake_fd, zmq.POLLIN)
        poller.register(socket, zmq.POLLIN)
        is_reading = True
        while not self._is_stopping:
            may_read = self._waiting_bytes() < self._settings.waiting_bytes_max
            if may_read != is_reading:
                poller.modify(socket, zmq.POLLIN if may_read else 0)
                is_reading = may_read
            ready = dict(poller.poll(POLL_MS_MAX))
            if self._wake_fd in ready:
                os.eventfd_read(self._wake_fd)
            self._settle()
            self._orders.take(self._clock_ns())
            is_dry = self._receive(socket) if socket in ready else True
            self._every_second()
            self._commit_when_due(is_dry=is_dry)
            self._answer(socket)
        self._finish()
        self._answer(socket)

    def _receive(self, socket: zmq.Socket[bytes]) -> bool:
        """Hand waiting messages to the gate; True when none is left."""
        is_dry = False
        for _ in range(MESSAGES_AT_ONCE):
            try:
                peer, *parts = receive_parts(socket)
            except zmq.Again:
                is_dry = True
                break
            self._gate.receive(peer, parts, self._clock_ns())
            if self._journal.pending_bytes >= self._settings.commit_bytes:
                break
        if self._meters.frames_received != self._frames_seen:
            self._frames_seen = self._meters.frames_received
            self.last_frame_monotonic = time.monotonic()
        return is_dry

    def _commit_when_due(self, *, is_dry: bool) -> None:
        has_work = self._journal.pending_bytes > 0 or self._dead_letters.is_pending
        if not has_work:
            return
        now_ns = time.monotonic_ns()
        self._group_since_ns = self._group_since_ns or now_ns
        if self._committer.is_busy:
            return
        if (
            is_dry
            or self._journal.pending_bytes >= self._settings.commit_bytes
            or now_ns - self._group_since_ns >= self._settings.commit_ns
        ):
            self._group_since_ns = 0
            self._committer.begin()

    def _settle(self) -> None:
        """End what the last commit has decided, when it has just ended."""
        if not self._committer.has_ended:
            return
        error = self._committer.take_result()
        if isinstance(error, JournalFull):
            self.fullness.is_full(str(error), time.monotonic_ns())
        elif error is None:
            self.fullness.has_room(time.monotonic_ns())
        if error is not None:
            self._journal.rollback()
        self._gate.settle(error)
        self._orders.settle(error)
        if error is not None and not isinstance(error, JournalFull):
            self._answer(self._socket)
            raise error

    def _finish(self) -> None:
        """Commit what is left, and let its frames end."""
        self._committer.wait()
        self._settle()
        self._committer.begin()
        self._committer.wait()
        self._settle()

    def _every_second(self) -> None:
        if time.monotonic_ns() < self._next_second_ns:
            return
        self._next_second_ns += NS_PER_S
        now_ns = self._clock_ns()
        if self._settings.writes_ticks:
            self._gate.tick(now_ns)
        self._meters.gateways_live = self._gate.live_count(now_ns - self._settings.silence_ns)
        owed, self._owed = self._owed, set()
        for peer in owed:
            self._gate.repeat_ack(peer)

    def _answer(self, socket: zmq.Socket[bytes] | None) -> None:
        """Send what the gate has to say; a peer that cannot take it now is owed an ack."""
        assert socket is not None
        answers, self._gate.answers = self._gate.answers, []
        for peer, header in answers:
            try:
                socket.send_multipart((peer, header, b""), zmq.NOBLOCK)
            except zmq.Again:
                self._owed.add(peer)
            except zmq.ZMQError as fault:
                # The peer has gone; it says hello when it comes back, and hears then.
                if fault.errno != zmq.EHOSTUNREACH:
                    raise

    def _waiting_bytes(self) -> int:
        return self._journal.append_offset - self._journal.durable_offset


class Committer:
    """Writes and syncs beside the intake: one commit at a time, each asked for by `begin`."""

    def __init__(
        self, journal: Journal, dead_letters: DeadLetters, meters: Meters, wake_fd: int
    ) -> None:
        """Use a journal; wake_fd is written to at the end of each commit."""
        self._journal = journal
        self._dead_letters = dead_letters
        self._meters = meters
        self._wake_fd = wake_fd
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._result: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self.is_busy = False

    def start(self) -> None:
        """Begin to take orders."""
        self._thread.start()

    def stop(self) -> None:
        """End after the commit that runs, if one does."""
        self._asked.put(False)
        self._thread.join()

    def begin(self) -> None:
        """Commit what is pending now; `has_ended` tells when that is over."""
        assert not self.is_busy
        self.is_busy = True
        self._ended.clear()
        self._asked.put(True)

    @property
    def has_ended(self) -> bool:
        """A commit has ended whose result nobody has taken."""
        return self.is_busy and self._ended.is_set()

    def wait(self) -> None:
        """Wait for the end of the commit that runs, if one does."""
        if self.is_busy:
            self._ended.wait()

    def take_result(self) -> JournalError | None:
        """Return how the commit ended; what is no error of the journal's is ours, and raised."""
        assert self.has_ended
        self.is_busy = False
        result, self._result = self._result, None
        if result is not None and not isinstance(result, JournalError):
            raise result
        return result

    def _run(self) -> None:
        while self._asked.get():
            try:
                self._dead_letters.flush()
                began_ns = time.perf_counter_ns()
                self._journal.commit()
                self._meters.journal_sync.add(time.perf_counter_ns() - began_ns)
            except Exception as fault:
                self._result = fault
            self._ended.set()
            os.eventfd_write(self._wake_fd, 1)


def bound_socket(
    context: "zmq.Context[zmq.Socket[bytes]]", settings: IntakeSettings
) -> "zmq.Socket[bytes]":
    """Return the ROUTER with which gateways talk, bound."""
    socket = context.socket(zmq.ROUTER)
    # Errors instead of silence; and no second client takes over a connection by its name.
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, settings.frame_bytes_max + OVERSIZE_BYTES)
    socket.setsockopt(zmq.RCVHWM, settings.credit)
    socket.setsockopt(zmq.SNDHWM, ANSWERS_MAX)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 3000)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    socket.setsockopt(zmq.BACKLOG, 1024)
    socket.setsockopt(zmq.LINGER, 0)
    try:
        socket.bind(settings.endpoint)
    except zmq.ZMQError as fault:
        socket.close()
        context.term()
        text = f"gateways cannot be received on {settings.endpoint}: {fault.strerror}"
        raise UnreachableError(text) from None
    return socket


def receive_parts(socket: "zmq.Socket[bytes]") -> list[bytes]:
    """Return [peer, part, ...] of one message, at most one part more than there may be.

    MAXMSGSIZE bounds a part, not their number: what comes after the first too many is dropped
    part by part.
    """
    parts = [socket.recv(zmq.NOBLOCK)]
    while socket.getsockopt(zmq.RCVMORE):
        part = socket.recv()
        if len(parts) <= PARTS_KEPT:
            parts.append(part)
    return parts
