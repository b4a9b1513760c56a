"""Outcomes and places of readings, and the clocks of their sites."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from kernels import onset, panes, raw, stage
from kernels.stage import BANK, CARD, LINK, NEVER
from tests.reference.stage import Bank, Sensor, Stage

BANKS = [Bank(10, 15, 4), Bank(7, 0, 2)]
SENSORS = [
    Sensor(0, 0, 0, -40.0, 40.0),
    Sensor(0, 0, 1, -np.inf, np.inf),
    Sensor(0, 1, 2, -40.0, 40.0),
    Sensor(1, 0, 0, -40.0, 0.1),
    Sensor(1, 1, 2, -40.0, 40.0),
]
LINKS_OF = {0: [0, 1], 1: [2]}
Array = npt.NDArray[np.generic]


class Kernels:
    """The kernel's tables, and the closing of panes that its caller does."""

    def __init__(self) -> None:
        self.card = np.zeros(len(SENSORS), CARD)
        for number, one in enumerate(SENSORS):
            row = sum(other.bank == one.bank for other in SENSORS[:number])
            self.card[number] = (one.low, one.high, row, one.link, one.site, one.bank)
        self.bank = np.zeros(len(BANKS), BANK)
        for number, one in enumerate(BANKS):
            self.bank[number] = (one.pane_ns, one.lateness_ns, one.slots, 0, 1)
        self.link = np.zeros(3, LINK)
        self.link["time_ns"] = NEVER
        self.link["live"] = 1
        self.site_links = np.array([0, 2, 3], np.int32)
        self.clock_ns = np.full(2, NEVER)
        self.next_pane = np.full((2, 2), NEVER)

    def tables(self) -> tuple[Array, ...]:
        return (
            *(self.card, self.bank, self.link, self.site_links),
            *(self.clock_ns, self.next_pane),
        )

    def close(self) -> None:
        for b, bank in enumerate(BANKS):
            for site in range(2):
                if self.next_pane[b, site] != NEVER and self.clock_ns[site] != NEVER:
                    oldest = (self.clock_ns[site] - bank.lateness_ns - 1) // bank.pane_ns
                    self.next_pane[b, site] = max(oldest, self.next_pane[b, site])

    def admit(self, rows: Array) -> list[Array]:
        n = len(rows)
        out = [np.zeros(n, kind) for kind in (np.uint8, np.int64, np.uint32, np.int64)]
        columns = [np.ascontiguousarray(rows[name]) for name in rows.dtype.names]
        done = 0
        while done < n:
            done = stage.admit(*columns, done, *self.tables(), *out)
            if done < n:
                self.close()
        return out


ROW = np.dtype(
    [("sensor", "i4"), ("time_ns", "i8"), ("latest_ns", "i8"), ("value", "f8"), ("quality", "u1")]
)
VALUES = st.sampled_from([0.5, 0.5, 0.1, -1.0, np.nan, np.inf, -np.inf, 1e200, 50.0, -50.0])


@st.composite
def arrivals(draw: st.DrawFn) -> Array:
    """Readings that mostly go forward in time, with late, early, ancient and far ones."""
    count = draw(st.integers(0, 60))
    rows = np.zeros(count, ROW)
    t = draw(st.integers(-5, 100))
    for i in range(count):
        t += draw(st.sampled_from([0, 1, 2, 3, 5, 9, 30, 200]))
        early = draw(st.sampled_from([0, 0, 0, 3, 12, 20, 30, 60, -8, -100]))
        quality = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 4, 9]))
        sensor = draw(st.integers(0, len(SENSORS) - 1))
        rows[i] = (sensor, t - early, t + 50, draw(VALUES), quality)
    return rows


