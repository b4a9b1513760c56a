"""Counters, scores and failures against fractions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import course
from tests.kernels.spans import Readings, columns, windows
from tests.reference.course import failure, increase, score

LENGTH_S = 64


@given(made=windows())
def test_a_counter_counts_on_through_its_resets(made: list[Readings]):
    """A pump that was restarted has not pumped a negative amount."""
    since_s, value, start = columns(made)
    found, span_s = np.empty((2, len(made)))
    course.increases(since_s, value, start, found, span_s)
    for i, one in enumerate(made):
        expected = increase([x for _, x in one])
        scale = sum(abs(x) for _, x in one)
        if math.isnan(expected):
            assert math.isnan(found[i])
            assert math.isnan(span_s[i])
        else:
            assert abs(found[i] - expected) <= 4 * 2.0**-52 * scale * len(one)
            assert span_s[i] == one[-1][0] - one[0][0]


def test_after_a_reset_the_new_value_counts():
    value = np.array([7.0, 9.0, 1.0, 4.0])
    found, span_s = np.empty((2, 1))
    course.increases(np.array([-9.0, -6.0, -3.0, 0.0]), value, np.array([0, 4]), found, span_s)
    assert (found[0], span_s[0]) == (2 + 1 + 3, 9)


@given(made=windows())
def test_a_score_leaves_its_own_reading_out(made: list[Readings]):
    """A spike of a million deviations says so, though it would widen the deviation itself."""
    _, value, start = columns(made)
    found = np.empty(len(made))
    course.scores(value, start, found)
    for i, one in enumerate(made):
        expected = score([x for _, x in one]) if one else math.nan
        if math.isnan(expected):
            # Others that are equal but for rounding of their own mean count as equal.
            assert math.isnan(found[i])
        else:
            others = [x for _, x in one][:-1]
            spread = float(np.std(others))
            slack = 64 * 2.0**-52 * max(map(abs, others)) / spread if spread else 0.0
            assert found[i] == pytest.approx(expected, rel=1e-9 + slack, abs=1e-9 + slack)


@st.composite
def creeps(draw: st.DrawFn) -> list[Readings]:
    """Displacements that accelerate towards a failure, steadily, downwards, or with noise."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        times = np.arange(-LENGTH_S + 1.0, 1.0, draw(st.sampled_from([1.0, 2.0, 7.0])))
        until = draw(st.sampled_from([1.0, 20.0, 1000.0]))
        sign = draw(st.sampled_from([1.0, -1.0]))
        rng = np.random.default_rng(draw(st.integers(0, 999)))
        noise = rng.normal(0, draw(st.sampled_from([0.0, 1e-4, 0.5])), times.size)
        values = -sign * np.log(until - times) + noise + draw(st.sampled_from([0.0, 1e3]))
        kept = rng.random(times.size) < draw(st.sampled_from([1.0, 0.6]))
        found.append(list(zip(times[kept].tolist(), values[kept].tolist(), strict=True)))
    return found


@given(made=creeps() | windows())
def test_failure_is_where_the_inverse_velocities_lead(made: list[Readings]):
    since_s, value, start = columns(made)
    found = np.empty(len(made))
    course.failures(since_s, value, start, float(LENGTH_S), found)
    for i, one in enumerate(made):
        expected = failure(one, LENGTH_S, course.PARTS)
        # At a level of 1e6 the last digits decide whether a velocity is greater than another.
        if one and max(abs(x) for _, x in one) > 1e5:
            continue
        if math.isnan(expected):
            assert math.isnan(found[i])
        else:
            assert found[i] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("until", [5.0, 50.0, 500.0])
def test_a_slope_that_creeps_as_fukuzono_says_fails_on_time(until: float):
    """Velocity 1 / (until - t): its inverse is a straight line to the failure.

    The mean velocity of a part is greater than that of its middle, so the line is a little steep,
    and the warning a little early: never late.
    """
    times = np.arange(-63.0, 1.0, 0.25)
    found = np.empty(1)
    course.failures(times, -np.log(until - times), np.array([0, times.size]), 64.0, found)
    assert 0.8 * until <= found[0] <= until


def test_steady_or_slowing_creep_foretells_nothing():
    times = np.arange(-63.0, 1.0)
    for values in (times * 2, np.sqrt(times + 64), np.zeros(64)):
        found = np.empty(1)
        course.failures(times, values, np.array([0, 64]), 64.0, found)
        assert math.isnan(found[0])
