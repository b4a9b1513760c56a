"""Reloading: other rules are read, proved and put live while the flow goes on.

Everything that can be wrong is found here, beside the flow and before anything is written: the
configuration, the packs, their links to the catalogue, the tests that they carry.  Any error keeps
the set that judges.  A good set is kept, a record of the journal names it, and the flow swaps when
it comes to that record, in every shard at the same place.

One reload at a time; whoever asks for a second one meanwhile is told so.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

import structlog

from engine import segments
from engine.activations import header_of
from engine.amounts import day_of
from engine.assembly import Assembly, assemble, assemble_lapsed
from engine.calendars import read_zone
from engine.config import EngineConfig
from engine.errors import ConfigError, DiskError, TocsinError
from engine.meters import Meters
from engine.rule_sets import RuleSets
from rules.errors import Fault, Place
from rules.overriding import holds
from rules.pack import Rule
from rules.scenario import Scenario

# What may change while an engine runs; everything else needs a restart.
LIVE_KEYS: Final = frozenset({"rules", "models", "status", "silence_ns", "future_max_ns"})
LIVE_SWITCHES: Final = frozenset({"watch", "reload_tests"})
# The flow comes to the record in milliseconds, unless it plays a long tail of the journal.
SWAP_PATIENCE_S: Final = 20.0
# A disk that is full now is so for a while.
RETRY_NS: Final = 60 * 1_000_000_000

Ending = Literal["activated", "unchanged", "refused", "failed"]

log = structlog.get_logger()


class Busy(TocsinError):
    """Another reload is running."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one reload went; the digest is that of the set that judges, or soon will."""

    ending: Ending
    asked_by: str
    digest: str
    began_ns: int
    took_ms: float
    packs: tuple[tuple[str, str, str], ...]
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    is_judging: bool = True

    @property
    def is_good(self) -> bool:
        """What was asked for holds."""
        return self.ending in ("activated", "unchanged")


