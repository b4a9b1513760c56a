"""Clauses: a condition taken apart into comparisons, each with its value, threshold and margin.

The same for a rule on one sensor and for one on several: what was seen of a row, or of an instance,
answers whether a part holds, what a quantity came to, and why it is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from kernels.latch import FROZEN
from rules import expression as ex
from rules.grade import Grade
from rules.graded import GradePlan
from rules.retold import Teller

Phase = Literal["off", "arming", "on", "clearing"]
PHASES: Final[tuple[Phase, ...]] = ("off", "arming", "on", "clearing")
ABOVE: Final = frozenset({">", ">="})


class Seen(Protocol):
    """What was seen of one row or instance at one instant."""

    def truth(self, node: ex.Node) -> bool | None:
        """Whether a condition held; None: unknown."""

    def bounds(self, node: ex.Node) -> tuple[float, float]:
        """What a quantity came to, from least to most; NaN: unknown."""

    def text(self, node: ex.Node) -> str | None:
        """An attribute that is a text."""

    def is_whole(self, node: ex.Node) -> bool:
        """Nothing is known of the parts of a condition."""

    def teller(self, node: ex.Node) -> Teller:
        """Writes a part of a condition in the units of what it looks at."""

    def note(self, node: ex.Node) -> str:
        """Why a part is unknown, or who is behind it; empty where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison, or one joint of comparisons, `depth` steps inside its condition.

    is_true  None: unknown, and `reason` says why
    margin   how far beyond (positive) or short of being true, in the unit of its value
    """

    depth: int
    text: str
    is_true: bool | None
    value: str = ""
    margin: float | None = None
    margin_text: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GradeAccount:
    """One grade: its latch and timer, why it is (not) entered, and when it would clear.

    held_ns   how long the running timer has run, of `needed_ns`; None: none runs
    is_frozen the timer stands still, because its condition is unknown
    """

    grade: Grade
    phase: Phase
    held_ns: int | None
    needed_ns: int
    is_frozen: bool
    when: tuple[Clause, ...]
    clear: tuple[Clause, ...]


def account_of_grade(line: np.void, grade: GradePlan, now_ns: int, seen: Seen) -> GradeAccount:
    """One grade of a LATCH record at an instant."""
    place = grade.grade - 1
    phase = PHASES[int(line["phase"]) >> 2 * place & 3]
    is_frozen = bool(int(line["state"]) & FROZEN & 1 << place)
    held_ns: int | None = None
    needed_ns = grade.clear_for_ns if phase == "clearing" else grade.for_ns
    if phase in ("arming", "clearing"):
        mark_ns = int(line["mark_ns"][place])
        held_ns = mark_ns if is_frozen else now_ns - mark_ns
        if held_ns >= needed_ns:
            # It has ended at or before the instant, though its pane was still to be judged.
            phase, held_ns = ("on" if phase == "arming" else "off"), None
    return GradeAccount(
        grade=Grade(grade.grade),
        phase=phase,
        held_ns=held_ns,
        needed_ns=needed_ns,
        is_frozen=is_frozen and held_ns is not None,
        when=tuple(clauses(grade.when, seen)),
        clear=() if grade.clear is None else tuple(clauses(grade.clear, seen)),
    )


def clauses(node: ex.Node, seen: Seen, depth: int = 0) -> Iterator[Clause]:
    """A condition and, where it is joined, its parts."""
    truth = seen.truth(node)
    match node:
        case _ if seen.is_whole(node):
            text = seen.teller(node).text(node)
            yield Clause(depth, text, truth, reason=seen.note(node))
        case ex.And(items=items) | ex.Or(items=items):
            yield Clause(depth, "all of" if isinstance(node, ex.And) else "any of", truth)
            for item in items:
                yield from clauses(item, seen, depth + 1)
        case ex.Not(operand=operand):
            yield Clause(depth, "not", truth)
            yield from clauses(operand, seen, depth + 1)
        case ex.Compare(operators=(operator,), operands=(left, right)):
            yield _comparison(node, operator, (left, right), seen, depth)
        case _:
            text = seen.teller(node).text(node)
            yield Clause(depth, text, truth, reason=seen.note(node))


def _comparison(
    node: ex.Compare, operator: str, sides: tuple[ex.Node, ex.Node], seen: Seen, depth: int
) -> Clause:
    """`mean(15s) = 1.04 % >= 1.5 %`, and how far it is from that."""
    left, right = sides
    truth, reason, teller = seen.truth(node), seen.note(node), seen.teller(node)
    text = teller.text(node)
    if _is_text(left) or _is_text(right):
        shown = seen.text(left) or ""
        return Clause(depth, text, truth, value=shown, reason=reason)
    (a, a_high), (b, b_high) = seen.bounds(left), seen.bounds(right)
    # The side that is measured is shown with its value, whichever it is.
    measured = right if ex.constant(left) is not None else left
    low, high = (b, b_high) if measured is right else (a, a_high)
    value = _span(low, high, measured, teller)
    if measured is left and ex.constant(right) is None:
        value += f" against {teller.value(b, right)}"
    if np.isnan(a) or np.isnan(b) or a_high > a or b_high > b:
        return Clause(depth, text, truth, value=value, reason=reason)
    margin = a - b if operator in ABOVE else b - a
    told = teller.amount(abs(margin), ex.dimension_of(left), is_point=False)
    exact = "exactly" if margin == 0 else f"{told} {'beyond' if margin > 0 else 'short'}"
    return Clause(depth, text, truth, value, float(margin), exact, reason)


def _span(low: float, high: float, node: ex.Node, teller: Teller) -> str:
    """A quantity, or from what to what it may be where some members are unknown."""
    if np.isinf(low) and np.isinf(high):
        return "unknown"
    if np.isinf(high) and high > low:
        return f"{teller.value(low, node)} or more"
    if np.isinf(low) and high > low:
        return f"{teller.value(high, node)} or less"
    told = teller.value(low, node)
    return f"{told} to {teller.value(high, node)}" if high > low else told


def _is_text(node: ex.Node) -> bool:
    return isinstance(node, ex.Text) or (isinstance(node, ex.Attribute) and node.is_text)
