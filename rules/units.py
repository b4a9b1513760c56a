"""Units: a closed table, with dimensions, so that metres never meet minutes.

A dimension is a tuple of exponents over ten bases. Four of them are not of the SI: a share (%, ppm)
is kept apart from a plain number, because `0.5` beside methane in % means 0.5 %, not a half; and
%LEL, turbidity, sound and the like convert into nothing but themselves.

Temperatures have points and differences: 20 °C is 293.15 K as a point, but a rise of 20 °C is a
rise of 20 K. `Scale` carries both.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from rules.errors import nearest

NS_PER_S = 1_000_000_000
# The last four are not of the SI: a share is kept apart from a number, the others stand alone.
BASES = ("m", "kg", "s", "A", "K", "cd", "share", "%LEL", "NTU", "dB")
TIME, SHARE = 2, 6

Dimension = tuple[int, ...]


def _dimension(text: str) -> Dimension:
    """A dimension written as `kg m^-1 s^-2`."""
    powers = dict.fromkeys(BASES, 0)
    for part in text.split():
        base, _, power = part.partition("^")
        assert base in powers
        powers[base] = int(power or 1)
    return tuple(powers.values())


NUMBER = _dimension("")
LENGTH = _dimension("m")
MASS = _dimension("kg")
DURATION = _dimension("s")
RATE = _dimension("s^-1")
CURRENT = _dimension("A")
TEMPERATURES = _dimension("K")
LIGHT = _dimension("cd m^-2")
SHARES = _dimension("share")
EXPLOSIVE = _dimension("%LEL")
TURBIDITY = _dimension("NTU")
SOUND = _dimension("dB")
AREA = _dimension("m^2")
VOLUME = _dimension("m^3")
SPEED = _dimension("m s^-1")
ACCELERATION = _dimension("m s^-2")
PRESSURE = _dimension("kg m^-1 s^-2")
FORCE = _dimension("kg m s^-2")
POWER = _dimension("kg m^2 s^-3")
VOLTAGE = _dimension("kg m^2 s^-3 A^-1")
RESISTANCE = _dimension("kg m^2 s^-3 A^-2")
FLOW = _dimension("m^3 s^-1")
CONCENTRATION = _dimension("kg m^-3")

NAMES = {
    NUMBER: "a number",
    LENGTH: "a length",
    MASS: "a mass",
    DURATION: "a duration",
    RATE: "a frequency",
    CURRENT: "a current",
    TEMPERATURES: "a temperature",
    LIGHT: "a brightness",
    SHARES: "a share",
    EXPLOSIVE: "a share of the explosive limit",
    TURBIDITY: "a turbidity",
    SOUND: "a sound level",
    AREA: "an area",
    VOLUME: "a volume",
    SPEED: "a length per time",
    ACCELERATION: "an acceleration",
    PRESSURE: "a pressure",
    FORCE: "a force",
    POWER: "a power",
    VOLTAGE: "a voltage",
    RESISTANCE: "a resistance",
    FLOW: "a flow",
    CONCENTRATION: "a concentration",
}

# symbol: factor to the bases, dimension
TABLE: dict[str, tuple[float, Dimension]] = {
    "1": (1.0, NUMBER),
    "%": (0.01, SHARES),
    "‰": (1e-3, SHARES),
    "ppm": (1e-6, SHARES),
    "ppb": (1e-9, SHARES),
    "%LEL": (1.0, EXPLOSIVE),
    "nm": (1e-9, LENGTH),
    "um": (1e-6, LENGTH),
    "mm": (1e-3, LENGTH),
    "cm": (1e-2, LENGTH),
    "dm": (0.1, LENGTH),
    "m": (1.0, LENGTH),
    "km": (1e3, LENGTH),
    "mg": (1e-6, MASS),
    "ug": (1e-9, MASS),
    "g": (1e-3, MASS),
    "kg": (1.0, MASS),
    "t": (1e3, MASS),
    "ns": (1e-9, DURATION),
    "us": (1e-6, DURATION),
    "ms": (1e-3, DURATION),
    "s": (1.0, DURATION),
    "min": (60.0, DURATION),
    "h": (3600.0, DURATION),
    "d": (86400.0, DURATION),
    "w": (604800.0, DURATION),
    "Hz": (1.0, RATE),
    "kHz": (1e3, RATE),
    "rpm": (1 / 60, RATE),
    "K": (1.0, TEMPERATURES),
    "°C": (1.0, TEMPERATURES),
    "Pa": (1.0, PRESSURE),
    "hPa": (1e2, PRESSURE),
    "kPa": (1e3, PRESSURE),
    "MPa": (1e6, PRESSURE),
    "bar": (1e5, PRESSURE),
    "mbar": (1e2, PRESSURE),
    "N": (1.0, FORCE),
    "kN": (1e3, FORCE),
    "gal": (1e-2, ACCELERATION),
    "L": (1e-3, VOLUME),
    "mL": (1e-6, VOLUME),
    "m3": (1.0, VOLUME),
    "NTU": (1.0, TURBIDITY),
    "V": (1.0, VOLTAGE),
    "mV": (1e-3, VOLTAGE),
    "kV": (1e3, VOLTAGE),
    "A": (1.0, CURRENT),
    "mA": (1e-3, CURRENT),
    "W": (1.0, POWER),
    "kW": (1e3, POWER),
    "MW": (1e6, POWER),
    "Ω": (1.0, RESISTANCE),
    "kΩ": (1e3, RESISTANCE),
    "dB": (1.0, SOUND),
    "lx": (1.0, LIGHT),
}
# Other spellings of the same unit.
SPELLINGS = {"lux": "lx", "℃": "°C", "gals": "gal", "Gal": "gal", "l": "L", "Ohm": "Ω", "ohm": "Ω"}
# °C as a point: 0 °C is 273.15 K.
OFFSETS = {"°C": 273.15}
SYMBOL = re.compile(r"(?P<name>%[A-Za-z]*|‰|°C|℃|1|[A-Za-zµμΩ]+)(?P<power>\^?-?\d|[²³])?")
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


def read_unit(text: str) -> Unit:
    """The unit of a text such as `kPa/min` or `cm/s^2`; UnitError when the table lacks it."""
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
    """The units a rule computes in: its input's own unit, and what follows from it.

    A value of the input is never converted. All other quantities are brought to units in which
    plain arithmetic is right: seconds for time, and for one other base, the pivot, whatever makes
    the input's unit come out with the factor 1. So kPa stays kPa, and a slope is in kPa/s.
    """

    unit: Unit

    def factor(self, dimension: Dimension) -> float:
        """What one of this scale's units of a dimension is in the bases."""
        pivot = next(
            (at for at, power in enumerate(self.unit.dimension) if power and at != TIME), None
        )
        if pivot is None:
            return 1.0
        power = Fraction(dimension[pivot], self.unit.dimension[pivot])
        return (
            self.unit.factor ** int(power)
            if power.denominator == 1
            else float(self.unit.factor ** float(power))
        )

    def offset(self, dimension: Dimension) -> float:
        """What a point of 0 in this scale is in the bases."""
        return self.unit.offset if dimension == self.unit.dimension else 0.0

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
        if dimension == self.unit.dimension:
            return self.unit
        rest = times(dimension, self.unit.dimension, -1)
        power = rest[TIME]
        if power and rest == tuple(power if at == TIME else 0 for at in range(len(rest))):
            per = {-1: "/s", -2: "/s^2", 1: "·s"}.get(power)
            if per and self.unit.dimension not in (NUMBER, RATE, DURATION):
                return Unit(f"{self.unit.symbol}{per}", self.unit.factor, dimension)
        if dimension == SHARES:
            return PERCENT
        return Unit(base_symbol(dimension), 1.0, dimension)


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
    if not symbol and dimension in (NUMBER, scale.unit.dimension):
        unit = scale.unit if dimension == scale.unit.dimension else ONE
        return scale.bring(amount, unit, is_point=is_point)
    if not symbol:
        message = f"`{text}` needs a unit: the rule compares it with {describe(dimension)}"
        raise UnitError(message)
    unit = read_unit(symbol)
    if dimension == NUMBER and unit.dimension == SHARES:
        return amount * unit.factor
    if unit.dimension != dimension:
        message = f"`{text}` is {describe(unit.dimension)}, but the rule compares it with "
        raise UnitError(message + describe(dimension))
    return scale.bring(amount, unit, is_point=is_point)


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
