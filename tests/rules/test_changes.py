"""What is different between two sets of packs, key by key."""

from pathlib import Path

import pytest

from rules import book as rule_book
from rules.changes import changes
from tests.engine.journals import pack, rule


def books(tmp_path: Path, before: str, after: str):
    found = []
    for name, text in (("before", before), ("after", after)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "gas.yaml").write_text(text)
        found.append(rule_book.load([folder]))
        assert not found[-1].errors
    return found


def test_the_same_texts_are_no_change(tmp_path):
    """A plan that is never empty is read by nobody."""
    found = changes(*books(tmp_path, pack(rule()), pack(rule())))
    assert found.rules == found.packs == ()


def test_layout_is_no_change(tmp_path):
    """Comments and line breaks mean nothing."""
    loose = pack(rule()).replace("ladder:", "ladder:   # the only one\n")
    found = changes(*books(tmp_path, pack(rule()), loose))
    assert found.rules == ()


@pytest.mark.parametrize(
    ("after", "path", "sort", "texts"),
    [
        (rule(above="blue: 1, red: 3"), "ladder.above.red", "threshold", ("2", "3")),
        (rule(hold="1s"), "ladder.for", "timing", ("0s", "1s")),
        (rule(value="mean(5s)"), "ladder.value", "condition", ("value", "mean(5s)")),
        (rule().replace("hazard: gas", "hazard: fire"), "hazard", "policy", ("gas", "fire")),
        (rule().replace("en: Trial", "en: Test"), "title.en", "text", ("Trial", "Test")),
        (rule().replace("5s}", "6s}"), "quality.stale_after", "timing", ("5s", "6s")),
        (
            rule(above="blue: 1, yellow: 1.5, red: 2"),
            *("ladder.above.yellow", "threshold", ("", "1.5")),
        ),
    ],
)
def test_each_change_is_named_with_its_key_and_sort(after, path, sort, texts, tmp_path):
    """A threshold and a headline are not the same to whoever must approve the change."""
    [change] = changes(*books(tmp_path, pack(rule()), pack(after))).rules
    [part] = change.parts
    assert (change.kind, change.rule, part.path, part.sort) == ("changed", "gas/high", path, sort)
    assert (part.before, part.after) == texts


def test_rules_are_recognised_by_their_names_and_packs_by_what_is_beside_them(tmp_path):
    """The order of rules means nothing; a version does."""
    before = pack(rule("a"), rule("b"))
    after = pack(rule("c"), rule("a"), version="1.1.0")
    found = changes(*books(tmp_path, before, after))
    assert [c.rule for c in found.of("added")] == ["gas/c"]
    assert [c.rule for c in found.of("removed")] == ["gas/b"]
    assert found.of("changed") == ()
    [head] = found.packs
    assert [(p.path, p.before, p.after) for p in head.parts] == [("version", "1.0.0", "1.1.0")]
    assert found.of("added")[0].place.line == 6
