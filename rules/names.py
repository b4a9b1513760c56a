"""Names: what a word of an expression stands for, and what was meant when it stands for nothing."""

from typing import TYPE_CHECKING

from rules import expression as ex
from rules import joining, literals, wording
from rules.drafts import Draft
from rules.errors import nearest
from rules.pack import Input
from rules.syntax import Argument, Call, Leaf, parse
from rules.units import DURATION, NUMBER, Dimension, times
from rules.vocabulary import (
    FEATURES,
    FEATURES_LATER,
    FUNCTIONS,
    KEYWORDS_LATER,
    METHODS_LATER,
    NAMES_LATER,
    SCOPES,
    FeatureWord,
    refuse_later,
)
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker

EXAMPLES = {0: "{name}", 1: "{name}(5m)", 2: "{name}(0.5s, 10s)"}
SEE = "features: tocsin explain features"


def name(checker: "Checker", leaf: Leaf, node: TextNode, depth: int) -> Draft | None:
    """A word alone: a `let`, an input, a feature without a window."""
    word = leaf.text
    place = node.part(leaf.start, leaf.end)
    if word in checker.lets:
        return _let(checker, leaf, node, depth)
    if word in checker.many:
        return _set_of(leaf, node)
    if word in checker.inputs:
        return _feature(checker, "value", (), leaf, node, home=checker.inputs[word])
    if word in FEATURES:
        if FEATURES[word].windows:
            example = EXAMPLES[FEATURES[word].windows].format(name=word)
            message = f"`{word}` needs a window"
            checker.faults.add("E111", place, message, remedy=f"write for example `{example}`")
            return None
        return _own_feature(checker, word, (), leaf, node)
    if word in FEATURES_LATER or word in NAMES_LATER:
        refuse_later(word, place, checker.faults)
        return None
    known = {*checker.lets, *checker.inputs, *FEATURES}
    guess = nearest(word, known)
    remedy = f"did you mean `{guess}`?" if guess else f"names come from `let`; {SEE}"
    checker.faults.add("E112", place, f"unknown name `{word}`", remedy=remedy, fix=guess)
    return None


def _let(checker: "Checker", leaf: Leaf, node: TextNode, depth: int) -> Draft | None:
    """A name of `let` stands for its expression, checked anew at each use."""
    word = leaf.text
    if word in checker.open_lets:
        circle = " → ".join([*checker.open_lets[checker.open_lets.index(word) :], word])
        message = f"`{word}` is defined by itself: {circle}"
        checker.faults.add("E113", node.part(leaf.start, leaf.end), message)
        return None
    defined = checker.lets[word]
    if word not in checker.parsed:
        checker.parsed[word] = parse(defined, checker.faults)
    syntax = checker.parsed[word]
    if syntax is None:
        return None
    checker.open_lets.append(word)
    draft = checker.walk(syntax, defined, depth + 1)
    checker.open_lets.pop()
    return draft


def _set_of(leaf: Leaf, node: TextNode) -> Draft:
    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        message = "a set is refused before it is built"
        raise AssertionError(message)

    return Draft("set", leaf.text, node, leaf.start, leaf.end, build)


