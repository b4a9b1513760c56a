"""CSV text with places: columns of cells that remember the line and column they came from.

The catalogue is written by people in spreadsheets. So a byte-order mark is accepted, another
encoding is named, and a fault points at the cell, not at the file.

A sheet is columns, not rows: a catalogue of a nation has a million sensors, and one Python
object per sensor is what this engine is built to avoid.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rules.errors import Fault, Place


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of one CSV file as columns of stripped text, all of one length."""

    path: str
    source: list[str]
    line: list[int]
    columns: dict[str, list[str]]
    headings: list[str]

    def row_count(self) -> int:
        """How many rows the sheet has below its heading."""
        return len(self.line)

    def place(self, row: int, column: str) -> Place:
        """Where the cell of one row and column stands in the file."""
        line = self.line[row]
        text = self.source[line - 1]
        return cell_place(self.path, line, text, self.headings.index(column))

    def fault(self, row: int, column: str, code: str, message: str, hint: str = "") -> Fault:
        """Return a fault that points at one cell."""
        return Fault(code, self.place(row, column), message, hint)


def read_sheet(path: Path, required: Sequence[str]) -> tuple[Sheet | None, list[Fault]]:
    """Read one CSV file, or say everything that keeps it from being read.

    Returns no sheet only when nothing can be said about its rows: the file or a required
    column is missing, the text is not UTF-8, or a quote is never closed.
    """
    name = str(path)
    text, fault = read_text(path)
    if text is None:
        assert fault is not None
        return None, [fault]
    # Not str.splitlines, which also splits at characters that the CSV reader leaves alone.
    source = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    line: list[int] = []
    try:
        for row in reader:
            rows.append(row)
            line.append(reader.line_num)
    except csv.Error as error:
        at = min(line[-1] + 1 if line else 1, len(source))
        hint = 'close the quote; a quote inside a quoted cell is written twice: ""'
        place = Place(name, at, 1, max(1, len(source[at - 1])), source[at - 1])
        return None, [Fault("E701", place, f"this is not CSV: {error}", hint)]
    if not rows:
        hint = "the first line names the columns: " + ",".join(required)
        return None, [Fault("E702", Place(name, 0, 0), "the file is empty", hint)]
    headings = [cell.strip() for cell in rows[0]]
    faults = _heading_faults(name, source, headings, required)
    if any(column not in headings for column in required) or len(set(headings)) < len(headings):
        return None, faults
    kept, kept_line, row_faults = _whole_rows(name, source, rows, line)
    cells = zip(*kept, strict=True) if kept else iter([()] * len(headings))
    columns = {
        heading: [cell.strip() for cell in column]
        for heading, column in zip(headings, cells, strict=True)
    }
    return Sheet(name, source, kept_line, columns, headings), faults + row_faults


def read_text(path: Path) -> tuple[str | None, Fault | None]:
    """Return the text of a UTF-8 file, with or without a byte-order mark, or what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        at = Place(str(path), 0, 0)
        return None, Fault("E700", at, f"cannot be read: {error.strerror or error}", "")
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        shown = before[before.rfind(b"\n") + 1 :].decode("utf-8").removeprefix("\ufeff")
        at = Place(str(path), line, len(shown) + 1, 1, shown)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        return None, Fault("E703", at, message, _encoding_hint(raw))


def _encoding_hint(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it is UTF-16: save it as UTF-8"
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        return "save it as UTF-8"
    return "it may be GB 18030: save it as UTF-8 (iconv -f gb18030 -t utf-8)"


def _heading_faults(
    name: str, source: list[str], headings: list[str], required: Sequence[str]
) -> list[Fault]:
    faults = []
    for index, heading in enumerate(headings):
        at = cell_place(name, 1, source[0], index)
        if not heading:
            faults.append(Fault("E704", at, "a column has no name", "name it or remove it"))
        elif heading in headings[:index]:
            faults.append(Fault("E704", at, f"the column `{heading}` stands here twice", ""))
    unknown = [heading for heading in headings if heading not in required]
    for column in required:
        if column in headings:
            continue
        near = get_close_matches(column, unknown, n=1)
        if near:
            at = cell_place(name, 1, source[0], headings.index(near[0]))
            message = f"the column `{column}` is missing"
            hint = f"did you mean `{column}` by `{near[0]}`?"
            faults.append(Fault("E705", at, message, hint))
        else:
            hint = "the first line needs the columns " + ",".join(required)
            message = f"the column `{column}` is missing"
            at = Place(name, 1, 1, len(source[0]), source[0])
            faults.append(Fault("E705", at, message, hint))
    return faults


def _whole_rows(
    name: str, source: list[str], rows: list[list[str]], line: list[int]
) -> tuple[list[list[str]], list[int], list[Fault]]:
    """Keep the rows that have one cell per column; empty lines are passed over."""
    kept: list[list[str]] = []
    kept_line: list[int] = []
    faults: list[Fault] = []
    width = len(rows[0])
    for index in range(1, len(rows)):
        row, at = rows[index], line[index]
        if at != line[index - 1] + 1:
            first = line[index - 1] + 1
            hint = "a quote may be missing its end; cells stay on one line"
            place = Place(name, first, 1, len(source[first - 1]), source[first - 1])
            faults.append(Fault("E706", place, "a cell contains a line break", hint))
        elif len(row) == width:
            kept.append(row)
            kept_line.append(at)
        elif any(cell.strip() for cell in row):
            message = f"this row has {len(row)} cells, but the heading names {width} columns"
            hint = "a cell that contains a comma is quoted"
            place = Place(name, at, 1, len(source[at - 1]), source[at - 1])
            faults.append(Fault("E707", place, message, hint))
    return kept, kept_line, faults


def cell_place(name: str, line: int, text: str, index: int) -> Place:
    """Where one cell of one line stands, without its blanks."""
    start, length = cell_span(text, index)
    return Place(name, line, start, length, text)


def cell_span(text: str, index: int) -> tuple[int, int]:
    """Return the column (from 1) and the length of one cell of one line, without its blanks."""
    starts = [0]
    is_quoted = False
    for position, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            starts.append(position + 1)
    starts.append(len(text) + 1)
    if index + 1 >= len(starts):
        return len(text) + 1, 1
    cell = text[starts[index] : starts[index + 1] - 1]
    blank = len(cell) - len(cell.lstrip())
    return starts[index] + blank + 1, max(1, len(cell.strip()))
