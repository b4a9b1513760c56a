"""Meters: what the engine counts about itself, in plain integers.

Each counter has one writing thread, so none needs a lock; readers may see a counter a moment
old, never a wrong one. Prometheus reads when it asks; nothing of its library runs before that.
Every frame is received and ends as durable, duplicate, rejected or retry; every reading of a
durable frame ends as folded, late or set aside, and the three add up to the readings received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt
    from prometheus_client.metrics_core import Metric

FRAME_OUTCOMES: Final = ("durable", "duplicate", "rejected", "retry")
DURABLE, DUPLICATE, REJECTED, RETRY = range(4)
# In the order of the outcome codes of kernels/stage.py; all from the third on are set aside.
READING_OUTCOMES: Final = (
    *("folded", "late"),
    *("nan", "infinite", "over", "under", "future", "quality", "ancient"),
)
FOLDED, LATE = 0, 1
RELOADS: Final = ("activated", "unchanged", "refused", "failed")
GRADES: Final = ("none", "blue", "yellow", "orange", "red")

# 64 steps per doubling: the middle of a step is within 1/128 = 0.8 % of any value in it.
STEP_BITS: Final = 6
STEPS: Final = 1 << STEP_BITS
# 2**42 ns is more than an hour; whatever takes longer is counted as that.
OCTAVES: Final = 42 - STEP_BITS
# Prometheus gets the doublings from 2**14 ns = 16 us to 2**34 ns = 17 s: exact, for they are
# ends of our own steps.
EXPOSED_BITS: Final = range(14, 35)
NS_PER_S: Final = 1_000_000_000


class Histogram:
    """How long something took, in steps of 1.6 %; adding costs no more than counting.

    count  int64[(OCTAVES + 1) * STEPS]   durations by step; below 64 ns each value has its own
    """

    __slots__ = ("count", "sum_ns")

    def __init__(self) -> None:
        self.count: npt.NDArray[np.int64] = np.zeros((OCTAVES + 1) * STEPS, np.int64)
        self.sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration; a negative one, which only a broken clock gives, counts as 0."""
        duration_ns = min(max(duration_ns, 0), (1 << (OCTAVES + STEP_BITS)) - 1)
        octave = max(duration_ns.bit_length() - STEP_BITS - 1, 0)
        self.count[octave * STEPS + (duration_ns >> octave)] += 1
        self.sum_ns += duration_ns

    @property
    def total(self) -> int:
        """Durations counted."""
        return int(self.count.sum())

    def quantile_ns(self, share: float) -> int:
        """The duration that a share (0 to 1) of all stayed within, to 0.8 %; 0 without any."""
        assert 0.0 <= share <= 1.0
        upto = np.cumsum(self.count)
        if upto[-1] == 0:
            return 0
        index = int(np.searchsorted(upto, max(share * upto[-1], 1.0)))
        octave = max(index // STEPS - 1, 0)
        low = (index - octave * STEPS) << octave
        return low + ((1 << octave) >> 1)

    def exposed(self) -> list[tuple[str, float]]:
        """Cumulative counts at doublings of the nanosecond, as Prometheus wants them."""
        upto = np.concatenate(([0], np.cumsum(self.count)))
        rows = []
        for bits in EXPOSED_BITS:
            octave = bits - STEP_BITS - 1
            rows.append((repr((1 << bits) / NS_PER_S), float(upto[(octave + 2) * STEPS])))
        return [*rows, ("+Inf", float(upto[-1]))]


class Meters:
    """All counters and gauges of one engine. Whoever causes a thing counts it, directly here.

    frames    int64[4]                  frames by FRAME_OUTCOMES             written by intake
    readings  int64[sensor types, 9]    readings of durable frames           written by the flow
    """

    def __init__(self, types: Sequence[str]) -> None:
        self.types = tuple(types)
        self.frames_received = 0
        self.frames: npt.NDArray[np.int64] = np.zeros(len(FRAME_OUTCOMES), np.int64)
        self.frames_refused: dict[str, int] = {}
        self.frames_skipped = 0
        self.readings_received = 0
        self.readings: npt.NDArray[np.int64] = np.zeros(
            (len(self.types), len(READING_OUTCOMES)), np.int64
        )
        self.warnings: dict[str, int] = dict.fromkeys(GRADES, 0)
        self.system_messages: dict[str, int] = {}
        self.warnings_repeated = 0
        self.warnings_different = 0
        self.template_failures: dict[str, int] = {}
        self.reloads: dict[str, int] = dict.fromkeys(RELOADS, 0)
        self.rules_digest = ""
        self.late_signals = 0
        self.clusters_refused = 0
        self.model_resets: dict[str, int] = {}
        self.windows_overfull: dict[str, int] = {}
        self.published = 0
        self.heartbeats = 0
        self.replay_requests = 0
        self.replay_refused: dict[str, int] = {}
        self.replay_items = 0
        self.replay_waits = 0
        self.replay_abandoned = 0
        self.journal_sync = Histogram()
        self.egress_sync = Histogram()
        self.flow_batch = Histogram()
        # 1 while a log waits for room, by its name.
        self.disk_full: dict[str, int] = {}
        self.egress_seq = 0
        self.watermark_lag_ms = 0
        self.sites_held = 0
        self.held_ns_max = 0
        self.gateways_live = 0
        self.gateways_known = 0
        self.sensors_live = 0
        self.sensors_known = 0

    def counts_of(self, sensor_type: str) -> npt.NDArray[np.int64]:
        """The counts of a type by outcome; one of an older catalogue is given a row of its own."""
        if sensor_type not in self.types:
            self.readings = np.vstack((self.readings, np.zeros_like(self.readings[:1])))
            self.types = (*self.types, sensor_type)
        counts: npt.NDArray[np.int64] = self.readings[self.types.index(sensor_type)]
        return counts

    def count_refused(self, code: str) -> None:
        """Count one `nak` by its code."""
        self.frames_refused[code] = self.frames_refused.get(code, 0) + 1

    def count_reload(self, outcome: str) -> None:
        """Count one reload of the rules by how it ended."""
        self.reloads[outcome] += 1

    def count_template_failure(self, rule: str) -> None:
        """Count one warning whose own text could not be written, by `pack/rule`."""
        self.template_failures[rule] = self.template_failures.get(rule, 0) + 1

    def count_resets(self, model: str, count: int) -> None:
        """Count how often models of this name went back to their last good copy."""
        self.model_resets[model] = self.model_resets.get(model, 0) + count

    def count_overfull(self, sensor_type: str, count: int) -> None:
        """Count windows that were unknown because they held more readings than are kept."""
        if count:
            before = self.windows_overfull.get(sensor_type, 0)
            self.windows_overfull[sensor_type] = before + count

    def count_sent(self, topic: str) -> None:
        """Count one message of the egress log: a warning by its grade, or a system message."""
        kind, _, rest = topic.partition("/")
        name = rest.partition("/")[0]
        counts = self.warnings if kind == "warning" else self.system_messages
        counts[name] = counts.get(name, 0) + 1

    def heartbeat(
        self, engine: str, rules_digest: str, *, is_clock_synced: bool
    ) -> dict[str, int | str]:
        """What a heartbeat says about the engine; the publisher adds `v`, `now` and `seq`."""
        outcomes = self.readings.sum(axis=0)
        return {
            "engine": engine,
            "frames": self.frames_received,
            "readings": self.readings_received,
            "folded": int(outcomes[FOLDED]),
            "late": int(outcomes[LATE]),
            "set_aside": int(outcomes[LATE + 1 :].sum()),
            "rejected": int(self.frames[REJECTED]),
            "gateways_live": self.gateways_live,
            "gateways_known": self.gateways_known,
            "sensors_live": self.sensors_live,
            "sensors_known": self.sensors_known,
            "watermark_lag_ms": self.watermark_lag_ms,
            "rules_digest": rules_digest,
            "clock": "synced" if is_clock_synced else "unsynced",
        }


class MetersCollector(Collector):
    """Turns the counters into Prometheus families at the moment of a scrape."""

    def __init__(self, meters: Meters) -> None:
        self.meters = meters

    def collect(self) -> Iterable[Metric]:
        """All families; names begin with `tocsin_`."""
        yield from _frames_and_readings(self.meters)
        yield from _egress(self.meters)
        yield from _gauges(self.meters)
        for name, text, histogram in (
            ("journal_sync_seconds", "One group commit of the journal", self.meters.journal_sync),
            ("egress_sync_seconds", "One write and sync of warnings", self.meters.egress_sync),
            ("flow_batch_seconds", "One batch through the shard", self.meters.flow_batch),
        ):
            family = HistogramMetricFamily(f"tocsin_{name}", text)
            family.add_metric([], histogram.exposed(), histogram.sum_ns / NS_PER_S)
            yield family


def render(meters: Meters) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetersCollector(meters))
    return generate_latest(registry)


