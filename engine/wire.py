"""The wire between gateways and the engine: headers read with distrust, and headers written.

A header comes from a stranger: its size, the count of its fields and the type of each are
checked before anything is believed, and `True` is not the integer 1. What is wrong with it is
told as a `FrameFault`: one of the codes of the contract, and a sentence for a person. Bodies,
which are columns, are in `body.py`; nothing here knows a socket.
"""

from typing import Final, NamedTuple

import msgpack

VERSION: Final = 1
HEADER_BYTES_MAX: Final = 4096
FIELDS_MAX: Final = 32
TEXT_BYTES_MAX: Final = 1024
NAME_BYTES_MAX: Final = 255
READINGS_MAX: Final = 1 << 20
# Sensor 4, dt 4, value 8 and quality 1 bytes: no columns can take more than 17 MiB.
COLUMNS_BYTES_MAX: Final = 17 * READINGS_MAX
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1
UINT32_MAX: Final = (1 << 32) - 1
QUALITY_MAX: Final = 9

E_CRC: Final = "E_CRC"
E_SIZE: Final = "E_SIZE"
E_SHAPE: Final = "E_SHAPE"
E_CODEC: Final = "E_CODEC"
E_SENSOR: Final = "E_SENSOR"
E_QUALITY: Final = "E_QUALITY"
E_KIND: Final = "E_KIND"
E_VERSION: Final = "E_VERSION"
E_TIME: Final = "E_TIME"
E_HEADER: Final = "E_HEADER"
E_GAP: Final = "E_GAP"
E_IDENTITY: Final = "E_IDENTITY"
E_SESSION: Final = "E_SESSION"
E_DISK: Final = "E_DISK"
CODES: Final = (
    *(E_CRC, E_SIZE, E_SHAPE, E_CODEC, E_SENSOR, E_QUALITY, E_KIND, E_VERSION, E_TIME, E_HEADER),
    *(E_GAP, E_IDENTITY, E_SESSION, E_DISK),
)

Fields = dict[str, object]


class FrameFault(Exception):
    """What is wrong with a message: a code of the contract and a sentence."""

    def __init__(self, code: str, text: str) -> None:
        assert code in CODES
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class FrameHeader(NamedTuple):
    """A frame's header, every field proved to be in range; k, m, period_ns are 0 for points."""

    session: int
    seq: int
    kind: str
    n: int
    t0_ns: int
    codec: str
    size: int
    crc: int
    width: int
    quality: bool
    k: int
    m: int
    period_ns: int


def unpack_header(header: bytes) -> Fields:
    """Return the fields of a header; FrameFault E_HEADER when it is no map of plain fields."""
    if len(header) > HEADER_BYTES_MAX:
        text = f"a header has at most {HEADER_BYTES_MAX} bytes, this one has {len(header)}"
        raise FrameFault(E_HEADER, text)
    try:
        fields = msgpack.unpackb(
            header,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_fields,
            ext_hook=_no_extension,
            max_map_len=FIELDS_MAX,
            max_array_len=FIELDS_MAX,
            max_str_len=TEXT_BYTES_MAX,
            max_bin_len=TEXT_BYTES_MAX,
            max_ext_len=0,
        )
    except FrameFault:
        raise
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as fault:
        text = f"the header is not a msgpack map: {_told(fault)}"
        raise FrameFault(E_HEADER, text) from None
    if type(fields) is not dict:
        text = f"the header must be a msgpack map, not {_shown(fields)}"
        raise FrameFault(E_HEADER, text)
    return fields


def check_version(fields: Fields) -> None:
    """Refuse a header of another version of this contract."""
    fault = version_fault(fields)
    if fault is not None:
        raise fault


def version_fault(fields: Fields) -> FrameFault | None:
    """Return what is wrong with the version; another version may have other fields."""
    version = fields.get("v")
    if type(version) is not int:
        return FrameFault(E_HEADER, _wrong("v", "an unsigned integer", version))
    if version != VERSION:
        text = f"this engine speaks version {VERSION} of the protocol, not {version}"
        return FrameFault(E_VERSION, text)
    return None


def place_of(fields: Fields) -> tuple[int, int]:
    """Return (session, seq) of a frame, the two fields without which nothing can be kept."""
    session = uint(fields, "session")
    seq = uint(fields, "seq")
    if seq == 0:
        raise FrameFault(E_HEADER, "`seq` counts from 1, not from 0")
    return session, seq


def parse_frame(fields: Fields, frame_bytes_max: int) -> FrameHeader:
    """Return the header of a frame, or raise a FrameFault; no byte of the body is looked at."""
    check_version(fields)
    session, seq = place_of(fields)
    kind = string(fields, "kind")
    if kind not in ("points", "series"):
        raise FrameFault(E_KIND, f"`kind` must be points or series, not {_shown(kind)}")
    n = uint(fields, "n")
    t0_ns = integer(fields, "t0")
    codec = string(fields, "codec")
    if codec not in ("raw", "zstd"):
        raise FrameFault(E_CODEC, f"`codec` must be raw or zstd, not {_shown(codec)}")
    size = uint(fields, "size")
    crc = uint(fields, "crc")
    width = uint(fields, "width")
    quality = fields.get("quality")
    if type(quality) is not bool:
        raise FrameFault(E_HEADER, _wrong("quality", "true or false", quality))
    k = m = period_ns = 0
    if kind == "series":
        k, m, period_ns = uint(fields, "k"), uint(fields, "m"), integer(fields, "period")
    frame = FrameHeader(
        session, seq, kind, n, t0_ns, codec, size, crc, width, quality, k, m, period_ns
    )
    _check_shape(frame, frame_bytes_max)
    _check_time(frame)
    return frame


