"""Links of points: what a rule says of single sensors must be there, and fit together for each.

Required attributes, thresholds of the catalogue that must rise with the grade, and overrides that
contradict each other for one sensor: each is found before the first frame, and names its sensors.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from engine.registry import Catalogue
from rules import expression as ex
from rules.errors import Fault
from rules.linking import unknown_packs
from rules.overriding import variants
from rules.pack import Book, Rule
from rules.points import lack_notes, point_faults, sensor_notes


def point_link_faults(book: Book, catalogue: Catalogue, today: str) -> list[Fault]:
    """Return what rules ask of single points and the catalogue does not give; and lost packs.

    `today` is an ISO day, empty where every override is taken to hold.
    """
    faults = unknown_packs(book.packs)
    for rule in book.rules:
        if rule.mode == "disabled":
            continue
        wanted = _wanted(rule)
        if not wanted:
            continue
        points = points_of(rule, catalogue, wanted)
        faults += point_faults(rule, points)
        faults += variants(rule, points, today=today)[2] if rule.overrides else []
    return faults


def point_notes(book: Book, catalogue: Catalogue) -> list[Fault]:
    """Return what is no fault, and worth a look: types without sensors, points without a value."""
    rules = [rule for rule in book.rules if rule.mode != "disabled"]
    names = [sensor_type.name for sensor_type in catalogue.types]
    counts = np.bincount(catalogue.sensors.type, minlength=len(names)).tolist()
    notes = sensor_notes(rules, dict(zip(names, counts, strict=True)))
    for rule in rules:
        used = {attribute.name for top in rule.conditions for attribute in ex.attributes(top)}
        if used:
            notes += lack_notes(rule, points_of(rule, catalogue, used))
    return notes


def _wanted(rule: Rule) -> set[str]:
    """The attributes that single points are asked for; none where a rule asks nothing of them."""
    matched = {key for override in rule.overrides for key in override.match}
    entries = rule.ladder.enter.values() if rule.ladder is not None else ()
    tops: Iterable[ex.Node] = rule.conditions if rule.monotone else entries
    used = {attribute.name for top in tops for attribute in ex.attributes(top)}
    return {*matched, *used, *rule.require_assets}


def points_of(rule: Rule, catalogue: Catalogue, wanted: Iterable[str]) -> list[dict[str, str]]:
    """Return the texts of each sensor that a rule is about: its own, and those of its site."""
    types = {source.type for source in rule.inputs.values()}
    numbers = [at for at, known in enumerate(catalogue.types) if types & {known.name, "*"}]
    sensors, sites = catalogue.sensors, catalogue.sites
    names = {*wanted, *rule.by} - {"sensor", "site"}
    points: list[dict[str, str]] = []
    for number in np.flatnonzero(np.isin(sensors.type, numbers)).tolist():
        site = int(sensors.site[number])
        home: Mapping[str, str] = sites.attributes[site]
        point = {"sensor": sensors.name[number], "site": sites.name[site]}
        for name in names:
            own = sensors.attributes.get(name)
            text = (own[number] if own is not None else None) or home.get(name)
            if text:
                point[name] = text
        points.append(point)
    return points
