"""Correlate: the rules beyond one site, judged from what all shards report.

Enters     reports of shards: signals of members, grades of other rules, how far their clocks are
Leaves     warnings about instances that reach over sites, and about what other rules say together
Remembers  how far every site is known, and the standings of the instances
Refuses    nothing: what comes too late is counted, and holds from then on

A rule is judged after those that it follows, and an instance up to the instant that all sites it
depends on have passed; so nothing depends on which shard was first, or on how many there are.  A
site whose clock has not begun holds its instances back; one that falls silent is carried along by
the ticks, as in its shard.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.acts import Act
from engine.clusters import Clusters
from engine.episodes import Message
from engine.grades import GradeTable
from engine.groups import Groups
from engine.meters import Meters
from engine.obedience import obey
from engine.parties import Parties
from engine.placement import KNOWN_KINDS, Placed
from engine.quorum import Report
from engine.registry import Catalogue
from kernels.stage import NEVER

Columns = Mapping[str, NDArray[np.generic]]


class Correlate:
    """All rules that need more than one shard, or other rules."""

    __slots__ = (
        *("catalogue", "clusters", "followers", "groups", "judged", "known_ns", "parties"),
    )

    def __init__(
        self,
        placed: Sequence[Placed],
        catalogue: Catalogue,
        *,
        hazards: Mapping[str, str],
        status: str,
        meters: Meters,
    ) -> None:
        """placed: the followed rules before those that follow them."""
        shape = (KNOWN_KINDS, len(catalogue.types), len(catalogue.sites.name))
        self.catalogue = catalogue
        self.known_ns = np.full(shape, NEVER, dtype=np.int64)
        far = [one for one in placed if not one.is_local]
        self.groups = {
            one.group.name: Groups(one, catalogue, status=status, meters=meters, hazards=hazards)
            for one in far
            if one.group.plan.rule.cluster is None
        }
        self.clusters = {
            one.group.name: Clusters(one, catalogue, status=status, meters=meters)
            for one in far
            if one.group.plan.rule.cluster is not None
        }
        # The followed before those that follow them.
        self.judged: dict[str, Groups | Clusters] = {
            one.group.name: self.clusters.get(one.group.name) or self.groups[one.group.name]
            for one in far
        }
        for groups in self.groups.values():
            # Acts and changes are taken in the order of their instants, whichever shard is first.
            groups.desk.is_held = True
        self.parties = Parties((), {}, self.groups, clock=None, catalogue=catalogue)
        self.followers: dict[str, list[Groups]] = {}
        for groups in self.groups.values():
            for rule in dict.fromkeys(f.what.rule for f in groups.placed.followings):
                self.followers.setdefault(rule, []).append(groups)

    def advance(self, reports: Sequence[Report]) -> list[Message]:
        """Take reports in the order in which each shard made them; return what is said."""
        for report in reports:
            for table in report.tables:
                self.judged[table.group].take(table)
            for grades in report.grades:
                self._pass_on(grades)
            for act, clock_ns in report.acts:
                self._hear(act, dict(zip(report.site.tolist(), clock_ns.tolist(), strict=True)))
            report.known(report.known_ns, self.known_ns)
        return list(self._judge())

    def _hear(self, act: Act, clocks_ns: Mapping[int, int]) -> None:
        """An act waits until its instant is known everywhere; its home's own shard says when."""
        said = obey(
            act,
            desks={},
            groups=self.groups,
            time_of=clocks_ns.get,
            catalogue=self.catalogue,
        )
        assert not list(said), "a desk beyond the shards waits"

    def _judge(self) -> Iterator[Message]:
        for judged in self.judged.values():
            yield from judged.judge(self.known_ns)
            for table in judged.graded():
                self._pass_on(table)
        for clusters in self.clusters.values():
            yield from clusters.speak()
        yield from self.parties.speak()

    def _pass_on(self, table: GradeTable) -> None:
        for follower in self.followers.get(table.rule, ()):
            follower.follow(table)

    def columns(self) -> Columns:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        found: dict[str, NDArray[np.generic]] = {"known_ns": self.known_ns}
        for judged in self.judged.values():
            found |= judged.columns()
        return found

    def restore(self, saved: Columns) -> None:
        """Take over what was remembered under the same catalogue and rules."""
        assert saved["known_ns"].shape == self.known_ns.shape
        self.known_ns[...] = saved["known_ns"]
        for judged in self.judged.values():
            judged.restore(saved)
