"""Latches whose rows are no sensors: whoever has the codes decides what an instance is."""

import numpy as np

from engine.latches import Latches
from kernels.standing import EVENT_NAMES
from tests.engine.plants import START, Plant, S, Sensor, book_of, catalogue_of, kind, rule_text

WHOLE = (np.array([0]), np.array([3]))
PLAIN = "ladder:\n  value: mean(10s)\n  above: {blue: 1, red: 4}\n  clear: {blue: 0.5, red: 3}"
HELD = f"{PLAIN}\n  for: {{blue: 0s, red: 20s}}\n  clear_for: 0s"
# Both clear; blue and red at once; only blue; nothing known.
CALM, HIGH, LOW, NOTHING = 0x0900, 0x0009, 0x0801, 0x9090


def latches_of(grading: str, more: str = "") -> Latches:
    plant = Plant(catalogue_of([kind()], [Sensor("s")]), book_of(rule_text(grading, more=more)))
    (rule,) = plant.plan.rules
    return Latches(rule, np.full(3, S), np.array([0, 3]))


def said(changes: np.ndarray) -> list[tuple[int, int, str, int]]:
    return [
        (int(c["row"]), int(c["event_ns"]) // S, EVENT_NAMES[c["event"]], int(c["grade"]))
        for c in changes
    ]


def applied(latches: Latches, codes: list[int], second: int) -> list[tuple[int, int, str, int]]:
    found = latches.apply(np.array(codes, np.uint16), np.full(3, 1.0), second * S, WHOLE)
    return [one for changes in found for one in said(changes)]


def test_instances_of_any_kind_rise_hold_and_fall():
    """Tanks and clusters obey the same machine as sensors, or a rule would mean two things."""
    latches = latches_of(HELD)
    assert applied(latches, [CALM, HIGH, LOW], 0) == [(1, 0, "raised", 1), (2, 0, "raised", 1)]
    assert applied(latches, [CALM, HIGH, NOTHING], 30) == [(1, 20, "upgraded", 4)]
    assert applied(latches, [LOW, CALM, CALM], 40) == [
        *((0, 40, "raised", 1), (1, 40, "cleared", 0), (2, 40, "cleared", 0)),
    ]


def test_ranges_leave_the_other_rows_alone():
    """A site that closes its pane says nothing about another."""
    latches = latches_of(HELD)
    ranges = (np.array([0, 2]), np.array([1, 3]))
    found = latches.apply(np.array([LOW, HIGH], np.uint16), np.full(2, 7.0), 5 * S, ranges)
    assert [one for changes in found for one in said(changes)] == [
        *((0, 5, "raised", 1), (2, 5, "raised", 1)),
    ]
    assert latches.latch["grade"].tolist() == [1, 0, 1]


def test_an_operator_resets_what_is_over_and_nothing_else():
    """Danger that stands cannot be wished away, and neither can what nobody knows."""
    latches = latches_of(PLAIN, more="latch: [red]")
    every = np.arange(3)
    assert applied(latches, [HIGH, HIGH, HIGH], 0) == [(r, 0, "raised", 4) for r in range(3)]
    assert applied(latches, [HIGH, CALM, NOTHING], 10) == []
    found = latches.reset(every, 15 * S)
    assert [one for changes in found for one in said(changes)] == [(1, 15, "cleared", 0)]
    assert applied(latches, [CALM, CALM, CALM], 20) == []
    found = latches.reset(every, 25 * S)
    assert [one for changes in found for one in said(changes)] == [
        *((0, 25, "cleared", 0), (2, 25, "cleared", 0)),
    ]


def test_a_reset_reaches_rows_that_were_left_alone():
    """A latched red is quiet for days before somebody comes; it must end all the same."""
    text = rule_text(PLAIN, more="latch: [red]")
    plant = Plant(catalogue_of([kind()], [Sensor("s")]), book_of(text), silence_ns=0)
    shard = plant.shard()
    for second in range(60):
        shard.advance(plant.feed("s", {second: 9.0 if second < 20 else 0.0}))
    (rule,) = shard.banks[0].pane_rules
    assert rule.latch["grade"].tolist() == [4]
    (change,) = np.concatenate(list(rule.reset(np.array([0]), START + 60 * S)))
    assert (EVENT_NAMES[change["event"]], change["value"]) == ("cleared", 0.0)
    for second in range(61, 90):
        shard.advance(plant.feed("s", {second: 0.0}))
    assert rule.latch["grade"].tolist() == [0]
    assert not rule.watch.awake.any()


def test_heirs_of_another_kind_know_what_stands():
    """A rule on windows that becomes one on readings, or the other way, forgets no warning."""
    on_windows, on_readings = latches_of(PLAIN), latches_of(PLAIN.replace("mean(10s)", "value"))
    assert applied(on_readings, [CALM, HIGH, LOW], 0)
    heir = Latches(
        *(on_windows.plan, np.full(3, S), np.array([0, 3])),
        before=on_readings,
    )
    assert heir.watch.awake.tolist() == [2]
    assert heir.latch["grade"].tolist() == [0, 4, 1]
    back = Latches(*(on_readings.plan, np.full(3, S), np.array([0, 3])), before=heir)
    assert not back.is_swept
    assert applied(back, [CALM, CALM, CALM], 9) == [(1, 9, "cleared", 0), (2, 9, "cleared", 0)]
