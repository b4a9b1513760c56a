"""The guide for rule authors: what it shows must be what the engine does."""

import re
from pathlib import Path

import pytest

from engine.trial import try_scenario
from rules import book
from rules.vocabulary import FEATURES, QUALITY

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "rule-author.md"
BLOCK = re.compile(r"^```yaml\n(tocsin: 1\n.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))


def name_of(example: str) -> str:
    found = re.search(r"^pack: (\S+)$", example, re.MULTILINE)
    return found[1] if found else "nameless"


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_every_example_of_the_guide_holds(example: str, tmp_path: Path) -> None:
    """Authors begin by copying; a wrong example is a wrong rule in a mine."""
    path = tmp_path / f"{name_of(example)}.yaml"
    path.write_text(example, encoding="utf-8")
    found = book.load([path])

    assert not list(found.faults), [str(fault) for fault in found.faults]
    for pack in found.packs:
        for rule in pack.rules:
            assert rule.tests, f"{rule.id} shows no test"
            for scenario in rule.tests:
                assert try_scenario(pack, rule, scenario) == []


def test_the_guide_has_examples() -> None:
    """A pattern that matches nothing would prove nothing."""
    assert len(EXAMPLES) >= 8
    assert len({name_of(example) for example in EXAMPLES}) == len(EXAMPLES)


def test_the_guide_names_every_feature_and_every_key_of_quality() -> None:
    """What nobody reads about, nobody uses."""
    text = GUIDE.read_text(encoding="utf-8")
    missing = [name for name in FEATURES if not re.search(rf"`{name}(\(|`)", text)]
    missing += [key for key in QUALITY.now if f"`{key}`" not in text]

    assert missing == []
