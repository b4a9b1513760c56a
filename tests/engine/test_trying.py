"""Tests of packs in full: several sensors, files, reasons; what an author leaves untested."""

import pytest

from engine.cli import run_command
from engine.coverage import holes_of
from engine.generated import boundary_failures, gap_failures
from engine.mutation import mutants_of, survives
from engine.trial import Trial, try_scenario
from rules import book as rule_book
from rules.grade import Grade

HEAD = "tocsin: 1\npack: p\nversion: 1.0.0\nowner: o\nrules:\n"
TANK = """\
  - id: leak
    title: {zh: 泄漏, en: Leak}
    hazard: process
    inputs:
      p: {type: tank_pressure, unit: kPa, period: 1s}
      gas: {type: combustible_gas, unit: "%LEL", period: 1s, many: true}
    by: [tank]
    quality: {stale_after: 5s}
    let:
      high: p.mean(5s) >= 200 kPa
      leak: gas.votes(value >= 20 %LEL)
    levels:
      yellow: {when: high or leak >= 1, clear_for: 5s}
      orange: {when: leak >= 2, clear_for: 5s}
    tests:
"""
HEADS = 'gas.G1: "0 for 10s, 30 for 20s @1s", gas.G2: "{second}"'
LADDER = """\
  - id: high
    title: {{zh: 高, en: High}}
    hazard: gas
    input: {{type: methane, unit: "%", period: 1s}}
    by: [sensor]
    quality: {{stale_after: 5s{quality}}}
    ladder:
      value: {value}
      above: {{blue: 0.5, yellow: 1}}
      deadband: 0.1
      for: {{blue: 10s, yellow: 3s}}
      clear_for: 5s
{more}    tests:
      - name: up
        feed: {{input: "0.2 for 10s, {feed} for 30s, 0.2 for 30s @1s"}}
        expect: [{{never: red}}]
"""


def packs_of(tmp_path, text):
    (tmp_path / "p.yaml").write_text(HEAD + text)
    book = rule_book.load([tmp_path / "p.yaml"])
    assert not book.errors, [str(fault) for fault in book.errors]
    return book.packs[0]


def tried(tmp_path, rule, feed, *expects, more=""):
    test = f"      - name: t\n        feed: {{{feed}}}\n{more}        expect:\n"
    pack = packs_of(tmp_path, rule + test + "".join(f"          - {one}\n" for one in expects))
    [one] = pack.rules
    return [failure.text for failure in try_scenario(pack, one, one.tests[0])]


def ladder(value="value", feed="1.5", quality="", more=""):
    return LADDER.format(value=value, feed=feed, quality=quality, more=more)


QUIET = 'p: "100 for 30s @1s", '


def test_several_inputs_and_members_are_one_instance(tmp_path):
    """Two of two heads: orange; the pressure alone says nothing."""
    feed = QUIET + HEADS.format(second="0 for 15s, 30 for 15s @1s")
    assert tried(
        tmp_path,
        TANK,
        feed,
        "{at: 9s, grade: none}",
        "{at: 12s, grade: yellow, why: leak}",
        "{at: 16s, grade: orange, why: gas}",
        "{events: [raised yellow @10s, upgraded orange @15s]}",
    ) == []  # fmt: skip


def test_a_reason_that_is_none_is_said_with_those_that_are(tmp_path):
    """Right for the wrong reason is wrong."""
    feed = QUIET + HEADS.format(second="0 for 30s @1s")
    [said] = tried(tmp_path, TANK, feed, "{at: 12s, grade: yellow, why: high}")
    assert "`high` is no reason" in said
    assert "leak" in said


def test_a_key_names_the_instance(tmp_path):
    rule = ladder().split("    tests:")[0] + "    tests:\n"
    feed = 'input.A: "1.5 for 20s @1s", input.B: "0.2 for 20s @1s"'
    assert (
        tried(
            tmp_path,
            rule,
            feed,
            "{at: 15s, key: A, grade: yellow}",
            "{at: 15s, key: B, grade: none}",
        )
        == []
    )
    [said] = tried(tmp_path, rule, feed, "{at: 15s, key: C, grade: none}")
    assert "nothing judges `p/high` for `C`" in said


