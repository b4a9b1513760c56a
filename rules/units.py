"""Units: what a text such as `5 kPa/min` measures, and how much of it, in a rule's own scale.

Temperatures have points and differences: 20 °C is 293.15 K as a point, but a rise of 20 °C is a
rise of 20 K. `Scale` carries both. The table itself is in `unit_table`.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

from rules.errors import nearest
from rules.unit_table import (
    BASES,
    BEAUFORT,
    DURATION,
    LENGTH,
    NAMES,
    NUMBER,
    OFFSETS,
    OWN,
    RATE,
    SHARE,
    SHARES,
    SPEED,
    SPELLINGS,
    TABLE,
    TEMPERATURES,
    TIME,
    WIND_FORCE,
    Dimension,
)

__all__ = [
    "BASES",
    "DURATION",
    "LENGTH",
    "NUMBER",
    "OWN",
    "SHARES",
    "SPEED",
    "TABLE",
    "TEMPERATURES",
    "WIND_FORCE",
    "Dimension",
]

NS_PER_S = 1_000_000_000
# What an input over all sensor types writes as its unit.
OWN_SYMBOL = "*"
SYMBOL = re.compile(r"(?P<name>%[A-Za-z]*|‰|°C|℃|°|1|[A-Za-zµμΩε]+)(?P<power>\^?-?\d|[²³])?")
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)[ ]?(ns|us|ms|s|min|m|h|d|w)")


class UnitError(ValueError):
    """A text that is no quantity, or one of another dimension; `remedy` may say what was meant."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: value in the bases = value * factor + offset (the offset for points only)."""

    symbol: str
    factor: float
    dimension: Dimension
    offset: float = 0.0

    def __str__(self) -> str:
        return self.symbol


ONE = Unit("", 1.0, NUMBER)
SECOND = Unit("s", 1.0, DURATION)
PERCENT = Unit("%", 0.01, SHARES)
OWN_UNIT = Unit(OWN_SYMBOL, 1.0, OWN)
METRE_PER_S = Unit("m/s", 1.0, SPEED)


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit:
    """The unit of a text such as `kPa/min` or `cm/s^2`; UnitError when the table lacks it."""
    if text == OWN_SYMBOL:
        return OWN_UNIT
    parts = re.split(r"([/·])", text.strip())
    factor, dimension, sign = 1.0, NUMBER, 1
    for part in parts:
        if part in ("/", "·"):
            # `kJ/kg·K` is read as kJ/(kg·K): after a stroke all is below it.
            sign = -1 if part == "/" else sign
            continue
        one_factor, one_dimension = _read_symbol(part)
        factor *= one_factor**sign
        dimension = times(dimension, one_dimension, sign)
    symbol = text.strip().replace("℃", "°C")
    return Unit(symbol if symbol != "1" else "", factor, dimension, OFFSETS.get(symbol, 0.0))


def _read_symbol(text: str) -> tuple[float, Dimension]:
    """Factor and dimension of one symbol with its power."""
    found = SYMBOL.fullmatch(text)
    if text in TABLE or text in SPELLINGS:
        name, power = text, 1
    elif found is None:
        message = f"`{text}` is not a unit"
        raise UnitError(message)
    else:
        name = found["name"]
        written = (found["power"] or "1").lstrip("^").translate({0xB2: "2", 0xB3: "3"})
        power = int(written)
    name = SPELLINGS.get(name, name).replace("µ", "u").replace("μ", "u")
    if name not in TABLE:
        folded = {known.lower(): known for known in (*TABLE, *SPELLINGS)}
        guess = folded.get(name.lower()) or nearest(name, (*TABLE, *SPELLINGS))
        remedy = f"did you mean `{guess}`?" if guess else ""
        message = f"unknown unit `{text}`"
        raise UnitError(message, remedy)
    factor, dimension = TABLE[name]
    return factor**power, tuple(exponent * power for exponent in dimension)


def times(left: Dimension, right: Dimension, sign: int = 1) -> Dimension:
    """The dimension of a product; of a quotient with sign -1."""
    return tuple(a + sign * b for a, b in zip(left, right, strict=True))


def is_point_like(dimension: Dimension) -> bool:
    """True where a point and a difference are two things: temperatures."""
    return dimension == TEMPERATURES


def describe(dimension: Dimension) -> str:
    """A dimension in words: `a pressure per time`."""
    known = NAMES.get(dimension)
    if known:
        return known
    for power, words in ((1, "per time"), (2, "per time and time"), (-1, "times time")):
        base = NAMES.get(times(dimension, DURATION, power))
        if base and base != "a number":
            return f"{base} {words}"
    return "a quantity"


