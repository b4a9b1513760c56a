"""Formatting: `tocsin fmt`, rule packs laid out as all packs are."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from engine.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE
from rules.canonical import NotLaidOut, canonical
from rules.yaml_text import FILE_BYTES_MAX


def fmt(paths: Sequence[Path], *, is_check: bool, is_diff: bool) -> int:
    """Lay out packs in place; with `is_check` or `is_diff` only say which would change."""
    changed = refused = 0
    count = 0
    for path in _packs(paths):
        count += 1
        before = path.read_bytes()
        try:
            if len(before) > FILE_BYTES_MAX:
                message = f"{path}: larger than {FILE_BYTES_MAX // 1024} KiB"
                raise NotLaidOut(message)
            after = canonical(before.decode("utf-8"), str(path))
        except (NotLaidOut, UnicodeDecodeError) as error:
            refused += 1
            click.echo(
                f"{error}" if isinstance(error, NotLaidOut) else f"{path}: {error}", err=True
            )
            continue
        if after.encode() == before:
            continue
        changed += 1
        if is_diff:
            _show(path, before.decode("utf-8"), after)
        elif is_check:
            click.echo(f"would change {path}")
        else:
            _replace(path, after)
            click.echo(f"changed {path}")
    verb = "would change" if is_check or is_diff else "changed"
    refusals = f", {refused} not laid out" if refused else ""
    plural = "" if count == 1 else "s"
    click.echo(f"{count} pack{plural}, {changed} {verb}{refusals}", err=True)
    if refused:
        return EXIT_USAGE
    return EXIT_FINDINGS if changed and (is_check or is_diff) else EXIT_OK


def _packs(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and the YAML files of folders that are rule packs or belong to some."""
    for path in paths:
        if path.is_file():
            yield path
            continue
        for inside in sorted(p for p in path.rglob("*.y*ml") if p.is_file()):
            with inside.open("rb") as file:
                head = file.read(4096)
            if any(line.startswith(b"tocsin:") for line in head.splitlines()):
                yield inside


def _replace(path: Path, text: str) -> None:
    """Write beside the file and rename, so that nobody ever reads half a pack."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(text.encode())
    draft.chmod(path.stat().st_mode & 0o777)
    draft.rename(path)


def _show(path: Path, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), str(path), lineterm=""
    )
    for line in lines:
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        click.echo(click.style(line, fg=style))
