"""A rule can be right and a row of the catalogue wrong; the row must be named before the start."""

from pathlib import Path

from engine import registry
from engine.point_links import point_link_faults
from rules import book
from rules.errors import Fault

TYPES = """\
types:
  - {name: methane, unit: "%", kind: gauge}
  - {name: dust, unit: mg/m3, kind: gauge}
"""
SITES = "site,name_zh,name_en,division,lat,lon,place_class\nM-1,一,One,140200,,,T2\n"
GATEWAYS = "gateway,site,public_key\nG-1,M-1,\n"
SENSORS = """sensor,gateway,site,type,period,range_low,range_high,blue,red
A,G-1,M-1,methane,5s,0,4,0.5 %,1.5 %
B,G-1,M-1,methane,5s,0,4,0.9 %,0.8 %
C,G-1,M-1,methane,5s,0,4,0.5 %,
D,G-1,M-1,dust,5s,0,4,,
"""
PACK = """tocsin: 1
pack: p
version: 1.0.0
owner: o
rules:
  - id: r
    title: {zh: 甲, en: A}
    hazard: gas
    input: {type: methane, unit: "%"}
    by: [sensor]
"""


def faults_of(folder: Path, more: str, *, today: str = "") -> list[Fault]:
    for name, text in (
        ("types.yaml", TYPES),
        ("sites.csv", SITES),
        ("gateways.csv", GATEWAYS),
        ("sensors.csv", SENSORS),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    packs = folder / "packs"
    packs.mkdir()
    (packs / "p.yaml").write_text(PACK + more, encoding="utf-8")
    found = book.load([packs])
    assert not found.errors, [str(fault) for fault in found.errors]
    return point_link_faults(found, registry.load(folder), today)


CATALOGUED = """    ladder: {value: value, above: {blue: asset.blue, red: asset.red}}
    require_assets: [red]
"""


def test_rows_that_lack_what_a_rule_requires_or_turn_it_upside_down_are_named(
    tmp_path: Path,
) -> None:
    lacking, upside_down = faults_of(tmp_path, CATALOGUED)
    assert (lacking.code, lacking.message) == ("E504", "1 point lacks asset.red: `C`")
    assert upside_down.code == "E301"
    assert upside_down.message == "for `B`: red (0.8) is below blue (0.9)"


OVERRIDDEN = """    ladder: {value: value, above: {blue: 0.5, yellow: 1.0, red: 1.5}}
    overrides:
      - {match: {place_class: T2}, set: {ladder.above.yellow: 1.4}, reason: x, until: 2027-01-31}
      - {match: {sensor: B}, set: {ladder.above.red: 1.2}, reason: x}
"""


def test_overrides_that_contradict_each_other_for_one_sensor_name_it(tmp_path: Path) -> None:
    """The class of a place stands in sites.csv; only B has both."""
    (fault,) = faults_of(tmp_path, OVERRIDDEN)
    assert fault.code == "E301"
    assert fault.message.startswith("for sensor `B`: so changed, ladder is not monotone: red (1.2)")


def test_an_override_that_no_longer_holds_contradicts_nothing(tmp_path: Path) -> None:
    assert not faults_of(tmp_path, OVERRIDDEN, today="2027-02-01")


def test_an_engine_has_every_pack_that_its_rules_look_at(tmp_path: Path) -> None:
    more = "    levels: {blue: {when: \"rule('eew/quake').grade >= blue and value > 1 %\"}}\n"
    (fault,) = faults_of(tmp_path, more)
    assert fault.code == "E330"
