"""Laws of a shard: what is said depends on the work, and on nothing about how it was cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import Series
from engine.shard import Tick
from engine.store import Store
from tests.engine import streams
from tests.engine.plants import S, by_rule, by_subject, canonical, owned
from tests.engine.streams import Step, Story, as_points, cut, grouped, stories, work_of

PLANT = streams.plant()
places = st.lists(st.integers(0, 10_000), max_size=6)


@given(story=stories)
def test_any_number_of_shards_says_the_same(story):
    """A county that grows adds shards; no warning may change because of that."""
    groups = [[item] for item in work_of(PLANT, story)]
    alone = by_subject(PLANT.run(groups))
    assert by_subject(PLANT.run(groups, 2)) == alone
    assert by_subject(PLANT.run(groups, 3)) == alone


@given(story=stories, places=places)
def test_how_work_is_grouped_changes_nothing(story, places):
    """After a crash the journal is read in large pieces; live, record by record."""
    work = work_of(PLANT, story)
    one_by_one = by_rule(PLANT.run([item] for item in work))
    assert by_rule(PLANT.run([work])) == one_by_one
    assert by_rule(PLANT.run(grouped(work, places))) == one_by_one


@given(story=stories, places=places)
def test_where_frames_are_cut_changes_nothing(story, places):
    """The gateway decides where frames end; no result may depend on that."""
    work = work_of(PLANT, story)
    pieces = [piece for item in work for piece in cut(item, places)]
    whole = by_rule(PLANT.run([item] for item in work))
    assert by_rule(PLANT.run([piece] for piece in pieces)) == whole
    assert by_rule(PLANT.run([pieces])) == whole


@given(story=stories)
def test_a_series_frame_is_its_samples(story):
    """A gateway may send waveforms in either form; the samples are the same."""
    work = work_of(PLANT, story)
    points = [as_points(item) if isinstance(item, Series) else item for item in work]
    assert by_rule(PLANT.run([item] for item in points)) == by_rule(
        PLANT.run([item] for item in work)
    )


@given(story=stories, places=places, data=st.data())
def test_a_restored_shard_goes_on_as_if_nothing_had_happened(story, places, data, tmp_path_factory):
    """kill -9 at any moment must not change what people are told."""
    work = work_of(PLANT, story)
    uninterrupted = PLANT.run([item] for item in work)
    store = Store(tmp_path_factory.mktemp("state"), "shard-000")
    at = data.draw(st.integers(0, len(work)))

    before = PLANT.shard()
    said = [message for item in work[:at] for message in before.advance(owned([item], before))]
    store.save(1, {"note": "kept"}, before.columns())
    after = PLANT.shard()
    after.restore(store.load(1).columns)
    for group in grouped(work[at:], places):
        said += after.advance(owned(group, after))

    assert by_rule(said) == by_rule(uninterrupted)


@given(story=stories)
def test_every_reading_is_folded_late_or_set_aside(story):
    """Nothing is dropped silently: the counters add up, type by type."""
    work = work_of(PLANT, story)
    shard = PLANT.shard()
    for item in work:
        shard.advance(owned([item], shard))
    received = np.zeros(len(streams.TYPES), dtype=np.int64)
    for item in work:
        if not isinstance(item, Tick):
            per_sensor = item.value.size // item.sensor.size
            of_type = PLANT.catalogue.sensors.type[item.sensor]
            received += per_sensor * np.bincount(of_type, minlength=received.size)
    np.testing.assert_array_equal(shard.meters.readings.sum(axis=1), received)


@given(story=stories)
def test_one_id_and_revision_has_one_content(story):
    """Consumers keep the first and treat a different second as a fault."""
    messages = PLANT.run([item] for item in work_of(PLANT, story))
    keys = [(body["id"], body["revision"]) for _, body in messages]
    assert len(set(keys)) == len(keys)
    # Revisions of an episode count from 0 without holes, its first event is `raised`.
    revisions: dict[object, list[object]] = {}
    for _, body in messages:
        revisions.setdefault(body["id"], []).append(body["revision"])
        assert (body["revision"] == 0) == (body["event"] == "raised")
    for found in revisions.values():
        assert found == list(range(len(found)))


def test_the_law_plant_is_not_silent():
    """Laws about warnings prove nothing when there are none: every rule of the plant speaks."""
    loud = [
        Step(gateway, later_ns, value, 0, seed)
        for seed in (2, 5, 8)
        for value, later_ns in ((1, 0), (2, S), (4, S), (5, 0), (6, 0), (8, 0), (0, 4 * S))
        for gateway in range(4)
        for _ in range(3)
    ]
    messages = PLANT.run([item] for item in work_of(PLANT, Story(loud, has_ticks=True)))
    assert {body["rule"] for _, body in messages} == {rule.id for rule in PLANT.book.packs[0].rules}
    events = {body["event"] for _, body in messages}
    assert {"raised", "upgraded", "downgraded", "cleared", "blind", "restored"} <= events
    assert len({canonical(message) for message in messages}) == len(messages)
