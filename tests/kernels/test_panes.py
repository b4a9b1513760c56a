"""Readings of one slice of time: the twin, and the laws of folding."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import panes, stage
from kernels.columns import aligned
from tests.kernels.measures import assert_measures
from tests.reference.panes import measure

PANE_NS = 10**10
LINES = [panes.LINE32, panes.LINE64]
ALL = panes.MOMENTS | panes.BOUNDS | panes.ENDS | panes.TREND
SUMS = ["s1", "s2", "st", "stt", "stv"]
EXACT = ["count", "first", "last", "low", "high", "first_t", "last_t"]
Array = npt.NDArray[np.generic]


def bank_of(line: np.dtype[np.void], pane_ns: int = PANE_NS, slots: int = 2) -> Array:
    bank = np.zeros(1, stage.BANK)
    bank[0] = (pane_ns, 0, slots, 0, panes.step_ns(pane_ns, line))
    return bank


@st.composite
def values(draw: st.DrawFn, size: int) -> Array:
    """Values of any offset and spread, some of them outliers, some constant."""
    offset = draw(st.sampled_from([0.0, 1.0, -1e3, 1e6, 1e-3]))
    spread = draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3]))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    found = offset + spread * rng.normal(0, 1, size)
    if draw(st.booleans()) and size:
        found[rng.integers(size)] *= 1000
    return found


@st.composite
def readings(draw: st.DrawFn) -> tuple[np.dtype[np.void], Array, Array]:
    """A line, whole steps since the pane's start in any order, and values it can hold."""
    line = LINES[draw(st.integers(0, 1))]
    steps = PANE_NS // panes.step_ns(PANE_NS, line)
    size = draw(st.integers(0, 40))
    few = draw(st.sampled_from([3, 1000, steps]))
    seed = draw(st.integers(0, 2**32 - 1))
    moment = np.random.default_rng(seed).integers(0, few + 1, size).astype(np.uint32)
    if draw(st.booleans()):
        moment.sort()
    return line, moment, draw(values(size)).astype(line["first"])


def fold(lines: Array, moment: Array, value: Array, slot: int = 0) -> None:
    n = moment.size
    panes.fold_points(lines, np.full(n, slot, np.int64), moment, value, np.zeros(n, np.uint8))


def close(lines: Array, bank: Array, pane: int = 0, rows: int = 1) -> Array:
    out = np.full((panes.PANE_ROWS, rows), -7.0)
    panes.close_panes(lines, bank, 0, pane, np.array([0]), np.array([rows]), ALL, out)
    return out


@given(case=readings())
def test_a_pane_measures_what_its_definition_says(
    case: tuple[np.dtype[np.void], Array, Array],
) -> None:
    """All rules on windows stand on these numbers."""
    line, moment, value = case
    bank = bank_of(line)
    step = int(bank["step_ns"][0])
    lines = aligned(2, line)
    fold(lines, moment, value)
    times = [int(t) * step - PANE_NS for t in moment]
    exact = measure([(t, float(x)) for t, x in zip(times, value, strict=True)])
    assert_measures(close(lines, bank)[:, 0], exact)
    assert_measures(close(lines, bank)[:, 0], None)


@given(case=readings(), seed=st.integers(0, 99))
def test_order_of_arrival_changes_only_last_digits(
    case: tuple[np.dtype[np.void], Array, Array], seed: int
) -> None:
    """Radio networks shuffle; a grade must not hang on the shuffle."""
    line, moment, value = case
    order = np.random.default_rng(seed).permutation(moment.size)
    one, other = aligned(1, line), aligned(1, line)
    fold(one, moment, value)
    fold(other, moment[order], value[order])
    for name in EXACT:
        assert one[name][0] == other[name][0]


@given(case=readings(), cut=st.integers(0, 40))
def test_where_a_batch_is_cut_changes_nothing(
    case: tuple[np.dtype[np.void], Array, Array], cut: int
) -> None:
    """The gateway decides where frames end; no result may depend on that."""
    line, moment, value = case
    whole, parts = aligned(1, line), aligned(1, line)
    fold(whole, moment, value)
    fold(parts, moment[:cut], value[:cut])
    fold(parts, moment[cut:], value[cut:])
    assert whole.tobytes() == parts.tobytes()


