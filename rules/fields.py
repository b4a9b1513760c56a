"""Fields: the keys of one mapping, each read once and typed by whoever asks for it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rules.errors import Faults, Place, did_you_mean
from rules.grade import Grade, read_grade
from rules.units import UnitError, describe, read_duration, read_quantity, read_unit
from rules.vocabulary import Section, refuse_unknown_key
from rules.yaml_text import ListNode, MapNode, Node, TextNode


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The mapping of a section, its unknown keys already refused."""

    node: MapNode
    section: Section
    faults: Faults
    values: dict[str, tuple[TextNode, Node]]

    @classmethod
    def open(cls, node: Node | None, section: Section, faults: Faults) -> "Fields | None":
        """Look at a mapping; None when it is none, and then `faults` says so."""
        if node is None:
            return None
        if not isinstance(node, MapNode):
            wrong_shape(node, f"`{section.name}` is a mapping: `key: value`", faults)
            return None
        values: dict[str, tuple[TextNode, Node]] = {}
        texts = section.now if section.holds_texts else frozenset()
        for key, value in whole_entries(node, faults, texts=texts):
            if key.text in section.now:
                values[key.text] = (key, value)
            else:
                refuse_unknown_key(key.text, section, key.place, faults)
        return cls(node, section, faults, values)

    def node_of(self, key: str) -> Node | None:
        """The value of a key, whatever it is; None when the key is not there."""
        found = self.values.get(key)
        return found[1] if found else None

    def key_place(self, key: str) -> Place:
        """Where a key stands; the mapping itself when the key is not there."""
        found = self.values.get(key)
        return found[0].place if found else self.node.place

    def pair_place(self, key: str) -> Place:
        """Key and value together."""
        found = self.values.get(key)
        return pair_place(*found) if found else self.node.place

    def text(self, key: str) -> TextNode | None:
        """The scalar of a key; None when it is not there or not a scalar."""
        return as_text_node(self.node_of(key), self.faults)

    def required(self, key: str, remedy: str) -> TextNode | None:
        """As `text`, but its absence is a fault."""
        return self.text(key) if self.needs(key, remedy=remedy) else None

    def word(self, key: str, allowed: Iterable[str]) -> str | None:
        """One word of several; None when it is not there or another."""
        node = self.text(key)
        if node is None:
            return None
        if node.text not in (known := sorted(allowed)):
            remedy = did_you_mean(node.text, known)
            self.faults.add("E014", node.place, f"`{key}: {node.text}` is unknown", remedy=remedy)
            return None
        return node.text

    def duration(self, key: str) -> int | None:
        """Nanoseconds; None when the key is not there or its value is no duration."""
        node = self.text(key)
        return None if node is None else duration_of(node, self.faults)

    def truth(self, key: str, default: bool) -> bool:
        """`true` or `false`."""
        found = self.word(key, ("true", "false"))
        return default if found is None else found == "true"

    def count(self, key: str, least: int) -> int | None:
        """A whole number, not less than `least`; None when it is not there or none."""
        node = self.text(key)
        if node is None:
            return None
        if not node.text.isdecimal() or not least <= int(node.text[:9]) or len(node.text) > 9:
            message = f"`{key}: {node.text}` is not a whole number of at least {least}"
            self.faults.add("E014", node.place, message, remedy=f"write `{key}: {least}` or more")
            return None
        return int(node.text)

    def grade(self, key: str) -> Grade | None:
        """A colour; None when it is not there or none."""
        node = self.text(key)
        return None if node is None else read_grade(node.text, node.place, self.faults)

    def needs(self, *keys: str, remedy: str) -> bool:
        """Whether all keys are there, whatever their values; the absence of each is a fault.

        A key whose value YAML cut at its commas has a fault already.
        """
        missing = [key for key in keys if self.node.get(key) is None]
        for key in missing:
            message = f"`{key}` is missing in `{self.section.name}`"
            self.faults.add("E012", self.node.place, message, remedy=remedy)
        return all(key in self.values for key in keys)

    def items(self, key: str) -> tuple[Node, ...]:
        """The items of a list; empty when the key is not there."""
        node = self.node_of(key)
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            wrong_shape(
                node, f"`{key}` is a list: `[…]`, or lines that start with `- `", self.faults
            )
            return ()
        return node.items


def pair_place(key: TextNode, value: Node) -> Place:
    """Where `key: value` stands, as far as its first line goes."""
    return key.source.place(key.start, value.end)


def wrong_shape(node: Node, wanted: str, faults: Faults) -> None:
    """Say that a value has the wrong shape."""
    shape = {TextNode: "a single value", ListNode: "a list", MapNode: "a mapping"}[type(node)]
    if isinstance(node, TextNode) and not node.text:
        shape = "empty"
    faults.add("E013", node.place, f"{wanted}, but this is {shape}")


