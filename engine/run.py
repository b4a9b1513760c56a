"""Run: one engine, from its configuration to its end.

Order of start: configuration, catalogue and rules, all faults at once; journal and egress log,
each locked; publisher; flow; intake last, so that nothing is acknowledged by an engine that cannot
judge.  Order of stop: intake first, then the flow drains what is durable, then the publisher.
"""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import structlog

from engine import dataflow, segments
from engine.activations import Activations, header_of
from engine.amounts import day_of
from engine.assembly import Assembly, assemble
from engine.calendars import read_zone
from engine.config import EngineConfig
from engine.config import load as load_config
from engine.deadletters import DeadLetters, DeadLetterSettings
from engine.disk import PosixDisk
from engine.errors import EXIT_OK, StateUnreadable, StoreError, TocsinError
from engine.inlet import Inlet
from engine.intake import Intake, IntakeSettings
from engine.journal import Journal, JournalSettings
from engine.keeper import refuse_other_shards
from engine.logs import configure
from engine.machine import Engine
from engine.meters import Meters
from engine.notify import READY, STOPPING, notify
from engine.operations import Operations
from engine.ports import Ports
from engine.publisher import Publisher
from engine.rebuilding import set_aside
from engine.rehearsal import rehearse
from engine.reloading import Reloader
from engine.rule_sets import RuleSets
from engine.sinks import EgressLog
from engine.status import Reception
from engine.watching import Watcher

NS_PER_S = 1_000_000_000
MIB = 1 << 20
# Threads that wake each other wait for the interpreter; 5 ms, the default, is a warning's latency.
SWITCH_INTERVAL_S = 0.0005
# Room that the journal leaves to the egress log and the saved states.
SPARE_BYTES = 32 * MIB
WAITING_BYTES_MAX = 64 * MIB

Answer = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

log = structlog.get_logger()


def run(
    config_path: Path, sets: Sequence[str], data: Path | None, until_idle_s: float | None
) -> int:
    """Run an engine until a signal, or until nothing has arrived for `until_idle_s` seconds."""

    def read_config() -> EngineConfig:
        return load_config(config_path, sets, data)

    config = read_config()
    configure("console" if sys.stderr.isatty() else "json")
    # Kernels are compiled, or read from their cache, before the first frame waits for them.
    rehearse()
    engine = make_engine(config, until_idle_s)
    engine.read_config = read_config
    signals = _catch_signals(engine)
    try:
        serve(engine)
    finally:
        for number, before in signals.items():
            signal.signal(number, before)
    return EXIT_OK


def make_engine(config: EngineConfig, until_idle_s: float | None) -> Engine:
    """Open what the engine writes to; every fault of configuration, catalogue and rules first."""
    assembly = assemble(config, today=day_of(time.time_ns(), read_zone(config.time_zone)))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    meters = Meters([sensor_type.name for sensor_type in assembly.catalogue.types])
    meters.sensors_known = len(assembly.catalogue.sensors.name)
    settings = JournalSettings(config.segment_bytes, SPARE_BYTES)
    journal = Journal.open(config.data / "journal", settings, PosixDisk())
    try:
        sets = _rule_sets(config, assembly, journal.durable_offset)
        egress = EgressLog.open(config.data / "egress", meters)
    except TocsinError:
        journal.close()
        raise
    return Engine(config, sets, meters, journal, egress, until_idle_s)


def _rule_sets(config: EngineConfig, assembly: Assembly, durable_offset: int) -> RuleSets:
    """The sets that have judged, and that of today, kept before any record names it."""
    activations = Activations(config.data / "activations", durable_offset)
    if activations.entries:
        was = activations.shard_count(activations.entries[-1].digest)
        refuse_other_shards(config.path, was, config.shards)
    activations.keep(assembly.manifest, assembly.texts, config.catalogue)
    return RuleSets(activations, assembly)


def serve(engine: Engine) -> None:
    """Run a made engine to its end, and close everything in order."""
    config = engine.config
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
        engine.sets.today.sensor_counts,
        journal=engine.journal,
        dead_letters=dead_letters,
        meters=engine.meters,
        clock_ns=time.time_ns,
    )
    reloader = Reloader(
        engine.sets,
        engine.meters,
        read_config=engine.read_config,
        write=engine.intake.write,
    )
    watcher = Watcher(reloader, time.time_ns)
    engine.ask_reload = watcher.ask
    write, now_ns = engine.intake.write, time.time_ns
    reception = Reception(config.engine, engine.sets, reloader, write=write, now_ns=now_ns)
    operations = Operations(config.http, engine.meters, _checks(engine, publisher), reception)
    try:
        # First, for what has not begun cannot be ended, should any of the others fail.
        operations.start()
        _activate_rules(engine)
        publisher.start()
        engine.intake.start()
        watcher.start()
        engine.ready.set()
        notify(READY)
        log.info("engine_started", engine=config.engine, intake=engine.intake.endpoint)
        _run_flow(engine)
    except Exception as error:
        raise _meant(error, config) from None
    finally:
        notify(STOPPING)
        engine.sets.end()
        watcher.stop()
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


def _run_flow(engine: Engine) -> None:
    """Run the flow to its end; begin it anew where a saved state cannot be read."""
    config, journal = engine.config, engine.journal
    while True:
        inlet = Inlet(
            journal,
            engine.sets,
            engine.meters,
            is_over=engine.is_over,
            on_commit=engine.committed,
        )
        ports = Ports(
            *(inlet, engine.build_shard, engine.build_correlate),
            *(engine.send, journal.first_offset),
        )
        try:
            dataflow.run(ports, config.data / "recovery", config.snapshot_every_ns)
        except Exception as error:
            meant = _meant(error, config)
            if not isinstance(meant, StateUnreadable):
                raise
            engine.shards.clear()
            set_aside(config.data, journal.first_offset, meant)
        else:
            return


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
    """Which rules judge from here on stands in the journal, unless they do so already."""
    today, activations = engine.sets.today, engine.sets.activations
    if activations.last == today.digest:
        return
    activations.announce()
    packs = "\n".join(f"{pack.name} {pack.version} {pack.digest}" for pack in today.book.packs)
    end_offset = engine.journal.append(
        segments.RULES, "", session=0, seq=0, received_ns=time.time_ns(),
        header=header_of(today.digest), body=packs.encode(),
    )  # fmt: skip
    engine.journal.commit()
    activations.note(end_offset, today.digest)


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
    """SIGTERM and SIGINT end the engine in order, another, a second later, at once; SIGHUP has
    the rules loaded anew."""

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

    def reload(number: int, frame: FrameType | None) -> None:
        del number, frame
        engine.ask_reload()

    ways = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    return {number: signal.signal(number, way) for number, way in ways.items()}