@dataclass(frozen=True, slots=True)
class Scale:
    """The units a rule computes in: its inputs' own units, and what follows from them.

    A value of the only input is never converted. All other quantities are brought to units in which
    plain arithmetic is right: seconds for time, and for one other base, the pivot, whatever makes
    the input's unit come out with the factor 1. So kPa stays kPa, and a slope is in kPa/s.

    `unit` is that of one input, `basis` has those of all inputs of the rule where there are
    several: each finds a pivot of its own if it can, and is multiplied with `input_factor` if not.
    """

    unit: Unit
    basis: tuple[Unit, ...] = ()

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of all inputs of the rule."""
        return self.basis or (self.unit,)

    def factor(self, dimension: Dimension) -> float:
        """What one of this scale's units of a dimension is in the bases."""
        return _factor(self.units, dimension)

    def offset(self, dimension: Dimension) -> float:
        """What a point of 0 in this scale is in the bases."""
        own = next((unit for unit in self.units if unit.dimension == dimension), None)
        return own.offset if own is not None else 0.0

    @property
    def input_shift(self) -> float:
        """What is added to a reading, then, where it is a point: 0, but for K beside °C."""
        shift = self.unit.offset - self.offset(self.unit.dimension)
        return _clean(shift / self.factor(self.unit.dimension))

    @property
    def input_factor(self) -> float:
        """What a reading is multiplied with to be in this scale: 1, but for `ms`, `min`, `rpm`."""
        return self.unit.factor / self.factor(self.unit.dimension)

    def bring(self, value: float, unit: Unit, *, is_point: bool) -> float:
        """A value in `unit`, in this scale."""
        ours = self.factor(unit.dimension)
        if not is_point:
            return _ratio(value, unit.factor, ours)
        theirs = self.offset(unit.dimension)
        if unit.offset == theirs:
            return _ratio(value, unit.factor, ours)
        return _clean((value * unit.factor + unit.offset - theirs) / ours)

    def show(self, value: float, unit: Unit, *, is_point: bool) -> float:
        """A value in this scale, in `unit`."""
        ours = self.factor(unit.dimension)
        if not is_point or unit.offset == self.offset(unit.dimension):
            return _ratio(value, ours, unit.factor)
        return _clean((value * ours + self.offset(unit.dimension) - unit.offset) / unit.factor)

    def unit_of(self, dimension: Dimension) -> Unit:
        """A unit to show values of a dimension in: the input's, per second or times second."""
        for unit in (self.unit, *self.basis):
            if dimension == unit.dimension:
                return unit
        rest = times(dimension, self.unit.dimension, -1)
        power = rest[TIME]
        if power and rest == tuple(power if at == TIME else 0 for at in range(len(rest))):
            per = {-1: "/s", -2: "/s^2", 1: "·s"}.get(power)
            if per and self.unit.dimension not in (NUMBER, RATE, DURATION):
                return Unit(f"{self.unit.symbol}{per}", self.unit.factor, dimension)
        if dimension == SHARES:
            return PERCENT
        return Unit(base_symbol(dimension), 1.0, dimension)


@lru_cache(maxsize=4096)
def _factor(units: tuple[Unit, ...], dimension: Dimension) -> float:
    """What one of a scale's units of a dimension is in the bases."""
    factor = 1.0
    for base, power, unit_factor in _pivots(units):
        exponent = Fraction(dimension[base], power)
        factor *= (
            unit_factor ** int(exponent)
            if exponent.denominator == 1
            else float(unit_factor ** float(exponent))
        )
    for unit in units:
        # An input's own unit is itself, whatever rounding says.
        if unit.dimension == dimension and math.isclose(unit.factor, factor, rel_tol=1e-12):
            return unit.factor
    return factor


@cache
def _pivots(units: tuple[Unit, ...]) -> tuple[tuple[int, int, float], ...]:
    """Of each unit that needs one: the base that is its pivot, its power there, its factor.

    Units of few bases come first: mm settles what a length is, and kPa then turns on the mass. A
    pivot must not occur in a unit that has been settled, or it would change what that comes out as.
    """
    found: list[tuple[int, int, float]] = []
    settled: set[int] = set()
    for unit in sorted(units, key=lambda unit: len(_own_bases(unit))):
        free = [base for base in _own_bases(unit) if base not in settled]
        settled.update(_own_bases(unit))
        if not free:
            continue
        others = [one.dimension for one in units if one.dimension != unit.dimension]
        pivot = min(free, key=lambda base: sum(bool(other[base]) for other in others))
        rest = 1.0
        for base, power, factor in found:
            rest *= factor ** float(Fraction(unit.dimension[base], power))
        found.append((pivot, unit.dimension[pivot], unit.factor / rest))
    return tuple(found)


def _own_bases(unit: Unit) -> list[int]:
    """The bases of a unit but time, which is in seconds everywhere."""
    return [base for base, power in enumerate(unit.dimension) if power and base != TIME]


def _ratio(value: float, theirs: float, ours: float) -> float:
    """A value in other units; the same value when they are the same."""
    return value if theirs == ours else _clean(value * (theirs / ours))


def _clean(value: float) -> float:
    """A converted value without the digits that conversion made up: 0.3, not 0.300000000000004."""
    return float(f"{value:.15g}")


