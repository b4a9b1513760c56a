"""Sweeping: what is not touched has nothing to say."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import standing, sweep, zones
from tests.kernels.test_latch import HIGH, NOTHING, Machine, encode, meanings, two_rules
from tests.reference import sweep as reference
from tests.reference.latch import Row

PANE = 10


class Swept(Machine):
    """A machine whose rows are judged in blocks, after a gap of rows that are not there."""

    def __init__(self, *terms, rows, room):
        super().__init__(*terms, rows=rows, room=room)
        self.watch = sweep.watch_of(rows)
        sweep.wake(self.latch, self.due_ns, self.terms, self.watch)

    def close_blocks(self, rows, end, meaning, value):
        code = np.array([encode(m) for m in meaning], np.uint16)
        size = -(-rows.size // sweep.BLOCK)
        bits = np.zeros((-(-rows.size // sweep.LANES), 16), np.uint64)
        for i, one in enumerate(code.tolist()):
            for bit in range(16):
                bits[i // 64, bit] |= np.uint64((one >> bit & 1) << i % 64)
        loud = np.zeros(size, np.uint8)
        sweep.find_stirring(self.watch.awake, rows, loud)
        for block in range(size):
            loud[block] |= np.any(code[block * sweep.BLOCK : (block + 1) * sweep.BLOCK] & 0x000F)
        done = 0
        values = np.full(rows.size, value)
        while done < rows.size:
            done, count = sweep.apply_blocks(
                *(*self.columns, self.watch, rows, end, end + PANE),
                *(values, bits, loud, done, self.changes),
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
    anew = sweep.watch_of(count)
    sweep.note_shown(machine.latch, machine.watch.held, machine.watch.shown)
    sweep.wake(machine.latch, machine.due_ns, machine.terms, anew)
    np.testing.assert_array_equal(machine.watch.held, anew.held)
    np.testing.assert_array_equal(machine.watch.awake, anew.awake)
    np.testing.assert_array_equal(machine.watch.shown[~asleep], anew.shown[~asleep])
    assert np.all(machine.watch.soonest_ns <= anew.soonest_ns), "no timer is overlooked"
    for row, twin in twins.items():
        # What was compared last, unless nothing was known; a row that sleeps need not know.
        assert asleep[row] or machine.latch["value"][row] == twin.value
    silent = [said for row, said in enumerate(machine.said) if row not in twins and said]
    assert not silent, "the others were quiet"


@given(terms=two_rules, data=st.data())
def test_rows_that_were_written_are_found_awake(terms, data):
    """After a restart the lines come from a snapshot, and what is on must go on."""
    machine = Machine(*terms, rows=70)
    high = data.draw(st.lists(st.sampled_from([*HIGH, NOTHING]), min_size=70, max_size=70))
    machine.close(PANE, high)
    machine.due_ns[:] = standing.NEVER_NS
    watch = sweep.watch_of(70)
    watch.held[:], watch.awake[:] = 1, 1
    sweep.wake(machine.latch, machine.due_ns, machine.terms, watch)
    np.testing.assert_array_equal(watch.shown, machine.latch["value"])
    asleep = machine.latch["phase"] == 0
    words = watch.held[:, sweep.AWAKE].tolist()
    awake = [words[row // 64] >> row % 64 & 1 for row in range(70)]
    np.testing.assert_array_equal(awake, ~asleep)
    for row in np.flatnonzero(~asleep).tolist():
        marks = [int(mask) >> row % 64 & 1 for mask in watch.held[row // 64, :16]]
        code = sum(mark << bit for bit, mark in enumerate(marks))
        assert code == machine.latch["code"][row]
    assert watch.awake[0] == np.count_nonzero(~asleep)
    assert np.all(machine.due_ns[asleep] == standing.FOREVER_NS)
    assert np.all(machine.due_ns[~asleep] == standing.NEVER_NS)


def test_both_floors_of_the_machine_cut_alike():
    """Blocks and words of one file are those of the other."""
    assert (sweep.BLOCK, sweep.LANES, sweep.WORDS) == (zones.BLOCK, zones.LANES, zones.WORDS)
    assert sweep.CODE_BITS == zones.CODE_BITS
