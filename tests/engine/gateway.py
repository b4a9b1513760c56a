"""A gateway written by a stranger: only from the wire contract, with struct and msgpack.

It imports nothing of the engine, so a mistake in `engine.wire` cannot hide in both ends. Tests
connect it to a running intake, push frames whole or broken, and wait for the answers.
"""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgpack
import zmq

QUARTER_MINUTE_MS = 15_000


def pack(fields):
    return msgpack.packb(fields, use_bin_type=True)


def points(session, seq, rows, *, t0=0, width=8, quality=False, compress=None):
    """Return (header fields, body); rows are (sensor, dt_us, value) or (…, quality code)."""
    n = len(rows)
    letter = {4: "f", 8: "d"}[width]
    raw = struct.pack(f"<{n}I", *(row[0] for row in rows))
    raw += struct.pack(f"<{n}I", *(row[1] for row in rows))
    raw += struct.pack(f"<{n}{letter}", *(row[2] for row in rows))
    if quality:
        raw += struct.pack(f"<{n}B", *(row[3] for row in rows))
    shape = {"kind": "points", "n": n, "t0": t0, "width": width, "quality": quality}
    return _frame({"session": session, "seq": seq} | shape, raw, compress)


def series(session, seq, sensors, samples, *, t0=0, period=1, width=4, quality=None, compress=None):
    """Return (header fields, body); samples[i] are those of sensors[i], all equally many."""
    k, m = len(sensors), len(samples[0])
    letter = {4: "f", 8: "d"}[width]
    raw = struct.pack(f"<{k}I", *sensors)
    for line in samples:
        raw += struct.pack(f"<{m}{letter}", *line)
    for codes in quality or ():
        raw += struct.pack(f"<{m}B", *codes)
    shape = {"kind": "series", "n": k * m, "t0": t0, "width": width, "quality": bool(quality)}
    shape |= {"k": k, "m": m, "period": period}
    return _frame({"session": session, "seq": seq} | shape, raw, compress)


def _frame(fields, raw, compress):
    body = raw if compress is None else compress(raw)
    codec = {"codec": "raw" if compress is None else "zstd", "size": len(raw)}
    return {"t": "frame", "v": 1} | fields | codec | {"crc": zlib.crc32(body)}, body


@dataclass
class Gateway:
    """One connection of one gateway; everything that was answered is kept."""

    endpoint: str
    name: str
    session: int = 1
    wait_ms: int = QUARTER_MINUTE_MS
    context: zmq.Context | None = None
    durable: int = 0
    credit: int = 0
    naks: list[dict] = field(default_factory=list)
    others: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = (self.context or zmq.Context.instance()).socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(self.endpoint)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send_parts(self, parts: Sequence[bytes]) -> None:
        self.socket.send_multipart(list(parts))

    def send(self, fields: dict, body: bytes = b"") -> None:
        self.send_parts([pack(fields), body])

    def hello(self, next_seq: int = 1) -> dict:
        """Open the session; return the welcome, or the nak."""
        fields = {"t": "hello", "v": 1, "gateway": self.name, "session": self.session}
        self.send(fields | {"next": next_seq})
        return self.wait_for(lambda answer: answer["t"] in ("welcome", "nak"))

    def wait_for(self, is_it: Callable[[dict], bool]) -> dict:
        """Take answers until one is it; return that one."""
        while True:
            answer = self.receive()
            if is_it(answer):
                return answer

    def wait_durable(self, seq: int) -> None:
        """Return when every frame up to seq is on disk."""
        while self.durable < seq:
            self.receive()

    def wait_nak(self) -> dict:
        """Return the next refusal."""
        return self.wait_for(lambda answer: answer["t"] == "nak")

    def receive(self) -> dict:
        """Take one answer; it must be [header, empty body] within the patience of a test."""
        assert self.socket.poll(self.wait_ms), "the engine does not answer"
        header, body = self.socket.recv_multipart()
        assert body == b""
        answer = msgpack.unpackb(header)
        assert answer["v"] == 1
        if answer["t"] in ("welcome", "ack"):
            self.durable, self.credit = answer["durable"], answer["credit"]
        if answer["t"] == "nak":
            assert set(answer) == {"t", "v", "seq", "code", "text", "expected", "retry"}
            self.naks.append(answer)
        elif answer["t"] != "ack":
            self.others.append(answer)
        return answer
