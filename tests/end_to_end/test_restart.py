"""Ends and beginnings: an engine that is stopped in order, and one that finds something changed.

SIGTERM drains what is durable and ends with 0; a restart goes on where it ended.  After a change
of rules or catalogue everything that still means the same goes on as if nothing had happened.
"""

import os
import shutil
import signal

import pytest

from tests.end_to_end.engines import Engine, end_for_good, running, wait_until
from tests.end_to_end.network import GATEWAYS, TYPE_LINES, Traffic, pack_text, sensor_rows
from tests.end_to_end.plants import write_plant
from tests.end_to_end.senders import Fleet, Sender
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer

SECONDS = 700
HALF = SECONDS // 5 // 2
ABOUT_THE_PACK = ("version", "digest")


@pytest.fixture(scope="module")
def traffics():
    return [Traffic(name, SECONDS, seed=1) for name in GATEWAYS]


def plant(folder, *, packs=None, rows=None):
    rows = sensor_rows() if rows is None else rows
    packs = {"network": pack_text()} if packs is None else packs
    return write_plant(folder / "plant", types=TYPE_LINES, sensors=rows, packs=packs)


def push(engine, traffics, *, first=0, stop=None):
    """Send some of the frames of each gateway; returns when they are durable."""
    senders = [Sender(t.gateway, t.frames()[:stop], engine.intake) for t in traffics]
    with Fleet(senders) as fleet:
        for sender in senders:
            sender.durable = sender.sent = sender.highest_sent = first
        fleet.pump(60, until=lambda: fleet.is_done)
        assert fleet.is_done, engine.tail()
        assert all(not sender.naks for sender in senders)


def told_by(engine):
    with Consumer(engine.warnings, engine.replay) as consumer:
        return consumer.everything()


@pytest.fixture(scope="module")
def whole(traffics, nursery, tmp_path_factory):
    """What is told by an engine that is stopped once, as soon as the last frame is acknowledged
    and long before all is judged; and its meters after the start that follows."""
    folder = tmp_path_factory.mktemp("whole")
    engine = Engine(plant(folder), folder / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics)
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        meters = engine.metrics()
        assert engine.stop() == 0
    assert_log_is_whole(items)
    return items, meters


def without_pack(told):
    """Stories without what says of which edition the pack was."""
    return {
        key: [
            (topic, {name: value for name, value in body.items() if name not in ABOUT_THE_PACK})
            for topic, body in story
        ]
        for key, story in told.items()
    }


def test_a_stop_drains_and_a_restart_repeats_nothing(whole):
    """A service manager stops engines every week; each warning comes once."""
    items, meters = whole
    assert len(items) > 1000
    assert meters["tocsin_readings_received_total"] == 0, "something was read again"
    assert meters["tocsin_warnings_repeated_total"] == 0
    assert meters["tocsin_egress_seq"] == len(items)


def test_a_restart_in_the_middle_is_not_noticed(whole, traffics, nursery, tmp_path):
    """What is armed, on or clearing when the engine is stopped goes on where it was."""
    engine = Engine(plant(tmp_path), tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=HALF)
        assert engine.stop() == 0
        engine.start()
        push(engine, traffics, first=HALF)
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    assert stories(items) == stories(whole[0])


def test_unchanged_rules_go_on_while_others_change(whole, traffics, nursery, tmp_path):
    """An author who corrects one rule must not clear, repeat or lose the warnings of another."""
    config = plant(tmp_path)
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=HALF)
        assert engine.stop() == 0
        edit(config, ("value", "mean(10s)", "max(25s)", "min(15s)"))
        engine.start()
        push(engine, traffics, first=HALF)
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    expected, told = without_pack(stories(whole[0])), without_pack(stories(items))
    same = [key for key in expected if not key[1].endswith("max")]
    assert len(same) > 100
    for key in same:
        assert told[key] == expected[key], key
    assert any(key[1].endswith("min") for key in told)
    # The window of `max` is another: its latches stay, and nothing is said to be over.
    assert not [body for _, body in items if body["event"] == "superseded"]
    assert "rules_swapped" in engine.log.read_text()


