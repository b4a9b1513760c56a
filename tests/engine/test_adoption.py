"""What is kept of a saved state when rules or the catalogue have changed, and what is said."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.adoption import adopt, facts_of, retired_of
from engine.anomaly import ModelPlan
from engine.columns import Readings
from engine.definitions import definition
from engine.episodes import Body, Message
from engine.formats import RECORDS, described
from engine.shard import Shard
from engine.sinks import EgressLog
from engine.store import Snapshot, Store
from tests.engine.plants import (
    START,
    Plant,
    S,
    Sensor,
    book_of,
    by_rule,
    catalogue_of,
    feature,
    kind,
    owned,
    rule_text,
    tick,
)

VALUE = "ladder: {{value: value, above: {{blue: {0}, red: 9}}, deadband: 1, clear_for: 3s}}"
MEAN = "ladder: {value: mean(10s), above: {blue: 4, red: 8}, deadband: 1, for: 2s, clear_for: 2s}"


def rules(blue: float = 5, *, more: str = "", mean: str = MEAN) -> tuple[str, str]:
    return rule_text(VALUE.format(blue), name="value", more=more), rule_text(mean, name="mean")


def plant(*texts: str, sensors: Sequence[Sensor] = (Sensor("s"), Sensor("t", site="b"))) -> Plant:
    return Plant(catalogue_of([kind()], sensors), book_of(*(texts or rules())))


def lived(plant: Plant, seconds: range, level: float) -> tuple[Shard, list[Message]]:
    shard = plant.shard()
    return shard, live(plant, shard, seconds, level)


def live(plant: Plant, shard: Shard, seconds: range, level: float) -> list[Message]:
    """Every sensor reports the level once a second."""
    names = plant.catalogue.sensors.name
    frames = [plant.points([(name, second, level) for name in names]) for second in seconds]
    return [message for frame in frames for message in shard.advance(owned([frame], shard))]


def snapshot_of(shard: Shard, folder: Path) -> Snapshot:
    """Through the store, as a restart would."""
    store = Store(folder, "shard-000")
    store.save(1, facts_of(shard), shard.columns())
    return store.load(1)


def successor(plant: Plant, before: Shard, folder: Path) -> Shard:
    shard = plant.shard()
    adopt(shard, snapshot_of(before, folder))
    return shard


def bodies(messages: list[Message], rule: str = "value", subject: str = "s") -> list[Body]:
    return [b for _, b in messages if b["rule"] == rule and b["subject"] == subject]


def test_nothing_changed_keeps_everything(tmp_path):
    """An engine of a new build must go on as if it had been the old one."""
    old = plant()
    shard, _ = lived(old, range(30), 6.0)
    after = successor(old, shard, tmp_path)
    np.testing.assert_array_equal(after.columns()["clock/clock_ns"], shard.clock.clock_ns)
    assert by_rule(live(old, after, range(30, 60), 1.0)) == by_rule(
        live(old, shard, range(30, 60), 1.0)
    )


def test_texts_and_places_do_not_count(tmp_path):
    """A corrected headline, or a comment above the rule, must not forget a standing warning."""
    old = plant()
    told = 'message:\n  zh: {headline: "新"}\n  en: {headline: "new {{ value }}"}'
    new = plant("", "# a comment\n  # and another", *rules(more=told))
    shard, _ = lived(old, range(30), 6.0)
    after = successor(new, shard, tmp_path)
    assert live(new, after, range(30, 32), 6.0) == []
    [cleared] = bodies(live(new, after, range(32, 60), 1.0))
    assert (cleared["event"], cleared["revision"]) == ("cleared", 1)


def test_a_changed_threshold_that_is_still_passed_says_nothing(tmp_path):
    """An author who moves a number a little must not end and raise a county's warnings."""
    old, new = plant(), plant(*rules(5.5))
    shard, messages = lived(old, range(30), 6.0)
    [raised] = bodies(messages)
    after = successor(new, shard, tmp_path)
    assert live(new, after, range(30, 40), 6.0) == []
    [cleared] = bodies(live(new, after, range(40, 60), 1.0))
    assert (cleared["id"], cleared["revision"]) == (raised["id"], 1)
    assert cleared["digest"] != raised["digest"]


def test_a_removed_rule_supersedes_and_counts_on_when_it_comes_back(tmp_path):
    """An id that is used twice would be taken for a fault, and the warning would not be sent."""
    old, without = plant(), plant(rules()[1])
    shard, messages = lived(old, range(30), 6.0)
    second = successor(without, shard, tmp_path)
    told = live(without, second, range(30, 40), 6.0)
    assert [b["event"] for b in bodies(told)] == ["superseded"]
    assert bodies(told, subject="t")[0]["site"] == "b"
    # A plain restart between must not forget it either.
    kept = snapshot_of(second, tmp_path)
    second = without.shard()
    second.restore(kept.columns)
    second.retired = retired_of(kept)
    third = successor(old, second, tmp_path)
    [again] = bodies(live(old, third, range(40, 45), 6.0))
    assert again["event"] == "raised"
    assert again["id"] not in {b["id"] for _, b in messages}


