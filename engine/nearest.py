"""Nearest: what a person may have meant by a name that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

# difflib needs 5 to 30 us a name: 5000 names keep one hint under 0.15 s.
CANDIDATES_MAX: Final = 5000


def nearest(text: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like the text, or None when none is like it."""
    length_max = len(text) + max(2, len(text) // 3)
    length_min = len(text) - max(2, len(text) // 3)
    likely = (name for name in known if length_min <= len(name) <= length_max)
    # Letters that differ only in case differ less than others.
    folded = {name.casefold(): name for name in islice(likely, CANDIDATES_MAX)}
    found = get_close_matches(text.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return a line of help for an unknown name: the nearest, or the first few there are."""
    names = list(known)
    near = nearest(text, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return ""
    more = ", …" if len(names) > 8 else ""
    return "known: " + ", ".join(f"`{name}`" for name in names[:8]) + more
