"""Syntax: the text of an expression becomes a tree that still knows where everything stands.

Nothing is meant yet: names are names and `5m` is five of something. A tree is at most 50 deep and
an expression at most 2 KiB long, so that whoever walks it may recurse. What a macro has put there
stands where the macro is used, and says so in `inside`.
"""

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from rules.errors import Faults, Place
from rules.yaml_text import TextNode

LENGTH_MAX = 2048
DEPTH_MAX = 50
# What people write, and what they mean.
MEANT = {
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "===": "==",
    "=": "==",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "And": "and",
    "Or": "or",
    "Not": "not",
    "且": "and",
    "或": "or",
    "非": "not",
    "（": "(",
    "）": ")",
    "，": ",",
    "。": ".",
    "×": "*",
    "÷": "/",
    "＞": ">",
    "＜": "<",
    "＝": "==",
    "－": "-",
    "＋": "+",
    "％": "%",
    "“": '"',
    "”": '"',
}
WORDS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A literal or a name; a string without its quotes."""

    form: Literal["number", "quantity", "duration", "string", "name"]
    text: str
    start: int
    end: int
    depth: int = 1
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call; `keyword` is empty for one without a name."""

    keyword: str
    value: "Syntax"
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """All arguments of a call; the span includes the brackets."""

    items: tuple[Argument, ...]
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Call:
    """`name(…)`, or `base.name(…)`, or `base.name` where `arguments` is None."""

    base: "Syntax | None"
    name: str
    name_start: int
    arguments: Arguments | None
    start: int
    end: int
    depth: int
    inside: str = ""

    @property
    def name_end(self) -> int:
        """Where the name ends."""
        return self.name_start + len(self.name)


@dataclass(frozen=True, slots=True)
class Prefix:
    """`-x` or `not x`."""

    operator: Literal["-", "not"]
    operand: "Syntax"
    start: int
    end: int
    depth: int
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Infix:
    """`x + y` and the like."""

    operator: Literal["+", "-", "*", "/"]
    left: "Syntax"
    right: "Syntax"
    start: int
    end: int
    depth: int
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """`x < y <= z`; one operator fewer than operands."""

    operators: tuple[str, ...]
    operands: tuple["Syntax", ...]
    start: int
    end: int
    depth: int
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Within:
    """`x in [a, b]`."""

    operand: "Syntax"
    items: tuple["Syntax", ...]
    start: int
    end: int
    depth: int
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Logic:
    """`x and y and z`, or with `or`."""

    operator: Literal["and", "or"]
    items: tuple["Syntax", ...]
    start: int
    end: int
    depth: int
    inside: str = ""


Syntax = Leaf | Call | Prefix | Infix | Chain | Within | Logic
Piece = Syntax | Argument | Arguments | Token


def place_of(syntax: Syntax | Argument, node: TextNode) -> Place:
    """Where a node of the tree stands; of a macro's, where the macro is used."""
    place = node.part(syntax.start, syntax.end)
    inside = "" if isinstance(syntax, Argument) else syntax.inside
    return replace(place, inside=inside) if inside else place


def parse(node: TextNode, faults: Faults) -> Syntax | None:
    """The tree of an expression; None when it has none, and then `faults` says why."""
    text = node.text
    if not text.strip():
        faults.add("E103", node.place, "an empty expression")
        return None
    if len(text) > LENGTH_MAX:
        faults.add(
            "E103",
            node.part(0, 1),
            f"an expression longer than {LENGTH_MAX} characters",
            remedy="give its parts names under `let`",
        )
        return None
    try:
        syntax, wrong = _read(text)
    except UnexpectedInput as problem:
        _explain(problem, node, faults)
        return None
    for token in wrong:
        _explain_wrong(str(token), token.start_pos or 0, node, faults)
    if syntax.depth > DEPTH_MAX:
        faults.add(
            "E103",
            node.part(0, 1),
            f"an expression nested deeper than {DEPTH_MAX} levels",
            remedy="give its parts names under `let`",
        )
        return None
    return syntax


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Syntax, tuple[Token, ...]]:
    """The tree of a text, and its tokens that are no words of the language.

    Thresholds and conditions repeat from rule to rule; a tree is the same wherever it stands.
    """
    tree = _parser().parse(text)
    # Lark's own search is recursive, and fails on two thousand signs in a row.
    tokens = [
        piece
        for branch in tree.iter_subtrees()
        for piece in branch.children
        if isinstance(piece, Token) and piece.type.startswith("WRONG")
    ]
    return _build(tree), tuple(sorted(tokens, key=lambda token: token.start_pos or 0))


