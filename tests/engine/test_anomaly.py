"""Models of river inside a shard: they learn what is good, survive a restart, and never more."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.anomaly import Anomaly, ModelPlan
from engine.measures import Measures, Window
from engine.shard import Shard
from rules import expression as ex
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
    saved,
    told,
)
from tests.engine.test_model_state import MODELS

NONSENSE = [math.nan, math.inf, -math.inf, 1e300, -2e9]
LEVELS = st.sampled_from([0.0, 0.5, 1.0, 1.5, 9.0])
values = st.lists(LEVELS, min_size=1, max_size=40)


def plan_of(name: str, *features: ex.Feature, sensors: frozenset[int] | None = None) -> ModelPlan:
    detector, parameters = MODELS[name]
    return ModelPlan("m", detector, parameters, features or (feature("value"),), sensors, 1e9)


def measures(values: Sequence[float], end_ns: int = START) -> Measures:
    """One pane of as many sensors as there are values, each just heard."""
    table = np.array(values, dtype=np.float64)
    window = Window(np.ones(table.size), np.ones(table.size), {"mean": table})
    return Measures(
        end_ns=end_ns,
        rows=np.arange(table.size),
        value=table,
        value_ns=np.full(table.size, end_ns, dtype=np.int64),
        is_fresh=np.ones(table.size, dtype=bool),
        age_s=None,
        unchanged_s=None,
        pegged=None,
        pegged_ns=None,
        raw_value=None,
        windows={10 * S: window},
        onsets={},
    )


def score(anomaly: Anomaly, value: float) -> float:
    return float(anomaly.score(np.array([7], dtype=np.int32), measures([value]))[0])


@pytest.mark.parametrize("name", MODELS)
@given(values=values, at=st.integers(0, 40))
def test_scores_go_on_exactly_after_a_restart(name, values, at):
    """A restart in the middle of a flood must not change what is unusual."""
    anomaly = Anomaly(plan_of(name))
    for value in values[:at]:
        score(anomaly, value)
    again = Anomaly(plan_of(name))
    again.restore({key: column.copy() for key, column in anomaly.columns().items()}, None)
    assert again.learnt == anomaly.learnt
    expected = [score(anomaly, value) for value in values[at:]]
    np.testing.assert_array_equal([score(again, value) for value in values[at:]], expected)


@pytest.mark.parametrize("name", MODELS)
@given(
    values=values,
    poison=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(NONSENSE)), max_size=9),
)
def test_nonsense_never_reaches_a_model(name, values, poison):
    """One NaN poisons most online models for ever."""
    clean, fed = Anomaly(plan_of(name)), Anomaly(plan_of(name))
    for place, value in enumerate(values):
        for at, nonsense in poison:
            if at == place:
                assert math.isnan(score(fed, nonsense))
        assert score(fed, value) == pytest.approx(score(clean, value), nan_ok=True, abs=0)
    assert fed.learnt == clean.learnt


@pytest.mark.parametrize("name", MODELS)
def test_a_flat_line_gives_numbers(name):
    """Most sensors say the same most of the time: a spread of zero is no division by zero."""
    anomaly = Anomaly(plan_of(name))
    scores = [score(anomaly, 3.25) for _ in range(100)] + [score(anomaly, 3.5)]
    assert all(math.isfinite(one) for one in scores)
    assert anomaly.reset_count == 0


def test_a_score_that_is_no_number_sends_the_model_back_and_is_counted():
    """A model that went wrong must not stay so, nor be trusted."""
    detector, parameters = MODELS["scorer"]
    # A limit so high that the square of a value overflows inside the model.
    plan = ModelPlan("m", detector, parameters, (feature("value"),), None, 1e300)
    anomaly = Anomaly(plan)
    found = [score(anomaly, value) for value in [1.0, 2.0, 1.5] * 10 + [1e200, 1e250, -1e250, 2.0]]
    assert anomaly.reset_count == 1
    assert sum(math.isnan(one) for one in found) == 1
    assert anomaly.learnt[7] < 4


@pytest.mark.parametrize("name", MODELS)
@given(values=st.lists(st.sampled_from([0.0, 1.0, 1e3, -1e3, 1e8, -9e8]), max_size=120))
def test_a_model_that_fails_inside_stops_nobody(name, values):
    """Its sums may lose their digits after one spike; the engine judges thousands of others, and
    would meet the same spike again after each restart."""
    anomaly = Anomaly(plan_of(name))
    for value in values:
        found = score(anomaly, value)
        assert math.isfinite(found) or anomaly.reset_count > 0


def test_after_a_spike_a_rolling_scorer_goes_back_instead_of_ending_the_engine():
    """A variance that should be zero comes out below it, and its root is no real number."""
    anomaly = Anomaly(plan_of("scorer"))
    random_ = random.Random(3)
    for _ in range(200):
        score(anomaly, 1000.0 * random_.choice([1, -1]) if random_.random() < 0.05 else 1.0)
    assert anomaly.reset_count > 0


def test_a_model_that_cannot_be_read_begins_anew():
    """After a change of river an engine must start; what was learnt is lost, and counted."""
    anomaly = Anomaly(plan_of("trees"))
    score(anomaly, 1.0)
    columns = dict(anomaly.columns())
    columns["model/m/7"] = np.frombuffer(b"spoilt", dtype=np.uint8)
    again = Anomaly(plan_of("trees"))
    again.restore(columns, None)
    assert again.reset_count == 1
    assert score(again, 1.0) == score(Anomaly(plan_of("trees")), 1.0)


def test_only_the_sites_that_were_named_have_models():
    anomaly = Anomaly(plan_of("trees", sensors=frozenset({1})))
    scores = anomaly.score(np.array([0, 1, 2], dtype=np.int32), measures([1.0, 1.0, 1.0]))
    assert np.isnan(scores).tolist() == [True, False, True]
    assert list(anomaly.models) == [1]


def test_an_unknown_feature_is_no_example():
    """A model of two features waits until both are known."""
    anomaly = Anomaly(plan_of("trees", feature("value"), feature("mean", 10 * S)))
    pane = measures([1.0])
    pane.windows[10 * S].fields["mean"][:] = np.nan
    assert np.isnan(anomaly.score(np.array([7], dtype=np.int32), pane)).all()
    assert anomaly.models == {}


def plant(condition: str = "anomaly > 0.99", name: str = "scorer") -> Plant:
    rule = rule_text(
        f'levels: {{yellow: {{when: "{condition}", for: 2s, clear_for: 3s}}}}',
        more="model: {name: m, on_absent: unknown}\nquality: {max_blind: 5s}",
    )
    model = plan_of(name, feature("change", 5 * S))
    return Plant(
        catalogue_of([kind()], [Sensor("s"), Sensor("t", site="b")]),
        book_of(rule),
        models={"gas": model},
    )


def day(plant: Plant) -> list[list[object]]:
    """A quiet minute, a jump that goes on, quiet again, then nothing."""
    rng = np.random.default_rng(1)
    levels = rng.normal(0, 0.1, 120)
    levels[60:75] += np.arange(15) * 2.0
    return [[plant.points([(name, t, v) for name in "st"])] for t, v in enumerate(levels.tolist())]


def test_a_rule_on_anomaly_is_judged_through_the_shard():
    """What the model finds unusual becomes a warning, and ends."""
    world = plant()
    messages = world.run(day(world))
    events = [event for event in told(messages) if event[0] != "restored"]
    assert events[0][:2] == ("raised", "yellow")
    assert 60 < events[0][2] < 75
    assert events[-1][0] == "cleared"
    assert all(0.0 <= body["value"] <= 1.0 for _, body in messages)


@pytest.mark.parametrize("name", ["scorer", "trees", "threshold"])
def test_a_shard_with_models_is_restored(name):
    """Same journal, same warnings, models and all."""
    world = plant("anomaly > 0.9", name)
    work = day(world)
    whole = by_rule(world.run(work))
    for at in (1, 40, 68, 100):
        before, after = world.shard(), world.shard()
        said = [m for group in work[:at] for m in before.advance(owned(group, before))]
        after.restore(saved(before))
        said += [m for group in work[at:] for m in after.advance(owned(group, after))]
        assert by_rule(said) == whole


def test_a_silent_sensor_teaches_its_model_nothing():
    """The last value, carried over an hour, is not an hour of examples."""
    world = Plant(
        catalogue_of([kind()], [Sensor("s"), Sensor("t")]),
        book_of(rule_text('levels: {blue: {when: "anomaly > 0.5"}}', more="model: {name: m}")),
        models={"gas": plan_of("scorer")},
    )
    shard: Shard = world.shard()
    for second in range(200):
        names = "st" if second < 50 else "t"
        shard.advance(owned([world.points([(name, second, 1.0) for name in names])], shard))
    anomaly = shard.banks[0].anomaly
    assert anomaly is not None
    assert anomaly.learnt[1] == 199
    assert 50 <= anomaly.learnt[0] <= 60
