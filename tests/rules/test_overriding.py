"""Local tuning must do what its author meant, for the sensors that were meant, or be refused."""

from pathlib import Path

import pytest

from rules import book
from rules import expression as ex
from rules.errors import Fault
from rules.grade import Grade
from rules.overriding import settle, specificity, variants
from rules.pack import Book, Rule
from rules.units import NS_PER_S
from tests.rules.writing import codes, load_text, only_rule, pack_text

S = NS_PER_S
LADDER = """value: mean(1m)
above: {blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}
deadband: 0.1
for: 1m
clear_for: 5m"""


def rule_with(folder: Path, *overrides: str, more: str = "") -> Rule:
    listed = "\n".join(f"  - {{{text}, reason: test}}" for text in overrides)
    return only_rule(folder, pack_text(f"{more}\noverrides:\n{listed}".strip(), ladder=LADDER))


def wrong(folder: Path, *overrides: str, more: str = "", today: str = "") -> list[Fault]:
    listed = "\n".join(f"  - {{{text}}}" for text in overrides)
    text = pack_text(f"{more}\noverrides:\n{listed}\nmode: shadow".strip(), ladder=LADDER)
    path = folder / "p.yaml"
    path.write_text(text)
    return list(book.load([path], today=today).faults)


def entries(rule: Rule) -> list[float | None]:
    assert rule.ladder is not None
    return [ex.constant(entry) for entry in rule.ladder.enter.values()]


def test_a_map_is_laid_over_grade_by_grade(tmp_path: Path) -> None:
    rule = rule_with(tmp_path, "match: {sensor: S1}, set: {ladder.above: {red: 1.2}}")
    settled, faults = settle(rule, rule.overrides)
    assert not faults
    assert settled is not None
    assert entries(settled) == [0.5, 0.8, 1.0, 1.2]


def test_a_deadband_follows_the_new_entry_value(tmp_path: Path) -> None:
    """A clear value that stayed behind would be read as the author's wish."""
    rule = rule_with(tmp_path, "match: {sensor: S1}, set: {ladder.above.红: 1.2}")
    settled, _ = settle(rule, rule.overrides)
    assert settled is not None
    assert settled.ladder is not None
    assert ex.constant(settled.ladder.clear[Grade.RED]) == pytest.approx(1.1)


def test_one_hold_of_many_can_be_changed(tmp_path: Path) -> None:
    rule = rule_with(tmp_path, "match: {sensor: S1}, set: {ladder.for.orange: 5s}")
    settled, _ = settle(rule, rule.overrides)
    assert settled is not None
    assert settled.ladder is not None
    assert list(settled.ladder.for_ns.values()) == [60 * S, 60 * S, 5 * S, 60 * S]
    assert settled.ladder.clear_for_ns[Grade.ORANGE] == 300 * S


def test_settings_of_several_overrides_come_together(tmp_path: Path) -> None:
    rule = rule_with(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.red: 1.2, quality.stale_after: 1m}",
        "match: {sensor: S1}, set: {ladder.above.red: 1.1, mode: shadow, cap: red}",
    )
    settled, _ = settle(rule, rule.overrides)
    assert settled is not None
    assert entries(settled) == [0.5, 0.8, 1.0, 1.1]
    assert (settled.mode, settled.quality.stale_after_ns) == ("shadow", 60 * S)
    assert settled.overrides == ()


def test_the_more_specific_wins_whatever_stands_first(tmp_path: Path) -> None:
    rule = rule_with(
        tmp_path,
        "match: {sensor: S1}, set: {ladder.above.red: 1.1}",
        "match: {place_class: T2}, set: {ladder.above.red: 1.2}",
        "match: {site: M1, place_class: T2}, set: {ladder.above.red: 1.3}",
    )
    settled, _ = settle(rule, rule.overrides)
    assert settled is not None
    assert entries(settled)[-1] == 1.1
    assert sorted(rule.overrides, key=specificity)[0].match == {"place_class": "T2"}


