"""How much one poll may hold: an engine that is killed often must still get on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.allowance import BYTES_MAX, FIRST, RECORDS_MAX, WORK_NS, Allowance
from engine.ports import JournalPartition

US = 1_000
records = st.lists(
    st.tuples(st.sampled_from([100, 256, 4_096, 100_000, 8 << 20]), st.integers(1, 20_000)),
    min_size=1,
    max_size=300,
)


class Journaled:
    """Records of so many bytes and so much work; time passes as they are worked through."""

    def __init__(self, kinds, now_ns=0):
        self.kinds = kinds
        self.now_ns = now_ns
        self.record_count = 0
        self.polls = []

    def read(self, offset, size_bytes, count_max):
        taken_bytes, work_ns, count = 0, 0, 0
        while taken_bytes < size_bytes and count < count_max:
            size, cost_us = self.kinds[(self.record_count + count) % len(self.kinds)]
            taken_bytes += size
            work_ns += cost_us * US
            count += 1
        self.record_count += count
        self.now_ns += work_ns
        self.polls.append((taken_bytes, count, work_ns))
        return [("shard-000", (0, [object()] * count))], offset + taken_bytes

    def committed(self, offsets):
        """Nothing is asked for again here."""


def polled(kinds, count):
    inlet = Journaled(kinds)
    partition = JournalPartition(inlet, 0, lambda: inlet.now_ns)
    for _ in range(count):
        partition.next_batch()
    return inlet.polls


@given(kinds=records)
def test_a_poll_never_holds_more_than_its_bounds(kinds):
    """Whatever comes after whatever: the last record may reach beyond the bytes, no other."""
    for taken_bytes, count, _ in polled(kinds, 50):
        assert count <= RECORDS_MAX
        assert count == 1 or taken_bytes < BYTES_MAX + max(size for size, _ in kinds)


@given(size=st.sampled_from([100, 256, 4_096, 100_000]), cost_us=st.integers(1, 500_000))
def test_polls_settle_near_their_time(size, cost_us):
    """Neither stalls of seconds, nor polls so small that they cost more than what they hold."""
    polls = polled([(size, cost_us)], 60)
    _, first, _ = polls[0]
    assert first <= RECORDS_MAX * FIRST
    for taken_bytes, count, work_ns in polls[20:]:
        assert work_ns <= 1.1 * WORK_NS or count == 1
        is_full = count == RECORDS_MAX or taken_bytes >= BYTES_MAX
        # The next record would be too much, or there is time for as much again at most.
        assert is_full or work_ns + cost_us * US > WORK_NS // 4


def test_dear_work_after_cheap_work_is_soon_noticed():
    """16 000 frames of one reading under 20 rules fit 4 MiB, and were 16 s of one poll."""
    cheap, dear = (256, 10), (256, 1_000)
    polls = polled([cheap] * 10_000 + [dear] * 2_000, 60)
    slow = [work_ns for _, _, work_ns in polls if work_ns > 1.1 * WORK_NS]
    # One may hold the end of the cheap and the beginning of the dear.
    assert len(slow) <= 2
    assert max(slow) <= RECORDS_MAX * dear[1] * US
    assert max(work_ns for *_, work_ns in polls) > WORK_NS // 4


@pytest.mark.parametrize("pause_ns", [0, 60 * 1_000_000_000])
def test_a_stall_is_forgotten(pause_ns):
    """A disk that was full for a minute says nothing about the work."""
    allowance = Allowance()
    for _ in range(10):
        allowance.spent(allowance.byte_count, allowance.record_count, 1)
    allowance.spent(allowance.byte_count, allowance.record_count, pause_ns)
    for _ in range(10):
        allowance.spent(allowance.byte_count, allowance.record_count, 1)
    assert (allowance.byte_count, allowance.record_count) == (BYTES_MAX, RECORDS_MAX)
