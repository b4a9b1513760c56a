"""What the bill says is what a shard holds: each array of a bank, to the byte."""

import pytest

from rules.plan import CARD_BYTES, LATCH_BYTES
from tests.engine.plants import Plant, S, Sensor, book_of, catalogue_of, kind, rule_text
from tests.engine.test_feature_stories import raw_book

CONDITIONS = [
    "mean(10s) > 1 m and slope(1min) > 1 m/s and change(30s) > 1 m",
    "median(30s) > 3 m and median(1min, offset=5min) > 3 m",
    "slope(1min, robust=true) > 1 m/s or count(10s, offset=20s) < 3",
    "ewma(20s) > 1 m and bad_share(10s) > 10 % and age > 5s",
    "time_to(5 m, trend=1min) < 1h and inverse_velocity(1min) < 1h",
    "zscore(1min) > 3 and noise(2min) < 1 m",
    "value > 3 m",
]


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("is_raw", [False, True])
def test_the_bill_of_a_feature_is_what_is_allocated(condition: str, is_raw: bool):
    """An operator buys memory by this number before the first frame."""
    rule = rule_text(f"levels: {{blue: {{when: '{condition}'}}}}")
    book = raw_book(rule) if is_raw else book_of(rule)
    sensors = [Sensor(f"s{number}") for number in range(7)]
    plant = Plant(catalogue_of([kind(lateness_ns=2 * S)], sensors), book)
    shard = plant.shard()
    held = sum(c.nbytes for name, c in shard.columns().items() if name.startswith("bank/gas/"))
    bank = plant.plan.banks[0]
    rules = len(bank.reading_rules) + len(bank.pane_rules)
    assert rules == 1
    assert 7 * (bank.bytes_per_sensor - CARD_BYTES - LATCH_BYTES * rules) == held


def test_a_waveform_with_onsets_and_motion_is_billed_too():
    rule = rule_text(
        'levels: {blue: {when: "stalta(500ms, 5s) > 3 and pga(2s) > 1 m/s^2"}}',
        sensor_type="wave",
        unit="m/s^2",
    )
    types = [kind("wave", unit="m/s^2", kind="waveform", period_ns=10_000_000)]
    sensors = [Sensor("w", "wave", period_ns=10_000_000)]
    plant = Plant(catalogue_of(types, sensors), book_of(rule))
    held = sum(c.nbytes for n, c in plant.shard().columns().items() if n.startswith("bank/wave/"))
    assert plant.plan.banks[0].bytes_per_sensor - CARD_BYTES - LATCH_BYTES == held
