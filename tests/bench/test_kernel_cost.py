"""The figures of the kernels: a benchmark that no longer runs is found here, not on release day."""

import shutil

import numpy as np
import pytest

from bench import floor, kernel_cost
from bench.ledger import Run
from bench.more_cases import ALL_CASES
from kernels.columns import aligned


@pytest.fixture(scope="module")
def quick() -> Run:
    return kernel_cost.measure(is_quick=True)


def test_every_kernel_has_a_figure_in_both_orders(quick):
    """A kernel without a line is a kernel whose cost nobody sees grow."""
    for name, _, _ in ALL_CASES:
        lines = [f for f in quick.figures if f.name.startswith(f"{name}, ")]
        assert len(lines) == 2
        for line in lines:
            assert len(line.samples) >= 5
            assert min(line.samples) > 0


def test_every_figure_stands_beside_its_floor(quick):
    """A number of nanoseconds without its floor says more about the machine than about us."""
    if shutil.which("cc") is None:
        assert any("no floor" in note for note in quick.notes)
        assert not any(line.beside for line in quick.figures)
        return
    for line in quick.figures:
        assert line.beside_name
        assert len(line.beside) == len(line.samples)
        assert min(line.beside) > 0


def test_without_a_compiler_figures_stand_alone(monkeypatch):
    """An operator's machine has no compiler; the kernels can be measured there all the same."""
    monkeypatch.setenv("PATH", "")
    assert floor.load() is None


def test_the_floor_touches_the_lines_it_is_given():
    """A floor that the compiler has emptied would be beaten by nobody."""
    loops = floor.load()
    if loops is None:
        pytest.skip("no C compiler")
    lines = aligned((4, 8), np.dtype(np.float64))
    slot = np.array([2, 0, 2])
    columns = np.zeros(3, np.uint32), np.ones(3, np.float32), np.zeros(3, np.uint8)
    loops.bind("floor_points", lines, 1, slot, *columns, 3)()
    np.testing.assert_array_equal(lines.sum(axis=1), [8, 0, 16, 0])
