"""What a changed rule makes of the latches it finds: once, at an instant, and nothing before it."""

from collections.abc import Sequence

import numpy as np
import pytest

from engine.adoption import adopt, facts_of
from engine.episodes import Message
from engine.shard import Shard
from engine.store import Snapshot
from tests.engine.plants import (
    START,
    Plant,
    S,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    owned,
    rule_text,
    tick,
    told,
)

LADDER = "ladder: {{value: {value}, above: {{{above}}}, clear: {{{clear}}}, for: {hold}, "
LADDER += "clear_for: {calm}}}"


def plant(
    above: str = "blue: 5, red: 9",
    clear: str = "blue: 4, red: 8",
    *,
    value: str = "value",
    hold: str = "0s",
    calm: str = "0s",
    more: str = "",
    **sensor: float,
) -> Plant:
    text = LADDER.format(value=value, above=above, clear=clear, hold=hold, calm=calm)
    catalogue = catalogue_of([kind(lateness_ns=2 * S)], [Sensor("s", **sensor)])
    return Plant(catalogue, book_of(rule_text(text, more=more)))


def live(plant: Plant, shard: Shard, values: Sequence[float], first: int = 0) -> list[Message]:
    """One reading a second."""
    work = [plant.points([("s", first + at, value)]) for at, value in enumerate(values)]
    return shard.advance(owned(work, shard))


def swapped(new: Plant, before: Shard) -> tuple[Shard, list[Message]]:
    """The rule changes while nothing else happens; what is said of it."""
    shard = new.shard()
    adopt(shard, Snapshot(facts_of(before), dict(before.columns())))
    return shard, shard.advance([])


def test_a_lower_threshold_raises_at_once_and_not_before():
    """The next report of a slow sensor may be an hour away, and the danger is there now."""
    old, new = plant(), plant(above="blue: 3, red: 9", clear="blue: 2, red: 8")
    shard = old.shard()
    assert live(old, shard, [3.5] * 10) == []
    _, messages = swapped(new, shard)
    # The newest reading is of second 9: with 2 s of lateness the site knows all up to second 7.
    assert told(messages) == [("raised", "blue", 9.0)]
    [(_, body)] = messages
    assert body["value"] == 3.5
    assert body["evidence"][0]["time"] == START + 9 * S


def test_a_higher_threshold_lets_the_warning_down_through_its_own_clear():
    """It was raised for a reason; it ends as every warning ends, with its hold."""
    old = plant()
    new = plant(above="blue: 7, red: 9", clear="blue: 6.5, red: 8", calm="5s")
    shard = old.shard()
    assert told(live(old, shard, [6.0] * 10)) == [("raised", "blue", 0.0)]
    after, messages = swapped(new, shard)
    assert messages == []
    assert told(live(new, after, [6.0] * 10, first=10)) == [("cleared", "none", 14.0)]


def test_between_clear_and_entry_a_standing_warning_stays():
    """Hysteresis is part of the warning's history, which an edit does not erase."""
    old = plant()
    new = plant(above="blue: 7, red: 9", clear="blue: 5.5, red: 8")
    shard = old.shard()
    live(old, shard, [6.0] * 10)
    after, messages = swapped(new, shard)
    assert messages == []
    assert live(new, after, [6.0] * 10, first=10) == []
    fresh = new.shard()
    assert live(new, fresh, [6.0] * 10) == []
    assert after.columns()["latch/p/r/line"]["grade"].tolist() == [1]
    assert fresh.columns()["latch/p/r/line"]["grade"].tolist() == [0]


def test_a_shorter_hold_does_not_end_in_the_past():
    """A warning dated before its rule existed would say that the engine had slept."""
    old, new = plant(hold="1h"), plant(hold="3s")
    shard = old.shard()
    assert live(old, shard, [6.0] * 20) == []
    _, messages = swapped(new, shard)
    assert told(messages) == [("raised", "blue", 19.0)]


