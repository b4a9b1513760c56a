"""Dispatch: the loop of a gateway: make frames, spool them, send them, hear what became of them.

Enters     readings in the order in which they are sent; the engine's answers, from a line
Leaves     frames, each written to the spool before it goes out on the line
Remembers  the row to go on from; the spool remembers the rest
Refuses    to wait for ever at the start, when somebody is watching
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from engine import wire
from engine.cutting import Readings, cut, frame_end, renumber
from engine.errors import UnreachableError
from engine.gateway import Session
from engine.progress import Progress
from engine.spool import Spool, SpooledFrame

NS_PER_S: Final = 1_000_000_000
START_S: Final = 5.0
POLL_MS: Final = 50
# Ahead of what is acknowledged at full speed: the next credit's worth is ready when an ack comes.
AHEAD_FACTOR: Final = 2
# At the speed of the clock frames are made whether or not the engine is there: 10 000 of them
# are a night of frames every 4 s. Beyond that the recording waits.
SPOOLED_FRAMES_MAX: Final = 10_000
# While data trickles in, a frame every tenth of a second is often enough.
FRAME_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast event time passes (infinity: as fast as it goes), and how frames are cut."""

    speed: float
    frame_rows: int
    codec: str


class Line(Protocol):
    """A connection that comes and goes; nothing that was sent is sure to arrive."""

    def is_new(self) -> bool:
        """Say whether the connection has come up since the last question."""

    def is_up(self) -> bool:
        """Say whether there is a connection now."""

    def send(self, header: bytes, body: bytes) -> bool:
        """Send a message; false when the line cannot take one now."""

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Return the headers of all messages that are there, waiting a little for the first."""

    def close(self) -> None:
        """Let go of the connection."""


class Dispatch:
    """Sends readings in one session, after what an earlier one left in the spool."""

    def __init__(
        self,
        gateway: str,
        source: str,
        readings: Readings,
        *,
        line: Line,
        spool: Spool,
        pace: Pace,
        progress: Progress,
        now_s: Callable[[], float],
        wall_ns: Callable[[], int],
    ) -> None:
        """Prepare everything but the session; `engine.feed.open_dispatch` makes the line.

        source   names what the readings are: the same name goes on where it was interrupted
        now_s    a clock that never goes back
        wall_ns  what time it is, for pings, and for numbers that no session has had
        """
        self._gateway = gateway
        self._line = line
        self._now_s = now_s
        self._wall_ns = wall_ns
        self._readings = readings
        self._spool = spool
        self._source = source
        self._pace = pace
        self._progress = progress
        self._row = 0
        self._row_count = readings.time_ns.size
        self._due_ns = np.maximum.accumulate(readings.time_ns)
        self._started_s = self._now_s()
        self._pace_since_s: float | None = None
        self._paced_from_ns = 0
        self._frame_made_s = float("-inf")
        self._last_frame: SpooledFrame | None = None
        self._unacked: dict[int, int] = {}
        self._was_up = False
        self._has_answer = False
        self._first_sent_s = float("inf")
        self.session = Session(gateway, 0)
        self._past_sessions: list[Session] = []
        self._readings_sent = 0
        self._readings_acked = 0
        self._frames_acked = 0
        self.notes: list[str] = []

    def run(self, *, from_start: bool) -> None:
        """Send what is left from before, then the readings; back when all is durable."""
        self._started_s = self._now_s()
        carried = [] if from_start else self._resume()
        self._open_session(carried)
        self._turn_until_done(is_producing=True)
        while self.session.is_spent:
            # Our numbers say less than the engine's: this spool is not the one that counted
            # them. Seconds since 1970 are more than any gateway has ever counted to.
            self.notes.append("the engine knows a later session; this spool now counts from it")
            self._spool.state.session = max(self.session.number, self._wall_ns() // NS_PER_S)
            self._open_session(self._leftover())
            self._turn_until_done(is_producing=True)
        self._spool.finish()

    def close(self) -> None:
        """Let go of the line; what is not acknowledged stays in the spool."""
        self._line.close()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the connection was begun."""
        return self._now_s() - self._started_s

    @property
    def rejected_count(self) -> int:
        """Frames that the engine refused for good."""
        return sum(session.rejected_count for session in self._sessions())

    @property
    def rejected(self) -> list[str]:
        """Why, for the first of them."""
        return [text for session in self._sessions() for text in session.rejected]

    def counts(self) -> dict[str, int]:
        """What went out, what is durable, and what came back."""
        sessions = self._sessions()
        return {
            "readings_sent": self._readings_sent,
            "readings_acked": self._readings_acked,
            "frames_sent": sum(session.sent_count - session.resent_count for session in sessions),
            "frames_acked": self._frames_acked,
            "frames_resent": sum(session.resent_count for session in sessions),
            "frames_rejected": self.rejected_count,
            "acks": sum(session.ack_count for session in sessions),
            "naks": sum(session.nak_count for session in sessions),
            "frames_kept": len(self._unacked),
        }

    def _sessions(self) -> list[Session]:
        return [*self._past_sessions, self.session]

    def _resume(self) -> list[SpooledFrame]:
        """End the last session: deliver what it left, and find the row to go on from.

        Returns the frames that must go out in a new session, because the engine no longer knows
        the old one.
        """
        state, frames = self._spool.state, self._spool.leftover()
        is_same = state.source == self._source
        if not frames and not (is_same and state.acked_row):
            return []
        self.session = Session(
            self._gateway,
            state.session,
            next_seq=state.acked_seq + len(frames) + 1,
            durable=state.acked_seq,
            cursor=state.acked_seq + 1,
        )
        self._unacked = {frame.seq: _reading_count(frame) for frame in frames}
        self._turn_until_welcome()
        is_known = self.session.skip is None and not self.session.is_spent
        if is_same and not is_known:
            self.notes.append("the engine does not know the earlier session; sent from the start")
            return []
        if self.session.is_spent:
            self.notes.append(f"{len(frames)} frames of an earlier session go out in a new one")
            return frames
        if frames:
            self.notes.append(f"{len(frames)} frames of an earlier session were still to be sent")
        self._turn_until_done(is_producing=False)
        if is_same:
            self._row = frames[-1].row_end if frames else state.acked_row
            self.notes.append(f"went on at row {self._row + 1}; --from-start begins again")
        return []

    def _leftover(self) -> list[SpooledFrame]:
        return [self._spool.read(seq) for seq in sorted(self._unacked)]

    def _open_session(self, carried: list[SpooledFrame]) -> None:
        """Begin a new session, first in it the frames carried over from one that is over."""
        if self.session.number:
            self._past_sessions.append(self.session)
        first_row = self._row
        number = self._spool.begin(self._source, first_row)
        self.session = Session(self._gateway, number)
        self._unacked.clear()
        for frame in carried:
            seq = self.session.next_seq
            header = renumber(frame.header, number, seq)
            self._keep(SpooledFrame(seq, frame.row_end, header, frame.body))

    def _turn_until_welcome(self) -> None:
        while not (self.session.is_welcome or self.session.is_spent):
            self._turn(is_producing=False)

    def _turn_until_done(self, *, is_producing: bool) -> None:
        while not self.session.is_spent:
            self._turn(is_producing=is_producing)
            is_made = not is_producing or self._row == self._row_count
            if is_made and self.session.is_done:
                return

    def _turn(self, *, is_producing: bool) -> None:
        """One round: hear of the link, greet, make, send, wait for an answer."""
        now_s = self._now_s()
        if self._line.is_new():
            self._was_up = True
            self.session.greet_again()
        for header in (
            self.session.greeting(now_s),
            self.session.check_up(now_s, self._wall_ns()),
            self._skip_message(),
        ):
            if header is not None:
                self._line.send(header, b"")
        if is_producing and self.session.is_welcome:
            self._make_frames(now_s)
        has_sent_all = self._send_frames(now_s)
        self._hear(0 if has_sent_all and self._may_make() else POLL_MS)
        self._refuse_to_wait(now_s)
        reached = min(max(self._row - 1, 0), self._row_count - 1)
        note = "" if self._line.is_up() else "(no link)"
        self._progress.show(self._row, int(self._readings.time_ns[reached]), note, now_s)

    def _skip_message(self) -> bytes | None:
        skip = self.session.skip
        if skip is None or not self.session.is_welcome:
            return None
        self.session.skipped()
        return wire.skip(*skip, "acknowledged before, and no longer kept by the gateway")

    def _may_make(self) -> bool:
        if self._row == self._row_count or self._pace.speed != float("inf"):
            return False
        return len(self._unacked) < AHEAD_FACTOR * self.session.credit

    def _make_frames(self, now_s: float) -> None:
        """Cut and spool the rows that are due."""
        if self._pace.speed == float("inf"):
            while self._may_make():
                self._make_frame(self._row_count)
            return
        if self._pace_since_s is None:
            self._pace_since_s = now_s
            self._paced_from_ns = int(self._due_ns[min(self._row, self._row_count - 1)])
        if now_s - self._frame_made_s < FRAME_EVERY_S:
            return
        passed_ns = int((now_s - self._pace_since_s) * self._pace.speed * 1e9)
        due_row = int(np.searchsorted(self._due_ns, self._paced_from_ns + passed_ns, "right"))
        while self._row < due_row and len(self._unacked) < SPOOLED_FRAMES_MAX:
            self._make_frame(due_row)
            self._frame_made_s = now_s

    def _make_frame(self, end_row: int) -> None:
        end = min(end_row, self._row + self._pace.frame_rows)
        bytes_max = self.session.frame_bytes_max
        end = frame_end(self._readings, self._row, end, frame_bytes_max=bytes_max)
        header, body = cut(
            self._readings,
            self._row,
            end,
            session=self.session.number,
            seq=self.session.next_seq,
            codec=self._pace.codec,
        )
        self._row = end
        self._keep(SpooledFrame(self.session.next_seq, end, header, body))

    def _keep(self, frame: SpooledFrame) -> None:
        self._spool.put(frame)
        self._unacked[frame.seq] = _reading_count(frame)
        self._last_frame = frame
        self.session.next_seq = frame.seq + 1

    def _send_frames(self, now_s: float) -> bool:
        """Send what may be sent; false when the link cannot take more now."""
        for seq in self.session.due(now_s):
            last = self._last_frame
            frame = last if last is not None and last.seq == seq else self._spool.read(seq)
            is_first = seq >= self.session.greatest_sent + 1
            if not self._line.send(frame.header, frame.body):
                return False
            self.session.sent(seq)
            self._first_sent_s = min(self._first_sent_s, now_s)
            self._readings_sent += self._unacked[seq] if is_first else 0
        return True

    def _hear(self, timeout_ms: int) -> None:
        """Take every answer that is there, and let go of the frames that are durable."""
        for header in self._line.receive(timeout_ms):
            self.session.hear(header, self._now_s())
        if self.session.ack_count or self.session.nak_count:
            self._has_answer = True
        done = [seq for seq in self._unacked if seq <= self.session.durable]
        if not done:
            return
        self._spool.acknowledge(self.session.durable)
        for seq in done:
            self._readings_acked += self._unacked.pop(seq)
            self._frames_acked += 1

    def _refuse_to_wait(self, now_s: float) -> None:
        """At the start somebody is watching: say after 5 s why nothing is acknowledged."""
        if self._has_answer or self._past_sessions:
            return
        is_unwelcome = not self.session.is_welcome and now_s - self._started_s > START_S
        is_unheard = now_s - self._first_sent_s > START_S
        if not (is_unwelcome or is_unheard):
            return
        if not self._was_up:
            reason = "nothing listens there"
        elif is_unwelcome:
            reason = "it accepts the connection, but does not answer a hello: is it the intake?"
        else:
            reason = "it answers a hello, but acknowledges no frame"
        kept = f"; {len(self._unacked)} frames are kept in the spool" if self._unacked else ""
        message = f"no engine answered within {START_S:.0f} s: {reason}{kept}"
        raise UnreachableError(message)


def _reading_count(frame: SpooledFrame) -> int:
    return wire.uint(wire.unpack_header(frame.header), "n")
