"""Rule sets: which assembly judges at which place of the journal.

A set that was just made ready waits here until the flow has come to the record that names it;
any other is read from the folder where it is kept (engine/activations.py).
"""

import threading
from dataclasses import dataclass
from typing import Protocol

import structlog

from engine.activations import Activations
from engine.assembly import Assembly, assemble_kept

log = structlog.get_logger()


class Sets(Protocol):
    """What whoever reads a journal must know of the sets that judge it."""

    @property
    def shard_count(self) -> int:
        """How many shards there are."""

    def assembly(self, digest: str) -> Assembly:
        """The set that a record activates."""

    def active_at(self, offset: int) -> Assembly | None:
        """The set that judges the record at an offset, if that is known."""

    def fall_back(self, offset: int) -> Assembly:
        """The set for records of which nobody knows who judged them."""

    def activated(self, offset: int, assembly: Assembly) -> None:
        """From this offset on this set judges."""


@dataclass(frozen=True, slots=True)
class OneSet:
    """One set that judges a whole journal, whatever judged it when it was written."""

    only: Assembly

    @property
    def shard_count(self) -> int:
        """How many shards it has."""
        return len(self.only.layouts)

    def assembly(self, digest: str) -> Assembly:
        """The one."""
        del digest
        return self.only

    def active_at(self, offset: int) -> Assembly:
        """The one, from the first record on."""
        del offset
        return self.only

    def fall_back(self, offset: int) -> Assembly:
        """The one."""
        del offset
        return self.only

    def activated(self, offset: int, assembly: Assembly) -> None:
        """Nothing is written down."""


class KeptSets:
    """The sets that judged a journal, each where it did, for whoever plays it again."""

    __slots__ = ("_known", "activations", "today")

    def __init__(self, activations: Activations, today: Assembly) -> None:
        """today: for what was received before sets were kept."""
        self.activations = activations
        self.today = today
        self._known: dict[str, Assembly] = {today.digest: today}

    @property
    def shard_count(self) -> int:
        """How many shards there are; the same for all sets of one data folder."""
        return len(self.today.layouts)

    def assembly(self, digest: str) -> Assembly:
        """A set by its digest; StoreError or ConfigError where it cannot be had any more."""
        if digest not in self._known:
            config = self.activations.configuration(digest, self.today.config)
            others = tuple(self._known.values())
            day = self.activations.day_of(digest)
            self._known[digest] = assemble_kept(config, digest, others, today=day)
        return self._known[digest]

    def active_at(self, offset: int) -> Assembly | None:
        """The set that judges the record at an offset, if anybody has written it down."""
        digest = self.activations.active_at(offset)
        return None if digest is None else self.assembly(digest)

    def fall_back(self, offset: int) -> Assembly:
        """The set of today."""
        del offset
        return self.today

    def activated(self, offset: int, assembly: Assembly) -> None:
        """It is written down already."""


class RuleSets:
    """The sets that judge, have judged, or are about to."""

    __slots__ = (
        "_is_over",
        "_judging",
        "_ready",
        "_swapped",
        "activations",
        "active",
        "newest",
        "today",
    )

    def __init__(self, activations: Activations, today: Assembly) -> None:
        """Know the set of the files of today, which the start has read and kept."""
        self.activations = activations
        self.today = today
        self.active = today
        self._ready: dict[str, Assembly] = {today.digest: today}
        # Named in the journal last, though the flow may not have come to it yet.
        self.newest = today.digest
        # The set that each shard judges by.
        self._judging: dict[int, str] = {}
        self._swapped = threading.Condition()
        self._is_over = False

    @property
    def shard_count(self) -> int:
        """How many shards there are; the same for all sets of one data folder."""
        return len(self.today.layouts)

    def make_ready(self, assembly: Assembly) -> None:
        """A set is about to be named in the journal, and has not to be read again then."""
        self._ready[assembly.digest] = assembly

    def judges(self, shard: int, digest: str) -> None:
        """A shard has taken a set over."""
        with self._swapped:
            self._judging[shard] = digest
            self._swapped.notify_all()

    def wait_judging(self, digest: str, seconds: float) -> bool:
        """Wait until all shards judge by a set that the journal names; False if it takes longer."""
        self.newest = digest
        with self._swapped:
            return self._swapped.wait_for(
                lambda: self._is_over or set(self._judging.values()) == {digest}, seconds
            )

    def end(self) -> None:
        """The flow has ended: nobody needs to wait for it."""
        with self._swapped:
            self._is_over = True
            self._swapped.notify_all()

    def assembly(self, digest: str) -> Assembly:
        """A set by its digest; StoreError or ConfigError where it cannot be had any more."""
        found = self.active if self.active.digest == digest else self._ready.get(digest)
        if found is None:
            config = self.activations.configuration(digest, self.today.config)
            others = (self.active, *self._ready.copy().values())
            day = self.activations.day_of(digest)
            found = self._ready[digest] = assemble_kept(config, digest, others, today=day)
            log.info("rules_of_the_past_read", digest=digest)
        return found

    def active_at(self, offset: int) -> Assembly | None:
        """The set that judges the record at an offset, if anybody has written it down."""
        digest = self.activations.active_at(offset)
        return None if digest is None else self.assembly(digest)

    def fall_back(self, offset: int) -> Assembly:
        """Judge by the set of today what was received before sets were kept."""
        log.warning(
            "rules_of_the_past_unknown",
            offset=offset,
            reason="the journal does not say which rules judged here; those of today do",
        )
        self.activations.note(offset, self.today.digest)
        return self.today

    def activated(self, offset: int, assembly: Assembly) -> None:
        """The flow has come to the place from which a set judges."""
        self.activations.note(offset, assembly.digest)
        if self.active.digest != assembly.digest:
            log.info("rules_active", digest=assembly.digest, before=self.active.digest)
        self.active = assembly
        self._ready.pop(assembly.digest, None)
