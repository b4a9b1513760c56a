"""Ranges: rows of sites that close together, in turns that the caches hold."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# First rows of ranges, and the rows one past their last.
Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]
# 65 536 rows of a dozen columns of 8 bytes are 6 MiB: they stay in the cache from the lines to
# the latches, and nothing waits long while a million sensors close a pane.
ROWS_AT_ONCE = 65_536


def blocks_of(start_row: NDArray[np.int64], stop_row: NDArray[np.int64]) -> Iterator[Ranges]:
    """Ranges of rows in turns of at most ROWS_AT_ONCE, a longer range cut into pieces."""
    if start_row.size == 0:
        return
    pieces = -(-(stop_row - start_row) // ROWS_AT_ONCE)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.repeat(start_row, pieces) + (np.arange(first.size) - first) * ROWS_AT_ONCE
    stop = np.minimum(start + ROWS_AT_ONCE, np.repeat(stop_row, pieces))
    turn = np.cumsum(stop - start) // ROWS_AT_ONCE
    for cut in np.split(np.arange(start.size), np.flatnonzero(np.diff(turn)) + 1):
        yield start[cut], stop[cut]


def ranges_of(site_rows: NDArray[np.int64], sites: NDArray[np.intp]) -> Ranges:
    """Rows of some sites as ranges; neighbours become one."""
    start_row, stop_row = site_rows[sites], site_rows[sites + 1]
    filled = stop_row > start_row
    start_row, stop_row = start_row[filled], stop_row[filled]
    if start_row.size < 2:
        return start_row, stop_row
    breaks = np.flatnonzero(start_row[1:] != stop_row[:-1])
    starts = start_row[np.append(0, breaks + 1)]
    stops = stop_row[np.append(breaks, stop_row.size - 1)]
    return starts, stops
