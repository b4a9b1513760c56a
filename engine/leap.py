"""Leap: over the panes at the end of which no rule would say anything else.

A week of silence is 600 000 panes of a second, each a millisecond of rules about ages that only
grow.  The first end of a pane at which one of their comparisons turns over is found by doubling
steps and halving the last, with the rules' own arithmetic, so what lies between may be left out:
the result is that of walking.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.features import Attributes, PaneColumns
from engine.latches import Latches
from engine.measures import Measures
from engine.windows import Windows
from rules.ageing import Pair, sides

AgeingRules = Sequence[tuple[Latches, Sequence[Pair]]]


class Outlook:
    """What the rules of one bank would compare at later ends of panes, if nothing came."""

    __slots__ = ("attributes", "measures", "rules", "windows")

    def __init__(
        self, rules: AgeingRules, windows: Windows, attributes: Attributes, measures: Measures
    ) -> None:
        self.rules = rules
        self.windows = windows
        self.attributes = attributes
        self.measures = measures

    def _sides(self, pane: int) -> list[NDArray[np.int8]]:
        end_ns = (pane + 1) * self.windows.plan.pane_ns
        age_s, unchanged_s = self.windows.ages(self.measures.rows, end_ns)
        later = replace(self.measures, end_ns=end_ns, age_s=age_s, unchanged_s=unchanged_s)
        if later.raw is not None:
            # Rules with a view of all readings look at the same ages there.
            later.raw = replace(later.raw, end_ns=end_ns, age_s=age_s, unchanged_s=unchanged_s)
        return [
            sides(pairs, PaneColumns(rule.plan, later, self.attributes, rule.stale_ns))
            for rule, pairs in self.rules
        ]

    def next_change(self, pane: int, stop: int) -> int:
        """The first pane after `pane` and before `stop` that is not as it is; `stop`: none."""
        now = self._sides(pane)

        def is_same(other: int) -> bool:
            then = self._sides(other)
            return all(np.array_equal(a, b) for a, b in zip(now, then, strict=True))

        same, step = pane, 1
        while same + 1 < stop:
            probe = min(same + step, stop - 1)
            if not is_same(probe):
                break
            same, step = probe, 2 * step
        else:
            return stop
        changed = probe
        while changed - same > 1:
            middle = (same + changed) // 2
            same, changed = (middle, changed) if is_same(middle) else (same, middle)
        return changed
