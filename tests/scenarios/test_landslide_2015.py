"""Rain at Mukilteo in the autumn of 2015: the published landslide threshold, station by station.

Truth, from the rain alone: P3 >= 3.5 in - 0.67 P15, P3 the rain of the last three days, P15 that of
the fifteen days before them (`thresh_in.txt`; the files hold inches in fifteen minutes).  A plain
loop over exact sums of hundredths says when it is reached and when it is left.
"""

from datetime import UTC, datetime

import numpy as np
import pytest

from tests.scenarios.world import DATA, NS_PER_S, make_world, only, play

FOLDER = DATA / "landslide" / "mukilteo"
STATIONS = ("waMLP", "waMVD116", "waMWWD", "waWatertonA")
TYPES = """\
types:
  - {name: rain_gauge, unit: mm, kind: increment, lateness: 0s, period: 15m, pane: 15m}
"""
STEP_NS = 900 * NS_PER_S
DAY_STEPS = 96
INCH_MM = 25.4

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the recorded rain is not here"),
]


def rain(station):
    """Times in ns and rain in hundredths of an inch, the doubled rows left out."""
    rows = {}
    for line in (FOLDER / f"{station}_rain.txt").read_text().splitlines():
        words = line.split()
        when = datetime(*(int(word) for word in words[:5]), tzinfo=UTC).timestamp()
        rows[int(when) * NS_PER_S] = round(float(words[5]) * 100)
    times = np.array(sorted(rows), dtype=np.int64)
    return times, np.array([rows[t] for t in times.tolist()])


def exceeded(times, hundredths):
    """By pane end of fifteen minutes: whether the threshold is reached; None where unknown.

    Unknown where a window has less than the pack's nine tenths of its readings.
    """
    first, last = times[0] // STEP_NS, times[-1] // STEP_NS
    amount = np.zeros(last - first + 1, dtype=np.int64)
    count = np.zeros(last - first + 1, dtype=np.int64)
    np.add.at(amount, times // STEP_NS - first, hundredths)
    np.add.at(count, times // STEP_NS - first, 1)
    recent, before = 3 * DAY_STEPS, 15 * DAY_STEPS
    sums, counts = np.append(0, np.cumsum(amount)), np.append(0, np.cumsum(count))
    found = {}
    for end in range(recent + before, amount.size + 1):
        middle = end - recent
        p3, p15 = sums[end] - sums[middle], sums[middle] - sums[middle - before]
        is_known = counts[end] - counts[middle] >= 0.9 * recent
        is_known &= counts[middle] - counts[middle - before] >= 0.9 * before
        # In ten-thousandths of an inch, all whole numbers: 100 p3 >= 35000 - 67 p15.
        reached = bool(100 * p3 >= 35_000 - 67 * p15)
        found[(int(first) + end - 1) * STEP_NS] = reached if is_known else None
    return found


@pytest.mark.parametrize("station", STATIONS)
def test_the_threshold_is_told_when_the_rain_reaches_it_and_never_else(tmp_path, station):
    times, hundredths = rain(station)
    drive = make_world(
        tmp_path,
        [only("slope", "rain-threshold")],
        types=TYPES,
        sites=["site,name_zh,name_en,division,lat,lon", f"{station},{station},{station},100000,,"],
        sensors=[
            "sensor,gateway,site,type,period,range_low,range_high,slope",
            f"{station},G-{station},{station},rain_gauge,,0,100,{station}",
        ],
    )
    told = play(drive, {station: (times, hundredths * INCH_MM / 100)}, rows=96)
    told = [body for body in told if body["rule"] == "rain-threshold"]
    truth = exceeded(times, hundredths)
    raised = [body["event_time"] for body in told if body["event"] == "raised"]
    cleared = [body["event_time"] for body in told if body["event"] == "cleared"]
    expected_raised, expected_cleared = walk(truth)
    assert raised == expected_raised
    assert cleared == expected_cleared
    assert raised, "the wet November of 2015 reached the threshold"


def walk(truth):
    """Yellow by hand: on at once; off after six hours known to be below; unknown stops the time."""
    raised, cleared, is_on, dry_ns = [], [], False, None
    ends = sorted(truth)
    held_ns, before_ns = 0, None
    for end in ends:
        if is_on and dry_ns is not None and before_ns is not None:
            held_ns += end - before_ns
            if held_ns >= 6 * 3600 * NS_PER_S:
                cleared.append(end - (held_ns - 6 * 3600 * NS_PER_S))
                is_on, dry_ns, held_ns = False, None, 0
        if truth[end] is True:
            if not is_on:
                raised.append(end)
            is_on, dry_ns, held_ns = True, None, 0
        elif truth[end] is False and is_on:
            dry_ns = end
        elif truth[end] is None:
            dry_ns = None
        before_ns = end
    return raised, cleared
