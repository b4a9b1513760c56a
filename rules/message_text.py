"""The `message` of a rule, read from a pack and looked through before it is ever sent.

Only a small part of Jinja2 is accepted: `{{ value }}` with filters, and `{% if %}`. Everything a
template looks at must exist; what a template may cost is bounded by its length.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes

from rules.checking import Checker
from rules.errors import Faults, Place, did_you_mean
from rules.fields import Fields, as_text_node, whole_entries
from rules.grade import Grade, read_grade
from rules.message import Message
from rules.pack import Input
from rules.phrases import FILTERS, JINJA_FILTERS, LANGUAGES, Language, environment
from rules.units import DURATION, NUMBER, SHARES, Dimension, UnitError, describe, read_unit
from rules.vocabulary import ADVICE, KEYS_BY, MESSAGE, WORDING
from rules.yaml_text import MapNode, Node, TextNode

TEMPLATE_MAX = 2000
# What a headline may hold, on a phone and on a roadside sign; a value counts as eight letters.
HEADLINE_MAX: dict[Language, int] = {"zh": 60, "en": 120}
VALUE_LENGTH = 8
NAMES = frozenset({"value", "grade", "title", "basis", "since", "duration", "trace_url", "asset"})
# What has a name and attributes: the instance by its keys, and where it stands.
RECORDS = KEYS_BY | {"asset"}
GRADE_PARTS = frozenset({"zh", "en"})
OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
ARGUMENTS = {
    "q": "{{ value | q('%', 2) }}",
    "dur": "{{ value | dur }}",
    "pct": "{{ value | pct(1) }}",
    "time": "{{ since | time('+08:00') }}",
}
ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Neg,
)
KNOWN_FILTERS = frozenset({*FILTERS, *JINJA_FILTERS})
LANGUAGE_NAMES = {"zh": "Chinese", "en": "English"}


@dataclass(slots=True)
class MessageDraft:
    """A message while it is read; `names` are those used in each language's headline.

    dimensions  of the inputs and `let` that have one value; None where it is no quantity
    sets        inputs and `let` that have many, or none
    """

    faults: Faults
    dimensions: dict[str, Dimension | None]
    sets: frozenset[str]
    dimension: Dimension | None
    keys: frozenset[str] = frozenset()
    attributes: set[tuple[str, str]] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    names: dict[Language, set[str]] = field(default_factory=dict)


def read_message(
    node: Node | None,
    checker: Checker,
    dimension: Dimension | None,
    faults: Faults,
    *,
    lets: Mapping[str, Dimension | None],
) -> Message:
    """Read a message; an empty one where the rule has none.

    `dimension` is that of the value the rule shows, None where it is not known; `lets` those of
    its `let` that are of one value, None where they are no quantities.
    """
    headline: dict[Language, str] = {}
    advice: dict[Language, dict[Grade | None, str]] = {}
    impact: dict[Language, str] = {}
    known = {name: one.scale.unit.dimension for name, one in _inputs(checker).items()}
    many = {*checker.many, *checker.sets}
    alone = {name: known[name] for name in known if name not in many}
    sets = frozenset({*known, *checker.lets} - {*alone, *lets})
    draft = MessageDraft(faults, {**alone, **lets}, sets, dimension, RECORDS | _keys(checker))
    error_count = len(faults.errors())
    fields = Fields.open(node, MESSAGE, faults)
    for language in LANGUAGES:
        part = fields.node_of(language) if fields else None
        if fields is None or part is None:
            continue
        wording = Fields.open(part, WORDING, faults)
        if wording is None:
            continue
        text = wording.text("headline")
        if text is not None:
            headline[language] = text.text
            _check_headline(text, language, draft)
        advice[language] = _advice(wording.node_of("advice"), language, draft)
        impact_text = wording.text("impact")
        if impact_text is not None:
            impact[language] = impact_text.text
    if fields is not None and len(faults.errors()) == error_count:
        _compare_languages(fields, headline, draft)
    return Message(headline, advice, impact, frozenset(draft.attributes), frozenset(draft.used))


def _inputs(checker: Checker) -> dict[str, Input]:
    """The named inputs of a rule that have no fault."""
    return {name: known for name, known in checker.inputs.items() if known is not None}


def _keys(checker: Checker) -> frozenset[str]:
    """The instance keys of a rule, which may be attributes that only the catalogue knows."""
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", checker.key))


def _advice(node: Node | None, language: Language, draft: MessageDraft) -> dict[Grade | None, str]:
    """Advice by grade, with `default` for the others; or one text for all."""
    advice: dict[Grade | None, str] = {}
    if isinstance(node, TextNode):
        _check_template(node, language, draft)
        return {None: node.text}
    if not isinstance(node, MapNode):
        as_text_node(node, draft.faults)
        return advice
    for key, value in whole_entries(node, draft.faults, texts=ADVICE):
        grade = None
        if key.text != "default":
            grade = read_grade(key.text, key.place, draft.faults)
            if grade is None:
                continue
        text = as_text_node(value, draft.faults)
        if text is not None:
            advice[grade] = text.text
            _check_template(text, language, draft)
    return advice


def _check_headline(node: TextNode, language: Language, draft: MessageDraft) -> None:
    """Look through a headline; remember its names and say if it is too long."""
    parts = _check_template(node, language, draft)
    if parts is None:
        return
    draft.names[language] = {part.name for part in parts if isinstance(part, nodes.Name)}
    length = 0
    for output in parts:
        for part in output.nodes if isinstance(output, nodes.Output) else ():
            is_text = isinstance(part, nodes.TemplateData)
            length += len(part.data) if is_text else VALUE_LENGTH  # type: ignore[attr-defined]
    if length > HEADLINE_MAX[language]:
        draft.faults.add(
            "W434",
            node.place,
            f"a headline of about {length} letters; {HEADLINE_MAX[language]} fit in "
            f"{LANGUAGE_NAMES[language]}",
            remedy="move what can wait to `advice`",
        )


def _check_template(
    node: TextNode, language: Language, draft: MessageDraft
) -> tuple[nodes.Node, ...] | None:
    """The nodes of one template, looked through; None after a fault in its syntax."""
    faults = draft.faults
    if len(node.text) > TEMPLATE_MAX:
        message = f"a text longer than {TEMPLATE_MAX} letters"
        faults.add("E430", node.part(0, 1), message, remedy="make it shorter")
        return None
    try:
        parts = _parsed(language, node.text)
    except TemplateSyntaxError as problem:
        faults.add("E430", node.place, f"not a template: {problem.message}")
        return None
    except RecursionError:
        faults.add("E430", node.place, "not a template: nested too deeply")
        return None
    for part in parts:
        _check_part(part, node, draft)
    return parts


@lru_cache(maxsize=4096)
def _parsed(language: Language, text: str) -> tuple[nodes.Node, ...]:
    """All nodes of a template; nobody changes them. Many rules of a book share their texts."""
    return tuple(_parts(environment(language).parse(text)))


def _parts(root: nodes.Node) -> Iterator[nodes.Node]:
    """All nodes of a template, without recursion."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(part.iter_child_nodes())


