"""Each feature in a rule, as its author writes it: when a warning is raised over a plain story."""

import dataclasses

import numpy as np
import pytest

from engine.columns import Series
from rules.needs import danger_side
from rules.pack import Book
from tests.engine.plants import (
    MS,
    NO_QUALITIES,
    START,
    Plant,
    S,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    rule_text,
    tick,
    told,
)

RAMP = [float(t) for t in range(60)]
FLAT = [5.0] * 60
ALTERNATING = [5.0 + t % 2 for t in range(60)]


def level(condition: str, more: str = "") -> str:
    return rule_text(f"levels: {{blue: {{when: '{condition}'}}}}", more=more)


def raised(plant: Plant, values: list[float], quality: dict[int, int] | None = None) -> list[float]:
    """When blue is raised, in seconds."""
    quality = quality or {}
    rows = [("s", float(t), x, quality.get(t, 0)) for t, x in enumerate(values)]
    messages = plant.run([[plant.points([row])] for row in rows] + [[tick(len(values) + 30)]])
    return [at for event, _, at in told(messages) if event == "raised"]


def plant_of(book: Book, type_kind: str = "gauge", limit: str = "100 m") -> Plant:
    sensor = Sensor("s", high=1000.0, attributes={"limit": limit})
    return Plant(catalogue_of([kind(kind=type_kind)], [sensor]), book, silence_ns=0)


STORIES = [
    # Of ten readings in (t - 10, t] the middle is (t - 4.5).
    ("median(10s) > 20 m", RAMP, [25.0]),
    # The third least and more: 0.9 * 9 = 8.1 readings below, at (t - 9 + 8.1).
    ("p(90, 10s) > 20 m", RAMP, [21.0]),
    ("median(10s, offset=20s) > 20 m", RAMP, [45.0]),
    # 8 of 10 readings rise: 28 of 45 slopes.
    ("slope(10s, robust=true) > 0.9 m/s", FLAT[:20] + [5.0 + t for t in range(40)], [27.0]),
    # Of (t - 9 ... t) all but t has the mean t - 5 and the deviation 2.58: 5 / 2.58 at all times.
    ("zscore(10s) > 1.9", RAMP, [5.0]),
    # Even a jump is nothing where nothing else moves: there is no measure for it.
    ("zscore(10s) > 1.9", [*FLAT, 9.0], []),
    ("zscore(20s) > 5", [*ALTERNATING, 9.0], [60.0]),
    # Median 5.5, deviation 0.5 * 1.4826 of twenty others: 3.9 / 0.74 = 5.3.
    ("mad_score(21s) > 5", [*ALTERNATING, 9.4], [60.0]),
    # 10 of 19 differences are 1 or -1: 1.4826 / sqrt(2) = 1.05.
    ("noise(20s) > 0.9 m", FLAT[:30] + ALTERNATING, [40.0]),
    # 45 + 1 - e^{-1} is passed by a step from 45 to 46 after one second of tau.
    ("ewma(5s) > 45.6 m", [45.0] * 30 + [46.0] * 30, [34.0]),
    ("forecast(30s, trend=10s) > 60 m", RAMP, [31.0]),
    ("forecast(30s, trend=10s, p=0.8) > 60 m", RAMP, [31.0]),
    ("time_to(50 m, trend=10s) < 20s", RAMP, [31.0]),
    ("time_to(asset.limit, trend=10s) <= 45s", RAMP, [55.0]),
    ("time_to(0 m, trend=10s) <= 5s", [60.0 - t for t in range(60)], [55.0]),
    # A trend that leads away from the target never reaches it.
    ("time_to(50 m, trend=10s) < 20s", [60.0 + t for t in range(40)], []),
    ("inverse_velocity(20s) < 30s", [-np.log(90 - t) for t in range(85)], None),
    ("bad_share(10s) > 0.25", FLAT, []),
]


@pytest.mark.parametrize(("condition", "values", "expected"), STORIES)
def test_a_feature_raises_when_its_author_would(condition, values, expected):
    found = raised(plant_of(book_of(level(condition))), list(values))
    if expected is None:
        # Thirty seconds before the failure at 90 s, give or take what the parts' means lose.
        assert len(found) == 1
        assert 55 <= found[0] <= 65
    else:
        assert found[:1] == expected


COUNTERS = [
    ("sum(10s) > 15 m", [2.0 * t for t in range(40)], [8.0]),
    ("rate(10s) > 1.9 m/s", [2.0 * t for t in range(40)], [4.0]),
    # The counter begins again at second 20; what it has counted goes on.
    ("rate(10s) < 1.9 m/s", [2.0 * t for t in range(20)] + [2.0 * t for t in range(1, 30)], []),
    ("rate(10s) > 1.9 m/s", [2.0 * (t % 7 + 1) for t in range(20)], [4.0]),
]


@pytest.mark.parametrize(("condition", "values", "expected"), COUNTERS)
def test_counters_are_rates_through_their_resets(condition, values, expected):
    assert raised(plant_of(book_of(level(condition)), "counter"), values) == expected


def test_increments_are_summed_and_their_rate_is_over_the_whole_window():
    """Rain tips: what fell in the window, over the window."""
    values = [0.0] * 20 + [1.0] * 20
    assert raised(plant_of(book_of(level("sum(10s) > 4.5 m")), "increment"), values) == [24.0]
    assert raised(plant_of(book_of(level("rate(10s) > 0.45 m/s")), "increment"), values) == [24.0]


