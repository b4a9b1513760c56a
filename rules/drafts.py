"""Drafts: expressions whose units are being found out.

A draft knows what can be known of an expression by itself: its dimension, or that it depends on an
attribute whose dimension the expression does not say (`asset.v_red` is whatever it is compared
with). The solver holds what comparisons have told about attributes, for a whole rule. When all of a
rule has been read, each draft builds its node with every unit resolved.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from rules.expression import Node
from rules.pack import Input
from rules.units import DURATION, LENGTH, NUMBER, SHARES, Dimension, times
from rules.yaml_text import TextNode

Variable = tuple[str, str]
Sort = Literal["quantity", "condition", "text", "set"]
# Of temperatures: a point on the scale, a difference, or either (a number, an attribute).
Kind = Literal["point", "difference", "either"]


# Makes the node, for a dimension, as a point or as a difference.
Build = Callable[[Dimension, bool], Node]


@dataclass(frozen=True, slots=True)
class Draft:
    """One expression before its units are resolved; `build` makes its node."""

    sort: Sort
    text: str
    node: TextNode
    start: int
    end: int
    build: Build
    dimension: Dimension = NUMBER
    variables: tuple[tuple[Variable, int], ...] = ()
    kind: Kind = "difference"
    # The unit to name in faults; of a literal, the one that was written.
    unit: str = ""
    # Numbers without a unit, and nothing else; `amount` is their value where it is one number.
    is_bare: bool = False
    amount: float | None = None
    # A number with a unit, as written: `m` may yet be minutes, `%` a plain share.
    is_literal: bool = False
    # The input in whose unit a bare number beside this draft is read.
    input: Input | None = None
    # The attribute this draft is, if it is nothing else.
    attribute: Variable | None = None


@dataclass(slots=True)
class Solver:
    """What is known about the attributes of one rule."""

    seen: dict[Variable, Draft] = field(default_factory=dict)
    solved: dict[Variable, Dimension] = field(default_factory=dict)
    texts: set[Variable] = field(default_factory=set)
    pending: list[tuple[Draft, Draft]] = field(default_factory=list)

    def dimension(self, draft: Draft) -> Dimension | None:
        """The dimension of a draft; None while it depends on an unknown attribute."""
        dimension = draft.dimension
        for variable, power in draft.variables:
            known = self.solved.get(variable)
            if known is None:
                return None
            dimension = times(dimension, tuple(power * exponent for exponent in known))
        return dimension

    def equate(self, left: Draft, right: Draft) -> bool | None:
        """Let two drafts have one dimension: True, False if they cannot, None if not known yet."""
        a, b = self.dimension(left), self.dimension(right)
        if a is not None and b is not None:
            return a == b or _is_read_as(left, b) or _is_read_as(right, a)
        powers: dict[Variable, int] = {}
        rest = times(left.dimension, right.dimension, -1)
        for sign, draft in ((1, left), (-1, right)):
            for variable, power in draft.variables:
                known = self.solved.get(variable)
                if known is None:
                    powers[variable] = powers.get(variable, 0) + sign * power
                else:
                    rest = times(rest, tuple(sign * power * exponent for exponent in known))
        unknown = [(variable, power) for variable, power in powers.items() if power]
        if not unknown:
            return not any(rest)
        if len(unknown) > 1 or abs(unknown[0][1]) != 1:
            self.pending.append((left, right))
            return None
        variable, power = unknown[0]
        self.solved[variable] = tuple(-power * exponent for exponent in rest)
        return True

    def settle(self) -> list[tuple[Draft, Draft]]:
        """Try again what was not known, until nothing new is learnt; the pairs that cannot be."""
        wrong = []
        while True:
            waiting, self.pending = self.pending, []
            known_count = len(self.solved)
            wrong += [pair for pair in waiting if self.equate(*pair) is False]
            if len(self.solved) == known_count:
                return wrong

    def unknown(self) -> list[tuple[Variable, Draft]]:
        """The attributes whose dimension nothing has told."""
        told = self.solved.keys() | self.texts
        return [(variable, draft) for variable, draft in self.seen.items() if variable not in told]

    def torn(self) -> list[tuple[Variable, Draft]]:
        """The attributes that are a text here and a quantity there."""
        both = self.solved.keys() & self.texts
        return [(variable, draft) for variable, draft in self.seen.items() if variable in both]


def _is_read_as(draft: Draft, wanted: Dimension) -> bool:
    """True where a literal means something else by position: `5m` a duration, `60 %` a share."""
    if not draft.is_literal:
        return False
    if wanted == DURATION and draft.dimension == LENGTH:
        return draft.unit == "m"
    return wanted == NUMBER and draft.dimension == SHARES
