"""Progress: how far a long command is, on stderr; a bar for people, a line every 10 s for logs."""

import sys
from datetime import UTC, datetime
from typing import Final, Protocol

import click

LINE_EVERY_S: Final = 10.0


class Progress(Protocol):
    """Shows how many of a known number of rows are done, and the event time reached."""

    def show(self, row: int, time_ns: int, note: str, now_s: float) -> None:
        """Show the state at a time of any clock; cheap enough for every turn of a loop."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def open_progress(total: int, what: str, *, is_quiet: bool, unit: str = "rows") -> Progress:
    """Return a bar where stderr is a terminal, else plain lines, else nothing."""
    if is_quiet:
        return _Lines(total, what, unit, every_s=float("inf"))
    if sys.stderr.isatty():
        return _Bar(total, what)
    return _Lines(total, what, unit, every_s=LINE_EVERY_S)


def event_time(time_ns: int) -> str:
    """Write an instant as people read it, in UTC."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


class _Lines:
    __slots__ = ("_every_s", "_next_s", "_total", "_unit", "_what")

    def __init__(self, total: int, what: str, unit: str, *, every_s: float) -> None:
        self._total = total
        self._what = what
        self._unit = unit
        self._every_s = every_s
        self._next_s: float | None = None

    def show(self, row: int, time_ns: int, note: str, now_s: float) -> None:
        if self._next_s is None:
            self._next_s = now_s + self._every_s
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._every_s
        share = 100 * row // max(1, self._total)
        text = f"{self._what}: {row} of {self._total} {self._unit} ({share} %)"
        click.echo(f"{text}, reached {event_time(time_ns)} {note}".rstrip(), err=True)

    def close(self) -> None:
        pass


class _Bar:
    __slots__ = ("_bar", "_next_s", "_task")

    def __init__(self, total: int, what: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[reached]} {task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=total, reached="", note="")
        self._next_s = float("-inf")
        self._bar.start()

    def show(self, row: int, time_ns: int, note: str, now_s: float) -> None:
        if now_s < self._next_s:
            return
        self._next_s = now_s + 0.1
        self._bar.update(self._task, completed=row, reached=event_time(time_ns), note=note)

    def close(self) -> None:
        self._bar.stop()
