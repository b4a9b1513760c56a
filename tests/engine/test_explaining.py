"""Why, and why not: at any instant, for any sensor, what each grade stood on."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.account import account_of
from engine.cli import run_command
from engine.drive import ClosedJournal
from engine.inquiry import Question, inquire
from engine.rerun import Sources, Span, rerun
from rules.grade import Grade
from tests.end_to_end.plants import write_plant
from tests.engine.journals import GATEWAY, START, TYPE, S, pack, plant, record, rule

ALWAYS = Span(-(1 << 62), 1 << 62)
RULES = (
    rule(hold="2s"),
    rule("mean", value="mean(5s)", above="yellow: 1, orange: 1.5"),
)
SIGNALS = {
    "A": [0.1] * 10 + [1.5] * 5 + [2.5] * 10 + [None] * 10 + [2.5] * 5 + [0.9] * 2 + [0.1] * 18,
    "B": [0.1] * 30 + [1.2] * 10 + [0.1] * 20,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    config = plant(folder / "plant", list(SIGNALS), pack(*RULES))
    journal = record(folder / "plant" / "data" / "journal", SIGNALS, frame_s=3)
    closed = ClosedJournal(journal)
    assembly = Sources(config, None, ()).assembly(closed)
    return config, closed, assembly, rerun(assembly, closed, ALWAYS)


def asked(made, second, *, name="gas/high", sensor="A"):
    _, closed, assembly, _ = made
    question = Question(name, sensor, START + round(second * S))
    return account_of(inquire(assembly, closed, question))


def phases(account):
    return {grade.grade.word: grade.phase for grade in account.grades}


def test_a_timer_that_runs_is_shown_with_what_it_has_held(made):
    """Why is there no warning yet?  Because it must hold, and has not."""
    account = asked(made, 11)
    red, blue = account.grades
    assert (blue.phase, blue.held_ns, blue.needed_ns) == ("arming", 1 * S, 2 * S)
    assert red.phase == "off"
    [clause] = red.when
    assert (clause.is_true, clause.value, clause.margin_text) == (False, "1.5 %", "0.5 % short")
    assert clause.margin == pytest.approx(-0.5)
    assert account.grade == Grade.NONE


def test_a_timer_that_has_ended_is_on(made):
    account = asked(made, 12)
    assert phases(account) == {"red": "off", "blue": "on"}
    assert account.grade == Grade.BLUE
    assert [body["event"] for body in account.messages] == ["raised"]


def test_what_is_unknown_says_why_and_for_how_long(made):
    """Silence is the most common reason why nothing happens, and the last one people think of."""
    account = asked(made, 31)
    for grade in account.grades:
        [clause] = grade.when
        assert clause.is_true is None
        assert "the last good reading is 7 s old, stale after 5 s" in clause.reason
    assert account.grade == Grade.RED
    assert account.inputs.newest_age_ns == 7 * S


def test_blind_is_told(made):
    assert asked(made, 30).quality == "ok"
    assert asked(made, 34.5).quality == "blind"
    assert asked(made, 36).quality == "ok"


def test_a_latch_that_neither_enters_nor_clears_shows_both(made):
    """Hysteresis: 0.9 is below the entry of blue and above its clear value of 0.8."""
    account = asked(made, 41)
    blue = account.grades[-1]
    assert blue.phase == "on"
    assert [clause.is_true for clause in blue.when] == [False]
    assert [clause.is_true for clause in blue.clear] == [False]
    red = account.grades[0]
    assert (red.phase, red.held_ns, red.needed_ns) == ("clearing", 1 * S, 2 * S)


def test_a_window_is_judged_at_its_last_pane_end(made):
    """mean(5s) at second 14 covers the readings of seconds 10 to 14."""
    account = asked(made, 14.5, name="gas/mean")
    assert account.judged_ns == START + 14 * S
    orange, yellow = account.grades
    assert yellow.when[0].value == orange.when[0].value == "1.5 %"
    assert orange.when[0].margin_text == "exactly"
    assert account.grade == Grade.ORANGE
    assert (account.inputs.good_count, account.inputs.expected_count) == (5, 5)


def test_a_poorly_filled_window_says_how_poorly(made):
    account = asked(made, 28, name="gas/mean")
    [clause] = account.grades[0].when
    assert clause.is_true is None
    assert "mean(5s): 1 of 5 readings are good, 50% are needed" in clause.reason


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    second=st.floats(0, 58).map(lambda x: round(x, 1)),
    sensor=st.sampled_from(["A", "B"]),
    name=st.sampled_from(["gas/high", "gas/mean"]),
)
def test_an_account_never_contradicts_the_replay(made, second, sensor, name):
    """The grade of an account is what the whole engine said, and its latches agree with it."""
    at_ns = START + round(second * S)
    tales = [t for t in made[3].tales if (t.rule, t.subject) == (name, sensor)]
    steps = [step for tale in tales for step in tale.steps if step.event_ns <= at_ns]

    account = asked(made, second, name=name, sensor=sensor)

    assert account.grade == (steps[-1].grade if steps else Grade.NONE)
    standing = [g.grade for g in account.grades if g.phase in ("on", "clearing")]
    assert max(standing, default=Grade.NONE) == account.grade


def explained(capsys, config, *words):
    code = run_command(["explain", *words, "--config", str(config)])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_warning_is_explained_by_its_id(made, capsys):
    """An id stands in every message; whoever holds one can ask why."""
    config, _, _, run = made
    tale = next(t for t in run.tales if t.peak == Grade.RED)

    code, said = explained(capsys, config, tale.id)
    _, first = explained(capsys, config, tale.id, "--revision", "1")

    assert code == 0
    assert "gas/high@A  2026-01-01 00:00:17 UTC" in said
    assert "value >= 2 %" in said
    assert "0.5 % beyond" in said
    assert "held 2 s" in said
    assert "2026-01-01 00:00:12 UTC" in first


def test_programs_get_the_same(made, capsys):
    code, said = explained(capsys, made[0], "high", "A", "2026-01-01T00:00:31Z", "--json")
    found = json.loads(said)
    assert code == 0
    assert found["grade"] == "red"
    assert found["grades"][0]["when"][0]["true"] is None
    assert found["features"] == {"value": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hgih", "A", "2026-01-01"), "did you mean"),
        (("high", "AA", "2026-01-01"), "there is no sensor `AA`"),
        (("high", "A", "noon"), "is not a time"),
        (("A" * 26,), "tells of no warning"),
        (("a", "b"), "RULE SENSOR TIME"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_hint(words, said, made, capsys):
    code, text = explained(capsys, made[0], *words)
    assert code == 2
    assert said in text


def test_codes_and_features_are_explained_as_before(capsys):
    for word, said in (("E713", "E713"), ("codes", "E101"), ("features", "mean")):
        assert run_command(["explain", word]) == 0
        assert said in capsys.readouterr().out


SITE_RULE = """\
  - id: both
    title: {zh: 两处, en: Both}
    hazard: gas
    inputs: {gas: {type: methane, unit: "%", period: 1s, many: true}}
    by: [site]
    quality: {stale_after: 5s}
    let: {high: gas.votes(mean(3s) >= 1 %)}
    levels:
      yellow: {when: high >= 1, for: 2s, clear_for: 3s}
      red: {when: high >= 2 and gas.max_of(mean(3s)) >= 2 %, clear_for: 3s}
