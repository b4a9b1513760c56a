"""Measures: features with their windows and keywords, and the units of what comes out.

A feature counts in the unit of its own input. Where a rule of several inputs computes in another
unit, it is multiplied; where the input is in K beside one in °C, it is shifted, too.
"""

from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import TYPE_CHECKING

from rules import expression as ex
from rules import literals
from rules.drafts import Draft
from rules.feature_words import OF_SCORES, FeatureWord
from rules.pack import Input
from rules.syntax import Argument, Call, Leaf, place_of
from rules.unit_table import ACCELERATION
from rules.units import DURATION, NUMBER, ONE, Dimension, Scale, UnitError, read_quantity, times
from rules.vocabulary import FEATURES, TRUTHS
from rules.yaml_text import TextNode

if TYPE_CHECKING:
    from rules.checking import Checker

LEADS = {
    "percent": "a percentage and a window",
    "horizon": "a time ahead",
    "target": "the value to be reached",
}
COUNTS = ("no window", "one window", "two windows")
# Kinds of input whose values are levels, and kinds whose values are added up.
LEVELS = frozenset({"gauge", "waveform"})


@dataclass(frozen=True, slots=True)
class Source:
    """Whose readings: an input by its name, empty for the only one, and the readings or scores."""

    name: str
    input: Input | None
    stream: str = ""


@dataclass(slots=True)
class Asked:
    """What stands between the brackets of a feature."""

    windows: list[int] = field(default_factory=list)
    options: dict[str, float] = field(default_factory=dict)
    offset_ns: int = 0
    target: Draft | None = None
    is_right: bool = True


def feature(
    checker: "Checker", word: str, syntax: Leaf | Call, node: TextNode, *, of: Source
) -> Draft | None:
    """The draft of a feature; None after a fault."""
    checker.looks_at_readings = True
    if of.input is None:
        # The input has a fault of its own; without its unit nothing can be said here.
        return None
    known = FEATURES[word]
    place = place_of(syntax, node)
    if isinstance(syntax, Leaf) and word != "value" and (known.windows or known.lead):
        message = f"`{word}` needs a window"
        remedy = f"write for example `{known.example}`"
        checker.faults.add("E111", place, message, remedy=remedy)
        return None
    asked = Asked()
    if isinstance(syntax, Call) and (syntax.arguments is not None or known.windows or known.lead):
        asked = _asked(checker, syntax, node, of)
    if not asked.is_right or not _is_of_kind(checker, word, syntax, node, of):
        return None
    return _draft(checker, word, syntax, node, of=of, asked=asked)


def of_scores(checker: "Checker", syntax: Call, node: TextNode, *, of: Source) -> Draft | None:
    """`anomaly.mean(2m)`: a window over the scores of the model."""
    if syntax.name not in OF_SCORES:
        place = place_of(syntax, node)
        message = f"`.{syntax.name}` cannot be asked of scores"
        remedy = f"it can: {', '.join(sorted(OF_SCORES))}"
        checker.faults.add("E110", place, message, remedy=remedy)
        return None
    return feature(checker, syntax.name, syntax, node, of=changed(of, stream="anomaly"))


def fits(word: str, kind: str | None) -> bool:
    """Whether a feature can be of an input of a kind; a kind that is not known fits all."""
    needs = FEATURES[word].needs
    if kind is None:
        return True
    return not (needs == "amounts" and kind in LEVELS) and not (
        needs == "level" and kind == "counter"
    )


def _is_of_kind(
    checker: "Checker", word: str, syntax: Leaf | Call, node: TextNode, of: Source
) -> bool:
    """False, with a fault, where the input is of another kind than the feature needs."""
    assert of.input is not None
    needs, place = FEATURES[word].needs, place_of(syntax, node)
    if needs == "acceleration" and of.input.scale.unit.dimension != ACCELERATION:
        message = f"`{word}` is of an acceleration, but the input is in {of.input.unit}"
        remedy = "give the input a unit such as `gal` or `cm/s^2`"
        checker.faults.add("E115", place, message, remedy=remedy)
        return False
    if of.stream or fits(word, of.input.kind):
        return True
    kind = of.input.kind
    if needs == "amounts":
        message = f"`{word}` adds up amounts, but the input is a {kind}"
        other = "slope" if word == "rate" else "mean"
        remedy = f"of a {kind} use `{other}(w)`; rain tips are `kind: increment`, a meter that "
        remedy += "only grows is `kind: counter`"
    else:
        message = f"`{word}` follows a level, but the input is a counter, which only grows"
        remedy = "use `rate(w)` or `sum(w)`"
    checker.faults.add("E115", place, message, remedy=remedy)
    return False


