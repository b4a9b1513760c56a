"""Document: a YAML file as plain text values with the place of each, checked against a schema.

The schema (pydantic) finds every fault at once but knows only keys and indices; the tree knows
places but no types. Here the two meet: a fault points at the value, or at the key when the key
itself is wrong.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.errors import UsageError
from rules.errors import Fault, Faults, Place, did_you_mean
from rules.yaml_text import MapNode, Node, TextNode, read_file, read_text

Loc = tuple[str | int, ...]
Plain = str | list["Plain"] | dict[str, "Plain"]
Schema = TypeVar("Schema", bound=BaseModel)

# What pydantic says in the words of programmers, in the words of people who write files.
PLAIN_WORDS: Final = {
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "bool_parsing": "expected true or false",
    "string_type": "expected one word or sentence, not a list or mapping",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "tuple_type": "expected a list in brackets [ ]",
    "list_type": "expected a list in brackets [ ]",
    "dict_type": "expected a mapping in braces { }",
    "model_type": "expected a mapping of keys and values",
    "too_short": "the list is empty",
}


@dataclass(slots=True)
class Document:
    """The values of one file, all scalars as written, and where each key and value stands."""

    name: str
    values: dict[str, Plain]
    value_place: dict[Loc, Place] = field(default_factory=dict)
    key_place: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc) -> Place:
        """Where a value stands; where the nearest thing around it stands, if it is missing."""
        for length in range(len(loc), -1, -1):
            place = self.value_place.get(loc[:length])
            if place is not None:
                return place
        return Place(self.name, 0, 0)

    def overlay(self, text: str) -> None:
        """Replace one value by `key=value`, where the key may be dotted (`models.0.limit`)."""
        key, equals, value = text.partition("=")
        origin = Place(f"--set {text}", 0, 0)
        parts = key.strip().split(".")
        if not equals or not all(parts):
            message = f"--set takes KEY=VALUE, such as --set shards=2, not `{text}`"
            raise UsageError(message)
        loc: Loc = ()
        target: Plain = self.values
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            step: str | int = part
            if isinstance(target, list):
                if not part.isdecimal() or int(part) >= len(target):
                    message = f"--set {text}: `{part}` is not an index below {len(target)}"
                    raise UsageError(message)
                step = int(part)
            elif not isinstance(target, dict):
                message = f"--set {text}: `{'.'.join(map(str, loc))}` has no keys"
                raise UsageError(message)
            loc = (*loc, step)
            new = _overlaid(value.strip(), origin) if is_last else None
            target = _step(target, step, new)
        self._forget(loc)
        self.value_place[loc] = self.key_place[loc] = origin

    def _forget(self, loc: Loc) -> None:
        for places in (self.value_place, self.key_place):
            for known in [known for known in places if known[: len(loc)] == loc]:
                del places[known]


def read_document(path: Path) -> tuple[Document | None, list[Fault]]:
    """Read a YAML file whose root is a mapping, or say everything that is wrong with it."""
    faults = Faults()
    root = read_file(path, faults)
    if root is None:
        return None, faults.sorted()
    if not isinstance(root, MapNode):
        faults.add("E601", root.place, "expected keys and values", remedy="such as `engine: mine`")
        return None, faults.sorted()
    document = Document(str(path), {})
    values = _plain(root, (), document)
    assert isinstance(values, dict)
    document.values = values
    return document, faults.sorted()


def validate(document: Document, schema: type[Schema]) -> tuple[Schema | None, list[Fault]]:
    """Return the document as its schema types it, or a fault for everything that does not fit."""
    try:
        return schema.model_validate(document.values), []
    except ValidationError as error:
        faults = [_fault(document, schema, entry) for entry in error.errors()]
        return None, list(dict.fromkeys(faults))


def _plain(node: Node, loc: Loc, document: Document) -> Plain:
    document.value_place[loc] = node.place
    if isinstance(node, TextNode):
        return node.text
    if isinstance(node, MapNode):
        values: dict[str, Plain] = {}
        for key, value in node.entries:
            at = (*loc, key.text)
            document.key_place[at] = key.place
            values[key.text] = _plain(value, at, document)
        return values
    return [_plain(item, (*loc, index), document) for index, item in enumerate(node.items)]


def _overlaid(text: str, origin: Place) -> Plain:
    """Return a value of the command line: a list or mapping in YAML's flow style, else text."""
    if text[:1] not in ("[", "{"):
        return text
    faults = Faults()
    node = read_text(text, origin.file, faults)
    if node is None:
        raise UsageError(str(faults.sorted()[0]))
    return _plain(node, (), Document(origin.file, {}))


def _step(target: Plain, step: str | int, new: Plain | None) -> Plain:
    """Go one step down, making mappings on the way; put `new` there if there is one."""
    if isinstance(target, list):
        assert isinstance(step, int)
        if new is not None:
            target[step] = new
        return target[step]
    assert isinstance(target, dict)
    assert isinstance(step, str)
    if new is not None:
        target[step] = new
    return target.setdefault(step, {})


def _fault(document: Document, schema: type[BaseModel], entry: ErrorDetails) -> Fault:
    loc = _existing(document, tuple(entry["loc"]))
    kind, context = entry["type"], entry.get("ctx", {})
    place = document.place(loc)
    last = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        within = f" in `{loc[0]}`" if len(loc) > 1 else ""
        known = _keys(schema, loc[:-1])
        at = document.key_place.get(loc, place)
        return Fault("E021", at, f"unknown key `{last}`{within}", did_you_mean(last, known))
    if kind == "missing":
        missing = str(entry["loc"][-1])
        at = document.place(tuple(entry["loc"][:-1]))
        return Fault("E602", at, f"the key `{missing}` is missing", f"write `{missing}: …`")
    found = document_text(document, loc)
    shown = f"`{found}`: " if found is not None and len(found) <= 60 else ""
    if kind in ("literal_error", "enum"):
        choices = [choice.strip(" '") for choice in _choices(str(context["expected"]))]
        message = f"`{last}` cannot be {shown.rstrip(': ') or 'this'}"
        return Fault("E603", place, message, did_you_mean(found or "", choices))
    if kind == "value_error":
        return Fault("E604", place, shown + str(context["error"]), "")
    if kind == "string_pattern_mismatch":
        message = f"{shown}`{last}` does not match {context['pattern']}"
        return Fault("E604", place, message, "")
    words = PLAIN_WORDS.get(kind, entry["msg"][:1].lower() + entry["msg"][1:])
    return Fault("E604", place, shown + words, "")


def document_text(document: Document, loc: Loc) -> str | None:
    """Return the scalar at a place of the document; None for lists, mappings and nothing."""
    value: Plain = document.values
    for step in loc:
        found = _child(value, step)
        if found is None:
            return None
        value = found
    return value if isinstance(value, str) else None


def _child(value: Plain, step: str | int) -> Plain | None:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _existing(document: Document, loc: Loc) -> Loc:
    """Cut what pydantic adds for unions and validators: steps that are not in the file."""
    known = loc
    while known and known not in document.value_place:
        known = known[:-1]
    return known


def _choices(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _keys(schema: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that a schema allows at a place: follow fields through lists of models."""
    current = schema
    for step in loc:
        if isinstance(step, int):
            continue
        nested = _nested(current, step)
        if nested is None:
            return []
        current = nested
    return list(current.model_fields)


def _nested(schema: type[BaseModel], name: str) -> type[BaseModel] | None:
    annotation = schema.model_fields[name].annotation
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
