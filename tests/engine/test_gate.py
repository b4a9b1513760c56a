"""Laws of the protocol: every frame ends once, and an acknowledged frame is a frame on disk."""

import itertools
import json
import random

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.segments import FRAME, REJECT, SESSION, SKIP, TICK
from tests.engine import gateway as stranger
from tests.engine.disks import FullDisk
from tests.engine.gates import ROWS, Bench
from tests.engine.test_wire import MALFORMED, MSGPACK_BOMBS, changed


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.commit()
    assert sum(bench.outcomes()) == bench.meters.frames_received
    bench.close()


def test_a_frame_is_acknowledged_after_its_sync_and_not_before(bench):
    """Law 1: the gateway forgets what is acknowledged."""
    welcome = bench.opened(b"p")
    assert welcome["t"] == "welcome"
    assert (welcome["engine"], welcome["durable"], welcome["credit"]) == ("E-1", 0, 32)
    assert welcome["frame_bytes_max"] == 8 << 20
    bench.frame(b"p", 1)
    bench.frame(b"p", 2)
    assert bench.answers(b"p") == []
    assert bench.outcomes() == [0, 0, 0, 0]
    bench.commit()
    assert bench.only_answer(b"p") == {"t": "ack", "v": 1, "durable": 2, "credit": 32}
    assert bench.outcomes() == [2, 0, 0, 0]
    assert bench.records() == [(SESSION, "G-1", 1, 0), (FRAME, "G-1", 1, 1), (FRAME, "G-1", 1, 2)]


def test_what_is_durable_is_acknowledged_again_and_not_stored_again(bench):
    """An acknowledgement may be lost; the frame comes again."""
    bench.opened(b"p")
    bench.frame(b"p", 1)
    bench.frame(b"p", 1)
    bench.commit()
    assert bench.only_answer(b"p")["durable"] == 1
    bench.frame(b"p", 1, rows=[(9, 9, 9.0)])
    assert bench.only_answer(b"p")["durable"] == 1
    assert bench.outcomes() == [1, 2, 0, 0]
    assert len(bench.frames_of("G-1")) == 1


def test_a_gap_is_refused_with_what_is_expected(bench):
    """Nothing behind a hole is stored, or the hole would be for ever."""
    bench.opened(b"p")
    bench.frame(b"p", 1)
    bench.frame(b"p", 3)
    nak = bench.only_answer(b"p")
    assert (nak["t"], nak["code"], nak["seq"], nak["expected"]) == ("nak", "E_GAP", 3, 2)
    assert nak["retry"] is True
    bench.commit()
    assert bench.outcomes() == [1, 0, 0, 1]
    assert len(bench.frames_of("G-1")) == 1


PLACED = [row for row in MALFORMED if not {"seq", "session"} & row[1].keys()]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in PLACED], ids=str)
def test_a_malformed_frame_is_buried_and_the_stream_goes_on(bench, changes, code):
    """One bad frame must not hold back all that come after it."""
    bench.opened(b"p")
    fields, body = stranger.points(1, 1, [(*row, 0) for row in ROWS] + [(1, 1, 1.0, 9)], quality=1)
    fields = changed(fields | {"quality": True}, **changes)
    bench.tell(b"p", fields, body)
    bench.frame(b"p", 2)
    assert bench.answers(b"p") == []
    bench.commit()
    nak, ack = bench.answers(b"p")
    assert (nak["code"], nak["seq"], nak["retry"]) == (code, 1, False)
    assert nak["text"][0].islower() or nak["text"][0] in "`0123456789"
    assert ack["durable"] == 2
    assert bench.outcomes() == [1, 0, 1, 0]
    assert bench.records()[1:] == [(REJECT, "G-1", 1, 1), (FRAME, "G-1", 1, 2)]
    (letter,) = letters(bench)
    assert (letter["gateway"], letter["seq"], letter["code"]) == ("G-1", 1, code)


