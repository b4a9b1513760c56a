"""Laws of dimensions, and: no expression that can be written makes the checker fail."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import expression as ex
from rules.checking import Checker
from rules.errors import Faults
from rules.pack import Input
from rules.unit_table import BEAUFORT
from rules.units import (
    BASES,
    DURATION,
    NUMBER,
    OWN,
    OWN_UNIT,
    TABLE,
    Dimension,
    Scale,
    Unit,
    attribute_value,
    describe,
    force_of_wind,
    of_own_unit,
    read_unit,
    times,
    wind_of_force,
)
from rules.vocabulary import FEATURES, SET_METHODS
from tests.rules.writing import scalar

dimensions = st.tuples(*[st.integers(-3, 3)] * len(BASES))
symbols = st.sampled_from(sorted(set(TABLE) - {"1"}))


@given(dimensions, dimensions, dimensions)
def test_dimensions_are_multiplied_like_numbers(a: Dimension, b: Dimension, c: Dimension) -> None:
    """A group: what is multiplied can be divided again, in any order."""
    assert times(a, b) == times(b, a)
    assert times(times(a, b), c) == times(a, times(b, c))
    assert times(times(a, b), b, -1) == a
    assert times(a, NUMBER) == a
    assert describe(a)


@given(st.lists(symbols, min_size=1, max_size=4, unique=True), symbols, symbols)
def test_a_scale_of_several_inputs_keeps_products_true(
    homes: list[str], first: str, second: str
) -> None:
    """Whatever the inputs are in, plain arithmetic on what is brought in must come out right."""
    basis = tuple(read_unit(home) for home in homes)
    scale = Scale(basis[0], basis)
    left, right = read_unit(first), read_unit(second)
    product = scale.factor(left.dimension) * scale.factor(right.dimension)
    assert product == pytest.approx(scale.factor(times(left.dimension, right.dimension)), rel=1e-9)
    assert scale.factor(DURATION) in (1.0, *(u.factor for u in basis if u.dimension == DURATION))


@given(st.lists(symbols, min_size=2, max_size=4, unique=True), st.floats(-1e6, 1e6))
def test_a_reading_and_a_literal_of_its_unit_agree(homes: list[str], value: float) -> None:
    """`depth > 2 m` compares what a sensor in m reports with two metres, in any company."""
    basis = tuple(read_unit(home) for home in homes)
    for unit in basis:
        scale = Scale(unit, basis)
        reading = value * scale.input_factor + scale.input_shift
        literal = scale.bring(value, unit, is_point=True)
        assert reading == pytest.approx(literal, rel=1e-9, abs=1e-9)


def test_the_first_input_is_not_converted_in_usual_company() -> None:
    """kPa beside mm, °C and %LEL: each stays as it is reported."""
    basis = tuple(map(read_unit, ("kPa", "mm", "°C", "%LEL", "NTU", "L/s", "mm/s")))
    scales = [Scale(unit, basis) for unit in basis]
    assert [scale.input_factor for scale in scales[:5]] == [1.0] * 5


@pytest.mark.parametrize(("force", "speed"), list(enumerate(BEAUFORT)))
def test_each_force_of_the_wind_begins_at_its_speed(force: int, speed: float) -> None:
    assert wind_of_force(force) == speed
    assert force_of_wind(speed) == force
    assert force_of_wind(speed + 0.05) is None


def test_the_scale_of_winds_rises() -> None:
    assert list(BEAUFORT) == sorted(set(BEAUFORT))
    assert len(BEAUFORT) == 18


@pytest.mark.parametrize(
    ("text", "symbol", "power", "expected"),
    [
        ("5 kPa", "kPa", 1, 5),
        ("5000 Pa", "kPa", 1, 5),
        ("5", "kPa", 1, 5),
        ("20 °C", "°C", 1, 20),
        ("4 kPa^2", "kPa", 2, 4),
        ("0.5", "kPa", 0, 0.5),
    ],
)
def test_attributes_of_a_rule_over_all_types_are_in_each_type_s_unit(
    text: str, symbol: str, power: int, expected: float
) -> None:
    own = tuple(power * exponent for exponent in OWN)
    dimension, scale = of_own_unit(own, Scale(OWN_UNIT), symbol)
    assert attribute_value(text, dimension, scale, is_point=power == 1) == expected


INPUTS = {
    "p": Input("pressure", "kPa", Scale(read_unit("kPa")), 10**9, None),
    "t": Input("temperature", "°C", Scale(read_unit("°C")), 10**9, None),
    "gas": Input("gas", "%LEL", Scale(read_unit("%LEL")), 10**9, None, many=True),
    "rain": Input("rain", "mm", Scale(read_unit("mm")), 10**9, "increment"),
    "s": Input("*", "*", Scale(OWN_UNIT), 10**9, None),
}
UNITS = tuple(one.scale.unit for one in INPUTS.values())
LETS = {
    "hot": "t > 60 °C",
    "dam": 'rule("a/b").grade',
    "v": "slope(5m)",
    "near": "p.neighbours(5 km)",
    "me": "me + 1",
    "lim": "5",
}


def checker(faults: Faults) -> Checker:
    """A checker that has one of everything."""
    return Checker(
        faults=faults,
        main=None,
        inputs={
            name: Input(one.type, one.unit, Scale(one.scale.unit, UNITS), 10**9, one.kind, one.many)
            for name, one in INPUTS.items()
        },
        many=frozenset({"gas"}),
        lets={name: scalar(text) for name, text in LETS.items()},
        key="tank",
        pack="p",
        steps=frozenset({"wet"}),
        cluster="gas",
    )


THINGS = (
    "asset.x|asset.range_low|sensor.name|seq.wet|seq.dry|cluster|cluster.size|input|true|none|red|橙|"
    "amber|never|value|3|-1|0|5m|5 m|1h30m|3 kPa|50 %|20 °C|5 K|8 beaufort|3 m/s|'x'|\"a/b\"|"
    "season()|hour()|in_calendar('x')|3 xyz|1e200|p.value"
)
leaves = st.sampled_from([*LETS, *INPUTS, *FEATURES, *THINGS.split("|")])
words = st.sampled_from(
    [*FEATURES, *SET_METHODS, "grade", "within", "max", "hull", "size", "nothing"]
)


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(
        st.one_of(
            inner,
            st.sampled_from(["5m", "95", "5 km"]),
            inner.map(lambda x: f"offset={x}"),
            inner.map(lambda x: f"trend={x}"),
            inner.map(lambda x: f"p={x}"),
            st.just("robust=true"),
        ),
        max_size=3,
    ).map(", ".join)
    names = st.sampled_from([*FEATURES, "known", "or_else", "neighbours", "same", "rule", "f"])
    bases = st.one_of(
        st.sampled_from(
            [*INPUTS, *LETS, "cluster", 'rule("a/b")', "asset", "p.anomaly", "anomaly"]
        ),
        inner.map(lambda x: f"({x})"),
    )
    return st.one_of(
        st.tuples(names, arguments).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(bases, words, arguments).map(lambda t: f"{t[0]}.{t[1]}({t[2]})"),
        st.tuples(bases, words).map(lambda t: f"{t[0]}.{t[1]}"),
    )


formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        calls(inner),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["<", ">=", "==", "!="]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda x: f"(not {x})"),
        inner.map(lambda x: f"(-{x})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} in [{t[1]}, 3])"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} < {t[1]} <= {t[2]})"),
    ),
    max_leaves=10,
)


@given(formulas)
def test_whatever_can_be_written_is_understood_or_refused_with_a_place(text: str) -> None:
    """A crash of the checker is a pack whose author is told nothing."""
    faults = Faults()
    mine = checker(faults)
    node = scalar(text)
    draft = mine.draft(node)
    is_settled = mine.settle()
    if draft is None:
        assert faults.errors()
    for fault in faults:
        assert fault.place.column > 0
        assert fault.message
    if (
        draft is not None
        and is_settled
        and not faults.errors()
        and draft.sort not in ("set", "none")
    ):
        built = mine.built(draft)
        assert ex.is_condition(built) == (draft.sort == "condition")
        assert all(isinstance(part.place.line, int) for part in ex.walk(built))


@given(st.sampled_from(["votes", "share", "any", "all"]), formulas)
def test_what_a_member_is_asked_is_of_that_member(method: str, text: str) -> None:
    """A vote that looked at another tank's pressure would be counted once for each head."""
    faults = Faults()
    mine = checker(faults)
    draft = mine.draft(scalar(f"gas.{method}({text})"))
    if draft is None or not mine.settle() or faults.errors():
        assert faults.errors()
        return
    vote = mine.built(draft)
    assert isinstance(vote, ex.Vote)
    below = list(ex.walk(vote.condition))
    assert {part.input for part in below if isinstance(part, ex.Feature)} <= {"gas"}
    assert not any(isinstance(part, ex.Vote | ex.Gather | ex.OtherRule | ex.Step) for part in below)


