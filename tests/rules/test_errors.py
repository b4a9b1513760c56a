"""Faults are the first thing of Tocsin that a rule author meets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import (
    Fault,
    Faults,
    Place,
    RuleErrors,
    as_json,
    as_text,
    did_you_mean,
    nearest,
    width,
)

PLACE = Place("p.yaml", 7, 3, 2, "  ab cd")


def test_a_fault_shows_its_line_and_points_at_the_words() -> None:
    """Whoever reads it should not have to open the file to see what is meant."""
    fault = Fault("E021", PLACE, "unknown key `ab`", "did you mean `abc`?", "and nothing else")
    assert as_text(fault) == (
        "p.yaml:7:3: error[E021]: unknown key `ab`\n"
        "    7 |   ab cd\n"
        "      |   ^^\n"
        "      = help: did you mean `abc`?\n"
        "      = and nothing else"
    )


def test_the_caret_stands_under_chinese_words() -> None:
    """A Chinese letter is two columns wide; a caret counted in letters would be beside it."""
    line = "title: {zh: 甲烷, en: %}"
    text = as_text(Fault("E001", Place("p", 1, line.index("%") + 1, 1, line), "m"))
    assert text.splitlines()[2].index("^") == len("      | ") + width(line[: line.index("%")])


def test_of_a_long_line_a_window_is_shown() -> None:
    """A line of 200 KB would bury the fault that it holds."""
    line = "x" * 5000 + "HERE" + "y" * 5000
    shown = as_text(Fault("E001", Place("p", 1, 5001, 4, line), "m")).splitlines()
    assert max(map(len, shown)) < 200
    at = shown[2].index("^")
    assert shown[1][at : at + 4] == "HERE"


def test_a_fault_of_a_whole_file_shows_no_line() -> None:
    assert as_text(Fault("E002", Place("p.yaml", 0, 0), "gone")) == "p.yaml: error[E002]: gone"


def test_faults_come_in_the_order_of_the_files_and_once() -> None:
    """One mistake used three times is one mistake."""
    faults = Faults()
    for line in (9, 2, 9):
        faults.add("E001", Place("b", line, 1), "m")
    faults.add("W001", Place("a", 5, 1), "m")
    assert [(f.place.file, f.place.line) for f in faults] == [("a", 5), ("b", 2), ("b", 9)]
    assert [f.code for f in faults.errors()] == ["E001", "E001"]
    assert [f.code for f in faults.warnings()] == ["W001"]


def test_rule_errors_carry_every_fault() -> None:
    faults = Faults()
    faults.add("E001", PLACE, "first")
    faults.add("E002", PLACE, "second")
    with pytest.raises(RuleErrors, match=r"(?s)first.*second") as raised:
        raise RuleErrors(faults)
    assert raised.value.faults is faults


def test_an_editor_gets_ranges_that_count_from_zero() -> None:
    """Editors underline `range` and put in `fix.newText`; both must fit the file."""
    fault = Fault("E021", PLACE, "m", "h", "n", "abc")
    assert json.loads(as_json([fault])) == [
        {
            "file": "p.yaml",
            "range": {"start": {"line": 6, "character": 2}, "end": {"line": 6, "character": 4}},
            "severity": "error",
            "code": "E021",
            "message": "m",
            "help": "h",
            "note": "n",
            "fix": {"newText": "abc"},
        }
    ]


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=6))
def test_a_suggestion_is_always_a_known_word(word: str, known: list[str]) -> None:
    """A suggestion that is itself wrong costs more time than none."""
    assert nearest(word, known) in {"", *known}


def test_where_nothing_is_near_all_known_words_are_named() -> None:
    assert did_you_mean("clear_fro", ["clear", "clear_for"]) == "did you mean `clear_for`?"
    assert did_you_mean("xyz", ["live", "disabled"]) == "known: `disabled`, `live`"
