"""Program: the conditions of many rules, written for the machine of kernels/vm.py.

What depends on no reading - attributes, texts, sums of them, the settings of overrides - is a
column that the caller works out once; what depends on the calendar is one that it works out by
`rules/judge.py` each time.  Everything else becomes steps (`rules/steps.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels import zones
from rules import expression as ex
from rules.graded import GradePlan
from rules.steps import IsVariant, Node, Step, Varied, Writer, is_given, is_settled, is_text


@dataclass(frozen=True, slots=True)
class Column:
    """One column that a program reads.

    view  which rules see it alike: they share unit, coverage and staleness
    node  a feature; or a quantity, or a condition (1, 0 or NaN), that is worked out beforehand
    """

    view: int
    node: Node


@dataclass(frozen=True, slots=True)
class Graded:
    """What a program asks for one rule: its grades, in each variant of its settings.

    is_partial  there are rows to which the rule does not apply
    """

    view: int
    variants: tuple[tuple[GradePlan, ...], ...]
    is_partial: bool = False


def columns_of(rules: Sequence[Graded]) -> tuple[Column, ...]:
    """Which columns the rules read, each once."""
    found: dict[Column, None] = {}
    for rule in rules:
        for conditions in _conditions(rule).values():
            for condition in conditions:
                if condition is not None:
                    found |= {Column(rule.view, leaf): None for leaf in _leaves(condition)}
    return tuple(found)


def compiled(rules: Sequence[Graded], is_narrow: Sequence[bool]) -> zones.Program:
    """Write the program for columns (`columns_of`) of which some are float32."""
    place = {column: number for number, column in enumerate(columns_of(rules))}
    steps: list[Step] = []
    bounds: dict[float, int] = {0.0: 0}
    outputs: list[tuple[int, int, int]] = []
    spans = []
    for rule in rules:
        writer = Writer(_places(rule.view, place), is_narrow, bounds)
        conditions = _conditions(rule)
        begin, first = len(steps), len(outputs)
        whens = {grade: writer.condition(when) for grade, (when, _) in conditions.items()}
        middle = begin + len(writer.steps)
        for grade, (_, clear) in conditions.items():
            when = whens[grade]
            at = grade - 1
            outputs += [(at, when, zones.IS_TRUE), (at + 4, when, zones.IS_UNKNOWN)]
            mask, rail = when, zones.IS_FALSE
            if clear is not None:
                mask, rail = writer.condition(clear), zones.IS_TRUE
            outputs += [(at + 8, mask, rail), (at + 12, mask, zones.IS_UNKNOWN)]
        steps += writer.steps
        spans.append((begin, middle, len(steps), first, len(outputs)))
    return zones.Program(
        np.array(steps, dtype=np.int64).reshape(-1, 6),
        np.array(list(bounds), dtype=np.float64),
        np.array(spans, dtype=np.int64).reshape(-1, 5),
        np.array(outputs, dtype=np.int64).reshape(-1, 3),
    )


def _places(view: int, place: Mapping[Column, int]) -> Callable[[Node], int]:
    return lambda node: place[Column(view, node)]


def registers_for(program: zones.Program, column_count: int) -> zones.Registers:
    """Working memory that is enough for a program."""
    writes_number = program.steps[:, 0] <= zones.FIRST
    out = program.steps[:, 1]
    numbers = int(out[writes_number].max(initial=0)) + 1
    masks = int(out[~writes_number].max(initial=0)) + 1
    return zones.Registers(
        numbers=np.zeros((numbers, zones.BLOCK)),
        masks=np.zeros((masks, 2, zones.WORDS), dtype=np.uint64),
        place=np.zeros((3, column_count), dtype=np.int64),
        tail=np.zeros((column_count, zones.BLOCK)),
        hull=np.zeros((numbers + column_count, 2)),
        may=np.zeros((masks, 2), dtype=np.uint8),
        lanes32=np.zeros((2, zones.LANES), dtype=np.float32),
        lanes64=np.zeros((2, zones.LANES)),
    )


def _conditions(rule: Graded) -> dict[int, tuple[Node, Node | None]]:
    """`when` and `clear` of each grade that some variant has."""
    found: dict[int, tuple[Node, Node | None]] = {}
    by_grade = [{grade.grade: grade for grade in variant} for variant in rule.variants]
    for grade in sorted({grade for variant in by_grade for grade in variant}):
        mine = [variant.get(grade) for variant in by_grade]
        when = _joined([None if one is None else one.when for one in mine], rule.is_partial)
        if all(one is None or one.clear is None for one in mine):
            found[grade] = (when, None)
            continue
        found[grade] = (when, _joined([_clear(one) for one in mine], rule.is_partial))
    return found


def _clear(grade: GradePlan | None) -> ex.Node | None:
    if grade is None:
        return None
    return ex.Not(grade.when, grade.when.place) if grade.clear is None else grade.clear


def _joined(nodes: Sequence[ex.Node | None], is_partial: bool) -> Node:
    """One condition for all rows out of one for each variant; None: there the grade is not."""
    there = [node for node in nodes if node is not None]
    first = there[0]
    if all(node == first for node in nodes):
        return _and(IsVariant(None), first) if is_partial else first
    if len(there) == len(nodes) and all(_is_like(node, first) for node in there):
        assert isinstance(first, ex.Compare)
        sides = zip(*(node.operands for node in there if isinstance(node, ex.Compare)), strict=True)
        operands = [side[0] if len(set(side)) == 1 else Varied(side) for side in sides]
        return ex.Compare(first.operators, tuple(operands), first.place)  # type: ignore[arg-type]
    parts = [_and(IsVariant(k), node) for k, node in enumerate(nodes) if node is not None]
    return ex.Or(tuple(parts), first.place)


def _and(one: Node, other: ex.Node) -> ex.And:
    return ex.And((one, other), other.place)  # type: ignore[arg-type]


def _is_like(node: ex.Node, other: ex.Node) -> bool:
    """Comparisons of the same shape, which differ only in quantities that no reading moves."""
    if not (isinstance(node, ex.Compare) and isinstance(other, ex.Compare)):
        return False
    return node.operators == other.operators and all(
        a == b or (is_settled(a) and is_settled(b) and not is_text(a))
        for a, b in zip(node.operands, other.operands, strict=True)
    )


def _leaves(node: Node) -> Iterator[Node]:
    if is_given(node):
        yield node
    else:
        assert not isinstance(node, Varied | IsVariant)
        for part in ex.parts(node):
            yield from _leaves(part)
