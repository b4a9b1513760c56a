"""Planning: `tocsin plan NEW`, what another set of rules would change, before it does.

Three answers, in the order in which one needs them: which rules are added, changed and removed;
which warnings that stand at this moment would be raised, upgraded, downgraded or superseded; and
which warnings of the last days would have been others.

Exit codes: 0 no warning that stands would change, 1 some would, 78 the new rules are refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import click
from rich.console import Console
from rich.text import Text

from engine.config import EngineConfig
from engine.config import load as load_config
from engine.drive import ClosedJournal, journal_at
from engine.errors import EXIT_FINDINGS, EXIT_OK, ConfigError
from engine.replaying import ALWAYS_NS, run_with_progress
from engine.rerun import NS_PER_DAY, Rerun, Sources, Span
from engine.tables import (
    SHOWN_MAX,
    console,
    difference_fields,
    difference_table,
    difference_text,
    grade_text,
    moment,
    plain_table,
    tale_fields,
)
from engine.tales import Difference, Tale, compare
from rules import book as rule_book
from rules.changes import Change, Changes, Part, changes
from rules.grade import Grade
from rules.pack import Book

SIGNS: Final = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}
ACTS: Final = {
    "raise": ("+", "green"),
    "upgrade": ("↑", "yellow"),
    "downgrade": ("↓", "yellow"),
    "end": ("-", "red"),
    "supersede": ("-", "red"),
}
# A longer text is shown by its beginning.
TEXT_MAX: Final = 60
Act = Literal["raise", "upgrade", "downgrade", "end", "supersede"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What becomes of one warning that stands now, or would stand."""

    act: Act
    before: Tale | None
    after: Tale | None

    @property
    def tale(self) -> Tale:
        """The warning, as it is after the change where it still is."""
        found = self.after or self.before
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Foresight:
    """Everything that a plan says; without a journal only the rules are compared."""

    config: EngineConfig
    rules: Changes
    turns: Sequence[Turn]
    difference: Difference | None
    run: Rerun | None
    days: float


def plan(
    new: Sequence[Path], config_path: Path, data: Path | None, *, days: float, as_json: bool
) -> int:
    """Say what a new set of rules would change."""
    config = load_config(config_path, (), data)
    before = _book(config.rules)
    found = changes(before, _book(new))
    foresight = _foresee(config, new, found, days)
    if as_json:
        click.echo(json.dumps(as_fields(foresight), ensure_ascii=False, indent=2))
    else:
        show(foresight)
    return EXIT_FINDINGS if foresight.turns else EXIT_OK


def _book(paths: Sequence[Path]) -> Book:
    """Read packs; ConfigError with every fault of any."""
    book = rule_book.load(list(paths))
    if book.errors:
        raise ConfigError(book.errors)
    return book


def _foresee(config: EngineConfig, new: Sequence[Path], found: Changes, days: float) -> Foresight:
    """Drive through the journal with both sets, where there is one and anything to find out."""
    folder = config.data / "journal"
    if not (found.rules or found.packs) or not folder.is_dir():
        return Foresight(config, found, (), None, None, days)
    journal = ClosedJournal(journal_at(config.data))
    sources = Sources(config.path, None, ())
    always = Span(-ALWAYS_NS, ALWAYS_NS)
    before = run_with_progress(sources, journal, (), always, is_quiet=False)
    after = run_with_progress(sources, journal, tuple(new), always, is_quiet=False)
    gone = {change.rule for change in found.of("removed")}
    turns = turns_of(before.tales, after.tales, gone)
    start_ns = before.last_ns - round(days * NS_PER_DAY)
    for run in (before, after):
        run.span = Span(start_ns, ALWAYS_NS)
    return Foresight(config, found, turns, compare(before.tales, after.tales), before, days)


def turns_of(before: Sequence[Tale], after: Sequence[Tale], gone: set[str]) -> list[Turn]:
    """What becomes of each warning that stands under either set at the end of the journal."""
    old = {(tale.rule, tale.subject): tale for tale in before if tale.is_open}
    new = {(tale.rule, tale.subject): tale for tale in after if tale.is_open}
    turns = []
    for key in dict.fromkeys([*old, *new]):
        was, will = old.get(key), new.get(key)
        act = _act(was, will, is_gone=key[0] in gone)
        if act is not None:
            turns.append(Turn(act, was, will))
    return sorted(turns, key=lambda turn: (-turn.tale.grade, turn.tale.rule, turn.tale.subject))


def _act(was: Tale | None, will: Tale | None, *, is_gone: bool) -> Act | None:
    if was is None:
        return "raise"
    if will is None:
        return "supersede" if is_gone else "end"
    if was.grade == will.grade:
        return None
    return "upgrade" if will.grade > was.grade else "downgrade"


