"""The egress log: numbered without holes, on disk before it is heard, said once."""

import errno
import os
import subprocess
import threading

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.content import canonical
from engine.disk import PosixDisk
from engine.errors import EgressError
from engine.ledger import HEAD, SEGMENT_HEAD
from engine.meters import Meters
from engine.sinks import EgressDamaged, EgressFull, EgressLocked, EgressLog


def warning(number, revision=0, **changed):
    body = {
        "id": f"W{number:025d}",
        "revision": revision,
        "event": "raised",
        "grade": "blue",
        "value": number / 10,
        "margins": {"blue": 0.1, "red": -1.0},
        "headline": {"zh": "瓦斯超限", "en": "Methane high"},
        "event_time": 1_700_000_000_000_000_000 + number,
    }
    return "warning/blue/gas/140200/M-0001", {**body, **changed}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "egress"


def open_log(folder, **options):
    return EgressLog.open(folder, Meters(()), **options)


def everything(log):
    records, seq = [], 1
    while batch := log.read(seq, 7):
        records += batch
        seq = batch[-1].seq + 1
    return records


def newest_segment(folder):
    return max(folder.glob("*.egress"))


def test_seq_begins_at_one_and_has_no_holes(folder):
    """A consumer takes a hole for a lost warning."""
    log = open_log(folder)
    assert log.durable_seq == 0
    assert log.read(1, 10) == []
    assert log.send([warning(1), warning(2)]) == [1, 2]
    assert log.send([]) == []
    assert log.send([warning(3)]) == [3]
    log.close()

    log = open_log(folder)
    assert log.send([warning(4)]) == [4]
    bodies = [msgpack.unpackb(record.body) for record in everything(log)]
    assert [body["seq"] for body in bodies] == [1, 2, 3, 4]
    assert all(body["v"] == 1 for body in bodies)
    log.close()


def test_what_is_sent_is_what_is_read(folder):
    """The body on the wire is the body in the log, byte by byte."""
    log = open_log(folder, now_ns=lambda: 42)
    topic, body = warning(1)
    log.send([(topic, body)])
    (record,) = log.read(1, 10)
    assert record.topic == topic
    assert msgpack.unpackb(record.body) == {"v": 1, "seq": 1, **body, "decided_time": 42}
    log.close()


def test_a_warning_decided_again_is_said_once(folder):
    """After a crash the flow repeats its last second; people must not hear it twice."""
    log = open_log(folder, now_ns=iter(range(100)).__next__)
    assert log.send([warning(1), warning(1, 1), warning(2)]) == [1, 2, 3]
    assert log.send([warning(1), warning(2), warning(3), warning(3)]) == [1, 3, 4, 4]
    log.close()

    meters = Meters(())
    log = EgressLog.open(folder, meters)
    topic, body = warning(2)
    shuffled = dict(reversed(body.items()))
    assert log.send([(topic, shuffled), warning(1, 1)]) == [3, 2]
    assert meters.warnings_repeated == 2
    assert log.durable_seq == 4
    log.close()


def test_a_second_content_is_a_fault_and_the_first_is_kept(folder):
    """Law 10. The engine says so itself, once for each difference, after any restart."""
    meters = Meters(())
    log = EgressLog.open(folder, meters)
    log.send([warning(1)])
    for _ in range(2):
        assert log.send([warning(1, value=9.9), warning(2)])[0] == 1
        log.close()
        log = EgressLog.open(folder, meters)
    topics = [record.topic for record in everything(log)]
    assert topics == [warning(1)[0], "system/nondeterminism", warning(2)[0]]
    fault = msgpack.unpackb(log.read(2, 1)[0].body)
    assert fault["episode"] == warning(1)[1]["id"]
    assert fault["first_seq"] == 1
    assert fault["seq"] == 2
    assert msgpack.unpackb(log.read(1, 1)[0].body)["value"] == 0.1
    assert meters.warnings_different == 2
    assert meters.system_messages == {"nondeterminism": 1}
    log.close()


def test_a_system_message_without_an_id_is_always_new(folder):
    """Two full disks are two facts, although they are told in the same words."""
    log = open_log(folder)
    message = ("system/disk_full", {"code": "disk_full", "text": "no room"})
    assert log.send([message, message]) == [1, 2]
    log.close()


