"""What the compiler makes of the loops that are met most often."""

import platform
import re

import numba
import numpy as np
import numpy.typing as npt
import pytest

from kernels import onset, panes, stage
from kernels.columns import aligned

Array = npt.NDArray[np.generic]

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or bool(vars(numba.config)["BOUNDSCHECK"]),
    reason="looks at x86-64 instructions, without bounds checks",
)

SENSORS, SAMPLES = 3, 70
PANE_NS = 10**10


def block() -> dict[str, Array]:
    """Good samples of three sensors, and the state that they are folded into."""
    bank = np.zeros(1, stage.BANK)
    bank[0] = (PANE_NS, 0, 2, 0, panes.step_ns(PANE_NS, panes.LINE32))
    card = aligned(SENSORS, stage.CARD)
    card["row"], card["high"] = np.arange(SENSORS), 1
    return {
        "bank": bank,
        "card": card,
        "sensor": np.arange(SENSORS, dtype=np.int32),
        "value": np.zeros((SENSORS, SAMPLES), np.float32),
        "outcome": np.zeros((SENSORS, SAMPLES), np.uint8),
        "lines": aligned(2 * SENSORS, panes.LINE32),
    }


def assembly(kernel: object, *arguments: object) -> str:
    """The instructions of a kernel, compiled without the cache, which keeps none."""
    compiled = numba.njit(error_model="numpy")(kernel.py_func)  # type: ignore[attr-defined]
    compiled(*arguments)
    return "\n".join(compiled.inspect_asm().values())


def test_points_fetch_their_lines_ahead() -> None:
    """Without it a reading of any of a million sensors costs 35 ns instead of 9."""
    given = block()
    slot, moment = np.zeros(4, np.int64), np.zeros(4, np.uint32)
    text = assembly(
        panes.fold_points, given["lines"], slot, moment, given["value"][0, :4], np.zeros(4, "u1")
    )
    assert "prefetch" in text


def test_series_fetch_their_lines_ahead() -> None:
    """Without it a sample of any of a million sensors costs twice as much."""
    given = block()
    times = (given["sensor"], PANE_NS + 1, 10_000_000, 0, SAMPLES)
    samples = (given["value"], given["outcome"], given["card"], given["bank"])
    low, high = np.empty(SENSORS), np.empty(SENSORS)
    assert "prefetch" in assembly(panes.fold_series, given["lines"], *times, *samples, low, high)

    averages, ratio = aligned(SENSORS, onset.ONSET), np.empty(2 * SENSORS)
    text = assembly(onset.stalta_series, averages, ratio, 10, 100, 1 << 60, *times, *samples, 0)
    assert "prefetch" in text


def test_good_samples_are_told_several_at_once() -> None:
    """Nearly all samples are good; asked one by one they cost more than they do to fold."""
    given = block()
    text = assembly(
        *(stage.examine_series, given["sensor"], PANE_NS + 1, 10_000_000, 0, SAMPLES, 1 << 62),
        *(given["value"], np.empty((0, 0), np.uint8), given["card"]),
        *(np.zeros(SENSORS, np.int64), given["outcome"], np.zeros((SENSORS, 9), np.int64)),
    )
    assert re.search(r"\bv?cmp\w*ps\b", text)


def test_lines_of_state_fill_cache_lines() -> None:
    """A line that straddles two cache lines is almost three times as slow."""
    for kind in (panes.LINE32, panes.LINE64, stage.CARD, onset.ONSET):
        columns = aligned(1000, kind)
        assert columns.ctypes.data % 64 == 0
        assert kind.itemsize % 64 == 0 or 64 % kind.itemsize == 0
