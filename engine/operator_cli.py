"""Operator's command line: the commands that talk to a running engine.

Nothing heavier than click is imported before a command runs, as in `engine/cli.py`.
"""

from pathlib import Path
from typing import Final

import click

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("reload", short_help="Have a running engine load its rules anew.")
@click.argument("config", type=FILE, required=False)
@click.option("--http", "address", metavar="HOST:PORT", help="Where the engine answers.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def reload_(config: Path | None, address: str | None, *, as_json: bool) -> int:
    """Have a running engine load its rules anew, without a restart.

    CONFIG is its engine.yaml, which says where it answers. With any error the rules that judge
    go on, every fault is told with its place, and the command ends with 1.
    """
    from engine.asking import reload

    return reload(address, config, as_json=as_json)


@click.command("status", short_help="Show which rules judge in a running engine.")
@click.argument("config", type=FILE, required=False)
@click.option("--http", "address", metavar="HOST:PORT", help="Where the engine answers.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def status_(config: Path | None, address: str | None, *, as_json: bool) -> int:
    """Show which rules judge in a running engine, and how the last reload went."""
    from engine.asking import status

    return status(address, config, as_json=as_json)


COMMANDS: Final = (reload_, status_)
