"""Rules whose instance is several sensors of one site: tanks with a thermometer and gas heads."""

import pytest

from engine.placement import place
from rules.pack import Quality
from tests.engine.handmade import above, asset, book, both, feature, given, level, minus, rule, vote
from tests.engine.plants import Plant, S, Sensor, catalogue_of, kind, tick, told

TYPES = (kind("gas"), kind("heat"), kind("press"))
HEAD = above(feature("gas", "mean", 5 * S), 20)
INPUTS = {"gas": given("gas", many=True), "t": given("heat"), "p": given("press")}


def head(name, tank="T1", site="a"):
    return Sensor(name, "gas", site, f"gw-{site}", attributes={"tank": tank, "t_max": "60 m"})


def leak_rule(**more):
    leak = vote("gas", HEAD)
    return rule(
        INPUTS,
        {
            "yellow": level(above(leak, 2), clear_for_ns=3 * S),
            "red": level(above(leak, 3), clear_for_ns=3 * S),
        },
        lets={"leak": leak},
        quality=Quality(stale_after_ns=4 * S, max_blind_ns=600 * S),
        **more,
    )


def plant_of(*rules, sensors):
    return Plant(catalogue_of(TYPES, sensors), book(*rules))


THREE = (head("G1"), head("G2"), head("G3"))


def seconds(plant, values, count=40):
    """A frame each second with what each sensor says; None: it says nothing."""
    groups = []
    for second in range(count):
        rows = [
            (name, second, value(second))
            for name, value in values.items()
            if value(second) is not None
        ]
        groups.append([plant.points(rows), tick(second)] if rows else [tick(second)])
    return [*groups, [tick(count + 30)]]


def test_two_of_three_heads_vote_although_the_third_is_blind():
    """A dead detector neither votes nor hides the others."""
    plant = plant_of(leak_rule(), sensors=THREE)

    messages = plant.run(
        seconds(plant, {"G1": lambda s: 25.0, "G2": lambda s: 25.0, "G3": lambda s: None})
    )

    first = messages[0][1]
    # Half of the five readings of a window are there from the third second on.
    assert told(messages)[0] == ("raised", "yellow", 2.0)
    assert first["subject"] == "T1"
    assert first["why"] == ["leak"]
    assert first["value"] == 2.0
    assert first["coverage"] == pytest.approx(2 / 3)
    assert [one["sensor"] for one in first["evidence"]] == ["G1", "G2"]
    assert not any(grade == "red" for _, grade, _ in told(messages))


def test_one_head_alone_is_no_leak():
    plant = plant_of(leak_rule(), sensors=THREE)

    messages = plant.run(
        seconds(plant, {"G1": lambda s: 50.0, "G2": lambda s: 0.0, "G3": lambda s: 0.0})
    )

    assert messages == []


def test_what_falls_silent_never_clears():
    """Two heads voted; then all fall silent: nobody may say that it is over."""
    plant = plant_of(leak_rule(), sensors=THREE)
    high = lambda s: 25.0 if s < 20 else None  # noqa: E731

    messages = plant.run(seconds(plant, {"G1": high, "G2": high, "G3": high}, count=60))

    assert [event for event, _, _ in told(messages)] == ["raised"]


def test_a_condition_may_look_at_several_inputs():
    """A quantity of one sensor minus that of another, against an attribute of the instance."""
    sensors = (
        head("G1"),
        Sensor("H", "heat", "a", "gw-a", attributes={"tank": "T1"}),
        Sensor("P", "press", "a", "gw-a", attributes={"tank": "T1"}),
    )
    difference = minus(feature("t", "mean", 2 * S), feature("p", "mean", 2 * S))
    hot = rule(
        INPUTS,
        {"orange": level(both(above(difference, asset("t_max")), above(vote("gas", HEAD), 1)))},
    )
    plant = plant_of(hot, sensors=sensors)

    messages = plant.run(
        seconds(
            plant,
            {
                "G1": lambda s: 25.0,
                "H": lambda s: 100.0 if s >= 20 else 50.0,
                "P": lambda s: 30.0,
            },
        )
    )

    # The mean of 50 and 100 less 30 is below 60; both readings in (19, 21] are 100.
    assert told(messages)[0] == ("raised", "orange", 21.0)


def test_tanks_are_judged_apart_and_in_their_shards():
    """Any number of shards, the same warnings."""
    sensors = [
        head(f"{site}{n}", tank=f"T{site}", site=site) for site in ("a", "b", "c") for n in (1, 2)
    ]
    plant = plant_of(leak_rule(), sensors=sensors)
    values = {s.name: (lambda _: 25.0) if s.site != "b" else (lambda _: 1.0) for s in sensors}
    work = seconds(plant, values)

    alone = plant.run(work)
    apart = plant.run(work, count=3)

    assert sorted(body["subject"] for _, body in alone) == ["Ta", "Tc"]
    assert sorted(map(str, alone)) == sorted(map(str, apart))
    assert all(one.is_local for one in place(plant.plan, plant.catalogue)[0])


def test_two_sensors_where_one_is_meant_are_named():
    """Which of the two would decide, is chance."""
    sensors = (
        *THREE,
        Sensor("H1", "heat", "a", "gw-a", attributes={"tank": "T1"}),
        Sensor("H2", "heat", "a", "gw-a", attributes={"tank": "T1"}),
    )
    hot = rule(INPUTS, {"blue": level(above(feature("t", "mean", 2 * S), 60))})
    plant = plant_of(hot, sensors=sensors)

    _, faults = place(plant.plan, plant.catalogue)

    assert [fault.code for fault in faults] == ["E746"]
    assert "T1" in faults[0].message
    assert "`H1`, `H2`" in faults[0].help


def test_a_rule_without_instances_is_refused():
    """Silence that looks like safety."""
    plant = plant_of(leak_rule(by=("dam",)), sensors=THREE)

    assert [fault.code for fault in place(plant.plan, plant.catalogue)[1]] == ["E745"]
