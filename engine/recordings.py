"""Recordings: CSV, ARFF and NPZ files as columns that a gateway can send.

A cell that is empty, `?`, NaN, not a number, or the value that the file uses for a missing
reading becomes NaN with quality 4 (missing): it is sent, so that the engine knows of it. Only a
row without a usable time cannot be sent; it is counted and named.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.csv_text import read_text
from engine.errors import UsageError
from rules.errors import did_you_mean

NS_PER_US: Final = 1000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Epoch times from 1973 to 5138: seconds have up to 11 digits, ms 14, us 17, ns 20.
EPOCH_UNITS: Final = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1000), (float("inf"), 1))
EPOCH_TEXT = re.compile(r"[0-9]{9,20}(\.[0-9]+)?")
ARFF_NUMERIC: Final = ("real", "numeric", "integer")


@dataclass(frozen=True, slots=True)
class Recording:
    """One file as columns: `text` of tables, `number` of arrays; all have `row_count` rows."""

    path: Path
    row_count: int
    names: list[str]
    text: dict[str, list[str]]
    number: dict[str, NDArray[np.float64] | NDArray[np.float32]]
    first_line: int

    def values(
        self, name: str, missing: Sequence[float]
    ) -> tuple[NDArray[np.float64] | NDArray[np.float32], int]:
        """Return one column as numbers, NaN where there is none, and the count of odd cells.

        An odd cell is text that is no number and no known way to say that nothing was measured.
        """
        self.require(name)
        odd_count = 0
        column = self.number.get(name)
        if column is None:
            column, odd_count = _parse(self.text[name])
        elif missing:
            column = column.copy()
        for marker in missing:
            column[column == marker] = np.nan
        return column, odd_count

    def times_ns(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], str]:
        """Return the times of a column, which rows have one, and the first text that is none."""
        self.require(name)
        time_ns = np.zeros(self.row_count, np.int64)
        is_time = np.zeros(self.row_count, np.bool_)
        first_bad = ""
        cells = self.text.get(name)
        if cells is None:
            # Plain digits: `repr` writes 1.4e+18, which no longer looks like an epoch time.
            cells = [np.format_float_positional(value, trim="-") for value in self.number[name]]
        for row, cell in enumerate(cells):
            parsed = parse_time_ns(cell)
            if parsed is not None:
                time_ns[row] = parsed
                is_time[row] = True
            elif not first_bad:
                first_bad = f"{self.path}:{self.first_line + row}: `{cell}` is not a time"
        return time_ns, is_time, first_bad

    def require(self, name: str) -> None:
        """Refuse a column that the file does not have, with a hint."""
        if name not in self.names:
            message = f"{self.path} has no column `{name}`; {did_you_mean(name, self.names)}"
            raise UsageError(message)


def read_recording(path: Path) -> Recording:
    """Read a file by its suffix: .csv, .arff or .npz."""
    readers = {".csv": _read_csv, ".arff": _read_arff, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        message = f"{path}: a recording is a .csv, .arff or .npz file"
        raise UsageError(message)
    recording = reader(path)
    if recording.row_count == 0:
        message = f"{path} has no rows"
        raise UsageError(message)
    return recording


def parse_time_ns(text: str) -> int | None:
    """Return the nanoseconds of an ISO 8601 or epoch time; UTC when it names no zone."""
    if EPOCH_TEXT.fullmatch(text):
        whole, _, fraction = text.partition(".")
        factor = next(factor for bound, factor in EPOCH_UNITS if int(whole) < bound)
        digits = len(str(factor)) - 1
        return int(whole) * factor + int((fraction + "0" * digits)[:digits] or "0")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) * NS_PER_US


def _parse(cells: list[str]) -> tuple[NDArray[np.float64], int]:
    value = np.full(len(cells), np.nan)
    odd_count = 0
    for row, cell in enumerate(cells):
        try:
            value[row] = float(cell)
        except ValueError:
            odd_count += cell not in ("", "?", "-", "NA", "null", "None")
    return value, odd_count


def _read_csv(path: Path) -> Recording:
    text = _text(path)
    heading = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        message = f"{path}: this is not CSV: {error}"
        raise UsageError(message) from None
    names = [name.strip() for name in rows[0]] if rows else []
    return _table(path, names, rows[1:], first_line=2)


def _read_arff(path: Path) -> Recording:
    names: list[str] = []
    lines = _text(path).splitlines()
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped.lower().startswith("@data"):
            data = [entry if not entry.startswith("%") else "" for entry in lines[number:]]
            if any(entry.lstrip().startswith("{") for entry in data):
                message = f"{path}: sparse ARFF data is not read here"
                raise UsageError(message)
            rows = list(csv.reader(data, quotechar="'", skipinitialspace=True))
            return _table(path, names, rows, first_line=number + 1)
        found = re.match(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.+)", stripped, re.IGNORECASE)
        if found:
            names.append(found[1].strip("'\""))
    message = f"{path}: this ARFF file has no @DATA"
    raise UsageError(message)


def _table(path: Path, names: list[str], rows: list[list[str]], *, first_line: int) -> Recording:
    """Return the rows as columns; a short row is filled with empty cells, a long one refused."""
    doubled = {name for name in names if names.count(name) > 1 and name}
    if doubled:
        message = f"{path}: the column `{min(doubled)}` stands twice"
        raise UsageError(message)
    while rows and not rows[-1]:
        rows.pop()
    for number, row in enumerate(rows, first_line):
        if len(row) > len(names):
            message = f"{path}:{number}: {len(row)} cells, but there are {len(names)} columns"
            raise UsageError(message)
        row.extend([""] * (len(names) - len(row)))
    columns = zip(*rows, strict=True) if rows else iter([()] * len(names))
    text = {
        name: [cell.strip() for cell in column]
        for name, column in zip(names, columns, strict=True)
        if name
    }
    return Recording(path, len(rows), list(text), text, {}, first_line)


def _read_npz(path: Path) -> Recording:
    """Read arrays: a vector is a column, a matrix `data` is the columns data.0, data.1, …

    The first array with two axes, or else the longest vector, says how many rows there are;
    arrays of another length, such as picks, are no columns.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {
                name: archive[name]
                for name in archive.files
                if archive[name].dtype.kind in "fiu" and archive[name].ndim in (1, 2)
            }
    except (ValueError, OSError, EOFError) as error:
        message = f"{path}: not an archive of plain arrays: {error}"
        raise UsageError(message) from None
    matrices = [array for array in arrays.values() if array.ndim == 2]
    row_count = len(matrices[0]) if matrices else max(map(len, arrays.values()), default=0)
    number: dict[str, NDArray[np.float64] | NDArray[np.float32]] = {}
    for name, array in arrays.items():
        if len(array) != row_count:
            continue
        wide = array if array.dtype == np.float32 else array.astype(np.float64)
        if array.ndim == 1:
            number[name] = wide
        else:
            number |= {f"{name}.{index}": wide[:, index].copy() for index in range(wide.shape[1])}
    return Recording(path, row_count, list(number), {}, number, 1)


def _text(path: Path) -> str:
    text, fault = read_text(path)
    if text is None:
        assert fault is not None
        raise UsageError(str(fault))
    return text
