"""Tables: what the tools of rule authors show at a terminal, and the words they share.

A grade is told by its word and its letter as well as by its colour.  Where stdout is no terminal,
lines are as long as they must be, and nothing is coloured.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.lines import GRADES
from engine.tales import Difference, Pair, Tale
from rules.grade import Grade

NS_PER_S: Final = 1_000_000_000
# Wider than any line of ours: what is written to a file is cut by nobody.
FILE_WIDTH: Final = 200
SHOWN_MAX: Final = 20


def console() -> Console:
    """The terminal, or a file with long lines."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH, highlight=False)


def moment(time_ns: int) -> str:
    """An instant in UTC, to the second, or finer where it is."""
    whole, rest = divmod(time_ns, NS_PER_S)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{rest // 1_000_000:03d}" if rest else text


def span_text(span_ns: int) -> str:
    """A duration as people say it, two units at most: 3 d 4 h, 25 s, 0.2 s."""
    if span_ns < 0:
        return "-" + span_text(-span_ns)
    seconds = span_ns / NS_PER_S
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for size, unit, small, small_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            count, rest = divmod(whole, size)
            tail = f" {rest // small} {small_unit}" if rest // small else ""
            return f"{count} {unit}{tail}"
    raise AssertionError(whole)


def count_text(count: float) -> str:
    """A large number in words."""
    for size, word in ((1e9, "thousand million"), (1e6, "million")):
        if count >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:,.0f}".replace(",", " ")


def grade_text(grade: Grade) -> Text:
    """A grade with its letter and colour."""
    letter, style = GRADES[grade.word]
    return Text(f" {letter} {grade.word} ", style=style)


def plain_table(*heads: str, right: Sequence[str] = ()) -> Table:
    """A table without lines; the columns named in `right` hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        is_number = head in right
        table.add_column(head, justify="right" if is_number else "left", no_wrap=is_number)
    return table


def tale_row(tale: Tale) -> tuple[Text | str, ...]:
    """One warning: when, how grave, what, how it went."""
    return (moment(tale.raised_ns), grade_text(tale.peak), tale.rule, tale.subject, went(tale))


def went(tale: Tale) -> str:
    """How a warning went: its grades in order, how it ended and when."""
    grades = [step.grade.word for step in tale.changes if step.grade != Grade.NONE]
    said = " → ".join(grades)
    if tale.went_blind:
        said += ", blind for a while"
    if tale.is_open:
        return f"{said}, still open"
    return f"{said}, {tale.end_event} after {span_text(tale.ended_ns - tale.raised_ns)}"


def tales_table(tales: Sequence[Tale], shown_max: int) -> Table:
    """Warnings in order of time; of too many the gravest."""
    chosen = sorted(tales, key=lambda tale: (-tale.peak, tale.raised_ns))[:shown_max]
    table = plain_table("raised (UTC)", "peak", "rule", "sensor", "how it went")
    for tale in sorted(chosen, key=lambda tale: tale.raised_ns):
        table.add_row(*tale_row(tale))
    return table


def difference_table(difference: Difference, shown_max: int) -> Table:
    """What another telling of the same past says more, less, or otherwise."""
    rows: list[tuple[int, str, str, Tale, str]] = []
    rows += [(t.raised_ns, "+", "green", t, went(t)) for t in difference.new]
    rows += [(t.raised_ns, "-", "red", t, went(t)) for t in difference.gone]
    rows += [(p.after.raised_ns, "~", "yellow", p.after, pair_text(p)) for p in difference.changed]
    table = plain_table("", "raised (UTC)", "peak", "rule", "sensor", "what is different")
    for _, sign, style, tale, said in sorted(rows, key=lambda row: row[0])[:shown_max]:
        table.add_row(Text(sign, style=f"bold {style}"), *tale_row(tale)[:-1], said)
    return table


def pair_text(pair: Pair) -> str:
    """How the second telling of a warning differs from the first."""
    said = []
    if pair.rise:
        said.append(f"{pair.before.peak.word} → {pair.after.peak.word}")
    if pair.earlier_ns:
        how = "earlier" if pair.earlier_ns > 0 else "later"
        said.append(f"raised {span_text(abs(pair.earlier_ns))} {how}")
    if pair.before.ended_ns != pair.after.ended_ns:
        said.append(_end_text(pair))
    return ", ".join(said) or "other grades in between: " + went(pair.after)


def _end_text(pair: Pair) -> str:
    if pair.after.is_open:
        return "does not end"
    if pair.before.is_open:
        return f"now ends ({pair.after.end_event})"
    moved_ns = pair.after.ended_ns - pair.before.ended_ns
    return f"ends {span_text(abs(moved_ns))} {'later' if moved_ns > 0 else 'earlier'}"


def difference_text(difference: Difference) -> Text:
    """The sum of a difference in one line."""
    same = len(difference.both) - len(difference.changed)
    parts = (
        (f"{len(difference.new)} new", "green"),
        (f"{len(difference.changed)} changed", "yellow"),
        (f"{len(difference.gone)} gone", "red"),
        (f"{same} the same", ""),
    )
    return Text(", ").join(Text(text, style=style) for text, style in parts)


def tale_fields(tale: Tale) -> dict[str, object]:
    """One warning for programs; times are epoch nanoseconds, null where it has not ended."""
    return {
        "id": tale.id,
        "rule": tale.rule,
        "subject": tale.subject,
        "site": tale.site,
        "hazard": tale.hazard,
        "peak": tale.peak.word,
        "raised": tale.raised_ns,
        "ended": None if tale.is_open else tale.ended_ns,
        "steps": [
            {"time": step.event_ns, "event": step.event, "grade": step.grade.word}
            for step in tale.steps
        ],
    }


def difference_fields(difference: Difference) -> dict[str, object]:
    """A difference for programs."""
    pairs: list[Mapping[str, object]] = [
        {"before": tale_fields(pair.before), "after": tale_fields(pair.after)}
        for pair in difference.changed
    ]
    return {
        "new": [tale_fields(tale) for tale in difference.new],
        "gone": [tale_fields(tale) for tale in difference.gone],
        "changed": pairs,
        "same": len(difference.both) - len(pairs),
    }