class Reloader:
    """Loads sets of rules; `reload` may be called from any thread but the flow's."""

    def __init__(
        self,
        sets: RuleSets,
        meters: Meters,
        *,
        read_config: Callable[[], EngineConfig],
        write: Callable[[int, bytes, bytes], int],
    ) -> None:
        """Prepare.

        read_config  reads engine.yaml anew, with what the command line said at the start
        write        writes a record into the journal; returns its end once it is durable
        """
        self.sets = sets
        self.meters = meters
        self.read_config = read_config
        self.write = write
        # As it was read last without an error.
        self.config = sets.today.config
        self.last: Outcome | None = None
        self._busy = threading.Lock()
        # The day and the set of which it is known that no override has ended.
        self._looked = ("", "")
        self._retry_ns = 0

    @property
    def is_busy(self) -> bool:
        """A reload is running."""
        return self._busy.locked()

    def reload(self, asked_by: str, *, waits: bool = False) -> Outcome:
        """Read what the files say now, and have it judge if it is good.

        waits  for another reload to end; else that is Busy
        """
        if not self._busy.acquire(blocking=waits):
            text = "another reload is running; ask again when it has ended"
            raise Busy(text)
        return self._swap(asked_by, self._load)

    def end_overrides(self, now_ns: int) -> Outcome | None:
        """Have the rules that judge go on without overrides whose last day is over; None: none is.

        The files are not asked: somebody may be editing them, and has not asked for a reload. Nor
        are the tests of the packs, for what has ended must end. What fails is tried again in a
        minute.
        """
        if now_ns < self._retry_ns:
            return None
        today = day_of(now_ns, read_zone(self.sets.today.config.time_zone))
        if (today, self.sets.newest) == self._looked:
            return None
        with self._busy:
            newest = self.sets.assembly(self.sets.newest)
            overrides = (o for rule in newest.book.rules for o in rule.overrides)
            if all(holds(override, today) for override in overrides):
                self._looked = (today, newest.digest)
                return None
        self._busy.acquire()
        self._retry_ns = now_ns + RETRY_NS
        outcome = self._swap("midnight", lambda: self._lapsed(today))
        self._retry_ns = 0 if outcome.is_good else self._retry_ns
        return outcome

    def _swap(self, asked_by: str, load: Callable[[], Assembly]) -> Outcome:
        """Have another set judge, if it is good; whoever calls is busy, and is not afterwards."""
        began_ns, clock_ns = time.time_ns(), time.perf_counter_ns()
        found: Assembly | None = None
        ending: Ending = "activated"
        faults: tuple[Fault, ...] = ()
        reason, is_judging = "", True
        try:
            found = load()
            if found.digest == self.sets.newest:
                ending = "unchanged"
            else:
                is_judging = self._activate(found)
        except ConfigError as error:
            ending, faults = "refused", error.faults
        except (DiskError, OSError) as error:
            ending, reason = "failed", str(error)
        finally:
            self._busy.release()
        self.last = Outcome(
            *(ending, asked_by, self.sets.newest, began_ns),
            took_ms=(time.perf_counter_ns() - clock_ns) / 1e6,
            packs=packs_of(found if found is not None else self.sets.active),
            faults=faults,
            reason=reason,
            is_judging=is_judging,
        )
        self._tell(self.last)
        return self.last

    def _load(self) -> Assembly:
        """Configuration, packs, links, tests: a set that may judge, or a ConfigError."""
        config = self.read_config()
        today = self.sets.active
        wrong = _restart_faults(config, self.sets.today.config)
        if wrong:
            raise ConfigError(wrong)
        self.config = config
        found = assemble(config, today, today=day_of(time.time_ns(), read_zone(config.time_zone)))
        if found.catalogue is not today.catalogue:
            text = "the catalogue has changed: gateways are told their sensors when they connect"
            place = Place(str(config.catalogue), 0, 0)
            raise ConfigError([Fault("E743", place, text, "restart the engine")])
        if config.reload_tests and found.digest != self.sets.newest:
            failed = test_faults(found)
            if failed:
                raise ConfigError(failed)
        return found

    def _lapsed(self, today: str) -> Assembly:
        """The set that judges, as it is kept, on another day."""
        newest = self.sets.assembly(self.sets.newest)
        config = self.sets.activations.configuration(newest.digest, newest.config)
        return assemble_lapsed(config, newest, today=today)

    def _activate(self, found: Assembly) -> bool:
        """Keep a set, name it in the journal; True when it judges in every shard."""
        sets, activations = self.sets, self.sets.activations
        activations.keep(found.manifest, found.texts, found.config.catalogue)
        sets.make_ready(found)
        activations.announce()
        packs = "\n".join(" ".join(pack) for pack in packs_of(found))
        end_offset = self.write(segments.RULES, header_of(found.digest), packs.encode())
        activations.note(end_offset, found.digest)
        return sets.wait_judging(found.digest, SWAP_PATIENCE_S)

    def _tell(self, outcome: Outcome) -> None:
        """Count and log."""
        self.meters.count_reload(outcome.ending)
        self.meters.rules_digest = self.sets.active.digest
        said = log.info if outcome.is_good else log.error
        said(
            f"rules_{outcome.ending}",
            asked_by=outcome.asked_by,
            digest=outcome.digest,
            took_ms=round(outcome.took_ms, 1),
            faults=[str(fault) for fault in outcome.faults[:10]],
            reason=outcome.reason,
        )


def packs_of(assembly: Assembly) -> tuple[tuple[str, str, str], ...]:
    """Name, version and digest of each pack of a set."""
    return tuple((pack.name, pack.version, pack.digest) for pack in assembly.book.packs)


def test_faults(assembly: Assembly) -> list[Fault]:
    """Run the tests that the packs carry; one fault for each expectation that does not hold."""
    from engine.trial import try_scenario

    faults = []
    for pack in assembly.book.packs:
        tests: list[tuple[Rule | None, Scenario]] = [
            (rule, scenario) for rule in pack.rules for scenario in rule.tests
        ]
        tests += [(None, scenario) for scenario in pack.tests]
        for rule, scenario in tests:
            for failure in try_scenario(pack, rule, scenario):
                text = f"test `{failure.scenario}`: {failure.text}"
                faults.append(Fault("E748", failure.place, text, ""))
    return faults


def _restart_faults(config: EngineConfig, today: EngineConfig) -> Sequence[Fault]:
    """What has changed in engine.yaml that only a restart can put into effect."""
    return [
        Fault(
            "E742",
            Place(str(config.path), 0, 0),
            f"`{part.name.removesuffix('_ns')}` has changed, which needs a restart",
            "restart the engine, or put the old value back",
        )
        for part in fields(EngineConfig)
        if part.name not in LIVE_KEYS | LIVE_SWITCHES
        and getattr(config, part.name) != getattr(today, part.name)
    ]
