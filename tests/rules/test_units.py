"""A unit that is read wrongly is a threshold that is off by sixty, or by a million."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rules.units import (
    DURATION,
    NS_PER_S,
    NUMBER,
    TABLE,
    TEMPERATURES,
    Scale,
    UnitError,
    attribute_value,
    base_symbol,
    describe,
    duration_ns,
    read_duration,
    read_quantity,
    read_unit,
    times,
)

symbols = st.sampled_from(sorted(set(TABLE) - {"1"}))
numbers = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


@pytest.mark.parametrize(
    ("value", "unit", "expected", "home"),
    [
        (5000, "ppm", 0.5, "%"),
        (0.5, "%", 5000, "ppm"),
        (1, "‰", 0.1, "%"),
        (1, "MPa", 1000, "kPa"),
        (1013.25, "hPa", 101.325, "kPa"),
        (1, "bar", 100, "kPa"),
        (5, "kPa/min", 5 / 60, "kPa"),
        (24, "mm/d", 1 / 3600, "mm"),
        (36, "km/h", 10, "m/s"),
        (1, "m/s^2", 100, "gal"),
        (1, "cm/s^2", 1, "gal"),
        (3600, "m3/h", 1000, "L/s"),
        (3.6, "m³/h", 1, "L/s"),
        (1, "g/m3", 1000, "mg/m3"),
        (2, "K/min", 2 / 60, "°C"),
        (1, "h", 3600, "mm"),
        (60, "rpm", 1, "Hz"),
        (1, "kV", 1000, "V"),
        (1, "µm", 0.001, "mm"),
        (1, "lux", 1, "lx"),
    ],
)
def test_known_conversions(value: float, unit: str, expected: float, home: str) -> None:
    scale = Scale(read_unit(home))
    assert scale.bring(value, read_unit(unit), is_point=False) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("value", "unit", "home", "point", "difference"),
    [
        (300, "K", "°C", 26.85, 300),
        (26.85, "°C", "K", 300, 26.85),
        (60, "°C", "°C", 60, 60),
        (-5, "°C", "K", 268.15, -5),
    ],
)
def test_a_temperature_is_not_a_difference_of_temperatures(
    value: float, unit: str, home: str, point: float, difference: float
) -> None:
    """A rise of 5 K read as 5 K above absolute zero would never be reached, or always."""
    scale = Scale(read_unit(home))
    assert scale.bring(value, read_unit(unit), is_point=True) == pytest.approx(point)
    assert scale.bring(value, read_unit(unit), is_point=False) == difference


@given(numbers, symbols, symbols)
def test_what_is_brought_into_a_scale_is_shown_as_it_was(
    value: float, unit_text: str, home_text: str
) -> None:
    unit, scale = read_unit(unit_text), Scale(read_unit(home_text))
    brought = scale.bring(value, unit, is_point=False)
    assert scale.show(brought, unit, is_point=False) == pytest.approx(value, rel=1e-12)


@given(numbers, symbols)
def test_the_input_s_own_unit_is_never_converted(value: float, text: str) -> None:
    """Readings are compared as they come; not one bit of a threshold may differ from its text."""
    unit = read_unit(text)
    scale = Scale(unit)
    if scale.input_factor == 1.0:
        assert scale.bring(value, unit, is_point=True) == value


@given(numbers, numbers, symbols, symbols, symbols)
def test_a_scale_keeps_products_true(
    a: float, b: float, first: str, second: str, home: str
) -> None:
    """Arithmetic is done on plain numbers; it must come out in the scale's own units."""
    scale, left, right = Scale(read_unit(home)), read_unit(first), read_unit(second)
    product = scale.bring(a, left, is_point=False) * scale.bring(b, right, is_point=False)
    dimension = times(left.dimension, right.dimension)
    expected = a * b * left.factor * right.factor / scale.factor(dimension)
    assert math.isclose(product, expected, rel_tol=1e-9, abs_tol=1e-300)


