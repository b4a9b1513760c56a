"""Correlator: the rules beyond one site with the store that keeps their state, for Bytewax.

Each shard tells in its own order what it found, and where it came to an activation.  The rules are
swapped when all shards have come to it: what one of them says behind it waits for the others.  All
shards are given one stretch of the journal within one epoch, so nothing waits when state is saved.
"""

from collections.abc import Sequence

import structlog

from engine.assembly import Activation, Assembly
from engine.correlate import Correlate
from engine.episodes import Message
from engine.group_adoption import adopt_clusters, adopt_groups, facts_of_groups
from engine.meters import Meters
from engine.quorum import Report
from engine.rule_sets import Sets
from engine.store import Store

log = structlog.get_logger()


class Correlator:
    """One correlate, across changes of rules."""

    def __init__(self, *, sets: Sets, store: Store | None, meters: Meters) -> None:
        """Nothing is judged before all shards have come to an activation, or `restore`.

        store  None where nothing is saved, because the whole journal is driven through
        """
        self.sets = sets
        self.store = store
        self.meters = meters
        self.number = 0
        self.is_dirty = True
        self.digest = ""
        self.correlate: Correlate | None = None
        # How many episodes those rules and instances had that are gone.
        self.retired: dict[str, int] = {}
        self.waiting: dict[int, list[object]] = {}

    def restore(self, number: int) -> None:
        """Take over a saved state, under the set of rules that it was saved under."""
        assert self.store is not None
        snapshot = self.store.load(number)
        self.number = number
        self.digest = str(snapshot.facts["activation"])
        assembly = self.sets.assembly(self.digest)
        self.correlate = assembly.correlate(self.meters)
        retired = snapshot.facts["retired"]
        assert isinstance(retired, dict)
        self.retired = {str(name): int(ordinal) for name, ordinal in retired.items()}
        if self.correlate is not None:
            self.correlate.restore(snapshot.columns)
        self.is_dirty = False

    def advance(self, shard: int, reports: Sequence[object]) -> list[Message]:
        """Take what a shard tells, in its order; return the warnings that follow."""
        self.is_dirty = True
        if shard in self.waiting:
            self.waiting[shard] += reports
            return []
        messages: list[Message] = []
        for at, item in enumerate(reports):
            if isinstance(item, Activation) and item.assembly.digest != self.digest:
                self.waiting[shard] = list(reports[at:])
                if len(self.waiting) == self.sets.shard_count:
                    messages += self._swap(item.assembly)
                break
            if isinstance(item, Report) and self.correlate is not None:
                messages += self.correlate.advance([item])
        return messages

    def _swap(self, assembly: Assembly) -> list[Message]:
        """From here on this set judges; then what waited for it."""
        waiting, self.waiting = self.waiting, {}
        before, self.correlate = self.correlate, assembly.correlate(self.meters)
        self.digest = assembly.digest
        messages: list[Message] = []
        if before is not None:
            groups = {} if self.correlate is None else self.correlate.groups
            facts = facts_of_groups(before.groups, before.catalogue)
            status = assembly.config.status
            clusters = {} if self.correlate is None else self.correlate.clusters
            said = [
                *adopt_groups(groups, facts, before.columns(), self.retired),
                *adopt_clusters(clusters, before.clusters),
            ]
            messages += [(topic, {**body, "status": status}) for topic, body in said]
            if self.correlate is not None and before.catalogue is self.correlate.catalogue:
                self.correlate.known_ns[...] = before.known_ns
        for shard in sorted(waiting):
            messages += self.advance(shard, waiting[shard][1:])
        return messages

    def save(self) -> int:
        """Make the state durable if anything changed; returns the snapshot's number."""
        assert self.store is not None
        assert not self.waiting, "all shards come to an activation within one epoch"
        if self.is_dirty:
            columns = {} if self.correlate is None else self.correlate.columns()
            facts = {"activation": self.digest, "retired": self.retired}
            self.store.save(self.number + 1, facts, columns)
            self.number += 1
            self.is_dirty = False
        return self.number
