"""Latches: what a warning says must follow from the readings, and from nothing else."""

from dataclasses import replace

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from kernels import latch as kernel
from kernels import standing, sweep
from tests.reference.latch import Row, Terms

ROWS = 3
END = 500
SAID = list[tuple[object, ...]]

condition = st.sampled_from([True, False, None])
meanings = st.lists(st.tuples(condition, condition), min_size=4, max_size=4)
HIGH = [[(g < n, g >= n) for g in range(4)] for n in range(5)]
NOTHING = [(None, None)] * 4


def encode(meaning):
    """Four pairs of conditions as the bits that the kernel reads."""
    code = 0
    for g, (when, clear) in enumerate(meaning):
        code |= (when is True) << g | (when is None) << 4 + g
        code |= (clear is True) << 8 + g | (clear is None) << 12 + g
    return code


def record(terms):
    """Terms as the kernel reads them."""
    holds = [h or 0 for h in terms.hold]
    spans = [standing.FOREVER_NS if s is None else s for s in (terms.stale, terms.blind)]
    exists = sum((h is not None) << g for g, h in enumerate(terms.hold))
    sticky = sum(s << g for g, s in enumerate(terms.sticky))
    return (holds, terms.clear_hold, *spans, exists, sticky, terms.closure, [0] * 5)


class Machine:
    """The kernels with their columns, called as an engine would: drained and called again."""

    def __init__(self, *terms, rows=ROWS, room=64):
        self.latch = np.zeros(rows, standing.LATCH)
        self.episode = np.zeros(rows, standing.EPISODE)
        self.due_ns = np.zeros(rows, np.int64)
        self.terms = np.array([record(t) for t in terms], standing.TERMS)
        self.latch["terms"] = np.arange(rows) % len(terms)
        self.changes = np.zeros(room, standing.CHANGE)
        self.said: list[SAID] = [[] for _ in range(rows)]
        standing.forget(self.latch, self.episode, self.due_ns, 0, rows)

    @property
    def columns(self):
        return self.latch, self.episode, self.due_ns, self.terms

    def hear(self, count):
        for change in self.changes[:count]:
            fields = [change[name] for name in ("event_ns", "value", "ordinal", "revision")]
            self.said[change["row"]].append(
                (
                    *(field.item() for field in fields),
                    standing.EVENT_NAMES[change["event"]],
                    *(change[name].item() for name in ("grade", "previous", "peak")),
                    bool(change["blind"]),
                    change["seen_ns"].item(),
                )
            )

    def read(self, readings):
        """Readings as (row, time, value, meaning, horizon)."""
        columns = (
            np.array([r[0] for r in readings], np.int32),
            np.array([r[1] for r in readings], np.int64),
            np.array([r[2] for r in readings], np.float64),
            np.array([encode(r[3]) for r in readings], np.uint16),
            np.ones(len(readings), np.uint8),
            np.array([r[4] for r in readings], np.int64),
        )
        done = 0
        while done < len(readings):
            done, count = kernel.apply_readings(*self.columns, *columns, done, self.changes)
            self.hear(count)

    def sweep(self, horizon):
        first = np.array([0, 1], np.int64)
        last = np.array([1, len(self.latch)], np.int64)
        done = 0
        while done < 2:
            done, count = kernel.advance(
                *self.columns, first, last, np.array([horizon, horizon]), done, self.changes
            )
            self.hear(count)

    def reset(self, rows, time):
        """What an operator does."""
        done = 0
        while done < len(rows):
            done, count = kernel.reset(
                *(*self.columns, np.array(rows, np.int64), time, done, self.changes)
            )
            self.hear(count)

    def close(self, end, meaning, value=1.0):
        """One end of a pane for all rows, in two ranges."""
        rows = len(self.latch)
        first, last = np.array([0, 1], np.int64), np.array([1, rows], np.int64)
        code = np.array([encode(m) for m in meaning], np.uint16)
        done = 0
        while done < rows:
            done, count = sweep.apply_panes(
                *(*self.columns, first, last, end, np.full(rows, value), code, done),
                self.changes,
            )
            self.hear(count)


@st.composite
def rules(draw):
    span = st.one_of(st.just(0), st.integers(0, 25))
    return Terms(
        hold=[draw(st.one_of(st.none(), span, span, span)) for _ in range(4)],
        clear_hold=[draw(span) for _ in range(4)],
        stale=draw(st.one_of(st.none(), st.integers(0, 40))),
        blind=draw(st.one_of(st.none(), st.integers(0, 40))),
        sticky=[draw(st.sampled_from([False, False, False, True])) for _ in range(4)],
        closure=draw(st.booleans()),
    )


@st.composite
def arrivals(draw, max_size=20):
    """Readings of three sensors of one site in order of arrival, some of them very late."""
    few = draw(st.lists(meanings, min_size=1, max_size=3)) + HIGH + [NOTHING]
    clock, horizon, readings = 0, 0, []
    for _ in range(draw(st.integers(1, max_size))):
        clock += draw(st.sampled_from([0, 0, 1, 2, 5, 5, 10, 17, 60]))
        late = draw(st.sampled_from([0, 0, 0, 0, 1, 3, 20, 70]))
        horizon = max(horizon, clock - draw(st.sampled_from([0, 0, 4, 30])))
        meaning = draw(st.sampled_from(few))
        row = draw(st.integers(0, ROWS - 1))
        readings.append((row, max(clock - late, 0), float(len(readings)), meaning, horizon))
    return readings


