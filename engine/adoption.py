"""Adoption: what a shard keeps of a saved state after its catalogue or its rules have changed.

A rule keeps its latches, and is asked once what it makes of them where its definition has changed
(engine/reconsidering.py); a window that is cut alike keeps its panes; a model of the same kind
keeps what it has learnt.  Sensors are recognised by their names, sites and links by theirs.  What
has changed begins anew: its windows are unknown until they have filled.  The open warnings of a
rule, or of a sensor, that is gone end with `superseded`; should it come back after years, its
episodes count on from the old ones, so that no id is used twice.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from engine.bank import Bank, desk_name
from engine.carrying import Pairs, carry_windows, copy_rows, pairs_of
from engine.courses import Course
from engine.definitions import definition, digest, meaning_of
from engine.desk import courses_in
from engine.episodes import Message
from engine.formats import described_records, translated
from engine.group_adoption import adopt_groups, facts_of_groups
from engine.latches import Latches
from engine.reconsidering import compared, reconsider
from engine.shard import Shard
from engine.store import Snapshot
from engine.superseding import facts_of_rule, facts_of_sites, names_of, superseded
from kernels import onset, panes, raw, stage, standing, trail, walk

Rows = NDArray[np.intp]

log = structlog.get_logger()

# Which facts are saved; another text wherever an older state could not be read.
FACTS = "facts 2"


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many columns were kept, and how many began anew."""

    kept: int
    begun_anew: int


def facts_of(shard: Shard) -> dict[str, object]:
    """What a later adoption must know: names and definitions."""
    catalogue, layout = shard.catalogue, shard.layout
    site_names = [catalogue.sites.name[number] for number in layout.site]
    links = [
        f"{site_names[site]}\n{catalogue.gateways.name[gateway]}"
        for site, gateway in zip(layout.link_site, layout.link_gateway, strict=True)
    ]
    return {
        "formats": formats(),
        "sites": facts_of_sites(shard),
        "links": links,
        "banks": {bank.windows.name: _facts_of_bank(shard, bank) for bank in shard.banks},
        "rules": {
            rule.plan.home: {
                "definition": definition(rule.plan),
                "compared": compared(rule.plan),
                **facts_of_rule(rule.plan),
            }
            for bank in shard.banks
            for rule in bank.rules
        },
        "groups": facts_of_groups(shard.quorum.groups, catalogue),
        "records": described_records(),
        "retired": shard.retired,
    }


def _facts_of_bank(shard: Shard, bank: Bank) -> dict[str, object]:
    facts: dict[str, object] = {
        "pane_ns": bank.plan.pane_ns,
        "slots": bank.plan.slots,
        "unit": bank.plan.sort.unit,
        "sensors": "\n".join(shard.catalogue.sensors.name[number] for number in bank.sensor),
        "site_rows": shard.layout.site_rows[bank.number].tolist(),
        "rules": [rule.plan.home for rule in bank.rules],
    }
    if bank.anomaly is not None:
        facts["model"] = digest(bank.anomaly.plan)
        facts["numbers"] = bank.sensor.tolist()
    return facts


def formats() -> str:
    """A digest of how the records of the kernels and the facts about them are laid out."""
    records = (
        stage.LINK,
        panes.LINE32,
        panes.LINE64,
        raw.RAW,
        onset.ONSET,
        trail.RING,
        walk.SMOOTH,
        walk.MOTION,
    )
    layouts = [repr(record.fields) for record in (*records, standing.LATCH, standing.EPISODE)]
    return hashlib.sha256("\n".join([FACTS, *layouts]).encode()).hexdigest()


