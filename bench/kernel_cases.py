"""What each kernel is measured on: its columns, the readings that it gets, and its floor.

A case is a list of calls on batches as large as a frame, so that the columns of a batch come from
the cache, as they do in the engine, and what differs between orders and sizes is the state.

Kernel and floor have the same indices and the same columns of a batch, but each its own state.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from bench.floor import Argument, Call, Floor
from kernels import ladder, latch, onset, panes, stage, standing, sweep, windows
from kernels.columns import aligned

# Readings of a frame; samples of a block: 256 sensors * 100 samples * 5 bytes = 125 KiB.
BATCH = 8192
BLOCK_SENSORS = 256
SAMPLES = 100
# A series has more samples than sensors a line: ten times as many, or few lines are touched.
SERIES_SHARE = 10
SITE_SENSORS = 100
# Rows of which panes are closed together: 80 sites.
CLOSE_ROWS = 8000
WINDOW_PANES = 6
SLOTS = 2
PANE_NS = 10_000_000_000
PERIOD_NS = 10_000_000
BEGIN_NS = 1000 * PANE_NS + 1
# Batches follow each other closely, so that all repetitions stay in one pane.
BATCH_NS = 1_000_000
# One reading in a thousand is bad, and one reaches a threshold.
RARE = 1000
ROOM = 4096

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Load:
    """How many sensors, how many readings in one repetition, and in which order they come."""

    sensors: int
    readings: int
    is_random: bool
    seed: int
    floor: Floor | None

    def rng(self) -> np.random.Generator:
        """The same numbers for every case."""
        return np.random.default_rng(self.seed)

    def sensor_of(self, count: int) -> npt.NDArray[np.int32]:
        """Whose readings come: those of any sensor, or of one after the other, round and round."""
        if self.is_random:
            return self.rng().integers(self.sensors, size=count, dtype=np.int32)
        return (np.arange(count) % self.sensors).astype(np.int32)

    @property
    def series(self) -> int:
        """Series of all blocks of one repetition."""
        return self.readings * SERIES_SHARE // SAMPLES

    def bind(self, loop: str, calls: Sequence[tuple[Argument, ...]]) -> list[Call]:
        """The floor of a case: the same loop on batch after batch; empty without a compiler."""
        return [self.floor.bind(loop, *call) for call in calls] if self.floor else []

    def ranges(self) -> Iterator[tuple[Array, Array]]:
        """Rows that close together: whole sites in any order, or one range after the other."""
        if not self.is_random:
            for low in range(0, self.sensors, CLOSE_ROWS):
                yield np.array([low]), np.array([min(low + CLOSE_ROWS, self.sensors)])
            return
        sites = self.rng().permutation(self.sensors // SITE_SENSORS) * SITE_SENSORS
        for first in range(0, sites.size, CLOSE_ROWS // SITE_SENSORS):
            low = sites[first : first + CLOSE_ROWS // SITE_SENSORS]
            yield low, low + SITE_SENSORS


@dataclass(frozen=True, slots=True)
class Case:
    """One kernel on one load: what is called, in pairs of kernel and floor."""

    count: int
    kernel: list[Callable[[], object]]
    floor: list[Call]
    # Done before each call of the kernel, its time not counted.
    before: Callable[[], None]


def nothing() -> None:
    """For kernels whose columns need not move on between calls."""


def batches(column: Array, size: int) -> list[Array]:
    """The column in pieces of one size; what is left over is left out."""
    return [column[i : i + size] for i in range(0, column.size - size + 1, size)]


def cards(sensors: int) -> Array:
    """Sensors of one bank with a physical range, a hundred at each site, one link a site."""
    card = aligned(sensors, stage.CARD)
    card["low"], card["high"] = -1e6, 1e6
    card["row"] = np.arange(sensors)
    card["site"] = card["link"] = np.arange(sensors) // SITE_SENSORS
    return card


def banks(line: np.dtype[np.void]) -> Array:
    """The one bank, without lateness."""
    return np.array([(PANE_NS, 0, SLOTS, 0, panes.step_ns(PANE_NS, line))], stage.BANK)


def rarely(load: Load, shape: int | tuple[int, int], usual: float, rare: float) -> Array:
    """A column that is nearly always the same."""
    return np.where(load.rng().random(shape) < 1 / RARE, rare, usual)


def admit(load: Load) -> Case:
    """Readings find out whether they count, and where they belong."""
    sites = load.sensors // SITE_SENSORS + 1
    card, bank = cards(load.sensors), banks(panes.LINE32)
    link = aligned(sites, stage.LINK)
    link["time_ns"] = stage.NEVER
    site_links = np.arange(sites + 1, dtype=np.int32)
    clock_ns, next_pane = np.full(sites, stage.NEVER), np.full((1, sites), stage.NEVER)
    time_ns = BEGIN_NS + np.sort(load.rng().integers(BATCH_NS, size=BATCH))
    latest_ns = np.full(BATCH, -stage.NEVER)
    value = load.rng().normal(size=BATCH).astype(np.float32)
    quality = rarely(load, BATCH, 0, 3).astype(np.uint8)
    outcome, moment = np.empty(BATCH, np.uint8), np.empty(BATCH, np.uint32)
    slot, horizon_ns = np.empty(BATCH, np.int64), np.empty(BATCH, np.int64)

    def run(sensor: Array) -> None:
        consumed = stage.admit(
            *(sensor, time_ns, latest_ns, value, quality, 0, card, bank, link, site_links),
            *(clock_ns, next_pane, outcome, slot, moment, horizon_ns),
        )
        assert consumed == BATCH

    def move_on() -> None:
        np.add(time_ns, BATCH_NS, out=time_ns)

    pieces = batches(load.sensor_of(load.readings), BATCH)
    states = aligned((sites, 4), np.dtype(np.int64))
    columns = (time_ns, latest_ns, value, quality, card, states, outcome, slot, moment)
    beside = load.bind("floor_admit", [(s, *columns, horizon_ns, BATCH) for s in pieces])
    return Case(BATCH * len(pieces), [partial(run, s) for s in pieces], beside, move_on)


def fold_points(load: Load, line: np.dtype[np.void]) -> Case:
    """Readings are folded into the lines of their sensors."""
    lines = aligned(load.sensors * SLOTS, line)
    last_step = PANE_NS // panes.step_ns(PANE_NS, line)
    moment = np.sort(load.rng().integers(1, last_step, size=BATCH)).astype(np.uint32)
    value = load.rng().normal(size=BATCH).astype(np.float32)
    outcome = rarely(load, BATCH, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    slots = batches(load.sensor_of(load.readings).astype(np.int64) * SLOTS, BATCH)

    def run(slot: Array) -> None:
        panes.fold_points(lines, slot, moment, value, outcome)

    states, vectors = aligned(lines.shape, line), line.itemsize // 64
    columns = (moment, value, outcome, BATCH)
    beside = load.bind("floor_points", [(states, vectors, s, *columns) for s in slots])
    return Case(BATCH * len(slots), [partial(run, s) for s in slots], beside, nothing)


def fold_series(load: Load) -> Case:
    """Samples of regular series are folded into the line of their sensor."""
    lines = aligned(load.sensors * SLOTS, panes.LINE32)
    card, bank = cards(load.sensors), banks(panes.LINE32)
    value = load.rng().normal(size=(BLOCK_SENSORS, SAMPLES)).astype(np.float32)
    outcome = rarely(load, value.shape, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    low, high = np.empty(BLOCK_SENSORS), np.empty(BLOCK_SENSORS)
    block = (value, outcome, card, bank, low, high)
    sensors = batches(load.sensor_of(load.series), BLOCK_SENSORS)

    def run(sensor: Array) -> None:
        panes.fold_series(lines, sensor, BEGIN_NS, PERIOD_NS, 0, SAMPLES, *block)

    states = aligned(lines.shape, panes.LINE32)
    columns = (value, outcome, None, SAMPLES, BLOCK_SENSORS)
    asked = [(states, s.astype(np.int64) * SLOTS, card, s, *columns) for s in sensors]
    count = len(sensors) * BLOCK_SENSORS * SAMPLES
    beside = load.bind("floor_series", asked)
    return Case(count, [partial(run, s) for s in sensors], beside, nothing)


def stalta_series(load: Load) -> Case:
    """Samples of regular series are let into the two averages of their sensor."""
    lines = aligned(load.sensors, onset.ONSET)
    ratio = aligned(load.sensors * SLOTS, np.dtype(np.float64))
    card, bank = cards(load.sensors), banks(panes.LINE32)
    value = load.rng().normal(size=(BLOCK_SENSORS, SAMPLES)).astype(np.float32)
    outcome = rarely(load, value.shape, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    sensors = batches(load.sensor_of(load.series), BLOCK_SENSORS)
    begin_ns = np.array([BEGIN_NS])

    def run(sensor: Array) -> None:
        # No gap is too long: between two blocks of a sensor are those of all others.
        onset.stalta_series(
            *(lines, ratio, 100, 1000, 1 << 60, sensor, begin_ns[0], PERIOD_NS, 0, SAMPLES),
            *(value, outcome, card, bank, 0),
        )

    def move_on() -> None:
        begin_ns[0] += SAMPLES * PERIOD_NS

    states = aligned(load.sensors // 2 + 1, panes.LINE32)
    ratios = aligned(ratio.shape, np.dtype(np.float64))
    columns = (value, outcome, ratios, SAMPLES, BLOCK_SENSORS)
    asked = [(states, s.astype(np.int64) // 2, card, s, *columns) for s in sensors]
    count = len(sensors) * BLOCK_SENSORS * SAMPLES
    beside = load.bind("floor_series", asked)
    return Case(count, [partial(run, s) for s in sensors], beside, move_on)


def tick(load: Load, *, is_sums: bool) -> Case:
    """Windows of six panes take in six panes, so that one of six ticks flips."""
    fields = windows.TREND_FIELDS if is_sums else windows.BOUND_FIELDS
    ring = aligned((fields, WINDOW_PANES, load.sensors), np.dtype(np.float64))
    back = aligned((fields, load.sensors), np.dtype(np.float64))
    if not is_sums:
        ring[0], ring[1], back[0], back[1] = np.inf, -np.inf, np.inf, -np.inf
    pane = load.rng().random((panes.PANE_ROWS, CLOSE_ROWS)) + 1
    out = np.empty_like(pane)

    def run(position: int, low: Array, high: Array) -> None:
        if is_sums:
            windows.tick_sums(ring, back, position, PANE_NS, low, high, pane, out)
        else:
            windows.tick_bounds(ring, back, position, low, high, pane, out)

    ranges = list(load.ranges())
    asked = [(position, *pair) for position in range(WINDOW_PANES) for pair in ranges]
    state = (aligned(ring.shape, ring.dtype), aligned(back.shape, back.dtype), fields)
    columns = (pane, out, CLOSE_ROWS)
    calls = [
        (*state, WINDOW_PANES, load.sensors, at, low, high, low.size, *columns)
        for at, low, high in asked
    ]
    beside = load.bind("floor_tick", calls)
    kernel = [partial(run, *one) for one in asked]
    return Case(load.sensors * WINDOW_PANES, kernel, beside, nothing)


class Latches:
    """Rows of a rule with four grades, no holding times, nothing stale."""

    def __init__(self, rows: int) -> None:
        self.latch = aligned(rows, standing.LATCH)
        self.episode = aligned(rows, standing.EPISODE)
        self.due_ns = aligned(rows, np.dtype(np.int64))
        self.terms = np.zeros(1, standing.TERMS)
        self.terms["exists"] = 0x0F
        self.terms["stale_ns"] = self.terms["blind_ns"] = standing.FOREVER_NS
        self.changes = np.zeros(ROOM, standing.CHANGE)
        standing.forget(self.latch, self.episode, self.due_ns, 0, rows)

    @property
    def columns(self) -> tuple[Array, ...]:
        """What every kernel of latches begins with."""
        return self.latch, self.episode, self.due_ns, self.terms


def judge_readings(load: Load) -> Case:
    """Readings get their codes, and move the latches of their rows."""
    rule = Latches(load.sensors)
    kind, forced = ladder.verdicts(0x0F, ladder.IGNORE, 0, ladder.IGNORE)
    enter = np.array([1, 2, 3, 4], np.float32)
    clear = enter - np.float32(0.5)
    usual = load.rng().random(BATCH) * 0.9
    value = np.where(rarely(load, BATCH, 0, 1) > 0, 1.5, usual).astype(np.float32)
    outcome = rarely(load, BATCH, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    code, applies = np.empty(BATCH, np.uint16), np.empty(BATCH, np.uint8)
    time_ns = BEGIN_NS + np.sort(load.rng().integers(BATCH_NS, size=BATCH))
    horizon_ns = time_ns - PANE_NS

    def run(row: Array) -> None:
        ladder.codes(value, outcome, enter, clear, 0x0F, True, kind, forced, code, applies)
        start = 0
        while start < BATCH:
            start, _ = latch.apply_readings(
                *(*rule.columns, row, time_ns, value, code, applies, horizon_ns, start),
                rule.changes,
            )

    def move_on() -> None:
        np.add(time_ns, BATCH_NS, out=time_ns)
        np.add(horizon_ns, BATCH_NS, out=horizon_ns)

    rows = batches(load.sensor_of(load.readings), BATCH)
    states = aligned(load.sensors, panes.LINE32)
    columns = (time_ns, value, outcome, horizon_ns, code, applies, BATCH)
    beside = load.bind("floor_latch", [(states, row, *columns) for row in rows])
    return Case(BATCH * len(rows), [partial(run, row) for row in rows], beside, move_on)


def judge_panes(load: Load) -> Case:
    """Ends of panes move the latches of ranges of rows."""
    rule = Latches(load.sensors)
    value = load.rng().random(CLOSE_ROWS)
    # Blue's `when`, and otherwise `clear` for all four.
    code = rarely(load, CLOSE_ROWS, 0x0F00, 0x0E01).astype(np.uint16)
    ranges = list(load.ranges())
    end_ns = np.array([BEGIN_NS])

    def run(low: Array, high: Array) -> None:
        start, rows = 0, int((high - low).sum())
        while start < rows:
            start, _ = sweep.apply_panes(
                *(*rule.columns, low, high, end_ns[0], value, code, start, rule.changes)
            )

    def move_on() -> None:
        end_ns[0] += BATCH_NS
        # Other rows than the last time, so that grades rise and are cleared.
        code[:] = np.roll(code, 1)

    states = aligned(load.sensors, panes.LINE32)
    calls = [(states, low, high, value, code, low.size) for low, high in ranges]
    beside = load.bind("floor_panes", calls)
    return Case(load.sensors, [partial(run, *pair) for pair in ranges], beside, move_on)


# Name, what one is counted per, and how its columns are made.
CASES: tuple[tuple[str, str, Callable[[Load], Case]], ...] = (
    ("stage.admit", "ns/reading", admit),
    ("panes.fold_points LINE32", "ns/reading", partial(fold_points, line=panes.LINE32)),
    ("panes.fold_points LINE64", "ns/reading", partial(fold_points, line=panes.LINE64)),
    ("panes.fold_series LINE32", "ns/sample", fold_series),
    ("onset.stalta_series", "ns/sample", stalta_series),
    ("windows.tick_sums", "ns/sensor/tick", partial(tick, is_sums=True)),
    ("windows.tick_bounds", "ns/sensor/tick", partial(tick, is_sums=False)),
    ("ladder.codes + latch.apply_readings", "ns/reading", judge_readings),
    ("sweep.apply_panes", "ns/sensor/tick", judge_panes),
)
