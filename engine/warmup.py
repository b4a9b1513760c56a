"""Warm-up: compile every kernel once, so that the first frame of a service finds it ready.

The compiled code lands in a folder below `NUMBA_CACHE_DIR`, or the user's cache.  What is compiled
is what is used: a small shard with every kind of line and window takes a few readings, as the
engine would.
"""

import time

import click

from engine.errors import EXIT_OK
from engine.rehearsal import rehearse
from kernels.jit import CACHE_FOLDER


def warmup() -> int:
    """Compile the kernels into the cache; says how long it took and where they are."""
    start = time.monotonic()
    rehearse()
    seconds = time.monotonic() - start
    click.echo(f"kernels ready in {seconds:.1f} s, in {CACHE_FOLDER}")
    return EXIT_OK
