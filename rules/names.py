"""Names: what a word of an expression stands for, and what was meant when it stands for nothing."""

from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rules import elsewhere, joining, literals, macros, measures, members, wording
from rules import expression as ex
from rules.drafts import Draft
from rules.errors import Place, nearest
from rules.measures import Source
from rules.pack import Input
from rules.syntax import Call, Leaf, place_of
from rules.units import DURATION, NUMBER, Dimension
from rules.vocabulary import CALENDAR, FEATURES, FUNCTIONS, SCOPES, SET_MAKERS, SET_METHODS
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker

SEE = "features: tocsin explain features"
# Words that mean something only with more behind them, and an example of each.
UNFINISHED = {
    "rule": 'rule("pack/id").grade',
    "seq": "seq.step",
    "neighbours": "neighbours(5 km).any(value > asset.limit)",
    "same": "same(site).any(value > asset.limit)",
    "season": 'season() == "summer"',
    "hour": "hour() >= 22",
    "in_calendar": 'in_calendar("flood-season")',
    **{scope: f"{scope}.limit" for scope in SCOPES},
    **{word: f"{word}(value > 3)" for word in FUNCTIONS},
}


def name(checker: "Checker", leaf: Leaf, node: TextNode, depth: int) -> Draft | None:
    """A word alone: a `let`, an input, a feature without a window."""
    word = leaf.text
    place = place_of(leaf, node)
    if word in checker.lets:
        return _let(checker, leaf, node, depth)
    if word == "never":
        return literals.never(leaf, node)
    if word in checker.inputs or word == "input":
        return _input(checker, leaf, node)
    if word == "cluster":
        return members.cluster(checker, leaf, node)
    if word in FEATURES:
        source = here(checker, leaf, node)
        return None if source is None else measures.feature(checker, word, leaf, node, of=source)
    if word in UNFINISHED:
        message = f"`{word}` alone is no value"
        checker.faults.add("E112", place, message, remedy=f"write for example `{UNFINISHED[word]}`")
        return None
    guess = nearest(word, {*checker.lets, *checker.inputs, *FEATURES})
    remedy = f"did you mean `{guess}`?" if guess else f"names come from `let`; {SEE}"
    checker.faults.add("E112", place, f"unknown name `{word}`", remedy=remedy, fix=guess)
    return None


def _let(checker: "Checker", leaf: Leaf, node: TextNode, depth: int) -> Draft | None:
    """A name of `let` stands for its expression, checked anew at each use."""
    word = leaf.text
    if word in checker.open_lets:
        circle = " → ".join([*checker.open_lets[checker.open_lets.index(word) :], word])
        message = f"`{word}` is defined by itself: {circle}"
        checker.faults.add("E113", place_of(leaf, node), message)
        return None
    (checker.outer_lets if checker.focus is None else checker.of_members).add(word)
    defined = checker.lets[word]
    if word not in checker.parsed:
        checker.parsed[word] = checker.parse(defined)
    syntax = checker.parsed[word]
    if syntax is None:
        return None
    checker.open_lets.append(word)
    draft = checker.walk(syntax, defined, depth + 1)
    checker.open_lets.pop()
    return draft


def _input(checker: "Checker", leaf: Leaf, node: TextNode) -> Draft | None:
    """An input alone: its value, or all its sensors where it is a set."""
    word = _input_name(checker, leaf, node)
    if word is None:
        return None
    if checker.focus is None and word in checker.many:
        return members.of_input(word, checker.inputs.get(word, checker.main), leaf, node)
    source = source_of(checker, word, leaf, node)
    return None if source is None else measures.feature(checker, "value", leaf, node, of=source)


def _input_name(checker: "Checker", leaf: Leaf, node: TextNode) -> str | None:
    """The name of an input, empty for `input`, the only one; None where there are others."""
    if leaf.text in checker.inputs:
        return leaf.text
    if checker.has_input and not checker.inputs:
        return ""
    message = "`input` is the only input of a rule, and this rule has none"
    if checker.inputs:
        message = "`input` is the only input of a rule, and this rule names several"
    known = ", ".join(f"`{name}`" for name in checker.inputs)
    remedy = f"it has {known}" if known else 'add `input: {type: methane, unit: "%"}`'
    checker.faults.add("E112", place_of(leaf, node), message, remedy=remedy)
    return None