def test_a_hold_that_is_over_does_not_raise_what_the_new_rule_would_not():
    """Whoever shortens a hold and raises the threshold at once must not hear the old threshold."""
    old, new = plant(hold="1h"), plant("blue: 7, red: 9", "blue: 4, red: 8", hold="3s")
    shard = old.shard()
    assert live(old, shard, [6.0] * 20) == []
    after, messages = swapped(new, shard)
    assert messages == []
    assert live(new, after, [6.0] * 20, first=20) == []


def test_a_rule_on_windows_is_asked_at_the_next_end_of_a_pane():
    """Until then nobody knows what it would say of its timers."""
    old = plant(value="mean(2s)", hold="1h")
    higher = plant("blue: 7, red: 9", "blue: 4, red: 8", value="mean(2s)", hold="3s")
    shorter = plant(value="mean(2s)", hold="3s")
    for new, expected in ((higher, []), (shorter, [("raised", "blue")])):
        shard = old.shard()
        assert live(old, shard, [6.0] * 20) == []
        after, messages = swapped(new, shard)
        assert messages == []
        found = told(live(new, after, [6.0] * 10, first=20))
        assert [event[:2] for event in found] == expected
        assert all(second >= 17 for _, _, second in found)


def test_a_longer_hold_counts_what_has_passed():
    """The value has been high for ten seconds already, whatever the rule was called then."""
    old, new = plant(hold="1h"), plant(hold="15s")
    shard = old.shard()
    live(old, shard, [6.0] * 10)
    after, messages = swapped(new, shard)
    assert messages == []
    assert told(live(new, after, [6.0] * 10, first=10)) == [("raised", "blue", 15.0)]


def test_a_grade_that_the_rule_has_no_more_is_left():
    """Nobody would clear a red that no condition belongs to."""
    old, new = plant(), plant(above="blue: 5", clear="blue: 4")
    shard = old.shard()
    assert told(live(old, shard, [9.5] * 5)) == [("raised", "red", 0.0)]
    _, messages = swapped(new, shard)
    assert told(messages) == [("downgraded", "blue", 4.0)]


def test_what_is_stale_raises_nothing():
    """A reading of an hour ago says nothing about now, to the new rule either."""
    old, new = plant(), plant(above="blue: 3, red: 9", clear="blue: 2, red: 8")
    shard = old.shard()
    live(old, shard, [3.5])
    shard.advance([tick(200)])
    _, messages = swapped(new, shard)
    assert messages == []


@pytest.mark.parametrize("value", ["mean(5s)", "value + 1 m"])
def test_another_value_keeps_the_latch_and_waits_for_a_reading(value):
    """Whether the danger is over, only a reading of the new kind can say: never cleared blindly."""
    old, new = plant(), plant(value=value, clear="blue: 4.5, red: 8")
    shard = old.shard()
    [raised] = live(old, shard, [6.0] * 10)
    after, messages = swapped(new, shard)
    assert messages == []
    messages = live(new, after, [1.0] * 30, first=10)
    assert [(event, grade) for event, grade, _ in told(messages)] == [("cleared", "none")]
    assert messages[0][1]["id"] == raised[1]["id"]


def test_a_pegged_sensor_stays_what_the_rule_says_of_pegged_ones():
    """The value beyond the range is a sign, not a number to compare."""
    more = "quality: {over_range: raise red}"
    old = plant(more=more, high=20.0)
    new = plant(above="blue: 50, red: 90", clear="blue: 40, red: 80", more=more, high=20.0)
    shard = old.shard()
    assert told(live(old, shard, [25.0] * 3)) == [("raised", "red", 0.0)]
    after, messages = swapped(new, shard)
    assert messages == []
    assert after.columns()["latch/p/r/line"]["grade"].tolist() == [4]


def test_a_float32_reading_is_compared_as_one():
    """0.7 of 32 bits reaches 0.7: no warning may be missed because of the width of a number."""
    old = plant(above="blue: 0.9", clear="blue: 0.6")
    new = plant(above="blue: 0.7", clear="blue: 0.6")
    shard = old.shard()
    reading = old.points([("s", 0, 0.7)], dtype=np.float32)
    assert shard.advance(owned([reading], shard)) == []
    _, messages = swapped(new, shard)
    assert told(messages) == [("raised", "blue", 0.0)]
