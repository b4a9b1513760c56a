"""Calendars: the season, the hour and named calendars, in the local time of the asset.

Local time is that of the site's attribute `timezone`, a name such as `Asia/Urumqi` or an offset
such as `+08:00`; without one it is the engine's, `time_zone` of engine.yaml.

`hour()` is the whole hour, 0 to 23.  `season()` is `spring` from March on, `summer` from June,
`autumn` from September, `winter` from December; south of the equator half a year later.
`in_calendar("flood-season")` looks at the attribute of that name, of the sensor or else of its
site: spans of days joined by `;`, each `05-15..09-30` with both ends in it; a span may run over
the end of the year.  Without the attribute it is unknown.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from rules import expression as ex

NS_PER_S = 1_000_000_000
ZONE_DEFAULT = "+08:00"
SEASONS = ("winter", "spring", "summer", "autumn")
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
SPAN = re.compile(r"(\d\d)-(\d\d)\s*\.\.\s*(\d\d)-(\d\d)")
# Each month's days in a leap year: 02-29 is a day that a calendar may name.
DAYS_MAX = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Month and day of the first and the last day of a span.
Spans = tuple[tuple[tuple[int, int], tuple[int, int]], ...]


class CalendarError(Exception):
    """A text that is no time zone, or no calendar; says what is expected."""


def read_zone(text: str) -> tzinfo:
    """The time zone of a text; CalendarError where there is none of that name."""
    offset = OFFSET.fullmatch(text.strip())
    if offset:
        away = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if away >= timedelta(hours=24) or int(offset[3]) > 59:
            message = f"`{text}` is no offset from UTC: write one such as +08:00"
            raise CalendarError(message)
        return timezone(-away if offset[1] == "-" else away)
    try:
        return ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"`{text}` is no time zone: write an offset such as +08:00, or Asia/Shanghai"
        raise CalendarError(message) from error


def read_spans(text: str) -> Spans:
    """The spans of days of a calendar; CalendarError where the text is none."""
    spans = []
    for part in text.split(";"):
        found = SPAN.fullmatch(part.strip())
        if not found:
            message = f"`{part.strip()}` is no span of days: write one such as 05-15..09-30"
            raise CalendarError(message)
        first_month, first_day, last_month, last_day = (int(number) for number in found.groups())
        for month, day in ((first_month, first_day), (last_month, last_day)):
            if not 1 <= month <= 12 or not 1 <= day <= DAYS_MAX[month - 1]:
                message = f"`{part.strip()}`: there is no day {month:02d}-{day:02d}"
                raise CalendarError(message)
        spans.append(((first_month, first_day), (last_month, last_day)))
    return tuple(spans)


class Calendars:
    """What the calendars say of the rows of one bank at an instant.

    zone   of each row, as its site's attribute says
    south  bool[s]  the site lies south of the equator
    named  the text of the attribute that holds a calendar, of each row
    usual  the zone where a site has none
    """

    __slots__ = ("named", "south", "spans", "zone_of", "zones")

    def __init__(
        self,
        zone: Sequence[str | None],
        south: NDArray[np.bool_],
        named: Callable[[str], Sequence[str | None]],
        *,
        usual: str,
    ) -> None:
        texts = [text if text and text.strip() else usual for text in zone]
        names = list(dict.fromkeys(texts))
        # `tocsin check` refuses a zone that is none with its cell; here it is the usual one.
        self.zones = [_zone_or(name, usual) for name in names]
        self.zone_of = np.array([names.index(text) for text in texts], dtype=np.intp)
        self.south = south
        self.named = named
        self.spans: dict[str, tuple[list[Spans | None], NDArray[np.intp]]] = {}

    def column(self, node: ex.Calendar, end_ns: int, rows: NDArray[np.intp]) -> NDArray[np.generic]:
        """Of each row: a text for `season`, a number for `hour`; 1, 0 or NaN for a calendar."""
        instant = datetime.fromtimestamp(end_ns // NS_PER_S, tz=UTC)
        local = [instant.astimezone(zone) for zone in self.zones]
        zone_of = self.zone_of[rows]
        if node.name == "hour":
            return np.array([float(time.hour) for time in local])[zone_of]
        if node.name == "season":
            month = np.array([time.month for time in local])[zone_of] + 6 * self.south[rows]
            texts: NDArray[np.object_] = np.array(SEASONS, dtype=object)[month % 12 // 3]
            return texts
        kinds, kind_of = self._spans_of(node.calendar)
        days = [(time.month, time.day) for time in local]
        table = np.array([[_holds(spans, day) for day in days] for spans in kinds])
        found: NDArray[np.float64] = table[kind_of[rows], zone_of]
        return found

    def _spans_of(self, calendar: str) -> tuple[list[Spans | None], NDArray[np.intp]]:
        if calendar not in self.spans:
            texts = list(self.named(calendar))
            kinds = list(dict.fromkeys(texts))
            of_row = np.array([kinds.index(text) for text in texts], dtype=np.intp)
            self.spans[calendar] = [_spans_or_none(text) for text in kinds], of_row
        return self.spans[calendar]


def _zone_or(text: str, usual: str) -> tzinfo:
    try:
        return read_zone(text)
    except CalendarError:
        return read_zone(usual)


def _spans_or_none(text: str | None) -> Spans | None:
    """None where it is unknown: no attribute, or one that `tocsin check` refuses."""
    if text is None or not text.strip():
        return None
    try:
        return read_spans(text)
    except CalendarError:
        return None


def _holds(spans: Spans | None, day: tuple[int, int]) -> float:
    if spans is None:
        return float("nan")
    for first, last in spans:
        is_in = first <= day <= last if first <= last else day >= first or day <= last
        if is_in:
            return 1.0
    return 0.0
