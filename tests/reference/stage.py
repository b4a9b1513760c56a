"""What a reading's outcome is, said in dictionaries and without a ring."""

import math
from collections import namedtuple
from dataclasses import dataclass, field

from kernels.stage import ANCIENT, FOLDED, FUTURE, HUGE, INFINITE, LATE, NAN, OVER, QUALITY, UNDER

Bank = namedtuple("Bank", "pane_ns lateness_ns slots")
Sensor = namedtuple("Sensor", "bank site link low high")


@dataclass(slots=True)
class Stage:
    """The clocks of sites, from what their links have said; all links wait from the start."""

    banks: list[Bank]
    sensors: list[Sensor]
    links_of: dict[int, list[int]]
    seen: dict[int, int] = field(default_factory=dict)
    clock: dict[int, int] = field(default_factory=dict)
    oldest: dict[tuple[int, int], int] = field(default_factory=dict)

    def admit(self, number, t, latest, value, quality):
        """Give (outcome, pane or None, horizon or None) of the next reading to arrive."""
        sensor = self.sensors[number]
        bank, site = self.banks[sensor.bank], sensor.site
        if not 0 < t <= latest:
            return (ANCIENT if t <= 0 else FUTURE), None, self.horizon(bank, site)
        self.seen[sensor.link] = max(t, self.seen.get(sensor.link, t))
        if all(link in self.seen for link in self.links_of[site]):
            self.pull(site, min(self.seen[link] for link in self.links_of[site]))
        pane = (t - 1) // bank.pane_ns
        key = (sensor.bank, site)
        if key not in self.oldest:
            start = self.clock.get(site, t) - bank.lateness_ns
            self.oldest[key] = (start - 1) // bank.pane_ns
        says = judge(value, quality, sensor)
        if pane < self.oldest[key] or self.is_closed(bank, site, pane):
            return (LATE if says == FOLDED else says), None, self.horizon(bank, site)
        # A pane that needs the slot of an open one closes that one.
        if pane - bank.slots >= self.oldest[key]:
            self.pull(site, (pane - bank.slots + 1) * bank.pane_ns + bank.lateness_ns + 1)
        return says, pane, self.horizon(bank, site)

    def pull(self, site, t):
        """Move a clock, never back."""
        self.clock[site] = max(t, self.clock.get(site, t))

    def is_closed(self, bank, site, pane):
        """Is the clock beyond the pane's end and the lateness?"""
        wait_ns = (pane + 1) * bank.pane_ns + bank.lateness_ns
        return site in self.clock and self.clock[site] > wait_ns

    def horizon(self, bank, site):
        """Time up to which nothing new is expected."""
        return self.clock[site] - bank.lateness_ns if site in self.clock else None


def judge(value, quality, sensor):
    """Tell the outcome that value and quality ask for."""
    if math.isnan(value) or quality == 4:
        return NAN
    if math.isinf(value):
        return INFINITE
    if quality < 2 and not sensor.low <= value <= sensor.high:
        return OVER if value > sensor.high else UNDER
    if quality:
        return QUALITY
    return INFINITE if abs(value) > HUGE else FOLDED
