"""Machine: one engine while it runs: its parts, and what they ask of it.

The source asks whether it is over, the sink hands warnings to it, each commit lets it forget what
nobody needs any more, and once a second it says how it is.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from engine.config import EngineConfig
from engine.correlator import Correlator
from engine.episodes import Message
from engine.fullness import Fullness
from engine.held import Held
from engine.intake import Intake
from engine.journal import Journal
from engine.keeper import Keeper
from engine.meters import Meters
from engine.notify import ALIVE, notify
from engine.rule_sets import RuleSets
from engine.shard import Shard
from engine.sinks import EgressFull, EgressLog
from engine.store import Store

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
RETENTION_EVERY_NS = 60 * NS_PER_S
FULL_DISK_RETRY_S = 0.2
# A wall clock that moves so much against the monotonic one has been set by somebody.
CLOCK_JUMP_NS = 500 * NS_PER_MS

log = structlog.get_logger()


@dataclass(slots=True)
class Engine:
    """A running engine."""

    config: EngineConfig
    sets: RuleSets
    meters: Meters
    journal: Journal
    egress: EgressLog
    until_idle_s: float | None
    stopping: threading.Event = field(default_factory=threading.Event)
    ready: threading.Event = field(default_factory=threading.Event)
    intake: Intake | None = None
    read_config: Callable[[], EngineConfig] = field(init=False)
    ask_reload: Callable[[], None] = field(default=lambda: None)
    shards: dict[int, Shard] = field(default_factory=dict)
    next_retention_ns: int = 0
    clock_offset_ns: int = field(default_factory=lambda: time.time_ns() - time.monotonic_ns())
    egress_fullness: Fullness = field(init=False)
    held: Held = field(init=False)

    def __post_init__(self) -> None:
        self.egress_fullness = Fullness("egress", self.meters)
        self.held = Held(self.config.silence_ns)
        self.read_config = lambda: self.config

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

    def build_shard(self, index: int, number: int | None) -> Keeper:
        """Make the keeper of a shard; restore its shard when it has been saved before."""
        store = Store(self.config.data / "state", f"shard-{index:03d}")
        keeper = Keeper(
            index,
            sets=self.sets,
            store=store,
            meters=self.meters,
            on_shard=self.shards.__setitem__,
        )
        if number is not None:
            keeper.restore(number)
        return keeper

    def build_correlate(self, number: int | None) -> Correlator:
        """Make what judges beyond one site; restore it when it has been saved before."""
        store = Store(self.config.data / "state", "correlate")
        correlator = Correlator(sets=self.sets, store=store, meters=self.meters)
        if number is not None:
            correlator.restore(number)
        return correlator

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
        sets = self.sets.activations.forget(self.journal.first_offset)
        if gone or retired or sets:
            log.info(
                "retention", journal_segments=len(gone), egress_segments=retired, rule_sets=sets
            )

    def heartbeat(self) -> dict[str, object]:
        """What the engine says of itself each second; also the watchdog's sign of life."""
        notify(ALIVE)
        meters, now_ns = self.meters, time.time_ns()
        meters.rules_digest = self.sets.active.digest
        shards = list(self.shards.values())
        meters.sensors_live = sum(shard.live_count() for shard in shards)
        self.held.look(shards, meters)
        latest_ns = max((shard.clock.latest_ns() for shard in shards), default=0)
        if latest_ns > 0 and self.config.clock == "wall":
            meters.watermark_lag_ms = max(0, (now_ns - latest_ns) // NS_PER_MS)
        beat = meters.heartbeat(
            self.config.engine,
            self.sets.active.book.digest,
            is_clock_synced=self._is_clock_synced(),
        )
        return dict(beat)

    def _is_clock_synced(self) -> bool:
        """The wall clock has not jumped against the monotonic one since the start."""
        drift_ns = time.time_ns() - time.monotonic_ns() - self.clock_offset_ns
        return abs(drift_ns) < CLOCK_JUMP_NS