def _asked(checker: "Checker", syntax: Call, node: TextNode, of: Source) -> Asked:
    """Read what stands between the brackets."""
    word = FEATURES[syntax.name]
    items = syntax.arguments.items if syntax.arguments else ()
    plain = [item for item in items if not item.keyword]
    asked = Asked()
    wanted = word.windows + bool(word.lead)
    if len(plain) != wanted:
        count = LEADS[word.lead] if word.lead else COUNTS[word.windows]
        message, remedy = f"`{syntax.name}` takes {count}", f"write `{word.example}`"
        checker.faults.add("E111", place_of(syntax, node), message, remedy=remedy)
        asked.is_right = False
        return asked
    if word.lead:
        _read_lead(checker, plain.pop(0), syntax, node, of=of, asked=asked)
    for item in plain:
        asked.windows.append(_length(checker, item, node, asked))
    if asked.is_right and len(asked.windows) == 2 and asked.windows[0] >= asked.windows[1]:
        message = "the short window must be shorter than the long one"
        remedy = "write `stalta(0.5s, 10s)`"
        checker.faults.add("E111", place_of(syntax, node), message, remedy=remedy)
        asked.is_right = False
    given: set[str] = set()
    for item in items:
        if item.keyword in given:
            message = f"`{item.keyword}=` stands twice"
            checker.faults.add("E111", place_of(item, node), message)
            asked.is_right = False
        elif item.keyword:
            given.add(item.keyword)
            _read_keyword(checker, item, syntax, node, asked=asked)
    if "trend" in word.keywords and "trend" not in given:
        message = f"`{syntax.name}` needs the window of its trend"
        remedy = f"write for example `{word.example}`"
        checker.faults.add("E111", place_of(syntax, node), message, remedy=remedy)
        asked.is_right = False
    return asked


def _length(checker: "Checker", item: Argument, node: TextNode, asked: Asked) -> int:
    """The nanoseconds of a window; 0 after a fault."""
    value, place = item.value, place_of(item.value, node)
    if not isinstance(value, Leaf) or value.form in ("name", "string"):
        message = "a window is a fixed duration"
        checker.faults.add("E202", place, message, remedy="write for example `30s` or `5m`")
        asked.is_right = False
        return 0
    length_ns = literals.window_ns(value, place, checker.faults)
    asked.is_right = asked.is_right and length_ns is not None
    return length_ns or 0


def _read_lead(
    checker: "Checker",
    item: Argument,
    syntax: Call,
    node: TextNode,
    *,
    of: Source,
    asked: Asked,
) -> None:
    """What stands before the windows."""
    lead = FEATURES[syntax.name].lead
    if lead == "horizon":
        asked.options["horizon"] = _length(checker, item, node, asked) / 1e9
    elif lead == "percent":
        share = _share(item.value, per=100)
        if share is None or not 0 < share < 1:
            message = f"`{syntax.name}` takes a percentage between 0 and 100"
            place = place_of(item.value, node)
            checker.faults.add("E111", place, message, remedy="write for example `p(95, 5m)`")
            asked.is_right = False
            return
        asked.options["p"] = share
    else:
        asked.target = _target(checker, item, node, of)
        asked.is_right = asked.target is not None


def _share(value: object, *, per: int) -> float | None:
    """A share of 0 to 1, written as `0.8`, `80 %`, or as a percentage where `per` is 100."""
    if not isinstance(value, Leaf) or value.form not in ("number", "quantity"):
        return None
    try:
        amount, unit = read_quantity(value.text)
    except UnitError:
        return None
    if unit not in ("", "%"):
        return None
    return amount / 100 if unit == "%" or per == 100 else amount


def _target(checker: "Checker", item: Argument, node: TextNode, of: Source) -> Draft | None:
    """What `time_to` waits for: a fixed value of the input's kind."""
    looked, checker.looks_at_readings = checker.looks_at_readings, False
    draft = checker.wanted(checker.walk(item.value, node, 2), "quantity")
    moves, checker.looks_at_readings = checker.looks_at_readings, looked
    if draft is None:
        return None
    if moves:
        message = "what is to be reached is a number or an attribute, not a feature"
        remedy = "write for example `time_to(asset.limit, trend=30min)`"
        checker.faults.add("E309", draft.place, message, remedy=remedy)
        return None
    leaf = Leaf("name", "value", item.start, item.end)
    value = _draft(checker, "value", leaf, node, of=of, asked=Asked())
    value = changed(value, text="value")
    fits_in = checker.equate(value, draft, "compared") and checker.threshold(value, draft)
    return draft if fits_in else None


