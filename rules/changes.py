"""Changes: what is different between two sets of packs, as their authors wrote them.

The texts are compared key by key, so everything that the language has, or will have, is found; and
each change is of a sort that says what it does: a threshold, a timing, a text, an input.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rules.errors import Faults, Place
from rules.pack import Book
from rules.yaml_text import ListNode, MapNode, Node, TextNode, read_source

Kind = Literal["added", "changed", "removed"]
Sort = Literal["threshold", "timing", "condition", "input", "mode", "text", "test", "policy"]

TIMINGS = frozenset({"for", "clear_for", "stale_after", "max_blind", "within", "downgrade"})
THRESHOLDS = frozenset({"above", "below", "clear", "deadband", "limits"})
SORTS: Mapping[str, Sort] = {
    "title": "text",
    "message": "text",
    "basis": "text",
    "area": "text",
    "owner": "text",
    "tests": "test",
    "mode": "mode",
    "input": "input",
    "inputs": "input",
    "by": "input",
    "quality": "input",
    "lateness": "timing",
    "flap": "timing",
    "let": "condition",
    "levels": "condition",
    "ladder": "condition",
    "rollup": "condition",
    "sequence": "condition",
    "cluster": "condition",
    "macros": "condition",
    "overrides": "threshold",
    "limits": "threshold",
}
# What names an item of a list better than its place in it.
NAMES = ("id", "name", "as")
OUTSIDE = frozenset({"rules", "tocsin", "pack"})


@dataclass(frozen=True, slots=True)
class Part:
    """One key that is written otherwise; an empty text is a key that is not there."""

    path: str
    before: str
    after: str

    @property
    def sort(self) -> Sort:
        """What such a key does."""
        keys = self.path.split(".")
        if keys[0] in ("title", "message", "basis", "tests"):
            return SORTS[keys[0]]
        if TIMINGS & set(keys):
            return "timing"
        if keys[0] == "ladder" and THRESHOLDS & set(keys):
            return "threshold"
        return SORTS.get(keys[0], "policy")


@dataclass(frozen=True, slots=True)
class Change:
    """A rule that was added, changed or removed; `place` is where it stands, or stood."""

    kind: Kind
    rule: str
    parts: tuple[Part, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different: rule by rule, and of packs what stands outside their rules."""

    rules: tuple[Change, ...]
    packs: tuple[Change, ...]

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The rules that were added, changed, or removed."""
        return tuple(change for change in self.rules if change.kind == kind)


def changes(before: Book, after: Book) -> Changes:
    """Hold two books against each other."""
    old, new = _written(before), _written(after)
    old_heads, new_heads = _heads(before), _heads(after)
    packs = [c for c in _compared(old_heads, new_heads) if c.kind == "changed"]
    return Changes(tuple(_compared(old, new)), tuple(packs))


def _compared(old: Mapping[str, Node], new: Mapping[str, Node]) -> Iterator[Change]:
    for name in dict.fromkeys([*new, *old]):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            yield Change("added", name, (), after.place)
        elif after is None and before is not None:
            yield Change("removed", name, (), before.place)
        elif before is not None and after is not None:
            parts = tuple(_parts(flatten(before), flatten(after)))
            if parts:
                yield Change("changed", name, parts, after.place)


def _parts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Part]:
    for path in dict.fromkeys([*new, *old]):
        before, after = old.get(path, ""), new.get(path, "")
        if before != after:
            yield Part(path, before, after)


def _roots(book: Book) -> Iterator[tuple[str, MapNode]]:
    """The mapping of each pack that the book could read, by the pack's name."""
    for pack in book.packs:
        node, _ = read_source(Path(pack.path), Faults())
        assert isinstance(node, MapNode), pack.path
        yield pack.name, node


def _written(book: Book) -> dict[str, Node]:
    """Every rule as it was written, by its full name."""
    found: dict[str, Node] = {}
    for pack, root in _roots(book):
        rules = root.get("rules")
        for node in rules.items if isinstance(rules, ListNode) else ():
            key = node.get("id") if isinstance(node, MapNode) else None
            assert isinstance(key, TextNode)
            found[f"{pack}/{key.text}"] = node
    return found


def _heads(book: Book) -> dict[str, Node]:
    """What stands outside the rules of each pack."""
    return {
        pack: MapNode(
            tuple((k, v) for k, v in root.entries if k.text not in OUTSIDE),
            *(root.source, root.start, root.end),
        )
        for pack, root in _roots(book)
    }


def flatten(node: Node, path: str = "") -> dict[str, str]:
    """Every text of a tree under its path: `ladder.above.red`, `tests.a gap.feed.input`."""
    match node:
        case TextNode(text=text):
            return {path: text}
        case MapNode(entries=entries):
            found: dict[str, str] = {}
            for key, value in entries:
                found |= flatten(value, f"{path}.{key.text}" if path else key.text)
            return found
        case ListNode(items=items):
            if all(isinstance(item, TextNode) for item in items):
                return {path: ", ".join(item.text for item in items if isinstance(item, TextNode))}
            return _flatten_items(items, path)


def _flatten_items(items: Sequence[Node], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, item in enumerate(items):
        found |= flatten(item, f"{path}.{_name_of(item) or number}")
    return found


def _name_of(item: Node) -> str:
    if not isinstance(item, MapNode):
        return ""
    named = (item.get(name) for name in NAMES)
    return next((node.text for node in named if isinstance(node, TextNode)), "")