def _frames_and_readings(meters: Meters) -> Iterator[Metric]:
    yield _counter("frames_received", "Frames that arrived", meters.frames_received)
    outcomes = zip(FRAME_OUTCOMES, meters.frames.tolist(), strict=True)
    yield _counters("frames", "Frames by what became of them", "outcome", dict(outcomes))
    yield _counters("frames_refused", "Answers `nak` by code", "code", meters.frames_refused)
    yield _counter("frames_skipped", "Frames that gateways gave up", meters.frames_skipped)
    yield _counter("readings_received", "Readings of durable frames", meters.readings_received)
    family = CounterMetricFamily(
        "tocsin_readings", "Readings by sensor type and outcome", labels=["type", "outcome"]
    )
    # Another thread may be adding a type just now.
    for name, counts in zip(meters.types, meters.readings.tolist(), strict=False):
        for outcome, count in zip(READING_OUTCOMES, counts, strict=True):
            family.add_metric([name, outcome], count)
    yield family


def _egress(meters: Meters) -> Iterator[Metric]:
    yield _counters("warnings", "Warnings by grade", "grade", meters.warnings)
    yield _counters("system_messages", "System messages", "code", meters.system_messages)
    yield _counter(
        "warnings_repeated", "Warnings decided again, recognised", meters.warnings_repeated
    )
    yield _counter(
        "warnings_different",
        "Warnings decided again with another content; each one is a fault of the engine",
        meters.warnings_different,
    )
    yield _counters(
        "template_failures", "Warnings with the default text", "rule", meters.template_failures
    )
    yield _counter("late_signals", "Signals of members for instants judged", meters.late_signals)
    yield _counter("clusters_refused", "Clusters beyond those watched", meters.clusters_refused)
    yield _counters("model_resets", "Models sent back to a good copy", "model", meters.model_resets)
    yield _counters(
        "windows_overfull", "Windows with too many readings", "type", meters.windows_overfull
    )
    yield _counters("rules_reloads", "Reloads of the rules", "outcome", meters.reloads)
    yield _counter("published", "Messages given to the live socket", meters.published)
    yield _counter("heartbeats", "Heartbeats given to the live socket", meters.heartbeats)
    yield _counter("replay_requests", "Requests at the replay socket", meters.replay_requests)
    yield _counters("replay_refused", "Requests refused", "code", meters.replay_refused)
    yield _counter("replay_items", "Messages replayed", meters.replay_items)
    yield _counter("replay_waits", "Times a slow consumer was waited for", meters.replay_waits)
    yield _counter("replay_abandoned", "Answers given up", meters.replay_abandoned)