def here(checker: "Checker", syntax: Leaf | Call, node: TextNode) -> Source | None:
    """Whose readings a feature without a name before it means; None after a fault."""
    if checker.focus is not None:
        return Source(checker.focus.name, checker.focus.input)
    place, word = place_of(syntax, node), syntax.name if isinstance(syntax, Call) else syntax.text
    if not checker.has_input:
        remedy = 'add `input: {type: methane, unit: "%"}`'
        checker.faults.add("E112", place, f"`{word}` of what? The rule has no input", remedy=remedy)
        return None
    if checker.main is None and checker.inputs:
        example = f"{next(iter(checker.inputs))}.{node.text[syntax.start : syntax.end]}"
        message = f"`{word}` of which input?"
        checker.faults.add("E112", place, message, remedy=f"write `{example}`")
        return None
    return source_of(checker, "", syntax, node)


def source_of(
    checker: "Checker", input_name: str, syntax: Leaf | Call, node: TextNode
) -> Source | None:
    """An input used as one sensor; None after a fault."""
    place = place_of(syntax, node)
    if checker.focus is not None:
        if checker.focus.name == input_name:
            return Source(input_name, checker.focus.input)
        members.refuse_inside(checker, f"`{input_name or 'input'}`, another input,", place)
        return None
    if input_name in checker.many:
        draft = members.of_input(input_name, None, syntax, node)
        wording.set_used_alone(draft, checker.faults, key=checker.key)
        return None
    checker.singles.setdefault(input_name, place)
    return Source(input_name, checker.inputs.get(input_name, checker.main))