"""


@pytest.fixture(scope="module")
def tank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tank")
    rows = [(name, GATEWAY, "SITE", "methane") for name in ("A", "B", "C")]
    config = write_plant(
        folder / "plant", types=[TYPE], sensors=rows, packs={"gas": pack(SITE_RULE)}, clock="wall"
    )
    signals = {
        "A": [0.1] * 10 + [3.0] * 30,
        "B": [0.1] * 20 + [1.5] * 10 + [None] * 10,
        "C": [0.1] * 40,
    }
    return config, record(folder / "plant" / "data" / "journal", signals)


def of_site(capsys, tank, second):
    code, said = explained(capsys, tank[0], "both", "SITE", f"2026-01-01T00:00:{second}Z", "--json")
    assert code == 0, said
    return json.loads(said)


def test_an_instance_of_several_sensors_names_those_behind_each_grade(tank, capsys):
    """Two of three heads, and which: the crew goes to the right place."""
    found = of_site(capsys, tank, "09.500")
    red, yellow = found["grades"]
    assert (found["grade"], yellow["phase"]) == ("none", "off")
    found = of_site(capsys, tank, "11.500")
    red, yellow = found["grades"]
    assert (yellow["phase"], yellow["held"], yellow["needed"]) == ("arming", 3 * S // 2, 2 * S)
    assert yellow["when"][0]["value"] == "1"
    assert yellow["when"][0]["reason"] == "A yes, B no, C no"
    assert [clause["true"] for clause in red["when"]] == [False, False, True]
    found = of_site(capsys, tank, "25")
    assert found["grade"] == "red"
    assert found["grades"][0]["when"][1]["reason"] == "A yes, B yes, C no"


def test_members_that_are_silent_make_an_interval(tank, capsys):
    """One head dead: it might vote or not, and the account says so."""
    _, text = explained(capsys, tank[0], "both", "SITE", "2026-01-01T00:00:36Z")
    assert "B unknown" in text
    assert "1 to 2" in text


def test_an_instance_that_is_none_is_named(tank, capsys):
    code, said = explained(capsys, tank[0], "both", "SIET", "2026-01-01T00:00:10Z")
    assert code == 2
    assert "did you mean `SITE`" in said