@given(case=readings(), earlier=readings())
def test_a_slot_that_was_used_before_measures_like_a_fresh_one(
    case: tuple[np.dtype[np.void], Array, Array], earlier: tuple[np.dtype[np.void], Array, Array]
) -> None:
    """The past does not haunt."""
    line, moment, value = case
    fresh, used = aligned(2, line), aligned(2, line)
    fold(used, earlier[1] % 60_000, earlier[2].astype(line["first"]))
    close(used, bank_of(line))
    fold(fresh, moment, value)
    fold(used, moment, value)
    np.testing.assert_array_equal(close(fresh, bank_of(line)), close(used, bank_of(line)))


@given(case=readings(), outcome=st.integers(1, stage.OUTCOMES - 1))
def test_what_is_not_folded_touches_nothing(
    case: tuple[np.dtype[np.void], Array, Array], outcome: int
) -> None:
    """A NaN or a bomb from one gateway must not poison a pane."""
    line, moment, value = case
    lines, n = aligned(1, line), moment.size
    fold(lines, moment, value)
    before = lines.tobytes()
    bad = np.array([np.nan, np.inf, 1e30, -np.inf], line["first"])
    slot = np.array([0, -1, 0, -1])
    times = np.array([0, 1, 60_000, 5], np.uint32)
    panes.fold_points(lines, slot, times, bad, np.full(4, outcome, np.uint8))
    assert lines.tobytes() == before
    assert n == lines["count"][0]


@given(value=st.floats(-1e6, 1e6), moments=st.lists(st.integers(0, 60_000), min_size=1))
def test_a_constant_has_no_deviation(value: float, moments: list[int]) -> None:
    """Flat lines are found by std == 0."""
    for line in LINES:
        lines = aligned(2, line)
        constant = np.full(len(moments), value, line["first"])
        fold(lines, np.array(moments, np.uint32), constant)
        out = close(lines, bank_of(line))
        assert out[panes.M2, 0] == 0
        assert out[panes.MEAN, 0] == constant[0]
        assert out[panes.C, 0] == 0


def test_a_displacement_keeps_its_spread() -> None:
    """1e6 mm that moves by 1e-3 mm: sums of squares would keep no digit of it."""
    value = 1e6 + 1e-3 * np.sin(np.arange(1000))
    lines = aligned(2, panes.LINE64)
    fold(lines, np.arange(1000, dtype=np.uint32), value)
    m2 = close(lines, bank_of(panes.LINE64))[panes.M2, 0]
    exact = measure([(t, float(x)) for t, x in enumerate(value)])
    assert exact is not None
    assert m2 == pytest.approx(float(exact.m2), rel=1e-9)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[np.dtype[np.void], dict[str, int], Array, Array]:
    """A block of samples across a few panes, with gaps."""
    line = LINES[draw(st.integers(0, 1))]
    shape = {
        "t0": draw(st.integers(1, 3 * PANE_NS)),
        "period": draw(st.sampled_from([1, 20_000, 5_000_000, 999_999_937, 1_000_000_000])),
        "k": draw(st.integers(1, 3)),
        "m": draw(st.integers(0, 60)),
        "cut": draw(st.integers(0, 60)),
    }
    k, m = shape["k"], shape["m"]
    value = draw(values(k * m)).astype(line["first"]).reshape(k, m)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    outcome = np.where(rng.random((k, m)) < draw(st.sampled_from([0, 0.2, 1])), 2, 0)
    return line, shape, value, outcome.astype(np.uint8)


