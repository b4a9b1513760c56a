"""Verdicts: what the conditions of many rules say about the same rows, all at once.

The rules of a bank share their columns: a feature is worked out once, its bounds are found once a
block, and a block in which no rule has anything to say is not read.  What depends on no reading is
worked out when it is first needed, for all rows of the bank, and stays.

The machine is `kernels/vm.py`, its programs come from `rules/program.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.features import AttributeColumns
from engine.variants import SettledColumns, Variants, view_of
from kernels import vm, zones
from rules import expression as ex
from rules import judge
from rules.program import Column, Graded, columns_of, compiled, registers_for
from rules.steps import IsVariant, Varied, is_settled

Floats = NDArray[np.floating]
Bytes = NDArray[np.uint8]
Rows = NDArray[np.integer]
NUMBERS = (np.dtype(np.float32), np.dtype(np.float64))
# Features that look at the rule itself: two rules with the same window may mean different things.
PERSONAL = frozenset({"forecast", "time_to"})


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the conditions of r rules say about m rows, in n blocks of 4096.

    bits     uint64[r, w, 16]  for 64 rows one mask for each bit of the code; where it is loud
    is_loud  uint8[r, n]       0: no `when` is true in the block, and no row of it is awake
    """

    bits: NDArray[np.uint64]
    is_loud: Bytes


class Verdicts:
    """The conditions of some rules on the rows of one bank."""

    __slots__ = (
        "attributes",
        "bits",
        "columns",
        "graded",
        "machines",
        "of_view",
        "settled",
        "variants",
    )

    def __init__(self, variants: Sequence[Variants], attributes: AttributeColumns) -> None:
        self.variants = variants
        self.attributes = attributes
        views: dict[object, int] = {}
        # The first rule of each view speaks for all.
        self.of_view: list[int] = []
        self.graded = []
        for number, rule in enumerate(variants):
            view = views.setdefault(_view(rule, number), len(views))
            if view == len(self.of_view):
                self.of_view.append(number)
            grades = tuple(plan.grades for plan in rule.plans)
            self.graded.append(Graded(view, grades, rule.is_partial))
        self.columns = columns_of(self.graded)
        self.settled: dict[Column, Floats] = {}
        self.machines: dict[tuple[bool, ...], tuple[zones.Program, zones.Registers]] = {}
        self.bits = np.zeros((len(variants), 0, 16), dtype=np.uint64)

    def weigh(self, tables: Sequence[judge.Columns], rows: Rows, stirring: Bytes) -> Weighed:
        """Judge some rows.

        tables    one per rule, of m rows
        rows      int[m]       rows of the bank
        stirring  uint8[r, n]  1: a row of the block must be judged although nothing is true of it
        """
        arrays = [self._column(column, tables, rows) for column in self.columns]
        program, registers = self._machine(tuple(a.dtype == np.float32 for a in arrays))
        places = [(a.__array_interface__["data"][0], a.itemsize) for a in arrays]
        columns = np.array(places, dtype=np.int64).reshape(-1, 2).T.copy()
        words = stirring.shape[1] * zones.WORDS
        if self.bits.shape[1] < words:
            self.bits = np.zeros((len(self.graded), words, 16), dtype=np.uint64)
        is_loud = np.empty_like(stirring)
        vm.weigh(program, columns, rows.size, stirring, registers, self.bits, is_loud)
        return Weighed(self.bits, is_loud)

    def codes(self, table: judge.Columns, rows: Rows) -> NDArray[np.uint16]:
        """The codes of a single rule, row by row."""
        assert len(self.graded) == 1
        blocks = -(-rows.size // zones.BLOCK)
        found = self.weigh([table], rows, np.ones((1, blocks), dtype=np.uint8))
        code = np.zeros(blocks * zones.BLOCK, dtype=np.uint16)
        vm.spell(found.bits[0], rows.size, code)
        return code[: rows.size]

    def _machine(self, is_narrow: tuple[bool, ...]) -> tuple[zones.Program, zones.Registers]:
        if is_narrow not in self.machines:
            program = compiled(self.graded, is_narrow)
            self.machines[is_narrow] = program, registers_for(program, len(is_narrow))
        return self.machines[is_narrow]

    def _column(self, column: Column, tables: Sequence[judge.Columns], rows: Rows) -> Floats:
        table = tables[self.of_view[column.view]]
        node = column.node
        if isinstance(node, ex.Feature):
            found = table.feature(node)
        elif is_settled(node):
            found = _only(self._settled(column), rows)
        else:
            assert not isinstance(node, Varied | IsVariant)
            found = _worked_out(node, table)
        if found.dtype not in NUMBERS:
            found = found.astype(np.float64)
        return np.ascontiguousarray(found)

    def _settled(self, column: Column) -> Floats:
        """What no reading moves, for all rows of the bank."""
        if column not in self.settled:
            rule = self.variants[self.of_view[column.view]]
            scale = rule.plans[0].rule.input.scale
            table = SettledColumns(self.attributes, rule.of.size, scale)
            found: Floats
            match column.node:
                case IsVariant(number=None):
                    found = (rule.of >= 0).astype(np.float64)
                case IsVariant(number=number):
                    found = (rule.of == number).astype(np.float64)
                case Varied(nodes=nodes):
                    found = np.full(rule.of.size, np.nan)
                    for number, node in enumerate(nodes):
                        mine = rule.of == number
                        found[mine] = _worked_out(node, table)[mine]
                case node:
                    found = _worked_out(node, table)
            self.settled[column] = found
        return self.settled[column]


def _view(rule: Variants, number: int) -> object:
    """What makes two rules see the same columns."""
    plan = rule.plans[0]
    if not rule.is_single or any(feature.name in PERSONAL for feature in plan.features):
        return number
    return view_of(plan)


def _worked_out(node: ex.Node, table: judge.Columns) -> Floats:
    """A quantity as float64; a condition as 1, 0 and NaN."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if ex.is_condition(node):
            truth = judge.truth(node, table)
            return np.where(truth.unknown, np.nan, truth.true.astype(np.float64))
        found = np.asarray(judge.number(node, table))
    return np.array(np.broadcast_to(found, table.row_count), dtype=np.float64)


def _only(column: Floats, rows: Rows) -> Floats:
    """Some rows of a column; those of a run are not copied."""
    if rows.size and int(rows[-1]) - int(rows[0]) + 1 == rows.size and _ascends(rows):
        return column[int(rows[0]) : int(rows[-1]) + 1]
    return column[rows]


def _ascends(rows: Rows) -> bool:
    return bool(np.all(rows[1:] > rows[:-1]))
