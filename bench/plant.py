"""Plant: a made-up network of sensors whose warnings are known before they are sent.

Every sensor reports once a tick. Almost all of them are noise around 10; a few are *planted*: one
is hit by a single spike, the next stands high for three panes. What the four rules of the pack
must say about those, and that they say nothing about the others, is worked out here by hand over
lists of numbers; it shares no code with the engine.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
# 2026-01-01T00:00:00Z: every pane length divides it.
START_NS = 1_767_225_600 * NS_PER_S
GATEWAY = "G-BENCH"
PANE_S = 10
WINDOW_S = 60
LEVEL, SPIKE, STEP = 10.0, 95.0, 75.0
STEP_PANES = 3
SERIES_DELAY_US = 1
# Enough noise that a window is not constant, never enough for a threshold.
NOISE_POOL = 4

TYPES = """types:
  - {{name: strain, unit: mm, kind: gauge, lateness: 0s, pane: {pane_s}s, precision: float32,
     period: {period_us}us}}
"""
PACK = """tocsin: 1
pack: bench
version: 1.0.0
owner: bench
rules:
  - id: value-high
    title: {zh: 测值, en: Value}
    hazard: test
    input: {type: strain, unit: mm}
    by: [sensor]
    quality: {stale_after: 1h}
    ladder: {value: value, above: {blue: 50, yellow: 60, orange: 70, red: 80}, deadband: 1,
             for: 0s, clear_for: 0s}
  - id: mean-high
    title: {zh: 均值, en: Mean}
    hazard: test
    input: {type: strain, unit: mm}
    by: [sensor]
    ladder: {value: mean(1m), above: {yellow: 40, red: 60}, deadband: 1, for: 0s, clear_for: 0s}
  - id: max-high
    title: {zh: 最大值, en: Maximum}
    hazard: test
    input: {type: strain, unit: mm}
    by: [sensor]
    ladder: {value: max(1m), above: {orange: 90}, deadband: 1, for: 0s, clear_for: 0s}
  - id: std-high
    title: {zh: 标准差, en: Deviation}
    hazard: test
    input: {type: strain, unit: mm}
    by: [sensor]
    ladder: {value: std(1m), above: {blue: 25}, deadband: 1, for: 0s, clear_for: 0s}
