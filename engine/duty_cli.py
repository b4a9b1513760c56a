"""Duty command line: what an operator does to warnings, as `tocsin --help` shows it.

Nothing heavier than click is imported before a command runs, as in `engine/cli.py`.
"""

import getpass
from typing import Final

import click

NS_PER_S: Final = 1_000_000_000
HTTP = click.option(
    "--http",
    default="127.0.0.1:7710",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the engine answers.",
)
WHO = click.option("--who", default="", metavar="NAME", help="Who does it; your login by default.")


def _span_s(context: click.Context, parameter: click.Parameter, text: str) -> float:
    """A duration with its unit, in seconds."""
    from rules.units import UnitError, read_duration

    try:
        return read_duration(text) / NS_PER_S
    except UnitError as error:
        message = f"{error}; {error.remedy}"
        raise click.BadParameter(message, context, parameter) from None


def _hand_over(
    what: str, target: str, http: str, who: str, *, seconds: float = 0.0, reason: str = ""
) -> int:
    from engine.duty import act

    wish = {"what": what, "target": target, "seconds": seconds, "reason": reason}
    return act(http, {**wish, "who": who or getpass.getuser()})


@click.command("shelve", short_help="Take a warning off the board for a while.")
@click.argument("target", metavar="PACK/RULE@KEY")
@click.argument("seconds", metavar="DURATION", callback=_span_s)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the journal.")
@WHO
@HTTP
def shelve(target: str, seconds: float, reason: str, who: str, http: str) -> int:
    """Take a warning off the board for a while: `shelve coal-gas/ch4-high@T1 2h --reason …`.

    It is judged on underneath, its messages say `suppressed`, and red is never hidden unless the
    rule allows it.
    """
    return _hand_over("shelve", target, http, who, seconds=seconds, reason=reason)


@click.command("unshelve", short_help="Put a shelved warning back on the board.")
@click.argument("target", metavar="PACK/RULE@KEY")
@WHO
@HTTP
def unshelve(target: str, who: str, http: str) -> int:
    """Put a shelved warning back on the board."""
    return _hand_over("unshelve", target, http, who)


@click.command("acknowledge", short_help="Say that somebody has seen a warning.")
@click.argument("target", metavar="PACK/RULE@KEY")
@WHO
@HTTP
def acknowledge(target: str, who: str, http: str) -> int:
    """Say that somebody has seen a warning, so that it is not escalated."""
    return _hand_over("acknowledge", target, http, who)


@click.command("reset", short_help="Let a latched grade go.")
@click.argument("target", metavar="PACK/RULE@KEY")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the journal.")
@WHO
@HTTP
def reset(target: str, reason: str, who: str, http: str) -> int:
    """Let a latched grade go, once what it warned of is over."""
    return _hand_over("reset", target, http, who, reason=reason)


@click.command("maintenance", short_help="Say that a site is being worked on for a while.")
@click.argument("target", metavar="SITE|PACK/RULE@KEY")
@click.argument("seconds", metavar="DURATION", callback=_span_s)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the journal.")
@WHO
@HTTP
def maintenance(target: str, seconds: float, reason: str, who: str, http: str) -> int:
    """Say that a site, or what one warning watches, is being worked on for a while."""
    return _hand_over("maintenance", target, http, who, seconds=seconds, reason=reason)


@click.command("resume", short_help="Say that the work on a site is over.")
@click.argument("target", metavar="SITE|PACK/RULE@KEY")
@WHO
@HTTP
def resume(target: str, who: str, http: str) -> int:
    """Say that the work is over."""
    return _hand_over("resume", target, http, who)


COMMANDS: Final = (shelve, unshelve, acknowledge, reset, maintenance, resume)
