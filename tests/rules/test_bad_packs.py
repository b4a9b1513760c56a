"""Every bad pack says at its end which faults it must give; these and no others are given."""

import re
from pathlib import Path

import pytest

from rules import book
from rules.errors import as_texts

BAD = Path(__file__).parent / "bad"
EXPECTED = re.compile(r"^# expect (\d+):(\d+) ([EWN]\d{3}) (.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_pack_gives_exactly_the_faults_it_states(path: Path) -> None:
    """A fault at the wrong place sends its reader to the wrong line."""
    stated = [
        (int(line), int(column), code, message)
        for line, column, code, message in EXPECTED.findall(path.read_text(encoding="utf-8"))
    ]
    found = book.load([path])
    assert stated
    assert not found.packs
    assert [
        (fault.place.line, fault.place.column, fault.code, fault.message) for fault in found.faults
    ] == stated


def blocks(text: str, name: str) -> set[str]:
    """The single faults of a text of many."""
    return {part.strip("\n") for part in re.split(rf"^(?={re.escape(name)}:)", text, flags=re.M)}


@pytest.mark.parametrize("name", ["bad-pack", "bad-pack-quoted"])
def test_the_messages_are_those_of_the_language_document(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authors have been shown these texts; a test keeps them true to the letter.

    The first fault of `bad-pack` stops the file; the rest appears once that is mended.
    """
    monkeypatch.chdir(BAD)
    stated = Path(f"{name}.txt").read_text(encoding="utf-8")
    given = as_texts(book.load([Path(f"{name}.yaml")]).faults)
    assert blocks(stated, f"{name}.yaml") <= blocks(given, f"{name}.yaml")


def test_all_faults_of_all_files_come_in_one_run_and_in_order() -> None:
    """Nobody wants to run `check` twenty times to find twenty mistakes."""
    found = book.load([BAD])
    places = [(f.place.file, f.place.line, f.place.column) for f in found.faults]
    assert places == sorted(places)
    assert {Path(file).name for file, _, _ in places} == {p.name for p in BAD.glob("*.yaml")}
