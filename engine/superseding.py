"""Superseding: what is said of open warnings whose rule, or whose sensor, is no longer there.

A warning that was raised by a rule of yesterday would stay open for ever, for nobody watches it
any more; but that nobody watches is no all-clear.  So it ends with `superseded`, never `cleared`.

All that such a message says comes from the saved state and the facts saved with it, so a start
that is interrupted says the same when it is made again.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.courses import Course, Mark
from engine.episodes import EXPIRES_AFTER_NS, Body, Message, episode_id
from engine.shard import Shard
from engine.store import Snapshot
from kernels import standing
from rules.grade import Grade
from rules.plan import RulePlan

Facts = Mapping[str, object]
Records = NDArray[np.void]


def facts_of_rule(plan: RulePlan) -> dict[str, object]:
    """What must be known of a rule to end its warnings once it has gone."""
    rule = plan.rule
    return {
        "pack": rule.pack,
        "rule": rule.id,
        "version": plan.version,
        "digest": plan.digest,
        "hazard": rule.hazard,
        "mode": rule.mode,
        "unit": plan.unit,
        "cap": int(rule.cap or 0),
        # Scales are straight lines: what 0 and 1 are shown as tells the rest.
        "shown": [plan.shown(0.0), plan.shown(1.0)],
        "title": dict(rule.title.items()),
        "basis": dict(rule.basis.items()),
    }


def facts_of_sites(shard: Shard) -> list[dict[str, object]]:
    """The sites of a shard, as warnings name them."""
    sites = shard.catalogue.sites
    return [
        {
            "name": sites.name[site],
            "zh": sites.name_zh[site],
            "en": sites.name_en[site],
            "division": sites.division[site],
            "lat": None if np.isnan(sites.lat[site]) else float(sites.lat[site]),
            "lon": None if np.isnan(sites.lon[site]) else float(sites.lon[site]),
        }
        for site in shard.layout.site
    ]


def superseded(
    snapshot: Snapshot,
    bank: Facts,
    name: str,
    *,
    status: str,
    kept: Sequence[int],
    courses: Mapping[int, Course],
) -> Iterator[Message]:
    """End the open warnings of one rule, all but those of the rows that are kept.

    bank     the facts of the bank that the rule judged
    name     of the rule, with its pack
    courses  what had been told of its rows, where that was remembered
    """
    latch = snapshot.columns[f"latch/{name}/line"].view(standing.LATCH)
    episode = snapshot.columns[f"latch/{name}/episode"].view(standing.EPISODE)
    is_open = latch["grade"] > 0
    is_open[[row for row, course in courses.items() if course.told.grade > 0]] = True
    is_open[list(kept)] = False
    sensors = names_of(bank)
    sites = _list(snapshot.facts["sites"])
    site_rows = np.array(_list(bank["site_rows"]))
    clock_ns = snapshot.columns["clock/clock_ns"]
    rule = _map(_map(snapshot.facts["rules"])[name])
    for row in np.flatnonzero(is_open):
        place = int(np.searchsorted(site_rows, row, side="right")) - 1
        told = told_of(latch[row], episode[row], courses.get(int(row)))
        body = last_words(rule, _map(sites[place]), sensors[row], latch[row], told)
        ended_ns = max(int(clock_ns[place]), int(episode[row]["last_ns"]))
        body |= {"event_time": ended_ns, "expires": ended_ns + EXPIRES_AFTER_NS, "status": status}
        branch = "warning"
        if rule.get("mode") == "shadow":
            body["mode"] = branch = "shadow"
        yield f"{branch}/none/{rule['hazard']}/{body['division']}/{body['site']}", body


def told_of(line: np.void, episode: np.void, course: Course | None) -> Mark:
    """What people were told last of a row."""
    if course is not None:
        return course.told
    mark = Mark(int(episode["ordinal"]), int(episode["revision"]), int(line["grade"]))
    mark.peak = int(line["peak"])
    return mark


def last_words(rule: Facts, site: Facts, sensor: str, line: np.void, told: Mark) -> Body:
    """All that is said of an open warning that nobody watches any more, but when and for whom."""
    cap = int(str(rule.get("cap", 0))) or int(Grade.RED)
    grade = Grade(min(told.grade, cap)).word
    zero, one = (float(str(shown)) for shown in _list(rule["shown"]))
    value = zero + (one - zero) * float(line["value"])
    title = _map(rule["title"])
    title_zh = title.get("zh") or title.get("en") or rule["rule"]
    title_en = title.get("en") or title.get("zh") or rule["rule"]
    seen = {"sensor": sensor, "time": int(line["seen_ns"]), "value": value, "quality": 0}
    return {
        "id": episode_id(str(rule["pack"]), str(rule["rule"]), sensor, told.ordinal),
        "revision": told.revision + 1,
        "event": "superseded",
        "grade": "none",
        "previous": grade,
        "peak": Grade(min(told.peak, cap)).word,
        **{key: rule[key] for key in ("pack", "rule", "version", "digest", "hazard", "unit")},
        "urgency": "past",
        "trend": "steady",
        "impact": "",
        "subject": sensor,
        "site": site["name"],
        **{key: site[key] for key in ("division", "lat", "lon")},
        "value": value,
        "margins": {},
        "evidence": [seen],
        # Nothing was looked at to say this.
        "coverage": 0.0,
        "headline": {
            "zh": f"【规则变更】{site['zh']} {sensor} {title_zh}：原预警不再跟踪，并非解除",
            "en": f"[RULE CHANGED] {site['en']} {sensor}: {title_en}, "
            "no longer watched; this is no all-clear",
        },
        "advice": {"zh": "", "en": ""},
        "basis": dict(_map(rule["basis"])),
    }


def names_of(bank: Facts) -> list[str]:
    """The sensors of a saved bank, row by row."""
    text = str(bank.get("sensors", ""))
    return text.split("\n") if text else []


def _map(value: object) -> Facts:
    assert isinstance(value, Mapping)
    return value


def _list(value: object) -> Sequence[object]:
    assert isinstance(value, list)
    return value
