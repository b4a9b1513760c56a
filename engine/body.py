"""The body of a frame: sizes first, then the checksum, then columns without a copy.

A body may lie: 32 KiB of zstd can claim 1 GiB, and the library's own output limit is not
applied to a frame that declares its size. So what is declared is read and compared before
anything is allocated. Kernels run without bounds checks; nothing reaches one that has not
passed `check_columns`.
"""

import zlib
from typing import Final, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from engine import wire
from engine.wire import FrameFault, FrameHeader

# A frame that declares its content size needs no larger window than its content, and none of
# ours is larger than frame_bytes_max; 1 KiB is the smallest window the format knows.
WINDOW_BYTES_MIN: Final = 1024
NS_PER_US: Final = 1000

Buffer = bytes | memoryview


class Columns(NamedTuple):
    """The columns of one frame, views into its body.

    sensor   uint32[n] or [k]            index in the gateway's manifest
    dt_us    uint32[n] or [0]            microseconds after t0; empty for series
    value    float32|64[n] or [k, m]     in the sensor's unit
    quality  uint8[n] or [k, m] or [0]   quality codes; empty: all good
    """

    sensor: NDArray[np.uint32]
    dt_us: NDArray[np.uint32]
    value: NDArray[np.float32] | NDArray[np.float64]
    quality: NDArray[np.uint8]


class BodyReader:
    """Turns bodies into columns; owns a zstd context, so one per thread."""

    __slots__ = ("_decompressor", "_frame_bytes_max")

    def __init__(self, frame_bytes_max: int) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._decompressor = zstandard.ZstdDecompressor(
            max_window_size=max(frame_bytes_max, WINDOW_BYTES_MIN)
        )

    def open(self, frame: FrameHeader, body: Buffer, *, has_known_crc: bool) -> Columns:
        """Return the columns of a body whose size, checksum and codec hold, else a FrameFault.

        has_known_crc  the body's sum has been compared with `crc` already, by the journal
        """
        if frame.codec == "raw":
            if len(body) != frame.size:
                text = f"the body has {len(body)} bytes, `size` is {frame.size}"
                raise FrameFault(wire.E_SIZE, text)
            _check_columns_bytes(frame)
            if not has_known_crc:
                _check_crc(frame, body)
            return columns_of(frame, body)
        if len(body) > self._frame_bytes_max:
            text = f"a body has at most {self._frame_bytes_max} bytes, this one has {len(body)}"
            raise FrameFault(wire.E_SIZE, text)
        if not has_known_crc:
            _check_crc(frame, body)
        self._check_declared(frame, body)
        _check_columns_bytes(frame)
        return columns_of(frame, self._decompress(frame, body))

    def _check_declared(self, frame: FrameHeader, body: Buffer) -> None:
        """Compare what the zstd frame says of itself with the header; nothing is allocated."""
        try:
            declared = zstandard.get_frame_parameters(body)
        except zstandard.ZstdError:
            text = "the body does not begin with a zstd frame"
            raise FrameFault(wire.E_CODEC, text) from None
        if declared.content_size == zstandard.CONTENTSIZE_UNKNOWN:
            raise FrameFault(wire.E_SIZE, "the zstd frame does not declare its content size")
        if declared.content_size != frame.size:
            text = f"the zstd frame declares {declared.content_size} bytes, `size` is {frame.size}"
            raise FrameFault(wire.E_SIZE, text)
        if declared.window_size > max(self._frame_bytes_max, WINDOW_BYTES_MIN):
            text = f"the zstd frame asks for a window of {declared.window_size} bytes"
            raise FrameFault(wire.E_SIZE, text)
        if declared.dict_id != 0:
            raise FrameFault(wire.E_CODEC, "the zstd frame needs a dictionary; none is used here")

    def _decompress(self, frame: FrameHeader, body: Buffer) -> bytes:
        try:
            raw: bytes = self._decompressor.decompress(
                body, max_output_size=frame.size, allow_extra_data=False
            )
        except zstandard.ZstdError as fault:
            text = f"the body is not one whole zstd frame: {str(fault)[:80]}"
            raise FrameFault(wire.E_CODEC, text) from None
        if len(raw) != frame.size:
            text = f"the zstd frame holds {len(raw)} bytes, `size` is {frame.size}"
            raise FrameFault(wire.E_CODEC, text)
        return raw


def columns_of(frame: FrameHeader, raw: Buffer) -> Columns:
    """Return views of the columns; raw has exactly the size that the header implies."""
    assert len(raw) == wire.columns_bytes(frame)
    n = frame.n
    sensor_count = n if frame.kind == "points" else frame.k
    dt_count = n if frame.kind == "points" else 0
    value_start = 4 * (sensor_count + dt_count)
    sensor = np.frombuffer(raw, "<u4", sensor_count)
    dt_us = np.frombuffer(raw, "<u4", dt_count, 4 * sensor_count) if dt_count else NO_DT
    value = np.frombuffer(raw, "<f4" if frame.width == 4 else "<f8", n, value_start)
    quality = (
        np.frombuffer(raw, "u1", n, value_start + frame.width * n) if frame.quality else NO_QUALITY
    )
    if frame.kind == "series":
        value = value.reshape(frame.k, frame.m)
        quality = quality.reshape(frame.k, frame.m) if frame.quality else quality
    return Columns(sensor, dt_us, value, quality)


