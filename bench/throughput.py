"""Throughput: readings that one engine process takes in, writes down and judges in a second.

One engine, one sender, TCP loopback, journal on. A million sensors with four rules each: a ladder
on the value, three on windows of a minute (mean, max, std), panes of 10 s. Counted from the first
frame sent until folded + late + set aside in /metrics reach what was sent; several pushes, one
after the other, into the same engine, each followed by one into a receiver that does nothing.
Snapshots fall where they fall. Then every warning that the replay socket has is compared with
what was planted.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
PUSHES = 3
PATIENCE_S = 90.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load; `ticks` are those of one push."""

    name: str
    kind: str
    order: str
    rate_hz: int
    ticks: int
    samples: int
    target: Target | None


CASES = (
    Case("points, sensor by sensor", "points", "sweep", 1, 40, 0, Target(POINTS_PER_S_MIN, True)),
    Case("points, any order", "points", "scattered", 1, 40, 0, None),
    Case("series of 100 samples", "series", "sweep", 10, 300, 100, Target(SAMPLES_PER_S_MIN, True)),
)


@dataclass(slots=True)
class Load:
    """What one case gave; lists have one number for each push."""

    judged_per_s: list[float] = field(default_factory=list)
    durable_per_s: list[float] = field(default_factory=list)
    bare_per_s: list[float] = field(default_factory=list)
    most_bytes: int = 0
    few_bytes: int = 0  # of an engine with four sensors; 0: not measured
    cpu_s: float = 0.0
    stop_s: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    is_exact: bool = False
    warning_count: int = 0


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Run every case; each is thousands of frames."""
    run = Run("throughput", SEED)
    sensor_count = 4_000 if is_quick else 1_000_000
    # In the quick run the windows must fill and the first planted sensors speak: 40 s of time.
    quick = [replace(case, ticks=40 * case.rate_hz) for case in CASES if case.target]
    for case in quick if is_quick else CASES:
        every = sensor_count // 100
        plant = Plant(sensor_count, min(1000, sensor_count // 4), case.rate_hz, every, SEED)
        folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
        try:
            load = measure_case(plant, case, folder, is_quick=is_quick)
        finally:
            shutil.rmtree(folder)
        _note(run, case, load, sensor_count=sensor_count)
    return run


def _note(run: Run, case: Case, load: Load, *, sensor_count: int) -> None:
    unit, bare = "million readings/s", [rate / 1e6 for rate in load.bare_per_s]
    judged = [rate / 1e6 for rate in load.judged_per_s]
    run.figures.append(Figure(case.name, unit, judged, "bare receiver", bare, case.target))
    durable = [rate / 1e6 for rate in load.durable_per_s]
    run.figures.append(Figure("  acknowledged", unit, durable, "bare receiver", bare))
    if load.few_bytes:
        most = Target(BYTES_PER_SENSOR_MAX, False)
        memory = [(load.most_bytes - load.few_bytes) / sensor_count]
        run.figures.append(Figure("  memory for each sensor", "bytes", memory, target=most))
    exact = Target(1.0, True)
    told = f"  {load.warning_count} warnings as planted (1: exactly)"
    run.figures.append(Figure(told, "", [float(load.is_exact)], target=exact))
    run.figures.append(Figure("  drain, save the state, stop", "s", [load.stop_s]))
    parts = [f"{case.name}: engine CPU {load.cpu_s:.1f} s"]
    for name in ("journal_sync", "flow_batch"):
        seconds = load.metrics[f"tocsin_{name}_seconds_sum"]
        p99_ms = 1e3 * quantile_s(load.metrics, name, 0.99)
        parts.append(f"{name} {seconds:.1f} s in all, p99 {p99_ms:.0f} ms")
    run.notes.append(", ".join(parts))


def measure_case(plant: Plant, case: Case, folder: Path, *, is_quick: bool) -> Load:
    """Start an engine, push several times, wait until all is judged, compare the warnings."""
    pushes = 1 if is_quick else PUSHES
    load = Load(few_bytes=0 if is_quick else _small_engine_bytes(plant, folder))
    ports = free_ports()
    config = plant.write(folder / "plant", ports=ports, clock="event")
    engine = EngineProcess(config, folder / "run", ports)
    engine.start()
    try:
        endpoint = f"tcp://127.0.0.1:{ports[0]}"
        for push in range(pushes):
            first = push * case.ticks
            spec = Spec(
                plant, endpoint, case.kind, case.order, 1 + push, first, first + case.ticks,
                samples=case.samples,
            )  # fmt: skip
            _push(engine, spec, load)
            load.bare_per_s.append(bare_per_s(plant, case))
        load.metrics = engine.metrics()
        load.cpu_s = engine.cpu_s()
        found = sorted(
            (str(b["rule"]), str(b["subject"]), str(b["event"]), str(b["grade"]),
             int(str(b["event_time"])))
            for _, b in engine.replay()
        )  # fmt: skip
        expected = plant.expected(pushes * case.ticks, is_series=case.kind == "series")
        load.is_exact, load.warning_count = found == expected, len(found)
        began = time.monotonic()
        engine.end()
        load.stop_s = time.monotonic() - began
    finally:
        if engine.process is not None:
            engine.kill()
    return load


def _push(engine: EngineProcess, spec: Spec, load: Load) -> None:
    """Send some ticks, wait until they are judged, and note how fast both went."""
    sender = start_sender(spec)
    most_bytes, judged_ns = _wait(engine, spec.plant.sensor_count * spec.last_tick)
    sent = finish_sender(sender)
    began_ns, durable_ns = int(str(sent["began_ns"])), int(str(sent["durable_ns"]))
    count = int(str(sent["sent"]))
    load.judged_per_s.append(count / ((judged_ns - began_ns) / NS_PER_S))
    load.durable_per_s.append(count / ((durable_ns - began_ns) / NS_PER_S))
    load.most_bytes = max(load.most_bytes, most_bytes)


def _small_engine_bytes(plant: Plant, folder: Path) -> int:
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
