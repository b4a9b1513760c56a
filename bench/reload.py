"""Reload: twenty rules over a million sensors change while the engine runs; from file to effect.

The engine's own reloader, journal and shard in this process: the pack is read, linked and linted,
the set is kept on disk and synced, the record is written and synced, the shard swaps.  Half of the
rules look at each reading, half at windows; every sensor has reported, some warnings stand.  Three
edits take turns: texts only, one threshold, all eighty thresholds.  After each edit of thresholds a
reading between the old and the new one must raise what only the new rules raise.

Beside the whole stands its part that holds the flow up: the swap inside the shard.
"""

import logging
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from bench.ledger import Figure, Run, Target
from bench.plant import LEVEL, NS_PER_S, PANE_S, START_NS, Plant
from engine.activations import Activations, digest_in
from engine.assembly import Activation, assemble
from engine.columns import Readings
from engine.config import EngineConfig
from engine.config import load as load_config
from engine.disk import PosixDisk
from engine.journal import Journal, JournalSettings
from engine.keeper import Keeper
from engine.meters import Meters
from engine.reloading import Reloader
from engine.rule_sets import RuleSets
from engine.shard import Shard
from engine.store import Store

SEED = 20261127
SENSORS, SENSORS_QUICK = 1_000_000, 2_000
RULES = 20
TURNS, TURNS_QUICK = 7, 1
WHOLE_MS_MAX = 100.0
HEAD = "tocsin: 1\npack: bench\nversion: 1.0.{0}\nowner: bench\nrules:\n"
RULE = """  - id: rule-{number:02d}
    title: {{zh: 测值, en: "Value {edit}"}}
    hazard: test
    input: {{type: strain, unit: mm}}
    by: [sensor]
    quality: {{stale_after: 1h}}
    ladder: {{value: {value}, above: {{blue: {0}, yellow: {1}, orange: {2}, red: {3}}}, deadband: 1,
             for: 5s, clear_for: 5s}}
"""
VALUES = ("value", "mean(1m)", "value", "max(1m)")
BLUE, HIGH = 50.0, 95.0
# One in ten thousand stands high when the rules change.
STANDING_EVERY = 10_000


class Edits:
    """A pack that is written again and again, each time otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.blue = [BLUE] * RULES
        self.write()

    def write(self) -> None:
        """Write the pack, under a version and titles of its own."""
        self.count += 1
        rules = [
            RULE.format(
                *(blue, blue + 10, blue + 20, blue + 30),
                number=number, edit=self.count, value=VALUES[number % len(VALUES)],
            )
            for number, blue in enumerate(self.blue)
        ]  # fmt: skip
        self.path.write_text(HEAD.format(self.count) + "".join(rules))

    def texts(self) -> None:
        """Change what people read."""
        self.write()

    def one_threshold(self) -> None:
        """Change the ladder of one rule."""
        self.blue[0] -= 0.5
        self.write()

    def all_thresholds(self) -> None:
        """Change every ladder."""
        self.blue = [blue - 0.5 for blue in self.blue]
        self.write()


class Running:
    """An engine without sockets: the reloader's journal, and the flow that comes to its record."""

    def __init__(self, config: EngineConfig, folder: Path) -> None:
        today = assemble(config)
        self.meters = Meters(["strain"])
        self.journal = Journal.open(folder / "journal", JournalSettings(1 << 20, 0), PosixDisk())
        self.sets = RuleSets(Activations(folder / "activations", 0), today)
        self.shards: dict[int, Shard] = {}
        self.keeper = Keeper(
            0,
            sets=self.sets,
            store=Store(folder / "state", "shard-000"),
            meters=self.meters,
            on_shard=self.shards.__setitem__,
        )
        self.keeper.advance([Activation(today)])
        self.reloader = Reloader(
            self.sets, self.meters, read_config=lambda: config, write=self.write
        )
        self.swap_ms = 0.0

    def write(self, kind: int, header: bytes, body: bytes) -> int:
        """Write the record, and have the flow come to it."""
        end_offset = self.journal.append(
            kind, "", session=0, seq=0, received_ns=START_NS, header=header, body=body
        )
        self.journal.commit()
        digest = digest_in(header)
        assert digest is not None
        assembly = self.sets.assembly(digest)
        self.sets.activated(end_offset, assembly)
        began_ns = time.perf_counter_ns()
        told = self.keeper.advance([Activation(assembly)])
        self.swap_ms = (time.perf_counter_ns() - began_ns) / 1e6
        assert not told, "nothing is beyond a threshold that was moved a little"
        return end_offset

    def push(self, sensor: np.ndarray, value: np.ndarray, second: float) -> int:
        """Readings of one instant; how many messages they make."""
        time_ns = np.full(sensor.size, START_NS + round(second * NS_PER_S), dtype=np.int64)
        nothing = np.empty(0, dtype=np.uint8)
        work = Readings(sensor.astype(np.int32), time_ns, value, nothing, int(time_ns[0]))
        return len(self.keeper.advance([work]))


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Reload in turns; one figure for each kind of edit."""
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    run = Run("reload", SEED)
    plant = Plant(SENSORS_QUICK if is_quick else SENSORS, 1000, 1, 1 << 30, SEED)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
    try:
        config = plant.write(folder / "plant", ports=(7700, 7701, 7702, 7710), clock="event")
        edits = Edits(folder / "plant" / "pack.yaml")
        running = Running(replace(load_config(config), reload_tests=False), folder / "run")
        _live(running, plant.sensor_count)
        _measure(run, running, edits, turns=TURNS_QUICK if is_quick else TURNS)
        running.journal.close()
    finally:
        shutil.rmtree(folder)
    return run


def _live(running: Running, sensors: int) -> None:
    """Every sensor reports for two minutes, once a pane; some stand high."""
    every = np.arange(sensors)
    value = np.full(sensors, LEVEL, dtype=np.float32)
    value[::STANDING_EVERY] = HIGH
    for pane in range(12):
        running.push(every, value, pane * PANE_S + 1)


def _measure(run: Run, running: Running, edits: Edits, *, turns: int) -> None:
    kinds = {
        "texts only": edits.texts,
        "one threshold": edits.one_threshold,
        "all thresholds": edits.all_thresholds,
    }
    whole: dict[str, list[float]] = {name: [] for name in kinds}
    swap: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(turns + 1):
        for name, edit in kinds.items():
            edit()
            began_ns = time.perf_counter_ns()
            outcome = running.reloader.reload("bench")
            took_ms = (time.perf_counter_ns() - began_ns) / 1e6
            assert outcome.ending == "activated", outcome.faults
            assert outcome.is_judging
            if turn:  # the first round meets caches that are empty
                whole[name].append(took_ms)
                swap[name].append(running.swap_ms)
    _assert_effect(running, edits)
    for name in kinds:
        label = f"{RULES} rules, {name}: file to effect"
        beside = "the swap alone"
        target = Target(WHOLE_MS_MAX, False)
        run.figures.append(Figure(label, "ms", whole[name], beside, swap[name], target))
    sensors = running.sets.active.sensor_counts
    run.notes.append(f"{sum(sensors.values()):,} sensors, half of the rules on windows")


def _assert_effect(running: Running, edits: Edits) -> None:
    """What only the rules of now raise is raised."""
    between = np.full(1, (edits.blue[1] + BLUE) / 2, dtype=np.float32)
    assert edits.blue[1] < between[0] < BLUE
    one = np.array([1])
    second = 12 * PANE_S + 1.0
    told = sum(running.push(one, between, second + extra) for extra in (0.0, 6.0))
    assert told >= RULES // 2, "rules on readings raise after their hold of 5 s"
