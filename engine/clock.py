"""Clock: what time it is at each site of a shard, and which readings came too late.

Enters     readings and the instant at which their frame was received; ticks of the journal
Leaves     an outcome, a ring slot and a horizon for each reading; the clock of each site
Remembers  the greatest event time of each link, when it last moved, the clock of each site
Refuses    nothing: a late reading is counted, kept in the journal, and left out of the panes

A site waits for its slowest gateway, but not for ever: one that has been silent for longer than
`silence_ns` no longer holds the others back, or a single dead gateway would silence a whole
valley.  When all of them are silent, the journaled ticks move the clock, so that timers end and
silence itself can be judged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries, Readings, Series
from engine.layout import Layout
from kernels import stage

NEVER = stage.NEVER


@dataclass(slots=True)
class Closing:
    """One pane that some sites close together.

    stop       the panes before this one may be left out where no rule would notice; `pane + 1`
               where none may
    next_pane  what the caller wants closed next
    """

    pane: int
    sites: NDArray[np.intp]
    stop: int
    next_pane: int


class Clock:
    """The time of the sites of one shard."""

    __slots__ = (
        "bank",
        "card",
        "clock_ns",
        "future_max_ns",
        "heard_ns",
        "layout",
        "link",
        "next_pane",
        "silence_ns",
        "site_links",
        "start_ns",
    )

    def __init__(
        self,
        layout: Layout,
        card: NDArray[np.void],
        bank: NDArray[np.void],
        *,
        silence_ns: int,
        future_max_ns: int,
    ) -> None:
        site_count = layout.site.size
        self.layout = layout
        self.card = card
        self.bank = bank
        self.silence_ns = silence_ns
        self.future_max_ns = future_max_ns
        self.link = np.zeros(layout.link_site.size, dtype=stage.LINK)
        self.link["time_ns"] = NEVER
        self.heard_ns = np.full(layout.link_site.size, NEVER, dtype=np.int64)
        self.site_links = layout.site_links.astype(np.int32)
        self.clock_ns = np.full(site_count, NEVER, dtype=np.int64)
        self.start_ns = np.full(site_count, NEVER, dtype=np.int64)
        self.next_pane = np.full((bank.size, site_count), NEVER, dtype=np.int64)

    def admit(self, item: Readings | Series) -> Iterator[Admitted | AdmittedSeries]:
        """Give each reading an outcome and a place.

        Yields the readings in pieces: after each but the last, the caller closes the panes that
        are ready and thereby makes room in the rings for the next.
        """
        if isinstance(item, Readings):
            yield from self._admit_readings(item)
        else:
            yield from self._admit_series(item)

    def _admit_readings(self, readings: Readings) -> Iterator[Admitted]:
        size = readings.sensor.size
        latest_ns = np.full(size, readings.received_ns + self.future_max_ns, dtype=np.int64)
        outcome = np.empty(size, dtype=np.uint8)
        slot = np.empty(size, dtype=np.int64)
        moment = np.empty(size, dtype=np.uint32)
        horizon_ns = np.empty(size, dtype=np.int64)
        start = 0
        while start < size:
            before_ns = self.link["time_ns"].copy()
            stop = stage.admit(
                *(readings.sensor, readings.time_ns, latest_ns, readings.value, readings.quality),
                *(start, self.card, self.bank, self.link, self.site_links),
                *(self.clock_ns, self.next_pane, outcome, slot, moment, horizon_ns),
            )
            self._hear(before_ns, readings.received_ns)
            piece = slice(start, stop)
            yield Admitted(
                *(readings.sensor[piece], readings.time_ns[piece], readings.value[piece]),
                outcome=outcome[piece],
                slot=slot[piece],
                moment=moment[piece],
                horizon_ns=horizon_ns[piece],
                is_last=stop == size,
            )
            start = stop

    def _admit_series(self, series: Series) -> Iterator[AdmittedSeries]:
        size, samples = series.value.shape
        latest_ns = series.received_ns + self.future_max_ns
        outcome = np.empty((size, samples), dtype=np.uint8)
        first, clock_from_ns, clock_to_ns = np.empty((3, size), dtype=np.int64)
        lateness_ns = self.bank["lateness_ns"][self.card["bank"][series.sensor]]
        start = 0
        while start < samples:
            before_ns = self.link["time_ns"].copy()
            stop = stage.admit_series(
                *(series.sensor, series.t0_ns, series.period_ns, samples, start, latest_ns),
                *(self.card, self.bank, self.link, self.site_links, self.clock_ns),
                *(self.next_pane, first, clock_from_ns, clock_to_ns),
            )
            self._hear(before_ns, series.received_ns)
            tally = np.zeros((size, stage.OUTCOMES), dtype=np.int64)
            stage.examine_series(
                *(series.sensor, series.t0_ns, series.period_ns, start, stop, latest_ns),
                *(series.value, series.quality, self.card, first, outcome, tally),
            )
            yield AdmittedSeries(
                *(series.sensor, series.t0_ns, series.period_ns, start, stop),
                *(series.value, outcome, tally, first.copy(), latest_ns),
                *(clock_from_ns.copy(), clock_to_ns.copy()),
                lateness_ns=lateness_ns,
                is_last=stop == samples,
            )
            start = stop

    def _hear(self, before_ns: NDArray[np.int64], received_ns: int) -> None:
        moved = before_ns != self.link["time_ns"]
        self.heard_ns[moved] = received_ns
        fresh = (self.start_ns == NEVER) & (self.clock_ns != NEVER)
        self.start_ns[fresh] = self.clock_ns[fresh]

    def tick(self, now_ns: int) -> None:
        """The engine's wall clock, as the journal tells it, once a second."""
        self.heard_ns[self.heard_ns == NEVER] = now_ns
        self.link["live"] = now_ns - self.heard_ns <= self.silence_ns
        stage.settle(self.link, self.site_links, self.clock_ns)
        live = np.zeros(self.clock_ns.size, dtype=bool)
        np.logical_or.at(live, self.layout.link_site, self.link["live"].astype(bool))
        self.clock_ns[~live] = np.maximum(self.clock_ns[~live], now_ns)
        self.begin_watch()
        self._hear(self.link["time_ns"], now_ns)

    def begin_watch(self) -> None:
        """Sites that have a clock close panes of every bank from it on, if they do not yet."""
        for bank, next_pane in zip(self.bank, self.next_pane, strict=True):
            unset = (self.clock_ns != NEVER) & (next_pane == NEVER)
            open_ns = self.clock_ns[unset] - bank["lateness_ns"] - 1
            next_pane[unset] = open_ns // bank["pane_ns"]

    def close_ready(
        self, bank: int, jump: int | None, is_at_rest: Callable[[int], bool], *, is_ageing: bool
    ) -> Iterator[Closing]:
        """Panes of a bank that are complete, oldest first, each with the sites that close it.

        The clock has passed their end by more than the lateness; they count as closed once the
        caller asks for the next.  After `jump` empty panes in a row every window is empty and
        stays so; a site that slept for a month need not be walked through it second by second
        once it is at rest: nothing there waits for a time to come.  Where rules look at ages, such
        sites come by themselves, and the caller says up to which pane nothing will change.
        """
        pane_ns, lateness_ns = int(self.bank[bank]["pane_ns"]), int(self.bank[bank]["lateness_ns"])
        slots = int(self.bank[bank]["slots"])
        next_pane = self.next_pane[bank]
        rows = self.layout.site_rows[bank]
        seen = (self.clock_ns != NEVER) & (rows[1:] > rows[:-1])
        # Pane p is closed when (p + 1) * pane + lateness < clock.
        complete = np.where(seen, (self.clock_ns - lateness_ns - 1) // pane_ns, NEVER)
        begun = next_pane.copy()
        while True:
            ready = seen & (next_pane < complete)
            if not ready.any():
                return
            pane = int(next_pane[ready].min())
            sites = np.flatnonzero(ready & (next_pane == pane))
            is_asleep = np.zeros(sites.size, dtype=bool)
            if jump is not None:
                # The rings hold nothing beyond the panes that were open when this began.
                empty = np.flatnonzero(pane >= begun[sites] + slots + jump)
                is_asleep[empty] = [is_at_rest(int(site)) for site in sites[empty]]
            asleep, awake = sites[is_asleep], sites[~is_asleep]
            if not is_ageing:
                next_pane[asleep] = complete[asleep]
            elif asleep.size:
                closing = Closing(pane, asleep, int(complete[asleep].max()), pane + 1)
                yield closing
                # The last pane is closed by all, so that the newest values are those of walking.
                next_pane[asleep] = np.clip(closing.next_pane, pane + 1, complete[asleep] - 1)
                next_pane[asleep] = np.maximum(next_pane[asleep], pane + 1)
            if awake.size:
                yield Closing(pane, awake, pane + 1, pane + 1)
                next_pane[awake] = pane + 1

    def horizon_ns(self, bank: int) -> NDArray[np.int64]:
        """Up to where time is complete for the sensors of a bank: int64[k], NEVER where none."""
        lateness_ns = int(self.bank[bank]["lateness_ns"])
        return np.maximum(self.clock_ns - lateness_ns, NEVER)

    def time_of(self, site: int) -> int:
        """The clock of a site of the catalogue; NEVER where it has not begun, or lies elsewhere."""
        at = int(np.searchsorted(self.layout.site, site))
        is_mine = at < self.layout.site.size and self.layout.site[at] == site
        return int(self.clock_ns[at]) if is_mine else NEVER

    def latest_ns(self) -> int:
        """The clock of the site that is furthest; NEVER where none has begun."""
        return int(self.clock_ns.max(initial=NEVER))

    def held(self) -> list[tuple[int, int, int]]:
        """Sites that wait: numbers of site and slowest live gateway, and how far ahead of the
        site's clock the newest reading of any of its gateways is, in ns."""
        link, starts = self.link.copy(), self.site_links[:-1]
        latest_ns = np.maximum.reduceat(link["time_ns"], starts)
        ahead_ns = np.where(self.clock_ns == NEVER, 0, latest_ns - self.clock_ns)
        found = []
        for row in np.flatnonzero(ahead_ns > 0):
            links = np.arange(self.site_links[row], self.site_links[row + 1])
            waited = links[link["live"][links] == 1]
            if waited.size:
                slowest = waited[np.argmin(link["time_ns"][waited])]
                gateway = int(self.layout.link_gateway[slowest])
                found.append((int(self.layout.site[row]), gateway, int(ahead_ns[row])))
        return found

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot; the arrays themselves, not copies."""
        return {
            "clock/link": self.link,
            "clock/heard_ns": self.heard_ns,
            "clock/clock_ns": self.clock_ns,
            "clock/start_ns": self.start_ns,
            "clock/next_pane": self.next_pane,
        }
