"""Inhibition: one rule holds others down while it stands, so that one site warns, not a thousand.

At its grade `at` and above, a rule mutes or caps the named rules on every row that shares the named
attributes.  Both are judged in the same place, a shard or the step beyond the shards; the one that
may be held down waits for the verdict of the other, so it does not matter which was judged first.
A rule in shadow never holds a live one down.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.boards import InstanceBoard, SensorBoard
from engine.courses import Told
from engine.desk import Desk
from engine.episodes import Message
from rules.pack import Inhibition

# Texts of the attributes that must be the same.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Party:
    """One rule where it is judged.

    attribute  text of an attribute of a row; None where it has none
    known_ns   nothing of a row that happened before is unknown any more
    """

    name: str
    desk: Desk[SensorBoard] | Desk[InstanceBoard]
    row_count: int
    attribute: Callable[[int, str], str | None]
    known_ns: Callable[[int], int]

    def keys(self, same: Sequence[str]) -> Iterator[tuple[int, Key]]:
        """The rows that have all of the attributes, with their texts."""
        for row in range(self.row_count):
            texts = [self.attribute(row, name) for name in same]
            known = tuple(text for text in texts if text is not None)
            if len(known) == len(texts):
                yield row, known


@dataclass
class Grip:
    """What one rule has on another: which rows hold which down."""

    source: Party
    inhibition: Inhibition
    key_of: dict[int, Key]
    held_rows: dict[Key, list[int]]
    held: Party

    def hear(self, told: Told) -> None:
        """The verdict of the rule that holds down."""
        change = told.change
        row, now_ns = int(change["row"]), int(change["event_ns"])
        was = int(change["previous"]) >= self.inhibition.at
        stands = int(change["grade"]) >= self.inhibition.at
        if was == stands or row not in self.key_of:
            return
        source = f"{self.source.name}@{row}"
        for held_row in self.held_rows.get(self.key_of[row], ()):
            if stands:
                self.held.desk.rule_on(held_row, source, now_ns, self.inhibition.cap)
            else:
                self.held.desk.rule_off(held_row, source, now_ns)


@dataclass
class Held:
    """A rule that others may hold down, and whose word it waits for."""

    party: Party
    waits_for: dict[int, list[tuple[Party, int]]] = field(default_factory=dict)

    def flush(self) -> Iterator[Message]:
        """Tell what is now in order."""
        return self.party.desk.flush(self._known_ns)

    def _known_ns(self, row: int) -> int:
        others = [party.known_ns(at) for party, at in self.waits_for.get(row, ())]
        return min([self.party.known_ns(row), *others])


def join(parties: Sequence[Party]) -> list[Held]:
    """Let the parties of one place hear each other; those that wait come back."""
    found: dict[str, list[Party]] = defaultdict(list)
    for party in parties:
        found[party.name].append(party)
    held: dict[int, Held] = {}
    for source in parties:
        rule = source.desk.rule
        for inhibition in rule.inhibits:
            for party in (p for name in inhibition.rules for p in found[name]):
                if rule.mode == "shadow" and party.desk.rule.mode == "live":
                    continue
                grip = _grip(source, inhibition, party)
                source.desk.listeners.append(grip.hear)
                party.desk.is_held = True
                _wait(held.setdefault(id(party), Held(party)), grip)
    return list(held.values())


def _grip(source: Party, inhibition: Inhibition, party: Party) -> Grip:
    held_rows: dict[Key, list[int]] = defaultdict(list)
    for row, key in party.keys(inhibition.same):
        held_rows[key].append(row)
    return Grip(source, inhibition, dict(source.keys(inhibition.same)), held_rows, party)


def _wait(held: Held, grip: Grip) -> None:
    for row, key in grip.key_of.items():
        for held_row in grip.held_rows.get(key, ()):
            held.waits_for.setdefault(held_row, []).append((grip.source, row))
