"""Book: the rule packs of some files and folders, read and checked, with every fault of each.

A pack with an error is left out as a whole; the others are used all the same. Packs are taken in
the order of their file names, so that the same folder makes the same book everywhere.
"""

import gc
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rules import macro_text
from rules.errors import Faults, Place, RuleErrors, did_you_mean
from rules.linking import link
from rules.lint import ask_about_tests
from rules.pack import Book, Input, Ladder, Level, Pack, Quality, Rule
from rules.pack_text import read_pack, with_beside
from rules.yaml_text import MapNode, Node, TextNode, read_source

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

    @property
    def is_beside(self) -> bool:
        """True for local tuning and tests that belong to a pack in another file."""
        has_kind = isinstance(self.node, MapNode) and self.node.get("kind") is not None
        return has_kind or self.path.stem.endswith(TEST_SUFFIX)


def load(paths: Iterable[Path], *, today: str = "") -> Book:
    """Read all packs of files and folders; what is wrong is in the book's faults.

    `today` is an ISO day: overrides that held until an earlier one are told. Empty: none is.
    """
    with _uncollected():
        return _load(paths, today)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away: a book only grows while it is read, and 2 000 rules are a million
    objects that it would look through again and again (a fifth of the time)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(paths: Iterable[Path], today: str) -> Book:
    faults = Faults()
    sources = [source for path in _files(paths, faults) if (source := _open(path, faults))]
    own = [source for source in sources if not source.is_beside]
    # A pack may use the macros of another, wherever that stands in the order of files.
    macros = macro_text.read_all((source.node, source.faults) for source in own)
    packs: dict[str, Pack] = {}
    for source in own:
        mine = source.faults
        path = str(source.path)
        pack = read_pack(source.node, macros, mine, path=path, digest=source.digest, today=today)
        if pack is None:
            continue
        if pack.name in packs:
            message = f"the pack `{pack.name}` is already in {packs[pack.name].path}"
            mine.add("E024", Place(path, 0, 0), message, remedy="give one another name")
            continue
        packs[pack.name] = pack
    wrong = {source.path.as_posix() for source in own if source.faults.errors()}
    for source in sources:
        if source.is_beside:
            wrong |= _add_beside(packs, source, wrong, today)
    for source in own:
        pack = next((p for p in packs.values() if p.path == str(source.path)), None)
        if pack is not None and not source.faults.errors():
            ask_about_tests(pack, source.faults)
    for source in sources:
        faults.extend(source.faults)
    kept = [pack for pack in packs.values() if Path(pack.path).as_posix() not in wrong]
    found = Faults()
    link(kept, found, elsewhere=packs.keys() - {pack.name for pack in kept})
    faults.extend(found)
    torn = {fault.place.file for fault in found.errors()}
    kept = [pack for pack in kept if pack.path not in torn]
    whole = hashlib.sha256("".join(pack.digest for pack in kept).encode()).hexdigest()
    return Book(tuple(kept), whole, faults)


def _add_beside(packs: dict[str, Pack], source: _Source, wrong: set[str], today: str) -> set[str]:
    """Add a file beside a pack to its pack; the path of the pack that is thereby spoilt.

    Of a pack with faults of its own, not all rules are known; nothing is said against them.
    """
    node = source.node
    text = node.get("for") if isinstance(node, MapNode) else None
    if not isinstance(text, TextNode) or not text.text:
        message = "`for` is missing: which pack does this file belong to?"
        source.faults.add("E012", node.place, message, remedy="for: coal-gas")
        return set()
    name = text.text.partition("/")[0]
    pack = packs.get(name)
    if pack is None:
        message = f"there is no pack `{name}` among these files"
        remedy = did_you_mean(name, packs) if packs else "check it together with its pack"
        source.faults.add("E330", text.place, message, remedy=remedy)
        return set()
    if Path(pack.path).as_posix() in wrong:
        return set()
    both = hashlib.sha256(f"{pack.digest}{source.digest}".encode()).hexdigest()
    more = with_beside(pack, node, source.faults, today=today)
    packs[name] = replace(more, digest=both)
    return {Path(pack.path).as_posix()} if source.faults.errors() else set()


def load_or_raise(paths: Iterable[Path], *, today: str = "") -> Book:
    """As `load`, but any error raises RuleErrors with every fault."""
    book = load(paths, today=today)
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
    node, content = read_source(path, mine)
    if node is None:
        faults.extend(mine)
        return None
    return _Source(path, node, hashlib.sha256(content).hexdigest(), mine)