def adopt(shard: Shard, snapshot: Snapshot) -> Adopted:
    """Take over from a saved state what still means the same; end what is watched no more.

    The last words of what has gone are told by the shard's next `advance`.
    """
    shard.retired = retired_of(snapshot)
    if snapshot.facts["formats"] != formats():
        _end_everything(shard, translated(snapshot))
        return Adopted(0, len(shard.columns()))
    kept = _adopt_clock(shard, snapshot)
    total = 0
    for bank in shard.banks:
        before = _mapping(_mapping(snapshot.facts["banks"]).get(bank.windows.name, {}))
        pairs = pairs_of(names_of(before), _sensors(shard, bank))
        total += len(bank.windows.columns())
        same_panes = before.get("pane_ns") == bank.plan.pane_ns
        if same_panes and before.get("unit") == bank.plan.sort.unit:
            kept += _adopt_windows(shard, snapshot, bank, before)
        _adopt_models(shard, snapshot, bank, before)
        for rule in bank.rules:
            total += 1
            kept += _adopt_rule(snapshot, before, rule, pairs)
            _adopt_desk(shard, snapshot, bank, rule, pairs)
    _end_what_has_gone(shard, snapshot)
    _adopt_groups(shard, snapshot)
    shard.clock.begin_watch()
    return Adopted(int(kept), total - int(kept))


def retired_of(snapshot: Snapshot) -> dict[str, int]:
    """How many episodes those had that are gone: by rule and sensor."""
    found = _mapping(snapshot.facts.get("retired", {}))
    return {name: int(str(ordinal)) for name, ordinal in found.items()}


def _adopt_clock(shard: Shard, snapshot: Snapshot) -> int:
    """Sites and links keep their time, so that nothing old is judged twice."""
    kept = 0
    facts = facts_of(shard)
    sites = _site_pairs(shard, snapshot)
    links = pairs_of(_texts(snapshot.facts["links"]), _texts(facts["links"]))
    for name, column in shard.clock.columns().items():
        if name == "clock/next_pane":
            continue
        pairs = links if name in ("clock/link", "clock/heard_ns") else sites
        kept += copy_rows(snapshot.columns.get(name), column, pairs)
    return kept


def _site_pairs(shard: Shard, snapshot: Snapshot) -> Pairs:
    old = snapshot.facts["sites"]
    assert isinstance(old, list)
    names = [str(_mapping(site)["name"]) for site in old]
    return pairs_of(names, [shard.catalogue.sites.name[number] for number in shard.layout.site])


def _adopt_windows(
    shard: Shard, snapshot: Snapshot, bank: Bank, before: Mapping[str, object]
) -> int:
    """Windows of the sensors that are where they were; how many columns were kept."""
    old_sites, new_sites = _site_pairs(shard, snapshot)
    number = list(_mapping(snapshot.facts["banks"])).index(bank.windows.name)
    next_pane = snapshot.columns["clock/next_pane"].view(np.int64)[number]
    shard.clock.next_pane[bank.number, new_sites] = next_pane[old_sites]

    old, new = pairs_of(names_of(before), _sensors(shard, bank))
    site_rows = np.array(before["site_rows"], dtype=np.int64)
    was_at = np.repeat(np.arange(site_rows.size - 1), np.diff(site_rows))[old]
    is_at = _sites_of_rows(shard, bank)[new]
    today = np.full(next_pane.size, -1)
    today[old_sites] = new_sites
    stays = today[was_at] == is_at
    return carry_windows(
        snapshot.columns,
        bank,
        (old[stays], new[stays]),
        open_from=next_pane[was_at[stays]],
        slots_before=int(str(before["slots"])),
    )


def _sites_of_rows(shard: Shard, bank: Bank) -> Rows:
    rows = np.diff(shard.layout.site_rows[bank.number])
    return np.repeat(np.arange(rows.size, dtype=np.intp), rows)


def _adopt_models(
    shard: Shard, snapshot: Snapshot, bank: Bank, before: Mapping[str, object]
) -> None:
    """A model that looks at the same keeps what it has learnt, whatever number its sensor has."""
    if bank.anomaly is None or before.get("model") != digest(bank.anomaly.plan):
        return
    numbers = before["numbers"]
    assert isinstance(numbers, list)
    old, new = pairs_of(names_of(before), _sensors(shard, bank))
    renumbered = {numbers[a]: int(bank.sensor[b]) for a, b in zip(old, new, strict=True)}
    bank.anomaly.restore(snapshot.columns, renumbered)


