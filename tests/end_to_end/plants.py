"""Plants that tests make up: a catalogue, packs and an engine.yaml, written into a folder."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ENGINE = """\
engine: {name}
catalogue: catalogue
rules: [packs]
intake: tcp://127.0.0.1:7700
warnings: tcp://127.0.0.1:7701
replay: tcp://127.0.0.1:7702
http: 127.0.0.1:7710
security: none
clock: {clock}
status: test
"""


def write_plant(
    folder: Path,
    *,
    types: Sequence[str],
    sensors: Iterable[tuple[str, str, str, str]],
    packs: Mapping[str, str],
    low: str = "-1e9",
    high: str = "1e9",
    clock: str = "event",
    more: str = "",
) -> Path:
    """Write everything and return the engine.yaml.

    types    lines of types.yaml, as flow mappings
    sensors  (sensor, gateway, site, type), in the order of the manifests
    packs    name of the pack -> its YAML
    """
    rows = list(sensors)
    catalogue = folder / "catalogue"
    catalogue.mkdir(parents=True)
    lines = ["types:", *(f"  - {line}" for line in types)]
    (catalogue / "types.yaml").write_text("\n".join(lines) + "\n")
    sites = dict.fromkeys(site for _, _, site, _ in rows)
    gateways: dict[str, str] = {}
    for _, gateway, site, _ in rows:
        gateways.setdefault(gateway, site)
    _table(
        catalogue / "sites.csv",
        ("site", "name_zh", "name_en", "division", "lat", "lon"),
        ((site, f"站{site}", f"Site {site}", "140200", "40.0", "113.0") for site in sites),
    )
    _table(
        catalogue / "gateways.csv",
        ("gateway", "site", "public_key"),
        ((gateway, site, "") for gateway, site in gateways.items()),
    )
    _table(
        catalogue / "sensors.csv",
        ("sensor", "gateway", "site", "type", "period", "range_low", "range_high"),
        ((*row, "", low, high) for row in rows),
    )
    (folder / "packs").mkdir()
    for name, text in packs.items():
        (folder / "packs" / f"{name}.yaml").write_text(text)
    config = folder / "engine.yaml"
    config.write_text(ENGINE.format(name=folder.name[:40], clock=clock) + more)
    return config


def _table(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)
