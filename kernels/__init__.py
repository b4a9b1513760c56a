"""The floor that computes: arrays in, arrays out, nothing remembered.

Which file answers which question?

    jit       how is a kernel compiled, and how is memory fetched ahead?
    columns   where do large arrays live?
    stage     which readings count, where do they belong, and what time is it at their site?
    panes     what happened to a sensor in one slice of time?
    raw       is a sensor heard from, does it move, is it pegged?
    windows   what happened in the panes since then, told pane by pane?
    trail     which readings did a sensor send lately, in the order of event time?
    robust    what is usual in a window, whatever a few readings say?
    course    which way did the readings of a window take: counters, scores, failures?
    walk      what follows from one reading to the next: exponential means, ground motion?
    onset     did the signal of a moment rise above that of the minutes before?
    ladder    which grades does a value ask for?
    zones     can any condition be true in a block of rows at all?
    vm        which rows meet the conditions of which rules?
    standing  in which columns does a rule remember how a grade stands?
    latch     which grade stands, after holds, gaps and clearing?
    sweep     which rows of a closed pane need the latches, and which may be left alone?

A kernel is handed arrays and scalars, allocates nothing and raises nothing; who calls it asserts
what the shape tables say. Each file stands alone, so the few codes that two files share are written
in both, and a test compares them; but standing serves the latches, latch the sweep, zones the
machine. (Numba's disk cache does not notice a change in another file; its folder is named by all.)
Axis letters are the same everywhere: n readings (or sensors of one block), s sensors, k sites,
b banks, l links, m rows of a pane table, r ranges of rows, q lines.
"""