def _adopt_rule(
    snapshot: Snapshot, before: Mapping[str, object], rule: Latches, pairs: Pairs
) -> bool:
    """Latches of a rule that was there before, whatever it meant."""
    name = rule.plan.home
    if name not in _texts(before.get("rules", [])):
        return False
    saved = snapshot.columns
    episode = saved[f"latch/{name}/episode"]
    copy_rows(episode, rule.episode, pairs)
    # The terms of a row follow from its sensor of today, and so do its timers.
    line = rule.latch
    terms = line["terms"].copy()
    kept = copy_rows(saved[f"latch/{name}/line"], line, pairs)
    line["terms"] = terms
    rule.due_ns[pairs[1]] = standing.NEVER_NS
    rule.site_due_ns[...] = standing.NEVER_NS
    rule.wake()
    return kept


def _adopt_desk(shard: Shard, snapshot: Snapshot, bank: Bank, rule: Latches, pairs: Pairs) -> None:
    """What had been told of the sensors that both have, and what operators said about it."""
    saved = snapshot.columns.get(desk_name(bank.windows.name, rule.plan.name))
    if saved is not None:
        renumbered = {int(a): int(b) for a, b in zip(*pairs, strict=True)}
        desk = shard.desks[bank.number, rule.plan.name]
        desk.unpack(saved.view(np.uint8), renumbered)


def _end_what_has_gone(shard: Shard, snapshot: Snapshot) -> None:
    """Last words for open warnings that nobody watches, and their ordinals for later."""
    today = {
        (bank.windows.name, rule.plan.home): (bank, rule)
        for bank in shard.banks
        for rule in bank.rules
    }
    rules = _mapping(snapshot.facts["rules"])
    status = shard.settings.status
    for type_name, facts in _mapping(snapshot.facts["banks"]).items():
        before = _mapping(facts)
        for name in _texts(before["rules"]):
            old: Rows = np.empty(0, dtype=np.intp)
            if (type_name, name) in today:
                bank, rule = today[type_name, name]
                old = pairs_of(names_of(before), _sensors(shard, bank))[0]
                known = _mapping(rules[name])
                if known["definition"] != definition(rule.plan):
                    _reconsider(shard, bank, rule, str(known.get("compared", "")))
            kept = old.tolist()
            courses = courses_in(snapshot.columns.get(desk_name(type_name, name.split("@")[0])))
            last = superseded(snapshot, before, name, status=status, kept=kept, courses=courses)
            shard.told.extend(last)
            _retire(shard, snapshot, name, (names_of(before), old), courses)
    for bank, rule in today.values():
        _call_back(shard, bank, rule)


def take_rules_over(shard: Shard, before: Shard) -> None:
    """In memory, where the shard shares its arrays with the one before: only rules have changed.

    What a changed rule makes of its latches, and the last words of what has gone, are told by the
    shard's next `advance`.
    """
    shard.retired = before.retired
    gone: list[tuple[str, str]] = []
    for bank, old in zip(shard.banks, before.banks, strict=True):
        known = {rule.plan.name: rule.plan for rule in old.rules}
        for rule in bank.rules:
            was = known.pop(rule.plan.name, None)
            if was is None:
                _call_back(shard, bank, rule)
                continue
            desk = before.desks[bank.number, rule.plan.name]
            if not desk.is_clear:
                shard.desks[bank.number, rule.plan.name].unpack(desk.packed())
            if meaning_of(was) != meaning_of(rule.plan):
                _reconsider(shard, bank, rule, compared(was))
        gone += [(old.windows.name, name) for name in known]
    if gone:
        _end_rules(shard, Snapshot(facts_of(before), dict(before.columns())), gone)
    facts = facts_of_groups(before.quorum.groups, before.catalogue)
    groups, columns = shard.quorum.groups, before.quorum.columns()
    _tell_all(shard, adopt_groups(groups, facts, columns, shard.retired))


