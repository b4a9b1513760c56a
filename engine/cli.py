"""Command line: what a person types, which function it calls, and the exit code it ends with.

    0 ok   1 findings   2 usage   3 only warnings, denied   69 not reachable   70 internal error
    74 disk   78 bad configuration   130 interrupted

A command imports its own module when it runs, and nothing before: `--help` answers in a blink
and knows neither numba nor river nor zmq. Results go to stdout, progress and faults to stderr.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from engine import author_cli, duty_cli, operator_cli

# What each command calls; none of these modules is imported before its command runs.
COMMANDS: Final = {
    "run": "engine.run:run",
    "check": "engine.check:check",
    "feed": "engine.feed:feed",
    "listen": "engine.listen:listen",
    "demo": "engine.demo:demo",
    "warmup": "engine.warmup:warmup",
}

EXISTING = click.Path(path_type=Path, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)


def main() -> None:
    """Run one command and leave with its exit code; the entry point of `tocsin`."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors become sentences on stderr."""
    try:
        code = tocsin.main(args=arguments, prog_name="tocsin", standalone_mode=False)
    except click.exceptions.Abort:
        return _interrupted()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Whoever read our results has seen enough; the flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _failed(error)
    return code if isinstance(code, int) else 0


def _interrupted() -> int:
    click.echo("interrupted", err=True)
    return 130


def _failed(error: Exception) -> int:
    """Say what went wrong to the one who must act, and return the exit code."""
    from engine.errors import EXIT_CONFIG, EXIT_DISK, EXIT_INTERNAL, ConfigError, TocsinError
    from rules.errors import RuleErrors, as_texts

    if isinstance(error, ConfigError | RuleErrors):
        faults = list(error.faults)
        click.echo(as_texts(faults), err=True)
        count = sum(fault.is_error for fault in faults)
        click.echo(f"{count} error{'s' if count != 1 else ''}; nothing was started", err=True)
        return EXIT_CONFIG
    if isinstance(error, TocsinError):
        click.echo(f"tocsin: {error}", err=True)
        return error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"tocsin: {where}{error.strerror or error}", err=True)
        return EXIT_DISK
    traceback.print_exception(error)
    click.echo("tocsin: this is a fault of Tocsin itself; please report the lines above", err=True)
    return EXIT_INTERNAL


def _function(name: str) -> Callable[..., int]:
    """Import the function of a command."""
    module, _, function = COMMANDS[name].partition(":")
    found: Callable[..., int] = getattr(importlib.import_module(module), function)
    return found


def _assignment(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> object:
    """Refuse `--set` and `--map` texts without an equals sign before anything is read."""
    for text in texts:
        left, equals, right = text.rpartition("=")
        if not equals or not left or (not right and option.name == "maps"):
            message = f"`{text}` has no `=` with something on both sides"
            raise click.BadParameter(message, context, option)
    return texts


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def tocsin() -> None:
    """Tocsin: sensor readings in, graded warnings out."""


@tocsin.command("run", short_help="Run an engine.")
@click.argument("config", type=EXISTING)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", callback=_assignment,
              help="Replace one value of the file; repeatable; KEY may be dotted.")  # fmt: skip
@click.option("--data", type=FOLDER, help="Folder of the journal, egress log and saved state.")
@click.option("--until-idle", type=click.FloatRange(min=0.1), metavar="SECONDS",
              help="End once nothing has arrived for so long after the first frame.")  # fmt: skip
def run_(config: Path, sets: tuple[str, ...], data: Path | None, until_idle: float | None) -> int:
    """Run the engine that CONFIG (an engine.yaml) describes, until SIGTERM or Ctrl-C."""
    return _function("run")(config, sets, data, until_idle)


@tocsin.command("check", short_help="Find every fault of configurations, catalogues and packs.")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", callback=_assignment,
              help="Replace one value of an engine.yaml; repeatable.")  # fmt: skip
@click.option("--deny-warnings", is_flag=True, help="End with 3 when there are warnings.")
@click.option("--notes", is_flag=True, help="Also tell types and points that rules miss.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github", "sarif"]),
              default="text", show_default=True, help="Faults for people or machines.")  # fmt: skip
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="en", show_default=True,
              help="The language of faults.")  # fmt: skip
def check_(
    paths: tuple[Path, ...],
    sets: tuple[str, ...],
    *,
    deny_warnings: bool,
    notes: bool,
    form: str,
    lang: str,
) -> int:
    """Check PATHs: an engine.yaml, a catalogue folder, a rule pack, or a folder of them.

    Prints every fault with its place and how to mend it, then what the configuration costs:
    bytes per sensor, memory, journal per day.
    """
    return _function("check")(
        paths, sets, deny_warnings=deny_warnings, form=form, language=lang, notes=notes
    )


@tocsin.command("feed", short_help="Send a recording as a gateway.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True, file_okay=False),
              required=True, help="Folder with the gateway's manifest.")  # fmt: skip