def _check_part(part: nodes.Node, node: TextNode, draft: MessageDraft) -> None:
    """Refuse a part that messages may not hold, or a name that does not exist."""
    faults = draft.faults
    if not isinstance(part, ALLOWED):
        what = type(part).__name__.lower()
        remedy = "messages hold values, filters and `{% if %}`"
        faults.add("E430", node.place, f"`{what}` is not allowed in a message", remedy=remedy)
    elif isinstance(part, nodes.Name):
        _check_name(part.name, node, draft)
    elif isinstance(part, nodes.Getattr):
        _check_attribute(part, node, draft)
    elif isinstance(part, nodes.Filter):
        _check_filter(part, node, draft)


def _place(word: str, node: TextNode) -> Place:
    """Where a word of a template stands: its first use between braces, as near as can be told."""
    at = node.text.find(word, max(0, node.text.find("{")))
    return node.part(at, at + len(word)) if at >= 0 else node.place


def _check_name(name: str, node: TextNode, draft: MessageDraft) -> None:
    if name in draft.dimensions:
        draft.used.add(name)
    elif name in draft.sets:
        draft.faults.add(
            "E210",
            _place(name, node),
            f"`{name}` is a set (several sensors), and a message shows one value",
            remedy="name what it shows: `let: {highest: " + name + ".max_of(value)}`",
        )
    elif name not in NAMES | draft.keys:
        known = {*NAMES, *draft.dimensions, "sensor", "site"}
        remedy = did_you_mean(name, known)
        message = f"unknown name `{name}` in a message"
        draft.faults.add("E431", _place(name, node), message, remedy=remedy)


