"""Group adoption: what the rules on several sensors keep when rules or catalogue change.

An instance is recognised by its key, an edge by its key and its sensor's name, a slot by what it
asks. A rule of the same name keeps its latches and is asked once what it makes of them; what it
asks anew is unknown until the next end of a pane tells it. The open warnings of what has gone end
with `superseded`, never with `cleared`, and their ordinals are remembered.
"""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.clusters import Clusters
from engine.desk import courses_in
from engine.episodes import EXPIRES_AFTER_NS, Body, Message, Subject
from engine.groups import HOME, TOLD, Groups
from engine.registry import Catalogue
from engine.superseding import facts_of_rule, last_words, told_of
from kernels import standing

Columns = Mapping[str, NDArray[np.generic]]
Facts = Mapping[str, object]
Ints = NDArray[np.int64]


def facts_of_groups(groups: Mapping[str, Groups], catalogue: Catalogue) -> dict[str, object]:
    """What a later adoption must know: names, and what each slot asks of whom."""
    return {name: _facts_of(one, catalogue) for name, one in groups.items()}


def _facts_of(groups: Groups, catalogue: Catalogue) -> dict[str, object]:
    subjects = [groups.tidings.subject(row) for row in range(groups.frontier_ns.size)]
    names = catalogue.sensors.name
    asked = [repr((s.members, s.node, s.is_asked_of)) for s in groups.group.signals]
    asked += [repr(following.what) for following in groups.placed.followings]
    return {
        **facts_of_rule(groups.group.plan),
        "keys": list(groups.placed.instances.key),
        "sites": [_site_of(subject) for subject in subjects],
        "slots": [hashlib.sha256(text.encode()).hexdigest() for text in asked],
        # Edges of signals by the name of the sensor, those of grades by the subject's number.
        "subjects": [
            [
                names[subject] if slot < groups.state.signal_count else str(subject)
                for subject in edges.sensor.tolist()
            ]
            for slot, edges in enumerate(groups.state.edges)
        ],
        "rows": [edges.row.tolist() for edges in groups.state.edges],
    }


def adopt_groups(
    groups: Mapping[str, Groups], facts: Facts, saved: Columns, retired: dict[str, int]
) -> Iterator[Message]:
    """Take over what still means the same; the last words of what has gone are returned.

    retired  how many episodes those had that are gone: by rule and key    (in place)
    """
    for name, before in facts.items():
        known = _map(before)
        keys = [str(key) for key in _list(known["keys"])]
        after = groups.get(name)
        now = {} if after is None else {k: r for r, k in enumerate(after.placed.instances.key)}
        place = np.array([now.get(key, -1) for key in keys], dtype=np.int64)
        if after is not None:
            _adopt(after, known, saved, place)
        yield from _end(name, known, saved, np.flatnonzero(place < 0), retired)
    for name, one in groups.items():
        for row, key in enumerate(one.placed.instances.key):
            ordinal = retired.pop(f"{name}\n{key}", 0)
            one.latches.episode["ordinal"][row] = max(
                ordinal, int(one.latches.episode["ordinal"][row])
            )


def adopt_clusters(
    clusters: Mapping[str, Clusters], before: Mapping[str, Clusters]
) -> Iterator[Message]:
    """Clusters live on where the same is asked of the same stations; elsewhere they end."""
    for name, old in before.items():
        new = clusters.get(name)
        if new is not None and _is_same(old, new):
            new.restore(old.columns())
            continue
        facts = facts_of_rule(old.group.plan)
        for row in old.stations.taken.tolist():
            line, episode = old.latches.latch[row], old.latches.episode[row]
            told = told_of(line, episode, old.desk.conduct.courses.get(row))
            if told.grade == 0 and line["grade"] == 0:
                continue
            subject = old.news.subject(row)
            body = last_words(facts, _site_of(subject), subject.sensor, line, told)
            ended_ns = max(int(old.frontier_ns[0]), int(episode["last_ns"]))
            body |= {"event_time": ended_ns, "expires": ended_ns + EXPIRES_AFTER_NS}
            yield _addressed(facts, body)


def _is_same(one: Clusters, other: Clusters) -> bool:
    same_stations = np.array_equal(one.stations.sensor, other.stations.sensor)
    return same_stations and one.group.signals == other.group.signals


def _site_of(subject: Subject) -> Facts:
    return {
        "name": subject.site,
        **{str(language): text for language, text in subject.site_texts.items()},
        "division": subject.division,
        "lat": subject.lat,
        "lon": subject.lon,
    }


