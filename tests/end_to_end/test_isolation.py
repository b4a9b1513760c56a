"""Two gateways on one engine: one of them talks nonsense, the other must not be hurt by it.

Gateway A measures gas and is right; B, on another site, sends in between every malformed frame
that the contract knows, bombs, and readings that cannot be.  If B could silence, bend or delay
into another one a single warning of A, the people at A would pay for a broken box at B.
"""

import functools
import itertools
import math
import random
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgpack
import pytest
import zstandard

from tests.end_to_end.engines import Engine, running, wait_until
from tests.end_to_end.network import NS, START_NS, TYPE_LINES, pack_text
from tests.end_to_end.plants import write_plant
from tests.end_to_end.warnings import assert_log_is_whole, stories
from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, pack, points, series

SENSORS = [
    (f"{gateway}-{number}-{type_}", gateway, f"S-{gateway}", type_)
    for gateway in "AB"
    for number in range(2)
    for type_ in ("methane", "co")
]
PER_GATEWAY = 4
RULES = {"methane-value", "methane-mean", "co-value", "co-mean"}
SECONDS, FRAME_S = 600, 2
YEAR_NS = 365 * 86_400 * NS
END_OF_TIME = (1 << 63) - 1
FRAME_BYTES_MAX = 8 << 20
BOMB_BYTES = 1 << 30
FLIPS = 240
SEED = 5
# What the contract says to a frame at its place, and to one that is not at its place.
AT_ITS_PLACE = {
    *("E_CRC", "E_SIZE", "E_SHAPE", "E_CODEC", "E_SENSOR", "E_QUALITY", "E_KIND", "E_VERSION"),
    *("E_TIME", "E_HEADER"),
}
OUT_OF_PLACE = {"E_GAP", "E_SESSION"}


class Said(NamedTuple):
    """An answer: the code of the nak, or none; whether to send again; frames acknowledged."""

    code: str
    retry: bool
    steps: int


class Frame(NamedTuple):
    """Something B sends: its parts, given the seq it should have, and what the answer must be.

    `said` is None where a flipped bit may hit anything; `count` is its readings if it is durable.
    """

    name: str
    parts_of: "functools.partial[list[bytes]]"
    said: Said | None
    count: int = 0


def placed(fields, body, ahead, more, seq):
    """The parts of a frame whose seq is filled in as it is sent."""
    return [pack(fields | {"seq": seq + ahead}), body, *more]


def frame(name, code, made, *, more=(), ahead=0, **changes):
    """A frame with some of its fields changed; a change to None leaves the field out."""
    fields, body = made
    fields = {key: value for key, value in (fields | changes).items() if value is not None}
    said = Said(code, ahead > 0, 1 if ahead == 0 else 0)
    count = 0 if code else fields["n"]
    return Frame(name, functools.partial(placed, fields, body, ahead, more), said, count)


def bare(name, code, *parts):
    """A message without a place in the sequence."""
    return Frame(name, functools.partial(lambda found, _: found, list(parts)), Said(code, False, 0))


def good(value=0.3, *, t0=START_NS, **options):
    return points(1, 0, [(0, 1, value), (1, 2, value), (3, 5, value)], t0=t0, **options)


def wave(**options):
    return series(1, 0, [0, 2], [[0.1, 0.2, 0.3]] * 2, t0=START_NS, period=NS, **options)


def with_body(made, body):
    """The frame with another body, whose sum is right."""
    return made[0] | {"crc": zlib.crc32(body)}, body


def bomb(size=-1):
    """A GiB of zeros as one zstd frame; it declares the size that it is given."""
    stream = zstandard.ZstdCompressor().compressobj(size=size)
    chunk = bytes(1 << 24)
    return b"".join(stream.compress(chunk) for _ in range(BOMB_BYTES >> 24)) + stream.flush()


def lying(body, declared):
    """The bomb, but it declares another size, in the field of four bytes at its beginning."""
    flags = body[4]
    assert flags >> 6 == 2, "the content size has four bytes"
    assert flags & 3 == 0, "no dictionary"
    at = 5 if flags & 0x20 else 6
    assert body[at : at + 4] == BOMB_BYTES.to_bytes(4, "little")
    return body[:at] + declared.to_bytes(4, "little") + body[at + 4 :]


