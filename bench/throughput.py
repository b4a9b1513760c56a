"""Throughput: readings that one engine process takes in, writes down and judges in a second.

One engine, one sender, TCP loopback, journal on. A million sensors with four rules each: a ladder
on the value, three on windows of a minute (mean, max, std), panes of 10 s. Counted from the first
frame sent until folded + late + set aside in /metrics reach what was sent; then every warning
that the replay socket has is compared with what was planted.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.engine_process import EngineProcess, free_ports, quantile_s
from bench.ledger import Figure, Run, Target
from bench.plant import Plant
from bench.sender import Spec

SEED = 20261124
NS_PER_S = 1_000_000_000
POINTS_PER_S_MIN = 5.0
SAMPLES_PER_S_MIN = 20.0
BYTES_PER_SENSOR_MAX = 1024.0
PATIENCE_S = 90.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load."""

    name: str
    kind: str
    order: str
    rate_hz: int
    ticks: int
    samples: int
    target: Target | None


CASES = (
    Case("points, sensor by sensor", "points", "sweep", 1, 75, 0, Target(POINTS_PER_S_MIN, True)),
    Case("points, any order", "points", "scattered", 1, 45, 0, None),
    Case("series of 100 samples", "series", "sweep", 10, 600, 100, Target(SAMPLES_PER_S_MIN, True)),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What one case gave."""

    judged_per_s: float
    durable_per_s: float
    bytes_per_sensor: float
    cpu_s: float
    metrics: dict[str, float]
    is_exact: bool
    warning_count: int


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Run every case once; each is hundreds to thousands of frames."""
    run = Run("throughput", SEED)
    sensor_count = 4_000 if is_quick else 1_000_000
    for case in CASES:
        chosen = replace(case, ticks=min(case.ticks, 40)) if is_quick else case
        if is_quick and case.kind == "series":
            chosen = replace(case, ticks=400)
        every = sensor_count // 100
        plant = Plant(sensor_count, min(1000, sensor_count // 4), case.rate_hz, every, SEED)
        folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
        try:
            load = measure_case(plant, chosen, folder)
            bare = bare_per_s(plant, chosen)
        finally:
            shutil.rmtree(folder)
        _note(run, chosen, load, bare=bare)
    return run


def _note(run: Run, case: Case, load: Load, *, bare: float) -> None:
    unit = "million readings/s"
    judged = [load.judged_per_s / 1e6]
    run.figures.append(Figure(case.name, unit, judged, "bare receiver", [bare / 1e6], case.target))
    durable = [load.durable_per_s / 1e6]
    run.figures.append(Figure("  acknowledged", unit, durable, "bare receiver", [bare / 1e6]))
    most = Target(BYTES_PER_SENSOR_MAX, False)
    memory = [load.bytes_per_sensor]
    run.figures.append(Figure("  memory for each sensor", "bytes", memory, target=most))
    exact = Target(1.0, True)
    told = f"  {load.warning_count} warnings as planted (1: exactly)"
    run.figures.append(Figure(told, "", [float(load.is_exact)], target=exact))
    parts = [f"{case.name}: engine CPU {load.cpu_s:.1f} s"]
    for name in ("journal_sync", "flow_batch"):
        seconds = load.metrics[f"tocsin_{name}_seconds_sum"]
        p99_ms = 1e3 * quantile_s(load.metrics, name, 0.99)
        parts.append(f"{name} {seconds:.1f} s in all, p99 {p99_ms:.0f} ms")
    run.notes.append(", ".join(parts))


def measure_case(plant: Plant, case: Case, folder: Path) -> Load:
    """Start an engine, push, wait until all is judged, compare the warnings."""
    ports = free_ports()
    base = _empty_engine_bytes(plant, folder)
    config = plant.write(folder / "plant", ports=ports, clock="event")
    engine = EngineProcess(config, folder / "run", ports)
    engine.start()
    try:
        cpu_s = engine.cpu_s()
        spec = Spec(
            plant, f"tcp://127.0.0.1:{ports[0]}", case.kind, case.order, 1, 0, case.ticks,
            samples=case.samples,
        )  # fmt: skip
        sender = start_sender(spec)
        most_bytes, judged_ns = _wait(engine, plant.sensor_count * case.ticks)
        sent = finish_sender(sender)
        metrics = engine.metrics()
        took_s = (judged_ns - int(str(sent["began_ns"]))) / NS_PER_S
        durable_s = (int(str(sent["durable_ns"])) - int(str(sent["began_ns"]))) / NS_PER_S
        count = int(str(sent["sent"]))
        found = sorted(
            (str(b["rule"]), str(b["subject"]), str(b["event"]), str(b["grade"]),
             int(str(b["event_time"])))
            for _, b in engine.replay()
        )  # fmt: skip
        expected = plant.expected(case.ticks, is_series=case.kind == "series")
        return Load(
            judged_per_s=count / took_s,
            durable_per_s=count / durable_s,
            bytes_per_sensor=(most_bytes - base) / plant.sensor_count,
            cpu_s=engine.cpu_s() - cpu_s,
            metrics=metrics,
            is_exact=found == expected,
            warning_count=len(found),
        )
    finally:
        engine.kill()


def _empty_engine_bytes(plant: Plant, folder: Path) -> int:
    """What an engine holds that has four sensors and has judged them."""
    ports = free_ports()
    few = replace(plant, sensor_count=4, site_rows=4, plant_every=1)
    config = few.write(folder / "few", ports=ports, clock="event")
    engine = EngineProcess(config, folder / "few-run", ports)
    engine.start()
    try:
        endpoint = f"tcp://127.0.0.1:{ports[0]}"
        for session, kind in enumerate(("points", "series")):
            first = 30 * session * few.rate_hz
            last = first + 30 * few.rate_hz
            spec = Spec(few, endpoint, kind, "sweep", 1 + session, first, last, samples=10)
            finish_sender(start_sender(spec))
        _wait(engine, 4 * 60 * few.rate_hz)
        return engine.memory_bytes()
    finally:
        engine.kill()


def _wait(engine: EngineProcess, count: int) -> tuple[int, int]:
    """Wait until so many readings are judged; the most memory seen, and when it was."""
    deadline = time.monotonic() + PATIENCE_S
    most_bytes = 0
    while engine.judged() < count:
        most_bytes = max(most_bytes, engine.memory_bytes())
        if time.monotonic() > deadline or engine.process is None or engine.process.poll():
            message = f"{engine.judged()} of {count} readings were judged: {engine.log_tail()}"
            raise RuntimeError(message)
        time.sleep(POLL_S)
    now_ns = time.time_ns()
    return max(most_bytes, engine.memory_bytes()), now_ns


def start_sender(spec: Spec) -> subprocess.Popen[bytes]:
    """One sender in a process of its own."""
    command = [sys.executable, "-m", "bench.sender", spec.as_text()]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def finish_sender(sender: subprocess.Popen[bytes]) -> dict[str, object]:
    """Wait for its end; what it has to say."""
    out = sender.communicate(timeout=PATIENCE_S)[0]
    if sender.returncode != 0:
        message = "the sender failed"
        raise RuntimeError(message)
    answer: dict[str, object] = json.loads(out)
    return answer


def bare_per_s(plant: Plant, case: Case) -> float:
    """The same frames against a receiver that only acknowledges; a fifth of them is enough."""
    ticks = max(case.samples, case.ticks // 5) or 1
    ticks = ticks // case.samples * case.samples if case.samples else ticks
    frames = ticks * -(-plant.sensor_count // 8192)
    if case.samples:
        frames = ticks // case.samples * -(-plant.sensor_count // plant.site_rows)
    port = free_ports()[0]
    endpoint = f"tcp://127.0.0.1:{port}"
    command: Sequence[str] = [sys.executable, "-m", "bench.bare", endpoint, str(frames)]
    receiver = subprocess.Popen(command)
    try:
        spec = Spec(plant, endpoint, case.kind, case.order, 1, 0, ticks, samples=case.samples)
        sent = finish_sender(start_sender(spec))
        receiver.wait(30)
    finally:
        receiver.kill()
        receiver.wait()
    began_ns, durable_ns = int(str(sent["began_ns"])), int(str(sent["durable_ns"]))
    return int(str(sent["sent"])) / ((durable_ns - began_ns) / NS_PER_S)
