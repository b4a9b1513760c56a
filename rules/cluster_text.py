"""Cluster: stations that trigger together, read from a rule.

    cluster:
      of: sta
      when: stalta(0.5s, 10s) >= 4 and pga(1s) >= 2 cm/s^2
      radius: 60 km
      within: 12s
      members: 4
      moveout: 3 km/s .. 8.5 km/s
      exclude: {same_site: true, same_network_glitch: 80%}
      key: cluster
      linger: 60s

`when` is asked of each station by itself.
"""

from dataclasses import dataclass

from rules.checking import Checker
from rules.drafts import Draft
from rules.errors import Faults, did_you_mean
from rules.fields import Fields, amount_of, share_of
from rules.pack import Cluster
from rules.policy_text import part_of, positive
from rules.vocabulary import CLUSTER, EXCLUDE
from rules.yaml_text import TextNode

MEMBERS_MIN = 2
EXAMPLE = "cluster: {of: sta, when: …, radius: 60 km, within: 12s, members: 4}"


@dataclass(slots=True)
class ClusterDraft:
    """A cluster between reading and building."""

    of: str
    when: Draft | None
    radius_m: float | None
    within_ns: int | None
    members: int | None
    moveout_m_s: tuple[float, float] | None
    excludes_same_site: bool
    glitch_share: float | None
    linger_ns: int


def draft_cluster(rule: Fields, checker: Checker) -> ClusterDraft | None:
    """Read a cluster; None where the rule has none."""
    faults = rule.faults
    fields = Fields.open(rule.node_of("cluster"), CLUSTER, faults)
    if fields is None:
        return None
    fields.needs("of", "when", "radius", "within", "members", remedy=EXAMPLE)
    fields.word("key", ("cluster",))
    of, radius = fields.text("of"), fields.text("radius")
    if of is not None and of.text not in checker.inputs:
        message = f"`of: {of.text}` names no input of this rule"
        remedy = did_you_mean(of.text, checker.inputs)
        faults.add("E312", of.place, message, remedy=remedy)
    elif of is not None and of.text not in checker.many:
        message = f"`{of.text}` is one sensor, and a cluster is made of many"
        faults.add("E312", of.place, message, remedy=f"write `{of.text}: {{…, many: true}}`")
    when = fields.text("when")
    moveout = fields.text("moveout")
    exclude = Fields.open(fields.node_of("exclude"), EXCLUDE, faults)
    glitch = exclude.text("same_network_glitch") if exclude else None
    return ClusterDraft(
        of=of.text if of else "",
        when=_of_one_station(when, of, checker),
        radius_m=amount_of(radius, "m", faults) if radius else None,
        within_ns=positive(fields, "within"),
        members=fields.count("members", MEMBERS_MIN),
        moveout_m_s=_speeds(moveout, faults) if moveout else None,
        excludes_same_site=exclude.truth("same_site", False) if exclude else False,
        glitch_share=share_of(glitch, "same_network_glitch", faults) if glitch else None,
        linger_ns=fields.duration("linger") or 0,
    )


def _of_one_station(when: TextNode | None, of: TextNode | None, checker: Checker) -> Draft | None:
    """The condition of one station."""
    if when is None or of is None or of.text not in checker.inputs:
        return None
    return checker.condition_of(when, of.text)


def _speeds(node: TextNode, faults: Faults) -> tuple[float, float] | None:
    """`3 km/s .. 8.5 km/s` in m/s; the slower first. None after a fault."""
    low_text, dots, high_text = node.text.partition("..")
    if not dots or not low_text.strip() or not high_text.strip():
        message = f"`moveout: {node.text}` is not a range of speeds"
        faults.add("E312", node.place, message, remedy="write `moveout: 3 km/s .. 8.5 km/s`")
        return None
    high_unit = high_text.strip().lstrip("0123456789.eE+- ").strip()
    low = amount_of(part_of(node, low_text.strip()), "m/s", faults, default=high_unit)
    high = amount_of(part_of(node, high_text.strip()), "m/s", faults)
    if low is None or high is None:
        return None
    if not 0 < low < high:
        message = f"`moveout: {node.text}`: the slower speed comes first, and both exceed nothing"
        faults.add("E312", node.place, message, remedy="write `moveout: 3 km/s .. 8.5 km/s`")
        return None
    return low, high


def build_cluster(draft: ClusterDraft, checker: Checker) -> Cluster:
    """Make the nodes of a cluster without faults."""
    assert draft.when is not None
    assert draft.radius_m is not None
    assert draft.within_ns is not None
    assert draft.members is not None
    return Cluster(
        of=draft.of,
        when=checker.built(draft.when),
        radius_m=draft.radius_m,
        within_ns=draft.within_ns,
        members=draft.members,
        moveout_m_s=draft.moveout_m_s,
        excludes_same_site=draft.excludes_same_site,
        glitch_share=draft.glitch_share,
        linger_ns=draft.linger_ns,
    )
