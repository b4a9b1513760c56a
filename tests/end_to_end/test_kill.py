"""The kill harness: an engine under load is killed again and again, and nobody notices.

Twenty-five times SIGKILL, at random moments: in the middle of the very first start, while it
restores, while frames, warnings and snapshots are being written.  Gateways keep their frames and
send them again.  In the end the warnings are those of an engine that was never disturbed, and
those of an oracle that has never heard of engines.
"""

import os
import random
from collections import Counter
from functools import partial

import pytest

from tests.end_to_end.engines import Engine, end_for_good, running, wait_until
from tests.end_to_end.network import GATEWAYS, LADDER, TYPE_LINES, Traffic, pack_text, sensor_rows
from tests.end_to_end.plants import write_plant
from tests.end_to_end.senders import Fleet, Sender
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer
from tests.reference.value_ladder import events_of

SEED = int(os.environ.get("KILL_SEED", "25"))
KILLS = 25
# What an engine makes first; it is killed as soon as each is there, before any gateway calls.
FIRST_SIGHTS = ("journal", "journal/*", "egress/*", "recovery*", "recovery/*")
SECONDS = 1500
# How long engines live: from their start on, or from their first frame or snapshot on.
START_S, LIFE_S = (0.05, 0.8), (0.02, 1.2)
# Frames of each gateway: a share of 1/21 of the 300 lasts about as long as a life.
PER_SECOND = 12
WARNINGS_MIN = 1000


@pytest.fixture(scope="module")
def traffics():
    return [Traffic(name, SECONDS) for name in GATEWAYS]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kill") / "plant"
    return write_plant(
        folder, types=TYPE_LINES, sensors=sensor_rows(), packs={"network": pack_text()},
        more="snapshot_every: 1s\n",
    )  # fmt: skip


def fleet_for(engine, traffics):
    return Fleet([Sender(t.gateway, t.frames(), engine.intake) for t in traffics])


def told_by(engine):
    """Everything in the egress log of an engine that is up."""
    with Consumer(engine.warnings, engine.replay) as consumer:
        return consumer.everything()


@pytest.fixture(scope="module")
def undisturbed(config, traffics, nursery, tmp_path_factory):
    """What the same readings lead to when nothing happens to the engine."""
    engine = Engine(config, tmp_path_factory.mktemp("calm") / "data", nursery=nursery)
    with running(engine), fleet_for(engine, traffics) as fleet:
        fleet.pump(60, until=lambda: fleet.is_done)
        assert fleet.is_done
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    assert_log_is_whole(items)
    return items


def kill_before_the_first_frame(engine):
    """On an empty disk, as soon as each of the things of a first start is there."""
    for sight in FIRST_SIGHTS:
        engine.spawn()
        wait_until(partial(any_of, engine.data, sight), f"{sight} never appears", 60)
        engine.kill()


def any_of(folder, pattern):
    return next(folder.glob(pattern), None) is not None


def kill_under_load(engine, fleet, rng, share):
    """Start, let the gateways push, kill; returns what was seen: a count of each thing."""
    snapshot, acknowledged = newest_snapshot(engine), fleet.durable_count
    engine.spawn()
    pump = partial(fleet.pump, share=share, per_second=PER_SECOND)
    moment = rng.choice(("start", "start", "frames", "frames", "frames", "snapshot"))
    if moment == "start":
        pump(rng.uniform(*START_S))
    else:
        pump(60, until=lambda: fleet.durable_count > acknowledged)
        assert fleet.durable_count > acknowledged, f"nothing is acknowledged\n{engine.tail()}"
        if moment == "snapshot":
            # The second says that Bytewax has heard of the first.
            # Nothing is saved where nothing has changed, so it may be over before that.
            pump(5, until=lambda: newest_snapshot(engine) > snapshot + 1 or has_sent(fleet, share))
        pump(rng.uniform(*LIFE_S))
    assert engine.process.poll() is None, engine.tail()
    meters = engine.metrics() if engine.ask("metrics") is not None else {}
    engine.kill()
    for sender in fleet.senders:
        # Some gateways see that the link is gone; others find out when nothing answers.
        sender.is_welcome &= rng.random() < 0.5
    assert meters.get("tocsin_warnings_different_total", 0) == 0
    return {
        "ready": bool(meters),
        "repeated": meters.get("tocsin_warnings_repeated_total", 0) > 0,
    }