@given(block=blocks(), older=readings())
def test_a_block_of_samples_folds_like_its_readings(
    block: tuple[np.dtype[np.void], dict[str, int], Array, Array],
    older: tuple[np.dtype[np.void], Array, Array],
) -> None:
    """Bit for bit, wherever the block is cut, and into lines that hold readings already."""
    line, shape, value, outcome = block
    k, m, t0, period, cut = (shape[key] for key in ("k", "m", "t0", "period", "cut"))
    bank = bank_of(line, slots=16)
    step = int(bank["step_ns"][0])
    card = np.zeros(k, stage.CARD)
    card["row"] = np.arange(k)[::-1]
    one, other = aligned(16 * k, line), aligned(16 * k, line)
    for lines in (one, other):
        fold(lines, older[1] % 60_000, older[2].astype(line["first"]), slot=t0 // PANE_NS % 16)

    time = t0 + np.arange(m) * period
    pane = (time - 1) // PANE_NS
    slot = card["row"].astype(np.int64)[:, None] * 16 + pane % 16
    moment = np.broadcast_to((time - pane * PANE_NS) // step, (k, m)).astype(np.uint32)
    panes.fold_points(one, slot.ravel(), moment.ravel(), value.ravel(), outcome.ravel())

    sensor = np.arange(k, dtype=np.int32)
    cut = min(cut, m)
    found = np.empty((2, 2, k))
    for part, (start, stop) in enumerate([(0, cut), (cut, m)]):
        panes.fold_series(
            *(other, sensor, t0, period, start, stop, value, outcome, card, bank),
            *(found[part, 0], found[part, 1]),
        )
    for name in line.names or ():
        held = one["count"] > 0
        np.testing.assert_array_equal(other[name][held], one[name][held])
    np.testing.assert_array_equal(other["count"], one["count"])
    good = np.where(outcome == 0, value, np.nan)
    np.testing.assert_array_equal(found[:, 0].min(0), np.nanmin(good, 1, initial=np.inf))
    np.testing.assert_array_equal(found[:, 1].max(0), np.nanmax(good, 1, initial=-np.inf))


@given(
    steps=st.integers(0, 200),
    value=values(150),
    shape=st.tuples(st.integers(1, PANE_NS), st.integers(0, 150), st.integers(0, 2**32 - 1)),
)
def test_good_samples_in_whole_steps_fold_like_their_readings(
    steps: int, value: Array, shape: tuple[int, int, int]
) -> None:
    """Nearly all series are such; the sums of their times come from a formula."""
    t0, cut, old = shape
    for line in LINES:
        bank, card = bank_of(line, slots=16), np.zeros(1, stage.CARD)
        step = int(bank["step_ns"][0])
        period, x = max(1, steps) * step, value.astype(line["first"])
        time = t0 + np.arange(x.size) * period
        one, other = aligned(16, line), aligned(16, line)
        for lines in (one, other):
            fold(lines, np.array([old % (PANE_NS // step)], "u4"), x[:1])
        good = np.zeros((1, x.size), np.uint8)
        moment = ((time - 1) % PANE_NS + 1) // step
        slot = (time - 1) // PANE_NS % 16
        panes.fold_points(one, slot, moment.astype(np.uint32), x, good[0])
        low, high = np.empty(1), np.empty(1)
        for start, stop in ((0, cut), (cut, x.size)):
            panes.fold_series(
                *(other, np.zeros(1, np.int32), t0, period, start, stop, x[None], good),
                *(card, bank, low, high),
            )
        held = one["count"] > 0
        assert one[held].tobytes() == other[held].tobytes()


def test_only_the_rows_of_the_ranges_are_closed() -> None:
    """Sites close at different times; a slow one must keep its open panes."""
    bank = bank_of(panes.LINE64, slots=2)
    lines = aligned(20, panes.LINE64)
    for row in range(10):
        for pane in range(2):
            fold(lines, np.array([5], np.uint32), np.array([row + 100.0 * pane]), row * 2 + pane)
    out = np.full((panes.PANE_ROWS, 5), -7.0)
    panes.close_panes(lines, bank, 0, 3, np.array([6, 1]), np.array([8, 4]), panes.BOUNDS, out)
    assert out[panes.LOW].tolist() == [106, 107, 101, 102, 103]
    assert (out[panes.COUNT] == 1).all()
    assert (out[panes.MEAN] == -7).all()
    closed = np.flatnonzero(lines["count"] == 0)
    assert closed.tolist() == [3, 5, 7, 13, 15]


@given(pane_ns=st.integers(1, 10**13), digits=st.integers(0, 1))
def test_moments_fit_their_field(pane_ns: int, digits: int) -> None:
    """A moment that overflows would make the newest reading the oldest."""
    line = LINES[digits]
    step = panes.step_ns(pane_ns, line)
    assert pane_ns // step <= np.iinfo(line["last_t"]).max
    assert str(step).rstrip("0") in {"1", "2", "5"}


def test_lines_fill_cache_lines() -> None:
    """A record that straddles a cache line costs two misses for each reading."""
    assert panes.LINE32.itemsize == 64
    assert panes.LINE64.itemsize == 128
    assert stage.CARD.itemsize == 32
