"""Rules about other rules and stories in steps, over dams and slopes that several sites watch."""

from dataclasses import replace

import pytest

from tests.engine.plants import (
    START,
    Plant,
    S,
    Sensor,
    book_of,
    by_rule,
    by_subject,
    catalogue_of,
    kind,
    tick,
    told,
)

POINT = """
  - id: {name}
    title: {{zh: 点, en: Point}}
    hazard: {hazard}
    mode: live
    input: {{type: {type}, unit: m}}
    by: [sensor]
    quality: {{stale_after: 1h}}
    ladder: {{value: value, above: {{blue: 1, yellow: 2, orange: 3, red: 4}}, deadband: 0.5,
      for: 0s, clear_for: 0s}}
"""
MOVE = POINT.format(name="move", hazard="stability", type="gauge")
SEEP = POINT.format(name="seep", hazard="seepage", type="well")
OVERALL = """
  - id: overall
    title: {{zh: 综合, en: Overall}}
    hazard: dam
    mode: live
    rollup:
      of: [move, seep]
      by: [dam]
      take: highest
      promote:
        - {{count: 4, at: blue, to: yellow}}
        - {{count: 3, at: yellow, to: orange}}
        - {{count: 2, at: orange, to: red}}
{each}
"""
TYPES = (kind("gauge"), kind("well"), kind("rain"))


def dam_of(*rules, each=False):
    """Six gauges and four wells on one dam, a gauge on another; three sites watch them."""
    sensors = [
        Sensor(f"{sort[0]}{n}", sort, f"site-{n % 3}", f"gw-{n % 3}", attributes={"dam": "D1"})
        for sort, count in (("gauge", 6), ("well", 4))
        for n in range(count)
    ]
    sensors.append(Sensor("other", "gauge", "site-0", "gw-0", attributes={"dam": "D2"}))
    overall = OVERALL.format(each="      each: hazard" if each else "")
    return Plant(catalogue_of(TYPES, sensors), book_of(MOVE, SEEP, overall, *rules))


def steps(plant, changes, end=40):
    """A frame of all sensors each second; `changes`: by second, what which sensors read then."""
    now = dict.fromkeys(plant.catalogue.sensors.name, 0.0)
    work = []
    for second in range(end):
        now |= changes.get(second, {})
        work.append([plant.points([(name, second, value) for name, value in now.items()])])
        work.append([tick(second)])
    return [*work, [tick(end + 60)]]


def overall(plant, changes, count=1):
    messages = plant.run(steps(plant, changes), count)
    return [one for one in messages if one[1]["rule"] == "overall"]


@pytest.mark.parametrize(
    ("readings", "grade"),
    [
        ({"g0": 1.5, "g1": 1.5, "g2": 1.5}, "blue"),
        ({"g0": 1.5, "g1": 1.5, "g2": 1.5, "w0": 1.5}, "yellow"),
        ({"g0": 2.5, "g1": 2.5}, "yellow"),
        ({"g0": 2.5, "g1": 2.5, "w1": 2.5}, "orange"),
        ({"g0": 3.5, "w1": 3.5}, "red"),
        ({"other": 1.5}, "blue"),
    ],
)
def test_many_count_as_a_higher_grade(readings, grade):
    """4 blue count as yellow, 3 yellow as orange, 2 orange as red."""
    messages = overall(dam_of(), {10: readings})

    assert told(messages) == [("raised", grade, 10.0)]
    assert messages[0][1]["subject"] == ("D2" if "other" in readings else "D1")


def test_each_hazard_is_counted_first_and_then_counts_once():
    """Four gauges and four wells: two yellow items, not eight blue points."""
    readings = {f"g{n}": 1.5 for n in range(4)} | {f"w{n}": 1.5 for n in range(4)}
    mixed = {f"g{n}": 1.5 for n in range(2)} | {f"w{n}": 1.5 for n in range(2)}

    assert [g for _, g, _ in told(overall(dam_of(each=True), {10: readings}))] == ["yellow"]
    assert [g for _, g, _ in told(overall(dam_of(each=True), {10: mixed}))] == ["blue"]
    assert [g for _, g, _ in told(overall(dam_of(), {10: mixed}))] == ["yellow"]


def test_what_rises_falls_again_at_the_instants_of_its_members():
    plant = dam_of()
    up = {f"g{n}": 1.5 for n in range(4)}

    messages = overall(plant, {5: up, 9: {"g0": 0.0}, 12: dict.fromkeys(up, 0.0)})

    assert told(messages) == [
        ("raised", "yellow", 5.0),
        ("downgraded", "blue", 9.0),
        ("cleared", "none", 12.0),
    ]


def test_any_number_of_shards_rolls_up_the_same():
    plant = dam_of()
    changes = {5: {"g0": 3.5}, 7: {"g1": 3.5, "w2": 1.5}, 20: {"g0": 0.0}, 25: {"other": 9.0}}

    stories = [by_subject(overall(plant, changes, count)) for count in (1, 2, 3)]

    assert stories[0]["D1"]
    assert stories[0] == stories[1] == stories[2]


FOLLOW = """
  - id: follow
    title: {zh: 跟随, en: Follow}
    hazard: dam
    mode: live
    by: [dam]
    let:
      seen: 'rule("p/overall").within(10s)'
      now:  'rule("p/overall").grade'
    levels:
      blue: {when: seen >= yellow}
      red: {when: 'now >= yellow and rule("p/overall").age >= 6s'}
"""


