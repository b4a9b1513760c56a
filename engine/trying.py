"""Trying: `tocsin test`, the tests that packs carry, and what they leave untested.

Beside the tests that an author wrote it can make more of them: readings just below, at and just
above every threshold of a ladder, a gap in the middle of every warning, and rules with one
comparison or threshold changed, which some test should notice.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from engine.coverage import Hole, holes_of
from engine.errors import EXIT_FINDINGS, EXIT_OK, ConfigError
from engine.generated import boundary_failures, gap_failures
from engine.mutation import Mutant, mutants_of, survives
from engine.tables import console
from engine.trial import Failure, Trial
from rules import book as rule_book
from rules.errors import as_texts
from rules.pack import Book, Pack, Rule
from rules.scenario import Scenario

EXIT_WARNINGS = 3


@dataclass(frozen=True, slots=True)
class TryOptions:
    """What is tried beside the tests themselves.

    match       only tests whose `pack/rule: name` contains it
    mutate_s    how long to look for mutants that survive, in all
    """

    match: str
    is_generating: bool
    is_mutating: bool
    mutate_s: float
    is_covering: bool
    is_quiet: bool


@dataclass(slots=True)
class Tally:
    """What came of a run."""

    passed: int = 0
    failed: int = 0
    generated: int = 0
    mutants: int = 0
    survivors: int = 0
    holes: int = 0


def test(paths: Sequence[Path], options: TryOptions) -> int:
    """Run tests; 0 when all hold, 1 when one does not, 3 when only gaps or survivors are found."""
    book = rule_book.load(list(paths))
    if book.errors:
        raise ConfigError(book.errors)
    warnings = [fault for fault in book.faults if fault.kind == "warning"]
    if warnings:
        click.echo(as_texts(warnings), err=True)
    out = console()
    tally = Tally()
    began_s = time.perf_counter()
    failing: set[str] = set()
    trials: dict[str, list[Trial]] = {}
    for trial in _trials(book, options.match):
        trials.setdefault(_name(trial.pack, trial.rule), []).append(trial)
        if _run(trial, out, tally, options):
            failing.add(_name(trial.pack, trial.rule))
    for pack in book.packs:
        for rule in pack.rules:
            if options.match in _name(pack, rule):
                _beyond(rule, trials.get(_name(pack, rule), []), out, tally, options)
    if options.is_mutating:
        _mutate(book, out, tally, options, failing)
    out.print(_sum(tally, time.perf_counter() - began_s))
    if tally.failed:
        return EXIT_FINDINGS
    return EXIT_WARNINGS if tally.survivors and options.is_mutating else EXIT_OK


def _trials(book: Book, match: str) -> Iterator[Trial]:
    for pack in book.packs:
        found: list[tuple[Rule | None, Scenario]] = [
            (rule, scenario) for rule in pack.rules for scenario in rule.tests
        ]
        found += [(None, scenario) for scenario in pack.tests]
        for rule, scenario in found:
            if match in f"{_name(pack, rule)}: {scenario.name}":
                yield Trial(pack, rule, scenario)


def _name(pack: Pack, rule: Rule | None) -> str:
    return f"{pack.name}/{rule.id}" if rule else pack.name


def _run(trial: Trial, out: Console, tally: Tally, options: TryOptions) -> bool:
    """Run one test, and the same with a gap in it; whether it failed."""
    failures = trial.failures()
    name = f"{_name(trial.pack, trial.rule)}: {trial.scenario.name}"
    _tell(out, name, failures, tally, is_quiet=options.is_quiet)
    if options.is_generating and not failures:
        torn = gap_failures(trial)
        tally.generated += torn is not None
        if torn:
            _tell(out, f"{name} [with a gap]", torn, tally, is_quiet=True)
    return bool(failures)


def _tell(
    out: Console, name: str, failures: Sequence[Failure], tally: Tally, *, is_quiet: bool
) -> None:
    """One line for a test, and one for each thing that did not hold."""
    tally.failed += bool(failures)
    tally.passed += not failures
    if is_quiet and not failures:
        return
    mark = Text("FAIL", "bold red") if failures else Text("  ok", "green")
    out.print(Text.assemble(mark, f"  {name}"))
    for failure in failures:
        out.print(Text(f"      {failure.place}: {failure.text}"))


def _beyond(
    rule: Rule, trials: Sequence[Trial], out: Console, tally: Tally, options: TryOptions
) -> None:
    """Thresholds tried from both sides, and grades that no test fires or keeps silent."""
    if options.is_generating and trials:
        count, failures = boundary_failures(trials[0].pack, rule)
        tally.generated += count
        if failures:
            name = f"{rule.pack}/{rule.id} [boundaries]"
            _tell(out, name, failures, tally, is_quiet=False)
    if options.is_covering and rule.mode == "live":
        for hole in holes_of(rule, trials):
            tally.holes += 1
            out.print(Text.assemble(("hole", "bold yellow"), f"  {_hole_text(hole)}"))


def _hole_text(hole: Hole) -> str:
    what = "fires" if hole.is_firing else "keeps silent"
    return f"{hole.place}: no test {what} {hole.grade.word} of `{hole.rule}`"


def _mutate(book: Book, out: Console, tally: Tally, options: TryOptions, failing: set[str]) -> None:
    """Change one thing at a time; name what no test notices."""
    until_s = time.perf_counter() + options.mutate_s
    waiting = [
        (pack, mutant)
        for pack in book.packs
        for rule in pack.rules
        if options.match in _name(pack, rule) and rule.tests and _name(pack, rule) not in failing
        for mutant in mutants_of(rule)
    ]
    for pack, mutant in waiting:
        if time.perf_counter() > until_s:
            break
        tally.mutants += 1
        if survives(pack, mutant):
            tally.survivors += 1
            out.print(Text.assemble(("kept", "bold yellow"), f"  {_survivor_text(pack, mutant)}"))
    left = len(waiting) - tally.mutants
    if left:
        out.print(
            Text(f"{left} of {len(waiting)} changes were not tried: --mutate-for 10min", "dim")
        )


def _survivor_text(pack: Pack, mutant: Mutant) -> str:
    return (
        f"{mutant.place}: no test of `{_name(pack, mutant.rule)}` notices `{mutant.after}` "
        f"instead of `{mutant.before}`"
    )


def _sum(tally: Tally, took_s: float) -> Text:
    line = Text(f"{tally.passed} passed", "green" if tally.passed else "")
    line.append(f", {tally.failed} failed", "bold red" if tally.failed else "")
    if tally.generated:
        line.append(f", {tally.generated} more were generated", "")
    if tally.mutants:
        noticed = tally.mutants - tally.survivors
        line.append(f", {noticed} of {tally.mutants} changes noticed", "")
    if tally.holes:
        line.append(f", {tally.holes} hole{'s' if tally.holes > 1 else ''} in the tests", "yellow")
    line.append(f" ({took_s:.1f} s)", "dim")
    return line
