"""The other kernels of the walk: what is raw, what closes, what waits. See kernel_cases.py."""

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.feature_cases import FEATURE_CASES
from bench.kernel_cases import (
    BATCH,
    BATCH_NS,
    BEGIN_NS,
    BLOCK_SENSORS,
    CASES,
    CLOSE_ROWS,
    PANE_NS,
    PERIOD_NS,
    SAMPLES,
    SLOTS,
    WINDOW_PANES,
    Array,
    Case,
    Latches,
    Load,
    banks,
    batches,
    cards,
    nothing,
    rarely,
)
from kernels import latch, onset, panes, raw, stage, standing, windows
from kernels.columns import aligned

EVERYTHING = panes.MOMENTS | panes.BOUNDS | panes.ENDS | panes.TREND


def fold_raw(load: Load) -> Case:
    """Readings, good or bad, are folded into the raw lines of their sensors."""
    lines = aligned(load.sensors * SLOTS, raw.RAW)
    last_step = PANE_NS // panes.step_ns(PANE_NS, panes.LINE32)
    moment = np.sort(load.rng().integers(1, last_step, size=BATCH)).astype(np.uint32)
    value = load.rng().normal(size=BATCH).astype(np.float32)
    outcome = rarely(load, BATCH, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    slots = batches(load.sensor_of(load.readings).astype(np.int64) * SLOTS, BATCH)

    def run(slot: Array) -> None:
        raw.fold_raw(lines, slot, moment, value, outcome)

    states = aligned(lines.shape, raw.RAW)
    calls = [(states, slot, moment, value, outcome, BATCH) for slot in slots]
    beside = load.bind("floor_raw", calls)
    return Case(BATCH * len(slots), [partial(run, slot) for slot in slots], beside, nothing)


def stalta_points(load: Load) -> Case:
    """Readings one by one are let into the two averages of their sensor."""
    lines = aligned(load.sensors, onset.ONSET)
    ratio = aligned(load.sensors * SLOTS, np.dtype(np.float64))
    card, bank = cards(load.sensors), banks(panes.LINE32)
    time_ns = BEGIN_NS + np.sort(load.rng().integers(BATCH_NS, size=BATCH))
    value = load.rng().normal(size=BATCH).astype(np.float32)
    outcome = rarely(load, BATCH, stage.FOLDED, stage.QUALITY).astype(np.uint8)
    pieces = batches(load.sensor_of(load.readings), BATCH)
    places = [piece.astype(np.int64) * SLOTS for piece in pieces]

    def run(sensor: Array, slot: Array) -> None:
        # No gap is too long: between two readings of a sensor are those of all others.
        columns = (sensor, time_ns, value, outcome, slot, card, bank, 0)
        onset.stalta_points(lines, ratio, 100, 1000, 1 << 60, *columns)

    def move_on() -> None:
        np.add(time_ns, BATCH_NS, out=time_ns)

    states, ratios = aligned(lines.shape, onset.ONSET), aligned(ratio.shape, ratio.dtype)
    pairs = list(zip(pieces, places, strict=True))
    calls = [(states, card, s, time_ns, value, outcome, at, ratios, BATCH) for s, at in pairs]
    beside = load.bind("floor_stalta", calls)
    return Case(BATCH * len(pieces), [partial(run, *pair) for pair in pairs], beside, move_on)


def examine_series(load: Load) -> Case:
    """Samples of regular series find out whether they count."""
    card = cards(load.sensors)
    value = load.rng().normal(size=(BLOCK_SENSORS, SAMPLES)).astype(np.float32)
    quality = np.empty((0, 0), np.uint8)
    outcome = np.empty(value.shape, np.uint8)
    first, tally = np.zeros(BLOCK_SENSORS, np.int64), np.zeros((BLOCK_SENSORS, 9), np.int64)
    sensors = batches(load.sensor_of(load.series), BLOCK_SENSORS)
    latest_ns = BEGIN_NS + PANE_NS

    def run(sensor: Array) -> None:
        stage.examine_series(
            *(sensor, BEGIN_NS, PERIOD_NS, 0, SAMPLES, latest_ns, value, quality),
            *(card, first, outcome, tally),
        )

    columns = (value, card, outcome, tally, SAMPLES, BLOCK_SENSORS)
    beside = load.bind("floor_examine", [(sensor, *columns) for sensor in sensors])
    count = len(sensors) * BLOCK_SENSORS * SAMPLES
    return Case(count, [partial(run, sensor) for sensor in sensors], beside, nothing)


def close(load: Load, *, is_raw: bool) -> Case:
    """Lines of a closed pane become columns, and their slots are free."""
    line, fields = (raw.RAW, raw.RAW_ROWS) if is_raw else (panes.LINE32, panes.PANE_ROWS)
    lines, bank = aligned(load.sensors * SLOTS, line), banks(panes.LINE32)
    out = np.empty((fields, CLOSE_ROWS))

    def run(low: Array, high: Array) -> None:
        if is_raw:
            raw.close_raw(lines, bank, 0, 0, low, high, out)
        else:
            panes.close_panes(lines, bank, 0, 0, low, high, EVERYTHING, out)

    # Closed lines stay as they are but for their count: what is read and written is the same.
    lines["count"] = 7
    states = aligned(lines.shape, line)
    ranges = list(load.ranges())
    sizes = (out, fields, CLOSE_ROWS)
    calls = [(states, line.itemsize // 8, SLOTS, *pair, pair[0].size, *sizes) for pair in ranges]
    beside = load.bind("floor_close", calls)
    return Case(load.sensors, [partial(run, *pair) for pair in ranges], beside, nothing)


def tick_ends(load: Load) -> Case:
    """Windows of six panes take in the first and the last reading of six panes."""
    fields = windows.END_FIELDS
    ring = aligned((fields, WINDOW_PANES, load.sensors), np.dtype(np.float64))
    back = aligned((fields, load.sensors), np.dtype(np.float64))
    ring[...], back[...] = np.nan, np.nan
    pane = load.rng().random((panes.PANE_ROWS, CLOSE_ROWS)) + 1
    out = np.empty_like(pane)

    def run(position: int, low: Array, high: Array) -> None:
        windows.tick_ends(ring, back, position, PANE_NS, low, high, pane, out)

    asked = [(position, *pair) for position in range(WINDOW_PANES) for pair in load.ranges()]
    state = (aligned(ring.shape, ring.dtype), aligned(back.shape, back.dtype), fields)
    calls = [
        (*state, WINDOW_PANES, load.sensors, at, low, high, low.size, pane, out, CLOSE_ROWS)
        for at, low, high in asked
    ]
    beside = load.bind("floor_tick", calls)
    kernel = [partial(run, *one) for one in asked]
    return Case(load.sensors * WINDOW_PANES, kernel, beside, nothing)


def advance(load: Load) -> Case:
    """Rows are asked whether a timer of theirs has come due; none has."""
    rule = Latches(load.sensors)
    ranges = list(load.ranges())

    def run(low: Array, high: Array) -> None:
        horizon_ns = np.full(low.size, BEGIN_NS)
        done, _ = latch.advance(*rule.columns, low, high, horizon_ns, 0, rule.changes)
        assert done == low.size

    due_ns = np.full(load.sensors, standing.FOREVER_NS)
    calls = [(due_ns, *pair, np.zeros(pair[0].size, np.int64), BEGIN_NS, pair[0].size)
             for pair in ranges]  # fmt: skip
    beside = load.bind("floor_advance", calls)
    return Case(load.sensors, [partial(run, *pair) for pair in ranges], beside, nothing)


ALL_CASES: tuple[tuple[str, str, Callable[[Load], Case]], ...] = (
    *CASES,
    ("raw.fold_raw", "ns/reading", fold_raw),
    ("onset.stalta_points", "ns/reading", stalta_points),
    ("stage.examine_series", "ns/sample", examine_series),
    ("panes.close_panes LINE32", "ns/sensor/pane", partial(close, is_raw=False)),
    ("raw.close_raw", "ns/sensor/pane", partial(close, is_raw=True)),
    ("windows.tick_ends", "ns/sensor/tick", tick_ends),
    ("latch.advance, nothing due", "ns/sensor", advance),
    *FEATURE_CASES,
)
