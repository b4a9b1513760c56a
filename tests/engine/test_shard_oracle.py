"""A shard against a slow engine that shares nothing with it: the same events at the same times."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import Readings
from tests.engine.plants import (
    NO_QUALITY,
    START,
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
from tests.reference.engine import Ladder, Row, by_pane, by_reading

GRADES = {1: "blue", 2: "yellow", 3: "orange", 4: "red"}
HOLDS = st.sampled_from([0, 1, 2, 3, 7, 20])
# A walk over steps of an eighth: sums are exact, and no mean equals a threshold by rounding.
values = st.lists(st.integers(-24, 24), min_size=3, max_size=80)
gaps = st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 3, 12, 45]), min_size=80, max_size=80)


@st.composite
def ladders(draw, scale: float = 1.0) -> Ladder:
    """Any ladder with thresholds that no walk meets exactly, upwards or downwards."""
    grades = sorted(draw(st.sets(st.sampled_from([1, 2, 3, 4]), min_size=1)))
    is_above = draw(st.booleans())
    start, step = draw(st.integers(-4, 16)), draw(st.integers(1, 12))
    sign = 1 if is_above else -1
    enter = {g: sign * (start + step * i + 0.3) * scale / 8 for i, g in enumerate(grades)}
    below = draw(st.integers(1, 10)) * sign * scale / 8
    return Ladder(
        enter=enter,
        clear={g: enter[g] - below for g in grades},
        hold={g: draw(HOLDS) for g in grades},
        clear_hold={g: draw(HOLDS) for g in grades},
        blind=draw(st.sampled_from([3, 10, 30])),
        is_above=is_above,
    )


def plant_of(ladder: Ladder, value: str, quality: str, unit: str = "m") -> Plant:
    def by_grade(numbers: dict[int, float], unit: str) -> str:
        return ", ".join(f"{GRADES[g]}: {numbers[g]!r}{unit}" for g in numbers)

    text = rule_text(
        f"ladder:\n  value: {value}\n"
        f"  {'above' if ladder.is_above else 'below'}: {{{by_grade(ladder.enter, unit)}}}\n"
        f"  clear: {{{by_grade(ladder.clear, unit)}}}\n"
        f"  for: {{{by_grade(ladder.hold, 's')}}}\n"
        f"  clear_for: {{{by_grade(ladder.clear_hold, 's')}}}",
        more=f"quality: {{{quality}, max_blind: {ladder.blind}s}}",
    )
    return Plant(catalogue_of([kind()], [Sensor("s")]), book_of(text), silence_ns=0)


def walk(steps: list[int], gaps: list[int]) -> list[tuple[int, float]]:
    """Readings at whole seconds: a random walk with gaps."""
    seconds = np.cumsum(gaps[: len(steps)])
    levels = np.cumsum(steps) / 8
    return [(int(t), float(v)) for t, v in zip(seconds, levels, strict=True)]


def said(plant: Plant, readings: list[tuple[int, float]], end: int) -> list[tuple[int, str, int]]:
    """What the shard tells before `end`, in seconds."""
    frame = Readings(
        np.zeros(len(readings), dtype=np.int32),
        np.array([START + t * S for t, _ in readings]),
        np.array([v for _, v in readings]),
        NO_QUALITY,
        START + readings[-1][0] * S,
    )
    grade_of = {"none": 0} | {name: g for g, name in GRADES.items()}
    messages = plant.run([[frame, tick(end)]])
    return [(round(s), event, grade_of[grade]) for event, grade, s in told(messages) if s < end]


@given(ladder=ladders(), steps=values, gaps=gaps, stale=st.sampled_from([2, 5, 30]))
def test_value_ladders_say_what_the_slow_engine_says(ladder, steps, gaps, stale):
    """Each change at its very instant, through gaps, timers and blindness."""
    readings = walk(steps, gaps)
    end = readings[-1][0] + 200
    plant = plant_of(ladder, "value", f"stale_after: {stale}s")
    expected = Row(ladder).live(by_reading(ladder, readings, stale), end)
    assert said(plant, readings, end) == expected


@given(
    ladder=ladders(),
    steps=values,
    gaps=gaps,
    feature=st.sampled_from(["mean", "max"]),
    window=st.tuples(st.sampled_from([3, 10, 30]), st.sampled_from([10, 50, 100])),
)
def test_window_ladders_say_what_the_slow_engine_says(ladder, steps, gaps, feature, window):
    """A window is what was read in it, and unknown when too little was."""
    length, coverage = window
    readings = walk(steps, gaps)
    plant = plant_of(ladder, f"{feature}({length}s)", f"coverage: {coverage}%")
    pane = plant.plan.banks[0].pane_ns // S
    # Timers of a rule on windows end when the next pane is judged: not after the last one.
    end = readings[-1][0] + 300
    cut = (length, 1, coverage / 100, pane)
    expected = Row(ladder).live(by_pane(ladder, readings, feature, cut), end)
    assert said(plant, readings, end) == expected


@given(ladder=ladders(scale=0.037), steps=values, gaps=gaps, length=st.sampled_from([5, 20]))
def test_slope_ladders_say_what_the_slow_engine_says(ladder, steps, gaps, length):
    """The trend is the least squares of the readings in the window, per second."""
    readings = walk(steps, gaps)
    plant = plant_of(ladder, f"slope({length}s)", "coverage: 30%", "m/s")
    end = readings[-1][0] + 300
    cut = (length, 1, 0.3, plant.plan.banks[0].pane_ns // S)
    expected = Row(ladder).live(by_pane(ladder, readings, "slope", cut), end)
    assert said(plant, readings, end) == expected
