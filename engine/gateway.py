"""Gateway: one session of a gateway with the engine, without sockets and without a clock.

Enters     the engine's messages, and the time at which they came
Leaves     which frames to send now, and whether to say hello or ping
Remembers  the session, how far it is durable, how far it is sent, and why frames came back
Refuses    nothing: what the engine says that makes no sense is counted

Frames are numbered 1, 2, 3 … within a session and stay in the spool until the engine says that
they are durable. Sending is only a cursor over them: a gap, a full disk at the engine or a new
connection put the cursor back, and frames that were stored already are recognised there.
"""

from dataclasses import dataclass, field
from typing import Final

from engine import wire
from engine.errors import UsageError

HELLO_EVERY_S: Final = 0.5
# Three missed answers to a ping a second: the other end is gone, whatever TCP believes.
PING_AFTER_S: Final = 1.0
GONE_AFTER_S: Final = 3.0
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
# All frames in flight behind a gap come back with the same answer; one rewind answers them all.
REWIND_PAUSE_S: Final = 0.5
REASONS_MAX: Final = 20


@dataclass(slots=True)
class Session:
    """What one session knows; times are seconds of any clock that never goes back."""

    gateway: str
    number: int
    next_seq: int = 1
    durable: int = 0
    credit: int = 0
    frame_bytes_max: int = 0
    engine: str = ""
    is_welcome: bool = False
    is_spent: bool = False
    cursor: int = 1
    ack_count: int = 0
    nak_count: int = 0
    sent_count: int = 0
    resent_count: int = 0
    odd_count: int = 0
    rejected: list[str] = field(default_factory=list)
    rejected_count: int = 0
    skip: tuple[int, int] | None = None
    last_nak: str = ""
    greatest_sent: int = 0
    _heard_s: float = float("-inf")
    _hello_s: float = float("-inf")
    _ping_s: float = float("-inf")
    _hold_until_s: float = float("-inf")
    _backoff_s: float = BACKOFF_FIRST_S
    _rewound_to: int = 0
    _rewound_s: float = float("-inf")

    @property
    def is_done(self) -> bool:
        """Whether every frame that exists is durable at the engine."""
        return self.is_welcome and self.durable >= self.next_seq - 1

    def greeting(self, now_s: float) -> bytes | None:
        """Return a hello when one is due: at first, and again until the engine answers."""
        if self.is_welcome and self._waits() and now_s - self._heard_s > GONE_AFTER_S:
            self.is_welcome = False
        if self.is_welcome or now_s - self._hello_s < HELLO_EVERY_S:
            return None
        self._hello_s = now_s
        return wire.hello(self.gateway, self.number, self.next_seq)

    def check_up(self, now_s: float, wall_ns: int) -> bytes | None:
        """Return a ping when frames wait for an answer and none has come for a while."""
        is_quiet = now_s - max(self._heard_s, self._ping_s) > PING_AFTER_S
        if not (self.is_welcome and self._waits() and is_quiet):
            return None
        self._ping_s = now_s
        return wire.ping(wall_ns)

    def greet_again(self) -> None:
        """Say hello before anything else: the connection is a new one."""
        self.is_welcome = False
        self._hello_s = float("-inf")

    def due(self, now_s: float) -> range:
        """Return the numbers of the frames that may be sent now."""
        if not self.is_welcome or self.skip is not None or now_s < self._hold_until_s:
            return range(0)
        return range(self.cursor, min(self.durable + self.credit, self.next_seq - 1) + 1)

    def sent(self, seq: int) -> None:
        """Note that a frame went out."""
        self.resent_count += seq <= self.greatest_sent
        self.greatest_sent = max(self.greatest_sent, seq)
        self.sent_count += 1
        self.cursor = seq + 1

    def skipped(self) -> None:
        """Note that the engine was told which frames it will never get."""
        self.skip = None

    def hear(self, header: bytes, now_s: float) -> None:
        """Take one message of the engine."""
        try:
            fields = wire.unpack_header(header)
            wire.check_version(fields)
            kind = wire.string(fields, "t")
            self._heard_s = now_s
            if kind == "welcome":
                self._welcome(fields)
            elif kind == "ack":
                self._ack(wire.uint(fields, "durable"), wire.uint(fields, "credit"))
            elif kind == "nak":
                self._nak(fields, now_s)
            elif kind != "pong":
                self.odd_count += 1
        except wire.FrameFault:
            self.odd_count += 1

    def _waits(self) -> bool:
        return self.durable < self.next_seq - 1

    def _welcome(self, fields: wire.Fields) -> None:
        durable = wire.uint(fields, "durable")
        self.credit = wire.uint(fields, "credit")
        self.frame_bytes_max = wire.uint(fields, "frame_bytes_max")
        self.engine = wire.string(fields, "engine")
        self.is_welcome = True
        # It has frames of this session that we never made: the number was used before.
        self.is_spent = self.is_spent or durable >= self.next_seq
        if durable < self.durable:
            self.skip = (durable + 1, self.durable)
        else:
            self.skip = None
            self.durable = durable
        self.cursor = self.durable + 1
        self._hold_until_s = float("-inf")

    def _ack(self, durable: int, credit: int) -> None:
        self.ack_count += 1
        self.credit = credit
        if durable >= self.next_seq:
            self.odd_count += 1
            return
        if durable > self.durable:
            self.durable = durable
            self.cursor = max(self.cursor, durable + 1)
            self._backoff_s = BACKOFF_FIRST_S

    def _nak(self, fields: wire.Fields, now_s: float) -> None:
        code, text = wire.string(fields, "code"), wire.string(fields, "text")
        seq, expected = wire.uint(fields, "seq"), wire.uint(fields, "expected")
        self.nak_count += 1
        self.last_nak = f"{code}: {text}"
        if code == wire.E_IDENTITY:
            message = f"the engine does not accept the gateway `{self.gateway}`: {text}"
            raise UsageError(message)
        if code == wire.E_SESSION:
            # Answer to a hello: the number is no good. Answer to a frame: it forgot our hello.
            self.is_spent = self.is_spent or (seq == 0 and fields.get("retry") is not True)
            self.greet_again()
        elif code == wire.E_GAP:
            self._rewind(expected, now_s)
        elif fields.get("retry") is True:
            self.cursor = max(self.durable + 1, min(self.cursor, seq or self.cursor))
            self._hold_until_s = now_s + self._backoff_s
            self._backoff_s = min(BACKOFF_MAX_S, 2 * self._backoff_s)
        else:
            self.rejected_count += 1
            if len(self.rejected) < REASONS_MAX:
                self.rejected.append(f"frame {seq}: {code}: {text}")

    def _rewind(self, expected: int, now_s: float) -> None:
        if expected == self._rewound_to and now_s - self._rewound_s < REWIND_PAUSE_S:
            return
        self._rewound_to, self._rewound_s = expected, now_s
        if expected <= self.durable:
            self.skip = (expected, self.durable)
        elif expected < self.cursor:
            self.cursor = expected
