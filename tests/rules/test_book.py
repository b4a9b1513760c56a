"""A rule book is either right as a whole or refused with every reason."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import book
from rules import expression as ex
from rules.errors import Faults, RuleErrors
from rules.grade import Grade
from rules.macros import NO_MACROS
from rules.pack import Model
from rules.rule_text import read_rule
from rules.units import NS_PER_S
from rules.yaml_text import ListNode, MapNode, read_text
from tests.rules.writing import codes, load_text, only_rule, pack_text

S = NS_PER_S
ROOT = Path(__file__).resolve().parents[2]
METHANE = """tocsin: 1
pack: coal-gas
version: 1.4.0
owner: coal-safety-team
rules:
  - id: ch4-high
    title: {zh: 甲烷超限, en: Methane over limit}
    hazard: gas
    basis: {zh: AQ 1029, en: AQ 1029}
    mode: live
    input: {type: methane, unit: "%", period: 5s, kind: gauge}
    by: [sensor]
    quality:
      stale_after: 30s
      coverage: 60%
      over_range: raise red
      under_range: unknown
      unknown: hold
      max_blind: 1m
    lateness: 3s
    ladder:
      value: mean(15s)
      above:     {blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}
      clear:     {blue: 0.4, yellow: 0.7, orange: 0.8, red: 1.0}
      for:       {blue: 1m, yellow: 30s, orange: 10s, red: 0s}
      clear_for: {blue: 5m, yellow: 5m, orange: 5m, red: 10m}
    latch: [red]
    closure: false
    model: ch4-hst
    tests:
      - {name: red, feed: {input: "2 for 5m"}, expect: [{at: 4m, grade: red}]}
