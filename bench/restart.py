"""Restart: from the start of an engine that was killed to its first new warning.

A minute of journal at 250 000 readings a second of its own time is taken in without a snapshot,
then the engine is killed with SIGKILL.  The next one restores what there is, plays the minute
again, takes one more frame, and is timed until that frame's warning is decided.  Beside it the
same engine with nothing to play: what interpreter, catalogue and rules take.
"""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.engine_process import EngineProcess, free_ports
from bench.ledger import Figure, Run, Target
from bench.plant import NS_PER_S, START_NS, Plant, name_of
from bench.sender import Spec
from bench.throughput import finish_sender, start_sender

SEED = 20261126
SENSORS, SENSORS_QUICK = 250_000, 4_000
MINUTE_S = 60
RESTART_S_MAX = 10.0
PATIENCE_S = 120.0
TURNS = 3
NO_SNAPSHOT = "snapshot_every=1h"


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Feed a minute, kill, start, feed one more frame."""
    run = Run("restart", SEED)
    plant = Plant(SENSORS_QUICK if is_quick else SENSORS, 1000, 1, 1 << 30, SEED)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
    try:
        _measure(run, plant, folder, turns=1 if is_quick else TURNS)
    finally:
        shutil.rmtree(folder)
    return run


def _measure(run: Run, plant: Plant, folder: Path, *, turns: int) -> None:
    ports = free_ports()
    config = plant.write(folder / "plant", ports=ports, clock="event")
    engine = EngineProcess(config, folder / "run", ports)
    endpoint = f"tcp://127.0.0.1:{ports[0]}"
    # No snapshot falls into the minute: all of it must be played again.
    engine.start(NO_SNAPSHOT)
    try:
        finish_sender(start_sender(Spec(plant, endpoint, "points", "sweep", 1, 0, MINUTE_S)))
        _wait_judged(engine, plant.sensor_count * MINUTE_S)
    finally:
        engine.kill()
    played_s, empty_s = [], []
    for turn in range(turns):
        # Each turn has one frame more to play: of odd ticks a warning is raised, of even cleared.
        spec = Spec(
            plant, endpoint, "points", "sweep", 2 + turn, MINUTE_S + 1 + turn,
            MINUTE_S + 2 + turn, flips=True,
        )  # fmt: skip
        played_s.append(_first_warning_s(engine, spec))
        empty = EngineProcess(config, folder / f"empty-{turn}", ports)
        empty_s.append(_first_warning_s(empty, replace(spec, session=1, first_tick=1, last_tick=2)))
    target = Target(RESTART_S_MAX, False)
    name = "kill -9 to first new warning"
    run.figures.append(Figure(name, "s", played_s, "empty journal", empty_s, target))
    readings = plant.sensor_count * MINUTE_S
    run.notes.append(f"{readings / 1e6:.0f} million readings were played again")


def _first_warning_s(engine: EngineProcess, spec: Spec) -> float:
    """Start an engine, send the frames of one tick, and kill it when the first has spoken.

    The warning itself says when it was decided: who subscribes may come too late to hear it.
    """
    began_ns = time.time_ns()
    engine.begin(NO_SNAPSHOT)
    try:
        # The sender greets until it is answered: it is there before the engine is.
        finish_sender(start_sender(spec))
        event_ns = START_NS + spec.first_tick * NS_PER_S + int(spec.plant.delay_us[0]) * 1000
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for _, body in engine.replay():
                key = (body["rule"], body["subject"], body["event_time"])
                if key == ("value-high", name_of(0), event_ns):
                    return (int(str(body["decided_time"])) - began_ns) / NS_PER_S
            time.sleep(0.1)
        message = f"no warning after {PATIENCE_S:.0f} s: {engine.log_tail()}"
        raise RuntimeError(message)
    finally:
        engine.kill()


def _wait_judged(engine: EngineProcess, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while engine.judged() < count:
        if time.monotonic() > deadline:
            message = f"{engine.judged()} of {count} readings were judged: {engine.log_tail()}"
            raise RuntimeError(message)
        time.sleep(0.05)
