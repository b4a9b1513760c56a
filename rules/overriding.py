"""Overriding: a rule with other settings for some sensors, made by laying them over its text.

An override is laid over the mapping that was written, and the result is read like any rule: so
every setting is checked with the rule's units, the ladder is checked again, and a deadband follows
its new entry values. Of several overrides that match one sensor the more specific wins, then the
later one; where neither can be told, it is a fault, and not a guess.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from datetime import date, timedelta

from rules import expression as ex
from rules.errors import Fault, Faults, Place
from rules.grade import COLOURS, SPELLINGS, Grade
from rules.pack import Book, Override, Rule
from rules.phrases import plain
from rules.yaml_text import MapNode, Node, TextNode

# The keys of a match from the most to the least specific; all other attributes come last.
PRECISE = ("sensor", "point", "tank", "slope", "dam", "basin", "site")
SENSORS_NAMED_MAX = 3


def matches(override: Override, attributes: Mapping[str, str]) -> bool:
    """Whether an override is meant for a sensor with these attributes."""
    return all(attributes.get(key) == text for key, text in override.match.items())


def holds(override: Override, today: str) -> bool:
    """Whether an override still holds on a day (ISO); with no day given, it does."""
    return not override.until or not today or today <= override.until


def in_force(book: Book, today: str) -> tuple[Book, str]:
    """The book without the overrides that hold no longer, and the first day of which this is so.

    On all days on which the same overrides hold, the same book and day come out; the day is empty
    while all of them do. `today` is an ISO day, empty for one before all others.
    """
    lapsed = {o.until for rule in book.rules for o in rule.overrides if not holds(o, today)}
    if not lapsed:
        return book, ""
    since = (date.fromisoformat(max(lapsed)) + timedelta(days=1)).isoformat()
    packs = tuple(
        changed(pack, rules=tuple(_without_lapsed(rule, since) for rule in pack.rules))
        for pack in book.packs
    )
    digest = hashlib.sha256(f"{book.digest} {since}".encode()).hexdigest()
    return changed(book, packs=packs, digest=digest), since


def _without_lapsed(rule: Rule, today: str) -> Rule:
    kept = tuple(override for override in rule.overrides if holds(override, today))
    return rule if len(kept) == len(rule.overrides) else changed(rule, overrides=kept)


def specificity(override: Override) -> tuple[int, int]:
    """How narrow a match is: the narrowest of its keys, then how many keys it has."""
    ranks = [len(PRECISE) - PRECISE.index(key) for key in override.match if key in PRECISE]
    return max(ranks, default=0), len(override.match)


def variants(
    rule: Rule, attributes_of_sensors: Sequence[Mapping[str, str]], *, today: str = ""
) -> tuple[list[Rule], list[int], list[Fault]]:
    """The rule as it is for each sensor: the different rules, and which of them each sensor has.

    `attributes_of_sensors` have the sensor's name under `sensor`, its site under `site`, and all
    texts of the catalogue. The first variant is the rule without overrides. A sensor for which
    the overrides do not fit together keeps the rule itself, and a fault names it.
    """
    standing = [override for override in rule.overrides if holds(override, today)]
    found: list[Rule] = [rule]
    number_of: dict[tuple[int, ...], int] = {(): 0}
    sensors_of: dict[tuple[int, ...], list[str]] = {}
    numbers: list[tuple[int, ...]] = []
    for attributes in attributes_of_sensors:
        mine = tuple(at for at, known in enumerate(standing) if matches(known, attributes))
        numbers.append(mine)
        sensors_of.setdefault(mine, []).append(attributes.get("sensor", ""))
    faults: list[Fault] = []
    for mine, sensors in sensors_of.items():
        if not mine:
            continue
        settled, wrong = settle(rule, [standing[at] for at in mine])
        if settled is None:
            faults += [_named(fault, sensors) for fault in wrong]
            number_of[mine] = 0
        else:
            number_of[mine] = len(found)
            found.append(settled)
    return found, [number_of[mine] for mine in numbers], faults


def settle(rule: Rule, overrides: Sequence[Override]) -> tuple[Rule | None, list[Fault]]:
    """The rule with all overrides that match one sensor; None after a fault."""
    ordered = sorted(overrides, key=specificity)
    faults = _ties(ordered)
    if faults or rule.written is None:
        return (None if faults else rule), faults
    node = rule.written.node
    for override in ordered:
        node = lay_over(node, override.settings)
    found = Faults()
    merged = rule.written.read(node, found)
    if merged is None:
        last = ordered[-1]
        return None, [_told_at(fault, last) for fault in found.errors()]
    approved = any(override.approved_by for override in ordered)
    beyond = [] if approved else beyond_limits(merged, ordered[-1].place)
    if beyond:
        return None, beyond
    return changed(merged, overrides=(), tests=rule.tests, place=rule.place), []


def _ties(ordered: Sequence[Override]) -> list[Fault]:
    """Overrides that set the same thing, are equally specific, and stand in different files."""
    faults: list[Fault] = []
    for at, override in enumerate(ordered):
        for other in ordered[at + 1 :]:
            if specificity(other) != specificity(override):
                break
            same = sorted(_overlap(override.settings, other.settings))
            if same and other.place.file != override.place.file:
                keys = ", ".join(f"`{key}`" for key in same)
                message = f"{keys} is set by an override in {override.place} too"
                remedy = "neither is more specific; let one of them match more narrowly"
                faults.append(Fault("E323", other.place, message, remedy))
    return faults


def _overlap(ours: Mapping[str, Node], theirs: Mapping[str, Node]) -> set[str]:
    """The keys that two overrides both set, a whole and its part included."""
    return {
        max(one, other, key=len)
        for one in ours
        for other in theirs
        if f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
    }


def _told_at(fault: Fault, override: Override) -> Fault:
    """A fault of a merged rule, told where the override stands that it came with."""
    if is_inside(fault.place, override):
        return fault
    note = f"this is said of {fault.place}"
    return changed(fault, place=override.place, message=f"so changed, {fault.message}", note=note)


def is_inside(place: Place, override: Override) -> bool:
    """Whether a place is one of the override's own settings."""
    for node in override.settings.values():
        first = node.place
        last = node.source.place(node.end, node.end)
        if place.file == first.file and first.line <= place.line <= last.line:
            return True
    return False


