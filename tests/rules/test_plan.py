"""What rules need of a sensor type: panes that divide windows, rings that hold what is open."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import expression as ex
from rules.bill import bill
from rules.errors import Place
from rules.needs import NICE_PANES_NS, PANES_PER_WINDOW_MAX
from rules.plan import (
    BankPlan,
    Plan,
    Sort,
    make_plan,
)
from rules.units import NUMBER
from tests.engine.plants import MS, S, book_of, rule_text

MIN = 60 * S
CALM = "ladder: {value: value, above: {blue: 5}, deadband: 1}"


def sort(**changes: object) -> Sort:
    plain: dict[str, object] = {
        "name": "gas",
        "unit": "m",
        "kind": "gauge",
        "lateness_ns": 0,
        "pane_ns": None,
        "precision": "float64",
        "period_ns": S,
        "sensor_count": 10,
        "links_max": 1,
    }
    return Sort(**{**plain, **changes})


def plan(
    *rules: str, tick_ns: int | None = None, silence_ns: int = 10 * S, **sorts: object
) -> Plan:
    return make_plan(book_of(*rules), [sort(**sorts)], silence_ns=silence_ns, tick_ns=tick_ns)


def bank(*rules: str, **options: object) -> BankPlan:
    return plan(*rules, **options).banks[0]


def level(condition: str, name: str = "r") -> str:
    return rule_text(f'levels: {{blue: {{when: "{condition}"}}}}', name=name)


lengths = st.lists(
    st.sampled_from(
        [500 * MS, S, 2 * S, 5 * S, 10 * S, 45 * S, MIN, 7 * MIN, 60 * MIN, 1440 * MIN]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@given(lengths=lengths, period_ns=st.sampled_from([0, 10 * MS, S, 5 * S, 30 * S, 600 * S]))
def test_panes_divide_every_window_and_are_no_finer_than_needed(lengths, period_ns):
    """A window that is no whole number of panes would cover another time than was written."""
    rules = [level(f"mean({n // MS}ms) > 1 m", f"r{n}") for n in lengths]
    found = bank(*rules, period_ns=period_ns)
    assert sorted(lengths) == [window.length_ns for window in found.windows]
    for window in found.windows:
        assert window.length_ns == window.pane_count * found.pane_ns
    longest = max(window.pane_count for window in found.windows)
    # Many more panes than a window should have only where a shorter window needs them so fine.
    common_ns = math.gcd(*lengths)
    assert longest <= 3 * PANES_PER_WINDOW_MAX or found.pane_ns == max(
        nice for nice in NICE_PANES_NS if common_ns % nice == 0
    )


@given(
    lateness_ns=st.integers(0, 600 * S),
    pane=st.sampled_from([100 * MS, S, 30 * S, 10 * MIN]),
    links=st.integers(1, 5),
)
def test_the_ring_holds_every_pane_that_may_be_open(lateness_ns, pane, links):
    """Else a reading that is in time would find no place."""
    found = bank(level("mean(1h) > 1 m"), lateness_ns=lateness_ns, pane_ns=pane, links_max=links)
    lag_ns = 10 * S if links > 1 else 0
    assert found.pane_ns == pane
    assert found.slots & (found.slots - 1) == 0
    assert found.slots * pane >= lateness_ns + lag_ns + 2 * pane


def test_only_what_is_asked_for_is_kept():
    """A million sensors pay for every field."""
    quiet = bank(rule_text(CALM))
    assert (quiet.windows, quiet.needs_lines, quiet.needs_raw) == ((), False, False)
    assert [len(quiet.reading_rules), len(quiet.pane_rules)] == [1, 0]
    counted = bank(level("count(10s) < 3"))
    assert counted.windows[0].groups == frozenset()
    rising = bank(level("slope(10s) > 1 m/s and max(1min) > 3 m"))
    assert [sorted(w.groups) for w in rising.windows] == [["moments", "trend"], ["extremes"]]
    assert not rising.needs_raw
    assert bank(level("age > 5s")).needs_raw
    pegged = rule_text(
        "ladder: {value: mean(10s), above: {red: 5}, deadband: 1}",
        more="quality: {over_range: raise red}",
    )
    assert bank(pegged).needs_raw


def test_one_window_serves_all_rules_that_ask_for_its_length():
    found = bank(level("mean(10s) > 1 m", "a"), level("max(10s) - min(10s) > 1 m", "b"))
    [window] = found.windows
    assert window.groups == {"moments", "extremes"}


def test_age_is_looked_at_as_often_as_ticks_come():
    """A sensor with a period of ten minutes is missed within a second of its time."""
    assert bank(level("age > 30min"), period_ns=600 * S, tick_ns=S).pane_ns == S
    assert bank(level("age > 30min"), period_ns=600 * S, tick_ns=None).pane_ns == 10 * MIN


def test_models_have_the_windows_they_look_at():
    feature = ex.Feature("mean", (MIN,), NUMBER, Place("e.yaml", 1, 1))
    found = make_plan(
        book_of(rule_text(CALM)),
        [sort()],
        silence_ns=0,
        tick_ns=None,
        model_features=[("gas", feature), ("other", feature)],
    )
    assert [w.length_ns for w in found.banks[0].windows] == [MIN]
    assert found.banks[0].needs_lines


def test_a_rule_judges_its_own_type_only():
    found = make_plan(
        book_of(rule_text(CALM), rule_text(CALM, name="off", more="mode: disabled")),
        [sort(name="flow"), sort()],
        silence_ns=0,
        tick_ns=None,
    )
    assert [len(b.reading_rules) for b in found.banks] == [0, 1]
    assert [rule.name for rule in found.rules] == ["p/r"]


def test_grades_above_a_cap_are_judged_for_the_record():
    ladder = "ladder: {value: value, above: {blue: 5, yellow: 6, red: 9}, deadband: 1}"
    [rule] = plan(rule_text(ladder, more="cap: yellow")).rules
    assert [grade.grade for grade in rule.grades] == [1, 2, 4]


@pytest.mark.parametrize(
    ("ladder", "is_plain"),
    [
        ("{value: value, above: {blue: 5}, deadband: 1}", True),
        ("{value: value, below: {blue: 2 m + 3 m}, deadband: 1}", True),
        ("{value: value * 2, above: {blue: 5}, deadband: 1}", False),
        ("{value: value, above: {blue: sensor.limit}, deadband: 1}", False),
    ],
)
def test_only_plain_ladders_take_the_fast_way(ladder, is_plain):
    [rule] = plan(rule_text(f"ladder: {ladder}")).rules
    assert rule.is_per_reading
    assert rule.is_plain_ladder is is_plain
    assert rule.is_above is ("above" in ladder)


def test_staleness_follows_the_period_unless_the_rule_says_so():
    """rule-language 5a.9: three periods, at least ten seconds."""
    [rule] = plan(rule_text(CALM)).rules
    assert [rule.stale_ns(p) for p in (0, S, 5 * S, MIN)] == [10 * S, 10 * S, 15 * S, 3 * MIN]
    assert rule.blind_ns(MIN) == 3 * MIN
    [own] = plan(rule_text(CALM, more="quality: {stale_after: 7s, max_blind: 1h}")).rules
    assert (own.stale_ns(MIN), own.blind_ns(MIN)) == (7 * S, 60 * MIN)


def test_margins_are_in_the_unit_of_the_thresholds():
    [rule] = plan(
        rule_text("ladder: {value: value, above: {blue: 500 cm, red: 900 cm}, deadband: 10 cm}")
    ).rules
    assert rule.shown(6.0) == pytest.approx(600.0)
    assert rule.margins(6.0) == {"blue": pytest.approx(100.0), "red": pytest.approx(-300.0)}
    [down] = plan(rule_text("ladder: {value: value, below: {blue: 5}, deadband: 1}")).rules
    assert down.margins(4.0) == {"blue": 1.0}


def test_the_bill_is_what_is_allocated():
    """The price is known before the first frame: `tocsin check` prints it."""
    found = plan(level("mean(10s) > 1 m"), rule_text(CALM, name="v"), sensor_count=1000)
    [line] = bill(found)
    assert (line.sensor_count, line.rule_count, line.pane_ns) == (1000, 2, S)
    # card 32; a ring of 2 lines of 128 and 16 carried; 3 fields of 11 panes; 2 latches of 99.
    assert line.bytes_per_sensor == 32 + 2 * 128 + 16 + 3 * 8 * 11 + 2 * 99
    assert line.total_bytes == 1000 * line.bytes_per_sensor
    assert bill(plan(rule_text(CALM), sensor_count=0)) == []


def test_the_most_patient_rule_decides_how_long_a_type_waits():
    """`lateness` in a rule was once read and ignored; late rain would have been lost."""
    patient = rule_text(CALM, more="lateness: {allow: 1min}")
    assert bank(rule_text(CALM, name="brisk"), patient).sort.lateness_ns == MIN
