"""Canonical: the text of a pack laid out as all packs are, and its meaning unchanged.

What is the author's stays: the order of keys, line breaks inside `{…}` and `[…]`, single blank
lines, quotes, comments.  What is nobody's is made the same everywhere: two spaces a level, one
space after a colon and a comma, values in a column below each other in grades and ladders, comments
in a column where lines follow each other.

The new text is read again before it is handed out: if it meant anything else, nothing is changed.
"""

import re
from dataclasses import dataclass, field

from rules.changes import flatten
from rules.errors import Faults
from rules.grade import SPELLINGS
from rules.yaml_text import ListNode, MapNode, Node, Source, TextNode, read_text

STEP = "  "
COLUMN_MAX = 72
COMMENT = re.compile(r"#[^\n]*")


class NotLaidOut(Exception):
    """A text that is no YAML of ours, or that cannot be laid out without changing it."""


@dataclass(slots=True)
class Line:
    """One line that is written: its code, and the comment behind it."""

    code: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of the text: where it stands, and whether it has its line for itself."""

    start: int
    text: str
    is_alone: bool
    column: int


def canonical(text: str, name: str = "pack") -> str:
    """The same pack, laid out; NotLaidOut where it cannot be read."""
    faults = Faults()
    node = read_text(text.replace("\r\n", "\n"), name, faults)
    if node is None or faults.errors():
        first = next(iter(faults), None)
        raise NotLaidOut(str(first) if first else "there is nothing here")
    writer = _Writer(node.source, _comments(node))
    writer.write(node)
    laid_out = writer.text()
    if _meaning(laid_out, name) != _pairs(node):
        message = f"{name}: its layout cannot be changed without changing what it says"
        raise NotLaidOut(message)
    return laid_out


def _meaning(text: str, name: str) -> list[tuple[str, str]]:
    node = read_text(text, name, Faults())
    return [] if node is None else _pairs(node)


def _pairs(node: Node) -> list[tuple[str, str]]:
    """Every text in its order, under its path."""
    return [*flatten(node).items(), *_shape(node)]


def _shape(node: Node) -> list[tuple[str, str]]:
    """Keys and lengths, which a flat table does not have for empty lists."""
    match node:
        case MapNode(entries=entries):
            found = [("{", str(len(entries)))]
            for key, value in entries:
                found += [("key", key.text), *_shape(value)]
            return found
        case ListNode(items=items):
            return [("[", str(len(items))), *(pair for item in items for pair in _shape(item))]
        case _:
            return []


def _comments(node: Node) -> list[Comment]:
    """The comments of a text: every # that is in no scalar and begins a word."""
    text = node.source.text
    spans = sorted(_scalars(node))
    found: list[Comment] = []
    at = 0
    for start, end in [*spans, (len(text), len(text))]:
        for match in COMMENT.finditer(text, at, start):
            before = text[: match.start()]
            if before and not before[-1].isspace():
                continue
            line = before[before.rfind("\n") + 1 :]
            shown = match.group().rstrip()
            found.append(Comment(match.start(), shown, not line.strip(), len(line)))
        at = max(at, end)
    return found


def _scalars(node: Node) -> list[tuple[int, int]]:
    match node:
        case TextNode(start=start, end=end):
            return [(start, end)] if end > start else []
        case MapNode(entries=entries):
            return [span for key, value in entries for n in (key, value) for span in _scalars(n)]
        case ListNode(items=items):
            return [span for item in items for span in _scalars(item)]


