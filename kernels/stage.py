"""Which readings count, and where do they belong? The clock of a site moves here.

Every reading gets an outcome, and every reading that is neither late nor far from the present gets
a place: the ring slot of its sensor and pane, and its moment in that pane. One reading after the
other in order of arrival, so that the cuts between frames cannot matter.

Pane p of length L holds the times in (p L, (p + 1) L]. A site's clock is the least of the greatest
event times of its live links (a link is a gateway at a site) and never goes back. A pane is closed
once the clock is beyond its end plus the lateness; a reading of a closed pane is late.
"""

import numpy as np

from kernels.jit import kernel, prefetch

FOLDED, LATE, NAN, INFINITE, OVER, UNDER, FUTURE, QUALITY, ANCIENT = range(9)
OUTCOMES = 9

# Quality codes of the wire that say more than "not good".
SUSPECT_RANGE = 1
MISSING = 4

# No time yet, no pane yet. Far from the edge of int64, so that a lateness can be taken away.
NEVER = -(1 << 62)

# The square of a larger value is infinite, and would spoil the sums of its pane.
HUGE = 1e150

# A bound beyond this is none: what does not fit into the float32 of a bank, 3.4028e38 at most, is
# nonsense there, but no proof of danger.
BOUNDLESS = 3.4e38

# A miss of memory takes 120 to 300 ns: 32 readings of 4 to 9 ns. At a million sensors a line is
# folded in 9 ns with the fetch ahead, in 35 without; 16 ahead gives 13, 24 gives 10.
AHEAD = 32

# One sensor. row: its place among the sensors of its bank (all sensors of one type in the shard).
# low, high: the physical range, -inf and +inf where there is none; for a bank that keeps float32,
# never beyond what float32 holds.
CARD = np.dtype(
    {
        "names": ["low", "high", "row", "link", "site", "bank"],
        "formats": ["f8", "f8", "u4", "u4", "u4", "u2"],
        "offsets": [0, 8, 16, 20, 24, 28],
        "itemsize": 32,
    },
    align=True,
)

# One bank. slots: panes in its ring, a power of two, slots * pane_ns >= lateness_ns + 2 * pane_ns.
# first_slot: where the ring of row 0 begins. step_ns: the unit of a moment (see panes.step_ns).
BANK = np.dtype(
    [
        ("pane_ns", "i8"),
        ("lateness_ns", "i8"),
        ("slots", "i8"),
        ("first_slot", "i8"),
        ("step_ns", "i8"),
    ],
    align=True,
)

# One link. time_ns: the greatest event time seen, NEVER at first. live: whether its site waits.
LINK = np.dtype({"names": ["time_ns", "live"], "formats": ["i8", "u1"], "itemsize": 16}, align=True)


@kernel
def verdict(x, quality, low, high):
    """Outcome of one value, lateness aside; a value is compared in its own precision."""
    if quality == 0 and low <= x <= high and abs(x) <= HUGE:
        return FOLDED
    if np.isnan(x) or quality == MISSING:
        return NAN
    if np.isinf(x):
        return INFINITE
    if quality in (0, SUSPECT_RANGE):
        if x > high and high < BOUNDLESS:
            return OVER
        if x < low and low > -BOUNDLESS:
            return UNDER
    return INFINITE if quality == 0 else QUALITY


@kernel
def settle(link, site_links, clock_ns):
    """Bring the clocks up to date after links fell silent or came back.

    link        LINK[l]      links of site k: site_links[k] to site_links[k + 1]
    site_links  int32[k+1]
    clock_ns    int64[k]     clocks of the sites                                    (in place)

    A site without a live link keeps its clock; a live link without a time stops it.
    """
    for site in range(clock_ns.size):
        least = NEVER
        waits = False
        for one in range(site_links[site], site_links[site + 1]):
            if link[one].live:
                t = link[one].time_ns
                least = min(least, t) if waits else t
                waits = True
        clock_ns[site] = max(clock_ns[site], least)


