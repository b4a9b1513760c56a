"""Puppets: rules that say what a test tells them to say.

A test of a rule that looks at other rules gives their grades in time.  For each of them a stand-in
takes part under the same name: a ladder over a made-up sensor that reports the grade as a number.
So grades reach the rule that is tried on the same way as live, at exactly the times of the test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rules import expression as ex
from rules.errors import Place
from rules.grade import COLOURS, Grade
from rules.message import NO_MESSAGE
from rules.pack import Input, Ladder, Pack, Quality, Rule, references
from rules.scenario import Feed, GradeFeed, Scenario
from rules.units import NUMBER, Scale, read_unit

NS_PER_S: Final = 1_000_000_000
# A grade is told again so often, or a hundred times in a test.
AGAIN_NS: Final = 60 * NS_PER_S
TIMES: Final = 100
CENTURY_NS: Final = 100 * 365 * 86_400 * NS_PER_S
KIND: Final = "grade-of-"


def puppets_of(pack: Pack, rule: Rule, scenario: Scenario) -> dict[str, Rule]:
    """A stand-in for each rule that the tried one looks at and the test does not feed."""
    names = sorted(references(rule) | {name for name, _ in scenario.grades})
    known = {f"{one.pack}/{one.id}": one for one in pack.rules}
    return {name: _puppet(known.get(name), name, rule) for name in names}


def grade_feeds(names: Sequence[str], scenario: Scenario) -> Iterator[tuple[str, str, Feed]]:
    """What the stand-ins are fed: the rule, the key of the instance (or its name), the readings."""
    end_ns = end_of(scenario)
    nothing = GradeFeed(((0, Grade.NONE),), end_ns)
    for name in names:
        mine = {key: feed for (of, key), feed in scenario.grades.items() if of == name}
        for key, feed in (mine or {"": nothing}).items():
            yield name, key or name.partition("/")[2], _feed(feed, end_ns)


def end_of(scenario: Scenario) -> int:
    """When the longest feed of a test ends."""
    ends = [feed.end_ns for feed in scenario.feeds.values()]
    return max([*ends, *(feed.end_ns for feed in scenario.grades.values())], default=0)


def _puppet(original: Rule | None, name: str, tried: Rule) -> Rule:
    """A ladder whose grade is the number that is read."""
    pack, _, short = name.partition("/")
    scale = Scale(read_unit("1"))
    source = Input(f"{KIND}{short}", "1", scale, None, "gauge")
    place = tried.place
    base = original or replace(tried, pack=pack, id=short)
    return replace(
        base,
        mode="live",
        input=source,
        inputs={"": source},
        by=("sensor",),
        quality=Quality(stale_after_ns=CENTURY_NS),
        lateness_ns=None,
        lets={},
        ladder=_ladder(place),
        levels=None,
        rollup=None,
        sequence=None,
        cluster=None,
        latch=frozenset(),
        closure=True,
        cap=None,
        message=NO_MESSAGE,
        tests=(),
        model=None,
        flap=None,
        budget=None,
        suppress=(),
        inhibits=(),
        escalate=(),
        overrides=(),
        limits={},
        require_assets=(),
        monotone="",
        downgrade_after_ns=0,
    )


def _ladder(place: Place) -> Ladder:
    def bounds(shift: float) -> Mapping[Grade, ex.Node]:
        return {grade: ex.Number(grade + shift, NUMBER, place) for grade in COLOURS}

    value = ex.Feature("value", (), NUMBER, place)
    at_once = dict.fromkeys(COLOURS, 0)
    return Ladder(value, "above", bounds(0.0), bounds(-0.5), at_once, dict(at_once), "1")


def _feed(grades: GradeFeed, end_ns: int) -> Feed:
    """The grade as a number at each change, and now and then in between."""
    again_ns = max(AGAIN_NS, end_ns // TIMES)
    starts = [start_ns for start_ns, _ in grades.steps]
    times = sorted({*starts, *range(0, end_ns + 1, again_ns)})
    values = [float(_at(grades, time_ns)) for time_ns in times]
    count = len(times)
    return Feed(tuple(times), tuple(values), (0,) * count, (0,) * count, again_ns, end_ns)


def _at(grades: GradeFeed, time_ns: int) -> Grade:
    """The grade at an instant; `none` before the first step, the last one for ever."""
    found = [grade for start_ns, grade in grades.steps if start_ns <= time_ns]
    return found[-1] if found else Grade.NONE
