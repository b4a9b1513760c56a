"""Replay: what consumers may ask of the egress log, and answers that wait for the slow ones.

A request becomes a small note of what is still to be sent; the records stay in the log until
the moment they can be sent. So a consumer that asks for a million warnings and then stops
reading costs a few hundred bytes, and the others are served in turns meanwhile.

No socket here: whoever has one hands in requests and lends a `send` that never waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from engine import wire
from engine.errors import EgressError
from engine.positions import CONSUMER_NAME_MAX
from engine.wire import FrameFault

if TYPE_CHECKING:
    from engine.meters import Meters
    from engine.sinks import EgressLog

# More are never sent for one request; `next` in the answer says where to go on.
ITEMS_MAX: Final = 100_000
# Records looked at before the next consumer has its turn.
SLICE_COUNT: Final = 128
# Requests of one consumer, and consumers, that may wait: 1024 * 16 notes of 200 bytes = 3 MiB.
REQUESTS_MAX: Final = 16
CONSUMERS_MAX: Final = 1024
# A consumer that takes nothing for so long has its answers given up; it may ask again.
PATIENCE_S: Final = 60.0


class Sent(Enum):
    """What became of an attempt to send."""

    YES = 0
    SLOW = 1
    GONE = 2


@dataclass(slots=True)
class Replay:
    """Items that are still to be sent, and then the end."""

    next_seq: int
    left: int
    match: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A consumer says how far it has come."""

    consumer: str
    seq: int


@dataclass(frozen=True, slots=True)
class Where:
    """A consumer asks how far it has come."""

    consumer: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was wrong with a request."""

    code: str
    text: str


Waiting: TypeAlias = Replay | Where | Refusal
Send: TypeAlias = Callable[[Sequence[bytes]], Sent]


@dataclass(slots=True)
class Peer:
    """One consumer's requests, answered in the order in which they came."""

    waiting: deque[Waiting] = field(default_factory=deque)
    moved_s: float = 0.0
    is_slow: bool = False


def parse(parts: Sequence[bytes]) -> Replay | Seen | Where:
    """Read a request; FrameFault says what is wrong with it."""
    # An empty second part is what a client sends that treats requests like frames.
    if len(parts) not in (1, 2) or any(parts[1:]):
        text = f"a request is one msgpack map, not {len(parts)} parts"
        raise FrameFault(wire.E_SHAPE, text)
    fields = wire.unpack_header(parts[0])
    wire.check_version(fields)
    kind = wire.string(fields, "t")
    if kind == "replay":
        first = wire.uint(fields, "from")
        limit = wire.uint(fields, "max") if "max" in fields else ITEMS_MAX
        match = wire.string(fields, "match") if "match" in fields else ""
        # seq counts from 1; a client that counts from 0 means the same beginning.
        return Replay(max(first, 1), min(limit, ITEMS_MAX), match)
    if kind not in ("seen", "where"):
        text = f"`t` must be replay, seen or where, not {ascii(kind)[:40]}"
        raise FrameFault(wire.E_KIND, text)
    consumer = wire.string(fields, "consumer")
    if not 1 <= len(consumer) <= CONSUMER_NAME_MAX:
        text = f"`consumer` has 1 to {CONSUMER_NAME_MAX} characters, not {len(consumer)}"
        raise FrameFault(wire.E_HEADER, text)
    return Seen(consumer, wire.uint(fields, "seq")) if kind == "seen" else Where(consumer)


