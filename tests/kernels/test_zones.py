"""Bounds of blocks: what they rule out does not happen."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import zones
from rules import expression as ex
from rules import judge
from rules.graded import GradePlan
from rules.units import NUMBER
from tests.kernels.test_vm import Machine, grown, rule_sets
from tests.reference import vm
from tests.reference import zones as reference
from tests.rules.conditions import COUNT, LIMIT, MEAN, PLACE, VALUE, table, tables


@given(rules=rule_sets, rows=tables)
def test_what_is_foreseen_holds(rules, rows):
    """Bounds of a block that are too narrow would hide what is in it."""
    machine = Machine(rules, rows)
    machine.codes(stirring=True)
    for when, clear, *_ in machine.program.rules.tolist():
        steps = machine.program.steps[when:clear]
        registers = machine.registers
        zones.foresee(
            *(machine.program.steps, machine.program.bounds, when, clear),
            *(registers.numbers.shape[0], registers.hull, registers.may),
        )
        columns = [array.tolist() for array in machine.arrays]
        truths = vm.masks(steps, machine.program.bounds, columns, machine.rows)
        for mask, row_truths in truths.items():
            may_be, may_fail = machine.registers.may[mask]
            assert may_be or True not in row_truths
            assert may_fail or False not in row_truths


@pytest.mark.parametrize("how", ["<", "<=", ">", ">=", "==", "!="])
def test_bounds_tell_each_comparison_exactly(how):
    """Numbers that just touch: one too cautious is slow, one too bold hides a warning."""
    grid = [-1.0, 0.0, 0.7, 1.0]
    for low, high in itertools.combinations_with_replacement(grid, 2):
        whole = table([(low, high, 0.0, 0.0, None), (high, low, 0.0, 0.0, None)], np.float64)
        for bound in grid:
            when = ex.Compare((how,), (VALUE, ex.Number(bound, NUMBER, PLACE)), PLACE)
            machine = Machine([(GradePlan(1, when, None, 0, 0, None, None),)], whole)
            machine.codes(stirring=False)
            found = judge.truth(when, whole).true
            # With two bounds that are numbers of the block, what may be is.
            if how in ("==", "!=") and low < bound < high:
                continue
            assert machine.registers.may[0].tolist() == [found.any(), not found.all()]


@given(rows=tables, copies=st.sampled_from([1, 5, 11, 70, 800]))
def test_bounds_of_blocks_are_the_least_and_the_greatest(rows, copies):
    """The bounds are found once for all rules, so an error in them is an error in all."""
    nodes = (VALUE, MEAN, COUNT, LIMIT)
    zero = ex.Number(0.0, NUMBER, PLACE)
    when = ex.And(tuple(ex.Compare((">",), (node, zero), PLACE) for node in nodes), PLACE)
    machine = Machine([(GradePlan(1, when, None, 0, 0, None, None),)], grown(rows, copies))
    first = machine.registers.numbers.shape[0]
    for block in range(machine.blocks):
        cut = slice(block * zones.BLOCK, min((block + 1) * zones.BLOCK, machine.rows))
        zones.survey(machine.columns, cut.start, cut.stop - cut.start, machine.registers)
        for c, array in enumerate(machine.arrays):
            low, high, has_gap = reference.bounds(array[cut].tolist())
            assert machine.registers.hull[first + c].tolist() == [low, high]
            assert machine.registers.place[2, c] == has_gap
