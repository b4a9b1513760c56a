"""News: what a warning about a cluster of stations says beside its grade.

Its members speak for it, the first that triggered first; its place is their middle, its area the
hull around them, its site that of the station that began.
"""

from datetime import UTC, datetime

import numpy as np

from engine.coincidence import hull
from engine.courses import Facts, Told
from engine.episodes import Body, Episodes, Message, Subject
from engine.instances import text_of
from engine.meters import Meters
from engine.reasons import reasons
from engine.registry import Catalogue
from engine.sayings import SAYINGS
from engine.signals import TRUE, UNKNOWN
from engine.stations import ClusterRows, Stations
from rules import intervals
from rules.expression import Node

EVIDENCE_MAX = 32
NS_PER_S = 1_000_000_000


class ClusterNews:
    """Writes the warnings of one rule about its clusters."""

    def __init__(
        self, stations: Stations, catalogue: Catalogue, *, status: str, meters: Meters
    ) -> None:
        self.stations = stations
        self.catalogue = catalogue
        self.plan = stations.placed.group.plan
        self.episodes = Episodes(self.plan, catalogue, status=status, meters=meters)

    def facts(self, change: np.void) -> Facts:
        """What holds now, when a change happens: members, area, reasons, how much is known."""
        row = int(change["row"])
        stations = self.stations
        members = np.flatnonzero(stations.member[row])
        known = stations.truth[stations.trigger, members] != UNKNOWN
        found: dict[str, object] = {
            "evidence": self._evidence(members),
            "why": sorted(self._reasons(row, max(int(change["grade"]), int(change["previous"])))),
            "coverage": 0.0 if change["blind"] else float(known.mean()) if known.size else 1.0,
        }
        if self.episodes.sayings.nodes:
            columns = ClusterRows(stations, np.array([row], dtype=np.int64))
            found[SAYINGS] = self.episodes.sayings.of_instance(columns)
        buffer_m = self.plan.rule.area_buffer_m
        if buffer_m is not None:
            ring = hull(stations.lat[members], stations.lon[members], max(buffer_m, 1.0))
            found["area"] = {"type": "Polygon", "coordinates": [ring]}
        return found

    def write(self, told: Told) -> Message:
        """Write a warning about a cluster."""
        return self.episodes.warning(told, self.subject(int(told.change["row"])))

    def subject(self, row: int) -> Subject:
        """The cluster under its name, at the site of the station that triggered first."""
        sites = self.catalogue.sites
        seed = int(self.stations.seed[row])
        site = int(self.stations.site[seed])
        lat, lon = self.stations.middle(row)
        return Subject(
            sensor=self.key(row),
            site=sites.name[site],
            site_texts={"zh": sites.name_zh[site], "en": sites.name_en[site]},
            division=sites.division[site],
            lat=round(lat, 5),
            lon=round(lon, 5),
            attributes={
                "site": sites.attributes[site],
                "sensor": {},
                "cluster": {"name": self.key(row)},
            },
        )

    def key(self, row: int) -> str:
        """When it was born, and where: the same on every replay."""
        seconds, rest_ns = divmod(int(self.stations.born_ns[row]), NS_PER_S)
        born = datetime.fromtimestamp(seconds, tz=UTC)
        name = self.catalogue.sensors.name[int(self.stations.sensor[self.stations.seed[row]])]
        return f"{born:%Y%m%dT%H%M%S}.{rest_ns // 1_000_000:03d}Z {name}"

    def network_of(self, station: int) -> str:
        """The network of a station: its attribute `network`; one for all without it."""
        return text_of(self.catalogue, "network", int(self.stations.sensor[station])) or ""

    def _evidence(self, members: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[Body]:
        stations = self.stations
        shaking = stations.truth[stations.trigger, members] == TRUE
        in_order = members[np.lexsort((members, ~shaking))][:EVIDENCE_MAX]
        return [
            {
                "sensor": self.catalogue.sensors.name[int(stations.sensor[station])],
                "time": int(stations.hit_ns[station]),
                "value": float(stations.value[stations.trigger, station]),
                "quality": 0,
            }
            for station in in_order.tolist()
        ]

    def _reasons(self, row: int, grade: int) -> set[str]:
        found = next((one for one in self.plan.grades if one.grade == grade), None)
        if found is None:
            return set()
        columns = ClusterRows(self.stations, np.array([row], dtype=np.int64))

        def truth_of(node: Node) -> bool | None:
            truth = intervals.truth(node, columns)
            return None if truth.unknown[0] else bool(truth.true[0])

        return reasons(found.when, self.plan.rule.lets, truth_of)