def show(foresight: Foresight) -> None:
    """Tell it to a person at a terminal."""
    out = console()
    for change in (*foresight.rules.packs, *foresight.rules.rules):
        _show_change(out, change)
    counts = {kind: len(foresight.rules.of(kind)) for kind in ("added", "changed", "removed")}
    if not foresight.rules.rules and not foresight.rules.packs:
        out.print("No changes. The new rules are those that are configured.")
        return
    out.print(
        Text.assemble(
            ("Plan: ", "bold"),
            f"{counts['added']} to add, {counts['changed']} to change, "
            f"{counts['removed']} to remove.",
        )
    )
    if foresight.run is None or foresight.difference is None:
        out.print(f"There is no journal in {foresight.config.data}: nothing more is known.")
        return
    out.print()
    _show_turns(out, foresight)
    out.print()
    days = f"Over the last {foresight.days:g} days of the journal: "
    out.print(Text(days, style="bold") + difference_text(foresight.difference))
    difference = foresight.difference
    if difference.new or difference.gone or difference.changed:
        out.print(difference_table(difference, SHOWN_MAX))


def _show_change(out: Console, change: Change) -> None:
    sign, style = SIGNS[change.kind]
    out.print(Text.assemble((f"  {sign} ", f"bold {style}"), (change.rule, "bold"),
                            (f"   {change.place}", "dim")))  # fmt: skip
    tests = [part for part in change.parts if part.sort == "test"]
    for part in change.parts:
        if part.sort != "test":
            out.print(part_line(part))
    if tests:
        out.print(Text(f"      ~ tests       {len(tests)} lines of its tests"))
    if change.kind == "removed":
        out.print(Text("      its open warnings end with `superseded`, never with `cleared`"))
    elif change.kind == "changed":
        out.print(Text(f"      {consequence(change)}", style="dim"))
    out.print()


def part_line(part: Part) -> Text:
    """One key: what it was and what it becomes."""
    sign, style = SIGNS["changed"]
    if not part.before:
        sign, style = SIGNS["added"]
    elif not part.after:
        sign, style = SIGNS["removed"]
    line = Text.assemble((f"      {sign} ", style), f"{part.sort:<11} {part.path}: ")
    line.append(_cut(part.before), "red" if part.before else "")
    line.append(" → " if part.before and part.after else "")
    line.append(_cut(part.after), "green" if part.after else "")
    return line


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= TEXT_MAX else flat[: TEXT_MAX - 1] + "…"


def consequence(change: Change) -> str:
    """What a change does to warnings that stand and windows that run."""
    sorts = {part.sort for part in change.parts}
    if sorts <= {"text", "test"}:
        return "nothing is judged otherwise"
    if "mode" in sorts:
        return "who hears of it changes; its open warnings are judged anew"
    if "input" in sorts or "condition" in sorts:
        return "what it looks at may change: a new window is unknown until it has filled"
    return "windows go on; standing warnings are judged once by the new numbers"


def _show_turns(out: Console, foresight: Foresight) -> None:
    assert foresight.run is not None
    heading = f"Warnings at the end of the journal, {moment(foresight.run.last_ns)} UTC: "
    if not foresight.turns:
        out.print(Text(heading, style="bold") + Text("none would change"))
        return
    out.print(Text(heading, style="bold") + Text(f"{len(foresight.turns)} would change"))
    table = plain_table("", "what", "now", "then", "rule", "sensor", "since (UTC)")
    for turn in foresight.turns[:SHOWN_MAX]:
        sign, style = ACTS[turn.act]
        table.add_row(
            Text(f"  {sign}", style=f"bold {style}"),
            turn.act,
            *(grade_text(tale.grade if tale else Grade.NONE) for tale in (turn.before, turn.after)),
            turn.tale.rule,
            turn.tale.subject,
            moment(turn.tale.raised_ns),
        )
    out.print(table)
    if len(foresight.turns) > SHOWN_MAX:
        out.print(Text(f"… {len(foresight.turns) - SHOWN_MAX} milder ones; all with --json", "dim"))


def as_fields(foresight: Foresight) -> dict[str, object]:
    """Everything for programs."""
    return {
        "rules": [_change_fields(change) for change in foresight.rules.rules],
        "packs": [_change_fields(change) for change in foresight.rules.packs],
        "now": [
            {
                "act": turn.act,
                "before": tale_fields(turn.before) if turn.before else None,
                "after": tale_fields(turn.after) if turn.after else None,
            }
            for turn in foresight.turns
        ],
        "days": foresight.days,
        "difference": None
        if foresight.difference is None
        else difference_fields(foresight.difference),
    }


def _change_fields(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind,
        "rule": change.rule,
        "place": str(change.place),
        "parts": [
            {"sort": part.sort, "key": part.path, "before": part.before, "after": part.after}
            for part in change.parts
        ],
    }