@kernel
def admit(
    sensor,
    time_ns,
    latest_ns,
    value,
    quality,
    start,
    card,
    bank,
    link,
    site_links,
    clock_ns,
    next_pane,
    outcome,
    slot,
    moment,
    horizon_ns,
):
    """Give readings their outcome and place; return how many were consumed.

    sensor      int32[n]     dense index of the sensor
    time_ns     int64[n]     event time
    latest_ns   int64[n]     time beyond which the reading is not believed: received + allowance
    value       float[n]     float32 or float64
    quality     uint8[n]     wire codes 0 to 9, or uint8[0]: all good
    card        CARD[s]
    bank        BANK[b]
    link        LINK[l]      a link that brings a reading becomes live               (in place)
    site_links  int32[k+1]   links of site k: site_links[k] to site_links[k + 1]
    clock_ns    int64[k]     clock of each site, NEVER at first                      (in place)
    next_pane   int64[b, k]  oldest pane not yet closed by the caller, NEVER at first (in place);
                             set for all banks of a site with its first clock
    outcome     uint8[n]     what became of the reading                              (out)
    slot        int64[n]     first_slot + row * slots + pane % slots; -1: no place   (out)
    moment      uint32[n]    time since the pane's start in steps of the bank        (out)
    horizon_ns  int64[n]     clock of the site less the bank's lateness, after it    (out)

    Readings start, start + 1, ... are done. Ends before a reading whose pane does not fit into
    the ring yet, its time already in the clock: the caller closes what the clock allows, sets
    next_pane, and calls again. A site waits no longer than its ring is long: if the clock alone
    would not free the slot, the reading pulls it. ANCIENT and FUTURE readings move no clock.
    A bad value is told before lateness; late readings, good or bad, have slot -1.
    """
    n = sensor.size
    graded = quality.size > 0
    last = np.uint64(n - 1)
    # Unsigned indices: for signed ones Numba adds a test for counting from the end.
    for i in range(np.uint64(start), np.uint64(n)):
        prefetch(card, sensor[min(i + np.uint64(AHEAD), last)])
        mine = card[np.uint32(sensor[i])]
        group = bank[mine.bank]
        site = mine.site
        t = time_ns[i]
        if t <= 0 or t > latest_ns[i]:
            outcome[i] = ANCIENT if t <= 0 else FUTURE
            slot[i] = -1
            moment[i] = 0
            horizon_ns[i] = max(clock_ns[site] - group.lateness_ns, NEVER)
            continue
        link[mine.link].live = 1
        clock = max(t, link[mine.link].time_ns)
        link[mine.link].time_ns = clock
        first, beyond = site_links[site], site_links[np.uint64(site) + np.uint64(1)]
        # The first test is always predicted: most sites have one link. In place, not in a kernel
        # of its own: to hand over an array costs 5 ns for each call.
        if beyond - first > 1 and clock > clock_ns[site]:
            for other in range(np.uint64(first), np.uint64(beyond)):
                if link[other].live:
                    clock = min(clock, link[other].time_ns)
            if clock_ns[site] == NEVER:
                begin_watch(clock, site, bank, next_pane)
        clock = max(clock, clock_ns[site])
        clock_ns[site] = clock
        oldest = next_pane[mine.bank, site]
        if oldest == NEVER:
            oldest = oldest_open(clock, t, group.lateness_ns, group.pane_ns)
            next_pane[mine.bank, site] = oldest
            begin_watch(clock, site, bank, next_pane)
        ahead, since = pane_after(oldest, t, group.pane_ns)
        x = value[i]
        grade = verdict(x, quality[i] if graded else 0, type(x)(mine.low), type(x)(mine.high))
        pane_end = (oldest + ahead + 1) * group.pane_ns
        if ahead < 0 or clock > pane_end + group.lateness_ns:
            outcome[i] = LATE if grade == FOLDED else grade
            slot[i] = -1
            moment[i] = 0
        elif ahead >= group.slots:
            freed = pane_end - group.slots * group.pane_ns + group.lateness_ns + 1
            if clock == NEVER:
                begin_watch(freed, site, bank, next_pane)
            clock_ns[site] = max(clock, freed)
            return np.int64(i)
        else:
            outcome[i] = grade
            place = (oldest + ahead) & (group.slots - 1)
            slot[i] = group.first_slot + mine.row * group.slots + place
            moment[i] = int(since / group.step_ns)
        horizon_ns[i] = max(clock - group.lateness_ns, NEVER)
    return np.int64(n)