def _named(fault: Fault, sensors: Sequence[str]) -> Fault:
    """A fault with the sensors it was found for."""
    shown = ", ".join(f"`{sensor}`" for sensor in sensors[:SENSORS_NAMED_MAX])
    more = len(sensors) - SENSORS_NAMED_MAX
    others = f" and {more} more" if more > 0 else ""
    return changed(fault, message=f"for sensor {shown}{others}: {fault.message}")


def beyond_limits(rule: Rule, place: Place) -> list[Fault]:
    """The entry values of a rule that are less careful than its limits."""
    ladder = rule.ladder
    if ladder is None:
        return []
    faults: list[Fault] = []
    for grade, entry in ladder.enter.items():
        limit, amount = rule.limits.get(grade), ex.constant(entry)
        if limit is None or amount is None:
            continue
        if amount > limit if ladder.direction == "above" else amount < limit:
            message = (
                f"{grade.word} at {plain(amount, None)} lies beyond the limit of "
                f"{plain(limit, None)}, and nobody has approved it"
            )
            faults.append(Fault("E322", place, message, "add `approved_by: …`"))
    return faults


def lay_over(node: MapNode, settings: Mapping[str, Node]) -> MapNode:
    """The mapping of a rule with some settings changed; maps are laid over key by key."""
    for key, value in settings.items():
        node = _with(node, key.split("."), value, node)
    return node


def _with(node: MapNode, path: Sequence[str], value: Node, rule: MapNode) -> MapNode:
    """A mapping in which what lies at a path is another."""
    name = _spelling(path[0])
    entries = list(node.entries)
    at = next((i for i, (key, _) in enumerate(entries) if _spelling(key.text) == name), None)
    before = entries[at][1] if at is not None else None
    key = entries[at][0] if at is not None else _key(path[0], value)
    if len(path) > 1:
        under = before if isinstance(before, MapNode) else _spread(before, value, rule)
        value = _with(under, path[1:], value, rule)
    elif isinstance(value, MapNode) and isinstance(before, MapNode):
        merged = before
        for name_of_part, part in value.entries:
            merged = _with(merged, [name_of_part.text], part, rule)
        value = merged
    if at is None:
        entries.append((key, value))
    else:
        entries[at] = (key, value)
    return MapNode(tuple(entries), node.source, node.start, node.end)


def _key(text: str, value: Node) -> TextNode:
    """A key that nobody wrote in the rule, standing where its value does."""
    return TextNode(text, value.source, value.start, value.end, False)


def _spelling(word: str) -> str:
    """`red` for `红`, and every other key as it is."""
    grade = SPELLINGS.get(word)
    return grade.word if grade is not None else word


def _spread(before: Node | None, value: Node, rule: MapNode) -> MapNode:
    """`for: 1m` as a map by grade, so that one of them can be changed."""
    if not isinstance(before, TextNode):
        return MapNode((), value.source, value.start, value.end)
    grades = _grades(rule)
    entries = tuple((_key(grade.word, before), before) for grade in grades)
    return MapNode(entries, before.source, before.start, before.end)


def _grades(rule: MapNode) -> tuple[Grade, ...]:
    """The grades of a rule's ladder, as written."""
    ladder = rule.get("ladder")
    if not isinstance(ladder, MapNode):
        return ()
    steps = ladder.get("above") or ladder.get("below")
    words = (
        {_spelling(key.text) for key, _ in steps.entries} if isinstance(steps, MapNode) else set()
    )
    return tuple(grade for grade in COLOURS if grade.word in words)
