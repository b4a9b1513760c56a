"""A site knows when its first timer ends, or the timer would wait for the next reading."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.standing import FOREVER_NS, earliest_due, note_due

ROWS, SITES = 12, 3
instants = st.one_of(st.just(FOREVER_NS), st.integers(-(1 << 40), 1 << 40))


@given(
    due=st.lists(instants, min_size=ROWS, max_size=ROWS),
    known=st.lists(instants, min_size=SITES, max_size=SITES),
    judged=st.lists(st.integers(0, ROWS - 1), max_size=40),
)
def test_a_site_wakes_for_the_first_of_its_timers(due, known, judged):
    """Judged rows lower the instant of their site and of no other; what was known stays known."""
    site_of = np.arange(ROWS, dtype=np.int32) % SITES
    due_ns = np.array(due, dtype=np.int64)
    site_due_ns = np.array(known, dtype=np.int64)

    note_due(np.array(judged, dtype=np.int32), site_of, due_ns, site_due_ns)

    for site in range(SITES):
        mine = [due[row] for row in judged if row % SITES == site]
        assert site_due_ns[site] == min([known[site], *mine])


@given(due=st.lists(instants, min_size=ROWS, max_size=ROWS), cut=st.integers(0, ROWS))
def test_the_earliest_of_a_range_is_its_least(due, cut):
    """A sweep that has fired what came due must not forget what is still running."""
    found = earliest_due(np.array(due, dtype=np.int64), 0, cut)
    assert found == min([FOREVER_NS, *due[:cut]])
