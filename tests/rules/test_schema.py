"""What editors know of the language: every key in both languages, and nothing that is not there."""

import json
from pathlib import Path

import pytest
import yaml

from engine import reference
from engine.cli import run_command
from rules.keys import SECTIONS, keys
from rules.schema import schema, schema_text
from tests.reference.json_schema import complaints

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "configs" / "schema" / "rules.schema.json"
PAGES = ROOT / "docs" / "reference"
PACKS = sorted(p for p in (ROOT / "configs").rglob("*.yaml") if "packs" in p.parent.parts[-1])
# What a key says in the wrong shape or by the wrong name.
WRONG = [
    ("rules:", "rulez:"),
    ("mode: live", "mode: life"),
    ("by: [sensor]", "by: sensor"),
    ("tocsin: 1", "tocsin: 2"),
]


class Core(yaml.SafeLoader):
    """YAML 1.2's core, as the editors' server reads it: `no` is a text, and so is a date."""


Core.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag.endswith((":int", ":float", ":null"))]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for letter in "tTfF":
    Core.yaml_implicit_resolvers.setdefault(letter, []).append(
        ("tag:yaml.org,2002:bool", __import__("re").compile("^(?:true|false)$"))
    )


def loaded(text):
    return yaml.load(text, Core)


def test_every_key_of_the_language_is_described_in_both_languages():
    """A key that is added without a word about it is one that nobody finds."""
    for name, section in SECTIONS.items():
        described = keys()[name]
        assert set(described) == section.now, name
        for key in described.values():
            assert key.en, (name, key.name)
            assert any("一" <= letter <= "鿿" for letter in key.zh), (name, key.name)


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_the_schema_accepts_every_pack(path):
    """An editor that underlines what is right is switched off."""
    found = loaded(path.read_text(encoding="utf-8"))
    assert complaints(found, schema(), schema()) == []


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_every_pack_points_to_the_schema(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == SCHEMA


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_the_schema_refuses_what_check_refuses(right, wrong):
    text = (ROOT / "configs" / "demo" / "packs" / "coal-gas.yaml").read_text(encoding="utf-8")
    assert right in text
    assert complaints(loaded(text.replace(right, wrong)), schema(), schema()) != []


def test_what_was_written_is_what_the_code_says(capsys):
    """Stale pages teach what is no longer true. `tocsin reference docs/reference` writes them,
    `tocsin schema --out configs/schema/rules.schema.json` the schema."""
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()
    stale = [name for name, text in reference.pages().items() if (PAGES / name).read_text() != text]
    assert stale == []
    assert run_command(["reference", str(PAGES), "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_the_commands_write_and_find_stale_pages(tmp_path, capsys):
    assert run_command(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Tocsin rule pack"
    assert run_command(["reference", str(tmp_path / "pages")]) == 0
    (tmp_path / "pages" / "units.md").write_text("old\n")
    capsys.readouterr()
    assert run_command(["reference", str(tmp_path / "pages"), "--check"]) == 1
    assert capsys.readouterr().out == f"stale {tmp_path / 'pages' / 'units.md'}\n"
