"""The guide for rule authors: what it shows must be what the engine does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli import run_command
from engine.trial import try_scenario
from rules import book
from rules.vocabulary import FEATURES, QUALITY
from tests.engine.journals import plant, record

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / "rule-author.md", *sorted((DOCS / "rule-author").glob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A block that begins so is a file; any other block of YAML is a whole pack.
NAMED = re.compile(r"# (\S+\.yaml)\b[^\n]*\n(.*)", re.DOTALL)
DRAFT_TO_LIVE = DOCS / "rule-author" / "draft-to-live.md"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(example: str) -> str:
    found = re.search(r"^pack: (\S+)$", example, re.MULTILINE)
    return found[1] if found else "nameless"


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(text_of(page))


EXAMPLES = [block for page in PAGES for block in blocks(page) if not NAMED.match(block)]
SESSIONS = CONSOLE.findall(text_of(DRAFT_TO_LIVE))


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
    assert len(EXAMPLES) >= 20
    assert len({name_of(example) for example in EXAMPLES}) == len(EXAMPLES)
    assert len(SESSIONS) >= 6


def test_a_file_of_overrides_fits_the_pack_that_it_tunes(tmp_path: Path) -> None:
    """Local tuning is copied from the page into a folder full of live rules."""
    page = DOCS / "rule-author" / "tuning.md"
    for block in blocks(page):
        named = NAMED.match(block)
        (tmp_path / (named[1] if named else f"{name_of(block)}.yaml")).write_text(
            named[2] if named else block, encoding="utf-8"
        )
    found = book.load([tmp_path])

    assert not list(found.faults), [str(fault) for fault in found.faults]
    assert any(len(rule.overrides) == 3 for pack in found.packs for rule in pack.rules)


def ramp(start: float, end: float, count: int) -> list[float]:
    return [start + (end - start) * step / count for step in range(count)]


@pytest.fixture(scope="module")
def heading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine's folder with ten minutes in its journal: T1 over the limit, T2 with a gap."""
    [pack] = [block for block in blocks(DRAFT_TO_LIVE) if not NAMED.match(block)]
    home = tmp_path_factory.mktemp("guide") / "heading"
    plant(home, ["T1", "T2"], pack)
    (home / "packs" / "gas.yaml").rename(home / "packs" / "heading-gas.yaml")
    t1 = [0.2] * 120 + ramp(0.2, 1.2, 60) + [1.2] * 180 + ramp(1.2, 0.2, 60) + [0.2] * 180
    t2 = [0.3] * 200 + [2.0] * 4 + [0.3] * 96 + [None] * 60 + [0.3] * 240
    record(home / "data" / "journal", {"T1": t1, "T2": t2}, frame_s=10)
    for block in blocks(DRAFT_TO_LIVE):
        if named := NAMED.match(block):
            (home / named[1]).parent.mkdir(exist_ok=True)
            (home / named[1]).write_text(named[2], encoding="utf-8")
    return home


def commands(session: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a session, and the lines that it is shown to print."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield command, lines


def looks_like(shown: list[str], printed: str) -> bool:
    """Whether an output is as shown; `…` stands for whatever changes from run to run."""
    pattern = "\n".join(
        r"(?:.*\n)*?.*" if line == "…" else re.escape(line.rstrip()).replace("…", ".+?")
        for line in shown
    )
    rest = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
    return re.fullmatch(pattern, rest) is not None


@pytest.mark.parametrize("session", SESSIONS, ids=lambda text: text.splitlines()[0][9:40])
def test_every_output_of_the_guide_is_what_the_command_prints(
    session: str, heading: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An output that nobody has seen teaches people to distrust those that they see."""
    monkeypatch.chdir(heading)
    for command, shown in commands(session):
        program, *words = shlex.split(command)
        assert program == "tocsin"
        run_command(words)
        said = capsys.readouterr()
        assert looks_like(shown, said.out + said.err), f"{command}\n{said.out}{said.err}"


def test_the_guide_names_every_feature_and_every_key_of_quality() -> None:
    """What nobody reads about, nobody uses."""
    text = "".join(map(text_of, PAGES))
    missing = [name for name in FEATURES if not re.search(rf"`{name}(\(|`)", text)]
    missing += [key for key in QUALITY.now if f"`{key}`" not in text]

    assert missing == []