def test_a_file_is_a_feed(tmp_path):
    """A recorded event is the best test there is."""
    rows = "".join(f"{second},{1.5 if second >= 5 else 0.1}\n" for second in range(30))
    (tmp_path / "event.csv").write_text("time,input\n" + rows)
    rule = ladder().split("    tests:")[0] + "    tests:\n"
    assert tried(tmp_path, rule, "csv: event.csv", "{events: [raised yellow @8s]}") == []


def test_a_fleet_stands_on_its_grid(tmp_path):
    """Neighbours by distance need positions."""
    rule = ladder().split("    tests:")[0] + "    tests:\n"
    pack = packs_of(
        tmp_path,
        rule + "      - name: t\n        fleet: {input: {grid: [2, 3], spacing: 5 km}}\n"
        '        feed: {input.*: "0.1 for 20s @1s", input.S12: "1.5 for 20s @1s"}\n'
        "        expect: [{at: 15s, key: S12, grade: yellow}, {at: 15s, key: S00, grade: none}]\n",
    )
    trial = Trial(pack, pack.rules[0], pack.rules[0].tests[0])
    assert trial.failures() == []
    sites = trial.scene.assembly.catalogue.sites
    assert len(sites.name) == 6
    assert (sites.lat.max() - sites.lat.min()) * 111.195 == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ('{lead: ">= 20s", before: 40s}', ""),
        ('{lead: ">= 40s", before: 40s}', "only 27s ahead"),
        ('{lead: ">= 1s", before: 12s}', "too late"),
        ('{lead: ">= 1s", before: peak, grade: red}', "red never came"),
    ],
)
def test_a_lead_is_the_time_that_people_have(expect, said, tmp_path):
    rule = ladder().split("    tests:")[0] + "    tests:\n"
    found = tried(tmp_path, rule, 'input: "0.2 for 10s, 1.5 for 40s @1s"', expect)
    assert (said in found[0]) if said else found == []


AFTER = """\
  - id: dam
    title: {zh: 坝, en: Dam}
    hazard: dam
    input: {type: level, unit: m, period: 1min}
    by: [dam]
    ladder: {value: value, above: {blue: 1}, deadband: 0.1, for: 0s, clear_for: 0s}
  - id: after
    title: {zh: 震后, en: After}
    hazard: compound
    by: [dam]
    let:
      shaken: rule("quake/shaking").within(1h, radius=10 km)
      high: rule("p/dam").grade
    levels:
      yellow: {when: shaken >= yellow}
      red: {when: shaken >= orange and high >= blue}
    tests:
      - name: other rules are told what to say
        grades:
          quake/shaking: none for 10m, orange for 1m, none for 3h
          dam: none for 30m, blue for 2h
        expect:
          - {events: [raised yellow @10m, upgraded red @30m, cleared @1h11m]}
          - {at: 40m, grade: red, why: high}
      - name: a rule that is not told is silent
        grades: {quake/shaking: "none for 10m, orange for 1m, none for 3h"}
        expect: [{at: 40m, grade: yellow}, {never: red}]
"""


def test_grades_of_other_rules_are_said_by_stand_ins(tmp_path):
    """A rule over rules is tried without building an earthquake."""
    pack = packs_of(tmp_path, AFTER)
    rule = pack.rules[1]
    assert [f.text for test in rule.tests for f in try_scenario(pack, rule, test)] == []


def only(tmp_path, text):
    pack = packs_of(tmp_path, text)
    return pack, pack.rules[0]


@pytest.mark.parametrize("value", ["value", "mean(10s)", "max(10s)"])
def test_boundaries_hold_where_the_rule_does_what_its_numbers_say(value, tmp_path):
    """0.5 is at the threshold, the number below it is not."""
    count, failures = boundary_failures(*only(tmp_path, ladder(value)))
    assert failures == []
    assert count == (8 if value == "value" else 6)


