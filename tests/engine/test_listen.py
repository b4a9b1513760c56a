"""The consumer: hears everything once, in order, and raises its own alarm when it cannot."""

import io
import json
import threading
from datetime import UTC

import msgpack
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from engine import lines, listen
from engine.errors import UsageError
from engine.follower import KNOWN_MAX, Follower, Verdict
from engine.listen import listen as listen_to
from tests.engine.test_publisher import Egress
from tests.engine.test_sinks import warning


class Listening:
    """A consumer in a thread of its own."""

    def __init__(self, warnings, replay, **options):
        self.out, self.err = io.StringIO(), io.StringIO()
        defaults = {"as_json": True, "from_seq": None, "match": "", "seconds": 20}
        self.code = None
        options = {**defaults, "out": self.out, "err": self.err, **options}
        self.thread = threading.Thread(target=self.run, args=(warnings, replay, options))
        self.thread.start()

    def run(self, warnings, replay, options):
        self.code = listen_to(warnings, replay, **options)

    def end(self):
        self.thread.join(25)
        assert not self.thread.is_alive()
        return self.told

    @property
    def told(self):
        if not self.out.getvalue().startswith("{"):
            return []
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    @property
    def remarks(self):
        return self.err.getvalue()


class Stranger:
    """An engine whose every word is written in the test."""

    def __init__(self):
        self.context = zmq.Context()
        self.live = self.context.socket(zmq.XPUB)
        self.past = self.context.socket(zmq.ROUTER)
        for socket in (self.live, self.past):
            socket.setsockopt(zmq.LINGER, 1000)
            socket.bind("tcp://127.0.0.1:*")
        self.addresses = [
            socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
            for socket in (self.live, self.past)
        ]

    def listening(self, **options):
        found = Listening(*self.addresses, **options)
        if options.get("from_seq") is None:
            self.wait_for_subscriber()
        return found

    def wait_for_subscriber(self):
        assert self.live.poll(5000)
        assert self.live.recv() == b"\x01"

    def say(self, topic, seq, **body):
        self.live.send_multipart([topic.encode(), msgpack.packb({"v": 1, "seq": seq, **body})])

    def asked(self):
        assert self.past.poll(5000)
        self.peer, header = self.past.recv_multipart()
        return msgpack.unpackb(header)

    def item(self, seq, topic="system/x", **body):
        header = msgpack.packb({"t": "item", "topic": topic})
        body = msgpack.packb({"v": 1, "seq": seq, **body})
        self.past.send_multipart([self.peer, header, body])

    def end(self, next_seq, live):
        header = msgpack.packb({"t": "end", "next": next_seq, "live": live})
        self.past.send_multipart([self.peer, header])


@pytest.fixture
def stranger():
    engine = Stranger()
    yield engine
    engine.context.destroy(linger=0)


@pytest.fixture
def egress(tmp_path):
    with Egress(tmp_path / "egress") as running:
        yield running


def seqs(told):
    return [body["seq"] for body in told]


def test_from_a_seq_and_on_into_the_live_stream(egress):
    """`--from` may lose nothing at the seam, and tell nothing twice."""
    egress.log.send([warning(number) for number in range(1500)])
    where = egress.publisher.warnings, egress.publisher.replay
    listening = Listening(*where, from_seq=3, count=2498)
    for number in range(1500, 2500):
        egress.log.send([warning(number)])
    told = listening.end()
    assert seqs(told) == list(range(3, 2501))
    assert told[0]["topic"] == warning(2)[0]
    assert told[0]["headline"] == {"zh": "瓦斯超限", "en": "Methane high"}
    assert listening.code == 0
    assert "0 faults" in listening.remarks


def test_only_what_matches_is_told_but_everything_is_counted(egress):
    egress.log.send([warning(1)])
    where = egress.publisher.warnings, egress.publisher.replay
    listening = Listening(*where, from_seq=2, match="system/", count=2)
    mixed = [warning(2), ("system/a", {"text": "1"}), warning(3), ("system/b", {"text": "2"})]
    egress.log.send(mixed)
    assert [body["topic"] for body in listening.end()] == ["system/a", "system/b"]
    assert "missing" not in listening.remarks


def test_a_hole_is_filled_before_the_stream_goes_on(stranger):
    """What the live socket dropped is in the log; order is kept."""
    listening = stranger.listening(count=5)
    stranger.say("system/x", 7)
    stranger.say("system/x", 10)
    assert stranger.asked() == {"t": "replay", "v": 1, "from": 8, "max": 2, "match": ""}
    stranger.item(8)
    stranger.item(9)
    stranger.end(10, 10)
    stranger.say("system/x", 11)
    assert seqs(listening.end()) == [7, 8, 9, 10, 11]
    assert "seq 8 to 9 are missing" in listening.remarks
    assert listening.code == 0


