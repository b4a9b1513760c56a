"""Reference: every key, feature, unit and code on a page of its own, made from the code.

`tocsin reference docs/reference` writes the pages, `tocsin schema` the JSON Schema; a test fails
while either is not what the code says.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from engine.errors import EXIT_FINDINGS, EXIT_OK
from engine.pages import PAGES
from rules.feature_words import FEATURES, FeatureWord
from rules.keys import Key, keys
from rules.phrases import plain
from rules.schema import REQUIRED, schema_text
from rules.unit_table import BEAUFORT, NAMES, OFFSETS, SPELLINGS, TABLE

MADE: Final = "Made from the code by `tocsin reference`; do not edit."
OUTCOMES: Final = {
    "input": "the unit of the input",
    "difference": "a difference in the unit of the input",
    "rate": "the unit of the input per time",
    "integral": "the unit of the input times time",
    "number": "a number",
    "duration": "a duration",
}
NEEDS: Final = {
    "": "",
    "amounts": "increments and counters",
    "acceleration": "accelerations",
    "level": "no counters",
}
FAMILIES: Final = (
    ("E0", "The file"),
    ("E1", "Expressions"),
    ("E2", "Units"),
    ("E3", "Grades, thresholds and overrides"),
    ("E4", "Policy and messages"),
    ("E5", "Tests"),
    ("E6", "engine.yaml"),
    ("E7", "The catalogue, and rules that do not fit it"),
    ("E9", "What this version does not build"),
    ("W", "Warnings"),
    ("N", "Notes"),
)


def schema(out: Path | None) -> int:
    """Print the JSON Schema of rule packs, or write it to a file."""
    if out is None:
        click.echo(schema_text(), nl=False)
    else:
        out.write_text(schema_text(), encoding="utf-8")
    return EXIT_OK


def reference(folder: Path, *, is_check: bool) -> int:
    """Write the pages; with `is_check` only say which are not what the code says."""
    stale = [
        path
        for name, text in pages().items()
        if not (path := folder / name).exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not is_check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path.name], encoding="utf-8")
        click.echo(f"{'stale' if is_check else 'wrote'} {path}")
    return EXIT_FINDINGS if stale and is_check else EXIT_OK


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {
        "README.md": _readme(),
        "keys.md": _keys(),
        "features.md": _features(),
        "units.md": _units(),
        "codes.md": _codes(),
    }


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", MADE, "", *lines]).rstrip() + "\n"


def _readme() -> str:
    return _page(
        "Reference",
        [
            "* [Keys](keys.md): what may stand in a rule pack, section by section",
            "* [Features](features.md): what conditions can look at",
            "* [Units](units.md): the closed table of units",
            "* [Codes](codes.md): every code of a fault, and why it is one",
            "",
            "The same as hover texts in an editor: the first line of each pack names the schema,",
            "`# yaml-language-server: $schema=…/schema/rules.schema.json`, which `tocsin schema`",
            "writes.",
        ],
    )


def _keys() -> str:
    lines: list[str] = []
    for section, found in keys().items():
        lines += [f"## {section}", ""]
        if section == "defaults":
            names = ", ".join(f"`{name}`" for name in found)
            lines += [f"What a pack says once for all its rules, as in [rule](#rule): {names}.", ""]
            continue
        lines += ["| key | value | meaning | 含义 |", "|---|---|---|---|"]
        needed = REQUIRED.get(section, ())
        lines += [_key_row(key, is_needed=key.name in needed) for key in found.values()]
        lines.append("")
    return _page("Keys", lines)


def _key_row(key: Key, *, is_needed: bool) -> str:
    name = f"`{key.name}`" + (" (needed)" if is_needed else "")
    return f"| {name} | {_shape(key.shape)} | {_cell(key.en)} | {_cell(key.zh)} |"


def _shape(shape: str) -> str:
    """The shape of a value in words."""
    kind, _, of = shape.partition(":")
    match kind:
        case "word":
            return ", ".join(f"`{word}`" for word in of.split("|"))
        case "section":
            return _link(of)
        case "sections":
            return f"list of {_link(of)}"
        case "named":
            return f"{_link(of)} by name"
        case "bygrade":
            return f"{_shape(of)} by grade"
        case "maybe_bygrade":
            return f"{_shape(of)}, or one by grade"
        case "texts":
            return _link("zh and en")
        case "expr":
            return "expression"
        case "exprs":
            return "expressions by name"
        case "grades":
            return "list of grades"
        case "grade_or_none":
            return "grade or `none`"
        case "list":
            return "list"
        case "map":
            return "keys and values"
        case "feeds":
            return "feeds by input"
        case "bool":
            return "`true`, `false`"
        case "int":
            return "number"
        case _:
            return kind


def _link(section: str) -> str:
    return f"[{section}](#{section.replace(' ', '-')})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _features() -> str:
    lines = ["| feature | comes out | of | keywords | meaning |", "|---|---|---|---|---|"]
    lines += [_feature_row(word) for word in FEATURES.values()]
    return _page("Features", lines)


def _feature_row(word: FeatureWord) -> str:
    keywords = ", ".join(f"`{name}`" for name in sorted(word.keywords))
    meaning = _cell(word.meaning)
    return (
        f"| `{word.usage}` | {OUTCOMES[word.of]} | {NEEDS[word.needs]} | {keywords} | {meaning} |"
    )


def _units() -> str:
    lines = ["| unit | measures | is | also written |", "|---|---|---|---|"]
    for symbol, (factor, dimension) in TABLE.items():
        others = ", ".join(f"`{other}`" for other, own in SPELLINGS.items() if own == symbol)
        measures = NAMES.get(dimension, "a quantity").removeprefix("a ").removeprefix("an ")
        offset = f", 0 is {OFFSETS[symbol]} K" if symbol in OFFSETS else ""
        lines.append(f"| `{symbol}` | {measures} | {_factor(factor)}{offset} | {others} |")
    lines += [
        "",
        "Units are joined by `/` and `·` and raised by `^`: `mm/d`, `m^3/s`, `kPa/min`.",
        "",
        "## Beaufort",
        "",
        "The least mean wind of each force in m/s, after GB/T 28591-2012.",
        "",
        "| force | m/s |",
        "|---|---|",
        *(f"| {force} | {plain(speed, None)} |" for force, speed in enumerate(BEAUFORT)),
    ]
    return _page("Units", lines)


def _factor(factor: float) -> str:
    return f"{factor:.12g}"


def _codes() -> str:
    lines: list[str] = []
    for family, title in FAMILIES:
        codes = sorted(code for code in PAGES if code.startswith(family))
        if not codes:
            continue
        lines += [f"## {title}", ""]
        for code in codes:
            page = PAGES[code]
            lines += [f"### {code}", "", page.title, ""]
            if page.why:
                lines += [page.why, ""]
            if page.wrong:
                lines += [*_example("wrong", page.wrong), *_example("right", page.right)]
    return _page("Codes", lines)


def _example(word: str, text: str) -> list[str]:
    return [f"{word}:", "", "```text", *text.splitlines(), "```", ""]
