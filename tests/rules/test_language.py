"""What expressions mean that look at windows, sets, clusters, other rules and the calendar."""

import math
from pathlib import Path

import pytest

from rules import book
from rules import expression as ex
from rules.errors import as_text
from rules.grade import Grade
from rules.pack import Rule, references
from rules.units import read_unit
from tests.rules.printing import printed
from tests.rules.writing import indented, load_text, only_rule, pack_text

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "design" / "rule-examples"
PACKS = Path(__file__).resolve().parents[2] / "configs" / "packs"
TANK = """inputs:
  p: {type: pressure, unit: kPa, period: 1s}
  t: {type: temperature, unit: °C, period: 1s}
  gas: {type: combustible_gas, unit: "%LEL", many: true}
  level: {type: level, unit: mm}
  rain: {type: rain_gauge, unit: mm, kind: increment}
  depth: {type: depth, unit: m}
by: [tank]"""


# Rules that a rule may look at.
OTHERS = "".join(
    f"  - id: {name}\n    title: {{zh: 甲, en: A}}\n    hazard: other\n    by: [sensor]\n"
    f"    input: {{type: other, unit: m}}\n    ladder: {{value: mean({at}h), above: {{blue: 1}}}}\n"
    for at, name in enumerate("bc", 1)
)


def rule_of(folder: Path, when: str, rule: str) -> Rule:
    quoted = when.replace("'", "''")
    body = f"title: {{zh: 甲, en: A}}\nhazard: gas\n{rule}\nlevels: {{blue: {{when: '{quoted}'}}}}"
    text = f"tocsin: 1\npack: p\nversion: 1.0.0\nowner: o\nrules:\n  - id: r\n{indented(body, 4)}\n"
    return only_rule(folder, text + OTHERS)


def meaning(folder: Path, when: str, rule: str) -> str:
    levels = rule_of(folder, when, rule).levels
    assert levels is not None
    return printed(levels[Grade.BLUE].when)


