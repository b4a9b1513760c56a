"""Author's command line: the commands of those who write rules, as `tocsin --help` shows them.

Nothing heavier than click is imported before a command runs, as in `engine/cli.py`.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

EXISTING = click.Path(path_type=Path, exists=True)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
ID_LENGTH: Final = 26
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _function(name: str) -> Callable[..., int]:
    """Import a function, or a class, `module:function`, when its command runs and not before."""
    module, _, function = name.partition(":")
    found: Callable[..., int] = getattr(importlib.import_module(module), function)
    return found


def _span_ns(context: click.Context, option: click.Parameter, text: str) -> int:
    """A duration with its unit."""
    from rules.units import UnitError, read_duration

    try:
        return read_duration(text)
    except UnitError as error:
        message = f"{error}; {error.remedy}"
        raise click.BadParameter(message, context, option) from None


@click.command("replay", short_help="Play a journal again, with any rules.")
@click.argument("journal", type=FOLDER)
@click.option("--config", type=FILE, help="The engine.yaml: catalogue, rules, clock, models.")
@click.option("--catalogue", type=FOLDER, help="A catalogue, where there is no engine.yaml.")
@click.option(
    "--rules",
    type=EXISTING,
    multiple=True,
    help="Packs instead of those of the engine.yaml; repeatable.",
)
@click.option(
    "--against",
    type=EXISTING,
    multiple=True,
    help="Packs to compare with; by default those that --rules replaces.",
)
@click.option("--from", "start", metavar="TIME", help="Tell nothing that was over before; UTC.")
@click.option("--to", "end", metavar="TIME", help="Tell nothing that came later; UTC.")
@click.option(
    "--truth",
    type=FILE,
    metavar="CSV",
    help="What really happened: time, until, name, site, sensor, hazard, rule, grade.",
)
@click.option(
    "--before",
    "before_ns",
    default="1d",
    show_default=True,
    callback=_span_ns,
    metavar="DURATION",
    help="A warning so long before an event is about it.",
)
@click.option("--full", "is_full", is_flag=True, help="Every warning, not only the gravest.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def replay(
    journal: Path,
    *,
    config: Path | None,
    catalogue: Path | None,
    rules: tuple[Path, ...],
    against: tuple[Path, ...],
    start: str | None,
    end: str | None,
    truth: Path | None,
    before_ns: int,
    is_full: bool,
    is_quiet: bool,
    as_json: bool,
) -> int:
    """Drive JOURNAL (a journal, or a data folder) through the engine again: what is told?

    Warnings by rule and grade, how soon before what really happened, false alarms per sensor-day,
    and what is different from other rules.
    """
    options = _function("engine.replaying:ReplayOptions")(
        config=config,
        catalogue=catalogue,
        rules=rules,
        against=against,
        start=start,
        end=end,
        truth=truth,
        before_ns=before_ns,
        is_full=is_full,
        is_quiet=is_quiet,
        as_json=as_json,
    )
    return _function("engine.replaying:replay")(journal, options)


@click.command("plan", short_help="Say what other rules would change, before they do.")
@click.argument("new", type=EXISTING, nargs=-1, required=True)
@click.option("--config", type=FILE, required=True, help="The engine.yaml with the rules of today.")
@click.option("--data", type=FOLDER, help="The data folder; by default that of the engine.yaml.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=7,
    show_default=True,
    help="How many days of the journal to compare.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def plan(
    new: tuple[Path, ...], *, config: Path, data: Path | None, days: float, as_json: bool
) -> int:
    """Say what the rule packs NEW would change, before they do.

    Which rules are added, changed and removed; which standing warnings would be raised, upgraded,
    downgraded or superseded; which warnings of the last days would have been others. Ends with 1
    when a standing warning would change.
    """
    return _function("engine.planning:plan")(new, config, data, days=days, as_json=as_json)


@click.command("explain", short_help="Say what a code means, or why, and why not, a rule warned.")
@click.argument("words", nargs=-1, required=True, metavar="WHAT…")
@click.option("--config", type=FILE, help="The engine.yaml, for warnings and rules.")
@click.option("--data", type=FOLDER, help="The data folder; by default that of the engine.yaml.")
@click.option(
    "--revision",
    type=int,
    metavar="N",
    help="Which message of a warning; by default the first at its gravest grade.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def explain(
    words: tuple[str, ...],
    *,
    config: Path | None,
    data: Path | None,
    revision: int | None,
    as_json: bool,
) -> int:
    """Explain why, and why not.

    \b
    WHAT is
      E713                the code of a fault, or `codes` for the list of them
      features            what rules can look at
      WARNING_ID          why a warning was raised, from the journal
      RULE SENSOR TIME    how far each grade of a rule was from firing, and what blocked it
    """
    if len(words) == 1 and len(words[0]) < ID_LENGTH:
        return _function("engine.explain:explain")(words[0])
    if len(words) not in (1, 3):
        message = "write a code, `codes`, `features`, a warning's id, or RULE SENSOR TIME"
        raise click.UsageError(message)
    options = _function("engine.explaining:ExplainOptions")(config, data, revision, as_json)
    return _function("engine.explaining:explain")(words, options)


@click.command("test", short_help="Run the tests that rule packs carry.")
@click.argument("paths", type=EXISTING, nargs=-1, required=True)
@click.option("--run", "match", default="", metavar="TEXT", help="Only tests named so.")
@click.option(
    "--generated/--no-generated",
    default=True,
    show_default=True,
    help="Try thresholds from both sides, and a gap in each warning.",
)
@click.option(
    "--coverage/--no-coverage",
    default=True,
    show_default=True,
    help="Name grades of live rules that no test fires, or none keeps silent.",
)
@click.option(
    "--mutate/--no-mutate",
    default=False,
    show_default=True,
    help="Turn comparisons and move thresholds; name what no test notices.",
)
@click.option(
    "--mutate-for",
    "mutate_ns",
    default="1min",
    show_default=True,
    callback=_span_ns,
    metavar="DURATION",
    help="How long to mutate, in all.",
)
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Only what is wrong, and the sum.")
def test(
    paths: tuple[Path, ...],
    *,
    match: str,
    generated: bool,
    coverage: bool,
    mutate: bool,
    mutate_ns: int,
    is_quiet: bool,
) -> int:
    """Run the tests that rule packs carry; PATHS are packs, folders, or an engine.yaml.

    Ends with 1 when a test fails, with 3 when --mutate finds changes that no test notices.
    """
    from engine.check import packs_in

    options = _function("engine.trying:TryOptions")(
        match=match,
        is_generating=generated,
        is_mutating=mutate,
        mutate_s=mutate_ns / 1e9,
        is_covering=coverage,
        is_quiet=is_quiet,
    )
    return _function("engine.trying:test")(packs_in(paths), options)


@click.command("fmt", short_help="Lay out rule packs alike.")
@click.argument("paths", type=EXISTING, nargs=-1, required=True)
@click.option("--check", "is_check", is_flag=True, help="Change nothing; end with 1 if it would.")
@click.option("--diff", "is_diff", is_flag=True, help="As --check, and show what would change.")
def fmt(paths: tuple[Path, ...], *, is_check: bool, is_diff: bool) -> int:
    """Lay out rule packs as all packs are; comments stay, and so does every meaning."""
    return _function("engine.formatting:fmt")(paths, is_check=is_check, is_diff=is_diff)


@click.command("schema", short_help="Print the JSON Schema of rule packs, for editors.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it here.")
def schema(out: Path | None) -> int:
    """Print the JSON Schema of rule packs, for completion and hover texts in editors."""
    return _function("engine.reference:schema")(out)


@click.command("reference", short_help="Write the pages of all keys, features, units and codes.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", "is_check", is_flag=True, help="Write nothing; end with 1 if stale.")
def reference(folder: Path, *, is_check: bool) -> int:
    """Write the pages of all keys, features, units and codes into FOLDER."""
    return _function("engine.reference:reference")(folder, is_check=is_check)


@click.command("lsp")
def lsp() -> int:
    """Serve an editor over stdin and stdout: faults, completion, hover texts and layout."""
    return _function("engine.language_server:serve")()


COMMANDS: Final = (explain, fmt, lsp, plan, reference, replay, schema, test)
