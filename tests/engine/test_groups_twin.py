"""Rules on several sensors beside a slow interpreter: random rules, readings, gaps and disorder.

Whatever the number of shards and wherever work is cut, the same events at the same times.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import expression as ex
from rules.pack import Quality
from tests.engine.handmade import (
    HERE,
    above,
    book,
    both,
    compare,
    either,
    feature,
    gather,
    level,
    minus,
    rule,
    vote,
)
from tests.engine.handmade import given as input_of
from tests.engine.plants import START, Plant, S, Sensor, by_subject, catalogue_of, kind, tick
from tests.reference import groups as twin

SECONDS = 30
STALE_S, BLIND_S, LATENESS_S = 4, 5, 5
TYPES = tuple(kind(name, lateness_ns=LATENESS_S * S) for name in ("head", "pump", "heat"))
INPUTS = {
    "h": input_of("head", many=True),
    "p": input_of("pump", many=True),
    "t": input_of("heat"),
}
# One tank inside a site, one that two sites watch, one without a thermometer.
SENSORS = tuple(
    Sensor(name, sensor_type, site, f"gw-{site}", attributes={"tank": tank})
    for name, sensor_type, site, tank in (
        ("h1", "head", "a", "T1"), ("h2", "head", "a", "T1"), ("h3", "head", "a", "T1"),
        ("t1", "heat", "a", "T1"), ("p1", "pump", "a", "T1"),
        ("h4", "head", "b", "T2"), ("h5", "head", "south", "T2"), ("t2", "heat", "south", "T2"),
        ("h6", "head", "south", "T3"), ("p2", "pump", "south", "T3"),
    )
)  # fmt: skip

methods = st.sampled_from(["votes", "share"])
gathers = st.sampled_from(["max_of", "min_of", "mean_of", "median_of"])
operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
many = st.sampled_from(["h", "p"])
bounds = st.integers(0, 9).map(float)


@st.composite
def quantities(draw):
    """A quantity of an instance."""
    name = draw(many)
    value = feature(name, "value")
    return draw(
        st.sampled_from(
            [
                vote(name, above(value, draw(bounds)), draw(methods)),
                gather(name, draw(gathers), value),
                feature("t", "value"),
                minus(feature("t", "value"), gather(name, draw(gathers), value)),
            ]
        )
    )


@st.composite
def leaves(draw):
    name = draw(many)
    if draw(st.integers(0, 3)) == 0:
        how = draw(st.sampled_from(["any", "all"]))
        return vote(name, compare(feature(name, "value"), draw(operators), draw(bounds)), how)
    return compare(draw(quantities()), draw(operators), draw(bounds))


conditions = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda items: both(*items)),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: either(*items)),
        inner.map(lambda item: ex.Not(item, HERE)),
        inner.map(lambda item: ex.Known(item, HERE)),
    ),
    max_leaves=4,
)


@st.composite
def stories(draw):
    """A rule, readings with gaps, and how they arrive."""
    grades = draw(st.sets(st.sampled_from(["blue", "yellow", "red"]), min_size=1, max_size=2))
    holds = st.integers(0, 3)
    levels = {name: (draw(conditions), draw(holds), draw(holds)) for name in sorted(grades)}
    seed = draw(st.integers(0, 2**16))
    return levels, draw(st.booleans()), seed, draw(st.integers(1, 3)), draw(st.integers(1, 7))


def readings_of(seed):
    """What each sensor says when, in half seconds; a fifth of the time it says nothing."""
    rng = np.random.default_rng(seed)
    found = {}
    for sensor in SENSORS:
        halves = np.arange(1, 2 * SECONDS)
        silent = np.zeros(halves.size, dtype=bool)
        for start in rng.integers(0, halves.size, 2):
            silent[start : start + rng.integers(5, 25)] = True
        heard = halves[~silent & (rng.random(halves.size) < 0.6)]
        values = rng.integers(0, 10, heard.size).astype(float)
        found[sensor.name] = list(zip((heard / 2).tolist(), values.tolist(), strict=True))
    return found


@settings(max_examples=60, deadline=None)
@given(stories())
def test_the_same_events_at_the_same_times_as_the_slow_interpreter(story):
    """Whoever reads the rule can say what it will do: so must the engine."""
    levels, ignores, seed, count, cut = story
    readings = readings_of(seed)
    one = rule(
        INPUTS,
        {g: level(c, for_ns=on * S, clear_for_ns=off * S) for g, (c, on, off) in levels.items()},
        quality=Quality(
            stale_after_ns=STALE_S * S,
            max_blind_ns=BLIND_S * S,
            unknown="ignore" if ignores else "hold",
        ),
    )
    plant = Plant(catalogue_of(TYPES, SENSORS), book(one))

    messages = plant.run(arrivals(plant, readings, seed, cut), count)

    found = {
        tank: [
            (round((body["event_time"] - START) / (S // 2)), body["event"], body["grade"])
            for _, body in messages
            if body["subject"] == tank
        ]
        for tank in ("T1", "T2", "T3")
    }
    assert found == {tank: expected(tank, levels, readings, ignores) for tank in found}


def arrivals(plant, readings, seed, cut):
    """Frames of one reading each, up to 4 s late, with ticks between, in groups of `cut`."""
    rng = np.random.default_rng(seed + 1)
    rows = [
        (time + 4 * rng.random(), name, time, value)
        for name, told in readings.items()
        for time, value in told
    ]
    # Each site is heard at once, so that no clock begins beyond a reading that is still to come.
    rows += [(0.0, name, 0.25, float("nan")) for name in readings]
    work = [(at, plant.points([(name, time, value)])) for at, name, time, value in sorted(rows)]
    work += [(second + 0.0, tick(second)) for second in range(1, SECONDS + 60)]
    items = [item for _, item in sorted(work, key=lambda one: one[0])]
    return [items[start : start + cut] for start in range(0, len(items), cut)]


def expected(tank, levels, readings, ignores):
    """What the slow interpreter says, in half seconds."""
    members = {}
    for sensor in SENSORS:
        if sensor.attributes["tank"] == tank:
            name = {"head": "h", "pump": "p", "heat": "t"}[sensor.type]
            told = [(2 * time, value) for time, value in readings[sensor.name]]
            members.setdefault(name, []).append(told)
    asked = {
        part.members.input if isinstance(part, ex.Vote | ex.Gather) else part.input
        for condition, _, _ in levels.values()
        for part in ex.walk(condition)
        if isinstance(part, ex.Vote | ex.Gather | ex.Feature)
    }
    if not asked & members.keys():
        return []  # nobody is listened to, so nothing is said
    instance = twin.Instance(members, 2 * STALE_S, ignores)
    order = {"blue": 1, "yellow": 2, "orange": 3, "red": 4}
    names = {0: "none", **{number: name for name, number in order.items()}}
    ladder = {order[g]: (c, 2 * on, 2 * off) for g, (c, on, off) in levels.items()}
    # The watch begins with the first pane that a reading could still come for.
    start, end = -2 * (LATENESS_S - 1), 2 * (SECONDS + 30)
    events = twin.live(ladder, instance, start=start, end=end, step=2, blind=2 * BLIND_S)
    return [(at, event, names[grade]) for at, event, grade in events]


def test_where_work_is_cut_and_how_many_shards_there_are_changes_nothing():
    """The order of event time, whatever arrives first."""
    leak = vote("h", above(feature("h", "value"), 4))
    levels = {"blue": level(above(leak, 1)), "red": level(above(leak, 2), for_ns=S)}
    plant = Plant(
        catalogue_of(TYPES, SENSORS),
        book(rule(INPUTS, levels, quality=Quality(stale_after_ns=STALE_S * S))),
    )
    readings = readings_of(7)

    told = [
        by_subject(plant.run(arrivals(plant, readings, 7, cut), count))
        for cut, count in ((1, 1), (13, 2), (5, 3), (10_000, 3))
    ]

    assert sum(len(said) for said in told[0].values()) > 10
    assert told[0] == told[1] == told[2] == told[3]
