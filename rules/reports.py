"""Reports: faults for machines and for people: GitHub's annotations, SARIF, and Chinese text.

The plain text and the JSON of editors are in `errors`. Columns count from 1, in characters.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Literal

from rules.errors import Fault, as_json, as_text, as_texts
from rules.titles_zh import Title, Titles

Format = Literal["text", "json", "github", "sarif"]
FORMATS: tuple[Format, ...] = ("text", "json", "github", "sarif")
KINDS_ZH = {"error": "错误", "warning": "警告", "note": "提示"}
GITHUB = {"error": "error", "warning": "warning", "note": "notice"}
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def report(
    faults: Iterable[Fault], form: Format, titles: Titles | None, causes: Mapping[str, str]
) -> str:
    """The faults in one of the four forms; `titles` are those of another language, if wanted.

    `causes` says of each code why it is refused, for the tools that show it.
    """
    match form:
        case "text":
            return as_texts(faults) if titles is None else as_texts_zh(faults, titles)
        case "json":
            return as_json(faults)
        case "github":
            return as_github(faults, titles)
        case "sarif":
            return as_sarif(faults, titles, causes)


def as_texts_zh(faults: Iterable[Fault], titles: Titles) -> str:
    """Faults for people who read Chinese: the title first, the finding as it was written below."""
    return "\n".join(_text_zh(fault, titles) for fault in faults)


def _text_zh(fault: Fault, titles: Titles) -> str:
    """One fault: its line and caret as everywhere, its words in Chinese."""
    lines = as_text(fault).split("\n")
    title = titles.get(fault.code)
    shown = title.title if title else fault.message
    head = f"{fault.place}: {KINDS_ZH[fault.kind]}[{fault.code}]: {shown}"
    drawing = [line for line in lines[1:] if not line.startswith("      = ")]
    rest = [f"      = 原文: {fault.message}"] if title else []
    rest += [f"      = 改法: {title.remedy}"] if title else []
    rest += [f"      = 建议: {fault.help}"] if fault.help else []
    rest += [f"      = {fault.note}"] if fault.note else []
    return "\n".join([head, *drawing, *rest])


def as_github(faults: Iterable[Fault], titles: Titles | None) -> str:
    """Commands of a GitHub workflow: each becomes a remark at its line of a change."""
    return "\n".join(_github(fault, titles) for fault in faults)


def _github(fault: Fault, titles: Titles | None) -> str:
    place = fault.place
    where = [f"file={_property(place.file)}"]
    if place.column:
        last = place.column + place.length - 1
        where += [f"line={place.line}", f"col={place.column}", f"endColumn={last}"]
    title = titles.get(fault.code) if titles else None
    where.append(f"title={_property(fault.code + (f' {title.title}' if title else ''))}")
    text = fault.message + (f"\nhelp: {fault.help}" if fault.help else "")
    return f"::{GITHUB[fault.kind]} {','.join(where)}::{_data(text)}"


def _data(text: str) -> str:
    """A text as GitHub wants it after `::`."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A text as GitHub wants it between `=` and `,`."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(faults: Iterable[Fault], titles: Titles | None, causes: Mapping[str, str]) -> str:
    """SARIF 2.1.0, which code hosts and editors read."""
    listed = list(faults)
    codes = sorted({fault.code for fault in listed})
    run = {
        "tool": {"driver": {"name": "tocsin", "rules": [_rule(c, titles, causes) for c in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(fault, codes) for fault in listed],
    }
    whole = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _rule(code: str, titles: Titles | None, causes: Mapping[str, str]) -> dict[str, object]:
    title: Title | None = titles.get(code) if titles else None
    text = title.title if title else causes.get(code, "")
    rule: dict[str, object] = {"id": code}
    if text:
        rule["shortDescription"] = {"text": text}
    return rule


def _result(fault: Fault, codes: list[str]) -> dict[str, object]:
    place = fault.place
    physical: dict[str, object] = {"artifactLocation": {"uri": place.file}}
    region = {
        "startLine": max(1, place.line),
        "startColumn": max(1, place.column),
        "endColumn": max(1, place.column) + place.length,
    }
    if place.column:
        physical["region"] = region
    text = fault.message + (f" ({fault.help})" if fault.help else "")
    result: dict[str, object] = {
        "ruleId": fault.code,
        "ruleIndex": codes.index(fault.code),
        "level": fault.kind,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
    }
    if fault.fix and place.column:
        replacement = {"deletedRegion": region, "insertedContent": {"text": fault.fix}}
        change = {"artifactLocation": {"uri": place.file}, "replacements": [replacement]}
        result["fixes"] = [{"description": {"text": fault.help}, "artifactChanges": [change]}]
    return result
