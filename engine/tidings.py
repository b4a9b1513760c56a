"""Tidings: what a warning about an instance of several sensors says beside its grade.

Who speaks for it, with what (`evidence`, at most so many members); which of the rule's named
conditions hold (`why`); how much of what it looks at is known (`coverage`).
"""

from collections.abc import Iterator

import numpy as np

from engine.courses import Facts, Told
from engine.episodes import Body, Episodes, Message, Subject
from engine.instance_columns import InstanceRows, InstanceState
from engine.meters import Meters
from engine.registry import Catalogue
from engine.sayings import SAYINGS
from engine.signals import TRUE, UNKNOWN
from rules import expression as ex
from rules import intervals
from rules.expression import Node

EVIDENCE_MAX = 32


class Tidings:
    """Writes the warnings of one rule about its instances."""

    def __init__(
        self, state: InstanceState, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        self.state = state
        self.catalogue = catalogue
        plan = state.placed.group.plan
        self.plan = plan
        self.episodes = Episodes(plan, catalogue, status=status, meters=meters)
        self.subjects: dict[int, Subject] = {}

    def facts(self, change: np.void) -> Facts:
        """What holds now, when a change happens: evidence, reasons, how much is known."""
        row = int(change["row"])
        facts = {
            "evidence": self.evidence(row),
            "why": self.reasons(change),
            "coverage": 0.0 if change["blind"] else self.state.coverage(row),
        }
        sayings = self.episodes.sayings
        if not sayings.nodes:
            return facts
        rows = np.array([row], dtype=np.int64)
        columns = InstanceRows(self.state, rows, int(change["event_ns"]))
        return {**facts, SAYINGS: sayings.of_instance(columns)}

    def write(self, told: Told) -> Message:
        """Write a warning about an instance."""
        return self.episodes.warning(told, self.subject(int(told.change["row"])))

    def evidence(self, row: int) -> list[Body]:
        """What the members told last: those that meet a condition first."""
        found: dict[int, tuple[bool, Body]] = {}
        for slot, edges in enumerate(self.state.edges[: self.state.signal_count]):
            part = self.state.slice_of(slot, row)
            for edge in range(part.start, part.stop):
                truth = int(self.state.truth[slot][edge])
                sensor = int(edges.sensor[edge])
                speaks = truth == TRUE
                if truth == UNKNOWN or (sensor in found and not (speaks and not found[sensor][0])):
                    continue
                body: Body = {
                    "sensor": self.catalogue.sensors.name[sensor],
                    "time": int(self.state.time_ns[slot][edge]),
                    "value": float(self.state.value[slot][edge]),
                    "quality": 0,
                }
                found[sensor] = (speaks, body)
        in_order = sorted(found.items(), key=lambda item: (not item[1][0], item[0]))
        return [body for _, (_, body) in in_order[:EVIDENCE_MAX]]

    def reasons(self, change: np.void) -> list[str]:
        """The named parts that make the grade's condition true; what is unnamed, as it is."""
        grade = max(int(change["grade"]), int(change["previous"]))
        found = next((g for g in self.plan.grades if g.grade == grade), None)
        if found is None:
            return []
        rows = np.array([change["row"]], dtype=np.int64)
        columns = InstanceRows(self.state, rows, int(change["event_ns"]))
        names = {node: name for name, node in self.plan.rule.lets.items()}
        return list(dict.fromkeys(_reasons(found.when, columns, names)))

    def subject(self, row: int) -> Subject:
        """The instance under its key, at the site where most of its sensors are."""
        if row not in self.subjects:
            instances = self.state.placed.instances
            sites = self.catalogue.sites
            site = int(instances.home[row])
            lat, lon = float(sites.lat[site]), float(sites.lon[site])
            agreed = self._agreed(row)
            members = instances.members
            first = int(members.sensor[members.start[row]]) if members.sensor.size else -1
            keyed = self.episodes.keyed(first, agreed) if first >= 0 else {}
            self.subjects[row] = Subject(
                sensor=instances.key[row],
                site=sites.name[site],
                site_texts={"zh": sites.name_zh[site], "en": sites.name_en[site]},
                division=sites.division[site],
                lat=None if np.isnan(lat) else lat,
                lon=None if np.isnan(lon) else lon,
                attributes={**keyed, "site": sites.attributes[site], "sensor": agreed},
            )
        return self.subjects[row]

    def _agreed(self, row: int) -> dict[str, str]:
        """Attributes that all sensors of the instance have in common."""
        members = self.state.placed.instances.members
        sensors = members.sensor[members.start[row] : members.start[row + 1]].tolist()
        agreed = {}
        for name, texts in self.catalogue.sensors.attributes.items():
            said = {texts[sensor] for sensor in sensors} - {None}
            if len(said) == 1:
                agreed[name] = str(said.pop())
        return agreed


def _reasons(node: Node, columns: InstanceRows, names: dict[Node, str]) -> Iterator[str]:
    """Names of what is true below a condition that is true."""
    if not ex.is_condition(node) or not intervals.truth(node, columns).true[0]:
        return
    if node in names:
        yield names[node]
    elif isinstance(node, ex.And | ex.Or) and id(node) not in columns.state.places:
        for item in node.items:
            yield from _reasons(item, columns, names)
    else:
        named = [names[part] for part in ex.walk(node) if part in names]
        yield from named or (_described(part) for part in ex.walk(node) if _described(part))


def _described(node: Node) -> str:
    """How a part without a name is called: what it looks at, and with what."""
    match node:
        case ex.Feature(name=name, input=given):
            return f"{given}.{name}" if given else name
        case ex.Step(name=name):
            return f"seq.{name}"
        case ex.OtherRule(rule=rule) if rule:
            return rule
        case ex.ClusterSize():
            return "cluster.size"
        case _:
            return ""
