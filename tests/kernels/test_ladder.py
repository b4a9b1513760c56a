"""Ladders: a reading on a threshold, a pegged sensor, a threshold nobody entered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import ladder as kernel
from tests.kernels.test_latch import encode
from tests.reference.ladder import judged

POLICIES = {"ignore": kernel.IGNORE, "raise": kernel.RAISE, "unknown": kernel.UNKNOWN}
TENTHS = [n / 10 for n in range(-3, 12)]
threshold = st.one_of(st.none(), st.sampled_from(TENTHS), st.sampled_from(TENTHS))
thresholds = st.lists(threshold, min_size=4, max_size=4)
ladders = st.tuples(thresholds, thresholds, st.integers(0, 15))
readings = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(TENTHS)), max_size=40)
policies = st.tuples(
    st.sampled_from(sorted(POLICIES)), st.integers(1, 4), st.sampled_from(["ignore", "unknown"])
)


def column(numbers, dtype):
    return np.array([np.nan if x is None else x for x in numbers], dtype)


def keep(meaning, exists):
    """A code without the grades that do not exist."""
    return encode(meaning) & (exists * 0x1111)


def weigh(ladder, is_above, policy, outcome, value):
    """The kernel's codes as a list; None where the reading does not count."""
    enter, clear, exists = ladder
    over, over_grade, under = policy
    kind, forced = kernel.verdicts(exists, POLICIES[over], over_grade, POLICIES[under])
    code, applies = np.empty(value.size, np.uint16), np.empty(value.size, np.uint8)
    kernel.codes(
        *(value, outcome, column(enter, value.dtype), column(clear, value.dtype)),
        *(exists, is_above, kind, forced, code, applies),
    )
    return [int(c) if counts else None for c, counts in zip(code, applies, strict=True)]


def twin(ladder, is_above, policy, outcome, value):
    enter, clear, exists = ladder
    meanings = [
        judged(o, v, (enter, clear, is_above), *policy) for o, v in zip(outcome, value, strict=True)
    ]
    return [None if m is None else keep(m, exists) for m in meanings]


@given(ladder=ladders, is_above=st.booleans(), policy=policies, rows=readings, wide=st.booleans())
def test_a_reading_means_what_the_ladder_says(ladder, is_above, policy, rows, wide):
    """A threshold that is missed by one bit is a threshold that is missed."""
    outcome = np.array([o for o, _ in rows], np.uint8)
    value = np.array([v for _, v in rows], np.float64 if wide else np.float32)

    assert weigh(ladder, is_above, policy, outcome, value) == twin(
        ladder, is_above, policy, outcome, value
    )


@given(
    choices=st.lists(st.tuples(ladders, policies), min_size=1, max_size=3),
    is_above=st.booleans(),
    rows=readings,
    data=st.data(),
)
def test_thresholds_of_ones_own_mean_the_same(choices, is_above, rows, data):
    """A sensor whose thresholds were tuned is judged by the same law as the others."""
    pick = st.integers(0, len(choices) - 1)
    choice = np.array(data.draw(st.lists(pick, min_size=4, max_size=4)), np.uint16)
    row = np.array([data.draw(st.integers(0, 3)) for _ in rows], np.int32)
    outcome = np.array([o for o, _ in rows], np.uint8)
    value = np.array([v for _, v in rows], np.float32)
    tables = [
        kernel.verdicts(ladder[2], POLICIES[over], grade, POLICIES[under])
        for ladder, (over, grade, under) in choices
    ]
    code, applies = np.empty(value.size, np.uint16), np.empty(value.size, np.uint8)
    kernel.codes_by_row(
        *(value, outcome, row, choice),
        np.array([column(ladder[0], np.float32) for ladder, _ in choices]),
        np.array([column(ladder[1], np.float32) for ladder, _ in choices]),
        np.array([ladder[2] for ladder, _ in choices], np.uint8),
        is_above,
        np.array([kind for kind, _ in tables]),
        np.array([forced for _, forced in tables]),
        *(code, applies),
    )
    for i in range(value.size):
        ladder, policy = choices[choice[row[i]]]
        one = slice(i, i + 1)
        expected = twin(ladder, is_above, policy, outcome[one], value[one])[0]
        assert (int(code[i]) if applies[i] else None) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_reading_on_the_threshold_has_reached_it(dtype):
    """0.7 of a 32-bit sensor is less than 0.7 of a book, and still it is 0.7."""
    ladder = ([0.5, 0.7, None, None], [0.5, 0.7, None, None], 0b0011)
    policy = ("ignore", 4, "ignore")
    outcome = np.zeros(1, np.uint8)
    value = np.array([0.7], dtype)

    assert weigh(ladder, True, policy, outcome, value) == [0b0011]
    assert weigh(ladder, False, policy, outcome, value) == [0b0010 | 0b0001 << 8]