def _read_keyword(
    checker: "Checker", item: Argument, syntax: Call, node: TextNode, *, asked: Asked
) -> None:
    """`offset=7d`, `robust=true`, `trend=30min`, `p=0.8`."""
    known = FEATURES[syntax.name].keywords
    place, word = place_of(item, node), item.keyword
    if word not in known:
        has = ", ".join(f"`{key}=`" for key in sorted(known))
        remedy = f"it has {has}" if has else "a window is written as `5m` alone"
        checker.faults.add("E111", place, f"`{syntax.name}` has no `{word}=`", remedy=remedy)
        asked.is_right = False
    elif word == "offset":
        asked.offset_ns = _length(checker, item, node, asked)
    elif word == "trend":
        asked.windows.append(_length(checker, item, node, asked))
    elif word == "p":
        share = _share(item.value, per=1)
        if share is None or not 0.5 < share < 1:
            message = "`p=` is how sure it must be: more than 0.5, less than 1"
            checker.faults.add("E111", place, message, remedy="write for example `p=0.8`")
            asked.is_right = False
            return
        asked.options["p"] = share
    else:
        text = item.value.text if isinstance(item.value, Leaf) else ""
        if text not in TRUTHS:
            message = "`robust=` is `true` or `false`"
            checker.faults.add("E111", place, message, remedy="write `robust=true`")
            asked.is_right = False
        elif TRUTHS[text]:
            asked.options["robust"] = 1.0


def _dimension(word: FeatureWord, native: Dimension) -> Dimension:
    return {
        "input": native,
        "difference": native,
        "rate": times(native, DURATION, -1),
        "integral": times(native, DURATION),
        "number": NUMBER,
        "duration": DURATION,
    }[word.of]


def _draft(
    checker: "Checker",
    word: str,
    syntax: Leaf | Call,
    node: TextNode,
    *,
    of: Source,
    asked: Asked,
) -> Draft:
    """The draft of a feature whose arguments are right."""
    assert of.input is not None
    known, place = FEATURES[word], place_of(syntax, node)
    scale = Scale(ONE) if of.stream else of.input.scale
    native = scale.unit.dimension
    dimension = _dimension(known, native)
    is_native = known.of not in ("number", "duration")
    is_value = known.of == "input" and not of.stream

    def build(dimension: Dimension, is_point: bool, home: Input | None) -> ex.Node:
        target = None
        if asked.target is not None:
            target = _in_unit(asked.target.make(native, True, of.input), scale, native)
        found = ex.Feature(
            word,
            tuple(asked.windows),
            dimension,
            place,
            input=of.name,
            offset_ns=asked.offset_ns,
            options=tuple(sorted(asked.options.items())),
            target=target,
            stream="anomaly" if of.stream else "",
        )
        return _in_scale(found, scale, dimension, is_shifted=is_value) if is_native else found

    return changed(
        Draft.of("quantity", syntax, node, build),
        dimension=dimension,
        kind="point" if is_value else "difference",
        unit=scale.unit_of(dimension).symbol,
        input=of.input if is_native and not of.stream else None,
    )


def _in_scale(
    found: ex.Feature, scale: Scale, dimension: Dimension, *, is_shifted: bool
) -> ex.Node:
    """A feature of readings in ms, or in m beside mm, in the scale of the rule."""
    node: ex.Node = found
    if scale.input_factor != 1.0:
        factor = ex.Number(scale.input_factor, NUMBER, found.place)
        node = ex.Arithmetic("*", node, factor, dimension, found.place)
    if is_shifted and scale.input_shift:
        shift = ex.Number(scale.input_shift, dimension, found.place)
        node = ex.Arithmetic("+", node, shift, dimension, found.place)
    return node


def _in_unit(node: ex.Node, scale: Scale, dimension: Dimension) -> ex.Node:
    """A value in the scale of the rule, in the unit of the input again."""
    place = node.place
    if scale.input_shift:
        shift = ex.Number(scale.input_shift, dimension, place)
        node = ex.Arithmetic("-", node, shift, dimension, place)
    if scale.input_factor != 1.0:
        factor = ex.Number(scale.input_factor, NUMBER, place)
        node = ex.Arithmetic("/", node, factor, dimension, place)
    return node
