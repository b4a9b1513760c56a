"""Memory that starts at a cache line."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.columns import HUGE_PAGE_BYTES, LINE_BYTES, aligned
from kernels.panes import LINE32


@given(
    shape=st.one_of(st.integers(0, 5000), st.tuples(st.integers(0, 9), st.integers(0, 999))),
    kind=st.sampled_from([np.uint8, np.float64, LINE32]),
)
def test_columns_are_zero_and_begin_at_a_cache_line(
    shape: int | tuple[int, ...], kind: np.dtype[np.generic]
) -> None:
    """A line that straddles two cache lines is almost three times as slow."""
    columns = aligned(shape, kind)
    assert columns.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert columns.dtype == kind
    assert columns.size == 0 or columns.ctypes.data % LINE_BYTES == 0
    assert not np.any(columns.view(np.uint8)) if columns.size else True
    assert columns.flags.c_contiguous


def test_large_columns_begin_at_a_huge_page() -> None:
    """A huge page saves a third of the time of random access."""
    columns = aligned(HUGE_PAGE_BYTES // 8, np.float64)
    assert columns.ctypes.data % HUGE_PAGE_BYTES == 0


def test_columns_live_as_long_as_a_view_of_them() -> None:
    """The memory goes back to the system, but never too early."""
    columns = aligned((2, 1000), np.float64)
    view = columns[1, 10:20]
    columns[1, 15] = 7.0
    del columns
    gc.collect()
    assert view[5] == 7.0


def test_a_size_below_zero_is_refused() -> None:
    """It would be a sum gone wrong."""
    with pytest.raises(AssertionError):
        aligned(-1, np.float64)
