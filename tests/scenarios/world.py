"""A world made for one scenario: a catalogue, packs, and readings in the order of their time."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.assembly import assemble
from engine.columns import Readings
from engine.config import load as load_config
from engine.drive import Drive

NS_PER_S = 1_000_000_000
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
PACKS = ROOT / "configs" / "packs"
ENGINE = """\
engine: scenario
catalogue: catalogue
rules: [packs]
data: data
intake: tcp://127.0.0.1:7700
warnings: tcp://127.0.0.1:7701
replay: tcp://127.0.0.1:7702
http: 127.0.0.1:7710
security: none
clock: event
status: test
silence: {silence}
shards: {shards}
"""


def only(pack: str, *ids: str) -> str:
    """The text of a sector's pack with some of its rules, for a world that has only their sensors.

    Tests that the rules carry are left out: they stand in the pack and are run with it.
    """
    text = (PACKS / pack / "packs" / f"{pack}.yaml").read_text(encoding="utf-8")
    head, *rules = re.split(r"^  - id: ", text, flags=re.MULTILINE)
    chosen = [rule for rule in rules if rule.split("\n", 1)[0].strip() in ids]
    assert len(chosen) == len(ids), ids
    bare = [re.split(r"^    tests:\n", rule, flags=re.MULTILINE)[0] for rule in chosen]
    return head + "".join(f"  - id: {rule}" for rule in bare)


def make_world(
    folder: Path,
    packs: Sequence[str],
    *,
    types: str,
    sites: Sequence[str],
    sensors: Sequence[str],
    shards: int = 1,
    silence: str = "10s",
) -> Drive:
    """An engine without a flow for the texts of packs and the lines of a catalogue.

    The lines begin with their heads. Each site has a gateway of its own, named after it.
    """
    catalogue = folder / "catalogue"
    catalogue.mkdir(parents=True)
    (catalogue / "types.yaml").write_text(types, encoding="utf-8")
    (catalogue / "sites.csv").write_text("\n".join(sites) + "\n", encoding="utf-8")
    names = [line.split(",")[0] for line in sites[1:]]
    gateways = ["gateway,site,public_key", *(f"G-{name},{name}," for name in names)]
    (catalogue / "gateways.csv").write_text("\n".join(gateways) + "\n", encoding="utf-8")
    (catalogue / "sensors.csv").write_text("\n".join(sensors) + "\n", encoding="utf-8")
    (folder / "packs").mkdir()
    for number, pack in enumerate(packs):
        (folder / "packs" / f"pack-{number}.yaml").write_text(pack, encoding="utf-8")
    text = ENGINE.format(shards=shards, silence=silence)
    (folder / "engine.yaml").write_text(text, encoding="utf-8")
    return Drive.of(assemble(load_config(folder / "engine.yaml", (), None)))


def play(
    drive: Drive, feeds: Mapping[str, tuple[np.ndarray, np.ndarray]], *, rows: int = 500
) -> list[dict[str, object]]:
    """Push readings in the order of their time; returns what was told, in that order.

    feeds  by sensor: int64[n] times in ns, float64[n] values
    """
    shards = drive.shards
    names = list(shards[0].catalogue.sensors.name)
    number = np.concatenate(
        [np.full(times.size, names.index(name), np.int32) for name, (times, _) in feeds.items()]
    )
    time_ns = np.concatenate([times for times, _ in feeds.values()]).astype(np.int64)
    value = np.concatenate([values for _, values in feeds.values()]).astype(np.float64)
    order = np.argsort(time_ns, kind="stable")
    told: list[dict[str, object]] = []
    for start in range(0, order.size, rows):
        chosen = order[start : start + rows]
        work: list[list[Readings]] = []
        for layout in (shard.layout for shard in shards):
            dense = layout.dense[number[chosen]]
            mine = dense >= 0
            sensor, good = dense[mine].astype(np.int32), np.zeros(int(mine.sum()), np.uint8)
            part = chosen[mine]
            received_ns = int(time_ns[part].max()) if part.size else 0
            reading = Readings(sensor, time_ns[part], value[part], good, received_ns)
            work.append([reading] if part.size else [])
        told += [body for _, body in drive.advance(work)]
    return told