def has_sent(fleet, share):
    """Every gateway has nothing left of its share of this life."""
    return all(s.durable >= int(len(s.frames) * share) for s in fleet.senders)


def newest_snapshot(engine):
    """The number of the newest saved state; 0 where none is."""
    states = (engine.data / "state").glob("*.state")
    return max((int(path.stem.rsplit("-", 1)[1]) for path in states), default=0)


@pytest.fixture(scope="module")
def survived(config, traffics, nursery, tmp_path_factory):
    """The warnings of an engine that was killed 25 times, and what else was seen."""
    rng = random.Random(SEED)
    engine = Engine(config, tmp_path_factory.mktemp("killed") / "data", nursery=nursery)
    seen = Counter()
    under_load = KILLS - len(FIRST_SIGHTS)
    try:
        kill_before_the_first_frame(engine)
        with fleet_for(engine, traffics) as fleet:
            for life in range(under_load):
                # Whatever the machine's speed, something is left for the lives to come.
                share = (life + 1) / (under_load + 1)
                seen.update(kill_under_load(engine, fleet, rng, share))
            engine.start()
            fleet.pump(60, until=lambda: fleet.is_done)
            assert fleet.is_done, engine.tail()
            seen["resent"] = fleet.resent_count
            seen["restored"] = engine.log.read_text().count('"state_restored"')
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    finally:
        end_for_good(engine)
    return items, seen, engine


def test_the_harness_has_seen_what_it_is_made_for(survived):
    """A harness whose engine never ran, never lost a frame, never restored proves nothing."""
    items, seen, engine = survived
    assert engine.exits == [-9] * KILLS + [0, 0], engine.tail()
    assert len(items) >= WARNINGS_MIN
    assert seen["ready"] >= KILLS // 3
    assert seen["resent"] > 0, "no frame was ever sent twice"
    assert seen["repeated"] > 0, "no warning was ever decided twice"
    assert seen["restored"] > 2, "hardly a snapshot was ever restored"


def test_kills_change_no_warning(survived, undisturbed):
    """Whoever pulls the plug of an engine must not silence, repeat or bend a warning."""
    items, _, _ = survived
    assert_log_is_whole(items)
    told, expected = stories(items), stories(undisturbed)
    assert told.keys() == expected.keys()
    for key, story in expected.items():
        assert told[key] == story, key


def test_the_ladder_says_what_the_oracle_says(survived, traffics):
    """The undisturbed engine could be wrong in the same way; the oracle shares nothing with it."""
    items, _, _ = survived
    told = stories([item for item in items if item[1]["rule"].endswith("-value")])
    expected = {}
    for traffic in traffics:
        for name in traffic.names:
            events = list(events_of(traffic.readings_of(name), LADDER))
            if events:
                rule = f"{name.rsplit('-', 1)[1]}-value"
                expected["network", rule, name] = events
    assert told.keys() == expected.keys()
    assert sum(map(len, expected.values())) >= WARNINGS_MIN
    for key, events in expected.items():
        bodies = [body for _, body in told[key]]
        found = [
            (
                b["revision"],
                b["event"],
                b["grade"],
                b["previous"],
                b["peak"],
                b["event_time"],
                b["value"],
            )
            for b in bodies
        ]
        assert found == [event[1:] for event in events], key
        ids = {(event.episode, body["id"]) for event, body in zip(events, bodies, strict=True)}
        assert len(ids) == len({b["id"] for b in bodies}) == events[-1].episode
