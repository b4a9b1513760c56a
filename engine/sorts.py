"""Sorts: what the plan must know of each sensor type of a catalogue."""

import numpy as np

from engine.registry import Catalogue
from rules.needs import Sort


def sorts_of(catalogue: Catalogue) -> list[Sort]:
    """One sort for each sensor type, in the catalogue's order."""
    sensors = catalogue.sensors
    pairs = np.unique(sensors.site.astype(np.int64) << 32 | sensors.gateway)
    gateways_of_site = np.bincount(pairs >> 32, minlength=len(catalogue.sites.name))
    sorts = []
    for number, kind in enumerate(catalogue.types):
        mine = np.flatnonzero(sensors.type == number)
        periods = sensors.period_ns[mine]
        periods = periods[periods > 0]
        sites = np.unique(sensors.site[mine])
        sorts.append(
            Sort(
                name=kind.name,
                unit=kind.unit,
                kind=kind.kind,
                lateness_ns=kind.lateness_ns,
                pane_ns=kind.pane_ns,
                precision=kind.precision,
                period_ns=int(periods.min()) if periods.size else kind.period_ns or 0,
                sensor_count=mine.size,
                links_max=int(gateways_of_site[sites].max()) if sites.size else 0,
            )
        )
    return sorts