"""
ENGINE = """engine: bench
catalogue: catalogue
rules: [pack.yaml]
intake: tcp://127.0.0.1:{intake}
warnings: tcp://127.0.0.1:{warnings}
replay: tcp://127.0.0.1:{replay}
http: 127.0.0.1:{http}
security: none
clock: {clock}
status: test
"""
# Of each rule: entry thresholds by colour, in ascending order; it clears one below.
LADDERS = {
    "value-high": (("blue", 50.0), ("yellow", 60.0), ("orange", 70.0), ("red", 80.0)),
    "mean-high": (("yellow", 40.0), ("red", 60.0)),
    "max-high": (("orange", 90.0),),
    "std-high": (("blue", 25.0),),
}
DEADBAND = 1.0

# Rule, sensor, event, grade, event time: what a consumer must have seen.
Expected = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Plant:
    """A network of `sensor_count` sensors, `site_rows` to a site, `rate_hz` readings each a second.

    Tick j of sensor s is at START + j / rate + the sensor's own delay; sensor s is planted if
    s % plant_every == 0.
    """

    sensor_count: int
    site_rows: int
    rate_hz: int
    plant_every: int
    seed: int

    def write(self, folder: Path, *, ports: tuple[int, int, int, int], clock: str) -> Path:
        """Write catalogue, pack and engine.yaml; returns the path of the last."""
        home = folder / "catalogue"
        home.mkdir(parents=True)
        site_count = -(-self.sensor_count // self.site_rows)
        period_us = US_PER_S // self.rate_hz
        (home / "types.yaml").write_text(TYPES.format(pane_s=PANE_S, period_us=period_us))
        sites = "".join(f"P-{k:04d},甲,A,100000,,\n" for k in range(site_count))
        (home / "sites.csv").write_text("site,name_zh,name_en,division,lat,lon\n" + sites)
        (home / "gateways.csv").write_text(f"gateway,site,public_key\n{GATEWAY},P-0000,\n")
        with (home / "sensors.csv").open("w") as file:
            file.write("sensor,gateway,site,type,period,range_low,range_high\n")
            for sensor in range(self.sensor_count):
                site = sensor // self.site_rows
                file.write(f"{name_of(sensor)},{GATEWAY},P-{site:04d},strain,,-1000,1000\n")
        (folder / "pack.yaml").write_text(PACK)
        names = ("intake", "warnings", "replay", "http")
        text = ENGINE.format(clock=clock, **dict(zip(names, ports, strict=True)))
        (folder / "engine.yaml").write_text(text)
        return folder / "engine.yaml"

    @property
    def delay_us(self) -> NDArray[np.uint32]:
        """When within its tick each sensor reports: uint32[s], more than 0, less than a tick."""
        period_us = US_PER_S // self.rate_hz
        spread = np.arange(self.sensor_count, dtype=np.int64) * 7919 % (period_us - 1)
        return (1 + spread).astype(np.uint32)

    def noise(self) -> NDArray[np.float32]:
        """The quiet readings, float32[NOISE_POOL, s]; tick j has row j % NOISE_POOL."""
        random = np.random.default_rng(self.seed)
        shape = (NOISE_POOL, self.sensor_count)
        return np.float32(LEVEL) + random.random(shape, dtype=np.float32)

    def planted(self) -> NDArray[np.int64]:
        """The sensors that are planted."""
        return np.arange(0, self.sensor_count, self.plant_every)

    def planted_at(self, tick: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Sensors that are not quiet at a tick, and their readings then."""
        sensors = self.planted()
        turn = sensors // self.plant_every
        first_pane = 3 + turn % 4
        pane = tick // self.pane_ticks
        spike_tick = (first_pane * self.pane_ticks) + turn % self.pane_ticks
        is_spike = (turn % 2 == 0) & (tick == spike_tick)
        is_step = (turn % 2 == 1) & (pane >= first_pane) & (pane < first_pane + STEP_PANES)
        chosen = is_spike | is_step
        return sensors[chosen], np.where(is_spike, SPIKE, STEP)[chosen].astype(np.float32)

    @property
    def pane_ticks(self) -> int:
        """Readings of one sensor in one pane."""
        return PANE_S * self.rate_hz

    def expected(self, tick_count: int, *, is_series: bool = False) -> list[Expected]:
        """Every event that the rules must send for so many ticks, sorted."""
        noise, delay_us = self.noise(), self.delay_us
        if is_series:
            # All samples of a series lie on one grid.
            delay_us = np.full_like(delay_us, SERIES_DELAY_US)
        found: list[Expected] = []
        readings = {int(s): noise[np.arange(tick_count) % NOISE_POOL, s] for s in self.planted()}
        for tick in range(tick_count):
            for sensor, value in zip(*self.planted_at(tick), strict=True):
                readings[int(sensor)][tick] = value
        for sensor, values in readings.items():
            times = [
                START_NS + tick * NS_PER_S // self.rate_hz + int(delay_us[sensor]) * 1000
                for tick in range(tick_count)
            ]
            named = [("value-high", list(zip(times, values.tolist(), strict=True)))]
            named += self._windows(values)
            for rule, points in named:
                found += [(rule, name_of(sensor), *event) for event in _events(rule, points)]
        return sorted(found)

    def _windows(self, values: NDArray[np.float32]) -> list[tuple[str, list[tuple[int, float]]]]:
        """Mean, maximum and deviation at the end of each pane that closes, where they are known."""
        points: dict[str, list[tuple[int, float]]] = {
            "mean-high": [],
            "max-high": [],
            "std-high": [],
        }
        due = WINDOW_S * self.rate_hz
        # A pane closes when a reading after its end has come.
        for end in range(self.pane_ticks, values.size, self.pane_ticks):
            inside = [float(x) for x in values[max(0, end - due) : end]]
            if 2 * len(inside) < due:
                continue
            end_ns = START_NS + end * NS_PER_S // self.rate_hz
            mean = math.fsum(inside) / len(inside)
            square = math.fsum((x - mean) ** 2 for x in inside) / len(inside)
            points["mean-high"].append((end_ns, mean))
            points["max-high"].append((end_ns, max(inside)))
            points["std-high"].append((end_ns, math.sqrt(square)))
        return list(points.items())


def _events(rule: str, points: list[tuple[int, float]]) -> list[tuple[str, str, int]]:
    """Events of a ladder that holds nothing: on at its threshold, off one below it."""
    ladder = LADDERS[rule]
    held = 0
    events = []
    for time_ns, value in points:
        reached = sum(value >= enter for _, enter in ladder)
        kept = sum(value >= enter - DEADBAND for _, enter in ladder)
        now = max(reached, min(held, kept))
        if now == held:
            continue
        if held == 0:
            event = "raised"
        else:
            event = "cleared" if now == 0 else "upgraded" if now > held else "downgraded"
        held = now
        events.append((event, ladder[now - 1][0] if now else "none", time_ns))
    return events


def name_of(sensor: int) -> str:
    """The name of a sensor in the catalogue."""
    return f"S{sensor:07d}"
