"""The machine: many rules over many rows say what a slow interpreter says of one rule and row."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import vm, zones
from rules import expression as ex
from rules import judge, program, steps
from rules.graded import GradePlan
from rules.units import NUMBER
from tests.reference import judge as interpreter
from tests.rules.conditions import GRID, LIMIT, MEAN, PLACE, VALUE, Table, gradings, table, tables


class Machine:
    """Rules over a table, as the engine runs them."""

    def __init__(self, rules: list[tuple[GradePlan, ...]], table: Table) -> None:
        self.rules = [program.Graded(0, (grades,)) for grades in rules]
        self.rows = table.row_count
        with np.errstate(all="ignore"):
            self.arrays = [column_of(c.node, table) for c in program.columns_of(self.rules)]
        self.program = program.compiled(self.rules, [a.dtype == np.float32 for a in self.arrays])
        self.registers = program.registers_for(self.program, len(self.arrays))
        self.blocks = -(-self.rows // zones.BLOCK)
        self.columns = np.array([[a.ctypes.data, a.itemsize] for a in self.arrays], np.int64)
        self.columns = np.ascontiguousarray(self.columns.reshape(-1, 2).T)

    def codes(self, stirring: bool) -> tuple[np.ndarray, np.ndarray]:
        """uint16[r, m], and which blocks are loud."""
        rules = len(self.rules)
        stirs = np.full((rules, self.blocks), stirring, np.uint8)
        loud = np.zeros_like(stirs)
        words = self.blocks * zones.WORDS
        bits = np.zeros((rules, words, 16), np.uint64)
        vm.weigh(self.program, self.columns, self.rows, stirs, self.registers, bits, loud)
        codes = np.zeros((rules, words * zones.LANES), np.uint16)
        for r in range(rules):
            vm.spell(bits[r], self.rows, codes[r])
        return codes[:, : self.rows], loud


def column_of(node: ex.Node, table: Table) -> np.ndarray:
    """What the engine would hand over for a column."""
    if isinstance(node, ex.Feature):
        return table.feature(node)
    if not ex.is_condition(node):
        return np.array(np.broadcast_to(judge.number(node, table), table.row_count))
    found = judge.truth(node, table)
    return np.where(found.unknown, np.nan, np.where(found.true, 1.0, 0.0))


rule_sets = st.lists(gradings, min_size=1, max_size=2)


def grown(table: Table, copies: int) -> Table:
    """The same rows again and again, until they fill blocks."""
    columns = {node: np.tile(column, copies) for node, column in table.columns.items()}
    return Table(columns, table.row_count * copies)


@given(rules=rule_sets, table=tables, copies=st.sampled_from([1, 7, 33, 500]))
def test_codes_are_those_of_the_interpreter(rules, table, copies):
    """A condition that is fast and wrong raises the wrong warning, everywhere at once."""
    machine = Machine(rules, grown(table, copies))
    codes, loud = machine.codes(stirring=True)
    with np.errstate(all="ignore"):
        rows = [table.row(at) for at in range(table.row_count)]
        expected = [[interpreter.code(grades, row) for row in rows] for grades in rules]
    assert loud.all()
    np.testing.assert_array_equal(codes, np.tile(expected, copies))


ALL = list(itertools.product(GRID, GRID, GRID, [0.0, 3.0], ["wet", None]))


@functools.cache
def every_row(dtype: type) -> tuple[Table, list[dict[ex.Node, object]]]:
    """Every combination of what a row may hold."""
    whole = table(ALL, dtype)
    return whole, [whole.row(at) for at in range(whole.row_count)]


@given(rules=rule_sets, dtype=st.sampled_from([np.float32, np.float64]))
def test_every_combination_of_values_is_judged_rightly(rules, dtype):
    """Few random rows would miss the one on which two wrong things meet."""
    whole, rows = every_row(dtype)
    codes, _ = Machine(rules, whole).codes(stirring=True)
    with np.errstate(all="ignore"):
        expected = [[interpreter.code(grades, row) for row in rows] for grades in rules]
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("is_stirring", [True, False])
def test_every_comparison_of_every_two_kinds_of_operands(dtype, is_stirring):
    """Columns of both widths, bounds, sums and registers, each with each, by each operator."""
    whole, rows = every_row(dtype)
    wide = ex.Arithmetic("+", VALUE, MEAN, NUMBER, PLACE)
    narrow = ex.Arithmetic("*", VALUE, ex.Number(0.7, NUMBER, PLACE), NUMBER, PLACE)
    known = ex.OrElse(MEAN, ex.Number(0.7, NUMBER, PLACE), NUMBER, PLACE)
    operands = [VALUE, MEAN, LIMIT, wide, narrow, known, ex.Number(0.7, NUMBER, PLACE)]
    rules = []
    for one, other in itertools.product(operands, operands):
        whens = [ex.Compare((how,), (one, other), PLACE) for how in steps.HOW]
        first = [GradePlan(g, when, None, 0, 0, None, None) for g, when in enumerate(whens[:3], 1)]
        rest = [GradePlan(g, when, None, 0, 0, None, None) for g, when in enumerate(whens[3:], 1)]
        rules += [tuple(first), tuple(rest)]
    codes, loud = Machine(rules, whole).codes(is_stirring)
    for r, grades in enumerate(rules):
        with np.errstate(all="ignore"):
            expected = np.array([interpreter.code(grades, row) for row in rows])
        assert loud[r, 0] == (is_stirring or np.any(expected & 0x000F))
        if loud[r, 0]:
            np.testing.assert_array_equal(codes[r], expected, err_msg=repr(grades))


@given(rules=rule_sets, table=tables, copies=st.sampled_from([1, 33, 500]))
def test_a_quiet_block_is_one_in_which_no_when_is_true(rules, table, copies):
    """What is skipped must have had nothing to say, or a warning is missed; and no more is read."""
    machine = Machine(rules, grown(table, copies))
    whole, _ = machine.codes(stirring=True)
    codes, loud = machine.codes(stirring=False)
    for r in range(len(rules)):
        for block in range(machine.blocks):
            rows = slice(block * zones.BLOCK, min((block + 1) * zones.BLOCK, machine.rows))
            assert loud[r, block] == np.any(whole[r, rows] & 0x000F)
            if loud[r, block]:
                np.testing.assert_array_equal(codes[r, rows], whole[r, rows])
