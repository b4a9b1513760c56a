"""Feeds out of files: columns of a CSV file beside a pack become the readings of a test.

    time,level,rain.R1
    2021-07-20T08:00:00+08:00,93.4,0.5
    2021-07-20T08:05:00+08:00,93.6,

The first column is `time`: ISO 8601, or seconds. The test begins with the first row. An empty cell
is no reading. The file is read when the test is run, never by an engine that only obeys the pack.
"""

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from rules.errors import Faults, Place, did_you_mean
from rules.scenario import READINGS_MAX, CsvFeed, Feed, Scenario
from rules.units import NS_PER_S

TIME = "time"


def feeds_of(scenario: Scenario, faults: Faults) -> dict[str, Feed]:
    """All feeds of a test, those in files included; what is wrong with a file is a fault."""
    feeds = dict(scenario.feeds)
    for name, wanted in scenario.csv.items():
        table = _Table.read(wanted, faults)
        if table is None:
            continue
        columns = [wanted.column] if wanted.column else table.columns[1:]
        for column in columns:
            feed = table.feed(column, wanted, faults)
            if feed is not None:
                feeds[name or column] = feed
    return feeds


class _Table:
    """The rows of a file, as text."""

    def __init__(self, path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.path, self.columns, self.rows = path, columns, rows

    @classmethod
    def read(cls, wanted: CsvFeed, faults: Faults) -> "_Table | None":
        """Read a file; None after a fault."""
        path = wanted.path
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = []
                for row in csv.reader(stream):
                    rows.append(row)
                    if len(rows) > READINGS_MAX:
                        message = f"`{path.name}` has more than {READINGS_MAX} rows"
                        faults.add("E501", wanted.place, message, remedy="make it shorter")
                        return None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            message = f"`{path.name}` cannot be read: {getattr(error, 'strerror', None) or error}"
            faults.add("E501", wanted.place, message)
            return None
        rows = [row for row in rows if row]
        if len(rows) < 2 or rows[0][0].strip() != TIME:
            message = f"the first line of `{path.name}` does not begin with `time`, or is all"
            faults.add("E501", wanted.place, message, remedy="write `time,value` above the rows")
            return None
        return cls(path, [name.strip() for name in rows[0]], rows[1:])

    def feed(self, column: str, wanted: CsvFeed, faults: Faults) -> Feed | None:
        """The readings of one column, in the order of their times; None after a fault."""
        if column not in self.columns:
            message = f"`{self.path.name}` has no column `{column}`"
            remedy = did_you_mean(column, self.columns[1:])
            faults.add("E501", wanted.place, message, remedy=remedy)
            return None
        at = self.columns.index(column)
        readings: list[tuple[int, float]] = []
        start_ns = last_ns = 0
        for number, row in enumerate(self.rows):
            where = Place(str(self.path), number + 2, 1, 1, ",".join(row))
            time_ns = _time_ns(row[0])
            if time_ns is None:
                message = f"`{row[0]}` is no time"
                faults.add("E501", where, message, remedy="write ISO 8601, or seconds")
                return None
            start_ns = time_ns if number == 0 else start_ns
            last_ns = max(last_ns, time_ns - start_ns)
            cell = row[at].strip() if at < len(row) else ""
            value = _number(cell)
            if cell and value is None:
                faults.add("E501", where, f"`{cell}` in `{column}` is no number")
                return None
            if value is not None:
                readings.append((time_ns - start_ns, value))
        readings.sort()
        period_ns = wanted.period_ns or _usual_step_ns([time_ns for time_ns, _ in readings])
        count = len(readings)
        return Feed(
            tuple(time_ns for time_ns, _ in readings),
            tuple(value for _, value in readings),
            (0,) * count,
            (0,) * count,
            period_ns,
            last_ns + period_ns,
        )


def _time_ns(text: str) -> int | None:
    """ISO 8601 (UTC where it has no zone) or seconds, in nanoseconds; None for anything else."""
    seconds = _number(text.strip())
    if seconds is not None:
        return round(seconds * NS_PER_S)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * NS_PER_S + moment.microsecond * 1000


def _number(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _usual_step_ns(times_ns: Sequence[int]) -> int:
    """The middle of the steps between readings: how often the sensor reports."""
    steps = sorted(b - a for a, b in pairwise(times_ns) if b > a)
    return steps[len(steps) // 2] if steps else NS_PER_S
