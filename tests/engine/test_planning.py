"""Plans: what other rules would change, before they do."""

import json

import pytest

from engine.cli import run_command
from tests.engine.journals import START, S, pack, plant, record, rule

# A stands red at the end, B blue, C stood for a while, D is quiet below blue.
SIGNALS = {
    "A": [0.1] * 10 + [2.5] * 20,
    "B": [0.1] * 15 + [1.2] * 15,
    "C": [0.1] * 5 + [1.2] * 5 + [0.1] * 20,
    "D": [0.6] * 30,
}
BOTH = (rule(), rule("other", above="blue: 2.4"))


@pytest.fixture
def config(tmp_path):
    """An engine.yaml whose data folder holds half a minute."""
    made = plant(tmp_path / "plant", list(SIGNALS), pack(*BOTH))
    record(tmp_path / "plant" / "data" / "journal", SIGNALS)
    return made


def planned(capsys, config, new, *words):
    """The exit code and the JSON of a plan for one pack."""
    path = config.parent / "new.yaml"
    path.write_text(new)
    code = run_command(["plan", str(path), "--config", str(config), "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def acts(found):
    return [(turn["act"], (turn["after"] or turn["before"])["subject"]) for turn in found["now"]]


def test_the_same_rules_change_nothing(config, capsys):
    code, found = planned(capsys, config, pack(*BOTH))
    assert (code, found["rules"], found["now"], found["difference"]) == (0, [], [], None)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((rule(above="blue: 0.5, red: 2"), BOTH[1]), [("raise", "D")]),
        ((rule(above="blue: 1, red: 3"), BOTH[1]), [("downgrade", "A")]),
        ((rule(above="blue: 1, red: 1.1"), BOTH[1]), [("upgrade", "B")]),
        ((rule(above="blue: 1.4, red: 2"), BOTH[1]), [("end", "B")]),
        ((rule(),), [("supersede", "A")]),
        ((BOTH[1], rule().replace("en: Trial", "en: Other")), []),
    ],
)
def test_what_becomes_of_standing_warnings_is_said(rules, expected, config, capsys):
    """Whoever puts rules live at night must know which sirens will sound."""
    code, found = planned(capsys, config, pack(*rules))
    assert acts(found) == expected
    assert code == (1 if expected else 0)
    assert found["rules"]


def test_the_past_days_are_told_again(config, capsys):
    """C is over; only the difference over the past days knows of it."""
    _, found = planned(capsys, config, pack(rule(above="blue: 1.4, red: 2"), BOTH[1]))
    gone = [(tale["subject"], tale["raised"]) for tale in found["difference"]["gone"]]
    assert gone == [("C", START + 5 * S), ("B", START + 15 * S)]

    second = str(10 / 86_400)
    _, found = planned(
        capsys, config, pack(rule(above="blue: 1.4, red: 2"), BOTH[1]), "--days", second
    )
    assert [tale["subject"] for tale in found["difference"]["gone"]] == ["B"]


def test_a_person_sees_signs_and_sums(config, capsys):
    """Like a builder's plan: plus, minus, and how much of each."""
    path = config.parent / "new.yaml"
    path.write_text(pack(rule(above="blue: 1, red: 1.1"), rule("third")))
    assert run_command(["plan", str(path), "--config", str(config)]) == 1
    said = capsys.readouterr().out
    for part in (
        "+ gas/third",
        "- gas/other",
        "~ gas/high",
        "ladder.above.red: 2 → 1.1",
        "Plan: 1 to add, 1 to change, 1 to remove.",
        "upgrade",
        "supersede",
        "Over the last 7 days",
    ):
        assert part in said, part


def test_rules_that_are_refused_end_the_plan(config, capsys):
    path = config.parent / "new.yaml"
    path.write_text(pack(rule(above="blue: 2, red: 1")))
    assert run_command(["plan", str(path), "--config", str(config)]) == 78
    assert "E301" in capsys.readouterr().err


def test_without_a_journal_only_the_rules_are_compared(tmp_path, capsys):
    config = plant(tmp_path / "plant", ["A"], pack(rule()))
    code, found = planned(capsys, config, pack(rule("new")))
    assert [change["kind"] for change in found["rules"]] == ["added", "removed"]
    assert (code, found["now"], found["difference"]) == (0, [], None)
