"""A change of rules in memory says what a restart with the new rules would have said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adoption import adopt, facts_of
from engine.meters import Meters
from engine.shard import Shard
from engine.store import Snapshot
from engine.succession import is_rules_only, succeed
from tests.engine.plants import (
    Plant,
    S,
    Sensor,
    book_of,
    by_rule,
    catalogue_of,
    kind,
    owned,
    rule_text,
    saved,
)

CATALOGUE = catalogue_of(
    [kind(lateness_ns=2 * S)],
    [Sensor("s"), Sensor("t", site="b"), Sensor("u", site="b", period_ns=2 * S)],
)
NAMES = CATALOGUE.sensors.name
LADDER = "ladder: {{value: {0}, above: {{blue: {1}, red: {2}}}, deadband: {3}, for: {4}s, "
LADDER += "clear_for: {5}s}}"

values = st.integers(0, 12).map(float)
settings = st.tuples(
    st.integers(2, 5), st.integers(6, 10), st.sampled_from([0.5, 1]), st.integers(0, 6),
    st.integers(0, 6), st.sampled_from(["", "latch: [red]", "quality: {stale_after: 4s}"]),
)  # fmt: skip
stories = st.lists(st.tuples(values, values, values), min_size=2, max_size=25)


def plant(value: tuple, mean: tuple, *, has_both: bool) -> Plant:
    texts = [rule_text(LADDER.format("value", *value), name="value", more=value[5])]
    if has_both:
        texts.append(rule_text(LADDER.format("mean(4s)", *mean), name="mean", more=mean[5]))
    else:
        texts.append(rule_text(LADDER.format("mean(4s)", *mean), name="other"))
    return Plant(CATALOGUE, book_of(*texts))


def live(plant: Plant, shard: Shard, story: list[tuple], first: int) -> list:
    told = []
    for second, row in enumerate(story, first):
        work = plant.points([(n, second, v) for n, v in zip(NAMES, row, strict=True)])
        told += shard.advance(owned([work], shard))
    return told


@given(
    rules=st.tuples(settings, settings, settings, settings),
    before=stories,
    after=stories,
    has_both=st.booleans(),
)
def test_a_swap_in_memory_says_what_a_restart_says(rules, before, after, has_both):
    """Whether the arrays are shared or copied decides how long it takes, and nothing else."""
    old, new = plant(*rules[:2], has_both=True), plant(*rules[2:], has_both=has_both)
    shard = old.shard()
    live(old, shard, before, 0)
    snapshot = Snapshot(facts_of(shard), saved(shard))
    restarted = new.shard()
    adopt(restarted, snapshot)
    expected = restarted.advance([])
    assembly = new.assembly()
    shard.layout = assembly.layouts[0]
    assert is_rules_only(shard, assembly, 0)
    swapped = succeed(shard, assembly, 0)
    told = swapped.advance([])
    assert swapped.clock is shard.clock
    assert swapped.banks[0].windows is shard.banks[0].windows
    assert swapped.banks[0].rules[0].latch is shard.banks[0].rules[0].latch
    told += live(new, swapped, after, len(before))
    expected += live(new, restarted, after, len(before))
    assert by_rule(told) == by_rule(expected)
    for name, column in restarted.columns().items():
        if name.endswith("/line"):
            mine = swapped.columns()[name]
            # When a row on windows was told last is the sweep's own business.
            seen = ("seen_ns", "value") if name.endswith("/value/line") else ()
            for field in ("phase", "grade", *seen):
                np.testing.assert_array_equal(mine[field], column[field], f"{name} {field}")


@pytest.mark.parametrize("more", ["max(4s)", "mean(6s)"])
def test_other_windows_are_adopted_by_their_names(more):
    """What is asked anew is unknown until it has filled; all else goes on."""
    one = (3, 8, 1, 0, 0, "")
    old = plant(one, one, has_both=True)
    text = rule_text(LADDER.format("value", *one), name="value")
    new = Plant(CATALOGUE, book_of(text, rule_text(LADDER.format(more, *one), name="mean")))
    shard, assembly = old.shard(), new.assembly()
    told = live(old, shard, [(6.0, 6.0, 6.0)] * 20, 0)
    shard.layout = assembly.layouts[0]
    assert not is_rules_only(shard, assembly, 0)
    swapped = succeed(shard, assembly, 0)
    assert swapped.advance([]) == []
    cleared = live(new, swapped, [(0.0, 0.0, 0.0)] * 20, 20)
    assert {body["id"] for _, body in cleared} == {body["id"] for _, body in told}
    assert {body["event"] for _, body in cleared} == {"cleared"}


def test_what_waits_to_be_said_is_said_by_the_successor():
    """Two reloads between two frames must not swallow the last words of the first."""
    one = (3, 8, 1, 0, 0, "")
    old, without = plant(one, one, has_both=True), plant(one, one, has_both=False)
    shard = old.shard()
    live(old, shard, [(6.0, 6.0, 6.0)] * 20, 0)
    meters = Meters(["gas"])
    shard.meters = meters
    for new in (without, old):
        assembly = new.assembly()
        shard.layout = assembly.layouts[0]
        shard = succeed(shard, assembly, 0)
    assert shard.meters is meters
    told = shard.advance([])
    assert [body["event"] for _, body in told if body["rule"] == "mean"] == ["superseded"] * 3
