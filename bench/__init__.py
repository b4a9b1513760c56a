"""The top floor: how fast, how soon, and beside what?

`python -m bench` (or `make bench`) runs every measurement and prints each figure beside its floor
(a plain loop in C over the same memory, a sync of the same disk) or its twin (the slow obvious
definition in tests/reference). How to read the figures is told in docs/performance-engineers.md.

This floor may look at all the others, may ask the clock and may print. Nothing points up to it.
"""
