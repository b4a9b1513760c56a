"""Asking: the commands that talk to a running engine over its HTTP port.

tocsin reload     have it load its rules anew: 0 when they judge, 1 when they are refused
tocsin status     which rules judge, and how the last reload went
"""

import http.client
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import click

from engine.config import load as load_config
from engine.errors import EXIT_FINDINGS, EXIT_OK, UnreachableError, UsageError

# What a browser does not send for a page of somebody else without asking first.
WISH: Final = {"X-Tocsin": "reload"}
# Tests of a large pack may run for a while before the answer comes.
PATIENCE_S: Final = 120.0
NS_PER_S: Final = 1_000_000_000
DEFAULT: Final = "127.0.0.1:7710"

Fields = dict[str, object]


def reload(address: str | None, config: Path | None, *, as_json: bool) -> int:
    """Have an engine load its rules anew, and tell how that went."""
    code, text = _ask("POST", "/reload", _address(address, config))
    said = _read(text)
    if as_json:
        click.echo(text.rstrip())
        return EXIT_OK if code == 200 else EXIT_FINDINGS
    if code == 200:
        click.echo(_outcome_line(said))
        for pack in _packs(said):
            click.echo(f"  {pack}")
        return EXIT_OK
    if said.get("text"):
        click.echo(str(said["text"]), err=True)
    click.echo(f"tocsin: {said.get('reason') or _outcome_line(said)}", err=True)
    return EXIT_FINDINGS


def status(address: str | None, config: Path | None, *, as_json: bool) -> int:
    """Tell which rules judge, and how the last reload went."""
    _, text = _ask("GET", "/status", _address(address, config))
    if as_json:
        click.echo(text.rstrip())
        return EXIT_OK
    said = _read(text)
    rules, reloads = cast(Fields, said["rules"]), cast(Fields, said["reload"])
    click.echo(f"engine {said['engine']}, rules {rules['digest']}")
    for pack in _packs(rules):
        click.echo(f"  {pack}")
    if rules["next"] is not None:
        click.echo(f"the flow has yet to come to the rules {rules['next']}")
    if reloads["is_running"]:
        click.echo("a reload is running")
    last = reloads["last"]
    if last is not None:
        found = cast(Fields, last)
        seconds = int(str(found["began"])) / NS_PER_S
        when = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"last reload {when} UTC, asked by {found['asked_by']}: {_outcome_line(found)}")
        if found["text"]:
            click.echo(str(found["text"]))
    return EXIT_OK


def _address(address: str | None, config: Path | None) -> str:
    """Where the engine listens: as given, as its configuration says, or the usual place."""
    if address is not None and config is not None:
        message = "give the engine's address or its configuration, not both"
        raise UsageError(message)
    if config is not None:
        return load_config(config).http
    return address or DEFAULT


def _ask(method: str, path: str, address: str) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        message = f"`{address}` is no HOST:PORT"
        raise UsageError(message)
    link = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=PATIENCE_S)
    try:
        link.request(method, path, headers=WISH)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        message = f"no engine answers at {address}: {error.strerror or error}"
        raise UnreachableError(message) from None
    except http.client.HTTPException as error:
        message = f"what answers at {address} is no engine: {type(error).__name__}"
        raise UnreachableError(message) from None
    finally:
        link.close()


def _read(text: str) -> Fields:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        message = f"what answers there is no engine of this version: {text[:80]!r}"
        raise UnreachableError(message)
    return said


def _packs(said: Fields) -> list[str]:
    packs = cast(list[dict[str, str]], said.get("packs") or [])
    return [f"{pack['name']} {pack['version']} {pack['digest'][:16]}" for pack in packs]


def _outcome_line(said: Fields) -> str:
    digest = str(said.get("digest", ""))[:16]
    match said.get("outcome"):
        case "activated" if said.get("is_judging"):
            return f"the new rules judge: {digest}, after {said['took_ms']} ms"
        case "activated":
            return f"the new rules {digest} are in the journal; the flow has yet to come to them"
        case "unchanged":
            return f"nothing has changed: {digest}"
        case "refused":
            count = len(cast(list[object], said["faults"]))
            return (
                f"{count} error{'s' if count != 1 else ''}; the rules that judged go on: {digest}"
            )
        case "busy":
            return "another reload is running"
        case _:
            return f"the rules could not be put live: {said.get('reason', '')}"
