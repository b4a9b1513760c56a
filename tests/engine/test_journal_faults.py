"""Laws of the journal on a bad day: full disks, failing calls, power cuts."""

import errno
import random

import pytest

from engine import segments
from engine.disk import PosixDisk
from engine.errors import JournalError
from engine.journal import JournalFull, JournalSettings
from tests.engine.disks import Crash, CrashingDisk, FaultyDisk, FullDisk
from tests.engine.test_journal import SETTINGS, SMALL, append, begin, opened, read_all


def test_a_full_disk_loses_nothing_and_passes(tmp_path):
    """No room is told, the half-written group is cut off, and later it goes on."""
    disk = FullDisk()
    journal = opened(tmp_path, SETTINGS, disk)
    begin(journal)
    append(journal, 1)
    journal.commit()
    size = segments.segment_path(tmp_path, 0).stat().st_size
    disk.room_bytes = 100
    for _ in range(3):
        append(journal, 2)
        append(journal, 3)
        with pytest.raises(JournalFull):
            journal.commit()
        journal.rollback()
        assert segments.segment_path(tmp_path, 0).stat().st_size == size
        assert journal.durable_place("G-1") == (1, 1)
    disk.room_bytes = None
    append(journal, 2)
    journal.commit()
    journal.close()
    journal = opened(tmp_path)
    assert [record.seq for record in read_all(journal)] == [0, 1, 2]
    assert journal.torn_bytes == 0
    journal.close()


@pytest.mark.parametrize("room_bytes", [*range(0, 4200, 350), 6000])
def test_a_group_over_two_segments_keeps_what_fitted(tmp_path, room_bytes):
    """What reached the old segment is durable; the rest is given back, whole and in order."""
    disk = FullDisk()
    journal = opened(tmp_path, SMALL, disk)
    begin(journal)
    disk.room_bytes = room_bytes
    for seq in range(1, 20):
        append(journal, seq)
    with pytest.raises(JournalFull):
        journal.commit()
    journal.rollback()
    session, kept = journal.durable_place("G-1")
    assert session == 1
    assert len(read_all(journal)) == kept + 1 < 20
    disk.room_bytes = None
    for seq in range(kept + 1, 20):
        append(journal, seq)
    journal.commit()
    journal.close()
    journal = opened(tmp_path, SMALL)
    assert [record.seq for record in read_all(journal)] == list(range(20))
    assert journal.torn_bytes == 0
    journal.close()


class WatchedDisk(FullDisk):
    """A full disk; somebody reads the journal while it is written."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def truncate(self, fd, length):
        self.watch()
        super().truncate(fd, length)


def test_a_reader_does_not_look_at_what_may_be_cut_off(tmp_path):
    """What is written and not synced may be gone when the reader comes to it."""
    seen = []
    disk = WatchedDisk(lambda: seen.extend(record.seq for record in reader.read(1 << 20)))
    journal = opened(tmp_path, SMALL, disk)
    reader = journal.reader(0)
    begin(journal)
    for seq in range(1, 20):
        append(journal, seq)
        journal.commit()
        append(journal, seq + 1, body=bytes(1000))
        disk.room_bytes = 900
        with pytest.raises(JournalFull):
            journal.commit()
        journal.rollback()
        disk.room_bytes = None
    seen += [record.seq for record in reader.read(1 << 20)]
    assert seen == list(range(20))
    journal.close()


def test_room_is_left_for_the_egress_log(tmp_path):
    """A journal that took the last byte would silence the warnings of what it wrote."""
    disk = PosixDisk()
    spare_bytes = disk.free_bytes(tmp_path) * 2
    with pytest.raises(JournalFull, match="spare"):
        opened(tmp_path, JournalSettings(64 << 20, spare_bytes))


@pytest.mark.parametrize("call", ["write", "fdatasync", "create", "rename", "sync_folder"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_the_nth_failing_call_loses_nothing_acknowledged(tmp_path, call, number):
    """Every call fails once, in turn, until a run is through without meeting the fault."""
    for nth in range(1, 60):
        folder = tmp_path / f"{nth}"
        disk = FaultyDisk(call, nth, number)
        acknowledged, is_refused = run_into_fault(folder, disk)
        assert is_refused or not disk.has_failed or number == errno.ENOSPC
        journal = opened(folder, SMALL)
        assert [record.seq for record in read_all(journal)][: acknowledged + 1] == list(
            range(acknowledged + 1)
        )
        journal.close()
        if not disk.has_failed:
            return
    pytest.fail("every run met the fault")


def run_into_fault(folder, disk):
    """Append 30 frames in groups; return the highest acknowledged, and whether it gave up."""
    try:
        journal = opened(folder, SMALL, disk)
    except JournalError:
        return -1, True
    acknowledged = -1
    try:
        begin(journal)
        acknowledged = 0
        while acknowledged < 30:
            try:
                for seq in range(acknowledged + 1, acknowledged + 4):
                    append(journal, seq)
                journal.commit()
            except JournalFull:
                journal.rollback()
            acknowledged = journal.durable_place("G-1")[1]
    except JournalError as fault:
        place = journal.durable_place("G-1")
        assert "start the engine again" in str(fault) or isinstance(fault, JournalFull)
        return (place[1] if place else -1), True
    finally:
        journal.close()
    return acknowledged, False


def test_after_a_failed_sync_the_journal_refuses_everything(tmp_path):
    """The kernel may have forgotten the pages: a second sync would lie."""
    disk = FaultyDisk("fdatasync", 3, errno.EIO)
    journal = opened(tmp_path, SETTINGS, disk)
    begin(journal)
    append(journal, 1)
    with pytest.raises(JournalError, match="sync of the journal failed"):
        journal.commit()
    journal.rollback()
    with pytest.raises(JournalError, match="start the engine again"):
        append(journal, 1)
    with pytest.raises(JournalError, match="start the engine again"):
        journal.commit()
    journal.close()
    journal = opened(tmp_path)
    assert [record.seq for record in read_all(journal)] == [0]
    journal.close()


@pytest.mark.parametrize("block", range(4))
def test_power_cuts_lose_nothing_acknowledged(tmp_path, block):
    """300 seeds: the machine stops at a random call, unsynced blocks are lost at random."""
    torn_count = rolled_count = 0
    for seed in range(block * 75, block * 75 + 75):
        folder, random_ = tmp_path / str(seed), random.Random(seed)
        acknowledged = run_into_crash(folder, random_)
        journal = opened(folder, SMALL)
        seqs = [record.seq for record in read_all(journal)]
        assert seqs == list(range(len(seqs))), seed
        assert len(seqs) > acknowledged, seed
        torn_count += journal.torn_bytes > 0
        rolled_count += len(segments.segment_bases(folder)) > 1
        journal.close()
    assert torn_count > 10, "the harness never tore a tail"
    assert rolled_count > 10, "the harness never began a segment"


def run_into_crash(folder, random_):
    """Append frames in groups until the power goes; return the highest acknowledged."""
    journal = opened(folder, SMALL)
    journal._disk = CrashingDisk(random_, random_.randrange(2, 60), journal.durable_offset)
    acknowledged, seq = -1, 0
    try:
        begin(journal)
        acknowledged = 0
        while True:
            for _ in range(random_.randrange(1, 5)):
                seq += 1
                append(journal, seq, body=random_.randbytes(random_.randrange(900)))
            journal.commit()
            acknowledged = seq
    except Crash:
        return acknowledged
    finally:
        journal.close()