@given(rows=arrivals())
def test_a_reading_ends_as_its_definition_says(rows: Array) -> None:
    """Who is late, and who is set aside, decides what people are warned of."""
    outcome, slot, moment, horizon = Kernels().admit(rows)
    twin = Stage(BANKS, SENSORS, LINKS_OF)
    for i, row in enumerate(rows):
        one = SENSORS[row["sensor"]]
        expected, pane, until = twin.admit(int(row["sensor"]), *row.tolist()[1:])
        assert outcome[i] == expected
        assert horizon[i] == (NEVER if until is None else until)
        if pane is None:
            assert slot[i] == -1
        else:
            bank = BANKS[one.bank]
            place = Kernels().card[row["sensor"]]["row"] * bank.slots + pane % bank.slots
            assert slot[i] == place
            assert moment[i] == row["time_ns"] - pane * bank.pane_ns


@given(rows=arrivals(), cut=st.integers(0, 60), closes=st.booleans())
def test_where_a_batch_is_cut_changes_nothing(rows: Array, cut: int, closes: bool) -> None:
    """The gateway decides where frames end, and we when panes are closed; no result may depend."""
    whole = Kernels()
    expected = whole.admit(rows)
    parts = Kernels()
    first = parts.admit(rows[:cut])
    if closes:
        parts.close()
    second = parts.admit(rows[cut:])
    for one, a, b in zip(expected, first, second, strict=True):
        np.testing.assert_array_equal(np.concatenate([a, b]), one)
    whole.close()
    parts.close()
    for one, other in zip(whole.tables(), parts.tables(), strict=True):
        np.testing.assert_array_equal(other, one)


@given(rows=arrivals())
def test_a_clock_never_goes_back(rows: Array) -> None:
    """A pane once judged is not judged again."""
    kernels = Kernels()
    before = kernels.clock_ns.copy()
    for i in range(len(rows)):
        kernels.admit(rows[i : i + 1])
        assert (kernels.clock_ns >= before).all()
        before = kernels.clock_ns.copy()


def test_a_value_is_compared_in_its_own_precision() -> None:
    """A float32 reading of 0.1, a little more than 0.1, is not above a range that ends at 0.1."""
    kernels = Kernels()
    row = np.array([(3, 100, 999, 0.1, 0)], ROW)
    out = [np.zeros(1, kind) for kind in (np.uint8, np.int64, np.uint32, np.int64)]
    columns = [np.ascontiguousarray(row[name]) for name in ROW.names]
    columns[3] = columns[3].astype(np.float32)
    assert float(columns[3][0]) > SENSORS[3].high
    assert stage.admit(*columns, 0, *kernels.tables(), *out) == 1
    assert out[0][0] == stage.FOLDED


def test_a_link_that_falls_silent_no_longer_holds_its_site() -> None:
    """One dead gateway would silence a whole valley."""
    kernels = Kernels()
    rows = np.array([(0, 100, 999, 1.0, 0), (1, 30, 999, 1.0, 0)], ROW)
    kernels.admit(rows)
    assert kernels.clock_ns[0] == 30
    kernels.link["live"][1] = 0
    stage.settle(kernels.link, kernels.site_links, kernels.clock_ns)
    assert kernels.clock_ns[0] == 100
    kernels.link["live"][:] = 0
    stage.settle(kernels.link, kernels.site_links, kernels.clock_ns)
    assert kernels.clock_ns[0] == 100
    kernels.admit(np.array([(1, 40, 999, 1.0, 0)], ROW))
    assert kernels.link["live"].tolist() == [0, 1, 0]
    assert kernels.clock_ns.tolist() == [100, NEVER]


BLOCKS = st.fixed_dictionaries(
    {
        "sensors": st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
        "t0": st.integers(-20, 150),
        "period": st.sampled_from([1, 3, 4, 11, 40]),
        "samples": st.integers(0, 30),
        "allowance": st.integers(-10, 400),
        "seed": st.integers(0, 9999),
    }
)


def of_one_gateway(sensors: list[int]) -> list[int]:
    """Sensors whose links differ but are never two links of one site, as of one gateway."""
    return [s for s in sensors if s != 1 or not {0, 3} & set(sensors)]