def test_of_equally_specific_ones_the_later_wins(tmp_path: Path) -> None:
    rule = rule_with(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.red: 1.2}",
        "match: {seam: '8'}, set: {ladder.above.red: 1.3}",
    )
    settled, _ = settle(rule, rule.overrides)
    assert settled is not None
    assert entries(settled)[-1] == 1.3


def test_each_sensor_gets_its_variant_and_equal_ones_share(tmp_path: Path) -> None:
    rule = rule_with(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.red: 1.2}",
        "match: {sensor: S3}, set: {ladder.for.red: 0s}",
    )
    sensors = [
        {"sensor": "S0", "place_class": "T1"},
        {"sensor": "S1", "place_class": "T2"},
        {"sensor": "S2", "place_class": "T2"},
        {"sensor": "S3", "place_class": "T2"},
    ]
    found, variant_of, faults = variants(rule, sensors)
    assert not faults
    assert variant_of == [0, 1, 1, 2]
    assert found[0] is rule
    assert [entries(known)[-1] for known in found] == [1.5, 1.2, 1.2]
    assert found[2].ladder is not None
    assert found[2].ladder.for_ns[Grade.RED] == 0


def test_what_does_not_fit_together_for_one_sensor_names_it(tmp_path: Path) -> None:
    """Each override is right by itself; only the sensor that has both is wrong."""
    rule = rule_with(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.orange: 1.4}",
        "match: {sensor: S3}, set: {ladder.above.red: 1.2}",
    )
    sensors = [
        {"sensor": "S2", "place_class": "T2"},
        {"sensor": "S3", "place_class": "T2"},
    ]
    found, variant_of, faults = variants(rule, sensors)
    assert variant_of == [1, 0]
    assert len(found) == 2
    assert codes(faults) == ["E301"]
    assert faults[0].message.startswith(
        "for sensor `S3`: so changed, ladder is not monotone: red (1.2)"
    )


def test_an_override_whose_last_day_has_passed_no_longer_holds(tmp_path: Path) -> None:
    rule = rule_with(
        tmp_path, "match: {sensor: S1}, set: {ladder.above.red: 1.2}, until: 2027-01-31"
    )
    sensors = [{"sensor": "S1"}]
    assert variants(rule, sensors, today="2027-01-31")[1] == [1]
    assert variants(rule, sensors, today="2027-02-01")[1] == [0]
    assert variants(rule, sensors)[1] == [1]
    text = "match: {sensor: S1}, set: {mode: shadow}, reason: x, until: 2027-01-31"
    assert codes(wrong(tmp_path, text, today="2027-02-01")) == ["W423"]
    assert not wrong(tmp_path, text, today="2027-01-31")


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("match: {sensor: S1}, set: {mode: shadow}", "E012", "`reason` is missing in `override`"),
        ("set: {mode: shadow}, reason: x", "E012", "`match` is missing in `override`"),
        ("match: {sensor: S1}, reason: x", "E012", "`set` is missing in `override`"),
        (
            "match: {sensor: S1}, set: {hazard: fire}, reason: x",
            "E320",
            "`hazard` cannot be set by an override",
        ),
        (
            "match: {sensor: S1}, set: {ladder.value: min(1m)}, reason: x",
            "E320",
            "`ladder.value` cannot be set by an override",
        ),
        (
            "match: {sensor: S1}, set: {ladder.above.red: 2 kPa}, reason: x",
            "E203",
            "unit mismatch: `mean(1m)` is a share (%), compared with a pressure (kPa)",
        ),
        (
            "match: {sensor: S1}, set: {ladder.above.red: 0.9}, reason: x",
            "E301",
            "with this override, ladder is not monotone: red (0.9) is below orange (1.0), "
            "but the ladder goes `above`",
        ),
        (
            "match: {sensor: S1}, set: {ladder.above.orange: 1.6}, reason: x",
            "E301",
            "with this override, ladder is not monotone: red (1.5) is below orange (1.6), "
            "but the ladder goes `above`",
        ),
        (
            "match: {sensor: S1}, set: {quality.stale_aftr: 1m}, reason: x",
            "E021",
            "unknown key `stale_aftr` in `quality`",
        ),
        (
            "match: {sensor: S1}, set: {mode: shadow}, reason: x, until: 31.1.2027",
            "E014",
            "`until: 31.1.2027` is not a day",
        ),
        (
            "match: {sensor: S1}, set: {mode: shadow}, reason: x, until: 2027-02-30",
            "E014",
            "`until: 2027-02-30` is not a day",
        ),
    ],
)
def test_an_override_is_checked_like_the_rule_itself(
    override: str, code: str, message: str, tmp_path: Path
) -> None:
    found = wrong(tmp_path, override)
    assert [(fault.code, fault.message) for fault in found] == [(code, message)]
    # `overrides:` stands in line 17; the override itself is what is wrong.
    assert found[0].place.line == 18


