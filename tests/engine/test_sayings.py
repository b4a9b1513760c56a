"""Sayings: a message tells what was measured when the grade changed; no more is measured."""

import pytest

from engine.grades import NS_PER_S as S
from tests.engine.plants import (
    Plant,
    Sensor,
    book_of,
    canonical,
    catalogue_of,
    kind,
    rule_text,
    tick,
)

TYPES = (kind("gas"), kind("heat"))


LONE = (Sensor("g1"),)


def plant(rule, sensors=LONE):
    return Plant(catalogue_of(TYPES, sensors), book_of(rule))


def headlines(messages, language="en"):
    return [(body["event"], body["headline"][language]) for _, body in messages]


def seconds(plant, sensor, values):
    return [*([*plant.feed(sensor, {s: v}), tick(s)] for s, v in enumerate(values)), [tick(99)]]


def message(text):
    return f'message: {{zh: {{headline: "{text}"}}, en: {{headline: "{text}"}}}}'


def test_a_message_shows_the_lets_at_the_instant_of_the_change():
    """Who reads `rises 1 m/min` decides by it: it must be the number behind the grade."""
    rule = rule_text(
        "levels: {blue: {when: mean(2s) >= 3 m, clear: mean(2s) < 1 m}}",
        more="let: {up: slope(4s), high: mean(2s) >= 4 m, top: max(3s)}\n"
        + message("{{ up | q('m/min', 1) }}; {{ top }}; {{ high }}; {{ value | q('m', 2) }}"),
    )
    told = plant(rule)
    messages = told.run(seconds(told, "g1", [0, 1, 2, 3, 4, 5]))
    assert headlines(messages)[0] == ("raised", "60.0 m/min; 4 m; no; 3.50 m")
    assert headlines(messages, "zh")[0] == ("raised", "60.0 m/min; 4 m; 否; 3.50 m")
    assert "sayings" not in messages[0][1]


def test_what_is_unknown_is_shown_as_such_in_both_languages():
    rule = rule_text(
        "ladder: {value: mean(2s), above: {blue: 3}}",
        more="let: {up: slope(60s), left: 'time_to(9 m, trend=4s)'}\n"
        + message("{{ value }} {{ up }} {{ left | dur }} {{ left }}"),
    )
    told = plant(rule)
    messages = told.run(seconds(told, "g1", [5, 5, 5, 5, 5]))
    assert headlines(messages)[0][1].startswith("5 m no data ")
    assert headlines(messages, "zh")[0][1].startswith("5 m 无数据 ")


def test_never_has_words():
    """A level that falls reaches the dyke never, not in `no data`."""
    rule = rule_text(
        "ladder: {value: mean(4s), below: {blue: 3}}",
        more="let: {left: 'time_to(9 m, trend=4s)'}\n"
        + message("{{ value }} {{ left | dur }} {{ left }}"),
    )
    told = plant(rule)
    messages = told.run(seconds(told, "g1", [8, 7, 6, 5, 4, 3, 2, 1, 0]))
    assert headlines(messages)[0][1].endswith("never never")
    assert headlines(messages, "zh")[0][1].endswith("不会 不会")


def test_a_rule_on_readings_shows_its_reading_and_attributes():
    rule = rule_text(
        "ladder: {value: value, above: {blue: 3}, clear_for: 1s}",
        more="let: {over: value - asset.limit}\n"
        + message("{{ value }} {{ over | q('cm', 0) }} {{ tank.name }} {{ duration | dur }}"),
    )
    sensor = Sensor("g1", attributes={"limit": "3 m", "tank": "T9"})
    told = plant(rule, (sensor,))
    messages = told.run(seconds(told, "g1", [0, 4, 4, 4, 0, 0, 0]))
    assert headlines(messages)[0] == ("raised", "4 m 100 cm T9 0 s")


BASIN = """
  - id: r
    title: {zh: 演练, en: Exercise}
    hazard: test
    inputs: {rain: {type: gas, unit: m, many: true}, level: {type: heat, unit: m}}
    by: [basin]
    let: {most: rain.max_of(mean(2s)), up: level.slope(4s), wet: rain.any(value >= 4 m)}
    levels: {blue: {when: level >= 3 m, clear: level < 1 m}}
    message:
      zh: {headline: "{{ basin.name }} {{ level | q('m', 1) }} {{ most }} {{ up }} {{ wet }}"}
      en: {headline: "{{ basin.name }} {{ level | q('m', 1) }} {{ most }} {{ up }} {{ wet }}"}
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_message_about_an_instance_shows_what_its_members_told(count):
    sensors = [
        Sensor("r1", "gas", attributes={"basin": "Qing"}),
        Sensor("r2", "gas", site="b", gateway="h", attributes={"basin": "Qing"}),
        Sensor("l", "heat", attributes={"basin": "Qing"}),
    ]
    told = plant(BASIN, sensors)
    groups = [
        [told.points([("r1", s, 2.0), ("r2", s, 5.0), ("l", s, float(s))]), tick(s)]
        for s in range(8)
    ]
    messages = told.run([*groups, [tick(99)]], count)
    assert headlines(messages)[0] == ("raised", "Qing 3.0 m 5 m 1 m/s yes")
    assert headlines(messages, "zh")[0] == ("raised", "Qing 3.0 m 5 m 1 m/s 是")


def test_the_same_message_says_the_same_wherever_turns_end():
    rule = rule_text(
        "levels: {blue: {when: mean(2s) >= 3 m, for: 3s, clear: mean(2s) < 1 m, clear_for: 2s}}",
        more="let: {up: slope(4s)}\n" + message("{{ up }} {{ value }} {{ duration | dur }}"),
    )
    told = plant(rule)
    work = seconds(told, "g1", [0, 1, 3, 5, 6, 4, 5, 6, 7, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9])
    one_by_one = told.run(work)
    at_once = told.run([[item for group in work for item in group]])
    assert [canonical(m) for m in one_by_one] == [canonical(m) for m in at_once]
    assert len(one_by_one) >= 3


def test_what_was_said_survives_a_restart_between_the_change_and_an_escalation():
    """An escalation ten seconds later tells what was measured when the grade changed."""
    rule = rule_text(
        "levels: {blue: {when: mean(2s) >= 3 m, clear: mean(2s) < 1 m}}",
        more="let: {up: slope(4s)}\nescalate: [{from: blue, after: 10s, unless: acknowledged, "
        "to: red}]\n" + message("{{ up }}"),
    )
    told = plant(rule)
    work = seconds(told, "g1", [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4])
    straight = told.run(work)
    assert [event for event, _ in headlines(straight)][:2] == ["raised", "upgraded"]
    assert straight[0][1]["headline"] == straight[1][1]["headline"]
    shard = told.shard()
    messages = []
    for group in work:
        messages += shard.advance(group)
        saved = {name: column.copy() for name, column in shard.columns().items()}
        shard = told.shard()
        shard.restore(saved)
    assert [canonical(m) for m in messages] == [canonical(m) for m in straight]


def test_a_rule_whose_message_names_nothing_measures_nothing():
    rule = rule_text("ladder: {value: mean(2s), above: {blue: 3}}", more="let: {up: slope(600s)}")
    plan = plant(rule).plan.rules[0]
    assert [(f.name, f.windows_ns) for f in plan.features] == [("mean", (2 * S,))]
