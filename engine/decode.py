"""Decode: a frame of the journal becomes columns of readings, numbered as the catalogue does.

Enters     records of kind FRAME
Leaves     tables of readings: Points, one row each, or Series, one row for each sensor
Remembers  nothing; the manifests are the catalogue's
Refuses    a frame that does not fit the catalogue of today, with the code intake would give

The intake has checked every frame that is in the journal, against the catalogue of that day. It is
checked again here: the catalogue may have lost a sensor since, and kernels have no bounds
checks. Values and quality codes stay views of the journal's file where that is possible.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import segments, wire
from engine.body import NS_PER_US, BodyReader, check_columns
from engine.segments import Record
from engine.wire import FrameFault

Values = NDArray[np.float32] | NDArray[np.float64]
COLUMN_FLAGS: Final = ("C_CONTIGUOUS", "ALIGNED")


@dataclass(frozen=True, slots=True)
class Points:
    """Readings of one gateway, one row each, in the order of the frame.

    sensor   int32[n]         number of the sensor in the catalogue
    time_ns  int64[n]         event time
    value    float32|64[n]    in the sensor's unit; may be NaN, infinite or absurd
    quality  uint8[n] or [0]  codes 0 to 9; empty: all good
    """

    gateway: int
    sensor: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    value: Values
    quality: NDArray[np.uint8]
    received_ns: int

    @property
    def count(self) -> int:
        """Readings in the table."""
        return self.value.size


@dataclass(frozen=True, slots=True)
class Series:
    """Regular samples of one gateway's sensors; sample j was taken at t0_ns + j * period_ns.

    sensor   int32[k]            number of the sensor in the catalogue
    value    float32|64[k, m]    in the sensor's unit; may be NaN, infinite or absurd
    quality  uint8[k, m] or [0]  codes 0 to 9; empty: all good
    """

    gateway: int
    sensor: NDArray[np.int32]
    t0_ns: int
    period_ns: int
    value: Values
    quality: NDArray[np.uint8]
    received_ns: int

    @property
    def count(self) -> int:
        """Readings in the table."""
        return self.value.size


class Decoder:
    """Decodes frames of one catalogue; one for each thread."""

    __slots__ = ("_bodies", "_gateways", "_manifests")

    def __init__(self, manifests: Mapping[str, NDArray[np.int32]]) -> None:
        """Know the gateways; the order of `manifests` numbers them.

        manifests  gateway name -> int32[sensors], catalogue numbers of its sensors
        """
        self._bodies = BodyReader(wire.COLUMNS_BYTES_MAX)
        self._gateways = {name: number for number, name in enumerate(manifests)}
        self._manifests = [np.ascontiguousarray(numbers) for numbers in manifests.values()]
        for numbers in self._manifests:
            assert numbers.dtype == np.int32

    def decode(self, record: Record) -> Points | Series:
        """Return the readings of a frame; FrameFault when it does not fit the catalogue."""
        assert record.kind == segments.FRAME
        gateway = self._gateways.get(record.gateway)
        if gateway is None:
            text = f"gateway {record.gateway} is no longer in the catalogue"
            raise FrameFault(wire.E_IDENTITY, text)
        manifest = self._manifests[gateway]
        # Not frame_bytes_max: today's may be lower than that of the day the frame came.
        frame = wire.parse_frame(wire.unpack_header(record.header), wire.COLUMNS_BYTES_MAX)
        # The record's checksum of the body is the frame's own.
        columns = self._bodies.open(frame, record.body, has_known_crc=True)
        check_columns(frame, columns, manifest.size)
        sensor = manifest[columns.sensor]
        value = np.require(columns.value, requirements=COLUMN_FLAGS)
        if frame.kind == "series":
            return Series(
                gateway,
                sensor,
                frame.t0_ns,
                frame.period_ns,
                value,
                columns.quality,
                record.received_ns,
            )
        time_ns = columns.dt_us.astype(np.int64)
        time_ns *= NS_PER_US
        time_ns += frame.t0_ns
        return Points(gateway, sensor, time_ns, value, columns.quality, record.received_ns)
