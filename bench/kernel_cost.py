"""Kernel cost: nanoseconds of each kernel, beside a C loop over the same memory.

What is counted is the processor time of the thread. A busy neighbour takes none of that, but does
take cache and memory bandwidth, so kernel and floor take turns: what slows one slows the other,
and the ratio tells more than either.
"""

import time
from collections.abc import Callable
from pathlib import Path

from bench import floor
from bench.kernel_cases import Case, Load
from bench.ledger import Figure, Run
from bench.more_cases import ALL_CASES

SEED = 20261124
QUICK_SIZES, SIZES = (2_000,), (100_000, 1_000_000, 10_000_000)
QUICK_READINGS, READINGS = 32_768, 2_000_000
REPETITIONS = 5
# The largest case: a ring and a back of 7 * 6 float64, for the kernel and again for the floor,
# are 672 bytes a sensor; the cards and indices of others are fewer.
BYTES_PER_SENSOR = 800


def measure(*, is_quick: bool) -> Run:
    """Every kernel at every size, its readings of sensors in any order and in theirs."""
    run = Run("kernels: thread CPU time", SEED)
    loops = floor.load()
    if loops is None:
        run.notes.append("no floor: there is no C compiler `cc` on this machine")
    sizes = QUICK_SIZES if is_quick else SIZES
    readings = QUICK_READINGS if is_quick else READINGS
    for sensors in sizes:
        if sensors * BYTES_PER_SENSOR > memory_left_bytes():
            wanted_gib = sensors * BYTES_PER_SENSOR / (1 << 30)
            run.notes.append(f"{sensors:,} sensors left out: {wanted_gib:.1f} GiB are not free")
            continue
        for name, unit, prepare in ALL_CASES:
            for is_random in (True, False):
                case = prepare(Load(sensors, readings, is_random, SEED, loops))
                order = "random" if is_random else "sorted"
                run.figures.append(figure(f"{name}, {sensors:,} sensors, {order}", unit, case))
    run.notes.append(
        "C loop: -O3 -march=native, same indices and columns; prefetched but for ranges"
    )
    return run


def figure(name: str, unit: str, case: Case) -> Figure:
    """Repeat kernel and floor in turns; the first of each is not counted."""
    kernel_ns: list[float] = []
    floor_ns: list[float] = []
    for repetition in range(REPETITIONS + 1):
        took_ns = sum(spent_ns(call, case.before) for call in case.kernel) / case.count
        beside_ns = sum(spent_ns(call, case.before) for call in case.floor) / case.count
        if repetition > 0:
            kernel_ns.append(took_ns)
            floor_ns.append(beside_ns)
    if not case.floor:
        return Figure(name, unit, kernel_ns)
    return Figure(name, unit, kernel_ns, "C loop", floor_ns)


def spent_ns(call: Callable[[], object], before: Callable[[], None]) -> int:
    """Processor time of this thread in one call."""
    before()
    start_ns = time.thread_time_ns()
    call()
    return time.thread_time_ns() - start_ns


def memory_left_bytes() -> int:
    """What the system can give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) << 10
    return 0
