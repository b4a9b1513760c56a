"""Packs for tests, written around the one thing a test is about."""

from pathlib import Path

import yaml

from rules import book
from rules.errors import Fault, Faults
from rules.pack import Book, Rule
from rules.yaml_text import MapNode, TextNode, read_text

LADDER = "value: value\nabove: {blue: 1}"


def indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line if line else line for line in text.split("\n"))


def pack_text(
    rule: str = "", *, ladder: str = "", levels: str = "", unit: str = '"%"', hazard: str = "gas"
) -> str:
    """A pack of one rule in the unit given, with a ladder unless levels are given."""
    if levels:
        grading = f"levels:\n{indented(levels, 2)}"
    else:
        grading = f"ladder:\n{indented(ladder or LADDER, 2)}"
    defaults = {
        "title": "title: {zh: 甲烷超限, en: Methane over limit}",
        "hazard": f"hazard: {hazard}",
        "input": f"input: {{type: methane, unit: {unit}, period: 5s}}",
        "by": "by: [sensor]",
    }
    own = {line.partition(":")[0].strip() for line in rule.split("\n")}
    kept = [line for key, line in defaults.items() if key not in own]
    body = "\n".join([*kept, grading, rule])
    return f"tocsin: 1\npack: p\nversion: 1.0.0\nowner: o\nrules:\n  - id: r\n{indented(body, 4)}\n"


def load_text(folder: Path, text: str, name: str = "p.yaml") -> Book:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return book.load([path])


def only_rule(folder: Path, text: str) -> Rule:
    """The rule of a pack without errors."""
    found = load_text(folder, text)
    assert not found.errors, [str(fault) for fault in found.faults]
    return found.packs[0].rules[0]


def codes(faults: Faults | list[Fault]) -> list[str]:
    return [fault.code for fault in faults]


def scalar(text: str) -> TextNode:
    """A scalar as it stands in a file, after `x: `."""
    quoted = yaml.safe_dump(text, allow_unicode=True, width=10**6).strip().removesuffix("\n...")
    node = read_text(f"x: {quoted}\n", "t.yaml", Faults())
    assert isinstance(node, MapNode)
    value = node.entries[0][1]
    assert isinstance(value, TextNode)
    assert value.text == text
    return value
