"""YAML as text: a tree in which every scalar is still the letters that were written.

YAML turns `no` into False, `12:30` into 750 and `017` into 15; a rule must not. So nothing is
typed here: the tree holds text with its place, and the schema of whoever reads it gives the types.
What makes YAML dangerous or ambiguous is refused with a place: aliases, anchors, tags, directives,
several documents, duplicate keys, tabs, deep nesting, large files, letters that are not UTF-8.
The C parser reads what is right, seventeen times as fast as the Python one; at the first trouble
the text is read again by the Python one, whose places and words are the ones people see.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from rules.errors import Faults, Place

FILE_BYTES_MAX = 256 * 1024
# The language itself needs 8: rules, rule, overrides, item, set, key, grade, value.
DEPTH_MAX = 32

# As YAML breaks lines, so that our line numbers are the parser's.
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
UNPRINTABLE = re.compile(
    "[^\n\r\x20-\x7e\x85\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file's name and letters; turns a stretch of letters into a place."""

    name: str
    text: str
    line_starts: list[int] = field(default_factory=list)
    lines: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, text: str) -> "Source":
        """Find where the lines of a text start."""
        return cls(name, text, [0, *(found.end() for found in LINE_BREAK.finditer(text))])

    def place(self, start: int, end: int) -> Place:
        """Where the letters [start, end) stand; cut at the end of their first line."""
        start = min(start, len(self.text))
        line = bisect_right(self.line_starts, start) - 1
        first = self.line_starts[line]
        text = self.lines.get(line)
        if text is None:
            stop = LINE_BREAK.search(self.text, first)
            text = self.lines[line] = self.text[first : stop.start() if stop else None]
        length = max(1, min(end, first + len(text)) - start)
        return Place(self.name, line + 1, start - first + 1, length, text)


