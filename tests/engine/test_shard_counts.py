"""What goes wrong inside a shard without stopping it is counted, and said once."""

import random

from structlog.testing import capture_logs

from engine.anomaly import ModelPlan
from engine.meters import render
from tests.engine.plants import Plant, Sensor, book_of, catalogue_of, feature, kind, rule_text
from tests.engine.test_model_state import MODELS

MESSAGE = """message:
  en: {headline: "{{ sensor.place }} is high"}
  zh: {headline: "{{ sensor.place }} 超限"}"""


def test_a_template_that_fails_is_counted_each_time_and_said_once():
    """The warning goes out with other words; the author never learns of it by himself."""
    sensors = [Sensor("s", attributes={"place": "T2"}), Sensor("bare")]
    ladder = "ladder: {value: value, above: {blue: 5}, clear: {blue: 4}, clear_for: 0s}"
    rules = [rule_text(ladder, name=name, more=MESSAGE) for name in ("r", "q")]
    plant = Plant(catalogue_of([kind()], sensors), book_of(*rules))
    shard = plant.shard()
    with capture_logs() as said:
        told = [
            message
            for second, value in enumerate([6.0, 1.0, 6.0, 1.0, 6.0])
            for message in shard.advance([plant.points([("s", second, value)])])
        ]
        assert len(told) == 10
        assert shard.meters.template_failures == {}
        for second, value in enumerate([6.0, 1.0, 6.0]):
            told = shard.advance([plant.points([("bare", 10 + second, value)])])
            assert len(told) == 2

    # An end is told in the engine's own words.
    assert shard.meters.template_failures == {"p/r": 2, "p/q": 2}
    assert sorted((line["event"], line["rule"]) for line in said) == [
        ("template_failed", "p/q"),
        ("template_failed", "p/r"),
    ]
    assert all("place" in line["reason"] for line in said)
    assert b'tocsin_template_failures_total{rule="p/r"} 2.0' in render(shard.meters)


def test_a_model_that_goes_back_to_its_copy_is_counted():
    """A detector that forgets again and again detects nothing; that must be seen from outside."""
    rule = rule_text("levels: {yellow: {when: 'anomaly > 100'}}")
    detector, parameters = MODELS["scorer"]
    model = ModelPlan("m", detector, parameters, (feature("value"),), None, 1e9)
    plant = Plant(catalogue_of([kind()], [Sensor("s")]), book_of(rule), models={"gas": model})
    shard = plant.shard()
    shard.advance(plant.feed("s", [1.0] * 30))
    assert shard.meters.model_resets == {"m": 0}
    # After spikes have left its window, the scorer's variance is a little below zero.
    random_ = random.Random(3)
    wild = [random_.choice([1e3, -1e3]) if random_.random() < 0.05 else 1.0 for _ in range(300)]
    shard.advance(plant.feed("s", dict(enumerate(wild, 30))))
    [bank] = shard.banks
    assert bank.anomaly is not None
    assert bank.anomaly.reset_count > 0
    assert shard.meters.model_resets == {"m": bank.anomaly.reset_count}
    text = f'tocsin_model_resets_total{{model="m"}} {bank.anomaly.reset_count}.0'
    assert text.encode() in render(shard.meters)