def as_text_node(node: Node | None, faults: Faults) -> TextNode | None:
    """A scalar that is not empty; None otherwise, and then `faults` says why."""
    if node is None:
        return None
    if not isinstance(node, TextNode) or not node.text.strip():
        wrong_shape(node, "a single value is expected", faults)
        return None
    return node


def duration_of(node: TextNode, faults: Faults) -> int | None:
    """Nanoseconds of a scalar; None when it is no duration."""
    try:
        return read_duration(node.text)
    except UnitError as problem:
        faults.add("E202", node.place, str(problem), remedy=problem.remedy)
        return None


def share_of(node: TextNode, what: str, faults: Faults) -> float | None:
    """A share of 0 to 1, written as `60 %` or `0.6`; None when it is none."""
    try:
        amount, unit = read_quantity(node.text)
    except UnitError:
        amount, unit = -1.0, ""
    share = amount / 100 if unit == "%" else amount
    if unit not in ("", "%") or not 0 <= share <= 1:
        message = f"`{what}: {node.text}` is not a share"
        faults.add("E014", node.place, message, remedy="write `60%` or `0.6`")
        return None
    return share


def amount_of(node: TextNode, unit: str, faults: Faults, *, default: str = "") -> float | None:
    """A quantity that is not negative, in `unit`; `default` is the unit of a number alone."""
    wanted = read_unit(unit)
    try:
        amount, written = read_quantity(node.text)
        theirs = read_unit(written or default or "1")
    except UnitError as problem:
        faults.add("E201", node.place, str(problem), remedy=problem.remedy)
        return None
    if theirs.dimension != wanted.dimension or amount < 0:
        kind = describe(wanted.dimension)
        message = f"`{node.text}` is not {kind}"
        faults.add("E203", node.place, message, remedy=f"write {kind} in {unit}")
        return None
    return amount * theirs.factor / wanted.factor


def whole_entries(
    node: MapNode, faults: Faults, *, texts: frozenset[str] = frozenset()
) -> list[tuple[TextNode, Node]]:
    """The entries of a mapping, put together again where YAML cut a value at its commas.

    `{when: rising(p, 2m), for: 0s}` is YAML for the keys `when`, `2m)` and `for`. An expression
    that was cut is reported once and left out, so that nothing is said about keys that nobody
    wrote. A free text is read as it was meant, with a warning; `texts` are the keys of a mapping
    whose values are free texts.
    """
    whole: list[tuple[TextNode, Node]] = []
    entries = list(node.entries)
    while entries:
        key, value = entries.pop(0)
        cut = _pieces(value, entries, texts)
        if not cut or not isinstance(value, TextNode):
            whole.append((key, value))
            continue
        del entries[: len(cut)]
        end = cut[-1].end
        text = node.source.text[value.start : end]
        names = " and ".join(f"`{piece.text}`" for piece in cut)
        keys = "keys" if len(cut) > 1 else "key"
        faults.add(
            "W003" if texts else "E003",
            node.source.place(value.start, end),
            f"this {'text' if texts else 'expression'} contains a comma and is not quoted, "
            f"so YAML cut it into the {keys} {names}" + ("; read as one text" if texts else ""),
            remedy=f'quote it: {key.text}: "{text}"',
            fix=f'"{text}"',
        )
        if texts:
            whole.append((key, TextNode(text, node.source, value.start, end, False)))
    return whole


def _pieces(
    value: Node, following: list[tuple[TextNode, Node]], texts: frozenset[str]
) -> list[TextNode]:
    """The keys after a value that are really the rest of it: keys without a value.

    Of an expression they are so while a bracket is open, of a text while they are no known keys.
    """
    if not isinstance(value, TextNode) or value.is_quoted:
        return []
    missing = value.text.count("(") - value.text.count(")")
    cut: list[TextNode] = []
    for key, after in following:
        if not isinstance(after, TextNode) or after.text or after.is_quoted:
            break
        if key.text in texts or (missing <= 0 and not texts):
            break
        cut.append(key)
        missing += key.text.count("(") - key.text.count(")")
    return cut


IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def identifier(node: TextNode | None, faults: Faults) -> str:
    """A name that can stand in a topic and in an id; empty when it cannot."""
    if node is None:
        return ""
    if not IDENTIFIER.fullmatch(node.text):
        faults.add(
            "E014",
            node.place,
            f"`{node.text}` cannot be a name",
            remedy="use up to 64 of the letters A-Z a-z 0-9 - _ . and begin with a letter or digit",
        )
        return ""
    return node.text
