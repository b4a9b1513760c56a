"""Explanations are read by people who have just made a mistake; they must not make one."""

import re
from pathlib import Path

import pytest

from rules.explanations import EXPLANATIONS
from rules.file_explanations import Explanation
from tests.rules.writing import codes, load_text, pack_text

ROOT = Path(__file__).resolve().parents[2]
SHOWN = {code: page for code, page in EXPLANATIONS.items() if page.part}


def text_of(page: Explanation, fragment: str) -> str:
    """A whole file around a fragment."""
    match page.part:
        case "file":
            return fragment
        case "rule":
            return pack_text(fragment)
        case "ladder":
            return pack_text(ladder=fragment)
        case "level":
            return pack_text(levels=fragment)
        case "when":
            return pack_text(levels=f'blue: {{when: "{fragment}"}}')
        case "headline":
            both = ", ".join(f'{language}: {{headline: "{fragment}"}}' for language in ("zh", "en"))
            return pack_text(f"message: {{{both}}}")
        case "feed":
            return pack_text(
                f'tests: [{{name: t, feed: {{input: "{fragment}"}}, expect: [{{never: blue}}]}}]'
            )
        case "expect":
            return pack_text(
                f'tests: [{{name: t, feed: {{input: "0 for 2m"}}, expect: [{fragment}]}}]'
            )
        case _:
            raise AssertionError(page.part)


@pytest.mark.parametrize("code", SHOWN)
def test_the_wrong_example_gives_its_code(code: str, tmp_path: Path) -> None:
    """An example that is not wrong teaches nothing."""
    page = SHOWN[code]
    assert code in codes(load_text(tmp_path, text_of(page, page.wrong)).faults)


@pytest.mark.parametrize("code", SHOWN)
def test_the_right_example_has_no_errors(code: str, tmp_path: Path) -> None:
    """Whoever copies the right example must be done."""
    page = SHOWN[code]
    found = load_text(tmp_path, text_of(page, page.right))
    assert code not in codes(found.faults)
    assert not found.errors, [str(fault) for fault in found.errors]


def test_every_code_of_the_rule_language_is_explained() -> None:
    """`tocsin explain` must know every code that `tocsin check` can print."""
    used = set()
    for path in (ROOT / "rules").glob("*.py"):
        if "explanations" not in path.name:
            used |= set(re.findall(r'"([EWN]\d{3})"', path.read_text(encoding="utf-8")))
    assert used == set(EXPLANATIONS)


def test_every_explanation_says_why_and_shows_both() -> None:
    for code, page in EXPLANATIONS.items():
        assert page.cause, code
        assert page.wrong, code
        assert page.right, code
        assert page.wrong != page.right, code
