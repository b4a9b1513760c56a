"""Laws of time in a shard: clocks, panes, order of arrival, evidence, forgetting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.columns import Readings, Series
from engine.episodes import Message
from engine.shard import Tick
from kernels.stage import NEVER
from tests.engine import streams
from tests.engine.plants import (
    MS,
    NO_QUALITY,
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
from tests.engine.streams import stories, work_of

PLANT = streams.plant()
LATENESS = 3 * S


@given(story=stories)
def test_clocks_and_panes_never_go_back(story):
    """A pane that was judged stays judged; time that has passed does not come again."""
    shard = PLANT.shard()
    clock, panes = shard.clock.clock_ns.copy(), shard.clock.next_pane.copy()
    for item in work_of(PLANT, story):
        shard.advance(owned([item], shard))
        assert np.all(shard.clock.clock_ns >= clock)
        assert np.all(shard.clock.next_pane >= panes)
        clock, panes = shard.clock.clock_ns.copy(), shard.clock.next_pane.copy()
        # Nothing that the clock has passed is left open.
        for number, bank in enumerate(shard.clock.bank):
            complete = (clock - bank["lateness_ns"] - 1) // bank["pane_ns"]
            seen = (clock != NEVER) & (np.diff(shard.layout.site_rows[number]) > 0)
            assert np.all(panes[number][seen] >= complete[seen])


@given(story=stories)
def test_no_warning_comes_before_its_evidence(story):
    """Its time is in the data: none that neither clock nor readings have reached."""
    shard = PLANT.shard()
    times: set[int] = set()
    for item in work_of(PLANT, story):
        if isinstance(item, Readings):
            times |= set(item.time_ns.tolist())
        elif isinstance(item, Series):
            count = item.value.shape[1]
            times |= {item.t0_ns + j * item.period_ns for j in range(count)}
        messages = shard.advance(owned([item], shard))
        for _, body in messages:
            site = PLANT.catalogue.sites.name.index(str(body["site"]))
            row = int(np.flatnonzero(shard.layout.site == site)[0])
            # A sensor's own newer reading ends its timers too, while its site still waits.
            assert body["event_time"] <= max([shard.clock.clock_ns[row], *times])
            [evidence] = body["evidence"]
            assert evidence["time"] <= body["event_time"]
            assert evidence["time"] in times or body["rule"] not in VALUE_RULES
            if body["rule"] == "gas-value" and body["event"] in ("raised", "upgraded"):
                # A hold of whole seconds after some reading.
                assert any(body["event_time"] - hold * S in times for hold in (0, 1, 2))


VALUE_RULES = {"gas-value", "flow-low", "flow-level", "wave-value"}
WINDOWS = Plant(
    catalogue_of([kind(lateness_ns=LATENESS)], [Sensor("s"), Sensor("pace")]),
    book_of(
        rule_text(
            "ladder: {value: mean(5s), above: {blue: 0.31, yellow: 1.13}, deadband: 0.2}",
            name="mean",
            more="quality: {coverage: 20%}",
        ),
        rule_text(
            'levels: {blue: {when: "max(5s) > 1.1 and min(5s) < 0.9"}, '
            'yellow: {when: "slope(5s) > 0.21 m/s"}, orange: {when: "std(10s) > 1.234 m"}, '
            'red: {when: "change(10s) > 1.9 or count(5s) > 9"}}',
            name="shape",
        ),
    ),
)
samples = st.lists(
    st.tuples(st.integers(1, 400), st.integers(-8, 16)), min_size=1, max_size=60,
    unique_by=lambda sample: sample[0],
)  # fmt: skip


@given(samples=samples, seed=st.integers(0, 999))
def test_any_order_within_the_lateness_gives_the_same_warnings(samples, seed):
    """Radio networks deliver out of order; that must not be weather."""
    samples = sorted(samples)
    rng = np.random.default_rng(seed)
    arrival = [t * 100 * MS + int(rng.integers(0, LATENESS)) for t, _ in samples]
    order = np.argsort(arrival, kind="stable")
    end = [tick(100)]

    in_order = [_reading(sample) for sample in samples]
    shuffled = [_reading(samples[i]) for i in order]

    assert by_rule(_judged([*shuffled, *end])) == by_rule(_judged([*in_order, *end]))


@given(past=samples, samples=samples)
def test_the_past_does_not_haunt(past, samples):
    """A window's verdict depends on what is in it: a spike leaves no trace when it has left."""
    later = [(t + 1000, value) for t, value in sorted(samples)]
    wild = [(t, value * 1e12) for t, value in sorted(past)]
    # A minute of calm: longer than any window, and every latch has let go.
    calm = [_reading((t, 0)) for t in range(410, 1001, 10)]
    clean = _judged([*calm, *map(_reading, later), tick(300)])
    haunted = _judged([*map(_reading, wild), *calm, *map(_reading, later), tick(300)])
    start_ns = START + 99 * S

    assert _measured(haunted, start_ns) == _measured(clean, start_ns)


