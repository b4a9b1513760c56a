"""Laws of the wire: what is well formed is read as it was meant, what is not is named."""

import math
import tracemalloc
import zlib

import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from engine import body as bodies
from engine import wire
from tests.engine import gateway as stranger
from tests.reference import wire as reference

FRAME_BYTES_MAX = 8 << 20
SENSORS = 5
ROWS = [(0, 10, 1.5, 0), (4, 20, math.nan, 4), (2, 2**32 - 1, -math.inf, 9)]

floats = st.floats(width=32)
rows = st.lists(
    st.tuples(st.integers(0, SENSORS - 1), st.integers(0, 2**32 - 1), floats, st.integers(0, 9)),
    min_size=1,
    max_size=40,
)
compressions = st.sampled_from([None, zstandard.compress])


def open_frame(header, body, *, sensors=SENSORS):
    """Check a frame as the intake does; return its header and columns."""
    fields = wire.unpack_header(header)
    frame = wire.parse_frame(fields, FRAME_BYTES_MAX)
    columns = bodies.BodyReader(FRAME_BYTES_MAX).open(frame, body, has_known_crc=False)
    bodies.check_columns(frame, columns, sensors)
    return frame, columns


def refused(fields, body):
    """Return the code with which a frame is refused; the sentence must be one."""
    with pytest.raises(wire.FrameFault) as found:
        open_frame(stranger.pack(fields), body)
    assert 10 < len(found.value.text) < 300
    assert found.value.text.isascii()
    return found.value.code


def same(told, expected):
    for a, b in zip(told, expected, strict=True):
        assert a[:2] == b[:2]
        assert a[3] == b[3]
        assert a[2] == b[2] or (math.isnan(a[2]) and math.isnan(b[2]))


def told(frame, columns):
    """Tell the columns reading by reading, as the twin does."""
    quality = columns.quality if frame.quality else np.zeros(columns.value.shape, np.uint8)
    if frame.kind == "points":
        sensor = columns.sensor.tolist()
        time_ns = [frame.t0_ns + 1000 * dt for dt in columns.dt_us.tolist()]
    else:
        sensor = [index for index in columns.sensor.tolist() for _ in range(frame.m)]
        time_ns = [frame.t0_ns + j * frame.period_ns for j in range(frame.m)] * frame.k
    value, codes = columns.value.ravel().tolist(), quality.ravel().tolist()
    return list(zip(sensor, time_ns, value, codes, strict=True))


@given(
    rows=rows,
    t0=st.integers(-(2**62), 2**62),
    width=st.sampled_from([4, 8]),
    quality=st.booleans(),
    compress=compressions,
)
def test_points_are_read_as_the_stranger_meant_them(rows, t0, width, quality, compress):
    """Gateways are written by others, from the contract alone."""
    fields, body = stranger.points(
        3, 9, rows, t0=t0, width=width, quality=quality, compress=compress
    )
    header = stranger.pack(fields)
    frame, columns = open_frame(header, body)
    assert (frame.session, frame.seq, frame.n) == (3, 9, len(rows))
    same(told(frame, columns), reference.readings(header, body))
    expected = [(s, t0 + 1000 * dt, v, q if quality else 0) for s, dt, v, q in rows]
    same(told(frame, columns), expected)


@given(data=st.data(), k=st.integers(1, 5), m=st.integers(1, 9), compress=compressions)
def test_series_are_read_as_the_stranger_meant_them(data, k, m, compress):
    """A waveform off by one column is another earthquake."""
    line = st.lists(floats, min_size=m, max_size=m)
    codes = st.lists(st.integers(0, 9), min_size=m, max_size=m)
    samples = data.draw(st.lists(line, min_size=k, max_size=k))
    quality = data.draw(st.none() | st.lists(codes, min_size=k, max_size=k))
    width = data.draw(st.sampled_from([4, 8]))
    fields, body = stranger.series(
        1, 1, range(k), samples, t0=7, period=10**7, width=width, quality=quality, compress=compress
    )
    header = stranger.pack(fields)
    frame, columns = open_frame(header, body)
    assert columns.value.shape == (k, m)
    same(told(frame, columns), reference.readings(header, body))


