"""What a careful duty officer would ask about a rule that is right in form."""

from pathlib import Path

import pytest

from rules import book
from tests.rules.writing import codes, load_text, pack_text

FOUR = "value: mean(1m)\nabove: {blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}"


@pytest.mark.parametrize(
    ("blue", "yellow", "is_asked"),
    [
        ("value > 1 %", "value > 1 %", True),
        ("value > 1 %", "value > 0.5 %", True),
        ("value >= 1 %", "value > 1 %", False),
        ("value > 1 %", "value >= 1 %", True),
        ("value > 1 %", "value > 2 %", False),
        ("value < 1 %", "value < 2 %", True),
        ("value < 1 %", "value < 0.5 %", False),
        ("value < 1 %", "value > 0.5 %", False),
        ("value > 1 %", "mean(1m) > 0.5 %", False),
        ("value > 1 % and mean(1m) > 1 %", "value > 0.9 %", True),
        ("value > 1 %", "value > 0.9 % and mean(1m) > 1 %", False),
        ("value > 1 %", "value > 0.9 % or mean(1m) > 1 %", True),
        ("value > 1 % or mean(1m) > 1 %", "value > 0.9 %", False),
        ("value > 1 % or value > 2 %", "value > 0.9 %", True),
    ],
)
def test_a_grade_that_is_never_seen_is_asked_about(
    blue: str, yellow: str, is_asked: bool, tmp_path: Path
) -> None:
    levels = f"blue: {{when: '{blue}'}}\nyellow: {{when: '{yellow}'}}"
    found = load_text(tmp_path, pack_text(levels=levels))
    assert codes(found.faults) == (["W425"] if is_asked else [])


def test_a_graver_grade_that_waits_longer_lets_the_milder_be_seen(tmp_path: Path) -> None:
    levels = "blue: {when: value > 1 %}\nyellow: {when: value > 1 %, for: 5m}"
    assert not len(load_text(tmp_path, pack_text(levels=levels)).faults)


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("suppress: [{while: shelved, effect: mute}]", ["W421"]),
        ("suppress: [{while: shelved, effect: mute, never: [red]}]", []),
        ("suppress: [{while: shelved, effect: cap yellow}]", []),
        ("suppress: [{while: shelved, effect: mute}]\ncap: orange", ["W406"]),
        ("mode: live", ["W420"]),
        ("mode: shadow", []),
        (
            'mode: live\ntests: [{name: t, feed: {input: "2 for 5m"}, '
            "expect: [{at: 4m, grade: red}]}]",
            [],
        ),
        (
            'mode: live\ntests: [{name: t, feed: {input: "2 for 5m"}, '
            "expect: [{events: [raised orange @1m]}]}]",
            [],
        ),
        (
            'mode: live\ntests: [{name: t, feed: {input: "2 for 5m"}, expect: [{never: red}]}]',
            ["W420"],
        ),
        ("safety: true\nbudget: {raises: 2, window: 7d}", ["W407"]),
        ("budget: {raises: 2, window: 7d}", []),
        ("budget: {raises: 2, per: rule, window: 7d}", ["W408"]),
        ("suppress: [{while: value < 0 %, effect: cap yellow}]", ["W408"]),
        ("lateness: {allow: 1min, late: revise}", ["W408"]),
        ("lateness: {allow: 1min, late: drop}", []),
        ("model: {name: m, warmup: 24h}", ["W408"]),
        ("model: {name: m, max_age: 1min}", ["W408"]),
        ("model: {name: m, on_absent: ignore}", ["W408"]),
        ('model: {name: m, version: ">=2026.10 <2027", on_absent: unknown}', []),
    ],
)  # fmt: skip
def test_what_could_hide_a_red_warning_is_asked_about(
    rule: str, found: list[str], tmp_path: Path
) -> None:
    whole = rule if "mode:" in rule else f"mode: shadow\n{rule}"
    assert codes(load_text(tmp_path, pack_text(whole, ladder=FOUR)).faults) == found
    if rule == "mode: live":
        # So is a rule that says nothing: it is live.
        assert codes(load_text(tmp_path, pack_text(ladder=FOUR)).faults) == found


def test_a_test_beside_the_pack_proves_a_live_rule_too(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(pack_text("mode: live", ladder=FOUR), encoding="utf-8")
    (tmp_path / "p.test.yaml").write_text(
        "tocsin: 1\nfor: p\ntests:\n  - {rule: r, name: t, "
        'feed: {input: "2 for 5m"}, expect: [{at: 4m, grade: red}]}\n',
        encoding="utf-8",
    )
    assert codes(book.load([tmp_path / "p.yaml"]).faults) == ["W420"]
    assert not len(book.load([tmp_path]).faults)


def test_a_window_is_measured_with_the_period_of_its_own_input(tmp_path: Path) -> None:
    rule = (
        "inputs: {fast: {type: a, unit: m, period: 1s}, slow: {type: b, unit: m, period: 1h}}\n"
        "by: [dam]"
    )
    levels = "blue: {when: fast.mean(10s) > 1 m and slow.mean(10s) > 1 m}"
    text = pack_text(rule, levels=levels).replace(
        '    input: {type: methane, unit: "%", period: 5s}\n', ""
    )
    (fault,) = load_text(tmp_path, text).faults
    assert fault.code == "W412"
    assert fault.place.line_text[fault.place.column - 1 :].startswith("slow")


def test_a_mute_that_hides_red_of_another_rule_is_asked_about(tmp_path: Path) -> None:
    mutes = "inhibits: [{rules: [s], at: blue, effect: mute, same: [site]}]"
    other = "  - id: s\n" + pack_text("mode: shadow", ladder=FOUR).partition("  - id: r\n")[2]
    found = load_text(tmp_path, pack_text(mutes) + other)
    assert codes(found.faults) == ["W421"]
    found = load_text(tmp_path, pack_text(mutes.replace("mute", "cap yellow")) + other)
    assert not len(found.faults)
