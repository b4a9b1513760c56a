"""The egress sockets, heard by a stranger: nothing is missed, and nobody waits for the slow."""

import threading
import time

import msgpack
import pytest
import zmq

from engine.errors import EgressError, UnreachableError
from engine.meters import Meters
from engine.publisher import Publisher
from engine.replay import ITEMS_MAX, REQUESTS_MAX, Answers, Sent
from engine.sinks import EgressLog
from tests.engine.consumer import Consumer, Silence
from tests.engine.test_sinks import warning

ANY = "tcp://127.0.0.1:*"


class Egress:
    """An egress log with its two sockets."""

    def __init__(self, folder, heartbeat=dict):
        self.meters = Meters(())
        self.log = EgressLog.open(folder, self.meters)
        self.publisher = Publisher(
            *(self.log, self.meters, heartbeat), warnings=ANY, replay=ANY, heartbeat_s=0.05
        )
        self.publisher.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.publisher.stop()
        self.log.close()

    def consumer(self, prefix=""):
        return Consumer(self.publisher.warnings, self.publisher.replay, prefix)


@pytest.fixture
def egress(tmp_path):
    with Egress(tmp_path / "egress") as running:
        yield running


def until(condition):
    """Wait for another thread, and say so when it never comes."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_a_warning_is_heard_as_it_is_written(egress):
    """What a consumer hears live is what it would get from the log."""
    with egress.consumer() as consumer:
        assert consumer.heartbeat()["seq"] == 0
        egress.log.send([warning(1), warning(2)])
        live = consumer.messages(2)
        assert [topic for topic, _ in live] == [warning(1)[0]] * 2
        assert [body["seq"] for _, body in live] == [1, 2]
        assert live[0][1]["headline"] == {"zh": "瓦斯超限", "en": "Methane high"}
        assert consumer.everything() == live


def test_a_subscriber_to_one_topic_hears_no_other(egress):
    with egress.consumer("warning/red/") as consumer:
        consumer.heartbeat()
        red = ("warning/red/gas/140200/M-0001", {"id": "R", "revision": 0})
        egress.log.send([warning(1), red, ("system/x", {"code": "x", "text": ""})])
        assert [topic for topic, _ in consumer.messages(1)] == [red[0]]


def test_a_heartbeat_tells_how_far_the_engine_has_come(tmp_path):
    """A consumer that lost the newest warning learns it within a second."""
    body = {"engine": "e", "frames": 3, "clock": "synced"}
    with Egress(tmp_path, lambda: body) as egress, egress.consumer() as consumer:
        consumer.heartbeat()
        egress.log.send([warning(1)])
        consumer.messages(1)
        beat = consumer.heartbeat()
        assert beat["seq"] == 1
        assert {key: beat[key] for key in body} == body
        assert beat["v"] == 1
        assert abs(beat["now"] - time.time_ns()) < 10**10


def test_heartbeats_are_not_in_the_log(egress):
    with egress.consumer() as consumer:
        consumer.heartbeat()
        consumer.heartbeat()
        assert consumer.replay() == ([], {"t": "end", "next": 1, "live": 0})


def test_what_was_not_published_before_a_crash_is_in_the_replay(tmp_path):
    """Between the sync and the live socket the engine may die; the log remembers."""
    log = EgressLog.open(tmp_path, Meters(()))
    log.send([warning(1)])
    log.close()
    with Egress(tmp_path) as egress, egress.consumer() as consumer:
        assert consumer.heartbeat()["seq"] == 1
        egress.log.send([warning(2)])
        assert consumer.messages(1)[0][1]["seq"] == 2
        assert [body["seq"] for _, body in consumer.everything()] == [1, 2]


def test_the_end_publishes_what_is_durable(tmp_path):
    """`--until-idle` may not swallow the last warning."""
    with Egress(tmp_path) as egress:
        consumer = egress.consumer()
        consumer.heartbeat()
        egress.log.send([warning(number) for number in range(2000)])
    assert [body["seq"] for _, body in consumer.messages(2000)] == list(range(1, 2001))
    assert consumer.heartbeat()["seq"] == 2000
    consumer.context.destroy(linger=0)


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
@pytest.mark.parametrize("match", ["", "system/", "warning/blue/gas", "nothing/"])
def test_replay_gives_what_matches_from_a_seq_on(egress, count, match):
    """`next` is where to go on; when it is behind `live` the consumer has everything."""
    topics = [warning(1)[0], "system/x", warning(1)[0], "system/y", "system/x"]
    egress.log.send([(topic, {"text": str(i)}) for i, topic in enumerate(topics)])
    with egress.consumer() as consumer:
        for first in range(1, 8):
            items, end = consumer.replay(first, count, match)
            wanted = [
                seq
                for seq, topic in enumerate(topics, start=1)
                if seq >= first and topic.startswith(match)
            ]
            assert [body["seq"] for _, body in items] == wanted[:count]
            assert end == {"t": "end", "next": end["next"], "live": 5}
            if len(wanted) > count:
                assert (wanted[count - 1] if count else first - 1) < end["next"] <= wanted[count]
            else:
                assert end["next"] == max(first, 6) or len(items) == count


def test_zero_and_absent_fields_mean_the_obvious(egress):
    egress.log.send([warning(1)])
    with egress.consumer() as consumer:
        items, end = consumer.replay(0)
        assert len(items) == 1
        consumer.ask(t="replay", **{"from": 1})
        assert consumer.answer()[0]["t"] == "item"
        assert consumer.answer()[0] == end


MALFORMED = [
    [b""],
    [b"\xc1"],
    [b"\x93\x01\x02\x03"],
    [b"\xdf\xff\xff\xff\xff"],
    [b"\x81" * 3000],
    [b"\x00" * 60_000],
    [msgpack.packb({"t": "replay", "v": 1})],
    [msgpack.packb({"t": "replay", "v": 1, "from": -1, "max": 1, "match": ""})],
    [msgpack.packb({"t": "replay", "v": 1, "from": True, "max": 1, "match": ""})],
    [msgpack.packb({"t": "replay", "v": 1, "from": 2**64 - 1, "max": 1, "match": ""})],
    [msgpack.packb({"t": "replay", "v": 1, "from": 1, "max": "all", "match": ""})],
    [msgpack.packb({"t": "replay", "v": 1, "from": 1, "max": 1, "match": b"w"})],
    [msgpack.packb({"t": "replay", "v": 2, "from": 1, "max": 1, "match": ""})],
    [msgpack.packb({"t": "replay", "from": 1, "max": 1, "match": ""})],
    [msgpack.packb({"t": "nonsense", "v": 1})],
    [msgpack.packb({"t": "seen", "v": 1, "consumer": "", "seq": 1})],
    [msgpack.packb({"t": "seen", "v": 1, "consumer": "a" * 65, "seq": 1})],
    [msgpack.packb({"t": "seen", "v": 1, "consumer": "a", "seq": 1.5})],
    [msgpack.packb({"t": "where", "v": 1})],
    [msgpack.packb({"t": "where", "v": 1, "consumer": "a"}), b"more"],
    [b"a", b"b", b"c", b"d"],
]


def test_a_malformed_request_is_answered_and_hurts_nobody(egress):
    """A stranger's first attempt is wrong; it should learn why, and nobody else should notice."""
    egress.log.send([warning(1)])
    with egress.consumer() as wrong, egress.consumer() as right:
        for parts in MALFORMED:
            wrong.dealer.send_multipart(parts)
            header, body = wrong.answer()
            assert body is None
            assert header["t"] == "error", parts
            assert header["v"] == 1
            assert header["code"].startswith("E_")
            assert len(header["text"]) > 10
        assert len(right.everything()) == 1
        assert len(wrong.everything()) == 1
    assert sum(egress.meters.replay_refused.values()) == len(MALFORMED)
    assert egress.publisher.is_alive


