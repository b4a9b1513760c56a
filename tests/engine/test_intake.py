"""Laws of the intake, over real sockets and real threads."""

import contextlib
import os
import subprocess
import threading
import time
import zlib

import pytest
import zmq
import zstandard

from engine import segments
from engine.deadletters import DeadLetters
from engine.disk import PosixDisk
from engine.errors import JournalError, UnreachableError
from engine.intake import Intake, IntakeSettings
from engine.journal import Journal, JournalSettings
from engine.meters import Meters
from tests.engine import gateway as stranger
from tests.engine.disks import FaultyDisk
from tests.engine.gates import LETTERS
from tests.engine.gateway import Gateway

NOW_NS = 1_700_000_000_000_000_000
SENSOR_COUNTS = {"G-1": 3, "G-2": 3}


def settings(endpoint="tcp://127.0.0.1:*", **changes):
    values = {
        "engine": "E-1",
        "endpoint": endpoint,
        "credit": 8,
        "frame_bytes_max": 1 << 20,
        "commit_bytes": 256 << 10,
        "commit_ns": 5_000_000,
        "waiting_bytes_max": 8 << 20,
        "silence_ns": 10_000_000_000,
        "writes_ticks": False,
    }
    return IntakeSettings(**(values | changes))


@contextlib.contextmanager
def running(folder, disk=None, **changes):
    """An intake that runs, and leaves with all its frames accounted for."""
    disk = disk or PosixDisk()
    journal = Journal.open(folder / "journal", JournalSettings(64 << 20, 0), disk)
    dead_letters = DeadLetters(folder / "dead", LETTERS, PosixDisk())
    meters = Meters(["methane"])
    intake = Intake(
        settings(**changes),
        SENSOR_COUNTS,
        journal=journal,
        dead_letters=dead_letters,
        meters=meters,
        clock_ns=lambda: NOW_NS,
    )
    intake.journal, intake.meters = journal, meters
    try:
        intake.start()
        yield intake
    finally:
        intake.stop()
        journal.close()
        dead_letters.close()
    assert int(meters.frames.sum()) == meters.frames_received


def stored(journal, gateway="G-1"):
    """Return (seq, body) of a gateway's frames on disk."""
    found = journal.reader(journal.first_offset).read(1 << 40)
    return [(r.seq, bytes(r.body)) for r in found if r.kind == 1 and r.gateway == gateway]


def test_a_strangers_gateway_is_served(tmp_path):
    """Everything of the contract's first section that needs a socket."""
    with running(tmp_path) as intake, Gateway(intake.endpoint, "G-1") as gateway:
        assert intake.last_frame_monotonic is None
        welcome = gateway.hello()
        assert welcome == {
            **{"t": "welcome", "v": 1, "engine": "E-1", "durable": 0, "credit": 8},
            **{"frame_bytes_max": 1 << 20, "now": NOW_NS},
        }
        sent = [stranger.points(1, 1, [(0, 1, 2.0)], compress=zstandard.compress)]
        sent.append(stranger.series(1, 2, [0, 2], [[1.0, 2.0], [3.0, 4.0]]))
        sent.append(stranger.points(1, 3, [(1, 1, 2.0, 3)], quality=True, width=4))
        for fields, body in sent:
            gateway.send(fields, body)
        gateway.wait_durable(3)
        assert stored(intake.journal) == [(seq, body) for seq, (_, body) in enumerate(sent, 1)]
        gateway.send({"t": "ping", "v": 1, "now": 3})
        assert gateway.wait_for(lambda answer: answer["t"] == "pong")["now"] == NOW_NS
        gateway.send({"t": "skip", "v": 1, "from": 4, "to": 6, "reason": "lost in the flood"})
        gateway.wait_durable(6)
        assert intake.last_frame_monotonic is not None
        assert gateway.naks == []
    assert intake.failure is None
    assert intake.meters.frames.tolist() == [3, 0, 0, 0]
    assert intake.meters.journal_sync.total > 0


def test_a_flood_arrives_whole_with_shared_syncs(tmp_path):
    """Many frames, few syncs; every acknowledged one on disk."""
    count, frame = 400, [(i % 3, i, float(i)) for i in range(2000)]
    _, body = stranger.points(1, 1, frame)
    with running(tmp_path) as intake, Gateway(intake.endpoint, "G-1") as gateway:
        gateway.hello()
        for seq in range(1, count + 1):
            gateway.send(*stranger.points(1, seq, frame))
            if seq - gateway.durable >= gateway.credit:
                gateway.receive()
        gateway.wait_durable(count)
        found = stored(intake.journal)
        assert [seq for seq, _ in found] == list(range(1, count + 1))
        assert all(one == body for _, one in found)
        assert intake.meters.journal_sync.total < count


