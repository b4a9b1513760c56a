"""What happened in one slice of time? Readings fold into one line per sensor and open pane.

A line is one or two cache lines that hold all of a pane's statistics; a reading costs one miss.
The lines of a sensor are a ring of `slots` panes, so a reading that is late within the lateness is
only another line, and nothing is copied when a pane closes.

Sums are of differences from the line's first reading: a shift carried over from an earlier pane
would lose all digits after a jump of level. Times are integers, in steps of the bank since the
start of the pane, and are summed from the time of the first reading for the same reason. When an
older reading comes, the sums are shifted to it. Nothing is ever subtracted because it leaves.

Order of arrival changes neither count, first, last, low nor high: of readings in the same step
the smallest counts as the first and the greatest as the last.
"""

import numpy as np

from kernels.jit import kernel, prefetch

# As in kernels/stage.py: a kernel file imports no other.
FOLDED = 0

# As in kernels/stage.py.
AHEAD = 32

# A series of 100 samples takes 200 ns, as long as a miss: its card 8 series ahead, its line 4.
SERIES_AHEAD = 4

# Whole numbers below 2 ** 53 are exact in float64; half of that, for the rounding of the test.
EXACT = 2.0**52

# 4 + 2 + 2 + 4 * 4 + 5 * 8 = 64 bytes, one cache line.
LINE32 = np.dtype(
    [
        *[("count", "u4"), ("first_t", "u2"), ("last_t", "u2")],
        *[("first", "f4"), ("last", "f4"), ("low", "f4"), ("high", "f4")],
        *[("s1", "f8"), ("s2", "f8"), ("st", "f8"), ("stt", "f8"), ("stv", "f8")],
    ],
    align=True,
)

# 3 * 4 + 4 of padding + 9 * 8 = 88 bytes, and 40 spare make two cache lines.
LINE64 = np.dtype(
    [
        *[("count", "u4"), ("first_t", "u4"), ("last_t", "u4"), ("first", "f8")],
        *[("s1", "f8"), ("s2", "f8"), ("st", "f8"), ("stt", "f8"), ("stv", "f8")],
        *[("last", "f8"), ("low", "f8"), ("high", "f8"), ("spare", "f8", 5)],
    ],
    align=True,
)

# Rows of the table that close_panes fills, and the groups that it may be asked for.
COUNT, MEAN, M2, LOW, HIGH, FIRST, LAST, FIRST_NS, LAST_NS, TMEAN, MT2, C = range(12)
PANE_ROWS = 12
MOMENTS, BOUNDS, ENDS, TREND = 1, 2, 4, 8


def step_ns(pane_ns: int, line: np.dtype[np.void]) -> int:
    """Choose the unit of time in a line: the least of 1, 2, 5, 10, ... ns that its fields hold.

    So times that people write (whole milliseconds in a pane of a minute) are kept exactly.
    """
    most = int(np.iinfo(line["first_t"]).max)
    power = 1
    while True:
        for digit in (1, 2, 5):
            if pane_ns <= digit * power * most:
                return digit * power
        power *= 10


@kernel
def shift_to(line, t, x):
    """Make (t, x), older than any reading of the line, its first reading."""
    count = np.float64(line.count)
    dx = np.float64(line.first) - np.float64(x)
    dt = np.float64(np.int64(line.first_t) - np.int64(t))
    line.stv += dx * line.st + dt * line.s1 + count * dx * dt
    line.s2 += 2.0 * dx * line.s1 + count * dx * dx
    line.stt += 2.0 * dt * line.st + count * dt * dt
    line.s1 += count * dx
    line.st += count * dt
    line.first = x
    line.first_t = t


@kernel
def open_line(line, t, x):
    """Begin a line with its first reading."""
    line.count = 1
    line.first_t = t
    line.last_t = t
    line.first = x
    line.last = x
    line.low = x
    line.high = x
    line.s1 = 0.0
    line.s2 = 0.0
    line.st = 0.0
    line.stt = 0.0
    line.stv = 0.0


@kernel
def fold_one(line, t, x):
    """Fold the reading x at moment t into a line.

    Lines are handed over as records: an array would be counted in and out with each call (10 ns).
    """
    if line.count == 0:
        open_line(line, t, x)
        return
    if t < line.first_t or (t == line.first_t and x < line.first):
        shift_to(line, t, x)
    dx = np.float64(x) - np.float64(line.first)
    dt = np.float64(np.int64(t) - np.int64(line.first_t))
    line.count += 1
    line.s1 += dx
    line.s2 += dx * dx
    line.st += dt
    line.stt += dt * dt
    line.stv += dt * dx
    # Selected, not branched on: of times that are mixed within a batch half are mispredicted.
    is_newer = (t > line.last_t) | ((t == line.last_t) & (x > line.last))
    line.last = x if is_newer else line.last
    line.last_t = t if is_newer else line.last_t
    line.low = x if x < line.low else line.low
    line.high = x if x > line.high else line.high


