"""Model versions: does engine.yaml have the model that a rule was tried with?

A rule says `model: {name: ch4-hst, version: ">=2026.10 <2027"}` because its thresholds were found
with the scores of such a model. With another they mean nothing, so the engine does not start.

A bound is an operator and a version; one without an operator is that very version. All bounds
must hold. Versions are compared number by number, and missing numbers are 0: 2026.10 is 2026.10.0
and lies after 2026.9.
"""

import operator
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

from engine.config import ModelConfig
from engine.nearest import did_you_mean
from rules.errors import Fault
from rules.pack import Rule

BOUND: Final = re.compile(r"(>=|<=|==|!=|>|<)?\s*(\d+(?:\.\d+)*)")
COMPARED: Final[dict[str, Callable[[int, int], bool]]] = {
    "": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def version_faults(rule: Rule, models: Sequence[ModelConfig]) -> list[Fault]:
    """Return why the models of an engine.yaml do not give a rule the version that it asks for."""
    asked = rule.model
    if asked is None or not asked.versions:
        return []
    place = rule.place if asked.place is None else asked.place
    found = [model for model in models if model.name == asked.name]
    if not found:
        text = f"rule `{rule.id}` asks for a version of `{asked.name}`, which engine.yaml lacks"
        names = [model.name for model in models]
        hint = did_you_mean(asked.name, names) if names else "name it under `models`"
        return [Fault("E753", place, text, hint)]
    model = found[0]
    types = {given.type for given in rule.inputs.values()}
    if "*" not in types and types.isdisjoint(model.types):
        text = (
            f"the model `{model.name}` of engine.yaml does not watch {' or '.join(sorted(types))}"
        )
        hint = "`anomaly` is the score of the model that has the type among its `types`"
        return [Fault("E753", place, text, hint)]
    if not model.version:
        text = (
            f"rule `{rule.id}` asks for `{asked.versions}` of `{model.name}`, which has no version"
        )
        hint = "say in engine.yaml which it is: `version: 2026.10`"
        return [Fault("E753", place, text, hint)]
    if not satisfies(model.version, asked.versions):
        text = f"`{model.name}` of engine.yaml is {model.version}, the rule asks `{asked.versions}`"
        hint = "try the rule with that model, then widen the bounds"
        return [Fault("E753", place, text, hint)]
    return []


def satisfies(version: str, bounds: str) -> bool:
    """Whether a version lies within all bounds."""
    return all(COMPARED[sign](_order(version, bound), 0) for sign, bound in BOUND.findall(bounds))


def _order(version: str, other: str) -> int:
    """-1, 0 or 1: a version lies before another, is it, or lies after it."""
    for left, right in zip_longest(_numbers(version), _numbers(other), fillvalue=0):
        if left != right:
            return -1 if left < right else 1
    return 0


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