def _reading(sample: tuple[int, float]) -> Readings:
    """One reading of `s`, tenths of a second after the start."""
    tenths, value = sample
    time_ns = np.array([START + tenths * 100 * MS])
    # Received long after: nothing here is about the future.
    return Readings(
        np.zeros(1, dtype=np.int32), time_ns, np.array([value / 4]), NO_QUALITY, START + 999 * S
    )


def _judged(work: list[Readings | Tick]) -> list[Message]:
    return WINDOWS.run([item] for item in work)


def _measured(messages: list[Message], from_ns: int) -> list[tuple[object, ...]]:
    """Grades and values from an instant on; ids and revisions count the past."""
    return [
        (b["rule"], b["grade"], b["event_time"], repr(b["value"]))
        for _, b in messages
        if int(str(b["event_time"])) > from_ns and b["event"] not in ("blind", "restored")
    ]


def test_a_silent_bank_is_watched_from_the_first_clock_of_its_site():
    """A gateway that never sends one of its types is noticed, whoever looks, whenever."""
    plant = Plant(
        catalogue_of(
            [kind("gas"), kind("flow")],
            [Sensor("s"), Sensor("dumb", "flow")],
        ),
        book_of(
            rule_text('levels: {yellow: {when: "age > 5s"}}', sensor_type="flow", name="age"),
            rule_text(
                'levels: {blue: {when: "count(4s) < 1", for: 3s}}', sensor_type="flow", name="count"
            ),
        ),
    )
    work = plant.feed("s", [1.0] * 30)
    one_by_one = plant.run([item] for item in work)
    assert {body["rule"] for _, body in one_by_one} == {"age", "count"}
    assert by_rule(plant.run([work])) == by_rule(one_by_one)


def test_after_a_long_sleep_timers_end_where_they_would_have():
    """A month without data is jumped over, but not the hold, the staleness or the blindness."""
    rules = book_of(
        rule_text(
            'levels: {blue: {when: "count(10s) < 3", for: 30min}, yellow: {when: "value > 5"}}',
            more="quality: {stale_after: 20min, max_blind: 40min}",
        )
    )
    plant = Plant(catalogue_of([kind()], [Sensor("s")]), rules, tick_ns=None)
    work = [
        *plant.feed("s", [9.0] * 20),
        *plant.feed("s", {40 * 86_400.0: 1.0, 40 * 86_400.0 + 5: 1.0}),
    ]
    at_once = plant.run([work])
    minutes = [tick(60.0 * minute) for minute in range(1, 200)]
    slowly = plant.run([item] for item in [*work[:20], *minutes, *work[20:]])

    assert [b["event"] for _, b in at_once][:3] == ["raised", "blind", "restored"] or at_once
    assert by_rule(slowly) == by_rule(at_once)
