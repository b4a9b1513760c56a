"""Lines: one message as one line, a row with colours for people or JSON for programs.

A grade is told by colour and by letter, for not everybody sees colours and not every terminal
has them. Times are in the zone of the reader. What a stranger's engine may leave out is shown
as a dash, not taken for a fault.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.cells import set_cell_size
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

# Letter and style; the letters differ, so that a monochrome print-out is enough.
GRADES: Final = {
    "red": ("R", "bold white on red"),
    "orange": ("O", "black on dark_orange"),
    "yellow": ("Y", "black on yellow"),
    "blue": ("B", "bold white on blue"),
    "none": ("-", "dim"),
}
COLUMNS: Final = (
    *(("seq", 7), ("event time", 24), ("grade", 9), ("event", 12), ("site", 12)),
    *(("subject", 12), ("rule", 20), ("value", 16), ("margin", 8), ("headline", 30)),
)
# Warnings, those off the board, and those of rules on trial; everything else is of the engine.
WARNINGS: Final = ("warning/", "muted/", "shadow/")
NUMBERS: Final = frozenset({"seq", "value", "margin"})
NS_PER_S: Final = 1_000_000_000


def header() -> Text:
    """The names of the columns."""
    return Text(_joined([name for name, _ in COLUMNS]), style="bold")


def row(topic: str, body: Mapping[str, object], *, zone: tzinfo | None, language: str) -> Text:
    """One message for people; a system message tells its text instead of a value.

    What is off the board, or of a rule on trial, is told without its colour, and says why.
    """
    if not topic.startswith(WARNINGS):
        shown = [_shown(body.get("seq")), when(body.get("decided_time"), zone), " system "]
        rest = f"{topic}: {_text(body, 'text')}"
        plain = "".join(letter if letter.isprintable() else " " for letter in rest)
        return Text(f"{_joined(shown)} {plain}", style="magenta")
    grade = _text(body, "grade")
    letter, style = GRADES.get(grade, ("?", "reverse"))
    cells = [
        _shown(body.get("seq")),
        when(body.get("event_time"), zone),
        f" {letter} {grade} ",
        _text(body, "event"),
        _text(body, "site"),
        _text(body, "subject"),
        _text(body, "rule"),
        f"{_shown(body.get('value'))} {_text(body, 'unit')}".rstrip(),
        _margin(body, grade),
        _remark(body) + _in(body.get("headline"), language),
    ]
    if not topic.startswith("warning/"):
        return Text(_joined(cells), style="dim")
    line = Text(_joined(cells))
    start = sum(width + 1 for _, width in COLUMNS[:2])
    line.stylize(style, start, start + COLUMNS[2][1])
    return line


def json_line(topic: str, body: Mapping[str, object]) -> str:
    """One message for programs: the body with its topic; what JSON lacks is null or hex."""
    return json.dumps(_plain({"topic": topic, **body}), ensure_ascii=False, allow_nan=False)


def when(time_ns: object, zone: tzinfo | None) -> str:
    """An instant in the reader's zone, to the second, with the zone: it is read by telephone."""
    if not isinstance(time_ns, int):
        return "-"
    try:
        instant = datetime.fromtimestamp(time_ns // NS_PER_S, UTC).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return str(time_ns)
    return instant.strftime("%Y-%m-%d %H:%M:%S%z")


def _joined(cells: Sequence[str]) -> str:
    """Cells padded or cut to their columns; a Chinese character takes two places."""
    parts = []
    for text, (name, width) in zip(cells, COLUMNS, strict=False):
        # A line break or an escape in a stranger's text must not reach the terminal.
        cell = "".join(letter if letter.isprintable() else " " for letter in text)
        parts.append(cell.rjust(width) if name in NUMBERS else set_cell_size(cell, width))
    return " ".join(parts).rstrip() if len(cells) == len(COLUMNS) else " ".join(parts)


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else "-"


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _margin(body: Mapping[str, object], grade: str) -> str:
    """How far beyond the threshold of its grade; below all grades, how far from the first."""
    margins = body.get("margins")
    if not isinstance(margins, Mapping) or not margins:
        return "-"
    nearest = next((name for name in (grade, *reversed(GRADES)) if name in margins), None)
    margin = margins.get(nearest)
    return f"{margin:+.4g}" if isinstance(margin, int | float) else "-"


def _remark(body: Mapping[str, object]) -> str:
    """Why nobody is to act on it: `(shelved) `, `(shadow) `; empty where somebody is."""
    why = body.get("suppressed") or body.get("mode")
    return f"({why}) " if isinstance(why, str) else ""


def _in(texts: object, language: str) -> str:
    """A text in the wanted language, or in the one there is."""
    if not isinstance(texts, Mapping):
        return "-"
    found = texts.get(language) or next(iter(texts.values()), "-")
    return found if isinstance(found, str) else "-"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
