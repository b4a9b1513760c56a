"""Gateways that do not give up: each keeps its frames until they are acknowledged.

Written from the wire contract alone.  A fleet is pumped by one thread: whoever drives it decides
when, so that a test can kill an engine between any two messages.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgpack
import zmq

from tests.engine.gateway import pack

Frame = tuple[dict, bytes]
HELLO_EVERY_S = 0.25
SILENCE_S = 1.0


@dataclass
class Sender:
    """One gateway, one session; `frames[i]` has the sequence number i + 1."""

    name: str
    frames: Sequence[Frame]
    endpoint: str
    durable: int = 0
    sent: int = 0
    credit: int = 0
    resent_count: int = 0
    greeted_count: int = 0
    naks: list[dict] = field(default_factory=list)
    allowed: int = 0
    highest_sent: int = 0
    is_welcome: bool = False
    hello_at: float = 0.0
    heard_at: float = 0.0

    def __post_init__(self):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 50)
        self.socket.connect(self.endpoint)

    def step(self, now):
        """Receive what there is, send what may be sent."""
        while self.socket.poll(0):
            header, _ = self.socket.recv_multipart()
            self.heard_at = now
            self._hear(msgpack.unpackb(header))
        waits = self.is_welcome and self.sent > self.durable
        if waits and now - self.heard_at > SILENCE_S:
            self.is_welcome = False
        if not self.is_welcome:
            self._greet(now)
            return
        while self.sent < min(self.allowed, self.durable + self.credit, len(self.frames)):
            fields, body = self.frames[self.sent]
            if not self._send([pack(fields), body]):
                return
            self.sent += 1
            self.resent_count += self.sent <= self.highest_sent
            self.highest_sent = max(self.highest_sent, self.sent)

    def _greet(self, now):
        if now - self.hello_at < HELLO_EVERY_S:
            return
        self.hello_at = self.heard_at = now
        hello = {"t": "hello", "v": 1, "gateway": self.name, "session": 1}
        self._send([pack(hello | {"next": self.durable + 1}), b""])

    def _hear(self, answer):
        kind = answer["t"]
        if kind == "welcome":
            # What was acknowledged once is on disk, whatever has happened to the engine since.
            assert answer["durable"] >= self.durable, f"{self.name}: an acknowledged frame is gone"
            self.is_welcome = True
            self.greeted_count += 1
            self.sent = self.durable = answer["durable"]
            self.credit = answer["credit"]
        elif kind == "ack":
            assert answer["durable"] <= self.highest_sent
            self.durable = max(self.durable, answer["durable"])
            self.credit = answer["credit"]
        elif kind == "nak":
            self.naks.append(answer)
            assert answer["retry"], answer
            if answer["code"] == "E_SESSION":
                self.is_welcome = False
            else:
                self.sent = self.durable

    def _send(self, parts):
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    @property
    def is_done(self):
        return self.durable == len(self.frames)


@dataclass
class Fleet:
    """Senders that work side by side."""

    senders: list[Sender]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sender in self.senders:
            sender.socket.close()

    def pump(self, seconds, *, share=1.0, per_second=None, until=lambda: False):
        """Let all work for so long.

        share       of its frames that each may have sent at the end
        per_second  new frames that each may send; all at once when None
        """
        start = time.monotonic()
        before = [sender.allowed for sender in self.senders]
        while not until():
            now = time.monotonic()
            if now - start > seconds:
                return
            for sender, allowed in zip(self.senders, before, strict=True):
                most = int(len(sender.frames) * share)
                new = most if per_second is None else int((now - start) * per_second)
                sender.allowed = max(sender.allowed, min(allowed + new, most))
                sender.step(now)
            self._wait()

    def _wait(self):
        """Until something is heard, or 5 ms."""
        poller = zmq.Poller()
        for sender in self.senders:
            poller.register(sender.socket, zmq.POLLIN)
        poller.poll(5)

    @property
    def is_done(self):
        return all(sender.is_done for sender in self.senders)

    @property
    def durable_count(self):
        return sum(sender.durable for sender in self.senders)

    @property
    def resent_count(self):
        return sum(sender.resent_count for sender in self.senders)
