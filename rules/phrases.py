"""Phrases: how values become words inside a message, in Chinese and in English.

Templates are Jinja2 in a sandbox; it holds four filters of ours and a few harmless ones of Jinja's:

    q(unit, digits)   a quantity in a unit          {{ value | q('%', 2) }}
    dur               seconds as a duration         {{ eta | dur }}; `never` has no end
    pct(digits)       a share in percent
    time(offset)      nanoseconds as a time of day, in UTC unless an offset ('+08:00') is given
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Literal

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rules.grade import Grade
from rules.units import DURATION, NS_PER_S, NUMBER, SHARES, Scale, UnitError, read_unit

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
FILTERS = ("q", "dur", "pct", "time")
JINJA_FILTERS = ("upper", "lower", "title", "trim", "default")
NEVER: dict[Language, str] = {"zh": "不会", "en": "never"}
NO_DATA: dict[Language, str] = {"zh": "无数据", "en": "no data"}
YES_NO: dict[Language, tuple[str, str]] = {"zh": ("否", "是"), "en": ("no", "yes")}
# In the place of a unit, for numbers that are no quantities.
GRADE, TRUTH, SEASON = "grade", "truth", "season"
SEASONS: dict[Language, tuple[str, ...]] = {
    "zh": ("春季", "夏季", "秋季", "冬季"),
    "en": ("spring", "summer", "autumn", "winter"),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit, as a template sees it."""

    value: float
    unit: str
    language: Language

    def __str__(self) -> str:
        return self.write(self.unit, None)

    def write(self, unit: str, digits: int | None) -> str:
        """The value in `unit`: `digits` after the point, or three significant ones."""
        if self.value == math.inf and read_unit(self.unit or "1").dimension == DURATION:
            return NEVER[self.language]
        if not math.isfinite(self.value):
            return NO_DATA[self.language]
        value = self.value
        if unit != self.unit:
            ours, theirs = read_unit(self.unit or "1"), read_unit(unit)
            if ours.dimension == NUMBER and theirs.dimension == SHARES:
                value /= theirs.factor
            else:
                value = Scale(ours).show(value, theirs, is_point=ours.offset != 0.0)
        space = "" if not unit or (self.language == "zh" and unit.startswith("%")) else " "
        return f"{plain(value, digits)}{space}{unit}"


@dataclass(frozen=True, slots=True)
class Colour:
    """A grade as a template sees it: `grade`, `grade.zh`, `grade.en`."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.en


@dataclass(frozen=True, slots=True)
class Said:
    """Something that is known or not and has a word for it; true where a condition holds."""

    word: str
    is_so: bool

    def __str__(self) -> str:
        return self.word

    def __bool__(self) -> bool:
        return self.is_so


def spoken(value: float, word: str, language: Language) -> Quantity | Colour | Said:
    """A number as a template sees it; `word` is its unit, or says what else it is."""
    if word not in (GRADE, TRUTH, SEASON):
        return Quantity(value, word, language)
    if not math.isfinite(value):
        return Said(NO_DATA[language], False)
    number = int(value)
    if word == GRADE:
        grade = Grade(number)
        return Colour(grade.zh, grade.en)
    if word == TRUTH:
        return Said(YES_NO[language][number], number == 1)
    return Said(SEASONS[language][number], True)


class Record:
    """Attributes of a sensor or site as a template sees them: nothing but their texts."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        found = self._texts.get(name)
        if not found:
            raise AttributeError(name)
        return found


def plain(value: float, digits: int | None) -> str:
    """A number as people write it: never `1e-05`, never more digits than it deserves."""
    if digits is not None:
        return f"{value:.{max(0, min(int(digits), 9))}f}"
    if value == 0 or not math.isfinite(value):
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _q(language: Language, value: object, unit: str = "", digits: int | None = None) -> str:
    """Filter: a quantity in the unit asked for."""
    if isinstance(value, Quantity):
        return value.write(unit or value.unit, digits)
    return Quantity(_number(value), "", language).write("", digits) + (f" {unit}" if unit else "")


def _dur(language: Language, value: object) -> str:
    """Filter: seconds as `2 h 30 min`."""
    seconds = _number(value)
    if seconds == math.inf:
        return NEVER[language]
    if not math.isfinite(seconds):
        return NO_DATA[language]
    words = ("天", "小时", "分", "秒") if language == "zh" else ("d", "h", "min", "s")
    rest = round(abs(seconds))
    parts = []
    for size, word in zip((86400, 3600, 60, 1), words, strict=True):
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {word}")
    return ("-" if seconds < 0 else "") + (" ".join(parts[:2]) or f"0 {words[-1]}")


def _pct(value: object, digits: int = 0) -> str:
    """Filter: a share of 0 to 1 in percent."""
    number = _number(value)
    if isinstance(value, Quantity) and value.unit in ("%", "ppm", "ppb", "‰"):
        number *= read_unit(value.unit).factor
    return f"{plain(number * 100, digits)} %"


def _time(value: object, offset: str = "+00:00") -> str:
    """Filter: nanoseconds since 1970 as a time of day, in UTC unless an offset is given."""
    sign = -1 if offset.startswith("-") else 1
    hours, _, minutes = offset.lstrip("+-").partition(":")
    shift = sign * timedelta(hours=int(hours), minutes=int(minutes or 0))
    moment = datetime.fromtimestamp(int(_number(value)) // NS_PER_S, tz=UTC)
    return moment.astimezone(timezone(shift)).isoformat(sep=" ")


def _number(value: object) -> float:
    if isinstance(value, Quantity):
        return value.value
    if isinstance(value, int | float):
        return value
    message = f"`{value}` is not a number"
    raise UnitError(message)


@cache
def environment(language: Language) -> ImmutableSandboxedEnvironment:
    """The sandbox of one language, with our four filters and a few of Jinja's."""
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    known = {name: sandbox.filters[name] for name in JINJA_FILTERS}
    sandbox.filters = {
        **known,
        "q": lambda value, unit="", digits=None: _q(language, value, unit, digits),
        "dur": lambda value: _dur(language, value),
        "pct": _pct,
        "time": _time,
    }
    sandbox.globals = {}
    sandbox.tests = {"defined": sandbox.tests["defined"]}
    return sandbox
