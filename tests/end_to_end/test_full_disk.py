"""A disk that is full: frames are refused but kept by their gateways, and no warning is lost.

The engine has its data folder on a small disk of its own.  Ballast fills it: once down to the room
that the journal leaves to others, then to the last byte, while warnings are being written and
while only states are saved.  When there is room again, the log of warnings must be the one of an
engine that always had room.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from engine.run import SPARE_BYTES
from tests.end_to_end.engines import Deadline, Engine, running, wait_until
from tests.end_to_end.plants import write_plant
from tests.end_to_end.warnings import assert_log_is_whole, contents, stories
from tests.engine.consumer import Consumer
from tests.engine.gateway import Gateway, points

NS = 1_000_000_000
START_NS = 1_767_225_600 * NS
MIB = 1 << 20
DISK_BYTES = 48 * MIB
SENSORS = 64
FRAME_S = 60
FRAMES = 30
HALF = FRAMES // 2
# Room for some of the frames, and some of the warnings that they lead to.
JOURNAL_ROOM_BYTES = MIB
FULL_S = 1.5
STOP_S = 5.0
EXIT_DISK = 74
PACK = """\
tocsin: 1
pack: gallery
version: 1.0.0
owner: tests
rules:
  - id: high
    title: {zh: 瓦斯超限, en: Methane high}
    hazard: gas
    mode: live
    input: {type: methane, unit: "%", period: 1s}
    by: [sensor]
    quality: {stale_after: 1h, unknown: hold}
    ladder:
      value: value
      above: {red: 1}
      clear: {red: 0.9}
    message:
      zh: {headline: "{{ sensor.name }} {{ value | q('%', 2) }}", advice: {default: 撤人}}
      en: {headline: "{{ sensor.name }} {{ value | q('%', 2) }}", advice: {default: Leave}}
"""
TYPE = '{name: methane, unit: "%", kind: gauge, lateness: 0s, period: 1s, pane: 5s}'


def is_high(second, sensor):
    """For ten seconds of every thirty; each sensor at another time, so every frame matters."""
    return (second + sensor) % 30 < 10


def made_frames():
    """What the one gateway sends: (fields, body) of sequence numbers 1, 2, …"""
    found = []
    for number in range(FRAMES):
        rows = [
            (sensor, second * 1_000_000, 1.5 if is_high(number * FRAME_S + second, sensor) else 0.5)
            for second in range(FRAME_S)
            for sensor in range(SENSORS)
        ]
        found.append(points(1, number + 1, rows, t0=START_NS + number * FRAME_S * NS))
    return found


def demanded():
    """How many warnings there must be: one for each change of each sensor."""
    second, sensor = np.arange(FRAMES * FRAME_S)[:, None], np.arange(SENSORS)
    high = np.vstack([np.zeros(SENSORS, bool), is_high(second, sensor)])
    return int(np.count_nonzero(high[1:] != high[:-1]))


@pytest.fixture(scope="module")
def frames():
    return made_frames()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_plant(
        tmp_path_factory.mktemp("full") / "plant",
        types=[TYPE],
        sensors=[(f"M-{number}", "G-1", "S-1", "methane") for number in range(SENSORS)],
        packs={"gallery": PACK},
        more="snapshot_every: 1s\n",
    )


@pytest.fixture(scope="module")
def undisturbed(config, frames, nursery, tmp_path_factory):
    """What the same frames lead to where there is always room."""
    engine = Engine(config, tmp_path_factory.mktemp("roomy") / "data", nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        assert push(gateway, frames) is None
        items = told_after_a_restart(engine)
    assert len(items) == demanded()
    return items


class SmallDisk:
    """A disk of its own, in memory, that can be filled and emptied again."""

    def __init__(self, folder):
        self.folder = folder
        self.ballast_count = 0

    def free_bytes(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def leave(self, free_bytes):
        """Take all room but so much."""
        self.ballast_count += 1
        with (self.folder / f"ballast-{self.ballast_count}").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free_bytes() - free_bytes)

    def make_room(self):
        for path in self.folder.glob("ballast-*"):
            path.unlink()


@pytest.fixture
def disk(tmp_path):
    """A disk of 48 MiB, for as long as one test lasts."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` here to make a small disk with")
    options = f"size={DISK_BYTES},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tocsin-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)


