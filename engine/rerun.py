"""Rerun: a journal driven through once, and what is worth knowing about it afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engine import segments
from engine.activations import HISTORY, Activations
from engine.amounts import day_of
from engine.assembly import Assembly, assemble
from engine.calendars import read_zone
from engine.clock import NEVER
from engine.config import EngineConfig, unconnected
from engine.config import load as load_config
from engine.drive import ClosedJournal, Drive
from engine.episodes import Message
from engine.errors import UsageError
from engine.progress import Progress
from engine.rule_sets import KeptSets, Sets
from engine.tales import Tale, tales_of

NS_PER_DAY: Final = 86_400_000_000_000
MIB: Final = 1 << 20
ACTIVATIONS: Final = "activations"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of event time, both ends included; what lies outside is played but not told."""

    start_ns: int
    end_ns: int

    def has(self, time_ns: int) -> bool:
        """Whether an instant lies in it."""
        return self.start_ns <= time_ns <= self.end_ns


@dataclass(slots=True)
class Rerun:
    """What came of driving through a journal once.

    heard  bool[sensors]  sensors that sent anything, by number of the catalogue
    """

    assembly: Assembly
    span: Span
    heard: NDArray[np.bool_]
    messages: list[Message] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    received_first_ns: int = 0
    received_last_ns: int = 0
    reading_count: int = 0
    tick_count: int = 0
    misfit_count: int = 0
    took_s: float = 0.0

    @property
    def tales(self) -> list[Tale]:
        """The warnings that stood at any time of the span."""
        span = self.span
        return [
            tale
            for tale in tales_of(self.messages)
            if tale.raised_ns <= span.end_ns and tale.ended_ns >= span.start_ns
        ]

    @property
    def days(self) -> float:
        """How many days of event time the journal and the span have in common."""
        start_ns = max(self.first_ns, self.span.start_ns)
        end_ns = min(self.last_ns, self.span.end_ns)
        return max(0, end_ns - start_ns) / NS_PER_DAY

    def sensor_days(self, types: Sequence[str]) -> float:
        """Sensors of some types that were heard, times the days."""
        catalogue = self.assembly.catalogue
        names = [sensor_type.name for sensor_type in catalogue.types]
        chosen = [number for number, name in enumerate(names) if name in types or "*" in types]
        heard = np.isin(catalogue.sensors.type, chosen) & self.heard
        return int(np.count_nonzero(heard)) * self.days

    @property
    def recorded_s(self) -> float:
        """How long it took to record the journal."""
        return (self.received_last_ns - self.received_first_ns) / 1e9


def rerun(
    assembly: Assembly,
    journal: ClosedJournal,
    span: Span,
    *,
    sets: Sets | None = None,
    progress: Progress | None = None,
) -> Rerun:
    """Drive through a journal, from its first record until the span is over at every site.

    sets  what judges where, beginning with `assembly`; None: that one judges all of it
    """
    heard = np.zeros(len(assembly.catalogue.sensors.name), dtype=bool)
    found = Rerun(assembly, span, heard)
    drive = Drive.of(assembly, sets)
    began_s = time.perf_counter()
    for turn in drive.play(journal):
        found.messages += (m for m in turn.messages if int(str(m[1]["event_time"])) <= span.end_ns)
        if progress is not None:
            done = (turn.offset - journal.first_offset) // MIB
            note = f"{len(found.messages)} messages"
            progress.show(done, max(0, drive.clock_ns()), note, time.perf_counter())
        if _is_beyond(drive, span.end_ns):
            break
    found.took_s = time.perf_counter() - began_s
    _take_stock(found, drive)
    return found


def _is_beyond(drive: Drive, end_ns: int) -> bool:
    """Nothing more will be said about the time up to an instant."""
    if drive.clock_ns() < end_ns:
        return False
    for shard in drive.shards:
        lateness_ns = int(shard.clock.bank["lateness_ns"].max(initial=0))
        if shard.clock.clock_ns.size and shard.clock.clock_ns.min() <= end_ns + lateness_ns:
            return False
    return True


def _take_stock(found: Rerun, drive: Drive) -> None:
    """What the drive has counted and seen."""
    found.reading_count = drive.meters.readings_received
    heard = drive.heard_sensors()
    names = found.assembly.catalogue.sensors.name
    found.heard |= np.fromiter((name in heard for name in names), bool, len(names))
    found.received_first_ns, found.received_last_ns = drive.received_ns
    found.tick_count = drive.tick_count
    found.misfit_count = drive.misfit_count
    starts = [shard.clock.start_ns[shard.clock.start_ns != NEVER] for shard in drive.shards]
    known = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)
    found.first_ns = int(known.min()) if known.size else 0
    found.last_ns = max(0, drive.clock_ns())


@dataclass(frozen=True, slots=True)
class Sources:
    """Where catalogue and rules come from: an engine.yaml, or a catalogue and rules alone."""

    config: Path | None
    catalogue: Path | None
    rules: tuple[Path, ...]

    def assembly(self, journal: ClosedJournal, rules: Sequence[Path] = ()) -> Assembly:
        """Assemble an engine, with other rules than those of the sources where some are given.

        One shard: the number of shards changes nothing but speed, and here one is fastest.
        """
        config = replace(self._config(journal, tuple(rules) or self.rules), shards=1)
        return assemble(config, today=_first_day(journal, config))

    def sets(self, journal: ClosedJournal) -> tuple[Assembly, Sets | None]:
        """The set that judges first, and those that followed, as the journal's folder kept them.

        Only where the configuration of the engine is given, and no other rules.
        """
        folder = journal.folder.parent / ACTIVATIONS
        if self.config is None or self.rules or not (folder / HISTORY).exists():
            return self.assembly(journal), None
        kept = Activations.reading(folder, journal.durable_offset)
        if not kept.entries:
            return self.assembly(journal), None
        config = load_config(self.config)
        shards = kept.shard_count(kept.entries[-1].digest)
        config = replace(config, shards=shards)
        sets = KeptSets(kept, assemble(config, today=_first_day(journal, config)))
        return sets.active_at(journal.first_offset) or sets.today, sets

    def _config(self, journal: ClosedJournal, rules: tuple[Path, ...]) -> EngineConfig:
        if self.config is not None:
            config = load_config(self.config)
            return replace(config, rules=rules) if rules else config
        if self.catalogue is None or not rules:
            message = "which sensors and rules? give --config, or --catalogue and --rules"
            raise UsageError(message)
        return unconnected(self.catalogue, rules, clock=_clock_of(journal))


def _first_day(journal: ClosedJournal, config: EngineConfig) -> str:
    """The day on which a journal begins: what an engine would have asked, had it begun then."""
    first = next(journal.records(), None)
    zone = read_zone(config.time_zone)
    return "" if first is None else day_of(first.received_ns, zone)


def _clock_of(journal: ClosedJournal) -> Literal["wall", "event"]:
    """Whether the engine that wrote a journal had a wall clock: then its ticks are there."""
    for number, record in enumerate(journal.records()):
        if record.kind == segments.TICK:
            return "wall"
        # Ticks come once a second, and even a thousand gateways greet before they send.
        if number > 100_000:
            break
    return "event"
