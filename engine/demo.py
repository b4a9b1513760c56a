"""Demo: an engine, simulated gateways and a consumer in one command.

The engine is a real one in a process of its own; the gateways are real gateways with spools; the
consumer is what `tocsin listen` is.  They meet on loopback sockets, as they would in the field.
"""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine import lines, registry
from engine.config import EngineConfig, load
from engine.dispatch import Dispatch, Pace
from engine.errors import EXIT_FINDINGS, EXIT_OK, UnreachableError
from engine.feed import open_dispatch
from engine.listen import Listener, Teller
from engine.plant import CYCLE_S, readings_of
from engine.progress import open_progress
from engine.spool import Spool

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIG: Final = ROOT / "configs" / "demo" / "engine.yaml"
FRAME_ROWS: Final = 100
START_S: Final = 60.0
STOP_S: Final = 20.0
DEMO_S_MAX: Final = 24 * 3600.0
TABLE_ROWS: Final = 18
NUMBERS_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Numbers:
    """What the heartbeat says, and what was seen of the warnings."""

    beat: dict[str, object] = field(default_factory=dict)
    heard_s: float = 0.0
    readings_before: int = 0
    rate: float = 0.0
    by_grade: Counter[str] = field(default_factory=Counter)
    by_event: Counter[str] = field(default_factory=Counter)

    def take(self, beat: Mapping[str, object]) -> None:
        """Take one heartbeat."""
        now_s = time.monotonic()
        readings = int(str(beat.get("readings", 0)))
        if self.heard_s:
            self.rate = (readings - self.readings_before) / max(now_s - self.heard_s, 0.1)
        self.readings_before, self.heard_s = readings, now_s
        self.beat = dict(beat)


class Screen(Teller):
    """Shows warnings as they come, with the numbers of the engine beside them."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(
            *(sys.stdout, io.StringIO()), as_json=False, match="", language="en", colour=None
        )
        self.numbers = numbers
        self.console = Console()
        self.rows: deque[Text] = deque(maxlen=TABLE_ROWS)
        self.remarks: list[str] = []
        self.live: Live | None = None
        self._next_numbers_s = 0.0
        if self.console.is_terminal:
            self.live = Live(self.page(), console=self.console, refresh_per_second=8)
            self.live.start()

    def tell(self, topic: str, body: Mapping[str, object]) -> None:
        """Show one message."""
        self.numbers.by_grade[str(body.get("grade"))] += 1
        self.numbers.by_event[str(body.get("event"))] += 1
        self.told_count += 1
        line = lines.row(topic, body, zone=None, language="en")
        self.rows.append(line)
        if self.live is None:
            self.console.print(line, soft_wrap=True)
        else:
            self.live.update(self.page())

    def beat(self, body: Mapping[str, object]) -> None:
        """Show the numbers of one heartbeat."""
        self.numbers.take(body)
        if self.live is not None:
            self.live.update(self.page())
        elif time.monotonic() >= self._next_numbers_s:
            self._next_numbers_s = time.monotonic() + NUMBERS_EVERY_S
            self.console.print(Text(f"        {told(self.numbers)}", style="dim"), soft_wrap=True)

    def say(self, text: str, *, is_fault: bool) -> None:
        """Keep remarks for the end; faults are shown at once."""
        self.remarks.append(text)
        if is_fault:
            self.console.print(f"demo: {text}", style="bold red", markup=False)

    def page(self) -> Group:
        """What stands on the terminal."""
        table = Table.grid()
        table.add_row(lines.header())
        for row in self.rows:
            table.add_row(row)
        return Group(
            Panel(table, title="Tocsin 警钟 · warnings", title_align="left"),
            Panel(Text(told(self.numbers)), title="engine", title_align="left"),
        )

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.live is not None:
            self.live.stop()


def told(numbers: Numbers) -> str:
    """The engine's numbers in two lines."""
    beat = numbers.beat
    if not beat:
        return "waiting for the first heartbeat"
    grades = " ".join(f"{name} {numbers.by_grade[name]}" for name in lines.GRADES)
    return (
        f"{numbers.rate:,.0f} readings/s · {beat['readings']:,} readings · {beat['frames']} frames"
        f" · folded {beat['folded']:,} · late {beat['late']} · set aside {beat['set_aside']}"
        f" · gateways {beat['gateways_live']}/{beat['gateways_known']}"
        f" · sensors {beat['sensors_live']}/{beat['sensors_known']} · {grades}"
    )


