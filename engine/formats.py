"""Formats: saved records of latches and episodes, read by an engine that lays them out otherwise.

A snapshot says how its records are laid out. What a field of the same name means does not change,
so the last words of what stood can be said, and ordinals go on, whatever else is begun anew.
"""

from collections.abc import Mapping

import numpy as np

from engine.store import Snapshot
from kernels import standing

# By the last word of their columns' names.
RECORDS = {"line": standing.LATCH, "episode": standing.EPISODE}
LATCH_HOME = "latch"


def described_records() -> dict[str, object]:
    """How the records are laid out today, in words that a file can hold."""
    return {name: described(record) for name, record in RECORDS.items()}


def described(record: "np.dtype[np.void]") -> dict[str, object]:
    """A layout as plain values."""
    assert record.fields is not None
    kinds = [(name, *record.fields[name][:2]) for name in record.names or ()]
    return {
        "names": [name for name, _, _ in kinds],
        "formats": [[kind.base.str, list(kind.shape)] for _, kind, _ in kinds],
        "offsets": [offset for _, _, offset in kinds],
        "itemsize": record.itemsize,
    }


def translated(snapshot: Snapshot) -> Snapshot:
    """The snapshot with its latches and episodes as records of today; fields it lacks are zero."""
    told = snapshot.facts.get("records")
    if told is None:
        return snapshot
    assert isinstance(told, Mapping)
    columns = dict(snapshot.columns)
    for name, column in snapshot.columns.items():
        parts = name.split("/")
        if LATCH_HOME in parts and parts[-1] in RECORDS:
            was = column.view(_dtype(told[parts[-1]]))
            today = np.zeros(was.size, dtype=RECORDS[parts[-1]])
            for field in set(was.dtype.names or ()) & set(today.dtype.names or ()):
                today[field] = was[field]
            columns[name] = today
    return Snapshot(snapshot.facts, columns)


def _dtype(told: Mapping[str, object]) -> "np.dtype[np.void]":
    formats = told["formats"]
    assert isinstance(formats, list)
    kinds = [(str(base), tuple(shape)) for base, shape in formats]
    found: np.dtype[np.void] = np.dtype({**told, "formats": kinds})  # type: ignore[call-overload]
    return found
