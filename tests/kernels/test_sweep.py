"""Sweeping: what is not touched has nothing to say."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import standing, sweep, zones
from kernels.columns import aligned
from tests.kernels.test_latch import HIGH, NOTHING, Machine, encode, meanings, two_rules
from tests.reference import sweep as reference
from tests.reference.latch import Row

PANE = 10


class Swept(Machine):
    """A machine whose rows are judged in blocks, after a gap of rows that are not there."""

    def __init__(self, *terms, rows, room):
        super().__init__(*terms, rows=rows, room=room)
        # As in the engine: the addresses are read 64 rows at a time.
        self.held = aligned(rows, np.dtype(np.uint16))
        self.shown = aligned(rows, np.dtype(np.float64))
        self.awake = np.zeros(rows // sweep.BLOCK + 1, np.int32)
        sweep.wake(self.latch, self.due_ns, self.terms, self.held, self.shown, self.awake)

    def close_blocks(self, rows, end, meaning, value):
        code = np.array([encode(m) for m in meaning], np.uint16)
        size = -(-rows.size // sweep.BLOCK)
        bits = np.zeros((16, -(-rows.size // sweep.LANES)), np.uint64)
        for i, one in enumerate(code.tolist()):
            for bit in range(16):
                bits[bit, i // 64] |= np.uint64((one >> bit & 1) << i % 64)
        loud = np.zeros(size, np.uint8)
        sweep.find_stirring(self.awake, rows, loud)
        for block in range(size):
            loud[block] |= np.any(code[block * sweep.BLOCK : (block + 1) * sweep.BLOCK] & 0x000F)
        done, spell = 0, np.zeros(64, np.uint16)
        values = np.full(rows.size, value)
        while done < rows.size:
            done, count = sweep.apply_blocks(
                *(*self.columns, self.held, self.shown, self.awake, rows, end, end + PANE),
                *(values, bits, loud, spell, done, self.changes),
            )
            self.hear(count)


@given(
    terms=two_rules,
    data=st.data(),
    size=st.sampled_from([(3, 3), (64, 64), (130, 130), (200, 150), (4200, 4150)]),
    room=st.integers(1, 4),
)
def test_what_is_left_alone_had_nothing_to_say(terms, data, size, room):
    """A row that is skipped although its timer ends is a warning that does not come."""
    count, judged = size
    terms = [replace(t, stale=None) for t in terms]
    machine = Swept(*terms, rows=count, room=room)
    rows = np.sort(np.random.default_rng(count).permutation(count)[:judged]).astype(np.int64)
    few = [*data.draw(st.lists(meanings, min_size=1, max_size=3)), *HIGH, NOTHING]
    # Most rows are quiet; some are followed.
    followed = data.draw(st.lists(st.sampled_from(rows.tolist()), min_size=1, max_size=6))
    followed += [int(rows[0]), int(rows[-1])]
    twins = {row: Row(terms[row % 2]) for row in sorted(set(followed))}
    for end in range(PANE, data.draw(st.integers(2, 20)) * PANE, PANE):
        mine = [data.draw(st.sampled_from(few)) for _ in twins]
        meaning = dict(zip(twins, mine, strict=True))
        machine.close_blocks(rows, end, [meaning.get(r, HIGH[0]) for r in rows.tolist()], end / 2)
        reference.close(list(twins.values()), end, end / 2, mine)
    for row, twin in twins.items():
        assert machine.said[row] == twin.said
    asleep = machine.latch["phase"] == 0
    np.testing.assert_array_equal(machine.held == sweep.ASLEEP, asleep)
    heard = machine.held < sweep.DEAF
    np.testing.assert_array_equal(machine.held[heard], machine.latch["code"][heard])
    sweep.note_shown(machine.latch, machine.held, machine.shown)
    for row, twin in twins.items():
        # What was compared last, unless nothing was known; a row that sleeps need not know.
        assert asleep[row] or machine.latch["value"][row] == twin.value
    assert int(machine.awake.sum()) == int(np.count_nonzero(~asleep))
    silent = [said for row, said in enumerate(machine.said) if row not in twins and said]
    assert not silent, "the others were quiet"


@given(terms=two_rules, data=st.data())
def test_rows_that_were_written_are_found_awake(terms, data):
    """After a restart the lines come from a snapshot, and what is on must go on."""
    machine = Machine(*terms, rows=70)
    high = data.draw(st.lists(st.sampled_from([*HIGH, NOTHING]), min_size=70, max_size=70))
    machine.close(PANE, high)
    machine.due_ns[:] = standing.NEVER_NS
    held, awake = np.zeros(70, np.uint16), np.ones(1, np.int32)
    shown = np.zeros(70)
    sweep.wake(machine.latch, machine.due_ns, machine.terms, held, shown, awake)
    np.testing.assert_array_equal(shown, machine.latch["value"])
    asleep = machine.latch["phase"] == 0
    np.testing.assert_array_equal(held == sweep.ASLEEP, asleep)
    assert awake[0] == np.count_nonzero(~asleep)
    assert np.all(machine.due_ns[asleep] == standing.FOREVER_NS)
    assert np.all(machine.due_ns[~asleep] == standing.NEVER_NS)


def test_both_floors_of_the_machine_cut_alike():
    """Blocks and words of one file are those of the other."""
    assert (sweep.BLOCK, sweep.LANES, sweep.WORDS) == (zones.BLOCK, zones.LANES, zones.WORDS)
    assert sweep.WHEN_BITS == zones.WHEN_BITS
