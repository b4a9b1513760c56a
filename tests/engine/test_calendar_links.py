"""A calendar that nobody can read must be found before the night it was written for."""

from pathlib import Path

import numpy as np
import pytest

from engine import registry
from engine.calendar_links import calendar_faults
from tests.engine.plants import book_of, rule_text

SITES = (
    "site,name_zh,name_en,division,lat,lon,timezone,flood-season\n"
    "A,甲,A,140200,,,+08:00,05-15..09-30\n"
    "B,乙,B,650100,,,{zone},{season}\n"
)
SENSORS = (
    "sensor,gateway,site,type,period,range_low,range_high,harvest\n"
    "s,G,A,gas,5s,0,4,08-01..10-31\n"
    "t,G,B,gas,5s,0,4,\n"
)


def faults(tmp_path: Path, condition: str, zone: str, season: str) -> list[tuple[str, str, int]]:
    """Code, file and line of each fault."""
    (tmp_path / "types.yaml").write_text("types: [{name: gas, unit: m, kind: gauge}]\n")
    (tmp_path / "gateways.csv").write_text("gateway,site,public_key\nG,A,\n")
    (tmp_path / "sites.csv").write_text(SITES.format(zone=zone, season=season))
    (tmp_path / "sensors.csv").write_text(SENSORS)
    catalogue = registry.load(tmp_path)
    [rule] = book_of(rule_text(f"levels: {{blue: {{when: '{condition}'}}}}")).rules
    found = calendar_faults(rule, catalogue, np.array([0, 1]), tmp_path)
    return [(one.code, Path(one.place.file).name, one.place.line) for one in found]


@pytest.mark.parametrize(
    ("condition", "zone", "season", "expected"),
    [
        ('value > 3 m and in_calendar("flood-season")', "Asia/Urumqi", "", []),
        ('value > 3 m and in_calendar("harvest")', "", "", []),
        ("value > 3 m and hour() >= 22", "Urumqi", "", [("E747", "sites.csv", 3)]),
        ("value > 3 m", "Urumqi", "nonsense", []),
        (
            'value > 3 m and in_calendar("flood-season")',
            "",
            "05-15 to 09-30",
            [("E747", "sites.csv", 3)],
        ),
        ('value > 3 m and in_calendar("floods")', "", "", [("E736", "p.yaml", 11)]),
    ],
)
def test_what_no_calendar_can_mean_is_told_with_its_cell(
    tmp_path, condition, zone, season, expected
):
    assert faults(tmp_path, condition, zone, season) == expected
