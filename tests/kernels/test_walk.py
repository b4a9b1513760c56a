"""Exponential means and motions against a walk through all readings at once."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import walk
from tests.reference.walk import peaks, smooth

Array = npt.NDArray[np.generic]
S = 10**9
PANE = S
GAP = 3 * S


@st.composite
def signals(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Readings with gaps below, at and above the longest, some at the same time."""
    steps = draw(st.lists(st.sampled_from([0, 1, 5, 5, 5, 5, 20, 30, 31, 90]), max_size=120))
    times = 1 + np.cumsum(np.array(steps, np.int64)) * (S // 10)
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    values = rng.normal(draw(st.sampled_from([0.0, 9.8, 1e4])), 1.0, len(steps))
    return list(zip(times.tolist(), values.tolist(), strict=True))


def panes_of(readings: list[tuple[int, float]]) -> list[tuple[int, Array, Array, Array]]:
    """The readings of each pane as the kernels get them, of the middle one of three sensors."""
    last = (readings[-1][0] - 1) // PANE if readings else 0
    found = []
    for pane in range(last + 6):
        end = (pane + 1) * PANE
        inside = [(t, x) for t, x in readings if end - PANE < t <= end]
        since_s = np.array([(t - end) / 1e9 for t, _ in inside])
        start = np.array([0, 0, len(inside), len(inside)])
        found.append((end, since_s, np.array([x for _, x in inside]), start))
    return found


@given(readings=signals(), tau=st.sampled_from([1.0, 4.0]))
def test_the_mean_forgets_with_time_not_with_readings(readings, tau):
    """Ten readings of one second count as the one they stand for."""
    line, rows, gap_ns = np.zeros(5, walk.SMOOTH), np.array([0, 3, 4]), np.full(5, GAP)
    for end, since_s, value, start in panes_of(readings):
        out = np.empty(3)
        walk.smooth(line, rows, since_s, value, start, end, tau, gap_ns, out)
        expected = smooth(readings, end, tau, GAP)
        np.testing.assert_allclose(out[1], expected, rtol=1e-12)
        assert np.isnan(out[[0, 2]]).all()


@given(readings=signals())
def test_peaks_are_those_of_the_filtered_motion(readings):
    line, rows, gap_ns = np.zeros(3, walk.MOTION), np.array([0, 1, 2]), np.full(3, GAP)
    for end, since_s, value, start in panes_of(readings):
        count, peak_a, peak_v = np.empty((3, 3))
        walk.move(line, rows, since_s, value, start, end, gap_ns, count, peak_a, peak_v)
        n, a, v = peaks(readings, end - PANE, end, GAP)
        assert count.tolist() == [0, n, 0]
        scale = max((abs(x) for _, x in readings), default=0.0)
        np.testing.assert_allclose([peak_a[1], peak_v[1]], [a, v], rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("frequency_hz", [0.5, 1.0, 5.0])
def test_a_sine_has_the_velocity_of_its_integral(frequency_hz: float):
    """Above the corner the filter is open: |v| = |a| / (2 pi f), within 3 %; the offset is gone."""
    rate = 100
    times = np.arange(60 * rate) / rate
    a = 9.81 + 0.5 * np.sin(2 * np.pi * frequency_hz * times)
    line = np.zeros(1, walk.MOTION)
    count, peak_a, peak_v = np.empty((3, 1))
    for half in (slice(0, 30 * rate), slice(30 * rate, 60 * rate)):
        since_s = times[half] - 60
        one = (np.array([0]), since_s, a[half], np.array([0, 30 * rate]), 60 * S + 1)
        walk.move(line, *one, np.array([S]), count, peak_a, peak_v)
    assert peak_a[0] == pytest.approx(0.5, rel=0.03)
    assert peak_v[0] == pytest.approx(0.5 / (2 * math.pi * frequency_hz), rel=0.03)


def test_what_was_long_ago_is_no_beginning():
    """An offset that changed during a gap must not look like a shock."""
    line = np.zeros(1, walk.MOTION)
    count, peak_a, peak_v = np.empty((3, 1))
    state = (np.array([5 * S]), count, peak_a, peak_v)
    rows = np.array([0])
    walk.move(line, rows, np.array([-9.0, 0.0]), np.array([0.0, 0.0]), np.array([0, 2]), 10 * S,
              *state)  # fmt: skip
    walk.move(line, rows, np.array([-1.0, 0.0]), np.array([50.0, 50.0]), np.array([0, 2]), 40 * S,
              *state)  # fmt: skip
    assert count[0] == 0
    assert (line["acceleration"][0], line["velocity"][0]) == (0.0, 0.0)
