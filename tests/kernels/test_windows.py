"""Runs of panes: the twin, and the laws of merging."""

import platform
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import panes, stage, windows
from kernels.columns import aligned
from tests.kernels.measures import assert_measures
from tests.reference.windows import window

PANE_NS = 10**10
ALL = panes.MOMENTS | panes.BOUNDS | panes.ENDS | panes.TREND
BLANKS = {
    "sums": np.zeros(windows.TREND_FIELDS),
    "bounds": np.array([np.inf, -np.inf]),
    "ends": np.full(windows.END_FIELDS, np.nan),
}
Array = npt.NDArray[np.generic]


@dataclass(slots=True)
class Window:
    """The state of all groups of one window over some rows."""

    rows: int
    rings: dict[str, Array]
    backs: dict[str, Array]

    def tick(self, pane_index: int, pane: Array, ranges: list[tuple[int, int]]) -> Array:
        """Take in a closed pane of ranges of rows."""
        low, high = (np.array(side, np.int64) for side in zip(*ranges, strict=True))
        out = np.full((panes.PANE_ROWS, int((high - low).sum())), -7.0)
        position = pane_index % self.rings["sums"].shape[1]
        rings, backs = self.rings, self.backs
        windows.tick_sums(rings["sums"], backs["sums"], position, PANE_NS, low, high, pane, out)
        windows.tick_bounds(rings["bounds"], backs["bounds"], position, low, high, pane, out)
        windows.tick_ends(rings["ends"], backs["ends"], position, PANE_NS, low, high, pane, out)
        return out

    def clear(self, low: int, high: int) -> None:
        for name, blank in BLANKS.items():
            ring, back = self.rings[name], self.backs[name]
            windows.clear(ring, back, np.array([low]), np.array([high]), blank)


def make(length: int, rows: int) -> Window:
    rings = {name: aligned((blank.size, length, rows), "f8") for name, blank in BLANKS.items()}
    backs = {name: aligned((blank.size, rows), "f8") for name, blank in BLANKS.items()}
    made = Window(rows, rings, backs)
    made.clear(0, rows)
    return made


