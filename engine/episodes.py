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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from engine.meters import Meters
from engine.registry import Catalogue
from kernels.standing import EVENT_NAMES
from rules.grade import Grade
from rules.message import Messages
from rules.phrases import Language
from rules.plan import RulePlan

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

    __slots__ = ("catalogue", "messages", "meters", "plan", "status")

    def __init__(
        self, plan: RulePlan, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        self.plan = plan
        self.catalogue = catalogue
        self.status = status
        self.meters = meters
        self.messages = Messages(plan.rule)

    def tell(
        self, changes: NDArray[np.void], sensors: NDArray[np.int32], coverage: NDArray[np.float64]
    ) -> Iterator[Message]:
        """Write a warning for each change.

        changes   CHANGE[n]   records, in the order in which they became true for each row
        sensors   int32[n]    number of the sensor in the catalogue
        coverage  float64[n]  share of the expected inputs that were known, 0 to 1
        """
        for change, sensor, share in zip(changes, sensors, coverage, strict=True):
            names = self._names(int(sensor))
            seen = self._evidence(change, names.sensor)
            yield self.warning(change, names, coverage=float(share), more={"evidence": seen})

    def warning(
        self, change: np.void, names: "Subject", *, coverage: float, more: Mapping[str, object]
    ) -> Message:
        """Write one warning about a subject; `more` has its evidence, and what else is known."""
        rule = self.plan.rule
        event = EVENT_NAMES[change["event"]]
        grade = Grade(int(change["grade"])).word
        compared = float(change["value"])
        value = self.plan.shown(compared)
        texts = self.messages.write(
            grade=grade,
            event=event,
            value=value,
            unit=self.plan.unit,
            sensor=names.sensor,
            site=names.site_texts,
            since_ns=int(change["event_ns"]),
            attributes=names.attributes,
        )
        if texts.problem:
            self._count_failure(texts.problem)
        body: Body = {
            "id": episode_id(rule.pack, rule.id, names.sensor, int(change["ordinal"])),
            "revision": int(change["revision"]),
            "event": event,
            "grade": grade,
            "previous": Grade(int(change["previous"])).word,
            "peak": Grade(int(change["peak"])).word,
            "status": self.status,
            "pack": rule.pack,
            "rule": rule.id,
            "version": self.plan.version,
            "digest": self.plan.digest,
            "hazard": rule.hazard,
            "urgency": URGENCY[change["grade"]],
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
            "coverage": coverage,
            "headline": texts.headline,
            "advice": texts.advice,
            "basis": texts.basis,
            "expires": int(change["event_ns"]) + EXPIRES_AFTER_NS,
            **more,
        }
        topic = f"warning/{grade}/{rule.hazard}/{names.division}/{names.site}"
        return topic, body

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
        return Subject(
            sensor=sensors.name[sensor],
            site=sites.name[site],
            site_texts={"zh": sites.name_zh[site], "en": sites.name_en[site]},
            division=sites.division[site],
            lat=None if np.isnan(lat) else lat,
            lon=None if np.isnan(lon) else lon,
            attributes={
                "site": sites.attributes[site],
                "sensor": {
                    name: text
                    for name, texts in sensors.attributes.items()
                    if (text := texts[sensor]) is not None
                },
            },
        )


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
