"""Sensor types: what is measured, in which unit, how regularly, and how late it may come.

Read from the catalogue's types.yaml.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.amounts import Duration
from engine.document import read_document, validate
from rules.errors import Fault
from rules.units import UnitError, read_unit

NS_PER_S: Final = 1_000_000_000

Kind = Literal["gauge", "increment", "counter", "waveform"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class SensorType:
    """One type of sensor; times are None where the file leaves them open.

    A `pane_ns` of None is chosen by the plan: the longest pane that divides all windows.
    """

    name: str
    unit: str
    kind: Kind
    lateness_ns: int
    pane_ns: int | None
    precision: Precision
    period_ns: int | None


class _Type(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    unit: str
    kind: Kind
    lateness: Duration | None = None  # 0 s for waveforms, 2 s otherwise
    pane: Annotated[Duration, Field(gt=0)] | None = None
    precision: Precision = "float64"
    period: Annotated[Duration, Field(gt=0)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    types: tuple[_Type, ...] = Field(min_length=1)


def read_types(path: Path) -> tuple[tuple[SensorType, ...] | None, list[Fault]]:
    """Return the sensor types of a file, or everything that is wrong with it."""
    document, faults = read_document(path)
    if document is None:
        return None, faults
    written, wrong = validate(document, _File)
    faults += wrong
    if written is None:
        return None, faults
    names = [entry.name for entry in written.types]
    for index, entry in enumerate(written.types):
        if entry.name in names[:index]:
            place = document.place(("types", index, "name"))
            faults.append(Fault("E712", place, f"a second type is named `{entry.name}`", ""))
        try:
            read_unit(entry.unit)
        except UnitError as error:
            place = document.place(("types", index, "unit"))
            faults.append(Fault("E723", place, str(error), error.remedy))
    types = tuple(
        SensorType(
            name=entry.name,
            unit=entry.unit,
            kind=entry.kind,
            lateness_ns=_lateness_ns(entry),
            pane_ns=entry.pane,
            precision=entry.precision,
            period_ns=entry.period,
        )
        for entry in written.types
    )
    return types, faults


def _lateness_ns(entry: _Type) -> int:
    if entry.lateness is not None:
        return entry.lateness
    return 0 if entry.kind == "waveform" else 2 * NS_PER_S
