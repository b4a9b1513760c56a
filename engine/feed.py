"""Feed: a gateway that sends a recording, as the wire contract wants one to be.

It reads CSV, ARFF or NPZ, maps columns to the sensors of its manifest, spools each frame to disk
before it sends it, and keeps it until the engine says that it is durable. Killed at any moment
and started again with the same file, it goes on where it was.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import click
import numpy as np
import zmq
from zmq.utils.monitor import recv_monitor_message

from engine import registry
from engine.cutting import Readings, Values
from engine.dispatch import Dispatch, Pace
from engine.errors import EXIT_FINDINGS, EXIT_OK, UnreachableError, UsageError
from engine.nearest import did_you_mean
from engine.progress import Progress, open_progress
from engine.recordings import Recording, parse_time_ns, read_recording
from engine.registry import Catalogue
from engine.spool import Spool
from rules.units import UnitError, read_duration

FRAME_ROWS: Final = 1024


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """What the command line says beside the file; texts are as typed."""

    to: str
    catalogue: Path
    gateway: str | None
    maps: tuple[str, ...]
    time: str | None
    start: str | None
    period: str | None
    speed: str
    is_series: bool
    frame_rows: int
    missing: tuple[float, ...]
    codec: str
    spool: Path | None
    from_start: bool
    is_quiet: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Load:
    """A recording made ready to send, and what was odd about it."""

    readings: Readings
    missing_count: int
    odd_count: int
    untimed_count: int
    first_untimed: str


def feed(path: Path, options: FeedOptions) -> int:
    """Send a recording until every frame of it is durable; returns the exit code.

    0, or 1 when the engine rejected a frame for good; UnreachableError (69) when no engine
    answers at the start.
    """
    catalogue = registry.load(options.catalogue)
    gateway = _gateway(catalogue, options.gateway)
    load = _load(catalogue, gateway, read_recording(path), options)
    name = catalogue.gateways.name[gateway]
    speed = _speed(options.speed)
    rows = load.readings.time_ns.size
    with ExitStack() as closing:
        spool = Spool(options.spool or default_spool(name, options.to))
        closing.callback(spool.close)
        progress = open_progress(rows, f"{name} feeds {path.name}", is_quiet=options.is_quiet)
        dispatch = open_dispatch(
            name,
            options.to,
            load.readings,
            spool,
            _source(path, options),
            pace=Pace(speed, options.frame_rows, options.codec),
            progress=progress,
        )
        closing.callback(dispatch.close)
        closing.callback(_tell, dispatch, load, as_json=options.as_json)
        closing.callback(progress.close)
        try:
            dispatch.run(from_start=options.from_start)
        except UnreachableError as error:
            message = f"{options.to}: {error}"
            raise UnreachableError(message) from None
    return EXIT_FINDINGS if dispatch.rejected_count else EXIT_OK


def open_dispatch(
    gateway: str,
    to: str,
    readings: Readings,
    spool: Spool,
    source: str,
    *,
    pace: Pace,
    progress: Progress,
) -> Dispatch:
    """Return a gateway's loop on a line to the engine; UsageError when `to` is no address."""
    return Dispatch(
        gateway,
        source,
        readings,
        line=DealerLine(to),
        spool=spool,
        pace=pace,
        progress=progress,
        now_s=time.monotonic,
        wall_ns=time.time_ns,
    )


def default_spool(gateway: str, to: str) -> Path:
    """Return where a gateway's spool is when nobody says: one for each engine it feeds."""
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in gateway)
    # Two names that look alike after that must not share a spool.
    digest = hashlib.sha256(f"{gateway} {to}".encode()).hexdigest()[:8]
    return Path.home() / ".local" / "state" / "tocsin" / "spool" / f"{safe}-{digest}"


def _gateway(catalogue: Catalogue, name: str | None) -> int:
    names = catalogue.gateways.name
    if name is None:
        if len(names) == 1:
            return 0
        message = f"--gateway is needed: the catalogue has {len(names)} gateways"
        raise UsageError(message)
    if name not in names:
        message = f"the catalogue has no gateway `{name}`; {did_you_mean(name, names)}"
        raise UsageError(message)
    return names.index(name)


def _load(catalogue: Catalogue, gateway: int, recording: Recording, options: FeedOptions) -> Load:
    """Put the columns that are mapped beside the times of their rows."""
    manifest = catalogue.manifest(gateway)
    names = [catalogue.sensors.name[sensor] for sensor in manifest]
    mapping = _mapping(recording, names, catalogue.gateways.name[gateway], options.maps)
    columns = []
    odd_count = 0
    for column in mapping:
        values, odd = recording.values(column, options.missing)
        columns.append(values)
        odd_count += odd
    rows = np.column_stack(columns)
    keep = np.ones(recording.row_count, np.bool_)
    first_untimed = ""
    period_ns = 0
    if options.time is not None:
        if options.start is not None or options.period is not None:
            message = "--time says when each row was measured; leave out --start and --period"
            raise UsageError(message)
        if options.is_series:
            message = "--series needs a regular spacing: --start and --period, not --time"
            raise UsageError(message)
        time_ns, keep, first_untimed = recording.times_ns(options.time)
    else:
        start_ns, period_ns = _spacing(options)
        time_ns = start_ns + period_ns * np.arange(recording.row_count, dtype=np.int64)
    if not keep.any():
        message = f"no row has a time: {first_untimed}"
        raise UsageError(message)
    sensor = np.array([names.index(name) for name in mapping.values()], np.uint32)
    value = cast(Values, np.ascontiguousarray(rows[keep]))
    readings = Readings(time_ns[keep], sensor, value, period_ns if options.is_series else 0)
    missing_count = int(np.isnan(value).sum())
    return Load(readings, missing_count, odd_count, int((~keep).sum()), first_untimed)


