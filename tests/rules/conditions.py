"""Random conditions over random columns, for the tests of the judge and of the machine."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from rules import expression as ex
from rules.errors import Place
from rules.graded import GradePlan
from rules.units import NUMBER

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

gradings = st.dictionaries(
    st.integers(1, 4), st.tuples(conditions, st.none() | conditions), min_size=1
).map(
    lambda graded: tuple(
        GradePlan(grade, when, clear, 0, 0, None, None)
        for grade, (when, clear) in sorted(graded.items())
    )
)