@pytest.mark.parametrize("segment_bytes", [1, 1000, 64 << 20])
def test_reading_from_any_seq_gives_the_rest(folder, segment_bytes):
    """A consumer may have been away for any time."""
    log = open_log(folder, segment_bytes=segment_bytes)
    for number in range(0, 40, 4):
        log.send([warning(number + i) for i in range(4)])
    assert [record.seq for record in everything(log)] == list(range(1, 41))
    for seq in range(1, 42):
        records = log.read(seq, 3)
        assert [record.seq for record in records] == list(range(seq, seq + len(records)))
        assert bool(records) == (seq <= 40)
    assert log.read(0, 1)[0].seq == 1
    log.close()
    assert (len(list(folder.glob("*.egress"))) > 1) == (segment_bytes < 1 << 20)


def test_one_read_is_bounded_but_never_stuck(folder):
    """A large body may not stop a consumer, and many may not fill the memory."""
    log = open_log(folder)
    log.send([("system/large", {"text": "x" * size}) for size in (10, 400_000, 10, 200_000)])
    assert [[r.seq for r in log.read(seq, 10)] for seq in (1, 2, 3)] == [[1], [2], [3, 4]]
    log.close()


def test_only_one_process_may_write(folder):
    """Two writers would give one seq to two warnings."""
    log = open_log(folder)
    with pytest.raises(EgressLocked, match="another engine"):
        open_log(folder)
    log.close()
    open_log(folder).close()


