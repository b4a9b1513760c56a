"""Order statistics against sorting."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import robust
from tests.kernels.spans import Readings, columns, windows
from tests.reference.robust import mad_score, noise, quantile, robust_slope

LENGTH_S = 64
WORK = np.empty(robust.PAIRS_MAX)
EPS = 2.0**-52


def close_to(found: float, expected: float, scale: float) -> None:
    if math.isnan(expected):
        assert math.isnan(found)
    else:
        assert abs(found - expected) <= 8 * EPS * scale + 1e-15 * abs(expected)


def values_of(one: Readings) -> list[float]:
    return [x for _, x in one]


@given(made=windows(), share=st.sampled_from([0.0, 0.05, 0.5, 0.8, 0.95, 1.0]))
def test_a_share_of_the_readings_lies_below_its_quantile(made: list[Readings], share: float):
    """Interpolated as numpy does; of readings themselves exactly."""
    _, value, start = columns(made)
    out = np.empty(len(made))
    robust.quantiles(value, start, share, WORK, out)
    for found, one in zip(out, made, strict=True):
        values = values_of(one)
        close_to(found, quantile(values, share), max(map(abs, values), default=0.0))
        if values:
            assert min(values) <= found <= max(values)
        if len(values) % 2 and share == 0.5:
            assert found in values


@given(made=windows())
def test_the_newest_reading_is_measured_by_the_others(made: list[Readings]):
    """Its own value in the median would hide the first reading of every slide."""
    _, value, start = columns(made)
    out = np.empty(len(made))
    robust.mad_scores(value, start, WORK, out)
    for found, one in zip(out, made, strict=True):
        expected = mad_score(values_of(one)) if one else math.nan
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(made=windows())
def test_noise_is_the_spread_of_the_steps(made: list[Readings]):
    _, value, start = columns(made)
    out = np.empty(len(made))
    robust.noises(value, start, WORK, out)
    for found, one in zip(out, made, strict=True):
        np.testing.assert_allclose(found, noise(values_of(one)), rtol=1e-12, atol=1e-300)


def test_noise_of_normal_readings_is_their_deviation_with_or_without_a_trend():
    """The scale is what lets a rule say `3 * noise(1h)`."""
    rng = np.random.default_rng(3)
    white = rng.normal(0, 2.0, 4000)
    out, work = np.empty(1), np.empty(4000)
    for trend in (0.0, 0.5):
        robust.noises(white + trend * np.arange(4000), np.array([0, 4000]), work, out)
        assert abs(out[0] - 2.0) < 0.1


@given(made=windows())
def test_the_robust_slope_is_the_median_of_all_slopes(made: list[Readings]):
    """Of all pairs of readings, or of points of equal parts of time where there are more."""
    since_s, value, start = columns(made)
    out = np.empty(len(made))
    point_s, point = np.empty((2, robust.POINTS_MAX))
    robust.robust_slopes(since_s, value, start, LENGTH_S, WORK, point_s, point, out)
    for found, one in zip(out, made, strict=True):
        expected = robust_slope(one, LENGTH_S, robust.POINTS_MAX)
        scale = max((abs(x) for _, x in one), default=0.0) * 1000
        close_to(found, expected, scale)


@given(seed=st.integers(0, 999), rising=st.floats(-5, 5))
def test_a_quarter_of_wild_readings_does_not_turn_the_slope(seed: int, rising: float):
    rng = np.random.default_rng(seed)
    times = np.arange(-63.0, 1.0)
    value = times * rising
    wild = rng.permutation(64)[:16]
    value[wild] = rng.normal(0, 1e6, 16)
    out = np.empty(1)
    point_s, point = np.empty((2, robust.POINTS_MAX))
    robust.robust_slopes(times, value, np.array([0, 64]), 64.0, WORK, point_s, point, out)
    assert abs(out[0] - rising) <= 1e-9 * max(abs(rising), 1)


@given(values=st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=60))
def test_selection_leaves_smaller_before_and_greater_after(values: list[float]):
    """Equal values were once the worst case of many a selection."""
    for k in range(len(values)):
        work = np.array([9.0, *values, -9.0])
        assert robust.select(work, 1, len(values) + 1, k) == sorted(values)[k]
        assert work[1 : k + 1].max(initial=-1) <= work[k + 1]
        assert work[k + 1 : -1].min() >= work[k + 1]
        assert (work[0], work[-1]) == (9.0, -9.0)
