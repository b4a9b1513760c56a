"""Explain: what a code, a feature or the list of them means, for people at a terminal."""

import click

from engine.errors import EXIT_OK, UsageError
from engine.nearest import did_you_mean
from engine.pages import PAGES
from rules.vocabulary import features_text


def explain(topic: str) -> int:
    """Print the page of a code such as E713, `codes`, or `features`."""
    if topic == "codes":
        for name, known_page in sorted(PAGES.items()):
            click.echo(f"{name}  {known_page.title}")
        return EXIT_OK
    if topic == "features":
        click.echo(features_text())
        return EXIT_OK
    code = topic.upper()
    page = PAGES.get(code)
    if page is None:
        known = ["codes", "features", *PAGES]
        message = f"there is no page `{topic}`; {did_you_mean(code, known)}"
        raise UsageError(message)
    click.echo(f"{code}: {page.title}")
    if page.why:
        click.echo(f"\n{page.why}")
    if page.wrong:
        click.echo(f"\n  wrong  {page.wrong}\n  right  {page.right}")
    return EXIT_OK
