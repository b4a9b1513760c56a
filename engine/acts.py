"""Acts: what operators do to warnings, as records of the journal.

    shelve        take one warning off the board until an instant, with a reason
    unshelve      put it back
    acknowledge   somebody has seen it: nothing is escalated
    reset         let a latched grade go
    maintenance   a site, or one instance of one rule, is being worked on until an instant
    resume        the work is over

An act is written down, and synced, before anybody obeys it; so a replay hears it, at its place.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import msgpack

VERSION: Final = 1
TIMED: Final = frozenset({"shelve", "maintenance"})
KINDS: Final = ("shelve", "unshelve", "acknowledge", "reset", "maintenance", "resume")
# Acts on a whole site need no rule.
ON_SITES: Final = frozenset({"maintenance", "resume"})
TEXT_CHARACTERS_MAX: Final = 500


class ActFault(Exception):
    """An act that cannot be understood; the text says why, for whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act.

    rule      full name, `pack/id`; empty for a whole site
    key       the warning's subject (a sensor, a tank), or the site
    time_ns   when it was written down
    until_ns  the end of what it begins; 0 where it begins nothing
    """

    what: str
    rule: str
    key: str
    time_ns: int
    until_ns: int
    reason: str
    who: str

    def packed(self) -> bytes:
        """The record's header."""
        packed: bytes = msgpack.packb([VERSION, *asdict(self).values()])
        return packed

    @classmethod
    def unpack(cls, header: bytes) -> "Act":
        """What `packed` made."""
        version, *fields = msgpack.unpackb(header)
        assert version == VERSION, f"an act of version {version}"
        return cls(*fields)


def read_act(wish: object, now_ns: int) -> Act:
    """Read an act out of a request; ActFault says what is wrong with it."""
    if not isinstance(wish, Mapping):
        text = "an act is a JSON object: {what, target, seconds, reason, who}"
        raise ActFault(text)
    what = _text(wish, "what")
    if what not in KINDS:
        text = f"`what` is one of {', '.join(KINDS)}, not `{what}`"
        raise ActFault(text)
    rule, key = split_target(_text(wish, "target"), what)
    seconds = wish.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        text = "`seconds` is a number of seconds"
        raise ActFault(text)
    if what in TIMED and seconds == 0:
        text = f"`{what}` needs to know for how long"
        raise ActFault(text)
    until_ns = now_ns + int(seconds * 1e9) if what in TIMED else 0
    reason = _text(wish, "reason")
    if what in TIMED and not reason.strip():
        text = f"`{what}` needs a reason: somebody will ask"
        raise ActFault(text)
    return Act(what, rule, key, now_ns, until_ns, reason, _text(wish, "who"))


def split_target(target: str, what: str) -> tuple[str, str]:
    """`pack/rule@key` into rule and key; a site alone where the act allows it."""
    rule, at, key = target.rpartition("@")
    if not at and what in ON_SITES and target:
        return "", target
    if not at or rule.count("/") != 1 or not key:
        site = ", or a site" if what in ON_SITES else ""
        text = f"`{target}` does not name a warning: write PACK/RULE@KEY{site}"
        raise ActFault(text)
    return rule, key


def _text(wish: Mapping[object, object], name: str) -> str:
    value = wish.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX:
        text = f"`{name}` is a text of at most {TEXT_CHARACTERS_MAX} characters"
        raise ActFault(text)
    return value