def test_one_gateways_nonsense_changes_nothing_for_another(tmp_path):
    """Law 12, over sockets: bombs, lies and half messages from one, warnings from the other."""
    stream = zstandard.ZstdCompressor().compressobj(size=1 << 28)
    bomb = b"".join(stream.compress(bytes(1 << 24)) for _ in range(16)) + stream.flush()
    fields, body = stranger.points(1, 1, [(0, 0, 1.0)])
    with (
        running(tmp_path) as intake,
        Gateway(intake.endpoint, "G-2") as mad,
        Gateway(intake.endpoint, "G-1") as good,
    ):
        mad.hello()
        good.hello()
        for seq in range(1, 30):
            mad.send_parts([b""])
            mad.send_parts([b"\xdf\xff\xff\xff\xff", b""])
            mad.send_parts([b"x"] * 50)
            mad.send(fields | {"codec": "zstd", "crc": zlib.crc32(bomb), "seq": seq}, bomb)
            mad.send(fields | {"seq": seq + 1, "size": 2**60}, body)
            mad.send(fields | {"seq": 5000}, body)
            good.send(*stranger.points(1, seq, [(0, seq, float(seq))]))
        mad.wait_durable(30)
        good.wait_durable(29)
        assert good.naks == []
        assert {nak["code"] for nak in mad.naks} == {"E_HEADER", "E_SIZE", "E_GAP"}
        assert len(stored(intake.journal)) == 29
        assert stored(intake.journal, "G-2") == []


def test_a_part_above_the_limit_costs_only_its_connection(tmp_path):
    """The socket refuses it before it is held in memory."""
    with running(tmp_path, frame_bytes_max=1 << 16) as intake:
        with Gateway(intake.endpoint, "G-2") as mad, Gateway(intake.endpoint, "G-1") as good:
            mad.hello()
            good.hello()
            mad.send({"t": "frame", "v": 1}, bytes(1 << 20))
            good.send(*stranger.points(1, 1, [(0, 0, 1.0)]))
            good.wait_durable(1)
        assert intake.meters.frames_received == 1


def test_a_restart_goes_on_where_the_journal_ends(tmp_path):
    """The gateway finds its place again, and what it resends is recognised."""
    with running(tmp_path) as intake, Gateway(intake.endpoint, "G-1", session=4) as gateway:
        gateway.hello()
        gateway.send(*stranger.points(4, 1, [(0, 0, 1.0)]))
        gateway.send(*stranger.points(4, 2, [(0, 0, 2.0)]))
        gateway.wait_durable(2)
    with running(tmp_path) as intake, Gateway(intake.endpoint, "G-1", session=4) as gateway:
        assert gateway.hello(3)["durable"] == 2
        gateway.send(*stranger.points(4, 2, [(0, 0, 2.0)]))
        gateway.send(*stranger.points(4, 3, [(0, 0, 3.0)]))
        gateway.wait_durable(3)
        assert [seq for seq, _ in stored(intake.journal)] == [1, 2, 3]
        assert intake.meters.frames.tolist() == [1, 1, 0, 0]


def test_stopping_ends_every_frame_received(tmp_path):
    """A clean stop leaves no frame without an outcome; the journal has what was acknowledged."""
    with running(tmp_path) as intake, Gateway(intake.endpoint, "G-1") as gateway:
        gateway.hello()
        for seq in range(1, 60):
            gateway.send(*stranger.points(1, seq, [(0, 0, 1.0)]))
        gateway.wait_durable(10)
        intake.stop()
        assert not intake.is_alive
        while gateway.socket.poll(300):
            gateway.receive()
        assert gateway.durable <= len(stored(intake.journal))


def test_ticks_are_written_each_second(tmp_path):
    """The clock is an input like any other."""
    with running(tmp_path, writes_ticks=True) as intake:
        before = intake.journal.durable_offset
        assert intake.journal.wait_durable(before, 10.0)
        (tick,) = intake.journal.reader(before).read(1 << 20)
        assert (tick.kind, tick.received_ns) == (segments.TICK, NOW_NS)
        assert intake.meters.gateways_known == 2