class Answers:
    """All answers that are under way."""

    def __init__(self, log: EgressLog, meters: Meters) -> None:
        self._log = log
        self._meters = meters
        self._peers: dict[bytes, Peer] = {}
        self._seen: dict[bytes, dict[str, int]] = {}

    @property
    def is_idle(self) -> bool:
        """Nobody waits for anything."""
        return not self._peers

    def take(self, peer: bytes, parts: Sequence[bytes], now_s: float) -> None:
        """Note a request. What is wrong with it becomes its answer."""
        self._meters.replay_requests += 1
        request: Replay | Seen | Where | Refusal
        try:
            request = parse(parts)
        except FrameFault as fault:
            request = Refusal(fault.code, fault.text)
        if isinstance(request, Seen):
            if len(self._seen) < CONSUMERS_MAX or peer in self._seen:
                self._seen.setdefault(peer, {})[request.consumer] = request.seq
                return
            request = Refusal("E_BUSY", "too many consumers report at once")
        self._wait(peer, request, now_s)

    def settle(self, now_s: float) -> None:
        """Store the positions that were reported since the last call, in one sync for all."""
        if not self._seen:
            return
        reported, self._seen = self._seen, {}
        try:
            self._log.seen({name: seq for one in reported.values() for name, seq in one.items()})
        except EgressError:
            # Perhaps one of them is at fault; the others must not suffer.
            for peer, positions in reported.items():
                try:
                    self._log.seen(positions)
                except EgressError as error:
                    self._wait(peer, Refusal("E_DISK", str(error)), now_s)

    def turn(self, send: Send, now_s: float) -> bool:
        """Send each consumer a slice of what it waits for; True when any of them took some."""
        has_moved = False
        for name, peer in list(self._peers.items()):
            sent = self._serve(name, peer, send)
            peer.is_slow = sent is Sent.SLOW
            if sent is Sent.YES:
                peer.moved_s = now_s
                has_moved = True
            elif sent is Sent.GONE or now_s - peer.moved_s > PATIENCE_S:
                self._meters.replay_abandoned += len(peer.waiting)
                peer.waiting.clear()
            else:
                self._meters.replay_waits += 1
            if not peer.waiting:
                del self._peers[name]
        return has_moved

    def _wait(self, name: bytes, request: Waiting, now_s: float) -> None:
        """Put a request at the end of its consumer's queue, or forget it, counted."""
        if isinstance(request, Refusal):
            self._refuse(request.code)
        if name not in self._peers and len(self._peers) >= CONSUMERS_MAX:
            self._refuse("E_BUSY")
            return
        peer = self._peers.setdefault(name, Peer(moved_s=now_s))
        if len(peer.waiting) >= REQUESTS_MAX:
            # Its last place is kept for telling it so.
            self._refuse("E_BUSY")
            text = f"more than {REQUESTS_MAX} requests wait; read the answers first"
            peer.waiting[-1] = Refusal("E_BUSY", text)
        else:
            peer.waiting.append(request)

    def _refuse(self, code: str) -> None:
        refused = self._meters.replay_refused
        refused[code] = refused.get(code, 0) + 1

    def _serve(self, name: bytes, peer: Peer, send: Send) -> Sent:
        """Send one slice of the consumer's first request."""
        request = peer.waiting[0]
        if isinstance(request, Replay):
            # A slow one is asked with one record: reading many to send none would cost the others.
            count = 1 if peer.is_slow else SLICE_COUNT
            sent, is_done = self._replay(request, count, lambda *parts: send((name, *parts)))
        elif isinstance(request, Where):
            sent = send((name, _where(request.consumer, self._log.where(request.consumer))))
            is_done = sent is Sent.YES
        else:
            sent = send((name, _error(request)))
            is_done = sent is Sent.YES
        if is_done:
            peer.waiting.popleft()
        return sent

    def _replay(self, request: Replay, count: int, send: Callable[..., Sent]) -> tuple[Sent, bool]:
        """Send items while they are taken; the end follows when nothing is left to send."""
        try:
            records = self._log.read(request.next_seq, count) if request.left else []
        except EgressError as error:
            self._refuse("E_DISK")
            sent = send(_error(Refusal("E_DISK", str(error))))
            return sent, sent is Sent.YES
        start = request.next_seq
        for record in records:
            if request.left == 0:
                break
            if record.topic.startswith(request.match):
                sent = send(_item(record.topic), record.body)
                if sent is not Sent.YES:
                    # Something may have gone out before: then this consumer is not stuck.
                    is_stuck = sent is Sent.GONE or request.next_seq == start
                    return (sent if is_stuck else Sent.YES), False
                self._meters.replay_items += 1
                request.left -= 1
            request.next_seq = record.seq + 1
        if records and request.left:
            return Sent.YES, False
        sent = send(_end(request.next_seq, self._log.durable_seq))
        return sent, sent is Sent.YES


def _item(topic: str) -> bytes:
    return wire.pack({"t": "item", "topic": topic})


def _end(next_seq: int, live: int) -> bytes:
    return wire.pack({"t": "end", "next": next_seq, "live": live})


def _where(consumer: str, seq: int) -> bytes:
    return wire.pack({"t": "where", "v": wire.VERSION, "consumer": consumer, "seq": seq})


def _error(refusal: Refusal) -> bytes:
    fields: wire.Fields = {"t": "error", "v": wire.VERSION, "code": refusal.code}
    return wire.pack(fields | {"text": refusal.text})
