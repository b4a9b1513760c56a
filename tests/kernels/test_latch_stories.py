"""Latches: the stories of the rule language, told in seconds, and the corners between them."""

import numpy as np
import pytest

from kernels import ladder, latch, standing
from tests.kernels.test_latch import HIGH, NOTHING, Machine
from tests.reference.latch import Terms

NS_PER_S = 1_000_000_000
ENTER, CLEAR = np.array([0.5, 0.8, 1.0, 1.5]), np.array([0.4, 0.7, 0.8, 1.0])
LOW, BLUE, RED = HIGH[0], HIGH[1], HIGH[4]


def seconds(spans):
    return [None if s is None else s * NS_PER_S for s in spans]


def methane(**changed):
    """The terms of the worked example: times in seconds in, nanoseconds out."""
    spans = {"hold": [60, 30, 10, 0], "clear_hold": [300, 300, 300, 600]}
    stale, blind = seconds([changed.pop("stale", 30), changed.pop("blind", 60)])
    return Terms(**{k: seconds(v) for k, v in spans.items()}, stale=stale, blind=blind, **changed)


def play(feed, until, terms=None):
    """Readings of (second, percent) through ladder and latches; what was said, in seconds."""
    machine = Machine(terms or methane(), rows=1)
    time_ns = np.array([t for t, _ in feed], np.int64) * NS_PER_S
    value = np.array([v for _, v in feed], np.float64)
    kind, forced = ladder.verdicts(15, ladder.IGNORE, 4, ladder.IGNORE)
    code, applies = np.empty(value.size, np.uint16), np.empty(value.size, np.uint8)
    outcome = np.zeros(value.size, np.uint8)
    ladder.codes(value, outcome, ENTER, CLEAR, 15, True, kind, forced, code, applies)
    row = np.zeros(value.size, np.int32)
    done, count = latch.apply_readings(
        *(*machine.columns, row, time_ns, value, code, applies, time_ns, 0, machine.changes)
    )
    assert done == value.size
    machine.hear(count)
    machine.sweep(until * NS_PER_S)
    grades = ["none", "blue", "yellow", "orange", "red"]
    return [(s[0] / NS_PER_S, s[4], grades[s[5]]) for s in machine.said[0]]


def steps(start, stop, value):
    return [(t, value) for t in range(start, stop, 5)]


def ramp(start, stop, low, high):
    return [(t, low + (high - low) * (t - start) / (stop - start)) for t in range(start, stop, 5)]


def test_a_line_is_a_line():
    """A row that straddles two lines of memory costs twice."""
    assert standing.LATCH.itemsize == 64
    assert standing.EPISODE.itemsize == 16
    assert standing.LATCH.fields["code"][1] == 56


def test_sustained_methane_is_orange_and_walks_down():
    """0.2 to 1.2 % in a minute, three minutes of it, and back: the worked example, by hand.

    Up, a sample reaches 0.5 at 140 s, 0.8 at 160 s, 1.0 at 170 s: orange is first, 10 s later.
    Down, a sample is below 0.8 at 385 s, below 0.7 at 395 s, below 0.4 at 410 s; 5 min each.
    """
    feed = [
        *steps(0, 120, 0.2),
        *ramp(120, 180, 0.2, 1.2),
        *steps(180, 360, 1.2),
        *ramp(360, 420, 1.2, 0.2),
        *steps(420, 1140, 0.2),
    ]
    assert play(feed, 1140) == [
        (180, "raised", "orange"),
        (685, "downgraded", "yellow"),
        (695, "downgraded", "blue"),
        (710, "cleared", "none"),
    ]


def test_a_gap_blinds_a_warning_and_clears_nothing():
    """Twenty minutes without a reading: still orange, called blind, restored by the next one."""
    feed = [*steps(0, 180, 1.2), *steps(1380, 1440, 1.2)]
    assert play(feed, 1440) == [
        (10, "raised", "orange"),
        (175 + 30 + 60, "blind", "orange"),
        (1380, "restored", "orange"),
    ]


def test_a_spike_to_red_falls_to_blue_and_never_to_none():
    """Red switches the lower ones on, and 0.6 % clears all of them but blue."""
    feed = [*steps(0, 120, 0.2), *steps(120, 150, 2.0), *steps(150, 1800, 0.6)]
    assert play(feed, 1800) == [(120, "raised", "red"), (750, "downgraded", "blue")]


def test_a_sticky_red_waits_for_a_person():
    """`latch: [red]` is for what must be inspected before it is over."""
    feed = [*steps(0, 30, 2.0), *steps(30, 7200, 0.0)]
    terms = methane(sticky=[False, False, False, True])
    assert play(feed, 7200, terms) == [(0, "raised", "red")]


