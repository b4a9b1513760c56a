"""The kernels of features that look at readings: trails, order statistics, walks.

Statistics are measured on blocks of windows of WINDOW readings, as a shard hands them over; their
cost does not depend on how many sensors there are, but for the trail they are copied from.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.kernel_cases import (
    BATCH,
    BATCH_NS,
    BEGIN_NS,
    PANE_NS,
    SLOTS,
    Array,
    Case,
    Load,
    batches,
    nothing,
    rarely,
)
from kernels import course, robust, stage, trail, walk
from kernels.columns import aligned

# A window of a minute at one reading a second; 1024 of them are 1 MiB of two columns.
WINDOW = 60
WINDOWS = 1024
# Trails of 8 readings: two cache lines a sensor.
CAPACITY = 8
MANY = 1 << 30


def add_points(load: Load) -> Case:
    """Readings go to the ends of full trails."""
    rings = (
        aligned((load.sensors, CAPACITY), np.dtype(np.int64)),
        aligned((load.sensors, CAPACITY), np.dtype(np.float64)),
        aligned(load.sensors, trail.RING),
    )
    rings[2]["size"] = CAPACITY
    filled = aligned(load.sensors * SLOTS, np.dtype(np.uint32))
    time_ns = BEGIN_NS + np.sort(load.rng().integers(BATCH_NS, size=BATCH))
    value = load.rng().normal(size=BATCH)
    outcome = rarely(load, BATCH, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    slots = batches(load.sensor_of(load.readings).astype(np.int64) * SLOTS, BATCH)

    def run(slot: Array) -> None:
        trail.add_points(*rings, filled, MANY, SLOTS, slot, time_ns, value, outcome)

    def move_on() -> None:
        np.add(time_ns, BATCH_NS, out=time_ns)

    # A slot is the first of the two lines of its sensor.
    states = aligned((load.sensors * SLOTS, 8), np.dtype(np.float64))
    moment, narrow = np.zeros(BATCH, np.uint32), value.astype(np.float32)
    calls = [(states, 1, slot, moment, narrow, outcome, BATCH) for slot in slots]
    beside = load.bind("floor_points", calls)
    return Case(BATCH * len(slots), [partial(run, slot) for slot in slots], beside, move_on)


class Spans:
    """Windows of readings that follow each other, once a second, with a trend."""

    def __init__(self, load: Load) -> None:
        size = WINDOW * WINDOWS
        self.load = load
        self.since_s = np.tile(np.arange(1.0 - WINDOW, 1.0), WINDOWS)
        self.value = load.rng().normal(size=size) + self.since_s / 10
        self.start = np.arange(0, size + 1, WINDOW)
        self.work = np.empty(robust.PAIRS_MAX)
        self.points = np.empty((2, robust.POINTS_MAX))
        self.out, self.other = np.empty((2, WINDOWS))
        self.rows = np.arange(WINDOWS)

    def case(self, run: Callable[[], None], move_on: Callable[[], None] = nothing) -> Case:
        """So many blocks as there are readings to work on; the floor reads them."""
        turns = max(1, self.load.readings // (8 * self.value.size))
        columns = (self.since_s, self.value, self.start, self.out, WINDOWS)
        beside = self.load.bind("floor_spans", [columns] * turns)
        return Case(turns * self.value.size, [run] * turns, beside, move_on)


def statistic(load: Load, name: str) -> Case:
    """One statistic of each window."""
    s = Spans(load)
    runs: dict[str, Callable[[], None]] = {
        "quantiles": lambda: robust.quantiles(s.value, s.start, 0.5, s.work, s.out),
        "mad_scores": lambda: robust.mad_scores(s.value, s.start, s.work, s.out),
        "noises": lambda: robust.noises(s.value, s.start, s.work, s.out),
        "robust_slopes": lambda: robust.robust_slopes(
            s.since_s, s.value, s.start, float(WINDOW), s.work, *s.points, s.out
        ),
        "increases": lambda: course.increases(s.since_s, s.value, s.start, s.out, s.other),
        "scores": lambda: course.scores(s.value, s.start, s.out),
        "failures": lambda: course.failures(s.since_s, s.value, s.start, float(WINDOW), s.out),
    }
    return s.case(runs[name])


def gather(load: Load) -> Case:
    """The readings of windows are found and copied out of their trails."""
    s = Spans(load)
    times = np.tile(PANE_NS + np.arange(1 - WINDOW, 1) * 10**9, (WINDOWS, 1))
    rings = (times, s.value.reshape(WINDOWS, WINDOW).copy(), np.zeros(WINDOWS, trail.RING))
    rings[2]["size"] = WINDOW
    begin, count = np.empty((2, WINDOWS), np.int64)
    begin_ns = PANE_NS - WINDOW * 10**9

    def run() -> None:
        found = (s.rows, begin_ns, PANE_NS, WINDOW, begin, count)
        trail.find(rings[0], rings[2], *found)
        trail.gather(*rings, s.rows, begin, s.start, PANE_NS, s.since_s, s.value)

    return s.case(run)


def step(load: Load, *, is_motion: bool) -> Case:
    """Readings are walked through, pane after pane."""
    s = Spans(load)
    line = aligned(WINDOWS, walk.MOTION if is_motion else walk.SMOOTH)
    end_ns, gap_ns = np.array([BEGIN_NS]), np.full(WINDOWS, MANY * 1000)
    readings = (s.rows, s.since_s, s.value, s.start)
    velocity = np.empty(WINDOWS)

    def run() -> None:
        if is_motion:
            walk.move(line, *readings, end_ns[0], gap_ns, s.out, s.other, velocity)
        else:
            walk.smooth(line, *readings, end_ns[0], 10.0, gap_ns, s.out)

    def move_on() -> None:
        end_ns[0] += WINDOW * 10**9

    return s.case(run, move_on)


STATISTICS = ("quantiles", "mad_scores", "noises", "robust_slopes")
COURSES = ("increases", "scores", "failures")
FEATURE_CASES: tuple[tuple[str, str, Callable[[Load], Case]], ...] = (
    ("trail.add_points", "ns/reading", add_points),
    ("trail.find + trail.gather", "ns/reading", gather),
    *((f"robust.{name}", "ns/reading", partial(statistic, name=name)) for name in STATISTICS),
    *((f"course.{name}", "ns/reading", partial(statistic, name=name)) for name in COURSES),
    ("walk.smooth", "ns/reading", partial(step, is_motion=False)),
    ("walk.move", "ns/reading", partial(step, is_motion=True)),
)