@kernel
def fold_points(lines, slot, moment, value, outcome):
    """Fold the readings whose outcome is FOLDED into the lines of their slots.

    lines    LINE32[q] or LINE64[q]                                        (in place)
    slot     int64[n]    from stage.admit
    moment   uint32[n]   steps since the pane's start
    value    float[n]    float32 or float64; kept in the precision of the lines
    outcome  uint8[n]

    var(constant) is exactly 0; |error of mean| <= 8 eps max|x|; relative error of the variance
    <= 8 n eps sqrt(1 + n mean**2 / m2).
    Source: Chan, Golub and LeVeque 1983, The American Statistician 37(3), 242-247.
    """
    n = slot.size
    last = np.uint64(n - 1)
    for i in range(np.uint64(0), np.uint64(n)):
        prefetch(lines, slot[min(i + np.uint64(AHEAD), last)])
        if outcome[i] == FOLDED:
            line = lines[np.uint64(slot[i])]
            fold_one(line, moment[i], type(line.first)(value[i]))


@kernel
def fold_series(
    lines, sensor, t0_ns, period_ns, start, stop, value, outcome, card, bank, low, high
):
    """Fold samples start to stop of a block, bit for bit as fold_points would in their order.

    lines    LINE32[q] or LINE64[q]                                        (in place)
    sensor   int32[n]
    value    float[n, m]
    outcome  uint8[n, m]  from stage.examine_series
    card     CARD[s]
    bank     BANK[b]
    low      float64[n]   least sample folded, +inf if none                (out)
    high     float64[n]   greatest, -inf if none                           (out)
    """
    last = np.uint64(sensor.size - 1)
    for i in range(np.uint64(0), np.uint64(sensor.size)):
        prefetch(card, sensor[min(i + np.uint64(2 * SERIES_AHEAD), last)])
        fetch_ahead(
            lines,
            card[sensor[min(i + np.uint64(SERIES_AHEAD), last)]],
            bank,
            t0_ns + start * period_ns,
        )
        mine = card[sensor[i]]
        group = bank[mine.bank]
        low[i] = np.inf
        high[i] = -np.inf
        j = start
        while j < stop:
            pane = (t0_ns + j * period_ns - 1) // group.pane_ns
            beyond = ((pane + 1) * group.pane_ns - t0_ns) // period_ns + 1
            after_ns = t0_ns - pane * group.pane_ns
            s = group.first_slot + mine.row * group.slots + (pane & (group.slots - 1))
            beyond = min(beyond, stop)
            least, most = fold_run(
                lines[np.uint64(s)],
                after_ns,
                period_ns,
                group.step_ns,
                j,
                beyond,
                value[i],
                outcome[i],
            )
            low[i] = min(low[i], least)
            high[i] = max(high[i], most)
            j = beyond


@kernel
def fetch_ahead(lines, coming, bank, t):
    """Ask for the line of a sensor's pane at time t."""
    group = bank[coming.bank]
    pane = (t - 1) // group.pane_ns
    prefetch(lines, group.first_slot + coming.row * group.slots + (pane & (group.slots - 1)))