"""


def values(steps: dict[Grade, ex.Node]) -> list[float]:
    return [step.value for step in steps.values() if isinstance(step, ex.Number)]


def test_everything_a_pack_says_is_in_the_book(tmp_path: Path) -> None:
    found = load_text(tmp_path, METHANE)
    assert not len(found.faults)
    pack = found.packs[0]
    assert (pack.name, pack.version, pack.owner) == ("coal-gas", "1.4.0", "coal-safety-team")
    assert pack.digest == hashlib.sha256(METHANE.encode()).hexdigest()
    rule = pack.rules[0]
    assert (rule.pack, rule.id, rule.hazard, rule.mode) == ("coal-gas", "ch4-high", "gas", "live")
    assert rule.title == {"zh": "甲烷超限", "en": "Methane over limit"}
    assert rule.basis == {"zh": "AQ 1029", "en": "AQ 1029"}
    assert (rule.input.type, rule.input.unit, rule.input.kind) == ("methane", "%", "gauge")
    assert rule.input.period_ns == 5 * S
    assert rule.by == ("sensor",)
    quality = rule.quality
    assert (quality.stale_after_ns, quality.coverage, quality.max_blind_ns) == (30 * S, 0.6, 60 * S)
    assert (quality.over, quality.over_grade, quality.under) == ("raise", Grade.RED, "unknown")
    assert rule.lateness_ns == 3 * S
    assert rule.latch == {Grade.RED}
    assert rule.closure is False
    assert (rule.cap, rule.model, rule.levels) == (None, Model("ch4-hst"), None)
    assert rule.grades == (Grade.BLUE, Grade.YELLOW, Grade.ORANGE, Grade.RED)


def test_a_ladder_is_four_numbers_and_four_holds(tmp_path: Path) -> None:
    ladder = load_text(tmp_path, METHANE).packs[0].rules[0].ladder
    assert ladder is not None
    assert ladder.direction == "above"
    assert values(dict(ladder.enter)) == [0.5, 0.8, 1.0, 1.5]
    assert values(dict(ladder.clear)) == [0.4, 0.7, 0.8, 1.0]
    assert list(ladder.for_ns.values()) == [60 * S, 30 * S, 10 * S, 0]
    assert list(ladder.clear_for_ns.values()) == [300 * S, 300 * S, 300 * S, 600 * S]


@pytest.mark.parametrize(
    ("unit", "ladder", "enter", "clear"),
    [
        ('"%"', "value: value\nabove: {blue: 1}", [1], [1]),
        ('"%"', "value: value\nabove: {blue: 1}\ndeadband: 0.1", [1], [0.9]),
        ('"%"', "value: value\nabove: {blue: 1}\ndeadband: 1000 ppm", [1], [0.9]),
        ("m", "value: value\nbelow: {blue: 20, red: 10}\ndeadband: 5%", [20, 10], [21, 10.5]),
        ("m", "value: value\nabove: {blue: -20, red: -10}\ndeadband: 5%", [-20, -10], [-21, -10.5]),
        ("m", "value: value\nabove: {red: 10, blue: 5}\nclear: 4", [5, 10], [4, 4]),
        (
            "m",
            "value: value\nabove: {blue: 5, red: 10}\nclear: {red: 6}\ndeadband: 1",
            [5, 10],
            [4, 6],
        ),
        ("kPa", "value: slope(5m)\nabove: {blue: 6 kPa/min}\ndeadband: 3 kPa/min", [0.1], [0.05]),
        ("°C", "value: value\nabove: {blue: 300 K}\ndeadband: 5 K", [26.85], [21.85]),
        ("°C", "value: rise(1h)\nabove: {blue: 5 °C, red: 10 K}", [5, 10], [5, 10]),
        ('"%"', "value: age\nabove: {blue: 5m}", [300], [300]),
        ('"%"', "value: age / asset.period\nabove: {blue: 3}", [3], [3]),
    ],
)
def test_thresholds_are_in_the_unit_of_the_input_and_deadbands_are_worked_in(
    unit: str, ladder: str, enter: list[float], clear: list[float], tmp_path: Path
) -> None:
    found = only_rule(tmp_path, pack_text(ladder=ladder, unit=unit)).ladder
    assert found is not None
    assert values(dict(found.enter)) == pytest.approx(enter, rel=1e-12)
    assert values(dict(found.clear)) == pytest.approx(clear, rel=1e-12)


def test_thresholds_may_come_from_the_catalogue(tmp_path: Path) -> None:
    ladder = "value: value\nbelow: {blue: asset.d * 1.3, red: asset.d}\ndeadband: 5%"
    found = only_rule(tmp_path, pack_text(ladder=ladder, unit="m")).ladder
    assert found is not None
    assert [ex.constant(step) for step in found.enter.values()] == [None, None]
    clear = found.clear[Grade.RED]
    assert isinstance(clear, ex.Arithmetic)
    assert ex.constant(clear.right) == pytest.approx(1.05)


def test_one_duration_holds_for_all_grades_and_a_missing_one_is_zero(tmp_path: Path) -> None:
    ladder = "value: value\nabove: {blue: 1, red: 2}\nfor: 1m\nclear_for: {red: 5m}"
    found = only_rule(tmp_path, pack_text(ladder=ladder)).ladder
    assert found is not None
    assert dict(found.for_ns) == {Grade.BLUE: 60 * S, Grade.RED: 60 * S}
    assert dict(found.clear_for_ns) == {Grade.BLUE: 0, Grade.RED: 300 * S}


def test_levels_come_in_the_order_of_their_grades(tmp_path: Path) -> None:
    levels = "红: {when: value >= 2 %, for: 5s}\nblue: {when: value >= 1 %, clear: value < 1 %}"
    rule = only_rule(tmp_path, pack_text(levels=levels))
    assert rule.levels is not None
    assert list(rule.levels) == [Grade.BLUE, Grade.RED]
    assert rule.levels[Grade.RED].clear is None
    assert rule.levels[Grade.RED].for_ns == 5 * S
    assert rule.levels[Grade.BLUE].clear is not None


def test_the_mine_s_pack_is_read(tmp_path: Path) -> None:
    """`ch4-high` of the recorded mine, word for word as it was asked for."""
    rule = only_rule(
        tmp_path,
        pack_text(
            "quality: {stale_after: 2m}",
            ladder="value: value\n"
            "above: {blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}\n"
            "clear: {blue: 0.4, yellow: 0.7, orange: 0.8, red: 1.0}\n"
            "for: {blue: 1m, yellow: 30s, orange: 0s, red: 0s}\n"
            "clear_for: 5m",
        ),
    )
    assert rule.ladder is not None
    assert set(rule.ladder.clear_for_ns.values()) == {300 * S}
    assert rule.quality.stale_after_ns == 120 * S


def test_a_pack_with_one_error_is_left_out_whole_and_the_others_stay(tmp_path: Path) -> None:
    """Half a pack would judge with half its rules, and look as if it were whole."""
    (tmp_path / "a.yaml").write_text(METHANE)
    (tmp_path / "b.yaml").write_text(METHANE.replace("coal-gas", "b") + "    flap: {}\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c.yml").write_text(METHANE.replace("coal-gas", "c"))
    found = book.load([tmp_path])
    assert [pack.name for pack in found.packs] == ["coal-gas", "c"]
    assert codes(found.errors) == ["E012"] * 3
    with pytest.raises(RuleErrors, match="flap"):
        book.load_or_raise([tmp_path])


def test_two_packs_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(METHANE)
    (tmp_path / "b.yaml").write_text(METHANE)
    assert codes(book.load([tmp_path]).faults) == ["E024"]


def test_the_book_s_digest_follows_every_letter_of_its_packs(tmp_path: Path) -> None:
    """A warning names the digest of the rules that raised it."""
    first = load_text(tmp_path, METHANE).digest
    assert load_text(tmp_path, METHANE).digest == first
    assert load_text(tmp_path, METHANE + " ").digest != first


def test_an_empty_folder_and_a_missing_file_are_said(tmp_path: Path) -> None:
    assert codes(book.load([tmp_path]).faults) == ["W005"]
    assert codes(book.load([tmp_path / "none.yaml"]).faults) == ["E002"]


@pytest.mark.parametrize(
    ("when", "is_refused"),
    [
        ("anomaly >= 0.99", True),
        ("anomaly >= 0.99 or value >= 1 %", True),
        ("anomaly >= 0.99 and age < 1m", True),
        ("anomaly >= 0.99 and count(1h) > 3", True),
        ("not (anomaly < 0.99 or value < 1 %)", False),
        ("not (anomaly < 0.99 and value < 1 %)", True),
        ("or_else(value > 1 %, anomaly > 0.99)", True),
        ("known(value) and anomaly > 0.99", True),
        ("anomaly >= 0.99 and sensor.place == \"T2\"", True),
        ("anomaly >= 0.99 and value >= 1 %", False),
        ("value >= 1 %", False),
        ("age > 1m", False),
        ("anomaly * mean(1m) > 1 %", False),
    ],
)  # fmt: skip
def test_a_model_alone_never_exceeds_yellow(when: str, is_refused: bool, tmp_path: Path) -> None:
    """Nobody is evacuated because a model has never seen this before."""
    red = load_text(tmp_path, pack_text(levels=f"red: {{when: '{when}'}}"))
    assert ("E401" in codes(red.faults)) is is_refused
    yellow = load_text(tmp_path, pack_text(levels=f"yellow: {{when: '{when}'}}"))
    assert "E401" not in codes(yellow.faults)


@pytest.mark.parametrize(
    ("grading", "code"),
    [
        ({"levels": "blue: {when: 1 > 0}"}, "E308"),
        ({"levels": 'blue: {when: "true"}'}, "E308"),
        ({"levels": 'blue: {when: sensor.place == "T2"}'}, "E308"),
        ({"ladder": "value: 3 %\nabove: {blue: 1}"}, "E308"),
        ({"ladder": "value: value\nabove: {blue: mean(5m)}"}, "E309"),
        ({"ladder": "value: value\nabove: {blue: 1}\nclear: {blue: min(5m)}"}, "E309"),
    ],
)
def test_a_rule_that_looks_at_nothing_is_refused(
    grading: dict[str, str], code: str, tmp_path: Path
) -> None:
    """A rule that can never change looks exactly like a valley where nothing happens."""
    text = pack_text(ladder=grading.get("ladder", ""), levels=grading.get("levels", ""))
    assert code in codes(load_text(tmp_path, text).errors)


def test_a_cap_bounds_a_model(tmp_path: Path) -> None:
    levels = "yellow: {when: anomaly >= 0.97}\nred: {when: anomaly >= 0.99}"
    rule = only_rule(tmp_path, pack_text("cap: yellow", levels=levels))
    assert rule.cap is Grade.YELLOW


def test_loading_rules_needs_neither_numba_nor_river_nor_bytewax() -> None:
    """`tocsin check` answers at once; compiling kernels to read a text would take seconds."""
    code = (
        "import sys, pathlib\n"
        "from rules import book, explanations, lint, message, scenario\n"
        f"book.load([pathlib.Path({str(Path(__file__).parent / 'bad')!r})])\n"
        "print([m for m in ('numba', 'river', 'bytewax', 'zmq', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


LETTERS = "{}[]:,'\"% #-\n abcz019.>=&*!@`|\\甲"


@given(st.integers(0, 2**32), st.integers(1, 6))
def test_a_spoilt_pack_is_refused_or_read_and_never_crashes(seed: int, count: int) -> None:
    """Whatever a slip of the hand makes of a pack, it ends in places and not in a traceback."""
    chance = random.Random(seed)
    text = METHANE
    for _ in range(count):
        at = chance.randrange(len(text))
        cut = chance.choice((0, 1, 1, 4, 30))
        text = text[:at] + chance.choice(LETTERS) * chance.choice((0, 1)) + text[at + cut :]
    faults = Faults()
    root = read_text(text, "p.yaml", faults)
    if isinstance(root, MapNode):
        rules = root.get("rules")
        for node in rules.items if isinstance(rules, ListNode) else ():
            mine = Faults()
            rule = read_rule(node, "p", NO_MACROS, mine)
            assert (rule is None) <= bool(mine.errors())
            faults.extend(mine)
    lines = text.split("\n")
    for fault in faults:
        assert 1 <= fault.place.line <= len(lines) + 1
        assert fault.place.length >= 1