@cache
def _parser() -> Lark:
    """The parser, built when the first expression is read."""
    grammar = Path(__file__).with_name("expr.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


def _build(tree: Tree[Token]) -> Syntax:
    """Turn Lark's tree into ours, from the leaves up and without recursion."""
    done: dict[int, Syntax | Argument | Arguments] = {}
    for branch in tree.iter_subtrees():
        pieces = [
            child if isinstance(child, Token) else done[id(child)] for child in branch.children
        ]
        done[id(branch)] = _node(str(branch.data), pieces)
    root = done[id(tree)]
    assert not isinstance(root, Argument | Arguments)
    return root


def _node(rule: str, pieces: list[Piece]) -> Syntax | Argument | Arguments:
    """One node of the tree, from the pieces a rule of the grammar found."""
    spans = [_span(piece) for piece in pieces]
    start, end = spans[0][0], spans[-1][1]
    nodes = tuple(piece for piece in pieces if not isinstance(piece, Token | Argument | Arguments))
    tokens = [str(piece) for piece in pieces if isinstance(piece, Token)]
    depth = 1 + max((p.depth for p in pieces if not isinstance(p, Token)), default=0)
    match rule:
        case "number" | "quantity" | "duration" | "name":
            return Leaf(rule, tokens[0], start, end)
        case "string":
            return Leaf("string", tokens[0][1:-1], start, end)
        case "group":
            return replace(nodes[0], start=start, end=end)
        case "kwarg":
            return Argument(tokens[0], nodes[0], start, end, depth)
        case "args" | "list":
            items = tuple(
                piece if isinstance(piece, Argument) else Argument("", piece, *_span(piece), depth)
                for piece in pieces
                if not isinstance(piece, Token | Arguments)
            )
            return Arguments(items, start, end, depth)
        case "call" | "method" | "attr":
            return _call(pieces, start, end, depth)
        case "not_" | "neg":
            return Prefix("-" if rule == "neg" else "not", nodes[0], start, end, depth)
        case "member":
            listed = pieces[-1]
            assert isinstance(listed, Arguments)
            items_in = tuple(item.value for item in listed.items)
            return Within(nodes[0], items_in, start, end, depth)
        case "cmp":
            return Chain(tuple(MEANT.get(t, t) for t in tokens), nodes, start, end, depth)
        case "and_e" | "or_e":
            return Logic("and" if rule == "and_e" else "or", nodes, start, end, depth)
        case _:
            return _infix(nodes, tokens)


def _call(pieces: list[Piece], start: int, end: int, depth: int) -> Call:
    name = next(piece for piece in pieces if isinstance(piece, Token))
    first, last = pieces[0], pieces[-1]
    base = None if isinstance(first, Token | Argument | Arguments) else first
    arguments = last if isinstance(last, Arguments) else None
    return Call(base, str(name), name.start_pos or 0, arguments, start, end, depth)


def _infix(nodes: tuple[Syntax, ...], operators: list[str]) -> Syntax:
    """`a + b - c` is `(a + b) - c`."""
    left = nodes[0]
    for operator, right in zip(operators, nodes[1:], strict=True):
        depth = 1 + max(left.depth, right.depth)
        left = Infix(operator, left, right, left.start, right.end, depth)  # type: ignore[arg-type]
    return left


def _span(piece: Piece) -> tuple[int, int]:
    if isinstance(piece, Token):
        return piece.start_pos or 0, piece.end_pos or 0
    return piece.start, piece.end


def _explain_wrong(word: str, start: int, node: TextNode, faults: Faults) -> None:
    """Say which operator was meant."""
    place = node.part(start, start + len(word))
    meant = MEANT[word]
    if meant in WORDS:
        message, remedy = f"`{word}` is not an operator here", f"write `{meant}`"
        faults.add("E102", place, message, remedy=remedy, fix=meant)
    else:
        message, remedy = f"unexpected `{word}`", f"did you mean `{meant}`?"
        faults.add("E101", place, message, remedy=remedy, fix=meant)


def _explain(problem: UnexpectedInput, node: TextNode, faults: Faults) -> None:
    """Say what the parser did not expect, and what was probably meant."""
    text = node.text
    at = problem.pos_in_stream or 0
    if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
        stripped = len(text.rstrip())
        open_count = text.count("(") - text.count(")")
        remedy = "close the bracket: `)`" if open_count > 0 else "something is missing at the end"
        place = node.part(max(0, stripped - 1), stripped)
        faults.add("E101", place, "the expression ends too early", remedy=remedy)
        return
    word = str(problem.token) if isinstance(problem, UnexpectedToken) else text[at : at + 1]
    if word in MEANT:
        _explain_wrong(word, at, node, faults)
        return
    remedy = ""
    if isinstance(problem, UnexpectedToken) and problem.token.type in ("NAME", "NUMBER"):
        remedy = "two values stand side by side; an operator is missing between them"
    elif word == ")":
        remedy = "there is no open bracket for it, or a value is missing before it"
    elif isinstance(problem, UnexpectedToken):
        remedy = "a value is missing before it"
    place = node.part(at, at + len(word))
    faults.add("E101", place, f"unexpected `{word}`", remedy=remedy)
