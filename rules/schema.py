"""Schema: the rule language as a JSON Schema, for editors that complete and check while typing.

It says what `tocsin check` says about keys and shapes, and no more: what an expression means, and
in which unit, is beyond a schema.  Every scalar may be a text, a number or a truth, since packs are
read as text.
"""

import json
from typing import TypeAlias

from rules.grade import SPELLINGS
from rules.keys import SECTIONS, Key, keys
from rules.unit_table import DURATION, TABLE
from rules.vocabulary import ADVICE

Schema: TypeAlias = dict[str, object]

DRAFT = "http://json-schema.org/draft-07/schema#"
# Keys without which a section means nothing.
REQUIRED = {
    "pack": ("tocsin", "pack", "version", "rules"),
    "file": ("tocsin", "kind", "for"),
    "rule": ("id",),
    "override": ("match", "set", "reason"),
    "override of a pack": ("match", "set", "reason"),
    "test": ("name", "expect"),
    "step": ("as",),
    "ladder": ("value",),
    "level": ("when",),
    "promote": ("count", "at", "to"),
}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def schema() -> Schema:
    """The whole schema: a pack, or a file beside one."""
    definitions: Schema = {name.replace(" ", "_"): _section(name) for name in SECTIONS}
    return {
        "$schema": DRAFT,
        "title": "Tocsin rule pack",
        "description": "Rules that turn sensor readings into graded warnings. 预警规则包",
        "anyOf": [_ref("pack"), _ref("file")],
        "definitions": definitions,
    }


def schema_text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(schema(), ensure_ascii=False, indent=1) + "\n"


def _section(name: str) -> Schema:
    properties: Schema = {key.name: _key(key) for key in keys()[name].values()}
    found: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if name in REQUIRED:
        found["required"] = list(REQUIRED[name])
    return found


def _key(key: Key) -> Schema:
    described: Schema = {"description": f"{key.en}\n{key.zh}"}
    return {**described, **_shape(key.shape)}


def _shape(shape: str) -> Schema:
    kind, _, of = shape.partition(":")
    match kind:
        case "word":
            return {"enum": [_typed(word) for word in of.split("|")]}
        case "section":
            return {"allOf": [_ref(of)]}
        case "sections":
            return {"type": "array", "items": _ref(of)}
        case "named":
            return {"type": "object", "additionalProperties": _ref(of)}
        case "bygrade":
            return _by_grade(_shape(of), tuple(SPELLINGS))
        case "maybe_bygrade":
            words = tuple(sorted(ADVICE)) if of == "text" else tuple(SPELLINGS)
            return {"anyOf": [_shape(of), _by_grade(_shape(of), words)]}
        case _:
            return _plain(kind)


def _plain(kind: str) -> Schema:
    grades: list[object] = list(SPELLINGS)
    match kind:
        case "name":
            return {"type": ["string", "number"], "pattern": NAME_PATTERN}
        case "duration":
            return {"type": "string", "pattern": duration_pattern()}
        case "bool":
            return {"type": "boolean"}
        case "int":
            return {"type": "integer", "minimum": 0}
        case "grade":
            return {"enum": grades}
        case "grade_or_none":
            return {"enum": ["none", "无", *grades]}
        case "grades":
            return {"type": "array", "items": {"enum": grades}}
        case "list":
            return {"type": "array", "items": SCALAR}
        case "map":
            return {"type": "object"}
        case "texts":
            return {"allOf": [_ref("zh and en")]}
        case "feeds":
            return {"type": "object", "additionalProperties": {"type": "string"}}
        case "exprs":
            return {"type": "object", "additionalProperties": SCALAR}
        case "text" | "expr":
            return dict(SCALAR)
        case _:
            raise AssertionError(kind)


def _by_grade(of: Schema, words: tuple[str, ...]) -> Schema:
    return {
        "type": "object",
        "properties": dict.fromkeys(words, of),
        "additionalProperties": False,
        "minProperties": 1,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name.replace(' ', '_')}"}


def _typed(word: str) -> object:
    return int(word) if word.isdecimal() else word


def duration_pattern() -> str:
    """`30s`, `1h30m`, `0.5 s`: the units of time that the table knows."""
    units = sorted((u for u, (_, d) in TABLE.items() if d == DURATION), key=len, reverse=True)
    names = "|".join([*units, "m"])
    return rf"^\s*([0-9]+(\.[0-9]+)?\s*({names})\s*)+$"
