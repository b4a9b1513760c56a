"""Readings of 32 bits: what sits on a threshold sits on it, read or averaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.plants import Plant, Sensor, book_of, catalogue_of, kind, rule_text, told

TENTHS = st.integers(1, 99).map(lambda tenths: tenths / 10)


def raised(level, bound, *, precision, features=("value", "mean(5s)", "min(5s)", "max(5s)")):
    """Which features of a constant level reach a bound."""
    rules = [
        rule_text(f"ladder: {{value: {what}, above: {{blue: {bound}}}, deadband: 1}}", name=f"r{n}")
        for n, what in enumerate(features)
    ]
    plant = Plant(catalogue_of([kind(precision=precision)], [Sensor("s")]), book_of(*rules))
    dtype = np.float32 if precision == "float32" else np.float64
    frames = [plant.points([("s", second, level)], dtype=dtype) for second in range(12)]
    messages = plant.run([frames])
    return [bool(told(messages, f"r{n}")) for n in range(len(features))]


@given(level=TENTHS, precision=st.sampled_from(["float32", "float64"]))
def test_a_level_that_is_the_threshold_reaches_it_in_every_feature(level, precision):
    """A mean that misses by the 1e-8 that its readings have lost warns of some levels only."""
    assert raised(level, level, precision=precision) == [True] * 4


@pytest.mark.parametrize("bound", [0.7001, 1.0])
def test_a_level_below_the_threshold_does_not(bound):
    assert raised(0.7, bound, precision="float32") == [False] * 4
