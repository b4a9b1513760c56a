"""Publisher: the two sockets at which consumers listen, each with a thread of its own.

The live thread publishes what the egress log has made durable, at once, and a heartbeat each
second. The replay thread answers questions about the past; however many there are, no warning
waits for them. The live socket may lose messages for a slow subscriber, never hold one back:
the replay socket is the truth, and `seq` shows every hole.

A thread that fails notes its fault and ends. No heartbeat comes after a failure of the live
thread, and that silence is the alarm which every consumer raises for itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgpack
import zmq

from engine.content import WIRE_VERSION
from engine.errors import UnreachableError
from engine.replay import Answers, Sent

if TYPE_CHECKING:
    from engine.meters import Meters
    from engine.sinks import EgressLog

HEARTBEAT_S: Final = 1.0
# How soon a thread notices that it should end, and how soon a slow consumer is tried again.
NOTICE_S: Final = 0.1
SLOW_WAIT_MS: Final = 10
# Messages kept for one slow subscriber: 4096 of 1.5 KiB = 6 MiB.
LIVE_HWM: Final = 4096
# The log keeps the rest; 64 of 1.5 KiB = 100 KiB for one slow replay.
REPLAY_HWM: Final = 64
# A request has 100 bytes. One of up to this size is told what is wrong; a larger one costs the
# connection before it is in memory.
REQUEST_BYTES_MAX: Final = 64 * 1024
REQUESTS_AT_ONCE: Final = 256
READ_COUNT: Final = 256
# What is still in the sockets when the engine ends has so long to leave.
LINGER_MS: Final = 1000

Heartbeat = Callable[[], Mapping[str, object]]


class Publisher:
    """Both sockets; `start` binds them, `stop` publishes what is durable and ends."""

    def __init__(
        self,
        log: EgressLog,
        meters: Meters,
        heartbeat: Heartbeat,
        *,
        warnings: str,
        replay: str,
        now_ns: Callable[[], int] = time.time_ns,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._log = log
        self._meters = meters
        self._heartbeat = heartbeat
        self._now_ns = now_ns
        self._heartbeat_s = heartbeat_s
        self._stopping = threading.Event()
        self._published = log.durable_seq
        meters.egress_seq = self._published
        self._threads: list[threading.Thread] = []
        self._context = zmq.Context()
        self.fault = ""
        try:
            self._live = _bind(self._context, zmq.PUB, warnings, hwm=LIVE_HWM)
            self._replay = _bind(self._context, zmq.ROUTER, replay, hwm=REPLAY_HWM)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self.warnings = _endpoint(self._live)
        self.replay = _endpoint(self._replay)

    @property
    def is_alive(self) -> bool:
        """Both threads run."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin with the first record that becomes durable after the constructor ran."""
        assert not self._threads
        for name, work in (("live", self._publish), ("replay", self._answer)):
            thread = threading.Thread(target=self._guard, args=(name, work), name=f"egress-{name}")
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Publish what is durable by now, and close; call it before the log is closed."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._context.destroy(linger=LINGER_MS)

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        """Note why a thread ends, for the readiness check; whoever runs the engine acts on it."""
        try:
            work()
        except Exception as error:  # the fault is noted and shown, not hidden
            self.fault = f"the {name} thread has ended: {type(error).__name__}: {error}"

    def _publish(self) -> None:
        """The live thread."""
        beat_s = time.monotonic()
        while True:
            # Looked at before the log is read: what was durable at the stop is still published.
            is_last = self._stopping.is_set()
            is_caught_up = self._publish_some()
            now_s = time.monotonic()
            if now_s >= beat_s or (is_last and is_caught_up):
                self._beat()
                beat_s = max(beat_s + self._heartbeat_s, now_s)
            if is_caught_up:
                if is_last or self._log.is_closed:
                    return
                self._log.wait(self._published, min(NOTICE_S, max(beat_s - now_s, 0.0)))

    def _publish_some(self) -> bool:
        """Publish what one read gives; True when nothing is left."""
        records = self._log.read(self._published + 1, READ_COUNT)
        for record in records:
            self._live.send_multipart((record.topic.encode(), record.body))
        if records:
            self._published = records[-1].seq
            self._meters.egress_seq = self._published
            self._meters.published += len(records)
        return not records

    def _beat(self) -> None:
        body = {
            "v": WIRE_VERSION,
            **self._heartbeat(),
            "now": self._now_ns(),
            "seq": self._published,
        }
        self._live.send_multipart((b"heartbeat", msgpack.packb(body, use_bin_type=True)))
        self._meters.heartbeats += 1

    def _answer(self) -> None:
        """The replay thread."""
        answers = Answers(self._log, self._meters)
        wait_ms = 0
        while not self._stopping.is_set():
            if self._replay.poll(wait_ms):
                self._receive(answers)
            now_s = time.monotonic()
            answers.settle(now_s)
            has_moved = answers.turn(self._send, now_s)
            wait_ms = 0 if has_moved else SLOW_WAIT_MS
            if answers.is_idle:
                wait_ms = int(NOTICE_S * 1000)
        answers.settle(time.monotonic())

    def _receive(self, answers: Answers) -> None:
        """Take the requests that are there, but not for ever: the answers have their turn."""
        for _ in range(REQUESTS_AT_ONCE):
            try:
                peer, *parts = self._replay.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            answers.take(peer, parts, time.monotonic())

    def _send(self, parts: Sequence[bytes]) -> Sent:
        """Send without waiting; the router says when a consumer is slow or gone."""
        try:
            self._replay.send_multipart(parts, zmq.DONTWAIT)
        except zmq.Again:
            return Sent.SLOW
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Sent.GONE
        return Sent.YES


def _bind(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str, *, hwm: int
) -> zmq.Socket[bytes]:
    """Make a socket with bounded memory that finds out when the other end is gone."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, hwm)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
    socket.setsockopt(zmq.HEARTBEAT_TTL, 3000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.BACKLOG, 1024)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.RCVHWM, REPLAY_HWM)
        socket.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES_MAX)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        text = f"cannot listen on {address}: {error.strerror}"
        raise UnreachableError(text) from error
    return socket


def _endpoint(socket: zmq.Socket[bytes]) -> str:
    """The address as bound: the port is known, also when any was asked for."""
    address = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(address, bytes)
    return address.rstrip(b"\0").decode()