def test_a_limit_is_passed_only_by_somebody_who_signs(tmp_path: Path) -> None:
    text = "match: {sensor: S1}, set: {ladder.above.red: 3}, reason: x"
    limits = "limits: {red: 2 %}"
    assert codes(wrong(tmp_path, text, more=limits)) == ["E322"]
    assert not wrong(tmp_path, f"{text}, approved_by: chief", more=limits)
    assert not wrong(tmp_path, text.replace("3}", "2}"), more=limits)
    assert not wrong(tmp_path, text.replace("3}", "1.6}"), more=limits)


def two_files(folder: Path, here: str, there: str) -> Book:
    rule = pack_text(f"overrides:\n  - {{{here}, reason: x}}\nmode: shadow", ladder=LADDER)
    (folder / "p.yaml").write_text(rule)
    (folder / "site.yaml").write_text(
        f"tocsin: 1\nkind: overrides\nfor: p\noverrides:\n  - {{rule: r, {there}, reason: x}}\n"
    )
    return book.load([folder])


def test_local_tuning_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    """A new version of the pack must not lose what the mine has set for itself."""
    found = two_files(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.red: 1.2}",
        "match: {sensor: S1}, set: {ladder.above.red: 1.1}",
    )
    assert not len(found.faults)
    (rule,) = found.rules
    assert [Path(known.place.file).name for known in rule.overrides] == ["p.yaml", "site.yaml"]
    alone = load_text(tmp_path, (tmp_path / "p.yaml").read_text())
    assert found.packs[0].digest != alone.packs[0].digest


def test_a_tie_between_two_files_is_refused_and_names_the_sensor(tmp_path: Path) -> None:
    """Which file is read first must not decide when a mine is evacuated."""
    found = two_files(
        tmp_path,
        "match: {place_class: T2}, set: {ladder.above.red: 1.2}",
        "match: {seam: '8'}, set: {ladder.above: {red: 1.1}}",
    )
    (rule,) = found.rules
    sensors = [{"sensor": "S1", "place_class": "T2", "seam": "8"}]
    _, variant_of, faults = variants(rule, sensors)
    assert variant_of == [0]
    assert codes(faults) == ["E323"]
    assert faults[0].message.startswith("for sensor `S1`: `ladder.above.red` is set by")


def test_the_same_match_twice_is_refused(tmp_path: Path) -> None:
    text = "match: {sensor: S1}, set: {mode: shadow}, reason: x"
    assert codes(wrong(tmp_path, text, text)) == ["E323"]


def test_a_file_of_overrides_with_a_fault_keeps_its_pack_out(tmp_path: Path) -> None:
    """The mine would be watched with thresholds that it had changed for a reason."""
    found = two_files(
        tmp_path,
        "match: {sensor: S2}, set: {mode: shadow}",
        "match: {sensor: S1}, set: {ladder.above.red: 0.1}",
    )
    assert codes(found.errors) == ["E301"]
    assert not found.packs
