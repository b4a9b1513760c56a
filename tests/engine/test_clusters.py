"""Clusters of stations: a wave is one warning, a noisy station and a network fault are none."""

from dataclasses import replace

import numpy as np
import pytest

from engine.columns import Series
from tests.engine.plants import (
    MS,
    NO_QUALITIES,
    START,
    Plant,
    S,
    Sensor,
    book_of,
    by_subject,
    catalogue_of,
    kind,
    tick,
    told,
)

QUAKE = """
  - id: quake
    title: {zh: 地震触发, en: Earthquake trigger}
    hazard: earthquake
    mode: live
    inputs:
      sta: {type: wave, unit: cm/s^2, period: 20ms, many: true}
    quality: {stale_after: 2s, unknown: ignore}
    cluster:
      of: sta
      when: "stalta(500ms, 10s) >= 4 and max(1s) >= 2 cm/s^2"
      radius: 60 km
      within: 12s
      members: 4
      moveout: 3 km/s .. 8.5 km/s
      exclude: {same_site: true, same_network_glitch: 80%}
      key: cluster
      linger: 20s
    levels:
      blue: {when: cluster.size >= 4}
      yellow: {when: cluster.size >= 4 and cluster.max(max(3s)) >= 10 cm/s^2}
      red: {when: cluster.size >= 6 and cluster.median(max(3s)) >= 80 cm/s^2}
    downgrade: never_within 5s
    area: cluster.hull(buffer=30 km)
"""
DAM = """
  - id: check-dam
    title: {zh: 复核, en: Check the dam}
    hazard: compound
    mode: live
    by: [dam]
    levels:
      yellow: {when: 'rule("p/quake").within(30s, radius=100 km) >= blue'}
"""
SIDE, SPACING_KM, LENGTH_S = 5, 20.0, 60
KM_PER_DEGREE = 111.195
PERIOD = 20 * MS


def network(rules=QUAKE, networks=1):
    """Five by five stations, 20 km apart, each a site of its own, two of them on one dam."""
    sensors = [
        Sensor(
            f"S{row}{column}",
            "wave",
            f"site-{row}{column}",
            f"gw-{row}",
            period_ns=PERIOD,
            attributes={"dam": "near" if row < 2 else "far", "network": f"N{row % networks}"},
        )
        for row in range(SIDE)
        for column in range(SIDE)
    ]
    types = [kind("wave", unit="cm/s^2", kind="waveform", period_ns=PERIOD)]
    catalogue = catalogue_of(types, sensors)
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    sites = replace(
        catalogue.sites,
        lat=35.0 + row * SPACING_KM / KM_PER_DEGREE,
        lon=105.0 + column * SPACING_KM / (KM_PER_DEGREE * np.cos(np.radians(35.0))),
    )
    return Plant(replace(catalogue, sites=sites), book_of(rules))


