"""Onsets: one STA/LTA of a bank, kept beside its panes; see `kernels/onset.py`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.columns import Admitted, AdmittedSeries
from kernels import onset
from kernels.columns import aligned
from rules.plan import BankPlan


class Onsets:
    """The averages of each sensor, and the ratio after the newest sample of each open pane."""

    __slots__ = ("bank", "counts", "line", "number", "pair", "ratio")

    def __init__(
        self,
        pair: tuple[int, int],
        plan: BankPlan,
        bank: NDArray[np.void],
        number: int,
        row_count: int,
    ) -> None:
        assert plan.sort.period_ns > 0, "stalta needs the period of its sensor type"
        self.pair = pair
        self.bank = bank
        self.number = number
        self.counts = onset.terms(*pair, plan.sort.period_ns)
        self.line = aligned(row_count, onset.ONSET)
        self.ratio = np.full(row_count * plan.slots, np.nan)

    def fold(self, admitted: Admitted, card: NDArray[np.generic]) -> None:
        """Let readings into the averages."""
        onset.stalta_points(
            *(self.line, self.ratio, *self.counts, admitted.sensor, admitted.time_ns),
            *(admitted.value, admitted.outcome, admitted.slot, card, self.bank, self.number),
        )

    def fold_series(self, block: AdmittedSeries, card: NDArray[np.generic]) -> None:
        """Let the samples of a block into the averages."""
        onset.stalta_series(
            *(self.line, self.ratio, *self.counts, block.sensor, block.t0_ns, block.period_ns),
            *(block.start, block.stop, block.value, block.outcome, card, self.bank, self.number),
        )

    def close(
        self, pane: int, start_row: NDArray[np.int64], stop_row: NDArray[np.int64], count: int
    ) -> NDArray[np.float64]:
        """The ratios at the end of a pane."""
        found = np.empty(count)
        onset.close_onset(self.ratio, self.bank, self.number, pane, start_row, stop_row, found)
        return found

    def columns(self) -> Mapping[str, NDArray[np.generic]]:
        """What is remembered, for a snapshot."""
        return {"line": self.line, "ratio": self.ratio}
