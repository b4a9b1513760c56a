"""Warm-up: compile every kernel once, so that the first frame of a service finds it ready.

The compiled code lands in `NUMBA_CACHE_DIR`.  What is compiled is what is used: a small shard with
every kind of line and window takes a few readings, as the engine would.
"""

import time

import click

from engine.errors import EXIT_OK
from engine.numba_cache import cache_folder
from engine.rehearsal import rehearse


def warmup() -> int:
    """Compile the kernels into the cache; says how long it took and where they are."""
    start = time.monotonic()
    rehearse()
    seconds = time.monotonic() - start
    click.echo(f"kernels ready in {seconds:.1f} s, in {cache_folder()}")
    return EXIT_OK