def test_a_rule_remembers_what_another_said_lately():
    """For ten seconds after it ended; and red once it has stood for six."""
    plant = dam_of(FOLLOW)

    messages = plant.run(steps(plant, {5: {"g0": 2.5}, 8: {"g0": 0.0}, 20: {"g0": 2.5}}), 2)

    follow = [one for one in messages if one[1]["rule"] == "follow"]
    assert told(follow) == [
        ("raised", "blue", 5.0),
        ("cleared", "none", 18.0),
        ("raised", "blue", 20.0),
        ("upgraded", "red", 26.0),
    ]


STORY = """
  - id: story
    title: {zh: 降雨滑坡, en: Rain and slide}
    hazard: landslide
    mode: live
    inputs:
      rain: {type: rain, unit: m}
      disp: {type: gauge, unit: m}
      pump: {type: well, unit: m}
    by: [slope]
    quality: {stale_after: 5s}
    sequence:
      within: 40s
      steps:
        - {as: wet, when: rain.value >= 8 m}
        - {as: move, when: disp.value >= 1 m, for: 3s, after: wet, within: 20s}
        - {as: nodrain, absent: pump.value >= 2 m, after: wet, within: 10s}
      reset: rain.value < 1 m and disp.value < 0.1 m
    levels:
      blue: {when: seq.wet}
      yellow: {when: seq.wet and seq.nodrain}
      orange: {when: seq.wet and seq.move}
"""


def slope(changes, count=1, silent=frozenset(), end=80):
    sensors = [
        Sensor(name, sort, site, f"gw-{site}", attributes={"slope": "L1"})
        for name, sort, site in (
            ("rain", "rain", "top"), ("disp", "gauge", "middle"), ("pump", "well", "foot")
        )
    ]  # fmt: skip
    plant = Plant(catalogue_of(TYPES, sensors), book_of(STORY))
    now = {"rain": 2.0, "disp": 0.5, "pump": 0.0}
    work = []
    for second in range(end):
        now |= changes.get(second, {})
        rows = [(n, second, v) for n, v in now.items() if (n, second) not in silent]
        work += [[plant.points(rows)], [tick(second)]]
    return told(plant.run([*work, [tick(end + 5)]], count))


def test_steps_are_reached_in_their_order_and_time():
    """Movement before the rain is no slide set off by rain; after it, once it has held."""
    still_raining = {10: {"rain": 9.0}, 15: {"disp": 2.0}}
    reached = [("raised", "blue", 10.0), ("upgraded", "orange", 18.0)]

    # The story is over 40 s after its first step; where all still holds, the next begins at once.
    assert slope({2: {"disp": 5.0}, 6: {"disp": 0.5}, **still_raining}) == reached
    assert slope({**still_raining, 20: {"rain": 5.0}}) == [*reached, ("cleared", "none", 50.0)]


def test_what_comes_too_late_is_no_step():
    assert slope({10: {"rain": 9.0, "pump": 3.0}, 28: {"disp": 2.0}}, end=45) == [
        ("raised", "blue", 10.0)
    ]


def test_absence_is_what_has_been_seen_not_to_happen():
    """Ten seconds without the pump; a pump that runs once in that time ends the hope."""
    assert slope({10: {"rain": 9.0}}, end=45) == [
        ("raised", "blue", 10.0),
        ("upgraded", "yellow", 20.0),
    ]
    assert slope({10: {"rain": 9.0}, 15: {"pump": 5.0}, 17: {"pump": 0.0}}, end=45) == [
        ("raised", "blue", 10.0)
    ]


def test_unknown_is_not_absence():
    """A pump that nothing is heard of may be running: its seconds do not count."""
    silent = {("pump", second) for second in range(12, 22)}

    found = slope({10: {"rain": 9.0}}, silent=silent, end=45)

    # Known until 16 (the reading of 11 and five seconds), and again from 22 on.
    assert found == [("raised", "blue", 10.0), ("upgraded", "yellow", 26.0)]


def test_a_reset_ends_the_story():
    found = slope({10: {"rain": 9.0, "pump": 3.0}, 14: {"rain": 0.0, "disp": 0.0}}, count=3)

    assert found == [("raised", "blue", 10.0), ("cleared", "none", 14.0)]


def test_late_readings_reach_followers_the_same_wherever_work_is_cut():
    """A late reading still moves its sensor's rule; when others hear of it is no matter of luck."""
    plant = dam_of(FOLLOW)
    plant = replace(plant, catalogue=patient(plant.catalogue))
    work = []
    for second in range(40):
        rows = [(name, second, 0.0) for name in plant.catalogue.sensors.name if name != "g0"]
        work.append(plant.points(rows))
        if second % 4 == 3:
            # Seven seconds late: its site's clock has long passed it.
            value = 2.5 if second % 8 == 3 else 0.0
            work.append(plant.points([("g0", second - 7, value)], received_ns=START + second * S))
        work.append(tick(second))
    work.append(tick(120))

    stories = [
        by_rule(plant.run([work[at : at + cut] for at in range(0, len(work), cut)], count))
        for cut, count in ((1, 1), (7, 1), (11, 2), (1000, 3))
    ]

    assert len(stories[0]["overall", "D1"]) > 5
    assert stories[0] == stories[1] == stories[2] == stories[3]


def patient(catalogue):
    """The same, but its types wait for two seconds."""
    types = tuple(replace(kind, lateness_ns=2 * S) for kind in catalogue.types)
    return replace(catalogue, types=types)
