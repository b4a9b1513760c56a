"""Book: the rule packs of some files and folders, read and checked, with every fault of each.

A pack with an error is left out as a whole; the others are used all the same. Packs are taken in
the order of their file names, so that the same folder makes the same book everywhere.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rules import macro_text
from rules.errors import Faults, Place, RuleErrors
from rules.fields import Fields, identifier
from rules.macros import Macros
from rules.pack import Book, Input, Ladder, Level, Pack, Quality, Rule
from rules.rule_text import read_rule
from rules.vocabulary import LANGUAGE_VERSION, PACK, refuse_later
from rules.yaml_text import MapNode, Node, read_source

__all__ = ["Book", "Input", "Ladder", "Level", "Pack", "Quality", "Rule", "load", "load_or_raise"]

SUFFIXES = frozenset({".yaml", ".yml"})
TEST_SUFFIX = ".test"


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that could be read as YAML, and everything found wrong in it so far."""

    path: Path
    node: Node
    digest: str
    faults: Faults


def load(paths: Iterable[Path]) -> Book:
    """Read all packs of files and folders; what is wrong is in the book's faults."""
    faults = Faults()
    sources = [source for path in _files(paths, faults) if (source := _open(path, faults))]
    # A pack may use the macros of another, wherever that stands in the order of files.
    macros = macro_text.read_all((source.node, source.faults) for source in sources)
    packs: list[Pack] = []
    for source in sources:
        pack = _load_pack(source, macros, faults)
        if pack is None:
            continue
        before = next((known for known in packs if known.name == pack.name), None)
        if before is not None:
            message = f"the pack `{pack.name}` is already in {before.path}"
            place = Place(str(source.path), 0, 0)
            faults.add("E024", place, message, remedy="give one another name")
            continue
        packs.append(pack)
    whole = hashlib.sha256("".join(pack.digest for pack in packs).encode()).hexdigest()
    return Book(tuple(packs), whole, faults)


def load_or_raise(paths: Iterable[Path]) -> Book:
    """As `load`, but any error raises RuleErrors with every fault."""
    book = load(paths)
    if book.errors:
        raise RuleErrors(book.faults)
    return book


def _files(paths: Iterable[Path], faults: Faults) -> list[Path]:
    """The YAML files at `paths`, folders looked through, each once and in order of name."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            found.update(dict.fromkeys(inside))
            if not inside:
                message = "no rule packs (*.yaml) in this folder"
                faults.add("W005", Place(str(path), 0, 0), message)
        else:
            found[path] = None
    return list(found)


def _open(path: Path, faults: Faults) -> _Source | None:
    """Read one file as YAML; None when it cannot be."""
    mine = Faults()
    if path.stem.endswith(TEST_SUFFIX):
        place = Place(str(path), 0, 0)
        refuse_later(path.name, place, faults, where=" (tests in a file of their own)")
        return None
    node, content = read_source(path, mine)
    if node is None:
        faults.extend(mine)
        return None
    return _Source(path, node, hashlib.sha256(content).hexdigest(), mine)


def _load_pack(source: _Source, macros: Macros, faults: Faults) -> Pack | None:
    """Read the pack of one file; None after an error."""
    mine = source.faults
    pack = _read_pack(source, macros, mine)
    faults.extend(mine)
    return None if mine.errors() else pack


def _read_pack(source: _Source, macros: Macros, faults: Faults) -> Pack | None:
    """Read the mapping of a pack."""
    node = source.node
    if isinstance(node, MapNode) and node.get("tocsin") is None:
        message, remedy = "this is not a rule pack: it does not start with `tocsin: 1`", ""
        if node.get("pack") is not None or node.get("rules") is not None:
            remedy = "add the line `tocsin: 1`"
        faults.add("E011", node.place, message, remedy=remedy)
    fields = Fields.open(node, PACK, faults)
    if fields is None:
        return None
    language = fields.text("tocsin")
    if language is not None and language.text != LANGUAGE_VERSION:
        message = f"version {language.text} of the rule language is not known here"
        faults.add("E011", language.place, message, remedy="write `tocsin: 1`", fix="1")
    name = identifier(fields.required("pack", "pack: coal-gas"), faults)
    version = fields.required("version", "version: 1.0.0")
    owner = fields.text("owner")
    macro_text.check(fields, name, macros)
    rules = _read_rules(fields, name, macros)
    return Pack(
        name=name,
        version=version.text if version else "",
        digest=source.digest,
        owner=owner.text if owner else "",
        path=str(source.path),
        rules=tuple(rules),
    )


def _read_rules(fields: Fields, pack: str, macros: Macros) -> list[Rule]:
    """Read the rules of a pack; ids must differ."""
    if "rules" not in fields.values:
        message = "`rules` is missing in `pack`"
        fields.faults.add("E012", fields.node.place, message, remedy="rules: [{id: …}]")
    rules: list[Rule] = []
    ids: dict[str, Place] = {}
    for node in fields.items("rules"):
        mine = Faults()
        rule = read_rule(node, pack, macros, mine)
        fields.faults.extend(mine)
        key = node.get("id") if isinstance(node, MapNode) else None
        name = getattr(key, "text", "")
        if key is not None and name in ids:
            remedy = f"it already stands in line {ids[name].line}; choose another"
            fields.faults.add("E024", key.place, f"two rules are called `{name}`", remedy=remedy)
        elif key is not None:
            ids[name] = key.place
        if rule is not None:
            rules.append(rule)
    return rules