@dataclass(frozen=True, slots=True, eq=False)
class TextNode:
    """A scalar as written, without its quotes; [start, end) is where it stands in the file."""

    text: str
    source: Source
    start: int
    end: int
    is_quoted: bool

    @property
    def place(self) -> Place:
        """The whole scalar, quotes included."""
        return self.source.place(self.start, self.end)

    def part(self, start: int, end: int) -> Place:
        """Where the letters [start, end) of `text` stand in the file."""
        raw = self.source.text[self.start : self.end]
        opening = 1 if raw[:1] in ("'", '"') else 0
        if raw[opening : opening + len(self.text)] == self.text:
            return self.source.place(
                self.start + opening + start, self.start + opening + max(end, start + 1)
            )
        # Folded lines and escapes: walk both texts, letter by letter, past what YAML removed.
        positions = list(_positions(raw, self.text))
        first = positions[start] if start < len(positions) else len(raw) - 1
        last = positions[end - 1] if start < end <= len(positions) else first
        return self.source.place(self.start + first, self.start + last + 1)


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """A list."""

    items: tuple["Node", ...]
    source: Source
    start: int
    end: int

    @property
    def place(self) -> Place:
        """The list, as far as its first line goes."""
        return self.source.place(self.start, self.end)


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """A mapping; its keys are text and each stands once."""

    entries: tuple[tuple[TextNode, "Node"], ...]
    source: Source
    start: int
    end: int

    @property
    def place(self) -> Place:
        """The mapping, as far as its first line goes."""
        return self.source.place(self.start, self.end)

    def get(self, key: str) -> "Node | None":
        """The value of a key, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


Node = TextNode | ListNode | MapNode
Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]


def _index(mark: object) -> int:
    """The letter a mark of the parser stands at; the parser gives every event its marks."""
    index = getattr(mark, "index", None)
    assert isinstance(index, int)
    return index


def _positions(raw: str, text: str) -> Iterator[int]:
    """For each letter of `text` its position in `raw`, found by walking both."""
    at = 0
    for letter in text:
        found = at if letter.isspace() else raw.find(letter, at)
        found = at if found < 0 else found
        yield min(found, max(0, len(raw) - 1))
        at = found if letter.isspace() else found + 1


def read_file(path: Path, faults: Faults, *, name: str = "") -> Node | None:
    """Read a YAML file; None when it cannot be used, and then `faults` says why.

    `name` is how the file is called in faults; the path as given when empty.
    """
    return read_source(path, faults, name=name)[0]


def read_source(path: Path, faults: Faults, *, name: str = "") -> tuple[Node | None, bytes]:
    """Read a YAML file and hand back its bytes too, for a digest of exactly what was read."""
    shown = name or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        faults.add("E002", Place(shown, 0, 0), f"cannot be read: {error.strerror or error}")
        return None, b""
    return read_bytes(content, shown, faults), content


def read_bytes(content: bytes, name: str, faults: Faults) -> Node | None:
    """Read the bytes of a YAML file; None when they cannot be used, and then `faults` says why."""
    if len(content) > FILE_BYTES_MAX:
        faults.add(
            "E002",
            Place(name, 1, 1, 1, ""),
            f"the file is larger than {FILE_BYTES_MAX // 1024} KiB",
            remedy="split it: each pack is a file of its own",
        )
        return None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        # Up to the bad byte all is well; the line shown is what can be read of it.
        good = Source.of(name, content[: error.start].decode("utf-8").removeprefix("\ufeff"))
        faults.add(
            "E002",
            good.place(len(good.text), len(good.text)),
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            remedy="save the file as UTF-8",
        )
        return None
    return read_text(text, name, faults)


def read_text(text: str, name: str, faults: Faults) -> Node | None:
    """Read a YAML text; None when it cannot be used, and then `faults` says why."""
    source = Source.of(name, text)
    tab = text.find("\t")
    if tab >= 0:
        faults.add(
            "E005", source.place(tab, tab + 1), "a tab is not allowed", remedy="write spaces"
        )
        return None
    strange = UNPRINTABLE.search(text)
    if strange:
        faults.add(
            "E002",
            source.place(strange.start(), strange.end()),
            f"the letter U+{ord(strange.group()):04X} cannot be printed",
            remedy="remove it",
        )
        return None
    return _Composer(source, faults).compose()


class _Refused(Exception):
    """The text cannot be read further; the fault is already in the collector."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read."""

    start: int
    is_map: bool
    items: list[Node]