def one(unit: str, keys: str = "") -> str:
    return f"input: {{type: x, unit: {unit}, period: 5s{keys}}}\nby: [sensor]"


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        ("kPa", "median(2h) > 3 kPa", "median(7200) > 3"),
        ("kPa", "p(95, 5m) > 3 kPa", "p(300){p=0.95} > 3"),
        ("kPa", "p(5 %, 5m, offset=1h) > 3 kPa", "p(300)@3600{p=0.05} > 3"),
        ("kPa", "ewma(10m) > 3 kPa", "ewma(600) > 3"),
        (
            "kPa",
            "zscore(1h) >= 4 and mad_score(1h) > 5",
            "(zscore(3600) >= 4 and mad_score(3600) > 5)",
        ),
        ("kPa", "rise(2m) > 3 * noise(1h)", "rise(120) > (3 * noise(3600))"),
        ("kPa", "bad_share(10m) > 50 %", "bad_share(600) > 0.5"),
        ("kPa", "mean(6h) / mean(6h, offset=7d) > 1.5", "(mean(21600) / mean(21600)@604800) > 1.5"),
        ("mm", "slope(3d, robust=true) > 24 mm/d", "slope(259200){robust=1} > 0.000277778"),
        ("mm", "slope(3d, robust=false) > 0", "slope(259200) > 0"),
        ("mm", "slope(3d, robust=true, offset=3d) > 0", "slope(259200)@259200{robust=1} > 0"),
        ("m", "forecast(1h, trend=30min) > 5 m", "forecast(1800){horizon=3600} > 5"),
        ("m", "forecast(1h, trend=30min, p=80 %) > 5 m", "forecast(1800){horizon=3600, p=0.8} > 5"),
        ("m", "time_to(5 m, trend=30min, p=0.8) < 3h", "time_to(1800){p=0.8}→5 < 10800"),
        ("mm", "time_to(5 m, trend=30min) < 5m", "time_to(1800)→5000 < 300"),
        (
            "mm",
            "time_to(asset.limit - 1 m, trend=1h) < never",
            "time_to(3600)→(asset.limit - 1000) < inf",
        ),
        ("mm", "inverse_velocity(3d) < 24h", "inverse_velocity(259200) < 86400"),
        ("gal", "pga(3s) >= 10 cm/s^2", "pga(3) >= 10"),
        ("gal", "pgv(3s) >= 10 cm/s", "pgv(3) >= 10"),
        ("gal", "pga(3s) >= 0.1 m/s^2", "pga(3) >= 10"),
        ("kPa", "anomaly.mean(2m) > 0.9", "anomaly.mean(120) > 0.9"),
        ("kPa", "anomaly.p(95, 2m) > 90 %", "anomaly.p(120){p=0.95} > 0.9"),
        ("kPa", "input.mean(2m) > 3 kPa and input > 1 kPa", "(mean(120) > 3 and value() > 1)"),
        ("kPa", "asset.limit != none and value > 1 kPa", "(known(asset.limit) and value() > 1)"),
        (
            "kPa",
            "asset.limit == none or value > asset.limit",
            "(not known(asset.limit) or value() > asset.limit)",
        ),
        ("kPa", 'season() == "summer" and value > 1 kPa', "(season() == 'summer' and value() > 1)"),
        (
            "kPa",
            'season() in ["spring", "summer"] and value > 1 kPa',
            "(season() in ['spring', 'summer'] and value() > 1)",
        ),
        (
            "kPa",
            "(hour() >= 22 or hour() < 6) and value > 1 kPa",
            "((hour() >= 22 or hour() < 6) and value() > 1)",
        ),
        (
            "kPa",
            'in_calendar("flood-season") and value > 1 kPa',
            "(in_calendar(flood-season) and value() > 1)",
        ),
        ("kPa", "neighbours(5 km).any(value > 1 kPa)", "any[input within 5000 m](value() > 1)"),
        (
            "kPa",
            "value > 1.2 * neighbours(500m).median_of(mean(5m))",
            "value() > (1.2 * median_of[input within 500 m](mean(300)))",
        ),
        (
            "kPa",
            "same(site).share(value > 1 kPa) >= 50 %",
            "share[input of the same site](value() > 1) >= 0.5",
        ),
        (
            "kPa",
            'rule("a/b").grade >= yellow and value > 1 kPa',
            "(a/b.grade >= 2 and value() > 1)",
        ),
        (
            "kPa",
            'rule("b").grade in [橙, 红] and value > 1 kPa',
            "(p/b.grade in [3, 4] and value() > 1)",
        ),
        ("kPa", 'rule("a/b").grade == none and value > 1 kPa', "(a/b.grade == 0 and value() > 1)"),
        ("kPa", 'rule("a/b").age < 5m and value > 1 kPa', "(a/b.age < 300 and value() > 1)"),
        (
            "kPa",
            'rule("a/b").within(24h, radius=100 km) > blue',
            "a/b.grade in 86400 near 100000 > 1",
        ),
        ("kPa", 'or_else(rule("a/b").grade, none) > blue', "or_else(a/b.grade, 0) > 1"),
        ("m/s", "mean(2m) >= 8 beaufort", "mean(120) >= 17.2"),
        ("km/h", "8 beaufort <= mean(2m)", "61.92 <= mean(120)"),
        ("beaufort", "value >= 17.2 m/s", "value() >= 8"),
        ("beaufort", "value >= 9 beaufort", "value() >= 9"),
        ("pH", "value < 6", "value() < 6"),
        ("µSv/h", "value > 0.3 µSv/h", "value() > 0.3"),
        ("°", "value > 0.5 °", "value() > 0.5"),
        ("mrad", "value > 1 °", "value() > 17.4533"),
        ("με", "value > 200 με", "value() > 200"),
        ('"%"', "value > 10000 ppm", "value() > 1"),
        ("µS/cm", "value > 0.1 S/m", "value() > 1000"),
    ],
)
def test_a_feature_means_what_its_author_meant(
    unit: str, text: str, expected: str, tmp_path: Path
) -> None:
    assert meaning(tmp_path, text, one(unit)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p.mean(10s) > 3 kPa and t > 60 °C", "(p.mean(10) > 3 and t.value() > 60)"),
        ("t.mean(30s) >= asset.t_max - 5 K", "t.mean(30) >= (asset.t_max - 5)"),
        ("p > 300", "p.value() > 300"),
        ("gas.votes(mean(10s) >= 20 %LEL) >= 2", "votes[gas](gas.mean(10) >= 20) >= 2"),
        ("gas.share(value > asset.limit) > 50 %", "share[gas](gas.value() > asset.limit) > 0.5"),
        (
            "gas.any(value > 20) and gas.all(age < 5m)",
            "(any[gas](gas.value() > 20) and all[gas](gas.age() < 300))",
        ),
        (
            "gas.max_of(mean(10s)) - gas.min_of(mean(10s)) > 5",
            "(max_of[gas](gas.mean(10)) - min_of[gas](gas.mean(10))) > 5",
        ),
        ("gas.mean_of(gas.value) > 5 %LEL", "mean_of[gas](gas.value()) > 5"),
        ("gas.median_of(value) > asset.gas_max", "median_of[gas](gas.value()) > asset.gas_max"),
        ("level > 1.5 m", "level.value() > 1500"),
        ("depth > 1.5 m", "(depth.value() * 1000) > 1500"),
        ("depth - level > 20 cm", "((depth.value() * 1000) - level.value()) > 200"),
        ("depth.slope(1h) > 1 mm/h", "(depth.slope(3600) * 1000) > 0.000277778"),
        ("depth > 2 and level > 2", "((depth.value() * 1000) > 2000 and level.value() > 2)"),
        ("depth.time_to(2 m, trend=1h) < 1h", "depth.time_to(3600)→(2000 / 1000) < 3600"),
        (
            "rain.sum(1h) > 20 mm and rain.rate(1h) > 20 mm/h",
            "(rain.sum(3600) > 20 and rain.rate(3600) > 0.00555556)",
        ),
        ("p.neighbours(1 km).any(value > 3)", "any[p within 1000 m](p.value() > 3)"),
        ("p.anomaly.mean(2m) > 0.9", "p.anomaly.mean(120) > 0.9"),
        ("p.anomaly > 0.9", "p.anomaly() > 0.9"),
        ("gas.any(anomaly.mean(2m) > 0.9)", "any[gas](gas.anomaly.mean(120) > 0.9)"),
    ],
)
def test_an_expression_over_several_inputs_means_what_its_author_meant(
    text: str, expected: str, tmp_path: Path
) -> None:
    """Pressures, temperatures, millimetres and metres meet in one rule, each in its own unit."""
    assert meaning(tmp_path, text, TANK) == expected