def base_symbol(dimension: Dimension) -> str:
    """A dimension written in the bases: `kg·m/s^2`."""
    above = [_power(at, power) for at, power in enumerate(dimension) if power > 0 and at != SHARE]
    below = [_power(at, -power) for at, power in enumerate(dimension) if power < 0 and at != SHARE]
    if not below:
        return "·".join(above)
    return f"{'·'.join(above) or '1'}/{'·'.join(below)}"


def _power(at: int, power: int) -> str:
    return BASES[at] if power == 1 else f"{BASES[at]}^{power}"


def read_quantity(text: str) -> tuple[float, str]:
    """Split `1.5 %` into 1.5 and `%`; a bare number has an empty unit. UnitError when neither."""
    found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\S*)\s*", text)
    if found is None:
        message = f"`{text}` is not a number with a unit"
        raise UnitError(message)
    return float(found[1]), found[2]


def attribute_value(text: str, dimension: Dimension, scale: Scale, *, is_point: bool) -> float:
    """What the catalogue says of a sensor (`1.5 %`, `90 min`, `0.8`), in a rule's scale.

    A bare number is in the unit of the rule's input where it is of the input's dimension, and a
    plain number where that is what the rule needs; elsewhere nobody can know its unit. UnitError
    when the text is not a quantity of the dimension.
    """
    if dimension == DURATION and (length_ns := duration_ns(text)) is not None:
        return length_ns / NS_PER_S
    amount, symbol = read_quantity(text)
    home = next((unit for unit in (scale.unit, *scale.basis) if unit.dimension == dimension), None)
    if not symbol and (home is not None or dimension == NUMBER):
        return scale.bring(amount, home or ONE, is_point=is_point)
    if not symbol:
        message = f"`{text}` needs a unit: the rule compares it with {describe(dimension)}"
        raise UnitError(message)
    unit = read_unit(symbol)
    if dimension == NUMBER and unit.dimension == SHARES:
        return amount * unit.factor
    if dimension == SPEED and unit.dimension == WIND_FORCE:
        return scale.bring(wind_of_force(amount), METRE_PER_S, is_point=False)
    if unit.dimension != dimension:
        message = f"`{text}` is {describe(unit.dimension)}, but the rule compares it with "
        raise UnitError(message + describe(dimension))
    return scale.bring(amount, unit, is_point=is_point)


def wind_of_force(force: float) -> float:
    """The least wind of a force, in m/s; UnitError when the scale has no such force."""
    if force not in range(len(BEAUFORT)):
        message = f"`{force:g}` is no force of the wind"
        raise UnitError(message, f"write a whole number from 0 to {len(BEAUFORT) - 1}")
    return BEAUFORT[int(force)]


def force_of_wind(speed_m_s: float) -> int | None:
    """The force that begins at this wind; None where none does."""
    near = (at for at, least in enumerate(BEAUFORT) if abs(least - speed_m_s) < 1e-9)
    return next(near, None)


def of_own_unit(dimension: Dimension, scale: Scale, symbol: str) -> tuple[Dimension, Scale]:
    """Dimension and scale for a sensor of a rule over all types, whose unit is `symbol`.

    Such a rule computes in each sensor's own unit; others keep what they have.
    """
    power = dimension[BASES.index("own")]
    if not power:
        return dimension, scale
    unit = read_unit(symbol)
    whole = times(dimension, OWN, -power)
    for _ in range(abs(power)):
        whole = times(whole, unit.dimension, 1 if power > 0 else -1)
    return whole, Scale(unit)


@lru_cache(maxsize=4096)
def read_duration(text: str) -> int:
    """Nanoseconds of `30s`, `5m`, `1h30m` or `0.5 s`; `m` is minutes. UnitError when it is none."""
    stripped = text.strip()
    parts = list(DURATION_PART.finditer(stripped))
    if not parts or "".join(part.group() for part in parts) != stripped:
        message = f"`{text}` is not a duration"
        raise UnitError(message, _duration_remedy(stripped))
    total = Fraction(0)
    for part in parts:
        factor = 60.0 if part[2] == "m" else TABLE[part[2]][0]
        total += Fraction(part[1]) * Fraction(str(factor)) * NS_PER_S
    if total.denominator != 1:
        message = f"`{text}` is not a whole number of nanoseconds"
        raise UnitError(message)
    if total > DURATION_NS_MAX:
        message = f"`{text}` is longer than a hundred years"
        raise UnitError(message)
    return int(total)


def duration_ns(text: str) -> int | None:
    """As `read_duration`, for whoever words the fault: None when the text is no duration."""
    try:
        return read_duration(text)
    except UnitError:
        return None


# A hundred years: far from the end of 64-bit nanoseconds (292 years), whatever is added to it.
DURATION_NS_MAX = 36525 * 86400 * NS_PER_S


def _duration_remedy(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return f"write the unit: `{text}s`, `{text}m` or `{text}h`"
    return "write for example `30s`, `5m`, `1h30m`"
