"""One gateway goes mad; the others' warnings do not change by a byte.

G-BAD sends every malformed message that the wire contract names, bombs, flipped bytes, readings
that are no numbers and times that cannot be.  G-1 works meanwhile.  Each bad message gets the
answer that the contract promises, all counters add up, and what G-1's people are told is what they
are told without G-BAD.
"""

import itertools
import random
import struct
import zlib

import msgpack
import pytest
import zmq
import zstandard

from tests.end_to_end.engines import Engine, running, wait_until
from tests.end_to_end.network import LADDER_TEXT, NS, RULE_TEXT, START_NS
from tests.end_to_end.plants import write_plant
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, pack, points, series

SENSORS = 6
SECONDS = 240
FRAME_BYTES_MAX = 1 << 20
FLIPS = 250
ROWS = [(0, 0, 0.1), (1, 1_000_000, 0.2)]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    rows = [(f"{g}-{n}", g, f"S-{g}", "methane") for g in ("G-1", "G-BAD") for n in range(SENSORS)]
    rules = [
        RULE_TEXT.format(type="methane", name=name, ladder=LADDER_TEXT.format(value=value))
        for name, value in (
            ("value", "value"),
            ("mean", "mean(10s)"),
            ("slope", "slope(20s) * 30s"),
        )
    ]
    text = "tocsin: 1\npack: isolation\nversion: 1.0.0\nowner: tests\nrules:\n" + "".join(rules)
    return write_plant(
        tmp_path_factory.mktemp("isolation") / "plant",
        types=['{name: methane, unit: "%", kind: gauge, lateness: 2s, period: 1s}'],
        sensors=rows, packs={"isolation": text}, low="-10", high="100",
        more="frame_bytes_max: 1 MiB\n",
    )  # fmt: skip


def good_frames():
    """What G-1 measures: a few seconds in each frame."""
    rng = random.Random(3)
    level = [rng.random() for _ in range(SENSORS)]
    for seq, first in enumerate(range(0, SECONDS, 4), 1):
        rows = []
        for second in range(4):
            for sensor in range(SENSORS):
                level[sensor] = min(max(level[sensor] + rng.uniform(-0.3, 0.3), 0.0), 2.0)
                rows.append((sensor, second * 1_000_000, level[sensor]))
        yield points(1, seq, rows, t0=START_NS + first * NS)


def changed(frame, **fields):
    """A frame whose header says something else."""
    return frame[0] | fields, frame[1]


def without(frame, name):
    return {key: value for key, value in frame[0].items() if key != name}, frame[1]


def as_zstd(frame, body, size):
    """A frame that says zstd, with a body of our making."""
    return changed(frame, codec="zstd", size=size, crc=zlib.crc32(body))[0], body


def zeros(size, **options):
    return zstandard.ZstdCompressor(**options).compress(bytes(size))


def nested(depth):
    """A header whose fields hide lists in lists."""
    return b"\x82\xa1t\xa5frame\xa1x" + b"\x91" * depth + b"\xc0"


