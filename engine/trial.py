"""Trial: the tests that rule packs carry, run through a real shard.

A test's feed becomes the readings of one sensor, which arrive in the order of their time and their
delay; the events that follow are compared with what the author expects.  The same rooms, kernels
and latches as live; only the catalogue is made up: one site, one gateway, one sensor.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import numpy as np

from engine.columns import Readings
from engine.episodes import Body
from engine.errors import EXIT_FINDINGS, EXIT_OK, ConfigError
from engine.latches import Latches
from engine.layout import lay_out
from engine.meters import Meters
from engine.registry import Catalogue, Gateways, Sensors, Sites
from engine.sensor_types import SensorType
from engine.shard import Shard, ShardSettings, Tick
from engine.sorts import sorts_of
from kernels.latch import BLIND, UNKNOWN
from rules import book as rule_book
from rules.errors import Faults, Place, as_texts
from rules.grade import Grade
from rules.judge import WHEN_UNKNOWN
from rules.pack import Book, Pack, Rule
from rules.plan import make_plan
from rules.scenario import At, Between, Events, Expectation, Happening, Lead, Never, Scenario

NS_PER_S = 1_000_000_000
# 2026-01-01T00:00:00Z: every pane length divides it.
START_NS = 1_767_225_600 * NS_PER_S
SENSOR = "input"
CHANGES = ("raised", "upgraded", "downgraded", "cleared")


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that did not hold."""

    pack: str
    rule: str
    scenario: str
    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands at one instant."""

    grade: Grade
    state: str
    quality: str


def test(paths: Sequence[Path]) -> int:
    """Run the tests of packs; print one line each, and why where one fails."""
    book = rule_book.load(list(paths))
    if book.errors:
        raise ConfigError(book.errors)
    warnings = [fault for fault in book.faults if fault.kind == "warning"]
    if warnings:
        click.echo(as_texts(warnings), err=True)
    failures: list[Failure] = []
    count = 0
    for pack in book.packs:
        for rule in pack.rules:
            for scenario in rule.tests:
                found = try_scenario(pack, rule, scenario)
                count += 1
                failures += found
                mark = click.style("FAIL", fg="red") if found else click.style("ok", fg="green")
                click.echo(f"{mark:>4}  {pack.name}/{rule.id}: {scenario.name}")
                for failure in found:
                    click.echo(f"      {failure.place}: {failure.text}")
    click.echo(f"{count - _failed(failures)} passed, {_failed(failures)} failed")
    sys.stdout.flush()
    return EXIT_FINDINGS if failures else EXIT_OK


def _failed(failures: Sequence[Failure]) -> int:
    return len({(failure.pack, failure.rule, failure.scenario) for failure in failures})


def try_scenario(pack: Pack, rule: Rule, scenario: Scenario) -> list[Failure]:
    """Run one test; what did not hold comes back, with its place."""
    events = play(pack, rule, scenario, None)[0]
    failures = []
    for expectation in scenario.expects:
        text = _contradiction(pack, rule, scenario, events=events, expectation=expectation)
        if text:
            place = expectation.place
            failures.append(Failure(pack.name, rule.id, scenario.name, place, text))
    return failures


def play(
    pack: Pack, rule: Rule, scenario: Scenario, until_ns: int | None
) -> tuple[list[Body], Standing]:
    """Feed a shard up to an instant of the test; its events, and how the rule stands then."""
    feed = scenario.feeds[SENSOR]
    end_ns = feed.end_ns if until_ns is None else until_ns
    shard = _shard(pack, rule, scenario)
    time_ns = np.array(feed.time_ns, dtype=np.int64)
    arrival_ns = time_ns + np.array(feed.delay_ns, dtype=np.int64)
    order = np.argsort(arrival_ns, kind="stable")
    order = order[arrival_ns[order] <= end_ns]
    value = np.array(feed.value, dtype=np.float64)
    quality = np.array(feed.quality, dtype=np.uint8)
    work: list[Readings | Tick] = [
        Readings(
            np.zeros(1, dtype=np.int32),
            START_NS + time_ns[at : at + 1],
            value[at : at + 1],
            quality[at : at + 1],
            START_NS + int(arrival_ns[at]),
        )
        for at in order
    ]
    lateness_ns = int(shard.clock.bank["lateness_ns"].max())
    # The clock must pass the end by more than the lateness, so that all up to it is known.
    work.append(Tick(START_NS + end_ns + lateness_ns + 1))
    bodies = [body for _, body in shard.advance(work)]
    events = [body for body in bodies if _event_ns(body) <= START_NS + end_ns]
    return events, _standing(shard, events, START_NS + end_ns)


def _event_ns(body: Body) -> int:
    event_ns = body["event_time"]
    assert isinstance(event_ns, int)
    return event_ns


def _shard(pack: Pack, rule: Rule, scenario: Scenario) -> Shard:
    catalogue = _catalogue(rule, scenario)
    lone = Pack(pack.name, pack.version, pack.digest, pack.owner, pack.path, (rule,))
    book = Book((lone,), pack.digest, Faults())
    plan = make_plan(book, sorts_of(catalogue), silence_ns=0, tick_ns=NS_PER_S)
    shard = Shard(
        lay_out(catalogue, 0, 1),
        plan,
        catalogue,
        settings=ShardSettings(silence_ns=0, future_max_ns=0, status="test"),
        meters=Meters([rule.input.type]),
        anomalies={},
    )
    for bank in shard.banks:
        for latches in bank.rules:
            # Expectations ask what is known of a row also while it is quiet.
            latches.is_thorough = True
    return shard


def _catalogue(rule: Rule, scenario: Scenario) -> Catalogue:
    kind: Literal["gauge", "increment", "counter", "waveform"] = rule.input.kind or "gauge"
    period_ns = scenario.feeds[SENSOR].period_ns
    sensor_type = SensorType(
        name=rule.input.type,
        unit=rule.input.unit,
        kind=kind,
        lateness_ns=0 if kind == "waveform" else 2 * NS_PER_S,
        pane_ns=None,
        precision="float64",
        period_ns=period_ns,
    )
    one = np.zeros(1, dtype=np.int32)
    unbounded = np.array([np.inf])
    low, high = -unbounded, unbounded
    attributes: dict[str, list[str | None]] = {
        name: [text] for name, text in scenario.attributes.items()
    }
    if "range_high" in scenario.attributes:
        high = np.array([float(scenario.attributes["range_high"].split()[0])])
    if "range_low" in scenario.attributes:
        low = np.array([float(scenario.attributes["range_low"].split()[0])])
    return Catalogue(
        types=(sensor_type,),
        sites=Sites(
            ["site"], ["站点"], ["site"], ["100000"], np.array([np.nan]), np.array([np.nan]), [{}]
        ),
        gateways=Gateways(["gateway"], one, [""]),
        sensors=Sensors(
            *([SENSOR], one, one, one.astype(np.int16), np.array([period_ns])),
            *(low, high, attributes),
        ),
        digest="",
        manifest_order=one,
        manifest_start=np.array([0, 1]),
    )


def _standing(shard: Shard, events: Sequence[Body], now_ns: int) -> Standing:
    bank = shard.banks[0]
    latches = (*bank.reading_rules, *bank.pane_rules)[0]
    line = latches.latch[0]
    phases = [int(line["phase"]) >> 2 * g & 3 for g in range(4)]
    highest = max((g for g in range(4) if phases[g] >= 2), default=-1)
    state = "inactive"
    if highest >= 0:
        state = "clearing" if phases[highest] == 3 else "active"
    elif 1 in phases:
        state = "pending"
    grade = Grade[str(events[-1]["grade"]).upper()] if events else Grade.NONE
    return Standing(grade, state, _quality(latches, now_ns))


def _quality(latches: Latches, now_ns: int) -> str:
    """Whether what the rule says rests on data.

    The latch notes what is unknown only where a warning is open; here it counts before one, too:
    a value that holds no longer, or a condition that cannot be told.
    """
    line = latches.latch[0]
    if line["state"] & BLIND:
        return "blind"
    known_ns = int(line["seen_ns"]) + int(latches.terms[0]["stale_ns"])
    is_unsure = int(line["code"]) & latches.exists << WHEN_UNKNOWN
    return "degraded" if line["state"] & UNKNOWN or now_ns >= known_ns or is_unsure else "ok"


def _contradiction(
    pack: Pack,
    rule: Rule,
    scenario: Scenario,
    *,
    events: Sequence[Body],
    expectation: Expectation,
) -> str:
    """What speaks against an expectation; empty when it holds."""
    match expectation:
        case At():
            standing = play(pack, rule, scenario, expectation.at_ns)[1]
            return _not_at(expectation, standing)
        case Never():
            return _not_never(expectation, events)
        case Between():
            inside = [
                body
                for body in events
                if body["event"] in CHANGES
                and expectation.start_ns < _event_ns(body) - START_NS <= expectation.end_ns
            ]
            if len(inside) == expectation.transitions:
                return ""
            return f"expected {expectation.transitions} changes, found {len(inside)}: " + (
                _told(inside)
            )
        case Events():
            found = [body for body in events if body["event"] in CHANGES]
            same = len(found) == len(expectation.happenings) and all(
                _is(happening, body)
                for happening, body in zip(expectation.happenings, found, strict=True)
            )
            return "" if same else f"the events were: {_told(found) or 'none'}"
        case Lead():
            return _not_ahead(expectation, scenario, events)


def _not_ahead(expectation: Lead, scenario: Scenario, events: Sequence[Body]) -> str:
    """Why a warning did not come early enough; empty when it did."""
    feed = scenario.feeds[SENSOR]
    before_ns = expectation.before_ns
    if before_ns is None:
        before_ns = feed.time_ns[int(np.argmax(feed.value))]
    wanted = expectation.grade or Grade.BLUE
    for body in events:
        if Grade[str(body["grade"]).upper()] >= wanted:
            lead_ns = before_ns - (_event_ns(body) - START_NS)
            if lead_ns >= expectation.least_ns:
                return ""
            return f"{wanted.word} came {lead_ns / NS_PER_S:g} s ahead"
    return f"{wanted.word} never came"


def _not_at(expectation: At, standing: Standing) -> str:
    wrong = []
    if expectation.grade is not None and standing.grade != expectation.grade:
        wrong.append(f"grade {standing.grade.word}, not {expectation.grade.word}")
    if expectation.state is not None and standing.state != expectation.state:
        wrong.append(f"state {standing.state}, not {expectation.state}")
    if expectation.quality is not None and standing.quality != expectation.quality:
        wrong.append(f"quality {standing.quality}, not {expectation.quality}")
    return f"at {_clock(expectation.at_ns)}: {'; '.join(wrong)}" if wrong else ""


def _not_never(expectation: Never, events: Sequence[Body]) -> str:
    for body in events:
        grade = Grade[str(body["grade"]).upper()]
        if expectation.grade is not None and grade >= expectation.grade:
            return f"{_told([body])}, which must never be"
        if expectation.event is not None and body["event"] == expectation.event:
            return f"{_told([body])}, which must never happen"
    return ""


def _is(happening: Happening, body: Body) -> bool:
    return (
        body["event"] == happening.event
        and _event_ns(body) - START_NS == happening.at_ns
        and (happening.grade is None or body["grade"] == happening.grade.word)
    )


def _told(bodies: Sequence[Body]) -> str:
    return ", ".join(
        f"{body['event']} {body['grade']} @{_clock(_event_ns(body) - START_NS)}" for body in bodies
    )


def _clock(time_ns: int) -> str:
    """A time as people write it: 3m05s, 2h10m, 0.1s."""
    seconds = time_ns / NS_PER_S
    if seconds < 60:
        return f"{seconds:g}s"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{hours:.0f}h" if hours else ""
    return text + f"{minutes:.0f}m" + (f"{rest:04.1f}s".replace(".0s", "s") if rest else "")
