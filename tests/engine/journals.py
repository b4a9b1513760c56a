"""Journals that tests write themselves: a plant in a folder, and readings once a second."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine import segments
from engine.disk import PosixDisk
from engine.journal import Journal, JournalSettings
from tests.end_to_end.plants import write_plant
from tests.engine import gateway as stranger

S = 1_000_000_000
START = 1_767_225_600 * S
GATEWAY = "G-1"
HEAD = "tocsin: 1\npack: {pack}\nversion: {version}\nowner: tests\nrules:\n"
RULE = """\
  - id: {name}
    title: {{zh: 试验, en: Trial}}
    hazard: gas
    input: {{type: methane, unit: "%", period: 1s}}
    by: [sensor]
    quality: {{stale_after: 5s}}
    ladder:
      value: {value}
      above: {{{above}}}
      deadband: 0.2
      for: {hold}
      clear_for: 2s
"""
TYPE = '{name: methane, unit: "%", kind: gauge, lateness: 0s, period: 1s}'
# Value for value, second for second; None is a gap.
Signals = Mapping[str, Sequence[float | None]]


def rule(name="high", value="value", above="blue: 1, red: 2", hold="0s"):
    """One rule of a pack."""
    return RULE.format(name=name, value=value, above=above, hold=hold)


def pack(*rules, name="gas", version="1.0.0"):
    """A pack as text."""
    return HEAD.format(pack=name, version=version) + "".join(rules)


def plant(folder: Path, sensors: Sequence[str], text: str, clock: str = "wall") -> Path:
    """Write a plant of one gateway; every sensor has a site of its own. Returns the engine.yaml."""
    rows = [(name, GATEWAY, f"SITE-{name}", "methane") for name in sensors]
    return write_plant(folder, types=[TYPE], sensors=rows, packs={"gas": text}, clock=clock)


def record(folder: Path, signals: Signals, *, ticks: bool = True, frame_s: int = 1) -> Path:
    """Write a journal: frames of so many seconds, a tick after each second. Returns its folder."""
    journal = Journal.open(folder, JournalSettings(1 << 20, 0), PosixDisk())
    write = journal.append
    write(segments.SESSION, GATEWAY, session=1, seq=0, received_ns=START, header=b"", body=b"")
    columns = list(signals.values())
    rows: list[tuple[int, int, float]] = []
    seq = first = 0
    for second in range(max(map(len, columns))):
        for sensor, column in enumerate(columns):
            value = column[second] if second < len(column) else None
            if value is not None:
                rows.append((sensor, (second - first) * 1_000_000, value))
        if rows and (second + 1 - first) % frame_s == 0:
            seq += 1
            fields, body = stranger.points(1, seq, rows, t0=START + first * S)
            write(
                *(segments.FRAME, GATEWAY),
                session=1,
                seq=seq,
                received_ns=START + second * S,
                header=stranger.pack(fields),
                body=body,
            )
        if (second + 1 - first) % frame_s == 0:
            rows, first = [], second + 1
        if ticks:
            write(
                *(segments.TICK, ""),
                session=0,
                seq=0,
                received_ns=START + second * S + S // 2,
                header=b"",
                body=b"",
            )
    journal.commit()
    journal.close()
    return folder
