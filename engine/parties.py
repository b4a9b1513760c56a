"""Parties: the rules of one place as inhibition sees them, and how far each is known there.

The place is a shard, or the step beyond the shards, which has no banks and no clock of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from engine.bank import Bank
from engine.boards import SensorBoard
from engine.clock import Clock
from engine.desk import Desk
from engine.episodes import Message
from engine.groups import Groups
from engine.inhibition import Party, join
from engine.registry import Catalogue
from kernels.stage import NEVER


class Parties:
    """All rules of a place, those that others may hold down among them."""

    __slots__ = ("held", "parties")

    def __init__(
        self,
        banks: Sequence[Bank],
        desks: Mapping[tuple[int, str], Desk[SensorBoard]],
        groups: Mapping[str, Groups],
        *,
        clock: Clock | None,
        catalogue: Catalogue,
    ) -> None:
        self.parties = [*_of_groups(groups, catalogue)]
        if clock is not None:
            self.parties += _of_banks(banks, desks, clock, catalogue)
        self.held = join(self.parties)

    def speak(self) -> Iterator[Message]:
        """What waited for a verdict that is known now, and what came due by itself."""
        for held in self.held:
            yield from held.flush()
        gripped = {id(held.party.desk) for held in self.held}
        for party in self.parties:
            desk = party.desk
            if id(desk) not in gripped and (desk.waiting or desk.conduct.restless):
                yield from desk.flush(party.known_ns)


def _of_banks(
    banks: Sequence[Bank],
    desks: Mapping[tuple[int, str], Desk[SensorBoard]],
    clock: Clock,
    catalogue: Catalogue,
) -> Iterator[Party]:
    for bank in banks:
        for is_reading, rules in ((True, bank.reading_rules), (False, bank.pane_rules)):
            for rule in rules:
                yield Party(
                    rule.plan.name,
                    desks[bank.number, rule.plan.name],
                    bank.sensor.size,
                    attribute=partial(_of_sensor, catalogue, bank),
                    known_ns=partial(_known_ns, clock, bank, is_reading=is_reading),
                )


def _of_groups(groups: Mapping[str, Groups], catalogue: Catalogue) -> Iterator[Party]:
    for name, group in groups.items():
        yield Party(
            name,
            group.desk,
            len(group.state.placed.instances.key),
            attribute=partial(_of_instance, catalogue, group),
            known_ns=partial(_judged_ns, group),
        )


def _of_sensor(catalogue: Catalogue, bank: Bank, row: int, name: str) -> str | None:
    """An attribute of a sensor: its own, else that of its site."""
    sensor = int(bank.sensor[row])
    if name == "sensor":
        return catalogue.sensors.name[sensor]
    own = catalogue.sensors.attributes.get(name)
    text = None if own is None else own[sensor]
    return text or _of_site(catalogue, int(catalogue.sensors.site[sensor]), name)


def _of_instance(catalogue: Catalogue, group: Groups, row: int, name: str) -> str | None:
    """An attribute of an instance: its key, what its sensors have in common, that of its home."""
    instances = group.state.placed.instances
    if name in group.desk.rule.by and name != "site":
        return instances.key[row]
    text = group.tidings.subject(row).attributes["sensor"].get(name)
    return text or _of_site(catalogue, int(instances.home[row]), name)


def _of_site(catalogue: Catalogue, site: int, name: str) -> str | None:
    sites = catalogue.sites
    if name == "site":
        return sites.name[site]
    if name == "division":
        return sites.division[site]
    return sites.attributes[site].get(name)


def _known_ns(clock: Clock, bank: Bank, row: int, *, is_reading: bool) -> int:
    """Changes of a row before this instant have all been told."""
    site = int(clock.card["site"][bank.rows.start + row])
    if is_reading:
        return int(clock.horizon_ns(bank.number)[site])
    pane = int(clock.next_pane[bank.number, site])
    return NEVER if pane == NEVER else pane * bank.plan.pane_ns + 1


def _judged_ns(group: Groups, row: int) -> int:
    return int(group.frontier_ns[row])
