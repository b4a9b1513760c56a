"""Laws of decoding: what comes out of the journal is what the gateway measured, renumbered."""

import math

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from engine import segments
from engine.decode import Decoder, Points, Series
from engine.disk import PosixDisk
from engine.journal import Journal, JournalSettings
from engine.segments import Record
from engine.wire import FrameFault
from tests.engine import gateway as stranger
from tests.reference import wire as reference

MANIFESTS = {
    "G-0": np.array([7], np.int32),
    "G-1": np.array([30, 10, 20], np.int32),
}
compressions = st.sampled_from([None, zstandard.compress])
floats = st.floats(width=32)


def record_of(fields, body, gateway="G-1"):
    header = stranger.pack(fields)
    return Record(segments.FRAME, 0, 0, gateway, 1, 1, 99, header, memoryview(body), 0)


def same_values(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a == b or (math.isnan(a) and math.isnan(b))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2**32 - 1), floats, st.integers(0, 9)),
        min_size=1,
        max_size=30,
    ),
    t0=st.integers(-(2**60), 2**60),
    width=st.sampled_from([4, 8]),
    quality=st.booleans(),
    compress=compressions,
)
def test_points_agree_with_the_twin(rows, t0, width, quality, compress):
    """Sensor, time, value and quality of every reading, NaN and infinity as they came."""
    fields, body = stranger.points(
        1, 1, rows, t0=t0, width=width, quality=quality, compress=compress
    )
    record = record_of(fields, body)
    table = Decoder(MANIFESTS).decode(record)
    assert isinstance(table, Points)
    told = reference.readings(record.header, body)
    assert table.gateway == 1
    assert table.received_ns == 99
    assert table.count == len(rows)
    assert table.sensor.tolist() == [[30, 10, 20][row[0]] for row in told]
    assert table.time_ns.tolist() == [row[1] for row in told]
    same_values(table.value.tolist(), [row[2] for row in told])
    assert table.quality.tolist() == ([row[3] for row in told] if quality else [])
    check_types(table, width)
    assert table.time_ns.dtype == np.int64


def check_types(table, width):
    """What a compiled kernel accepts without compiling again."""
    assert table.sensor.dtype == np.int32
    assert table.value.dtype == (np.float32 if width == 4 else np.float64)
    assert table.quality.dtype == np.uint8
    for column in (table.sensor, table.value, table.quality):
        assert column.flags.aligned
        assert column.flags.c_contiguous


@given(
    samples=st.integers(1, 6).flatmap(
        lambda m: st.lists(st.lists(floats, min_size=m, max_size=m), min_size=1, max_size=3)
    ),
    width=st.sampled_from([4, 8]),
    quality=st.booleans(),
    compress=compressions,
)
def test_series_agree_with_the_twin(samples, width, quality, compress):
    """An odd number of sensors puts float64 samples at odd addresses: they are moved."""
    codes = [[j % 10 for j in range(len(samples[0]))] for _ in samples] if quality else None
    fields, body = stranger.series(
        *(1, 1, range(len(samples)), samples),
        t0=50,
        period=10,
        width=width,
        quality=codes,
        compress=compress,
    )
    record = record_of(fields, body)
    table = Decoder(MANIFESTS).decode(record)
    assert isinstance(table, Series)
    told = reference.readings(record.header, body)
    assert (table.t0_ns, table.period_ns, table.count) == (50, 10, len(told))
    assert table.value.shape == (len(samples), len(samples[0]))
    assert table.sensor.tolist() == [30, 10, 20][: len(samples)]
    same_values(table.value.ravel().tolist(), [row[2] for row in told])
    assert table.quality.ravel().tolist() == ([row[3] for row in told] if quality else [])
    check_types(table, width)


def test_values_are_views_of_the_journal(tmp_path):
    """5 million readings a second are not copied without need."""
    journal = Journal.open(tmp_path, JournalSettings(1 << 20, 0), PosixDisk())
    place = {"session": 1, "received_ns": 5}
    journal.append(segments.SESSION, "G-1", seq=0, header=b"", body=b"", **place)
    fields, body = stranger.points(1, 1, [(i % 3, i, i / 2) for i in range(100)])
    header = stranger.pack(fields)
    journal.append(segments.FRAME, "G-1", seq=1, header=header, body=body, **place)
    journal.commit()
    record = journal.reader(0).read(1 << 20)[1]
    table = Decoder(MANIFESTS).decode(record)
    assert np.shares_memory(table.value, np.frombuffer(record.body, np.uint8))
    assert not table.value.flags.writeable
    journal.close()
    assert table.value.sum() == sum(range(100)) / 2


@pytest.mark.parametrize(
    ("gateway", "sensor", "code"), [("G-9", 0, "E_IDENTITY"), ("G-0", 1, "E_SENSOR")]
)
def test_a_frame_of_yesterdays_catalogue_is_refused_by_name(gateway, sensor, code):
    """The catalogue may have lost a sensor since the frame was written down."""
    fields, body = stranger.points(1, 1, [(sensor, 0, 1.0)])
    with pytest.raises(FrameFault) as found:
        Decoder(MANIFESTS).decode(record_of(fields, body, gateway))
    assert found.value.code == code