@given(st.sampled_from(["kPa", "Pa", "MPa", "bar"]), st.integers(0, 10**6))
def test_the_units_of_inputs_change_no_condition(unit: str, seed: int) -> None:
    """The same tank raises the same warning whatever its pressure gauge reports in."""
    chance = random.Random(seed)
    text = "p - 2 * p.std(5m) > 3 kPa or p * rain.sum(1h) > 20 kPa * 5 mm and p.slope(5m) > 1 Pa/s"
    home, other = read_unit("kPa"), read_unit(unit)
    ratio = Fraction(home.factor) / Fraction(other.factor)
    readings = {
        "value": chance.uniform(0, 10),
        "std": chance.uniform(0, 2),
        "slope": chance.uniform(-0.01, 0.01),
    }
    rain = chance.uniform(0, 50)
    truths = []
    for one, factor in ((home, 1.0), (other, float(ratio))):
        values = {name: value * factor for name, value in readings.items()} | {"sum": rain}
        truths.append(weighed(built_for(text, one), values))
    assert truths[0] == truths[1]


def built_for(text: str, unit: Unit) -> ex.Node:
    basis = (unit, read_unit("mm"))
    faults = Faults()
    mine = checker(faults)
    mine.inputs = {
        "p": Input("pressure", unit.symbol, Scale(unit, basis), None, None),
        "rain": Input("rain", "mm", Scale(basis[1], basis), None, "increment"),
    }
    draft = mine.draft(scalar(text))
    assert draft is not None, [str(fault) for fault in faults]
    assert mine.settle()
    return mine.built(draft)