def check_columns(frame: FrameHeader, columns: Columns, sensor_count: int) -> None:
    """Refuse what would lead a kernel astray: sensors, quality codes and times out of range."""
    greatest = int(columns.sensor.max())
    if greatest >= sensor_count:
        text = f"sensor index {greatest} is not in the manifest, which has {sensor_count} sensors"
        raise FrameFault(wire.E_SENSOR, text)
    if frame.quality and int(columns.quality.max()) > wire.QUALITY_MAX:
        text = f"quality code {int(columns.quality.max())} is not one of 0 to {wire.QUALITY_MAX}"
        raise FrameFault(wire.E_QUALITY, text)
    # dt has 32 bits: only a t0 within 2**32 us (71.6 min) of the end of time needs a look.
    if (
        frame.kind == "points"
        and frame.t0_ns > wire.INT64_MAX - NS_PER_US * wire.UINT32_MAX
        and frame.t0_ns + NS_PER_US * int(columns.dt_us.max()) > wire.INT64_MAX
    ):
        raise FrameFault(wire.E_TIME, "the time of a reading does not fit 64 bits")


def compress(raw: bytes) -> bytes:
    """Return one zstd frame that declares its content size."""
    packed: bytes = zstandard.ZstdCompressor(level=1, write_content_size=True).compress(raw)
    return packed


def points_frame(
    session: int,
    seq: int,
    *,
    t0_ns: int,
    sensor: NDArray[np.uint32],
    dt_us: NDArray[np.uint32],
    value: NDArray[np.float32] | NDArray[np.float64],
    quality: NDArray[np.uint8] | None,
    codec: str,
) -> tuple[bytes, bytes]:
    """Return (header, body) of a `points` frame; the four columns have n rows each."""
    assert sensor.shape == dt_us.shape == value.shape
    assert quality is None or quality.shape == value.shape
    columns = [sensor.astype("<u4").tobytes(), dt_us.astype("<u4").tobytes()]
    shape: wire.Fields = {"kind": "points", "t0": t0_ns}
    return _frame(session, seq, columns, shape=shape, value=value, quality=quality, codec=codec)


def series_frame(
    session: int,
    seq: int,
    *,
    t0_ns: int,
    period_ns: int,
    sensor: NDArray[np.uint32],
    value: NDArray[np.float32] | NDArray[np.float64],
    quality: NDArray[np.uint8] | None,
    codec: str,
) -> tuple[bytes, bytes]:
    """Return (header, body) of a `series` frame: sensor [k], value and quality [k, m]."""
    assert value.ndim == 2
    assert sensor.shape == value.shape[:1]
    assert quality is None or quality.shape == value.shape
    k, m = value.shape
    shape: wire.Fields = {"kind": "series", "t0": t0_ns, "k": k, "m": m, "period": period_ns}
    columns = [sensor.astype("<u4").tobytes()]
    return _frame(session, seq, columns, shape=shape, value=value, quality=quality, codec=codec)


def _frame(
    session: int,
    seq: int,
    columns: list[bytes],
    *,
    shape: wire.Fields,
    value: NDArray[np.float32] | NDArray[np.float64],
    quality: NDArray[np.uint8] | None,
    codec: str,
) -> tuple[bytes, bytes]:
    assert codec in ("raw", "zstd")
    width = value.dtype.itemsize
    columns.append(value.astype(f"<f{width}").tobytes())
    if quality is not None:
        columns.append(quality.astype("u1").tobytes())
    raw = b"".join(columns)
    body = raw if codec == "raw" else compress(raw)
    fields: wire.Fields = {"t": "frame", "v": wire.VERSION, "session": session, "seq": seq}
    fields |= shape
    fields |= {"n": value.size, "codec": codec, "size": len(raw), "crc": zlib.crc32(body)}
    fields |= {"width": width, "quality": quality is not None}
    return wire.pack(fields), body


def _check_columns_bytes(frame: FrameHeader) -> None:
    columns_bytes = wire.columns_bytes(frame)
    if columns_bytes != frame.size:
        text = f"the columns of the header take {columns_bytes} bytes, `size` is {frame.size}"
        raise FrameFault(wire.E_SHAPE, text)


def _check_crc(frame: FrameHeader, body: Buffer) -> None:
    found = zlib.crc32(body)
    if found != frame.crc:
        text = f"the body's CRC-32 is {found:#010x}, `crc` says {frame.crc:#010x}"
        raise FrameFault(wire.E_CRC, text)


NO_DT: Final = np.empty(0, np.uint32)
NO_QUALITY: Final = np.empty(0, np.uint8)
NO_DT.setflags(write=False)
NO_QUALITY.setflags(write=False)
