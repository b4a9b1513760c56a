"""Keys: every key of the rule language, what its value looks like, and what it means.

The table is `keys.csv`, in both languages; which keys there are is said by `vocabulary.py`, and a
test holds the two against each other.  The schema for editors, the reference pages and the hover
texts are made from it.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rules import vocabulary as words
from rules.vocabulary import Section

TABLE = Path(__file__).resolve().parent / "keys.csv"
# The sections of the vocabulary by the names they have in the table.
SECTIONS: dict[str, Section] = {
    "pack": words.PACK,
    "file": words.BESIDE,
    "rule": words.RULE,
    "defaults": words.DEFAULTS,
    "input": words.INPUT,
    "quality": words.QUALITY,
    "lateness": words.LATENESS,
    "ladder": words.LADDER,
    "level": words.LEVEL,
    "rollup": words.ROLLUP,
    "promote": words.PROMOTION,
    "sequence": words.SEQUENCE,
    "step": words.STEP,
    "cluster": words.CLUSTER,
    "exclude": words.EXCLUDE,
    "flap": words.FLAP,
    "budget": words.BUDGET,
    "suppress": words.SUPPRESS,
    "inhibits": words.INHIBITS,
    "escalate": words.ESCALATE,
    "override": words.OVERRIDE,
    "override of a pack": words.OVERRIDE_OF,
    "model": words.MODEL,
    "zh and en": words.TEXTS,
    "message": words.MESSAGE,
    "wording": words.WORDING,
    "test": words.TEST,
    "fleet": words.FLEET,
    "expect": words.EXPECTATION,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the shape of its value, and its meaning in English and Chinese.

    shape  text, name, expr, duration, bool, int, grade, grade_or_none, grades, list, map, texts,
           feeds · word:a|b · section:s · sections:s (a list of them) · named:s (by name) ·
           exprs (expressions by name) · bygrade:shape · maybe_bygrade:shape (one, or by grade)
    """

    section: str
    name: str
    shape: str
    en: str
    zh: str


@cache
def keys() -> dict[str, dict[str, Key]]:
    """Every key by section and name, in the order of the table."""
    found: dict[str, dict[str, Key]] = {name: {} for name in SECTIONS}
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = Key(row["section"], row["key"], row["shape"], row["en"], row["zh"])
            if key.shape.startswith("like:"):
                theirs = found[key.shape.removeprefix("like:")]
                mine = sorted(SECTIONS[key.section].now)
                found[key.section] = {name: theirs[name] for name in mine}
            else:
                found[key.section][key.name] = key
    return found
