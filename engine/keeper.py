"""Keeper: one shard, the store that keeps its state, and the set of rules that judges in it.

What Bytewax drives. Work comes in the journal's order; where an activation stands in it, the shard
of the old set makes room for one of the new, which goes on with what it knew.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import structlog

from engine.adoption import adopt, facts_of, retired_of
from engine.assembly import Activation, Assembly
from engine.episodes import Message
from engine.errors import ConfigError
from engine.layout import shard_of_name
from engine.meters import Meters
from engine.quorum import Report
from engine.rule_sets import RuleSets
from engine.shard import Shard, Work
from engine.store import Snapshot, Store
from engine.succession import succeed
from rules.errors import Fault, Place

log = structlog.get_logger()


class Keeper:
    """A shard with its store."""

    def __init__(
        self,
        index: int,
        *,
        sets: RuleSets,
        store: Store,
        meters: Meters,
        on_shard: Callable[[int, Shard], None],
    ) -> None:
        """Keep the shard of an index; it is made by `restore`, or by the first activation."""
        self.index = index
        self.sets = sets
        self.store = store
        self.meters = meters
        self.on_shard = on_shard
        self.number = 0
        self.is_dirty = True
        self.told: list[Report | Activation] = []
        self._shard: Shard | None = None
        self._digest = self._fingerprint = ""

    @property
    def shard(self) -> Shard:
        """The shard that judges now."""
        assert self._shard is not None, "the first work of a shard is an activation"
        return self._shard

    def restore(self, number: int) -> None:
        """Take over a saved state, under the set of rules that it was saved under."""
        snapshot = self.store.load(number)
        _refuse_strays(self, snapshot)
        self.number = number
        digest = snapshot.facts.get("activation")
        assembly = self.sets.today if digest is None else self.sets.assembly(str(digest))
        shard = assembly.shard(self.index, self.meters)
        self._take(shard, assembly)
        if str(snapshot.facts["fingerprint"]) == self._fingerprint:
            shard.restore(snapshot.columns)
            shard.retired = retired_of(snapshot)
            self.is_dirty = False
            log.info("state_restored", snapshot=number)
            return
        # The engine, or what it saved before sets were kept: what means the same is kept.
        told = adopt(shard, snapshot)
        log.warning("state_adopted", kept=told.kept, begun_anew=told.begun_anew)

    def advance(self, work: Sequence[object]) -> list[Message]:
        """Take work in the journal's order; return the warnings that follow."""
        messages: list[Message] = []
        start, was = 0, self._digest
        for at, item in enumerate(work):
            if isinstance(item, Activation):
                if at > start:
                    messages += self._advance(work[start:at])
                self._activate(item.assembly)
                self.told.append(item)
                start = at + 1
        if start == len(work) and work and self._digest == was:
            return messages  # the set that judged already
        return messages + self._advance(work[start:])

    def _advance(self, work: Sequence[object]) -> list[Message]:
        """Advance the shard, and time it."""
        self.is_dirty = True
        start_ns = time.perf_counter_ns()
        messages = self.shard.advance(cast(Sequence[Work], work))
        report = self.shard.report()
        if report is not None:
            self.told.append(report)
        self.meters.flow_batch.add(time.perf_counter_ns() - start_ns)
        return messages

    def _activate(self, assembly: Assembly) -> None:
        """From here on this set judges."""
        if self._shard is None:
            self._take(assembly.shard(self.index, self.meters), assembly)
        elif assembly.digest != self._digest:
            start_ns = time.perf_counter_ns()
            self._take(succeed(self._shard, assembly, self.index), assembly)
            took_ms = round((time.perf_counter_ns() - start_ns) / 1e6, 3)
            log.info("rules_swapped", shard=self.index, digest=self._digest, took_ms=took_ms)

    def _take(self, shard: Shard, assembly: Assembly) -> None:
        self._shard = shard
        self._digest = assembly.digest
        self._fingerprint = assembly.fingerprint(self.index)
        self.on_shard(self.index, shard)
        self.sets.judges(self.index, self._digest)

    def reports(self) -> list[object]:
        """What rules beyond one site must know since the last call: reports and activations."""
        found, self.told = self.told, []
        return [*found]

    @property
    def has_to_speak(self) -> bool:
        """Warnings wait that were found when the state was restored."""
        return self._shard is not None and bool(self._shard.told)

    def save(self) -> int:
        """Make the state durable if anything changed; returns the snapshot's number."""
        if self.is_dirty:
            shard = self.shard
            facts = {
                "fingerprint": self._fingerprint,
                "activation": self._digest,
                **facts_of(shard),
            }
            self.store.save(self.number + 1, facts, shard.columns())
            self.number += 1
            self.is_dirty = False
        return self.number


def refuse_other_shards(path: Path, was: int, today: int) -> None:
    """A site that another shard owns today would end in one, and begin anew in the other."""
    if was != today:
        text = f"the data folder was made with `shards: {was}`, and keeps that number: {today}"
        hint = f"write `shards: {was}`, or begin with an empty data folder"
        raise ConfigError([Fault("E744", Place(str(path), 0, 0), text, hint)])


def _refuse_strays(keeper: Keeper, snapshot: Snapshot) -> None:
    """States saved before sets were kept do not say how many shards there were."""
    sites = snapshot.facts["sites"]
    assert isinstance(sites, list)
    count = keeper.sets.shard_count
    for site in sites:
        if shard_of_name(str(site["name"]), count) != keeper.index:
            text = f"the saved states were made with another number of shards than {count}"
            hint = "write the number from before, or begin with an empty data folder"
            place = Place(str(keeper.sets.today.config.path), 0, 0)
            raise ConfigError([Fault("E744", place, text, hint)])