@click.option("--to", default="tcp://127.0.0.1:7700", show_default=True, help="The intake.")
@click.option("--gateway", metavar="NAME", help="Which gateway this is; not needed for only one.")
@click.option("--map", "maps", multiple=True, metavar="COLUMN=SENSOR", callback=_assignment,
              help="Which column is which sensor; repeatable; else columns named like sensors. "
              "The columns of a matrix `data` in an NPZ are data.0, data.1, …")  # fmt: skip
@click.option("--time", metavar="COLUMN", help="Column of times, ISO 8601 or epoch; UTC.")
@click.option("--start", metavar="TIME", help="Time of the first row, or `now`.")
@click.option("--period", metavar="DURATION", help="Spacing of the rows, such as 30s or 10ms.")
@click.option("--speed", default="max", show_default=True, metavar="max|1|60",
              help="How many times faster than measured.")  # fmt: skip
@click.option("--series", is_flag=True, help="Send waveforms as `series` frames.")
@click.option("--frame", default=1024, show_default=True, type=click.IntRange(1, 1 << 20),
              help="Rows in a frame, at most.")  # fmt: skip
@click.option("--missing", multiple=True, type=float, metavar="VALUE",
              help="A number that means that nothing was measured, such as -200.")  # fmt: skip
@click.option("--codec", type=click.Choice(["raw", "zstd"]), default="raw", show_default=True)
@click.option("--spool", type=FOLDER, help="Folder of frames that are not acknowledged yet.")
@click.option("--from-start", is_flag=True, help="Forget what an interrupted feed left.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def feed_(
    file: Path,
    *,
    catalogue: Path,
    to: str,
    gateway: str | None,
    maps: tuple[str, ...],
    time: str | None,
    start: str | None,
    period: str | None,
    speed: str,
    series: bool,
    frame: int,
    missing: tuple[float, ...],
    codec: str,
    spool: Path | None,
    from_start: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Send the recording FILE (CSV, ARFF or NPZ) as a gateway, until every frame is durable."""
    from engine.feed import FeedOptions

    options = FeedOptions(
        to=to,
        catalogue=catalogue,
        gateway=gateway,
        maps=maps,
        time=time,
        start=start,
        period=period,
        speed=speed,
        is_series=series,
        frame_rows=frame,
        missing=missing,
        codec=codec,
        spool=spool,
        from_start=from_start,
        is_quiet=quiet,
        as_json=as_json,
    )
    return _function("feed")(file, options)


@tocsin.command("listen", short_help="Show warnings as they come, without holes.")
@click.option("--warnings", default="tcp://127.0.0.1:7701", show_default=True)
@click.option("--replay", default="tcp://127.0.0.1:7702", show_default=True)
@click.option("--from", "from_seq", type=click.IntRange(0), metavar="SEQ",
              help="Begin with what was sent as SEQ, not with what comes now.")  # fmt: skip
@click.option("--match", default="", metavar="PREFIX", help="Only topics that begin so.")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="End after so long.")
@click.option("--lang", type=click.Choice(["zh", "en"]), default="en", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def listen_(
    warnings: str,
    replay: str,
    *,
    from_seq: int | None,
    match: str,
    count: int | None,
    seconds: float | None,
    lang: str,
    as_json: bool,
) -> int:
    """Show warnings as they come, without holes; say so after 3 s of silence."""
    return _function("listen")(
        warnings,
        replay,
        as_json=as_json,
        from_seq=from_seq,
        match=match,
        count=count,
        seconds=seconds,
        language=lang,
    )


@tocsin.command("demo", short_help="Show engine, gateways and a consumer in one command.")
@click.option("--seconds", type=click.FloatRange(min=1), help="End by itself with a summary.")
@click.option("--data", type=FOLDER, help="Keep the journal here instead of a temporary folder.")
def demo_(seconds: float | None, data: Path | None) -> int:
    """Show engine, simulated gateways and a consumer in one command."""
    return _function("demo")(seconds, data)


@tocsin.command("warmup", short_help="Compile all kernels, once.")
def warmup_() -> int:
    """Compile all kernels into the cache, so that the first start is as fast as any."""
    return _function("warmup")()


for command in (*author_cli.COMMANDS, *operator_cli.COMMANDS, *duty_cli.COMMANDS):
    tocsin.add_command(command)


@tocsin.command("version", short_help="Print versions, for reports.")
def version_() -> int:
    """Print the versions of Tocsin and of what it rests on."""
    from importlib.metadata import PackageNotFoundError, version

    for name in ("tocsin", "numpy", "numba", "bytewax", "river", "pyzmq", "msgpack", "pydantic"):
        try:
            click.echo(f"{name} {version(name)}")
        except PackageNotFoundError:
            click.echo(f"{name} (not installed as a package)")
    click.echo(f"python {sys.version.split()[0]}")
    return 0