def malformed(seq):
    """(what, code, (fields, body)): the malformed rows of the contract, each at the place `seq`."""
    good = points(1, seq, ROWS, t0=START_NS)
    coded = points(1, seq, [(0, 0, 0.1, 0), (1, 0, 0.2, 3)], t0=START_NS, quality=True)
    block = series(1, seq, [0, 1], [[0.1, 0.2], [0.3, 0.4]], t0=START_NS, period=NS)
    body = good[1]
    sized = {"size": len(body) - 1, "crc": zlib.crc32(body[:-1])}
    yield "crc", "E_CRC", changed(good, crc=good[0]["crc"] ^ 1)
    yield "body cut, sum right", "E_SHAPE", (changed(good, **sized)[0], body[:-1])
    yield "size is not the body's", "E_SIZE", changed(good, size=len(body) + 4)
    yield "larger than a frame may be", "E_SIZE", changed(good, size=FRAME_BYTES_MAX + 1)
    yield "no readings", "E_SHAPE", changed(good, n=0)
    yield "too many readings", "E_SHAPE", changed(good, n=(1 << 20) + 1)
    yield "one reading more than the body", "E_SHAPE", changed(good, n=3)
    yield "k times m is not n", "E_SHAPE", changed(block, m=3)
    yield "no sensors", "E_SHAPE", changed(block, k=0, n=0)
    yield "no spacing", "E_TIME", changed(block, period=0)
    yield "unknown codec", "E_CODEC", changed(good, codec="lz4")
    yield "not zstd at all", "E_CODEC", changed(good, codec="zstd")
    yield "sensor of nobody", "E_SENSOR", points(1, seq, [(SENSORS, 0, 1.0)], t0=START_NS)
    yield "sensor 2**32 - 1", "E_SENSOR", points(1, seq, [(0xFFFFFFFF, 0, 1.0)], t0=START_NS)
    yield "quality 10", "E_QUALITY", points(1, seq, [(0, 0, 1.0, 10)], t0=START_NS, quality=True)
    yield "quality is no bool", "E_HEADER", changed(coded, quality=1)
    yield "unknown kind", "E_KIND", changed(good, kind="matrix")
    yield "version 2", "E_VERSION", changed(good, v=2)
    yield "width 3", "E_SHAPE", changed(good, width=3)
    yield "no width", "E_HEADER", without(good, "width")
    yield "count as text", "E_HEADER", changed(good, n="2")
    yield "count as float", "E_HEADER", changed(good, n=2.0)
    yield "time beyond int64", "E_TIME", changed(block, t0=(1 << 63) - 1)
    yield "zstd bomb, 1 GiB", "E_SIZE", as_zstd(good, zeros(1 << 30), len(body))
    yield "zstd bomb that lies", "E_SIZE", as_zstd(good, zeros(1 << 30), 1 << 30)
    yield (
        "zstd without its size",
        "E_SIZE",
        as_zstd(good, zstandard.ZstdCompressor(write_content_size=False).compress(body), len(body)),
    )
    twice = zstandard.ZstdCompressor().compress(body) * 2
    yield "two zstd frames", "E_CODEC", as_zstd(good, twice, len(body))


def rubbish():
    """Messages that are no frame of any sequence: parts as they are sent."""
    yield [b"", b""]
    yield [b"\xc1", b""]
    yield [pack([1, 2, 3]), b""]
    yield [pack({"t": "frame", "v": 1}), b""]
    yield [pack({"t": "unheard-of", "v": 1}), b""]
    yield [pack({"v": 1}), b""]
    yield [nested(1_000), b""]
    yield [nested(100_000), b""]
    yield [b"\xdf\xff\xff\xff\xff", b""]  # a map of 2**32 - 1 fields
    yield [b"\xdd\xff\xff\xff\xff", b""]  # a list as long
    yield [b"\xc6\xff\xff\xff\xff", b""]  # bytes as many
    yield [pack({f"k{n}": n for n in range(5_000)}), b""]
    yield [msgpack.packb({"t": "frame", "v": 1, "session": msgpack.ExtType(5, b"x")}), b""]
    yield [pack({"t": "frame", "v": 1, "session": 1, "seq": -1}), b""]
    yield [pack({"t": "frame", "v": 1, "session": 0, "seq": 1}), b"x" * 1000]
    yield [pack({"t": "frame", "v": 1, "session": True, "seq": 1}), b""]
    yield [pack({"t": "hello", "v": 1, "gateway": "G-BAD", "session": 1, "next": 1}), b"body"]
    yield [pack({"t": "ping", "v": 1, "now": 1}), b"", b"", b"", b"", b"", b"", b""]


def odd_readings():
    """Good frames whose readings are nonsense: (quality or value or time that cannot be)."""
    values = [float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 100.1, -10.1, 5e-324]
    yield [(n % SENSORS, n * 1_000_000, value) for n, value in enumerate(values)], START_NS, 8
    yield [(n % SENSORS, n * 1_000_000, v) for n, v in enumerate(values[:3])], START_NS, 4
    yield ROWS, START_NS + 100 * 365 * 86_400 * NS, 8  # a century ahead
    yield ROWS, 1_000_000_000 * 86_400, 8  # 1970
    yield ROWS, -(1 << 62), 8
    yield ROWS, -NS, 8
    yield [(0, 0xFFFFFFFF, 0.5), (0, 0, 0.5)], START_NS, 8


