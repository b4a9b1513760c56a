"""Duty: an operator's act is handed to a running engine, which writes it down and obeys it."""

import json
import urllib.error
import urllib.request

import click

from engine.errors import EXIT_OK, UnreachableError, UsageError

PATIENCE_S = 10.0


def act(http: str, wish: dict[str, object]) -> int:
    """Hand an act over; returns when the engine has it in its journal."""
    request = urllib.request.Request(
        f"http://{http}/acts",
        data=json.dumps(wish).encode(),
        headers={"Content-Type": "application/json", "X-Tocsin": "act"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            click.echo(answer.read().decode().rstrip())
    except urllib.error.HTTPError as refusal:
        text = refusal.read().decode(errors="replace").strip()
        raise UsageError(text or f"the engine refused: {refusal.code}") from None
    except OSError as problem:
        reason = getattr(problem, "reason", problem)
        text = f"no engine answers at {http}: {getattr(reason, 'strerror', None) or reason}"
        raise UnreachableError(text) from None
    return EXIT_OK
