"""The tests that packs carry: what holds passes, what does not is said with its place."""

from pathlib import Path

import pytest

from engine.trial import Failure, try_scenario
from rules import book as rule_book
from tests.engine.plants import book_of, rule_text

LADDER = (
    "ladder: {value: value, above: {blue: 0.5, yellow: 0.8, orange: 1.0}, "
    "clear: {blue: 0.4, yellow: 0.7, orange: 0.8}, "
    "for: {blue: 1min, yellow: 30s, orange: 10s}, clear_for: 5min}"
)
ROOT = Path(__file__).resolve().parents[2]


def tried(feed: str, *expects: str, grading: str = LADDER, more: str = "") -> list[Failure]:
    tests = f'tests:\n  - name: t\n    feed: {{input: "{feed}"}}\n    expect:\n' + "\n".join(
        f"      - {expect}" for expect in expects
    )
    book = book_of(rule_text(grading, more=f"{more}\n{tests}".strip()))
    [pack] = book.packs
    [rule] = pack.rules
    [scenario] = rule.tests
    return try_scenario(pack, rule, scenario)


RISE = "0.2 for 2m, 1.2 for 10m, 0.2 for 20m @5s"


@pytest.mark.parametrize(
    "expect",
    [
        "{at: 1m59s, grade: none, state: inactive, quality: ok}",
        "{at: 2m05s, grade: none, state: pending}",
        "{at: 2m10s, grade: orange, state: active}",
        "{at: 13m, grade: orange, state: clearing}",
        "{at: 17m, grade: none, state: inactive}",
        "{never: red}",
        "{never: blind}",
        "{between: [2m, 3m], transitions: 1}",
        "{between: [17m, 30m], transitions: 0}",
        "{events: [raised orange @2m10s, cleared @17m]}",
    ],
)
def test_what_holds_passes(expect):
    """An author's sentence about time means the same as the engine's."""
    assert tried(RISE, expect) == []


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{at: 2m10s, grade: none}", "grade orange, not none"),
        ("{at: 2m10s, state: pending}", "state active, not pending"),
        ("{at: 2m10s, quality: blind}", "quality ok, not blind"),
        ("{never: yellow}", "raised orange @2m10s, which must never be"),
        ("{never: cleared}", "which must never happen"),
        ("{between: [2m, 3m], transitions: 2}", "expected 2 changes, found 1: raised orange"),
        (
            "{events: [raised orange @2m11s, cleared @17m]}",
            "raised orange @2m10s, cleared @17m",
        ),
        ("{events: []}", "the events were: raised orange"),
    ],
)
def test_what_does_not_hold_is_said_with_its_place(expect, said):
    [failure] = tried(RISE, "{at: 1m, grade: none}", expect)
    assert said in failure.text
    assert (failure.pack, failure.rule, failure.scenario) == ("p", "r", "t")
    assert Path(failure.place.file).name == "p.yaml"


def test_a_gap_makes_blind_and_nothing_is_cleared():
    """The worked example of the rule language: still orange, and blind."""
    assert (
        tried(
            "0.2 for 2m, 1.2 for 1m, gap 20m, 1.2 for 1m @5s",
            "{at: 20m, grade: orange, quality: blind}",
            "{never: cleared}",
            "{at: 23m55s, grade: orange, quality: ok}",
            more="quality: {stale_after: 30s}",
        )
        == []
    )


@pytest.mark.parametrize(
    ("grading", "feed"),
    [
        (LADDER, "0.2 for 2m, gap 20m, 0.2 for 1m @5s"),
        (LADDER, "0.2 for 2m, bad 0.2 for 20m, 0.2 for 1m @5s"),
        ("levels: {blue: {when: 'mean(30s) > 1'}}", "0.2 for 2m, gap 20m, 0.2 for 1m @5s"),
    ],
    ids=("gap", "bad readings", "window"),
)
@pytest.mark.parametrize("at", ["2m35s", "10m", "21m59s"])
def test_missing_data_are_told_before_any_warning_too(grading, feed, at):
    """`none` without data is no all-clear; an author's test must be able to say which it is."""
    more = "quality: {stale_after: 30s}"
    expects = (
        "{at: 1m59s, grade: none, quality: ok}",
        f"{{at: {at}, grade: none, quality: degraded}}",
        "{at: 22m40s, grade: none, quality: ok}",
    )
    assert tried(feed, *expects, grading=grading, more=more) == []


def test_a_warning_without_data_is_degraded_until_it_is_blind():
    """Between the last reading and `blind` a warning stands on what was."""
    expects = (
        "{at: 3m20s, grade: orange, quality: ok}",
        "{at: 3m40s, grade: orange, quality: degraded}",
        "{at: 20m, grade: orange, quality: blind}",
    )
    more = "quality: {stale_after: 30s, max_blind: 2m}"
    assert tried("0.2 for 2m, 1.2 for 1m, gap 20m @5s", *expects, more=more) == []


def test_late_and_bad_readings_are_what_they_say():
    """A bad reading is none; a late one comes when it comes."""
    assert tried("0.2 for 1m, bad 9 for 1m, 0.2 for 1m @5s", "{never: blue}") == []
    late = "levels: {blue: {when: 'max(10s) > 30'}}"
    assert tried("1 for 20s, late 40 by 1s, 1 for 20s @1s", "{never: blue}", grading=late)
    assert tried("1 for 20s, late 40 by 12min, 1 for 20s @1s", "{never: blue}", grading=late) == []


def test_the_packs_of_the_project_keep_their_own_tests():
    """What is delivered is what was tried."""
    folders = [ROOT / "configs" / name / "packs" for name in ("demo", "mine")]
    book = rule_book.load(folders)
    assert not book.errors
    tried_count = 0
    for pack in book.packs:
        for rule in pack.rules:
            for scenario in rule.tests:
                assert try_scenario(pack, rule, scenario) == []
                tried_count += 1
    assert tried_count > 10
