"""Latches whose rows are no sensors: whoever has the codes decides what an instance is."""

import numpy as np

from engine.latches import Latches
from kernels.standing import EVENT_NAMES
from tests.engine.plants import Plant, S, Sensor, book_of, catalogue_of, kind, rule_text

WHOLE = (np.array([0]), np.array([3]))
PLAIN = "ladder:\n  value: mean(10s)\n  above: {blue: 1, red: 4}\n  clear: {blue: 0.5, red: 3}"
HELD = f"{PLAIN}\n  for: {{blue: 0s, red: 20s}}\n  clear_for: 0s"
# Both clear; blue and red at once; only blue; nothing known.
CALM, HIGH, LOW, NOTHING = 0x0900, 0x0009, 0x0801, 0x9090


def latches_of(grading: str, more: str = "") -> Latches:
    plant = Plant(catalogue_of([kind()], [Sensor("s")]), book_of(rule_text(grading, more=more)))
    (rule,) = plant.plan.banks[0].pane_rules
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
