"""Explaining: `tocsin explain WARNING` and `tocsin explain RULE SENSOR TIME`, why and why not.

The journal is driven to the instant, for the sensor's site alone, and every grade says how far it
was from where it is not: value, threshold, margin, timer, unknown parts, inputs.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.console import Console
from rich.text import Text

from engine.account import Account, Inputs, account_of
from engine.assembly import Assembly
from engine.clauses import Clause, GradeAccount
from engine.drive import ClosedJournal, journal_at
from engine.errors import EXIT_OK, UsageError
from engine.inquiry import Question, inquire
from engine.instance_account import account_of_instance, placed_of
from engine.nearest import did_you_mean
from engine.recordings import parse_time_ns
from engine.replaying import ALWAYS_NS
from engine.rerun import Sources, Span, rerun
from engine.tables import console, grade_text, moment, span_text
from engine.tales import Step, Tale
from rules.grade import Grade

EPISODE_ID: Final = re.compile(r"[A-Z2-7]{26}")
TRUTHS: Final = {True: ("yes", "green"), False: ("no", "red"), None: ("unknown", "magenta")}
PHASE_STYLES: Final = {"off": "dim", "arming": "yellow", "on": "bold", "clearing": "yellow"}


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """Where to look, and how to say it."""

    config: Path | None
    data: Path | None
    revision: int | None
    as_json: bool


def explain(words: tuple[str, ...], options: ExplainOptions) -> int:
    """Explain a warning by its id, or a rule on a sensor at a time."""
    if options.config is None:
        message = "which engine? give --config engine.yaml, and --data where it is not the file's"
        raise UsageError(message)
    data = options.data or _data_of(options.config)
    journal = ClosedJournal(journal_at(data))
    assembly = Sources(options.config, None, ()).assembly(journal)
    if len(words) == 1:
        question = _question_of_id(assembly, journal, words[0], options.revision)
    else:
        question = _question(assembly, *words)
    placed = placed_of(assembly, question.rule)
    if placed is None:
        account = account_of(inquire(assembly, journal, question))
    else:
        account = account_of_instance(assembly, journal, question, placed)
    if options.as_json:
        click.echo(json.dumps(as_fields(account), ensure_ascii=False, indent=2))
    else:
        show(account, console())
    return EXIT_OK


def _data_of(config: Path) -> Path:
    from engine.config import load

    return load(config).data


def _question(assembly: Assembly, rule: str, sensor: str, time: str) -> Question:
    """A rule may be named without its pack where that is clear."""
    names = [f"{known.pack}/{known.id}" for known in assembly.book.rules]
    ids = [known.id for known in assembly.book.rules]
    found = [name for name, own in zip(names, ids, strict=True) if rule in (name, own)]
    if len(found) != 1:
        several = (
            f"there are several: {', '.join(found)}"
            if found
            else did_you_mean(rule, [*names, *ids])
        )
        message = f"which rule is `{rule}`? {several}"
        raise UsageError(message)
    time_ns = parse_time_ns(time)
    if time_ns is None:
        message = f"`{time}` is not a time; write 2026-11-23T08:03:05Z or an epoch time"
        raise UsageError(message)
    return Question(found[0], sensor, time_ns)


def _question_of_id(
    assembly: Assembly, journal: ClosedJournal, name: str, revision: int | None
) -> Question:
    """The instant of a message of a warning; by default the first one at its gravest."""
    run = rerun(assembly, journal, Span(-ALWAYS_NS, ALWAYS_NS))
    tale = next((tale for tale in run.tales if tale.id == name), None)
    if tale is None:
        message = f"the journal tells of no warning `{name}`; its rules or readings may be gone"
        raise UsageError(message)
    step = _step(tale, revision)
    return Question(tale.rule, tale.subject, step.event_ns)


def _step(tale: Tale, revision: int | None) -> Step:
    if revision is None:
        return next(step for step in tale.steps if step.grade == tale.peak)
    if not 0 < revision <= len(tale.steps):
        message = f"the warning has the revisions 1 to {len(tale.steps)}, not {revision}"
        raise UsageError(message)
    return tale.steps[revision - 1]


def show(account: Account, out: Console) -> None:
    """Tell it to a person at a terminal."""
    question, plan = account.question, account.plan
    out.print(
        Text.assemble(
            (f"{question.rule}@{question.sensor}", "bold"),
            f"  {moment(question.time_ns)} UTC  ",
            grade_text(account.grade),
            (f"  pack {plan.version} sha256:{plan.digest[:8]}…", "dim"),
        )
    )
    if account.quality == "blind":
        out.print(Text("  blind: the warning can no longer be confirmed", style="magenta"))
    if account.judged_ns is None:
        out.print(Text("  nothing had been judged yet", style="magenta"))
    elif not plan.is_per_reading:
        text = f"  judged at the end of the pane of {moment(account.judged_ns)}"
        out.print(Text(text, style="dim"))
    for grade in account.grades:
        _show_grade(out, grade)
    _show_around(out, account)
    if account.messages:
        out.print(Text("  what was said", style="dim"))
        for body in account.messages:
            told = grade_text(Grade[str(body["grade"]).upper()])
            when = moment(int(str(body["event_time"])))
            out.print(Text.assemble(f"    {when}  ", told, f" {body['event']}"))


def _show_grade(out: Console, grade: GradeAccount) -> None:
    state = Text(f"{grade.phase:<9}", style=PHASE_STYLES[grade.phase])
    line = Text.assemble("  ", grade_text(grade.grade), " " * (7 - len(grade.grade.word)), state)
    timer = timer_text(grade)
    clauses = grade.clear if grade.phase == "clearing" and grade.clear else grade.when
    first, *others = clauses
    line.append_text(clause_text(first))
    if timer:
        line.append(f"   {timer}", "yellow")
    out.print(line)
    for clause in others:
        out.print(Text("  " + " " * 19) + clause_text(clause))
    if grade.phase == "on" and grade.clear and not grade.when[0].is_true:
        clear = grade.clear[0]
        margin = f", {clear.margin_text}" if clear.margin_text else ""
        text = f"it clears when {clear.text}{margin}"
        out.print(Text(" " * 21 + text, style="dim"))


def timer_text(grade: GradeAccount) -> str:
    """`held 5 s of 10 s`; nothing where no timer runs."""
    if grade.held_ns is not None:
        word = "held" if grade.phase == "arming" else "clear for"
        stopped = ", stopped: unknown" if grade.is_frozen else ""
        return f"{word} {span_text(grade.held_ns)} of {span_text(grade.needed_ns)}{stopped}"
    if grade.phase == "on" and grade.needed_ns:
        return f"held {span_text(grade.needed_ns)}"
    return ""


def clause_text(clause: Clause) -> Text:
    """`mean(15s) >= 1.5 %   no: 1.04 %, 0.46 % short`."""
    word, style = TRUTHS[clause.is_true]
    line = Text("  " * clause.depth + clause.text + "   ")
    line.append(word, style)
    told = ", ".join(text for text in (clause.value, clause.margin_text) if text)
    if clause.reason:
        told = f"{told} ({clause.reason})" if told and clause.is_true is not None else clause.reason
    line.append(f": {told}" if told else "")
    return line


def _show_around(out: Console, account: Account) -> None:
    """Inputs, overrides, and the basis of the rule."""
    rows = [] if account.inputs is None else [("inputs", inputs_text(account, account.inputs))]
    for override in account.overrides:
        until = f", until {override.until}" if override.until else ""
        by = f", approved by {override.approved_by}" if override.approved_by else ""
        settings = ", ".join(override.settings)
        rows.append(("override", f"{settings}: {override.reason}{until}{by}"))
    rule = account.plan.rule
    if rule.mode != "live":
        rows.append(("mode", f"{rule.mode}: nobody is told"))
    basis = rule.basis.get("en") or rule.basis.get("zh") or ""
    if basis:
        rows.append(("basis", basis))
    rows.append(("rule", str(rule.place)))
    for name, text in rows:
        out.print(Text.assemble((f"  {name:<9}", "dim"), text))


def inputs_text(account: Account, inputs: Inputs) -> str:
    """`3 of 3 readings good in 15 s, newest 1.1 s old`."""
    of = f" of {inputs.expected_count}" if inputs.expected_count is not None else ""
    text = f"{inputs.good_count}{of} readings good in {span_text(inputs.window_ns)}"
    if inputs.bad_count:
        text += f", {inputs.bad_count} bad"
    if inputs.newest_age_ns is None:
        return f"{text}; the sensor had sent nothing"
    unit = account.plan.rule.input.unit
    value = "NaN" if np.isnan(inputs.newest_value) else f"{inputs.newest_value:.6g} {unit}".rstrip()
    quality = f", quality {inputs.newest_quality}" if inputs.newest_quality else ""
    return f"{text}; newest {span_text(inputs.newest_age_ns)} old: {value}{quality}"


def as_fields(account: Account) -> dict[str, object]:
    """Everything for programs; times are epoch nanoseconds, values in the unit of the rule."""
    plan = account.plan
    return {
        "rule": account.question.rule,
        "sensor": account.question.sensor,
        "time": account.question.time_ns,
        "grade": account.grade.word,
        "quality": account.quality,
        "version": plan.version,
        "digest": plan.digest,
        "mode": plan.rule.mode,
        "place": str(plan.rule.place),
        "judged": account.judged_ns,
        "grades": [_grade_fields(grade) for grade in account.grades],
        "features": {
            text: None if np.isnan(value) else value for text, value in account.features.items()
        },
        "inputs": None if account.inputs is None else _input_fields(account.inputs),
        "overrides": [
            {
                "settings": list(override.settings),
                "reason": override.reason,
                "until": override.until,
                "approved_by": override.approved_by,
                "place": str(override.place),
            }
            for override in account.overrides
        ],
        "basis": dict(plan.rule.basis),
        "messages": [
            {"id": b["id"], "revision": b["revision"], "event": b["event"], "grade": b["grade"],
             "time": b["event_time"]}
            for b in account.messages
        ],
    }  # fmt: skip


def _input_fields(inputs: Inputs) -> dict[str, object]:
    return {
        "window": inputs.window_ns,
        "good": inputs.good_count,
        "bad": inputs.bad_count,
        "expected": inputs.expected_count,
        "newest_age": inputs.newest_age_ns,
        "newest_value": None if np.isnan(inputs.newest_value) else inputs.newest_value,
        "newest_quality": inputs.newest_quality,
    }


def _grade_fields(grade: GradeAccount) -> dict[str, object]:
    return {
        "grade": grade.grade.word,
        "phase": grade.phase,
        "held": grade.held_ns,
        "needed": grade.needed_ns,
        "frozen": grade.is_frozen,
        "when": [_clause_fields(clause) for clause in grade.when],
        "clear": [_clause_fields(clause) for clause in grade.clear],
    }


def _clause_fields(clause: Clause) -> dict[str, object]:
    return {
        "depth": clause.depth,
        "text": clause.text,
        "true": clause.is_true,
        "value": clause.value,
        "margin": clause.margin,
        "margin_text": clause.margin_text,
        "reason": clause.reason,
    }
