"""What judges beyond one site goes on through snapshots, and through changes of rules."""

from dataclasses import dataclass, field, replace

import pytest

from engine.assembly import Activation
from engine.correlator import Correlator
from engine.meters import Meters
from engine.store import Store
from tests.engine.plants import Plant, book_of, by_rule, owned, tick, told
from tests.engine.test_correlate import FOLLOW, MOVE, OVERALL, SEEP, dam_of, steps

HIGHER = OVERALL.replace("{{count: 4, at: blue", "{{count: 5, at: blue")


@dataclass
class Config:
    """What the correlator asks of a configuration."""

    status: str = "test"


@dataclass
class Rules:
    """A set of rules as the correlator sees an assembly."""

    plant: Plant
    digest: str
    config: Config = field(default_factory=Config)

    def correlate(self, meters):
        return self.plant.correlate(meters)


@dataclass
class Sets:
    """All sets that there are."""

    known: dict
    shard_count: int = 2

    def assembly(self, digest):
        return self.known[digest]


class Engine:
    """Two shards and a correlator that changes its rules when they do."""

    def __init__(self, folder, plants):
        self.sets = Sets({name: Rules(plant, name) for name, plant in plants.items()})
        self.store = Store(folder, "correlate")
        self.meters = Meters(["gauge", "well", "rain"])
        self.correlator = Correlator(sets=self.sets, store=self.store, meters=self.meters)
        self.plant, self.shards = None, []

    def activate(self, name):
        self.plant = self.sets.assembly(name).plant
        self.shards = [self.plant.shard(number, 2) for number in range(2)]
        found = []
        for number in (1, 0):
            # The first shard that comes to it does not wait for the other.
            found += self.correlator.advance(number, [Activation(self.sets.assembly(name))])
        return found

    def advance(self, group):
        found = []
        for number, shard in enumerate(self.shards):
            found += shard.advance(owned(group, shard))
            report = shard.report()
            found += self.correlator.advance(number, [report] if report else [])
        return found

    def restart(self):
        number = self.correlator.save()
        self.correlator = Correlator(sets=self.sets, store=self.store, meters=self.meters)
        self.correlator.restore(number)


def lived(engine, plant, changes, end=40):
    return [engine.advance(group) for group in steps(plant, changes, end)]


@pytest.mark.parametrize("stops", [(), (3,), (12, 13, 30), range(60)])
def test_a_restart_between_any_two_steps_says_the_same(tmp_path, stops):
    """Whatever is remembered is in the snapshot, or the next engine judges otherwise."""
    plant = dam_of(FOLLOW)
    changes = {5: {"g0": 2.5}, 8: {"g0": 0.0}, 20: {"g1": 2.5}}
    engine = Engine(tmp_path, {"one": plant})
    found = engine.activate("one")
    for number, group in enumerate(steps(plant, changes)):
        if number in stops:
            engine.restart()
        found += engine.advance(group)

    assert by_rule(found) == by_rule(plant.run(steps(plant, changes), 2))


def test_a_rule_that_is_changed_keeps_its_warning_and_is_asked_once(tmp_path):
    """Four blue points were yellow; now it takes five, and the dam is blue at once."""
    four = dam_of()
    five = replace(four, book=dam_book(HIGHER))
    engine = Engine(tmp_path, {"four": four, "five": five})
    engine.activate("four")
    up = {5: {f"g{n}": 1.5 for n in range(4)}}
    for group in steps(four, up, end=20)[:-1]:
        engine.advance(group)

    said = engine.activate("five")
    for second in (20, 21, 22):
        rows = [(n, second, 1.5 if n in up[5] else 0.0) for n in five.catalogue.sensors.name]
        said += engine.advance([five.points(rows), tick(second)])

    overall = [one for one in said if one[1]["rule"] == "overall"]
    assert [(event, grade) for event, grade, _ in told(overall)] == [("downgraded", "blue")]


def test_a_rule_that_is_gone_ends_with_superseded_and_counts_on_when_it_returns(tmp_path):
    """Nobody watches the dam any more, which is no all-clear."""
    dam = dam_of()
    bare = replace(dam, book=dam_book(None))
    engine = Engine(tmp_path, {"dam": dam, "bare": bare, "again": dam})
    engine.activate("dam")
    first = [m for part in lived(engine, dam, {5: {"g0": 2.5}}, end=20) for m in part]

    gone = engine.activate("bare")
    engine.activate("again")
    again = []
    for second in range(100, 120):
        rows = [(n, second, 2.5 if n == "g0" else 0.0) for n in dam.catalogue.sensors.name]
        again += engine.advance([dam.points(rows), tick(second)])

    raised = [body for _, body in first if body["rule"] == "overall"]
    assert [(body["event"], body["grade"]) for _, body in gone] == [("superseded", "none")]
    assert gone[0][1]["id"] == raised[0]["id"]
    anew = [body for _, body in again if body["rule"] == "overall"]
    assert anew[0]["id"] != raised[0]["id"]


def dam_book(overall):
    rules = [MOVE, SEEP, *([overall.format(each="")] if overall else [])]
    return book_of(*rules)
