"""A year of metal-oxide gas sensors beside a reference analyser: -200 means that nothing was heard.

Truth, from the rows alone: the runs of -200 in each column.  The data-quality pack sees them as bad
values: with one reading an hour each makes all of its ten minutes bad, so `out-of-range` must be
raised at the first of each run, must end ten minutes after the next good value, and must not be
raised anywhere else.
"""

import csv
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.scenarios.world import DATA, NS_PER_S, make_world, only, play

FILE = DATA / "gas" / "AirQualityUCI.csv"
# A column that is nearly whole, two that miss a sixth, one that is nearly empty.
COLUMNS = ("PT08_S1_CO", "CO_GT", "NOx_GT", "NMHC_GT")
TYPES = "types:\n  - {name: gas_reading, unit: '1', kind: gauge, lateness: 0s, period: 1h}\n"
MISSING = -200.0
HOUR_NS = 3600 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FILE.exists(), reason="the recorded gas readings are not here"),
]


def columns():
    """Times in ns and the values of each column, row by row."""
    with FILE.open(encoding="utf-8", errors="replace", newline="") as source:
        rows = [row for row in csv.DictReader(source) if row["Date"]]
    times = [
        datetime.strptime(f"{row['Date']} {row['Time']}", "%d/%m/%Y %H:%M:%S").replace(tzinfo=UTC)
        for row in rows
    ]
    time_ns = np.array([int(t.timestamp()) * NS_PER_S for t in times], dtype=np.int64)
    return time_ns, {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS}


def runs(times, values):
    """First and last instant of each run of missing values."""
    missing = values == MISSING
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.view(np.int8), [0]])))
    return [(int(times[a]), int(times[b - 1])) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("name", COLUMNS)
def test_each_run_of_missing_values_is_told_and_nothing_else(tmp_path, name):
    times, found = columns()
    values = found[name]
    drive = make_world(
        tmp_path,
        [only("data-quality", "out-of-range")],
        types=TYPES,
        sites=["site,name_zh,name_en,division,lat,lon", "AQ,AQ,AQ,100000,45.46,9.19"],
        sensors=[
            "sensor,gateway,site,type,period,range_low,range_high,flat_after",
            f"{name},G-AQ,AQ,gas_reading,,0,5000,",
        ],
    )
    told = [b for b in play(drive, {name: (times, values)}, rows=48) if b["rule"] == "out-of-range"]
    raised = [b["event_time"] for b in told if b["event"] == "raised"]
    cleared = [b["event_time"] for b in told if b["event"] == "cleared"]
    expected_raised, expected_cleared = walk(runs(times, values), int(times[-1]))
    assert raised == expected_raised
    assert cleared == expected_cleared
    assert raised


def walk(gaps, end_ns):
    """By hand: yellow with the first bad value; off ten minutes after the next good one."""
    back = [last + HOUR_NS + 10 * MINUTE_NS for _, last in gaps]
    return [first for first, _ in gaps], [cleared for cleared in back if cleared < end_ns]