def weighed(node: ex.Node, values: dict[str, float]) -> bool | float:
    """The value of a node, nothing unknown; a comparison within rounding counts as false."""
    match node:
        case ex.Number(value=value):
            return value
        case ex.Feature(name=name):
            return values[name]
        case ex.Arithmetic(operator=operator, left=left, right=right):
            a, b = weighed(left, values), weighed(right, values)
            return {"+": a + b, "-": a - b, "*": a * b}[operator]
        case ex.Compare(operands=(left, right)):
            a, b = weighed(left, values), weighed(right, values)
            return a - b > 1e-9 * max(abs(a), abs(b))
        case ex.And(items=items):
            return all(weighed(item, values) for item in items)
        case ex.Or(items=items):
            return any(weighed(item, values) for item in items)
        case _:
            raise AssertionError(node)


PRESSURES = (
    "p|p.value|p.mean(5m)|p.p(95, 5m)|p.median(1h, offset=1d)|3 kPa|asset.p_max|p.ewma(5m)|"
    "p.forecast(1h, trend=5m, p=0.8)|p.neighbours(5 km).max_of(mean(5m))|20 mbar"
)
pressures = st.recursive(
    st.sampled_from(PRESSURES.split("|")),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-"]), inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda x: f"2 * {x}"),
        inner.map(lambda x: f"(80 % * ({x}))"),
        st.tuples(inner, inner).map(lambda t: f"or_else({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]} * ({t[1]} / 3 kPa)"),
    ),
    max_leaves=5,
)
CONDITIONS = (
    "seq.wet|gas.any(value > 3 %LEL)|gas.votes(mean(5m) >= asset.limit) >= 2|hot|dam >= yellow|"
    "t.mean(5m) > 60 °C|asset.x != none|season() == 'summer'|rain.sum(1h) > 20 mm|known(t)|"
    "p.time_to(asset.p_max, trend=5m) < never|p.slope(5m, robust=true) > 1 kPa/min|"
    "gas.share(age > 5m) > 50 %|cluster.max(value) > 3 %LEL|t - t.min(1h) > 5 K|s.std(1h) == 0|"
    "s.value > asset.own_max|p.zscore(1h) > 3 * lim|rule('a/b').within(1h) in [red, 橙]"
)
alone = st.sampled_from(CONDITIONS.split("|"))
conditions = st.recursive(
    st.one_of(
        alone,
        st.tuples(pressures, st.sampled_from(["<", ">="]), pressures).map(" ".join),
        st.tuples(pressures, pressures, pressures).map(" < ".join),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda x: f"not {x}"),
        st.tuples(inner, inner).map(lambda t: f"or_else({t[0]}, {t[1]})"),
    ),
    max_leaves=4,
)


@given(conditions)
def test_what_is_right_is_accepted_and_brackets_change_nothing(text: str) -> None:
    """Right by its units is right, however deep; a needless bracket is no other rule."""
    nodes = []
    for written in (text, f"(({text}))"):
        faults = Faults()
        mine = checker(faults)
        mine.condition(scalar("asset.p_max > 3 kPa and gas.any(value < asset.limit)"))
        draft = mine.condition(scalar(written))
        assert draft is not None, [str(fault) for fault in faults]
        assert mine.settle()
        assert not faults.errors(), [str(fault) for fault in faults]
        nodes.append(mine.built(draft))
    assert nodes[0] == nodes[1]
    assert ex.is_condition(nodes[0])
