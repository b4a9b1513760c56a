"""A session must deliver its frames in order and once, over a link that loses what it likes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import wire
from engine.errors import UsageError
from engine.gateway import Session

NAMES = ("deliver", "deliver", "deliver", "answer", "answer", "lose", "cut", "restart", "full")


class Peer:
    """The engine's half as the contract words it: one gateway, one expected number."""

    def __init__(self):
        self.stored = []
        self.expected = 1
        self.credit = 4
        self.is_greeted = False
        self.is_full = False

    def take(self, header):
        fields = wire.unpack_header(header)
        if fields["t"] == "hello":
            self.is_greeted = True
            return wire.welcome(
                "e", self.expected - 1, credit=self.credit, frame_bytes_max=1 << 20, now_ns=0
            )
        if fields["t"] == "ping":
            return wire.pong(0)
        seq = fields["seq"]
        if not self.is_greeted:
            return wire.nak(seq, "E_SESSION", "say hello", expected=0, retry=True)
        if seq > self.expected:
            return wire.nak(seq, "E_GAP", "a hole", expected=self.expected, retry=True)
        if seq == self.expected:
            if self.is_full:
                return wire.nak(seq, "E_DISK", "no room", expected=seq, retry=True)
            self.stored.append(seq)
            self.expected += 1
        return wire.ack(self.expected - 1, self.credit)


class Link:
    """Two queues that lose what they are told to lose; time passes with every turn."""

    def __init__(self, frame_count):
        self.peer = Peer()
        self.session = Session("G", 1, next_seq=frame_count + 1)
        self.to_engine = []
        self.to_gateway = []
        self.now_s = 0.0

    def turn(self, event):
        self.now_s += 0.3
        if event == "cut":
            self.to_engine.clear()
            self.to_gateway.clear()
            self.peer.is_greeted = False
            self.session.greet_again()
        elif event == "restart":
            self.peer.is_greeted = False
        elif event == "full":
            self.peer.is_full = not self.peer.is_full
        elif event == "lose":
            del self.to_engine[:1], self.to_gateway[:1]
        self._send()
        if event == "deliver" and self.to_engine:
            self.to_gateway.append(self.peer.take(self.to_engine.pop(0)))
        elif event == "answer" and self.to_gateway:
            self.session.hear(self.to_gateway.pop(0), self.now_s)

    def _send(self):
        for header in (self.session.greeting(self.now_s), self.session.check_up(self.now_s, 0)):
            if header is not None:
                self.to_engine.append(header)
        for seq in self.session.due(self.now_s):
            self.to_engine.append(wire.pack({"t": "frame", "v": 1, "session": 1, "seq": seq}))
            self.session.sent(seq)


@given(frame_count=st.integers(1, 12), events=st.lists(st.sampled_from(NAMES), max_size=80))
def test_whatever_the_link_loses_every_frame_is_stored_once_and_in_order(frame_count, events):
    """A gateway that gives up, or repeats itself, makes a hole or a ghost in the record."""
    link = Link(frame_count)
    for event in events:
        link.turn(event)

    link.peer.is_full = False
    for _ in range(400):
        if link.session.is_done:
            break
        link.turn("deliver")
        link.turn("answer")

    assert link.session.is_done
    assert link.peer.stored == list(range(1, frame_count + 1))


@given(events=st.lists(st.sampled_from(NAMES), max_size=80))
def test_never_more_frames_are_on_the_way_than_the_engine_gave_credit_for(events):
    """Credit is what keeps one gateway from filling the engine's memory."""
    link = Link(50)
    for event in events:
        link.turn(event)
        assert link.session.cursor - 1 - link.session.durable <= link.peer.credit


def welcomed(durable=0):
    session = Session("G", 1, next_seq=9)
    answer = wire.welcome("e", durable, credit=4, frame_bytes_max=1 << 20, now_ns=0)
    session.hear(answer, 0.0)
    return session


def test_a_refusal_with_retry_is_answered_with_patience():
    """A full disk is not emptied by asking ten thousand times a second."""
    session = welcomed()
    waits = []
    now_s = 0.0
    for _ in range(8):
        for seq in session.due(now_s):
            session.sent(seq)
        session.hear(wire.nak(1, "E_DISK", "no room", expected=1, retry=True), now_s)
        began_s = now_s
        while not session.due(now_s):
            now_s += 0.05
        assert session.due(now_s)[0] == 1
        waits.append(now_s - began_s)

    assert waits == sorted(waits)
    assert 4.9 < waits[-1] < 5.2


def test_a_refusal_for_good_is_counted_and_the_stream_goes_on():
    """One bad frame must not stop a valley."""
    session = welcomed()
    for seq in session.due(0.0):
        session.sent(seq)

    session.hear(wire.nak(2, "E_CRC", "wrong sum", expected=3, retry=False), 0.1)
    session.hear(wire.ack(2, 4), 0.1)

    assert session.rejected == ["frame 2: E_CRC: wrong sum"]
    assert list(session.due(0.2)) == [5, 6]


def test_frames_behind_a_gap_are_sent_again_once_not_once_for_each_answer():
    """Thirty frames in flight behind a hole come back as thirty refusals."""
    session = welcomed()
    for seq in session.due(0.0):
        session.sent(seq)
    for seq in (2, 3, 4):
        session.hear(wire.nak(seq, "E_GAP", "a hole", expected=1, retry=True), 0.1)
        for again in session.due(0.1):
            session.sent(again)

    assert session.resent_count == 4


def test_an_engine_that_lost_what_it_acknowledged_is_told_what_it_will_never_get():
    """Otherwise it would wait for ever for frames that the spool has let go."""
    session = Session("G", 1, next_seq=9, durable=5, cursor=6)
    session.hear(wire.welcome("e", 2, credit=4, frame_bytes_max=1 << 20, now_ns=0), 0.0)

    assert session.skip == (3, 5)
    assert not session.due(0.0)
    session.skipped()
    assert list(session.due(0.0)) == [6, 7, 8]


def test_a_number_that_the_engine_has_seen_before_is_not_used_again():
    """Frames of a session that is over would be taken for repetitions, and vanish."""
    refused = Session("G", 1)
    refused.hear(wire.nak(0, "E_SESSION", "session 7 has been seen", expected=0, retry=False), 0.0)

    assert refused.is_spent
    assert welcomed(durable=30).is_spent
    assert not welcomed(durable=8).is_spent


def test_a_gateway_that_the_catalogue_does_not_know_is_told_at_once():
    """Nobody will ever accept its frames; waiting would hide a typing mistake."""
    session = Session("G-MINA", 1)

    with pytest.raises(UsageError, match="G-MINA"):
        session.hear(wire.nak(0, "E_IDENTITY", "not known", expected=0, retry=False), 0.0)


@given(header=st.binary(max_size=64))
def test_nonsense_from_the_engine_changes_nothing(header):
    """A gateway may be connected to the wrong port."""
    session = welcomed()
    session.hear(header, 0.0)

    assert session.durable == 0
    assert list(session.due(0.0)) == [1, 2, 3, 4]
