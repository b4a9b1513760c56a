"""Editing: where a cursor stands in a pack that may be half written, and what could stand there.

A text that is being typed is no YAML yet, so nothing is parsed: indents say which keys enclose a
line, and open brackets which keys enclose a place in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.feature_words import FEATURES
from rules.grade import SPELLINGS
from rules.keys import Key, keys
from rules.unit_table import NAMES, TABLE

KEY = re.compile(r"^(?P<indent>\s*)(?P<dash>(?:-\s+)*)(?P<key>[^\s:#{}\[\],\"']+)\s*:(?:\s|$)")
WORD = re.compile(r"[\w.%°/*-]+")
FLOW_KEY = re.compile(r"(?P<key>[\w.*-]+)\s*:\s*$")
EXPRESSIONS = frozenset({"expr", "exprs", "bygrade", "maybe_bygrade"})


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a cursor stands.

    section  of which mapping, empty where that is not known
    key      the key whose value is being written; None where a key is
    present  keys that the mapping has already, as far as they stand above and below
    word     the word at the cursor
    """

    section: str
    key: str | None
    present: frozenset[str]
    word: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could be written: its label, what kind it is, and its meaning."""

    label: str
    kind: str
    text: str
    insert: str


def spot_of(text: str, line: int, column: int) -> Spot:
    """The spot of a cursor; line and column count from 0."""
    lines = text.splitlines()
    lines += [""] * (line + 1 - len(lines))
    before = lines[line][:column]
    path = list(_enclosing(lines, line))
    own = KEY.match(before)
    opened = _opened(before)
    word = _word_at(lines[line], column)
    if opened:
        path += [key for key in ([own["key"]] if own else []) if key]
        path += [key for key in opened if key]
        inside = re.split(r"[{,\[]", before)[-1]
        key = inside.partition(":")[0].strip() if ":" in inside else None
        section = _section(path)
        return Spot(section, key, frozenset(), word)
    if own:
        return Spot(_section(path), own["key"], frozenset(), word)
    return Spot(_section(path), None, _siblings(lines, line), word)


def suggestions(spot: Spot) -> list[Suggestion]:
    """What could stand at a spot."""
    known = keys().get(spot.section, {})
    if spot.key is None:
        return [
            Suggestion(key.name, "key", _told(key), f"{key.name}: ")
            for key in known.values()
            if key.name not in spot.present and key.name != "*"
        ]
    key = known.get(spot.key)
    return [] if key is None else list(_values(key.shape))


def meaning(spot: Spot, line_text: str) -> str:
    """What the word at a spot means, as Markdown; empty where nothing is known."""
    known = keys().get(spot.section, {})
    is_key = re.search(rf"(?:^|[\s{{,]){re.escape(spot.word)}\s*:", line_text) is not None
    if is_key and spot.word in known:
        return f"**{spot.word}** in `{spot.section}`\n\n{_told(known[spot.word])}"
    name = spot.word.rpartition(".")[2]
    if name in FEATURES:
        return f"`{FEATURES[name].usage}`\n\n{FEATURES[name].meaning}"
    if spot.word in TABLE:
        return f"`{spot.word}`: {NAMES.get(TABLE[spot.word][1], 'a unit')}"
    return ""


def _told(key: Key) -> str:
    return f"{key.en}\n\n{key.zh}"


def _values(shape: str) -> Iterator[Suggestion]:
    kind, _, of = shape.partition(":")
    if kind == "word":
        yield from (Suggestion(word, "word", "", word) for word in of.split("|"))
    elif kind == "bool":
        yield from (Suggestion(word, "word", "", word) for word in ("true", "false"))
    elif kind in ("grade", "grades", "grade_or_none"):
        yield from (Suggestion(word, "word", "", word) for word in SPELLINGS)
    elif kind in EXPRESSIONS:
        for name, word in FEATURES.items():
            yield Suggestion(word.usage, "feature", word.meaning, name)


def _enclosing(lines: list[str], line: int) -> Iterator[str]:
    """The keys that enclose a line, outermost first."""
    here = _depth(lines[line]) if lines[line].strip() else len(lines[line]) or 10_000
    found: list[str] = []
    for text in reversed(lines[:line]):
        match = KEY.match(text)
        if not match or text.lstrip().startswith("#"):
            continue
        depth = len(match["indent"]) + len(match["dash"])
        is_open = not text[match.end() :].split("#")[0].strip()
        if depth < here and is_open:
            found.append(match["key"])
            here = len(match["indent"]) if match["dash"] else depth
        elif depth < here:
            here = min(here, depth + 1)
    return reversed(found)


def _depth(text: str) -> int:
    """How deep a line stands, its dashes counted as spaces."""
    found = re.match(r"^\s*(?:-\s+)*", text)
    return len(found.group()) if found else 0


def _siblings(lines: list[str], line: int) -> frozenset[str]:
    """Keys of the same mapping, above and below."""
    depth = _depth(lines[line])
    found: set[str] = set()
    for step in (-1, 1):
        at = line + step
        while 0 <= at < len(lines):
            match = KEY.match(lines[at])
            if match:
                here = len(match["indent"]) + len(match["dash"])
                if here < depth:
                    break
                if here == depth:
                    found.add(match["key"])
                if match["dash"] and here == depth:
                    break
            at += step
    return frozenset(found)


def _opened(before: str) -> list[str]:
    """The keys of the brackets that are still open on a line, the line's own key left out."""
    found: list[str] = []
    quote = ""
    for at, letter in enumerate(before):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "{[":
            key = FLOW_KEY.search(before[:at])
            is_own = (
                key is not None and KEY.match(before) and key.start("key") == _own_start(before)
            )
            found.append("" if key is None or is_own else key["key"])
        elif letter in "}]" and found:
            found.pop()
    return found


def _own_start(before: str) -> int:
    match = KEY.match(before)
    return match.start("key") if match else -1


def _section(path: list[str]) -> str:
    """The section that a path of keys leads to."""
    section = "file" if path and path[0] == "for" else "pack"
    is_free = False
    for key in path:
        if is_free:
            # A name in a mapping by names, or a grade in a mapping by grades.
            is_free = False
            continue
        known = keys().get(section, {}).get(key)
        if known is None:
            return ""
        kind, _, of = known.shape.partition(":")
        if kind == "maybe_bygrade" or (kind == "bygrade" and not of.startswith("section:")):
            return ""
        if kind == "bygrade":
            section, is_free = of.removeprefix("section:"), True
        elif kind in ("section", "sections", "named"):
            section, is_free = of, kind == "named"
        elif kind == "texts":
            section = "zh and en"
        else:
            return ""
    return "" if is_free else section


def _word_at(text: str, column: int) -> str:
    for match in WORD.finditer(text):
        if match.start() <= column <= match.end():
            return match.group()
    return ""
