"""Registry: the catalogue of sensor types, sites, gateways and sensors, as columns.

A catalogue is a folder:

    types.yaml     types: a list of {name, unit, kind, lateness?, pane?, precision?, period?}
    sites.csv      site, name_zh, name_en, division, lat, lon, and any attributes
    gateways.csv   gateway, site, public_key
    sensors.csv    sensor, gateway, site, type, period, range_low, range_high, and any attributes

The order in which a gateway's sensors stand in sensors.csv is its manifest: the numbers that
its frames carry. All mistakes of all four files are found in one reading, each with its cell.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.amounts import duration_ns
from engine.calendars import ZONE_DEFAULT
from engine.csv_text import Sheet, read_sheet
from engine.errors import ConfigError
from engine.nearest import did_you_mean
from engine.sensor_types import SensorType, read_types
from rules.errors import Fault, Place

SITE_COLUMNS: Final = ("site", "name_zh", "name_en", "division", "lat", "lon")
GATEWAY_COLUMNS: Final = ("gateway", "site", "public_key")
SENSOR_COLUMNS: Final = ("sensor", "gateway", "site", "type", "period", "range_low", "range_high")
FILES: Final = ("types.yaml", "sites.csv", "gateways.csv", "sensors.csv")

# A site is a part of a topic, where `/` separates; control characters spoil logs and screens.
NAME = re.compile(r"[^\x00-\x1f\x7f/,\"]{1,128}")
DIVISION = re.compile(r"[1-9][0-9]{5}")
Z85_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")

# A column that is wrong in each of a million rows is one mistake, not a million.
FAULTS_PER_COLUMN_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Sites:
    """The places that sensors watch, as columns; NaN where a position is not known.

    lat, lon  float64[k]  degrees, WGS 84
    """

    name: list[str]
    name_zh: list[str]
    name_en: list[str]
    division: list[str]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    attributes: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Gateways:
    """Who may send: name, own site and CURVE public key ("" where the link is not secured)."""

    name: list[str]
    site: NDArray[np.int32]
    public_key: list[str]


@dataclass(frozen=True, slots=True)
class Sensors:
    """The sensors in the order of sensors.csv, as columns.

    gateway    int32[s]    index into the gateways
    site       int32[s]    index into the sites
    type       int16[s]    index into the types
    period_ns  int64[s]    expected spacing of readings; 0 where none is known
    low, high  float64[s]  physical range, in the unit of the type; -inf, +inf where unbounded
    """

    name: list[str]
    gateway: NDArray[np.int32]
    site: NDArray[np.int32]
    type: NDArray[np.int16]
    period_ns: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    attributes: dict[str, list[str | None]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that is known before the first frame; `digest` is the sha256 of the four files.

    time_zone  of sites that name none; engine.yaml says it
    """

    types: tuple[SensorType, ...]
    sites: Sites
    gateways: Gateways
    sensors: Sensors
    digest: str
    manifest_order: NDArray[np.int32]
    manifest_start: NDArray[np.int64]
    time_zone: str = ZONE_DEFAULT

    def manifest(self, gateway: int) -> NDArray[np.int32]:
        """Return the catalogue's numbers of one gateway's sensors, in the order of its frames."""
        start, end = self.manifest_start[gateway], self.manifest_start[gateway + 1]
        return self.manifest_order[start:end]


def load(folder: Path) -> Catalogue:
    """Return the catalogue of a folder, or raise a ConfigError that carries every mistake."""
    catalogue, faults = examine(folder)
    errors = [fault for fault in faults if fault.is_error]
    if errors or catalogue is None:
        raise ConfigError(errors)
    return catalogue


