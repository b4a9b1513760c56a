"""Carrying: columns of one layout become columns of another, row by row, by names."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.bank import Bank
from engine.shard import as_saved
from kernels import stage

Column = NDArray[np.generic]
Columns = Mapping[str, Column]
Rows = NDArray[np.intp]
Pairs = tuple[Rows, Rows]


def carry_windows(
    saved: Columns,
    bank: Bank,
    pairs: Pairs,
    *,
    open_from: NDArray[np.int64],
    slots_before: int,
) -> int:
    """Fill the windows of a bank from saved ones that are cut alike; how many columns were kept.

    open_from  int64[n]  oldest open pane of each pair
    """
    slots = slots_before, bank.plan.slots
    kept = set()
    for name, column in bank.windows.columns().items():
        before = saved.get(name)
        if (
            _copy_ring(before, column, pairs, slots=slots, open_from=open_from)
            if _is_ring(bank, column)
            else copy_rows(before, column, pairs)
        ):
            kept.add(name)
    begun = open_from > stage.NEVER
    bank.windows.begin_parts(kept, pairs[1][begun], open_from[begun])
    return len(kept)


def copy_rows(before: Column | None, column: Column, pairs: Pairs) -> bool:
    """Copy the rows that both have; False where the columns are not alike."""
    if before is None or before.dtype.itemsize != column.dtype.itemsize:
        return False
    before = as_saved(before, column.dtype)
    if before.ndim != column.ndim:
        return False
    if before.shape[:-1] != column.shape[:-1] or not column.size or not before.size:
        return False
    old, new = pairs
    column[..., new] = before[..., old]
    return True


def _copy_ring(
    before: Column | None,
    column: Column,
    pairs: Pairs,
    *,
    slots: tuple[int, int],
    open_from: NDArray[np.int64],
) -> bool:
    """Copy the open panes of the rows that both have, from ring to ring.

    The rings of a type are longer once a site of it has two gateways; the panes in them are the
    same.  A shorter ring keeps the oldest panes: no site whose ring is enough has later ones.

    slots      panes in the ring before and today, powers of two
    open_from  int64[n]  oldest open pane of each pair
    """
    if before is None or before.dtype.itemsize != column.dtype.itemsize:
        return False
    if not before.size:
        return False  # no rule looked at windows of this type before
    old, new = pairs
    was, today = slots
    source = as_saved(before, column.dtype).reshape(-1, was)
    target = column.reshape(-1, today)
    for ahead in range(min(was, today)):
        pane = open_from + ahead
        target[new, pane & (today - 1)] = source[old, pane & (was - 1)]
    return True


def _is_ring(bank: Bank, column: Column) -> bool:
    return column.ndim == 1 and column.size == bank.sensor.size * bank.plan.slots


def pairs_of(old: list[str], new: list[str]) -> Pairs:
    """Where the names that both have stand in each."""
    place = {name: number for number, name in enumerate(old)}
    found = [(place[name], number) for number, name in enumerate(new) if name in place]
    old_rows, new_rows = zip(*found, strict=True) if found else ((), ())
    return np.array(old_rows, dtype=np.intp), np.array(new_rows, dtype=np.intp)