@kernel
def begin_watch(clock, site, bank, next_pane):
    """From its first clock on, a site closes panes of every bank, also of one that is silent.

    Begun with the first reading of the bank instead, or when the caller happens to look, the
    silence before it would depend on how readings are cut into frames.
    """
    if clock > NEVER:
        for b in range(bank.size):
            if next_pane[b, site] == NEVER:
                lateness_ns, pane_ns = bank[b].lateness_ns, bank[b].pane_ns
                next_pane[b, site] = oldest_open(clock, clock, lateness_ns, pane_ns)


@kernel
def oldest_open(clock, t, lateness_ns, pane_ns):
    """Oldest pane that the clock leaves open; without a clock, the oldest that t could wait for."""
    seen = t if clock == NEVER else clock
    return (seen - lateness_ns - 1) // pane_ns


@kernel
def pane_after(oldest, t, pane_ns):
    """How many panes after `oldest` time t lies, and how far from its pane's start (1 to L).

    By a division of floats, mended by one step: that of int64 takes three times as long.
    """
    since = t - 1 - oldest * pane_ns
    ahead = int(np.floor(since / pane_ns))
    rest = since - ahead * pane_ns
    if rest < 0:
        ahead -= 1
        rest += pane_ns
    elif rest >= pane_ns:
        ahead += 1
        rest -= pane_ns
    return ahead, rest + 1


@kernel
def first_after(limit_ns, t0_ns, period_ns):
    """The first sample of a series whose time is after the limit."""
    return 0 if t0_ns > limit_ns else (limit_ns - t0_ns) // period_ns + 1


