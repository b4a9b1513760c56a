"""Macros as packs write them: `macros` and `use`, read before any rule of any pack."""

from collections.abc import Iterable

from rules.errors import Faults, did_you_mean
from rules.fields import Fields, as_text_node, whole_entries, wrong_shape
from rules.macros import Macro, Macros, check_macros, read_macro
from rules.vocabulary import TAKEN
from rules.yaml_text import ListNode, MapNode, Node, TextNode


def read_all(sources: Iterable[tuple[Node, Faults]]) -> Macros:
    """The macros of all packs; of two packs of one name the first counts, as in the book."""
    packs: dict[str, dict[str, Macro]] = {}
    uses: dict[str, tuple[str, ...]] = {}
    for node, faults in sources:
        name = node.get("pack") if isinstance(node, MapNode) else None
        if not isinstance(node, MapNode) or not isinstance(name, TextNode) or name.text in packs:
            continue
        packs[name.text] = _read_macros(node.get("macros"), name.text, faults)
        used = node.get("use")
        items = used.items if isinstance(used, ListNode) else ()
        uses[name.text] = tuple(item.text for item in items if isinstance(item, TextNode))
    return Macros(packs, uses)


def _read_macros(node: Node | None, pack: str, faults: Faults) -> dict[str, Macro]:
    """The macros of one pack, by name."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        wrong_shape(node, "`macros` is a mapping: {rising(x, win): x.slope(win) > 0}", faults)
        return {}
    macros: dict[str, Macro] = {}
    for key, value in whole_entries(node, faults):
        body = as_text_node(value, faults)
        macro = read_macro(key, body, pack, faults) if body else None
        if macro is None:
            continue
        taken = [word for word in (macro.name, *macro.parameters) if word in TAKEN]
        if taken:
            remedy = "choose another: letters A-Z a-z, digits and _"
            faults.add("E114", key.place, f"`{taken[0]}` means something already", remedy=remedy)
        elif macro.name in macros:
            before = macros[macro.name].place.line
            remedy = f"it already stands in line {before}; choose another"
            faults.add("E024", key.place, f"two macros are called `{macro.name}`", remedy=remedy)
        else:
            macros[macro.name] = macro
    return macros


def check(fields: Fields, pack: str, macros: Macros) -> None:
    """Check what a pack says about macros, now that those of all packs are known."""
    check_macros(macros, pack, fields.faults)
    names: dict[str, str] = {}
    for item in fields.items("use"):
        text = as_text_node(item, fields.faults)
        if text is None:
            continue
        if text.text == pack or text.text not in macros.packs:
            others = macros.packs.keys() - {pack}
            remedy = did_you_mean(text.text, others) if others else ""
            message = f"`{text.text}` is no other pack among those that are read"
            fields.faults.add("E122", text.place, message, remedy=remedy)
            continue
        for name in macros.packs[text.text]:
            if name in names and name not in macros.packs.get(pack, {}):
                message = f"`{names[name]}` and `{text.text}` both have a macro `{name}`"
                remedy = "a macro of this pack's own comes first; or use one of them only"
                fields.faults.add("E122", text.place, message, remedy=remedy)
            names.setdefault(name, text.text)