@given(symbols, symbols)
def test_a_quotient_of_units_is_read_as_one(above: str, below: str) -> None:
    assume("/" not in above + below)
    whole, one, other = read_unit(f"{above}/{below}"), read_unit(above), read_unit(below)
    assert whole.dimension == times(one.dimension, other.dimension, -1)
    assert whole.factor == pytest.approx(one.factor / other.factor)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("kpa", "kPa"), ("%lel", "%LEL"), ("ntu", "NTU"), ("Mpa", "MPa"), ("KPa", "kPa")],
)
def test_an_unknown_unit_comes_with_the_one_that_was_meant(text: str, meant: str) -> None:
    with pytest.raises(UnitError) as raised:
        read_unit(text)
    assert meant in raised.value.remedy


@pytest.mark.parametrize("text", ["", "/", "m/", "5", "kPa/5min", "m^", "percent", "甲", "m//s"])
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        read_unit(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("30s", 30), ("5m", 300), ("5min", 300), ("1h30m", 5400), ("0.5s", 0.5), ("10ms", 0.01)),
        *(("1d", 86400), ("2w", 1209600), ("3m05s", 185), ("0s", 0), ("1.5 h", 5400)),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == round(seconds * NS_PER_S)
    assert duration_ns(text) == round(seconds * NS_PER_S)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "-5m", "5 minutes", "1h 30", "12:30", "1e3", "0.3ns", "101w99999999d", "5M"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """12:30 would be 750 minutes to one reader and half past twelve to another."""
    assert duration_ns(text) is None


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    assume(hours < 800_000)
    total = (hours * 3600 + minutes * 60 + seconds) * NS_PER_S
    assert read_duration(f"{hours}h{minutes}m{seconds}s") == total


@pytest.mark.parametrize(
    ("text", "home", "wanted", "expected"),
    [
        ("1.5 %", "%", "%", 1.5),
        ("5000ppm", "%", "%", 0.5),
        ("1.5", "%", "%", 1.5),
        ("90 min", "%", "s", 5400),
        ("1h30m", "%", "s", 5400),
        ("5m", "%", "s", 300),
        ("6 %/min", "%", "%/s", 0.1),
        ("60 %", "kPa", "1", 0.6),
        ("3", "kPa", "1", 3),
        ("5 m", "mm", "mm", 5000),
        ("300 K", "°C", "°C", 26.85),
        ("high", "%", "%", None),
        ("0.1", "%", "%/s", None),
        ("30", "%", "s", None),
        ("5 kPa", "%", "%", None),
        ("5 xyz", "%", "%", None),
        ("", "%", "%", None),
    ],
)
def test_what_the_catalogue_says_of_a_sensor(
    text: str, home: str, wanted: str, expected: float | None
) -> None:
    """A limit in the wrong unit is refused when the engine starts, not noticed after the flood."""
    scale, dimension = Scale(read_unit(home)), read_unit(wanted).dimension
    if expected is None:
        with pytest.raises(UnitError):
            attribute_value(text, dimension, scale, is_point=True)
    else:
        found = attribute_value(text, dimension, scale, is_point=True)
        assert found == pytest.approx(expected, rel=1e-12)


def test_quantities_are_split_into_number_and_unit() -> None:
    assert read_quantity("1.5 %") == (1.5, "%")
    assert read_quantity("-3e2kPa/min") == (-300.0, "kPa/min")
    assert read_quantity("7") == (7.0, "")
    with pytest.raises(UnitError):
        read_quantity("high")


def test_dimensions_have_names_that_people_know() -> None:
    assert describe(read_unit("kPa").dimension) == "a pressure"
    assert describe(read_unit("kPa/min").dimension) == "a pressure per time"
    assert describe(times(DURATION, DURATION)) == "a duration times time"
    assert base_symbol(read_unit("N").dimension) == "m·kg/s^2"
    assert describe(NUMBER) == "a number"
    assert Scale(read_unit("%")).unit_of(read_unit("%/h").dimension).symbol == "%/s"
    assert Scale(read_unit("m")).unit_of(TEMPERATURES).symbol == "K"
