"""Run: one engine, from its configuration to its end.

Order of start: configuration, catalogue and rules, all faults at once; journal and egress log,
each locked; publisher; flow; intake last, so that nothing is acknowledged by an engine that cannot
judge.  Order of stop: intake first, then the flow drains what is durable, then the publisher.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import structlog

from engine import dataflow, segments
from engine.adoption import adopt, facts_of, retired_of
from engine.assembly import Assembly, assemble
from engine.config import EngineConfig
from engine.config import load as load_config
from engine.deadletters import DeadLetters, DeadLetterSettings
from engine.decode import Decoder
from engine.disk import PosixDisk
from engine.episodes import Message
from engine.errors import EXIT_OK, EgressError, StoreError, TocsinError
from engine.fullness import Fullness
from engine.inlet import Inlet
from engine.intake import Intake, IntakeSettings
from engine.journal import Journal, JournalSettings
from engine.logs import configure
from engine.meters import Meters
from engine.notify import ALIVE, READY, STOPPING, notify
from engine.operations import Operations
from engine.ports import Ports
from engine.publisher import Publisher
from engine.rehearsal import rehearse
from engine.shard import Shard
from engine.sinks import EgressFull, EgressLog
from engine.store import Store

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
MIB = 1 << 20
# Threads that wake each other wait for the interpreter; 5 ms, the default, is a warning's latency.
SWITCH_INTERVAL_S = 0.0005
# Room that the journal leaves to the egress log and the saved states.
SPARE_BYTES = 32 * MIB
WAITING_BYTES_MAX = 64 * MIB
RETENTION_EVERY_NS = 60 * NS_PER_S
FULL_DISK_RETRY_S = 0.2
# A wall clock that moves so much against the monotonic one has been set by somebody.
CLOCK_JUMP_NS = 500 * NS_PER_MS

Answer = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

log = structlog.get_logger()


@dataclass(slots=True)
class Engine:
    """A running engine."""

    config: EngineConfig
    assembly: Assembly
    meters: Meters
    journal: Journal
    egress: EgressLog
    until_idle_s: float | None
    stopping: threading.Event = field(default_factory=threading.Event)
    ready: threading.Event = field(default_factory=threading.Event)
    intake: Intake | None = None
    inlet: Inlet | None = None
    shards: dict[int, Shard] = field(default_factory=dict)
    next_retention_ns: int = 0
    clock_offset_ns: int = field(default_factory=lambda: time.time_ns() - time.monotonic_ns())
    egress_fullness: Fullness = field(init=False)

    def __post_init__(self) -> None:
        self.egress_fullness = Fullness("egress", self.meters)

    def stop(self) -> None:
        """End in order; may be called from a signal."""
        self.stopping.set()

    def is_over(self) -> bool:
        """Asked by the source when it has nothing to read: time to end?"""
        assert self.intake is not None
        if self.intake.failure is not None:
            self.stopping.set()
        if self._is_idle():
            self.stopping.set()
        if self.stopping.is_set() and self.intake.is_alive:
            self.intake.stop()
        return self.stopping.is_set()

    def _is_idle(self) -> bool:
        assert self.intake is not None
        last = self.intake.last_frame_monotonic
        if self.until_idle_s is None or last is None:
            return False
        return time.monotonic() - last > self.until_idle_s

    def build_shard(self, index: int, number: int | None) -> "SavedShard":
        """Make a shard; restore it when it has been saved before."""
        shard = self.assembly.shard(index, self.meters)
        self.shards[index] = shard
        store = Store(self.config.data / "state", f"shard-{index:03d}")
        return SavedShard(shard, store, self.assembly.fingerprint(index), number, self.meters)

    def send(self, messages: Sequence[Message]) -> None:
        """Hand warnings to the egress log; wait while its disk is full, for nothing may be lost.

        An engine that is to end tries once more and does not wait: nothing of this epoch is
        committed, so the next start judges the same readings again and says it.
        """
        while True:
            is_last = self.stopping.is_set()
            try:
                self.egress.send(messages)
            except EgressFull as error:
                self.egress_fullness.is_full(str(error), time.monotonic_ns())
                if is_last:
                    text = f"{error}; stopped before all was said, the next start will say it"
                    raise EgressFull(text) from error
                self.stopping.wait(FULL_DISK_RETRY_S)
            else:
                self.egress_fullness.has_room(time.monotonic_ns())
                return

    def committed(self, offsets: Sequence[int]) -> None:
        """Let the journal forget what neither age nor the last two commits need."""
        now_ns = time.time_ns()
        if now_ns < self.next_retention_ns:
            return
        self.next_retention_ns = now_ns + RETENTION_EVERY_NS
        gone = self.journal.retain(now_ns, self.config.keep_ns, min(offsets))
        retired = self.egress.retire(now_ns - 2 * self.config.keep_ns)
        if gone or retired:
            log.info("retention", journal_segments=len(gone), egress_segments=retired)

    def heartbeat(self) -> dict[str, object]:
        """What the engine says of itself each second; also the watchdog's sign of life."""
        notify(ALIVE)
        meters, now_ns = self.meters, time.time_ns()
        shards = list(self.shards.values())
        meters.sensors_live = sum(shard.live_count() for shard in shards)
        latest_ns = max((shard.clock.latest_ns() for shard in shards), default=0)
        if latest_ns > 0 and self.config.clock == "wall":
            meters.watermark_lag_ms = max(0, (now_ns - latest_ns) // NS_PER_MS)
        beat = meters.heartbeat(
            self.config.engine, self.assembly.book.digest, is_clock_synced=self._is_clock_synced()
        )
        return dict(beat)

    def _is_clock_synced(self) -> bool:
        """The wall clock has not jumped against the monotonic one since the start."""
        drift_ns = time.time_ns() - time.monotonic_ns() - self.clock_offset_ns
        return abs(drift_ns) < CLOCK_JUMP_NS


class SavedShard:
    """A shard with its store; what Bytewax drives."""

    def __init__(
        self, shard: Shard, store: Store, fingerprint: str, number: int | None, meters: Meters
    ) -> None:
        self.shard = shard
        self.store = store
        self.fingerprint = fingerprint
        self.meters = meters
        self.number = number or 0
        self.is_dirty = number is None
        if number is not None:
            self._restore(number)

    def _restore(self, number: int) -> None:
        snapshot = self.store.load(number)
        if str(snapshot.facts["fingerprint"]) == self.fingerprint:
            self.shard.restore(snapshot.columns)
            self.shard.retired = retired_of(snapshot)
            log.info("state_restored", snapshot=number)
            return
        # Catalogue or rules have changed: what still means the same is kept.
        told = adopt(self.shard, snapshot)
        log.warning("state_adopted", kept=told.kept, begun_anew=told.begun_anew)
        self.is_dirty = True

    def advance(self, work: Sequence[object]) -> list[Message]:
        """Advance the shard, and time it."""
        self.is_dirty = True
        start_ns = time.perf_counter_ns()
        messages = self.shard.advance(work)  # type: ignore[arg-type]
        self.meters.flow_batch.add(time.perf_counter_ns() - start_ns)
        return messages

    @property
    def has_to_speak(self) -> bool:
        """Warnings wait that were found when the state was restored."""
        return bool(self.shard.told)

    def save(self) -> int:
        """Make the state durable if anything changed; returns the snapshot's number."""
        if self.is_dirty:
            facts = {"fingerprint": self.fingerprint, **facts_of(self.shard)}
            self.store.save(self.number + 1, facts, self.shard.columns())
            self.number += 1
            self.is_dirty = False
        return self.number


def run(
    config_path: Path, sets: Sequence[str], data: Path | None, until_idle_s: float | None
) -> int:
    """Run an engine until a signal, or until nothing has arrived for `until_idle_s` seconds."""
    config = load_config(config_path, sets, data)
    configure("console" if sys.stderr.isatty() else "json")
    # Kernels are compiled, or read from their cache, before the first frame waits for them.
    rehearse()
    engine = make_engine(config, until_idle_s)
    signals = _catch_signals(engine)
    try:
        serve(engine)
    finally:
        for number, before in signals.items():
            signal.signal(number, before)
    return EXIT_OK


def make_engine(config: EngineConfig, until_idle_s: float | None) -> Engine:
    """Open what the engine writes to; every fault of configuration, catalogue and rules first."""
    assembly = assemble(config)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    meters = Meters([sensor_type.name for sensor_type in assembly.catalogue.types])
    meters.sensors_known = len(assembly.catalogue.sensors.name)
    settings = JournalSettings(config.segment_bytes, SPARE_BYTES)
    journal = Journal.open(config.data / "journal", settings, PosixDisk())
    try:
        egress = EgressLog.open(config.data / "egress", meters)
    except EgressError:
        journal.close()
        raise
    return Engine(config, assembly, meters, journal, egress, until_idle_s)


def serve(engine: Engine) -> None:
    """Run a made engine to its end, and close everything in order."""
    config, assembly = engine.config, engine.assembly
    publisher = Publisher(
        engine.egress,
        engine.meters,
        engine.heartbeat,
        warnings=config.warnings,
        replay=config.replay,
    )
    dead_letters = DeadLetters(
        config.data / "dead-letters", DeadLetterSettings(16 * MIB, 4, 4 * MIB), PosixDisk()
    )
    engine.intake = Intake(
        _intake_settings(config),
        assembly.sensor_counts,
        journal=engine.journal,
        dead_letters=dead_letters,
        meters=engine.meters,
        clock_ns=time.time_ns,
    )
    engine.inlet = Inlet(
        engine.journal,
        Decoder(assembly.manifests),
        assembly.layouts,
        engine.meters,
        is_over=engine.is_over,
        on_commit=engine.committed,
    )
    operations = Operations(config.http, engine.meters, _checks(engine, publisher))
    try:
        # First, for what has not begun cannot be ended, should any of the others fail.
        operations.start()
        _activate_rules(engine)
        publisher.start()
        engine.intake.start()
        engine.ready.set()
        notify(READY)
        log.info("engine_started", engine=config.engine, intake=engine.intake.endpoint)
        ports = Ports(engine.inlet, engine.build_shard, engine.send, engine.journal.first_offset)
        dataflow.run(ports, config.data / "recovery", config.snapshot_every_ns)
    except Exception as error:
        raise _meant(error, config) from None
    finally:
        notify(STOPPING)
        if engine.intake.is_alive:
            engine.intake.stop()
        publisher.stop()
        operations.stop()
        dead_letters.close()
        engine.egress.close()
        engine.journal.close()
    if engine.intake.failure is not None:
        raise engine.intake.failure
    log.info("engine_stopped", frames=engine.meters.frames_received)


def _meant(error: Exception, config: EngineConfig) -> BaseException:
    """What somebody must act on: Bytewax wraps what our code raised, and has faults of its own."""
    if isinstance(error, TocsinError):
        return error
    if error.__cause__ is not None:
        return error.__cause__
    # A full disk below Bytewax is a panic in its SQLite, which reaches us as a RuntimeError.
    is_foreign = type(error).__module__.startswith("bytewax") or "SqliteFailure" in str(error)
    if is_foreign or type(error).__name__ == "PanicException":
        return StoreError(f"{config.data / 'recovery'}: Bytewax cannot keep its tokens: {error}")
    return error


def _intake_settings(config: EngineConfig) -> IntakeSettings:
    return IntakeSettings(
        engine=config.engine,
        endpoint=config.intake,
        credit=config.credit,
        frame_bytes_max=config.frame_bytes_max,
        commit_bytes=config.commit_bytes,
        commit_ns=config.commit_ns,
        waiting_bytes_max=WAITING_BYTES_MAX,
        silence_ns=config.silence_ns,
        writes_ticks=config.clock == "wall",
    )


def _activate_rules(engine: Engine) -> None:
    """Which rules judge from here on stands in the journal."""
    digests = "\n".join(
        f"{pack.name} {pack.version} {pack.digest}" for pack in engine.assembly.book.packs
    )
    engine.journal.append(
        segments.RULES, "", session=0, seq=0, received_ns=time.time_ns(),
        header=digests.encode(), body=b"",
    )  # fmt: skip
    engine.journal.commit()


def _checks(engine: Engine, publisher: Publisher) -> dict[str, Callable[[], str]]:
    """What must hold for the engine to be ready, each by its name; a text says what is wrong."""

    def intake() -> str:
        assert engine.intake is not None
        if engine.intake.failure is not None:
            return f"the intake has ended: {engine.intake.failure}"
        return "" if engine.intake.is_alive else "the intake is not running"

    def publishing() -> str:
        return publisher.fault or ("" if publisher.is_alive else "the publisher is not running")

    def start() -> str:
        return "" if engine.ready.is_set() else "the engine is still starting"

    def journal_room() -> str:
        return "" if engine.intake is None else engine.intake.fullness.reason

    return {
        "intake": intake,
        "journal": journal_room,
        "egress": lambda: engine.egress_fullness.reason,
        "publisher": publishing,
        "start": start,
    }


def _catch_signals(engine: Engine) -> dict[signal.Signals, Answer]:
    """SIGTERM and SIGINT end the engine in order; another, a second later, at once."""

    first_ns = 0

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal first_ns
        del number, frame
        now_ns = time.monotonic_ns()
        # A terminal and a parent process may both pass on the same wish.
        if first_ns and now_ns - first_ns > NS_PER_S:
            raise KeyboardInterrupt
        first_ns = first_ns or now_ns
        engine.stop()

    return {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
