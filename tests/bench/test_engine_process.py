"""The benchmarks of a whole engine, in sizes that take seconds: they must not rot."""

import importlib

import pytest

EXACT = "warnings as planted"


@pytest.mark.parametrize("name", ["throughput", "latency", "restart", "replay", "reload"])
def test_a_small_run_gives_figures(name: str) -> None:
    """Small sizes measure nothing; but every warning that was planted must come out."""
    benchmark = importlib.import_module(f"bench.{name}")

    run = benchmark.measure(is_quick=True, disk=None)

    assert run.figures
    for figure in run.figures:
        assert len(figure.samples) > 0
        if EXACT in figure.name:
            assert figure.median == 1.0, "a fast wrong answer is a failure"
        elif figure.unit in ("ms", "s", "million readings/s"):
            assert figure.median > 0.0
