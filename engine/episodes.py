"""Episodes: changes of grade become warnings that people and services can read.

Enters     change records of the latches: row, instant, grade before and after, revision
Leaves     warning bodies as `wire.md` 2.3 has them, all but `v`, `seq` and `decided_time`
Remembers  nothing: ordinals and revisions live in the latches, so a replay counts them again
Refuses    nothing: a template that fails gives way to the default text, and is counted

An episode is what happens between none and none for one rule and one subject.  Its id is made of
the pack, the rule, the subject and the ordinal alone, so the same journal gives the same ids on
any day, on any machine, at any number of shards.
"""

import base64
import hashlib
from dataclasses import dataclass

import numpy as np
import structlog

from engine.courses import Told
from engine.instances import key_of
from engine.meters import Meters
from engine.registry import Catalogue
from engine.sayings import SAYINGS, Sayings
from rules.grade import Grade
from rules.message import Messages, Written
from rules.phrases import Language
from rules.plan import RulePlan
from rules.vocabulary import KEYS_BY

NS_PER_S = 1_000_000_000
ID_CHARACTERS = 26
# A consumer should not show a warning for ever when the engine has gone: a day, renewed by every
# later message of the episode.
EXPIRES_AFTER_NS = 24 * 3600 * NS_PER_S

URGENCY = ("past", "future", "expected", "expected", "immediate")  # none blue yellow orange red

TREND = {
    "raised": "rising",
    "upgraded": "rising",
    "downgraded": "falling",
    "cleared": "falling",
}

log = structlog.get_logger()

Body = dict[str, object]
# Topic and body, as the egress log sends them.
Message = tuple[str, Body]


def episode_id(pack: str, rule: str, subject: str, ordinal: int) -> str:
    """The id of an episode: 26 characters, the same on every replay (wire.md 2.3)."""
    digest = hashlib.sha256(f"{pack}|{rule}|{subject}|{ordinal}".encode()).digest()
    return base64.b32encode(digest).decode()[:ID_CHARACTERS]


