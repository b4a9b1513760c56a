"""Grades: what other rules say, as the instances of a rule look at it.

A grade holds from the instant at which it changed; what a rule had lately (`within`) is remembered
for as long as it is asked for.  Where there is no warning the grade is `none`, which is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.instances import Edges
from rules.pack import Promotion

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NS_PER_S = 1_000_000_000
NOWHERE = np.empty(0)

# A grade that an edge had until an instant, as long as anybody asks for it.
PAST = np.dtype([("until_ns", "i8"), ("edge", "i4"), ("slot", "i4"), ("grade", "u1")])


@dataclass(frozen=True, slots=True)
class GradeTable:
    """Changes of grade of one rule, in the order in which they happened for each subject.

    subject  int64[n]    number of the sensor, row of the instance, or serial of the cluster
    time_ns  int64[n]
    grade    uint8[n]    from then on
    lat, lon float64[n]  where it is, for a cluster; empty for what does not move
    """

    rule: str
    subject: Ints
    time_ns: Ints
    grade: NDArray[np.uint8]
    lat: Floats
    lon: Floats


def graded(rule: str, subject: Ints, changes: NDArray[np.void]) -> list[GradeTable]:
    """Records of latches as changes of grade; what only went blind or came back is none."""
    moved = np.flatnonzero(changes["grade"] != changes["previous"])
    if not moved.size:
        return []
    time_ns, grade = changes["event_ns"][moved], changes["grade"][moved]
    return [GradeTable(rule, subject[moved], time_ns, grade, NOWHERE, NOWHERE)]


def past_of(slot: int, told: NDArray[np.void], value: Floats) -> NDArray[np.void]:
    """What edges had before they were told something else; `value` is what they have."""
    found = np.zeros(told.size, dtype=PAST)
    found["until_ns"], found["edge"], found["slot"] = told["time_ns"], told["edge"], slot
    found["grade"] = value[told["edge"]]
    return found[found["grade"] > 0]


def highest_lately(
    past: NDArray[np.void], edges: Edges, *, since_ns: int, row_count: int
) -> Floats:
    """The highest grade that the edges of each instance had at some time after an instant."""
    found = np.zeros(row_count)
    lately = past[past["until_ns"] > since_ns]
    np.maximum.at(found, edges.row[lately["edge"]], lately["grade"].astype(np.float64))
    return found


def rolled_up(
    grades: Sequence[Floats], starts: Sequence[Ints], hazards: Sequence[str],
    promotions: Sequence[Promotion], *, by_hazard: bool,
) -> Floats:  # fmt: skip
    """The grade that many make together: the highest, then promotion by count.

    grades  float64[m]      for each rule, the grades of its subjects, instance by instance
    starts  int64[n + 1]    where those of each instance begin

    With `by_hazard` the rules of one hazard are taken together first, and count as one then.
    """
    row_count = starts[0].size - 1
    parts: dict[str, list[int]] = {}
    for number, hazard in enumerate(hazards):
        parts.setdefault(hazard if by_hazard else "", []).append(number)
    inner = []
    for numbers in parts.values():
        counts = np.zeros((5, row_count))
        for number in numbers:
            for grade in range(1, 5):
                reached = np.concatenate(([0], np.cumsum(grades[number] >= grade)))
                counts[grade] += reached[starts[number][1:]] - reached[starts[number][:-1]]
        inner.append(_promoted(counts, promotions))
    if not by_hazard:
        return inner[0]
    across = np.array(inner)
    counts = np.array([np.zeros(row_count), *((across >= g).sum(axis=0) for g in range(1, 5))])
    return _promoted(counts, promotions)


def _promoted(counts: Floats, promotions: Sequence[Promotion]) -> Floats:
    """counts float64[5, n]: how many are at least at each grade."""
    grade = np.zeros(counts.shape[1])
    for step in range(1, 5):
        grade[counts[step] > 0] = step
    for promotion in promotions:
        enough = counts[int(promotion.at)] >= promotion.count
        grade = np.where(enough, np.maximum(grade, float(promotion.to)), grade)
    return grade


class Reach:
    """Which clusters stand how high, and which instances each reaches."""

    __slots__ = ("standing",)

    def __init__(self) -> None:
        self.standing: dict[int, tuple[int, Ints]] = {}

    def move(self, serial: int, grade: int, rows: Ints) -> Iterator[tuple[int, int]]:
        """A cluster has changed; the instances for which that matters, and their grade now."""
        _, before = self.standing.pop(serial, (0, np.empty(0, dtype=np.int64)))
        if grade:
            self.standing[serial] = (grade, rows)
        for row in np.union1d(before, rows).tolist():
            yield (
                row,
                max((g for g, reached in self.standing.values() if row in reached), default=0),
            )

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, as two columns: (serial, grade, how many) and the instances."""
        heads = [(serial, grade, rows.size) for serial, (grade, rows) in self.standing.items()]
        rows = [rows for _, rows in self.standing.values()]
        return {
            "heads": np.array(heads, dtype=np.int64).reshape(-1, 3),
            "rows": np.concatenate([np.empty(0, dtype=np.int64), *rows]),
        }

    def restore(self, heads: Ints, rows: Ints) -> None:
        """Take over what was remembered."""
        ends = np.cumsum(heads[:, 2])
        self.standing = {
            int(serial): (int(grade), rows[end - size : end].copy())
            for (serial, grade, size), end in zip(heads, ends, strict=True)
        }