@dataclass(slots=True)
class _Writer:
    """Writes a tree line by line, and puts every comment where it stood."""

    source: Source
    comments: list[Comment]
    lines: list[Line] = field(default_factory=list)
    # How much of the text has been written.
    at: int = 0
    # Columns of the text, and the indents that have become of them.
    indents: dict[int, str] = field(default_factory=dict)

    def write(self, node: Node) -> None:
        """Write the whole tree."""
        self._block(node, "", "")
        self._lead(len(self.source.text), "")

    def text(self) -> str:
        """Everything written, comments in columns."""
        lines = list(self.lines)
        while lines and not lines[-1].code and not lines[-1].comment:
            lines.pop()
        at = 0
        out: list[str] = []
        while at < len(lines):
            end = at
            while end < len(lines) and lines[end].code and lines[end].comment:
                end += 1
            if end == at:
                out.append((lines[at].code + lines[at].comment).rstrip())
                at += 1
                continue
            widest = max(len(line.code) for line in lines[at:end])
            column = widest if widest <= COLUMN_MAX else 0
            out += [f"{line.code.ljust(column)}  {line.comment}" for line in lines[at:end]]
            at = end
        return "\n".join(out) + "\n"

    def _block(self, node: Node, indent: str, first: str) -> None:
        """Write a node on lines of its own; `first` stands before its first line (`- `)."""
        if self._is_flow(node) or isinstance(node, TextNode):
            self._lead(node.start, indent)
            self._put(indent + first, node, len(indent))
            return
        if isinstance(node, MapNode):
            self._map(node, indent, first)
            return
        for item in node.items:
            self._lead(self._dash(item), indent)
            inner = first + "- "
            if isinstance(item, ListNode) and not self._is_flow(item):
                message = "a list directly inside a list"
                raise NotLaidOut(message)
            self._block(item, indent, inner)
            first = ""

    def _map(self, node: MapNode, indent: str, first: str) -> None:
        width = self._key_width(node)
        for key, value in node.entries:
            self._lead(key.start, indent + " " * len(first))
            self.indents[self._column(key.start)] = indent + " " * len(first)
            raw = self.source.text[key.start : key.end]
            head = f"{indent}{first}{raw}:"
            if first:
                indent, first = indent + " " * len(first), ""
            self.at = max(self.at, key.end + 1)
            if isinstance(value, TextNode) or self._is_flow(value):
                if isinstance(value, TextNode) and value.start == value.end:
                    self._line(head, value.end)
                else:
                    self._put(head.ljust(len(indent) + width) + " ", value, len(indent))
                continue
            self._line(head, self._line_end(key.end))
            deeper = indent + STEP
            self._block(value, deeper, "")

    def _key_width(self, node: MapNode) -> int:
        """How far values stand from the indent, where those of a mapping stand in a column."""
        keys = [self.source.text[key.start : key.end] for key, _ in node.entries]
        names = {key.text for key, _ in node.entries}
        flows = [(k, v) for k, v in node.entries if self._is_flow(v)]
        is_grades = names <= set(SPELLINGS) and len(flows) == len(node.entries)
        if is_grades and len(keys) > 1:
            return max(len(key) for key in keys) + 1
        return 0

    def _put(self, head: str, node: Node, indent: int) -> None:
        """Write a scalar or a flow behind a head; a text that goes on below is one step deeper."""
        if isinstance(node, TextNode):
            # The end of a block scalar lies behind the empty lines that follow it.
            raw = self.source.text[node.start : node.end].rstrip()
            text = _shifted(raw, indent + len(STEP))
        else:
            text = self._flow(node, len(head))
        *whole, last = (head + text).split("\n")
        for line in whole:
            self.lines.append(Line(line.rstrip()))
        end = node.start + len(self.source.text[node.start : node.end].rstrip())
        self._line(last, end)

    def _flow(self, node: Node, column: int) -> str:
        """`{a: 1, b: 2}` with line breaks where the author had them."""
        if isinstance(node, TextNode):
            return self.source.text[node.start : node.end]
        if any(node.start < c.start < node.end for c in self.comments):
            # A comment between the parts: nobody knows to which of them it belongs.
            self.comments = [c for c in self.comments if not node.start < c.start < node.end]
            return self.source.text[node.start : node.end]
        opening, closing = ("{", "}") if isinstance(node, MapNode) else ("[", "]")
        parts = node.entries if isinstance(node, MapNode) else node.items
        text, at = opening, node.start + 1
        for number, part in enumerate(parts):
            start = part[0].start if isinstance(part, tuple) else part.start
            is_broken = number > 0 and "\n" in self.source.text[at:start]
            if number:
                text += "," + ("\n" + " " * (column + 1) if is_broken else " ")
            here = column + 1 if is_broken else column + len(text.rsplit("\n", 1)[-1])
            if "\n" in text and not is_broken:
                here = len(text.rsplit("\n", 1)[-1])
            text += self._part(part, here)
            at = part[1].end if isinstance(part, tuple) else part.end
            at = max(at, part[0].end) if isinstance(part, tuple) else at
        return text + closing

    def _part(self, part: tuple[TextNode, Node] | Node, column: int) -> str:
        if not isinstance(part, tuple):
            return self._flow(part, column)
        key, value = part
        raw = self.source.text[key.start : key.end]
        if isinstance(value, TextNode) and value.start == value.end:
            # `{a}` and `{a: }` are the same key without a value.
            return raw if self.source.text[key.end : key.end + 1] != ":" else f"{raw}:"
        return f"{raw}: {self._flow(value, column + len(raw) + 2)}"

    def _line(self, code: str, end: int) -> None:
        """A line, with the comment that stood behind its last letter."""
        line = Line(code.rstrip())
        stop = self._line_end(end)
        if self.comments and not self.comments[0].is_alone and self.comments[0].start <= stop:
            line.comment = self.comments.pop(0).text
        self.lines.append(line)
        self.at = max(self.at, end)

    def _lead(self, start: int, indent: str) -> None:
        """What stands before a place: comments with lines of their own, and one blank line."""
        while self.comments and self.comments[0].start < start:
            comment = self.comments.pop(0)
            self._blank(comment.start)
            self.lines.append(Line("", self._indent_of(comment, start, indent) + comment.text))
            self.at = comment.start + len(comment.text)
        self._blank(start)

    def _indent_of(self, comment: Comment, start: int, indent: str) -> str:
        """As deep as what it stands below where it is deeper than what follows."""
        if comment.column <= self._column(start) or start >= len(self.source.text):
            known = self.indents if start >= len(self.source.text) else {}
            return known.get(comment.column, indent)
        fitting = [column for column in self.indents if column <= comment.column]
        return self.indents[max(fitting)] if fitting else indent

    def _blank(self, start: int) -> None:
        between = self.source.text[self.at : start]
        if (
            self.lines
            and between.count("\n") > 1
            and (self.lines[-1].code or self.lines[-1].comment)
        ):
            self.lines.append(Line(""))

    def _dash(self, item: Node) -> int:
        """Where the `-` of an item stands."""
        found = self.source.text.rfind("-", 0, item.start + 1)
        return found if found >= self.at else item.start

    def _column(self, start: int) -> int:
        return start - (self.source.text.rfind("\n", 0, start) + 1)

    def _line_end(self, start: int) -> int:
        found = self.source.text.find("\n", start)
        return len(self.source.text) if found < 0 else found

    def _is_flow(self, node: Node) -> bool:
        return not isinstance(node, TextNode) and self.source.text[node.start : node.start + 1] in (
            "{",
            "[",
        )


def _shifted(text: str, indent: int) -> str:
    """A text over several lines, all but the first moved so that the leftmost has an indent."""
    first, *others = text.split("\n")
    rooms = [len(line) - len(line.lstrip(" ")) for line in others if line.strip()]
    # `|2` says itself how deep its text stands.
    if not rooms or any(letter.isdigit() for letter in first[:3] if first[:1] in "|>"):
        return text
    shift = indent - min(rooms)
    return "\n".join([first, *(_moved(line, shift) for line in others)])


def _moved(line: str, shift: int) -> str:
    if not line.strip():
        return ""
    room = len(line) - len(line.lstrip(" "))
    return " " * max(0, room + shift) + line.lstrip(" ")
