"""Amounts: durations and sizes as people write them, integers at the door.

`Duration` and `Size` are field types for the schemas of YAML files: `5ms`, `2m`, `7d` become
nanoseconds, `256 KiB`, `64 MiB` become bytes. A number without a unit is refused.
"""

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final

from pydantic import BeforeValidator

from rules.units import NS_PER_S, UnitError, read_duration

KIB: Final = 1024
MIB: Final = 1024 * KIB
SIZES: Final = {"KiB": KIB, "MiB": MIB, "GiB": 1024 * MIB, "B": 1}


def duration_ns(text: str) -> int | None:
    """Return the nanoseconds of a duration, or None when the text is none."""
    try:
        return read_duration(text)
    except UnitError:
        return None


def size_bytes(text: str) -> int | None:
    """Return the bytes of a size such as `64 MiB`, or None when the text is none."""
    for unit, factor in SIZES.items():
        number = text.strip().removesuffix(unit)
        if number != text.strip():
            number = number.strip()
            return int(number) * factor if number.isdecimal() and number.isascii() else None
    return None


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value  # a default, in nanoseconds already
    amount_ns = duration_ns(value)
    if amount_ns is None:
        message = "expected a time with its unit, such as 5ms, 10s, 2m, 1h or 7d"
        raise ValueError(message)
    return amount_ns


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value  # a default, in bytes already
    amount = size_bytes(value)
    if amount is None:
        message = "expected a whole number of B, KiB, MiB or GiB, such as 64 MiB"
        raise ValueError(message)
    return amount


Duration = Annotated[int, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]


def day_of(now_ns: int, zone: tzinfo) -> str:
    """The day that it is in a time zone, as overrides write it: 2027-01-31."""
    return datetime.fromtimestamp(now_ns // NS_PER_S, tz=UTC).astimezone(zone).date().isoformat()
