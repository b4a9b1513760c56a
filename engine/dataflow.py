"""Dataflow: the whole flow on one page.

    journal ──▶ shards ──▶ egress

Frames are in the journal, and synced, before this flow sees them (`engine/intake.py`); decoding
and routing by site happen where the journal is read (`engine/inlet.py`); everything between
readings and changes of grade happens inside one shard (`engine/shard.py`).  Items are frames and
tables, never readings: Bytewax costs a few microseconds for each item, whatever its size.
"""

from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main

from engine.ports import EgressSink, JournalSource, Ports, ShardLogic, ShardToken, recovery


def build(ports: Ports) -> Dataflow:
    """The flow as data: it can be drawn and tested without being run."""
    flow = Dataflow("tocsin")
    work = op.input("journal", flow, JournalSource(ports))
    warnings = op.stateful_batch("shards", work, lambda token: _shard(ports, token))
    op.output("egress", warnings, EgressSink(ports))
    return flow


def run(ports: Ports, recovery_folder: Path, epoch_ns: int) -> None:
    """Run until the inlet is over; returns when the last epoch is committed."""
    cli_main(
        build(ports),
        epoch_interval=timedelta(microseconds=epoch_ns // 1000),
        recovery_config=recovery(recovery_folder),
    )


def _shard(ports: Ports, token: ShardToken | None) -> ShardLogic:
    return ShardLogic(ports.build_shard, token)
