"""What follows from one reading to the next? Recursions that walk in the order of event time.

They take the readings of one closed pane after the other, sorted, so order of arrival changes
nothing. Readings of many sensors follow each other, with their seconds before the pane's end.
After a long gap a walk begins anew: what it had is no longer about the present.

Motion: an accelerometer has an offset, and an integral of it runs away. So acceleration goes
through a high-pass of first order, is integrated by trapezia, and the integral leaks with the same
time constant, which is the same high-pass once more; corner HIGH_PASS_HZ.
"""

import numpy as np

from kernels.jit import kernel

# Below it lie tilt, temperature and drift, above it the ground's motion: the corner that onsite
# early warning uses for peak displacement (Wu and Kanamori 2005).
HIGH_PASS_HZ = 0.075
TAU_S = 1.0 / (2.0 * np.pi * HIGH_PASS_HZ)
# After three time constants (6.4 s) 5 % of a wrong beginning are left: until then nothing counts.
SETTLE_S = 3.0 * TAU_S

# One sensor. begun_ns: time of the first reading since the start or the latest gap; last_ns: of
# the newest. Zeroed memory is a good beginning: no time is 0 or less.
SMOOTH = np.dtype([("level", "f8"), ("begun_ns", "i8"), ("last_ns", "i8")], align=True)
MOTION = np.dtype(
    [
        *[("raw", "f8"), ("acceleration", "f8"), ("velocity", "f8")],
        *[("begun_ns", "i8"), ("last_ns", "i8")],
    ],
    align=True,
)


@kernel
def smooth(line, rows, since_s, value, start, end_ns, tau_s, gap_ns, out):
    """Let the readings of a pane into exponential means; give them as at the pane's end.

    line     SMOOTH[s]                                                     (in place)
    rows     int64[m]     rows of the sensors
    since_s  float64[n]   seconds from the pane's end
    value    float64[n]
    start    int64[m+1]   readings of rows[i] are start[i] to start[i + 1]; unknown ones: none
    end_ns   int          end of the pane
    tau_s    float        time constant
    gap_ns   int64[s]     after a longer gap the mean begins anew
    out      float64[m]   in the unit of value; NaN until tau has passed since the beginning, and
                          when the newest reading is older than the gap     (out)

    A reading stands for the time since the one before: level += (1 - exp(-dt / tau)) * (x - level),
    so bursts count no more than their time.
    Source: Eckner 2019, Algorithms for unevenly spaced time series, section 4 (next point).
    """
    for i in range(rows.size):
        mine = line[rows[i]]
        longest_ns = gap_ns[rows[i]]
        for k in range(start[i], start[i + 1]):
            t = end_ns + np.int64(np.round(since_s[k] * 1e9))
            if mine.last_ns <= 0 or t - mine.last_ns > longest_ns:
                mine.level = value[k]
                mine.begun_ns = t
            else:
                share = -np.expm1((mine.last_ns - t) / 1e9 / tau_s)
                mine.level += share * (value[k] - mine.level)
            mine.last_ns = t
        is_old = mine.last_ns <= 0 or end_ns - mine.last_ns > longest_ns
        is_young = end_ns - mine.begun_ns < tau_s * 1e9
        out[i] = np.nan if is_old or is_young else mine.level


@kernel
def move(line, rows, since_s, value, start, end_ns, gap_ns, count, peak_a, peak_v):
    """Let the samples of a pane into the high-pass and the integral; give the peaks.

    line, rows ... end_ns  as in smooth, with MOTION[s]                    (in place)
    gap_ns   int64[s]
    count    float64[m]   samples that count                               (out)
    peak_a   float64[m]   greatest |acceleration| after the high-pass; NaN without samples (out)
    peak_v   float64[m]   greatest |velocity|, unit of value times second (out)

    Samples count once SETTLE_S has passed since the start or the latest gap.
    """
    for i in range(rows.size):
        mine = line[rows[i]]
        count[i] = 0.0
        peak_a[i], peak_v[i] = np.nan, np.nan
        for k in range(start[i], start[i + 1]):
            t = end_ns + np.int64(np.round(since_s[k] * 1e9))
            x = value[k]
            if mine.last_ns <= 0 or t - mine.last_ns > gap_ns[rows[i]]:
                mine.acceleration = 0.0
                mine.velocity = 0.0
                mine.begun_ns = t
            else:
                dt = (t - mine.last_ns) / 1e9
                before = mine.acceleration
                mine.acceleration = (before + x - mine.raw) * (TAU_S / (TAU_S + dt))
                area = 0.5 * (before + mine.acceleration) * dt
                mine.velocity = mine.velocity * np.exp(-dt / TAU_S) + area
            mine.raw = x
            mine.last_ns = t
            if t - mine.begun_ns >= SETTLE_S * 1e9:
                a, v = abs(mine.acceleration), abs(mine.velocity)
                peak_a[i] = max(a, peak_a[i]) if count[i] > 0.0 else a
                peak_v[i] = max(v, peak_v[i]) if count[i] > 0.0 else v
                count[i] += 1.0
