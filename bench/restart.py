"""Restart: from the start of an engine that was killed to its first new warning.

A minute of journal at 250 000 readings a second of its own time is taken in without a snapshot,
then the engine is killed with SIGKILL.  The next one restores what there is, plays the minute
again, takes one more frame, and is timed until that frame's warning is heard.
"""

import shutil
import tempfile
import time
from pathlib import Path

from bench.engine_process import EngineProcess, free_ports
from bench.latency import Ear
from bench.ledger import Figure, Run, Target
from bench.plant import NS_PER_S, START_NS, Plant, name_of
from bench.sender import Spec
from bench.throughput import finish_sender, start_sender

SEED = 20261126
SENSORS, SENSORS_QUICK = 250_000, 4_000
MINUTE_S = 60
RESTART_S_MAX = 10.0
PATIENCE_S = 120.0


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Feed a minute, kill, start, feed one more frame."""
    run = Run("restart", SEED)
    plant = Plant(SENSORS_QUICK if is_quick else SENSORS, 1000, 1, 1 << 30, SEED)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
    try:
        _measure(run, plant, folder)
    finally:
        shutil.rmtree(folder)
    return run


def _measure(run: Run, plant: Plant, folder: Path) -> None:
    ports = free_ports()
    config = plant.write(folder / "plant", ports=ports, clock="event")
    engine = EngineProcess(config, folder / "run", ports)
    endpoint = f"tcp://127.0.0.1:{ports[0]}"
    # No snapshot falls into the minute: all of it must be played again.
    engine.start("snapshot_every=1h")
    finish_sender(start_sender(Spec(plant, endpoint, "points", "sweep", 1, 0, MINUTE_S)))
    _wait_judged(engine, plant.sensor_count * MINUTE_S)
    engine.kill()

    ear = Ear(f"tcp://127.0.0.1:{ports[1]}")
    ear.start()
    began = time.monotonic()
    engine.begin("snapshot_every=1h")
    try:
        # The sender greets until it is answered: it is there before the engine is.
        spec = Spec(plant, endpoint, "points", "sweep", 2, MINUTE_S + 1, MINUTE_S + 2, flips=True)
        sender = start_sender(spec)
        tick = spec.first_tick
        event_ns = START_NS + tick * NS_PER_S + int(plant.delay_us[0]) * 1000
        key = (name_of(0), event_ns)
        while key not in ear.heard and time.monotonic() - began < PATIENCE_S:
            time.sleep(0.002)
        took_s = time.monotonic() - began
        finish_sender(sender)
        if key not in ear.heard:
            message = f"no warning after {PATIENCE_S:.0f} s: {engine.log_tail()}"
            raise RuntimeError(message)
    finally:
        ear.close()
        engine.kill()
    target = Target(RESTART_S_MAX, False)
    run.figures.append(Figure("kill -9 to first new warning", "s", [took_s], target=target))
    readings = plant.sensor_count * MINUTE_S
    run.notes.append(f"{readings / 1e6:.0f} million readings were played again")


def _wait_judged(engine: EngineProcess, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while engine.judged() < count:
        if time.monotonic() > deadline:
            message = f"{engine.judged()} of {count} readings were judged: {engine.log_tail()}"
            raise RuntimeError(message)
        time.sleep(0.05)