def _addressed(facts: Facts, body: Body) -> Message:
    branch = "warning"
    if facts.get("mode") == "shadow":
        body["mode"] = branch = "shadow"
    return f"{branch}/none/{facts['hazard']}/{body['division']}/{body['site']}", body


def _adopt(groups: Groups, facts: Facts, saved: Columns, place: Ints) -> None:
    home = f"{HOME}{groups.group.name}"
    old = np.flatnonzero(place >= 0)
    new = place[old]
    latches, line = groups.latches, groups.latches.latch
    terms = line["terms"].copy()
    name = groups.group.plan.name
    line[new] = saved[f"{home}/latch/{name}/line"].view(standing.LATCH)[old]
    line["terms"] = terms
    latches.episode[new] = saved[f"{home}/latch/{name}/episode"].view(standing.EPISODE)[old]
    latches.due_ns[new] = standing.NEVER_NS
    if f"{home}/desk" in saved:
        renumbered = dict(zip(old.tolist(), new.tolist(), strict=True))
        groups.desk.unpack(saved[f"{home}/desk"].view(np.uint8), renumbered)
    groups.frontier_ns[new] = saved[f"{home}/frontier_ns"].view(np.int64)[old]
    begun = new[groups.frontier_ns[new] > standing.NEVER_NS]
    # Asked once, as soon as time goes on.
    groups.wake_ns[begun] = groups.frontier_ns[begun]
    told = saved[f"{home}/pending"].view(TOLD)
    kept = []
    was = [str(slot) for slot in _list(facts["slots"])]
    today = [str(slot) for slot in _list(_facts_of(groups, groups.tidings.catalogue)["slots"])]
    for slot, text in enumerate(today):
        if text not in was:
            continue
        before = was.index(text)
        edge_of = _edges(groups, slot, facts, before, place)
        here = np.flatnonzero(edge_of >= 0)
        for what, column in (("truth", groups.state.truth), ("value", groups.state.value)):
            column[slot][edge_of[here]] = saved[f"{home}/{before}/{what}"][here]
        time_ns = saved[f"{home}/{before}/time_ns"].view(np.int64)
        groups.state.time_ns[slot][edge_of[here]] = time_ns[here]
        mine = told[told["slot"] == before].copy()
        mine["slot"], mine["edge"] = slot, edge_of[mine["edge"]]
        kept.append(mine[mine["edge"] >= 0])
    groups.pending = np.concatenate([groups.pending, *kept])


def _edges(groups: Groups, slot: int, facts: Facts, before: int, place: Ints) -> Ints:
    """Where each edge of a slot of before is today, -1 where it is gone."""
    edges = groups.state.edges[slot]
    names = groups.tidings.catalogue.sensors.name
    is_signal = slot < groups.state.signal_count
    today = {
        (row, names[subject] if is_signal else str(subject)): edge
        for edge, (row, subject) in enumerate(
            zip(edges.row.tolist(), edges.sensor.tolist(), strict=True)
        )
    }
    rows, subjects = _list(_list(facts["rows"])[before]), _list(_list(facts["subjects"])[before])
    found = [
        today.get((int(place[int(str(row))]), str(subject)), -1)
        for row, subject in zip(rows, subjects, strict=True)
    ]
    return np.array(found, dtype=np.int64)


def _end(
    name: str, facts: Facts, saved: Columns, gone: NDArray[np.intp], retired: dict[str, int]
) -> Iterator[Message]:
    """Last words for open warnings that nobody watches, and their ordinals for later."""
    home = f"{HOME}{name}"
    line = saved[f"{home}/latch/{name}/line"].view(standing.LATCH)
    episode = saved[f"{home}/latch/{name}/episode"].view(standing.EPISODE)
    frontier_ns = saved[f"{home}/frontier_ns"].view(np.int64)
    courses = courses_in(saved.get(f"{home}/desk"))
    for row in gone.tolist():
        key, site = str(_list(facts["keys"])[row]), _map(_list(facts["sites"])[row])
        if episode["ordinal"][row]:
            retired[f"{name}\n{key}"] = int(episode["ordinal"][row])
        told = told_of(line[row], episode[row], courses.get(row))
        if told.grade == 0 and line["grade"][row] == 0:
            continue
        body = last_words(facts, site, key, line[row], told)
        ended_ns = max(int(frontier_ns[row]), int(episode[row]["last_ns"]))
        body |= {"event_time": ended_ns, "expires": ended_ns + EXPIRES_AFTER_NS}
        yield _addressed(facts, body)


def _map(value: object) -> Facts:
    assert isinstance(value, Mapping)
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
