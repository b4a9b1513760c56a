"""A small plant with everything in it, and random work for it: the world of the shard's laws.

Three sites on up to three shards, one of them watched by two gateways; wide and narrow readings,
waveforms; rules on values, windows, ages and onsets, upwards and downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from engine.columns import Readings, Series
from engine.shard import Tick, Work
from tests.engine.plants import (
    MS,
    NO_QUALITIES,
    NO_QUALITY,
    START,
    Plant,
    S,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    rule_text,
)

QUALITY = "quality: {stale_after: 5s, max_blind: 4s, over_range: raise red}"
RULES = (
    rule_text(
        "ladder: {value: value, above: {blue: 5, yellow: 7, red: 9}, deadband: 1,"
        " for: {blue: 2s, yellow: 1s, red: 0s}, clear_for: 3s}",
        name="gas-value",
        more=QUALITY,
    ),
    rule_text(
        "ladder: {value: mean(5s), above: {blue: 4, red: 8}, deadband: 1, for: 2s, clear_for: 2s}",
        name="gas-mean",
        more=QUALITY,
    ),
    rule_text(
        "levels:\n"
        '  blue: {when: "slope(10s) > 0.5 m/s and max(5s) > 4", for: 1s, clear_for: 1s}\n'
        '  yellow: {when: "std(5s) > 3 or value > 8", for: 1s, clear_for: 2s}',
        name="gas-levels",
        more="quality: {stale_after: 30s}",
    ),
    rule_text(
        "levels:\n"
        '  blue: {when: "count(10s) < 3", for: 15s, clear_for: 1s}\n'
        '  yellow: {when: "age > 4s", clear_for: 1s}\n'
        '  orange: {when: "unchanged > 6s and known(value)", clear_for: 1s}',
        name="gas-age",
    ),
    rule_text(
        "ladder: {value: value, below: {blue: 4, red: 1}, deadband: 1, for: 1s, clear_for: 3s}",
        name="flow-low",
        sensor_type="flow",
        more="quality: {stale_after: 3s, under_range: unknown}\nlatch: [red]",
    ),
    rule_text(
        'levels:\n  yellow: {when: "value > 0.7 m and value < 9 m", for: 1s, clear_for: 1s}',
        name="flow-level",
        sensor_type="flow",
    ),
    rule_text(
        "ladder: {value: rise(6s), above: {blue: 3, yellow: 6}, deadband: 1, for: 0s,"
        " clear_for: 2s}",
        name="flow-rise",
        sensor_type="flow",
        more="quality: {coverage: 30%}",
    ),
    rule_text(
        'ladder: {value: "stalta(200ms, 2s)", above: {yellow: 3}, deadband: 1, clear_for: 500ms}',
        name="wave-onset",
        sensor_type="wave",
        unit="m/s^2",
    ),
    rule_text(
        "ladder: {value: value, above: {yellow: 8}, deadband: 1, for: 100ms, clear_for: 200ms}",
        name="wave-value",
        sensor_type="wave",
        unit="m/s^2",
    ),
)
RULES += (
    rule_text(
        "levels:\n"
        '  blue: {when: "median(10s) > 5 m or mad_score(10s) > 4", clear_for: 1s}\n'
        '  yellow: {when: "ewma(3s) > 6 m or slope(10s, robust=true) > 0.5 m/s", clear_for: 1s}\n'
        '  orange: {when: "max(5s) - max(5s, offset=10s) > 3 m or bad_share(5s) > 0.5"}\n'
        '  red: {when: "time_to(9 m, trend=10s) < 5s or noise(10s) > 2 m", for: 1s}',
        name="gas-course",
    ),
    rule_text(
        'levels: {blue: {when: "p(90, 6s) > 4 m or zscore(6s) > 2"}}',
        name="flow-course",
        sensor_type="flow",
        more="quality: {coverage: 30%}",
    ),
    rule_text(
        'levels: {blue: {when: "pga(2s) > 3 m/s^2"}, red: {when: "pgv(1s) > 1 m/s"}}',
        name="wave-motion",
        sensor_type="wave",
        unit="m/s^2",
        more="quality: {coverage: 20%}",
    ),
)
TYPES = (
    kind("gas", lateness_ns=2 * S),
    kind("flow", lateness_ns=S, precision="float32"),
    kind("wave", unit="m/s^2", kind="waveform", precision="float32", period_ns=50 * MS),
)
SENSORS = (
    Sensor("gas-1", "gas", "a", "north", high=10.0),
    Sensor("gas-2", "gas", "a", "north", high=10.0),
    Sensor("flow-1", "flow", "a", "north", low=0.0),
    Sensor("gas-3", "gas", "a", "east", high=10.0),
    Sensor("gas-4", "gas", "south", "west", high=10.0),
    Sensor("flow-2", "flow", "b", "west", low=0.0),
    Sensor("wave-1", "wave", "b", "west", period_ns=50 * MS),
    Sensor("wave-2", "wave", "b", "quake", period_ns=50 * MS),
)
VALUES = (0.5, 3.0, 4.5, 6.0, 7.5, 9.5, 12.0, -1.0, float("nan"), float("inf"), 1e300)
GOOD = 6  # of the values above


def plant() -> Plant:
    """The plant of the laws."""
    return Plant(catalogue_of(TYPES, SENSORS), book_of(*RULES))


@dataclass(frozen=True)
class Step:
    """What one gateway does next: how much later, with what values, how far out of order."""

    gateway: int
    later_ns: int
    value: int
    back_ns: int
    seed: int


steps = st.lists(
    st.builds(
        Step,
        gateway=st.integers(0, 3),
        later_ns=st.sampled_from([0, 300 * MS, S, S, 2 * S, 4 * S, 17 * S]),
        value=st.integers(0, len(VALUES) - 1),
        back_ns=st.sampled_from([0, 0, 0, 500 * MS, 1500 * MS, 3500 * MS]),
        seed=st.integers(0, 9),
    ),
    min_size=5,
    max_size=60,
)


@dataclass(frozen=True)
class Story:
    """What the gateways do; ticks as live, or none as in recorded data."""

    steps: list[Step]
    has_ticks: bool


stories = st.builds(Story, steps, st.booleans())


def work_of(plant: Plant, story: Story) -> list[Work]:
    """What the gateways send, in the journal's order, with a tick each second between."""
    work: list[Work] = []
    now_ns = START
    for step in story.steps:
        if story.has_ticks:
            work += [Tick(ns) for ns in range(now_ns + S, now_ns + step.later_ns + 1, S)]
        now_ns += step.later_ns
        manifest = plant.catalogue.manifest(step.gateway)
        of_type = plant.catalogue.sensors.type[manifest]
        waves = manifest[of_type == 2]
        others = manifest[of_type != 2]
        if waves.size:
            work.append(_block(step, waves, now_ns))
        if others.size:
            work.append(_frame(step, others, now_ns))
    return work