@pytest.mark.parametrize("codec", ["raw", "zstd"])
def test_what_the_engine_writes_the_twin_reads(codec):
    """`tocsin feed` is a gateway too."""
    sensor, dt, value, quality = (np.array(column) for column in zip(*ROWS, strict=True))
    header, body = bodies.points_frame(
        2,
        5,
        t0_ns=10**18,
        sensor=sensor.astype(np.uint32),
        dt_us=dt.astype(np.uint32),
        value=value,
        quality=quality.astype(np.uint8),
        codec=codec,
    )
    expected = [(s, 10**18 + 1000 * dt, v, q) for s, dt, v, q in ROWS]
    same(reference.readings(header, body), expected)
    header, body = bodies.series_frame(
        2,
        6,
        t0_ns=5,
        period_ns=100,
        sensor=np.array([3, 1], np.uint32),
        value=np.array([[1, 2, 3], [4, 5, 6]], np.float32),
        quality=None,
        codec=codec,
    )
    told_back = reference.readings(header, body)
    assert told_back[0] == (3, 5, 1.0, 0)
    assert told_back[-1] == (1, 205, 6.0, 0)
    same(told(*open_frame(header, body)), told_back)


def changed(fields, **changes):
    return {name: value for name, value in (fields | changes).items() if value is not ...}


MALFORMED = [
    ("crc", {"crc": 1}, "E_CRC"),
    ("crc of 33 bits", {"crc": 2**32}, "E_HEADER"),
    ("size", {"size": 50}, "E_SIZE"),
    ("size too large", {"size": FRAME_BYTES_MAX + 1}, "E_SIZE"),
    ("size negative", {"size": -1}, "E_HEADER"),
    ("count", {"n": 4}, "E_SHAPE"),
    ("count of nothing", {"n": 0}, "E_SHAPE"),
    ("count above the most", {"n": 2**20 + 1}, "E_SHAPE"),
    ("count of 64 bits", {"n": 2**64 - 1}, "E_HEADER"),
    ("count that is true", {"n": True}, "E_HEADER"),
    ("count that is a float", {"n": 3.0}, "E_HEADER"),
    ("count that is missing", {"n": ...}, "E_HEADER"),
    ("width", {"width": 2}, "E_SHAPE"),
    ("other width", {"width": 4}, "E_SHAPE"),
    ("quality said to be absent", {"quality": False}, "E_SHAPE"),
    ("quality that is 1", {"quality": 1}, "E_HEADER"),
    ("codec", {"codec": "lz4"}, "E_CODEC"),
    ("codec that is bytes", {"codec": b"raw"}, "E_HEADER"),
    ("raw called zstd", {"codec": "zstd"}, "E_CODEC"),
    ("kind", {"kind": "table"}, "E_KIND"),
    ("kind missing", {"kind": ...}, "E_HEADER"),
    ("series without its shape", {"kind": "series"}, "E_HEADER"),
    ("version", {"v": 2}, "E_VERSION"),
    ("version that is true", {"v": True}, "E_HEADER"),
    ("time beyond 64 bits", {"t0": 2**63}, "E_TIME"),
    ("time that overflows with dt", {"t0": 2**63 - 1}, "E_TIME"),
    ("time that is a float", {"t0": 1.0}, "E_HEADER"),
    ("seq 0", {"seq": 0}, "E_HEADER"),
    ("session negative", {"session": -1}, "E_HEADER"),
]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in MALFORMED], ids=str)
def test_every_malformed_header_has_its_code(changes, code):
    """The gateway's maker finds his mistake by the code, not by guessing."""
    fields, body = stranger.points(1, 1, ROWS, quality=True)
    assert refused(changed(fields, **changes), body) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"k": 3}, "E_SHAPE"),
        ({"k": 0, "m": 0}, "E_SHAPE"),
        ({"k": 1, "m": 6}, "E_SHAPE"),
        ({"k": 2**62, "m": 2**62}, "E_SHAPE"),
        ({"m": None}, "E_HEADER"),
        ({"period": 0}, "E_TIME"),
        ({"period": 2**64 - 1}, "E_TIME"),
        ({"t0": 2**63 - 2, "period": 1}, "E_TIME"),
        ({"kind": "points"}, "E_SHAPE"),
    ],
)
def test_every_malformed_series_has_its_code(changes, code):
    """k, m and period are multiplied and added: each could overflow."""
    fields, body = stranger.series(1, 1, [0, 1], [[1, 2, 3], [4, 5, 6]])
    assert refused(fields | changes, body) == code


