"""What is told of a warning: flapping, escalation, shelves, budgets; beside a slow twin."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.conduct import Conduct
from engine.courses import Stay, courses_of, pack_courses
from kernels.standing import CHANGE, EVENT_NAMES
from rules import book as rule_book
from rules.grade import Grade
from rules.pack import Budget, Escalation, Flap, Suppression
from tests.reference.conduct import Policy, tell

NS = 1_000_000_000
PACK = Path(__file__).resolve().parents[2] / "configs" / "mine" / "packs" / "coal-gas.yaml"
RULE = rule_book.load([PACK]).packs[0].rules[0]


def change(second, grade, blind=False, row=0):
    record = np.zeros(1, CHANGE)
    record["row"], record["event_ns"], record["grade"] = row, second * NS, grade
    record["blind"] = blind
    return record[0]


def as_tuple(told):
    c = told.change
    return (
        *(int(c["event_ns"]) // NS, told.event, int(c["grade"]), int(c["previous"])),
        *(int(c["ordinal"]), int(c["revision"]), bool(told.suppressed), told.is_demoted),
    )


def rule_of(policy):
    shelf = Suppression(
        "shelved",
        None if policy.shelf_max is None else policy.shelf_max * NS,
        None,
        frozenset(Grade(g) for g in policy.never),
    )
    return replace(
        RULE,
        flap=Flap(policy.flap[0], policy.flap[1] * NS, policy.flap[2] * NS)
        if policy.flap
        else None,
        budget=Budget(policy.budget[0], "sensor", policy.budget[1] * NS) if policy.budget else None,
        escalate=tuple(Escalation(Grade(a), b * NS, Grade(c)) for a, b, c in policy.escalate),
        suppress=(shelf,),
    )


def conducted(policy, feed, acts, end, horizons=()):
    """Drive a conduct; `horizons` are seconds up to which it is asked to tell what came due."""
    conduct = Conduct(rule_of(policy))
    conduct.plain = False
    said, steps, grade, ordinal = [], [], 0, 0
    steps += [(s, 1, ("feed", g, b)) for s, g, b in feed]
    steps += [(s, 2 if what == "shelve" else 3, (what, until, 0)) for s, what, until in acts]
    steps += [(s, 0, ("advance", 0, 0)) for s in horizons]
    for second, _, (what, first, blind) in sorted(steps, key=lambda step: step[:2]):
        if what == "feed":
            record = change(second, first, bool(blind))
            record["previous"], ordinal = grade, ordinal + (grade == 0)
            record["ordinal"], grade = ordinal, first
            found = conduct.take(record, {"at": second})
        elif what == "shelve":
            found = conduct.shelve(0, Stay("shelved", first * NS), second * NS)
        elif what == "acknowledge":
            found = conduct.acknowledge(0, second * NS)
        else:
            # Saved and restored in the middle of everything.
            packed = pack_courses(conduct.courses)
            conduct = Conduct(conduct.rule)
            conduct.plain = False
            conduct.take_over(courses_of(packed))
            found = conduct.advance(lambda row, limit=second: limit * NS)
        said += [as_tuple(told) for told in found]
    said += [as_tuple(told) for told in conduct.advance(lambda row: end * NS)]
    return said


# Changes on even seconds, acts on odd ones: an act and a change are two messages.
SECONDS = st.integers(1, 45).map(lambda half: 2 * half)
ODD_SECONDS = SECONDS.map(lambda second: second + 1)
POLICIES = st.builds(
    Policy,
    flap=st.none() | st.tuples(st.integers(2, 4), st.integers(3, 40), st.integers(1, 30)),
    escalate=st.lists(
        st.sampled_from([(1, 10, 2), (2, 5, 3), (3, 20, 4), (3, 1, 4), (2, 30, 4)]), max_size=2
    ),
    budget=st.none() | st.tuples(st.integers(1, 2), st.integers(10, 60)),
    never=st.sampled_from([(), (4,), (3, 4)]),
    shelf_max=st.none() | st.integers(1, 30),
)


@st.composite
def feeds(draw):
    """What latches can say: something changes each time."""
    seconds = sorted(draw(st.sets(SECONDS, max_size=14)))
    feed, grade, blind = [], 0, False
    for second in seconds:
        options = [(g, b) for g in range(5) for b in (False, True) if not (b and g == 0)]
        options.remove((grade, blind))
        grade, blind = draw(st.sampled_from(options))
        feed.append((second, grade, blind))
    return feed


@given(
    policy=POLICIES,
    feed=feeds(),
    shelves=st.lists(st.tuples(ODD_SECONDS, st.just("shelve"), st.integers(1, 120)), max_size=2),
    acks=st.lists(st.tuples(ODD_SECONDS, st.just("acknowledge"), st.just(0)), max_size=2),
    horizons=st.lists(SECONDS, max_size=4),
)
def test_what_is_told_is_what_the_twin_tells(policy, feed, shelves, acks, horizons):
    acts = sorted({act[:2]: act for act in [*shelves, *acks]}.values(), key=lambda act: act[:2])
    acts.sort(key=lambda act: (act[0], act[1] != "shelve"))
    assert conducted(policy, feed, acts, 121, horizons) == tell(policy, feed, acts, 121)


@given(feed=feeds())
def test_a_rule_without_policies_is_told_as_its_latches_say(feed):
    """Records as the latches write them come out as they went in."""
    said = tell(Policy(), feed, [], 121)
    conduct = Conduct(RULE)
    peak = 0
    for second, event, grade, previous, ordinal, revision, *_ in said:
        record = change(second, grade, blind={s: b for s, _, b in feed}[second])
        peak = grade if previous == 0 else max(peak, grade)
        record["previous"], record["peak"] = previous, peak
        record["ordinal"], record["revision"] = ordinal, revision
        record["event"] = EVENT_NAMES.index(event)
        (told,) = conduct.take(record, {"at": second})
        assert (told.change.tobytes(), told.event) == (record.tobytes(), event)
        assert told.more == {"at": second}
    assert len(conduct.courses) == (1 if said and said[-1][2] else 0)


def test_a_row_of_which_nothing_is_remembered_goes_on_from_where_its_latches_are():
    record = change(20, 0, row=4)
    record["previous"], record["ordinal"], record["revision"] = 3, 7, 4
    told = list(Conduct(RULE).take(record, {}))
    assert [as_tuple(t) for t in told] == [(20, "cleared", 0, 3, 7, 4, False, False)]


def test_an_acknowledgement_is_told_once_and_only_of_an_open_warning():
    conduct = Conduct(RULE)
    assert list(conduct.acknowledge(0, 1 * NS)) == []
    record = change(2, 3)
    record["ordinal"] = 7
    list(conduct.take(record, {}))
    told = [*conduct.acknowledge(0, 10 * NS), *conduct.acknowledge(0, 11 * NS)]
    assert [as_tuple(t) for t in told] == [(10, "acknowledged", 3, 3, 7, 1, False, False)]


def test_a_shelf_never_hides_red_unless_the_rule_says_so():
    conduct = Conduct(RULE)
    list(conduct.shelve(0, Stay("shelved", 1000 * NS), 1 * NS))
    told = [*conduct.take(change(2, 3), {}), *conduct.take(change(3, 4), {})]
    assert [(t.event, t.suppressed) for t in told] == [("raised", "shelved"), ("upgraded", "")]


def test_an_inhibited_warning_says_so_and_is_told_again_when_it_is_free():
    conduct = Conduct(RULE)
    told = [
        *conduct.inhibit(0, "dark", None, 1 * NS),
        *conduct.take(change(2, 1), {}),
        *conduct.release(0, "dark", 5 * NS),
    ]
    assert [(t.event, t.suppressed) for t in told] == [("raised", "inhibited"), ("updated", "")]


@pytest.mark.parametrize("cap", [Grade.BLUE, Grade.YELLOW])
def test_a_cap_lowers_what_is_told(cap):
    conduct = Conduct(RULE)
    told = [*conduct.inhibit(0, "dark", cap, 1 * NS), *conduct.take(change(2, 4), {})]
    assert [int(t.change["grade"]) for t in told] == [int(cap)]


def test_the_message_that_takes_a_warning_off_the_board_is_heard_by_those_who_show_it():
    conduct = Conduct(RULE)
    record = change(2, 3)
    record["ordinal"] = 1
    told = [
        *conduct.take(record, {}),
        *conduct.shelve(0, Stay("shelved", 100 * NS), 5 * NS),
        *conduct.take(change(6, 2), {}),
        *conduct.take(change(7, 0), {}),
    ]
    assert [(t.event, bool(t.suppressed), t.takes_off) for t in told] == [
        ("raised", False, False),
        ("updated", True, True),
        ("downgraded", True, False),
        ("cleared", True, False),
    ]