def malformed():
    """Every fault that section 1.2 of the contract lists, each in several ways."""
    plain, coded = good(), good(compress=zstandard.compress)
    body, size = plain[1], plain[0]["size"]
    yield frame("sum", "E_CRC", plain, crc=plain[0]["crc"] ^ 1)
    yield frame("sum of a series", "E_CRC", wave(), crc=0)
    yield frame("size too large", "E_SIZE", plain, size=size + 1)
    yield frame("cut", "E_SIZE", with_body(plain, body[:-1]))
    yield frame("no body", "E_SIZE", with_body(plain, b""))
    yield frame("more than there may be", "E_SIZE", plain, size=FRAME_BYTES_MAX + 1)
    yield frame("zstd of another size", "E_SIZE", coded, size=size - 1)
    for n in (0, 2, 4, (1 << 20) + 1):
        yield frame(f"n = {n}", "E_SHAPE", plain, n=n)
    for width in (0, 4, 5):
        yield frame(f"width {width}", "E_SHAPE", plain, width=width)
    yield frame("no quality column", "E_SHAPE", plain, quality=True)
    yield frame("k times m", "E_SHAPE", wave(), k=3)
    yield frame("k and m of a giant", "E_SHAPE", wave(), k=1 << 40, m=1 << 40)
    yield frame("five parts", "E_SHAPE", plain, more=(b"x", b"", body))
    yield frame("five hundred parts", "E_SHAPE", plain, more=(b"x",) * 498)
    yield frame("unknown codec", "E_CODEC", plain, codec="lz4")
    yield frame("not zstd", "E_CODEC", plain, codec="zstd")
    yield frame("half a zstd frame", "E_CODEC", with_body(coded, coded[1][:-3]))
    yield frame("two zstd frames", "E_CODEC", with_body(coded, coded[1] * 2))
    for index in (PER_GATEWAY, (1 << 32) - 1):
        yield frame(f"sensor {index}", "E_SENSOR", points(1, 0, [(index, 0, 1.0)], t0=START_NS))
        made = series(1, 0, [0, index], [[1.0]] * 2, t0=START_NS)
        yield frame(f"sensor {index} of a series", "E_SENSOR", made)
    for code in (10, 255):
        made = points(1, 0, [(0, 0, 1.0, code)], t0=START_NS, quality=True)
        yield frame(f"quality {code}", "E_QUALITY", made)
    yield frame("kind", "E_KIND", plain, kind="waves")
    for version in (0, 2, 1 << 40):
        yield frame(f"version {version}", "E_VERSION", plain, v=version)
    for t0 in (1 << 63, END_OF_TIME):
        yield frame(f"t0 = {t0}", "E_TIME", plain, t0=t0)
    for period in (0, -NS, END_OF_TIME):
        yield frame(f"period {period}", "E_TIME", wave(), period=period)
    for name in set(plain[0]) - {"t", "session", "seq"}:
        yield frame(f"no {name}", "E_HEADER", plain, **{name: None})
    for name, value in (("n", "3"), ("quality", 1), ("crc", 1 << 32), ("t0", 1.5), ("size", -1)):
        yield frame(f"{name} = {value!r}", "E_HEADER", plain, **{name: value})


