"""The table of units: closed, so that a slip of the pen is never a unit.

A dimension is a tuple of exponents over the bases. Some of them are not of the SI: a share (%, ppm)
is kept apart from a plain number, because `0.5` beside methane in % means 0.5 %, not a half; and
%LEL, turbidity, sound, angles, strain, doses, pH and the force of the wind convert into nothing but
themselves. The last base stands for "whatever unit the sensor's own type has", for rules over all
types at once.
"""

BASES = (
    *("m", "kg", "s", "A", "K", "cd", "share", "%LEL", "NTU", "dB"),
    *("rad", "strain", "Sv", "pH", "beaufort", "own"),
)
TIME, SHARE = 2, 6

Dimension = tuple[int, ...]


def dimension(text: str) -> Dimension:
    """A dimension written as `kg m^-1 s^-2`."""
    powers = dict.fromkeys(BASES, 0)
    for part in text.split():
        base, _, power = part.partition("^")
        assert base in powers
        powers[base] = int(power or 1)
    return tuple(powers.values())


NUMBER = dimension("")
LENGTH = dimension("m")
MASS = dimension("kg")
DURATION = dimension("s")
RATE = dimension("s^-1")
CURRENT = dimension("A")
TEMPERATURES = dimension("K")
LIGHT = dimension("cd m^-2")
SHARES = dimension("share")
EXPLOSIVE = dimension("%LEL")
TURBIDITY = dimension("NTU")
SOUND = dimension("dB")
ANGLE = dimension("rad")
STRAIN = dimension("strain")
DOSE = dimension("Sv")
ACIDITY = dimension("pH")
WIND_FORCE = dimension("beaufort")
# Of an input over all sensor types: each sensor's own unit, whatever that is.
OWN = dimension("own")
AREA = dimension("m^2")
VOLUME = dimension("m^3")
SPEED = dimension("m s^-1")
ACCELERATION = dimension("m s^-2")
PRESSURE = dimension("kg m^-1 s^-2")
FORCE = dimension("kg m s^-2")
ENERGY = dimension("kg m^2 s^-2")
POWER = dimension("kg m^2 s^-3")
VOLTAGE = dimension("kg m^2 s^-3 A^-1")
RESISTANCE = dimension("kg m^2 s^-3 A^-2")
CONDUCTANCE = dimension("kg^-1 m^-2 s^3 A^2")
CONDUCTIVITY = dimension("kg^-1 m^-3 s^3 A^2")
FLOW = dimension("m^3 s^-1")
CONCENTRATION = dimension("kg m^-3")
DOSE_RATE = dimension("Sv s^-1")

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
    ANGLE: "an angle",
    STRAIN: "a strain",
    DOSE: "a dose",
    DOSE_RATE: "a dose rate",
    ACIDITY: "an acidity",
    WIND_FORCE: "a force of the wind",
    OWN: "in the unit of each sensor's own type",
    AREA: "an area",
    VOLUME: "a volume",
    SPEED: "a length per time",
    ACCELERATION: "an acceleration",
    PRESSURE: "a pressure",
    FORCE: "a force",
    ENERGY: "an energy",
    POWER: "a power",
    VOLTAGE: "a voltage",
    RESISTANCE: "a resistance",
    CONDUCTANCE: "a conductance",
    CONDUCTIVITY: "a conductivity",
    FLOW: "a flow",
    CONCENTRATION: "a concentration",
}

PI = 3.141592653589793

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
    "ha": (1e4, AREA),
    "ug": (1e-9, MASS),
    "mg": (1e-6, MASS),
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
    "GPa": (1e9, PRESSURE),
    "bar": (1e5, PRESSURE),
    "mbar": (1e2, PRESSURE),
    "mmHg": (133.322387415, PRESSURE),
    "N": (1.0, FORCE),
    "kN": (1e3, FORCE),
    "MN": (1e6, FORCE),
    "J": (1.0, ENERGY),
    "kJ": (1e3, ENERGY),
    "MJ": (1e6, ENERGY),
    "kWh": (3.6e6, ENERGY),
    "gal": (1e-2, ACCELERATION),
    "mgal": (1e-5, ACCELERATION),
    "L": (1e-3, VOLUME),
    "mL": (1e-6, VOLUME),
    "m3": (1.0, VOLUME),
    "NTU": (1.0, TURBIDITY),
    "V": (1.0, VOLTAGE),
    "mV": (1e-3, VOLTAGE),
    "kV": (1e3, VOLTAGE),
    "A": (1.0, CURRENT),
    "mA": (1e-3, CURRENT),
    "kA": (1e3, CURRENT),
    "W": (1.0, POWER),
    "kW": (1e3, POWER),
    "MW": (1e6, POWER),
    "Ω": (1.0, RESISTANCE),
    "kΩ": (1e3, RESISTANCE),
    "MΩ": (1e6, RESISTANCE),
    "S": (1.0, CONDUCTANCE),
    "mS": (1e-3, CONDUCTANCE),
    "uS": (1e-6, CONDUCTANCE),
    "dB": (1.0, SOUND),
    "lx": (1.0, LIGHT),
    "klx": (1e3, LIGHT),
    "rad": (1.0, ANGLE),
    "mrad": (1e-3, ANGLE),
    "°": (PI / 180, ANGLE),
    "arcmin": (PI / 10_800, ANGLE),
    "arcsec": (PI / 648_000, ANGLE),
    "uε": (1e-6, STRAIN),
    "Sv": (1.0, DOSE),
    "mSv": (1e-3, DOSE),
    "uSv": (1e-6, DOSE),
    "nSv": (1e-9, DOSE),
    "pH": (1.0, ACIDITY),
    "beaufort": (1.0, WIND_FORCE),
}
# Other spellings of the same unit.
SPELLINGS = {
    "lux": "lx",
    "℃": "°C",
    "gals": "gal",
    "Gal": "gal",
    "l": "L",
    "Ohm": "Ω",
    "ohm": "Ω",
    "deg": "°",
    "ustrain": "uε",
    "microstrain": "uε",
    "dBA": "dB",
    "Bft": "beaufort",
    "bft": "beaufort",
    "%RH": "%",
    "%VOL": "%",
    "%vol": "%",
}
# °C as a point: 0 °C is 273.15 K.
OFFSETS = {"°C": 273.15}

# The least mean wind of each force 0 to 17 in m/s. Source: GB/T 28591-2012, wind scale.
BEAUFORT = (
    *(0.0, 0.3, 1.6, 3.4, 5.5, 8.0, 10.8, 13.9, 17.2),
    *(20.8, 24.5, 28.5, 32.7, 37.0, 41.5, 46.2, 51.0, 56.1),
)
