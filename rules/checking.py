"""Checking: every node of an expression gets a meaning and a unit, or a fault at its place.

Nothing that is written is passed over: a name is a feature, an input, a `let`, an attribute, a
grade, or a mistake with a suggestion. A fault in one part does not hide the faults of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed

from rules import expression as ex
from rules import joining, literals, names, wording
from rules.drafts import Draft, Solver
from rules.errors import Faults, Place
from rules.macros import NO_MACROS, Macros, expand
from rules.pack import Input
from rules.syntax import Call, Chain, Infix, Leaf, Logic, Prefix, Syntax, Within, parse, place_of
from rules.units import NUMBER, TEMPERATURES, Dimension
from rules.vocabulary import GRADE_WORDS, TRUTHS
from rules.yaml_text import TextNode

# What one expression may cost, all its `let` and macros written out.
NODES_MAX = 400
DEPTH_MAX = 50


@dataclass(frozen=True, slots=True)
class Focus:
    """Whose readings a name alone means: one member of a set. `name` is the set's input."""

    name: str
    input: Input | None


@dataclass(slots=True)
class Checker:
    """Checks the expressions of one rule.

    main      the only input where it has no name; None where there is none, or where it has a fault
    inputs    the named inputs
    many      the names of inputs that are sets, as far as the rule says so; "" is the only input
    lets      the rule's own names
    macros    all macros of the book, and `pack` whose are meant
    key       what an instance is: `tank`
    steps     the steps of the rule's sequence; None: it has none
    cluster   the input whose sensors the rule's cluster has; None: it has none
    """

    faults: Faults
    main: Input | None
    inputs: dict[str, Input | None]
    many: frozenset[str]
    lets: dict[str, TextNode]
    key: str
    pack: str = ""
    macros: Macros = NO_MACROS
    steps: frozenset[str] | None = None
    cluster: str | None = None
    # Whether the rule writes an input at all, be it a faulty one.
    has_input: bool = True
    solver: Solver = field(default_factory=Solver)
    parsed: dict[str, Syntax | None] = field(default_factory=dict)
    node_count: int = 0
    open_lets: list[str] = field(default_factory=list)
    has_failed: bool = False
    # Whether the expression drafted last looks at something that changes with time.
    looks_at_readings: bool = False
    focus: Focus | None = None
    # Inputs used as sets, and where inputs were used as one sensor.
    sets: set[str] = field(default_factory=set)
    singles: dict[str, Place] = field(default_factory=dict)
    # Names of `let` used inside set methods, and outside of them.
    of_members: set[str] = field(default_factory=set)
    outer_lets: set[str] = field(default_factory=set)

    def condition(self, node: TextNode) -> Draft | None:
        """A draft that is true, false or unknown; None after a fault."""
        return self.wanted(self.draft(node), "condition")

    def quantity(self, node: TextNode) -> Draft | None:
        """A draft that is a quantity; None after a fault."""
        return self.wanted(self.draft(node), "quantity")

    def condition_of(self, node: TextNode, name: str) -> Draft | None:
        """A condition of one sensor of a named input: a cluster's `when`, an input's `where`."""
        self.focus = Focus(name, self.inputs.get(name, self.main))
        draft = self.condition(node)
        self.focus = None
        return draft

    def member_of(self, name: str, home: Input | None) -> Focus:
        """One member of a set of an input."""
        return Focus(name, home)

    def wanted(self, draft: Draft | None, sort: str) -> Draft | None:
        """The draft if it is of a sort; None after a fault."""
        if draft is not None and draft.sort != sort:
            wording.wrong_sort(draft, wording.NOUNS[sort], self.faults)
            draft = None
        self.has_failed = self.has_failed or draft is None
        return draft

    def draft(self, node: TextNode) -> Draft | None:
        """Check one expression; None after a fault."""
        syntax = self.parse(node)
        self.node_count = 0
        self.looks_at_readings = False
        return None if syntax is None else self.walk(syntax, node, 1)

    def parse(self, node: TextNode) -> Syntax | None:
        """The tree of an expression, its macros written out; None after a fault."""
        syntax = parse(node, self.faults)
        return syntax and expand(syntax, node, self.macros, pack=self.pack, faults=self.faults)

    def draft_let(self, name: str) -> Draft | None:
        """The draft of a `let` by itself; None after a fault, and for one that is of members."""
        if name in self.of_members and name not in self.outer_lets:
            return None
        self.node_count = 0
        leaf = Leaf("name", name, 0, len(name))
        draft = names.name(self, leaf, self.lets[name], 0)
        self.has_failed = self.has_failed or draft is None
        return draft

    def walk(self, syntax: Syntax, node: TextNode, depth: int) -> Draft | None:
        """The draft of one node of the tree."""
        self.node_count += 1
        if self.node_count > NODES_MAX or depth > DEPTH_MAX:
            message = f"more than {NODES_MAX} parts or {DEPTH_MAX} levels, all names written out"
            remedy = "make it simpler"
            self.faults.add("E103", node.part(0, 1), message, remedy=remedy)
            return None
        match syntax:
            case Leaf():
                return self._leaf(syntax, node, 1, depth)
            case Call():
                return names.call(self, syntax, node, depth)
            case Prefix():
                return self._prefix(syntax, node, depth)
            case Infix():
                pair = self._all([syntax.left, syntax.right], node, depth)
                return joining.infix(self, syntax, pair, node) if pair else None
            case Chain():
                operands = self._all(syntax.operands, node, depth, syntax.operators)
                return joining.chain(self, syntax, operands, node) if operands else None
            case Within():
                members = self._all([syntax.operand, *syntax.items], node, depth)
                return joining.member(self, syntax, members, node) if members else None
            case Logic():
                return self._logic(syntax, node, depth)

    def _all(
        self, parts: Sequence[Syntax], node: TextNode, depth: int, operators: Sequence[str] = ()
    ) -> list[Draft] | None:
        """The drafts of several nodes; None when one has a fault, after all have been looked at."""
        drafts = [self.walk(part, node, depth + 1) for part in parts]
        found = [draft for draft in drafts if draft is not None]
        for at, draft in enumerate(drafts):
            if draft is not None and draft.sort == "set":
                follows = at < len(operators)
                other = node.text[parts[at + 1].start : parts[at + 1].end] if follows else ""
                operator = operators[at] if follows else ""
                key = self.key if draft.members and draft.members.is_whole else ""
                wording.one_of_set(draft, operator, other, self.faults, key=key)
                found.remove(draft)
        return found if len(found) == len(parts) else None

    def _leaf(self, leaf: Leaf, node: TextNode, sign: int, depth: int) -> Draft | None:
        match leaf.form:
            case "number":
                return literals.number(leaf, node, sign, self.faults)
            case "quantity":
                home = self.main or next((one for one in self.inputs.values() if one), None)
                return literals.quantity(leaf, node, sign, home, self.faults)
            case "duration":
                return literals.duration(leaf, node, sign, self.faults)
            case "string":
                return literals.text(leaf, node)
            case "name":
                if leaf.text in TRUTHS:
                    return literals.truth(leaf, node, TRUTHS[leaf.text])
                if leaf.text in GRADE_WORDS and leaf.text not in self.lets:
                    return literals.grade(leaf, node, self.faults)
                return names.name(self, leaf, node, depth)

    def _prefix(self, syntax: Prefix, node: TextNode, depth: int) -> Draft | None:
        operand = syntax.operand
        if syntax.operator == "-" and isinstance(operand, Leaf) and operand.form != "name":
            # -5 °C is a literal: converted as a whole, not 5 °C converted and then negated.
            draft = self._leaf(operand, node, -1, depth)
            draft = self.wanted(draft, "quantity")
            return draft and changed(draft, start=syntax.start)
        wanted = "condition" if syntax.operator == "not" else "quantity"
        inner = self.wanted(self.walk(operand, node, depth + 1), wanted)
        if inner is None:
            return None
        place = place_of(syntax, node)

        def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
            if syntax.operator == "not":
                return ex.Not(inner.build(NUMBER, False, home), place)
            return ex.Negate(inner.build(dimension, is_point, home), dimension, place)

        amount = None if inner.amount is None else -inner.amount
        return changed(inner.moved(syntax, node), build=build, amount=amount)

    def _logic(self, syntax: Logic, node: TextNode, depth: int) -> Draft | None:
        drafts = [
            self.wanted(self.walk(item, node, depth + 1), "condition") for item in syntax.items
        ]
        items = [draft for draft in drafts if draft is not None]
        if len(items) < len(drafts):
            return None
        place = place_of(syntax, node)
        join = ex.And if syntax.operator == "and" else ex.Or

        def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
            return join(tuple(item.build(NUMBER, False, home) for item in items), place)

        return Draft.of("condition", syntax, node, build)

    def equate(self, left: Draft, right: Draft, verb: str, *, is_quiet: bool = False) -> bool:
        """Let two quantities be of one kind; False after a fault."""
        if left.is_bare and right.is_bare:
            return True
        if left.is_bare or right.is_bare:
            bare, other = (left, right) if left.is_bare else (right, left)
            return self._adopt(bare, other, verb, is_quiet=is_quiet)
        if self.solver.equate(left, right) is False:
            wording.unit_mismatch(left, right, verb, self.solver, self.faults)
            return False
        return True

    def threshold(self, value: Draft, draft: Draft) -> bool:
        """Let a threshold be of its value's kind; a number alone is in the value's unit."""
        if not self.equate(value, draft, "compared", is_quiet=True):
            return False
        if self.solver.dimension(value) == TEMPERATURES and {value.kind, draft.kind} == {
            "point",
            "difference",
        }:
            wording.point_and_difference(value, draft, "compared", self.faults)
            return False
        return True

    def _adopt(self, bare: Draft, other: Draft, verb: str, *, is_quiet: bool) -> bool:
        """A number without a unit takes the unit of the input that it stands beside."""
        dimension = self.solver.dimension(other)
        if dimension is None:
            self.solver.equate(bare, other)
            return True
        if dimension == NUMBER or (bare.amount == 0 and other.kind != "point"):
            return True
        home = other.input
        if home is None or dimension != home.scale.unit.dimension or wording.is_own(dimension):
            wording.unit_needed(bare, other, dimension, self.faults, verb=verb)
            return False
        if not is_quiet and bare.amount != 0:
            wording.bare_number(bare, home, self.inputs, self.faults, verb=verb)
        return True

    def settle(self) -> bool:
        """Find the last units, when all of a rule has been read; False after a fault."""
        is_right = self._sets_are_sets()
        for left, right in self.solver.settle():
            wording.unit_mismatch(left, right, "compared", self.solver, self.faults)
            is_right = False
        for variable, draft in self.solver.torn():
            wording.torn(variable, draft, self.faults)
            is_right = False
        # What failed might have told them.
        for variable, draft in () if self.has_failed else self.solver.unknown():
            wording.unit_unknown(variable, draft, self.faults)
            is_right = False
        return is_right

    def _sets_are_sets(self) -> bool:
        """No input is one sensor here and a set there; False after a fault."""
        torn = [name for name in self.singles if name in self.sets and name not in self.many]
        for name in torn:
            wording.used_both_ways(name or "input", self.singles[name], self.faults, key=self.key)
        return not torn

    def is_text(self, draft: Draft) -> bool:
        """True for a quoted text, and for an attribute that is compared with one."""
        return draft.sort == "text" or draft.attribute in self.solver.texts

    def built(self, draft: Draft) -> ex.Node:
        """The node of a draft whose units are settled."""
        dimension = self.solver.dimension(draft)
        assert dimension is not None
        return draft.make(dimension, draft.kind != "difference", self.main)
