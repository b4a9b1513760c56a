"""Settings of some sensors: a rule is for each what it would be if it were written for it alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.features import Attributes
from engine.variants import variants_of
from rules import expression as ex
from rules.errors import Place
from rules.units import NUMBER
from tests.engine.plants import Plant, Sensor, book_of, catalogue_of, kind, rule_text, tick, told

SENSORS = [
    Sensor("plain", site="a"),
    Sensor("deep", site="a", attributes={"class": "deep", "limit": "3 m"}),
    Sensor("near", site="b", attributes={"class": "near"}),
    Sensor("off", site="b", attributes={"class": "off"}),
]
OVERRIDES = """
overrides:
  - match: {class: deep}
    set: {ladder.above: {blue: 0.5, red: 2}, ladder.clear: {blue: 0.25, red: 1}}
    reason: deeper than the others
  - match: {class: near}
    set: {ladder.for: 2s, quality.over_range: raise blue, quality.coverage: 30%}
    reason: near the fan
  - match: {class: off}
    set: {mode: disabled}
    reason: being rebuilt
"""
OWN = {
    "plain": ("{blue: 1, red: 4}", "{blue: 0.75, red: 3}", "0s", "raise red", "60%"),
    "deep": ("{blue: 0.5, red: 2}", "{blue: 0.25, red: 1}", "0s", "raise red", "60%"),
    "near": ("{blue: 1, red: 4}", "{blue: 0.75, red: 3}", "2s", "raise blue", "30%"),
}


def ladder(value: str, settings: tuple[str, ...]) -> tuple[str, str]:
    above, clear, hold, over, coverage = settings
    text = f"ladder:\n  value: {value}\n  above: {above}\n  clear: {clear}\n  for: {hold}"
    more = f"quality: {{over_range: {over}, stale_after: 5s, coverage: {coverage}}}"
    return text + "\n  clear_for: 1s", more


def plant_of(value: str, settings: tuple[str, ...], overrides: str = "") -> Plant:
    text, more = ladder(value, settings)
    rule = rule_text(text + overrides, more=more)
    sensors = [replace(sensor, high=6.0) for sensor in SENSORS]
    return Plant(catalogue_of([kind()], sensors), book_of(rule), silence_ns=0)


VALUES = ["value", "mean(3s)", "value + 0 m"]
VARIED = {value: plant_of(value, OWN["plain"], OVERRIDES) for value in VALUES}
ALONE = {(v, name): plant_of(v, own) for v in VALUES for name, own in OWN.items()}
walks = st.lists(st.sampled_from([0.0, 0.3, 0.6, 1.0, 2.5, 5.0, 9.0, None]), max_size=14)


def said(plant: Plant, walk: list[float | None]) -> list[object]:
    work = [
        [plant.points([(s.name, float(second), value) for s in SENSORS])]
        for second, value in enumerate(walk)
        if value is not None
    ]
    return plant.run([*work, [tick(40)]])


@pytest.mark.parametrize("value", VALUES)
@given(walk=walks)
def test_each_sensor_is_judged_by_its_own_settings(value, walk):
    """An override that leaks to a neighbour is a warning by numbers that nobody wrote for it."""
    varied = said(VARIED[value], walk)
    for sensor in SENSORS:
        mine = [message for message in varied if message[1]["subject"] == sensor.name]
        if sensor.name == "off":
            assert not mine
            continue
        every = said(ALONE[value, sensor.name], walk)
        alone = [message for message in every if message[1]["subject"] == sensor.name]
        keys = ("event", "grade", "previous", "peak", "event_time", "value", "margins", "coverage")
        assert [repr([b[k] for k in keys]) for _, b in mine] == [
            repr([b[k] for k in keys]) for _, b in alone
        ]


def test_a_rule_has_no_grades_where_it_does_not_apply():
    """`where` leaves sensors out, and an unknown attribute is no reason to let them in."""
    plant = plant_of("mean(3s)", OWN["plain"])
    (plan,) = plant.plan.banks[0].pane_rules
    place = Place("r.yaml", 1, 1)
    kind_of = ex.Attribute("sensor", "class", NUMBER, is_text=True, is_point=False, place=place)
    where = ex.Compare(("==",), (kind_of, ex.Text("deep", place)), place)
    chosen = replace(plan, rule=replace(plan.rule, input=replace(plan.rule.input, where=where)))
    attributes = Attributes(plant.catalogue, np.arange(4, dtype=np.int32))
    assert variants_of(chosen, attributes, today="").of.tolist() == [-1, 0, -1, -1]


def test_overrides_end_with_their_last_day():
    """A number that was meant for a week must not stand for years."""
    text, more = ladder("value", OWN["plain"])
    until = OVERRIDES.replace("    reason: deeper", "    until: 2026-11-23\n    reason: deeper")
    plant = Plant(catalogue_of([kind()], SENSORS), book_of(rule_text(text + until, more=more)))
    (plan,) = plant.plan.banks[0].reading_rules
    attributes = Attributes(plant.catalogue, np.arange(4, dtype=np.int32))
    by_day = {
        day: variants_of(plan, attributes, today=day) for day in ("2026-11-23", "2026-11-24", "")
    }
    enters = {day: found.plan_of(1).grades[0].enter for day, found in by_day.items()}
    assert enters == {"2026-11-23": 0.5, "2026-11-24": 1.0, "": 0.5}


def test_an_override_may_switch_on_what_is_off_for_the_others():
    """A rule can be tried where somebody wants it first."""
    text, more = ladder("value", OWN["plain"])
    switch = OVERRIDES.replace("{mode: disabled}", "{mode: live}")
    plant = Plant(
        catalogue_of([kind()], SENSORS),
        book_of(rule_text(text + switch, more=more + "\nmode: disabled")),
        silence_ns=0,
    )
    messages = plant.run([[plant.points([(s.name, 0.0, 5.0) for s in SENSORS])]])
    assert [body["subject"] for _, body in messages] == ["off"]


def test_a_shadow_is_told_where_nobody_hears_it_by_chance():
    """Sirens follow `warning/`: a rule on trial must never sound one."""
    text, more = ladder("value", OWN["plain"])
    plant = Plant(
        catalogue_of([kind()], SENSORS),
        book_of(rule_text(text, more=more + "\nmode: shadow")),
        silence_ns=0,
    )
    [(topic, body)] = plant.run([[plant.points([("plain", 0.0, 5.0)])]])
    assert topic == "shadow/red/test/140200/a"
    assert (body["mode"], body["event"], body["grade"]) == ("shadow", "raised", "red")


def test_what_is_beyond_the_cap_is_on_the_record_only():
    """A model alone never issues red; but whoever asks later sees what it thought."""
    text, more = ladder("value", OWN["plain"])
    plant = Plant(
        catalogue_of([kind()], SENSORS),
        book_of(rule_text(text, more=more + "\ncap: blue")),
        silence_ns=0,
    )
    values = [1.0, 5.0, 5.0, 1.0, 1.0, 0.0, 0.0]
    messages = plant.run([plant.feed("plain", values), [tick(9)]])
    assert [(e, g) for e, g, _ in told(messages)] == [
        *(("raised", "blue"), ("updated", "blue"), ("updated", "blue"), ("cleared", "none")),
    ]
    assert [b["judged"] for _, b in messages] == ["blue", "red", "blue", "none"]
    assert [b["revision"] for _, b in messages] == [0, 1, 2, 3]
    assert all(b["peak"] == "blue" for _, b in messages)


def test_a_rule_for_all_types_is_kept_apart_on_each():
    """One rule, two types: the state of one must not be taken for that of the other."""
    rule = """
  - id: missing
    title: {zh: 失联, en: Silent}
    hazard: data_quality
    input: {type: "*"}
    by: [sensor]
    ladder:
      value: age / asset.period
      above: {blue: 3}
      clear: {blue: 1.5}
      clear_for: 0s
"""
    sensors = [Sensor("g"), Sensor("w", type="water")]
    plant = Plant(catalogue_of([kind(), kind("water")], sensors), book_of(rule), silence_ns=0)
    shard = plant.shard()
    work = [plant.points([(name, float(t), 1.0) for name in "gw"]) for t in range(3)]
    work += [plant.points([("w", float(t), 1.0)]) for t in range(3, 9)]
    messages = [m for item in work for m in shard.advance([item])]
    messages += shard.advance([tick(9)])
    assert [(b["subject"], b["event"]) for _, b in messages] == [("g", "raised")]
    homes = [name for name in shard.columns() if name.endswith("/line")]
    assert len(homes) == len(set(homes)) == 2