def recorded(plant, arrival_s, peak, seed=1):
    """Noise, and a burst of five seconds from each station's arrival on; None: none comes."""
    rng = np.random.default_rng(seed)
    count = len(plant.catalogue.sensors.name)
    time_s = np.arange(LENGTH_S * S // PERIOD) * (PERIOD / S)
    samples = 0.1 * rng.standard_normal((count, time_s.size))
    for number, arrival in enumerate(arrival_s):
        if arrival is not None:
            shaken = (time_s >= arrival) & (time_s < arrival + 5)
            samples[number, shaken] += peak * np.sin(30 * time_s[shaken])
    return samples


def played(plant, samples, count=1, cut_s=1, later=lambda number: 0):
    """One second of each station at a time, the sites one after another, then silence."""
    per_cut = cut_s * S // PERIOD
    work = []
    for start in range(0, samples.shape[1], per_cut):
        t0_ns = START + start * PERIOD
        part = samples[:, start : start + per_cut]
        for number in np.argsort([later(n) for n in range(samples.shape[0])], kind="stable"):
            work.append(
                [
                    Series(
                        *(np.array([number], dtype=np.int32), t0_ns, PERIOD),
                        *(part[number : number + 1], NO_QUALITIES, t0_ns + per_cut * PERIOD),
                    )
                ]
            )
        work.append([tick((start + per_cut) * PERIOD / S)])
    work += [[tick(LENGTH_S + second)] for second in range(1, 60)]
    return plant.run(work, count)


def arrivals(plant, km_north, km_east, speed_km_s=6.0, begun_s=20.0):
    """When a wave from a place so far from the south-west corner reaches each station."""
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    away = np.hypot(row * SPACING_KM - km_north, column * SPACING_KM - km_east)
    return [begun_s + float(one) / speed_km_s for one in away]


def test_one_wave_is_one_warning():
    """From the fourth station on that it reaches, and for as long as the ground is not at rest."""
    plant = network()
    arrival = arrivals(plant, 43.0, 37.0)

    messages = played(plant, recorded(plant, arrival, 50.0))

    assert len({body["id"] for _, body in messages}) == 1
    event, grade, second = told(messages)[0]
    assert (event, grade) == ("raised", "yellow")
    fourth = sorted(arrival)[3]
    assert fourth < second < fourth + 1.5
    first = messages[0][1]
    assert first["subject"].endswith(" S22")
    # The fourth and the fifth are as far away as each other.
    assert sorted(one["sensor"] for one in first["evidence"]) == ["S12", "S21", "S22", "S23", "S32"]
    assert first["area"]["type"] == "Polygon"
    assert first["lat"] == pytest.approx(35.0 + 40 / KM_PER_DEGREE, abs=0.2)
    assert told(messages)[-1][0] == "cleared"
    # The last station is reached and shakes for up to five seconds; the cluster lingers for twenty,
    # and no downgrade comes within five.
    assert max(arrival) + 25 < told(messages)[-1][2] < max(arrival) + 31


def test_a_message_about_a_cluster_shows_what_its_members_make_of_it():
    """How many stations, and how strong, where who reads it has no other screen."""
    text = '{{ cluster.name }}: {{ many }} stations, {{ most | q("cm/s^2", 0) }}'
    more = f"""    let: {{many: cluster.size, most: cluster.max(max(3s))}}
    message: {{zh: {{headline: '{text}'}}, en: {{headline: '{text}'}}}}
    downgrade: never_within 5s
"""
    plant = network(QUAKE.replace("    downgrade: never_within 5s\n", more))
    messages = played(plant, recorded(plant, arrivals(plant, 43.0, 37.0), 50.0))
    first = messages[0][1]
    assert first["headline"]["en"] == f"{first['subject']}: 5 stations, 50 cm/s^2"


def test_one_noisy_station_never_triggers():
    plant = network()
    arrival = [20.0, *[None] * 24]

    assert played(plant, recorded(plant, arrival, 200.0)) == []


def test_three_stations_are_not_enough():
    plant = network()
    arrival = [20.0, 23.0, *[None] * 3, 23.0, *[None] * 19]

    assert played(plant, recorded(plant, arrival, 200.0)) == []


def test_a_whole_network_at_once_is_a_fault():
    """A plane glitch is no wave, however strong."""
    plant = network()

    assert played(plant, recorded(plant, [20.0] * 25, 200.0)) == []


def test_stations_that_no_wave_could_reach_in_that_order_are_no_cluster():
    """Four neighbours, but the wave would have to jump."""
    plant = network()
    arrival = [None] * 25
    for station, second in ((0, 20.0), (1, 29.5), (5, 30.0), (6, 20.2)):
        arrival[station] = second

    assert played(plant, recorded(plant, arrival, 200.0)) == []


def test_shards_cuts_and_order_of_arrival_change_nothing():
    """The same wave, whoever is heard first."""
    plant = network(QUAKE + DAM)
    samples = recorded(plant, arrivals(plant, 12.0, 60.0), 120.0)

    stories = [
        by_subject(played(plant, samples)),
        by_subject(played(plant, samples, count=3)),
        by_subject(played(plant, samples, count=2, cut_s=3, later=lambda n: -n)),
    ]

    assert len(stories[0]) == 3  # the cluster, and both dams that it reaches
    assert stories[0] == stories[1] == stories[2]


def test_a_dam_hears_of_the_earthquakes_around_it():
    """And for as long as it asks for, also when the ground is at rest again."""
    plant = network(QUAKE + DAM)

    messages = played(plant, recorded(plant, arrivals(plant, 12.0, 60.0), 50.0))

    near = [one for one in messages if one[1]["subject"] == "near"]
    quake = [one for one in messages if one[1]["rule"] == "quake"]
    assert [one[0] for one in told(near)] == ["raised", "cleared"]
    assert told(near)[0][2] == told(quake)[0][2]
    assert told(near)[1][2] == told(quake)[-1][2] + 30


def test_a_restart_in_the_middle_of_a_wave_says_the_same():
    """What is remembered is all that counts."""
    plant = network(QUAKE + DAM)
    samples = recorded(plant, arrivals(plant, 43.0, 37.0), 50.0)
    whole = played(plant, samples)

    correlate = plant.correlate()
    shard = plant.shard()
    found = []
    for second in range(LENGTH_S + 60):
        if second in (21, 24, 30, 50):
            saved = {name: column.copy() for name, column in correlate.columns().items()}
            kept = {name: column.copy() for name, column in shard.columns().items()}
            correlate, shard = plant.correlate(), plant.shard()
            correlate.restore(saved)
            shard.restore(kept)
        work = []
        if second < LENGTH_S:
            start = second * S // PERIOD
            part = np.ascontiguousarray(samples[:, start : start + S // PERIOD])
            t0_ns = START + second * S
            every = np.arange(part.shape[0], dtype=np.int32)
            work = [Series(every, t0_ns, PERIOD, part, NO_QUALITIES, t0_ns + S)]
        found += shard.advance([*work, tick(second + 1)])
        report = shard.report()
        if report is not None:
            found += correlate.advance([report])

    assert by_subject(found) == by_subject(whole)
