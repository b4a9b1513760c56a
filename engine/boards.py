"""Boards: the rows of a rule as its desk sees them, who speaks for them and how they are reset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.courses import Facts, Told
from engine.episodes import Episodes, Message
from engine.latches import Changes, Latches
from engine.sayings import NOTHING, SAYINGS
from engine.variants import SeenColumns
from rules.message import Shown


class Speaker(Protocol):
    """Who knows what a warning about an instance says beside its grade."""

    def facts(self, change: np.void) -> Facts:
        """What is known of a change."""

    def write(self, told: Told) -> Message:
        """Make the message of what is told."""


@dataclass(frozen=True, slots=True)
class SensorBoard:
    """The rows of one rule in one bank.

    sensor    int32[rows]  their numbers in the catalogue
    episodes  one for each variant of the rule's settings
    """

    latches: Latches
    sensor: NDArray[np.int32]
    episodes: tuple[Episodes, ...]

    def write(self, told: Told) -> Message:
        """Make the message of what is told."""
        return self._episodes(told.change).about(told, int(self.sensor[told.change["row"]]))

    def reset(self, row: int, now_ns: int) -> NDArray[np.void]:
        """Let the row's latched grades go."""
        return _reset(self.latches, row, now_ns)

    def facts(self, change: np.void) -> Facts:
        """What is known of a change that an operator has asked for.

        Of windows nothing: they have moved on since their pane was judged.
        """
        known = 0.0 if change["blind"] else 1.0
        (sayings,) = self.sayings(np.array([change]), None)
        return self.evidence(change, known, sayings)

    def evidence(self, change: np.void, coverage: float, sayings: Mapping[str, Shown]) -> Facts:
        """What is known of a change."""
        sensor = int(self.sensor[change["row"]])
        facts = self._episodes(change).facts(change, sensor, coverage)
        return {**facts, SAYINGS: sayings} if sayings else facts

    def sayings(
        self, changes: Changes, columns: SeenColumns | None
    ) -> Sequence[Mapping[str, Shown]]:
        """What the message shows beside its value; `columns` is what a pane was judged by."""
        found: list[Mapping[str, Shown]] = [NOTHING] * changes.size
        of = np.maximum(self.latches.variants.of[changes["row"]], 0)
        attributes = self.latches.attributes
        for number, episodes in enumerate(self.episodes):
            mine = np.flatnonzero(of == number) if episodes.sayings.nodes else ()
            if not len(mine):
                continue
            said: Sequence[Mapping[str, Shown]] = ()
            if columns is not None:
                at = np.searchsorted(columns.measures.rows, changes["row"][mine])
                said = episodes.sayings.of_pane(columns, at)
            elif self.latches.plan.is_per_reading:
                assert attributes is not None, "the rows of a bank have attributes"
                said = episodes.sayings.of_readings(changes[mine], attributes)
            for place, one in zip(mine, said, strict=False):
                found[place] = one
        return found

    def _episodes(self, change: np.void) -> Episodes:
        return self.episodes[max(int(self.latches.variants.of[change["row"]]), 0)]


@dataclass(frozen=True, slots=True)
class InstanceBoard:
    """The rows of one rule on instances of several sensors."""

    latches: Latches
    tidings: Speaker

    def write(self, told: Told) -> Message:
        """Make the message of what is told."""
        return self.tidings.write(told)

    def reset(self, row: int, now_ns: int) -> NDArray[np.void]:
        """Let the instance's latched grades go."""
        return _reset(self.latches, row, now_ns)

    def facts(self, change: np.void) -> Mapping[str, object]:
        """What is known of a change."""
        return self.tidings.facts(change)


def _reset(latches: Latches, row: int, now_ns: int) -> NDArray[np.void]:
    found = list(latches.reset(np.array([row], dtype=np.int64), now_ns))
    return np.concatenate(found) if found else np.zeros(0, dtype=latches.buffer.dtype)
