"""Pages and floor plans: what they name must be there, and what is there must be named."""

import ast
import re
from pathlib import Path

import pytest

from engine import config, meters, wire
from tests.test_tidy import DOORS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*.md")])
FLOORS = ("kernels", "rules", "engine")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# A path of the repository: begins with one of its folders and ends with a known suffix.
NAMED = re.compile(
    r"`((?:bench|configs|docs|engine|kernels|rules|tests)/[\w./-]+\.(?:py|md|yaml|service))`"
)
TEST_NAME = re.compile(r"`(test_\w+)`")


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def column(text: str) -> set[str]:
    """The words in the first column of all tables of a text."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def part(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of its rank."""
    rank = heading.split(" ", maxsplit=1)[0]
    return re.split(rf"^{rank} ", text.split(f"{heading}\n", 1)[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_is_there(path: Path) -> None:
    """A newcomer who follows a dead link does not come back."""
    text = path.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not (path.parent / link).exists()]
    homes = (ROOT, path.parent)
    names = [n for n in NAMED.findall(text) if not any((home / n).exists() for home in homes)]

    assert links + names == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_file_of_a_floor_is_on_its_plan(floor: str) -> None:
    """A file that answers no question is one that nobody finds.

    `file_explanations` is found under `explanations`: two halves of one table.
    """
    plan = ast.get_docstring(ast.parse(page(f"{floor}/__init__.py"))) or ""
    stems = {path.stem for path in (ROOT / floor).glob("*.py")} - {"__init__"}
    words = set(re.findall(r"\w+", plan))
    missing = sorted(s for s in stems if words.isdisjoint({s, s.removeprefix("file_")}))

    assert missing == []


def test_every_law_names_tests_that_exist() -> None:
    """A law without a proof is a wish."""
    laws = part(page("ARCHITECTURE.md"), "## The laws, and what proves them")
    named = set(TEST_NAME.findall(laws)) - {"test_maps"}
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    written = set(re.findall(r"^def (test_\w+)", code, re.MULTILINE))

    assert sorted(named - written) == []
    assert len(named) > 12


def test_every_door_is_on_the_list() -> None:
    """Who has to brick a door up must find all of it."""
    house = part(page("ARCHITECTURE.md"), "## The rules of the house")
    doors = {module for modules in DOORS.values() for module in modules}
    missing = sorted(door for door in doors if f"`{door.replace('.', '/')}.py`" not in house)

    assert missing == []


def test_operators_find_every_key_and_every_metric() -> None:
    """A key that is not on the page is found by reading the code at three in the morning."""
    text = page("docs/operators.md")
    keys = column(part(text, "## engine.yaml"))
    fields = set(config._File.model_fields) | set(config._Model.model_fields)
    assert keys == fields

    counted = meters.Meters(["methane"])
    shown = set(re.findall(r"^# TYPE (tocsin_\w+) ", meters.render(counted).decode(), re.MULTILINE))
    named = {word for word in column(part(text, "## Is it well?")) if word.startswith("tocsin_")}
    assert named == shown


def test_gateways_find_every_refusal() -> None:
    """What an engine may answer, a gateway's author must have read."""
    refusals = part(page("docs/gateways.md"), "## Refusals")
    assert {word for word in column(refusals) if word.startswith("E_")} == set(wire.CODES)
