"""What a pack says once holds for each of its rules, unless the rule says otherwise."""

from pathlib import Path

from rules import book
from rules.grade import Grade
from rules.units import NS_PER_S
from tests.rules.writing import codes, load_text

S = NS_PER_S
PACK = """tocsin: 1
pack: p
version: 1.0.0
owner: o
defaults:
  hazard: gas
  by: [sensor]
  input: {unit: "%", period: 5s}
  quality: {stale_after: 30s, view: raw, coverage: 60%}
  latch: [red]
limits: {b: {red: 4 %}}
rules:
  - id: a
    title: {zh: 甲, en: A}
    input: {type: methane}
    quality: {stale_after: 1m}
    ladder: {value: mean(1m), above: {blue: 1, red: 2}}
  - id: b
    title: {zh: 甲, en: A}
    hazard: fire
    input: {type: smoke, unit: ppm}
    latch: []
    ladder: {value: mean(1m), above: {blue: 100, red: 200}}
  - id: c
    title: {zh: 甲, en: A}
    rollup: {of: [a, b], by: [site]}
"""


def test_defaults_are_laid_under_each_rule_part_by_part(tmp_path: Path) -> None:
    found = load_text(tmp_path, PACK)
    assert set(codes(found.faults)) <= {"W420"}, [str(fault) for fault in found.faults]
    a, b, c = found.rules
    assert (a.hazard, b.hazard, c.hazard) == ("gas", "fire", "gas")
    assert (a.input.type, a.input.unit, a.input.period_ns) == ("methane", "%", 5 * S)
    assert (b.input.type, b.input.unit, b.input.period_ns) == ("smoke", "ppm", 5 * S)
    assert (a.quality.stale_after_ns, b.quality.stale_after_ns) == (60 * S, 30 * S)
    assert (a.quality.view, a.quality.coverage) == ("raw", 0.6)
    assert (a.latch, b.latch) == ({Grade.RED}, frozenset())
    assert (a.by, c.by, c.inputs) == (("sensor",), ("site",), {})


def test_limits_of_a_pack_are_by_rule(tmp_path: Path) -> None:
    _, b, _ = load_text(tmp_path, PACK).rules
    assert b.limits == {Grade.RED: 40_000}
    found = load_text(tmp_path, PACK.replace("limits: {b:", "limits: {d:"))
    assert codes(found.errors) == ["E330"]


def test_a_default_that_no_rule_could_take_is_refused(tmp_path: Path) -> None:
    found = load_text(tmp_path, PACK.replace("  latch: [red]\n", "  ladder: {value: value}\n"))
    assert [(fault.code, fault.message) for fault in found.errors] == [
        ("E021", "unknown key `ladder` in `defaults`")
    ]


def test_what_is_wrong_in_a_default_is_told_once_and_at_its_place(tmp_path: Path) -> None:
    found = load_text(tmp_path, PACK.replace("stale_after: 30s", "stale_after: 30"))
    assert [(fault.code, fault.place.line) for fault in found.errors] == [("E202", 9)]


TESTS = """tocsin: 1
kind: tests
for: p
tests:
  - name: of one rule
    rule: a
    feed: {input: "0.2 for 2m"}
    expect: [{never: blue}]
  - name: of all
    feed: {methane.S1: "3 for 2m @5s"}
    expect: [{at: 2m, rule: c, grade: red}]
"""


def test_tests_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PACK)
    (tmp_path / "p.test.yaml").write_text(TESTS)
    found = book.load([tmp_path])
    assert not len(found.faults), [str(fault) for fault in found.faults]
    (pack,) = found.packs
    assert [test.name for test in pack.rules[0].tests] == ["of one rule"]
    assert [test.name for test in pack.tests] == ["of all"]
    (expected,) = pack.tests[0].expects
    assert expected.rule == "p/c"


def test_a_file_beside_no_pack_is_refused(tmp_path: Path) -> None:
    found = load_text(tmp_path, TESTS, "q.test.yaml")
    assert codes(found.faults) == ["E330"]
    found = load_text(tmp_path, TESTS.replace("for: p\n", ""), "q.test.yaml")
    assert codes(found.faults) == ["E012"]
    (tmp_path / "q.test.yaml").unlink()
    (tmp_path / "p.yaml").write_text(PACK)
    (tmp_path / "p.test.yaml").write_text(TESTS.replace("rule: a", "rule: aa"))
    found = book.load([tmp_path])
    assert [(f.code, f.message) for f in found.errors] == [("E330", "the pack has no rule `aa`")]
    assert not found.packs


def overridden(folder: Path, item: str) -> dict[str, int]:
    """How many overrides each rule has, out of a file beside the pack."""
    (folder / "p.yaml").write_text(PACK)
    text = f"tocsin: 1\nkind: overrides\nfor: p\noverrides:\n  - {{{item}, reason: test}}\n"
    (folder / "site.yaml").write_text(text)
    found = book.load([folder])
    assert not found.errors, [str(fault) for fault in found.errors]
    return {rule.id: len(rule.overrides) for rule in found.rules}


def test_an_override_outside_a_rule_says_which_it_is_for(tmp_path: Path) -> None:
    named = "rule: a, match: {sensor: S1}, set: {ladder.above.red: 3}"
    assert overridden(tmp_path, named) == {"a": 1, "b": 0, "c": 0}
    inside = "match: {rule: b, sensor: S1}, set: {ladder.above.red: 300}"
    assert overridden(tmp_path, inside) == {"a": 0, "b": 1, "c": 0}


def test_a_timing_may_be_set_for_all_rules_that_have_it(tmp_path: Path) -> None:
    general = "match: {site: M1}, set: {ladder.clear_for: 5m}"
    assert overridden(tmp_path, general) == {"a": 1, "b": 1, "c": 0}
    general = "match: {site: M1}, set: {mode: shadow}"
    assert overridden(tmp_path, general) == {"a": 1, "b": 1, "c": 1}


def test_a_threshold_needs_the_name_of_its_rule(tmp_path: Path) -> None:
    """1.2 is a share here and a temperature there."""
    (tmp_path / "p.yaml").write_text(PACK)
    (tmp_path / "site.yaml").write_text(
        "tocsin: 1\nkind: overrides\nfor: p\noverrides:\n"
        "  - {match: {site: M1}, set: {ladder.above.red: 3}, reason: test}\n"
    )
    assert codes(book.load([tmp_path]).errors) == ["E012"]