class Episodes:
    """Writes the warnings of one rule."""

    __slots__ = ("catalogue", "keys", "messages", "meters", "plan", "sayings", "status")

    def __init__(
        self, plan: RulePlan, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        self.plan = plan
        self.catalogue = catalogue
        self.status = status
        self.meters = meters
        self.messages = Messages(plan.rule)
        self.sayings = Sayings(plan)
        self.keys = sorted({*KEYS_BY, *plan.rule.by} - {"sensor", "site"})

    def facts(self, change: np.void, sensor: int, coverage: float) -> Body:
        """What is known of one sensor's change: the reading or window behind it, and how much."""
        name = self.catalogue.sensors.name[sensor]
        return {"evidence": self._evidence(change, name), "coverage": coverage}

    def about(self, told: Told, sensor: int) -> Message:
        """Write one warning about a sensor."""
        return self.warning(told, self._names(sensor))

    def warning(self, told: Told, names: "Subject") -> Message:
        """Write one warning about a subject."""
        change = told.change
        rule = self.plan.rule
        event, number, previous, peak = self._capped(told)
        grade = Grade(number).word
        compared = float(change["value"])
        value = self.plan.shown(compared)
        texts = self._texts(told, names, (event, grade, value))
        body: Body = {
            "id": episode_id(rule.pack, rule.id, names.sensor, int(change["ordinal"])),
            "revision": int(change["revision"]),
            "event": event,
            "grade": grade,
            "previous": Grade(previous).word,
            "peak": Grade(peak).word,
            "status": self.status,
            "pack": rule.pack,
            "rule": rule.id,
            "version": self.plan.version,
            "digest": self.plan.digest,
            "hazard": rule.hazard,
            "urgency": URGENCY[number],
            "trend": TREND.get(event, "steady"),
            "impact": texts.impact,
            "subject": names.sensor,
            "site": names.site,
            "division": names.division,
            "lat": names.lat,
            "lon": names.lon,
            "event_time": int(change["event_ns"]),
            "value": value,
            "unit": self.plan.unit,
            "margins": self.plan.margins(compared),
            "headline": texts.headline,
            "advice": texts.advice,
            "basis": texts.basis,
            "evidence": [],
            "coverage": 0.0 if change["blind"] else 1.0,
            "expires": int(change["event_ns"]) + EXPIRES_AFTER_NS,
            **{name: fact for name, fact in told.more.items() if name != SAYINGS},
        }
        if rule.cap is not None:
            body["judged"] = Grade(int(change["grade"])).word
        # Who follows `warning/` never hears of a rule that is only tried out.
        branch = "warning"
        if told.suppressed:
            branch, body["suppressed"] = "muted", told.suppressed
        if told.takes_off:
            branch = "warning"
        if told.is_demoted or rule.mode == "shadow":
            branch, body["mode"] = "shadow", "shadow"
        return f"{branch}/{grade}/{rule.hazard}/{names.division}/{names.site}", body

    def _texts(self, told: Told, names: "Subject", said: tuple[str, str, float]) -> Written:
        """What people read; `said` is the event, the grade and the value."""
        event, grade, value = said
        texts = self.messages.write(
            grade=grade,
            event=event,
            value=value,
            unit=self.plan.unit,
            sensor=names.sensor,
            site=names.site_texts,
            since_ns=told.began_ns,
            attributes=names.attributes,
            values=self.sayings.kept(told.more),
            duration_ns=int(told.change["event_ns"]) - told.began_ns,
        )
        if texts.problem:
            self._count_failure(texts.problem)
        return texts

    def _capped(self, told: Told) -> tuple[str, int, int, int]:
        """The event, the grade, the one before and the peak, as they are told under the cap.

        A change that the cap hides is told as `updated`: the revisions have no holes.
        """
        cap = int(self.plan.rule.cap or Grade.RED)
        found = (min(int(told.change[name]), cap) for name in ("grade", "previous", "peak"))
        grade, previous, peak = found
        is_hidden = grade == previous and told.event in TREND
        return "updated" if is_hidden else told.event, grade, previous, peak

    def _count_failure(self, problem: str) -> None:
        """The default text was sent; whoever wrote the template learns of it once."""
        name = self.plan.name
        if name not in self.meters.template_failures:
            log.error("template_failed", rule=name, reason=problem)
        self.meters.count_template_failure(name)

    def _evidence(self, change: np.void, sensor: str) -> list[Body]:
        """What was compared and when: the reading, or the window that ended then."""
        value = self.plan.shown(float(change["value"]))
        return [{"sensor": sensor, "time": int(change["seen_ns"]), "value": value, "quality": 0}]

    def _names(self, sensor: int) -> "Subject":
        sensors, sites = self.catalogue.sensors, self.catalogue.sites
        site = int(sensors.site[sensor])
        lat, lon = float(sites.lat[site]), float(sites.lon[site])
        own = {
            name: text
            for name, texts in sensors.attributes.items()
            if (text := texts[sensor]) is not None
        }
        return Subject(
            sensor=sensors.name[sensor],
            site=sites.name[site],
            site_texts={"zh": sites.name_zh[site], "en": sites.name_en[site]},
            division=sites.division[site],
            lat=None if np.isnan(lat) else lat,
            lon=None if np.isnan(lon) else lon,
            attributes={
                **self.keyed(sensor, own),
                "site": sites.attributes[site],
                "sensor": own,
            },
        )

    def keyed(self, sensor: int, attributes: dict[str, str]) -> dict[str, dict[str, str]]:
        """What templates may ask of a tank, a basin and the like: its name, and its attributes."""
        names = {key: key_of(self.catalogue, (key,), sensor) for key in self.keys}
        return {
            key: {**attributes, "name": name} for key, name in names.items() if name is not None
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What a warning is about: a sensor, or an instance under its key."""

    sensor: str
    site: str
    site_texts: dict[Language, str]
    division: str
    lat: float | None
    lon: float | None
    attributes: dict[str, dict[str, str]]