def _check_attribute(part: nodes.Getattr, node: TextNode, draft: MessageDraft) -> None:
    base = part.node
    if not isinstance(base, nodes.Name):
        message, remedy = f"`.{part.attr}` cannot be looked up here", ""
    elif base.name in draft.keys:
        if part.attr != "name":
            draft.attributes.add((base.name, part.attr))
        return
    elif base.name == "grade" and part.attr in GRADE_PARTS:
        return
    elif base.name in NAMES or base.name in draft.dimensions or base.name in draft.sets:
        remedy = "`grade.zh` and `grade.en` are its words" if base.name == "grade" else ""
        message = f"`{base.name}` has no `.{part.attr}`"
    else:
        # The name itself is unknown, and has been told.
        return
    draft.faults.add("E431", _place(f".{part.attr}", node), message, remedy=remedy)


def _check_filter(part: nodes.Filter, node: TextNode, draft: MessageDraft) -> None:
    faults = draft.faults
    if part.name not in KNOWN_FILTERS:
        remedy = did_you_mean(part.name, KNOWN_FILTERS)
        place = _place(part.name, node)
        faults.add("E432", place, f"unknown filter `{part.name}`", remedy=remedy)
        return
    name = part.node.name if isinstance(part.node, nodes.Name) else ""
    dimension = draft.dimension if name == "value" else draft.dimensions.get(name)
    if part.name == "dur" and dimension not in (None, DURATION):
        faults.add(
            "E432",
            _place(part.name, node),
            f"`{name}` is {describe(dimension or NUMBER)}, and no duration",
            remedy="use `q` with a unit of its own kind",
        )
        return
    values = [argument.value for argument in part.args if isinstance(argument, nodes.Const)]
    if part.name in FILTERS and not _arguments_fit(part, values):
        remedy, place = ARGUMENTS[part.name], _place(part.name, node)
        message = f"`{part.name}` is not used like this"
        faults.add("E432", place, message, remedy=f"write `{remedy}`")
        return
    unit_text = str(values[0]) if values and part.name == "q" else ""
    if not unit_text:
        return
    place = _place(unit_text, node)
    try:
        unit = read_unit(unit_text)
    except UnitError as problem:
        faults.add("E201", place, str(problem), remedy=problem.remedy)
        return
    is_share = dimension == NUMBER and unit.dimension == SHARES
    if name and not is_share and dimension not in (None, unit.dimension):
        faults.add(
            "E432",
            place,
            f"`{name}` is {describe(dimension or NUMBER)}, and no {unit_text}",
            remedy="use a unit of the same kind",
        )


def _arguments_fit(part: nodes.Filter, values: list[object]) -> bool:
    """True where one of our filters has constants of the right kind as its arguments."""
    if len(values) < len(part.args) or part.kwargs or part.dyn_args or part.dyn_kwargs:
        return False
    match part.name, values:
        case "dur", []:
            return True
        case "pct", [] | [int()]:
            return True
        case "time", [] | [str()]:
            return not values or OFFSET.fullmatch(str(values[0])) is not None
        case "q", [] | [str()] | [str(), int()]:
            return True
        case _:
            return False


def _compare_languages(fields: Fields, headline: dict[Language, str], draft: MessageDraft) -> None:
    """Both languages must be there and tell the same."""
    faults = draft.faults
    for language in LANGUAGES:
        if language not in headline:
            faults.add(
                "W402",
                fields.node.place,
                f"no {LANGUAGE_NAMES[language]} headline; the default text is used",
                remedy=f"add `{language}: {{headline: …}}`",
            )
    if len(headline) < len(LANGUAGES) or len(draft.names) < len(LANGUAGES):
        return
    ours, theirs = draft.names["zh"], draft.names["en"]
    for language, missing in (("en", ours - theirs), ("zh", theirs - ours)):
        if missing:
            names = ", ".join(f"`{name}`" for name in sorted(missing))
            other = "zh" if language == "en" else "en"
            message = f"the {language} headline lacks {names}, which the {other} one has"
            faults.add("W433", fields.key_place(language), message)
    if not (ours | theirs) & {"value", *draft.used}:
        remedy = "add `{{ value | q(…) }}`"
        faults.add("W435", fields.node.place, "no headline tells the value", remedy=remedy)
