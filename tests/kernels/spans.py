"""Windows of several sensors as the kernels get them: two columns and where each begins."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Array = npt.NDArray[np.generic]
Readings = list[tuple[float, float]]


def columns(windows: list[Readings]) -> tuple[Array, Array, Array]:
    """Times, values and starts of windows that follow each other."""
    start = np.cumsum([0, *(len(one) for one in windows)])
    flat = [reading for one in windows for reading in one]
    times = np.array([t for t, _ in flat], dtype=np.float64)
    return times, np.array([x for _, x in flat], dtype=np.float64), start


@st.composite
def windows(draw: st.DrawFn, length_s: int = 64, most: int = 300) -> list[Readings]:
    """Up to four windows of (-length, 0]: gaps, equal times and values, levels, wild readings."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.sampled_from([0, 1, 2, 3, 5, 40, 127, 128, 129, most]))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        grain = draw(st.sampled_from([1000, 4]))
        times = np.sort(rng.integers(1 - length_s * grain, 1, count)) / grain
        values = rng.normal(0, 1, count) * draw(st.sampled_from([0.0, 1e-3, 1.0]))
        values = np.round(values, draw(st.sampled_from([0, 1, 9])))
        values += draw(st.sampled_from([0.0, 20.0, 1e6]))
        if count and draw(st.booleans()):
            values[rng.integers(count)] *= 1e6
        found.append(list(zip(times.tolist(), values.tolist(), strict=True)))
    return found
