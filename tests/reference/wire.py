"""What a frame says, read one value at a time: the twin of `engine.body` and `engine.decode`."""

import struct
import zlib

import msgpack
import zstandard


def readings(header, body):
    """Return [(sensor, time_ns, value, quality)] of a well-formed frame, in the frame's order.

    A series is told sensor by sensor, each in the order of time.
    """
    fields = msgpack.unpackb(header)
    assert zlib.crc32(body) == fields["crc"]
    raw = zstandard.decompress(body) if fields["codec"] == "zstd" else bytes(body)
    assert len(raw) == fields["size"]
    take = _taker(raw)
    letter = "f" if fields["width"] == 4 else "d"
    if fields["kind"] == "points":
        sensors = [take("I") for _ in range(fields["n"])]
        times = [fields["t0"] + 1000 * take("I") for _ in range(fields["n"])]
    else:
        index = [take("I") for _ in range(fields["k"])]
        sensors = [sensor for sensor in index for _ in range(fields["m"])]
        line = [fields["t0"] + j * fields["period"] for j in range(fields["m"])]
        times = line * fields["k"]
    values = [take(letter) for _ in range(fields["n"])]
    codes = [take("B") if fields["quality"] else 0 for _ in range(fields["n"])]
    return list(zip(sensors, times, values, codes, strict=True))


def _taker(raw):
    place = 0

    def take(letter):
        nonlocal place
        (value,) = struct.unpack_from("<" + letter, raw, place)
        place += struct.calcsize("<" + letter)
        return value

    return take