def resummed(fields, body):
    return fields | {"crc": zlib.crc32(body)}, body


def test_what_columns_may_not_hold_is_refused():
    """Kernels have no bounds checks: a sensor index is a place in memory."""
    assert refused(*stranger.points(1, 1, [(SENSORS, 0, 1.0)])) == "E_SENSOR"
    assert refused(*stranger.points(1, 1, [(2**32 - 1, 0, 1.0)])) == "E_SENSOR"
    assert refused(*stranger.points(1, 1, [(0, 0, 1.0, 10)], quality=True)) == "E_QUALITY"
    assert refused(*stranger.series(1, 1, [SENSORS], [[1.0]])) == "E_SENSOR"
    assert refused(*stranger.series(1, 1, [0], [[1.0]], quality=[[255]])) == "E_QUALITY"


def test_a_body_cut_or_lengthened_is_refused():
    """The columns would be read beyond the end, or shifted."""
    fields, body = stranger.points(1, 1, ROWS)
    for wrong in (body[:-1], body + b"\0", b""):
        assert refused(*resummed(fields, wrong)) == "E_SIZE"
    fields, body = stranger.points(1, 1, ROWS, compress=zstandard.compress)
    assert refused(*resummed(fields, body[:-1])) in ("E_CODEC", "E_SIZE")
    assert refused(*resummed(fields, b"")) == "E_CODEC"
    assert refused(*resummed(fields, body + b"\0")) == "E_CODEC"
    assert refused(*resummed(fields, body + body)) == "E_CODEC"


def zstd_bombs():
    """(name, body, code): what a zstd frame may claim, and what it may cost."""
    stream = zstandard.ZstdCompressor().compressobj(size=1 << 30)
    bomb = b"".join(stream.compress(bytes(1 << 24)) for _ in range(64)) + stream.flush()
    yield "claims 1 GiB", bomb, "E_SIZE"
    stream = zstandard.ZstdCompressor().compressobj()
    unknown = stream.compress(bytes(1 << 24)) + stream.flush()
    yield "does not say its size", unknown, "E_SIZE"
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=60)
    wide = stream.compress(bytes(60)) + stream.flush()
    yield "says another size", wide, "E_SIZE"
    samples = [bytes([i % 7, i % 5, i % 3] * 50) for i in range(400)]
    dictionary = zstandard.train_dictionary(4096, samples)
    raw = stranger.points(1, 1, ROWS)[1]
    named = zstandard.ZstdCompressor(dict_data=dictionary).compress(raw)
    yield "wants a dictionary", named, "E_CODEC"
    yield "is skippable", b"\x50\x2a\x4d\x18" + len(raw).to_bytes(4, "little") + raw, None
    # A frame header without single-segment flag: window descriptor 0xf8 is 2**41 bytes.
    window = b"\x28\xb5\x2f\xfd" + bytes([0b1000_0000, 0xF8]) + len(raw).to_bytes(4, "little")
    yield "wants a window of 2 TiB", window + b"\x01\x00\x00", None


