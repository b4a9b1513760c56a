"""Rehearsal: every kernel of a shard is used once, on a made-up plant, and thereby compiled.

Both widths of readings, both kinds of lines, points and series, every group of windows, onsets,
raw signals, ladders upwards and downwards, overrides, timers, ticks, resets, a snapshot and its
restoration.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.columns import Readings, Series
from engine.layout import lay_out
from engine.meters import Meters
from engine.registry import Catalogue, Gateways, Sensors, Sites
from engine.sensor_types import SensorType
from engine.shard import Shard, ShardSettings, Tick, Work
from engine.sorts import sorts_of
from rules import book as rule_book
from rules.plan import make_plan

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
START_NS = 1_767_225_600 * NS_PER_S
PACK = Path(__file__).resolve().parent / "rehearsal.yaml"
TYPES = ("narrow", "wide", "wave")
SENSORS_PER_TYPE = 4


def rehearse() -> int:
    """Run the made-up plant for two minutes of its time; returns how many warnings it gave."""
    book = rule_book.load([PACK])
    assert not book.errors, book.errors
    catalogue = _catalogue()
    plan = make_plan(book, sorts_of(catalogue), silence_ns=NS_PER_S, tick_ns=NS_PER_S)
    told = 0
    saved = None
    for _ in range(2):
        shard = Shard(
            lay_out(catalogue, 0, 1),
            plan,
            catalogue,
            settings=ShardSettings(silence_ns=NS_PER_S, future_max_ns=NS_PER_S, status="test"),
            meters=Meters(TYPES),
            anomalies={},
        )
        if saved is not None:
            shard.restore(saved)
        for work in _day():
            told += len(shard.advance(work))
        for rule in (rule for bank in shard.banks for rule in bank.rules):
            list(rule.reset(np.zeros(1, dtype=np.int64), START_NS + 200 * NS_PER_S))
        saved = {name: column.copy() for name, column in shard.columns().items()}
    assert told > 0, "the rehearsal must be heard"
    return told


def _day() -> Iterator[list[Work]]:
    """Two minutes: quiet, a rise, a fall; then silence and ticks."""
    sensor = np.arange(2 * SENSORS_PER_TYPE, dtype=np.int32)
    wave = np.arange(2 * SENSORS_PER_TYPE, 3 * SENSORS_PER_TYPE, dtype=np.int32)
    for second in range(120):
        now_ns = START_NS + second * NS_PER_S
        level = 10.0 if 60 <= second < 90 else 1.0
        times = np.full(sensor.size, now_ns, dtype=np.int64)
        for dtype in (np.float32, np.float64):
            value: NDArray[np.floating] = np.full(sensor.size, level + second / 1e3, dtype=dtype)
            quality = np.zeros(sensor.size if second % 2 else 0, dtype=np.uint8)
            samples = np.full((wave.size, 50), level, dtype=dtype)
            samples[:, ::2] *= -1
            yield [
                Readings(sensor, times, value, quality, now_ns),
                Series(
                    *(wave, now_ns, 10 * NS_PER_MS, samples),
                    *(np.zeros((0, 0), dtype=np.uint8), now_ns),
                ),
                Tick(now_ns),
            ]
    yield [Tick(START_NS + second * NS_PER_S) for second in range(120, 180)]


def _catalogue() -> Catalogue:
    kinds = [
        SensorType("narrow", "m", "gauge", 0, NS_PER_S, "float32", NS_PER_S),
        SensorType("wide", "m", "gauge", NS_PER_S, None, "float64", NS_PER_S),
        SensorType("wave", "m/s^2", "waveform", 0, None, "float32", 10 * NS_PER_MS),
    ]
    count = SENSORS_PER_TYPE * len(kinds)
    site = np.arange(count, dtype=np.int32) % 2
    type_ = np.repeat(np.arange(len(kinds), dtype=np.int16), SENSORS_PER_TYPE)
    nowhere = np.full(2, np.nan)
    return Catalogue(
        types=tuple(kinds),
        sites=Sites(
            ["a", "b"], ["甲", "乙"], ["a", "b"], ["100000"] * 2, nowhere, nowhere, [{}, {}]
        ),
        gateways=Gateways(["g", "h"], np.arange(2, dtype=np.int32), ["", ""]),
        sensors=Sensors(
            *([f"s{number}" for number in range(count)], site, site, type_),
            np.array([kinds[t].period_ns or 0 for t in type_], dtype=np.int64),
            *(np.full(count, -1e6), np.full(count, 1e6), {}),
        ),
        digest="",
        manifest_order=np.argsort(site, kind="stable").astype(np.int32),
        manifest_start=np.array([0, count // 2, count]),
    )