def test_temperatures_in_two_units_have_one_zero(tmp_path: Path) -> None:
    """A sensor in K and one in °C measure the same tank."""
    inputs = "inputs: {a: {type: x, unit: °C}, b: {type: y, unit: K}}\nby: [tank]"
    assert meaning(tmp_path, "a > b", inputs) == "a.value() > (b.value() + -273.15)"
    assert meaning(tmp_path, "b > 60 °C", inputs) == "(b.value() + -273.15) > 60"
    assert meaning(tmp_path, "b.rise(1h) > 5", inputs) == "b.rise(3600) > 5"
    target = "b.time_to(60 °C, trend=1h) < 1h"
    assert meaning(tmp_path, target, inputs) == "b.time_to(3600)→(60 - -273.15) < 3600"


@pytest.mark.parametrize(
    ("lets", "text", "expected"),
    [
        ("hot: t > 60 °C", "hot and p > 3", "(t.value() > 60 and p.value() > 3)"),
        ("v: mean(10s)", "gas.any(v > 20 %LEL)", "any[gas](gas.mean(10) > 20)"),
        ("bad: 'value > 20'", "gas.votes(bad) >= 2", "votes[gas](gas.value() > 20) >= 2"),
        ("dam: rule('a/b').grade", "dam >= blue and p > 3", "(a/b.grade >= 1 and p.value() > 3)"),
        ("n: gas.votes(value > 20)", "n >= 2", "votes[gas](gas.value() > 20) >= 2"),
        ("near: p.neighbours(5 km)", "near.any(value > 3)", "any[p within 5000 m](p.value() > 3)"),
        ("eta: 'p.time_to(9, trend=1m)'", "eta < 5m", "p.time_to(60)→9 < 300"),
        ("lim: 5", "p > lim and depth > lim", "(p.value() > 5 and (depth.value() * 1000) > 5000)"),
    ],
)
def test_a_let_may_hold_anything_and_is_read_where_it_is_used(
    lets: str, text: str, expected: str, tmp_path: Path
) -> None:
    """`5` beside metres is five metres, and `mean(10s)` inside a set is of one member."""
    assert meaning(tmp_path, text, f"{TANK}\nlet: {{{lets}}}") == expected


def test_lets_of_members_stand_for_nothing_alone(tmp_path: Path) -> None:
    rule = rule_of(
        tmp_path, "gas.any(v > 20)", f"{TANK}\nlet: {{v: mean(10s), n: gas.votes(v > 1)}}"
    )
    assert list(rule.lets) == ["n"]


def test_a_cluster_has_a_size_and_members(tmp_path: Path) -> None:
    rule = """inputs:
  sta: {type: accelerometer, unit: cm/s^2, period: 10ms, many: true}
cluster: {of: sta, when: "stalta(0.5s, 10s) >= 4", radius: 60 km, within: 12s, members: 4}"""
    text = "cluster.size >= 4 and cluster.max(pga(3s)) >= 10 cm/s^2 and cluster.any(value > 1)"
    assert meaning(tmp_path, text, rule) == (
        "(cluster.size >= 4 and max_of[cluster of sta](sta.pga(3)) >= 10 "
        "and any[cluster of sta](sta.value() > 1))"
    )
    cluster = rule_of(tmp_path, "cluster.size > 4", rule).cluster
    assert cluster is not None
    assert printed(cluster.when) == "sta.stalta(0.5, 10) >= 4"