def test_a_heartbeat_shows_that_the_newest_was_lost(stranger):
    """Nothing else would show it until the next warning, which may be hours away."""
    listening = stranger.listening(count=2)
    stranger.say("heartbeat", 4)
    stranger.say("system/x", 5)
    stranger.say("heartbeat", 6)
    assert stranger.asked()["from"] == 6
    stranger.item(6)
    stranger.end(7, 6)
    assert seqs(listening.end()) == [5, 6]


def test_a_hole_that_cannot_be_filled_is_a_fault(stranger, monkeypatch):
    """A consumer that missed a warning must not look as if it had not."""
    monkeypatch.setattr(listen, "ANSWER_S", 0.1)
    listening = stranger.listening(count=2)
    stranger.say("system/x", 1)
    stranger.say("system/x", 5)
    assert seqs(listening.end()) == [1, 5]
    assert "does not answer" in listening.remarks
    assert "3 messages are missed for good" in listening.remarks
    assert listening.code == 1


def test_what_is_not_kept_any_more_is_a_fault(stranger):
    listening = stranger.listening(from_seq=1, count=2)
    stranger.asked()
    stranger.item(4)
    stranger.item(5)
    stranger.end(6, 5)
    assert seqs(listening.end()) == [4, 5]
    assert "seq 1 to 3 are not kept any more" in listening.remarks
    assert listening.code == 1


def test_a_refusal_is_shown_in_the_engines_words(stranger):
    listening = stranger.listening(from_seq=1, count=1)
    for _ in range(2):
        stranger.asked()
        error = {"t": "error", "v": 1, "code": "E_DISK", "text": "segment 7 is damaged"}
        stranger.past.send_multipart([stranger.peer, msgpack.packb(error)])
    stranger.wait_for_subscriber()
    stranger.say("system/x", 1)
    assert seqs(listening.end()) == [1]
    assert "segment 7 is damaged" in listening.remarks


def test_a_second_content_is_a_fault_and_the_first_was_told(stranger):
    """Two truths under one id: people must know that one of them is false."""
    listening = stranger.listening(count=2)
    first = {"id": "A", "revision": 0, "value": 1.0}
    stranger.say("warning/red/a/b/c", 1, **first, decided_time=1)
    stranger.say("warning/red/a/b/c", 2, **dict(reversed(first.items())), decided_time=2)
    stranger.say("warning/red/a/b/c", 3, **{**first, "value": 2.0})
    stranger.say("warning/red/a/b/c", 4, **{**first, "revision": 1})
    assert seqs(listening.end()) == [1, 4]
    assert "seq 3: A revision 0 came before with another content" in listening.remarks
    assert listening.code == 1


def test_a_log_that_goes_back_is_another_log(stranger):
    """An engine started on an empty folder begins at 1 again; its warnings count."""
    listening = stranger.listening(count=2)
    stranger.say("system/x", 100)
    stranger.say("heartbeat", 100)
    stranger.say("heartbeat", 0)
    stranger.say("system/x", 1)
    assert seqs(listening.end()) == [100, 1]
    assert "it is another log" in listening.remarks
    assert listening.code == 1


def test_nonsense_is_told_and_survived(stranger):
    listening = stranger.listening(count=1)
    for parts in ([b"a"], [b"a", b"\xc1"], [b"a", b"\x01"], [b"\xff", b"\x80"], [b"", b"", b""]):
        stranger.live.send_multipart(parts)
    stranger.say("system/x", -1)
    stranger.say("system/x", "1")
    stranger.say("system/x", 1)
    assert seqs(listening.end()) == [1]
    assert listening.remarks.count("no engine of version 1 sends") == 7


def test_silence_is_an_alarm_and_its_end_is_told(stranger, monkeypatch):
    """No news is not good news."""
    monkeypatch.setattr(listen, "SILENCE_S", 0.3)
    listening = stranger.listening(count=1)
    stranger.say("heartbeat", 0)
    deadline = threading.Event()
    while "nothing heard for" not in listening.remarks:
        assert not deadline.wait(0.02)
    stranger.say("heartbeat", 0)
    stranger.say("system/x", 1)
    listening.end()
    assert listening.remarks.index("nothing heard") < listening.remarks.index("heard again")


