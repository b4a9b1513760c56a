"""Replay: how much faster a journal is driven again than it was recorded.

Minutes of journal are written down as an engine that takes 250 000 readings a second would have:
one frame for each 8192 sensors and second, and a tick.  Then it is driven through the same engine
without sockets, and every planted warning must come out.  Beside it the bare reading of the
records with their checksums: no replay is faster than that.
"""

import shutil
import tempfile
import time
import zlib
from pathlib import Path

from bench.ledger import Figure, Run, Target
from bench.plant import GATEWAY, NS_PER_S, START_NS, Plant
from bench.sender import Spec, points
from engine import segments, wire
from engine.disk import PosixDisk
from engine.drive import ClosedJournal
from engine.journal import Journal, JournalSettings
from engine.rerun import Rerun, Sources, Span, rerun

SEED = 20261127
SENSORS, SENSORS_QUICK = 250_000, 4_000
SECONDS = 120
TURNS = 3
FASTER_MIN = 20.0
SEGMENT_BYTES = 64 << 20
ALWAYS = Span(-(1 << 62), 1 << 62)


def measure(*, is_quick: bool, disk: Path | None) -> Run:
    """Write the journal once, drive through it several times."""
    run = Run("replay", SEED)
    count = SENSORS_QUICK if is_quick else SENSORS
    plant = Plant(count, min(1000, count // 4), 1, count // 100, SEED)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-", dir=disk))
    try:
        config = plant.write(folder / "plant", ports=(7700, 7701, 7702, 7710), clock="event")
        _record(plant, folder / "journal")
        journal = ClosedJournal(folder / "journal")
        sources = Sources(config, None, ())
        turns = 1 if is_quick else TURNS
        runs = [rerun(sources.assembly(journal), journal, ALWAYS) for _ in range(turns + 1)]
        bare = [_bare_s(journal) for _ in range(turns)]
    finally:
        shutil.rmtree(folder)
    # The first one compiles, or reads the kernels from their cache.
    _note(run, plant, runs[1:], bare)
    return run


def _note(run: Run, plant: Plant, runs: list[Rerun], bare_s: list[float]) -> None:
    faster = [found.recorded_s / found.took_s for found in runs]
    floor = [runs[0].recorded_s / seconds for seconds in bare_s]
    what = f"replay of {plant.sensor_count:,} readings/s"
    run.figures.append(
        Figure(what, "times", faster, "bare reading", floor, Target(FASTER_MIN, True))
    )
    rates = [found.reading_count / found.took_s / 1e6 for found in runs]
    run.figures.append(Figure("  readings", "million readings/s", rates))
    told = sorted(
        (str(b["rule"]), str(b["subject"]), str(b["event"]), str(b["grade"]),
         int(str(b["event_time"])))
        for _, b in runs[-1].messages
    )  # fmt: skip
    is_exact = told == plant.expected(SECONDS)
    exact = f"  {len(told)} warnings as planted (1: exactly)"
    run.figures.append(Figure(exact, "", [float(is_exact)], target=Target(1.0, True)))


def _record(plant: Plant, folder: Path) -> None:
    """Write what a running engine would have written, in its order."""
    journal = Journal.open(folder, JournalSettings(SEGMENT_BYTES, 0), PosixDisk())
    journal.append(
        segments.SESSION, GATEWAY, session=1, seq=0, received_ns=START_NS, header=b"", body=b""
    )
    spec = Spec(plant, "", "points", "sweep", 1, 0, SECONDS)
    last_ns = START_NS
    for seq, (fields, body, count) in enumerate(points(spec), 1):
        received_ns = int(str(fields["t0"])) + NS_PER_S
        if received_ns > last_ns:
            last_ns = received_ns
            journal.append(
                segments.TICK, "", session=0, seq=0, received_ns=last_ns, header=b"", body=b""
            )
            journal.commit()
        head: dict[str, object] = {"t": "frame", "v": 1, "session": 1, "seq": seq, "n": count}
        head |= {"codec": "raw", "size": len(body), "width": 4, "crc": zlib.crc32(body)}
        journal.append(
            segments.FRAME, GATEWAY, session=1, seq=seq, received_ns=received_ns,
            header=wire.pack(head | {"quality": False, **fields}), body=body,
        )  # fmt: skip
    journal.commit()
    journal.close()


def _bare_s(journal: ClosedJournal) -> float:
    """How long it takes to read every record and sum its bytes."""
    began = time.perf_counter()
    for _ in journal.records():
        pass
    return time.perf_counter() - began
