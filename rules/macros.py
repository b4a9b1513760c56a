"""Macros: names that a pack gives to expressions with holes, written out before anything is meant.

`rising(x, win, lim): x.slope(win) >= lim` stands for its body wherever it is used, with what is
given for `x`, `win` and `lim` put in their places. Whatever is wrong there is said where the macro
is used, with its name: the body alone means nothing. A macro sees the macros of its own pack and of
the packs that it names under `use`, at most four deep and never itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from rules.errors import Faults, Place, nearest
from rules.syntax import (
    Argument,
    Arguments,
    Call,
    Chain,
    Infix,
    Leaf,
    Logic,
    Prefix,
    Syntax,
    Within,
    parse,
    place_of,
)
from rules.yaml_text import TextNode

DEPTH_MAX = 4
# Nodes that are made while an expression is written out; each level makes those below it anew.
SIZE_MAX = 2000
HEAD = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\(\s*([^()]*?)\s*\)\s*")
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro; `place` is its key."""

    name: str
    parameters: tuple[str, ...]
    body: Syntax
    pack: str
    place: Place

    @property
    def written(self) -> str:
        """Its head, as its pack writes it."""
        return f"{self.name}({', '.join(self.parameters)})"


@dataclass(frozen=True, slots=True)
class Macros:
    """The macros of all packs, by pack and name, and whose a pack may use beside its own."""

    packs: Mapping[str, Mapping[str, Macro]] = field(default_factory=dict)
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def find(self, name: str, pack: str) -> Macro | None:
        """The macro that a name means in a pack: its own, or that of a pack it uses."""
        for owner in (pack, *self.uses.get(pack, ())):
            found = self.packs.get(owner, {}).get(name)
            if found is not None:
                return found
        return None

    def elsewhere(self, name: str) -> list[str]:
        """The packs that have a macro of this name."""
        return sorted(pack for pack, macros in self.packs.items() if name in macros)

    def known(self, pack: str) -> list[str]:
        """The names a pack may use."""
        owners = (pack, *self.uses.get(pack, ()))
        return sorted(name for owner in owners for name in self.packs.get(owner, {}))


NO_MACROS = Macros()


def read_macro(key: TextNode, value: TextNode, pack: str, faults: Faults) -> Macro | None:
    """One entry of `macros`; None after a fault."""
    head = HEAD.fullmatch(key.text)
    words = [word.strip() for word in head[2].split(",")] if head and head[2] else []
    if head is None or not all(PARAMETER.fullmatch(word) for word in words):
        message = f"`{key.text}` is not the head of a macro"
        remedy = "write for example `rising(x, win): x.slope(win) > 0`"
        faults.add("E121", key.place, message, remedy=remedy)
        return None
    twice = [word for word in words if words.count(word) > 1]
    if twice:
        faults.add("E121", key.place, f"`{twice[0]}` stands twice in `{key.text}`")
        return None
    body = parse(value, faults)
    return None if body is None else Macro(head[1], tuple(words), body, pack, key.place)


def check_macros(macros: Macros, pack: str, faults: Faults) -> None:
    """Refuse macros that lead back to themselves, or too deep, be they used or not."""
    known: dict[tuple[str, str, int], tuple[Macro, ...]] = {}
    for macro in macros.packs.get(pack, {}).values():
        chain = _chain_of(macro, macros, DEPTH_MAX, known)
        if len(chain) > DEPTH_MAX:
            _refuse_chain(chain, macro.place, faults)


def _chain_of(
    macro: Macro, macros: Macros, left: int, known: dict[tuple[str, str, int], tuple[Macro, ...]]
) -> tuple[Macro, ...]:
    """The longest chain of macros that begins with one, `left` more of them at most."""
    key = (macro.pack, macro.name, left)
    if key not in known:
        known[key] = (macro,)
        names = dict.fromkeys(call.name for call in _calls(macro.body)) if left else {}
        for name in names:
            used = macros.find(name, macro.pack)
            tail = _chain_of(used, macros, left - 1, known) if used else ()
            if len(tail) >= len(known[key]):
                known[key] = (macro, *tail)
    return known[key]


def _refuse_chain(chain: tuple[Macro, ...], place: Place, faults: Faults) -> None:
    again = next((macro for macro in chain if chain.count(macro) > 1), None)
    if again is not None:
        first = chain.index(again)
        chain = chain[first : chain.index(again, first + 1) + 1]
    shown = " → ".join(macro.name for macro in chain)
    if again is not None:
        message = f"the macro `{again.name}` leads back to itself: {shown}"
    else:
        message = f"macros more than {DEPTH_MAX} deep: {shown}"
    faults.add("E121", place, message, remedy="write one of them out")


def _calls(syntax: Syntax) -> Iterator[Call]:
    """The calls without a base in a tree."""
    for part in _parts(syntax):
        yield from _calls(part)
    if isinstance(syntax, Call) and syntax.base is None:
        yield syntax


def _parts(syntax: Syntax) -> tuple[Syntax, ...]:
    match syntax:
        case Call(base=base, arguments=arguments):
            inner = tuple(item.value for item in arguments.items) if arguments else ()
            return inner if base is None else (base, *inner)
        case Prefix(operand=operand):
            return (operand,)
        case Infix(left=left, right=right):
            return left, right
        case Chain(operands=operands):
            return operands
        case Within(operand=operand, items=items):
            return operand, *items
        case Logic(items=items):
            return items
        case _:
            return ()