def call(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """`mean(5m)`, `known(x)`, `p.mean(5m)`, `asset.v_red`, `gas.votes(…)`."""
    if syntax.base is None:
        return _function(checker, syntax, node, depth)
    base = syntax.base
    if isinstance(base, Leaf) and base.form == "name":
        scope = next((scope for scope in SCOPES if scope == base.text), None)
        if scope is not None:
            return _attribute(checker, syntax, scope, node)
        if base.text in checker.many:
            _refuse_method(checker, syntax, node)
            return None
        if base.text in checker.inputs and syntax.name in (FEATURES.keys() | FEATURES_LATER):
            return _feature_call(checker, syntax, checker.inputs[base.text], node)
        if base.text in NAMES_LATER or base.text in FEATURES_LATER:
            refuse_later(base.text, node.part(base.start, base.end), checker.faults)
            return None
        if base.text in FEATURES and syntax.name in FEATURES.keys() | FEATURES_LATER:
            _refuse_method(checker, syntax, node)
            return None
        if base.text not in {*checker.lets, *checker.inputs, *FEATURES}:
            return name(checker, base, node, depth)
    elif isinstance(base, Call) and checker.walk(base, node, depth + 1) is None:
        return None
    if syntax.name in METHODS_LATER:
        _refuse_method(checker, syntax, node)
        return None
    place = node.part(syntax.name_start, syntax.name_end)
    known = [word for word in FEATURES if FEATURES[word].windows]
    guess = nearest(syntax.name, known)
    remedy = f"did you mean `{guess}`?   {SEE}" if guess else SEE
    message = f"unknown feature `{syntax.name}`"
    checker.faults.add("E110", place, message, remedy=remedy, fix=guess)
    return None


def _refuse_method(checker: "Checker", syntax: Call, node: TextNode) -> None:
    place = node.part(syntax.name_start, syntax.name_end)
    refuse_later(f".{syntax.name}", place, checker.faults)


def _function(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """A call without a base: a feature of the only input, or `known`, `or_else`."""
    word = syntax.name
    place = node.part(syntax.name_start, syntax.name_end)
    if word in FUNCTIONS:
        return _logic_function(checker, syntax, node, depth)
    if word in FEATURES:
        if checker.main is None and checker.inputs:
            example = next(iter(checker.inputs))
            message = f"`{word}` of which input?"
            checker.faults.add("E112", place, message, remedy=f"write `{example}.{word}(…)`")
            return None
        return _feature_call(checker, syntax, checker.main, node)
    if word in FEATURES_LATER:
        refuse_later(word, place, checker.faults)
        return None
    items = syntax.arguments.items if syntax.arguments else ()
    first = items[0].value if items else None
    if word in checker.macros:
        # The pack's `macros` have been refused at their own place.
        return None
    if isinstance(first, Leaf) and first.text in checker.inputs:
        message = f"macro `{word}` is not defined in this pack"
        remedy = "macros are not built yet in this version; write the condition out"
        checker.faults.add("E120", place, message, remedy=remedy)
        return None
    guess = nearest(word, FEATURES)
    shown = guess + node.text[syntax.name_end : syntax.end]
    remedy = f"did you mean `{shown}`?   {SEE}" if guess else SEE
    checker.faults.add("E110", place, f"unknown feature `{word}`", remedy=remedy, fix=guess)
    return None


def _logic_function(checker: "Checker", syntax: Call, node: TextNode, depth: int) -> Draft | None:
    """`known(x)` and `or_else(x, y)`."""
    items = syntax.arguments.items if syntax.arguments else ()
    wanted = 1 if syntax.name == "known" else 2
    if len(items) != wanted or any(item.keyword for item in items):
        example = "known(value)" if wanted == 1 else "or_else(value > 3, false)"
        message = f"`{syntax.name}` takes {wanted} argument{'s' if wanted > 1 else ''}"
        place = node.part(syntax.start, syntax.end)
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
    inner, place = found[0], node.part(syntax.start, syntax.end)

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        return ex.Known(inner.build(checker.solver.dimension(inner) or NUMBER, True), place)

    text = node.text[syntax.start : syntax.end]
    return Draft("condition", text, node, syntax.start, syntax.end, build)


def _feature_call(
    checker: "Checker", syntax: Call, home: Input | None, node: TextNode
) -> Draft | None:
    """A feature with its windows."""
    word = syntax.name
    place = node.part(syntax.name_start, syntax.name_end)
    if word in FEATURES_LATER:
        refuse_later(word, place, checker.faults)
        return None
    windows = _windows(checker, syntax, FEATURES[word], node)
    if windows is None:
        return None
    return _feature(checker, word, windows, syntax, node, home=home)


def _own_feature(
    checker: "Checker", word: str, windows: tuple[int, ...], leaf: Leaf, node: TextNode
) -> Draft | None:
    """A feature of the only input."""
    if checker.main is None and checker.inputs:
        example = f"{next(iter(checker.inputs))}.{word}"
        place = node.part(leaf.start, leaf.end)
        message = f"`{word}` of which input?"
        checker.faults.add("E112", place, message, remedy=f"write `{example}`")
        return None
    return _feature(checker, word, windows, leaf, node, home=checker.main)


def _windows(
    checker: "Checker", syntax: Call, word: FeatureWord, node: TextNode
) -> tuple[int, ...] | None:
    """The windows of a feature in nanoseconds; None after a fault."""
    items = syntax.arguments.items if syntax.arguments else ()
    plain = [item for item in items if not item.keyword]
    keywords = [item for item in items if item.keyword]
    for item in keywords:
        _refuse_keyword(checker, item, syntax, node)
    is_right = not keywords
    if len(plain) != word.windows:
        count = ("no window", "one window", "two windows")[word.windows]
        example = EXAMPLES[word.windows].format(name=syntax.name)
        place = node.part(syntax.start, syntax.end)
        message = f"`{syntax.name}` takes {count}"
        checker.faults.add("E111", place, message, remedy=f"write `{example}`")
        return None
    lengths: list[int] = []
    for item in plain:
        value, place = item.value, node.part(item.start, item.end)
        if not isinstance(value, Leaf) or value.form in ("name", "string"):
            message = "a window is a fixed duration"
            checker.faults.add("E202", place, message, remedy="write for example `30s` or `5m`")
            is_right = False
            continue
        length_ns = literals.window_ns(value, place, checker.faults)
        is_right = is_right and length_ns is not None
        lengths.append(length_ns or 0)
    if is_right and len(lengths) == 2 and lengths[0] >= lengths[1]:
        place = node.part(syntax.start, syntax.end)
        message = "the short window must be shorter than the long one"
        checker.faults.add("E111", place, message, remedy="write `stalta(0.5s, 10s)`")
        return None
    return tuple(lengths) if is_right else None


def _refuse_keyword(checker: "Checker", item: Argument, syntax: Call, node: TextNode) -> None:
    """The language has keywords, and none of them is built."""
    place = node.part(item.start, item.end)
    if item.keyword in KEYWORDS_LATER:
        refuse_later(f"{item.keyword}=", place, checker.faults)
    else:
        message = f"`{syntax.name}` has no `{item.keyword}=`"
        checker.faults.add("E111", place, message, remedy="a window is written as `5m` alone")


def _feature(
    checker: "Checker",
    word: str,
    windows: tuple[int, ...],
    syntax: Leaf | Call,
    node: TextNode,
    *,
    home: Input | None,
) -> Draft | None:
    """The draft of a feature of one input."""
    checker.looks_at_readings = True
    if home is None:
        # The input has a fault of its own; without its unit nothing can be said here.
        return None
    scale, of = home.scale, FEATURES[word].of
    native = scale.unit.dimension
    dimension = {
        "input": native,
        "difference": native,
        "rate": times(native, DURATION, -1),
        "number": NUMBER,
        "duration": DURATION,
    }[of]
    place = node.part(syntax.start, syntax.end)
    is_native = of in ("input", "difference", "rate")

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        feature = ex.Feature(word, windows, dimension, place)
        if not is_native or scale.input_factor == 1.0:
            return feature
        # Readings in ms or rpm: the rule computes in seconds.
        factor = ex.Number(scale.input_factor, NUMBER, place)
        return ex.Arithmetic("*", feature, factor, dimension, place)

    text = node.text[syntax.start : syntax.end]
    return Draft(
        "quantity",
        text,
        node,
        syntax.start,
        syntax.end,
        build,
        dimension=dimension,
        kind="point" if of == "input" else "difference",
        unit=scale.unit_of(dimension).symbol,
        input=home if is_native else None,
    )


def _attribute(checker: "Checker", syntax: Call, scope: ex.Scope, node: TextNode) -> Draft | None:
    """`asset.v_red`: a quantity of the dimension it is compared with, or a text."""
    place = node.part(syntax.name_start, syntax.name_end)
    if syntax.arguments is not None:
        message = f"`{scope}.{syntax.name}` is an attribute and takes no arguments"
        checker.faults.add("E111", place, message, remedy="remove the brackets")
        return None
    variable = (scope, syntax.name)
    solver = checker.solver
    home = checker.main or next(iter(checker.inputs.values()), None)
    if scope != "site" and syntax.name == "period":
        solver.solved[variable] = DURATION
    if scope != "site" and syntax.name in ("range_low", "range_high") and home is not None:
        solver.solved[variable] = home.scale.unit.dimension

    def build(dimension: Dimension, is_point: bool) -> ex.Node:
        is_text = variable in solver.texts
        whole = node.part(syntax.start, syntax.end)
        return ex.Attribute(scope, syntax.name, dimension, is_text, is_point, whole)

    draft = Draft(
        "quantity",
        node.text[syntax.start : syntax.end],
        node,
        syntax.start,
        syntax.end,
        build,
        variables=((variable, 1),),
        kind="either",
        input=home,
        attribute=variable,
    )
    solver.seen.setdefault(variable, draft)
    return draft
