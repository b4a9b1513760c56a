"""Replays: what a journal tells again, how soon it told, and what other rules would have told."""

import json

import pytest

from engine.cli import run_command
from engine.drive import ClosedJournal
from engine.replaying import span_of
from engine.rerun import Sources, rerun
from engine.tales import compare
from engine.truths import lead_of, read_truths, unfounded
from rules.grade import Grade
from tests.engine.journals import START, S, pack, plant, record, rule

# A: blue at 10 s, red at 20 s, over at 30 s + 2 s; B: red at 40 s, then silence; C: quiet.
SIGNALS = {
    "A": [0.1] * 10 + [1.5] * 10 + [2.5] * 10 + [0.1] * 30,
    "B": [0.1] * 40 + [3.0] * 5,
    "C": [0.1] * 60,
}
MINUTE = "2026-01-01T00:01:00Z"


@pytest.fixture
def made(tmp_path):
    """An engine.yaml and the journal of a minute."""
    return plant(tmp_path / "plant", list(SIGNALS), pack(rule())), record(tmp_path / "j", SIGNALS)


def replayed(capsys, *words):
    """The JSON that the command prints."""
    code = run_command(["replay", *map(str, words), "--quiet", "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)


def at(second):
    return START + second * S


def test_a_replay_tells_every_warning_with_its_times(made, capsys):
    """Who asks what happened must get instants, not impressions."""
    config, journal = made

    found = replayed(capsys, journal, "--config", config)

    a, b = found["warnings"]
    assert (a["subject"], a["peak"], a["raised"], a["ended"]) == ("A", "red", at(10), at(32))
    assert [step["time"] for step in a["steps"]] == [at(10), at(20), at(32)]
    assert (b["subject"], b["raised"], b["ended"]) == ("B", at(40), None)
    assert "blind" in [step["event"] for step in b["steps"]]
    [row] = found["rules"]
    assert row["by_peak"] == {"blue": 0, "yellow": 0, "orange": 0, "red": 2}
    assert (row["raised"], row["open"], row["blind"], row["to_peak"]) == (2, 1, 1, 5 * S)
    assert found["readings"] == 165
    assert (found["ticks"], found["sensors"]) == (60, 3)
    assert row["sensor_days"] == pytest.approx(3 * 59.5 / 86_400, rel=0.02)


def test_a_span_leaves_out_what_was_over_before_and_what_came_later(made, capsys):
    """What stood at its beginning is told although it was raised earlier."""
    config, journal = made

    def told(*span):
        found = replayed(capsys, journal, "--config", config, *span)
        return [(w["subject"], len(w["steps"])) for w in found["warnings"]]

    assert told("--from", "2026-01-01T00:00:35Z") == [("B", 2)]
    assert told("--to", "2026-01-01T00:00:25Z") == [("A", 2)]
    assert told("--from", "2026-01-01T00:00:25Z", "--to", "2026-01-01T00:00:30Z") == [("A", 2)]


def test_other_rules_are_held_against_those_of_the_configuration(made, tmp_path, capsys):
    """Before a rule is changed its author wants to know what it would have changed."""
    config, journal = made
    (tmp_path / "new.yaml").write_text(pack(rule(above="red: 2"), rule("more", above="blue: 0.05")))

    found = replayed(capsys, journal, "--config", config, "--rules", tmp_path / "new.yaml")
    same = replayed(capsys, journal, "--config", config, "--against", config.parent / "packs")

    [changed] = found["difference"]["changed"]
    assert changed["before"]["raised"] == at(10)
    assert changed["after"]["raised"] == at(20)
    assert {w["rule"] for w in found["difference"]["new"]} == {"gas/more"}
    assert len(found["difference"]["new"]) == 3
    assert found["difference"]["gone"] == []
    assert same["difference"] == {"new": [], "gone": [], "changed": [], "same": 2}


def test_a_catalogue_and_rules_are_enough(made, capsys):
    """A journal of somebody else comes without an engine.yaml; its ticks say what clock it had."""
    config, journal = made
    home = config.parent

    whole = replayed(capsys, journal, "--config", config)
    bare = replayed(capsys, journal, "--catalogue", home / "catalogue", "--rules", home / "packs")

    assert bare["warnings"] == whole["warnings"]
    assert run_command(["replay", str(journal)]) == 2
    assert "give --config" in capsys.readouterr().err


def test_leads_and_false_alarms_are_counted_against_what_happened(made, tmp_path, capsys):
    """Lead is the time that people had; a warning about nothing costs their trust."""
    config, journal = made
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "time,until,name,site,grade\n"
        f"2026-01-01T00:00:30Z,,outburst,SITE-A,red\n"
        f"2026-01-01T00:00:30Z,{MINUTE},slow one,SITE-C,\n"
    )

    found = replayed(capsys, journal, "--config", config, "--truth", truth, "--before", "15s")

    outburst, slow = found["events"]
    assert outburst["told"]
    assert outburst["lead"] == {"blue": 20 * S, "yellow": 10 * S, "orange": 10 * S, "red": 10 * S}
    assert not slow["told"]
    assert slow["lead"] == {}
    assert found["rules"][0]["false_alarms"] == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("time,nmae\n2026-01-01,x\n", "did you mean `name`"),
        ("time\nyesterday\n", "truth.csv:2: `yesterday` is not a time"),
        ("time,grade\n2026-01-01,rde\n", "`rde` is not a grade; did you mean `red`"),
        ("time,until\n2026-01-02,2026-01-01\n", "before it begins"),
        ("name\nx\n", "no column `time`"),
    ],
)
def test_a_truth_that_cannot_be_used_is_refused_with_its_line(row, said, made, tmp_path, capsys):
    config, journal = made
    (tmp_path / "truth.csv").write_text(row)

    code = run_command(
        ["replay", str(journal), "--config", str(config), "--truth", str(tmp_path / "truth.csv")]
    )

    assert code == 2
    assert said in capsys.readouterr().err