def examine(folder: Path) -> tuple[Catalogue | None, list[Fault]]:
    """Return the catalogue of a folder, if it has one, and everything that is wrong with it."""
    if not folder.is_dir():
        at = Place(str(folder), 0, 0)
        hint = "a catalogue is a folder with " + ", ".join(FILES)
        return None, [Fault("E710", at, "there is no such folder", hint)]
    types, faults = read_types(folder / "types.yaml")
    site_sheet, site_faults = read_sheet(folder / "sites.csv", SITE_COLUMNS)
    gateway_sheet, gateway_faults = read_sheet(folder / "gateways.csv", GATEWAY_COLUMNS)
    sensor_sheet, sensor_faults = read_sheet(folder / "sensors.csv", SENSOR_COLUMNS)
    faults += site_faults + gateway_faults + sensor_faults
    sites = gateways = sensors = None
    if site_sheet is not None:
        sites = _sites(site_sheet, faults)
    if gateway_sheet is not None:
        gateways = _gateways(gateway_sheet, None if sites is None else sites.name, faults)
    if sensor_sheet is not None:
        sensors = _sensors(
            sensor_sheet,
            gateways=None if gateways is None else gateways.name,
            sites=None if sites is None else sites.name,
            types=types,
            faults=faults,
        )
    if types is None or sites is None or gateways is None or sensors is None:
        return None, faults
    order = np.argsort(sensors.gateway, kind="stable").astype(np.int32)
    counts = np.bincount(sensors.gateway + 1, minlength=len(gateways.name) + 2)[1:]
    start = np.zeros(len(gateways.name) + 1, np.int64)
    np.cumsum(counts[: len(gateways.name)], out=start[1:])
    if any(fault.is_error for fault in faults):
        return None, faults
    digest = _digest(folder)
    return Catalogue(types, sites, gateways, sensors, digest, order, start), faults


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in FILES:
        raw = (folder / name).read_bytes()
        digest.update(f"{name} {len(raw)}\n".encode())
        digest.update(raw)
    return digest.hexdigest()


def _sites(sheet: Sheet, faults: list[Fault]) -> Sites:
    names = _names(sheet, "site", faults)
    division = sheet.columns["division"]
    wrong = [row for row, text in enumerate(division) if not DIVISION.fullmatch(text)]
    hint = "six digits, as GB/T 2260 writes them, such as 140200"
    _point(
        sheet,
        "division",
        wrong,
        faults,
        code="E714",
        message="`{}` is not a division code",
        hint=hint,
    )
    extra = [heading for heading in sheet.headings if heading not in SITE_COLUMNS]
    attributes = [
        {heading: sheet.columns[heading][row] for heading in extra if sheet.columns[heading][row]}
        for row in range(sheet.row_count())
    ]
    return Sites(
        names,
        sheet.columns["name_zh"],
        sheet.columns["name_en"],
        division,
        _degrees(sheet, "lat", 90.0, faults),
        _degrees(sheet, "lon", 180.0, faults),
        attributes,
    )


def _degrees(sheet: Sheet, column: str, bound: float, faults: list[Fault]) -> NDArray[np.float64]:
    value = _numbers(sheet, column, np.nan, faults)
    outside = np.flatnonzero(np.abs(value) > bound).tolist()
    message = f"`{{}}` is outside -{bound:.0f} … {bound:.0f} degrees"
    hint = "lat is north, lon is east" if column == "lat" else ""
    _point(sheet, column, outside, faults, code="E715", message=message, hint=hint)
    return value


def _gateways(sheet: Sheet, sites: list[str] | None, faults: list[Fault]) -> Gateways:
    names = _names(sheet, "gateway", faults)
    keys = sheet.columns["public_key"]
    wrong = [row for row, key in enumerate(keys) if key and not Z85_KEY.fullmatch(key)]
    hint = "40 characters of Z85, or nothing where the link is not secured"
    _point(
        sheet,
        "public_key",
        wrong,
        faults,
        code="E716",
        message="`{}` is not a CURVE public key",
        hint=hint,
    )
    return Gateways(names, _references(sheet, "site", sites, faults), keys)


def _sensors(
    sheet: Sheet,
    *,
    gateways: list[str] | None,
    sites: list[str] | None,
    types: tuple[SensorType, ...] | None,
    faults: list[Fault],
) -> Sensors:
    names = _names(sheet, "sensor", faults)
    if not names:
        at = Place(sheet.path, 0, 0)
        faults.append(Fault("E717", at, "the catalogue has no sensor", "add a row"))
    type_names = None if types is None else [type_.name for type_ in types]
    type_index = _references(sheet, "type", type_names, faults).astype(np.int16)
    low = _numbers(sheet, "range_low", -np.inf, faults)
    high = _numbers(sheet, "range_high", np.inf, faults)
    crossed = np.flatnonzero(low >= high).tolist()
    message = "range_low is not below range_high, which is `{}`"
    _point(sheet, "range_high", crossed, faults, code="E718", message=message, hint="swap them?")
    extra = [heading for heading in sheet.headings if heading not in SENSOR_COLUMNS]
    return Sensors(
        names,
        _references(sheet, "gateway", gateways, faults),
        _references(sheet, "site", sites, faults),
        type_index,
        _periods(sheet, type_index, types or (), faults),
        low,
        high,
        {heading: [cell or None for cell in sheet.columns[heading]] for heading in extra},
    )


