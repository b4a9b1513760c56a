"""The earthquake of 24 January 2018 off Aomori, as nine K-NET stations recorded it, in noise.

Truth, from the records alone (vertical components, the first five seconds' mean taken off; a
record starts 15 s before its `Record Time`, which is in Japanese time): a plain loop sees
STA/LTA(0.5 s, 10 s) of 4 together with 2 gal within a second first at 16.4, 16.5, 16.5 and 17.5 s
after the origin, at the fourth station thus at 10:51:36.6 UTC; at eight stations in all.  The noise
before and after is made of each record's own first eight seconds, nobody shakes there.
"""

import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.columns import Series
from tests.scenarios.world import DATA, NS_PER_S, make_world, only

FOLDER = DATA / "seismic" / "strong-motion" / "knet-2018-01-24"
TYPES = (
    "types:\n  - {name: accelerometer, unit: gal, kind: waveform, lateness: 0s, period: 10ms, "
    "precision: float32}\n"
)
ORIGIN = datetime(2018, 1, 24, 10, 51, 19, 90_000, tzinfo=UTC)
FOURTH = ORIGIN + timedelta(seconds=17.5)
HZ = 100
PERIOD_NS = NS_PER_S // HZ
# Hours of noise take minutes: `make proofs` waits for them.
MINUTES_BEFORE, MINUTES_AFTER = (240, 60) if "TOCSIN_LONG" in os.environ else (25, 5)

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the recorded accelerograms are not here"),
]


def records():
    """By station: position, start in ns, samples in gal without their mean."""
    found = {}
    for path in sorted(FOLDER.glob("*.UD")):
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        head = {line[:18].strip(): line[18:].strip() for line in lines[:17]}
        gal, counts = head["Scale Factor"].split("(gal)/")
        values = np.array([float(v) for line in lines[17:] for v in line.split()])
        values *= float(gal) / float(counts)
        local = datetime.strptime(head["Record Time"], "%Y/%m/%d %H:%M:%S")  # noqa: DTZ007
        start = local.replace(tzinfo=UTC) - timedelta(hours=9, seconds=15)
        position = float(head["Station Lat."]), float(head["Station Long."])
        found[head["Station Code"]] = (
            position,
            int(start.timestamp()) * NS_PER_S,
            values - values[: 5 * HZ].mean(),
        )
    return found


def ground(record, start_ns, seconds, seed, *, glitch_at=None):
    """The ground at a station: its record among noise made of the record's own quiet beginning."""
    _, record_ns, values = record
    quiet = values[: 8 * HZ] - values[: 8 * HZ].mean()
    rng = np.random.default_rng(seed)
    pieces = [
        np.roll(quiet, rng.integers(quiet.size)) * rng.uniform(0.5, 1.0) * rng.choice((-1, 1))
        for _ in range(seconds // 8 + 1)
    ]
    samples = np.concatenate(pieces)[: seconds * HZ]
    at = (record_ns - start_ns) // PERIOD_NS
    stop = min(at + values.size, samples.size)
    if 0 <= at < samples.size:
        samples[at:stop] = values[: stop - at]
    if glitch_at is not None:
        samples[glitch_at * HZ : glitch_at * HZ + 50] += 300.0
    return samples.astype(np.float32)


def listen(folder, *, start_ns, seconds, glitch_at=None, shards=1):
    """What the engine tells of the network between two instants."""
    stations = records()
    sites = ["site,name_zh,name_en,division,lat,lon"]
    sensors = ["sensor,gateway,site,type,period,range_low,range_high"]
    for name, ((lat, lon), _, _) in stations.items():
        sites.append(f"{name},{name},{name},100000,{lat},{lon}")
        sensors.append(f"{name}-UD,G-{name},{name},accelerometer,,-4000,4000")
    drive = make_world(
        folder,
        [only("earthquake", "quake-detect", "station-shaken")],
        types=TYPES,
        sites=sites,
        sensors=sensors,
        shards=shards,
    )
    samples = {
        name: ground(record, start_ns, seconds, seed, glitch_at=glitch_at)
        for seed, (name, record) in enumerate(stations.items())
    }
    numbers = [f"{name}-UD" for name in stations]
    catalogue = list(drive.shards[0].catalogue.sensors.name)
    told = []
    empty = np.empty((0, 0), np.uint8)
    for second in range(seconds):
        work = []
        for layout in (shard.layout for shard in drive.shards):
            items = []
            for name, number in zip(stations, numbers, strict=True):
                dense = layout.dense[catalogue.index(number)]
                if dense >= 0:
                    block = samples[name][second * HZ : (second + 1) * HZ][None, :]
                    sensor = np.array([dense], np.int32)
                    t0_ns = start_ns + second * NS_PER_S
                    items.append(Series(sensor, t0_ns, PERIOD_NS, block, empty, t0_ns + NS_PER_S))
            work.append(items)
        told += [body for _, body in drive.advance(work)]
    return told


def clusters(told):
    return [b for b in told if b["rule"] == "quake-detect" and b["event"] == "raised"]


@pytest.mark.timeout(1800)
def test_one_trigger_at_the_right_time_and_none_in_noise(tmp_path):
    start_ns = int((ORIGIN - timedelta(minutes=MINUTES_BEFORE)).timestamp()) * NS_PER_S
    seconds = (MINUTES_BEFORE + MINUTES_AFTER) * 60
    told = listen(tmp_path, start_ns=start_ns, seconds=seconds)
    found = clusters(told)
    assert len(found) == 1
    raised = datetime.fromtimestamp(found[0]["event_time"] / NS_PER_S, UTC)
    assert abs(raised - FOURTH) < timedelta(seconds=1)
    grown = max(len(b["evidence"]) for b in told if b["rule"] == "quake-detect")
    assert grown >= 6


def test_a_glitch_on_all_stations_at_once_is_no_earthquake(tmp_path):
    start_ns = int((ORIGIN - timedelta(hours=3)).timestamp()) * NS_PER_S
    told = listen(tmp_path, start_ns=start_ns, seconds=300, glitch_at=120)
    assert clusters(told) == []


def test_the_same_warnings_with_three_shards(tmp_path):
    start_ns = int((ORIGIN - timedelta(seconds=60)).timestamp()) * NS_PER_S
    one = listen(tmp_path / "one", start_ns=start_ns, seconds=180)
    three = listen(tmp_path / "three", start_ns=start_ns, seconds=180, shards=3)

    def said(told):
        return sorted((b["id"], b["revision"], b["event"], b["event_time"]) for b in told)

    assert said(one) == said(three)
    assert clusters(one)