def push(gateway, frames):
    """Send all that is not durable yet, as fast as the credit allows.

    Returns None when all is durable; else the first refusal, when every frame that was sent has
    its answer.
    """
    sent, before = gateway.durable, len(gateway.naks)
    while gateway.durable < len(frames) and len(gateway.naks) == before:
        while sent < min(gateway.durable + gateway.credit, len(frames)):
            gateway.send(*frames[sent])
            sent += 1
        gateway.receive()
    if len(gateway.naks) == before:
        return None
    while not set(range(gateway.durable + 1, sent + 1)) <= {
        n["seq"] for n in gateway.naks[before:]
    }:
        gateway.receive()
    assert gateway.naks[-1]["expected"] == gateway.durable + 1
    return gateway.naks[before]


def assert_is_full(engine, gateway, frames):
    """Whoever sends now is told to keep it: E_DISK, again and again, and no acknowledgement."""
    durable, until = gateway.durable, time.monotonic() + FULL_S
    while time.monotonic() < until:
        refusal = push(gateway, frames)
        assert (refusal["code"], refusal["seq"]) == ("E_DISK", durable + 1)
        assert gateway.durable == durable
        assert engine.ask("livez") is not None, engine.tail()
        time.sleep(0.1)
    assert {nak["code"] for nak in gateway.naks} <= {"E_DISK", "E_GAP"}
    assert all(nak["retry"] for nak in gateway.naks)


def told_after_a_restart(engine):
    """End in order, so that all that is durable is judged; then ask for everything.

    Restarts once more, which must not say anything anew.
    """
    items = None
    for _ in range(2):
        assert engine.stop() == 0, engine.tail()
        engine.start()
        with Consumer(engine.warnings, engine.replay) as consumer:
            consumer.heartbeat()
            found = consumer.everything()
        assert items in (None, found), "a restart has changed the log"
        items = found
    assert_log_is_whole(items)
    return items


def assert_nothing_is_lost(items, undisturbed):
    """Same ids, same revisions, same contents, each exactly once."""
    assert len(items) == len(undisturbed)
    assert stories(items) == stories(undisturbed)
    assert sorted(map(repr, contents(items))) == sorted(map(repr, contents(undisturbed)))


def assert_frames_add_up(engine):
    """Every frame ended in exactly one way."""
    found = engine.metrics()
    ends = {key: n for key, n in found.items() if key.startswith("tocsin_frames_total")}
    assert sum(ends.values()) == found["tocsin_frames_received_total"], ends
    assert ends['tocsin_frames_total{outcome="retry"}'] > 0