def _frame(step: Step, sensors: np.ndarray, now_ns: int) -> Readings:
    """Two readings of each sensor; with a seed, times and values that differ a little."""
    rng = np.random.default_rng(step.seed)
    sensor = np.repeat(sensors, 2).astype(np.int32)
    time_ns = now_ns - step.back_ns - rng.integers(0, 900, sensor.size) * MS * (step.seed > 3)
    value = VALUES[step.value] + rng.integers(-2, 3, sensor.size) / 4 * (step.seed > 1)
    quality = rng.choice([0, 0, 0, 0, 1, 3, 4], sensor.size).astype(np.uint8)
    return Readings(
        sensor,
        time_ns.astype(np.int64),
        value.astype(np.float32) if step.seed % 2 and step.value < GOOD else value,
        quality if step.seed > 6 else NO_QUALITY,
        now_ns,
    )


def _block(step: Step, sensors: np.ndarray, now_ns: int) -> Series:
    """Three seconds of waveform, quiet or with a strong end."""
    rng = np.random.default_rng([step.seed, step.value])
    value = rng.normal(0, 0.5, (sensors.size, 60)).astype(np.float32)
    value[:, 45:] *= 20 if step.value > 2 else 1
    if step.value >= GOOD:
        value[:, 3 + step.seed] = min(VALUES[step.value], 3e38)
    t0_ns = now_ns - step.back_ns - 2950 * MS
    return Series(sensors.astype(np.int32), t0_ns, 50 * MS, value, NO_QUALITIES, now_ns)


def as_points(block: Series) -> Readings:
    """The samples of a block as readings, sample by sample."""
    size, samples = block.value.shape
    time_ns = np.repeat(block.t0_ns + np.arange(samples) * block.period_ns, size)
    quality = block.quality.T.reshape(-1) if block.quality.size else NO_QUALITY
    return Readings(
        np.tile(block.sensor, samples),
        time_ns.astype(np.int64),
        np.ascontiguousarray(block.value.T).reshape(-1),
        quality,
        block.received_ns,
    )


def cut(item: Work, places: Sequence[int]) -> list[Work]:
    """A frame as several frames that were received at the same instant."""
    if isinstance(item, Tick):
        return [item]
    size = item.value.shape[1] if isinstance(item, Series) else item.value.size
    bounds = [0, *sorted({place % size for place in places} - {0}), size]
    return [_piece(item, low, high) for low, high in pairwise(bounds)]


def _piece(item: Readings | Series, low: int, high: int) -> Work:
    if isinstance(item, Series):
        value = np.ascontiguousarray(item.value[:, low:high])
        t0_ns = item.t0_ns + low * item.period_ns
        return Series(
            item.sensor, t0_ns, item.period_ns, value, item.quality[:, low:high], item.received_ns
        )
    quality = item.quality[low:high] if item.quality.size else item.quality
    return Readings(
        item.sensor[low:high],
        item.time_ns[low:high],
        item.value[low:high],
        quality,
        item.received_ns,
    )


def grouped(work: Sequence[Work], places: Sequence[int]) -> list[list[Work]]:
    """Work in groups; places beyond the end count from the start again."""
    bounds = [0, *sorted({place % max(len(work), 1) for place in places} - {0}), len(work)]
    return [list(work[low:high]) for low, high in pairwise(bounds)]
