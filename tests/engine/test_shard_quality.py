"""What bad, missing, pegged and unmoving data do to warnings: never an all-clear."""

import pytest

from engine.episodes import Message
from tests.engine.plants import (
    Plant,
    S,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    rule_text,
    tick,
    told,
)

NAN = float("nan")
LADDER = "ladder: {value: value, above: {blue: 5, red: 9}, deadband: 1, clear_for: 2s}"
MEAN = "ladder: {value: mean(5s), above: {blue: 5, red: 9}, deadband: 1, clear_for: 2s}"


def plant(grading: str, quality: str = "", **sensor: object) -> Plant:
    more = f"quality: {{{quality}}}" if quality else ""
    return Plant(
        catalogue_of([kind()], [Sensor("s", low=-10.0, high=10.0, **sensor)]),
        book_of(rule_text(grading, more=more)),
    )


def say(plant: Plant, values: dict[float, float], ticks: range = range(0)) -> list[Message]:
    """What is told while a sensor reports by the second, and while ticks go on."""
    work = [(t, plant.points([("s", t, v)])) for t, v in values.items()]
    work += [(t, tick(t)) for t in ticks]
    return plant.run([item] for _, item in sorted(work, key=lambda pair: pair[0]))


def held(value: float, start: int, stop: int) -> dict[float, float]:
    return {float(t): value for t in range(start, stop)}


def test_a_pegged_sensor_is_danger_where_the_rule_says_so():
    """A methane sensor at its end stop tells of more gas than it can measure."""
    world = plant(LADDER, "over_range: raise red")
    assert told(say(world, held(1, 0, 5) | held(12, 5, 8) | held(1, 8, 20))) == [
        ("raised", "red", 5.0),
        ("cleared", "none", 10.0),
    ]


def test_a_pegged_sensor_is_bad_data_where_the_rule_does_not():
    assert say(plant(LADDER), held(1, 0, 5) | held(12, 5, 8) | held(1, 8, 20)) == []


def test_a_pegged_sensor_is_danger_for_rules_on_windows_too():
    """Its readings are in no window, so the window alone would say: nothing known."""
    world = plant(MEAN, "over_range: raise red")
    messages = say(world, held(1, 0, 10) | held(12, 10, 20) | held(1, 20, 40))
    assert told(messages)[0] == ("raised", "red", 10.0)
    assert told(messages)[-1][:2] == ("cleared", "none")
    # What is shown is the reading that speaks, not a window that does not hold it.
    assert messages[0][1]["value"] == 12.0
    assert "no data" not in str(messages[0][1]["headline"])


@pytest.mark.parametrize("grading", [LADDER, MEAN])
def test_a_pegged_sensor_that_falls_silent_is_unknown_in_the_end(grading):
    """Red as long as its reading holds; then blind, and never cleared by silence."""
    world = plant(grading, "over_range: raise red, stale_after: 15s, max_blind: 20s")
    messages = say(world, held(1, 0, 10) | held(12, 10, 12), range(12, 90))
    events = told(messages)
    assert [event[:2] for event in events] == [("raised", "red"), ("blind", "red")]
    # From 15 s after its last reading unknown, blind 20 s later, known at the end of a pane.
    assert 11 + 15 + 20 <= events[1][2] <= 11 + 15 + 20 + 1


def test_below_the_range_is_unknown_where_the_rule_says_so():
    """A catalytic sensor poisoned by gas reads below zero: it clears nothing."""
    world = plant(LADDER, "under_range: unknown, stale_after: 1min, max_blind: 3s")
    messages = say(world, held(6, 0, 5) | held(-20, 5, 30) | held(1, 30, 40))
    assert told(messages) == [
        ("raised", "blue", 0.0),
        ("blind", "blue", 8.0),
        ("restored", "blue", 30.0),
        ("cleared", "none", 32.0),
    ]


def test_missing_data_freeze_timers_and_never_clear():
    """rule-language 5: with a gap of 20 minutes the warning stays, and turns blind."""
    world = plant(LADDER, "stale_after: 3s, max_blind: 10s")
    messages = say(world, held(6, 0, 5) | held(1, 5, 6) | held(1, 1200, 1210), range(5, 1200))
    assert told(messages) == [
        # Clearing began at 5 s, and would have ended at 7 s: the reading held until 8 s.
        ("raised", "blue", 0.0),
        ("cleared", "none", 7.0),
    ]
    messages = say(world, held(6, 0, 6) | held(1, 1200, 1210), range(5, 1200))
    assert told(messages) == [
        ("raised", "blue", 0.0),
        ("blind", "blue", 18.0),
        ("restored", "blue", 1200.0),
        ("cleared", "none", 1202.0),
    ]


