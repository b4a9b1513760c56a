"""Adoption: what a shard keeps of a saved state after its catalogue or its rules have changed.

A rule whose definition is the same keeps its latches; a window that is cut alike keeps its panes;
sensors are recognised by their names, sites and links by theirs.  What has changed begins anew:
its windows are unknown until they have filled, and its warnings begin new episodes, whose
ordinals go on from the old ones so that no id is used twice.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.shard import Bank, Shard, as_saved
from engine.store import Snapshot
from kernels import onset, panes, raw, stage, standing
from rules.plan import RulePlan

Column = NDArray[np.generic]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many columns were kept, and how many began anew."""

    kept: int
    begun_anew: int


def facts_of(shard: Shard) -> dict[str, object]:
    """What a later adoption must know: names and definitions."""
    catalogue, layout = shard.catalogue, shard.layout
    sites = [catalogue.sites.name[number] for number in layout.site]
    links = [
        f"{sites[site]}\n{catalogue.gateways.name[gateway]}"
        for site, gateway in zip(layout.link_site, layout.link_gateway, strict=True)
    ]
    return {
        "formats": formats(),
        "sites": sites,
        "links": links,
        "banks": {
            bank.windows.name: {
                "pane_ns": bank.plan.pane_ns,
                "slots": bank.plan.slots,
                "sensors": "\n".join(catalogue.sensors.name[number] for number in bank.sensor),
            }
            for bank in shard.banks
        },
        "rules": {
            rule.plan.name: definition(rule.plan)
            for bank in shard.banks
            for rule in (*bank.reading_rules, *bank.pane_rules)
        },
    }


def formats() -> str:
    """A digest of how the records of the kernels are laid out."""
    records = (stage.LINK, panes.LINE32, panes.LINE64, raw.RAW, onset.ONSET)
    layouts = [repr(record.fields) for record in (*records, standing.LATCH, standing.EPISODE)]
    return hashlib.sha256("\n".join(layouts).encode()).hexdigest()


def definition(plan: RulePlan) -> str:
    """A digest of what a rule means; its texts and its place in the file do not count."""
    rule = plan.rule
    meaning = (
        *(plan.grades, plan.unit, rule.input, rule.quality, rule.latch, rule.closure, rule.cap),
    )
    return hashlib.sha256(repr(meaning).encode()).hexdigest()


def adopt(shard: Shard, snapshot: Snapshot) -> Adopted:
    """Take over from a saved state what still means the same."""
    facts = facts_of(shard)
    if snapshot.facts["formats"] != facts["formats"]:
        return Adopted(0, len(shard.columns()))
    saved = snapshot.columns
    kept = _adopt_clock(shard, facts, snapshot)
    known_rules = _mapping(snapshot.facts["rules"])
    known_banks = _mapping(snapshot.facts["banks"])
    total = 0
    for bank in shard.banks:
        before = _mapping(known_banks.get(bank.windows.name, {}))
        pairs = _pairs(_names(before), [shard.catalogue.sensors.name[n] for n in bank.sensor])
        same_panes = before.get("pane_ns") == bank.plan.pane_ns
        same_panes &= before.get("slots") == bank.plan.slots
        if same_panes:
            _adopt_panes(shard, facts, snapshot, bank)
        for name, column in bank.windows.columns().items():
            total += 1
            slots = bank.plan.slots if _is_ring(bank, column) else 1
            kept += same_panes and _copy(saved.get(name), column, pairs, slots)
        for rule in (*bank.reading_rules, *bank.pane_rules):
            same_rule = known_rules.get(rule.plan.name) == definition(rule.plan)
            for name, column in rule.columns().items():
                if name.endswith("site_due_ns"):
                    column[...] = 0  # looked at once, then known again
                    continue
                total += 1
                if same_rule or name.endswith("/episode"):
                    kept += _copy(saved.get(name), column, pairs, 1)
    return Adopted(int(kept), total - int(kept))


def _adopt_clock(shard: Shard, facts: Mapping[str, object], snapshot: Snapshot) -> int:
    """Sites and links keep their time, so that nothing old is judged twice."""
    kept = 0
    before = snapshot.facts
    sites = _pairs(list(before["sites"]), list(facts["sites"]))  # type: ignore[call-overload]
    links = _pairs(list(before["links"]), list(facts["links"]))  # type: ignore[call-overload]
    for name, column in shard.clock.columns().items():
        if name == "clock/next_pane":
            continue
        pairs = links if name in ("clock/link", "clock/heard_ns") else sites
        kept += _copy(snapshot.columns.get(name), column, pairs, 1)
    return kept


def _adopt_panes(shard: Shard, facts: Mapping[str, object], snapshot: Snapshot, bank: Bank) -> None:
    """Which pane of a bank each site closes next; its open panes lie in the rings kept."""
    old_sites, new_sites = _pairs(
        list(snapshot.facts["sites"]),  # type: ignore[call-overload]
        list(facts["sites"]),  # type: ignore[call-overload]
    )
    number = list(_mapping(snapshot.facts["banks"])).index(bank.windows.name)
    before = snapshot.columns["clock/next_pane"]
    shard.clock.next_pane[bank.number, new_sites] = before[number, old_sites]


def _copy(before: Column | None, column: Column, pairs: tuple[Rows, Rows], slots: int) -> bool:
    """Copy the rows that both have; False where the columns are not alike."""
    if before is None or before.dtype.itemsize != column.dtype.itemsize:
        return False
    before = as_saved(before, column.dtype)
    if before.ndim != column.ndim:
        return False
    if before.shape[:-1] != column.shape[:-1] or not column.size:
        return False
    old, new = pairs
    if slots > 1:
        column.reshape(-1, slots)[new] = before.reshape(-1, slots)[old]
    else:
        column[..., new] = before[..., old]
    return True


def _is_ring(bank: Bank, column: Column) -> bool:
    return column.ndim == 1 and column.size == bank.sensor.size * bank.plan.slots


def _pairs(old: list[str], new: list[str]) -> tuple[Rows, Rows]:
    """Where the names that both have stand in each."""
    place = {name: number for number, name in enumerate(old)}
    found = [(place[name], number) for number, name in enumerate(new) if name in place]
    old_rows, new_rows = zip(*found, strict=True) if found else ((), ())
    return np.array(old_rows, dtype=np.intp), np.array(new_rows, dtype=np.intp)


def _names(bank: Mapping[str, object]) -> list[str]:
    text = str(bank.get("sensors", ""))
    return text.split("\n") if text else []


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value