def test_old_sensors_go_on_while_new_ones_come(whole, traffics, nursery, tmp_path):
    """A new mine in the catalogue must not disturb the old ones, wherever it is written."""
    config = plant(tmp_path)
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=HALF)
        assert engine.stop() == 0
        shutil.rmtree(config.parent)
        new = [("A-new", "G-0", "A-new-site", "methane"), ("B-new", "G-0", "G-1-S0", "co")]
        plant(tmp_path, rows=[*new, *sensor_rows()])
        engine.start()
        push(engine, traffics, first=HALF)
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    assert stories(items) == stories(whole[0])


def test_unchanged_rules_go_on_when_their_pack_is_edited_after_a_crash(
    whole, traffics, nursery, tmp_path
):
    """After a crash the engine judges the last seconds again, now with an edited pack; what it
    said before stands, and what the unchanged rules say after it fits to that."""
    config = plant(tmp_path)
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=HALF)
        wait_until(lambda: engine.metrics()["tocsin_egress_seq"] > 500, "warnings are sent", 60)
        engine.kill()
        edit(config, ("value", "mean(10s)", "max(25s)"))
        engine.start()
        push(engine, traffics, first=HALF)
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    expected = without_pack(stories(whole[0]))
    told = without_pack(stories(warnings_of(items)))
    same = [key for key in expected if not key[1].endswith("max")]
    assert len(same) > 100
    for key in same:
        assert told[key] == expected[key], key


def edit(config, values):
    """Write the pack anew, with other rules."""
    text = pack_text(values=values)
    (config.parent / "packs" / "network.yaml").write_text(text)


def warnings_of(items):
    return [item for item in items if item[0].startswith("warning/")]


def test_an_address_that_is_taken_is_named(nursery, tmp_path):
    """An operator who starts the wrong file must read which address it wanted."""
    config = plant(tmp_path)
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    with running(engine):
        for number in range(4):
            other = Engine(config, tmp_path / f"other-{number}", nursery=nursery)
            other.ports[number] = engine.ports[number]
            other.spawn()
            assert other.wait() == 69, other.tail()
            assert str(engine.ports[number]) in other.tail()
        assert engine.stop() == 0


def test_ctrl_c_ends_in_order(nursery, tmp_path):
    """A person at a terminal stops an engine as gently as a service manager does."""
    engine = Engine(plant(tmp_path), tmp_path / "data", nursery=nursery)
    with running(engine):
        os.kill(engine.process.pid, signal.SIGINT)
        assert engine.wait() == 0


def damage(path):
    """One bit of a file is not what was written."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 0x10
    path.write_bytes(whole)


def test_a_damaged_state_is_made_again_from_a_whole_journal(whole, traffics, nursery, tmp_path):
    """A bad block below a saved state costs a minute of playing, and no warning."""
    engine = Engine(plant(tmp_path), tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=HALF)
        assert engine.stop() == 0
        damage(max(engine.data.glob("state/*.state")))
        engine.start()
        push(engine, traffics, first=HALF)
        assert engine.stop() == 0
        assert "state_rebuilt" in engine.log.read_text()
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    assert stories(items) == stories(whole[0])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("journal/*.segment", "is damaged at offset"),
        ("egress/*.egress", "is damaged at offset"),
    ],
    ids=["journal", "egress"],
)
def test_damage_is_named_and_nothing_is_started(files, words, traffics, nursery, tmp_path):
    """Acknowledged frames that are gone, or warnings that are, are for a person to decide about;
    an engine that starts as if nothing had happened hides it."""
    engine = Engine(plant(tmp_path), tmp_path / "data", nursery=nursery)
    with running(engine):
        push(engine, traffics, stop=40)
        assert engine.stop() == 0
        path = max(engine.data.glob(files))
        damage(path)
        engine.spawn()
        try:
            assert engine.wait() == 74, engine.tail()
        finally:
            end_for_good(engine)
        assert words in engine.tail()
        assert path.name in engine.tail()
        assert "Traceback" not in engine.tail()
