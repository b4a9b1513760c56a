"""Drive: the whole engine without Bytewax, without sockets and without a wall clock.

The same inlet, shards and warnings as live, driven by hand in the journal's order: what `tocsin
test`, `replay`, `plan` and `explain` stand on.  Where one turn ends and the next begins decides
when something is said and never what, so the turns here need not be those of the day.

    source of work ──▶ shards ──▶ messages

A journal may be read while its engine writes it: nobody locks it, and the end is where the last
whole record ended when it was opened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import segments
from engine.acts import Act
from engine.assembly import Activation, Assembly
from engine.correlate import Correlate
from engine.correlator import Correlator
from engine.episodes import Message
from engine.errors import JournalError, UsageError
from engine.inlet import Inlet, Item
from engine.meters import Meters
from engine.reader import Reader
from engine.rule_sets import OneSet, Sets
from engine.segments import Record
from engine.shard import Shard, Tick, Work
from engine.succession import succeed

# A turn of 16 MiB is about a million readings: its columns are gone before memory notices, and
# what a turn costs beside its readings is spread over all of them.
TURN_BYTES: Final = 16 << 20
JOURNAL_FOLDER: Final = "journal"


class ClosedJournal:
    """The records of a journal folder as they are when it is opened: not written, not locked."""

    __slots__ = ("durable_offset", "first_offset", "folder")

    def __init__(self, folder: Path) -> None:
        """Find where the records begin and end; JournalDamaged when something durable is gone."""
        bases = segments.segment_bases(folder)
        if not bases:
            text = f"there is no journal in {folder}"
            raise JournalError(text)
        segments.check_contiguous(folder, bases)
        self.folder = folder
        self.first_offset = bases[0]
        self.durable_offset = segments.scan_file(
            segments.segment_path(folder, bases[-1])
        ).end_offset

    def reader(self, offset: int) -> Reader:
        """Return a reader that begins at an offset."""
        return Reader(self.folder, offset, lambda: self.durable_offset)

    def wait_durable(self, after_offset: int, timeout_s: float) -> bool:
        """Nothing more will come."""
        del timeout_s
        return after_offset < self.durable_offset

    def records(self) -> Iterator[Record]:
        """Every record, from the first."""
        reader = self.reader(self.first_offset)
        while found := reader.read(TURN_BYTES):
            yield from found

    @property
    def size_bytes(self) -> int:
        """From the first record to the last."""
        return self.durable_offset - self.first_offset


def journal_at(path: Path) -> Path:
    """The folder of the segments: `path` itself, or the journal of a data folder."""
    for folder in (path, path / JOURNAL_FOLDER):
        if folder.is_dir() and segments.segment_bases(folder):
            return folder
    message = f"there is no journal in {path}: a journal is a folder of *{segments.SUFFIX} files"
    raise UsageError(message)


@dataclass(slots=True)
class Turn:
    """One turn of a drive: what was said, and where in the journal it ended."""

    messages: list[Message]
    offset: int


@dataclass(slots=True)
class Drive:
    """The shards of a set of rules that have seen nothing yet, and what they were given since.

    heard  for each shard, bool[rows]: sensors that sent anything
    """

    sets: Sets
    meters: Meters
    shards: list[Shard]
    digests: list[str]
    correlator: Correlator
    heard: list[NDArray[np.bool_]]
    heard_names: set[str] = field(default_factory=set)
    received_ns: tuple[int, int] = (0, 0)
    tick_count: int = 0
    misfit_count: int = 0

    @classmethod
    def of(cls, assembly: Assembly, sets: Sets | None = None) -> "Drive":
        """Make every shard anew; without `sets` the assembly judges from beginning to end."""
        meters = Meters([sensor_type.name for sensor_type in assembly.catalogue.types])
        shards = [assembly.shard(index, meters) for index in range(len(assembly.layouts))]
        sets = sets or OneSet(assembly)
        correlator = Correlator(sets=sets, store=None, meters=meters)
        correlator.correlate = assembly.correlate(meters)
        correlator.digest = assembly.digest
        heard = [np.zeros(shard.layout.sensor.size, dtype=bool) for shard in shards]
        digests = [assembly.digest] * len(shards)
        return cls(sets, meters, shards, digests, correlator, heard)

    @property
    def correlate(self) -> Correlate | None:
        """The rules beyond one site."""
        return self.correlator.correlate

    def advance(self, work: Sequence[Sequence[Item]]) -> list[Message]:
        """Give each shard its work, in the journal's order; return what is said.

        work  one sequence for each shard, sensors numbered as the shard does
        """
        assert len(work) == len(self.shards)
        told: list[Message] = []
        for index, items in enumerate(work):
            start = 0
            for at, item in enumerate(items):
                if isinstance(item, Activation):
                    told += self._judge(index, items[start:at])
                    told += self._activate(index, item)
                    start = at + 1
            told += self._judge(index, items[start:])
        return told

    def _judge(self, index: int, items: Sequence[Item]) -> list[Message]:
        """Let one shard, and the rules beyond it, go on by some work under one set of rules."""
        shard = self.shards[index]
        work = [item for item in items if not isinstance(item, Activation)]
        if not work and not shard.told:
            return []
        self._note(index, work)
        told = shard.advance(work)
        report = shard.report()
        return told if report is None else told + self.correlator.advance(index, [report])

    def _activate(self, index: int, activation: Activation) -> list[Message]:
        """From here on another set judges, as `engine/keeper.py` has it."""
        assembly = activation.assembly
        if assembly.digest != self.digests[index]:
            self._remember(index)
            self.shards[index] = succeed(self.shards[index], assembly, index)
            self.heard[index] = np.zeros(self.shards[index].layout.sensor.size, dtype=bool)
            self.digests[index] = assembly.digest
        return self.correlator.advance(index, [activation])

    def _remember(self, index: int) -> None:
        shard = self.shards[index]
        names = shard.catalogue.sensors.name
        self.heard_names |= {names[n] for n in shard.layout.sensor[self.heard[index]]}

    def heard_sensors(self) -> set[str]:
        """The names of all sensors that sent anything."""
        for index in range(len(self.shards)):
            self._remember(index)
        return self.heard_names

    def play(self, journal: ClosedJournal, turn_bytes: int = TURN_BYTES) -> Iterator[Turn]:
        """Drive through a journal from its first record to its last."""
        for work, offset in self.work(journal, turn_bytes):
            yield Turn(self.advance(work), offset)

    def work(
        self, journal: ClosedJournal, turn_bytes: int = TURN_BYTES
    ) -> Iterator[tuple[list[Sequence[Item]], int]]:
        """The work of each shard in turns, each with the offset after it."""
        inlet = Inlet(
            journal, self.sets, self.meters, is_over=lambda: True, on_commit=lambda _: None
        )
        offset = journal.first_offset
        while True:
            deliveries, reached = inlet.read(offset, turn_bytes)
            if reached == offset:
                return
            work: list[Sequence[Item]] = [[] for _ in self.shards]
            for _, (number, items) in deliveries:
                work[number] = items  # type: ignore[assignment]
            self.misfit_count = inlet.misfit_count
            offset = reached
            yield work, offset

    def _note(self, index: int, work: Sequence[Work]) -> None:
        """Which sensors were heard, and from when to when the work was received."""
        for item in work:
            if isinstance(item, Tick):
                # Every shard hears each tick.
                self.tick_count += index == 0
                received_ns = item.now_ns
            elif isinstance(item, Act):
                continue
            else:
                self.heard[index][item.sensor] = True
                received_ns = item.received_ns
            first_ns, last_ns = self.received_ns
            self.received_ns = (first_ns or received_ns, max(last_ns, received_ns))

    def clock_ns(self) -> int:
        """The clock of the site that is furthest; the least int64 where none has begun."""
        return max(shard.clock.latest_ns() for shard in self.shards)
