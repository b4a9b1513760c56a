"""Replaying: `tocsin replay`, a journal driven through the engine of today, and what it tells.

The readings, ticks and order are those of the day; catalogue and rules are those that are given.
Which warnings, how soon before what really happened, how many of them for nothing, and what is
different from other rules.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from engine.drive import ClosedJournal, journal_at
from engine.errors import EXIT_OK, UsageError
from engine.progress import open_progress
from engine.recordings import parse_time_ns
from engine.rerun import MIB, Rerun, Sources, Span, rerun
from engine.tables import (
    SHOWN_MAX,
    console,
    count_text,
    difference_fields,
    difference_table,
    difference_text,
    moment,
    plain_table,
    span_text,
    tale_fields,
    tales_table,
)
from engine.tales import Difference, Tale, compare
from engine.truths import Lead, Truth, lead_of, read_truths, unfounded
from rules.grade import COLOURS, Grade
from rules.pack import Rule

ALWAYS_NS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What `tocsin replay` is asked beside the journal."""

    config: Path | None
    catalogue: Path | None
    rules: tuple[Path, ...]
    against: tuple[Path, ...]
    start: str | None
    end: str | None
    truth: Path | None
    before_ns: int
    is_full: bool
    is_quiet: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that a replay found out."""

    journal: ClosedJournal
    run: Rerun
    truths: Sequence[Truth]
    leads: Sequence[Lead]
    unfounded: Sequence[Tale]
    difference: Difference | None
    against: str


def replay(path: Path, options: ReplayOptions) -> int:
    """Drive through a journal and tell what came of it."""
    journal = ClosedJournal(journal_at(path))
    truths = read_truths(options.truth) if options.truth else []
    sources = Sources(options.config, options.catalogue, options.rules)
    span = span_of(options.start, options.end)
    run = run_with_progress(sources, journal, (), span, is_quiet=options.is_quiet)
    difference, against = _compared(sources, journal, span, run, options)
    tales = run.tales
    findings = Findings(
        journal=journal,
        run=run,
        truths=truths,
        leads=[lead_of(truth, tales, options.before_ns) for truth in truths],
        unfounded=unfounded(tales, truths, options.before_ns) if truths else (),
        difference=difference,
        against=against,
    )
    if options.as_json:
        click.echo(json.dumps(as_fields(findings), ensure_ascii=False, indent=2))
    else:
        show(findings, shown_max=len(tales) + 1 if options.is_full else SHOWN_MAX)
    return EXIT_OK


def span_of(start: str | None, end: str | None) -> Span:
    """The span that two texts name; everything where there are none."""
    start_ns = _time_ns(start, "--from") if start else -ALWAYS_NS
    end_ns = _time_ns(end, "--to") if end else ALWAYS_NS
    if end_ns < start_ns:
        message = f"--to {end} is before --from {start}"
        raise UsageError(message)
    return Span(start_ns, end_ns)


def _time_ns(text: str, option: str) -> int:
    time_ns = parse_time_ns(text)
    if time_ns is None:
        message = f"{option}: `{text}` is not a time; write 2026-11-23T08:00:00Z or an epoch time"
        raise UsageError(message)
    return time_ns


def run_with_progress(
    sources: Sources, journal: ClosedJournal, rules: Sequence[Path], span: Span, *, is_quiet: bool
) -> Rerun:
    """Assemble, drive, and show how far it is."""
    if rules:
        assembly, sets = sources.assembly(journal, rules), None
    else:
        assembly, sets = sources.sets(journal)
    total = journal.size_bytes // MIB
    progress = open_progress(total, "replay", is_quiet=is_quiet, unit="MiB")
    try:
        return rerun(assembly, journal, span, sets=sets, progress=progress)
    finally:
        progress.close()


def _compared(
    sources: Sources, journal: ClosedJournal, span: Span, run: Rerun, options: ReplayOptions
) -> tuple[Difference | None, str]:
    """The difference to the rules of --against, or of the configuration that --rules replaces."""
    rules = options.against
    other = sources
    if not rules:
        if not (options.config and options.rules):
            return None, ""
        other = Sources(options.config, None, ())
    before = run_with_progress(other, journal, rules, span, is_quiet=options.is_quiet)
    named = ", ".join(map(str, rules)) or f"the rules of {options.config}"
    return compare(before.tales, run.tales), named


def show(findings: Findings, *, shown_max: int) -> None:
    """Tell it to a person at a terminal."""
    out = console()
    for line in headings(findings):
        out.print(line)
    out.print()
    tales = findings.run.tales
    out.print(rules_table(findings))
    if tales:
        out.print()
        out.print(tales_table(tales, shown_max))
        if len(tales) > shown_max:
            out.print(Text(f"… {len(tales) - shown_max} milder ones; all with --full", "dim"))
    if findings.truths:
        out.print()
        out.print(truths_table(findings))
        missed = sum(not lead.is_told for lead in findings.leads)
        told = len(findings.leads) - missed
        out.print(
            f"{told} of {len(findings.leads)} events told, {missed} missed, "
            f"{len(findings.unfounded)} false alarms"
        )
    if findings.difference is not None:
        out.print()
        out.print(Text(f"against {findings.against}: ") + difference_text(findings.difference))
        if findings.difference.changed or findings.difference.new or findings.difference.gone:
            out.print(difference_table(findings.difference, shown_max))


def headings(findings: Findings) -> list[Text]:
    """What was played, with which rules, and how fast."""
    run = findings.run
    assembly = run.assembly
    heard = count_text(int(run.heard.sum()))
    what = (
        f"{moment(run.first_ns)} to {moment(run.last_ns)} UTC, "
        f"{span_text(run.last_ns - run.first_ns)} · {count_text(run.reading_count)} readings "
        f"of {heard} sensor{'' if heard == '1' else 's'} · {count_text(run.tick_count)} ticks"
    )
    packs = ", ".join(f"{pack.name} {pack.version}" for pack in assembly.book.packs)
    took_s = max(run.took_s, 1e-9)
    speed = f"in {run.took_s:.2f} s: {count_text(run.reading_count / took_s)} readings/s"
    if run.recorded_s > 0:
        speed += f", {count_text(run.recorded_s / took_s)} times faster than it was recorded"
    lines = [("journal", what), ("rules", packs), ("replayed", speed)]
    if run.misfit_count:
        text = f"{run.misfit_count} frames do not fit this catalogue and were left out"
        lines.append(("left out", text))
    return [Text.assemble((f"{name:<10}", "bold"), text) for name, text in lines]


def rules_table(findings: Findings) -> Table:
    """One line for each rule: its warnings by peak, how they went, how often for nothing."""
    numbers = ["raised", "open", "blind", "to the peak", "per sensor-day"]
    colours = [grade.word for grade in COLOURS]
    last = ["false alarms"] if findings.truths else []
    table = plain_table(
        *("rule", "raised", *colours, "open", "blind", "to the peak", "per sensor-day", *last),
        right=[*numbers, *colours, *last],
    )
    for row in rule_rows(findings):
        peak_ns = row.to_peak_ns
        cells = [
            str(row.count),
            *(str(row.by_peak[grade] or "·") for grade in COLOURS),
            str(row.open_count or "·"),
            str(row.blind_count or "·"),
            "·" if peak_ns is None else span_text(peak_ns),
            f"{row.per_sensor_day:.3g}" if row.sensor_days else "·",
        ]
        if findings.truths:
            cells.append(str(row.unfounded_count or "·"))
        table.add_row(row.rule, *cells)
    return table


@dataclass(frozen=True, slots=True)
class RuleRow:
    """How often a rule spoke; `to_peak_ns` is the median time from the raise to the peak."""

    rule: str
    by_peak: dict[Grade, int]
    open_count: int
    blind_count: int
    to_peak_ns: int | None
    sensor_days: float
    unfounded_count: int
    per_sensor_day: float

    @property
    def count(self) -> int:
        """Warnings in all."""
        return sum(self.by_peak.values())


def rule_rows(findings: Findings) -> list[RuleRow]:
    """One row for each rule of the book, also for those that were silent."""
    run = findings.run
    by_rule: dict[str, list[Tale]] = {}
    for tale in run.tales:
        by_rule.setdefault(tale.rule, []).append(tale)
    wrong = {tale.id for tale in findings.unfounded}
    rows = []
    types = {f"{rule.pack}/{rule.id}": types_of(rule) for rule in run.assembly.book.rules}
    # Rules that judged for a while only are those that told something.
    for name in dict.fromkeys([*types, *by_rule]):
        tales = by_rule.get(name, [])
        climbs = [at - t.raised_ns for t in tales if (at := t.reached_ns(t.peak)) is not None]
        days = run.sensor_days(types.get(name, []))
        unfounded_count = sum(tale.id in wrong for tale in tales)
        counted = unfounded_count if findings.truths else len(tales)
        rows.append(
            RuleRow(
                rule=name,
                by_peak={grade: sum(t.peak == grade for t in tales) for grade in COLOURS},
                open_count=sum(tale.is_open for tale in tales),
                blind_count=sum(tale.went_blind for tale in tales),
                to_peak_ns=round(statistics.median(climbs)) if climbs else None,
                sensor_days=days,
                unfounded_count=unfounded_count,
                per_sensor_day=counted / days if days else 0.0,
            )
        )
    return rows


def types_of(rule: Rule) -> list[str]:
    """The sensor types that a rule looks at."""
    return [asked.type for asked in rule.inputs.values()] or [rule.input.type]


def truths_table(findings: Findings) -> Table:
    """One line for each event: how long before it was told, grade by grade."""
    colours = [grade.word for grade in COLOURS]
    table = plain_table("event", "when (UTC)", *colours, "first told by", right=colours)
    for lead in findings.leads:
        cells = [
            span_text(lead.lead_ns[grade]) if grade in lead.lead_ns else "·" for grade in COLOURS
        ]
        first = lead.first
        by = f"{first.rule} {first.subject}" if first else Text("nobody", style="bold red")
        table.add_row(lead.truth.name, moment(lead.truth.start_ns), *cells, by)
    return table


def as_fields(findings: Findings) -> dict[str, object]:
    """Everything for programs; times are epoch nanoseconds."""
    run = findings.run
    fields: dict[str, object] = {
        "journal": str(findings.journal.folder),
        "first": run.first_ns,
        "last": run.last_ns,
        "readings": run.reading_count,
        "ticks": run.tick_count,
        "sensors": int(run.heard.sum()),
        "frames_left_out": run.misfit_count,
        "seconds": run.took_s,
        "recorded_seconds": run.recorded_s,
        "rules": [
            {
                "rule": row.rule,
                "raised": row.count,
                "by_peak": {grade.word: count for grade, count in row.by_peak.items()},
                "open": row.open_count,
                "blind": row.blind_count,
                "to_peak": row.to_peak_ns,
                "sensor_days": row.sensor_days,
                "per_sensor_day": row.per_sensor_day,
                "false_alarms": row.unfounded_count if findings.truths else None,
            }
            for row in rule_rows(findings)
        ],
        "warnings": [tale_fields(tale) for tale in run.tales],
    }
    if findings.truths:
        fields["events"] = [
            {
                "name": lead.truth.name,
                "time": lead.truth.start_ns,
                "told": lead.is_told,
                "lead": {grade.word: lead_ns for grade, lead_ns in lead.lead_ns.items()},
                "first": lead.first.id if lead.first else None,
            }
            for lead in findings.leads
        ]
    if findings.difference is not None:
        fields["against"] = findings.against
        fields["difference"] = difference_fields(findings.difference)
    return fields