def demo(seconds: float | None, data: Path | None) -> int:
    """Run the demonstration; with `seconds` it ends by itself, with a summary."""
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-")))
        folder.mkdir(parents=True, exist_ok=True)
        click.echo("Preparing: kernels are compiled at the very first start …", err=True)
        subprocess.run([sys.executable, "-m", "engine", "warmup"], check=True, cwd=ROOT)
        sets = _free_ports()
        config = load(CONFIG, sets, folder)
        click.echo(f"Simulated gateways feed a real engine; cycle of {CYCLE_S:.0f} s.", err=True)
        process = stack.enter_context(_engine(sets, folder))
        _wait_ready(process, folder)
        numbers = Numbers()
        screen = Screen(numbers)
        stack.callback(screen.close)
        listener = Listener(config.warnings, config.replay, screen, 1)
        stack.callback(listener.close)
        gateways = Gateways(config, folder, seconds or DEMO_S_MAX)
        stack.callback(gateways.stop)
        gateways.start()
        started_s = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt):
            listener.follow(count=None, seconds=seconds)
    return _summary(numbers, screen, listener, time.monotonic() - started_s)


class Gateways:
    """One thread for each gateway of the catalogue."""

    def __init__(self, config: EngineConfig, folder: Path, seconds: float) -> None:
        catalogue = registry.load(config.catalogue)
        start_ns = time.time_ns()
        # A day of 100 Hz is made in advance no longer than it is shown.
        seconds = min(seconds, 3600.0)
        self.dispatches = [
            open_dispatch(
                name,
                config.intake,
                readings_of(catalogue, number, start_ns, seconds),
                spool=Spool(folder / "spools" / name),
                source=f"demo {start_ns}",
                pace=Pace(1.0, FRAME_ROWS, "raw"),
                progress=open_progress(1, name, is_quiet=True),
            )
            for number, name in enumerate(catalogue.gateways.name)
        ]
        self.threads = [
            threading.Thread(target=self._run, args=(dispatch,), daemon=True)
            for dispatch in self.dispatches
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _run(dispatch: Dispatch) -> None:
        # At the end of the demonstration the engine goes first; what is left is in the spool.
        with contextlib.suppress(UnreachableError):
            dispatch.run(from_start=True)

    def stop(self) -> None:
        """The threads are daemons: they end with the command."""


def _free_ports() -> list[str]:
    """Overrides for the ports of configs/demo that somebody else has."""
    wanted = {"intake": 7700, "warnings": 7701, "replay": 7702, "http": 7710}
    if all(_is_free(port) for port in wanted.values()):
        return []
    sets = []
    for name in wanted:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        prefix = "" if name == "http" else "tcp://"
        sets.append(f"{name}={prefix}127.0.0.1:{port}")
    click.echo(f"The usual ports are taken; using {', '.join(sets)}", err=True)
    return sets


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _engine(sets: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The engine in a process of its own; it is stopped as systemd would stop it."""
    command = [sys.executable, "-m", "engine", "run", str(CONFIG), "--data", str(folder)]
    for text in sets:
        command += ["--set", text]
    with (folder / "engine.log").open("wb") as output:
        # Its own group: Ctrl-C in the terminal is for the demonstration, which stops it in order.
        process = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True,
            cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_ready(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until this very engine says that it has started; its own words when it ends instead.

    Its log is asked, not its port: another engine may answer there.
    """
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        log = (folder / "engine.log").read_text(errors="replace")
        if process.poll() is not None:
            message = f"the engine ended with {process.returncode}:\n{log[-4000:]}"
            raise UnreachableError(message)
        if "engine_started" in log:
            return
        time.sleep(0.1)
    message = f"the engine was not ready after {START_S:.0f} s"
    raise UnreachableError(message)


def _summary(numbers: Numbers, screen: Screen, listener: Listener, elapsed_s: float) -> int:
    """What was seen; 0 when the engine was heard and broke no promise."""
    beat, faults = numbers.beat, listener.follower.fault_count
    click.echo(
        f"{elapsed_s:.0f} s: {beat.get('readings', 0)} readings in {beat.get('frames', 0)} frames, "
        f"{screen.told_count} warnings, {faults} faults"
    )
    for name in lines.GRADES:
        if numbers.by_grade[name]:
            click.echo(f"  {name:<7} {numbers.by_grade[name]}")
    click.echo("  events: " + json.dumps(dict(sorted(numbers.by_event.items()))))
    return EXIT_OK if listener.has_heard and not faults else EXIT_FINDINGS
