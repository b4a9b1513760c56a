"""Conditions over columns agree with a slow interpreter that looks at one row at a time."""

import numpy as np
import pytest
from hypothesis import given

from rules import expression as ex
from rules import judge
from rules.graded import GradePlan
from rules.units import NUMBER
from tests.reference import judge as reference
from tests.rules.conditions import (
    LIMIT,
    MEAN,
    NAN,
    PLACE,
    VALUE,
    Table,
    conditions,
    gradings,
    table,
    tables,
)


def verdict(node: ex.Node, table: Table) -> list[bool | None]:
    with np.errstate(all="ignore"):
        found = judge.truth(node, table)
    assert not np.any(found.true & found.unknown)
    rows = zip(
        np.broadcast_to(found.true, table.row_count).tolist(),
        np.broadcast_to(found.unknown, table.row_count).tolist(),
        strict=True,
    )
    return [None if unknown else true for true, unknown in rows]


@given(node=conditions, table=tables)
def test_every_condition_means_what_the_slow_interpreter_says(node, table):
    """Kleene's tables, unknowns, chains, texts, divisions by zero, both precisions."""
    with np.errstate(all="ignore"):
        expected = [reference.truth(node, table.row(at)) for at in range(table.row_count)]
    assert verdict(node, table) == expected


class Graded:
    """As much of a rule's plan as the judge looks at."""

    def __init__(self, grades: tuple[GradePlan, ...]) -> None:
        self.grades = grades


@given(grades=gradings, table=tables)
def test_codes_have_each_bit_in_its_place(grades, table):
    """The latches read sixteen bits; a bit too far to the left is another grade."""
    with np.errstate(all="ignore"):
        expected = [reference.code(grades, table.row(at)) for at in range(table.row_count)]
    assert judge.codes(Graded(grades), table).tolist() == expected


T, F, U = True, False, None


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (T, T, T, T), (T, F, F, T), (T, U, U, T), (F, F, F, F), (F, U, F, U), (U, U, U, U),
    ],
)  # fmt: skip
def test_kleene(a, b, both, either):
    """Written out: unknown and false is false, unknown or true is true."""
    levels = {T: 1.0, F: 0.0, U: NAN}
    one = ex.Compare((">",), (VALUE, ex.Number(0.5, NUMBER, PLACE)), PLACE)
    other = ex.Compare((">",), (MEAN, ex.Number(0.5, NUMBER, PLACE)), PLACE)
    for first, second in ((a, b), (b, a)):
        rows = table([(levels[first], levels[second], 0.0, 0.0, None)], np.float64)
        assert verdict(ex.And((one, other), PLACE), rows) == [both]
        assert verdict(ex.Or((one, other), PLACE), rows) == [either]
        assert verdict(ex.Not(one, PLACE), rows) == [None if first is None else not first]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 1.1, 1e-3, 16777217.0])
@pytest.mark.parametrize("is_attribute", [False, True])
def test_a_float32_reading_equals_its_threshold(threshold, is_attribute):
    """0.7 as a float32 is 0.699999988: compared as float64 it would never reach 0.7."""
    rows = table([(threshold, NAN, NAN, threshold, None)], np.float32)
    bound = LIMIT if is_attribute else ex.Number(threshold, NUMBER, PLACE)
    assert verdict(ex.Compare((">=",), (VALUE, bound), PLACE), rows) == [True]
    assert verdict(ex.Compare(("<=",), (VALUE, bound), PLACE), rows) == [True]
    assert verdict(ex.Compare((">",), (VALUE, bound), PLACE), rows) == [False]
    assert verdict(ex.Compare(("<",), (bound, VALUE), PLACE), rows) == [False]
