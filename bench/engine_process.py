"""A real engine in a process of its own: started, asked how it is, and ended or killed by its pid.

Nothing of the engine runs in the process that measures: it talks to sockets, reads `/metrics`,
and looks at /proc, as a stranger would.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import zmq

START_S_MAX = 120.0
JUDGED = "tocsin_readings_total"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
Body = dict[str, object]


def free_ports() -> tuple[int, int, int, int]:
    """Four ports of the loopback that nobody has now."""
    sockets = [socket.socket() for _ in range(4)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        first, second, third, fourth = (one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()
    return first, second, third, fourth


@dataclass(slots=True)
class EngineProcess:
    """One engine; `ports` are intake, warnings, replay and http."""

    config: Path
    data: Path
    ports: tuple[int, int, int, int]
    process: subprocess.Popen[bytes] | None = None

    def start(self, *sets: str) -> None:
        """Start it and wait until it is ready."""
        self.begin(*sets)
        deadline = time.monotonic() + START_S_MAX
        while not self.is_ready():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                message = f"the engine did not start: {self.log_tail()}"
                raise RuntimeError(message)
            time.sleep(0.02)

    def begin(self, *sets: str) -> None:
        """Start it and do not wait."""
        command = [sys.executable, "-m", "engine", "run", str(self.config)]
        command += ["--data", str(self.data)]
        for text in sets:
            command += ["--set", text]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def log_path(self) -> Path:
        """Where it writes what it has to say."""
        return self.data.with_suffix(".log")

    def log_tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log_path.read_text().splitlines()[-5:])

    def is_ready(self) -> bool:
        """Whether it says that it is ready."""
        return self.get("readyz") is not None

    def get(self, path: str) -> str | None:
        """A page of its HTTP port; None where it does not answer, or not with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[3]}/{path}") as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            return None

    def metrics(self) -> dict[str, float]:
        """Its counters, by name and labels as they are written."""
        found = {}
        for line in (self.get("metrics") or "").splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def judged(self) -> int:
        """Readings that ended as folded, late or set aside."""
        counters = self.metrics().items()
        return int(sum(count for name, count in counters if name.startswith(JUDGED)))

    def memory_bytes(self) -> int:
        """What it holds of the machine's memory now, file pages of the mapped journal left out."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return (int(fields[1]) - int(fields[2])) * PAGE_BYTES

    def cpu_s(self) -> float:
        """Processor seconds it has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def end(self) -> None:
        """End it in order; killed when it takes too long."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def replay(self) -> Iterator[tuple[str, Body]]:
        """Everything it has sent, from its replay socket."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as asker:
            asker.setsockopt(zmq.LINGER, 0)
            asker.setsockopt(zmq.RCVTIMEO, 20_000)
            asker.connect(f"tcp://127.0.0.1:{self.ports[2]}")
            at = 1
            while True:
                asker.send(msgpack.packb({"t": "replay", "v": 1, "from": at, "max": 1000}))
                before = at
                while True:
                    parts = asker.recv_multipart()
                    head = msgpack.unpackb(parts[0])
                    if head["t"] == "end":
                        at = head["next"]
                        break
                    yield head["topic"], msgpack.unpackb(parts[1])
                if at == before or at > head["live"]:
                    return


def quantile_s(metrics: dict[str, float], name: str, share: float) -> float:
    """A quantile of a histogram, seconds: within its doubling, as far in as the share says."""
    rows = sorted(
        (float(key.split('"')[1]), count)
        for key, count in metrics.items()
        if key.startswith(f"tocsin_{name}_seconds_bucket")
    )
    total = rows[-1][1] if rows else 0.0
    below_s, below = 0.0, 0.0
    for upto_s, count in rows:
        if total and count >= share * total and count > below:
            within = (share * total - below) / (count - below)
            return below_s + (min(upto_s, 2 * below_s or upto_s) - below_s) * within
        below_s, below = upto_s, count
    return 0.0