class Mad:
    """G-BAD: knows its place in the sequence, and sends what it must not."""

    def __init__(self, engine):
        self.link = Gateway(engine.intake, "G-BAD")
        assert self.link.hello()["t"] == "welcome"
        self.next = 1

    def good(self):
        """A good frame; the stream goes on."""
        self.link.send(*points(1, self.next, ROWS, t0=START_NS))
        self.link.wait_durable(self.next)
        self.next += 1

    def expect(self, what, code, frame):
        """Send one malformed frame: refused with its code, never to be sent again, and passed."""
        self.link.send(*frame)
        nak = self.link.wait_nak()
        assert (nak["code"], nak["retry"], nak["seq"]) == (code, False, self.next), (what, nak)
        assert len(nak["text"]) > 10
        self.link.wait_durable(self.next)
        self.next += 1

    def settle(self):
        """Everything sent has been looked at: a ping is answered after it."""
        self.link.send({"t": "ping", "v": 1, "now": 0})
        self.link.wait_for(lambda answer: answer["t"] == "pong")

    def greet_again(self):
        """Learn from a welcome where the sequence stands."""
        hello = {"t": "hello", "v": 1, "gateway": "G-BAD", "session": 1, "next": self.next}
        self.link.send(hello)
        self.next = self.link.wait_for(lambda a: a["t"] == "welcome")["durable"] + 1


def flip(rng, parts):
    """A few bits of a good message, anywhere."""
    parts = [bytearray(part) for part in parts]
    for _ in range(rng.choice((1, 1, 2, 8))):
        part = rng.choice(parts)
        if part:
            part[rng.randrange(len(part))] ^= 1 << rng.randrange(8)
    return [bytes(part) for part in parts]