def truth(terms, readings):
    rows = [Row(terms[r % len(terms)]) for r in range(ROWS)]
    for row, time, value, meaning, horizon in readings:
        rows[row].read(time, value, meaning, horizon)
    for row in rows:
        row.live_until(END)
    return [row.said for row in rows]


two_rules = st.tuples(rules(), rules())


def corner(*readings, hold, clear=0, stale=None, blind=None):
    """One row; readings of (time, a letter per grade, horizon): what it means is in LETTERS."""
    terms = Terms(hold, [clear] * 4 if isinstance(clear, int) else clear, stale, blind)
    letters = [(t, [LETTERS[x] for x in text], horizon) for t, text, horizon in readings]
    return {
        "terms": (terms, terms),
        "readings": [(0, t, float(t), meaning, horizon) for t, meaning, horizon in letters],
    }


LETTERS = {"T": (True, False), "F": (False, True), "u": (None, None), "b": (False, False)}
EDGES = [
    # Red ends its hold with the last moment that is known; whether blue clears is not known then.
    corner((0, "FFFT", 0), (20, "uFFF", 20), hold=[0, 0, 0, 10], stale=10),
    # Yellow switches blue on in silence, at an instant that a late reading then precedes.
    corner(
        *((0, "FFuT", 0), (10, "FTuT", 10), (12, "FTuT", 30), (33, "FFuF", 33)),
        hold=[0, 5, None, 0],
        clear=[20, 0, 0, 0],
    ),
    # A late reading that had run out before the warning was called blind begins a hold of yellow.
    corner(
        *((0, "TFFF", 0), (5, "TTFF", 100), (50, "TTFF", 100), (60, "TTFF", 100)),
        **{"hold": [0, 10, 99, 99], "stale": 10, "blind": 30},
    ),
    # The same, where yellow had ten of its fifteen.
    corner(
        *((0, "TTFF", 0), (5, "TTFF", 100), (50, "TTFF", 100)),
        **{"hold": [0, 15, 99, 99], "stale": 10, "blind": 20},
    ),
    # One nanosecond was unknown, and it does not count.
    corner((0, "TFFF", 0), (6, "TFFF", 6), (11, "TFFF", 11), hold=[10, 9, 9, 9], stale=5),
    # Red switches blue on, and blue begins to clear at once.
    corner((0, "FFFT", 0), (30, "FFFF", 30), hold=[0, 0, 0, 0], clear=[20, 0, 0, 0]),
    # Raised in the instant from which on nobody knows, by a rule that calls that blind at once.
    corner((0, "TFFF", 0), (9, "TFFF", 9), hold=[1, 9, 9, 9], stale=1, blind=0),
]


def with_edges(test):
    """Try the corners each time; chance comes by them once in some thousand rounds."""
    for edge in EDGES:
        test = example(**edge)(test)
    return test


@with_edges
@given(terms=two_rules, readings=arrivals())
def test_latches_say_what_the_definition_says(terms, readings):
    """Anything else is a warning that comes wrongly, or one that does not come."""
    machine = Machine(*terms)
    machine.read(readings)
    machine.sweep(END)
    assert machine.said == truth(terms, readings)


@given(terms=two_rules, readings=arrivals(), data=st.data())
def test_where_a_batch_is_cut_and_when_it_is_swept_changes_nothing(terms, readings, data):
    """Gateways decide where frames end and the load decides how often there is time to sweep."""
    whole, pieces = Machine(*terms), Machine(*terms, room=data.draw(st.integers(1, 3)))
    whole.read(readings)
    whole.sweep(END)

    for reading in readings:
        pieces.read([reading])
        if data.draw(st.booleans()):
            pieces.sweep(data.draw(st.integers(0, reading[4])))
    pieces.sweep(END)

    assert pieces.said == whole.said
    np.testing.assert_array_equal(pieces.latch, whole.latch)
    np.testing.assert_array_equal(pieces.episode, whole.episode)


@given(terms=two_rules, data=st.data(), room=st.integers(1, 4))
def test_ends_of_panes_are_instants_like_others(terms, data, room):
    """A window rule may not rise earlier, later or otherwise than a rule on readings would."""
    terms = [replace(t, stale=None) for t in terms]
    machine, rows = Machine(*terms, room=room), [Row(terms[r % 2]) for r in range(ROWS)]
    few = [*data.draw(st.lists(meanings, min_size=1, max_size=3)), *HIGH, NOTHING]
    for end in range(10, data.draw(st.integers(10, 200)), 10):
        meaning = [data.draw(st.sampled_from(few)) for _ in range(ROWS)]
        machine.close(end, meaning, value=float(end))
        for row, what in zip(rows, meaning, strict=True):
            row.read(end, float(end), what, end)
        if data.draw(st.booleans()):
            machine.sweep(end + data.draw(st.integers(0, 10)))
    machine.sweep(END)
    for row in rows:
        row.live_until(END)
    assert machine.said == [row.said for row in rows]


