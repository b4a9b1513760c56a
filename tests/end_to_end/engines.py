"""Whole engines as processes of their own: started on free ports, asked, stopped, killed.

Two ways to start one. `Engine.start` runs `python -m engine run …`, as an operator would.
A `Nursery` is a process that has imported everything and used every kernel once; it forks an
engine in a fraction of a second, so that a test can afford to kill dozens of them.

Engines are ended by the pid of their own process, never by name, and never outlive their test.
"""

import ctypes
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kernels.jit import CACHE_FOLDER

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MINE = ROOT / "configs" / "mine"
# Kernels that are not in the cache yet take a minute on a busy machine.
READY_S = 120.0
STOP_S = 30.0
PR_SET_PDEATHSIG = 1
# Below the range from which the system gives ports to clients, so nobody takes one meanwhile.
PORTS = range(17_000, 32_000)
SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)")


class Deadline(AssertionError):
    """Something did not become true in time."""


def wait_until(is_true: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return as soon as a condition holds; a Deadline says what did not come true."""
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            raise Deadline(what)
        time.sleep(0.01)


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody has; workers that test side by side look in other places."""
    worker = int("0" + "".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))))
    start = (os.getpid() * 37 + worker * 5_003 + time.monotonic_ns() // 1_000) % len(PORTS)
    found: list[int] = []
    for step in range(len(PORTS)):
        port = PORTS[(start + step) % len(PORTS)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise Deadline("no free ports")


def warm_cache() -> None:
    """Compile every kernel once for all tests of a machine; others wait for the first."""
    folder = Path(CACHE_FOLDER)
    done = folder / "is-warm"
    with (folder / "warmup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return
        subprocess.run([sys.executable, "-m", "engine", "warmup"], cwd=ROOT, check=True,
                       capture_output=True, timeout=280)  # fmt: skip
        done.touch()


def tocsin(
    *arguments: object, timeout_s: float = 60.0, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run one `tocsin` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "engine", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass
class Engine:
    """One engine: a configuration, a data folder, four ports; started as often as one likes."""

    config: Path
    data: Path
    sets: Sequence[str] = ()
    options: Sequence[str] = ()
    nursery: "Nursery | None" = None
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    process: "Process | None" = None
    exits: list[int] = field(default_factory=list)

    @property
    def intake(self) -> str:
        return f"tcp://127.0.0.1:{self.ports[0]}"

    @property
    def warnings(self) -> str:
        return f"tcp://127.0.0.1:{self.ports[1]}"

    @property
    def replay(self) -> str:
        return f"tcp://127.0.0.1:{self.ports[2]}"

    @property
    def http(self) -> str:
        return f"127.0.0.1:{self.ports[3]}"

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    def arguments(self) -> list[str]:
        ends = {"intake": self.intake, "warnings": self.warnings}
        ends |= {"replay": self.replay, "http": self.http}
        sets = [f"{key}={value}" for key, value in ends.items()] + list(self.sets)
        named = [word for text in sets for word in ("--set", text)]
        return ["run", str(self.config), "--data", str(self.data), *named, *self.options]

    def spawn(self) -> "Process":
        """Start the process, and do not wait for anything."""
        assert self.process is None
        if self.nursery is not None:
            self.process = self.nursery.spawn(self.arguments(), self.log)
        else:
            self.process = Child(self.arguments(), self.log)
        return self.process

    def start(self) -> "Engine":
        """Start, and wait until the engine says that it is ready."""
        self.spawn()
        wait_until(self.is_ready, f"the engine is not ready:\n{self.tail()}", READY_S)
        return self

    def is_ready(self) -> bool:
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"the engine ended with {code}:\n{self.tail()}"
        return self.ask("readyz") is not None

    def ask(self, path: str) -> str | None:
        """What the HTTP port answers; None where it does not, or not with 200."""
        try:
            with urllib.request.urlopen(f"http://{self.http}/{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def metrics(self) -> dict[str, float]:
        """All counters: `name` or `name{labels}` -> value."""
        text = self.ask("metrics")
        assert text is not None, self.tail()
        found = {}
        for line in text.splitlines():
            sample = SAMPLE.fullmatch(line)
            if sample is not None:
                labels = f"{{{sample['labels']}}}" if sample["labels"] else ""
                found[sample["name"] + labels] = float(sample["value"])
        return found

    def kill(self) -> int:
        """SIGKILL, now."""
        return self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def wait(self, seconds: float = STOP_S) -> int:
        """Wait for the end; returns the exit code."""
        process = self.process
        assert process is not None
        wait_until(
            lambda: process.poll() is not None, f"the engine does not end:\n{self.tail()}", seconds
        )
        code = process.poll()
        assert code is not None
        self.process = None
        self.exits.append(code)
        return code

    def _end(self, number: int) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.wait()

    def tail(self) -> str:
        """The end of what the engine has said."""
        return self.log.read_text()[-6_000:] if self.log.exists() else ""


@contextmanager
def running(engine: Engine) -> Iterator[Engine]:
    """An engine that is up, and is no more when the test is over, whatever happens."""
    try:
        yield engine.start()
    finally:
        end_for_good(engine)


def end_for_good(engine: Engine) -> None:
    """Whatever state a test has left an engine in."""
    if engine.process is not None and engine.process.poll() is None:
        os.kill(engine.process.pid, signal.SIGKILL)
        engine.wait()


class Child:
    """An engine in an interpreter of its own."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        command = [sys.executable, "-m", "engine", *arguments]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - tests have no other thread
            )  # fmt: skip
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()


class Forked:
    """An engine that a nursery has forked."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.nursery = nursery
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self.nursery.ask("poll", self.pid)
        return self._code


Process = Child | Forked


class Nursery:
    """A process that forks engines: everything is imported, every kernel is in memory."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.engines"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def spawn(self, arguments: Sequence[str], log: Path) -> Forked:
        pid = self.ask("spawn", list(arguments), str(log))
        assert pid is not None
        return Forked(self, pid)

    def ask(self, *question: object) -> int | None:
        """One line there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery has ended"
        found = json.loads(answer)
        assert found is None or isinstance(found, int)
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_S)


def nurse() -> None:
    """The nursery's own loop: import, rehearse, then fork when asked; ends with its input."""
    from engine import run  # noqa: F401 - for its imports
    from engine.rehearsal import rehearse

    rehearse()
    for line in sys.stdin:
        match json.loads(line):
            case ["spawn", arguments, log]:
                answer = _fork(arguments, log)
            case ["poll", pid]:
                done, status = os.waitpid(pid, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if done else None
            case other:
                raise AssertionError(other)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _fork(arguments: list[str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    _die_with_the_tests()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from engine import cli

    os._exit(cli.run_command(arguments))


def _die_with_the_tests() -> None:
    """An engine must not outlive the tests, not even when they are killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    nurse()
