"""Recorded earthquakes as `series` frames, end to end, against an oracle in one plain loop.

Eight stations, one component each, 100 samples a second, pushed by strangers' gateways in frames
of every length, as float64 and as float32; some seconds of some stations are lost on the way.
Every event of an STA/LTA ladder must be the oracle's.
"""

import itertools
import struct

import numpy as np
import pytest

from tests.end_to_end.engines import DATA, Engine, running
from tests.end_to_end.plants import write_plant
from tests.end_to_end.warnings import assert_log_is_whole
from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, points, series
from tests.reference import seismic
from tests.reference.seismic import Ladder, events_of

PICKED = DATA / "seismic" / "picked"
# Clear and unclear onsets, a sensor that is dead for a while, and one that never triggers.
STATIONS = (
    *("BG_ACR_2012082505145960", "BK_SCZ_2015010319313383", "NC_GBD_1985021117290228"),
    *("NC_KCPB_2003093001160889", "CI_MLAC_2017042709015422", "PG_AR_2004102501154586"),
    *("NP_1845_2008013001525083", "BG_DRK_2008042312375958"),
)
VERTICAL = 2
PERIOD_NS = 10_000_000
START_NS = 1_760_000_000_000_000_000
MS = 1_000_000
LADDER = Ladder(
    short=50,
    long=1000,
    gap_ns=500 * MS,
    enter=(2.0, 3.0, 5.0, 10.0),
    clear=(1.2, 1.5, 2.5, 5.0),
    hold_ns=(300 * MS, 0, 0, 100 * MS),
    clear_hold_ns=(2000 * MS, 1050 * MS, 1000 * MS, 500 * MS),
    blind_ns=4000 * MS,
)
PACK = """\
tocsin: 1
pack: quake
version: 1.0.0
owner: tests
rules:
  - id: onset
    title: {zh: 震动触发, en: Onset}
    hazard: earthquake
    mode: live
    input: {type: acceleration, unit: gal, period: 10ms, kind: waveform}
    by: [sensor]
    quality: {stale_after: 10s, unknown: hold, max_blind: 4s}
    ladder:
      value: stalta(500ms, 10s)
      above: {blue: 2, yellow: 3, orange: 5, red: 10}
      clear: {blue: 1.2, yellow: 1.5, orange: 2.5, red: 5}
      for: {blue: 300ms, yellow: 0s, orange: 0s, red: 100ms}
      clear_for: {blue: 2s, yellow: 1050ms, orange: 1s, red: 500ms}
    message:
      zh: {headline: "{{ site.name }} {{ value | q('', 1) }}", advice: {default: 避险}}
      en: {headline: "{{ site.name }} {{ value | q('', 1) }}", advice: {default: Take cover}}
"""
TYPE = "{name: acceleration, unit: gal, kind: waveform, lateness: 0s, period: 10ms}"
# (first sample, samples) that never arrive: shorter than the short term, and longer.
LOST = {3: ((3600, 30), (4200, 40)), 5: ((3700, 300),), 7: ((3040, 700),)}

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not PICKED.exists(), reason=f"the recorded data is not there: {PICKED}"),
]


def recording(name):
    return np.load(PICKED / f"{name}.npz")["data"][:, VERTICAL]


def kept_runs(station, size):
    """The runs of samples of a station that do arrive."""
    at = 0
    for first, count in LOST.get(station, ()):
        yield at, first
        at = first + count
    yield at, size


def frames_of(number, station, values, *, width):
    """(fields, body) of a station's frames, of ever other lengths; `number` counts them."""
    lengths = itertools.cycle((100, 37, 1, 512, 250, 9))
    for first, stop in kept_runs(station, values.size):
        at = first
        while at < stop:
            size = min(next(lengths), stop - at)
            samples = [values[at : at + size].tolist()]
            t0 = START_NS + at * PERIOD_NS
            yield series(1, next(number), [0], samples, t0=t0, period=PERIOD_NS, width=width)
            at += size