def out_of_place():
    """Frames too early or without a place, and headers that are none, or bombs."""
    plain = good()
    fields, body = plain[0] | {"seq": 1}, plain[1]
    yield frame("gap", "E_GAP", plain, ahead=1)
    yield frame("a malformed one after a gap", "E_GAP", plain, ahead=1 << 40, crc=0)
    yield bare("again", "", pack(fields), body)
    yield bare("malformed, but long durable", "", pack(fields | {"crc": 0}), body)
    for name, value in (("seq", 0), ("seq", True), ("seq", -1), ("session", "1"), ("t", "fame")):
        yield bare(f"{name} = {value!r}", "E_HEADER", pack(fields | {name: value}), body)
    for name in ("t", "session", "seq"):
        less = {key: value for key, value in fields.items() if key != name}
        yield bare(f"no {name}", "E_HEADER", pack(less), body)
    whole = pack(fields)
    for name, header in {
        "nothing": b"",
        "half a header": whole[: len(whole) // 2],
        "a header and a byte": whole + b"\x00",
        "noise": bytes(range(255, 128, -1)),
        "a field twice": b"\x82" + pack("t") + pack("frame") + pack("t") + pack("frame"),
        "no map": pack([fields]),
        "a giant": pack(fields | {"more": "x" * 5000}),
        "an ext type": pack(fields | {"more": msgpack.Timestamp(1)}),
        "numbers for names": pack({1: 2} | fields),
        "a bomb of an array": b"\xdd\xff\xff\xff\xff",
        "a bomb of a map": b"\xdf\xff\xff\xff\xff",
        "a bomb of text": b"\x81\xa1t\xdb\xff\xff\xff\xff",
        "a bomb of bytes": b"\x81\xa1t\xc6\xff\xff\xff\xff",
        "a bomb of arrays in arrays": b"\x81\xa1t" + b"\x91" * 4000 + b"\x00",
        "a bomb of maps in maps": b"\x81\xa1t" * 1300 + b"\x00",
    }.items():
        yield bare(name, "E_HEADER", header, body)
    yield bare("one part, and that is empty", "E_HEADER", b"")
    yield bare("fifty parts", "E_HEADER", *[b"x"] * 50)


def bombs():
    """A GiB in some 30 KiB; nobody may unpack it, whatever the header and the bomb itself say."""
    made = good(compress=zstandard.compress)
    declared, size = bomb(BOMB_BYTES), made[0]["size"]
    yield frame("undeclared bomb", "E_SIZE", with_body(made, bomb()))
    yield frame("declared bomb", "E_SIZE", with_body(made, declared))
    yield frame("bomb in header and frame", "E_SIZE", with_body(made, declared), size=BOMB_BYTES)
    yield frame("bomb that lies", "E_CODEC", with_body(made, lying(declared, size)))


def absurd():
    """Well-formed frames whose readings cannot be: no frame is refused for them."""
    for width in (8, 4):
        for value in (math.nan, math.inf, -math.inf, 100.5, -11.0, 3e38):
            yield frame(f"{value} in {width} bytes", "", good(value, width=width))
    for value in (1e300, -1e300):
        yield frame(f"{value}", "", good(value))
        yield frame("series", "", series(1, 0, [1], [[value, 0.1]], t0=START_NS, width=8))
    samples = [[math.nan, math.inf, 0.3], [-math.inf, -3e38, 101.0]]
    yield frame("a spoiled series", "", series(1, 0, [0, 3], samples, t0=START_NS, period=NS))
    codes = [(code % PER_GATEWAY, code, 0.3, code) for code in range(10)]
    yield frame("every quality code", "", points(1, 0, codes, t0=START_NS, quality=True))
    last = END_OF_TIME - 10_000
    for t0 in (START_NS + 200 * YEAR_NS, last, START_NS - 40 * YEAR_NS, 0, -NS, -END_OF_TIME - 1):
        yield frame(f"t0 = {t0}", "", good(t0=t0))
        made = series(1, 0, [0, 3], [[0.3, 0.4]] * 2, t0=t0)
        yield frame(f"series at {t0}", "", made)
    yield frame("a jump of an hour", "", good(9.0, t0=START_NS + 3600 * NS))
    yield frame("late ever after", "", good(9.0, t0=START_NS + NS))
    ends = series(1, 0, [0], [[0.1, 0.2]], t0=START_NS, period=END_OF_TIME - START_NS)
    yield frame("a period to the end of time", "", ends)


def flipped(parts, at, mask, seq):
    """A good frame of which one byte has changed on its way."""
    found = [bytearray(part) for part in placed(*parts, 0, (), seq)]
    part = found[0] if at < 0 else found[1]
    part[at % len(part)] ^= mask
    return [bytes(part) for part in found]


def flips():
    """Bytes that change on the way: in the body the sum tells, in the header all may happen."""
    rng = random.Random(SEED)
    made = good()
    for number in range(FLIPS):
        is_body = number % 3 == 0
        at = rng.randrange(len(made[1])) if is_body else -rng.randrange(1, 140)
        said = Said("E_CRC", False, 1) if is_body else None
        parts_of = functools.partial(flipped, made, at, rng.randrange(1, 256))
        yield Frame(f"flip {number}", parts_of, said, made[0]["n"])


class Mad:
    """Gateway B: it keeps what it said and heard, and how the engine should have counted it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.heard = []
        self.outcomes = Counter()
        self.readings = 0

    def say(self, one):
        """Send one frame and take its whole answer."""
        gateway = self.gateway
        before = gateway.durable
        gateway.send_parts(one.parts_of(before + 1))
        answer = gateway.wait_for(lambda found: found["t"] in ("ack", "nak"))
        code, retry = answer.get("code", ""), answer.get("retry", False)
        if code:
            assert answer["text"]
            assert answer["expected"] in (before + 1, before + 2)
            gateway.wait_durable(answer["expected"] - 1)
        steps = gateway.durable - before
        self.heard.append((one, Said(code, retry, steps)))
        if code:
            self.outcomes["retry" if retry else "rejected"] += 1
        else:
            self.outcomes["durable" if steps else "duplicate"] += 1
            self.readings += one.count if steps else 0


def measured():
    """A's frames: four sensors that swing through all grades, each at its own pace."""
    heights, periods = (1.8, 0.9, 1.2, 2.2), (97.0, 140.0, 61.0, 203.0)
    for seq, start in enumerate(range(0, SECONDS, FRAME_S), 1):
        rows = []
        for second, sensor in itertools.product(range(FRAME_S), range(PER_GATEWAY)):
            turn = 2 * math.pi * (start + second) / periods[sensor]
            value = max(0.0, heights[sensor] * math.sin(turn)) + 0.001 * sensor
            rows.append((sensor, second * 1_000_000, value))
        yield points(1, seq, rows, t0=START_NS + start * NS)


def push(engine, nonsense):
    """A pushes all its frames; after each of them B says its share. Returns B, if there is one."""
    frames = list(measured())
    share = math.ceil(len(nonsense) / (len(frames) - 1))
    with Gateway(engine.intake, "A") as a, Gateway(engine.intake, "B") as b:
        a.hello()
        mad = Mad(b)
        if nonsense:
            b.hello()
        for number, (fields, body) in enumerate(frames):
            a.send(fields, body)
            for one in nonsense[number * share : (number + 1) * share]:
                mad.say(one)
            a.wait_durable(fields["seq"] - a.credit + 1)
        a.wait_durable(len(frames))
        assert a.naks == [], "A is told off for what B did"
    mad.outcomes["durable"] += len(frames)
    mad.readings += SECONDS * PER_GATEWAY
    return mad


class Told(NamedTuple):
    """What one run has left: the warnings, what B heard, the counters, how it all ended."""

    items: list
    mad: Mad
    metrics: dict
    grown_bytes: int
    exits: list


def run(config, data, nursery, nonsense):
    """One engine from its start to its orderly end, and once more to ask what it has warned of."""
    engine = Engine(config, data, nursery=nursery)
    with running(engine), Consumer(engine.warnings, engine.replay) as consumer:
        before = peak_bytes(engine)
        mad = push(engine, nonsense)
        wait_until(lambda: readings_ended(engine.metrics()) >= mad.readings, "readings are missing")
        assert engine.is_ready(), engine.tail()
        metrics, grown = engine.metrics(), peak_bytes(engine) - before
        assert engine.stop() == 0, engine.tail()
        engine.start()
        items = consumer.everything()
        assert engine.stop() == 0, engine.tail()
    return Told(items, mad, metrics, grown, engine.exits)


def peak_bytes(engine):
    """The most memory that the engine has had at once."""
    lines = Path(f"/proc/{engine.process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def labelled(metrics, family):
    """What a family of counters says, by its labels."""
    return {key: value for key, value in metrics.items() if key.startswith(family + "{")}


def readings_ended(metrics):
    return sum(labelled(metrics, "tocsin_readings_total").values())


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_plant(
        tmp_path_factory.mktemp("isolation") / "plant", types=TYPE_LINES, sensors=SENSORS,
        packs={"network": pack_text(values=("value", "mean(10s)"))}, low="-10", high="100",
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone(config, nursery, tmp_path_factory):
    """What A leads to when B is not there."""
    return run(config, tmp_path_factory.mktemp("alone") / "data", nursery, [])


@pytest.fixture(scope="module")
def beside(config, nursery, tmp_path_factory):
    """What A leads to when B says everything that is wrong."""
    first = frame("the first is good", "", good())
    nonsense = [*malformed(), *out_of_place(), *bombs(), *absurd(), *flips()]
    random.Random(SEED).shuffle(nonsense)
    last = frame("the last is good", "", good())
    told = [first, *nonsense, last]
    return run(config, tmp_path_factory.mktemp("beside") / "data", nursery, told)


def of_a(told):
    """A's warnings byte by byte, without what only the egress log gives."""
    return {
        key: [(topic, msgpack.packb(dict(sorted(body.items())))) for topic, body in story]
        for key, story in stories(told.items).items()
        if key[2].startswith("A-")
    }


def test_whatever_one_gateway_sends_the_warnings_of_another_stay_the_same(alone, beside):
    """The miners at A are warned as if B did not exist: no word more, less or other."""
    expected, found = of_a(alone), of_a(beside)
    assert {rule for _, rule, _ in expected} == RULES
    assert sum(map(len, expected.values())) > 100
    assert found.keys() == expected.keys()
    for key, story in expected.items():
        assert found[key] == story, key
    assert_log_is_whole(beside.items)


def test_each_malformed_frame_is_answered_with_its_code(beside):
    """Who repairs B needs to hear what is wrong with each frame; a wrong code sends them to the
    wrong end, and a missing answer stops B for ever."""
    surprises = [
        (one.name, one.said, said)
        for one, said in beside.mad.heard
        if one.said is not None and said != one.said
    ]
    assert surprises == []
    assert {said.code for _, said in beside.mad.heard} >= AT_ITS_PLACE | {"E_GAP", ""}


def test_a_flipped_header_is_never_taken_for_something_unheard_of(beside):
    """A line that flips bits must not lead B's sequence astray: one step, or none."""
    heard = [said for one, said in beside.mad.heard if one.said is None]
    assert len(heard) == FLIPS - FLIPS // 3
    for said in heard:
        assert said.code in AT_ITS_PLACE | OUT_OF_PLACE | {""}
        assert said.retry is False or said.code in OUT_OF_PLACE
        assert said.steps in (0, 1)
    assert len({said.code for said in heard}) > 4, "hardly anything was hit"


def test_every_frame_ends_once(alone, beside):
    """A frame that is not counted has been lost, and nobody would ever know whose it was."""
    for told in (alone, beside):
        counted = labelled(told.metrics, "tocsin_frames_total")
        assert counted == {
            f'tocsin_frames_total{{outcome="{name}"}}': told.mad.outcomes[name]
            for name in ("durable", "duplicate", "rejected", "retry")
        }
        assert told.metrics["tocsin_frames_received_total"] == sum(counted.values())
    assert all(count > 0 for count in counted.values()), "an outcome that B never led to"


def test_every_reading_ends_once(alone, beside):
    """A reading that vanishes between the frame and the window is a warning that never comes."""
    for told in (alone, beside):
        assert told.metrics["tocsin_readings_received_total"] == told.mad.readings
        assert readings_ended(told.metrics) == told.mad.readings
    by_outcome = Counter()
    for key, value in labelled(beside.metrics, "tocsin_readings_total").items():
        by_outcome[key.split('outcome="')[1].rstrip('"}')] += value
    assert len(by_outcome) == 9
    assert min(by_outcome.values()) > 0, by_outcome


def test_the_engine_lives_on_and_ends_in_order(alone, beside):
    """A bomb that were unpacked would take the memory that the whole valley needs."""
    assert alone.exits == beside.exits == [0, 0]
    assert beside.grown_bytes < BOMB_BYTES // 4
