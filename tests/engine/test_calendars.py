"""Local time: hours that differ from site to site, seasons from pole to pole, named calendars."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.calendars import CalendarError, Calendars, read_spans, read_zone
from engine.features import Attributes
from engine.instances import Edges, InstanceAttributes, Instances
from rules import expression as ex
from rules.errors import Place
from tests.engine.plants import S, Sensor, catalogue_of, kind

NOWHERE = Place("e.yaml", 1, 1)
ALL = np.arange(4)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def calendars(**texts: str | None) -> Calendars:
    """Four rows: the default, Urumqi time, Nepal's offset, Brisbane south of the equator."""
    zones = [None, "+06:00", "+05:45", "Australia/Brisbane"]
    south = np.array([False, False, False, True])
    return made_for("+08:00", zones, south, **texts)


def made_for(
    usual: str, zones: list[str | None], south: NDArray[np.bool_], **texts: str | None
) -> Calendars:
    def of(name: str) -> list[str | None]:
        return [texts.get(name), None, "", texts.get(name)]

    return Calendars(zones, south, of, usual=usual)


def column(made: Calendars, name: str, time: str, calendar: str = "") -> list[object]:
    return list(made.column(ex.Calendar(name, calendar, NOWHERE), ns(time), ALL))


def test_the_hour_is_that_of_the_asset():
    """A night rule for Kashgar must not run by the clock of Beijing."""
    assert column(calendars(), "hour", "2026-07-01T17:59:59") == [1, 23, 23, 3]
    assert column(calendars(), "hour", "2026-07-01T18:00:00") == [2, 0, 23, 4]


def test_a_site_without_a_zone_goes_by_that_of_the_engine():
    """An engine in Tashkent watches sites in Tashkent, whatever its author's zone was."""
    zones = [None, "", "+08:00", "Asia/Nowhere"]
    made = made_for("Asia/Tashkent", zones, np.zeros(4, np.bool_))
    assert column(made, "hour", "2026-07-01T18:59:59") == [23, 23, 2, 23]
    assert column(made, "hour", "2026-07-01T19:00:00") == [0, 0, 3, 0]


@pytest.mark.parametrize(("zone", "hour"), [("+08:00", 13), ("Asia/Kathmandu", 10)])
def test_the_zone_of_the_engine_reaches_sensors_and_instances(zone, hour):
    """A night rule on a tank must not run by another clock than one on its sensors."""
    sensors = [Sensor("a"), Sensor("b")]
    catalogue = replace(catalogue_of([kind()], sensors), time_zone=zone)
    for site in catalogue.sites.attributes:
        site.pop("timezone", None)
    node, now_ns = ex.Calendar("hour", "", NOWHERE), ns("2026-07-01T05:00:00")
    rows = np.array([1])
    attributes = Attributes(catalogue, np.arange(2, dtype=np.int32))
    assert attributes.calendars.column(node, now_ns, rows) == [hour]
    edges = Edges.of(np.array([0, 1]), np.array([0, 1]), 2)
    shared = Instances(("t0", "t1"), catalogue.sensors.site[:2], edges, {})
    instances = InstanceAttributes(shared, catalogue)
    assert instances.calendars.column(node, now_ns, rows) == [hour]


def test_seasons_are_turned_around_south_of_the_equator():
    seasons = {"2026-01-10": "winter", "2026-03-01": "spring", "2026-06-01": "summer",
               "2026-09-15": "autumn", "2026-12-02": "winter"}  # fmt: skip
    other = {"winter": "summer", "spring": "autumn", "summer": "winter", "autumn": "spring"}
    for day, season in seasons.items():
        found = column(calendars(), "season", f"{day}T12:00:00")
        assert found == [season, season, season, other[season]]


def test_a_season_begins_at_local_midnight():
    found = column(calendars(), "season", "2026-05-31T16:30:00")
    assert found == ["summer", "spring", "spring", "winter"]


def test_a_calendar_holds_from_its_first_to_its_last_day():
    """Both included, also over the end of the year; unknown where the asset has none."""
    made = calendars(flood="05-15..09-30; 12-20..01-05")
    held = {"2026-05-14T15:59:59": 0, "2026-05-14T16:00:00": 1, "2026-09-30T15:59:59": 1,
            "2026-09-30T16:00:00": 0, "2026-12-31T12:00:00": 1, "2027-01-05T03:00:00": 1,
            "2027-01-05T17:00:00": 0}  # fmt: skip
    for time, expected in held.items():
        found = column(made, "in_calendar", time, "flood")
        assert found[0] == expected, time
        assert np.isnan(found[1])
        assert np.isnan(found[2])


@given(
    first=st.tuples(st.integers(1, 12), st.integers(1, 28)),
    last=st.tuples(st.integers(1, 12), st.integers(1, 28)),
    day=st.tuples(st.integers(1, 12), st.integers(1, 28)),
)
def test_a_day_is_in_a_span_or_in_what_is_left_of_the_year(first, last, day):
    text = f"{first[0]:02d}-{first[1]:02d}..{last[0]:02d}-{last[1]:02d}"
    time = f"2026-{day[0]:02d}-{day[1]:02d}T04:00:00"
    found = column(calendars(c=text), "in_calendar", time, "c")[0]
    days, at = [], first
    while True:
        days.append(at)
        if at == last:
            break
        at = (at[0], at[1] + 1) if at[1] < 28 else (at[0] % 12 + 1, 1)
    assert found == (day in days)


def test_the_calendar_of_a_sensor_wins_over_that_of_its_site():
    sensors = [Sensor("a", attributes={"harvest": "08-01..10-31"}), Sensor("b"), Sensor("c")]
    catalogue = catalogue_of([kind()], sensors)
    catalogue.sites.attributes[0].update({"harvest": "01-01..12-31", "timezone": "+00:00"})
    attributes = Attributes(catalogue, np.arange(3, dtype=np.int32))
    node = ex.Calendar("in_calendar", "harvest", NOWHERE)
    found = attributes.calendars.column(node, ns("2026-07-01T00:00:00"), np.arange(3))
    assert list(found) == [0, 1, 1]
    hour = ex.Calendar("hour", "", NOWHERE)
    assert attributes.calendars.column(hour, ns("2026-07-01T05:00:00"), np.array([1])) == [5]


@pytest.mark.parametrize("text", ["", "Beijing", "+25:00", "+08:61", "08:00", "../etc/passwd"])
def test_what_is_no_time_zone_is_refused(text):
    with pytest.raises(CalendarError, match=r"\+08:00"):
        read_zone(text)


@pytest.mark.parametrize("text", ["", "5-1..9-30", "02-30..03-01", "00-10..01-10", "05-01"])
def test_what_is_no_calendar_is_refused(text):
    with pytest.raises(CalendarError):
        read_spans(text)
