"""Plant: what the simulated mine, tank farm, rivers and stations of the demonstration measure.

A cycle of two minutes, seeded: methane that a ventilation fault lets rise, a gateway that falls
silent while a warning stands, a tank that is overfilled and heated, a flood wave, an earthquake
that runs through the stations.  Whoever changes a sensor's name in configs/demo changes it here.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.cutting import Readings
from engine.registry import Catalogue

NS_PER_S: Final = 1_000_000_000
CYCLE_S: Final = 120.0
WAVE_PERIOD_NS: Final = 10_000_000
SEED: Final = 20261123

Signal = NDArray[np.float64]

# Epicentre at second 28 of the cycle; each station: when the wave comes, how hard (gal), how far.
STATIONS: Final = {
    "S1-Z": (29.0, 160.0),
    "S2-Z": (30.0, 90.0),
    "S3-Z": (31.0, 50.0),
    "S4-Z": (33.0, 20.0),
    "S5-Z": (34.5, 8.0),
    "S6-Z": (39.0, 3.0),
}
# While this gateway is silent, its warning cannot be confirmed: blind, never cleared.
SILENT_GATEWAY: Final = "G-MINE-2"
SILENT_S: Final = (44.0, 66.0)


def bump(second: Signal, start: float, rise: float, hold: float, fall: float) -> Signal:
    """A trapezoid from 0 to 1 and back, in seconds of the cycle."""
    corners = np.cumsum([start, rise, hold, fall])
    return np.interp(second, corners, [0.0, 1.0, 1.0, 0.0])


STORIES: Final[dict[str, Callable[[Signal], Signal]]] = {
    "M1-CH4-1": lambda t: 0.25 + 0.1 * bump(t, 10, 20, 20, 20),
    "M1-CH4-2": lambda t: 0.30 + 1.40 * bump(t, 6, 16, 10, 12),
    "M1-CH4-3": lambda t: 0.20 + 0.45 * bump(t, 30, 10, 10, 10),
    "M1-CO-1": lambda t: 8.0 + 30.0 * bump(t, 50, 10, 15, 10),
    "M2-CH4-1": lambda t: 0.30 + 0.80 * bump(t, 28, 6, 40, 10),
    "T1-P-1": lambda t: 150.0 + 165.0 * bump(t, 12, 20, 8, 15),
    "T1-T-1": lambda t: 40.0 + 25.0 * bump(t, 35, 20, 20, 20),
    "T2-P-2": lambda t: 150.0 + 75.0 * bump(t, 70, 10, 10, 10),
    "R1-H-1": lambda t: 2.6 + 2.1 * bump(t, 20, 25, 10, 30),
    "R2-H-1": lambda t: 2.0 + 1.2 * bump(t, 60, 20, 5, 25),
    "R1-RAIN-1": lambda t: 0.4 * bump(t, 5, 10, 20, 10),
}
# Where nothing happens: level and noise by sensor type.
QUIET: Final = {
    "methane": (0.25, 0.005),
    "co": (8.0, 0.3),
    "air_velocity": (2.4, 0.05),
    "tank_pressure": (150.0, 0.5),
    "tank_temperature": (35.0, 0.1),
    "combustible_gas": (1.0, 0.2),
    "water_level": (1.8, 0.004),
    "rain_gauge": (0.0, 0.0),
    "accelerometer": (0.0, 0.15),
}


def readings_of(catalogue: Catalogue, gateway: int, start_ns: int, seconds: float) -> Readings:
    """What one gateway measures from `start_ns` on, in the order of its manifest."""
    manifest = catalogue.manifest(gateway)
    kinds = [catalogue.types[catalogue.sensors.type[number]] for number in manifest]
    is_wave = all(kind.kind == "waveform" for kind in kinds)
    period_ns = WAVE_PERIOD_NS if is_wave else NS_PER_S
    count = max(1, int(seconds * NS_PER_S / period_ns))
    time_ns = start_ns + np.arange(count, dtype=np.int64) * period_ns
    second = ((time_ns - start_ns) / NS_PER_S) % CYCLE_S
    rng = np.random.default_rng([SEED, gateway])
    columns = [
        _column(catalogue.sensors.name[number], kind.name, second, rng)
        for number, kind in zip(manifest, kinds, strict=True)
    ]
    value = np.column_stack(columns)
    if catalogue.gateways.name[gateway] == SILENT_GATEWAY:
        heard = (second < SILENT_S[0]) | (second >= SILENT_S[1])
        time_ns, value = time_ns[heard], value[heard]
    return Readings(
        time_ns=time_ns,
        sensor=np.arange(manifest.size, dtype=np.uint32),
        value=value.astype(np.float32) if is_wave else value,
        period_ns=period_ns if is_wave else 0,
    )


def _column(name: str, kind: str, second: Signal, rng: np.random.Generator) -> Signal:
    level, noise = QUIET[kind]
    base = rng.normal(0.0, noise, second.size) if noise else np.zeros(second.size)
    if name in STATIONS:
        return base + _wave(second, *STATIONS[name], rng)
    story = STORIES.get(name)
    return base + (level if story is None else story(second))


def _wave(second: Signal, arrival: float, amplitude: float, rng: np.random.Generator) -> Signal:
    """Strong motion: a sharp onset, a few hertz, a slow decay."""
    since = np.maximum(second - arrival, 0.0)
    envelope = np.where(second >= arrival, np.minimum(since / 0.3, 1.0) * np.exp(-since / 5.0), 0.0)
    shape = np.sin(2 * np.pi * 3.1 * since) + 0.5 * rng.normal(0.0, 1.0, second.size)
    return amplitude * envelope * shape
