"""One layout for all packs: comments stay, meanings stay, and a second time changes nothing."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.canonical import NotLaidOut, canonical
from rules.errors import Faults
from rules.yaml_text import ListNode, MapNode, TextNode, read_text

ROOT = Path(__file__).resolve().parents[2]
PACKS = sorted(p for p in (ROOT / "configs").rglob("*.yaml") if "packs" in p.parts)
MESSY = """\
# the first line

tocsin:   1
pack: messy   # its name
version: 1.0.0
rules:
    -   id: a            # the rule


        title:
            en: "A"     # English
            zh: 甲
        by: [sensor,   site]
        ladder: {value: value,above: {blue: 1,
                 red: 2}}
        # between
        levels:
            blue: {when: a}
            yellow: {when: b, for: 1h}
        note: >
            folded
              deeper
            text

        # the end of a
    - id: b
      tests: []
# the end
"""
TIDY = """\
# the first line

tocsin: 1
pack: messy  # its name
version: 1.0.0
rules:
  - id: a  # the rule

    title:
      en: "A"  # English
      zh: 甲
    by: [sensor, site]
    ladder: {value: value, above: {blue: 1,
                                   red: 2}}
    # between
    levels:
      blue:   {when: a}
      yellow: {when: b, for: 1h}
    note: >
      folded
        deeper
      text

    # the end of a
  - id: b
    tests: []
# the end
"""


def meaning(text):
    """Everything a reader of the tree can see."""
    faults = Faults()
    node = read_text(text, "pack", faults)
    assert not faults.errors(), [str(fault) for fault in faults]

    def told(node):
        match node:
            case TextNode(text=text):
                return text
            case ListNode(items=items):
                return [told(item) for item in items]
            case MapNode(entries=entries):
                return [(key.text, told(value)) for key, value in entries]

    return told(node)


def comments(text):
    return sorted(re.findall(r"(?:^|\s)(# .*)", text, re.MULTILINE))


def test_a_messy_pack_is_tidied():
    assert canonical(MESSY) == TIDY


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.stem)
def test_every_pack_keeps_its_meaning_and_its_comments(path):
    """A formatter that loses a threshold, or the reason for it, is worse than none."""
    text = path.read_text()
    tidy = canonical(text)
    assert meaning(tidy) == meaning(text)
    assert comments(tidy) == comments(text)
    assert canonical(tidy) == tidy


@settings(max_examples=60)
@given(
    path=st.sampled_from(PACKS),
    steps=st.integers(1, 3),
    seed=st.randoms(use_true_random=False),
)
def test_however_it_was_written_it_comes_out_the_same(path, steps, seed):
    """Indents, spaces and blank lines are nobody's: two authors' files differ only in what they
    say."""
    text = canonical(path.read_text())
    lines = []
    for line in text.splitlines():
        body = line.lstrip(" ")
        indent = len(line) - len(body)
        if body.startswith("- "):
            body = "-" + " " * (2 * steps - 1) + body[2:]
        lines.append(" " * (indent * steps) + body + " " * seed.randint(0, 2))
        if "#" not in line and seed.random() < 0.05:
            lines.append("")
    mangled = "\n".join(lines) + "\n" * seed.randint(1, 3)

    tidy = canonical(mangled)

    assert meaning(tidy) == meaning(mangled)
    assert canonical(tidy) == tidy
    packed = [line for line in text.splitlines() if line]
    # Continued lines of a flow are written below its bracket, wherever they were.
    if not any(line.rstrip().endswith(",") for line in packed):
        assert [line for line in tidy.splitlines() if line] == packed


def test_what_cannot_be_read_is_not_touched():
    for text in ("a: [1\n", "a: 1\na: 2\n", "a:\n\t- 1\n"):
        with pytest.raises(NotLaidOut):
            canonical(text)


def test_comments_inside_brackets_stay_where_they_are():
    text = "a: {b: 1,  # one\n    c: 2}\n"
    assert canonical(text) == text