def _end_rules(shard: Shard, snapshot: Snapshot, gone: Iterable[tuple[str, str]]) -> None:
    """Last words for all that stood of some rules, and their ordinals for later."""
    no_rows: Rows = np.empty(0, dtype=np.intp)
    for type_name, name in gone:
        before = _mapping(_mapping(snapshot.facts["banks"])[type_name])
        courses = courses_in(snapshot.columns.get(desk_name(type_name, name)))
        status = shard.settings.status
        last = superseded(snapshot, before, name, status=status, kept=(), courses=courses)
        shard.told.extend(last)
        _retire(shard, snapshot, name, (names_of(before), no_rows), courses)


def _end_everything(shard: Shard, snapshot: Snapshot) -> None:
    """Last words for all that stood when the records were laid out otherwise than today."""
    if "records" not in snapshot.facts:
        # A version that did not say how its records are laid out.
        log.error("state_not_understood", reason="open warnings are not ended; they expire")
        return
    banks = _mapping(snapshot.facts["banks"])
    rules = ((one, name) for one in banks for name in _texts(_mapping(banks[one])["rules"]))
    _end_rules(shard, snapshot, rules)
    facts = _mapping(snapshot.facts.get("groups", {}))
    last = adopt_groups({}, facts, snapshot.columns, shard.retired)
    _tell_all(shard, last)
    for bank in shard.banks:
        for rule in bank.rules:
            _call_back(shard, bank, rule)


def _adopt_groups(shard: Shard, snapshot: Snapshot) -> None:
    """Rules on several sensors."""
    facts = _mapping(snapshot.facts.get("groups", {}))
    _tell_all(shard, adopt_groups(shard.quorum.groups, facts, snapshot.columns, shard.retired))


def _tell_all(shard: Shard, last: Iterable[Message]) -> None:
    for topic, body in last:
        shard.told.append((topic, {**body, "status": shard.settings.status}))


def _reconsider(shard: Shard, bank: Bank, rule: Latches, before: str) -> None:
    """Ask a changed rule what it makes of the latches it found, and tell what follows."""
    horizon_ns = shard.clock.horizon_ns(bank.number)
    desk = shard.desks[bank.number, rule.plan.name]
    for changes in reconsider(rule, before, horizon_ns, (shard.catalogue.sensors, bank.sensor)):
        for change in changes:
            shard.told.extend(desk.tell(change, desk.rows.facts(change)))


def _retire(
    shard: Shard,
    snapshot: Snapshot,
    name: str,
    sensors_and_kept: tuple[list[str], Rows],
    courses: Mapping[int, Course],
) -> None:
    """Remember how many episodes a rule had on the sensors that are gone."""
    sensors, kept = sensors_and_kept
    episode = snapshot.columns[f"latch/{name}/episode"].view(standing.EPISODE)
    ordinal = episode["ordinal"].copy()
    for at, course in courses.items():
        ordinal[at] = max(int(ordinal[at]), course.told.ordinal)
    ordinal[kept] = 0
    for row in np.flatnonzero(ordinal):
        shard.retired[f"{name}\n{sensors[row]}"] = int(ordinal[row])


def _call_back(shard: Shard, bank: Bank, rule: Latches) -> None:
    """A rule or a sensor that comes back counts on from where it was."""
    if not shard.retired:
        return
    for row, sensor in enumerate(_sensors(shard, bank)):
        ordinal = shard.retired.pop(f"{rule.plan.home}\n{sensor}", 0)
        rule.episode["ordinal"][row] = max(ordinal, int(rule.episode["ordinal"][row]))


def _sensors(shard: Shard, bank: Bank) -> list[str]:
    return [shard.catalogue.sensors.name[number] for number in bank.sensor]


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(text) for text in value]


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value
