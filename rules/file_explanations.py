"""Explanations of faults in files: YAML that is refused, and keys that are not there.

See `explanations` for what the fields mean.
"""

from typing import Final, Literal, NamedTuple

Part = Literal["", "file", "rule", "ladder", "level", "when", "headline", "feed", "expect"]


class Explanation(NamedTuple):
    """The reason behind a code."""

    cause: str
    wrong: str
    right: str
    part: Part


YAML_FAULTS: Final = {
    "E001": Explanation(
        "The text is not YAML, so nothing after this place can be understood. A plain value cannot "
        "begin with % @ ` * & or contain `: `.",
        "title: {zh: 甲, en: %}",
        'title: {zh: 甲, en: "%"}',
        "rule",
    ),
    "E002": Explanation(
        "The file cannot be read at all: missing, empty, larger than 256 KiB, not UTF-8, or with "
        "letters that nobody can see.",
        "a file saved as GBK",
        "the same file saved as UTF-8",
        "",
    ),
    "E003": Explanation(
        "Inside { } YAML cuts at commas. An expression with a comma must be quoted, or half of it "
        "becomes keys that nobody wrote.",
        "blue: {when: stalta(0.5s, 10s) >= 4}",
        'blue: {when: "stalta(0.5s, 10s) >= 4"}',
        "level",
    ),
    "E004": Explanation(
        "YAML silently takes the last of two equal keys: a threshold would change and nobody would "
        "know. `red` and `红` are the same key too.",
        "value: value\nabove: {blue: 0.5, blue: 0.6}",
        "value: value\nabove: {blue: 0.5, yellow: 0.6}",
        "ladder",
    ),
    "E005": Explanation(
        "How wide a tab is, is a matter of opinion; indentation is not.",
        "\thazard: gas",
        "hazard: gas",
        "rule",
    ),
    "E006": Explanation(
        "Nothing in the language is deeper than 8 levels; what is deeper than 32 is no rule.",
        "title: " + "[" * 40 + "]" * 40,
        "title: {zh: 甲, en: A}",
        "rule",
    ),
    "E007": Explanation(
        "Anchors, aliases, tags, directives and second documents make one text mean another, or a "
        "small file a huge one.",
        "title: &t {zh: 甲, en: A}",
        "title: {zh: 甲, en: A}",
        "rule",
    ),
    "W003": Explanation(
        "Inside { } YAML cuts at commas. A free text is read as it was meant, but another program "
        "that reads the file would not.",
        "basis: {en: alarm at 1 %, cut at 1.5 %}",
        'basis: {en: "alarm at 1 %, cut at 1.5 %"}',
        "rule",
    ),
    "W005": Explanation(
        "A folder of rules without rules looks like an engine that watches.",
        "rules: [an empty folder]",
        "rules: [packs/]",
        "",
    ),
}

SHAPE_FAULTS: Final = {
    "E011": Explanation(
        "`tocsin: 1` says that the file is a rule pack, and of which language.",
        "pack: p\nversion: 1.0.0\nrules: []",
        "tocsin: 1\npack: p\nversion: 1.0.0\nrules: []",
        "file",
    ),
    "E012": Explanation(
        "Without this key the rule cannot be understood, and nothing is guessed.",
        "blue: {for: 1m}",
        "blue: {when: value >= 1 %, for: 1m}",
        "level",
    ),
    "E013": Explanation(
        "A list, a mapping or a single value stands where another must.",
        "title: Methane",
        "title: {zh: 甲烷, en: Methane}",
        "rule",
    ),
    "E014": Explanation(
        "Only some words, or values of some range, mean something here.",
        "mode: alive",
        "mode: live",
        "rule",
    ),
    "E021": Explanation(
        "A misspelt key that is ignored is a hold time that is not there. So none is ignored.",
        "value: value\nabove: {blue: 1}\nclear_fro: 5m",
        "value: value\nabove: {blue: 1}\nclear_for: 5m",
        "ladder",
    ),
    "E022": Explanation(
        "The grades are blue < yellow < orange < red, or 蓝 黄 橙 红.",
        "amber: {when: value >= 1 %}",
        "orange: {when: value >= 1 %}",
        "level",
    ),
    "E023": Explanation(
        "Level 1 is the most severe in Chinese law and the mildest elsewhere; a colour is the same "
        "for everybody.",
        "1: {when: value >= 1 %}",
        "red: {when: value >= 1 %}",
        "level",
    ),
    "E024": Explanation(
        "Warnings are named after pack and rule: two of one name could not be told apart.",
        "two rules with `id: ch4-high` in one pack",
        "`id: ch4-high` and `id: ch4-rising`",
        "",
    ),
}