def test_a_boundary_that_is_not_one_is_found(tmp_path):
    """A cap takes away what the ladder promises; a pegged range sets readings aside."""
    pack, rule = only(tmp_path, ladder())
    assert boundary_failures(pack, rule)[1] == []
    text = ladder().replace(
        "      - name: up\n", "      - name: up\n        assets: {range_high: 0.7}\n"
    )
    _, failures = boundary_failures(*only(tmp_path, text))
    assert [failure.text for failure in failures] == [
        "yellow never comes of 1 for 7s, exactly at it",
        "yellow never comes of 1 for 7s, just beyond it",
    ]
    assert failures[0].place.line == 14


def test_a_gap_clears_nothing(tmp_path):
    pack, rule = only(tmp_path, ladder())
    assert gap_failures(Trial(pack, rule, rule.tests[0])) == []


def test_rules_about_the_data_themselves_are_not_torn(tmp_path):
    """For `age` and `count` silence is what they look at."""
    pack, rule = only(tmp_path, ladder(value="count(10s)", feed="1.5"))
    assert gap_failures(Trial(pack, rule, rule.tests[0])) is None


def test_holes_are_grades_that_no_test_fires_or_keeps_silent(tmp_path):
    pack, rule = only(tmp_path, ladder(feed="0.7"))
    holes = holes_of(rule, [Trial(pack, rule, test) for test in rule.tests])
    assert [(hole.grade, hole.is_firing) for hole in holes] == [
        (Grade.BLUE, False),
        (Grade.YELLOW, True),
    ]


def test_a_threshold_that_no_test_depends_on_is_a_survivor(tmp_path):
    """1.5 is far beyond both thresholds: moving one by half is not noticed."""
    pack, rule = only(tmp_path, ladder().replace("{never: red}", "{at: 15s, grade: yellow}"))
    mutants = list(mutants_of(rule))
    kept = [mutant.after for mutant in mutants if survives(pack, mutant)]
    assert len(mutants) == 4
    assert "yellow: 1.5 %" in kept
    exact = only(tmp_path, ladder(feed="1").replace("{never: red}", "{at: 15s, grade: yellow}"))
    noticed = [m.after for m in mutants_of(exact[1]) if not survives(exact[0], m)]
    assert noticed == ["yellow: 1.5 %"]


def test_comparisons_of_levels_are_turned_round(tmp_path):
    text = TANK + (
        '      - name: t\n        feed: {p: "100 for 30s @1s", gas.G1: "30 for 30s @1s", '
        'gas.G2: "0 for 30s @1s"}\n'
        "        expect: [{at: 20s, grade: yellow}, {never: orange}]\n"
    )
    pack, rule = only(tmp_path, text)
    found = {mutant.after: survives(pack, mutant) for mutant in mutants_of(rule)}
    assert found["gas.votes(value >= 20 %LEL) < 2"] is False
    assert found["p.mean(5s) < 200 kPa"] is True


def test_the_command_counts_and_ends_with_its_verdict(tmp_path, capsys):
    """Scripts look at the code, people at the sum."""
    good = HEAD + ladder()
    (tmp_path / "p.yaml").write_text(good)
    assert run_command(["test", str(tmp_path / "p.yaml")]) == 0
    said = capsys.readouterr().out
    assert "1 passed" in said
    assert "9 more were generated" in said
    assert "no test keeps silent blue of `p/high`" in said
    assert run_command(["test", str(tmp_path / "p.yaml"), "--mutate", "-q"]) == 3
    assert "instead of" in capsys.readouterr().out
    (tmp_path / "p.yaml").write_text(good.replace("never: red", "never: blue"))
    assert run_command(["test", str(tmp_path / "p.yaml"), "--no-generated"]) == 1
    assert "raised yellow @13s, which must never be" in capsys.readouterr().out
