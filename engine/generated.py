"""Generated: tests that nobody has to write: both sides of every threshold, and a gap.

    just below a threshold, however long     its grade never comes
    at it, and just above                    its grade comes, and after exactly its hold
    one period less than the hold            its grade does not come
    a gap from the first warning on          nothing is cleared: silence is no all-clear

Thresholds are tried where a constant reading makes a constant value: `value`, means, extremes,
medians.  A hold is tried where a reading counts at once, in ladders over `value`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.errors import ConfigError
from engine.expecting import clock, since_start_ns, told
from engine.trial import Failure, Trial
from rules import expression as ex
from rules.errors import Place, RuleErrors
from rules.grade import Grade
from rules.grouping import inputs_of
from rules.pack import Ladder, Pack, Rule
from rules.scenario import Feed, Scenario
from rules.units import read_unit
from rules.vocabulary import DATA_FEATURES

NS_PER_S: Final = 1_000_000_000
# Of a constant reading these are constant, too.
STEADY: Final = frozenset({"value", "mean", "min", "max", "median", "p", "ewma"})
PERIOD_DEFAULT_NS: Final = 1 * NS_PER_S
# Beyond the hold, so that an event at its very end is seen.
PERIODS_MORE: Final = 4
READINGS_MAX: Final = 200_000
BLIND_SPANS: Final = 20


@dataclass(frozen=True, slots=True)
class Try:
    """A constant reading for so long, then one on the clear side; whether a grade must come."""

    grade: Grade
    text: str
    value: float
    after: float
    held_ns: int
    must_come: bool
    at_ns: int | None


def boundary_failures(pack: Pack, rule: Rule) -> tuple[int, list[Failure]]:
    """Try every threshold of a ladder; how many tries there were, and what did not hold."""
    failures: list[Failure] = []
    count = 0
    for one in _tries(rule):
        count += 1
        said = _said(pack, rule, one)
        text = _wrong(one, said)
        if text:
            scenario = f"{one.grade.word} {one.text}"
            failures.append(Failure(pack.name, rule.id, scenario, _place(rule, one.grade), text))
    return count, failures


def _tries(rule: Rule) -> Iterator[Try]:
    ladder = rule.ladder
    if ladder is None or not _is_steady(rule, ladder):
        return
    feature = ladder.value
    assert isinstance(feature, ex.Feature)
    window_ns = max(feature.windows_ns, default=0)
    period_ns = _period_ns(rule, window_ns)
    for grade, enter in ladder.enter.items():
        threshold = ex.constant(enter)
        leave = ex.constant(ladder.clear[grade])
        hold_ns = ladder.for_ns[grade]
        if threshold is None or leave is None or (rule.cap is not None and grade > rule.cap):
            continue
        long_ns = 2 * window_ns + hold_ns + PERIODS_MORE * period_ns
        if long_ns // period_ns > READINGS_MAX:
            continue
        toward = -math.inf if ladder.direction == "above" else math.inf
        below, beyond = math.nextafter(threshold, toward), math.nextafter(threshold, -toward)
        calm = leave + (leave - threshold if leave != threshold else -abs(threshold) or -1.0)
        at_ns = hold_ns if feature.name == "value" else None
        yield Try(grade, "just short of it", below, below, long_ns, False, None)
        yield Try(grade, "exactly at it", threshold, threshold, long_ns, True, at_ns)
        yield Try(grade, "just beyond it", beyond, beyond, long_ns, True, at_ns)
        if feature.name == "value" and hold_ns >= 2 * period_ns:
            yield Try(grade, "one period too short", threshold, calm, hold_ns - period_ns,
                      False, None)  # fmt: skip


def _is_steady(rule: Rule, ladder: Ladder) -> bool:
    """A constant reading of the only input is a constant value, and nothing else decides."""
    feature = ladder.value
    return (
        isinstance(feature, ex.Feature)
        and feature.name in STEADY
        and not feature.offset_ns
        and not feature.stream
        and rule.input.kind in (None, "gauge", "waveform")
        and len(inputs_of(rule)) == 1
        and not rule.input.many
        and rule.flap is None
        and rule.model is None
        and not rule.suppress
    )


def _period_ns(rule: Rule, window_ns: int) -> int:
    """How often the made-up sensor reports: as the rule says, as its tests do, or a guess."""
    if rule.input.period_ns:
        return rule.input.period_ns
    periods = [feed.period_ns for test in rule.tests for feed in test.feeds.values()]
    if periods:
        return min(periods)
    return max(PERIOD_DEFAULT_NS, window_ns // 20)


def _said(pack: Pack, rule: Rule, one: Try) -> list[tuple[int, Grade]]:
    """What is said when the constant reading is fed: instants and grades."""
    window_ns = 0
    if isinstance(rule.ladder, Ladder) and isinstance(rule.ladder.value, ex.Feature):
        window_ns = max(rule.ladder.value.windows_ns, default=0)
    period_ns = _period_ns(rule, window_ns)
    unit = read_unit(rule.input.unit or "1")
    held, after = (
        rule.input.scale.show(value, unit, is_point=True) for value in (one.value, one.after)
    )
    end_ns = one.held_ns + PERIODS_MORE * period_ns
    times = range(0, end_ns + 1, period_ns)
    values = tuple(held if at_ns < one.held_ns else after for at_ns in times)
    count = len(values)
    feed = Feed(tuple(times), values, (0,) * count, (0,) * count, period_ns, end_ns)
    sample = rule.tests[0] if rule.tests else None
    scenario = Scenario(
        name=one.text,
        feeds={"input": feed},
        attributes=sample.attributes if sample else {},
        expects=(),
        place=rule.place,
    )
    try:
        said = Trial(pack, rule, scenario).whole.events
    except (RuleErrors, ConfigError):
        # What the rule needs of a catalogue is in its own tests, which say it better.
        return [(one.at_ns or 0, one.grade)] if one.must_come else []
    return [(since_start_ns(body), Grade[str(body["grade"]).upper()]) for body in said]


def _wrong(one: Try, said: list[tuple[int, Grade]]) -> str:
    came_ns = next((at_ns for at_ns, grade in said if grade >= one.grade), None)
    held = f"{one.value:.12g} for {clock(one.held_ns)}, {one.text}"
    if came_ns is None:
        return f"{one.grade.word} never comes of {held}" if one.must_come else ""
    if not one.must_come:
        return f"{one.grade.word} comes @{clock(came_ns)} of {held}"
    if one.at_ns is not None and came_ns != one.at_ns:
        return f"{one.grade.word} comes @{clock(came_ns)} of {held}, not @{clock(one.at_ns)}"
    return ""


def _place(rule: Rule, grade: Grade) -> Place:
    assert rule.ladder is not None
    found = getattr(rule.ladder.enter[grade], "place", None)
    return found if isinstance(found, Place) else rule.place


def gap_failures(trial: Trial) -> list[Failure] | None:
    """Tear the feeds off when the first warning comes; None where there is nothing to tear."""
    rule = trial.rule
    if rule is None or not _holds_in_silence(rule):
        return None
    said = trial.whole.said(trial.name, "")
    if not said or not trial.scenario.feeds:
        return None
    torn_ns = since_start_ns(said[0])
    longest_ns = max((f.windows_ns[-1] for f in _features(rule) if f.windows_ns), default=0)
    more_ns = longest_ns + BLIND_SPANS * max(
        rule.quality.stale_after_ns or 0,
        3 * max(actor.period_ns for actor in trial.scenario.feeds.values()),
    )
    feeds = {name: _torn(feed, torn_ns, more_ns) for name, feed in trial.scenario.feeds.items()}
    torn = replace(trial.scenario, feeds=feeds, csv={}, expects=())
    bad = [
        body
        for body in Trial(trial.pack, rule, torn).whole.said(trial.name, "")
        if body["event"] == "cleared"
    ]
    if not bad:
        return []
    text = f"with a gap from {clock(torn_ns)} on: {told(bad[:1])}, but silence is no all-clear"
    return [Failure(trial.pack.name, rule.id, trial.scenario.name, trial.scenario.place, text)]


def _holds_in_silence(rule: Rule) -> bool:
    """Missing data leave its conditions unknown: it does not look at the data's absence."""
    return (
        rule.cluster is None
        and rule.sequence is None
        and rule.rollup is None
        and rule.quality.unknown == "hold"
        and not any(f.name in DATA_FEATURES for f in _features(rule))
        and not any(isinstance(n, ex.Known | ex.OrElse) for n in _nodes(rule))
    )


def _nodes(rule: Rule) -> Iterator[ex.Node]:
    for condition in rule.conditions:
        yield from ex.walk(condition)


def _features(rule: Rule) -> Iterator[ex.Feature]:
    return (node for node in _nodes(rule) if isinstance(node, ex.Feature))


def _torn(feed: Feed, torn_ns: int, more_ns: int) -> Feed:
    """A feed without anything that comes after an instant, and a long silence."""
    kept = [at for at, time_ns in enumerate(feed.time_ns) if time_ns + feed.delay_ns[at] <= torn_ns]
    return Feed(
        tuple(feed.time_ns[at] for at in kept),
        tuple(feed.value[at] for at in kept),
        tuple(feed.quality[at] for at in kept),
        tuple(feed.delay_ns[at] for at in kept),
        feed.period_ns,
        torn_ns + more_ns,
    )
