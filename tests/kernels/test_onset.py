"""The recursive STA/LTA."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import onset, stage
from tests.reference.onset import per_pane, ratios

Array = npt.NDArray[np.generic]
PANE_NS = 100
SLOTS = 64
GAP_NS = 30
TERMS = (3, 7, GAP_NS)
BANK = np.array([(PANE_NS, 0, SLOTS, 0, 1), (PANE_NS, 0, SLOTS, 0, 1)], stage.BANK)


def fresh(rows: int = 2) -> tuple[Array, Array]:
    return np.zeros(rows, onset.ONSET), np.full(rows * SLOTS, np.nan)


def fold(state: tuple[Array, Array], times: Array, value: Array, outcome: Array) -> None:
    """Fold readings of row 1."""
    n = len(times)
    card = np.zeros(2, stage.CARD)
    card["row"] = [0, 1]
    slot = SLOTS + (times - 1) // PANE_NS % SLOTS
    sensor = np.ones(n, np.int32)
    onset.stalta_points(*state, *TERMS, sensor, times, value, outcome, slot, card, BANK, 0)


@st.composite
def signals(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Times that sometimes jump ahead or fall back, values, and outcomes."""
    steps = draw(st.lists(st.sampled_from([10, 10, 10, 10, 30, 31, 200, 0, -15]), max_size=60))
    times = np.maximum(1 + np.cumsum(np.array(steps, np.int64)), 1)
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    value = rng.normal(0, draw(st.sampled_from([0.0, 1e-3, 1e4])), len(steps))
    outcome = np.where(rng.random(len(steps)) < 0.1, 2, 0).astype(np.uint8)
    return times, value, outcome


@given(signal=signals())
def test_the_ratio_is_that_of_its_definition(signal: tuple[Array, Array, Array]) -> None:
    """To the last bit: networks compare their picks with obspy's."""
    times, value, outcome = signal
    state = fresh()
    fold(state, times, value, outcome)
    good = outcome == 0
    readings = list(zip(times[good].tolist(), value[good].tolist(), strict=True))
    expected = per_pane(readings, ratios(readings, *TERMS), PANE_NS)
    for pane in range(SLOTS):
        out = np.zeros(2)
        onset.close_onset(state[1], BANK, 0, pane, np.array([0]), np.array([2]), out)
        assert np.isnan(out[0])
        np.testing.assert_array_equal(out[1], expected.get(pane, np.nan))
    assert np.isnan(state[1]).all()


@given(signal=signals(), cut=st.integers(0, 60))
def test_where_a_batch_is_cut_changes_nothing(signal: tuple[Array, Array, Array], cut: int) -> None:
    """The gateway decides where frames end; no result may depend on that."""
    whole, parts = fresh(), fresh()
    fold(whole, *signal)
    fold(parts, *(column[:cut] for column in signal))
    fold(parts, *(column[cut:] for column in signal))
    for one, other in zip(whole, parts, strict=True):
        assert one.tobytes() == other.tobytes()


@given(
    t0=st.integers(1, 300),
    period=st.sampled_from([1, 10, 29, 31]),
    m=st.integers(0, 80),
    cut=st.integers(0, 80),
    seed=st.integers(0, 999),
    size=st.sampled_from([np.float32, np.float64]),
)
def test_a_block_of_samples_is_heard_like_its_readings(
    t0: int, period: int, m: int, cut: int, seed: int, size: type
) -> None:
    """Whether a gateway sends waveforms or single readings changes no bit."""
    rng = np.random.default_rng(seed)
    value = rng.normal(0, 1, (3, m)).astype(size)
    outcome = np.where(rng.random((3, m)) < 0.1, 2, 0).astype(np.uint8)
    card = np.zeros(3, stage.CARD)
    card["row"], card["bank"] = [0, 1, 0], [0, 0, 1]
    time = t0 + np.arange(m) * period
    points, series = fresh(), fresh()
    for state in (points, series):
        fold(state, np.array([250]), np.array([1.0]), np.zeros(1, np.uint8))
    for i in range(3):
        slot = card["row"][i] * SLOTS + (time - 1) // PANE_NS % SLOTS
        sensor = np.full(m, i, np.int32)
        row = (sensor, time, value[i], outcome[i], slot.astype(np.int64))
        onset.stalta_points(*points, *TERMS, *row, card, BANK, 0)
    cut = min(cut, m)
    for start, stop in [(0, cut), (cut, m)]:
        block = (np.arange(3, dtype=np.int32), t0, period, start, stop, value, outcome)
        onset.stalta_series(*series, *TERMS, *block, card, BANK, 0)
    for one, other in zip(points, series, strict=True):
        assert one.tobytes() == other.tobytes()


def test_an_onset_is_heard() -> None:
    """Ten times the amplitude raises the ratio far above 4, at once and for the short term only."""
    rng = np.random.default_rng(1)
    value = rng.normal(0, 1, 3000)
    value[2000:] *= 10
    ratio = np.array(ratios(list(enumerate(value.tolist())), 10, 500, 1))
    assert np.nanmax(ratio[:2000]) < 4
    assert np.nanmax(ratio[2000:2020]) > 10
    assert ratio[-1] < 4


@pytest.mark.parametrize(("period_ns", "expected"), [(10, (50, 1000, 500)), (7, (71, 1429, 500))])
def test_terms_count_samples(period_ns: int, expected: tuple[int, int, int]) -> None:
    """A rule says seconds, the recursion counts samples."""
    assert onset.terms(500, 10_000, period_ns) == expected


def test_a_first_sample_opens_the_clock_only() -> None:
    """As in obspy, whose loop begins at the second sample."""
    found = ratios([(0, 1e6), (1, 1.0), (2, 1.0)], 1, 2, 9)
    assert np.isnan(found[0])
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(1 / 0.75)