def test_a_gap_while_clearing_neither_counts_nor_resets():
    """100 s of 300 were clear, then nobody knew for ten minutes: 200 s are still to come."""
    feed = [*steps(0, 100, 1.2), *steps(100, 175, 0.0), *steps(800, 1200, 0.0)]
    said = play(feed, 1200, methane(blind=None))
    assert said == [(10, "raised", "orange"), (800 + 200, "cleared", "none")]


def alone(machine, *readings):
    """Readings of (time, meaning, horizon) for the one row; what was said, briefly."""
    machine.read([(0, time, 1.0, meaning, horizon) for time, meaning, horizon in readings])
    return [(said[0], said[4]) for said in machine.said[0]]


def simple(hold=10, clear_hold=0, stale=None, blind=None, **more):
    terms = Terms([hold, None, None, None], [clear_hold] * 4, stale, blind, **more)
    return Machine(terms, rows=1)


def test_a_hold_that_ends_at_the_instant_of_a_reading_is_over():
    """Timers that end at an instant go first, then the new condition."""
    assert alone(simple(clear_hold=5), (0, BLUE, 0), (10, LOW, 10)) == [(10, "raised")]


def test_a_hold_that_ends_with_a_reading_is_known_with_it():
    """A warning does not wait for the clock when the reading itself is the proof."""
    assert alone(simple(), (0, BLUE, 0), (10, BLUE, 10)) == [(10, "raised")]


def test_on_and_off_in_one_instant_is_nothing():
    """One instant has one message, from the grade before to the grade after."""
    assert alone(simple(), (0, BLUE, 0), (10, LOW, 10)) == []


def test_a_timer_may_end_with_the_last_moment_that_is_known():
    """Known up to 10 and held up to 10 is held for 10; one more would be a guess."""
    for hold, said in ((10, [(10, "raised")]), (11, [])):
        machine = simple(hold=hold, stale=10)
        machine.read([(0, 0, 1.0, BLUE, 0)])
        machine.sweep(100)
        assert alone(machine) == said


def test_a_reading_of_the_last_known_moment_leaves_no_gap():
    """`stale_after` is no reason to lose a hold when the next reading comes just in time."""
    assert alone(simple(hold=15, stale=10), (0, BLUE, 0), (10, BLUE, 10), (20, BLUE, 20)) == [
        (15, "raised")
    ]


def test_a_sweep_beyond_stale_is_undone_by_a_reading_before_it():
    """The clock had passed 50, but a late reading of 8 shows that nothing was unknown."""
    machine = simple(hold=15, stale=10)
    machine.read([(0, 0, 1.0, BLUE, 0)])
    machine.sweep(50)
    assert alone(machine, (8, BLUE, 50)) == [(15, "raised")]


def test_what_was_said_is_not_unsaid_by_a_late_reading():
    """Raised at 10 as far as anyone knew; a reading of 5 came later and can only end it."""
    machine = simple(hold=10, clear_hold=3)
    machine.read([(0, 0, 1.0, BLUE, 0)])
    machine.sweep(50)
    assert alone(machine, (5, LOW, 50)) == [(10, "raised"), (13, "cleared")]


def test_a_backlog_does_not_flap_between_blind_and_restored():
    """Readings that had run out before the warning was called blind do not lift that."""
    machine = simple(hold=0, stale=10, blind=30)
    machine.read([(0, 0, 1.0, BLUE, 0)])
    machine.sweep(100)
    backlog = [(time, BLUE, 100) for time in range(5, 30, 5)]
    assert alone(machine, *backlog) == [(0, "raised"), (40, "blind")]
    assert alone(machine, (35, BLUE, 100))[2:] == [(40, "restored"), (75, "blind")]


def test_a_change_of_grade_that_ends_blindness_is_one_message():
    """Two messages for one instant would say twice what is true once."""
    machine = simple(hold=0, stale=10, blind=30)
    assert alone(machine, (0, BLUE, 0), (100, LOW, 100)) == [
        (0, "raised"),
        (40, "blind"),
        (100, "cleared"),
    ]
    assert machine.said[0][-1][8] is False


def test_blind_and_known_again_in_one_instant_is_nothing():
    """The reading came as the patience ended: nobody was blind for any time at all."""
    machine = simple(hold=0, stale=10, blind=30)
    assert alone(machine, (0, BLUE, 0), (40, BLUE, 40)) == [(0, "raised")]


def test_clearing_goes_back_to_on():
    """A value between the clear and the entry threshold is no all-clear, and it ends one."""
    between = [(False, False)] * 4
    machine = simple(hold=0, clear_hold=10)
    said = alone(
        machine, (0, BLUE, 0), (5, LOW, 5), (14, between, 14), (15, LOW, 15), (30, LOW, 30)
    )
    assert said == [(0, "raised"), (25, "cleared")]


def test_unknown_in_between_does_not_end_a_hold():
    """Bad readings freeze what a good one began; only a good one may end it."""
    machine = simple(hold=10, clear_hold=10)
    said = alone(machine, (0, BLUE, 0), (6, NOTHING, 6), (50, BLUE, 50), (60, BLUE, 60))
    assert said == [(54, "raised")]


