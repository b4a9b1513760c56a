"""A site that is dark warns once: its sensors' own warnings are held down."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError
from tests.scenarios.world import make_world, only, play

NS = 1_000_000_000
START_NS = 1_767_225_600 * NS
TYPES = 'types:\n  - {name: methane, unit: "%", kind: gauge, lateness: 2s, period: 10s}\n'
SITES = ["site,name_zh,name_en,division,lat,lon", "A,甲,A,100000,,", "B,乙,B,100000,,"]
SENSORS = [
    "sensor,gateway,site,type,period,range_low,range_high,flat_after,criticality",
    *(f"{site}{number},G-{site},{site},methane,,0,4,," for site in "AB" for number in (1, 2)),
]
# Site B goes on, so that time goes on; both gateways belong to both clocks through one site each.
DARK_FROM, DARK_UNTIL, END = 600, 2400, 3600


def feed(gaps):
    times = np.arange(0, END, 10)
    kept = np.array([not any(a <= t < b for a, b in gaps) for t in times])
    return START_NS + times[kept].astype(np.int64) * NS, np.full(int(kept.sum()), 1.0)


def told_by(tmp_path, rows, dark):
    drive = make_world(
        tmp_path,
        [only("data-quality", "missing", "site-dark")],
        types=TYPES,
        sites=SITES,
        sensors=SENSORS,
    )
    gaps = {name: [(DARK_FROM, DARK_UNTIL)] if name in dark else [] for name in ("A1", "A2")}
    feeds = {name: feed(gaps.get(name, [])) for name in ("A1", "A2", "B1", "B2")}
    return play(drive, feeds, rows=rows)


def said(told):
    return [
        (b["rule"], b["subject"], b["event"], b["grade"], b.get("suppressed", ""))
        for b in sorted(told, key=lambda b: (b["event_time"], b["rule"], b["subject"]))
    ]


@pytest.mark.parametrize("rows", [1, 7, 400])
def test_while_the_site_is_dark_its_sensors_are_muted_however_turns_end(tmp_path, rows):
    told = told_by(tmp_path, rows, {"A1", "A2"})
    (dark,) = [b for b in told if b["rule"] == "site-dark" and b["event"] == "raised"]
    muted = [b for b in told if b["rule"] == "missing" and b.get("suppressed") == "inhibited"]
    assert {b["subject"] for b in muted} == {"A1", "A2"}
    assert min(b["event_time"] for b in muted) == dark["event_time"]
    assert said(told) == said(told_by(tmp_path / "whole", 4000, {"A1", "A2"}))


def test_a_silent_sensor_of_a_site_that_speaks_is_told(tmp_path):
    found = said(told_by(tmp_path, 50, {"A1"}))
    assert ("missing", "A1", "raised", "blue", "") in found


def test_a_rule_inside_one_site_cannot_be_held_down_from_beyond(tmp_path):
    pack = only("data-quality", "missing", "site-dark").replace("by: [site]", "by: [region]")
    sites = [SITES[0] + ",region", *(f"{line},R" for line in SITES[1:])]
    with pytest.raises(ConfigError, match="cannot hold it down"):
        make_world(Path(tmp_path), [pack], types=TYPES, sites=sites, sensors=SENSORS)
