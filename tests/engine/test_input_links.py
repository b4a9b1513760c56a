"""Each input of a rule must be in the catalogue, and each attribute, wherever it is used."""

from pathlib import Path

import pytest

from engine.links import rule_faults
from engine.registry import load
from rules import book

TYPES = """\
types:
  - {name: pressure, unit: kPa, kind: gauge}
  - {name: gas, unit: "%LEL", kind: gauge}
  - {name: rain, unit: mm, kind: increment}
"""
SENSORS = """\
sensor,gateway,site,type,period,range_low,range_high,limit,p_max,tank
A,G,M,pressure,5s,0,400,,300 kPa,T1
B,G,M,gas,5s,0,100,20 %LEL,,T1
C,G,M,gas,5s,0,100,0.2,,T1
"""
RULE = """\
tocsin: 1
pack: p
version: 1.0.0
owner: o
rules:
  - id: r
    title: {zh: 甲, en: A}
    hazard: gas
    mode: shadow
    inputs:
      p: {type: pressure, unit: kPa}
      gas: {type: gas, unit: "%LEL", many: true, where: 'asset.limit != none'}
    by: [tank]
    levels:
      blue: {when: p.mean(5m) > asset.p_max and gas.any(value > asset.limit)}
"""


def codes(folder: Path, text: str) -> list[str]:
    (folder / "types.yaml").write_text(TYPES)
    (folder / "sites.csv").write_text("site,name_zh,name_en,division,lat,lon\nM,一,One,140200,,\n")
    (folder / "gateways.csv").write_text("gateway,site,public_key\nG,M,\n")
    (folder / "sensors.csv").write_text(SENSORS)
    (folder / "p.yaml").write_text(text)
    catalogue = load(folder)
    found = book.load([folder / "p.yaml"])
    assert not found.errors, [str(fault) for fault in found.errors]
    return [fault.code for fault in rule_faults(found.rules[0], catalogue, folder, {})]


def test_a_rule_whose_inputs_are_all_there_has_no_fault(tmp_path: Path) -> None:
    """A pressure has no gas limit and a gas head no p_max; neither is asked for it."""
    assert codes(tmp_path, RULE) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("type: gas,", "type: gaz,", ["E730"]),
        ("unit: kPa}", "unit: Pa}", ["E731"]),
        ("asset.p_max", "asset.q_max", ["E736"]),
        ("> asset.limit", "> asset.limt", ["E736"]),
        ("asset.limit != none", "asset.limt != none", ["E736"]),
        ("value > asset.limit", "age > asset.limit", ["E739", "E739"]),
        ("p.mean(5m) > asset.p_max", "p.sum(5m) > asset.p_max", ["E738"]),
        ("p.mean(5m) > asset.p_max", "p.rate(5m) * 1 h > asset.p_max", ["E738"]),
    ],
)
def test_what_an_input_names_must_be_there(
    old: str, new: str, expected: list[str], tmp_path: Path
) -> None:
    """The second input of a rule is as easily misspelt as the first."""
    assert codes(tmp_path, RULE.replace(old, new)) == expected


def test_a_rule_over_other_rules_needs_no_type(tmp_path: Path) -> None:
    head = RULE.partition("    inputs:")[0]
    levels = 'by: [tank]\n    levels: {blue: {when: rule("a/b").grade >= blue}}\n'
    assert codes(tmp_path, f"{head}    {levels}") == []
