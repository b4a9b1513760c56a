"""Reconsidering: what a changed rule makes of the latches that the rule of before left.

Thresholds and timings may change while a warning stands. The latches stay, and each is asked once
what the rule of today makes of the newest reading. What changes thereby, changes at the instant
from which the new rule judges: the horizon of the site, or the newest reading where that is later.
No timer of the new rule ends before it, however long it has run already.

A rule on windows is asked at the next end of a pane, as ever. Where the newest reading does not say
what the new rule would have compared, the condition is unknown until the next one does.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted
from engine.latches import Changes, Latches
from kernels import latch, stage, standing
from rules import expression as ex
from rules.plan import RulePlan

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


def compared(plan: RulePlan) -> str:
    """What the `value` of a latch is a number of; empty where it is no plain reading."""
    is_plain = isinstance(plan.value, ex.Feature) and plan.value.name == "value"
    return plan.rule.input.unit if plan.is_per_reading and is_plain else ""


def reconsider(
    rule: Latches, before: str, instant_ns: Ints, bounds: tuple[NDArray[np.float64], ...]
) -> Iterator[Changes]:
    """Ask a changed rule about every row that has been judged; the changes, to be told.

    before      what was compared until now
    instant_ns  int64[s]         from when on the new rule judges each row
    bounds      two float64[s]   physical range of each sensor
    """
    line = rule.latch
    rows = np.flatnonzero(line["seen_ns"] > standing.NEVER_NS)
    rule.due_ns[...] = standing.NEVER_NS
    rule.site_due_ns[...] = standing.NEVER_NS
    if rows.size == 0:
        return
    since_ns = np.maximum(instant_ns[rows], line["seen_ns"][rows])
    moving = line["phase"][rows] != 0
    last_ns = rule.episode["last_ns"]
    last_ns[rows[moving]] = np.maximum(last_ns[rows[moving]], since_ns[moving])
    is_comparable = before != "" and before == compared(rule.plan)
    if before == compared(rule.plan) == "" and not rule.plan.is_per_reading:
        return  # asked at the next end of a pane
    code = _codes(rule, rows, since_ns, bounds, is_comparable=is_comparable)
    asks = moving | (code & standing.WHEN_TRUE != 0)
    line["code"][rows[~asks]] = code[~asks]
    yield from _apply(rule, rows[asks], since_ns[asks], code[asks])


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
    outcome[wide > high[rows]] = stage.OVER
    outcome[wide < low[rows]] = stage.UNDER
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
    seen_ns, value = line["seen_ns"].copy(), line["value"][rows]
    applies = np.ones(rows.size, dtype=np.uint8)
    start = 0
    while start < rows.size:
        start, count = latch.apply_readings(
            *(line, rule.episode, rule.due_ns, rule.terms, row, since_ns, value, code, applies),
            *(since_ns, start, rule.buffer),
        )
        if count:
            changes = rule.buffer[:count].copy()
            changes["seen_ns"] = seen_ns[changes["row"]]
            yield changes
    line["seen_ns"][rows] = seen_ns[rows]
    rule.due_ns[rows] = standing.NEVER_NS
