"""What an expression means is decided once, when it is read; here is what it must mean."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import expression as ex
from rules.errors import Faults
from rules.grade import Grade
from rules.syntax import parse
from rules.units import Scale, read_unit
from tests.rules.printing import printed
from tests.rules.writing import codes, load_text, only_rule, pack_text, scalar


def condition(folder: Path, text: str, unit: str = '"%"', rule: str = "") -> ex.Node:
    """The node of a condition that has no error."""
    quoted = text.replace("'", "''")
    pack = pack_text(rule, levels=f"blue: {{when: '{quoted}'}}", unit=unit)
    levels = only_rule(folder, pack).levels
    assert levels is not None
    return levels[Grade.BLUE].when


@pytest.mark.parametrize(
    ("unit", "text", "meaning"),
    [
        ('"%"', "value >= 0.5 %", "value() >= 0.5"),
        ('"%"', "value >= 5000 ppm", "value() >= 0.5"),
        ("ppm", "value >= 0.5 %", "value() >= 5000"),
        ("kPa", "slope(2m) >= 6 kPa/min", "slope(120) >= 0.1"),
        ("kPa", "slope(2m) > 0", "slope(120) > 0"),
        ("kPa", "change(1h) < -3 kPa", "change(3600) < -3"),
        ("kPa", "-value < -3 kPa", "-value() < -3"),
        ('"%"', "age > 5m", "age() > 300"),
        ('"%"', "5m < age", "300 < age()"),
        ('"%"', "age > 1h30m", "age() > 5400"),
        ('"%"', "unchanged >= 2 h", "unchanged() >= 7200"),
        ("m", "value > 5m", "value() > 5"),
        ("m", "value > 5 m", "value() > 5"),
        ("mm", "value > 5 m", "value() > 5000"),
        ('"%"', "coverage(10m) < 60 %", "coverage(600) < 0.6"),
        ('"%"', "coverage(10m) < 0.6", "coverage(600) < 0.6"),
        ('"%"', "mean(5m) / mean(1h) > 150 %", "(mean(300) / mean(3600)) > 1.5"),
        ('"%"', "count(1h) >= 10", "count(3600) >= 10"),
        ("gal", "stalta(0.5s, 10s) >= 4", "stalta(0.5, 10) >= 4"),
        ("°C", "value > 300 K", "value() > 26.85"),
        ("°C", "rise(5m) > 5 °C", "rise(300) > 5"),
        ("°C", "value > -5 °C", "value() > -5"),
        ("K", "value > -5 °C", "value() > 268.15"),
        ("K", "value > asset.t - 5 °C", "value() > (asset.t - 5)"),
        ("°C", "value - mean(1h) > 5 K", "(value() - mean(3600)) > 5"),
        ("°C", "mean(1m) + 5 K < value", "(mean(60) + 5) < value()"),
        ("kPa", "80 % * asset.p_max < value", "(0.8 * asset.p_max) < value()"),
        ("kPa", "value > 2 * 150", "value() > (2 * 150)"),
        ("kPa", "value > 1.5e3 Pa", "value() > 1.5"),
        ("kPa", "count(5m) > 1e3", "count(300) > 1000"),
        ("kPa", "count(5m) > 25E-1", "count(300) > 2.5"),
        ('"%"', "value > 2 * 3 % - 1 %", "value() > ((2 * 3) - 1)"),
        ('"%"', "mean(1m) / mean(1h) + 50 % > 2", "((mean(60) / mean(3600)) + 0.5) > 2"),
        ('"%"', "age + 5m > 10m", "(age() + 300) > 600"),
        ('"%"', "5m + age > 10m", "(300 + age()) > 600"),
        ("ms", "value > 100 ms", "(value() * 0.001) > 0.1"),
        ("ms", "age > value", "age() > (value() * 0.001)"),
        ('"%"', "age / asset.period > 3", "(age() / asset.period) > 3"),
        ('"%"', "0 <= value < 4 %", "0 <= value() < 4"),
        ('"%"', "not 0 <= value < 4 %", "not 0 <= value() < 4"),
        ('"%"', "value in [1 %, 2 %]", "value() in [1, 2]"),
        (
            '"%"',
            'value > 1 % and sensor.place in ["T1", "T2"] and site.kind != "x"',
            "(value() > 1 and sensor.place in ['T1', 'T2'] and site.kind != 'x')",
        ),
        ('"%"', "known(value) and anomaly > 0.9", "(known(value()) and anomaly() > 0.9)"),
        ('"%"', "or_else(value > 3 %, false)", "or_else(value() > 3, 1 == 0)"),
        ('"%"', "or_else(value, 0 %) > 3 %", "or_else(value(), 0) > 3"),
        (
            '"%"',
            "value > 1 % or value > 2 % and not value > 3 %",
            "(value() > 1 or (value() > 2 and not value() > 3))",
        ),
        ("kPa", "value - 1 kPa - 2 kPa > 3 kPa", "((value() - 1) - 2) > 3"),
        ("kPa", "1 + 2 * 3 < value", "(1 + (2 * 3)) < value()"),
    ],
)  # fmt: skip
def test_an_expression_means_what_its_author_meant(
    unit: str, text: str, meaning: str, tmp_path: Path
) -> None:
    assert printed(condition(tmp_path, text, unit)) == meaning


def test_a_let_stands_for_its_expression_wherever_it_is_used(tmp_path: Path) -> None:
    node = condition(
        tmp_path,
        "fast > limit / 2 and b",
        rule="let: {fast: slope(5m), limit: 6 %/min, b: value > 1 %}",
    )
    assert printed(node) == "(slope(300) > (0.1 / 2) and value() > 1)"


@pytest.mark.parametrize(
    ("text", "unit", "dimension"),
    [
        ("value > asset.limit", "kPa", "kPa"),
        ("slope(5m) > 2 * asset.limit", "kPa", "kPa/s"),
        ("age > asset.limit", "kPa", "s"),
        ("value / asset.limit > 0.8", "kPa", "kPa"),
        ("count(5m) > asset.limit", "kPa", "1"),
        ("value > asset.limit * 3 s", "kPa", "kPa/s"),
        ("asset.limit > 5 mm and value > 1 kPa", "kPa", "mm"),
        ("asset.limit * asset.other > value and asset.other > 3 s", "kPa", "kPa/s"),
    ],
)
def test_an_attribute_is_of_the_kind_it_is_compared_with(
    text: str, unit: str, dimension: str, tmp_path: Path
) -> None:
    """The catalogue may say `1.5 %` or `90 min`; the rule must know which of them it needs."""
    found = [a for a in ex.attributes(condition(tmp_path, text, unit)) if a.name == "limit"]
    assert found[0].dimension == read_unit(dimension).dimension
    assert not found[0].is_text


def test_an_attribute_keeps_one_kind_in_the_whole_rule(tmp_path: Path) -> None:
    text = pack_text(levels="blue: {when: value > asset.x}\nred: {when: age > asset.x}")
    assert codes(load_text(tmp_path, text).faults) == ["E203"]


@pytest.mark.parametrize(
    ("text", "unit", "shown"),
    [
        ("value > 1 kPa", "kPa", "kPa"),
        ("slope(5m) > 1 kPa/min", "kPa", "kPa/s"),
        ("age > 5s", "kPa", "s"),
        ("count(5m) > 5", "kPa", ""),
        ("rise(5m) > 5 K", "°C", "K"),
        ("mean(5m) > 5 °C", "°C", "°C"),
        ("mean(5m) - value > 5 K", "°C", "K"),
    ],
)
def test_every_quantity_has_a_unit_to_show(
    text: str, unit: str, shown: str, tmp_path: Path
) -> None:
    node = condition(tmp_path, text, unit)
    assert isinstance(node, ex.Compare)
    assert ex.unit_of(node.operands[0], Scale(read_unit(unit))) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2 * 5m < age",
        "5m + 5m < age",
        "mean(1m) / mean(1h) + 50 % > value",
        "50 % * 50 % < value",
        "(mean(1m) > 1 %) + 1 > 2",
        "value > 1 / (2 s)",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text: str, tmp_path: Path) -> None:
    """A guess that is right nine times in ten is a wrong warning the tenth time."""
    found = load_text(tmp_path, pack_text(levels=f"blue: {{when: '{text}'}}"))
    assert set(codes(found.faults)) <= {"E203", "E204", "E207"}
    assert found.errors


def weighed(node: ex.Node, readings: dict[str, float]) -> float:
    """The value of a quantity; of a comparison, by how much its left side is greater."""
    match node:
        case ex.Number(value=value):
            return value
        case ex.Feature(name=name):
            return readings[name]
        case ex.Negate(operand=operand):
            return -weighed(operand, readings)
        case ex.Arithmetic(operator=operator, left=left, right=right):
            a, b = weighed(left, readings), weighed(right, readings)
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0.0}[operator]
        case ex.Compare(operands=(left, right)):
            return weighed(left, readings) - weighed(right, readings)
        case _:
            raise AssertionError(node)


PRESSURES = [
    "value > 3 kPa",
    "value - mean(5m) < 200 Pa",
    "slope(5m) >= 60 Pa/min",
    "slope(5m) * 10 min > 0.5 kPa + 0.01 bar",
    "value * value > 2 kPa * 3000 Pa",
    "value / mean(5m) > 150 %",
    "-value + 80 % * mean(5m) < 1 hPa",
    "mean(5m) / 10 s > slope(5m) * 3",
    "age * slope(5m) > 1 kPa",
    "value / age > 1 kPa/min",
]
TEMPERATURES = [
    "value > 20 °C",
    "value > 293.15 K",
    "value - mean(5m) > 5 K",
    "value > mean(5m) + 5 °C",
    "slope(5m) > 2 K/min",
    "rise(5m) > 5 °C",
    "value - 5 K > mean(5m) - 20 °C + 293.15 K",
]


@pytest.mark.parametrize(
    ("text", "home", "other"),
    [(text, "kPa", other) for text in PRESSURES for other in ("Pa", "bar", "MPa")]
    + [(text, "°C", "K") for text in TEMPERATURES],
)
def test_the_unit_of_the_input_changes_no_condition(
    text: str, home: str, other: str, tmp_path: Path
) -> None:
    """The same water in the same dam raises the same warning, whatever the sensor reports in."""
    first, second = condition(tmp_path, text, home), condition(tmp_path, text, other)
    here, there = read_unit(home), read_unit(other)
    ratio = here.factor / there.factor
    chance = random.Random(text)
    for _ in range(50):
        readings = {
            "value": chance.uniform(1, 40),
            "mean": chance.uniform(1, 40),
            "slope": chance.uniform(-0.1, 0.1),
            "rise": chance.uniform(0, 10),
            "age": chance.uniform(1, 1000),
        }
        moved = {name: amount * ratio for name, amount in readings.items()}
        moved["age"] = readings["age"]
        for name in ("value", "mean"):
            moved[name] += (here.offset - there.offset) / there.factor
        margin = weighed(first, readings)
        if abs(margin) > 1e-6:
            assert (margin > 0) == (weighed(second, moved) > 0), readings


def test_equal_features_are_equal_wherever_they_stand(tmp_path: Path) -> None:
    """The plan keeps one window for all of them."""
    node = condition(tmp_path, "mean(5m) > 1 % or mean(300s) > 2 % or mean(6m) > 1 %")
    assert len(set(ex.features(node))) == 2


def test_constants_are_known_at_load(tmp_path: Path) -> None:
    node = condition(tmp_path, "value > -(2 * 3 % - 1 %) / 5")
    assert isinstance(node, ex.Compare)
    assert ex.constant(node.operands[1]) == -1
    assert ex.constant(node.operands[0]) is None


names = st.sampled_from(["value", "a", "b1", "mean(5m)", "x.y", "known(z)", "3", "0.5 %", "1h30m"])
formulas = st.recursive(
    names,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda x: f"(not {x})"),
        inner.map(lambda x: f"(-{x})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda xs: f"f({', '.join(xs)})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} in [{t[1]}, 3])"),
    ),
    max_leaves=12,
)


@given(formulas)
def test_whatever_the_grammar_can_say_is_parsed(text: str) -> None:
    faults = Faults()
    tree = parse(scalar(text), faults)
    assert tree is not None, [str(fault) for fault in faults]
    assert not len(faults)
    assert tree.start == 0
    assert tree.end == len(text)


@given(st.text("abmnot 0159.()<>=!&|+-*/,'\"%°[]kPs", max_size=60))
def test_no_text_whatever_makes_the_parser_fail(text: str) -> None:
    faults = Faults()
    tree = parse(scalar(text or " "), faults)
    assert (tree is None) <= bool(faults.errors())


@given(formulas, st.integers(0, 40))
def test_a_fault_moves_with_its_expression(text: str, indent: int) -> None:
    """The column is counted from the file's own line, whatever stands before the expression."""
    faults = Faults()
    node = scalar(f"{' ' * indent}{text} $")
    assert parse(node, faults) is None
    place = faults.sorted()[0].place
    assert place.line_text[place.column - 1] == "$"


