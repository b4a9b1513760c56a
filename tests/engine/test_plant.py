"""The demonstration, in process: what its plant measures raises every colour."""

from pathlib import Path

import numpy as np
import pytest

from engine.assembly import Assembly, assemble
from engine.columns import Readings, Series
from engine.config import load
from engine.meters import Meters
from engine.plant import SILENT_GATEWAY, SILENT_S, STATIONS, STORIES, readings_of
from engine.shard import Tick, Work
from tests.engine.plants import NO_QUALITIES, NO_QUALITY, START, S, owned

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo" / "engine.yaml"
SECONDS = 110


@pytest.fixture(scope="module")
def assembly() -> Assembly:
    return assemble(load(CONFIG, [], None))


def work_of(assembly: Assembly) -> list[list[Work]]:
    """What all gateways send, second by second, and the ticks between."""
    catalogue = assembly.catalogue
    seconds: list[list[Work]] = [[] for _ in range(SECONDS)]
    for gateway in range(len(catalogue.gateways.name)):
        sent = readings_of(catalogue, gateway, START, SECONDS)
        sensor = catalogue.manifest(gateway)
        second_of = (sent.time_ns - START) // S
        for second, frames in enumerate(seconds):
            rows = np.flatnonzero(second_of == second)
            if rows.size == 0:
                continue
            value, time_ns = sent.value[rows], sent.time_ns[rows]
            received_ns = int(time_ns[-1])
            if sent.period_ns:
                block = np.ascontiguousarray(value.T)
                frames.append(
                    Series(
                        sensor, int(time_ns[0]), sent.period_ns, block, NO_QUALITIES, received_ns
                    )
                )
            else:
                times = np.repeat(time_ns, sensor.size)
                every = np.tile(sensor, rows.size)
                frames.append(Readings(every, times, value.reshape(-1), NO_QUALITY, received_ns))
    return [[*frames, Tick(START + second * S)] for second, frames in enumerate(seconds)]


def test_the_demonstration_raises_all_four_colours(assembly):
    """Somebody sees this before anything else of the project."""
    shard = assembly.shard(0, Meters([kind.name for kind in assembly.catalogue.types]))
    messages = [m for group in work_of(assembly) for m in shard.advance(owned(group, shard))]
    bodies = [body for _, body in messages]
    raised = {body["grade"] for body in bodies if body["event"] in ("raised", "upgraded")}
    assert raised == {"blue", "yellow", "orange", "red"}
    assert {b["event"] for b in bodies} >= {"raised", "upgraded", "downgraded", "cleared", "blind"}
    assert {body["hazard"] for body in bodies} >= {"gas", "flood"}
    # A minute is enough to see something of each kind of place.
    early = {body["site"] for body in bodies if int(str(body["event_time"])) < START + 60 * S}
    assert len(early) >= 4
    counts = shard.meters.readings.sum(axis=0)
    assert counts[0] == counts.sum()


def test_a_silent_gateway_makes_blind_and_never_clears(assembly):
    """The heart of it: silence is no all-clear."""
    shard = assembly.shard(0, Meters([kind.name for kind in assembly.catalogue.types]))
    groups = work_of(assembly)
    silent = [m for group in groups for m in shard.advance(owned(group, shard))]
    gateway = assembly.catalogue.gateways.name.index(SILENT_GATEWAY)
    names = {assembly.catalogue.sensors.name[n] for n in assembly.catalogue.manifest(gateway)}
    start_ns, end_ns = (START + int(second * S) for second in SILENT_S)
    during = [
        body["event"]
        for _, body in silent
        if body["subject"] in names and start_ns < int(str(body["event_time"])) < end_ns
    ]
    assert "blind" in during
    assert "cleared" not in during


def test_every_story_is_of_a_sensor_of_the_catalogue(assembly):
    """Whoever renames a sensor would otherwise silence its story."""
    names = set(assembly.catalogue.sensors.name)
    assert set(STORIES) | set(STATIONS) <= names
    assert SILENT_GATEWAY in assembly.catalogue.gateways.name


def test_the_plant_is_the_same_each_time(assembly):
    """A demonstration that cannot be repeated cannot be trusted."""
    for gateway in range(len(assembly.catalogue.gateways.name)):
        first, second = (readings_of(assembly.catalogue, gateway, START, 5) for _ in range(2))
        np.testing.assert_array_equal(first.value, second.value)
        assert np.all(np.diff(first.time_ns) > 0)