@given(data=st.data())
def test_a_torn_end_is_cut_at_any_byte(tmp_path_factory, data):
    """A power cut may stop a write anywhere; what was synced before must not suffer."""
    folder = tmp_path_factory.mktemp("torn")
    log = open_log(folder)
    log.send([warning(1), warning(2)])
    kept = newest_segment(folder).stat().st_size
    mark = (folder / "mark").read_bytes()
    log.send([warning(3), warning(4), warning(5)])
    log.close()
    path = newest_segment(folder)
    whole = path.read_bytes()
    size = data.draw(st.integers(kept, len(whole) - 1))
    # The rest of the batch may also be on disk as zeros, or in another order.
    tail = data.draw(st.sampled_from([b"", bytes(len(whole) - size)]))
    path.write_bytes(whole[:size] + tail)
    (folder / "mark").write_bytes(mark)

    log = open_log(folder)
    seqs = [record.seq for record in everything(log)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert 2 <= len(seqs) < 5
    assert log.send([warning(6)]) == [len(seqs) + 1]
    log.close()
    log = open_log(folder)
    assert len(everything(log)) == len(seqs) + 1
    log.close()


def test_the_first_record_of_the_last_batch_may_be_lost_before_its_second(folder):
    """A disk writes pages in any order; the batch was never synced, so nobody has heard it."""
    log = open_log(folder)
    log.send([warning(1)])
    kept = newest_segment(folder).stat().st_size
    mark = (folder / "mark").read_bytes()
    log.send([warning(2), warning(3)])
    log.close()
    path = newest_segment(folder)
    column = bytearray(path.read_bytes())
    column[kept + HEAD.size + 5] ^= 1
    path.write_bytes(column)
    (folder / "mark").write_bytes(mark)
    log = open_log(folder)
    assert log.durable_seq == 1
    assert log.cut_bytes == len(column) - kept
    log.close()


@given(data=st.data())
def test_damage_in_the_middle_is_named_and_refused(tmp_path_factory, data):
    """Cutting there would take back warnings that people have acted on."""
    folder = tmp_path_factory.mktemp("damage")
    segment_bytes = data.draw(st.sampled_from([1500, 1 << 20]))
    log = open_log(folder, segment_bytes=segment_bytes)
    for number in range(8):
        log.send([warning(number)])
    log.close()
    path = data.draw(st.sampled_from(sorted(folder.glob("*.egress"))))
    is_mark_lost = data.draw(st.booleans())
    column = bytearray(path.read_bytes())
    # Without the mark the last record cannot be told from a torn end.
    last = column.rfind(b"\xabTE\x01")
    end = last if is_mark_lost and path == newest_segment(folder) else len(column)
    at = data.draw(st.integers(0, end - 1))
    column[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(column)
    if is_mark_lost:
        (folder / "mark").unlink()
    with pytest.raises(EgressDamaged) as caught:
        open_log(folder)
    assert caught.value.segment == path.name
    assert caught.value.offset <= at
    assert path.name in str(caught.value)
    # Refusing changes nothing: a person may look at it, and mend it.
    assert path.read_bytes() == bytes(column)


def test_a_missing_segment_is_damage(folder):
    log = open_log(folder, segment_bytes=1)
    for number in range(3):
        log.send([warning(number)])
    log.close()
    paths = sorted(folder.glob("*.egress"))
    away = paths[1].rename(folder / "away")
    with pytest.raises(EgressDamaged, match="is gone"):
        open_log(folder)
    away.rename(paths[1])
    paths[2].unlink()
    with pytest.raises(EgressDamaged, match="is gone"):
        open_log(folder)


def test_a_crash_while_a_segment_is_made_leaves_nothing_behind(folder):
    open_log(folder).close()
    (folder / f"{2:020d}.new").write_bytes(SEGMENT_HEAD.pack(b"TOCSIN-E", 2)[:5])
    log = open_log(folder)
    assert log.send([warning(1)]) == [1]
    log.close()
    assert not list(folder.glob("*.new"))


class FailingDisk:
    """The real disk, one call of which fails once: the Nth of those that change something."""

    def __init__(self, error, nth):
        self.disk, self.error, self.left, self.failed = PosixDisk(), error, nth, None

    def __getattr__(self, name):
        call = getattr(self.disk, name)
        return (
            call if name in ("close", "free_bytes") else lambda *args: self.call(name, call, args)
        )

    def call(self, name, call, args):
        self.left -= 1
        if self.left:
            return call(*args)
        self.failed = name
        if name == "write":
            # A disk that is full takes a part.
            fd, (column,), position = args
            os.pwrite(fd, bytes(column)[: len(column) // 2], position)
        raise OSError(self.error, os.strerror(self.error))


def send_until_done(log, batches):
    """Send each batch, again where the log says that this makes sense; returns what failed."""
    failed = 0
    for batch in batches:
        try:
            log.send(batch)
        except EgressFull:
            failed += 1
            log.send(batch)
    return failed


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_any_call_to_the_disk_may_fail(tmp_path, error):
    """Nothing that was confirmed is lost, and what a full disk refused goes through later."""
    batches = [[warning(n), warning(n + 100)] for n in range(4)]
    survived, nth = set(), 0
    while True:
        nth += 1
        disk = FailingDisk(error, nth)
        folder = tmp_path / f"{error}-{nth}"
        confirmed = []
        try:
            log = open_log(folder, segment_bytes=1000, disk=disk)
        except (OSError, EgressError):
            log = None
        try:
            for batch in batches if log else ():
                if send_until_done(log, [batch]):
                    survived.add(disk.failed)
                confirmed.append(batch)
        except EgressError:
            assert error == errno.EIO or disk.failed in ("fdatasync", "write")
            with pytest.raises(EgressError, match="until restart"):
                log.send([warning(999)])
        if log:
            log.close()
        if disk.failed is None:
            break
        log = open_log(folder)
        records = everything(log)
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        assert len(records) >= 2 * len(confirmed)
        send_until_done(log, batches)
        wanted = [body["id"] for batch in batches for _, body in batch]
        assert [msgpack.unpackb(record.body)["id"] for record in everything(log)] == wanted
        log.close()
    assert nth > 12
    assert ("write" in survived) == (error == errno.ENOSPC)


def test_a_full_disk_loses_nothing_and_is_got_over(folder):
    """The flow tries again; what was refused was neither written nor published."""
    meters = Meters(())
    disk = FailingDisk(errno.ENOSPC, -1)
    log = EgressLog.open(folder, meters, disk=disk)
    log.send([warning(1)])
    size = newest_segment(folder).stat().st_size
    for _ in range(2):
        disk.left = 1
        with pytest.raises(EgressFull, match="no room"):
            log.send([warning(2), warning(1, value=3.0)])
    assert newest_segment(folder).stat().st_size == size
    assert log.durable_seq == 1
    assert not log.wait(1, 0)
    assert meters.warnings_different == 0
    assert log.send([warning(2)]) == [2]
    log.close()
    log = open_log(folder)
    assert [record.seq for record in everything(log)] == [1, 2]
    log.close()


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of 256 KiB, where this user may mount one."""
    where = tmp_path / "small"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield where
    subprocess.run(["umount", str(where)], check=True)


def test_a_really_full_disk_is_got_over_too(small_disk):
    """The same on a real disk: a segment that cannot be made, and a batch that half fits."""
    log = open_log(small_disk / "egress", segment_bytes=4096)
    filling = small_disk / "filling"
    sent = 0
    for round_ in range(3):
        with pytest.raises(EgressFull):
            while True:
                log.send([warning(sent + i, text="x" * 900) for i in range(3)])
                sent += 3
                if round_ == 1:
                    filling.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 2000))
        filling.unlink(missing_ok=True)
        log.retire(before_ns=1 << 62)
        assert log.durable_seq == sent
    assert log.send([warning(sent)]) == [sent + 1]
    log.close()
    log = open_log(small_disk / "egress")
    assert log.durable_seq == sent + 1
    log.close()


def test_a_failed_sync_closes_the_log_until_a_restart(folder):
    """The kernel may have dropped the pages: a second sync would lie."""
    disk = FailingDisk(errno.EIO, -1)
    log = open_log(folder, disk=disk)
    log.send([warning(1)])
    disk.left = 2
    with pytest.raises(EgressError, match="Input/output error"):
        log.send([warning(2)])
    assert disk.failed == "fdatasync"
    with pytest.raises(EgressError, match="until restart"):
        log.send([warning(3)])
    assert log.durable_seq == 1
    log.close()
    log = open_log(folder)
    # The record was whole, as it happens; it counts as sent, and it is said once.
    assert log.durable_seq == 2
    assert log.send([warning(2), warning(3)]) == [2, 3]
    log.close()


class WatchedDisk(FailingDisk):
    """The real disk, and what a reader sees just before each sync."""

    def __init__(self):
        super().__init__(errno.EIO, -1)
        self.log, self.seen = None, []

    def call(self, name, call, args):
        if name == "fdatasync" and self.log:
            self.seen.append((self.log.durable_seq, self.log.read(1, 10)))
        return super().call(name, call, args)


def test_readers_see_nothing_before_it_is_synced(folder):
    """A warning that a power cut could take back must not have been heard."""
    disk = WatchedDisk()
    log = open_log(folder, disk=disk)
    disk.log = log
    log.send([warning(1)])
    assert disk.seen == [(0, [])]
    assert log.durable_seq == 1
    log.close()


def test_waiting_ends_when_something_is_durable_or_the_log_is_closed(folder):
    log = open_log(folder)
    assert not log.wait(0, 0)
    results = []
    waiting = threading.Thread(target=lambda: results.append((log.wait(0, 10), log.wait(1, 10))))
    waiting.start()
    log.send([warning(1)])
    assert log.wait(0, 0)
    log.close()
    waiting.join(5)
    # Closing may come before the thread's first look; then both waits end with nothing.
    assert results in ([(True, False)], [(False, False)])
    assert log.read(1, 1) == []


def test_many_threads_send_and_read_at_once(folder):
    """System messages come from other threads than warnings do."""
    log = open_log(folder, segment_bytes=4000)
    sent = [[] for _ in range(4)]

    def send(lane):
        for number in range(15):
            sent[lane] += log.send([warning(lane * 100 + number)])

    threads = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
    for thread in threads:
        thread.start()
    seqs = []
    while len(seqs) < 60 and log.wait(len(seqs), 10):
        seqs += [record.seq for record in log.read(len(seqs) + 1, 5)]
    for thread in threads:
        thread.join()
    assert seqs == list(range(1, 61))
    assert sorted(seq for lane in sent for seq in lane) == seqs
    assert all(lane == sorted(lane) for lane in sent)
    log.close()


def test_positions_of_consumers_survive(folder):
    log = open_log(folder)
    assert log.where("siren") == 0
    log.seen({"siren": 7, "desk": 3})
    log.seen({"siren": 9})
    log.close()
    log = open_log(folder)
    assert (log.where("siren"), log.where("desk"), log.where("who")) == (9, 3, 0)
    log.close()
    path = folder / "consumers"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EgressError, match="damaged"):
        open_log(folder)


def test_old_segments_go_and_their_ids_with_them(folder):
    """Memory and disk are bounded by what is kept; seq goes on, also over a restart."""
    clock = iter(range(1000))
    log = open_log(folder, segment_bytes=1, now_ns=clock.__next__)
    for number in range(6):
        log.send([warning(number)])
    assert log.retire(before_ns=3) == 3
    assert log.first_seq == 4
    assert [record.seq for record in log.read(1, 10)] == [4]
    assert log.send([warning(5), warning(0)]) == [6, 7]
    assert log.retire(before_ns=10**18) == 3
    log.close()
    log = open_log(folder)
    assert (log.first_seq, log.durable_seq) == (7, 7)
    log.close()


def test_the_spelling_of_a_body_does_not_depend_on_the_order_of_its_keys():
    one = {"b": [{"y": 1, "x": 2.0}], "a": {"zh": "甲", "en": "A"}}
    two = {"a": {"en": "A", "zh": "甲"}, "b": ({"x": 2.0, "y": 1},)}
    assert canonical(one) == canonical(two)
    assert canonical(one) != canonical({**one, "a": {}})
