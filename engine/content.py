"""Content: what two messages of one id and revision must have in common.

All of the body but `seq` and `decided_time`, which the egress log gives; the order in which a
map's keys were written is not content. Both ends use this: the log, to recognise a warning that
is decided again, and the consumer, to notice one that came out in two ways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgpack

WIRE_VERSION: Final = 1
GIVEN_BY_THE_LOG: Final = frozenset({"seq", "decided_time"})
# Half of a SHA-256: two contents collide by chance once in 2**64 warnings.
CONTENT_BYTES: Final = 16

Key = tuple[str, int]


def identity(body: Mapping[str, object]) -> tuple[Key, bytes] | None:
    """(id, revision) and the hash of the content; None for a system message without an id."""
    episode, revision = body.get("id"), body.get("revision")
    if not isinstance(episode, str) or not isinstance(revision, int):
        return None
    kept = {key: value for key, value in body.items() if key not in GIVEN_BY_THE_LOG}
    spelling = canonical({**kept, "v": WIRE_VERSION})
    return (episode, revision), hashlib.sha256(spelling).digest()[:CONTENT_BYTES]


def canonical(body: Mapping[str, object]) -> bytes:
    """Return the one spelling of a body: msgpack with the keys sorted at every depth."""
    spelling: bytes = msgpack.packb(_sorted(body), use_bin_type=True)
    return spelling


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_sorted(item) for item in value]
    return value
