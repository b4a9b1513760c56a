"""Cutting: rows of a recording become frames of the wire.

A `points` frame carries each reading with its own time, in microseconds after the frame's first:
32 bits of them are 71.6 minutes, so slow recordings need small frames. A `series` frame carries
k sensors x m samples of one regular spacing and no times.
"""

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from engine import wire
from engine.body import NS_PER_US, points_frame, series_frame

SPAN_NS_MAX: Final = wire.UINT32_MAX * NS_PER_US
MISSING: Final = 4

Values = NDArray[np.float64] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Readings:
    """What a gateway has to send.

    time_ns    int64[n]    when each row was measured, in the order in which it is sent
    sensor     uint32[k]   index of each column in the gateway's manifest
    value      float[n, k] float32 or float64, in the unit of each sensor; NaN is missing
    period_ns  spacing of the rows for `series` frames; 0 for `points` frames
    """

    time_ns: NDArray[np.int64]
    sensor: NDArray[np.uint32]
    value: Values
    period_ns: int


def frame_end(readings: Readings, start: int, end: int, *, frame_bytes_max: int) -> int:
    """Return where the frame that starts at a row ends: at `end`, or before it does not fit."""
    k = readings.sensor.size
    value_bytes = readings.value.dtype.itemsize
    if readings.period_ns:
        # Values and qualities; the sensors of the frame stand once.
        rows_max = (frame_bytes_max - 4 * k) // (k * (value_bytes + 1))
    else:
        rows_max = frame_bytes_max // (k * (4 + 4 + value_bytes + 1))
    rows_max = min(rows_max, wire.READINGS_MAX // k)
    assert rows_max >= 1, "a frame must hold at least one row"
    end = min(end, start + rows_max)
    if readings.period_ns:
        return end
    time_ns = readings.time_ns[start:end]
    span = np.maximum.accumulate(time_ns) - np.minimum.accumulate(time_ns)
    too_far = np.flatnonzero(span > SPAN_NS_MAX)
    return start + int(too_far[0]) if too_far.size else end


def cut(
    readings: Readings, start: int, end: int, *, session: int, seq: int, codec: str
) -> tuple[bytes, bytes]:
    """Return header and body of the frame that carries the rows [start, end)."""
    value: Values = readings.value[start:end]
    is_missing = np.isnan(value)
    quality = np.where(is_missing, MISSING, 0).astype(np.uint8) if is_missing.any() else None
    if readings.period_ns:
        by_sensor = cast(Values, np.ascontiguousarray(value.T))
        return series_frame(
            session,
            seq,
            t0_ns=int(readings.time_ns[start]),
            period_ns=readings.period_ns,
            sensor=readings.sensor,
            value=by_sensor,
            quality=None if quality is None else np.ascontiguousarray(quality.T),
            codec=codec,
        )
    row_count, k = value.shape
    t0_ns = int(readings.time_ns[start:end].min())
    dt_us = ((readings.time_ns[start:end] - t0_ns) // NS_PER_US).astype(np.uint32)
    return points_frame(
        session,
        seq,
        t0_ns=t0_ns,
        sensor=np.tile(readings.sensor, row_count),
        dt_us=np.repeat(dt_us, k),
        value=value.reshape(-1),
        quality=None if quality is None else quality.reshape(-1),
        codec=codec,
    )


def renumber(header: bytes, session: int, seq: int) -> bytes:
    """Return the header of a frame that goes out in another session; its body stays the same."""
    fields = wire.unpack_header(header)
    return wire.pack(fields | {"session": session, "seq": seq})
