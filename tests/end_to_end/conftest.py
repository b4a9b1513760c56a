"""What all end-to-end tests stand on: compiled kernels, and a nursery where many engines start."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.engines import Nursery, warm_cache


@pytest.fixture(scope="session")
def warm() -> None:
    """Every kernel is compiled and cached, so that a start takes as long as after `warmup`."""
    warm_cache()


@pytest.fixture(scope="module")
def nursery(warm: None) -> Iterator[Nursery]:
    """A process that forks engines."""
    made = Nursery()
    yield made
    made.close()
