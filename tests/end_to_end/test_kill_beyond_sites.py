"""Rules over many sites in two shards, in an engine that is killed under load.

Each gateway sends as fast as it may, so in each life the sites are heard in another order; what is
said of a division must not depend on that, nor on where the engine was when it was killed.
"""

import random
from collections import Counter

import pytest

from tests.end_to_end.engines import Engine, end_for_good, running
from tests.end_to_end.network import GATEWAYS, TYPE_LINES, Traffic, pack_text, sensor_rows
from tests.end_to_end.plants import write_plant
from tests.end_to_end.test_kill import fleet_for, kill_under_load, told_by
from tests.end_to_end.warnings import assert_log_is_whole, stories

SEED = 4
KILLS = 6
SECONDS = 500
DIVISION = """\
tocsin: 1
pack: division
version: 1.0.0
owner: tests
rules:
  - id: many-high
    title: {zh: 多处偏高, en: Many are high}
    hazard: gas
    mode: live
    inputs:
      gas: {type: methane, unit: "%", period: 1s, many: true}
      co: {type: co, unit: "%", period: 1s, many: true}
    by: [division]
    quality: {stale_after: 30s}
    let:
      high: gas.votes(mean(10s) >= 0.5 %)
    levels:
      blue: {when: high >= 28, for: 5s, clear_for: 5s}
      yellow: {when: high >= 34 and co.max_of(max(20s)) >= 0.5 %, for: 5s, clear_for: 5s}
  - id: site-mean
    title: {zh: 站点均值, en: Mean of a site}
    hazard: gas
    mode: live
    inputs: {gas: {type: methane, unit: "%", period: 1s, many: true}}
    by: [site]
    levels:
      blue: {when: "gas.mean_of(mean(10s)) >= 0.2 %", for: 5s, clear_for: 5s}
  - id: together
    title: {zh: 综合, en: Together}
    hazard: gas
    mode: live
    rollup:
      of: [site-mean, network/co-mean]
      by: [division]
      take: highest
      promote: [{count: 4, at: blue, to: yellow}, {count: 9, at: yellow, to: red}]
"""


@pytest.fixture(scope="module")
def traffics():
    return [Traffic(name, SECONDS, seed=SEED) for name in GATEWAYS]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_plant(
        tmp_path_factory.mktemp("far") / "plant",
        types=TYPE_LINES,
        sensors=sensor_rows(),
        packs={"network": pack_text(values=("mean(10s)",)), "division": DIVISION},
        more="snapshot_every: 1s\nshards: 2\n",
    )


def test_kills_change_no_warning_about_many_sites(config, traffics, nursery, tmp_path_factory):
    """What correlate remembers belongs to the same epoch as what its shards remember."""
    calm = Engine(config, tmp_path_factory.mktemp("calm") / "data", nursery=nursery)
    with running(calm), fleet_for(calm, traffics) as fleet:
        fleet.pump(60, until=lambda: fleet.is_done)
        assert fleet.is_done
        assert calm.stop() == 0
        calm.start()
        expected = told_by(calm)
        assert calm.stop() == 0

    rng, seen = random.Random(SEED), Counter()
    engine = Engine(config, tmp_path_factory.mktemp("killed") / "data", nursery=nursery)
    try:
        with fleet_for(engine, traffics) as fleet:
            for life in range(KILLS):
                seen.update(kill_under_load(engine, fleet, rng, (life + 1) / (KILLS + 1)))
            engine.start()
            fleet.pump(60, until=lambda: fleet.is_done)
            assert fleet.is_done, engine.tail()
            seen["restored"] = engine.log.read_text().count('"state_restored"')
        assert engine.stop() == 0
        engine.start()
        items = told_by(engine)
        assert engine.stop() == 0
    finally:
        end_for_good(engine)

    assert seen["restored"] > 2, "hardly a snapshot was ever restored"
    assert_log_is_whole(items)
    told, wanted = stories(items), stories(expected)
    assert told.keys() == wanted.keys()
    assert len(wanted["division", "many-high", "140200"]) >= 2
    assert len(wanted["division", "together", "140200"]) >= 4
    for key, story in wanted.items():
        assert told[key] == story, key
