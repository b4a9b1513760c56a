"""Every feature against its definition, in any order of arrival, any cuts, through a restart."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.shard import Shard, Work
from tests.engine.plants import (
    START,
    Plant,
    S,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    rule_text,
    saved,
    tick,
)
from tests.engine.recorder import Recorder, feature, recording
from tests.reference import features as truth

LATENESS = 3
BOOK = book_of(rule_text("ladder: {value: value, above: {blue: 1e9}, deadband: 1}"))
# Targets that no line through eighths meets exactly at the end of a window.
FEATURES = [
    feature("count", 10),
    feature("median", 10),
    feature("p", 20, p=0.95),
    feature("zscore", 20),
    feature("mad_score", 20),
    feature("noise", 20),
    feature("slope", 10, robust=1.0),
    feature("inverse_velocity", 20),
    feature("forecast", 20, horizon=30.0),
    feature("forecast", 20, horizon=30.0, p=0.8),
    feature("time_to", 20, target=8.0137),
    feature("time_to", 20, target=-2.4871, p=0.8),
]
SMOOTH = feature("ewma", 4)
LATER = feature("median", 10, offset_s=15)
COUNTED = [feature("sum", 20), feature("rate", 20)]

seconds = st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 4, 30]), min_size=3, max_size=60)


@st.composite
def signals(draw: st.DrawFn) -> list[tuple[float, float]]:
    """(seconds after the start, value): mostly one a second, with gaps, bursts and wild values."""
    times = np.cumsum(draw(seconds)).astype(float)
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    if draw(st.booleans()):
        times = np.sort(np.concatenate([times, times + 0.25]))
    walk = np.cumsum(rng.integers(-8, 9, times.size)) / 8
    if draw(st.booleans()):
        walk[rng.integers(times.size)] *= 1e3
    return list(zip(times.tolist(), walk.tolist(), strict=True))


def arrival(readings: list[tuple[float, float]], seed: int) -> list[tuple[float, float]]:
    """The same readings, each at most the lateness later than those after it."""
    rng = np.random.default_rng(seed)
    delay = rng.uniform(0, LATENESS * 0.9, len(readings))
    return [readings[i] for i in np.argsort([t + d for (t, _), d in
                                             zip(readings, delay, strict=True)])]  # fmt: skip


def plant_of(type_kind: str = "gauge") -> Plant:
    types = [kind(lateness_ns=LATENESS * S, kind=type_kind)]
    return Plant(catalogue_of(types, [Sensor("s"), Sensor("t")]), BOOK, silence_ns=0)


def work_of(plant: Plant, readings: list[tuple[float, float]], cut: int) -> list[Work]:
    """Frames of so many readings, and a second sensor that says something else."""
    frames = [readings[at : at + cut] for at in range(0, len(readings), cut)]
    rows = [[("s", t, x) for t, x in frame] for frame in frames]
    rows[0].insert(0, ("t", min(t for t, _ in readings), 5.0))
    work = [plant.points(frame) for frame in rows]
    return [*work, tick(max(t for t, _ in readings) + 100)]


def advance(shard: Shard, work: list[Work]) -> None:
    for item in work:
        shard.advance([item])


def equal(found: float, expected: float, scale: float) -> bool:
    if math.isnan(expected) or math.isinf(expected):
        return found == expected or (math.isnan(found) and math.isnan(expected))
    return math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6 * max(scale, 1e-3))


def check(recorder: Recorder, readings: list[tuple[float, float]]) -> None:
    pairs = [(START + round(t * S), x) for t, x in readings]
    scale = max(abs(x) for _, x in pairs)
    ends = [end for sensor, end in recorder.seen if sensor == 0]
    assert ends
    for end in ends:
        for one, found in recorder.seen[0, end].items():
            options = {**dict(one.options), "side": 1}
            if one.target is not None:
                options["target"] = one.target.value
            at = START + round(end * S) - one.offset_ns
            if one.name == "ewma":
                expected = truth.smooth(pairs, at, one.windows_ns[0], 10 * S)
            elif one.name in ("sum", "rate"):
                total, rate = truth.counter(pairs, at, one.windows_ns[0])
                expected = total if one.name == "sum" else rate
            else:
                expected = truth.feature(one.name, pairs, at, one.windows_ns[0], options)
                if one.name in ("zscore", "mad_score") and not half_full(pairs, at, one):
                    expected = math.nan
            assert equal(found, expected, scale), (end, one, found, expected)


def half_full(pairs: list[tuple[int, float]], at: int, one: object) -> bool:
    length = one.windows_ns[0]
    return len(truth.inside(pairs, at, length)) - 1 >= length / S / 2


@given(readings=signals(), seed=st.integers(0, 99), cut=st.integers(1, 9))
def test_every_feature_is_what_its_definition_says(readings, seed, cut):
    """At every pane's end, from the readings of its window and from nothing else."""
    plant = plant_of()
    shard, recorder = recording(plant, [*FEATURES, SMOOTH, LATER])
    advance(shard, work_of(plant, arrival(readings, seed), cut))
    check(recorder, readings)


@given(readings=signals(), seed=st.integers(0, 99), cut=st.integers(1, 9))
def test_counters_count_on_through_resets(readings, seed, cut):
    plant = plant_of("counter")
    shard, recorder = recording(plant, COUNTED)
    advance(shard, work_of(plant, arrival(readings, seed), cut))
    check(recorder, readings)


