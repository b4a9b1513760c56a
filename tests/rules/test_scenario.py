"""Inline tests are the only proof an author has; their feeds must be what they say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import Faults
from rules.grade import Grade
from rules.scenario import (
    BAD_QUALITY,
    At,
    Between,
    Events,
    Feed,
    Happening,
    Never,
    read_feed,
)
from rules.units import NS_PER_S
from tests.rules.writing import codes, load_text, only_rule, pack_text, scalar

S = NS_PER_S


def feed(text: str, period_ns: int | None = None) -> Feed:
    faults = Faults()
    found = read_feed(scalar(text), period_ns, faults)
    assert found is not None, [str(fault) for fault in faults]
    return found


def test_a_hold_has_its_first_reading_at_its_start_and_none_at_its_end() -> None:
    """Where one segment ends the next begins; a reading at both would count twice."""
    found = feed("1 for 10s, 2 for 5s @5s")
    assert found.time_ns == (0, 5 * S, 10 * S)
    assert found.value == (1.0, 1.0, 2.0)
    assert found.end_ns == 15 * S
    assert found.period_ns == 5 * S


def test_a_ramp_starts_at_its_first_value_and_would_reach_its_second_at_its_end() -> None:
    assert feed("ramp 0.2 to 1.2 over 1m @15s").value == (0.2, 0.45, 0.7, 0.95)
    assert feed("ramp 1 to -1 over 4s @1s").value == (1.0, 0.5, 0.0, -0.5)


def test_a_gap_has_no_readings_and_takes_its_time() -> None:
    found = feed("1 for 10s, gap 20m, 2 for 5s @5s")
    assert found.time_ns == (0, 5 * S, 1210 * S)


def test_bad_readings_are_there_and_are_marked() -> None:
    found = feed("1 for 5s, bad 3.9 for 10s, 1 @5s")
    assert found.value == (1.0, 3.9, 3.9, 1.0)
    assert found.quality == (0, BAD_QUALITY, BAD_QUALITY, 0)


def test_a_late_reading_keeps_its_time_and_arrives_later() -> None:
    found = feed("0 for 1h, late 40 by 12min @10min")
    assert found.time_ns[-1] == 3600 * S
    assert found.delay_ns == (0, 0, 0, 0, 0, 0, 720 * S)
    assert found.value[-1] == 40.0


def test_noise_stays_in_its_bounds_and_is_the_same_in_every_run() -> None:
    """A test that fails one day in ten is not read on any of them."""
    first, second = feed("5 for 1h noise 0.5 @1s"), feed("5 for 1h noise 0.5 @1s")
    assert first == second
    assert all(4.5 <= value <= 5.5 for value in first.value)
    assert len(set(first.value)) > 1000


def test_the_period_of_the_input_is_used_where_the_feed_has_none() -> None:
    assert feed("1 for 10s", 5 * S) == feed("1 for 10s @5s")


@pytest.mark.parametrize(
    ("text", "column", "length"),
    [
        ("0.2 for 2m, slope 1 to 2, 0.2 @5s", 13, 12),
        ("0.2 for 2m, 0.2 for 12:30 @5s", 21, 5),
        ("0.2 for 2m @x", 13, 1),
        ("ramp 1 to 2 over long @1s", 18, 4),
        ("1 for 10s noise x @1s", 1, 17),
        (", @1s", 1, 1),
        ("1 for 400d @1s", 1, 14),
        ("1 for 1s @0s", 1, 12),
        ("1 for 1s", 1, 8),
        ("1e999 for 1s @1s", 1, 12),
    ],
)
def test_a_fault_in_a_feed_is_pointed_at(text: str, column: int, length: int) -> None:
    faults = Faults()
    assert read_feed(scalar(text), None, faults) is None
    fault = faults.sorted()[0]
    assert fault.code == "E501"
    offset = len("x: ") + (1 if fault.place.line_text[3:4] in "'\"" else 0)
    assert (fault.place.column - offset, fault.place.length) == (column, length)


segments = st.one_of(
    st.tuples(st.just("{} for {}s"), st.integers(-9, 9), st.integers(1, 50)),
    st.tuples(st.just("ramp {} to 3 over {}s"), st.integers(-9, 9), st.integers(1, 50)),
    st.tuples(st.just("gap {1}s"), st.integers(-9, 9), st.integers(1, 50)),
    st.tuples(st.just("bad {} for {}s"), st.integers(-9, 9), st.integers(1, 50)),
)


@given(st.lists(segments, min_size=1, max_size=6), st.integers(1, 7))
def test_readings_stand_one_period_apart_and_inside_the_feed(
    parts: list[tuple[str, int, int]], period: int
) -> None:
    text = ", ".join(form.format(value, length) for form, value, length in parts)
    found = feed(f"{text} @{period}s")
    assert found.end_ns == sum(length for _, _, length in parts) * S
    assert all(time_ns % (period * S) == 0 for time_ns in found.time_ns)
    assert list(found.time_ns) == sorted(set(found.time_ns))
    assert all(time_ns < found.end_ns for time_ns in found.time_ns)
    sizes = {len(found.time_ns), len(found.value), len(found.quality), len(found.delay_ns)}
    assert len(sizes) == 1


@given(st.text("0123456789.@ ,forampgbdltesy+-noi", max_size=60))
def test_no_feed_whatever_makes_the_reader_fail(text: str) -> None:
    faults = Faults()
    found = read_feed(scalar(text.strip() or "x"), None, faults)
    assert (found is None) == bool(faults.errors())


def test_expectations_become_records(tmp_path: Path) -> None:
    rule = only_rule(
        tmp_path,
        pack_text(
            """tests:
  - name: all kinds
    assets: {limit: 5 %, place: T2}
    feed: {input: "1 for 1m"}
    expect:
      - {at: 2m, grade: none}
      - {at: 7m30s, grade: 橙, state: clearing, quality: blind}
      - {never: red}
      - {never: cleared}
      - {between: [0s, 5m], transitions: 2}
      - {events: [raised orange @3m05s, downgraded 黄 @11m30s, cleared @11m55s]}"""
        ),
    )
    scenario = rule.tests[0]
    assert scenario.name == "all kinds"
    assert scenario.attributes == {"limit": "5 %", "place": "T2"}
    assert list(scenario.feeds) == ["input"]
    none_at, at, never_red, never_cleared, between, events = scenario.expects
    assert none_at == At(120 * S, Grade.NONE, None, None, none_at.place)
    assert at == At(450 * S, Grade.ORANGE, "clearing", "blind", at.place)
    assert never_red == Never(Grade.RED, None, never_red.place)
    assert never_cleared == Never(None, "cleared", never_cleared.place)
    assert between == Between(0, 300 * S, 2, between.place)
    assert isinstance(events, Events)
    assert events.happenings == (
        Happening("raised", Grade.ORANGE, 185 * S),
        Happening("downgraded", Grade.YELLOW, 690 * S),
        Happening("cleared", None, 715 * S),
    )


def test_a_rule_with_a_wrong_test_is_not_used(tmp_path: Path) -> None:
    """A test that cannot be read proves nothing, and must not look as if it did."""
    text = pack_text('tests: [{name: t, feed: {input: "1 for"}, expect: [{never: red}]}]')
    found = load_text(tmp_path, text)
    assert not found.packs
    assert codes(found.faults) == ["E501"]
