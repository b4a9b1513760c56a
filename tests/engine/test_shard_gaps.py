"""Silence that lasts: what rules on ages say of it, and that nobody walks through it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ageing import ageing
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
    tick,
)

# Sides of comparisons that age, that stay, and that do both; thresholds come and go in a gap.
CONDITIONS = (
    "age > {a}s",
    "{a}s < age < {b}s",
    "age == {a}s or unchanged == {b}s",
    "not (age <= {a}s) and unchanged > {b}s",
    "unchanged >= {a}s and age < {b}s",
    "age * 2 - 3 s > {a}s",
    "age / {a}s > 1.5",
    "{a}s / age < 0.3 and count(5s) == 0",
    "known(mean(5s)) or unchanged > {b}s",
    "unchanged + 3 s > {b}s or value > 1.5",
    "age in [{a}s, {b}s]",
    "unchanged > age - {a}s",
)
SENSORS = (
    Sensor("s"),
    Sensor("t"),
    Sensor("dumb"),
    Sensor("u", site="b", gateway="h"),
)
# Fewer panes than are closed before any may be left out.
STEP_S = 5
seconds = st.integers(2, 300)
rules = st.lists(
    st.tuples(
        st.sampled_from(CONDITIONS), seconds, seconds, st.sampled_from([0, 0, 7, 60]),
        st.sampled_from([0, 5]),
    ),
    min_size=1, max_size=4,
)  # fmt: skip
heard = st.lists(
    st.tuples(
        st.sampled_from(["s", "t", "u"]), st.integers(0, 30), st.sampled_from([1.0, 1.0, 2.0])
    ),
    min_size=1, max_size=12, unique_by=lambda row: row[:2],
)  # fmt: skip


def plant_of(texts, view="good"):
    """A rule for each (condition, two spans, hold, clearing), and a ladder on the age itself."""
    more = f"quality: {{view: {view}}}"
    book = book_of(
        rule_text(
            "ladder: {value: age, above: {blue: 40s, red: 10min}, deadband: 5s}",
            name="age",
            more=more,
        ),
        *(
            rule_text(
                f'levels: {{yellow: {{when: "{condition.format(a=min(a, b), b=max(a, b))}",'
                f" for: {hold}s, clear_for: {clear}s}}}}",
                name=f"r{number}",
                more=more,
            )
            for number, (condition, a, b, hold, clear) in enumerate(texts)
        ),
    )
    return Plant(catalogue_of([kind()], SENSORS), book)


def told_by(plant, groups):
    """All that is said, and how the latches stand at the end."""
    shard = plant.shard()
    messages = [message for group in groups for message in shard.advance(owned(group, shard))]
    latches = {name: column for name, column in saved(shard).items() if name.startswith("latch/")}
    return by_rule(messages), latches


@given(
    rules=rules,
    view=st.sampled_from(["good", "raw"]),
    before=heard,
    after=heard,
    gap_s=st.sampled_from([60, 200, 400]),
)
def test_a_gap_says_what_walking_through_it_says(rules, view, before, after, gap_s):
    """Nobody may hear another story because the engine slept, or was spared the work."""
    plant = plant_of(rules, view)
    calls = [plant.points([row]) for row in sorted(before, key=lambda row: row[1])]
    back = [
        plant.points([(name, gap_s + second, value)])
        for name, second, value in sorted(after, key=lambda row: row[1])
    ]
    # The watch over what was never heard begins when its gateway has been silent for 10 s.
    calls += [tick(second) for second in range(31, 46)]
    end = tick(2 * gap_s + 40)
    at_once = told_by(plant, [calls, [tick(gap_s)], back, [end]])
    steps = [[tick(second)] for second in range(46, gap_s + 1, STEP_S)]
    later = [[tick(second)] for second in range(gap_s + 31, 2 * gap_s + 40, STEP_S)]
    walked = told_by(plant, [calls, *steps, back, *later, [end]])

    assert at_once[0] == walked[0]
    for name, column in walked[1].items():
        assert at_once[1][name].tobytes() == column.tobytes(), name


def closed_panes(plant, days):
    """How many panes a shard closes in a silence."""
    shard = plant.shard()
    shard.advance([plant.points([(name, second, 1.0) for name in ("s", "u") for second in (1, 2)])])
    [bank] = shard.banks
    close, panes = bank.windows.close, []

    class Counted:
        """The bank's windows, watched."""

        def __getattr__(self, name):
            return getattr(bank.windows, name)

        def close(self, pane, *block):
            panes.append(pane)
            return close(pane, *block)

    watched = Counted()
    object.__setattr__(shard, "banks", (type(bank)(**{**_fields(bank), "windows": watched}),))
    told = shard.advance([tick(days * 86_400)])
    return len(panes), len(told)


def _fields(bank):
    return {name: getattr(bank, name) for name in bank.__dataclass_fields__}


@pytest.mark.parametrize("days", [7, 700])
def test_a_week_of_silence_costs_no_week(days):
    """A pane of a second and a millisecond of rules: ten minutes after a week, were it walked."""
    texts = [(condition, 60, 600, 60, 5) for condition in CONDITIONS[:8]]
    panes, told = closed_panes(plant_of(texts), days)
    assert told > 20
    # Every hold is walked (60 s each), every change is met; nothing depends on the days.
    assert panes < 2_000


def test_what_cannot_be_foreseen_is_walked():
    """Two ages in one comparison: nothing is said of what lies between two instants."""
    [bank] = plant_of([("unchanged > age - {a}s", 5, 9, 0, 0)]).plan.banks
    assert [ageing(rule) is None for rule in bank.pane_rules] == [False, True]
    assert bank.pane_ns == S
