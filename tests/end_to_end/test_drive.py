"""The same engine driven by hand: a journal recorded live tells again what was told live."""

import random

import msgpack
import pytest

from engine.assembly import assemble
from engine.config import load as load_config
from engine.content import WIRE_VERSION
from engine.drive import ClosedJournal, Drive
from engine.meters import Meters
from engine.rerun import Sources
from engine.sinks import EgressLog
from tests.end_to_end.engines import Engine, end_for_good
from tests.end_to_end.plants import write_plant
from tests.end_to_end.test_live_kill import MORE, PACK, RULE, SENSORS, SITE_OF, TYPE, Live
from tests.end_to_end.warnings import stories

RUNS = 3


ROWS = [
    (f"{gateway}-{number}", gateway, site, "methane")
    for gateway, site in SITE_OF.items()
    for number in range(SENSORS)
]
RULES = {"value": "value", "mean": "mean(3s)", "age": "age / 1s * 0.4"}


def pack_of(rules):
    return PACK + "".join(RULE.format(name=n, value=v) for n, v in rules.items())


def live_through(folder, nursery, texts):
    """An engine that lives once with each pack, and is killed in between."""
    config = write_plant(
        folder / "plant", types=[TYPE], sensors=ROWS, packs={"live": texts[0]}, clock="wall",
        more=MORE,
    )  # fmt: skip
    engine = Engine(config, folder / "data", nursery=nursery)
    live = Live(engine, random.Random(3))
    with live.fleet:
        try:
            for number, text in enumerate(texts):
                (folder / "plant" / "packs" / "live.yaml").write_text(text)
                engine.start()
                live.run(3.0)
                if number < len(texts) - 1:
                    engine.kill()
                    live.run(0.5)
            live.fleet.pump(20, until=lambda: live.fleet.is_done)
            assert live.fleet.is_done
            assert engine.stop() == 0
        finally:
            end_for_good(engine)
    return config, engine.data


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, nursery):
    """An engine that has lived, been killed, and lived again; its configuration and its data."""
    return live_through(tmp_path_factory.mktemp("recorded"), nursery, [pack_of(RULES)] * RUNS)


def told_live(data):
    """Everything in the egress log of an engine that has ended."""
    log = EgressLog.open(data / "egress", Meters([]))
    told = []
    while found := log.read(len(told) + 1, 1000):
        told += [(stored.topic, msgpack.unpackb(stored.body)) for stored in found]
    log.close()
    assert all(body.pop("v") == WIRE_VERSION for _, body in told)
    return told


@pytest.mark.parametrize(("shards", "turn_bytes"), [(1, 16 << 20), (3, 4096)])
def test_a_journal_driven_again_tells_what_was_told_live(recorded, shards, turn_bytes):
    """Who tries a rule on last month's journal must see last month's warnings, to the letter."""
    config, data = recorded
    told = told_live(data)
    drive = Drive.of(assemble(load_config(config, [f"shards={shards}"], data)))
    journal = ClosedJournal(data / "journal")

    again = [message for turn in drive.play(journal, turn_bytes) for message in turn.messages]

    events = {(body["rule"], body["event"]) for _, body in told}
    assert {("value-high", "blind"), ("mean-high", "raised"), ("age-high", "cleared")} <= events
    assert stories(again) == stories(told)


def test_rules_that_changed_on_the_way_are_obeyed_where_they_did(tmp_path, nursery):
    """Last month's warnings were told by last month's rules; whoever asks about them must hear
    those, whatever the files say today."""
    tuned = pack_of(RULES).replace("red: 1.5", "red: 1.1")
    texts = [pack_of(RULES), tuned, pack_of({"value": "value"})]
    config, data = live_through(tmp_path, nursery, texts)
    told = told_live(data)
    journal = ClosedJournal(data / "journal")
    assembly, sets = Sources(config, None, ()).sets(journal)
    drive = Drive.of(assembly, sets)

    again = [message for turn in drive.play(journal) for message in turn.messages]

    assert sets is not None
    assert len({body["digest"] for _, body in told}) == len(texts)
    assert "superseded" in {body["event"] for _, body in told}
    assert stories(again) == stories(told)
    assert drive.heard_sensors() == {name for name, *_ in ROWS}