@pytest.mark.parametrize("bad", [NAN, float("inf"), 1e300])
def test_nonsense_holds_nothing_up_and_clears_nothing(bad):
    """Bad readings are no readings: what was known goes stale, and the warning blind."""
    world = plant(LADDER, "stale_after: 3s, max_blind: 5s")
    messages = say(world, held(6, 0, 5) | held(bad, 5, 30) | held(1, 30, 40), range(0, 40))
    assert told(messages)[:2] == [("raised", "blue", 0.0), ("blind", "blue", 12.0)]
    assert told(messages)[-1] == ("cleared", "none", 32.0)


def test_a_sticky_red_stays_until_somebody_resets_it():
    world = Plant(
        catalogue_of([kind()], [Sensor("s")]), book_of(rule_text(LADDER, more="latch: [red]"))
    )
    messages = say(world, held(9.5, 0, 3) | held(0, 3, 60))
    assert told(messages) == [("raised", "red", 0.0)]


def test_age_is_judged_at_ticks():
    """A sensor that falls silent is noticed though nothing comes: that is the point."""
    world = plant('levels: {yellow: {when: "age > 10s"}, orange: {when: "age >= 30s"}}')
    messages = say(world, held(1, 0, 5) | {60.0: 1.0, 70.0: 1.0}, range(0, 80))
    assert [event for event in told(messages) if event[0] in ("raised", "upgraded")] == [
        ("raised", "yellow", 15.0),
        ("upgraded", "orange", 34.0),
    ]
    assert told(messages)[-1] == ("cleared", "none", 60.0)


def test_bad_readings_are_heard_all_the_same():
    """`age` is the time since the last reading of any quality."""
    world = plant('levels: {yellow: {when: "age > 10s"}}')
    assert say(world, held(1, 0, 5) | held(NAN, 5, 40), range(0, 40)) == []


def test_a_sensor_that_was_never_heard_grows_old_too():
    world = Plant(
        catalogue_of([kind()], [Sensor("s"), Sensor("mute")]),
        book_of(rule_text('levels: {yellow: {when: "age > 10s"}}')),
    )
    messages = say(world, held(1, 0, 30))
    assert [(b["subject"], b["event"]) for _, b in messages] == [("mute", "raised")]


def test_a_flat_line_is_noticed_and_a_move_ends_it():
    """A frozen instrument looks like good news for ever."""
    world = plant('levels: {blue: {when: "unchanged >= 20s", clear_for: 2s}}')
    moving = {float(t): 1.0 + t % 2 / 8 for t in range(10)}
    messages = say(world, moving | held(1.5, 10, 50) | held(1.25, 50, 60))
    assert told(messages) == [("raised", "blue", 30.0), ("cleared", "none", 52.0)]


def test_a_window_with_too_few_readings_is_unknown():
    world = plant(MEAN, "coverage: 80%, max_blind: 3s")
    sparse = {t / 2: 8.0 for t in range(0, 40, 5)}
    assert say(world, sparse) == []
    assert told(say(world, held(8, 0, 6)))[0] == ("raised", "blue", 3.0)


def test_what_a_ladder_computes_is_what_its_warning_shows():
    """Value, margins and headline are of the same quantity as the thresholds."""
    world = plant("ladder: {value: value * 2 + 1 m, above: {blue: 10}, deadband: 1}")
    [(_, body)] = say(world, held(5, 0, 1))
    assert body["value"] == 11.0
    assert body["margins"] == {"blue": 1.0}
    assert body["evidence"][0]["time"] == body["event_time"]


def test_thresholds_of_the_catalogue_are_each_sensor_s_own():
    """An attribute is a number with a unit; a sensor without it is unknown, not safe."""
    rule = rule_text("ladder: {value: value, above: {blue: sensor.limit}, deadband: 1}")
    for precision in ("float64", "float32"):
        sensors = [
            Sensor("low", attributes={"limit": "0.7 m"}),
            Sensor("high", attributes={"limit": "9000 mm"}),
            Sensor("none"),
        ]
        world = Plant(catalogue_of([kind(precision=precision)], sensors), book_of(rule))
        names = ("low", "high", "none")
        dtype = "float32" if precision == "float32" else "float64"
        messages = world.run([[world.points([(n, 1, 0.7) for n in names], dtype=dtype)]])
        assert [b["subject"] for _, b in messages] == ["low"]


def test_a_disabled_rule_says_nothing_and_a_cap_holds():
    world = Plant(
        catalogue_of([kind()], [Sensor("s", period_ns=S)]),
        book_of(
            rule_text(LADDER, name="off", more="mode: disabled"),
            rule_text(LADDER, name="capped", more="cap: blue"),
        ),
    )
    assert told(say(world, held(9.5, 0, 3))) == [("raised", "blue", 0.0)]
