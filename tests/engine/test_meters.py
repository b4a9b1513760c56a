"""The meters: counting costs nothing, loses nothing, and adds up."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from engine.meters import (
    DURABLE,
    EXPOSED_BITS,
    FRAME_OUTCOMES,
    LATE,
    READING_OUTCOMES,
    REJECTED,
    Histogram,
    Meters,
    render,
)

DURATIONS = st.one_of(st.integers(0, 300), st.integers(0, 10**6), st.integers(0, 2**42 - 1))


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_within_one_percent_of_the_sorted_list(durations, share):
    """A p99 in a report must be the p99, whatever the range of the durations."""
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    wanted = sorted(durations)[max(math.ceil(share * len(durations)), 1) - 1]
    assert histogram.quantile_ns(share) == pytest.approx(wanted, rel=1 / 128)
    assert histogram.total == len(durations)
    assert histogram.sum_ns == sum(durations)


@given(st.lists(DURATIONS, max_size=200))
def test_exposed_steps_count_exactly(durations):
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    rows = histogram.exposed()
    for bits, (name, count) in zip(EXPOSED_BITS, rows, strict=False):
        assert float(name) == pytest.approx(2**bits / 1e9)
        assert count == sum(duration < 2**bits for duration in durations)
    assert rows[-1] == ("+Inf", len(durations))


def test_impossible_durations_are_counted_too():
    """A clock that jumps may not end the engine."""
    histogram = Histogram()
    for duration in (-5, 0, 2**42, 2**70):
        histogram.add(duration)
    assert histogram.total == 4
    assert Histogram().quantile_ns(0.99) == 0


def samples(meters):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(render(meters).decode())
        for sample in family.samples
    }


def test_prometheus_reads_what_was_counted():
    """Names and labels are a contract with whoever wrote a dashboard."""
    meters = Meters(("methane", "wind"))
    meters.frames_received = 7
    meters.frames[DURABLE] += 5
    meters.frames[REJECTED] += 2
    meters.count_refused("E_CRC")
    meters.readings[1, LATE] = 3
    meters.readings_received = 3
    meters.count_sent("warning/red/gas/140200/M-0001")
    meters.count_sent("system/nondeterminism")
    meters.watermark_lag_ms = 1500
    meters.egress_sync.add(1_000_000)
    found = samples(meters)
    assert found["tocsin_frames_received_total",] == 7
    assert found["tocsin_frames_total", "durable"] == 5
    assert found["tocsin_frames_refused_total", "E_CRC"] == 1
    assert found["tocsin_readings_total", "late", "wind"] == 3
    assert found["tocsin_readings_total", "folded", "methane"] == 0
    assert found["tocsin_warnings_total", "red"] == 1
    assert found["tocsin_warnings_total", "blue"] == 0
    assert found["tocsin_system_messages_total", "nondeterminism"] == 1
    assert found["tocsin_watermark_lag_seconds",] == 1.5
    assert found["tocsin_egress_sync_seconds_sum",] == 0.001
    assert found["tocsin_egress_sync_seconds_count",] == 1
    assert all(name.startswith("tocsin_") for name, *_ in found)


def test_a_heartbeat_has_the_fields_of_the_contract_and_adds_up():
    meters = Meters(("methane",))
    meters.readings[0] = np.arange(1, 10)
    meters.readings_received = 45
    beat = meters.heartbeat("e", "d", is_clock_synced=False)
    wanted = (
        "engine frames readings folded late set_aside rejected gateways_live gateways_known "
        "sensors_live sensors_known watermark_lag_ms rules_digest clock"
    )
    assert sorted(beat) == sorted(wanted.split())
    assert beat["folded"] + beat["late"] + beat["set_aside"] == beat["readings"]
    assert beat["clock"] == "unsynced"
    assert all(type(value) in (int, str) for value in beat.values())


def test_outcomes_have_the_places_that_the_contract_gives_them():
    assert FRAME_OUTCOMES == ("durable", "duplicate", "rejected", "retry")
    assert READING_OUTCOMES.index("quality") == 7
    assert len(READING_OUTCOMES) == 9
