"""Listen: a consumer of warnings, as the wire contract wants one to be.

It hears the live socket, notices by `seq` what it missed and asks the replay socket for it
before it goes on, tells each warning once, and raises its own alarm when it hears nothing for
3 seconds. What it hears goes to `out`, all that it has to say itself to `err`.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

import msgpack
import zmq
from rich.console import Console

from engine import lines
from engine.errors import EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, EXIT_UNREACHABLE, UsageError
from engine.follower import Follower, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

SILENCE_S: Final = 3.0
ANSWER_S: Final = 3.0
ATTEMPTS: Final = 2
LOOK_MS: Final = 200
# Messages that may wait while a long replay runs; those beyond are a hole, and are replayed.
LIVE_HWM: Final = 20_000
# Asked for at once; an answer that is given up costs no more than this again.
ASK_COUNT: Final = 1000
BODY_BYTES_MAX: Final = 16 * 1024 * 1024


def listen(
    warnings: str,
    replay: str,
    *,
    as_json: bool,
    from_seq: int | None,
    match: str,
    count: int | None = None,
    seconds: float | None = None,
    language: str = "en",
    out: TextIO | None = None,
    err: TextIO | None = None,
    colour: bool | None = None,
) -> int:
    """Tell what the engine sends until `count` messages or `seconds`; returns the exit code.

    0, or 1 after a hole that could not be filled or a contradiction, 69 when nothing was heard
    at all, 130 when interrupted.
    """
    teller = Teller(
        *(out or sys.stdout, err or sys.stderr),
        as_json=as_json,
        match=match,
        language=language,
        colour=colour,
    )
    listener = Listener(warnings, replay, teller, from_seq)
    was_interrupted = False
    try:
        listener.follow(count=count, seconds=seconds)
    except KeyboardInterrupt:
        was_interrupted = True
    finally:
        listener.close()
    faults = listener.follower.fault_count
    teller.say(f"{teller.told_count} told, {faults} faults", is_fault=bool(faults))
    if was_interrupted:
        return EXIT_INTERRUPTED
    if not listener.has_heard:
        return EXIT_UNREACHABLE
    return EXIT_FINDINGS if faults else EXIT_OK


class Teller:
    """Where messages and remarks go."""

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        as_json: bool,
        match: str,
        language: str,
        colour: bool | None,
    ) -> None:
        # A row is as wide as it is: a terminal wraps it, a file keeps it whole.
        self._rows = Console(file=out, force_terminal=colour, soft_wrap=True, highlight=False)
        self._remarks = Console(file=err, force_terminal=colour, soft_wrap=True, highlight=False)
        self._out = out
        self._as_json = as_json
        self._match = match
        self._language = language
        self.told_count = 0

    def tell(self, topic: str, body: Mapping[str, object]) -> None:
        """Show one message, when it is one of those that were asked for."""
        if not topic.startswith(self._match):
            return
        if self._as_json:
            self._out.write(lines.json_line(topic, body) + "\n")
            # One at a time: who reads a pipe wants a warning now, not when 8 KiB are full.
            self._out.flush()
        else:
            if self.told_count % 40 == 0:
                self._rows.print(lines.header())
            self._rows.print(lines.row(topic, body, zone=None, language=self._language))
        self.told_count += 1

    def beat(self, body: Mapping[str, object]) -> None:
        """Take what a heartbeat says of the engine; rows have no place for it."""

    def say(self, text: str, *, is_fault: bool) -> None:
        """Make a remark of our own."""
        self._remarks.print(
            f"listen: {text}", style="bold red" if is_fault else "dim", markup=False
        )


class Listener:
    """The two sockets, and what has been heard so far."""

    def __init__(self, warnings: str, replay: str, teller: Teller, from_seq: int | None) -> None:
        self.follower = Follower(None if from_seq is None else max(from_seq, 1))
        self._teller = teller
        self._replay = replay
        self._context = zmq.Context()
        self._live = self._context.socket(zmq.SUB)
        self._live.setsockopt(zmq.RCVHWM, LIVE_HWM)
        self._live.setsockopt(zmq.MAXMSGSIZE, BODY_BYTES_MAX)
        # Everything is heard, whatever is shown: else a hole could not be told from a topic.
        self._live.setsockopt(zmq.SUBSCRIBE, b"")
        self._question: zmq.Socket[bytes] | None = None
        self._heard_s = time.monotonic()
        self._is_silent = False
        self._count: int | None = None
        self._end_s: float | None = None
        self.has_heard = False
        try:
            self._live.connect(warnings)
            self._connect()
        except zmq.ZMQError as error:
            self.close()
            text = f"cannot connect to {warnings} and {replay}: {error.strerror}"
            raise UsageError(text) from error

    def follow(self, *, count: int | None, seconds: float | None) -> None:
        """Hear, mend, tell; until there is enough."""
        self._end_s = None if seconds is None else time.monotonic() + seconds
        self._count = count
        if self.follower.expected is not None:
            self._mend(None)
        while not self._is_over:
            if self._live.poll(LOOK_MS):
                parts = self._live.recv_multipart()
                self._note_heard()
                self._hear(parts)
            else:
                self._note_silence()

    def close(self) -> None:
        """Close both sockets; nothing of ours waits in them."""
        self._context.destroy(linger=0)

    @property
    def _is_over(self) -> bool:
        """There is enough, or the time is up."""
        if self._count is not None and self._teller.told_count >= self._count:
            return True
        return self._end_s is not None and time.monotonic() >= self._end_s

    def _hear(self, parts: list[bytes]) -> None:
        """Take one live message; what is missing before it comes first."""
        found = _opened(parts)
        if found is None:
            self.follower.unreadable_count += 1
            self._teller.say("a message that no engine of version 1 sends", is_fault=True)
            return
        topic, seq, body = found
        if topic == "heartbeat":
            self._teller.beat(body)
            if not self.follower.beat(seq):
                text = (
                    f"the engine's log ends at seq {seq}, behind what was heard: it is another log"
                )
                self.follower.unreadable_count += 1
                self._teller.say(text, is_fault=True)
            seq += 1
        hole = self.follower.hole_before(seq)
        if hole:
            self._teller.say(_named(hole) + " missing; asking the replay socket", is_fault=False)
            self._mend(hole[1])
        if topic != "heartbeat" and not self._is_over:
            self._take(topic, seq, body)

    def _take(self, topic: str, seq: int, body: Mapping[str, object]) -> None:
        """Tell a message that is new; say so when it contradicts what was told before."""
        verdict = self.follower.accept(seq, body)
        if verdict is Verdict.NEW:
            self._teller.tell(topic, body)
        elif verdict is Verdict.DIFFERENT:
            text = f"seq {seq}: {body.get('id')} revision {body.get('revision')} came before with "
            self._teller.say(text + "another content; the first one stands", is_fault=True)

    def _mend(self, last: int | None) -> None:
        """Replay up to `last`, or up to what is live now; a hole that stays is a fault."""
        for _ in range(ATTEMPTS):
            with suppress(TimeoutError):
                while not self._is_over and self._ask(last):
                    continue
                break
            self._connect()
        else:
            self._teller.say("the replay socket does not answer", is_fault=True)
        if last is not None and not self._is_over:
            missed = self.follower.give_up(last)
            if missed:
                self._teller.say(f"{missed} messages are missed for good", is_fault=True)

    def _ask(self, last: int | None) -> bool:
        """Make one request and take its answer; True when there is more to ask for."""
        first = self.follower.expected
        assert first is not None
        assert self._question is not None
        limit = ASK_COUNT if last is None else min(ASK_COUNT, last + 1 - first)
        fields = {"t": "replay", "v": 1, "from": first, "max": limit, "match": ""}
        self._question.send(msgpack.packb(fields))
        while not self._is_over:
            header, *body = self._answer()
            fields = _fields(header)
            if fields.get("t") == "item":
                self._take_replayed([str(fields.get("topic")).encode(), *body])
            elif fields.get("t") == "end":
                return self._at_end(fields, last)
            else:
                self._teller.say(f"the engine says: {fields.get('text')}", is_fault=True)
                raise TimeoutError
        return False

    def _take_replayed(self, parts: list[bytes]) -> None:
        found = _opened(parts)
        if found is None:
            self.follower.unreadable_count += 1
            self._teller.say("a replayed message cannot be read", is_fault=True)
            return
        topic, seq, body = found
        hole = self.follower.hole_before(seq)
        if hole:
            self.follower.give_up(hole[1])
            self._teller.say(_named(hole) + " not kept any more", is_fault=True)
        self._take(topic, seq, body)

    def _at_end(self, fields: Mapping[str, object], last: int | None) -> bool:
        """Whether to ask again, after all items of one answer."""
        following, live = fields.get("next"), fields.get("live")
        if not isinstance(following, int) or not isinstance(live, int):
            raise TimeoutError
        if following > live + 1:
            self._teller.say(f"the log ends at seq {live}; waiting for {following}", is_fault=False)
        return following <= (live if last is None else min(live, last))

    def _answer(self) -> list[bytes]:
        assert self._question is not None
        if not self._question.poll(int(ANSWER_S * 1000)):
            raise TimeoutError
        self._note_heard()
        return self._question.recv_multipart()

    def _connect(self) -> None:
        """Make a new replay socket: what is still on its way to an old one is not for us."""
        if self._question is not None:
            self._question.close(linger=0)
        self._question = self._context.socket(zmq.DEALER)
        self._question.setsockopt(zmq.LINGER, 0)
        self._question.setsockopt(zmq.MAXMSGSIZE, BODY_BYTES_MAX)
        self._question.connect(self._replay)

    def _note_heard(self) -> None:
        now_s = time.monotonic()
        if self._is_silent:
            silent_s = now_s - self._heard_s
            self._teller.say(f"the engine is heard again, after {silent_s:.0f} s", is_fault=False)
        self._heard_s, self._is_silent, self.has_heard = now_s, False, True

    def _note_silence(self) -> None:
        silent_s = time.monotonic() - self._heard_s
        if silent_s >= SILENCE_S and not self._is_silent:
            self._is_silent = True
            text = f"nothing heard for {SILENCE_S:.0f} s: warnings may exist that do not arrive"
            self._teller.say(text, is_fault=True)


def _opened(parts: list[bytes]) -> tuple[str, int, dict[str, object]] | None:
    """Topic, seq and body of a message, or None when it is not one."""
    if len(parts) != 2:
        return None
    try:
        body = msgpack.unpackb(parts[1])
        topic = parts[0].decode()
    except (ValueError, msgpack.UnpackException):
        return None
    seq = body.get("seq") if isinstance(body, dict) else None
    if not isinstance(seq, int) or seq < 0 or not all(isinstance(key, str) for key in body):
        return None
    return topic, seq, body


def _fields(header: bytes) -> dict[str, object]:
    """The fields of an answer's header; none of them when it is not one."""
    try:
        fields = msgpack.unpackb(header)
    except (ValueError, msgpack.UnpackException):
        return {}
    return fields if isinstance(fields, dict) else {}


def _named(hole: tuple[int, int]) -> str:
    first, last = hole
    return f"seq {first} is" if first == last else f"seq {first} to {last} are"