def test_a_full_journal_takes_nothing_and_loses_nothing(config, frames, disk, nursery, undisturbed):
    """A frame that is acknowledged and not on disk is lost with the next power cut, and the
    miners whose gas it measured are never warned; so the gateway must keep it, and be told so."""
    engine = Engine(config, disk.folder, nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        # The rest may meet a slow sync and come as one group, for which there is no room.
        assert push(gateway, frames[:3]) is None
        disk.leave(SPARE_BYTES + JOURNAL_ROOM_BYTES)
        assert push(gateway, frames) is not None
        assert 0 < gateway.durable < FRAMES
        # What the flow writes and drops must not make room for a frame again.
        disk.leave(SPARE_BYTES // 2)
        assert_is_full(engine, gateway, frames)
        pid = engine.process.pid

        disk.make_room()
        assert push(gateway, frames) is None
        assert gateway.durable == FRAMES
        assert engine.process.pid == pid
        assert_frames_add_up(engine)
        items = told_after_a_restart(engine)
    assert_nothing_is_lost(items, undisturbed)


@contextmanager
def suspended(engine):
    """The engine does not move meanwhile, wherever it is."""
    os.kill(engine.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(engine.process.pid, signal.SIGCONT)


def fill_to_the_last_byte(engine, disk):
    """Between two instructions of the engine, so that it is in the middle of something."""
    with suspended(engine):
        disk.leave(0)
        assert disk.free_bytes() == 0


def has_noticed(engine):
    """The engine says that it has no room for warnings, or has ended."""
    return engine.process.poll() is not None or '"egress_full"' in engine.tail()


def restarted_if_ended(engine):
    """An engine may end on a full disk, but says why, and to the one who can make room."""
    if engine.process.poll() is None:
        return
    assert_ended_with_a_sentence(engine)
    engine.start()


def resumed(engine, frames, acknowledged):
    """The gateway calls again and sends the rest; what was acknowledged is there."""
    with Gateway(engine.intake, "G-1") as gateway:
        assert gateway.hello()["durable"] >= acknowledged
        assert push(gateway, frames) is None
    return told_after_a_restart(engine)


def test_warnings_wait_for_room_when_not_a_byte_is_left(config, frames, disk, nursery, undisturbed):
    """The frames are on disk and acknowledged, the warnings are not: nobody else will ever say
    them, so the engine must write them when there is room, and nobody may hear half of one."""
    engine = Engine(config, disk.folder, nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        assert push(gateway, frames[:HALF]) is None
        fill_to_the_last_byte(engine, disk)
        wait_until(lambda: has_noticed(engine), f"nothing is said:\n{engine.tail()}")
        time.sleep(FULL_S)

        acknowledged = gateway.durable
        if engine.process.poll() is None:
            assert_is_full(engine, gateway, frames)
        disk.make_room()
        restarted_if_ended(engine)
        gateway.close()
        items = resumed(engine, frames, acknowledged)
    assert_nothing_is_lost(items, undisturbed)


def unready(engine):
    """The checks that fail, as `/readyz` says."""
    try:
        urllib.request.urlopen(f"http://{engine.http}/readyz", timeout=5).close()
    except urllib.error.HTTPError as answer:
        return set(re.findall(r"^\[-\] (\w+):", answer.read().decode(), re.MULTILINE))
    return set()


def test_an_engine_that_waits_for_room_ends_when_it_is_told(
    config, frames, disk, nursery, undisturbed
):
    """The one who stops an engine to mend its disk must not wait for the disk; and what was
    acknowledged and not yet said is said by the next start."""
    engine = Engine(config, disk.folder, nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        assert push(gateway, frames[:HALF]) is None
        assert unready(engine) == set()
        fill_to_the_last_byte(engine, disk)
        wait_until(lambda: '"egress_full"' in engine.tail(), f"all was said:\n{engine.tail()}")
        with suppress(Deadline):
            wait_until(lambda: engine.process.poll() is not None, "it waits", FULL_S)
        if engine.process.poll() is None:
            refusal = push(gateway, frames)
            assert refusal["code"] == "E_DISK"
            assert unready(engine) == {"journal", "egress"}
            assert engine.metrics()['tocsin_disk_full{log="egress"}'] == 1
            assert engine.tail().count('"egress_full"') == 1
            assert engine.tail().count('"journal_full"') == 1
        acknowledged = gateway.durable

        os.kill(engine.process.pid, signal.SIGTERM)
        assert engine.wait(STOP_S) == EXIT_DISK, engine.tail()
        disk.make_room()
        engine.start()
        gateway.close()
        items = resumed(engine, frames, acknowledged)
    assert_nothing_is_lost(items, undisturbed)


def test_states_and_tokens_that_find_no_room_cost_nothing_but_a_restart(
    config, frames, disk, nursery, undisturbed
):
    """All is quiet and said, and only the engine's own notes have no room: half a note must not
    keep the engine from starting again, or the valley is deaf from then on."""
    engine = Engine(config, disk.folder, nursery=nursery)
    with running(engine), Gateway(engine.intake, "G-1") as gateway:
        gateway.hello()
        assert push(gateway, frames[:HALF]) is None
        per_frame = len(undisturbed) // FRAMES
        wait_until(
            lambda: engine.metrics()["tocsin_egress_seq"] >= (HALF - 1) * per_frame,
            f"the warnings are not written:\n{engine.tail()}",
        )
        fill_to_the_last_byte(engine, disk)
        try:
            wait_until(lambda: engine.process.poll() is not None, "it lives on", 4.0)
        except Deadline:
            assert_is_full(engine, gateway, frames)
        acknowledged = gateway.durable
        if engine.process.poll() is not None:
            assert_ended_with_a_sentence(engine)
            assert_does_not_start(engine)
            disk.make_room()
            engine.start()
        disk.make_room()
        gateway.close()
        items = resumed(engine, frames, acknowledged)
    assert_nothing_is_lost(items, undisturbed)


def assert_ended_with_a_sentence(engine):
    """The one who looks after the disks must read what to do, not that Tocsin is at fault."""
    assert engine.wait() == EXIT_DISK, engine.tail()
    last = engine.tail().splitlines()[-1]
    assert last.startswith("tocsin: "), last
    assert any(words in last for words in ("no room", "No space", "DiskFull")), last


def assert_does_not_start(engine):
    """On a disk that is still full; the one who tries is told what is missing."""
    engine.spawn()
    assert_ended_with_a_sentence(engine)