def test_last_words_are_the_same_when_the_start_is_made_again(tmp_path):
    """The egress log must recognise them after a crash in the middle of a start."""
    shard, _ = lived(plant(), range(30), 9.5)
    new = plant(rules()[1])
    snapshot = snapshot_of(shard, tmp_path)
    said = []
    for _ in range(2):
        after = new.shard()
        adopt(after, snapshot)
        said.append(after.advance([]))
    assert len(said[0]) == 2
    assert by_rule(said[0]) == by_rule(said[1])
    log = EgressLog.open(tmp_path / "egress", after.meters)
    assert log.send(said[0]) == log.send(said[1]) == [1, 2]
    log.close()


@pytest.mark.parametrize(
    ("sensors", "heard"),
    [
        ([Sensor("r"), Sensor("s"), Sensor("t", site="b")], "rst"),
        ([Sensor("t", site="b"), Sensor("s")], "st"),
        ([Sensor("s")], "s"),
        ([Sensor("s", period_ns=2 * S), Sensor("u"), Sensor("t", site="c")], "su"),
    ],
)
def test_sensors_that_stay_keep_their_state_wherever_they_stand(sensors, heard, tmp_path):
    """Adding one sensor to a county must not restart the warnings of all the others."""
    old, new = plant(), plant(sensors=sensors)
    shard, messages = lived(old, range(30), 6.0)
    raised = bodies(messages)[0]
    after = successor(new, shard, tmp_path)
    told = live(new, after, range(30, 60), 1.0)
    assert [(b["event"], b["id"]) for b in bodies(told)] == [("cleared", raised["id"])]
    cleared = bodies(told, "mean")
    assert [b["event"] for b in cleared] == ["cleared"]
    assert cleared[0]["event_time"] < START + 45 * S
    # Timers follow the sensor of today: its staleness is that of its period of today.
    row = [new.catalogue.sensors.name[n] for n in after.banks[0].sensor].index("s")
    rule = after.banks[0].reading_rules[0]
    period_ns = new.catalogue.sensors.period_ns[new.sensor("s")]
    assert rule.terms[rule.latch["terms"][row]]["stale_ns"] == max(3 * period_ns, 10 * S)
    assert {b["subject"] for _, b in live(new, after, range(60, 90), 6.0)} >= set(heard)


def test_a_removed_sensor_supersedes_its_warnings(tmp_path):
    shard, messages = lived(plant(), range(30), 6.0)
    after = successor(plant(sensors=[Sensor("s")]), shard, tmp_path)
    told = after.advance([])
    assert {(b["rule"], b["subject"], b["event"]) for _, b in told} == {
        ("value", "t", "superseded"),
        ("mean", "t", "superseded"),
    }
    assert {b["id"] for _, b in told} == {b["id"] for _, b in messages if b["subject"] == "t"}


@pytest.mark.parametrize("back", [False, True])
def test_a_second_gateway_at_one_site_keeps_all_windows(back, tmp_path):
    """Rings are longer where a site waits for two gateways; what they hold must not be lost, or
    every window of the type forgets, and warnings end for want of memory."""
    one = [Sensor("s"), Sensor("t", site="b")]
    two = [*one, Sensor("z", site="b", gateway="h")]
    old, new = (plant(sensors=s) for s in ((two, one) if back else (one, two)))
    assert old.plan.banks[0].slots != new.plan.banks[0].slots
    for rest in range(5):
        shard, _ = lived(plant(sensors=one), range(30 + rest), 6.0)
        before = old.shard()
        adopt(before, snapshot_of(shard, tmp_path / f"first-{rest}"))
        after = successor(new, before, tmp_path / f"second-{rest}")
        frames = [
            new.points([("s", second, 1.0), ("t", second, 1.0)]) for second in range(30 + rest, 60)
        ]
        told = [m for frame in frames for m in after.advance(owned([frame], after))]
        expected = live(plant(sensors=one), shard, range(30 + rest, 60), 1.0)
        assert by_rule(told) == by_rule(expected)
        assert len(expected) == 4


def test_a_sensor_that_moves_takes_no_panes_along(tmp_path):
    """What it measured at one place is no part of a window of another."""
    here, there = Sensor("u"), Sensor("u", site="b")
    old, new = plant(sensors=[Sensor("s"), here]), plant(sensors=[Sensor("s"), there])
    shard, _ = lived(old, range(30), 6.0)
    after = successor(new, shard, tmp_path)
    row = [new.catalogue.sensors.name[n] for n in after.banks[0].sensor].index("u")
    stacks = after.banks[0].windows.good.history.stacks[0]
    assert all(not np.nan_to_num(sums[..., row]).any() for sums in stacks.sums)


def test_a_changed_pane_forgets_the_windows_only(tmp_path):
    """Another rule may ask for finer panes; the latches of this one stay."""
    finer = rule_text('levels: {blue: {when: "mean(500ms) > 99"}}', name="fine")
    old, new = plant(), plant(*rules(), finer)
    assert old.plan.banks[0].pane_ns != new.plan.banks[0].pane_ns
    shard, _ = lived(old, range(30), 6.0)
    after = successor(new, shard, tmp_path)
    for stacks in after.banks[0].windows.good.history.stacks:
        assert not stacks.sums[0].any()
    messages = live(new, after, range(30, 80), 1.0)
    [cleared] = bodies(messages, "mean")
    assert cleared["event"] == "cleared"
    # mean(10s) is unknown until half of it has come, and means what came since.
    assert cleared["event_time"] > START + 34 * S