def test_a_person_sees_the_same_in_tables(made, tmp_path, capsys):
    config, journal = made
    (tmp_path / "new.yaml").write_text(pack(rule(above="red: 2")))
    (tmp_path / "truth.csv").write_text("time,name\n2026-01-01T00:00:30Z,outburst\n")
    words = ["--rules", tmp_path / "new.yaml", "--truth", tmp_path / "truth.csv", "--quiet"]

    assert run_command(["replay", str(journal), "--config", str(config), *map(str, words)]) == 0

    said = capsys.readouterr().out
    for part in ("gas/high", "times faster", "1 changed", "outburst", "1 of 1"):
        assert part in said, part
    assert "raised 10 s later" in said


def test_a_span_and_its_tales_meet_at_the_edges(made):
    """Both ends of a span belong to it."""
    config, journal = made
    closed = ClosedJournal(journal)
    assembly = Sources(config, None, ()).assembly(closed)
    whole = rerun(assembly, closed, span_of(None, None)).tales
    exact = rerun(assembly, closed, span_of("2026-01-01T00:00:32Z", "2026-01-01T00:00:40Z")).tales

    assert [tale.subject for tale in exact] == ["A", "B"]
    assert compare(whole, whole).changed == ()
    assert whole[0].peak == Grade.RED
    assert whole[0].reached_ns(Grade.YELLOW) == at(20)


def test_without_truths_nothing_is_false(made, tmp_path):
    config, journal = made
    (tmp_path / "t.csv").write_text(f"time,name\n{MINUTE},late\n")
    closed = ClosedJournal(journal)
    tales = rerun(Sources(config, None, ()).assembly(closed), closed, span_of(None, None)).tales
    [late] = read_truths(tmp_path / "t.csv")

    # A stood until 28 s before the event; B still stands.
    assert unfounded(tales, [late], 10 * S) == [tales[0]]
    assert unfounded(tales, [late], 30 * S) == []
    assert lead_of(late, tales, 10 * S).first == tales[1]
    assert lead_of(late, tales, 10 * S).lead_ns[Grade.RED] == 20 * S
