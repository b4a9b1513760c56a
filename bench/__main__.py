"""Run benchmarks and print their figures: `python -m bench [NAME …]`.

--quick     small sizes, in seconds: shows that nothing has rotted, measures nothing
--strict    exit code 99 when a target is missed
--disk DIR  where journals are written; a temporary folder of the system otherwise
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench import ledger

# Latency before throughput, whose gigabytes keep the disk busy for a while after it.
NAMES = (
    *("kernels", "judging", "groups", "latency", "throughput", "restart", "replay"),
    "reload",
)
EXIT_MISSED = 99


def main() -> int:
    """Run what was asked for; the figures go to stdout and to the ledger."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--disk", type=Path)
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark `{unknown[0]}`; there are {', '.join(NAMES)}")
    machine = ledger.machine_card()
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
          f"{machine['system']}, Python {machine['python']}, load {machine['load']}")  # fmt: skip
    missed = 0
    for name in NAMES:
        if asked.names and name not in asked.names:
            continue
        run = measure(name, is_quick=asked.quick, disk=asked.disk)
        if asked.quick:
            run.figures = [replace(figure, target=None) for figure in run.figures]
        run.show()
        run.write(["python", "-m", "bench", *sys.argv[1:]], machine)
        missed += len(run.missed)
    print(f"\n{missed} targets missed; the ledger is {ledger.RESULTS / 'ledger.jsonl'}")
    return EXIT_MISSED if missed and asked.strict else 0


def measure(name: str, *, is_quick: bool, disk: Path | None) -> ledger.Run:
    """Run one benchmark; imported here, so that --help compiles nothing."""
    if name == "kernels":
        from bench import kernel_cost

        return kernel_cost.measure(is_quick=is_quick)
    if name == "judging":
        from bench import judging

        return judging.measure(is_quick=is_quick)
    if name == "groups":
        from bench import groups

        return groups.measure(is_quick=is_quick)
    if name == "throughput":
        from bench import throughput

        return throughput.measure(is_quick=is_quick, disk=disk)
    if name == "latency":
        from bench import latency

        return latency.measure(is_quick=is_quick, disk=disk)
    if name == "reload":
        from bench import reload

        return reload.measure(is_quick=is_quick, disk=disk)
    if name == "replay":
        from bench import replay

        return replay.measure(is_quick=is_quick, disk=disk)
    from bench import restart

    return restart.measure(is_quick=is_quick, disk=disk)


if __name__ == "__main__":
    sys.exit(main())
