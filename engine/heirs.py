"""Heirs: the latches of a changed rule take over the arrays of the rule as it was.

Nothing is copied: a million lines of 64 bytes for each of twenty rules would take a second, and
twice the memory, while frames wait.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.terms import stale_of_rows, stale_rules, terms_of, terms_of_rows

if TYPE_CHECKING:
    from engine.latches import Latches

# What is taken over as it stands, whatever the rule says now.
SHARED = (
    *("latch", "episode", "due_ns", "site_due_ns", "site_of", "buffer"),
    *("watch", "is_thorough", "is_swept"),
)


def take_over(after: "Latches", before: "Latches", period_ns: NDArray[np.int64]) -> None:
    """Share all arrays; make anew only what the rule wants otherwise of its rows.

    period_ns  int64[rows]  of each row's sensor
    """
    if after.plan.is_per_reading:
        # Readings look into the lines, and keep nothing apart from them.
        before.note_shown()
        before.is_swept = False
    for name in SHARED:
        setattr(after, name, getattr(before, name))
    was, variants = before.variants, after.variants
    is_alike = (was.is_single and variants.is_single) or (
        len(was.plans) == len(variants.plans) and np.array_equal(was.of, variants.of)
    )
    if is_alike:
        after.choice, after.term_kinds = before.choice, before.term_kinds
        after.terms = terms_of(variants, after.term_kinds)
    else:
        after.choice = (variants.of % (len(variants.plans) + 1)).astype(np.uint16)
        after.terms, after.term_kinds, of_row = terms_of_rows(variants, period_ns)
        after.latch["terms"] = of_row
    if is_alike and stale_rules(was) == stale_rules(variants):
        after.stale_ns = before.stale_ns
    else:
        after.stale_ns = stale_of_rows(variants, period_ns)
    if before.plan.is_per_reading and not after.plan.is_per_reading:
        after.wake()