def letters(bench):
    paths = sorted((bench.folder / "dead").glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.mark.parametrize("header", MSGPACK_BOMBS.values(), ids=MSGPACK_BOMBS)
def test_a_frame_without_a_place_is_counted_and_kept_as_a_dead_letter(bench, header):
    """What cannot be attributed must not vanish all the same."""
    bench.opened(b"p")
    bench.tell_parts(b"p", [header, b"body"])
    nak = bench.only_answer(b"p")
    assert (nak["code"], nak["seq"], nak["retry"]) == ("E_HEADER", 0, False)
    assert bench.outcomes() == [0, 0, 1, 0]
    bench.commit()
    assert len(letters(bench)) == 1
    assert len(bench.records()) == 1


def test_a_message_of_other_than_two_parts_is_refused(bench):
    """MAXMSGSIZE bounds a part: their number has to be counted."""
    bench.opened(b"p")
    fields, body = stranger.points(1, 1, ROWS)
    bench.tell_parts(b"p", [stranger.pack(fields), body, b""])
    bench.commit()
    nak, ack = bench.answers(b"p")
    assert (nak["code"], nak["retry"], ack["durable"]) == ("E_SHAPE", False, 1)
    bench.tell_parts(b"p", [])
    assert bench.only_answer(b"p")["code"] == "E_HEADER"
    bench.tell_parts(b"p", [stranger.pack({"t": "ping", "v": 1, "now": 1})])
    assert bench.only_answer(b"p")["code"] == "E_SHAPE"
    bench.tell(b"p", {"t": "hello", "v": 1, "gateway": "G-1", "session": 1, "next": 1}, b"x")
    assert bench.only_answer(b"p")["code"] == "E_SHAPE"
    assert bench.outcomes() == [0, 0, 2, 0]


def test_nobody_is_heard_before_hello(bench):
    """The engine may have been restarted: the gateway keeps its frame and says hello."""
    bench.frame(b"p", 1)
    nak = bench.only_answer(b"p")
    assert (nak["code"], nak["retry"], nak["seq"]) == ("E_SESSION", True, 1)
    assert "hello" in nak["text"]
    bench.tell(b"p", {"t": "skip", "v": 1, "from": 1, "to": 2, "reason": "x"})
    assert bench.only_answer(b"p")["retry"] is True
    bench.commit()
    assert bench.records() == []


def test_a_gateway_speaks_only_for_itself(bench):
    """One stolen or muddled gateway must not speak for a valley."""
    bench.hello(b"p", "G-9")
    assert bench.only_answer(b"p")["code"] == "E_IDENTITY"
    bench.opened(b"p", "G-1")
    bench.hello(b"p", "G-2")
    nak = bench.only_answer(b"p")
    assert (nak["code"], nak["retry"]) == ("E_IDENTITY", False)
    bench.frame(b"p", 1)
    assert bench.only_answer(b"p")["code"] == "E_SESSION"
    assert bench.opened(b"q", "G-2")["t"] == "welcome"


def test_sessions_only_go_up(bench):
    """A gateway installed anew counts from 1 again: without sessions all would be duplicates."""
    bench.opened(b"p", session=5)
    bench.frame(b"p", 1, session=5)
    bench.commit()
    bench.answers(b"p")
    bench.hello(b"q", session=4)
    nak = bench.only_answer(b"q")
    assert (nak["code"], nak["retry"]) == ("E_SESSION", False)
    assert "session 4" in nak["text"]
    bench.frame(b"p", 2, session=5)
    bench.frame(b"p", 2, session=4)
    assert bench.only_answer(b"p")["retry"] is False
    bench.frame(b"p", 1, session=6)
    assert bench.only_answer(b"p")["retry"] is True
    bench.commit()
    assert bench.opened(b"r", session=5)["durable"] == 2
    assert bench.opened(b"r", session=6)["durable"] == 0
    bench.frame(b"r", 1, session=6)
    bench.commit()
    assert bench.only_answer(b"r")["durable"] == 1
    assert [row[:2] for row in bench.frames_of("G-1")] == [(5, 1), (5, 2), (6, 1)]
    assert bench.outcomes() == [3, 0, 1, 1]


def test_the_connection_that_said_hello_last_is_the_gateways(bench):
    """A half-dead link lingers for seconds; the gateway has long come back."""
    bench.opened(b"old")
    bench.frame(b"old", 1)
    bench.hello(b"new")
    assert bench.only_answer(b"new")["durable"] == 0
    bench.frame(b"new", 1)
    bench.commit()
    assert bench.answers(b"old") == []
    assert bench.only_answer(b"new")["durable"] == 1
    bench.frame(b"old", 2)
    assert bench.only_answer(b"old")["code"] == "E_SESSION"


def test_a_restart_keeps_sessions_and_sequences(tmp_path):
    """The deduplication table is on disk with the frames."""
    bench = Bench(tmp_path)
    bench.opened(b"p", session=3)
    for seq in range(1, 6):
        bench.frame(b"p", seq, session=3)
    bench.commit()
    bench.frame(b"p", 6, session=3)
    bench.opened(b"q", "G-2", session=9)
    bench.close()
    bench = Bench(tmp_path)
    bench.hello(b"p", session=3)
    assert bench.only_answer(b"p")["durable"] == 6
    bench.hello(b"q", "G-2", session=8)
    assert bench.only_answer(b"q")["t"] == "nak"
    bench.frame(b"p", 6, session=3)
    assert bench.only_answer(b"p")["durable"] == 6
    bench.close()


def test_a_skip_is_written_down_and_the_stream_goes_on(bench):
    """What a gateway can never send is a hole that somebody has answered for."""
    bench.opened(b"p")
    bench.frame(b"p", 1)
    skip = {"t": "skip", "v": 1, "reason": "the spool was full"}
    bench.tell(b"p", skip | {"from": 2, "to": 10})
    bench.frame(b"p", 11)
    bench.commit()
    assert bench.only_answer(b"p")["durable"] == 11
    assert bench.meters.frames_skipped == 9
    assert bench.records()[2:] == [(SKIP, "G-1", 1, 10), (FRAME, "G-1", 1, 11)]
    bench.tell(b"p", skip | {"from": 2, "to": 10})
    assert bench.only_answer(b"p")["durable"] == 11
    bench.tell(b"p", skip | {"from": 13, "to": 14})
    nak = bench.only_answer(b"p")
    assert (nak["code"], nak["expected"], nak["retry"]) == ("E_GAP", 12, True)
    for wrong in ({"from": 0, "to": 3}, {"from": 5, "to": 3}, {"from": 12}):
        bench.tell(b"p", skip | wrong)
        assert bench.only_answer(b"p")["code"] == "E_HEADER"


def test_ping_is_answered_by_the_application(bench):
    """A socket may live while nobody works behind it."""
    bench.tell(b"p", {"t": "ping", "v": 1, "now": 5})
    assert bench.only_answer(b"p") == {"t": "pong", "v": 1, "now": bench.now_ns}
    bench.tell(b"p", {"t": "pong", "v": 1, "now": 5})
    assert bench.answers(b"p") == []
    bench.tell(b"p", {"t": "ping", "v": 2, "now": 5})
    assert bench.only_answer(b"p")["code"] == "E_VERSION"


def test_ticks_are_records(bench):
    """Silence must replay as it was."""
    bench.gate.tick(77)
    bench.commit()
    assert bench.records() == [(TICK, "", 0, 0)]


def test_without_room_nothing_is_acknowledged_and_nothing_lost(tmp_path):
    """A full disk costs time, not frames; not even the session of a new gateway."""
    disk = FullDisk()
    bench = Bench(tmp_path, disk)
    bench.opened(b"p")
    bench.frame(b"p", 1)
    bench.commit()
    bench.answers(b"p")
    disk.room_bytes = 300
    bench.frame(b"p", 2)
    bench.frame(b"p", 2)
    bench.tell(b"p", {"t": "frame", "v": 1, "session": 1, "seq": 3})
    bench.frame(b"p", 4)
    bench.hello(b"q", "G-2")
    assert bench.commit() is not None
    naks = bench.answers(b"p")
    assert [(nak["code"], nak["seq"], nak["retry"]) for nak in naks] == [
        ("E_DISK", seq, True) for seq in (2, 2, 3, 4)
    ]
    assert {nak["expected"] for nak in naks} == {2}
    assert bench.only_answer(b"q")["code"] == "E_DISK"
    assert bench.outcomes() == [1, 0, 0, 4]
    bench.frame(b"p", 3)
    assert bench.only_answer(b"p")["code"] == "E_GAP"
    bench.frame(b"q", 1)
    assert bench.only_answer(b"q")["code"] == "E_SESSION"
    disk.room_bytes = None
    for seq in (2, 3, 4):
        bench.frame(b"p", seq)
    bench.hello(b"q", "G-2")
    bench.commit()
    assert bench.only_answer(b"p")["durable"] == 4
    assert bench.only_answer(b"q")["t"] == "welcome"
    assert [row[1] for row in bench.frames_of("G-1")] == [1, 2, 3, 4]
    bench.close()


@given(
    mess=st.lists(
        st.one_of(
            st.lists(st.binary(max_size=60), max_size=4),
            st.tuples(
                st.dictionaries(
                    st.sampled_from(["t", "v", "seq", "session", "n", "crc", "kind", "to"]),
                    st.one_of(
                        *(st.integers(-2, 70000), st.booleans(), st.text(max_size=4), st.none()),
                        st.sampled_from(["frame", "hello", "skip", "ping", 1, 2]),
                    ),
                    max_size=3,
                ),
                st.binary(max_size=40),
            ),
        ),
        max_size=25,
    )
)
def test_a_mad_gateway_changes_nothing_for_another(tmp_path_factory, mess):
    """Law 12: every one of its messages ends counted, and the other's frames are as sent."""
    bench = Bench(tmp_path_factory.mktemp("gate"))
    bench.opened(b"mad", "G-1")
    bench.opened(b"good", "G-2")
    fields, body = stranger.points(1, 1, ROWS)
    expected = []
    for turn, noise in enumerate(mess, 1):
        if isinstance(noise, list):
            bench.tell_parts(b"mad", noise)
        else:
            bench.tell(b"mad", fields | noise[0], noise[1] or body)
        sent, good_body = stranger.points(1, turn, [(turn % 2, turn, turn / 7)])
        bench.tell(b"good", sent, good_body)
        expected.append((1, turn, good_body))
        if turn % 3 == 0:
            bench.commit()
    bench.commit()
    assert bench.frames_of("G-2") == expected
    assert sum(bench.outcomes()) == bench.meters.frames_received
    assert all(answer["t"] == "ack" for answer in bench.answers(b"good"))
    for _, header in bench.gate.answers:
        assert 2 < len(msgpack.unpackb(header)) < 9
    bench.close()


@pytest.mark.parametrize("seed", range(40))
def test_loss_repetition_and_full_disks_lose_no_acknowledged_frame(tmp_path, seed):
    """A link that loses, repeats and reorders; a disk that fills; restarts: then peace.

    The acknowledged frames are on disk, in order, once each, with what was sent; and when
    the faults stop, everything arrives.
    """
    random_ = random.Random(seed)
    disk = FullDisk()
    bench = Bench(tmp_path, disk, segment_bytes=3000)
    acked, sometimes = 0, set()
    frames = {seq: stranger.points(1, seq, [(0, seq, seq / 3)]) for seq in range(1, 31)}
    bench.hello(b"p")
    for turn in itertools.count():
        is_peace = turn > 60
        if acked == 30:
            break
        assert turn < 100, "the faults have stopped, and not everything has arrived"
        disk.room_bytes = random_.choice([None, 200, 2000]) if not is_peace else None
        window = [seq for seq in range(acked + 1, min(acked + 9, 31)) for _ in "ab"]
        if not is_peace:
            window = random_.sample(window, random_.randrange(len(window) + 1))
        for seq in window:
            bench.tell(b"p", *frames[seq])
        if bench.commit() is not None:
            sometimes.add("full")
        if not is_peace and random_.randrange(6) == 0:
            sometimes.add("restart")
            bench.close()
            bench = Bench(tmp_path, disk, segment_bytes=3000)
        if bench.gate._callers.of(b"p") is None:
            bench.hello(b"p")
            bench.commit()
        for answer in bench.answers(b"p"):
            sometimes.add(answer.get("code", answer["t"]))
            if answer["t"] == "ack" and (is_peace or random_.randrange(3)):
                assert answer["durable"] >= acked
                acked = max(acked, answer["durable"])
        stored = bench.frames_of("G-1")
        assert [row[1] for row in stored] == list(range(1, len(stored) + 1))
        assert acked <= len(stored)
    assert stored == [(1, seq, frames[seq][1]) for seq in range(1, 31)]
    assert {"E_GAP", "E_DISK", "full"} <= sometimes
    bench.close()
