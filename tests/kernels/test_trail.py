"""The trail: the readings of a span, in order, whatever the order in which they came."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from kernels import trail
from tests.reference.trail import window

Array = npt.NDArray[np.generic]
PANE = 10
SLOTS = 4
WINDOW = 30
PANE_MAX, WINDOW_MAX = 4, 9


class Trails:
    """Trails of three rows, the second of which is fed."""

    def __init__(self, row: int = 1) -> None:
        capacity = WINDOW_MAX + SLOTS * PANE_MAX + 1
        self.row = row
        self.rings = (
            *(np.zeros((3, capacity), np.int64), np.zeros((3, capacity))),
            np.zeros(3, trail.RING),
        )
        # The first windows begin before time 0; in an engine no time does.
        self.rings[2]["lost_ns"] = -WINDOW
        self.filled = np.zeros(3 * SLOTS, np.uint32)

    def add(self, readings: list[tuple[int, float]]) -> None:
        times = np.array([t for t, _ in readings], np.int64)
        slot = self.row * SLOTS + (times - 1) // PANE % SLOTS
        value = np.array([x for _, x in readings])
        outcome = np.zeros(times.size, np.uint8)
        places = (*self.rings, self.filled, PANE_MAX, SLOTS)
        trail.add_points(*places, slot, times, value, outcome)

    def close(self, pane: int) -> int:
        low, high = np.array([0]), np.array([3])
        end = (pane + 1) * PANE
        bounds = (PANE_MAX, SLOTS, pane, end, low, high)
        return trail.close_pane(self.filled, *bounds, self.rings[2])

    def window(self, end: int) -> list[tuple[int, float]] | None:
        rows = np.array([0, 1, 2])
        begin, count = np.empty((2, 3), np.int64)
        times, values, ring = self.rings
        span = (rows, end - WINDOW, end, WINDOW_MAX)
        trail.find(times, ring, *span, begin, count)
        others = [row for row in range(3) if row != self.row]
        assert (count[others] == 0).all()
        if count[self.row] < 0:
            return None
        start = np.cumsum([0, *count])
        since_s, value = np.empty((2, start[-1]))
        trail.gather(times, values, ring, rows, begin, start, end, since_s, value)
        found = np.round(since_s * 1e9).astype(np.int64) + end
        return list(zip(found.tolist(), value.tolist(), strict=True))


readings_of = st.lists(st.tuples(st.integers(1, 160), st.integers(0, 3)), max_size=120)


@given(rows=readings_of, seed=st.integers(0, 99), cut=st.integers(1, 7))
def test_a_trail_knows_the_window_or_says_that_it_does_not(rows, seed, cut):
    """In any order of arrival, in frames of any length, with any number of readings."""
    readings = [(t, float(x)) for t, x in rows]
    rng = np.random.default_rng(seed)
    one, other = Trails(), Trails(2)
    for pane in range(16):
        # What may have come by then: the open panes, in two different orders and cuts.
        opening = pane if pane == 0 else pane + SLOTS - 1
        fresh = [r for r in readings if opening <= (r[0] - 1) // PANE < pane + SLOTS]
        one.add([fresh[i] for i in rng.permutation(len(fresh))])
        for at in range(0, len(fresh), cut):
            other.add(fresh[at : at + cut])
        assert one.close(pane) == other.close(pane)
        end = (pane + 1) * PANE
        expected = window(readings, end - WINDOW, end, WINDOW_MAX, PANE, PANE_MAX)
        assert one.window(end) == expected
        assert other.window(end) == expected


@given(rows=readings_of)
def test_how_early_the_future_comes_changes_nothing(rows):
    """One gateway sends in time, another everything at once."""
    readings = [(t, float(x)) for t, x in rows if t <= SLOTS * PANE]
    early, timely = Trails(), Trails()
    early.add(readings)
    for pane in range(SLOTS):
        timely.add([r for r in readings if (r[0] - 1) // PANE == pane])
        early.close(pane)
        timely.close(pane)
        assert early.window((pane + 1) * PANE) == timely.window((pane + 1) * PANE)


@given(
    steps=st.lists(st.sampled_from([0, 0, 0, 1, 3]), min_size=1, max_size=40),
    cut=st.integers(0, 40),
    period=st.sampled_from([1, 3, 4]),
)
def test_a_block_leaves_the_trail_of_its_samples(steps, cut, period):
    outcome = np.array([steps], np.uint8)
    value = np.arange(len(steps), dtype=np.float64)[None]
    times = 5 + np.arange(len(steps)) * period
    fits = times <= SLOTS * PANE
    stop = int(fits.sum())
    points, block = Trails(), Trails()
    good = [(int(t), float(x)) for t, x, o in zip(times, value[0], steps, strict=True) if o == 0]
    points.add([r for r in good if r[0] <= SLOTS * PANE])
    for low, high in ((0, min(cut, stop)), (min(cut, stop), stop)):
        trail.add_series(
            *(*block.rings, block.filled, PANE_MAX, SLOTS, np.array([1]), 5, period, low, high),
            *(PANE, value, outcome),
        )
    for pane in range(SLOTS):
        assert points.close(pane) == block.close(pane)
        assert points.window((pane + 1) * PANE) == block.window((pane + 1) * PANE)


def test_bad_readings_and_those_without_a_place_leave_no_trace():
    made = Trails()
    slot = np.array([SLOTS, -1, SLOTS])
    places = (*made.rings, made.filled, PANE_MAX, SLOTS, slot)
    trail.add_points(*places, np.array([3, 4, 5]), np.ones(3), np.array([1, 0, 0], np.uint8))
    assert made.window(10) == [(5, 1.0)]
