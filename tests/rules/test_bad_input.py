"""Whatever is handed in as a pack, the answer is a place and a sentence, soon."""

import time
from pathlib import Path

import pytest

from rules import book
from rules.errors import Faults
from rules.yaml_text import FILE_BYTES_MAX, read_text
from tests.rules.writing import codes, load_text, pack_text

# What nobody waits for longer, be the machine as busy as it may.
PATIENCE_S = 20


def nested(opening: str, closing: str) -> str:
    return f"tocsin: 1\npack: {opening * 50_000}{closing * 50_000}\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tocsin: 1\n# " + "x" * 10_000_000, "E002"),
        (nested("[", "]"), "E006"),
        (nested("{a: ", "}"), "E006"),
        (nested("- ", ""), "E001"),
        ("[" * 100_000, "E006"),
        ("a: '" + "[" * 100_000, "E001"),
        ("tocsin: 1\nrules: [" + "{}, " * 30_000 + "]\n", "E012"),
        (pack_text(levels="blue: {when: '" + "(" * 100_000 + "'}"), "E103"),
        (pack_text(levels="blue: {when: '" + "-" * 2000 + "1 > value'}"), "E103"),
        (pack_text("let: {a: b, b: a}", levels="blue: {when: a > 1 %}"), "E113"),
        (
            pack_text(levels="blue: {when: f(value) > 1 %}").replace(
                "rules:", "macros: {f(x): f(x)}\nrules:"
            ),
            "E121",
        ),
    ],
    ids=lambda value: value[:12] if len(value) > 4 else value,
)
def test_a_pack_that_is_made_to_hurt_is_refused_soon(text: str, code: str, tmp_path: Path) -> None:
    began = time.perf_counter()
    found = load_text(tmp_path, text)
    assert time.perf_counter() - began < PATIENCE_S
    assert code in codes(found.errors)
    assert not found.packs
    for fault in found.errors:
        assert len(str(fault)) < 1000 + len(str(tmp_path))


def test_the_limit_of_a_file_is_said(tmp_path: Path) -> None:
    (fault,) = load_text(tmp_path, "a" * (FILE_BYTES_MAX + 1)).faults
    assert fault.message == "the file is larger than 256 KiB"
    assert fault.help == "split it: each pack is a file of its own"


def test_a_fault_in_one_of_many_packs_leaves_the_others(tmp_path: Path) -> None:
    """The running set is the other packs, whatever one of them holds."""
    for number in range(4):
        text = pack_text().replace("pack: p", f"pack: p{number}").replace("methane", f"t{number}")
        (tmp_path / f"p{number}.yaml").write_text(text)
    (tmp_path / "q.yaml").write_text("[" * 100_000)
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    found = book.load([tmp_path])
    assert codes(found.errors) == ["E006", "E002"]
    assert len(found.packs) == 4


def test_what_the_fast_parser_refuses_the_other_explains() -> None:
    """Both read the same text; the places that people see are those of one of them."""
    faults = Faults()
    assert read_text("a: {unit: %}\n", "p.yaml", faults) is None
    (fault,) = faults
    assert (fault.place.line, fault.place.column) == (1, 11)
    assert fault.help == 'quote it: `unit: "%"`'