def test_several_changes_of_one_instant_are_one_message():
    """Blue, yellow and orange end their holds at 30, and red has none: one word, red."""
    machine = Machine(Terms([30, 20, 10, 0], [0] * 4), rows=1)
    machine.read([(0, 0, 1.0, HIGH[1], 0), (0, 10, 1.0, HIGH[2], 10), (0, 20, 1.0, HIGH[3], 20)])
    machine.read([(0, 30, 2.0, RED, 30)])
    assert [(s[0], s[4], s[5], s[6]) for s in machine.said[0]] == [(30, "raised", 4, 0)]


def test_without_closure_a_red_may_fall_to_none():
    """`closure: false` is for grades that mean different things."""
    machine = Machine(Terms([99, 99, 99, 0], [50, 50, 50, 5], closure=False), rows=1)
    said = alone(machine, (0, RED, 0), (10, LOW, 10), (20, LOW, 20))
    assert said == [(0, "raised"), (15, "cleared")]


def test_the_earliest_due_time_is_that_of_the_first_timer():
    """Whoever sleeps until then misses nothing."""
    machine = Machine(Terms([30, None, None, None], [7] * 4), rows=4)
    machine.read([(2, 5, 1.0, BLUE, 5), (1, 9, 1.0, BLUE, 9)])
    assert standing.earliest_due(machine.due_ns, 0, 4) == 35
    assert standing.earliest_due(machine.due_ns, 0, 2) == 39
    assert standing.earliest_due(machine.due_ns, 3, 4) == standing.FOREVER_NS


def test_a_shorter_hold_counts_from_the_same_beginning():
    """After an edit of a rule what runs goes on; rows put to NEVER_NS are weighed anew."""
    machine = simple(hold=100)
    machine.read([(0, 0, 1.0, BLUE, 0)])
    machine.terms["for_ns"] = 20
    machine.due_ns[:] = standing.NEVER_NS
    machine.sweep(10)
    assert machine.due_ns[0] == 20
    machine.sweep(50)
    assert alone(machine) == [(20, "raised")]


def test_a_grade_that_an_edit_took_away_ends():
    """Its latch must neither hang in its timer nor hold the row up for ever."""
    yellow = [(0, "raised"), (15, "upgraded"), (20, "downgraded")]
    orange = [(0, "raised")]
    for taken, said in ((1, yellow), (2, orange)):
        machine = Machine(Terms([0, 0, 15, None], [0] * 4, stale=15), rows=1)
        machine.read([(0, 0, 1.0, HIGH[3], 0)])
        machine.terms["exists"] = 7 - (1 << taken)
        machine.due_ns[:] = standing.NEVER_NS
        machine.sweep(20)
        assert alone(machine, (20, HIGH[3] if taken == 2 else HIGH[1], 20)) == said


def test_an_edit_is_not_said_to_be_older_than_what_was_said():
    """Yellow would have been on at 45 by the new hold, but blue was said at 50."""
    machine = Machine(Terms([50, 100, None, None], [0] * 4), rows=1)
    machine.read([(0, 0, 1.0, HIGH[2], 0)])
    machine.sweep(60)
    machine.terms["for_ns"][0, 1] = 45
    machine.due_ns[:] = standing.NEVER_NS
    machine.sweep(60)
    assert alone(machine) == [(50, "raised"), (50, "upgraded")]


def test_the_value_that_is_remembered_does_not_depend_on_room():
    """A snapshot has the same bytes, however the storm was drained."""
    lines = []
    for room in (1, 9):
        machine = Machine(Terms([0, None, None, None], [1] * 4), rows=1, room=room)
        machine.read([(0, 0, 1.0, BLUE, 0), (0, 0, 2.0, LOW, 0), (0, 5, 3.0, NOTHING, 5)])
        lines.append(machine.latch.tobytes())
    assert lines[0] == lines[1]


def test_ranges_are_swept_to_their_own_horizons():
    """A slow gateway holds back its own site, and no other."""
    machine = Machine(Terms([5, None, None, None], [0] * 4), rows=3)
    machine.read([(r, 0, 1.0, BLUE, 0) for r in range(3)])
    first, last = np.array([0, 2]), np.array([1, 3])
    latch.advance(*machine.columns, first, last, np.array([6, 5]), 0, machine.changes)
    assert list(machine.latch["grade"]) == [1, 0, 0]


@pytest.mark.parametrize("room", [1, 2, 100])
def test_a_sweep_resumes_where_it_had_no_room(room):
    """A storm of warnings is said in turns, each once."""
    machine = Machine(Terms([5, None, None, None], [0] * 4), rows=9, room=room)
    machine.read([(r, 0, 1.0, BLUE, 0) for r in range(9)])
    machine.sweep(100)
    assert [[(s[0], s[4]) for s in said] for said in machine.said] == [[(5, "raised")]] * 9