def columns_bytes(frame: FrameHeader) -> int:
    """Return how many bytes the columns of the frame take: the one size its body may have."""
    sensors_bytes = 8 * frame.n if frame.kind == "points" else 4 * frame.k
    return sensors_bytes + frame.width * frame.n + (frame.n if frame.quality else 0)


def _check_shape(frame: FrameHeader, frame_bytes_max: int) -> None:
    if frame.width not in (4, 8):
        raise FrameFault(E_SHAPE, f"`width` must be 4 or 8, not {frame.width}")
    if not 1 <= frame.n <= READINGS_MAX:
        text = f"a frame has 1 to {READINGS_MAX} readings, `n` is {frame.n}"
        raise FrameFault(E_SHAPE, text)
    if frame.kind == "series" and frame.k * frame.m != frame.n:
        text = f"k = {frame.k} sensors times m = {frame.m} samples are not n = {frame.n} readings"
        raise FrameFault(E_SHAPE, text)
    if frame.size > frame_bytes_max:
        text = f"a body has at most {frame_bytes_max} bytes, `size` is {frame.size}"
        raise FrameFault(E_SIZE, text)
    if frame.crc > UINT32_MAX:
        raise FrameFault(E_HEADER, f"`crc` has 32 bits, {frame.crc} has more")


def _check_time(frame: FrameHeader) -> None:
    if not INT64_MIN <= frame.t0_ns <= INT64_MAX:
        raise FrameFault(E_TIME, f"`t0` must fit 64 bits with a sign, {frame.t0_ns} does not")
    if frame.kind == "points":
        return
    if not 1 <= frame.period_ns <= INT64_MAX:
        text = f"`period` must be 1 ns or more and fit 64 bits, it is {frame.period_ns}"
        raise FrameFault(E_TIME, text)
    if frame.t0_ns + (frame.m - 1) * frame.period_ns > INT64_MAX:
        raise FrameFault(E_TIME, "the time of the last sample does not fit 64 bits")


def uint(fields: Fields, name: str) -> int:
    """Return a field that is an integer from 0 to 2**63 - 1, so that sums of two stay exact."""
    value = fields.get(name)
    if type(value) is not int or not 0 <= value <= INT64_MAX:
        raise FrameFault(E_HEADER, _wrong(name, "an unsigned integer", value))
    return value


def integer(fields: Fields, name: str) -> int:
    """Return a field that is an integer of any size msgpack has."""
    value = fields.get(name)
    if type(value) is not int:
        raise FrameFault(E_HEADER, _wrong(name, "an integer", value))
    return value


def string(fields: Fields, name: str) -> str:
    """Return a field that is text."""
    value = fields.get(name)
    if type(value) is not str:
        raise FrameFault(E_HEADER, _wrong(name, "text", value))
    return value


def _fields(pairs: list[tuple[object, object]]) -> dict[object, object]:
    """Make a map of its pairs; two fields of one name are refused, not the last one taken."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FrameFault(E_HEADER, "a field of the header appears twice")
    for name in fields:
        if type(name) is not str:
            raise FrameFault(E_HEADER, f"the names of fields are text, not {_shown(name)}")
    return fields


def _no_extension(code: int, data: bytes) -> object:
    raise FrameFault(E_HEADER, f"msgpack ext types are not used here (type {code}, {len(data)} B)")


def _wrong(name: str, wanted: str, found: object) -> str:
    if found is None:
        return f"`{name}` is missing; it must be {wanted}"
    return f"`{name}` must be {wanted}, not {_shown(found)}"


def _shown(value: object) -> str:
    """Show a stranger's value in a sentence, shortly and in plain ASCII."""
    text = ascii(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _told(fault: Exception) -> str:
    text = ascii(str(fault))[1:-1]
    return (text or type(fault).__name__)[:80]


def pack(fields: Fields) -> bytes:
    """Return a header as bytes."""
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed


def hello(gateway: str, session: int, next_seq: int) -> bytes:
    """Return the header with which a gateway opens its session."""
    fields: Fields = {"t": "hello", "v": VERSION}
    return pack(fields | {"gateway": gateway, "session": session, "next": next_seq})


def welcome(engine: str, durable: int, *, credit: int, frame_bytes_max: int, now_ns: int) -> bytes:
    """Return the engine's answer to hello: where the gateway has to go on."""
    fields: Fields = {"t": "welcome", "v": VERSION, "engine": engine, "durable": durable}
    return pack(fields | {"credit": credit, "frame_bytes_max": frame_bytes_max, "now": now_ns})


def ack(durable: int, credit: int) -> bytes:
    """Return the acknowledgement of every frame up to `durable`."""
    return pack({"t": "ack", "v": VERSION, "durable": durable, "credit": credit})


def nak(seq: int, code: str, text: str, *, expected: int, retry: bool) -> bytes:
    """Return a refusal; seq and expected are 0 where they cannot be known."""
    assert code in CODES
    fields: Fields = {"t": "nak", "v": VERSION, "seq": seq, "code": code, "text": text}
    return pack(fields | {"expected": expected, "retry": retry})


def skip(first: int, last: int, reason: str) -> bytes:
    """Return a gateway's word that it can never send the frames first to last."""
    return pack({"t": "skip", "v": VERSION, "from": first, "to": last, "reason": reason})


def ping(now_ns: int) -> bytes:
    """Return the question whether the application at the other end is alive."""
    return pack({"t": "ping", "v": VERSION, "now": now_ns})


def pong(now_ns: int) -> bytes:
    """Return the answer to ping."""
    return pack({"t": "pong", "v": VERSION, "now": now_ns})
