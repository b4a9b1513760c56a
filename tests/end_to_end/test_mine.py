"""A recorded mine, end to end: file, gateway, TCP, engine, TCP, consumer; against an oracle.

19 096 rows of two methane heads go through the real `tocsin feed` into a running engine; a
stranger's consumer hears live and asks for everything again; each event of `ch4-high` must be
the one that a hand-written loop over the same column finds.
"""

import re
from itertools import groupby
from typing import NamedTuple

import pytest

from tests.end_to_end.engines import DATA, MINE, Engine, running, tocsin
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, points
from tests.reference import mine

ARFF = DATA / "coal-mine" / "methane" / "methane.arff"
SENSORS = ("MM31", "MM116")
MANIFEST = ("MM31", "MM116", "AS038", "BA13")
ID = re.compile(r"[A-Z2-7]{26}")
STEP_US = mine.STEP_S * 1_000_000
ROWS_PER_FRAME = 120  # an hour; dt is 32 bits of microseconds, 71 minutes

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not ARFF.exists(), reason=f"the recorded data is not there: {ARFF}"),
]


class Told(NamedTuple):
    """What the consumer got, live and by replay, without heartbeats: (topic, body) each."""

    live: list
    items: list


@pytest.fixture(scope="module")
def expected():
    """The events of each methane head, by the oracle."""
    found = {name: list(mine.events_of(mine.read_column(ARFF, name))) for name in SENSORS}
    assert min(len(events) for events in found.values()) > 20, "too little to compare"
    return found


@pytest.fixture(scope="module")
def told(warm, nursery, tmp_path_factory):
    """The recording through `tocsin feed` into an engine that was started as operators do."""
    folder = tmp_path_factory.mktemp("mine")
    engine = Engine(MINE / "engine.yaml", folder / "data")
    return judged(engine, nursery, lambda: feed(engine, folder / "spool"))


def feed(engine, spool, *options):
    """Push the recording with the real command; it ends when every frame is durable."""
    done = tocsin(
        *("feed", ARFF, "--catalogue", MINE / "catalogue", "--to", engine.intake),
        *("--start", "2014-03-01T00:00:00Z", "--period", "30s", "--spool", spool, "-q"),
        *options,
    )
    assert done.returncode == 0, done.stderr


def judged(engine, nursery, push):
    """Start, push, end in order, so that all that is durable is judged; start again and ask."""
    with running(engine), Consumer(engine.warnings, engine.replay) as consumer:
        consumer.heartbeat()
        push()
        assert engine.stop() == 0
        engine.nursery = nursery
        engine.start()
        items = consumer.everything()
        return Told(consumer.messages(len(items)), items)


def assert_as_expected(items, expected):
    """Each event of `ch4-high` is the oracle's, and the ids are those of its episodes."""
    for name, events in expected.items():
        bodies = [b for _, b in items if b["rule"] == "ch4-high" and b["subject"] == name]
        found = [(b["revision"], b["event"], b["grade"], b["event_time"]) for b in bodies]
        assert found == [(e.revision, e.event, e.grade, e.event_time) for e in events]
        pairs = zip((event.episode for event in events), bodies, strict=True)
        ids = [{body["id"] for _, body in group} for _, group in groupby(pairs, lambda p: p[0])]
        assert all(len(of_episode) == 1 for of_episode in ids)
        assert len(set().union(*ids)) == len(ids), "two episodes with one id"
        assert all(ID.fullmatch(one) for one in set().union(*ids))


def test_every_event_of_the_mine_is_the_one_that_the_oracle_finds(told, expected):
    """The whole way: what miners are told is what the limits say, at the second they say it."""
    assert_as_expected(told.items, expected)
    rising = [body for _, body in told.items if body["rule"] == "ch4-rising"]
    assert rising, "the rule on the slope is never heard"


def test_who_listens_live_hears_what_the_replay_tells(told):
    """A consumer that was there all the time must not need the replay, and one that was not must
    not miss a word."""
    assert told.live == told.items
    assert_log_is_whole(told.items)


@pytest.mark.parametrize(
    "options", [("--frame", "7", "--codec", "zstd"), ("--frame", "5000")], ids=["small", "large"]
)
def test_how_the_recording_is_cut_and_packed_changes_no_byte(nursery, tmp_path, told, options):
    """The gateway decides where frames end and whether it compresses; no warning may depend on
    that."""
    engine = Engine(MINE / "engine.yaml", tmp_path / "data", nursery=nursery)
    again = judged(engine, nursery, lambda: feed(engine, tmp_path / "spool", *options))

    assert stories(again.items) == stories(told.items)


def test_readings_of_four_bytes_meet_the_same_thresholds(nursery, tmp_path, expected):
    """A head that sends 0.7 as float32 sends 0.699999988; that is the threshold 0.7 for it, or
    half the warnings of such heads would come one report late."""
    engine = Engine(MINE / "engine.yaml", tmp_path / "data", nursery=nursery)
    again = judged(engine, nursery, lambda: push_narrow(engine))

    assert_as_expected(again.items, expected)


def push_narrow(engine):
    """A stranger's gateway that sends every row as float32."""
    columns = [mine.read_column(ARFF, name) for name in MANIFEST]
    rows = list(zip(*columns, strict=True))
    with Gateway(engine.intake, "G-MINE") as gateway:
        gateway.hello()
        for seq, start in enumerate(range(0, len(rows), ROWS_PER_FRAME), 1):
            readings = [
                (sensor, number * STEP_US, value)
                for number, row in enumerate(rows[start : start + ROWS_PER_FRAME])
                for sensor, value in enumerate(row)
            ]
            t0 = (mine.START_S + start * mine.STEP_S) * 1_000_000_000
            gateway.send(*points(1, seq, readings, t0=t0, width=4))
            gateway.wait_durable(seq - gateway.credit + 1)
        gateway.wait_durable(seq)
        assert not gateway.naks
