"""Sender: one gateway as fast as it may, or on a schedule; a process of its own.

`python -m bench.sender SPEC` with a Spec as JSON; it prints one JSON object when every frame is
acknowledged. The columns that do not change are made once, so that what is measured is the engine.
"""

import json
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import zmq

from bench.plant import GATEWAY, NOISE_POOL, NS_PER_S, SERIES_DELAY_US, START_NS, Plant
from engine import wire

FRAME_ROWS = 8192
NS_PER_US = 1000
HELLO_EVERY_S = 0.05
SILENCE_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Spec:
    """What is to be sent: ticks `first_tick` to `last_tick` of a plant.

    kind           points: one frame for each `frame_rows` sensors and tick
                   series: one frame for each site and `samples` ticks
    order          sweep: in the order of the manifest; scattered: any sensor may be in any frame
    frames_per_s   0: as fast as the engine takes them
    flips          latency: the first sensor of each frame crosses every threshold each tick
    """

    plant: Plant
    endpoint: str
    kind: str
    order: str
    session: int
    first_tick: int
    last_tick: int
    frame_rows: int = FRAME_ROWS
    samples: int = 0
    frames_per_s: float = 0.0
    flips: bool = False

    def as_text(self) -> str:
        """The specification as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> "Spec":
        """And back."""
        fields = json.loads(text)
        return cls(**{**fields, "plant": Plant(**fields["plant"])})


Frame = tuple[dict[str, object], bytes, int]


def points(spec: Spec) -> Iterator[Frame]:
    """Header fields, body and count of each `points` frame."""
    plant, noise = spec.plant, spec.plant.noise()
    order = np.arange(plant.sensor_count, dtype=np.uint32)
    if spec.order == "scattered":
        order = np.random.default_rng(plant.seed).permutation(order)
    delay_us = plant.delay_us
    cuts = range(0, plant.sensor_count, spec.frame_rows)
    heads = []
    for cut in cuts:
        sensor = order[cut : cut + spec.frame_rows]
        heads.append((sensor, sensor.tobytes() + delay_us[sensor].tobytes()))
    place = np.empty(plant.sensor_count, dtype=np.int64)
    place[order] = np.arange(plant.sensor_count)
    pool = [noise[row][order] for row in range(NOISE_POOL)]
    for tick in range(spec.first_tick, spec.last_tick):
        quiet = pool[tick % NOISE_POOL]
        value = quiet
        if spec.flips:
            value = quiet.copy()
            value[:: spec.frame_rows] = 95.0 if tick % 2 else 10.0
        else:
            sensors, planted = plant.planted_at(tick)
            if sensors.size:
                value = quiet.copy()
                value[place[sensors]] = planted
        t0 = START_NS + tick * NS_PER_S // plant.rate_hz
        for cut, (sensor, columns) in zip(cuts, heads, strict=True):
            body = columns + value[cut : cut + spec.frame_rows].tobytes()
            yield {"kind": "points", "t0": t0}, body, sensor.size


def series(spec: Spec) -> Iterator[Frame]:
    """Header fields, body and count of each `series` frame: one site, `samples` ticks."""
    plant, noise = spec.plant, spec.plant.noise()
    period_ns = NS_PER_S // plant.rate_hz
    for first in range(spec.first_tick, spec.last_tick, spec.samples):
        ticks = np.arange(first, first + spec.samples)
        planted = [plant.planted_at(int(tick)) for tick in ticks]
        t0 = START_NS + first * period_ns + SERIES_DELAY_US * NS_PER_US
        for low in range(0, plant.sensor_count, plant.site_rows):
            sensor = np.arange(low, min(low + plant.site_rows, plant.sensor_count), dtype=np.uint32)
            value = np.ascontiguousarray(noise[:, sensor][ticks % NOISE_POOL].T)
            for column, (sensors, readings) in enumerate(planted):
                mine = (sensors >= low) & (sensors < low + plant.site_rows)
                value[sensors[mine] - low, column] = readings[mine]
            fields: dict[str, object] = {"kind": "series", "t0": t0, "period": period_ns}
            fields |= {"k": sensor.size, "m": spec.samples}
            yield fields, sensor.tobytes() + value.tobytes(), value.size


class Link:
    """The gateway's end of the wire: hello, credit, acknowledgements."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 1000)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.connect(spec.endpoint)
        self.seq = 0
        self.durable = 0
        self.credit = 0

    def greet(self) -> None:
        """Say hello until the engine answers."""
        deadline = time.monotonic() + SILENCE_S_MAX
        while self.credit == 0:
            assert time.monotonic() < deadline, "no welcome"
            self.socket.send_multipart([wire.hello(GATEWAY, self.spec.session, 1), b""])
            self.hear(HELLO_EVERY_S)

    def hear(self, timeout_s: float) -> None:
        """Take what the engine has said."""
        while self.socket.poll(int(timeout_s * 1000)):
            fields = wire.unpack_header(self.socket.recv_multipart()[0])
            assert fields["t"] in ("welcome", "ack"), fields
            self.durable = max(self.durable, int(str(fields["durable"])))
            self.credit = int(str(fields["credit"]))
            timeout_s = 0.0

    def send(self, fields: dict[str, object], body: bytes, count: int) -> None:
        """Send one frame, as soon as the credit allows."""
        self.hear(0.0)
        while self.seq - self.durable >= self.credit:
            before = self.durable
            self.hear(SILENCE_S_MAX)
            assert self.durable > before or self.seq - self.durable < self.credit, "no ack"
        self.seq += 1
        head: dict[str, object] = {"t": "frame", "v": 1, "session": self.spec.session}
        head |= {"seq": self.seq, "n": count, "codec": "raw", "size": len(body), "width": 4}
        head |= {"crc": zlib.crc32(body), "quality": False, **fields}
        self.socket.send_multipart([wire.pack(head), body], copy=len(body) < 4096)

    def finish(self) -> None:
        """Wait until everything is durable."""
        while self.durable < self.seq:
            before = self.durable
            self.hear(SILENCE_S_MAX)
            assert self.durable > before, "no ack"

    def close(self) -> None:
        """Hang up."""
        self.socket.close()
        self.context.term()


def run(spec: Spec) -> dict[str, object]:
    """Send everything; when it began and ended, and for schedules when each frame was due."""
    frames = points(spec) if spec.kind == "points" else series(spec)
    link = Link(spec)
    link.greet()
    sent = 0
    due: list[int] = []
    began_ns = time.time_ns()
    for index, (fields, body, count) in enumerate(frames):
        if spec.frames_per_s:
            due_ns = began_ns + int(index / spec.frames_per_s * NS_PER_S)
            while (wait_ns := due_ns - time.time_ns()) > 0:
                link.hear(min(wait_ns / NS_PER_S, 0.001))
            due.append(due_ns)
        link.send(fields, body, count)
        sent += count
    link.finish()
    durable_ns = time.time_ns()
    link.close()
    return {"began_ns": began_ns, "durable_ns": durable_ns, "sent": sent, "due_ns": due,
            "frames": link.seq}  # fmt: skip


def main() -> int:
    """Send what the first argument says."""
    print(json.dumps(run(replace(Spec.of_text(sys.argv[1])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
