"""What is wrong with a text: where it stands, what was found, and how to mend it.

A person who wrote a rule pack wants to see every mistake of every file in one run, in the order of
the file, with the line before their eyes. So nothing here stops at the first fault: readers put
faults into a collector and go on, and whoever asked decides at the end. The first letter of a code
says how bad it is: E refuses the file, W and N do not.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

# Of a long line only a window around the fault is shown: 160 letters, 100 of them before it.
LINE_MAX = 160
BEFORE_MAX = 100
KINDS = {"E": "error", "W": "warning", "N": "note"}


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line of a file; line and column count from 1, in characters.

    A column of 0 means the whole file: there is no line to show. `inside` names the macro whose
    text is meant where it is used, and is said with every fault there.
    """

    file: str
    line: int
    column: int
    length: int = 1
    line_text: str = ""
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else self.file


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake; `help` says how to mend it, `note` what follows, `fix` what to write there."""

    code: str
    place: Place
    message: str
    help: str = ""
    note: str = ""
    fix: str = ""

    @property
    def kind(self) -> str:
        """`error`, `warning` or `note`."""
        return KINDS[self.code[0]]

    @property
    def is_error(self) -> bool:
        """True for a fault that refuses a file."""
        return self.code[0] == "E"

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}[{self.code}]: {self.message}"


@dataclass(slots=True)
class Faults:
    """All faults found so far, of all files."""

    found: dict[Fault, None] = field(default_factory=dict)

    def add(
        self,
        code: str,
        place: Place,
        message: str,
        *,
        remedy: str = "",
        note: str = "",
        fix: str = "",
    ) -> None:
        """Remember a fault; the same fault at the same place is said once.

        Inside a macro nothing can be mended where it is used, so there is no `fix`.
        """
        fix = "" if place.inside else fix
        self.found[Fault(code, place, message, remedy, note or place.inside, fix)] = None

    def extend(self, faults: Iterable[Fault]) -> None:
        """Remember faults found elsewhere."""
        self.found.update(dict.fromkeys(faults))

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.sorted())

    def __len__(self) -> int:
        return len(self.found)

    def sorted(self) -> list[Fault]:
        """The faults by file, line and column."""
        return sorted(
            self.found, key=lambda fault: (fault.place.file, fault.place.line, fault.place.column)
        )

    def errors(self) -> list[Fault]:
        """The faults that refuse a file."""
        return [fault for fault in self.sorted() if fault.is_error]

    def warnings(self) -> list[Fault]:
        """The faults that refuse nothing: warnings and notes."""
        return [fault for fault in self.sorted() if not fault.is_error]


class RuleErrors(Exception):
    """Texts that cannot be used, with every fault that was found in them."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("\n".join(as_text(fault) for fault in faults))
        self.faults = faults


def as_text(fault: Fault) -> str:
    """Write a fault as a person reads it: place and message, the line, a caret, the way out."""
    lines = [str(fault)]
    place = fault.place
    if place.line_text:
        start = max(0, place.column - 1 - BEFORE_MAX)
        line = place.line_text[start : start + LINE_MAX].rstrip()
        at = place.column - 1 - start
        if start:
            line, at = "…" + line, at + 1
        caret = "^" * max(1, width(line[at : at + place.length]))
        lines.append(f"{place.line:>5} | {line}")
        lines.append(f"      | {' ' * width(line[:at])}{caret}")
    if fault.help:
        lines.append(f"      = help: {fault.help}")
    if fault.note:
        lines.append(f"      = {fault.note}")
    return "\n".join(lines)


def width(text: str) -> int:
    """Columns a terminal gives to a text: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def as_texts(faults: Iterable[Fault]) -> str:
    """Write all faults as a person reads them."""
    return "\n".join(as_text(fault) for fault in faults)


def as_json(faults: Iterable[Fault]) -> str:
    """Write all faults for an editor: one array; ranges count from 0, their end is exclusive."""
    return json.dumps([_entry(fault) for fault in faults], ensure_ascii=False, indent=2)


def _entry(fault: Fault) -> dict[str, object]:
    """One fault in the words of the language server protocol, so that editors need no mapping."""
    place = fault.place
    line = max(0, place.line - 1)
    column = max(0, place.column - 1)
    entry: dict[str, object] = {
        "file": place.file,
        "range": {
            "start": {"line": line, "character": column},
            "end": {"line": line, "character": column + place.length},
        },
        "severity": fault.kind,
        "code": fault.code,
        "message": fault.message,
    }
    if fault.help:
        entry["help"] = fault.help
    if fault.note:
        entry["note"] = fault.note
    if fault.fix:
        entry["fix"] = {"newText": fault.fix}
    return entry


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known word that was most likely meant; empty when none is near."""
    close = get_close_matches(word, list(known), n=1, cutoff=likeness)
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A line of help naming the nearest known word, or all of them when none is near."""
    choices = sorted(known)
    guess = nearest(word, choices)
    if guess:
        return f"did you mean `{guess}`?"
    return "known: " + ", ".join(f"`{choice}`" for choice in choices)
