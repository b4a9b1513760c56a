"""Trails, means, delays and motions outlive a change of the catalogue and of other rules."""

import numpy as np
import pytest

from engine.adoption import adopt, facts_of
from engine.shard import Shard
from engine.store import Snapshot, Store
from tests.engine.plants import Plant, Sensor, book_of, catalogue_of, kind, owned, rule_text
from tests.engine.recorder import feature, recording

CONDITIONS = (
    "median(20s) > 3 m or mad_score(20s) > 3",
    "ewma(5s) > 3 m",
    "mean(10s, offset=15s) > 3 m and bad_share(10s) < 0.5",
    "slope(20s, robust=true) > 0.01 m/s or time_to(9 m, trend=20s) < 10s",
)
ONE, TWO, THREE = Sensor("one"), Sensor("two", site="b"), Sensor("three")


def plant(conditions: tuple[str, ...], *sensors: Sensor) -> Plant:
    rules = [
        rule_text(f"levels: {{blue: {{when: '{text}'}}}}", name=f"r{number}")
        for number, text in enumerate(conditions)
    ]
    return Plant(catalogue_of([kind()], list(sensors)), book_of(*rules), silence_ns=0)


def live(plant: Plant, shard: Shard, seconds: range, names: tuple[str, ...]) -> None:
    for second in seconds:
        level = 4 + np.sin(second / 3) + (second % 7 == 0)
        frame = plant.points([(name, second, level) for name in names])
        shard.advance(owned([frame], shard))


def history_of(shard: Shard, plant: Plant, name: str) -> dict[str, np.ndarray]:
    """What the shard remembers of one sensor."""
    row = [plant.catalogue.sensors.name[number] for number in shard.banks[0].sensor].index(name)
    found = {}
    for column, values in shard.banks[0].windows.columns().items():
        rows = len(shard.banks[0].sensor)
        part = values.reshape(rows, -1)[row] if values.ndim == 1 else values[..., row]
        found[column] = np.ascontiguousarray(part)
    return found


@pytest.mark.parametrize("now", [(ONE, THREE, TWO), (TWO, ONE)])
def test_a_sensor_beside_others_keeps_its_history(tmp_path, now):
    """A new gauge at a dam must not make the old ones forget three days of creep."""
    old, new = plant(CONDITIONS, ONE, TWO), plant(CONDITIONS, *now)
    shard = old.shard()
    live(old, shard, range(1, 50), ("one", "two"))
    store = Store(tmp_path, "shard-000")
    store.save(1, facts_of(shard), shard.columns())
    after = new.shard()
    adopt(after, store.load(1))
    for name in ("one", "two"):
        before, kept = history_of(shard, old, name), history_of(after, new, name)
        assert before.keys() == kept.keys()
        for column, values in before.items():
            np.testing.assert_array_equal(values, kept[column], err_msg=column)
    live(old, shard, range(50, 90), ("one", "two"))
    live(new, after, range(50, 90), ("one", "two"))
    for column, values in history_of(shard, old, "one").items():
        np.testing.assert_array_equal(values, history_of(after, new, "one")[column], column)


LEVELS = "levels: {blue: {when: 'mean(20s) > 99 m'}}"
ASKED = [
    feature("max", 20),
    feature("change", 20),
    feature("median", 20),
    feature("bad_share", 20),
    feature("mean", 20),
    feature("mean", 20, offset_s=5),
    feature("ewma", 5),
]


@pytest.mark.parametrize("until", range(41, 64))
def test_what_a_new_rule_asks_is_unknown_until_it_has_filled(until):
    """The window of a mean has been kept for years; the maximum of it only since the new rule."""
    plain = Plant(catalogue_of([kind()], [ONE, TWO]), book_of(rule_text(LEVELS)), silence_ns=0)
    shard = plain.shard()
    live(plain, shard, range(1, until), ("one", "two"))
    after, recorder = recording(plain, ASKED)
    adopt(after, Snapshot(facts_of(shard), dict(shard.columns())))
    whole, truth = recording(plain, ASKED)
    live(plain, whole, range(1, until), ("one", "two"))
    live(plain, after, range(until, until + 60), ("one", "two"))
    live(plain, whole, range(until, until + 60), ("one", "two"))
    for key, found in recorder.seen.items():
        for one, value in found.items():
            if one.name == "ewma":
                # It begins anew, and forgets that within a few of its time constants.
                assert np.isnan(value) or key[1] >= until + 5
                assert not np.isnan(value) or key[1] < until + 8
                assert key[1] < until + 50 or abs(value - truth.seen[key][one]) < 1e-3
                continue
            is_equal = np.isclose(value, truth.seen[key][one], equal_nan=True)
            assert np.isnan(value) or is_equal, (key, one.name, value, truth.seen[key][one])
            assert is_equal or key[1] <= until + 30, (key, one.name)
            assert is_equal or one != ASKED[4]
