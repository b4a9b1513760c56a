"""Reconsidering: what a changed rule makes of the latches that the rule of before left.

Thresholds and timings may change while a warning stands. The latches stay, and each is asked once
what the rule of today makes of the newest reading. What changes thereby, changes at the instant
from which the new rule judges: the horizon of the site, or the newest reading where that is later.
Timers stand still until the new rule has been asked, and no timer of it ends before that instant,
however long it has run already.

A rule on windows is asked at the next end of a pane, as ever. Where the newest reading does not say
what the new rule would have compared, the condition is unknown until the next one does.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted
from engine.latches import Changes, Latches
from engine.registry import Sensors
from kernels import ladder, latch, stage, standing, sweep
from rules import expression as ex
from rules.plan import RulePlan

GRADES = 4
ROWS_AT_ONCE = 16_384

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


def compared(plan: RulePlan) -> str:
    """What the `value` of a latch is a number of; empty where it is no plain reading."""
    is_plain = isinstance(plan.value, ex.Feature) and plan.value.name == "value"
    return plan.rule.input.unit if plan.is_per_reading and is_plain else ""


def reconsider(
    rule: Latches, before: str, horizon_ns: Ints, sensors: tuple[Sensors, NDArray[np.int32]]
) -> Iterator[Changes]:
    """Ask a changed rule about every row that has been judged; the changes, to be told.

    before      what was compared until now
    horizon_ns  int64[k]  from when on the new rule judges the rows of each site
    sensors     of the catalogue, and int32[s], which of them each row is
    """
    is_pane_rule = not rule.plan.is_per_reading
    if is_pane_rule and before == "":
        awake = _awake(rule)
        _hold_back(rule, awake, horizon_ns[rule.site_of[awake]])
        return  # asked at the next end of a pane
    is_comparable = before != "" and before == compared(rule.plan)
    line = rule.latch
    rows = _candidates(rule, is_comparable=is_comparable)
    rows = rows[line["seen_ns"][rows] > standing.NEVER_NS]
    since_ns = np.maximum(horizon_ns[rule.site_of[rows]], line["seen_ns"][rows])
    moving = line["phase"][rows] != 0
    _hold_back(rule, rows[moving], since_ns[moving])
    known, numbers = sensors
    bounds = known.low[numbers[rows]], known.high[numbers[rows]]
    code = _codes(rule, rows, since_ns, bounds, is_comparable=is_comparable)
    asks = moving | (code & standing.WHEN_TRUE != 0)
    line["code"][rows[~asks]] = code[~asks]
    yield from _apply(rule, rows[asks], since_ns[asks], code[asks])
    rule.site_due_ns[rule.site_of[rows[asks]]] = standing.NEVER_NS
    if is_pane_rule:
        rule.wake()


def _candidates(rule: Latches, *, is_comparable: bool) -> Rows:
    """The rows to which a change of the rule may matter; all others go on as they were.

    Where nothing stands, and the newest reading reaches no threshold of a plain ladder, the rule
    of today says nothing either: a million such rows are passed over.
    """
    line, plans = rule.latch, rule.variants.plans
    is_plain = all(plan.is_plain_ladder for plan in plans)
    minds_range = np.any(rule.kind[:, [stage.OVER, stage.UNDER]] != ladder.IGNORED)
    if not is_comparable or not is_plain or minds_range:
        return np.arange(line.size)
    enters = [grade.enter for plan in plans for grade in plan.grades if grade.enter is not None]
    bounds = [*enters, *(float(np.float32(enter)) for enter in enters)]
    least, most = min(bounds), max(bounds)
    found = []
    # A megabyte at a time, so that the second look at a line finds it in the cache.
    for start in range(0, line.size, ROWS_AT_ONCE):
        part = line[start : start + ROWS_AT_ONCE]
        value = part["value"]
        reaches = value >= least if rule.plan.is_above else value <= most
        found.append(np.flatnonzero(reaches | (part["phase"] != 0)) + start)
    return np.concatenate(found) if found else np.arange(0)


def _hold_back(rule: Latches, rows: Rows, since_ns: Ints) -> None:
    """Stop the timers of some rows at an instant: whether they go on, the new rule has to say.

    since_ns  int64[m]  from when on the rule judges each row; nothing is dated before it
    """
    line = rule.latch
    # A timer stands still from where its reading has turned stale; one on windows never does.
    until_ns = since_ns
    if rule.plan.is_per_reading:
        until_ns = np.minimum(since_ns, line["seen_ns"][rows] + rule.stale_ns[rows])
    phase, state, mark_ns = line["phase"][rows], line["state"][rows], line["mark_ns"][rows]
    for grade in range(GRADES):
        runs = (phase >> 2 * grade & 1 == 1) & (state >> grade & 1 == 0)
        mark_ns[runs, grade] = np.maximum(until_ns[runs] - mark_ns[runs, grade], 0)
        state[runs] |= 1 << grade
    line["mark_ns"][rows], line["state"][rows] = mark_ns, state
    last_ns = rule.episode["last_ns"]
    last_ns[rows] = np.maximum(last_ns[rows], since_ns)
    rule.due_ns[rows] = standing.NEVER_NS
    rule.site_due_ns[rule.site_of[rows]] = standing.NEVER_NS
    rule.watch.soonest_ns[rows // sweep.LANES] = standing.NEVER_NS


def _awake(rule: Latches) -> Rows:
    """Rows of a rule on windows in which something is on, arming or clearing."""
    words = np.ascontiguousarray(rule.watch.held[:, sweep.AWAKE]).view(np.uint8)
    return np.flatnonzero(np.unpackbits(words, bitorder="little")[: rule.latch.size])


def _codes(
    rule: Latches,
    rows: Rows,
    since_ns: Ints,
    bounds: tuple[NDArray[np.float64], ...],
    *,
    is_comparable: bool,
) -> NDArray[np.uint16]:
    """What the newest reading of each row means to the rule of today."""
    unknown = np.uint16(rule.exists << 4 | rule.exists << 12)
    if not is_comparable:
        return np.full(rows.size, unknown)
    line = rule.latch
    wide = line["value"][rows]
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    low, high = bounds
    outcome = np.full(rows.size, stage.FOLDED, dtype=np.uint8)
    outcome[wide > high] = stage.OVER
    outcome[wide < low] = stage.UNDER
    code, applies = _meant(rule, rows, wide, outcome)
    # What was read as float32 is compared as float32; nothing else is exactly one, but by chance.
    is_narrow = narrow == wide
    if is_narrow.any():
        code = np.where(is_narrow, _meant(rule, rows, narrow, outcome)[0], code)
    # A warning remembers its last known value; whether that still holds, only the code says.
    was_unknown = line["code"][rows] & standing.WHEN_UNKNOWN == standing.WHEN_UNKNOWN & unknown
    is_stale = since_ns - line["seen_ns"][rows] >= rule.stale_ns[rows]
    return np.where((applies == 0) | was_unknown | is_stale, unknown, code).astype(np.uint16)


def _meant(
    rule: Latches, rows: Rows, value: NDArray[np.floating], outcome: NDArray[np.uint8]
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """What readings with these values would mean, and whether they would count."""
    nothing_ns = np.zeros(rows.size, dtype=np.int64)
    newest = Admitted(
        sensor=rows.astype(np.int32),
        time_ns=nothing_ns,
        value=value,
        outcome=outcome,
        slot=nothing_ns,
        moment=np.zeros(rows.size, dtype=np.uint32),
        horizon_ns=nothing_ns,
        is_last=True,
    )
    _, code, applies = rule.reading_codes(newest, newest.sensor)
    return code, applies


def _apply(
    rule: Latches, rows: Rows, since_ns: Ints, code: NDArray[np.uint16]
) -> Iterator[Changes]:
    """Judge rows as of an instant; their newest reading stays as old as it is."""
    line, row = rule.latch, rows.astype(np.int32)
    seen_ns, value = line["seen_ns"][rows], line["value"][rows]
    applies = np.ones(rows.size, dtype=np.uint8)
    start = 0
    while start < rows.size:
        start, count = latch.apply_readings(
            *(line, rule.episode, rule.due_ns, rule.terms, row, since_ns, value, code, applies),
            *(since_ns, start, rule.buffer),
        )
        if count:
            changes = rule.buffer[:count].copy()
            changes["seen_ns"] = seen_ns[np.searchsorted(rows, changes["row"])]
            yield changes
    line["seen_ns"][rows] = seen_ns
    rule.due_ns[rows] = standing.NEVER_NS
