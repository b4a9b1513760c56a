"""Dataflow: the whole flow on one page.

    journal ──▶ shards ─┬──────── warnings ────────┬──▶ egress
                        └─ reports ──▶ correlate ──┘

Frames are in the journal, and synced, before this flow sees them (`engine/intake.py`); decoding
and routing by site happen where the journal is read (`engine/inlet.py`); everything between
readings and changes of grade happens inside one shard (`engine/shard.py`).  What rules beyond one
site must know of it, signals and grades but never readings, goes to the one `correlate`.  Items
are frames and tables: Bytewax costs a few microseconds for each item, whatever its size.
"""

from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from engine.ports import (
    CorrelateLogic,
    EgressSink,
    JournalSource,
    Ports,
    ShardLogic,
    recovery,
    reports_of,
    warnings_of,
)


def build(ports: Ports) -> Dataflow:
    """The flow as data: it can be drawn and tested without being run."""
    flow = Dataflow("tocsin")
    work = op.input("journal", flow, JournalSource(ports))
    spoken = op.stateful_batch("shards", work, lambda token: ShardLogic(ports.build_shard, token))
    warnings = op.flat_map_batch("warnings", spoken, warnings_of)
    reports = op.flat_map_batch("reports", spoken, reports_of)
    beyond = op.stateful_batch(
        "correlate", reports, lambda token: CorrelateLogic(ports.build_correlate, token)
    )
    op.output("egress", op.merge("told", warnings, beyond), EgressSink(ports))
    return flow


def run(ports: Ports, recovery_folder: Path, epoch_ns: int) -> None:
    """Run until the inlet is over; returns when the last epoch is committed."""
    cli_main(
        build(ports),
        epoch_interval=timedelta(microseconds=epoch_ns // 1000),
        recovery_config=recovery(recovery_folder),
    )
