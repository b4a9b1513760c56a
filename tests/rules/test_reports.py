"""A fault must arrive whole wherever it is read: in an editor, a review, a terminal in Chinese."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli import tocsin
from engine.pages import CATALOGUE_PAGES, CONFIG_PAGES
from engine.titles_zh import TITLES as ENGINE_TITLES
from rules.errors import Fault, Place
from rules.explanations import EXPLANATIONS
from rules.reports import as_github, as_sarif, as_texts_zh
from rules.titles_zh import TITLES
from tests.rules.writing import load_text, pack_text

AT = Place("packs/a,b.yaml", 7, 5, 3, "    甲烷 5m")
FAULT = Fault("E203", AT, "50 % of: it\nall", "write `5 m`", "", "5 m")
NOWHERE = Fault("N501", Place("packs/a.yaml", 0, 0), "nothing")


def test_every_code_has_a_title_in_chinese() -> None:
    """Who is woken at night reads the language that comes first."""
    assert set(TITLES) == set(EXPLANATIONS)
    for title in TITLES.values():
        assert title.title
        assert title.remedy


def test_every_code_of_a_configuration_that_has_a_chinese_title_is_known() -> None:
    assert set(ENGINE_TITLES) <= {*CONFIG_PAGES, *CATALOGUE_PAGES}
    assert len(ENGINE_TITLES) > 40


def test_chinese_text_keeps_the_line_the_caret_and_the_finding(tmp_path: Path) -> None:
    text = pack_text(levels="blue: {when: slope(5m) >= 1 %}")
    faults = load_text(tmp_path, text).faults
    lines = as_texts_zh(faults, TITLES).split("\n")
    assert lines[0].endswith("错误[E203]: 单位不一致")
    assert lines[1].endswith("blue: {when: slope(5m) >= 1 %}")
    assert lines[2].endswith("^^^")
    assert lines[3].startswith("      = 原文: unit mismatch: `slope(5m)`")
    assert lines[4] == "      = 改法: 两边须是同一种量；斜率要写成每单位时间"
    assert lines[5] == "      = 建议: did you mean `1 %/min`?"


def test_github_reads_one_line_for_each_fault() -> None:
    assert as_github([FAULT, NOWHERE], None).split("\n") == [
        "::error file=packs/a%2Cb.yaml,line=7,col=5,endColumn=7,title=E203"
        "::50 %25 of: it%0Aall%0Ahelp: write `5 m`",
        "::notice file=packs/a.yaml,title=N501::nothing",
    ]
    assert "title=E203 单位不一致::" in as_github([FAULT], TITLES)


def test_sarif_says_where_and_what_to_write_there() -> None:
    whole = json.loads(as_sarif([FAULT, NOWHERE], TITLES, {"N501": "No sensor."}))
    assert whole["version"] == "2.1.0"
    (run,) = whole["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["E203", "N501"]
    assert rules[0]["shortDescription"]["text"] == "单位不一致"
    first, second = run["results"]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "E203"
    assert (first["level"], second["level"]) == ("error", "note")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "packs/a,b.yaml"
    assert place["region"] == {"startLine": 7, "startColumn": 5, "endColumn": 8}
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"]["text"] == "5 m"
    assert "region" not in second["locations"][0]["physicalLocation"]
    assert "fixes" not in second


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_the_command_prints_nothing_but_the_form_that_was_asked_for(
    form: str, tmp_path: Path
) -> None:
    """A program that reads it trips over a kind word at the end."""
    path = tmp_path / "p.yaml"
    path.write_text(pack_text(levels="blue: {when: slope(5m) >= 1 %}"))
    done = CliRunner().invoke(tocsin, ["check", str(path), "--format", form], standalone_mode=False)
    assert done.return_value == 1
    if form == "github":
        assert done.output.startswith("::error file=")
        assert done.output.count("\n") == 1
        return
    whole = json.loads(done.output)
    if form == "json":
        (entry,) = whole
        assert entry["fix"]["newText"] == "1 %/min"
        assert entry["range"]["start"] == {"line": 11, "character": 32}


def test_the_command_speaks_chinese(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(pack_text(levels="blue: {when: slope(5m) >= 1 %}"))
    done = CliRunner().invoke(tocsin, ["check", str(path), "--lang", "zh"], standalone_mode=False)
    assert "错误[E203]: 单位不一致" in done.output
