"""Silence, flat lines and pegged sensors."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from kernels import raw, stage
from tests.reference.raw import hear

Array = npt.NDArray[np.generic]
PANE_NS = 100
READING = st.tuples(
    st.integers(1, 100),
    st.sampled_from([1.0, 1.0, 2.0]),
    st.sampled_from(
        [stage.FOLDED, stage.FOLDED, stage.NAN, stage.INFINITE, stage.OVER, stage.QUALITY]
    ),
)
BANK = np.array([(PANE_NS, 0, 2, 0, 1)], stage.BANK)


def close(lines: Array) -> Array:
    out = np.full((raw.RAW_ROWS, 1), -7.0)
    raw.close_raw(lines, BANK, 0, 0, np.array([0]), np.array([1]), out)
    return out[:, 0]


def fold(lines: Array, readings: list[tuple[int, float, int]], slot: int = 0) -> None:
    columns = np.array(readings, np.float64).reshape(-1, 3)
    moment, outcome = columns[:, 0].astype(np.uint32), columns[:, 2].astype(np.uint8)
    value = np.ascontiguousarray(columns[:, 1])
    raw.fold_raw(lines, np.full(len(readings), slot, np.int64), moment, value, outcome)


@given(readings=st.lists(READING, max_size=12, unique_by=lambda one: one[0]).map(sorted))
def test_a_signal_in_order_is_heard_as_its_definition_says(
    readings: list[tuple[int, float, int]],
) -> None:
    """A flat line or a silence that nobody notices is a warning that never comes."""
    lines = np.zeros(2, raw.RAW)
    fold(lines, readings)
    out = close(lines)
    count, last_t, value, run_t, is_pegged = hear(readings)
    assert out[raw.RAW_COUNT] == count
    assert same(out[raw.RAW_LAST_NS], last_t)
    assert same(out[raw.RAW_RUN_NS], run_t)
    assert np.isnan(out[raw.RAW_VALUE]) if value is None else out[raw.RAW_VALUE] == value
    assert out[raw.RAW_PEGGED] == is_pegged
    assert close(lines)[raw.RAW_COUNT] == 0


def same(found_ns: float, t: int | None) -> bool:
    return bool(np.isnan(found_ns)) if t is None else found_ns == t - PANE_NS


@given(
    readings=st.lists(READING, max_size=12, unique_by=lambda one: one[0]),
    seed=st.integers(0, 99),
)
def test_order_of_arrival_changes_neither_age_nor_newest_value(
    readings: list[tuple[int, float, int]], seed: int
) -> None:
    """And never makes a signal look flat for longer than it was."""
    lines = np.zeros(2, raw.RAW)
    order = np.random.default_rng(seed).permutation(len(readings))
    fold(lines, [readings[i] for i in order])
    out = close(lines)
    count, last_t, value, run_t, is_pegged = hear(sorted(readings))
    assert out[raw.RAW_COUNT] == count
    assert same(out[raw.RAW_LAST_NS], last_t)
    assert np.isnan(out[raw.RAW_VALUE]) if value is None else out[raw.RAW_VALUE] == value
    assert out[raw.RAW_PEGGED] == is_pegged
    assert run_t is None or out[raw.RAW_RUN_NS] >= run_t - PANE_NS


def test_a_reading_without_a_place_is_not_heard() -> None:
    """A late reading must not count in the pane that uses its slot now."""
    lines = np.zeros(2, raw.RAW)
    fold(lines, [(5, 1.0, stage.LATE)], slot=-1)
    assert (lines["count"] == 0).all()


@given(
    t0=st.integers(-50, 150),
    period=st.sampled_from([1, 7, 60]),
    m=st.integers(0, 30),
    first=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_a_block_of_samples_is_heard_like_its_readings(
    t0: int, period: int, m: int, first: int, seed: int
) -> None:
    """Whether a gateway sends waveforms or single readings changes nothing."""
    rng = np.random.default_rng(seed)
    latest = 120
    bank = np.array([(PANE_NS, 0, 32, 0, 1)], stage.BANK)
    value = rng.choice([1.0, 2.0], (1, m))
    outcome = rng.choice(np.array([0, 2, 4], np.uint8), (1, m))
    time = t0 + np.arange(m) * period
    has_place = (time > 0) & (time <= latest) & (np.arange(m) >= first)
    pane = (time - 1) // PANE_NS
    slot = np.where(has_place, pane % 32, -1)
    one, other = np.zeros(32, raw.RAW), np.zeros(32, raw.RAW)
    raw.fold_raw(one, slot, (time - pane * PANE_NS).astype(np.uint32), value[0], outcome[0])
    cut = m // 2
    for start, stop in [(0, cut), (cut, m)]:
        raw.fold_raw_series(
            *(other, np.zeros(1, np.int32), t0, period, start, stop),
            *(np.array([first]), latest, value, outcome, np.zeros(1, stage.CARD), bank),
        )
    assert one.tobytes() == other.tobytes()
