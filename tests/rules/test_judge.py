"""Conditions over columns agree with a slow interpreter that looks at one row at a time."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import expression as ex
from rules import judge
from rules.errors import Place
from rules.plan import GradePlan
from rules.units import NUMBER
from tests.reference import judge as reference

PLACE = Place("t.yaml", 1, 1)
NAN = float("nan")
VALUE = ex.Feature("value", (), NUMBER, PLACE)
MEAN = ex.Feature("mean", (10,), NUMBER, PLACE)
COUNT = ex.Feature("count", (10,), NUMBER, PLACE)
LIMIT = ex.Attribute("sensor", "limit", NUMBER, is_text=False, is_point=True, place=PLACE)
ZONE = ex.Attribute("site", "zone", NUMBER, is_text=True, is_point=False, place=PLACE)
GRID = [-1.0, 0.0, 0.7, 1.0, 2.0, NAN]


@dataclass
class Table:
    """Columns by node, as the judge looks at them."""

    columns: dict[ex.Node, np.ndarray]
    row_count: int

    def feature(self, feature: ex.Feature) -> np.ndarray:
        return self.columns[feature]

    def attribute(self, attribute: ex.Attribute) -> np.ndarray:
        return self.columns[attribute]

    def row(self, at: int) -> dict[ex.Node, object]:
        return {node: column[at] for node, column in self.columns.items()}


def table(rows: list[tuple[float, float, float, float, str | None]], dtype: type) -> Table:
    value, mean, count, limit, zone = zip(*rows, strict=True)
    return Table(
        {
            VALUE: np.array(value, dtype=dtype),
            MEAN: np.array(mean),
            COUNT: np.array(count),
            LIMIT: np.array(limit),
            ZONE: np.array(zone, dtype=object),
        },
        len(rows),
    )


numbers = st.sampled_from(GRID)
constants = st.sampled_from(GRID[:-1]).map(lambda x: ex.Number(x, NUMBER, PLACE))
tables = st.builds(
    table,
    st.lists(
        st.tuples(numbers, numbers, numbers, numbers, st.sampled_from(["wet", "dry", None])),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([np.float32, np.float64]),
)


def grown(quantities: st.SearchStrategy[ex.Node]) -> st.SearchStrategy[ex.Node]:
    return st.one_of(
        st.builds(lambda a: ex.Negate(a, NUMBER, PLACE), quantities),
        st.builds(
            lambda op, a, b: ex.Arithmetic(op, a, b, NUMBER, PLACE),
            st.sampled_from(["+", "-", "*", "/"]),
            quantities,
            quantities,
        ),
        st.builds(lambda a, b: ex.OrElse(a, b, NUMBER, PLACE), quantities, constants),
    )


leaves = st.one_of(constants, st.sampled_from([VALUE, MEAN, COUNT, LIMIT]))
quantities = st.recursive(leaves, grown, max_leaves=4)
operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
texts = st.sampled_from(["wet", "dry"]).map(lambda text: ex.Text(text, PLACE))
comparisons = st.one_of(
    st.builds(lambda op, a, b: ex.Compare((op,), (a, b), PLACE), operators, quantities, quantities),
    st.builds(
        lambda ops, nodes: ex.Compare(ops, nodes, PLACE),
        st.tuples(operators, operators),
        st.tuples(quantities, quantities, quantities),
    ),
    st.builds(lambda text: ex.Compare(("==",), (ZONE, text), PLACE), texts),
    st.builds(lambda items: ex.Member(ZONE, tuple(items), PLACE), st.lists(texts, max_size=3)),
    st.builds(
        lambda a, items: ex.Member(a, tuple(items), PLACE),
        quantities,
        st.lists(constants, min_size=1, max_size=3),
    ),
    st.builds(lambda a: ex.Known(a, PLACE), quantities),
)


def combined(conditions: st.SearchStrategy[ex.Node]) -> st.SearchStrategy[ex.Node]:
    several = st.lists(conditions, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(lambda items: ex.And(items, PLACE), several),
        st.builds(lambda items: ex.Or(items, PLACE), several),
        st.builds(lambda a: ex.Not(a, PLACE), conditions),
        st.builds(lambda a: ex.Known(a, PLACE), conditions),
        st.builds(lambda a, b: ex.OrElse(a, b, NUMBER, PLACE), conditions, conditions),
    )


conditions = st.recursive(comparisons, combined, max_leaves=6)


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


@given(
    graded=st.dictionaries(
        st.integers(1, 4), st.tuples(conditions, st.none() | conditions), min_size=1
    ),
    table=tables,
)
def test_codes_have_each_bit_in_its_place(graded, table):
    """The latches read sixteen bits; a bit too far to the left is another grade."""
    grades = tuple(
        GradePlan(grade, when, clear, 0, 0, None, None)
        for grade, (when, clear) in sorted(graded.items())
    )
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