def test_an_engine_that_is_not_there_has_its_own_exit_code(stranger):
    listening = Listening("tcp://127.0.0.1:9", "tcp://127.0.0.1:9", seconds=0.1)
    assert listening.end() == []
    assert listening.code == 69


def test_an_address_that_is_none_is_the_typists_fault():
    with pytest.raises(UsageError, match="cannot connect to 127"):
        listen_to("127.0.0.1:7701", "tcp://127.0.0.1:7702", as_json=True, from_seq=1, match="")


def test_time_ends_it(egress):
    where = egress.publisher.warnings, egress.publisher.replay
    listening = Listening(*where, seconds=0.6)
    assert listening.end() == []
    assert listening.code == 0


def test_a_row_tells_the_grade_by_letter_too(stranger):
    """On paper, and for those who do not see red."""
    listening = stranger.listening(count=2, as_json=False, colour=False)
    topic, body = warning(5, grade="red", site="M-0317", rule="ch4-high", unit="%")
    stranger.say(topic, 1, **body)
    stranger.say("system/disk_full", 2, text="no room", decided_time=0)
    listening.end()
    names, row, system = listening.out.getvalue().splitlines()
    assert names.split()[:4] == ["seq", "event", "time", "grade"]
    assert " R red " in row
    for word in ("raised", "M-0317", "ch4-high", "0.5 %", "Methane high", "-1"):
        assert word in row
    assert "system/disk_full: no room" in system


@pytest.mark.parametrize(
    ("branch", "fields", "remark"),
    [
        ("muted", {"suppressed": "shelved"}, "(shelved) "),
        ("shadow", {"mode": "shadow"}, "(shadow) "),
    ],
)
def test_what_nobody_is_to_act_on_is_told_without_its_colour(branch, fields, remark):
    """A shelved red that looks like a red wakes people; one that looks like nothing is lost."""
    topic, body = warning(1, grade="red")
    row = lines.row(
        topic.replace("warning/", f"{branch}/", 1), {**body, **fields}, zone=UTC, language="en"
    )
    assert " R red " in row.plain
    assert remark in row.plain
    assert row.style == "dim"
    assert not row.spans


def test_columns_stay_in_line_with_chinese_text():
    """A Chinese character is two places wide."""
    topic, body = warning(1, site="山西一号矿", subject="瓦斯", rule="r")
    plain = lines.row(topic, {**body, "seq": 1}, zone=UTC, language="zh")
    latin = lines.row(
        topic, {**body, "seq": 1, "site": "M", "subject": "S", "rule": "r"}, zone=UTC, language="zh"
    )
    assert plain.cell_len == latin.cell_len
    assert "瓦斯超限" in plain.plain
    assert "2023-11-14 22:13:20" in plain.plain


def test_a_strangers_text_cannot_command_the_terminal():
    topic, body = warning(1, site="\x1b[2J\nX")
    assert "\x1b" not in lines.row(topic, {**body, "seq": 1}, zone=UTC, language="en").plain
    system = lines.row("system/x", {"text": "\x1b[2J"}, zone=UTC, language="en")
    assert "\x1b" not in system.plain


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = ["seq", "grade", "margins", "headline", "event_time", "value", "text", "decided_time"]


@given(body=st.dictionaries(st.sampled_from(NAMES), VALUES), kind=st.booleans())
def test_any_body_becomes_one_line(body, kind):
    """What a stranger's engine sends may be odd; it is shown, and nothing breaks."""
    topic = "warning/red/a/b/c" if kind else "system/x"
    assert "\n" not in lines.row(topic, body, zone=UTC, language="en").plain
    line = lines.json_line(topic, body)
    assert "\n" not in line
    assert json.loads(line)["topic"] == topic


@given(st.lists(st.integers(1, 20), max_size=40))
def test_a_follower_tells_each_seq_once_and_in_order(heard):
    """Whatever comes, live or replayed, twice or out of order."""
    follower = Follower(1)
    told = []
    for seq in heard:
        hole = follower.hole_before(seq)
        for missing in range(hole[0], hole[1] + 1) if hole else ():
            assert follower.accept(missing, {}) is Verdict.NEW
            told.append(missing)
        if follower.accept(seq, {}) is Verdict.NEW:
            told.append(seq)
    assert told == list(range(1, max(heard, default=0) + 1))


def test_what_a_follower_remembers_is_bounded():
    follower = Follower(1)
    for seq in range(1, KNOWN_MAX + 100):
        follower.accept(seq, {"id": str(seq), "revision": 0})
    assert len(follower.known) == KNOWN_MAX
