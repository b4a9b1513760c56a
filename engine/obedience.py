"""Obedience: which rows an operator's act is about, in one shard.

An act on a rule's warning goes to the desk of that rule; one on a site goes to every desk that
speaks for a sensor or an instance there.  What another shard owns is passed over in silence: every
act goes to all of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.acts import ON_SITES, Act
from engine.boards import InstanceBoard, SensorBoard
from engine.desk import Desk
from engine.episodes import Message
from engine.groups import Groups
from engine.registry import Catalogue

AnyDesk = Desk[SensorBoard] | Desk[InstanceBoard]


def obey(
    act: Act,
    *,
    desks: Mapping[tuple[int, str], Desk[SensorBoard]],
    groups: Mapping[str, Groups],
    time_of: Callable[[int], int | None],
    catalogue: Catalogue,
) -> Iterator[Message]:
    """Have desks obey an act.

    desks    by bank and rule
    groups   by rule
    time_of  what time it is at a site of the catalogue; None where others answer for it
    """
    for (_, name), desk in desks.items():
        if act.rule in ("", name):
            sensor = desk.rows.sensor
            for row in _sensor_rows(act, sensor, catalogue):
                site = int(catalogue.sensors.site[sensor[row]])
                yield from _hand_over(act, desk, row, time_of(site))
    for name, group in groups.items():
        if act.rule in ("", name):
            for row in _instance_rows(act, group, catalogue):
                site = int(group.state.placed.instances.home[row])
                yield from _hand_over(act, group.desk, row, time_of(site))


def _sensor_rows(act: Act, sensor: NDArray[np.int32], catalogue: Catalogue) -> Sequence[int]:
    if act.rule:
        names = catalogue.sensors.name
        return [row for row, number in enumerate(sensor.tolist()) if names[number] == act.key]
    site = _site(act, catalogue)
    rows: list[int] = np.flatnonzero(catalogue.sensors.site[sensor] == site).tolist()
    return rows


def _instance_rows(act: Act, group: Groups, catalogue: Catalogue) -> Sequence[int]:
    if act.rule:
        return [row for row, key in enumerate(group.state.placed.instances.key) if key == act.key]
    rows: list[int] = np.flatnonzero(
        group.state.placed.instances.home == _site(act, catalogue)
    ).tolist()
    return rows


def _site(act: Act, catalogue: Catalogue) -> int:
    assert act.what in ON_SITES
    names = catalogue.sites.name
    return names.index(act.key) if act.key in names else -1


def _hand_over(act: Act, desk: AnyDesk, row: int, now_ns: int | None) -> Iterator[Message]:
    if now_ns is None:
        return iter(())
    until_ns = now_ns + act.until_ns - act.time_ns if act.until_ns else 0
    return desk.act(row, act.what, now_ns, until_ns)
