"""The tolerances of the statistics, which panes and windows share."""

import numpy as np
import numpy.typing as npt

from kernels import panes
from tests.reference.panes import Pane

EPS = float(np.finfo(np.float64).eps)


def assert_measures(column: npt.NDArray[np.float64], pane: Pane | None) -> None:
    """Compare one column of a pane table with the exact statistics.

    Of 400 random cases with spreads down to 1e-6 of the mean the worst were: mean 2 eps, variance
    1.5 n eps kappa, slope 3e-11 of its scale. Beyond such spreads the slope of a window loses
    digits with kappa as the variance does, because the means of its panes are rounded.
    """
    if pane is None:
        assert column[panes.COUNT] == 0
        assert np.isnan(np.delete(column, panes.COUNT)).all()
        return
    assert column[panes.COUNT] == pane.count
    assert column[panes.LOW] == pane.low
    assert column[panes.HIGH] == pane.high
    assert column[panes.FIRST] == pane.first
    assert column[panes.LAST] == pane.last
    assert column[panes.FIRST_NS] == pane.first_ns
    assert column[panes.LAST_NS] == pane.last_ns
    greatest = max(abs(pane.low), abs(pane.high))
    assert abs(column[panes.MEAN] - pane.mean) <= 8 * EPS * greatest
    assert column[panes.M2] >= 0
    if pane.m2 == 0:
        assert column[panes.M2] == 0
    else:
        bound = 8 * pane.count * EPS * pane.kappa()
        assert abs(column[panes.M2] - pane.m2) <= bound * pane.m2
    slope = pane.slope()
    if slope == 0 and pane.m2 == 0:
        assert column[panes.C] == 0
    elif slope is not None:
        found = column[panes.C] / column[panes.MT2]
        assert abs(found - slope) <= max(1e-9, 8 * EPS * pane.kappa()) * pane.slope_scale()
    else:
        assert column[panes.MT2] == 0
