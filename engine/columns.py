"""Columns: the tables that travel through a shard, before and after the clock has seen them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kernels import stage

Ints = NDArray[np.int64]
Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]
Sensors = NDArray[np.int32]
Precision = np.dtype[np.floating]


# Bad readings that have a value: a view of all readings counts them where it is finite.
VALUED = np.isin(np.arange(stage.OUTCOMES), (stage.OVER, stage.UNDER, stage.QUALITY))


def _is_usable(outcome: Bytes, value: Floats, precision: Precision) -> NDArray[np.bool_]:
    bound = np.float64(min(stage.HUGE, float(np.finfo(precision).max)))
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = VALUED[outcome] & (np.abs(value) <= bound)
    return found


def _as_sent(table: "Readings | Series | Admitted | AdmittedSeries", *names: str) -> None:
    """Make columns that were sent read-only, as views of the journal's file are anyway.

    A kernel is compiled for columns of one kind: one that a test or a selection of rows has
    copied would otherwise be another, and a gateway's first frame would wait for the compiler.
    """
    for name in names:
        view = getattr(table, name).view()
        view.flags.writeable = False
        object.__setattr__(table, name, view)


@dataclass(frozen=True, slots=True)
class Readings:
    """The readings of one frame, sensors as the shard numbers them.

    sensor   int32[n]  dense row of the sensor in the shard
    time_ns  int64[n]  event time
    value    float[n]  float32 or float64, as it was sent
    quality  uint8[n]  codes of the wire, or uint8[0]: all good
    """

    sensor: Sensors
    time_ns: Ints
    value: Floats
    quality: Bytes
    received_ns: int

    def __post_init__(self) -> None:
        """What was sent is never written to."""
        _as_sent(self, "value", "quality")


@dataclass(frozen=True, slots=True)
class Series:
    """Regular samples of one frame: sample j of every sensor at `t0_ns + j * period_ns`.

    sensor   int32[n]     dense row of the sensor in the shard
    value    float[n, m]  float32 or float64, as it was sent
    quality  uint8[n, m]  codes of the wire, or uint8[0, 0]: all good
    """

    sensor: Sensors
    t0_ns: int
    period_ns: int
    value: Floats
    quality: Bytes
    received_ns: int

    def __post_init__(self) -> None:
        """What was sent is never written to."""
        _as_sent(self, "value", "quality")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Readings with what became of them; a piece of a frame that fits the rings.

    sensor      int32[n]
    time_ns     int64[n]
    value       float[n]
    outcome     uint8[n]   codes of kernels.stage
    slot        int64[n]   place in the lines of the reading's bank, -1: none
    moment      uint32[n]  time after the start of its pane, in steps of the bank
    horizon_ns  int64[n]   up to where the site's time was complete when the reading came
    """

    sensor: Sensors
    time_ns: Ints
    value: Floats
    outcome: Bytes
    slot: Ints
    moment: NDArray[np.uint32]
    horizon_ns: Ints
    is_last: bool

    def __post_init__(self) -> None:
        """What was sent is never written to."""
        _as_sent(self, "value")

    def only(self, chosen: NDArray[np.intp]) -> "Admitted":
        """Some of the readings, in their order."""
        return Admitted(
            *(self.sensor[chosen], self.time_ns[chosen], self.value[chosen]),
            *(self.outcome[chosen], self.slot[chosen], self.moment[chosen]),
            self.horizon_ns[chosen],
            self.is_last,
        )

    def as_raw(self, precision: Precision) -> "Admitted":
        """The same with readings marked bad as good ones, if they have a value and a place."""
        usable = (self.slot >= 0) & _is_usable(self.outcome, self.value, precision)
        return replace(self, outcome=np.where(usable, np.uint8(stage.FOLDED), self.outcome))


@dataclass(frozen=True, slots=True)
class AdmittedSeries:
    """Samples `start` to `stop` of a block with what became of them; they fit the rings.

    sensor         int32[n]
    value          float[n, m]
    outcome        uint8[n, m]  codes of kernels.stage, from start to stop
    tally          int64[n, 9]  how often each outcome
    first_sample   int64[n]     samples before it are late
    latest_ns      samples after it are not believed
    clock_from_ns  int64[n]     clock of the sensor's site before these samples
    clock_to_ns    int64[n]     and after them
    lateness_ns    int64[n]     of the sensor's bank
    """

    sensor: Sensors
    t0_ns: int
    period_ns: int
    start: int
    stop: int
    value: Floats
    outcome: Bytes
    tally: Ints
    first_sample: Ints
    latest_ns: int
    clock_from_ns: Ints
    clock_to_ns: Ints
    lateness_ns: Ints
    is_last: bool

    def __post_init__(self) -> None:
        """What was sent is never written to."""
        _as_sent(self, "value")

    def only(self, chosen: NDArray[np.intp]) -> "AdmittedSeries":
        """Some of the sensors, in their order."""
        return replace(
            self,
            sensor=self.sensor[chosen],
            value=self.value[chosen],
            outcome=self.outcome[chosen],
            tally=self.tally[chosen],
            first_sample=self.first_sample[chosen],
            clock_from_ns=self.clock_from_ns[chosen],
            clock_to_ns=self.clock_to_ns[chosen],
            lateness_ns=self.lateness_ns[chosen],
        )

    def as_raw(self, precision: Precision) -> "AdmittedSeries":
        """The same with samples marked bad as good ones, if they have a value and a place."""
        part = slice(self.start, self.stop)
        before = self.outcome[:, part]
        usable = _is_usable(before, self.value[:, part], precision)
        usable &= np.arange(self.start, self.stop) >= self.first_sample[:, None]
        outcome, tally = self.outcome.copy(), self.tally.copy()
        outcome[:, part][usable] = stage.FOLDED
        for code in np.flatnonzero(VALUED):
            moved = np.count_nonzero(usable & (before == code), axis=1)
            tally[:, code] -= moved
            tally[:, stage.FOLDED] += moved
        return replace(self, outcome=outcome, tally=tally)

    def as_readings(self, chosen: NDArray[np.intp], first: Ints) -> Admitted:
        """The samples of some sensors as readings, sensor by sensor, each in order of time.

        first  int64[n]  for each chosen sensor, the sample to begin with

        They have no slots: their panes were folded as a block.
        """
        count = self.stop - first
        at = np.repeat(np.arange(chosen.size), count)
        ends = np.cumsum(count)
        sample = np.arange(at.size) - np.repeat(ends - count, count) + np.repeat(first, count)
        row = chosen[at]
        time_ns = self.t0_ns + sample * self.period_ns
        clock_ns = np.maximum(self.clock_from_ns[row], np.minimum(time_ns, self.clock_to_ns[row]))
        return Admitted(
            sensor=self.sensor[row],
            time_ns=time_ns,
            value=self.value[row, sample],
            outcome=self.outcome[row, sample],
            slot=np.full(row.size, -1, dtype=np.int64),
            moment=np.zeros(row.size, dtype=np.uint32),
            horizon_ns=clock_ns - self.lateness_ns[row],
            is_last=self.is_last,
        )
