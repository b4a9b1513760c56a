"""What an editor offers: at every place of a pack the keys and words that belong there."""

import pytest

from rules.editing import meaning, spot_of, suggestions
from rules.feature_words import FEATURES
from rules.keys import SECTIONS

PACK = """\
tocsin: 1
pack: p
rules:
  - id: a
    title: {zh: 甲, en: A}
    inputs:
      gas:
        type: methane
    quality:
      stale_after: 5s
    mode: live
    ladder:
      value: mean(5m)
      above: {blue: 1}
    levels:
      red: {when: value >= 1 %, for: 1s}
    tests:
      - name: t
        expect: [{at: 2m, grade: red}]
"""


def at(mark):
    """The spot in front of a mark `^` that is put into the pack after a text."""
    text, _, _ = mark.partition("^")
    place = PACK.index(text) + len(text)
    line = PACK[:place].count("\n")
    column = place - (PACK.rfind("\n", 0, place) + 1)
    return spot_of(PACK, line, column), PACK.splitlines()[line]


@pytest.mark.parametrize(
    ("mark", "section", "key"),
    [
        ("pack^", "pack", None),
        ("  - id^", "rule", None),
        ("    mode^", "rule", None),
        ("    mode: ^", "rule", "mode"),
        ("        type^", "input", None),
        ("      stale_after^", "quality", None),
        ("      stale_after: ^", "quality", "stale_after"),
        ("      value: m^", "ladder", "value"),
        ("      red: {wh^", "level", None),
        ("      red: {when: v^", "level", "when"),
        ("      - name^", "test", None),
        ("[{at: 2m, gr^", "expect", None),
        ("[{at: 2m, grade: ^", "expect", "grade"),
        ("    title: {zh: 甲, e^", "zh and en", None),
    ],
)
def test_a_cursor_knows_its_section_and_key(mark, section, key):
    spot, _ = at(mark)
    assert (spot.section, spot.key) == (section, key)


def test_a_half_written_line_knows_where_it_is():
    """Nobody completes what is already whole."""
    text = PACK + "      - na"
    spot = spot_of(text, text.count("\n"), 10)
    assert spot.section == "test"
    text = "tocsin: 1\nrules:\n  - id: a\n    "
    offered = {one.label for one in suggestions(spot_of(text, 3, 4))}
    assert offered == SECTIONS["rule"].now - {"id"}
    assert suggestions(spot_of("", 0, 0))


def test_values_are_offered_where_there_are_few():
    labels = [one.label for one in suggestions(at("    mode: ^")[0])]
    assert labels == ["live", "shadow", "disabled"]
    assert "red" in [one.label for one in suggestions(at("[{at: 2m, grade: ^")[0])]
    offered = [one.insert for one in suggestions(at("      red: {when: v^")[0])]
    assert set(offered) == set(FEATURES)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("      stale_afte^", "stale_after"),
        ("      value: mea^", "mean of the readings"),
        ("value >= 1 %^", "a share"),
        ("    mode^", "shadow"),
    ],
)
def test_a_word_under_the_cursor_is_explained(mark, said):
    assert said in meaning(*at(mark))


def test_every_place_of_a_pack_is_a_spot():
    """A server that falls over takes the editor's help with it."""
    lines = PACK.splitlines()
    for line, text in enumerate(lines):
        for column in range(len(text) + 1):
            spot = spot_of(PACK, line, column)
            suggestions(spot)
            meaning(spot, text)
            suggestions(spot_of(PACK[: PACK.index(text) + column], line, column))
