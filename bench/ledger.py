"""Ledger: figures as tables for people, and as one JSON line per run for later comparison.

A figure without its machine, versions, command, seed and date is an anecdote.
"""

import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("numpy", "numba", "llvmlite", "bytewax", "pyzmq", "msgpack", "river")


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that the project has set itself."""

    bound: float
    is_at_least: bool

    def is_met(self, value: float) -> bool:
        """Whether the figure keeps the bound."""
        return value >= self.bound if self.is_at_least else value <= self.bound

    def text(self) -> str:
        """The bound as people write it."""
        return f"{'≥' if self.is_at_least else '≤'} {number(self.bound)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: its repetitions, and those of what stands beside it."""

    name: str
    unit: str
    samples: Sequence[float]
    beside_name: str = ""
    beside: Sequence[float] = ()
    target: Target | None = None

    @property
    def median(self) -> float:
        """The middle one of the repetitions."""
        return statistics.median(self.samples)

    def cells(self) -> tuple[str, ...]:
        """One row of the table."""
        beside = statistics.median(self.beside) if self.beside else None
        ratio = f"{self.median / beside:.2f}" if beside else ""
        return (
            *(self.name, number(self.median), spread(self.samples), self.unit, self.beside_name),
            *(number(beside) if beside is not None else "", spread(self.beside), ratio),
        )


@dataclass(slots=True)
class Run:
    """The figures of one benchmark, and what else a reader should know."""

    name: str
    seed: int
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> list[Figure]:
        """Figures whose target is not kept."""
        return [f for f in self.figures if f.target and not f.target.is_met(f.median)]

    def show(self) -> None:
        """Print the targets first, then every figure, then the notes."""
        print(f"\n== {self.name}")
        for figure in self.figures:
            if figure.target:
                verdict = "met   " if figure.target.is_met(figure.median) else "MISSED"
                bound = f"{figure.target.text()} {figure.unit}"
                print(f"  {verdict}  {figure.name}: {number(figure.median)} (target {bound})")
        heads = ("figure", "median", "min…max", "unit", "beside", "median", "min…max", "ratio")
        for line in table([heads, *(figure.cells() for figure in self.figures)]):
            print("  " + line)
        for note in self.notes:
            print(f"  {note}")
        sys.stdout.flush()

    def write(self, command: Sequence[str], machine: Mapping[str, object]) -> None:
        """Append one line to the ledger."""
        RESULTS.mkdir(exist_ok=True)
        entry = {
            "benchmark": self.name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": " ".join(command),
            "seed": self.seed,
            "machine": machine,
            "versions": versions(),
            "figures": [
                {
                    "name": f.name,
                    "unit": f.unit,
                    "samples": list(f.samples),
                    "beside_name": f.beside_name,
                    "beside": list(f.beside),
                    "target": f.target.text() if f.target else None,
                    "met": f.target.is_met(f.median) if f.target else None,
                }
                for f in self.figures
            ],
            "notes": self.notes,
        }
        with (RESULTS / "ledger.jsonl").open("a") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def number(value: float) -> str:
    """Three digits that matter."""
    if value == 0 or math.isnan(value):
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(samples: Sequence[float]) -> str:
    """From the least to the greatest repetition."""
    return f"{number(min(samples))}…{number(max(samples))}" if len(samples) > 1 else ""


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with columns under each other; the first column left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, 3, 4) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def machine_card() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cpu": _first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_first("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """The packages that matter for speed, and the commit, marked where files were changed."""
    found = {name: metadata.version(name) for name in PACKAGES}
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found["commit"] = subprocess.run(
            git, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        found["commit"] = ""
    return found


def _first(path: str, key: str) -> str:
    """The value of the first line `key: value` of a file of the system."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return "0"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "0")