@dataclass(slots=True)
class _Expansion:
    """One expression while its macros are written out."""

    node: TextNode
    macros: Macros
    faults: Faults
    # The macro that stands in the expression itself; others are inside it.
    use: Call | None = None
    size: int = 0
    has_failed: bool = False

    def place(self, call: Call) -> Place:
        """Where the expression uses a macro, itself or inside another."""
        self.has_failed = True
        return place_of(self.use or call, self.node)


def expand(
    syntax: Syntax, node: TextNode, macros: Macros, *, pack: str, faults: Faults
) -> Syntax | None:
    """A tree with its macros written out; None after a fault."""
    # Most expressions use no macro, and their text shows it.
    if not any(name in node.text for name in macros.known(pack)):
        return syntax
    expansion = _Expansion(node, macros, faults)
    whole = _walk(expansion, syntax, pack, ())
    return None if expansion.has_failed else whole


def _walk(expansion: _Expansion, syntax: Syntax, pack: str, chain: tuple[Macro, ...]) -> Syntax:
    """A tree with the macros of `pack` written out; `chain` are those it is inside of."""
    if expansion.has_failed:
        return syntax
    before = _parts(syntax)
    parts = tuple(_walk(expansion, part, pack, chain) for part in before)
    if any(part is not old for part, old in zip(parts, before, strict=True)):
        syntax = _with_parts(syntax, parts)
    if not isinstance(syntax, Call) or syntax.base is not None or syntax.arguments is None:
        return syntax
    macro = expansion.macros.find(syntax.name, pack)
    return syntax if macro is None else _written_out(expansion, syntax, macro, chain)


def _written_out(
    expansion: _Expansion, call: Call, macro: Macro, chain: tuple[Macro, ...]
) -> Syntax:
    """The body of a macro with what is given for its parameters."""
    if not chain:
        expansion.use = call
    faults = expansion.faults
    if macro in chain or len(chain) >= DEPTH_MAX:
        _refuse_chain((*chain, macro), expansion.place(call), faults)
        return call
    items = call.arguments.items if call.arguments else ()
    if len(items) != len(macro.parameters) or any(item.keyword for item in items):
        count = len(macro.parameters)
        message = f"macro `{macro.name}` takes {count} argument{'' if count == 1 else 's'}"
        remedy = f"write `{macro.written}`"
        faults.add("E111", expansion.place(call), message, remedy=remedy)
        return call
    given = {name: item.value for name, item in zip(macro.parameters, items, strict=True)}
    body = _walk(expansion, macro.body, macro.pack, (*chain, macro))
    inside = call.inside or f"in the macro `{macro.written}` of {macro.place}"
    whole = _filled(expansion, body, given, replace(call, inside=inside))
    if expansion.size > SIZE_MAX and not expansion.has_failed:
        message = f"macro `{macro.name}` becomes too large, written out"
        faults.add("E121", expansion.place(call), message, remedy="make it simpler")
    return whole


def _filled(
    expansion: _Expansion, syntax: Syntax, given: Mapping[str, Syntax], call: Call
) -> Syntax:
    """A body with its parameters replaced, standing where the call stands."""
    expansion.size += 1
    if expansion.size > SIZE_MAX:
        return syntax
    if isinstance(syntax, Leaf) and syntax.form == "name" and syntax.text in given:
        return given[syntax.text]
    parts = tuple(_filled(expansion, part, given, call) for part in _parts(syntax))
    whole = _with_parts(syntax, parts)
    if isinstance(whole, Call):
        # A place of the name alone would be in the macro's own text.
        whole = replace(whole, name_start=call.name_start)
    return replace(whole, start=call.start, end=call.end, inside=call.inside)


def _with_parts(syntax: Syntax, parts: tuple[Syntax, ...]) -> Syntax:
    """The same node over other parts."""
    depth = 1 + max((part.depth for part in parts), default=0)
    match syntax:
        case Call(base=base, arguments=arguments):
            above = None if base is None else parts[0]
            inner = parts if base is None else parts[1:]
            if arguments is not None:
                items = tuple(
                    item
                    if part is item.value
                    else Argument(item.keyword, part, part.start, part.end, part.depth)
                    for item, part in zip(arguments.items, inner, strict=True)
                )
                arguments = Arguments(items, arguments.start, arguments.end, depth)
            return replace(syntax, base=above, arguments=arguments, depth=depth)
        case Prefix():
            return replace(syntax, operand=parts[0], depth=depth)
        case Infix():
            return replace(syntax, left=parts[0], right=parts[1], depth=depth)
        case Chain():
            return replace(syntax, operands=parts, depth=depth)
        case Within():
            return replace(syntax, operand=parts[0], items=parts[1:], depth=depth)
        case Logic():
            return replace(syntax, items=parts, depth=depth)
        case _:
            return syntax


def refuse_unknown(
    call: Call, node: TextNode, macros: Macros, *, pack: str, faults: Faults
) -> None:
    """A call of a macro that this pack does not have."""
    place = node.part(call.name_start, call.name_end)
    owners = macros.elsewhere(call.name)
    message = f"macro `{call.name}` is not defined in this pack"
    guess = nearest(call.name, macros.known(pack))
    if owners:
        remedy = f"it exists in `{owners[0]}`; add `use: [{owners[0]}]`"
    elif guess:
        remedy = f"did you mean `{guess}`?"
    else:
        remedy = f'add `macros: {{"{call.name}(x): …"}}` to the pack, or write the condition out'
    faults.add("E120", place, message, remedy=remedy, fix=guess if not owners else "")
