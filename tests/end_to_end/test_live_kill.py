"""Live operation under kills: the wall clock is in the journal, so the journal tells it all again.

In `clock: wall` silence itself moves the clock, and an engine that is dead for a second writes no
ticks.  What a killed and restarted engine has said must be what a second engine says that is given
nothing but a copy of the journal.
"""

import random
import shutil
import time
import zlib

import numpy as np
import pytest

from tests.end_to_end.engines import Engine, end_for_good, running
from tests.end_to_end.plants import write_plant
from tests.end_to_end.senders import Fleet, Sender
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer

GATEWAYS = ("G-1", "G-2", "G-3")
# One site is watched by two gateways, and waits for the slower.
SITE_OF = {"G-1": "S-1", "G-2": "S-2", "G-3": "S-2"}
SENSORS = 12
KILLS = 6
FRAME_EVERY_S = 0.1
PACK = """\
tocsin: 1
pack: live
version: 1.0.0
owner: tests
rules:
"""
RULE = """\
  - id: {name}-high
    title: {{zh: 试验, en: Trial}}
    hazard: gas
    mode: live
    input: {{type: methane, unit: "%", period: 1s}}
    by: [sensor]
    quality: {{stale_after: 2s, unknown: hold, max_blind: 500ms, coverage: 10%}}
    ladder:
      value: {value}
      above: {{blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}}
      deadband: 0.2
      for: {{blue: 700ms, yellow: 300ms, orange: 0s, red: 0s}}
      clear_for: {{blue: 1s, yellow: 500ms, orange: 500ms, red: 300ms}}
    message:
      zh: {{headline: "{{{{ sensor.name }}}}"}}
      en: {{headline: "{{{{ sensor.name }}}}"}}
"""
TYPE = '{name: methane, unit: "%", kind: gauge, lateness: 500ms, period: 1s}'
MORE = "snapshot_every: 1s\nsilence: 1s\nfuture_max: 5s\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    rows = [
        (f"{gateway}-{number}", gateway, SITE_OF[gateway], "methane")
        for gateway in GATEWAYS
        for number in range(SENSORS)
    ]
    rules = {"value": "value", "mean": "mean(3s)", "age": "age / 1s * 0.4"}
    text = PACK + "".join(RULE.format(name=n, value=v) for n, v in rules.items())
    return write_plant(
        tmp_path_factory.mktemp("live") / "plant",
        types=[TYPE], sensors=rows, packs={"live": text}, clock="wall", more=MORE,
    )  # fmt: skip


class Live:
    """Gateways that measure now and then send; each falls silent for a while."""

    def __init__(self, engine, rng):
        self.rng = rng
        self.fleet = Fleet([Sender(name, [], engine.intake) for name in GATEWAYS])
        self.next_at = dict.fromkeys(GATEWAYS, 0.0)
        self.start = time.monotonic()

    def run(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for number, sender in enumerate(self.fleet.senders):
                second = int(time.monotonic() - self.start)
                if (second + 3 * number) % 11 < 3 or time.monotonic() < self.next_at[sender.name]:
                    continue  # silent
                self.next_at[sender.name] = time.monotonic() + FRAME_EVERY_S
                sender.frames.append(self.frame(len(sender.frames) + 1))
            self.fleet.pump(0.02)

    def frame(self, seq):
        raw = np.arange(SENSORS, dtype="<u4").tobytes() + np.zeros(SENSORS, "<u4").tobytes()
        raw += np.array(
            [self.rng.choice((0.1, 0.1, 0.7, 1.2, 2.0)) for _ in range(SENSORS)]
        ).tobytes()
        fields = {"t": "frame", "v": 1, "session": 1, "seq": seq, "kind": "points", "n": SENSORS}
        fields |= {"t0": time.time_ns(), "codec": "raw", "size": len(raw), "width": 8}
        return fields | {"crc": zlib.crc32(raw), "quality": False}, raw


def test_the_journal_of_a_killed_engine_tells_the_same_again(config, nursery, tmp_path):
    """After an accident people ask why a siren was silent; the journal must give the answer that
    was given on the day, kills, silences and all."""
    rng = random.Random(7)
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    live = Live(engine, rng)
    with live.fleet:
        try:
            for _ in range(KILLS):
                engine.start()
                live.run(rng.uniform(0.3, 3.0))
                engine.kill()
                live.run(rng.uniform(0.0, 1.2))
            engine.start()
            live.run(1.0)
            live.fleet.pump(20, until=lambda: live.fleet.is_done)
            assert live.fleet.is_done
            assert engine.stop() == 0
        finally:
            end_for_good(engine)
    shutil.copytree(tmp_path / "data" / "journal", tmp_path / "again" / "journal")
    told = log_of(engine)
    again = log_of(Engine(config, tmp_path / "again", nursery=nursery))

    assert engine.exits == [-9] * KILLS + [0, 0, 0]
    assert_log_is_whole(told)
    seen = {(body["rule"], body["event"]) for _, body in told}
    assert {("value-high", "blind"), ("value-high", "restored"), ("mean-high", "raised")} <= seen
    assert {("age-high", "raised"), ("age-high", "cleared")} <= seen
    first, second = stories(told), stories(again)
    assert len(told) > 200
    for key in first.keys() | second.keys():
        # The later an engine ends, the more ticks it has heard, and the more it may say.
        shorter = min(len(first.get(key, [])), len(second.get(key, [])))
        assert first.get(key, [])[:shorter] == second.get(key, [])[:shorter], key
    # Up to where both have heard ticks they say the same, no more and no less.
    end_ns = min(max(body["event_time"] for _, body in log) for log in (told, again))
    assert said_before(told, end_ns) == said_before(again, end_ns)


def said_before(log, end_ns):
    """Ids and revisions of what was true well before an instant."""
    settled_ns = end_ns - 15 * 1_000_000_000
    return {(b["id"], b["revision"]) for _, b in log if b["event_time"] < settled_ns}


def log_of(engine):
    """Everything in the egress log, once all that is durable has been judged."""
    with running(engine):
        assert engine.stop() == 0
        engine.start()
        with Consumer(engine.warnings, engine.replay) as consumer:
            items = consumer.everything()
        assert engine.stop() == 0
    return items
