"""What a trail knows: the readings of a span of time, unless there were too many of them."""


def window(readings, begin, end, window_max, pane, pane_max):
    """The (time, value) pairs in (begin, end] in order; None where they are not all kept."""
    inside = sorted((t, x) for t, x in readings if begin < t <= end)
    panes = [(t - 1) // pane for t, _ in inside]
    if len(inside) > window_max or any(panes.count(p) > pane_max for p in set(panes)):
        return None
    return inside
