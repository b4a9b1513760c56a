"""Latency: from the instant at which a frame was due to the instant its warning is received.

100 000 readings a second on a schedule, wall clock of one machine on both sides.  The clock starts
when the frame was *due*, not when the sender came round to it, so a stall of the engine counts for
every frame that it holds up.  The first sensor of each frame crosses every threshold in each
second tick, and its warning is looked for on the live socket.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import msgpack
import numpy as np
import zmq

from bench.engine_process import EngineProcess, free_ports, quantile_s
from bench.ledger import Figure, Run, Target
from bench.plant import NS_PER_S, START_NS, Plant, name_of
from bench.sender import Spec
from bench.throughput import finish_sender, start_sender

SEED = 20261125
FRAME_ROWS = 1000
FRAMES_PER_S = 100.0
SECONDS, SECONDS_QUICK = 30, 2
SENSORS = 10_000
# What the machine may add to its disk's slowest syncs.
BEYOND_SYNC_MS = 5.0
MS = 1e3


class Ear(threading.Thread):
    """Receives what is published, and notes when."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(daemon=True)
        self.heard: dict[tuple[str, int], int] = {}
        self.is_over = False
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.connect(endpoint)

    def run(self) -> None:
        """Until it is over: (subject, event time) of each change on `value`, and now."""
        while not self.is_over:
            if self.socket.poll(50):
                topic, packed = self.socket.recv_multipart()
                now_ns = time.time_ns()
                if topic.startswith(b"warning/"):
                    body = msgpack.unpackb(packed)
                    if body["rule"] == "value-high":
                        self.heard[body["subject"], body["event_time"]] = now_ns

    def close(self) -> None:
        """Hang up."""
        self.is_over = True
        self.join()
        self.socket.close()
        self.context.term()


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """One engine, one sender on a schedule, one subscriber."""
    run = Run("latency", SEED)
    seconds = SECONDS_QUICK if is_quick else SECONDS
    # Ten frames are one tick of 10 000 sensors: ten ticks a second.
    plant = Plant(SENSORS, FRAME_ROWS, 10, SENSORS, SEED)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
    try:
        ports = free_ports()
        config = plant.write(folder / "plant", ports=ports, clock="event")
        engine = EngineProcess(config, folder / "run", ports)
        engine.start()
        ear = Ear(f"tcp://127.0.0.1:{ports[1]}")
        ear.start()
        try:
            took_ms = _flight(plant, ports[0], ear, seconds)
            metrics = engine.metrics()
        finally:
            ear.close()
            engine.kill()
    finally:
        shutil.rmtree(folder)
    _note(run, took_ms, metrics)
    return run


def _flight(plant: Plant, port: int, ear: Ear, seconds: int) -> np.ndarray:
    """Send on schedule; milliseconds from due to heard of every frame's warning."""
    frames_per_tick = plant.sensor_count // FRAME_ROWS
    ticks = int(seconds * FRAMES_PER_S / frames_per_tick)
    spec = Spec(
        plant, f"tcp://127.0.0.1:{port}", "points", "sweep", 1, 0, ticks,
        frame_rows=FRAME_ROWS, frames_per_s=FRAMES_PER_S, flips=True,
    )  # fmt: skip
    sent = finish_sender(start_sender(spec))
    due_ns = [int(str(due)) for due in list(sent["due_ns"])]  # type: ignore[call-overload]
    delay_us = plant.delay_us
    wanted = {}
    for index, due in enumerate(due_ns):
        tick, frame = divmod(index, frames_per_tick)
        if tick == 0:
            continue  # at rest to begin with: tick 0 changes nothing
        sensor = frame * FRAME_ROWS
        event_ns = START_NS + tick * NS_PER_S // plant.rate_hz + int(delay_us[sensor]) * 1000
        wanted[name_of(sensor), event_ns] = due
    deadline = time.monotonic() + 10.0
    while not wanted.keys() <= ear.heard.keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    missing = wanted.keys() - ear.heard.keys()
    if missing:
        message = f"{len(missing)} of {len(wanted)} warnings were not heard, as {min(missing)}"
        raise RuntimeError(message)
    return np.array([(ear.heard[key] - due) / 1e6 for key, due in wanted.items()])


def _note(run: Run, took_ms: np.ndarray, metrics: dict[str, float]) -> None:
    journal_ms = MS * quantile_s(metrics, "journal_sync", 0.99)
    egress_ms = MS * quantile_s(metrics, "egress_sync", 0.99)
    slowest_ms = max(journal_ms, egress_ms)
    for name, share in (("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("max", 100)):
        figure_ms = float(np.percentile(took_ms, share))
        target = Target(slowest_ms + BEYOND_SYNC_MS, False) if name == "p99" else None
        # A histogram does not keep its greatest.
        sync_ms = [] if share == 100 else [MS * quantile_s(metrics, "journal_sync", share / 100)]
        beside = "journal sync" if sync_ms else ""
        run.figures.append(
            Figure(f"due to heard, {name}", "ms", [figure_ms], beside, sync_ms, target)
        )
    run.notes.append(
        f"{took_ms.size} warnings; both logs are synced on the way: p99 of the journal's commit "
        f"{journal_ms:.1f} ms, of the egress log's sync {egress_ms:.1f} ms"
    )
