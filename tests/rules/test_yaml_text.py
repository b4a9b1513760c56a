"""YAML is read by people who are in a hurry and by attackers who are not."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import Faults, as_texts
from rules.yaml_text import (
    DEPTH_MAX,
    FILE_BYTES_MAX,
    ListNode,
    MapNode,
    Node,
    TextNode,
    read_bytes,
    read_file,
    read_text,
)
from tests.rules.writing import codes

# Long enough for a loaded machine, short enough to tell a linear reader from a quadratic one.
SOON_S = 5.0


def read(text: str) -> tuple[Node | None, Faults]:
    faults = Faults()
    return read_text(text, "t.yaml", faults), faults


def value_of(text: str) -> TextNode:
    node, faults = read(text)
    assert not len(faults), as_texts(faults)
    assert isinstance(node, MapNode)
    value = node.entries[0][1]
    assert isinstance(value, TextNode)
    return value


@pytest.mark.parametrize(
    "text",
    [
        *("no", "on", "yes", "True", "~", "null", "12:30", "12:30:45", "017", "0o17", "1e3", "="),
        *("1_000", "0x1F", ".nan", ".inf", "2026-11-24", "1.0", "<<", "5m", "60%", "N/A"),
    ],
)
def test_every_scalar_stays_the_text_that_was_written(text: str) -> None:
    """YAML 1.1 makes 750 of 12:30 and 15 of 017; a hold of 750 minutes is not 12:30."""
    assert value_of(f"a: {text}").text == text


def test_quotes_fold_and_escape_as_yaml_says() -> None:
    assert value_of('a: "x\\ty\\u7532"').text == "x\ty甲"
    assert value_of("a: 'it''s'").text == "it's"
    assert value_of("a: >-\n  x\n  y").text == "x y"
    assert value_of("a: |\n  x\n  y\n").text == "x\ny\n"


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\na: 2", "E004", 2, 1),
        ("a: {b: 1, c: 2, b: 3}", "E004", 1, 17),
        ("a: &x 1", "E007", 1, 4),
        ("a: [&x 1]", "E007", 1, 5),
        ("a: *x", "E007", 1, 4),
        ("<<: *x", "E007", 1, 5),
        ("a: !!float 1", "E007", 1, 4),
        ("a: !x {}", "E007", 1, 4),
        ("%YAML 1.2\n---\na: 1", "E007", 1, 1),
        ("a: 1\n---\nb: 2", "E007", 2, 1),
        ("a:\n\tb: 1", "E005", 2, 1),
        ('a: "x\ty"', "E005", 1, 6),
        ("a: \x07", "E002", 1, 4),
        ("a: %", "E001", 1, 4),
        ("a: b: c", "E001", 1, 5),
        ("a: 'b", "E001", 1, 6),
        ("a:\n  b: 1\n c: 2", "E001", 3, 2),
        ("? [a]\n: b", "E001", 1, 3),
        ("", "E002", 1, 1),
        ("# nothing", "E002", 1, 1),
    ],
)
def test_what_is_dangerous_or_ambiguous_is_refused_at_its_place(
    text: str, code: str, line: int, column: int
) -> None:
    _, faults = read(text)
    assert codes(faults) == [code]
    place = faults.sorted()[0].place
    assert (place.line, place.column) == (line, column)


def test_all_duplicate_keys_are_found_at_once() -> None:
    _, faults = read("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3")
    assert codes(faults) == ["E004"] * 3


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 60_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: [" * 60_000,
        "\n".join(" " * depth + "a:" for depth in range(600)),
        "a: " + "[" * 100_000 + "]" * 100_000,
    ],
    ids=["flow", "maps", "dashes", "keys", "mixed", "indents", "closed"],
)
def test_nesting_without_end_is_refused_soon_and_with_a_place(text: str) -> None:
    """The C parser crashes on this, and a recursive one runs out of stack."""
    start = time.perf_counter()
    node, faults = read(text)
    assert time.perf_counter() - start < SOON_S
    assert node is None
    assert codes(faults) in (["E006"], ["E001"])
    assert faults.sorted()[0].place.line >= 1


def test_what_is_just_deep_enough_is_read() -> None:
    node, faults = read("[" * DEPTH_MAX + "]" * DEPTH_MAX)
    assert not len(faults)
    assert isinstance(node, ListNode)
    assert read("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1))[0] is None


@pytest.mark.parametrize("size", [FILE_BYTES_MAX + 1, 1 << 20])
def test_a_large_file_is_refused_before_it_is_parsed(size: int, tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * (size // 5 + 1))
    faults = Faults()
    start = time.perf_counter()
    assert read_file(path, faults) is None
    assert time.perf_counter() - start < 1.0
    assert codes(faults) == ["E002"]
    assert (faults.sorted()[0].place.line, faults.sorted()[0].place.column) == (1, 1)


@pytest.mark.parametrize(
    "content", ["甲".encode("gbk"), b"a: 1\nb: \xff\xfe", "a: 1".encode("utf-16")]
)
def test_other_encodings_are_refused_with_the_place_of_the_first_bad_byte(content: bytes) -> None:
    faults = Faults()
    assert read_bytes(content, "t.yaml", faults) is None
    assert codes(faults) == ["E002"]
    assert faults.sorted()[0].place.line == (2 if content.startswith(b"a: 1\n") else 1)


def test_a_byte_order_mark_is_no_letter_of_the_first_key() -> None:
    """Editors on Windows write one; `\\ufefftocsin` would be an unknown key."""
    faults = Faults()
    node = read_bytes("\ufefftocsin: 1".encode(), "t.yaml", faults)
    assert isinstance(node, MapNode)
    assert node.entries[0][0].text == "tocsin"
    assert node.entries[0][0].place.column == 1


def test_a_file_that_is_not_there_is_a_fault_and_not_a_traceback(tmp_path: Path) -> None:
    faults = Faults()
    assert read_file(tmp_path / "none.yaml", faults) is None
    assert read_file(tmp_path, faults) is None
    assert codes(faults) == ["E002", "E002"]


words = st.text("abcxyz甲烷0123 _.", min_size=1, max_size=12).filter(
    lambda word: word.strip() == word and word.strip(".") != ""
)


@given(st.dictionaries(words, words, min_size=1, max_size=5))
def test_places_point_at_the_words_themselves(entries: dict[str, str]) -> None:
    """Every place cut out of the file must be the text it stands for."""
    text = "\n".join(f"{key}:   {value}" for key, value in entries.items())
    node, faults = read(text)
    assert not len(faults), as_texts(faults)
    assert isinstance(node, MapNode)
    lines = text.split("\n")
    for key, value in node.entries:
        for part in (key, value):
            assert isinstance(part, TextNode)
            place = part.place
            line = lines[place.line - 1]
            assert line[place.column - 1 : place.column - 1 + place.length] == part.text
            assert place.line_text == line


@given(words, words, st.sampled_from(["{}", "'{}'", '"{}"', ">-\n  {}", "|-\n  {}"]))
def test_a_part_of_a_scalar_has_its_own_place(first: str, second: str, style: str) -> None:
    """Faults inside expressions point at a word, however the expression is quoted."""
    value = value_of("a: " + style.format(f"{first}+{second}"))
    place = value.part(len(first) + 1, len(first) + 1 + len(second))
    shown = place.line_text[place.column - 1 : place.column - 1 + place.length]
    assert shown == second


@given(st.text(max_size=300))
def test_no_text_whatever_makes_the_reader_fail(text: str) -> None:
    """Either it is read, or a fault says where it cannot be."""
    node, faults = read(text)
    assert (node is None) <= bool(faults.errors())
    for fault in faults:
        assert 1 <= fault.place.line <= text.count("\n") + text.count("\r") + 50
        assert fault.place.column >= 1


@given(st.binary(max_size=300))
def test_no_bytes_whatever_make_the_reader_fail(content: bytes) -> None:
    faults = Faults()
    node = read_bytes(content, "t.yaml", faults)
    assert (node is None) <= bool(faults.errors())


@given(st.text("[]{}:,-? \n'\"#&*!|>%@`a\\", max_size=80))
def test_no_heap_of_punctuation_makes_the_reader_fail(text: str) -> None:
    """Letters that mean something to YAML find more corners than others."""
    node, faults = read(text)
    assert (node is None) <= bool(faults.errors())