def test_positions_are_kept_for_each_consumer(egress):
    with egress.consumer() as one, egress.consumer() as two:
        assert one.where("siren") == 0
        one.seen("siren", 12)
        one.seen("siren", 17)
        assert one.where("siren") == 17
        assert two.where("siren") == 17
        two.seen("desk", 1)
        assert (two.where("desk"), two.where("siren")) == (1, 17)


def test_a_consumer_that_stops_reading_holds_nobody_up(egress):
    """Its answers wait in the log, not in memory; when it reads again it gets them all."""
    texts = [("system/long", {"text": "x" * 20_000, "number": n}) for n in range(1500)]
    egress.log.send(texts)
    with egress.consumer() as slow, egress.consumer() as fast:
        slow.dealer.setsockopt(zmq.RCVHWM, 1)
        slow.dealer.connect(egress.publisher.replay)
        slow.dealer.disconnect(slow.dealer.getsockopt(zmq.LAST_ENDPOINT))
        slow.dealer.connect(egress.publisher.replay)
        slow.ask(t="replay", **{"from": 1, "max": 10_000, "match": ""})
        until(lambda: egress.meters.replay_waits > 0)
        taken = egress.meters.replay_items
        assert taken < 1000
        assert len(fast.everything()) == 1500
        assert egress.meters.replay_items < taken + 1500 + 300
        seqs = []
        while True:
            header, body = slow.answer()
            if header["t"] == "end":
                break
            seqs.append(body["seq"])
        assert seqs == list(range(1, 1501))
        assert header["next"] == 1501