@given(terms=two_rules, readings=arrivals(), data=st.data(), room=st.integers(1, 4))
def test_a_reset_is_an_instant_like_others(terms, readings, data, room):
    """It ends what is latched and over, and neither what stands nor what nobody knows."""
    terms = [replace(t, sticky=[True, False, True, True]) for t in terms]
    machine, rows = Machine(*terms, room=room), [Row(terms[r % 2]) for r in range(ROWS)]
    for reading in readings:
        machine.read([reading])
        rows[reading[0]].read(*reading[1:])
        if data.draw(st.booleans()):
            reset = data.draw(st.lists(st.integers(0, ROWS - 1), unique=True))
            time = max(reading[1] + data.draw(st.integers(-10, 30)), 0)
            machine.reset(reset, time)
            for r in reset:
                rows[r].reset(time)
    machine.sweep(END)
    for row in rows:
        row.live_until(END)
    assert machine.said == [row.said for row in rows]


@given(terms=two_rules, readings=arrivals())
def test_every_message_follows_from_the_one_before(terms, readings):
    """A consumer that misses a revision must be able to see that it did."""
    machine = Machine(*terms)
    machine.read(readings)
    machine.sweep(END)
    for said in machine.said:
        ordinal = revision = grade = peak = blind = last = 0
        for event_ns, _, new_ordinal, new_revision, event, new, previous, new_peak, dark, _ in said:
            assert event_ns >= last
            assert previous == grade
            raised = grade == 0
            assert (new_ordinal, new_revision) == (
                (ordinal + 1, 0) if raised else (ordinal, revision + 1)
            )
            assert new_peak == (new if raised else max(peak, new))
            assert not (new == 0 and dark)
            assert event == (
                ("blind" if dark else "restored")
                if new == grade
                else {(True, True): "raised", (False, True): "upgraded"}.get(
                    (raised, new > grade), "downgraded" if new else "cleared"
                )
            )
            assert new != grade or dark != blind
            ordinal, revision, grade = new_ordinal, new_revision, new
            peak, blind, last = new_peak, dark, event_ns


@given(terms=two_rules, readings=arrivals())
def test_nothing_is_said_before_its_evidence(terms, readings):
    """An event time in the future would be a guess; one beyond the horizon could be wrong."""
    machine = Machine(*terms)
    for reading in readings:
        known = [len(said) for said in machine.said]
        machine.read([reading])
        for said, count in zip(machine.said, known, strict=True):
            for event_ns, *_ in said[count:]:
                assert event_ns <= max(reading[1], reading[4] - 1)


@given(terms=two_rules, readings=arrivals(), silence=st.integers(1, 30))
def test_a_grade_never_falls_because_data_is_missing(terms, readings, silence):
    """Silence is never an all-clear: after the last word nothing falls that was not falling."""
    machine = Machine(*terms)
    machine.read(readings)
    newest = [machine.latch["seen_ns"][r] for r in range(ROWS)]
    start = max(r[1] for r in readings)
    horizon = max(start, readings[-1][4])
    noise = [(r, start + k, 9.0, NOTHING, horizon) for k in range(1, 60, 5) for r in range(ROWS)]
    machine.sweep(start + silence)
    heard = [len(said) for said in machine.said]
    if silence % 2:
        machine.read(noise)
    machine.sweep(END)
    for r, (said, count) in enumerate(zip(machine.said, heard, strict=True)):
        stale = terms[r % 2].stale
        for event_ns, _, _, _, event, *_ in said[count:]:
            known_until = END if stale is None else newest[r] + stale
            if silence % 2:
                known_until = min(known_until, max(start + 1, horizon))
            assert event not in ("downgraded", "cleared") or event_ns <= known_until


@given(terms=rules(), gaps=st.lists(st.integers(1, 20), min_size=1, max_size=25), data=st.data())
def test_a_grade_rises_only_after_its_hold(terms, gaps, data):
    """A hold is what stands between one bad reading and a siren."""
    time, readings = 0, []
    for gap in gaps:
        time += gap
        meaning = data.draw(st.sampled_from([*HIGH, HIGH[4], NOTHING]))
        readings.append((0, time, 1.0, meaning, time))
    machine = Machine(terms)
    machine.read(readings)
    machine.sweep(END)
    ends = [r[1] for r in readings[1:]] + [END]
    for event_ns, _, _, _, event, grade, *_ in machine.said[0]:
        if event not in ("raised", "upgraded"):
            continue
        held = 0
        for (_, begin, _, meaning, _), end in zip(readings, ends, strict=True):
            if begin > event_ns:
                break
            stop = min(end, event_ns, END if terms.stale is None else begin + terms.stale)
            when = meaning[grade - 1][0]
            if when is False and begin < event_ns:
                held = 0
            elif when is True:
                held += stop - begin
        assert held >= terms.hold[grade - 1]
