"""Gate: the protocol between one engine and its gateways, without a socket.

Enters     messages: who sent them, their parts, when they came
Leaves     records appended to the journal; answers, each to one peer
Remembers  which peer speaks for which gateway, and its place in the sequence; what is not
           durable yet, in the journal's order
Refuses    malformed frames, each with a code and a sentence; they are kept as dead letters

Every frame is received once and ends once: as durable, duplicate, rejected or retry. What ends
with the journal's next sync waits in `_pending` until `settle` says how that sync went, and
only then is anything acknowledged. `settle` checks that the four counters and the frames
pending add up to the frames received.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine import segments, wire
from engine.body import BodyReader, check_columns
from engine.callers import Caller, Callers
from engine.deadletters import DeadLetter, DeadLetters
from engine.errors import JournalError
from engine.journal import Journal
from engine.meters import DUPLICATE, DURABLE, REJECTED, RETRY, Meters
from engine.wire import FrameFault

# What waits in `_pending` besides the four outcomes of a frame.
WELCOME: Final = 4
SKIPPED: Final = 5
HELLO_FIRST: Final = FrameFault(wire.E_SESSION, "say hello before anything else")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What the gate tells gateways about the engine."""

    engine: str
    credit: int
    frame_bytes_max: int


class Pending(NamedTuple):
    """Something that ends when the journal is durable up to `end_offset`."""

    outcome: int
    end_offset: int
    caller: Caller
    session: int
    seq: int
    fault: FrameFault | None


@dataclass(slots=True)
class Message:
    """One message as it came."""

    peer: bytes
    parts: list[bytes]
    received_ns: int
    fields: wire.Fields = field(default_factory=dict)


