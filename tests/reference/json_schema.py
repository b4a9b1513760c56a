"""JSON Schema, slowly: as much of draft 07 as our schema uses, written from its specification."""

import re


def complaints(value, schema, root, path="$"):
    """What speaks against a value; empty when the schema allows it."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        return complaints(value, root["definitions"][name], root, path)
    found = []
    for key, rule in schema.items():
        found += _check(key, rule, value, schema, root, path)
    return found


def _check(key, rule, value, schema, root, path):
    if key == "type":
        types = [rule] if isinstance(rule, str) else rule
        return [] if any(_is_of(value, name) for name in types) else [f"{path}: not {types}"]
    if key == "enum":
        return [] if value in rule else [f"{path}: {value!r} is not one of {rule}"]
    if key == "pattern" and isinstance(value, str):
        return [] if re.search(rule, value) else [f"{path}: {value!r} does not look like {rule}"]
    if key == "minimum" and _is_of(value, "number"):
        return [] if value >= rule else [f"{path}: {value} < {rule}"]
    if key == "allOf":
        return [one for part in rule for one in complaints(value, part, root, path)]
    if key == "anyOf":
        tried = [complaints(value, part, root, path) for part in rule]
        return [] if not all(tried) else min(tried, key=len)
    if key == "items" and isinstance(value, list):
        return [
            one
            for number, item in enumerate(value)
            for one in complaints(item, rule, root, f"{path}[{number}]")
        ]
    if isinstance(value, dict):
        return _check_mapping(key, rule, value, schema, root, path)
    return []


def _check_mapping(key, rule, value, schema, root, path):
    known = schema.get("properties", {})
    if key == "required":
        return [f"{path}: {name} is missing" for name in rule if name not in value]
    if key == "minProperties":
        return [] if len(value) >= rule else [f"{path}: too few keys"]
    if key == "properties":
        return [
            one
            for name, part in rule.items()
            if name in value
            for one in complaints(value[name], part, root, f"{path}.{name}")
        ]
    if key == "additionalProperties":
        others = [name for name in value if name not in known]
        if rule is False:
            return [f"{path}: unknown key {name}" for name in others]
        return [
            one for name in others for one in complaints(value[name], rule, root, f"{path}.{name}")
        ]
    return []


def _is_of(value, name):
    is_bool = isinstance(value, bool)
    match name:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return is_bool
        case "integer":
            return isinstance(value, int) and not is_bool
        case "number":
            return isinstance(value, int | float) and not is_bool
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case _:
            raise AssertionError(name)
