"""Definitions: what a rule or a model means, as a digest; texts and places do not count."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from rules.plan import RulePlan


def definition(plan: RulePlan) -> str:
    """A digest of what a rule means; its texts and its place in the file do not count."""
    return digest(meaning_of(plan))


def meaning_of(plan: RulePlan) -> tuple[object, ...]:
    """What a rule means, as values that are equal where it means the same."""
    rule = plan.rule
    return (
        *(plan.grades, plan.unit, rule.input, rule.quality, rule.latch, rule.closure, rule.cap),
        *(rule.inputs, rule.by, rule.overrides),
    )


def digest(value: object) -> str:
    """A digest of the meaning of a value."""
    return hashlib.sha256(_meaning(value).encode()).hexdigest()


def _meaning(value: object) -> str:
    """A value as text; fields by which values are not compared, such as places, left out."""
    if is_dataclass(value):
        parts = [
            f"{part.name}={_meaning(getattr(value, part.name))}"
            for part in fields(value)
            if part.compare
        ]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{_meaning(k)}: {_meaning(v)}' for k, v in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_meaning(part) for part in value))}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(_meaning(part) for part in value)})"
    return repr(value)