def points_of(number, station, values):
    """The same samples as single readings."""
    for first, stop in kept_runs(station, values.size):
        for at in range(first, stop, 400):
            some = values[at : min(at + 400, stop)].tolist()
            rows = [(0, step * PERIOD_NS // 1000, value) for step, value in enumerate(some)]
            yield points(1, next(number), rows, t0=START_NS + at * PERIOD_NS)


def narrowed(values):
    """What a gateway that sends float32 has measured."""
    raw = struct.pack(f"<{values.size}f", *values)
    return np.array(struct.unpack(f"<{values.size}f", raw))


def push(engine, gateway_name, frames):
    """Send frames as credit allows, and wait until the last is on disk."""
    with Gateway(engine.intake, gateway_name) as gateway:
        gateway.hello()
        for fields, body in frames:
            gateway.send(fields, body)
            gateway.wait_durable(fields["seq"] - gateway.credit + 1)
        gateway.wait_durable(fields["seq"])
        assert not gateway.naks


@pytest.fixture(scope="module")
def stations():
    """name -> (number, values): every second one is sent as float32, the last as points."""
    found = {}
    for number, name in enumerate(STATIONS):
        values = recording(name)
        found[name] = (number, narrowed(values) if number % 2 else values)
    found["as-points"] = (3, found[STATIONS[3]][1])
    return found


@pytest.fixture(scope="module")
def bodies(stations, nursery, tmp_path_factory):
    """Every warning of one engine that all stations push to, one after the other."""
    folder = tmp_path_factory.mktemp("quake") / "plant"
    rows = [(name, f"G-{name}", f"S-{name}", "acceleration") for name in stations]
    config = write_plant(folder, types=[TYPE], sensors=rows, packs={"quake": PACK})
    engine = Engine(config, folder / "data", nursery=nursery)
    with running(engine):
        for name, (station, values) in stations.items():
            counter = itertools.count(1)
            width = 4 if station % 2 else 8
            frames = frames_of(counter, station, values, width=width)
            if name == "as-points":
                frames = points_of(counter, station, values)
            push(engine, f"G-{name}", frames)
        assert engine.stop() == 0
        engine.start()
        with Consumer(engine.warnings, engine.replay) as consumer:
            items = consumer.everything()
    assert_log_is_whole(items)
    return [body for _, body in items]


def samples_of(station, values):
    """(time, value) of what arrives of a recording."""
    return [
        (START_NS + at * PERIOD_NS, float(values[at]))
        for first, stop in kept_runs(station, values.size)
        for at in range(first, stop)
    ]


def test_every_onset_is_the_one_that_the_plain_loop_finds(bodies, stations):
    """A second of an earthquake warning is a floor of a house: each event at its exact instant."""
    total, seen = 0, set()
    for name, (station, values) in stations.items():
        mine = [b for b in bodies if b["subject"] == name]
        found = [(b["revision"], b["event"], b["grade"], b["event_time"]) for b in mine]
        events = list(events_of(samples_of(station, values), LADDER))
        assert found == [event[1:] for event in events], name
        ids = {}
        for body, event in zip(mine, events, strict=True):
            ids.setdefault(event.episode, set()).add(body["id"])
        assert all(len(of_episode) == 1 for of_episode in ids.values())
        total += len(events)
        seen |= {event.event for event in events}

    assert total == len(bodies) > 60
    assert seen == {"raised", "upgraded", "downgraded", "cleared", "blind", "restored"}
    assert not [
        b for b in bodies if b["subject"] == "NP_1845_2008013001525083" and b["grade"] == "red"
    ]


def test_a_warning_shows_the_ratio_it_was_judged_by(bodies, stations):
    """People who must explain a warning look at its value; it has to be the one that was judged."""
    compared = 0
    for body in bodies:
        if body["event"] not in ("raised", "upgraded") or body["grade"] in ("blue", "red"):
            continue  # these two are held for a while, and the ratio moves meanwhile
        ratio = seismic.ratios(samples_of(*stations[body["subject"]]), LADDER)[body["event_time"]]
        assert body["value"] == pytest.approx(ratio, rel=1e-9)
        compared += 1
    assert compared > 10
