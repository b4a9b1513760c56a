"""Drafts: expressions whose units are being found out.

A draft knows what can be known of an expression by itself: its dimension, or that it depends on an
attribute whose dimension the expression does not say (`asset.v_red` is whatever it is compared
with). The solver holds what comparisons have told about attributes, for a whole rule. When all of a
rule has been read, each draft builds its node with every unit resolved.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from rules.errors import Place
from rules.expression import Members, Node
from rules.pack import Input
from rules.syntax import Syntax
from rules.units import (
    DURATION,
    LENGTH,
    METRE_PER_S,
    NUMBER,
    SHARES,
    SPEED,
    WIND_FORCE,
    Dimension,
    force_of_wind,
    read_unit,
    times,
)
from rules.yaml_text import TextNode

# Scope and name of an attribute, and the input of the member it belongs to inside a set method.
Variable = tuple[str, str, str]
# `none` is what a grade or an attribute is compared with, and nothing by itself.
Sort = Literal["quantity", "condition", "text", "set", "grade", "none"]
# Of temperatures: a point on the scale, a difference, or either (a number, an attribute).
Kind = Literal["point", "difference", "either"]


# Makes the node, for a dimension, as a point or as a difference; numbers without a unit are in the
# unit of the input given.
Build = Callable[[Dimension, bool, Input | None], Node]


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
    # The sensors of a set, and the input they belong to.
    members: Members | None = None
    # The words a text may be, where they are few.
    words: tuple[str, ...] = ()
    # The macro that wrote this, as `Place.inside`.
    inside: str = ""

    @classmethod
    def of(cls, sort: Sort, syntax: Syntax, node: TextNode, build: Build) -> "Draft":
        """A draft of a whole node of the tree."""
        text = node.text[syntax.start : syntax.end]
        return cls(sort, text, node, syntax.start, syntax.end, build, inside=syntax.inside)

    def moved(self, syntax: Syntax, node: TextNode) -> "Draft":
        """The same draft, standing where a larger node of the tree stands."""
        text = node.text[syntax.start : syntax.end]
        return replace(
            self,
            text=text,
            node=node,
            start=syntax.start,
            end=syntax.end,
            inside=syntax.inside,
            is_literal=False,
            attribute=None,
            amount=None,
        )

    @property
    def place(self) -> Place:
        """Where the draft stands."""
        place = self.node.part(self.start, self.end)
        return replace(place, inside=self.inside) if self.inside else place

    def make(self, dimension: Dimension, is_point: bool, home: Input | None = None) -> Node:
        """The node, once the units are settled; bare numbers are in the unit of `home`."""
        return self.build(dimension, is_point, home or self.input)


@dataclass(slots=True)
class Solver:
    """What is known about the attributes of one rule."""

    seen: dict[Variable, Draft] = field(default_factory=dict)
    solved: dict[Variable, Dimension] = field(default_factory=dict)
    texts: set[Variable] = field(default_factory=set)
    pending: list[tuple[Draft, Draft]] = field(default_factory=list)
    # How often an attribute was written, and how often only to ask whether there is one.
    uses: Counter[Variable] = field(default_factory=Counter)
    asked: Counter[Variable] = field(default_factory=Counter)

    def use(self, variable: Variable, draft: Draft) -> None:
        """An attribute was written."""
        self.seen.setdefault(variable, draft)
        self.uses[variable] += 1

    def is_text(self, variable: Variable) -> bool:
        """True for an attribute that is compared with texts, or with nothing at all."""
        return variable in self.texts or variable not in self.solved

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
        """The attributes whose dimension nothing has told, though somebody needs it."""
        told = self.solved.keys() | self.texts
        told |= {variable for variable, count in self.asked.items() if count >= self.uses[variable]}
        return [(variable, draft) for variable, draft in self.seen.items() if variable not in told]

    def torn(self) -> list[tuple[Variable, Draft]]:
        """The attributes that are a text here and a quantity there."""
        both = self.solved.keys() & self.texts
        return [(variable, draft) for variable, draft in self.seen.items() if variable in both]


def _is_read_as(draft: Draft, wanted: Dimension) -> bool:
    """True where a literal means something else by position.

    `5m` is a duration, `60 %` a share, `8 beaufort` a wind.
    """
    if not draft.is_literal:
        return False
    if wanted == DURATION and draft.dimension == LENGTH:
        return draft.unit == "m"
    if wanted == SPEED and draft.dimension == WIND_FORCE:
        return True
    if wanted == WIND_FORCE and draft.dimension == SPEED and draft.amount is not None:
        factor = read_unit(draft.unit).factor / METRE_PER_S.factor
        return force_of_wind(draft.amount * factor) is not None
    return wanted == NUMBER and draft.dimension == SHARES
