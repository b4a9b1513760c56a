"""What is known of a raw signal, from the whole list of its readings."""

from kernels.raw import INFINITE, NAN, OVER


def hear(readings):
    """Give (count, last t, value, start of its run, is pegged) of (t, value, outcome) in order.

    Runs are told for readings that arrive in the order of their times, ties excluded.
    """
    if not readings:
        return 0, None, None, None, False
    valued = [one for one in readings if one[2] not in (NAN, INFINITE)]
    last_t = max(t for t, _, _ in readings)
    if not valued:
        return len(readings), last_t, None, None, False
    _, value, outcome = valued[-1]
    run = len(valued) - 1
    while run > 0 and valued[run - 1][1] == value:
        run -= 1
    return len(readings), last_t, value, valued[run][0], outcome == OVER
