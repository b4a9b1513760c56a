"""Calendars that rules name, and time zones of sites: are they in the catalogue, and readable?

`in_calendar("flood-season")` looks at the column `flood-season` of sensors.csv or sites.csv, and
every site may have a `timezone`; see `engine/calendars.py` for what stands in them.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.calendars import CalendarError, read_spans, read_zone
from engine.csv_text import read_sheet
from engine.nearest import did_you_mean
from engine.registry import SENSOR_COLUMNS, SITE_COLUMNS, Catalogue
from rules import expression as ex
from rules.errors import Fault
from rules.pack import Rule

FAULTS_MAX: Final = 20
Cells = Mapping[int, str | None]


def calendar_faults(
    rule: Rule, catalogue: Catalogue, sensors: NDArray[np.intp], folder: Path
) -> list[Fault]:
    """Return what a rule asks of calendars and the catalogue does not have, or has wrong."""
    asked = list(dict.fromkeys(_asked(rule)))
    if not asked:
        return []
    rows = sorted({int(site) for site in catalogue.sensors.site[sensors]})
    zones = {row: catalogue.sites.attributes[row].get("timezone") for row in rows}
    faults = _wrong(zones, "timezone", folder / "sites.csv", SITE_COLUMNS, _zone_problem)
    for node in asked:
        if node.name != "in_calendar":
            continue
        name = node.calendar
        of_sites = {row: catalogue.sites.attributes[row].get(name) for row in rows}
        own = catalogue.sensors.attributes.get(name)
        of_sensors = {} if own is None else {int(sensor): own[int(sensor)] for sensor in sensors}
        if own is None and not any(name in cells for cells in catalogue.sites.attributes):
            names = {column for cells in catalogue.sites.attributes for column in cells}
            text = f"neither sensors.csv nor sites.csv has a column `{name}`, so this is unknown"
            hint = did_you_mean(name, sorted(names | set(catalogue.sensors.attributes)))
            faults.append(Fault("E736", node.place, text, hint))
            continue
        faults += _wrong(of_sites, name, folder / "sites.csv", SITE_COLUMNS, _span_problem)
        faults += _wrong(of_sensors, name, folder / "sensors.csv", SENSOR_COLUMNS, _span_problem)
    return faults


def _asked(rule: Rule) -> Iterable[ex.Calendar]:
    tops = [*rule.conditions]
    tops += [] if rule.sequence is None else [step.condition for step in rule.sequence.steps]
    tops += [one.during for one in rule.suppress if not isinstance(one.during, str)]
    return (part for top in tops for part in ex.walk(top) if isinstance(part, ex.Calendar))


def _wrong(
    cells: Cells,
    column: str,
    path: Path,
    required: tuple[str, ...],
    problem: Callable[[str], str],
) -> list[Fault]:
    wrong = [(row, problem(cell)) for row, cell in cells.items() if cell and cell.strip()]
    shown = [(row, text) for row, text in wrong if text][:FAULTS_MAX]
    if not shown:
        return []
    sheet, _ = read_sheet(path, required)
    assert sheet is not None, "the catalogue was read a moment ago"
    return [sheet.fault(row, column, "E747", text, "") for row, text in shown]


def _zone_problem(text: str) -> str:
    try:
        read_zone(text)
    except CalendarError as error:
        return str(error)
    return ""


def _span_problem(text: str) -> str:
    try:
        read_spans(text)
    except CalendarError as error:
        return str(error)
    return ""
