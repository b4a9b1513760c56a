"""Versions of models: compared as numbers, and asked for before the first frame."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ModelConfig
from engine.model_versions import satisfies, version_faults
from rules import book
from rules.pack import Rule

MODEL = ModelConfig("habit", "GaussianScorer", {}, ("methane",), (), ("mean(1m)",), 1e9, "2026.11")
PACK = """\
tocsin: 1
pack: p
version: 1.0.0
rules:
  - id: r
    title: {zh: 甲, en: A}
    hazard: gas
    mode: shadow
    input: {type: methane, unit: "%"}
    by: [sensor]
    model: {name: habit, version: "BOUNDS"}
    levels: {blue: {when: anomaly >= 0.9, clear: anomaly < 0.8}}
"""

numbers = st.lists(st.integers(0, 30), min_size=1, max_size=4)


def rule_asking(folder: Path, bounds: str) -> Rule:
    path = folder / "p.yaml"
    path.write_text(PACK.replace("BOUNDS", bounds), encoding="utf-8")
    found = book.load([path])
    assert not found.errors
    return found.rules[0]


def text_of(parts: list[int]) -> str:
    return ".".join(str(part) for part in parts)


@given(one=numbers, other=numbers)
def test_a_version_is_compared_number_by_number(one, other):
    """As text 2026.9 would lie after 2026.10, and a stale model would pass for a new one."""
    longest = max(len(one), len(other))
    left = tuple(one + [0] * (longest - len(one)))
    right = tuple(other + [0] * (longest - len(other)))
    said = {
        sign: satisfies(text_of(one), f"{sign}{text_of(other)}")
        for sign in ("<", "<=", "==", "", "!=", ">=", ">")
    }
    assert said == {
        "<": left < right,
        "<=": left <= right,
        "==": left == right,
        "": left == right,
        "!=": left != right,
        ">=": left >= right,
        ">": left > right,
    }


@given(version=numbers, bounds=st.lists(st.tuples(st.sampled_from(["<", ">=", "!="]), numbers)))
def test_all_bounds_must_hold(version, bounds):
    texts = [f"{sign} {text_of(parts)}" for sign, parts in bounds]
    alone = [satisfies(text_of(version), text) for text in texts]
    assert satisfies(text_of(version), " ".join(texts)) is all(alone)


@pytest.mark.parametrize(
    ("bounds", "models", "said"),
    [
        (">=2026.10 <2027", (MODEL,), ""),
        ("2026.11.0", (MODEL,), ""),
        (">=2026.9 != 2026.12", (replace(MODEL, name="other"), MODEL), ""),
        (">=2026.12", (MODEL,), "is 2026.11, the rule asks `>=2026.12`"),
        (">=2026.10 <2027", (replace(MODEL, version="2027"),), "is 2027, the rule asks"),
        (">=2026.10", (replace(MODEL, version=""),), "has no version"),
        (">=2026.10", (replace(MODEL, types=("dust",)),), "does not watch methane"),
        (">=2026.10", (replace(MODEL, name="habits"),), "engine.yaml lacks"),
        (">=2026.10", (), "engine.yaml lacks"),
    ],
)
def test_a_rule_gets_the_model_it_was_tried_with_or_the_engine_does_not_start(
    bounds, models, said, tmp_path
):
    """Thresholds found with the scores of one model mean nothing with those of another."""
    faults = version_faults(rule_asking(tmp_path, bounds), models)
    assert [fault.code for fault in faults] == (["E753"] if said else [])
    for fault in faults:
        assert said in fault.message
        assert (fault.place.line, fault.place.column) == (11, 35)


def test_a_rule_that_asks_for_no_version_takes_any(tmp_path):
    rule = rule_asking(tmp_path, ">=1")
    assert rule.model is not None
    rule = replace(rule, model=replace(rule.model, versions=""))
    assert version_faults(rule, ()) == []