@dataclass(slots=True)
class _Composer:
    """Builds the tree from the parser's events, one at a time, without recursion."""

    source: Source
    faults: Faults

    def compose(self) -> Node | None:
        """The tree of the only document, or None after a fault."""
        root = self._quickly()
        if root is not None:
            return root
        try:
            root = self._tree(yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self._explain(error)
            return None
        except _Refused:
            return None
        if root is None:
            self.faults.add(
                "E002",
                self.source.place(0, 0),
                "the file is empty",
                remedy="start with `tocsin: 1`",
            )
        return root

    def _quickly(self) -> Node | None:
        """The tree as the C parser makes it; None at the first trouble, and nothing is said."""
        aside = _Composer(self.source, Faults())
        try:
            root = aside._tree(yaml.CSafeLoader)
        except (yaml.YAMLError, _Refused):
            return None
        return None if len(aside.faults) else root

    def _tree(self, loader: Loader) -> Node | None:
        stack: list[_Open] = []
        root: Node | None = None
        documents = 0
        for event in yaml.parse(self.source.text, Loader=loader):
            if stack and type(event) is ScalarEvent and event.anchor is event.tag is None:
                stack[-1].items.append(self._scalar(event))
                continue
            self._refuse_traps(event)
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "E007", "a second document", "one file holds one document")
            done = self._step(event, stack)
            if done is not None:
                root = done
        return root

    def _step(self, event: Event, stack: list[_Open]) -> Node | None:
        """Take one event; the root when it is complete."""
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            if len(stack) == DEPTH_MAX:
                self._refuse(event, "E006", f"nested deeper than {DEPTH_MAX} levels", "")
            is_map = isinstance(event, MappingStartEvent)
            stack.append(_Open(_index(event.start_mark), is_map, []))
            return None
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            node = self._close(stack.pop(), _index(event.end_mark))
        else:
            return None
        if stack:
            stack[-1].items.append(node)
            return None
        return node

    def _scalar(self, event: ScalarEvent) -> TextNode:
        start, end = _index(event.start_mark), _index(event.end_mark)
        return TextNode(event.value, self.source, start, end, event.style not in (None, ""))

    def _close(self, opened: _Open, end: int) -> Node:
        """Make a list or mapping of what has been collected."""
        if not opened.is_map:
            return ListNode(tuple(opened.items), self.source, opened.start, end)
        entries: dict[str, tuple[TextNode, Node]] = {}
        for key, value in zip(opened.items[::2], opened.items[1::2], strict=True):
            if not isinstance(key, TextNode):
                self.faults.add("E001", key.place, "a key must be a single word")
                raise _Refused
            before = entries.setdefault(key.text, (key, value))[0]
            if before is not key:
                self.faults.add(
                    "E004",
                    key.place,
                    f"duplicate key `{key.text}`",
                    remedy=f"it already stands in line {before.place.line}; keep one of them",
                )
        return MapNode(tuple(entries.values()), self.source, opened.start, end)

    def _refuse_traps(self, event: Event) -> None:
        """Refuse what makes one text mean another: aliases, anchors, tags, directives."""
        if isinstance(event, AliasEvent):
            self._refuse(event, "E007", "an alias", "write the value out")
        if isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent):
            if event.anchor is not None:
                self._refuse(event, "E007", f"an anchor `&{event.anchor}`", "write the value out")
            if event.tag is not None:
                self._refuse(event, "E007", f"a tag `{event.tag}`", "types come from the schema")
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            self._refuse(event, "E007", "a YAML directive", "remove the line that starts with `%`")

    def _refuse(self, event: Event, code: str, found: str, remedy: str) -> None:
        place = self.source.place(_index(event.start_mark), _index(event.start_mark) + 1)
        text = found if code == "E006" else f"{found} is not allowed"
        self.faults.add(code, place, text, remedy=remedy)
        raise _Refused

    def _explain(self, error: yaml.MarkedYAMLError) -> None:
        """Say in plain words what the parser did not like."""
        mark = error.problem_mark or error.context_mark
        at = mark.index if mark else 0
        message, remedy = _plain_words(error, self.source.text, at)
        self.faults.add(
            "E001",
            self.source.place(at, at + 1),
            message,
            remedy=remedy,
            note="only this file stops here; other packs are still checked",
        )


def _plain_words(error: yaml.MarkedYAMLError, text: str, at: int) -> tuple[str, str]:
    """A sentence and a remedy for an error of the YAML parser."""
    problem = error.problem or "not YAML"
    letter = text[at : at + 1]
    if "cannot start any token" in problem:
        line_start = max(text.rfind(mark, 0, at) for mark in "\n{,") + 1
        key = text[line_start:at].strip().removeprefix("- ").rstrip(": ")
        word = re.match(r"[^,}\]\n]*", text[at:])
        value = word.group().strip() if word else letter
        quoted = f'{key}: "{value}"' if key.isidentifier() else f'"{value}"'
        return f"a plain YAML value cannot start with `{letter}`", f"quote it: `{quoted}`"
    if "mapping values are not allowed" in problem:
        return "a second `:` in one line", "quote the value that contains `: `"
    if "could not find expected ':'" in problem:
        return "a line without `:`", "write `key: value`, or indent it as part of the line before"
    if "expected <block end>" in problem:
        return "the indentation does not fit the lines above", "align the keys of one mapping"
    if "expected ',' or" in problem:
        return f"{problem} inside `{{…}}` or `[…]`", "close the bracket, or quote the value"
    if "end of stream" in problem or "<stream end>" in problem:
        return "the file ends inside a quoted text or bracket", "close it"
    return problem, "see https://yaml.org/spec/1.2.2/" if not error.context else error.context
