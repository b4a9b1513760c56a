"""A warning is read by people who have a minute; its words must come, whatever goes wrong."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.grade import Grade
from rules.message import Message, Messages, Written
from rules.pack import Rule
from rules.phrases import Quantity, environment, plain
from rules.scenario_text import EVENTS
from tests.rules.writing import codes, load_text, only_rule, pack_text

MESSAGE = """message:
  zh:
    headline: "【{{ grade.zh }}预警】{{ site.name }}{{ sensor.place }}甲烷 {{ value | q('%') }}"
    advice: {red: 立即断电撤人, default: 加密观测}
  en:
    headline: "[{{ grade.en | upper }}] {{ site.name }} {{ sensor.place }}: {{ value | q('%') }}"
    advice: {red: Cut power and evacuate, orange: Stop work, ventilate, default: Watch closely}
    impact: Explosion"""


def written(
    rule: Rule,
    *,
    grade: str = "orange",
    event: str = "raised",
    value: float = 1.25,
    unit: str = "%",
) -> Written:
    return Messages(rule).write(
        grade=grade,
        event=event,
        value=value,
        unit=unit,
        sensor="MM31",
        site={"zh": "一号矿", "en": "Mine 1"},
        since_ns=1_393_632_185_000_000_000,
        attributes={"sensor": {"place": "T2"}, "site": {}},
    )


def test_both_languages_are_written_from_one_rule(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, pack_text(MESSAGE))
    texts = written(rule)
    assert texts.headline == {
        "zh": "【橙色预警】一号矿T2甲烷 1.25%",
        "en": "[ORANGE] Mine 1 T2: 1.25 %",
    }
    assert texts.advice == {"zh": "加密观测", "en": "Stop work, ventilate"}
    assert texts.problem == ""
    assert rule.message.attributes == {("sensor", "place")}


def test_advice_is_chosen_by_grade(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, pack_text(MESSAGE))
    assert written(rule, grade="red").advice["zh"] == "立即断电撤人"
    assert written(rule, grade="blue").advice["en"] == "Watch closely"


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("grade", ["none", "blue", "yellow", "orange", "red"])
def test_a_rule_without_a_message_speaks_all_the_same(
    event: str, grade: str, tmp_path: Path
) -> None:
    texts = written(only_rule(tmp_path, pack_text()), event=event, grade=grade)
    for language in ("zh", "en"):
        assert "MM31" in texts.headline[language]
        assert "1.25" in texts.headline[language]
        assert texts.advice[language] == ""
    assert "甲烷超限" in texts.headline["zh"]
    assert "Methane over limit" in texts.headline["en"]


def test_the_default_headlines(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, pack_text())
    assert written(rule).headline == {
        "zh": "【橙色预警】一号矿 MM31 甲烷超限，当前 1.25%",
        "en": "[ORANGE] Mine 1 MM31: Methane over limit, now 1.25 %",
    }
    assert written(rule, event="cleared", grade="none").headline["zh"].startswith("【预警解除】")
    assert written(rule, event="blind").headline["en"].startswith("[ORANGE, no data]")


def test_an_end_and_a_silence_are_never_told_in_the_words_of_a_raise(tmp_path: Path) -> None:
    """`[NONE] methane 0.3 %` would be read as nonsense, or as a new warning."""
    rule = only_rule(tmp_path, pack_text(MESSAGE))
    assert written(rule, event="cleared", grade="none").headline["zh"].startswith("【预警解除】")
    assert "数据中断" in written(rule, event="blind").headline["zh"]


def test_a_template_that_fails_does_not_hold_back_the_warning(tmp_path: Path) -> None:
    """An attribute that one sensor lacks must not silence that sensor."""
    rule = only_rule(tmp_path, pack_text(MESSAGE))
    texts = Messages(rule).write(
        grade="red",
        event="raised",
        value=2.0,
        unit="%",
        sensor="MM31",
        site={"zh": "一号矿", "en": "Mine 1"},
        since_ns=0,
        attributes={},
    )
    assert texts.headline["en"] == "[RED] Mine 1 MM31: Methane over limit, now 2 %"
    assert "place" in texts.problem
    assert texts.advice["en"] == "Cut power and evacuate"


def test_a_value_that_is_not_known_is_said_to_be_so(tmp_path: Path) -> None:
    texts = written(only_rule(tmp_path, pack_text(MESSAGE)), value=math.nan)
    assert texts.headline["zh"].endswith("无数据")
    assert texts.headline["en"].endswith("no data")


@pytest.mark.parametrize(
    ("template", "value", "unit", "text"),
    [
        ("{{ value }}", 1.25, "kPa", "1.25 kPa"),
        ("{{ value | q('MPa', 2) }}", 1250.0, "kPa", "1.25 MPa"),
        ("{{ value | q('kPa/min', 1) }}", 0.1, "kPa/s", "6.0 kPa/min"),
        ("{{ value | q('%') }}", 0.975, "", "97.5 %"),
        ("{{ value | q('K', 1) }}", 20.0, "°C", "293.1 K"),
        ("{{ value | pct }}", 0.6, "", "60 %"),
        ("{{ value | pct(1) }}", 5000.0, "ppm", "0.5 %"),
        ("{{ value | dur }}", 9000.0, "s", "2 h 30 min"),
        ("{{ since | time }}", 0.0, "", "2014-03-01 00:03:05+00:00"),
        ("{{ since | time('+08:00') }}", 0.0, "", "2014-03-01 08:03:05+08:00"),
        ("{% if value %}x{% else %}y{% endif %}", 1.0, "", "x"),
        ("{{ grade }} {{ title }}", 1.0, "", "orange Methane over limit"),
    ],
)
def test_filters(template: str, value: float, unit: str, text: str, tmp_path: Path) -> None:
    names = {
        "value": Quantity(value, unit, "en"),
        "since": 1_393_632_185_000_000_000,
        "grade": Grade.ORANGE.word,
        "title": "Methane over limit",
    }
    assert environment("en").from_string(template).render(names) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_plainly(value: float) -> None:
    """Nobody reads 1e-05 on a roadside sign; and the number must be the one that was measured."""
    text = plain(value, None)
    assert "e" not in text.lower()
    if 1e-9 < abs(value) < 1e15:
        assert float(text) == pytest.approx(value, rel=0.006)


@given(st.text(max_size=40))
def test_no_template_whatever_gets_past_and_fails(text: str) -> None:
    """Either it is refused at load, or a headline comes out."""
    import tempfile

    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    message = f'message: {{zh: {{headline: "x{body}"}}, en: {{headline: "x"}}}}'
    with tempfile.TemporaryDirectory() as folder:
        found = load_text(Path(folder), pack_text(message))
        if not found.errors:
            assert written(found.packs[0].rules[0]).headline["zh"]


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in value %}{% endfor %}",
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ value() }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 1000000000 }}",
        "{{ value[0] }}",
        "{{ [value] }}",
        "{{ value ~ value }}",
        "{{ value.__class__ }}",
        "{{ sensor.place.upper() }}",
        "{{ value | pprint }}",
        "{{ range }}",
        "{{ value | q(5) }}",
        "{{ value | q(digits=2) }}",
        "{{ value | q('%', '2') }}",
        "{{ value | dur(1) }}",
        "{{ value | time('x') }}",
        "{{ value | pct(value) }}",
    ],
)
def test_templates_compute_nothing(template: str, tmp_path: Path) -> None:
    """A pack comes from people who know rocks; it must not be able to run code, even by mistake."""
    message = f'message: {{zh: {{headline: "{template}"}}, en: {{headline: "{template}"}}}}'
    assert {"E430", "E431", "E432"} & set(codes(load_text(tmp_path, pack_text(message)).faults))


def test_a_message_shows_inputs_lets_keys_and_how_long(tmp_path: Path) -> None:
    """`reaches the guarantee level in 2 h` is worth more than the level."""
    headline = (
        "{{ basin.name }} {{ level | q('m', 2) }} {{ eta | dur }} {{ age | dur }} {{ state }} "
        "{{ duration | dur }} {{ trace_url }}"
    )
    message = Message({"en": headline}, {}, {}, frozenset())
    rule = replace(only_rule(tmp_path, pack_text()), message=message)
    said = Messages(rule).write(
        grade="red",
        event="raised",
        value=1.0,
        unit="%",
        sensor="S1",
        site={},
        since_ns=0,
        attributes={"basin": {"name": "Qing"}},
        values={
            "level": (3100.0, "cm"),
            "eta": (math.inf, "s"),
            "age": (7500.0, "s"),
            "state": "orange",
        },
        duration_ns=90 * 1_000_000_000,
        trace_url="https://example.org/t/1",
    )
    assert not said.problem
    shown = "Qing 31.00 m never 2 h 5 min orange 1 min 30 s https://example.org/t/1"
    assert said.headline["en"] == shown


def test_the_names_a_message_shows_are_known_before_it_is_sent(tmp_path: Path) -> None:
    """The engine measures what will be shown, and nothing else."""
    message = (
        "let: {smooth: mean(5m)}\n"
        'message: {zh: {headline: "{{ smooth }} {{ value }}", advice: "{{ sensor.place }}"}}'
    )
    levels = "blue: {when: mean(1m) >= 1 %}"
    rule = only_rule(tmp_path, pack_text(message, levels=levels))
    found = rule.message
    assert found.names == {"smooth"}
    assert found.attributes == {("sensor", "place")}
    assert rule.shown == {"smooth": rule.lets["smooth"]}


def test_what_a_message_shows_is_measured_where_its_rule_is_judged(tmp_path: Path) -> None:
    """A template that asked for a window would turn a reading's rule into a slower one."""
    shows = 'message: {zh: {headline: "{{ a }}"}, en: {headline: "{{ a }}"}}'
    for a, levels, found in (
        ("mean(5m)", "blue: {when: value >= 1 %}", ["E433"]),
        ("mean(5m)", "blue: {when: mean(1m) >= 1 %}", []),
        ("value - 1 %", "blue: {when: value >= 1 %}", []),
        ("neighbours(5 km).max_of(value)", "blue: {when: mean(1m) >= 1 %}", ["E433"]),
    ):
        text = pack_text(f"let: {{a: '{a}'}}\n{shows}", levels=levels)
        assert codes(load_text(tmp_path, text).faults) == found, a