def test_steps_of_a_sequence_are_conditions(tmp_path: Path) -> None:
    rule = f"{TANK}\nsequence:\n  steps:\n    - {{as: wet, when: rain.sum(1h) > 20 mm}}"
    assert meaning(tmp_path, "seq.wet and p > 3", rule) == "(seq.wet and p.value() > 3)"


def test_an_input_is_a_set_where_it_is_asked_like_one(tmp_path: Path) -> None:
    """Nobody needs to write `many` where each tank has one pressure and several gas heads."""
    rule = rule_of(tmp_path, "p.max_of(mean(5m)) > 3 and t > 60", TANK)
    assert rule.inputs["p"].many
    assert not rule.inputs["t"].many


def test_the_only_input_is_called_input(tmp_path: Path) -> None:
    rule = "input: {type: x, unit: kPa, period: 5s}\nby: [site]"
    assert (
        meaning(tmp_path, "input.votes(value > 3) >= 2", rule) == "votes[input](value() > 3) >= 2"
    )
    assert rule_of(tmp_path, "input.votes(value > 3) >= 2", rule).input.many


ANY = 'input: {type: "*"}\nby: [sensor]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "not asset.range_low <= value <= asset.range_high",
            "not asset.range_low <= value() <= asset.range_high",
        ),
        ("std(6h) == 0", "std(21600) == 0"),
        ("age / asset.period > 3", "(age() / asset.period) > 3"),
        ("unchanged >= asset.flat_after", "unchanged() >= asset.flat_after"),
        (
            "rise(1h) / (asset.range_high - asset.range_low) > 50 %",
            "(rise(3600) / (asset.range_high - asset.range_low)) > 0.5",
        ),
        (
            "neighbours(5 km).median_of(std(6h)) > 0",
            "median_of[input within 5000 m](std(21600)) > 0",
        ),
        (
            "value > neighbours(5 km).max_of(value)",
            "value() > max_of[input within 5000 m](value())",
        ),
        ("mean(1m) > asset.limit", "mean(60) > asset.limit"),
    ],
)
def test_a_rule_over_all_types_computes_in_each_one_s_unit(
    text: str, expected: str, tmp_path: Path
) -> None:
    assert meaning(tmp_path, text, ANY) == expected


def test_where_chooses_sensors_by_their_attributes(tmp_path: Path) -> None:
    rule = "input: {type: \"*\", where: 'asset.flat_after != none'}\nby: [sensor]"
    where = rule_of(tmp_path, "unchanged > asset.flat_after", rule).input.where
    assert where is not None
    assert printed(where) == "known(asset.flat_after)"


def test_never_is_above_every_duration(tmp_path: Path) -> None:
    levels = rule_of(tmp_path, "time_to(5 m, trend=1h) < never", one("m")).levels
    assert levels is not None
    compare = levels[Grade.BLUE].when
    assert isinstance(compare, ex.Compare)
    assert ex.constant(compare.operands[1]) == math.inf
    assert ex.dimension_of(compare.operands[1]) == read_unit("s").dimension


def test_the_rules_that_a_rule_looks_at_are_known(tmp_path: Path) -> None:
    """Whoever links a book refuses circles; so no reference may stay hidden."""
    keys = 'let: {x: rule("a/b").grade, y: rule("c").age}'
    rule = rule_of(
        tmp_path, 'x > blue or rule("d/e").within(1h) > blue or value > 1', f"{one('kPa')}\n{keys}"
    )
    assert references(rule) == {"a/b", "p/c", "d/e"}


@pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the design's examples are not beside the project"
)
def test_every_expression_of_the_design_is_read_and_checked() -> None:
    """What the language's own document shows must be right in it."""
    found = book.load(sorted(EXAMPLES.glob("[a-h]-*.yaml")))
    assert not found.errors, [as_text(fault) for fault in found.errors]
    assert len(found.packs) == 8


def test_every_expression_of_our_packs_is_read_and_checked() -> None:
    found = book.load([PACKS])
    mine = [fault for fault in found.errors if fault.code[:2] in ("E1", "E2")]
    assert not mine, [as_text(fault) for fault in mine]


def test_a_pack_without_an_input_may_ask_other_rules_only(tmp_path: Path) -> None:
    rule = "by: [dam]"
    assert meaning(tmp_path, 'rule("a/b").grade >= yellow', rule) == "a/b.grade >= 2"
    text = pack_text("by: [dam]", levels="blue: {when: value > 3}").replace(
        'input: {type: methane, unit: "%", period: 5s}', "basis: {zh: 甲, en: A}"
    )
    assert [fault.code for fault in load_text(tmp_path, text).errors] == ["E112"]