@pytest.mark.parametrize(
    "text", ["(" * 2000, "not " * 500 + "a", "a" + "+a" * 900, "-" * 2000, "f(" * 600, "[" * 2000]
)
def test_depth_without_end_is_refused(text: str) -> None:
    faults = Faults()
    assert parse(scalar(text), faults) is None
    assert codes(faults)[0] in ("E101", "E103")


@pytest.mark.parametrize("text", ["value > 1e999 %", "value > -1e200", "value / 0 > 1 %"])
def test_numbers_that_no_float_can_hold_are_refused(text: str, tmp_path: Path) -> None:
    """A threshold of infinity is a rule that is silent for ever."""
    found = load_text(tmp_path, pack_text(levels=f"blue: {{when: '{text}'}}"))
    assert codes(found.errors) == ["E104"]


def test_names_that_multiply_are_refused_soon(tmp_path: Path) -> None:
    """Thirty short lines could stand for a billion comparisons."""
    lets = ["x0: mean(5m)", *(f"x{i}: x{i - 1} + x{i - 1} + x{i - 1}" for i in range(1, 30))]
    rule = "let:\n" + "\n".join(f"  {line}" for line in lets)
    start = time.perf_counter()
    found = load_text(tmp_path, pack_text(rule, levels="blue: {when: x29 > 1 %}"))
    assert time.perf_counter() - start < 10
    assert "E103" in codes(found.faults)