def test_a_failed_sync_stops_the_intake_and_says_so(tmp_path):
    """Nothing may be acknowledged after it; somebody has to look at the disk."""
    with running(tmp_path, FaultyDisk("fdatasync", 3, 5)) as intake:
        with Gateway(intake.endpoint, "G-1") as gateway:
            gateway.hello()
            gateway.send(*stranger.points(1, 1, [(0, 0, 1.0)]))
            nak = gateway.wait_nak()
            assert (nak["code"], nak["retry"], nak["seq"]) == ("E_DISK", True, 1)
            assert gateway.durable == 0
        intake._thread.join(10.0)
        assert isinstance(intake.failure, JournalError)
        assert "sync of the journal failed" in str(intake.failure)


def test_an_address_in_use_is_told_before_anything_starts(tmp_path):
    """Usually it is another engine that still runs."""
    with (
        running(tmp_path / "a") as first,
        pytest.raises(UnreachableError, match=first.endpoint),
        running(tmp_path / "b", endpoint=first.endpoint),
    ):
        pass


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MiB, which only root can make."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_costs_time_and_no_frame(small_disk):
    """No acknowledgement is given without room; nothing is lost; it goes on when there is room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    rows = [(i % 3, i, float(i)) for i in range(4096)]
    with running(small_disk) as intake, Gateway(intake.endpoint, "G-1") as gateway:
        gateway.hello()
        seq, naks = 0, 0
        while naks == 0:
            seq += 1
            gateway.send(*stranger.points(1, seq, rows))
            gateway.wait_for(lambda answer: answer["t"] in ("ack", "nak"))
            naks = len(gateway.naks)
        nak = gateway.naks[-1]
        assert (nak["code"], nak["retry"], nak["expected"]) == ("E_DISK", True, seq)
        assert gateway.durable == seq - 1 > 5
        for _ in range(5):
            gateway.send(*stranger.points(1, seq, rows))
            assert gateway.wait_nak()["code"] == "E_DISK"
        assert [one for one, _ in stored(intake.journal)] == list(range(1, seq))
        ballast.unlink()
        for one in range(seq, seq + 5):
            gateway.send(*stranger.points(1, one, rows))
        gateway.wait_durable(seq + 4)
        assert intake.meters.frames.tolist() == [seq + 4, 0, 0, 6]
    journal = Journal.open(small_disk / "journal", JournalSettings(64 << 20, 0), PosixDisk())
    assert [one for one, _ in stored(journal)] == list(range(1, seq + 5))
    assert journal.torn_bytes == 0
    journal.close()


def test_frames_are_received_while_the_disk_syncs(tmp_path):
    """Whoever pings during a slow sync hears at once that somebody is there."""
    disk = SlowDisk()
    with running(tmp_path, disk) as intake, Gateway(intake.endpoint, "G-1") as gateway:
        gateway.hello()
        disk.may_sync.clear()
        gateway.send(*stranger.points(1, 1, [(0, 0, 1.0)]))
        assert disk.is_syncing.wait(10.0)
        for seq in range(2, 9):
            gateway.send(*stranger.points(1, seq, [(0, 0, 1.0)]))
        gateway.send({"t": "ping", "v": 1, "now": 3})
        assert gateway.receive()["t"] == "pong"
        assert gateway.durable == 0
        syncs = intake.meters.journal_sync.total
        disk.may_sync.set()
        gateway.wait_durable(8)
        assert intake.meters.journal_sync.total <= syncs + 2


class SlowDisk(PosixDisk):
    """A disk that syncs when it is allowed to."""

    def __init__(self):
        self.may_sync = threading.Event()
        self.may_sync.set()
        self.is_syncing = threading.Event()

    def fdatasync(self, fd):
        if not self.may_sync.is_set():
            self.is_syncing.set()
        assert self.may_sync.wait(20.0)
        super().fdatasync(fd)


def test_a_gateway_that_vanishes_is_no_trouble(tmp_path):
    """Its answers have nowhere to go."""
    with running(tmp_path) as intake:
        context = zmq.Context()
        lost = Gateway(intake.endpoint, "G-2", context=context)
        lost.hello()
        for seq in range(1, 9):
            lost.send(*stranger.points(1, seq, [(0, 0, 1.0)]))
        lost.wait_durable(1)
        context.destroy(0)
        with Gateway(intake.endpoint, "G-1") as gateway:
            gateway.hello()
            gateway.send(*stranger.points(1, 1, [(0, 0, 1.0)]))
            gateway.wait_durable(1)
        assert intake.is_alive
        assert time.monotonic() >= (intake.last_frame_monotonic or 0)
