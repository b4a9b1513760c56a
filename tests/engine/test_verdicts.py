"""Rules on windows judged all at once say what they say when every row is told of every pane."""

from hypothesis import given
from hypothesis import strategies as st

from engine.shard import Shard
from tests.engine.plants import (
    Plant,
    Sensor,
    book_of,
    catalogue_of,
    kind,
    owned,
    rule_text,
    tick,
)

HELD = """
ladder:
  value: mean(3s)
  above: {blue: 1, yellow: 2, red: 4}
  clear: {blue: 0.5, yellow: 1.5, red: 3}
  for: {blue: 2s, yellow: 0s, red: 4s}
  clear_for: 3s
"""
BY_ASSET = """
levels:
  orange: {when: "max(3s) >= sensor.limit and sensor.kind == 'deep'", clear_for: 2s}
"""
CHAIN = """
levels:
  blue: {when: "not 0 <= min(5s) < 3", for: 1s}
  red: {when: "or_else(rise(5s), 9 m) > 3 m and known(mean(3s))", for: 2500ms}
"""
MODERATE = "quality: {over_range: raise red, stale_after: 4s, max_blind: 3s, coverage: 60%}"

KINDS = [
    {"limit": f"{n % 3} m", "kind": ("deep", "shallow")[n % 2]} if n % 4 else {} for n in range(6)
]


def plant() -> Plant:
    rules = (
        rule_text(HELD, name="held", more=MODERATE),
        rule_text(CHAIN, name="chain"),
        rule_text(BY_ASSET, name="asset"),
        rule_text(HELD.replace("mean", "max"), name="max", more="quality: {coverage: 10%}"),
        rule_text(HELD, name="sticky", more="latch: [red]"),
    )
    sensors = [
        Sensor(f"s{n}", site="a" if n < 3 else "b", high=6.0, attributes=attributes)
        for n, attributes in enumerate(KINDS)
    ]
    return Plant(catalogue_of([kind()], sensors), book_of(*rules), silence_ns=0)


PLANT = plant()

walks = st.lists(
    st.lists(st.sampled_from([0.0, 0.0, 0.4, 1.0, 1.2, 2.0, 3.5, 5.0, 9.0, None]), max_size=12),
    min_size=1,
    max_size=6,
)


def told(shard: Shard, values: list[list[float | None]]) -> list[object]:
    """What the shard says of one second after the other, and of a silence after it."""
    said: list[object] = []
    for second in range(max(map(len, values))):
        rows = [
            (f"s{n}", float(second), value)
            for n, walk in enumerate(values)
            if second < len(walk) and (value := walk[second]) is not None
        ]
        work = [PLANT.points(rows)] if rows else []
        said += shard.advance(owned([*work, tick(second)], shard))
    for second in (20, 21, 60):
        said += shard.advance([tick(second)])
    return said


@given(values=walks)
def test_leaving_rows_alone_changes_nothing(values):
    """A million quiet sensors are skipped; not one warning may be."""
    swift, thorough = PLANT.shard(), PLANT.shard()
    for bank in thorough.banks:
        for rule in bank.rules:
            rule.is_thorough = True
    assert repr(told(swift, values)) == repr(told(thorough, values))


@given(values=walks, cut=st.integers(1, 11))
def test_a_restored_shard_knows_who_is_awake(values, cut):
    """What was on when the engine stopped must end as it would have."""
    whole, before, after = PLANT.shard(), PLANT.shard(), PLANT.shard()
    first = [walk[:cut] for walk in values]
    rest = [[None] * min(cut, len(walk)) + walk[cut:] for walk in values]

    def play(shard: Shard, part: list[list[float | None]], ends: bool) -> list[object]:
        said: list[object] = []
        for second in range(max(map(len, part))):
            rows = [
                (f"s{n}", float(second), walk[second])
                for n, walk in enumerate(part)
                if second < len(walk) and walk[second] is not None
            ]
            said += shard.advance(owned([PLANT.points(rows)], shard) if rows else [])
        for second in (20, 21, 60) if ends else ():
            said += shard.advance([tick(second)])
        return said

    expected = play(whole, values, True)
    said = play(before, first, False)
    after.restore({name: column.copy() for name, column in before.columns().items()})
    assert repr(said + play(after, rest, True)) == repr(expected)