@given(rows=arrivals(), blocks=st.lists(BLOCKS, max_size=4), closes=st.booleans())
def test_a_block_of_samples_ends_as_its_readings_one_by_one(
    rows: Array, blocks: list[dict[str, int]], closes: bool
) -> None:
    """Whether a gateway sends waveforms or single readings changes no outcome."""
    by_points, by_series = Kernels(), Kernels()
    by_points.admit(rows)
    by_series.admit(rows)
    for block in blocks:
        if closes:
            by_series.close()
        compare_block(by_points, by_series, block)


def compare_block(by_points: Kernels, by_series: Kernels, block: dict[str, int]) -> None:
    sensors = np.array(of_one_gateway(block["sensors"]), np.int32)
    k, m, t0, period = len(sensors), block["samples"], block["t0"], block["period"]
    latest = t0 + block["allowance"]
    rng = np.random.default_rng(block["seed"])
    value = rng.choice(
        [0.5, -1.0, np.nan, np.inf, 1e200, 50.0, -50.0], (k, m), p=[0.7] + [0.05] * 6
    )
    quality = rng.choice(np.array([0, 1, 4], np.uint8), (k, m), p=[0.9, 0.05, 0.05])
    rows = np.zeros(k * m, ROW)
    rows["sensor"] = np.tile(sensors, m)
    rows["time_ns"] = np.repeat(t0 + np.arange(m) * period, k)
    rows["latest_ns"] = latest
    rows["value"], rows["quality"] = value.T.ravel(), quality.T.ravel()
    expected, _, _, horizon = by_points.admit(rows)

    outcome = np.zeros((k, m), np.uint8)
    clock = np.full((k, m), NEVER)
    tally = np.zeros((k, stage.OUTCOMES), np.int64)
    first, clock_from, clock_to = (np.zeros(k, np.int64) for _ in range(3))
    start = 0
    for _ in range(3 * m + 3):
        stop = stage.admit_series(
            *(sensors, t0, period, m, start, latest),
            *by_series.tables(),
            *(first, clock_from, clock_to),
        )
        stage.examine_series(
            *(sensors, t0, period, start, stop, latest, value, quality),
            *(by_series.card, first, outcome, tally),
        )
        time = t0 + np.arange(start, stop) * period
        clock[:, start:stop] = np.maximum(clock_from[:, None], np.minimum(time, clock_to[:, None]))
        start = stop
        if stop == m:
            break
        by_series.close()
    assert start == m
    np.testing.assert_array_equal(outcome, expected.reshape(m, k).T)
    known = (rows["time_ns"][::k] > 0) & (rows["time_ns"][::k] <= latest)
    assert_clocks(clock[:, known], horizon.reshape(m, k).T[:, known], sensors)
    for i in range(k):
        np.testing.assert_array_equal(tally[i], np.bincount(outcome[i], minlength=stage.OUTCOMES))
    by_points.close()
    by_series.close()
    for one, other in zip(by_points.tables(), by_series.tables(), strict=True):
        np.testing.assert_array_equal(other, one)


def assert_clocks(clock: Array, horizon: Array, sensors: Array) -> None:
    """Compare with horizons of single readings; a pull counts for all sensors of its time step."""
    for i, one in enumerate(SENSORS[s] for s in sensors):
        lateness = BANKS[one.bank].lateness_ns
        same = [j for j, s in enumerate(sensors) if SENSORS[s].site == one.site]
        waits = np.array([BANKS[SENSORS[sensors[j]].bank].lateness_ns for j in same])
        at_end = (horizon[same] + np.where(horizon[same] == NEVER, 0, waits[:, None])).max(0)
        own = horizon[i] + np.where(horizon[i] == NEVER, 0, lateness)
        assert ((clock[i] == own) | (clock[i] == at_end)).all()


def test_codes_written_in_two_files_are_the_same() -> None:
    """A kernel file imports no other, so a code that two need is written twice."""
    assert panes.FOLDED == onset.FOLDED == stage.FOLDED
    assert (raw.NAN, raw.INFINITE, raw.OVER) == (stage.NAN, stage.INFINITE, stage.OVER)
