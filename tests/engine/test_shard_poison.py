"""Lies and nonsense of a sensor: nothing for the others, nothing for itself once they are over."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import Readings
from engine.episodes import Message
from engine.shard import Tick
from kernels import stage
from tests.engine.plants import (
    START,
    Plant,
    S,
    Sensor,
    book_of,
    by_rule,
    catalogue_of,
    kind,
    owned,
    rule_text,
    tick,
)

RULES = (
    rule_text(
        "ladder: {value: value, above: {blue: 5, red: 9}, deadband: 1, for: {blue: 3s, red: 1s},"
        " clear_for: 4s}",
        name="value",
        more="quality: {stale_after: 10s}",
    ),
    rule_text(
        "ladder: {value: mean(5s), above: {blue: 4, red: 8}, deadband: 1, clear_for: 2s}",
        name="mean",
        more="quality: {coverage: 10%}",
    ),
    rule_text(
        'levels: {blue: {when: "slope(10s) > 0.5 m/s"}, yellow: {when: "std(5s) > 2 m"}, '
        'orange: {when: "range(10s) > 7 m or sum(5s) > 40"}}',
        name="shape",
        more="quality: {coverage: 10%}",
    ),
)
PLANT = Plant(
    catalogue_of(
        [kind(lateness_ns=S)],
        [
            Sensor("a", low=-100.0, high=100.0),
            Sensor("b", low=-100.0, high=100.0),
            Sensor("c", site="south", gateway="liar", low=-100.0, high=100.0),
            Sensor("d", gateway="liar", low=-100.0, high=100.0),
        ],
    ),
    book_of(*RULES),
)
NONSENSE = (float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 3e38, 101.0, -101.0)
rows = st.lists(st.integers(-2, 14), min_size=10, max_size=50)
# (which second, what value, quality, how far its time is off: beyond belief or before all time)
poisons = st.lists(
    st.tuples(
        st.integers(0, 49),
        st.sampled_from([*NONSENSE, 7.0]),
        st.sampled_from([0, 1, 2, 3, 4, 5, 9]),
        st.sampled_from([0, 0, 0, 10**6 * S, -START - 40 * 365 * 86_400 * S, 8 * S]),
    ),
    max_size=30,
)


def good(values: Sequence[int], sensors: str) -> list[list[Readings | Tick]]:
    """A reading of each sensor each second, received at once, and a tick."""
    return [
        [PLANT.points([(s, second, float(value)) for s in sensors]), tick(second)]
        for second, value in enumerate(values)
    ]


def bad(poison: tuple[int, float, int, int], sensor: str) -> Readings:
    """Nonsense that a gateway sends in second `poison[0]`; good values only at wrong times."""
    second, value, quality, shift_ns = poison
    if value == 7.0 and quality == 0 and shift_ns == 0:
        quality = 5
    time_ns = np.array([START + second * S + shift_ns])
    return Readings(
        np.array([PLANT.sensor(sensor)], dtype=np.int32),
        time_ns,
        np.array([value]),
        np.array([quality], dtype=np.uint8),
        START + second * S,
    )


def run(groups: Sequence[Sequence[Readings | Tick]]) -> dict[object, list[bytes]]:
    return by_rule(PLANT.run(groups))


def only(told: dict[object, list[bytes]], sensors: str) -> dict[object, list[bytes]]:
    return {key: said for key, said in told.items() if key[1] in sensors}


def poisoned(
    values: Sequence[int], poisons: Sequence[tuple[int, float, int, int]], sensor: str, others: str
) -> dict[object, list[bytes]]:
    groups = good(values, others)
    for poison in poisons:
        second = poison[0] % len(groups)
        groups[second].insert(1, bad((second, *poison[1:]), sensor))
    return run(groups)


@given(values=rows, poisons=poisons)
def test_nonsense_of_a_sensor_changes_nothing_for_any_sensor_itself_included(values, poisons):
    """One broken probe in ten thousand must not spoil a window, a timer or a clock."""
    assert poisoned(values, poisons, "a", "ab") == run(good(values, "ab"))


@given(values=rows, poisons=poisons)
def test_nonsense_of_another_site_changes_nothing_here(values, poisons):
    """Sites know nothing of each other."""
    clean = run(good(values, "ab"))
    assert only(poisoned(values, poisons, "c", "ab"), "ab") == clean


@given(values=rows, poisons=poisons)
def test_nonsense_of_another_gateway_of_the_site_changes_no_grade(values, poisons):
    """It may only be waited for, so what is said is the same, and its own good readings count."""
    clean = run(good(values, "abd"))
    assert poisoned(values, poisons, "d", "abd") == clean


@given(values=rows, poisons=poisons)
def test_nonsense_is_counted_and_never_folded(values, poisons):
    """Whoever looks at the meters sees what was wrong with it."""
    shard = PLANT.shard()
    for poison in poisons:
        shard.advance(owned([bad(poison, "a")], shard))
    counts = shard.meters.readings[0]
    assert counts.sum() == len(poisons)
    assert counts[stage.FOLDED] == 0
    assert not np.any(shard.banks[0].windows.good.lines["count"])


def test_a_far_future_reading_holds_nobody_up_and_hurries_nobody():
    """A gateway whose clock says 2099 would otherwise make everybody else late for ever."""
    shard = PLANT.shard()
    early = [PLANT.points([("a", 1, 1.0)])]
    lie = PLANT.points([("a", 3e9, 9.9)], received_ns=START + S)
    shard.advance(owned([*early, lie], shard))
    assert shard.clock.latest_ns() == START + S
    assert shard.meters.readings[0][stage.FUTURE] == 1


def test_float32_readings_beyond_float32_are_no_danger():
    """1e300 in a bank of float32 is nonsense, not a pegged sensor: it has no range at all."""
    plant = Plant(
        catalogue_of([kind(precision="float32")], [Sensor("s")]),
        book_of(
            rule_text(
                "ladder: {value: value, above: {red: 9}, deadband: 1}",
                more="quality: {over_range: raise red}",
            )
        ),
    )
    messages: list[Message] = []
    for value in (1.0, 1e300, 1e39):
        messages += plant.run([[plant.points([("s", 1, 1.0), ("s", 2, value)])]])
    assert messages == []