def _gauges(meters: Meters) -> Iterator[Metric]:
    for name, text, value in (
        ("egress_seq", "Newest message that was published", meters.egress_seq),
        ("watermark_lag_seconds", "How far event time lags", meters.watermark_lag_ms / 1000),
        ("sites_held", "Sites that wait for a gateway far behind", meters.sites_held),
        ("site_held_seconds", "Longest that a site is held back", meters.held_ns_max / NS_PER_S),
        ("gateways_live", "Gateways heard of lately", meters.gateways_live),
        ("gateways_known", "Gateways of the catalogue", meters.gateways_known),
        ("sensors_live", "Sensors heard of lately", meters.sensors_live),
        ("sensors_known", "Sensors of the catalogue", meters.sensors_known),
    ):
        yield GaugeMetricFamily(f"tocsin_{name}", text, value=value)
    info = GaugeMetricFamily("tocsin_rules_info", "The rules that judge", labels=["digest"])
    info.add_metric([meters.rules_digest], 1)
    yield info
    full = GaugeMetricFamily("tocsin_disk_full", "1: no room for this log", labels=["log"])
    for name, is_full in sorted(meters.disk_full.copy().items()):
        full.add_metric([name], is_full)
    yield full


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"tocsin_{name}", text, value=value)


def _counters(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"tocsin_{name}", text, labels=[label])
    # A copy: another thread may meet a new code while this one looks.
    for key, value in sorted(values.copy().items()):
        family.add_metric([key], value)
    return family
