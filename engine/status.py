"""Status: what an engine answers about its rules and their last reload, and to operators' acts."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from engine import segments
from engine.acts import Act, ActFault, read_act
from engine.assembly import Assembly
from engine.errors import DiskError
from engine.reloading import Busy, Outcome, Reloader, packs_of
from engine.rule_sets import RuleSets
from rules.errors import as_json, as_texts, did_you_mean, nearest

Answer = tuple[HTTPStatus, str]


class Reception:
    """Answers what people ask of a running engine; each question in a thread of its own."""

    def __init__(
        self,
        engine: str,
        sets: RuleSets,
        reloader: Reloader,
        *,
        write: Callable[[int, bytes, bytes], int],
        now_ns: Callable[[], int],
    ) -> None:
        """Prepare.

        write   writes a record into the journal and returns once it is durable
        now_ns  what time it is, for what operators do
        """
        self.engine = engine
        self.sets = sets
        self.reloader = reloader
        self.write = write
        self.now_ns = now_ns

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

    def act(self, body: bytes) -> Answer:
        """Write an operator's act down: 200, 400 with what is wrong, 503 without room."""
        try:
            act = read_act(json.loads(body), self.now_ns())
            check_target(act, self.sets.active)
            self.write(segments.ACT, act.packed(), b"")
        except (ActFault, ValueError) as fault:
            return HTTPStatus.BAD_REQUEST, f"{fault}\n"
        except DiskError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n"
        until = f" until {_time(act.until_ns)}" if act.until_ns else ""
        target = f"{act.rule}@{act.key}" if act.rule else act.key
        return HTTPStatus.OK, f"{act.what} {target}{until}: it is in the journal\n"


def check_target(act: Act, assembly: Assembly) -> None:
    """Refuse an act on what the engine does not know, and say what was probably meant."""
    catalogue = assembly.catalogue
    rules = [rule.name for rule in assembly.plan.rules]
    rules += [placed.group.name for placed in assembly.placed]
    if act.rule and act.rule not in rules:
        text = f"no rule `{act.rule}`; {did_you_mean(act.rule, rules)}"
        raise ActFault(text)
    keys = set(catalogue.sites.name)
    if act.rule:
        keys |= set(catalogue.sensors.name)
        keys |= {key for placed in assembly.placed for key in placed.instances.key}
    if act.key not in keys:
        guess = nearest(act.key, keys)
        known = "site" if not act.rule else "sensor, site or other instance"
        text = f"no {known} `{act.key}`" + (f"; did you mean `{guess}`?" if guess else "")
        raise ActFault(text)


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


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