def raw_book(*rules: str) -> Book:
    """The same rules with `view: raw`."""
    book = book_of(*rules)
    packs = tuple(
        dataclasses.replace(
            pack,
            rules=tuple(
                dataclasses.replace(rule, quality=dataclasses.replace(rule.quality, view="raw"))
                for rule in pack.rules
            ),
        )
        for pack in book.packs
    )
    return dataclasses.replace(book, packs=packs)


@pytest.mark.parametrize("condition", ["value > 50 m", "max(5s) > 50 m", "median(1s) > 50 m"])
def test_the_raw_view_sees_what_is_marked_bad(condition):
    """A quality rule looks at exactly what all other rules leave out."""
    values, quality = [5.0] * 20, {10: 3, 15: 3}
    values[10], values[15] = 99.0, float("nan")
    plain, raw = book_of(level(condition)), raw_book(level(condition))
    assert raised(plant_of(plain), values, quality) == []
    assert raised(plant_of(raw), values, quality) == [10.0]


def test_the_raw_view_sees_what_is_beyond_the_range():
    values = [5.0] * 10 + [2000.0] + [5.0] * 10
    assert raised(plant_of(book_of(level("max(5s) > 1500 m"))), values) == []
    assert raised(plant_of(raw_book(level("max(5s) > 1500 m"))), values) == [10.0]


@pytest.mark.parametrize("condition", ["value > 50 m/s^2", "max(500ms) > 50 m/s^2"])
def test_blocks_have_a_raw_view_too(condition):
    rule = rule_text(f'levels: {{blue: {{when: "{condition}"}}}}', sensor_type="wave", unit="m/s^2")
    types = [kind("wave", unit="m/s^2", kind="waveform", period_ns=50 * MS)]
    value = np.zeros((1, 60), dtype=np.float32)
    value[0, 30], value[0, 50] = 90, np.inf
    quality = np.zeros((1, 60), dtype=np.uint8)
    quality[0, 30] = 3
    block = Series(np.zeros(1, np.int32), START + 50 * MS, 50 * MS, value, quality, START + 4 * S)
    sensors = [Sensor("w", "wave", period_ns=50 * MS)]
    for book, expected in ((book_of(rule), 0), (raw_book(rule), 1)):
        plant = Plant(catalogue_of(types, sensors), book, silence_ns=0)
        messages = plant.run([[block, tick(20)]])
        assert len([1 for event, *_ in told(messages) if event == "raised"]) == expected


def test_bad_readings_are_a_share_of_all():
    quality = dict.fromkeys(range(20, 30), 3)
    found = raised(plant_of(book_of(level("bad_share(10s) > 0.25"))), FLAT, quality)
    # At 22 s three of ten are bad; nothing is unknown, however many there are.
    assert found == [22.0]


def test_the_ground_moves_without_its_offset():
    """pga and pgv of a sine of 1 Hz and 0.5 m/s^2 upon an offset of gravity."""
    motion = rule_text(
        'levels: {blue: {when: "pga(2s) > 0.4 m/s^2"}, yellow: {when: "pgv(2s) > 0.07 m/s"}}',
        sensor_type="wave",
        unit="m/s^2",
        more="quality: {coverage: 30%}",
    )
    types = [kind("wave", unit="m/s^2", kind="waveform", period_ns=10 * MS)]
    plant = Plant(
        catalogue_of(types, [Sensor("w", "wave", period_ns=10 * MS)]), book_of(motion), silence_ns=0
    )
    times = np.arange(3000) / 100
    shaking = np.where(times > 20, 0.5 * np.sin(2 * np.pi * (times - 20)), 0.0)
    value = (9.81 + shaking).astype(np.float32)[None]
    blocks = [
        Series(np.zeros(1, np.int32), START + i * S + 10 * MS, 10 * MS,
               value[:, i * 100 : i * 100 + 100].copy(), NO_QUALITIES, START + (i + 1) * S)
        for i in range(30)
    ]  # fmt: skip
    found = told(plant.run([[block] for block in blocks]))
    grades = {grade: at for event, grade, at in found}
    assert 20 < grades["blue"] < 20.5
    # Velocity 0.5 / (2 pi) = 0.08, at its peak after half a second.
    assert grades["blue"] < grades["yellow"] < 21


@pytest.mark.parametrize(
    ("condition", "side"),
    [
        ("forecast(1h, trend=30s) > 3 m", 1),
        ("forecast(1h, trend=30s) <= 3 m", -1),
        ("3 m > forecast(1h, trend=30s)", -1),
        ("3 m - forecast(1h, trend=30s) > 1 m", -1),
        ("mean(30s) > 1 m and 2 * forecast(1h, trend=30s) >= value", 1),
        ("forecast(1h, trend=30s) == 3 m", 1),
    ],
)
def test_the_bound_of_a_forecast_is_on_the_side_of_danger(condition, side):
    """`p=0.8` of a rule that fears low water must not look at the upper bound."""
    [rule] = book_of(level(condition)).rules
    [when] = [one.when for one in rule.levels.values()]
    from rules import expression as ex

    [feature] = [one for one in ex.features(when) if one.name == "forecast"]
    assert danger_side(feature, [when]) == side


def test_a_wide_bound_warns_sooner():
    """Scatter around the trend widens the interval on the side that is feared."""
    rng = np.random.default_rng(4)
    values = (np.arange(60.0) + rng.normal(0, 2, 60)).tolist()
    first = {}
    for p in ("", ", p=0.8", ", p=0.99"):
        found = raised(plant_of(book_of(level(f"forecast(30s, trend=20s{p}) > 70 m"))), values)
        first[p] = found[0]
    assert first[""] > first[", p=0.8"] > first[", p=0.99"]