def test_a_consumer_that_goes_away_is_forgotten(egress):
    egress.log.send([("system/long", {"text": "x" * 20_000}) for _ in range(1500)])
    with egress.consumer() as leaving:
        leaving.ask(t="replay", **{"from": 1, "max": 10_000, "match": ""})
        leaving.answer()
    until(lambda: egress.meters.replay_abandoned == 1 or egress.meters.replay_items == 1500)
    with egress.consumer() as next_one:
        assert len(next_one.replay(1, 5)[0]) == 5


def test_a_subscriber_that_stops_reading_holds_nobody_up(egress):
    """The live socket forgets for the slow one; seq shows the hole, and the replay fills it."""
    slow = zmq.Context()
    socket = slow.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 1)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(egress.publisher.warnings)
    with egress.consumer() as fast:
        fast.heartbeat()
        for number in range(30):
            egress.log.send([warning(number * 100 + i, text="x" * 5000) for i in range(100)])
        assert [body["seq"] for _, body in fast.messages(3000)] == list(range(1, 3001))
    slow.destroy(linger=0)


def test_an_engine_that_cannot_count_itself_falls_silent(tmp_path):
    """Silence is the alarm; a heartbeat without figures would say that all is well."""
    figures = iter([{}, {}])
    with Egress(tmp_path, lambda: next(figures)) as egress, egress.consumer() as consumer:
        until(lambda: not egress.publisher.is_alive)
        assert "live thread has ended: StopIteration" in egress.publisher.fault
        with pytest.raises(Silence):
            for _ in range(3):
                consumer.receive(0.2)
        egress.log.send([warning(1)])
        assert len(consumer.everything()) == 1


def test_a_taken_address_is_named(tmp_path, egress):
    with pytest.raises(UnreachableError, match=r"tcp://127\.0\.0\.1:\d+: Address already in use"):
        Publisher(
            *(egress.log, egress.meters, dict), warnings=ANY, replay=egress.publisher.warnings
        )


def test_consumers_are_served_in_turns(tmp_path):
    """One that asks for everything may not keep the others waiting for it."""
    log = EgressLog.open(tmp_path, Meters(()))
    log.send([warning(number) for number in range(1000)])
    meters = Meters(())
    answers = Answers(log, meters)
    for name in (b"greedy", b"modest"):
        first = 1 if name == b"greedy" else 999
        fields = {"t": "replay", "v": 1, "from": first, "max": 10**6, "match": ""}
        answers.take(name, [msgpack.packb(fields)], 0.0)
    order = []
    while not answers.is_idle:
        answers.turn(lambda parts: order.append(parts[0]) or Sent.YES, 0.0)
    assert order.count(b"greedy") == 1001
    assert order.index(b"modest") < 300
    assert order[-1] == b"greedy"
    log.close()


def test_requests_and_items_are_bounded(tmp_path):
    log = EgressLog.open(tmp_path, Meters(()))
    meters = Meters(())
    answers = Answers(log, meters)
    fields = {"t": "where", "v": 1, "consumer": "a"}
    for _ in range(3 * REQUESTS_MAX):
        answers.take(b"flood", [msgpack.packb(fields)], 0.0)
    sent = []
    while not answers.is_idle:
        answers.turn(lambda parts: sent.append(msgpack.unpackb(parts[1])) or Sent.YES, 0.0)
    assert len(sent) == REQUESTS_MAX
    assert sent[-1]["code"] == "E_BUSY"
    assert ITEMS_MAX * 2000 < 1 << 30
    log.close()


def test_a_position_that_cannot_be_stored_is_told(tmp_path, monkeypatch):
    log = EgressLog.open(tmp_path, Meters(()))
    answers = Answers(log, Meters(()))

    def refuse(positions):
        if "bad" in positions:
            raise EgressError("no room")

    monkeypatch.setattr(log, "seen", refuse)
    for name in ("good", "bad"):
        fields = {"t": "seen", "v": 1, "consumer": name, "seq": 3}
        answers.take(name.encode(), [msgpack.packb(fields)], 0.0)
    answers.settle(0.0)
    sent = {}
    answers.turn(lambda parts: sent.update({parts[0]: parts[1]}) or Sent.YES, 0.0)
    assert list(sent) == [b"bad"]
    assert msgpack.unpackb(sent[b"bad"])["text"] == "no room"
    log.close()


def test_one_that_takes_nothing_is_given_up_in_the_end(tmp_path):
    log = EgressLog.open(tmp_path, Meters(()))
    log.send([warning(1)])
    meters = Meters(())
    answers = Answers(log, meters)
    fields = {"t": "replay", "v": 1, "from": 1, "max": 5, "match": ""}
    answers.take(b"stuck", [msgpack.packb(fields)], 0.0)
    assert not answers.turn(lambda parts: Sent.SLOW, 59.0)
    assert not answers.is_idle
    answers.turn(lambda parts: Sent.SLOW, 61.0)
    assert answers.is_idle
    assert meters.replay_abandoned == 1
    log.close()