def _names(sheet: Sheet, column: str, faults: list[Fault]) -> list[str]:
    """Return the names of a column; each must be usable and stand in the file once."""
    names = sheet.columns[column]
    wrong = [row for row, name in enumerate(names) if not NAME.fullmatch(name)]
    hint = "1 to 128 characters without `/`, `,`, quotes and control characters"
    _point(
        sheet,
        column,
        wrong,
        faults,
        code="E711",
        message=f"`{{}}` cannot be the name of a {column}",
        hint=hint,
    )
    if len(set(names)) < len(names):
        first: dict[str, int] = {}
        for row, name in enumerate(names):
            if first.setdefault(name, row) != row and name:
                hint = f"it stands in line {sheet.line[first[name]]} first"
                message = f"the {column} `{name}` stands here a second time"
                faults.append(sheet.fault(row, column, "E712", message, hint))
    return names


def _references(
    sheet: Sheet, column: str, known: Sequence[str] | None, faults: list[Fault]
) -> NDArray[np.int32]:
    """Return the index of each cell in a list of names; -1, and a fault, where it is not there.

    Nothing is said when the list itself could not be read: that has its own fault.
    """
    if known is None:
        return np.full(sheet.row_count(), -1, np.int32)
    position: Mapping[str, int] = {name: index for index, name in enumerate(known)}
    cells = sheet.columns[column]
    index = np.array([position.get(cell, -1) for cell in cells], np.int32)
    missing = np.flatnonzero(index < 0).tolist()
    hints = {cells[row]: did_you_mean(cells[row], known) for row in missing[:FAULTS_PER_COLUMN_MAX]}
    for row in missing[:FAULTS_PER_COLUMN_MAX]:
        message = f"the {column} `{cells[row]}` is not in the catalogue"
        faults.append(sheet.fault(row, column, "E713", message, hints[cells[row]]))
    _say_how_many_more(sheet, column, len(missing), faults)
    return index


def _numbers(sheet: Sheet, column: str, empty: float, faults: list[Fault]) -> NDArray[np.float64]:
    """Return a column as finite numbers; an empty cell is `empty`."""
    value = np.full(sheet.row_count(), empty, np.float64)
    wrong = []
    for row, cell in enumerate(sheet.columns[column]):
        if not cell:
            continue
        try:
            value[row] = float(cell)
        except ValueError:
            wrong.append(row)
            continue
        if "_" in cell or not -1e300 < value[row] < 1e300:
            value[row] = empty
            wrong.append(row)
    hint = "a number such as 4, -0.5 or 1e3"
    _point(sheet, column, wrong, faults, code="E719", message="`{}` is not a number", hint=hint)
    return value


def _periods(
    sheet: Sheet,
    type_index: NDArray[np.int16],
    types: tuple[SensorType, ...],
    faults: list[Fault],
) -> NDArray[np.int64]:
    """Return the period of each sensor: its own, else that of its type, else 0."""
    of_type = np.array([type_.period_ns or 0 for type_ in types] + [0], np.int64)
    period_ns = of_type[type_index]
    cells = sheet.columns["period"]
    known = {cell: duration_ns(cell) for cell in set(cells) if cell}
    wrong = []
    for row, cell in enumerate(cells):
        if not cell:
            continue
        own_ns = known[cell]
        if own_ns is None or own_ns <= 0:
            wrong.append(row)
        else:
            period_ns[row] = own_ns
    hint = "a time with its unit, such as 30s, 100ms or 1h"
    _point(sheet, "period", wrong, faults, code="E720", message="`{}` is not a period", hint=hint)
    is_waveform = np.array([type_.kind == "waveform" for type_ in types] + [False])[type_index]
    bare = np.flatnonzero(is_waveform & (period_ns == 0)).tolist()
    message = "a waveform needs a period, here or on its type"
    _point(sheet, "period", bare, faults, code="E721", message=message, hint=hint)
    return period_ns


def _point(
    sheet: Sheet,
    column: str,
    rows: list[int],
    faults: list[Fault],
    *,
    code: str,
    message: str,
    hint: str,
) -> None:
    """Add one fault for each of these rows, up to the number that a person can read."""
    for row in rows[:FAULTS_PER_COLUMN_MAX]:
        text = message.format(sheet.columns[column][row])
        faults.append(sheet.fault(row, column, code, text, hint))
    _say_how_many_more(sheet, column, len(rows), faults)


def _say_how_many_more(sheet: Sheet, column: str, count: int, faults: list[Fault]) -> None:
    more = count - FAULTS_PER_COLUMN_MAX
    if more > 0:
        at = Place(sheet.path, 0, 0)
        faults.append(Fault("E722", at, f"{more} more faults like these in column `{column}`", ""))
