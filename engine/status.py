"""Status: what an engine says about its rules, and about the last reload of them, as JSON."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from engine.reloading import Busy, Outcome, Reloader, packs_of
from engine.rule_sets import RuleSets
from rules.errors import as_json, as_texts

Answer = tuple[HTTPStatus, str]


class Reception:
    """Answers what people ask of a running engine; each question in a thread of its own."""

    def __init__(self, engine: str, sets: RuleSets, reloader: Reloader) -> None:
        self.engine = engine
        self.sets = sets
        self.reloader = reloader

    def status(self) -> Answer:
        """Which rules judge, and how the last reload went."""
        active, newest = self.sets.active, self.sets.newest
        last = self.reloader.last
        said = {
            "engine": self.engine,
            "rules": {
                "digest": active.digest,
                "packs": _packs(packs_of(active)),
                # Named in the journal; the flow has not come to it yet.
                "next": None if newest == active.digest else newest,
            },
            "reload": {
                "is_running": self.reloader.is_busy,
                "last": None if last is None else fields_of(last),
            },
        }
        return HTTPStatus.OK, _text(said)

    def reload(self) -> Answer:
        """Reload, and say how it went: 200, 409 while another runs, 422 with every fault."""
        try:
            outcome = self.reloader.reload("http")
        except Busy as busy:
            return HTTPStatus.CONFLICT, _text({"outcome": "busy", "reason": str(busy)})
        status = HTTPStatus.OK
        if outcome.ending == "refused":
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        elif outcome.ending == "failed":
            status = HTTPStatus.SERVICE_UNAVAILABLE
        return status, _text(fields_of(outcome))


def fields_of(outcome: Outcome) -> dict[str, object]:
    """An outcome for programs; `text` is what a person reads of its faults."""
    return {
        "outcome": outcome.ending,
        "asked_by": outcome.asked_by,
        "began": outcome.began_ns,
        "took_ms": round(outcome.took_ms, 3),
        "digest": outcome.digest,
        "is_judging": outcome.is_judging,
        "packs": _packs(outcome.packs),
        "reason": outcome.reason,
        "faults": json.loads(as_json(outcome.faults)),
        "text": as_texts(outcome.faults),
    }


def _packs(packs: tuple[tuple[str, str, str], ...]) -> list[dict[str, str]]:
    return [dict(zip(("name", "version", "digest"), pack, strict=True)) for pack in packs]


def _text(said: Mapping[str, object]) -> str:
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"