class Gate:
    """Answers gateways; one thread calls it."""

    def __init__(
        self,
        settings: GateSettings,
        sensor_counts: Mapping[str, int],
        *,
        journal: Journal,
        dead_letters: DeadLetters,
        meters: Meters,
    ) -> None:
        """Know the gateways of the catalogue by name, each with the length of its manifest."""
        self._settings = settings
        self._journal = journal
        self._dead_letters = dead_letters
        self._meters = meters
        self._bodies = BodyReader(settings.frame_bytes_max)
        self._callers = Callers(sensor_counts, journal)
        self._pending: deque[Pending] = deque()
        self._pending_frames = 0
        self.answers: list[tuple[bytes, bytes]] = []
        # Counters may have been going before this gate; the law is about what it receives.
        self._balance = meters.frames_received - int(meters.frames.sum())

    def receive(self, peer: bytes, parts: list[bytes], received_ns: int) -> None:
        """Take one message, [header, body], and answer it now or at the next `settle`."""
        message = Message(peer, parts, received_ns)
        caller = self._callers.of(peer)
        if caller is not None:
            caller.heard_ns = received_ns
        try:
            message.fields = wire.unpack_header(parts[0] if parts else b"")
            name = wire.string(message.fields, "t")
            if name not in ("frame", "hello", "skip", "ping", "pong"):
                text = f"`t` is not a message a gateway sends: {ascii(name)[:40]}"
                raise FrameFault(wire.E_HEADER, text)
        except FrameFault as fault:
            self._meters.frames_received += 1
            self._reject_unplaced(message, caller, fault)
            return
        if name == "frame":
            self._meters.frames_received += 1
            self._frame(message, caller)
            return
        try:
            wire.check_version(message.fields)
            check_parts(parts)
            if parts[1]:
                raise FrameFault(wire.E_SHAPE, f"a {name} has no body; its second part is empty")
            if name == "hello":
                self._hello(message)
            elif name == "skip":
                self._skip(message, caller)
            elif name == "ping":
                wire.integer(message.fields, "now")
                self.answers.append((peer, wire.pong(received_ns)))
        except FrameFault as fault:
            self._nak(peer, 0, fault, expected=_expected(caller), retry=False)

    def settle(self, error: JournalError | None) -> None:
        """End what the last commit has made durable, and, after an error, what it has not.

        After an error the journal has been rolled back; every frame that was not durable is
        given back to its gateway, which keeps it and sends it again.
        """
        durable_offset = self._journal.durable_offset
        to_ack: dict[str, Caller] = {}
        while self._pending and self._pending[0].end_offset <= durable_offset:
            self._keep(self._pending.popleft(), to_ack)
        if error is not None:
            lost, self._pending = list(self._pending), deque()
            for entry in lost:
                self._callers.set_back(entry.caller)
            for entry in lost:
                self._give_back(entry, error)
        for caller in to_ack.values():
            self._ack(caller)
        ended = int(self._meters.frames.sum()) + self._balance
        assert self._meters.frames_received == ended + self._pending_frames

    def tick(self, now_ns: int) -> None:
        """Write down what time it is."""
        self._append(segments.TICK, None, seq=0, received_ns=now_ns, header=b"", body=b"")

    def repeat_ack(self, peer: bytes) -> None:
        """Acknowledge once more, to a peer that could not take an answer."""
        caller = self._callers.of(peer)
        if caller is not None:
            self._ack(caller)

    def live_count(self, since_ns: int) -> int:
        """Return how many connected gateways have been heard since an instant."""
        return self._callers.live_count(since_ns)

    def _hello(self, message: Message) -> None:
        gateway = wire.string(message.fields, "gateway")
        session = wire.uint(message.fields, "session")
        if wire.uint(message.fields, "next") == 0:
            raise FrameFault(wire.E_HEADER, "`next` counts from 1, not from 0")
        caller = self._callers.identify(message.peer, gateway)
        if session < caller.session:
            text = (
                f"session {session} of {gateway} is over: session {caller.session} has been seen;"
                f" a gateway stores its session and adds one at each start"
            )
            raise FrameFault(wire.E_SESSION, text)
        self._callers.bind(message.peer, caller)
        caller.heard_ns = message.received_ns
        if session == caller.session:
            self._welcome(caller, message.received_ns)
            return
        caller.session, caller.durable, caller.appended = session, 0, 0
        end = self._append(
            segments.SESSION, caller, seq=0, received_ns=message.received_ns, header=b"", body=b""
        )
        self._wait(Pending(WELCOME, end, caller, session, 0, None))

    def _skip(self, message: Message, caller: Caller | None) -> None:
        first = wire.uint(message.fields, "from")
        last = wire.uint(message.fields, "to")
        wire.string(message.fields, "reason")
        if caller is None:
            self._nak(message.peer, 0, HELLO_FIRST, expected=0, retry=True)
            return
        if not 1 <= first <= last:
            raise FrameFault(wire.E_HEADER, f"there are no frames from {first} to {last}")
        if first > caller.expected:
            self._gap(message.peer, 0, caller)
            return
        if last <= caller.durable:
            self._ack(caller)
            return
        end = self._journal.append_offset
        if last > caller.appended:
            caller.appended = last
            end = self._append(
                segments.SKIP,
                caller,
                seq=last,
                received_ns=message.received_ns,
                header=message.parts[0],
                body=b"",
            )
        self._wait(Pending(SKIPPED, end, caller, caller.session, last, None))

    def _frame(self, message: Message, caller: Caller | None) -> None:
        """Decide what becomes of a frame; its place in the sequence comes before its content."""
        try:
            session, seq = wire.place_of(message.fields)
        except FrameFault as fault:
            self._reject_unplaced(message, caller, wire.version_fault(message.fields) or fault)
            return
        if caller is None:
            self._meters.frames[RETRY] += 1
            self._nak(message.peer, seq, HELLO_FIRST, expected=0, retry=True)
        elif session > caller.session:
            self._meters.frames[RETRY] += 1
            text = f"hello was for session {caller.session}, the frame is of session {session}"
            ahead = FrameFault(wire.E_SESSION, text)
            self._nak(message.peer, seq, ahead, expected=caller.expected, retry=True)
        elif session < caller.session:
            text = f"session {session} is over, session {caller.session} is open"
            self._reject_unplaced(message, caller, FrameFault(wire.E_SESSION, text))
        elif seq > caller.expected:
            self._meters.frames[RETRY] += 1
            self._gap(message.peer, seq, caller)
        elif seq <= caller.durable:
            self._meters.frames[DUPLICATE] += 1
            self._ack(caller)
        elif seq <= caller.appended:
            end = self._journal.append_offset
            self._wait(Pending(DUPLICATE, end, caller, session, seq, None))
        else:
            self._next_frame(message, caller, seq)

    def _next_frame(self, message: Message, caller: Caller, seq: int) -> None:
        """Write the expected frame down, as a frame or as a refused one."""
        fault = None
        crc: int | None = None
        try:
            frame = wire.parse_frame(message.fields, self._settings.frame_bytes_max)
            check_parts(message.parts)
            columns = self._bodies.open(frame, message.parts[1], has_known_crc=False)
            check_columns(frame, columns, caller.sensor_count)
            kind, body, crc = segments.FRAME, message.parts[1], frame.crc
        except FrameFault as found:
            fault = found
            kind, body = segments.REJECT, wire.pack({"code": found.code, "text": found.text})
            self._bury(message, caller, found, seq=seq)
        caller.appended = seq
        end = self._append(
            kind,
            caller,
            seq=seq,
            received_ns=message.received_ns,
            header=message.parts[0],
            body=body,
            body_crc=crc,
        )
        outcome = DURABLE if fault is None else REJECTED
        self._wait(Pending(outcome, end, caller, caller.session, seq, fault))

    def _append(
        self,
        kind: int,
        caller: Caller | None,
        *,
        seq: int,
        received_ns: int,
        header: bytes,
        body: bytes,
        body_crc: int | None = None,
    ) -> int:
        """Append to the journal; past its end for ever when the journal is broken."""
        try:
            return self._journal.append(
                kind,
                caller.gateway if caller else "",
                session=caller.session if caller else 0,
                seq=seq,
                received_ns=received_ns,
                header=header,
                body=body,
                body_crc=body_crc,
            )
        except JournalError:
            # The commit that broke it reports on its own; until then nothing becomes durable.
            return wire.INT64_MAX

    def _wait(self, entry: Pending) -> None:
        self._pending.append(entry)
        self._pending_frames += entry.outcome < WELCOME

    def _keep(self, entry: Pending, to_ack: dict[str, Caller]) -> None:
        """End something that has become durable."""
        caller = entry.caller
        is_current = entry.session == caller.session
        if entry.outcome < WELCOME:
            self._pending_frames -= 1
            self._meters.frames[entry.outcome] += 1
        if not is_current:
            return
        if entry.outcome == WELCOME:
            self._welcome(caller, caller.heard_ns)
            return
        if entry.outcome == SKIPPED:
            self._meters.frames_skipped += max(entry.seq - caller.durable, 0)
        caller.durable = max(caller.durable, entry.seq)
        to_ack[caller.gateway] = caller
        if entry.fault is not None and caller.peer:
            expected = caller.durable + 1
            self._nak(caller.peer, entry.seq, entry.fault, expected=expected, retry=False)

    def _give_back(self, entry: Pending, error: JournalError) -> None:
        """End something that could not be made durable."""
        fault = FrameFault(wire.E_DISK, f"not written down, keep it and send it again: {error}")
        if entry.outcome < WELCOME:
            self._pending_frames -= 1
            self._meters.frames[RETRY] += 1
        caller = entry.caller
        if caller.peer:
            self._nak(caller.peer, entry.seq, fault, expected=_expected(caller), retry=True)
        if caller.peer and entry.outcome == WELCOME:
            self._callers.unbind(caller)

    def _welcome(self, caller: Caller, now_ns: int) -> None:
        if caller.peer:
            answer = wire.welcome(
                self._settings.engine,
                caller.durable,
                credit=self._settings.credit,
                frame_bytes_max=self._settings.frame_bytes_max,
                now_ns=now_ns,
            )
            self.answers.append((caller.peer, answer))

    def _ack(self, caller: Caller) -> None:
        if caller.peer:
            self.answers.append((caller.peer, wire.ack(caller.durable, self._settings.credit)))

    def _gap(self, peer: bytes, seq: int, caller: Caller) -> None:
        text = f"frame {caller.expected} is expected; what comes after it would leave a hole"
        fault = FrameFault(wire.E_GAP, text)
        self._nak(peer, seq, fault, expected=caller.expected, retry=True)

    def _reject_unplaced(self, message: Message, caller: Caller | None, fault: FrameFault) -> None:
        """Refuse for good a frame that has no place in the sequence; nothing waits for it."""
        self._meters.frames[REJECTED] += 1
        seq = message.fields.get("seq")
        seq = seq if type(seq) is int and 0 <= seq <= wire.INT64_MAX else 0
        self._bury(message, caller, fault, seq=seq)
        self._nak(message.peer, seq, fault, expected=_expected(caller), retry=False)

    def _bury(
        self, message: Message, caller: Caller | None, fault: FrameFault, *, seq: int
    ) -> None:
        session = message.fields.get("session")
        letter = DeadLetter(
            gateway=caller.gateway if caller else "",
            session=session if type(session) is int else 0,
            seq=seq,
            code=fault.code,
            text=fault.text,
            received_ns=message.received_ns,
            parts=tuple(message.parts),
        )
        self._dead_letters.append(letter)

    def _nak(self, peer: bytes, seq: int, fault: FrameFault, *, expected: int, retry: bool) -> None:
        self._meters.count_refused(fault.code)
        answer = wire.nak(seq, fault.code, fault.text, expected=expected, retry=retry)
        self.answers.append((peer, answer))


def check_parts(parts: list[bytes]) -> None:
    """Refuse a message that is not exactly header and body."""
    if len(parts) != 2:
        text = f"a message has two parts, header and body; this one has {len(parts)}"
        raise FrameFault(wire.E_SHAPE, text)


def _expected(caller: Caller | None) -> int:
    return 0 if caller is None else caller.appended + 1