@kernel
def fold_run(line, after_ns, period_ns, step_ns, j, beyond, value, outcome):
    """Fold samples j to beyond, all of one pane that began after_ns before sample 0.

    Returns the least and the greatest of them. Once a line has its first reading, later samples
    cannot come before it, so the sums stay in registers.
    """
    least, most = np.inf, -np.inf
    while j < beyond:
        # Sample by sample until the line is open and its first reading is in an older step.
        t = np.uint32((after_ns + j * period_ns) // step_ns)
        if line.count > 0 and line.first_t < t:
            break
        if outcome[j] == FOLDED:
            x = type(line.first)(value[j])
            fold_one(line, t, x)
            least, most = min(least, np.float64(x)), max(most, np.float64(x))
        j += 1
    good = newest(line, after_ns, period_ns, step_ns, j, beyond, value, outcome)
    dt_ns = after_ns + j * period_ns
    dt, rest = dt_ns // step_ns - np.int64(line.first_t), dt_ns % step_ns
    step, step_rest = period_ns // step_ns, period_ns % step_ns
    latest = np.float64(dt + step * (beyond - j))
    is_exact = line.stt + latest * latest * (beyond - j) < EXACT
    if good == beyond - j and step_rest == 0 and is_exact:
        low, high = fold_steady(line, dt, step, j, beyond, value)
    else:
        low, high = fold_any(line, dt, rest, step, step_rest, step_ns, j, beyond, value, outcome)
    line.low, line.high = min(line.low, low), max(line.high, high)
    return min(least, np.float64(low)), max(most, np.float64(high))


@kernel
def fold_steady(line, dt, step, j, beyond, value):
    """Fold samples j to beyond, all of them good, the first at dt and each a whole step later.

    Sums of times are whole numbers, below EXACT and so the same in any order: no loop is needed.
    """
    n = beyond - j
    pairs = n * (n - 1) // 2
    line.st += np.float64(n * dt + step * pairs)
    squares = pairs * (2 * n - 1) // 3
    line.stt += np.float64(n * dt * dt + 2 * dt * step * pairs + step * step * squares)
    first = np.float64(line.first)
    low, high = type(line.first)(np.inf), type(line.first)(-np.inf)
    s1, s2, stv = line.s1, line.s2, line.stv
    moment, later = np.float64(dt), np.float64(step)
    for i in range(np.uint64(j), np.uint64(beyond)):
        x = type(line.first)(value[i])
        dx = np.float64(x) - first
        s1 += dx
        s2 += dx * dx
        stv += moment * dx
        moment += later
        low = low if low < x else x
        high = high if high > x else x
    line.s1, line.s2, line.stv = s1, s2, stv
    return low, high


@kernel
def fold_any(line, dt, rest, step, step_rest, step_ns, j, beyond, value, outcome):
    """Fold those of samples j to beyond that are good; return the least and the greatest."""
    first = np.float64(line.first)
    low, high = type(line.first)(np.inf), type(line.first)(-np.inf)
    s1, s2, st, stt, stv = line.s1, line.s2, line.st, line.stt, line.stv
    for i in range(np.uint64(j), np.uint64(beyond)):
        if outcome[i] == FOLDED:
            x = type(line.first)(value[i])
            dx = np.float64(x) - first
            s1 += dx
            s2 += dx * dx
            st += dt
            stt += np.float64(dt) * dt
            stv += dt * dx
            low = low if low < x else x
            high = high if high > x else x
        # The next moment without a division: floor(a + b) from the floors and the remainders.
        rest += step_rest
        carry = rest >= step_ns
        rest -= step_ns if carry else 0
        dt += step + carry
    line.s1, line.s2, line.st, line.stt, line.stv = s1, s2, st, stt, stv
    return low, high


@kernel
def newest(line, after_ns, period_ns, step_ns, j, beyond, value, outcome):
    """Count samples j to beyond into the line, make the newest its last reading; return the count.

    Apart from the sums: a last reading that is chosen sample by sample costs 3 ns a sample.
    """
    count = 0
    for i in range(np.uint64(j), np.uint64(beyond)):
        count += outcome[i] == FOLDED
    line.count += np.uint32(count)
    for i in range(beyond - 1, j - 1, -1):
        if outcome[i] == FOLDED:
            t = (after_ns + i * period_ns) // step_ns
            x = type(line.first)(value[i])
            if t < line.last_t:
                break
            if t > line.last_t or x > line.last:
                line.last_t = t
                line.last = x
    return count


@kernel
def close_panes(lines, bank, b, pane, low_row, high_row, asked, out):
    """Turn the lines of one closed pane into columns, and free their slots.

    lines     LINE32[q] or LINE64[q]                                       (in place)
    bank      BANK[b]
    low_row   int64[r]      rows low to high of the bank are closed, ranges in any order
    high_row  int64[r]
    asked     MOMENTS | BOUNDS | ENDS | TREND
    out       float64[12, m]  m: rows in all ranges, in their order; row COUNT always, MEAN and M2
              if MOMENTS; LOW, HIGH if BOUNDS; FIRST, LAST, FIRST_NS, LAST_NS if ENDS;
              TMEAN, MT2, C if TREND                                       (out)

    M2 is the sum of squared deviations, MT2 that of the times, C that of the products. FIRST_NS and
    LAST_NS are whole ns, TMEAN, MT2 and C in seconds; all times count from the pane's end and are
    0 or negative. An empty pane has count 0 and NaN elsewhere.
    """
    group = bank[b]
    slots = group.slots
    place = group.first_slot + (pane & (slots - 1))
    step_s, pane_s = group.step_ns / 1e9, group.pane_ns / 1e9
    i = 0
    for r in range(low_row.size):
        for row in range(low_row[r], high_row[r]):
            s = place + row * slots
            prefetch(lines, s + AHEAD * slots)
            line = lines[s]
            count = np.float64(line.count)
            out[COUNT, i] = count
            none = line.count == 0
            first = np.float64(line.first)
            if asked & MOMENTS:
                mean = first + line.s1 / count
                m2 = max(line.s2 - line.s1 * (line.s1 / count), 0.0)
                out[MEAN, i] = np.nan if none else mean
                out[M2, i] = np.nan if none else m2
            if asked & BOUNDS:
                out[LOW, i] = np.nan if none else np.float64(line.low)
                out[HIGH, i] = np.nan if none else np.float64(line.high)
            if asked & ENDS:
                first_ns = np.int64(line.first_t) * group.step_ns - group.pane_ns
                last_ns = np.int64(line.last_t) * group.step_ns - group.pane_ns
                out[FIRST, i] = np.nan if none else first
                out[LAST, i] = np.nan if none else np.float64(line.last)
                out[FIRST_NS, i] = np.nan if none else first_ns
                out[LAST_NS, i] = np.nan if none else last_ns
            if asked & TREND:
                mean_t = np.float64(line.first_t) + line.st / count
                mt2 = max(line.stt - line.st * (line.st / count), 0.0)
                c = line.stv - line.st * (line.s1 / count)
                out[TMEAN, i] = np.nan if none else mean_t * step_s - pane_s
                out[MT2, i] = np.nan if none else mt2 * step_s * step_s
                out[C, i] = np.nan if none else c * step_s
            line.count = 0
            i += 1
