"""Latches: what a warning says must follow from the readings, and from nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import latch as kernel
from kernels import standing
from tests.reference.latch import Row, Terms

ROWS = 3
END = 700
SAID = list[tuple[int, float, int, int, str, int, int, int, bool]]

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


class Machine:
    """The kernels with their columns, called as an engine would: drained and called again."""

    def __init__(self, terms, rows=ROWS, room=64):
        self.latch = np.zeros(rows, standing.LATCH)
        self.episode = np.zeros(rows, standing.EPISODE)
        self.due_ns = np.zeros(rows, np.int64)
        self.terms = np.zeros(1, standing.TERMS)
        self.terms["exists"] = sum((h is not None) << g for g, h in enumerate(terms.hold))
        self.terms["for_ns"] = [h or 0 for h in terms.hold]
        self.terms["clear_for_ns"] = terms.clear_hold
        self.terms["sticky"] = sum(s << g for g, s in enumerate(terms.sticky))
        self.terms["closure"] = terms.closure
        self.terms["stale_ns"] = standing.FOREVER_NS if terms.stale is None else terms.stale
        self.terms["blind_ns"] = standing.FOREVER_NS if terms.blind is None else terms.blind
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

    def close(self, end, meaning, value=1.0):
        """One end of a pane for all rows, in two ranges."""
        rows = len(self.latch)
        first, last = np.array([0, 1], np.int64), np.array([1, rows], np.int64)
        code = np.array([encode(m) for m in meaning], np.uint16)
        done = 0
        while done < rows:
            done, count = kernel.apply_panes(
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
def arrivals(draw, max_size=25):
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
    rows = [Row(terms) for _ in range(ROWS)]
    for row, time, value, meaning, horizon in readings:
        rows[row].read(time, value, meaning, horizon)
    for row in rows:
        row.live_until(END)
    return [row.said for row in rows]


@given(terms=rules(), readings=arrivals())
def test_latches_say_what_the_definition_says(terms, readings):
    """Anything else is a warning that comes wrongly, or one that does not come."""
    machine = Machine(terms)
    machine.read(readings)
    machine.sweep(END)
    assert machine.said == truth(terms, readings)


@given(terms=rules(), readings=arrivals(), data=st.data())
def test_where_a_batch_is_cut_and_when_it_is_swept_changes_nothing(terms, readings, data):
    """Gateways decide where frames end and the load decides how often there is time to sweep."""
    whole, pieces = Machine(terms), Machine(terms, room=data.draw(st.integers(1, 3)))
    whole.read(readings)
    whole.sweep(END)

    for reading in readings:
        pieces.read([reading])
        if data.draw(st.booleans()):
            pieces.sweep(data.draw(st.integers(0, reading[4])))
    pieces.sweep(END)

    assert pieces.said == whole.said
    np.testing.assert_array_equal(pieces.latch, whole.latch)