@kernel
def admit_series(
    sensor,
    t0_ns,
    period_ns,
    samples,
    start,
    latest_ns,
    card,
    bank,
    link,
    site_links,
    clock_ns,
    next_pane,
    first_sample,
    clock_from_ns,
    clock_to_ns,
):
    """Admit a block of regular samples as `admit` would, sample by sample; return the stop.

    sensor         int32[n]     sensors of one gateway
    card ... next_pane          as in `admit`
    first_sample   int64[n]     samples from start to here are late                  (out)
    clock_from_ns  int64[n]     clock of the sensor's site before these samples      (out)
    clock_to_ns    int64[n]     and after them                                       (out)

    Samples start to stop of all sensors fit into the rings: examine and fold them, then close
    what the clock allows, and call again with start = stop until stop = samples. The clock after
    sample j is max(clock_from, min(t0 + j * period, clock_to)). Samples that are ancient or beyond
    latest_ns take part in nothing (examine_series tells them). A stop may equal its start: after a
    pull (see admit), which comes before all samples of its time.
    """
    begin = min(max(start, first_after(0, t0_ns, period_ns)), samples)
    known = min(max(begin, first_after(latest_ns, t0_ns, period_ns)), samples)
    for i in range(sensor.size):
        clock_from_ns[i] = clock_ns[card[sensor[i]].site]
        clock_to_ns[i] = clock_from_ns[i]
        first_sample[i] = start
    if begin == known:
        return samples
    t = t0_ns + begin * period_ns
    stop = known
    for i in range(sensor.size):
        mine = card[sensor[i]]
        group = bank[mine.bank]
        clock = touch(mine, t, bank, link, site_links, clock_ns, next_pane)
        oldest = next_pane[mine.bank, mine.site]
        if oldest == NEVER:
            oldest = oldest_open(clock, t, group.lateness_ns, group.pane_ns)
            next_pane[mine.bank, mine.site] = oldest
        if (t - 1) // group.pane_ns >= oldest + group.slots:
            freed = ((t - 1) // group.pane_ns - group.slots + 1) * group.pane_ns
            if clock == NEVER:
                begin_watch(freed + group.lateness_ns + 1, mine.site, bank, next_pane)
            clock_ns[mine.site] = max(clock, freed + group.lateness_ns + 1)
            return begin
        stop = min(stop, first_after((oldest + group.slots) * group.pane_ns, t0_ns, period_ns))
    for i in range(sensor.size):
        mine = card[sensor[i]]
        group = bank[mine.bank]
        oldest = next_pane[mine.bank, mine.site]
        if clock_from_ns[i] != NEVER:
            before = clock_from_ns[i]
            oldest = max(oldest, oldest_open(before, before, group.lateness_ns, group.pane_ns))
        late = first_after(oldest * group.pane_ns, t0_ns, period_ns)
        first_sample[i] = min(max(late, start), stop)
        until_ns = t0_ns + (stop - 1) * period_ns
        clock_to_ns[i] = touch(mine, until_ns, bank, link, site_links, clock_ns, next_pane)
    return samples if stop == known else stop


@kernel
def touch(mine, t, bank, link, site_links, clock_ns, next_pane):
    """Move the link of a sensor, and the clock of its site, to time t; return the clock."""
    link[mine.link].live = 1
    clock = max(t, link[mine.link].time_ns)
    link[mine.link].time_ns = clock
    for other in range(site_links[mine.site], site_links[mine.site + 1]):
        if link[other].live:
            clock = min(clock, link[other].time_ns)
    if clock_ns[mine.site] == NEVER:
        begin_watch(clock, mine.site, bank, next_pane)
    clock_ns[mine.site] = max(clock, clock_ns[mine.site])
    return clock_ns[mine.site]


@kernel
def examine_series(
    sensor,
    t0_ns,
    period_ns,
    start,
    stop,
    latest_ns,
    value,
    quality,
    card,
    first_sample,
    outcome,
    tally,
):
    """Give samples start to stop of a block their outcome, and count the outcomes.

    sensor        int32[n]
    value         float[n, m]   m samples of each sensor
    quality       uint8[n, m]   wire codes, or uint8[0, 0]: all good
    card          CARD[s]
    first_sample  int64[n]      from admit_series: those before it are late
    outcome       uint8[n, m]                                                        (out)
    tally         int64[n, 9]   outcomes of each sensor, counted on                  (in place)
    """
    ancient = min(max(start, first_after(0, t0_ns, period_ns)), stop)
    known = min(max(ancient, first_after(latest_ns, t0_ns, period_ns)), stop)
    graded = quality.size > 0
    for i in range(sensor.size):
        mine = card[sensor[i]]
        x, fate = value[i], outcome[i]
        low = type(x[0])(max(mine.low, -HUGE))
        high = type(x[0])(min(mine.high, HUGE))
        good = 0
        for j in range(start, stop):
            good += (x[j] >= low) & (x[j] <= high) & (abs(x[j]) < np.inf)
            fate[j] = FOLDED
        if graded:
            for j in range(start, stop):
                good -= quality[i, j] != 0
        if good == stop - start and first_sample[i] <= start and ancient == start and known == stop:
            tally[i, FOLDED] += good
            continue
        for j in range(start, stop):
            graded_as = quality[i, j] if graded else 0
            found = verdict(x[j], graded_as, type(x[0])(mine.low), type(x[0])(mine.high))
            if found == FOLDED and j < first_sample[i]:
                found = LATE
            if j < ancient or j >= known:
                found = ANCIENT if j < ancient else FUTURE
            fate[j] = found
            tally[i, found] += 1
