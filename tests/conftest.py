"""Hypothesis profiles, and a Numba cache of the tests' own."""

import os
import tempfile
from pathlib import Path

# Bounds-checking is not part of Numba's cache key, so tests never share production's cache.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"tocsin-tests-numba-{os.getuid()}")
)

from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", max_examples=30, deadline=None, suppress_health_check=QUIET)
settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=QUIET
)
settings.register_profile("night", max_examples=5000, deadline=None, suppress_health_check=QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