@given(readings=signals(), seed=st.integers(0, 99), cuts=st.tuples(*[st.integers(1, 9)] * 2))
def test_neither_order_nor_cuts_nor_a_restart_change_a_bit(readings, seed, cuts):
    """What people are told may not depend on how a gateway bundles its readings."""
    plant = plant_of()
    features = [*FEATURES, SMOOTH, LATER, feature("pga", 10), feature("pgv", 10)]
    shard, recorder = recording(plant, features)
    advance(shard, work_of(plant, readings, cuts[0]))
    other, again = recording(plant, features)
    work = work_of(plant, arrival(readings, seed), cuts[1])
    advance(other, work[: len(work) // 2])
    third, after = recording(plant, features)
    third.restore(saved(other))
    advance(third, work[len(work) // 2 :])
    both = again.seen | after.seen
    # How many empty panes are closed before the first reading depends on what comes first.
    assert all(end <= readings[0][0] for _, end in both.keys() ^ recorder.seen.keys())
    for key in both.keys() & recorder.seen.keys():
        found = recorder.seen[key]
        for one, value in found.items():
            exact = one.name not in ("forecast", "time_to")
            same = value == both[key][one] or (math.isnan(value) and math.isnan(both[key][one]))
            assert same or (not exact and equal(value, both[key][one], 1.0)), (key, one)


@given(early=signals(), late=signals(), cut=st.integers(1, 9))
def test_the_past_does_not_haunt(early, late, cut):
    """A week of nonsense leaves no trace in a window that begins after it."""
    plant = plant_of()
    since = max(t for t, _ in early) + 40
    late = [(t + math.ceil(since), x) for t, x in late]
    short, alone = recording(plant, [*FEATURES, LATER])
    advance(short, work_of(plant, late, cut))
    whole, after = recording(plant, [*FEATURES, LATER])
    advance(whole, work_of(plant, [(t, x * 1e9) for t, x in early] + late, cut))
    for key, found in alone.seen.items():
        if key[0] == 0:
            for one, value in found.items():
                other = after.seen[key][one]
                assert value == other or (math.isnan(value) and math.isnan(other)), (key, one)


def test_what_was_never_asked_costs_nothing():
    plant = plant_of()
    shard, _ = recording(plant, [feature("mean", 10)])
    assert shard.banks[0].windows.good.history.trail is None


def test_a_window_of_more_readings_than_are_kept_is_unknown_and_counted():
    """A sensor that floods its trail must not make a median of half its readings."""
    plant = plant_of()
    shard, recorder = recording(plant, [feature("median", 10), feature("mean", 10)])
    calm = [(float(t), 1.0) for t in range(1, 31)]
    flood = [(31 + i / 100, 9.0) for i in range(1, 100)]
    advance(shard, work_of(plant, [*calm, *flood, *[(float(t), 1.0) for t in range(33, 60)]], 7))
    median, mean = recorder.plan.features
    at = {end: found for (sensor, end), found in recorder.seen.items() if sensor == 0}
    assert at[30.0][median] == 1.0
    assert math.isnan(at[32.0][median])
    assert at[32.0][mean] > 5
    assert at[42.0][median] == 1.0
    assert shard.meters.windows_overfull == {"gas": 10}


@pytest.mark.parametrize("window_s", [10, 20])
def test_scores_are_a_stream_with_windows_of_its_own(window_s: int):
    """`anomaly.mean(2m)` is over the scores of panes, not over readings."""
    plant = plant_of()
    rng = np.random.default_rng(1)
    scores = {(0, second): float(rng.random()) for second in range(1, 60) if second % 5}
    features = [feature(name, window_s, stream="anomaly") for name in ("mean", "max", "median")]
    shard, recorder = recording(plant, [feature("mean", 10), *features], scores)
    readings = [(float(t), 1.0) for t in range(1, 80)]
    for item in work_of(plant, readings, 1)[:-1]:
        shard.advance([item])
        measures = recorder.last
        if measures is None or measures.scores is None:
            continue
        end = round((measures.end_ns - START) / S)
        given_ = [scores[0, s] for s in range(end - window_s + 1, end + 1) if (0, s) in scores]
        found = [recorder_column(measures, one) for one in features]
        if given_:
            expected = [np.mean(given_), max(given_), np.median(given_)]
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        else:
            assert np.isnan(found).all()


def recorder_column(measures: object, one: object) -> float:
    from tests.engine.recorder import asked

    return float(measures.scores.column(asked(one))[0])


def test_an_offset_is_the_same_number_later():
    """`mean(6h) / mean(6h, offset=7d)` compares two windows that were measured alike."""
    plant = plant_of()
    now, later = feature("mean", 10), feature("mean", 10, offset_s=25)
    counted = feature("count", 10, offset_s=25)
    shard, recorder = recording(plant, [now, later, counted])
    rng = np.random.default_rng(2)
    advance(shard, work_of(plant, [(float(t), float(rng.normal())) for t in range(1, 90)], 4))
    at = {end: found for (sensor, end), found in recorder.seen.items() if sensor == 0}
    compared = 0
    for end, found in at.items():
        if end - 25 in at:
            np.testing.assert_equal(found[later], at[end - 25][now])
            compared += 1
        else:
            assert math.isnan(found[later])
            assert found[counted] == 0
    assert compared > 100
    for before, after in pairwise(sorted(at)):
        assert after - before == 1
