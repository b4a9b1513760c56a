"""A made-up network under load: what its gateways send, and the rules it is judged by.

Four gateways, eight sites, 320 sensors of two types, one reading a second each, in frames whose
readings are not quite in order, some of them lost in noise, some of them far too late.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from tests.end_to_end.senders import Frame
from tests.reference.value_ladder import Ladder

NS = 1_000_000_000
START_NS = 1_767_225_600 * NS
GATEWAYS = ("G-1", "G-2", "G-3", "G-4")
SITES_PER_GATEWAY = 2
TYPES = ("methane", "co")
SENSORS_PER_SITE = 20  # of each type
FRAME_S = 5
QUIET_S = 60  # at the end nothing is wrong any more, and all warnings end
LADDER = Ladder(
    enter=(0.5, 0.8, 1.0, 1.5),
    clear=(0.4, 0.7, 0.8, 1.0),
    hold_ns=(3 * NS, 2 * NS, 0, 0),
    clear_hold_ns=(4 * NS, 4500_000_000, 3 * NS, 5 * NS),
)
LADDER_TEXT = """\
    ladder:
      value: {value}
      above: {{blue: 0.5, yellow: 0.8, orange: 1.0, red: 1.5}}
      clear: {{blue: 0.4, yellow: 0.7, orange: 0.8, red: 1.0}}
      for: {{blue: 3s, yellow: 2s, orange: 0s, red: 0s}}
      clear_for: {{blue: 4s, yellow: 4500ms, orange: 3s, red: 5s}}
"""
RULE_TEXT = """\
  - id: {type}-{name}
    title: {{zh: 试验, en: Trial}}
    hazard: gas
    mode: live
    input: {{type: {type}, unit: "%", period: 1s}}
    by: [sensor]
    quality: {{stale_after: 30s, unknown: hold}}
{ladder}    message:
      zh: {{headline: "{{{{ sensor.name }}}} {{{{ value | q('%', 2) }}}}"}}
      en: {{headline: "{{{{ sensor.name }}}} {{{{ value | q('%', 2) }}}}"}}
"""
TYPE_LINES = [
    f'{{name: {name}, unit: "%", kind: gauge, lateness: 2s, period: 1s, pane: 5s}}'
    for name in TYPES
]


def pack_text(
    name: str = "network", values: Sequence[str] = ("value", "mean(10s)", "max(20s)")
) -> str:
    """A pack with one ladder for each of the values, over each type."""
    rules = [
        RULE_TEXT.format(
            type=type_, name=value.split("(")[0], ladder=LADDER_TEXT.format(value=value)
        )
        for type_ in TYPES
        for value in values
    ]
    return f"tocsin: 1\npack: {name}\nversion: 1.0.0\nowner: tests\nrules:\n" + "".join(rules)


def sensor_rows() -> list[tuple[str, str, str, str]]:
    """(sensor, gateway, site, type) in the order of the catalogue: types take turns."""
    return [
        (f"{gateway}-{site}-{number}-{type_}", gateway, f"{gateway}-S{site}", type_)
        for gateway in GATEWAYS
        for site in range(SITES_PER_GATEWAY)
        for number in range(SENSORS_PER_SITE)
        for type_ in TYPES
    ]


class Traffic:
    """What one gateway's sensors measure, and the frames it makes of it; the same for one seed.

    value  float64[seconds, sensors]   NaN where nothing was measured
    """

    def __init__(self, gateway: str, seconds: int, seed: int = 0) -> None:
        self.gateway = gateway
        self.names = [row[0] for row in sensor_rows() if row[1] == gateway]
        self.random = np.random.default_rng([seed, GATEWAYS.index(gateway)])
        self.value = self._measure(seconds)
        # The order in which readings leave: by second and sensor, a few neighbours swapped.
        size = self.value.size
        self.order = np.arange(size)
        swaps = self.random.choice(size // 2 - 1, size // 100, replace=False) * 2
        self.order[swaps], self.order[swaps + 1] = self.order[swaps + 1], self.order[swaps]
        self._delay_some()

    def _measure(self, seconds: int) -> np.ndarray:
        random, count = self.random, len(self.names)
        t = np.arange(seconds)[:, None]
        period, phase = random.uniform(300, 1200, count), random.uniform(0, 2 * np.pi, count)
        height = random.choice([0.3, 0.6, 0.9, 1.6], count)
        wave = np.sin(2 * np.pi * t / period + phase)
        value = np.maximum(height * wave, 0) + random.normal(0, 0.02, (seconds, count))
        value[-QUIET_S:] = 0.1
        value[random.random(value.shape) < 0.005] = np.nan
        return np.asarray(value)

    def _delay_some(self) -> None:
        """One in two hundred comes three frames late, when its pane has long been closed."""
        per_frame = len(self.names) * FRAME_S
        order = self.order[: (self.order.size // per_frame) * per_frame].reshape(-1, per_frame)
        late = self.random.random(order.shape) < 0.005
        late[-6:] = False
        frames = [row[~gone].tolist() for row, gone in zip(order, late, strict=True)]
        for number, (row, gone) in enumerate(zip(order, late, strict=True)):
            for reading in row[gone].tolist():
                frames[number + 3].append(reading)
        self.frames_of_readings = frames

    def frames(self) -> list[Frame]:
        """All frames, as the wire contract has them."""
        flat = self.value.reshape(-1)
        count = len(self.names)
        found = []
        for seq, readings in enumerate(self.frames_of_readings, 1):
            at = np.array(readings)
            second = at // count
            first = int(second.min())
            raw = (at % count).astype("<u4").tobytes()
            raw += ((second - first) * 1_000_000).astype("<u4").tobytes()
            raw += flat[at].astype("<f8").tobytes()
            fields = {"t": "frame", "v": 1, "session": 1, "seq": seq, "kind": "points"}
            fields |= {"n": at.size, "t0": START_NS + first * NS, "codec": "raw"}
            fields |= {"size": len(raw), "crc": zlib.crc32(raw), "width": 8, "quality": False}
            found.append((fields, raw))
        return found

    def readings_of(self, sensor: str) -> list[tuple[int, float]]:
        """(time, value) of one sensor in the order in which they leave."""
        count, mine = len(self.names), self.names.index(sensor)
        flat = self.value.reshape(-1)
        return [
            (START_NS + at // count * NS, float(flat[at]))
            for readings in self.frames_of_readings
            for at in readings
            if at % count == mine
        ]
