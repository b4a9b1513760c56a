"""Laws of sets: intervals hold every world in which the unknown members could turn out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import sets
from rules.judge import Truth
from tests.reference import sets as twin

conditions = st.lists(st.lists(st.sampled_from([True, False, None]), max_size=5), max_size=6)
quantities = st.lists(
    st.lists(st.one_of(st.none(), st.integers(-9, 9).map(float)), max_size=5), max_size=6
)


def laid_out(rows):
    start = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
    return start, [member for row in rows for member in row]


def truth_of(members):
    true = np.array([m is True for m in members], dtype=bool)
    return Truth(true, np.array([m is None for m in members], dtype=bool))


def value_of(members):
    return np.array([np.nan if m is None else m for m in members], dtype=np.float64)


def pairs(bounds):
    return [None if np.isnan(low) else (low, high) for low, high in zip(*bounds, strict=True)]


@given(conditions, st.booleans())
def test_counts_hold_every_world(rows, ignores):
    """A dead detector neither votes nor hides the others."""
    start, members = laid_out(rows)
    truth = truth_of(members)

    assert pairs(sets.votes(start, truth, ignores=ignores)) == [
        twin.votes(row, ignores) for row in rows
    ]
    assert pairs(sets.share(start, truth, ignores=ignores)) == [
        twin.share(row, ignores) for row in rows
    ]


@given(conditions, st.booleans())
def test_any_and_all_are_known_when_every_world_agrees(rows, ignores):
    start, members = laid_out(rows)
    truth = truth_of(members)

    for how, found in (
        (any, sets.has_any(start, truth, ignores=ignores)),
        (all, sets.have_all(start, truth, ignores=ignores)),
    ):
        told = [
            None if unknown else bool(true)
            for true, unknown in zip(found.true, found.unknown, strict=True)
        ]
        assert told == [twin.quantified(row, how, ignores) for row in rows]


@pytest.mark.parametrize("how", sets.GATHERED)
@given(rows=quantities, ignores=st.booleans())
def test_quantities_hold_every_world(how, rows, ignores):
    """An unknown member might be the greatest, the least, or on either side of the middle."""
    start, members = laid_out(rows)

    found = pairs(sets.GATHERED[how](start, value_of(members), ignores=ignores))

    expected = [twin.gathered(row, how, ignores) for row in rows]
    assert [f is None for f in found] == [e is None for e in expected]
    for one, other in zip(found, expected, strict=True):
        if one is not None:
            np.testing.assert_allclose(one, other)
