"""Groups: 10 000 tanks with a pressure gauge, a thermometer and three gas heads each, at 1 Hz.

One rule with two singular inputs and a vote of the heads, four conditions, in one shard. What is
counted is the processor time of the thread for one second of readings: of the whole shard, and of
finding the signals and judging the tanks alone.

    quiet   nobody is near a threshold: signals are found, and none of them changes
    storm   half of the tanks lose and regain their grades within seconds; messages are written
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from bench.ledger import Figure, Run, Target
from engine.columns import Readings
from engine.layout import lay_out
from engine.meters import Meters
from engine.placement import place
from engine.quorum import Quorum
from engine.registry import load
from engine.shard import Shard, ShardSettings
from engine.sorts import sorts_of
from rules import book as rule_book
from rules.plan import make_plan

SEED = 20261128
TANKS, QUICK_TANKS = 10_000, 200
TANKS_PER_SITE = 100
NS_PER_S = 1_000_000_000
START_NS = 1_767_225_600 * NS_PER_S
WARM_S, QUIET_S, STORM_S = 20, 30, 5
NO_QUALITY = np.empty(0, dtype=np.uint8)

TYPES = """types:
  - {name: pressure, unit: kPa, kind: gauge, period: 1s, lateness: 0s}
  - {name: heat, unit: °C, kind: gauge, period: 1s, lateness: 0s}
  - {name: gas, unit: "%LEL", kind: gauge, period: 1s, lateness: 0s}
"""
RULE = """tocsin: 1
pack: bench
version: 1.0.0
owner: bench
rules:
  - id: tank
    title: {zh: 储罐, en: Tank}
    hazard: process
    mode: shadow
    inputs:
      p: {type: pressure, unit: kPa, period: 1s}
      t: {type: heat, unit: °C, period: 1s}
      gas: {type: gas, unit: "%LEL", period: 1s, many: true}
    by: [tank]
    quality: {stale_after: 10s, coverage: 80%}
    let:
      hot: t.mean(10s) >= 60 °C
      pres: p.mean(10s) >= 300 kPa
      leak: gas.votes(mean(10s) >= 20 %LEL)
    levels:
      yellow: {when: hot or pres, for: 2s, clear_for: 5s}
      orange: {when: (hot and pres) or leak >= 2, for: 1s, clear_for: 5s}
      red: {when: pres and leak >= 2, for: 0s, clear_for: 5s}
"""
CALM = {"pressure": 200.0, "heat": 30.0, "gas": 5.0}
SENSORS = (("pressure", 1), ("heat", 1), ("gas", 3))


def measure(*, is_quick: bool) -> Run:
    """Both loads."""
    tanks = QUICK_TANKS if is_quick else TANKS
    run = Run(f"groups: {tanks} tanks of 5 sensors at 1 Hz, thread CPU time", SEED)
    with tempfile.TemporaryDirectory() as folder:
        shard = _shard(Path(folder), tanks)
    spent = _Spent(shard.quorum)
    rng = np.random.default_rng(SEED)
    calm = np.array([CALM[name] for name in _types_of(shard)])
    quiet, storm = [], []
    for second in range(WARM_S + QUIET_S + STORM_S):
        value = calm + rng.standard_normal(calm.size)
        is_storm = second >= WARM_S + QUIET_S
        if is_storm:
            value += 2000.0 * (rng.random(calm.size) < 0.3)
        now_ns = START_NS + second * NS_PER_S
        sensor = np.arange(calm.size, dtype=np.int32)
        times = np.full(calm.size, now_ns, dtype=np.int64)
        readings = Readings(sensor, times, value, NO_QUALITY, now_ns)
        start_ns = time.thread_time_ns()
        told = shard.advance([readings])
        whole_ns = time.thread_time_ns() - start_ns
        found = (whole_ns, spent.take(), len(told))
        if is_storm:
            storm.append(found)
        elif second >= WARM_S:
            quiet.append(found)
    whole, groups, _ = zip(*quiet, strict=True)
    per_second = [one / tanks for one in whole]
    run.figures.append(Figure("quiet, the whole shard", "ns/tank/s", per_second))
    bound = None if is_quick else Target(1_000.0, is_at_least=False)
    found = [one / tanks for one in groups]
    run.figures.append(Figure("quiet, signals and tanks", "ns/tank/s", found, target=bound))
    spoken = [(spent, count) for _, spent, count in storm if count]
    per_message = [spent / count / 1e3 for spent, count in spoken]
    run.figures.append(Figure("storm, a message", "us", per_message))
    messages = sum(count for _, count in spoken)
    run.notes.append(f"the storm told {messages} messages in {STORM_S} s of readings")
    return run


class _Spent:
    """The time that a quorum takes, from now on."""

    def __init__(self, quorum: Quorum) -> None:
        self.spent_ns = 0
        close, judge = quorum.close, quorum.judge

        def timed_close(bank, measures):
            start_ns = time.thread_time_ns()
            close(bank, measures)
            self.spent_ns += time.thread_time_ns() - start_ns

        def timed_judge(clock):
            start_ns = time.thread_time_ns()
            found = list(judge(clock))
            self.spent_ns += time.thread_time_ns() - start_ns
            return found

        quorum.close, quorum.judge = timed_close, timed_judge  # type: ignore[method-assign]

    def take(self) -> int:
        spent_ns, self.spent_ns = self.spent_ns, 0
        return spent_ns


def _types_of(shard: Shard) -> list[str]:
    names = [kind.name for kind in shard.catalogue.types]
    return [names[kind] for kind in shard.catalogue.sensors.type[shard.layout.sensor]]


def _shard(folder: Path, tanks: int) -> Shard:
    sites = -(-tanks // TANKS_PER_SITE)
    (folder / "types.yaml").write_text(TYPES, encoding="utf-8")
    rows = [f"site-{n},站点,Site,140200,," for n in range(sites)]
    _write(folder / "sites.csv", "site,name_zh,name_en,division,lat,lon", rows)
    rows = [f"gw-{n},site-{n}," for n in range(sites)]
    _write(folder / "gateways.csv", "gateway,site,public_key", rows)
    rows = [
        f"{kind}-{tank}-{n},gw-{tank // TANKS_PER_SITE},site-{tank // TANKS_PER_SITE},{kind},,,,"
        f"T{tank}"
        for tank in range(tanks)
        for kind, count in SENSORS
        for n in range(count)
    ]
    head = "sensor,gateway,site,type,period,range_low,range_high,tank"
    _write(folder / "sensors.csv", head, rows)
    (folder / "bench.yaml").write_text(RULE, encoding="utf-8")
    catalogue = load(folder)
    book = rule_book.load([folder / "bench.yaml"])
    assert not book.errors, [str(fault) for fault in book.errors]
    plan = make_plan(book, sorts_of(catalogue), silence_ns=10 * NS_PER_S, tick_ns=NS_PER_S)
    return Shard(
        lay_out(catalogue, 0, 1),
        plan,
        catalogue,
        settings=ShardSettings(10 * NS_PER_S, 5 * NS_PER_S, "test"),
        meters=Meters([kind.name for kind in catalogue.types]),
        anomalies={},
        placed=place(plan, catalogue)[0],
    )


def _write(path: Path, head: str, rows: list[str]) -> None:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