def pane_table(times: Array, values: Array, index: int, rows: int) -> Array:
    """Fold (row-less) readings of pane `index` into every row, row r holding value * (r + 1)."""
    bank = np.zeros(1, stage.BANK)
    bank[0] = (PANE_NS, 0, 1, 0, panes.step_ns(PANE_NS, panes.LINE64))
    lines = aligned(rows, panes.LINE64)
    inside = (times - 1) // PANE_NS == index
    moment = ((times[inside] - index * PANE_NS) // bank["step_ns"][0]).astype(np.uint32)
    for row in range(rows):
        slot = np.full(moment.size, row)
        value = np.ascontiguousarray(values[inside] * (row + 1))
        panes.fold_points(lines, slot, moment, value, np.zeros(moment.size, np.uint8))
    out = np.empty((panes.PANE_ROWS, rows))
    panes.close_panes(lines, bank, 0, index, np.array([0]), np.array([rows]), ALL, out)
    return out


@st.composite
def signals(draw: st.DrawFn) -> tuple[int, int, int, Array, Array]:
    """A window length, panes, and sparse or dense readings with steps of level and outliers."""
    length, count = draw(st.integers(1, 7)), draw(st.integers(1, 16))
    begin = draw(st.integers(0, 1000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(0, 3 * count))
    times = np.sort(rng.integers(1, count * PANE_NS // 20 + 1, size)) * 20 + begin * PANE_NS
    values = rng.normal(0, 1, size) * draw(st.sampled_from([0.0, 1e-3, 1.0, 1e3]))
    values += draw(st.sampled_from([0.0, 1.0, 1e6]))
    if size and draw(st.booleans()):
        values[rng.integers(size)] *= 1000
    return length, begin, count, times, values


@given(signal=signals())
def test_a_window_measures_what_its_definition_says(
    signal: tuple[int, int, int, Array, Array],
) -> None:
    """Whatever its length, wherever the cycle stands."""
    length, begin, count, times, values = signal
    made = make(length, 2)
    readings = [(int(t), float(x)) for t, x in zip(times, values, strict=True)]
    for index in range(begin, begin + count):
        out = made.tick(index, pane_table(times, values, index, 2), [(0, 2)])
        exact = window(readings, (index + 1) * PANE_NS, length * PANE_NS, step_ns=20)
        assert_measures(out[:, 0], exact)


@given(signal=signals(), seed=st.integers(0, 99))
def test_the_past_does_not_haunt(signal: tuple[int, int, int, Array, Array], seed: int) -> None:
    """A spike that has left a window must leave no digit behind: running sums fail here."""
    length, begin, count, times, values = signal
    other = np.random.default_rng(seed).normal(0, 1e9, values.size)
    last = begin + count - 1
    has_left = (times - 1) // PANE_NS <= last - length
    one, two = make(length, 1), make(length, 1)
    for index in range(begin, begin + count):
        out = one.tick(index, pane_table(times, values, index, 1), [(0, 1)])
        mixed = np.where(has_left, other, values)
        out_mixed = two.tick(index, pane_table(times, mixed, index, 1), [(0, 1)])
    np.testing.assert_array_equal(out, out_mixed)


@given(signal=signals(), cuts=st.lists(st.integers(1, 8), max_size=3, unique=True).map(sorted))
def test_how_rows_are_grouped_changes_nothing(
    signal: tuple[int, int, int, Array, Array], cuts: list[int]
) -> None:
    """A slow gateway holds back its own site only, so rows close in ranges of any size."""
    length, begin, count, times, values = signal
    edges = [0, *cuts, 9]
    ranges = list(pairwise(edges))[::-1]
    order = np.concatenate([np.arange(a, b) for a, b in ranges])
    whole, parts = make(length, 9), make(length, 9)
    for index in range(begin, begin + count):
        pane = pane_table(times, values, index, 9)
        expected = whole.tick(index, pane, [(0, 9)])
        found = parts.tick(index, np.ascontiguousarray(pane[:, order]), ranges)
        np.testing.assert_array_equal(found, expected[:, order])


@given(signal=signals())
def test_a_cleared_row_is_a_new_row(signal: tuple[int, int, int, Array, Array]) -> None:
    """After a gap as long as the window nothing is left to know."""
    length, begin, count, times, values = signal
    used, fresh = make(length, 2), make(length, 2)
    for index in range(begin, begin + count):
        used.tick(index, pane_table(times, values, index, 2), [(0, 2)])
    used.clear(1, 2)
    for name in BLANKS:
        np.testing.assert_array_equal(used.rings[name][..., 1], fresh.rings[name][..., 1])
        np.testing.assert_array_equal(used.backs[name][..., 1], fresh.backs[name][..., 1])


@given(signal=signals())
def test_empty_panes_are_as_good_as_a_clear(signal: tuple[int, int, int, Array, Array]) -> None:
    """So that the caller may jump over a long gap."""
    length, begin, count, times, values = signal
    used = make(length, 1)
    last = begin + count - 1
    for index in range(begin, begin + count):
        used.tick(index, pane_table(times, values, index, 1), [(0, 1)])
    nothing = pane_table(times[:0], values[:0], 0, 1)
    for index in range(last + 1, last + 1 + length):
        out = used.tick(index, nothing, [(0, 1)])
    assert_measures(out[:, 0], None)


def test_rings_with_fewer_fields_tell_the_same() -> None:
    """State is allocated only for what rules ask; what they ask must not change the numbers."""
    rng = np.random.default_rng(1)
    times, values = np.sort(rng.integers(1, 12 * PANE_NS, 60)), rng.normal(5, 1, 60)
    edge = np.array([0]), np.array([1])
    rings = {f: (np.zeros((f, 5, 1)), np.zeros((f, 1))) for f in (1, 3, 6)}
    for index in range(12):
        pane = pane_table(times, values, index, 1)
        found = {}
        for f, (ring, back) in rings.items():
            found[f] = np.full((panes.PANE_ROWS, 1), -7.0)
            windows.tick_sums(ring, back, index % 5, PANE_NS, *edge, pane, found[f])
        assert found[1][panes.COUNT] == found[6][panes.COUNT]
        assert (found[3][: panes.LOW] == found[6][: panes.LOW]).all()
        assert (found[3][panes.TMEAN :] == -7).all()
        assert (found[1][panes.MEAN :] == -7).all()


def test_float32_bounds_are_exact_for_float32_readings() -> None:
    """A bank of float32 lines may keep its bounds in half the memory."""
    values = np.float32([0.1, -3.7, 12345.678]).astype(np.float64)
    ring, back = np.zeros((2, 4, 1), np.float32), np.zeros((2, 1), np.float32)
    edge = np.array([0]), np.array([1])
    windows.clear(ring, back, *edge, BLANKS["bounds"])
    for index, value in enumerate(values):
        pane = pane_table(np.array([index * PANE_NS + 20]), np.array([value]), index, 1)
        out = np.empty((panes.PANE_ROWS, 1))
        windows.tick_bounds(ring, back, index, *edge, pane, out)
    assert out[panes.LOW, 0] == values.min()
    assert out[panes.HIGH, 0] == values.max()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or bool(vars(numba.config)["BOUNDSCHECK"]),
    reason="looks at x86-64 instructions, without bounds checks",
)
@pytest.mark.parametrize("name", ["push_moments", "join_moments", "push_trend", "join_trend"])
def test_hot_loops_are_vectorised(name: str) -> None:
    """A signed index or a seventeenth array costs a factor of five, silently."""
    table, ring, back = np.zeros((12, 8)), np.zeros((6, 4, 8)), np.zeros((6, 8))
    span = (np.uint64(0), np.uint64(8), table, np.uint64(0))
    arguments = (ring, back, 1, 10.0, *span) if name.endswith("trend") else (ring, back, 1, *span)
    compiled = numba.njit(error_model="numpy")(getattr(windows, name).py_func)
    compiled(*arguments)
    assert all("vdivpd" in text or "divpd" in text for text in compiled.inspect_asm().values())


def test_rows_of_tables_have_the_same_numbers() -> None:
    """A kernel file imports no other, so the rows are named twice."""
    names = ["COUNT", "MEAN", "M2", "LOW", "HIGH", "FIRST", "LAST", "FIRST_NS", "LAST_NS"]
    for name in [*names, "TMEAN", "MT2", "C"]:
        assert getattr(windows, name) == getattr(panes, name)