@pytest.mark.parametrize(("name", "body", "code"), list(zstd_bombs()), ids=lambda x: str(x)[:30])
def test_a_zstd_bomb_is_refused_before_it_costs_memory(name, body, code):
    """32 KiB can claim 1 GiB; one gateway must not take the memory of all."""
    fields, _ = stranger.points(1, 1, ROWS)
    fields, body = resummed(fields | {"codec": "zstd"}, body)
    tracemalloc.start()
    try:
        found = refused(fields, body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == code or (code is None and found in ("E_CODEC", "E_SIZE")), name
    assert peak_bytes < 1 << 20


MSGPACK_BOMBS = {
    "nothing": b"",
    "not msgpack": b"\xc1",
    "an integer": msgpack.packb(5),
    "a list": msgpack.packb([1, 2]),
    "two maps": msgpack.packb({"t": "frame"}) * 2,
    "a map that says 4 G fields": b"\xdf\xff\xff\xff\xff",
    "a text that says 4 GiB": b"\x81\xa1t\xdb\xff\xff\xff\xff",
    "an array that says 4 G values": b"\x81\xa1t\xdd\xff\xff\xff\xff",
    "deep nesting": b"\x81\xa1t" + b"\x91" * 4000,
    "deep maps": b"\x81\xa1t" * 1300,
    "many fields": msgpack.packb({str(i): i for i in range(33)}),
    "an ext type": msgpack.packb({"t": msgpack.ExtType(5, b"x")}),
    "a timestamp": msgpack.packb({"t": msgpack.Timestamp(5)}),
    "number keys": msgpack.packb({1: 2}),
    "bytes keys": msgpack.packb({b"t": 2}),
    "a field twice": b"\x82\xa1t\x01\xa1t\x02",
    "a list as a key": b"\x81\x91\x01\x01",
    "text that is not UTF-8": b"\x81\xa1t\xa1\xff",
    "more than 4 KiB": msgpack.packb({"t": "x" * 4096}),
}


@pytest.mark.parametrize("header", MSGPACK_BOMBS.values(), ids=MSGPACK_BOMBS)
def test_a_msgpack_bomb_is_refused_in_a_sentence(header):
    """Whoever sends nonsense is told so, and costs next to nothing."""
    with pytest.raises(wire.FrameFault) as found:
        wire.unpack_header(header)
    assert found.value.code == "E_HEADER"
    assert len(found.value.text) < 300


@given(header=st.binary(max_size=300))
def test_any_bytes_are_a_map_of_fields_or_a_fault(header):
    """No header raises anything else."""
    try:
        fields = wire.unpack_header(header)
    except wire.FrameFault as fault:
        assert fault.code == "E_HEADER"
    else:
        assert all(type(name) is str for name in fields)


values = st.one_of(
    *(st.integers(-(2**63), 2**64 - 1), st.booleans(), st.none(), st.text(max_size=9)),
    *(st.floats(), st.sampled_from(["points", "series", "raw", "zstd", 0, 1, 4, 8])),
)


@given(
    changes=st.dictionaries(
        st.sampled_from([*stranger.series(1, 1, [0], [[1.0]])[0]]), values, max_size=4
    ),
    flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=3),
    compress=compressions,
    is_resummed=st.booleans(),
)
def test_a_mutated_frame_is_read_whole_or_refused(changes, flips, compress, is_resummed):
    """Whatever passes fits the kernels: indexes in the manifest, sizes as declared."""
    fields, body = stranger.series(1, 1, [0, 3], [[1.0, 2.0], [3.0, 4.0]], compress=compress)
    mutated = bytearray(body)
    for place, byte in flips:
        mutated[place % len(mutated)] = byte
    fields = fields | {"crc": zlib.crc32(bytes(mutated))} if is_resummed else fields
    try:
        frame, columns = open_frame(stranger.pack(fields | changes), bytes(mutated))
    except wire.FrameFault as fault:
        assert fault.code in wire.CODES
        return
    assert columns.value.size == frame.n
    assert int(columns.sensor.max()) < SENSORS
    assert columns.quality.size in (0, frame.n)
    assert frame.t0_ns + max(frame.m - 1, 0) * frame.period_ns < 2**63