def test_a_window_that_is_asked_for_more_is_not_half_known(tmp_path):
    """A greatest value of two seconds must not pass for one of ten because the mean is known."""
    more = rule_text('levels: {blue: {when: "max(10s) < 4"}}', name="max")
    old, new = plant(), plant(*rules(), more)
    shard, _ = lived(old, range(30), 6.0)
    live(old, shard, range(30, 32), 1.0)
    after = successor(new, shard, tmp_path)
    [raised] = bodies(live(new, after, range(32, 60), 1.0), "max")
    # Half of a window of ten panes has to come before anything is known of it.
    assert raised["event_time"] >= START + 35 * S
    same = successor(new, after, tmp_path / "again")
    for name, column in after.banks[0].windows.columns().items():
        np.testing.assert_array_equal(same.banks[0].windows.columns()[name], column, name)


def test_records_of_another_layout_end_superseded_and_count_on(tmp_path):
    """A new engine that lays its records out otherwise must not leave warnings open for ever, nor
    use their ids again."""
    old = plant()
    shard, messages = lived(old, range(30), 6.0)
    raised = {body["id"] for _, body in messages}
    snapshot = snapshot_of(shard, tmp_path)
    facts, columns = dict(snapshot.facts), dict(snapshot.columns)
    facts["formats"] = "another engine"
    for name, column in snapshot.columns.items():
        kind = name.rpartition("/")[2]
        if kind in RECORDS:
            names = RECORDS[kind].names or ()
            kinds = [(field, RECORDS[kind][field]) for field in reversed(names)]
            other = np.dtype([("new", "f4"), *kinds])
            records = column.view(RECORDS[kind])
            columns[name] = np.zeros(records.size, dtype=other)
            for field in names:
                columns[name][field] = records[field]
            facts["records"] = {**facts["records"], kind: described(other)}
    after = old.shard()
    assert adopt(after, Snapshot(facts, columns)).kept == 0
    ended = [body for _, body in after.advance([])]
    assert {(body["id"], body["event"], body["previous"]) for body in ended} == {
        (name, "superseded", "blue") for name in raised
    }
    again = live(old, after, range(30, 60), 6.0)
    assert {body["event"] for _, body in again} == {"raised"}
    assert raised.isdisjoint({body["id"] for _, body in again})


def test_the_unit_of_a_type_is_part_of_its_windows(tmp_path):
    """Windows in metres are not windows in millimetres."""
    old = plant()
    shard, _ = lived(old, range(30), 6.0)
    facts = facts_of(shard)
    assert facts["banks"]["gas"]["unit"] == "m"
    facts["banks"]["gas"]["unit"] = "mm"
    after = old.shard()
    adopt(after, Snapshot(facts, dict(shard.columns())))
    assert not after.banks[0].windows.good.history.stacks[0].sums[0].any()


def test_every_part_of_the_meaning_is_in_the_definition():
    """And the holds, the quality, the latch; not the title."""
    base = plant().plan.rules[0]
    changed = [
        rules(6),
        rules(more="latch: [red]"),
        rules(more="quality: {stale_after: 7s}"),
        rules(more="closure: false"),
    ]
    digests = {definition(plant(*texts).plan.rules[0]) for texts in changed}
    assert len(digests | {definition(base)}) == 5


def test_models_keep_what_they_have_learnt(tmp_path):
    """A model needs weeks to know a river; a new sensor elsewhere must not cost it that."""
    text = rule_text(
        'levels: {yellow: {when: "anomaly > 0.99"}}', more="model: {name: m, on_absent: unknown}"
    )
    model = ModelPlan("m", "GaussianScorer", {"grace_period": 3}, (feature("value"),), None, 1e9)

    def with_model(*sensors: Sensor) -> Plant:
        return Plant(catalogue_of([kind()], sensors), book_of(text), models={"gas": model})

    old, new = with_model(Sensor("s")), with_model(Sensor("r"), Sensor("s"))
    shard, _ = lived(old, range(30), 6.0)
    after = successor(new, shard, tmp_path)
    anomaly = after.banks[0].anomaly
    assert anomaly is not None
    assert list(anomaly.models) == [new.sensor("s")]
    assert anomaly.learnt[new.sensor("s")] == 29


def test_what_was_late_stays_late(tmp_path):
    """Old readings are not judged a second time by the windows of today."""
    old, new = plant(), plant(*rules(5.5))
    shard, _ = lived(old, range(30), 6.0)
    after = successor(new, shard, tmp_path)
    after.advance([])
    late: Readings = new.points([("s", 12.5, 9.9)])
    after.advance(owned([late, tick(31)], after))
    assert after.meters.readings[0].tolist()[:2] == [0, 1]