def _mapping(
    recording: Recording, sensors: list[str], gateway: str, maps: Sequence[str]
) -> dict[str, str]:
    """Return column -> sensor: as told, else every column that is named like a sensor."""
    if not maps:
        same = {name: name for name in recording.names if name in sensors}
        if not same:
            message = (
                f"no column of {recording.path} is named like a sensor of `{gateway}`: use --map; "
                f"columns: {_some(recording.names)}; sensors: {_some(sensors)}"
            )
            raise UsageError(message)
        return same
    mapping: dict[str, str] = {}
    for text in maps:
        column, _, sensor = text.rpartition("=")
        recording.require(column)
        if sensor not in sensors:
            message = f"`{gateway}` has no sensor `{sensor}`; {did_you_mean(sensor, sensors)}"
            raise UsageError(message)
        if column in mapping or sensor in mapping.values():
            message = f"--map {text}: this column or sensor is mapped already"
            raise UsageError(message)
        mapping[column] = sensor
    return mapping


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _spacing(options: FeedOptions) -> tuple[int, int]:
    if options.start is None or options.period is None:
        message = "say when the rows were measured: --time COLUMN, or --start and --period"
        raise UsageError(message)
    start_ns = time.time_ns() if options.start == "now" else parse_time_ns(options.start)
    if start_ns is None:
        message = f"--start {options.start}: not an ISO 8601 or epoch time, nor `now`"
        raise UsageError(message)
    try:
        period_ns = read_duration(options.period)
    except UnitError as error:
        message = f"--period: {error}; {error.remedy}"
        raise UsageError(message) from None
    if period_ns <= 0:
        message = "--period must be longer than nothing"
        raise UsageError(message)
    return start_ns, period_ns


def _speed(text: str) -> float:
    """Return how many times faster than it was measured; infinity for `max`."""
    if text == "max":
        return float("inf")
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        message = f"--speed {text}: `max`, or a number such as 1 (as measured) or 60"
        raise UsageError(message)
    return speed


def _source(path: Path, options: FeedOptions) -> str:
    """Name what is fed: the same file fed in the same way goes on where it was interrupted."""
    status = path.stat()
    said = [options.maps, options.time, options.start, options.period, options.is_series]
    text = json.dumps([str(path.resolve()), status.st_size, status.st_mtime_ns, *said])
    return hashlib.sha256(f"{text} {options.missing}".encode()).hexdigest()


def _tell(dispatch: Dispatch, load: Load, *, as_json: bool) -> None:
    """Say what became of everything, also after an interruption."""
    counts = dispatch.counts()
    counts |= {"missing": load.missing_count, "not_numbers": load.odd_count}
    counts |= {"rows_without_time": load.untimed_count}
    if as_json:
        click.echo(json.dumps(counts))
    else:
        text = (
            f"{counts['readings_acked']} of {counts['readings_sent']} readings sent are durable "
            f"({counts['frames_acked']} of {counts['frames_sent']} frames, "
            f"{counts['frames_resent']} sent again), {counts['acks']} acks, "
            f"{counts['naks']} naks, {counts['frames_rejected']} frames rejected"
        )
        click.echo(f"{text}, {dispatch.elapsed_s:.1f} s")
    notes = dispatch.notes + dispatch.rejected
    if load.odd_count:
        notes.append(f"{load.odd_count} cells are not numbers, and were sent as missing")
    if load.untimed_count:
        notes.append(f"{load.untimed_count} rows were not sent: {load.first_untimed}")
    for note in notes:
        click.echo(note, err=True)


class DealerLine:
    """The line of a gateway: a DEALER that connects, and connects again.

    IMMEDIATE: a frame goes out only on a link that is up. LINGER 0: what is not acknowledged is
    in the spool, so nothing needs to be flushed at the end.
    """

    __slots__ = ("_context", "_is_up", "_monitor", "_socket")

    def __init__(self, to: str) -> None:
        """Begin to connect; UsageError when the address is none."""
        self._is_up = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._socket.setsockopt(zmq.MAXMSGSIZE, 1 << 20)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        try:
            self._socket.connect(to)
        except zmq.ZMQError as error:
            self.close()
            message = f"--to {to}: not an address to connect to: {error.strerror}"
            raise UsageError(message) from None

    def is_new(self) -> bool:
        """Say whether the connection has come up since the last question."""
        has_come_up = False
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            self._is_up = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            has_come_up = has_come_up or self._is_up
        return has_come_up

    def is_up(self) -> bool:
        """Say whether there is a connection, as far as the last question found out."""
        return self._is_up

    def send(self, header: bytes, body: bytes) -> bool:
        """Send a message; false when the line cannot take one now."""
        try:
            self._socket.send_multipart([header, body], zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self, timeout_ms: int) -> list[bytes]:
        """Return the headers of all messages that are there, waiting a little for the first."""
        headers = []
        while self._socket.poll(timeout_ms):
            headers.append(self._socket.recv_multipart()[0])
            timeout_ms = 0
        return headers

    def close(self) -> None:
        """Let go of the sockets."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
        self._context.term()