def run(config, folder, nursery, mad_steps):
    """Let G-1 work through its frames, with one step of madness between any two of them."""
    engine = Engine(config, folder / "data", nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        steps = iter(mad_steps(engine))
        for fields, body in good_frames():
            gateway.send(fields, body)
            gateway.wait_durable(fields["seq"])
            next(steps, None)
        for _ in steps:
            pass
        assert not gateway.naks
        wait_until(lambda: adds_up(engine.metrics()), "the readings never add up")
        meters = engine.metrics()
        assert engine.stop() == 0
        engine.start()
        with Consumer(engine.warnings, engine.replay) as consumer:
            items = consumer.everything()
        assert engine.stop() == 0
    assert_log_is_whole(items)
    return items, meters


def adds_up(meters):
    """Law 7: frames and readings end in exactly one of their outcomes."""
    frames = sum(v for name, v in meters.items() if name.startswith("tocsin_frames_total"))
    readings = sum(v for name, v in meters.items() if name.startswith("tocsin_readings_total"))
    return (
        meters["tocsin_frames_received_total"] == frames
        and meters["tocsin_readings_received_total"] == readings
    )


@pytest.fixture(scope="module")
def calm(config, nursery, tmp_path_factory):
    """What G-1's people are told when G-BAD is not there."""
    items, meters = run(config, tmp_path_factory.mktemp("calm"), nursery, lambda engine: ())
    told = stories(items)
    assert sum(map(len, told.values())) > 100
    assert {key[1] for key in told} == {"methane-value", "methane-mean", "methane-slope"}
    assert meters["tocsin_frames_received_total"] == SECONDS / 4
    return told


def of_the_good(items):
    return stories([item for item in items if item[1]["site"] == "S-G-1"])


def test_every_malformed_frame_has_its_answer_and_harms_nobody(config, nursery, tmp_path, calm):
    """Gateways are built by strangers; what one of them gets wrong is told to it, and to nobody
    else."""
    codes = []

    def steps(engine):
        mad = Mad(engine)
        for number in itertools.count():
            row = next(itertools.islice(malformed(mad.next), number, None), None)
            if row is None:
                break
            mad.expect(*row)
            codes.append(row[1])
            yield
            mad.good()
        mad.link.close()

    items, meters = run(config, tmp_path, nursery, steps)

    assert of_the_good(items) == calm
    assert set(codes) == {
        "E_CRC", "E_SIZE", "E_SHAPE", "E_CODEC", "E_SENSOR", "E_QUALITY", "E_KIND", "E_VERSION",
        "E_TIME", "E_HEADER",
    }  # fmt: skip
    assert meters['tocsin_frames_total{outcome="rejected"}'] == len(codes)
    for code in set(codes):
        assert meters[f'tocsin_frames_refused_total{{code="{code}"}}'] == codes.count(code)


def test_rubbish_lies_and_flipped_bytes_harm_nobody(config, nursery, tmp_path, calm):
    """A bomb, a broken cable or an attacker at one mine must not silence the next."""
    rng = random.Random(11)

    def steps(engine):
        mad = Mad(engine)
        stranger = Gateway(engine.intake, "G-NOBODY")
        assert stranger.hello()["code"] == "E_IDENTITY"
        stranger.send(*points(1, 1, ROWS))
        assert stranger.wait_nak()["retry"]
        for parts in rubbish():
            mad.link.send_parts(parts)
            mad.settle()
            yield
        mad.greet_again()
        mad.good()
        mad.link.send(*points(1, mad.next + 5, ROWS, t0=START_NS))
        mad.link.wait_for(lambda answer: answer.get("code") == "E_GAP")
        mad.link.send(*points(1, 1, ROWS, t0=START_NS))  # a duplicate
        mad.link.wait_for(lambda answer: answer["t"] == "ack")
        for rows, t0, width in odd_readings():
            mad.link.send(*points(1, mad.next, rows, t0=t0, width=width))
            mad.link.wait_durable(mad.next)
            mad.next += 1
            yield
        coded = [(0, code * 1_000_000, 0.5, code) for code in range(10)]
        mad.link.send(*points(1, mad.next, coded, t0=START_NS, quality=True))
        mad.link.wait_durable(mad.next)
        for _ in range(FLIPS):
            mad.greet_again()
            fields, body = points(1, mad.next, ROWS, t0=START_NS)
            mad.link.send_parts(flip(rng, [pack(fields), body]))
            mad.settle()
            if rng.random() < 0.2:
                yield
        yield from oversize(engine)
        stranger.close()
        mad.link.close()

    items, meters = run(config, tmp_path, nursery, steps)

    assert of_the_good(items) == calm
    for outcome in ("nan", "infinite", "over", "under", "future", "quality", "ancient"):
        name = f'tocsin_readings_total{{outcome="{outcome}",type="methane"}}'
        assert meters[name] > 0, outcome
    for outcome in ("durable", "duplicate", "rejected", "retry"):
        assert meters[f'tocsin_frames_total{{outcome="{outcome}"}}'] > 0, outcome


def oversize(engine):
    """A part larger than any frame costs the connection, and nothing else."""
    link = zmq.Context.instance().socket(zmq.DEALER)
    link.setsockopt(zmq.LINGER, 0)
    link.connect(engine.intake)
    for _ in range(3):
        link.send_multipart([pack({"t": "frame", "v": 1}), bytes(FRAME_BYTES_MAX * 4)])
        yield
    link.send_multipart([b"x"] * 1000)
    yield
    link.close()


def test_a_mad_engine_keeps_its_memory(config, nursery, tmp_path):
    """A bomb that is refused must not have been unpacked first."""
    engine = Engine(config, tmp_path / "data", nursery=nursery)
    with running(engine):
        mad = Mad(engine)
        mad.good()
        bomb = zeros(1 << 30)
        before = 0
        for round_ in range(5):
            # The first round touches what any frame touches: code, buffers, the log.
            before = before if round_ > 1 else resident_bytes(engine.process.pid)
            for size in (len(ROWS) * 16, 1 << 30, FRAME_BYTES_MAX):
                frame = as_zstd(points(1, mad.next, ROWS, t0=START_NS), bomb, size)
                mad.expect("bomb", "E_SIZE", frame)
        grown = resident_bytes(engine.process.pid) - before
        mad.link.close()
        assert engine.stop() == 0
    assert grown < 8 << 20


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_flipping_flips():
    """A harness that flips nothing proves nothing."""
    rng = random.Random(1)
    parts = [b"header", struct.pack("<4d", *range(4))]
    assert sum(flip(rng, parts) != parts for _ in range(100)) > 90