def call(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """`mean(5m)`, `known(x)`, `p.mean(5m)`, `asset.v_red`, `gas.votes(…)`."""
    base = syntax.base
    if base is None:
        return _function(checker, syntax, node, depth)
    if isinstance(base, Leaf) and base.form == "name" and base.text not in checker.lets:
        word = base.text
        scope = next((scope for scope in SCOPES if scope == word), None)
        if scope is not None:
            return _attribute(checker, syntax, scope, node)
        if word == "seq":
            return elsewhere.step(checker, syntax, node)
        if word == "cluster":
            return members.of_cluster(checker, syntax, node, depth)
        if word in checker.inputs or word == "input":
            return _of_input(checker, syntax, base, node, depth)
        if word == "anomaly":
            source = here(checker, base, node)
            return None if source is None else measures.of_scores(checker, syntax, node, of=source)
        if word in FEATURES:
            _refuse_feature(checker, syntax, node)
            return None
        return name(checker, base, node, depth)
    if isinstance(base, Call) and base.base is None and base.name == "rule":
        return elsewhere.other_rule(checker, syntax, base, node)
    if isinstance(base, Call) and base.name == "anomaly" and isinstance(base.base, Leaf):
        owner = base.base.text
        if owner in checker.inputs:
            source = source_of(checker, owner, base, node)
            return None if source is None else measures.of_scores(checker, syntax, node, of=source)
    draft = checker.walk(base, node, depth + 1)
    if draft is None:
        return None
    if draft.sort == "set":
        return members.method(checker, syntax, draft, node, depth)
    _refuse_feature(checker, syntax, node)
    return None


def _of_input(
    checker: "Checker", syntax: Call, base: Leaf, node: TextNode, depth: int
) -> Draft | None:
    """`p.mean(5m)`, `gas.votes(…)`, `p.neighbours(…)`, `p.anomaly`."""
    input_name = _input_name(checker, base, node)
    if input_name is None:
        return None
    if syntax.name in SET_METHODS:
        whole = members.of_input(
            input_name, checker.inputs.get(input_name, checker.main), base, node
        )
        return members.method(checker, syntax, whole, node, depth)
    if syntax.name in SET_MAKERS or syntax.name in FEATURES:
        source = source_of(checker, input_name, syntax, node)
        if source is None:
            return None
        if syntax.name in SET_MAKERS:
            return members.around(checker, syntax, node, of=source)
        return measures.feature(checker, syntax.name, syntax, node, of=source)
    _refuse_feature(checker, syntax, node)
    return None


def _refuse_feature(checker: "Checker", syntax: Call, node: TextNode) -> None:
    """A word behind a point that means nothing there."""
    place = _name_place(syntax, node)
    known = [word for word in FEATURES if FEATURES[word].windows]
    guess = nearest(syntax.name, {*known, *SET_METHODS})
    remedy = f"did you mean `{guess}`?   {SEE}" if guess else SEE
    fix = guess
    if syntax.name in SET_METHODS:
        remedy, fix = "it is asked of a set: an input with several sensors, `neighbours(…)`", ""
    message = f"unknown feature `{syntax.name}`"
    if syntax.name in known or syntax.name in SET_METHODS:
        message = f"`.{syntax.name}` cannot be asked of this"
        remedy, fix = remedy if not fix else SEE, ""
    checker.faults.add("E110", place, message, remedy=remedy, fix=fix)


def _name_place(syntax: Call, node: TextNode) -> Place:
    """Where the name of a call stands; inside a macro, the whole use."""
    if syntax.inside:
        return place_of(syntax, node)
    return node.part(syntax.name_start, syntax.name_end)


def _function(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """A call without a base: a feature, a function, a set of neighbours, the calendar."""
    word = syntax.name
    if word in FUNCTIONS:
        return _logic_function(checker, syntax, node, depth)
    if word in CALENDAR:
        return elsewhere.calendar(checker, syntax, node)
    if word == "rule":
        message = "which part of the other rule?"
        remedy = 'write for example `rule("pack/id").grade`'
        checker.faults.add("E117", place_of(syntax, node), message, remedy=remedy)
        return None
    if word in SET_MAKERS or word in FEATURES:
        source = here(checker, syntax, node)
        if source is None:
            return None
        if word in SET_MAKERS:
            return members.around(checker, syntax, node, of=source)
        return measures.feature(checker, word, syntax, node, of=source)
    items = syntax.arguments.items if syntax.arguments else ()
    first = items[0].value if items else None
    of_input = isinstance(first, Leaf) and first.text in {*checker.inputs, "input"}
    if of_input or checker.macros.elsewhere(word):
        scope = checker.macros
        macros.refuse_unknown(syntax, node, scope, pack=checker.pack, faults=checker.faults)
        return None
    guess = nearest(word, {*FEATURES, *checker.macros.known(checker.pack)})
    shown = guess + node.text[syntax.name_end : syntax.end]
    remedy = f"did you mean `{shown}`?   {SEE}" if guess else SEE
    message = f"unknown feature `{word}`"
    checker.faults.add("E110", _name_place(syntax, node), message, remedy=remedy, fix=guess)
    return None


def _logic_function(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """`known(x)` and `or_else(x, y)`."""
    items = syntax.arguments.items if syntax.arguments else ()
    wanted = 1 if syntax.name == "known" else 2
    if len(items) != wanted or any(item.keyword for item in items):
        example = "known(value)" if wanted == 1 else "or_else(value > 3, false)"
        message = f"`{syntax.name}` takes {wanted} argument{'s' if wanted > 1 else ''}"
        place = place_of(syntax, node)
        checker.faults.add("E111", place, message, remedy=f"write for example `{example}`")
        return None
    drafts = [checker.walk(item.value, node, depth + 1) for item in items]
    found = [draft for draft in drafts if draft is not None]
    for draft in found:
        if draft.sort == "set":
            wording.one_of_set(draft, "", "", checker.faults)
            return None
    if len(found) < len(drafts):
        return None
    if wanted == 2:
        return joining.either(checker, found, syntax, node)
    inner, place = found[0], place_of(syntax, node)
    if inner.attribute is not None:
        checker.solver.asked[inner.attribute] += 1

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        return ex.Known(inner.build(checker.solver.dimension(inner) or NUMBER, True, home), place)

    return Draft.of("condition", syntax, node, build)


def _attribute(checker: "Checker", syntax: Call, scope: ex.Scope, node: TextNode) -> Draft | None:
    """`asset.v_red`: a quantity of the dimension it is compared with, or a text."""
    if syntax.arguments is not None:
        message = f"`{scope}.{syntax.name}` is an attribute and takes no arguments"
        place = _name_place(syntax, node)
        checker.faults.add("E111", place, message, remedy="remove the brackets")
        return None
    solver, focus = checker.solver, checker.focus
    # Of a member of a set it is that member's, and may be of another kind than the instance's own.
    owner = focus.name if focus is not None and scope != "site" else ""
    variable = (scope, syntax.name, owner)
    first = next((one for one in checker.inputs.values() if one), None)
    home = focus.input if focus else checker.main or first
    if scope != "site" and syntax.name == "period":
        solver.solved[variable] = DURATION
    if scope != "site" and syntax.name in ("range_low", "range_high") and home is not None:
        solver.solved[variable] = home.scale.unit.dimension
    whole = place_of(syntax, node)

    def build(dimension: Dimension, is_point: bool, _: Input | None) -> ex.Node:
        is_text = solver.is_text(variable)
        return ex.Attribute(scope, syntax.name, dimension, is_text, is_point, whole)

    draft = changed(
        Draft.of("quantity", syntax, node, build),
        variables=((variable, 1),),
        kind="either",
        input=home,
        attribute=variable,
    )
    solver.use(variable, draft)
    return draft