def test_a_message_shows_one_value_of_a_set(tmp_path: Path) -> None:
    rule = (
        "inputs: {gas: {type: methane, unit: '%', many: true}}\ninput_: x\nby: [tank]\n"
        'message: {zh: {headline: "{{ gas }}"}, en: {headline: "{{ gas }}"}}'
    ).replace("input_: x\n", "")
    text = pack_text(rule, levels="blue: {when: gas.any(value >= 1 %)}")
    text = text.replace('    input: {type: methane, unit: "%", period: 5s}\n', "")
    assert codes(load_text(tmp_path, text).faults) == ["E210", "E210"]


def test_units_of_what_a_message_shows_are_checked(tmp_path: Path) -> None:
    """A trend told in metres would be believed."""
    shows = 'message: {{zh: {{headline: "{0}"}}, en: {{headline: "{0}"}}}}'
    for template, found in (
        ("{{ up | q('%/min') }}", []),
        ("{{ up | q('%') }}", ["E432", "E432"]),
        ("{{ up | dur }}", ["E432", "E432"]),
        ("{{ left | dur }}", []),
        ("{{ left | q('h') }}", []),
        ("{{ left | q('m') }}", ["E432", "E432"]),
        ("{{ value | dur }}", ["E432", "E432"]),
        ("{{ duration | dur }}", ["W435"]),
    ):
        lets = "let: {up: slope(5m), left: 'time_to(2 %, trend=5m)'}\n"
        text = pack_text(lets + shows.format(template), levels="blue: {when: mean(1m) >= 1 %}")
        assert codes(load_text(tmp_path, text).faults) == found, template
