"""From the journal to the shards: every durable reading to its owner, once, in order, and again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import segments
from engine.activations import Activations
from engine.assembly import Activation
from engine.columns import Readings, Series
from engine.decode import Decoder
from engine.disk import PosixDisk
from engine.inlet import Inlet
from engine.journal import Journal, JournalSettings
from engine.meters import Meters
from engine.rule_sets import RuleSets
from engine.shard import Tick, Work
from tests.engine import gateway as stranger
from tests.engine.plants import Plant, Sensor, book_of, catalogue_of, kind, rule_text

CATALOGUE = catalogue_of(
    [kind("gas"), kind("wave", kind="waveform")],
    [
        Sensor("a", "gas", "a", "north"),
        Sensor("b", "gas", "south", "north"),
        Sensor("c", "wave", "b", "north"),
        Sensor("d", "gas", "a", "west"),
        Sensor("e", "wave", "south", "west"),
    ],
)
PLANT = Plant(CATALOGUE, book_of(rule_text("ladder: {value: value, above: {red: 9}, deadband: 1}")))
# A frame of the gateway (0 or 1), or a tick (2).
records = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 5)), min_size=1, max_size=20
)


def journal_of(folder: Path, rows: list[tuple[int, bool, int]]) -> Journal:
    """Frames whose values count upwards, so that each reading is known by its value."""
    journal = Journal.open(folder, JournalSettings(1 << 20, 0), PosixDisk())
    for name in CATALOGUE.gateways.name:
        journal.append(
            segments.SESSION, name, session=1, seq=0, received_ns=1000, header=b"", body=b""
        )
    counted, next_seq = 0, [0, 0, -1]
    for at, (what, is_series, size) in enumerate(rows, 1):
        next_seq[what] += 1
        seq = next_seq[what] if what < 2 else 0
        header, body, name, record_kind = b"", b"", "", segments.TICK
        if what < 2:
            name, sensors = CATALOGUE.gateways.name[what], (3, 2)[what]
            record_kind = segments.FRAME
            if is_series:
                samples = np.arange(counted, counted + sensors * size).reshape(sensors, size)
                fields, body = stranger.series(1, seq, range(sensors), samples.tolist(), t0=at)
            else:
                rows_ = [(n % sensors, n, float(counted + n)) for n in range(size)]
                fields, body = stranger.points(1, seq, rows_, t0=at)
            counted += fields["n"]
            header = stranger.pack(fields)
        journal.append(
            record_kind,
            name,
            session=1 if what < 2 else 0,
            seq=seq,
            received_ns=1000 + at,
            header=header,
            body=body,
        )
    journal.commit()
    return journal


def inlet_of(journal: Journal, shards: int, folder: Path) -> Inlet:
    """An inlet whose journal says nothing of rules: those of today judge all of it."""
    sets = RuleSets(Activations(folder, journal.durable_offset), PLANT.assembly(shards))
    return Inlet(
        journal,
        sets,
        Meters([sensor_type.name for sensor_type in CATALOGUE.types]),
        is_over=lambda: True,
        on_commit=lambda offsets: None,
    )


def drained(inlet: Inlet, offset: int, size_bytes: int) -> tuple[dict[int, list[Work]], int]:
    """All work by shard, read in turns, and the offset after it."""
    found: dict[int, list[Work]] = {}
    while not inlet.is_over(offset):
        deliveries, after = inlet.read(offset, size_bytes)
        assert after > offset
        offset = after
        for key, (number, items) in deliveries:
            assert key == f"shard-{number:03d}"
            work = [item for item in items if not isinstance(item, Activation)]
            found.setdefault(number, []).extend(work)
    return found, offset


def readings(item: Work, inlet: Inlet, number: int) -> list[tuple[int, float, int]]:
    """(sensor of the catalogue, value, received) of each reading; ticks have none."""
    if isinstance(item, Tick):
        return []
    sensor = inlet.layouts[number].sensor[item.sensor]
    if isinstance(item, Series):
        sensor = np.repeat(sensor, item.value.shape[1])
    flat = item.value.reshape(-1)
    return [(int(s), float(v), item.received_ns) for s, v in zip(sensor, flat, strict=True)]


@given(rows=records, shards=st.integers(1, 3), size_bytes=st.sampled_from([1, 300, 1 << 20]))
def test_every_reading_comes_to_its_owner_once_and_in_order(
    rows, shards, size_bytes, tmp_path_factory
):
    """At any number of shards, and however much is read at once."""
    folder = tmp_path_factory.mktemp("data")
    journal = journal_of(folder / "journal", rows)
    try:
        alone = inlet_of(journal, 1, folder / "alone")
        inlet = inlet_of(journal, shards, folder / "parts")
        whole, end = drained(alone, 0, 1 << 20)
        parts, part_end = drained(inlet, 0, size_bytes)
        assert part_end == end == journal.durable_offset
        expected = [r for item in whole.get(0, []) for r in readings(item, alone, 0)]
        assert sorted(value for _, value, _ in expected) == list(range(len(expected)))
        for number in range(shards):
            items = parts.get(number, [])
            mine = [r for item in items for r in readings(item, inlet, number)]
            owned = [r for r in expected if inlet.shard_of[r[0]] == number]
            assert mine == owned
            ticks = [item.now_ns for item in items if isinstance(item, Tick)]
            assert ticks == [1000 + seq for seq, row in enumerate(rows, 1) if row[0] == 2]
        assert inlet.meters.readings_received == len(expected)
    finally:
        journal.close()


@given(rows=records)
def test_reading_again_gives_the_same_work(rows, tmp_path_factory):
    """After a crash the journal is read from the last commit on."""
    folder = tmp_path_factory.mktemp("data")
    journal = journal_of(folder / "journal", rows)
    try:
        inlet = inlet_of(journal, 2, folder / "sets")
        _, middle = inlet.read(0, 1)
        first, _ = drained(inlet, middle, 1 << 20)
        again, _ = drained(inlet_of(journal, 2, folder / "sets"), middle, 1 << 20)
        for number, items in first.items():
            for one, other in zip(items, again[number], strict=True):
                assert readings(one, inlet, number) == readings(other, inlet, number)
    finally:
        journal.close()


def test_a_frame_that_fits_no_longer_is_counted_and_stops_nobody(tmp_path):
    """The catalogue may have lost a sensor since the frame was acknowledged."""
    journal = journal_of(tmp_path / "journal", [(2, False, 1), (0, False, 3), (1, False, 2)])
    inlet = inlet_of(journal, 1, tmp_path / "sets")
    middle = 0
    while inlet.assembly is None:
        _, middle = inlet.read(middle, 1)
    inlet.decoder = Decoder({"north": CATALOGUE.manifest(0)[:1], "west": CATALOGUE.manifest(1)})
    found, _ = drained(inlet, middle, 1 << 20)
    assert inlet.misfit_count == 1
    [item] = [item for item in found[0] if not isinstance(item, Tick)]
    assert isinstance(item, Readings)
    assert item.value.tolist() == [3.0, 4.0]
    journal.close()


@pytest.mark.parametrize("shards", [1, 2])
def test_nothing_new_is_no_work(shards, tmp_path):
    """The source asks again and again while nothing comes."""
    journal = journal_of(tmp_path / "journal", [(2, False, 1)])
    inlet = inlet_of(journal, shards, tmp_path / "sets")
    _, offset = drained(inlet, 0, 1 << 20)
    assert inlet.read(offset, 1 << 20) == ([], offset)
    assert inlet.is_over(offset)
    journal.close()
