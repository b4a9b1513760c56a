"""What a test feeds must be what its author wrote, or be refused where it was written."""

from pathlib import Path

import pytest

from rules.csv_feed import feeds_of
from rules.errors import Faults
from rules.grade import Grade
from rules.scenario import At, Feed, Lead, Scenario
from rules.units import NS_PER_S
from tests.rules.writing import codes, load_text, only_rule, pack_text

S = NS_PER_S
TABLE = """time,level,rain.R1
2021-07-20T08:00:00+08:00,93.4,0.5
2021-07-20T08:05:00+08:00,93.6,
2021-07-20T08:10:00+08:00,93.9,1.5
"""


def scenario_of(folder: Path, text: str) -> Scenario:
    (scenario,) = only_rule(folder, pack_text(f"tests: [{{name: t, {text}}}]")).tests
    return scenario


def problems(folder: Path, text: str) -> list[str]:
    found = load_text(folder, pack_text(f"tests: [{{name: t, {text}}}]"))
    return [fault.message for fault in found.errors]


def test_a_fleet_is_a_grid_whose_sensors_can_be_named(tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        "fleet: {input: {grid: [2, 3], spacing: 2 km}}, expect: [{never: red}], "
        'feed: {input.S00: "9 for 1m", input.*: "1 for 1m @5s"}',
    )
    positions = scenario.fleets["input"].positions
    assert positions["S12"] == (4000.0, 2000.0)
    assert len(positions) == 6
    members = scenario.members("input")
    assert set(members) == set(positions)
    assert members["S00"].value[0] == 9
    assert {members[name].value[0] for name in positions if name != "S00"} == {1}


def test_a_large_grid_has_names_that_cannot_be_confused(tmp_path: Path) -> None:
    """`S111` could be row 1, column 11, or row 11, column 1."""
    scenario = scenario_of(
        tmp_path,
        "fleet: {input: {grid: [12, 12], spacing: 1 m}}, expect: [{never: red}], "
        'feed: {input.*: "1 for 1m"}',
    )
    assert len(scenario.fleets["input"].positions) == 144
    assert scenario.fleets["input"].positions["S0111"] == (11.0, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('feed: {input.*: "1 for 1m"}', "`input.*` feeds all sensors of a fleet"),
        ('feed: {input.: "1 for 1m"}', "`input.`: which sensor of `input`?"),
        ('feed: {p: "1 for 1m"}', "unknown input `p`"),
        (
            'fleet: {input: {grid: [2, 2], spacing: 1 m}}, feed: {input.S22: "1 for 1m"}',
            "the fleet has no sensor `S22`",
        ),
        (
            'fleet: {input: {grid: [2], spacing: 1 m}}, feed: {input: "1 for 1m"}',
            "a grid is rows and columns",
        ),
        (
            'fleet: {input: {grid: [999, 999], spacing: 1 m}}, feed: {input: "1 for 1m"}',
            "a grid is rows and columns",
        ),
        (
            'fleet: {input: {grid: [2, 2], spacing: 1 s}}, feed: {input: "1 for 1m"}',
            "`1 s` is not a length",
        ),
        ("feed: {csv: ../secret.csv}", "`../secret.csv` is not a file beside the pack"),
        ("feed: {csv: /etc/hosts}", "`/etc/hosts` is not a file beside the pack"),
        ('grades: {r.P1: "blue during 1h"}', "`blue during 1h` is not a grade that lasts"),
        ('grades: {r.P1: "amber for 1h"}', "unknown grade `amber`"),
    ],
)
def test_a_feed_that_cannot_be_meant_is_refused(text: str, message: str, tmp_path: Path) -> None:
    found = problems(tmp_path, f"{text}, expect: [{{never: red}}]")
    assert any(said.startswith(message) for said in found), found


def test_grades_of_other_rules_can_be_fed(tmp_path: Path) -> None:
    """A rollup is tested without the readings of ten rules below it."""
    scenario = scenario_of(
        tmp_path,
        'grades: {r.P1: "none for 1h, blue for 3h", eew/q: "红 for 1h"}, expect: [{never: red}]',
    )
    feed = scenario.grades["p/r", "P1"]
    assert feed.steps == ((0, Grade.NONE), (3600 * S, Grade.BLUE))
    assert feed.end_ns == 4 * 3600 * S
    assert scenario.grades["eew/q", ""].steps == ((0, Grade.RED),)


def test_attributes_are_for_all_sensors_or_for_one(tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        'assets: {p_max: 300 kPa, input.G1: {place: roof}}, feed: {input: "1 for 1m"}, '
        "expect: [{never: red}]",
    )
    assert scenario.attributes == {"p_max": "300 kPa"}
    assert scenario.own == {"input.G1": {"place": "roof"}}


def test_expectations_name_reasons_instances_rules_and_leads(tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        'feed: {input: "1 for 1m"}, expect: [{at: 1m, grade: blue, why: leak, key: G1, rule: r}, '
        '{lead: ">= 30m", before: peak}, {lead: 5m, before: 2h, grade: red}]',
    )
    at, before_peak, before_time = scenario.expects
    assert isinstance(at, At)
    assert (at.why, at.key, at.rule) == ("leak", "G1", "p/r")
    assert isinstance(before_peak, Lead)
    assert (before_peak.least_ns, before_peak.before_ns) == (1800 * S, None)
    assert isinstance(before_time, Lead)
    assert (before_time.before_ns, before_time.grade) == (7200 * S, Grade.RED)


def feed(time_s: list[int], value: list[float], period_s: int, end_s: int) -> Feed:
    times = tuple(at * S for at in time_s)
    none = (0,) * len(times)
    return Feed(times, tuple(value), none, none, period_s * S, end_s * S)


def test_a_file_feeds_as_many_inputs_as_it_has_columns(tmp_path: Path) -> None:
    """An event that happened is the best test there is."""
    (tmp_path / "henan.csv").write_text(TABLE)
    scenario = scenario_of(tmp_path, "feed: {csv: henan.csv}, expect: [{never: red}]")
    faults = Faults()
    feeds = feeds_of(scenario, faults)
    assert not len(faults)
    assert feeds == {
        "level": feed([0, 300, 600], [93.4, 93.6, 93.9], 300, 900),
        "rain.R1": feed([0, 600], [0.5, 1.5], 600, 1200),
    }


def test_one_column_feeds_one_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,value\n0,1\n2.5,2\n")
    scenario = scenario_of(tmp_path, 'feed: {input: "csv: a.csv"}, expect: [{never: red}]')
    feeds = feeds_of(scenario, Faults())
    assert feeds["input"].time_ns == (0, 2_500_000_000)
    assert feeds["input"].period_ns == 5 * S


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "the first line of `a.csv` does not begin with `time`, or is all"),
        ("time,value\n", "the first line of `a.csv` does not begin with `time`, or is all"),
        ("when,value\n0,1\n", "the first line of `a.csv` does not begin with `time`, or is all"),
        ("time,level\n0,1\n", "`a.csv` has no column `value`"),
        ("time,value\nnoon,1\n", "`noon` is no time"),
        ("time,value\n0,high\n", "`high` in `value` is no number"),
        ("time,value\n0,nan\n", "`nan` in `value` is no number"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(table: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table)
    scenario = scenario_of(tmp_path, 'feed: {input: "csv: a.csv"}, expect: [{never: red}]')
    faults = Faults()
    assert feeds_of(scenario, faults) == {}
    assert [fault.message for fault in faults] == [message]
    assert codes(faults) == ["E501"]
