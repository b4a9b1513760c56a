"""What a pane's statistics are, in exact fractions."""

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Pane:
    """Exact statistics of some readings; times in seconds from the end."""

    count: int
    mean: Fraction
    m2: Fraction
    low: float
    high: float
    first: float
    last: float
    first_ns: int
    last_ns: int
    tmean: Fraction
    mt2: Fraction
    c: Fraction

    def kappa(self):
        """How much the variance suffers from the mean: 1 for readings around zero."""
        return math.sqrt(1 + self.count * self.mean**2 / self.m2) if self.m2 else math.inf

    def slope(self):
        """Unit of value per second, None where there is none."""
        return self.c / self.mt2 if self.mt2 else None

    def slope_scale(self):
        """The steepest slope that such spreads allow."""
        return math.sqrt(self.m2 / self.mt2)


def measure(readings, step_ns=1):
    """Measure (time from the end in ns, value) pairs; None if there are none.

    Of readings in the same step the least is the first and the greatest the last.
    """
    if not readings:
        return None
    n = len(readings)
    values = [Fraction(x) for _, x in readings]
    times = [Fraction(t, 10**9) for t, _ in readings]
    mean, tmean = sum(values) / n, sum(times) / n
    steps = [(t // step_ns, x, t) for t, x in readings]
    first, last = min(steps), max(steps)
    return Pane(
        count=n,
        mean=mean,
        m2=sum((x - mean) ** 2 for x in values),
        low=min(x for _, x in readings),
        high=max(x for _, x in readings),
        first=first[1],
        last=last[1],
        first_ns=first[0] * step_ns,
        last_ns=last[0] * step_ns,
        tmean=tmean,
        mt2=sum((t - tmean) ** 2 for t in times),
        c=sum((t - tmean) * (x - mean) for t, x in zip(times, values, strict=True)),
    )
