"""Laws of the journal: what it called durable is read back, whole, in order, or named as lost."""

import itertools
import os
import threading
import tracemalloc

import pytest

from engine import segments
from engine.disk import PosixDisk
from engine.errors import JournalDamaged, JournalError, JournalLocked
from engine.journal import Journal, JournalSettings
from engine.reader import Reader
from engine.segments import FRAME, REJECT, SESSION, SKIP, TICK

SETTINGS = JournalSettings(segment_bytes=64 << 20, spare_bytes=0)
SMALL = JournalSettings(segment_bytes=4096, spare_bytes=0)


def opened(folder, settings=SETTINGS, disk=None):
    return Journal.open(folder, settings, disk or PosixDisk())


def append(journal, seq, *, kind=FRAME, gateway="G-1", session=1, body=None):
    return journal.append(
        kind,
        gateway,
        session=session,
        seq=seq,
        received_ns=1000 + seq,
        header=b"header %d" % seq,
        body=b"body of %d " % seq * 20 if body is None else body,
    )


def begin(journal, gateway="G-1", session=1):
    append(journal, 0, kind=SESSION, gateway=gateway, session=session, body=b"")
    journal.commit()


def read_all(journal, offset=0, limit_bytes=1 << 30):
    reader, records = journal.reader(offset), []
    while more := reader.read(limit_bytes):
        records += more
    return records


def frames(records):
    return [(r.gateway, r.session, r.seq, r.header, bytes(r.body)) for r in records if r.kind == 1]


def test_what_is_committed_is_read_back_in_order(tmp_path):
    """The flow sees exactly what the gateways sent."""
    journal = opened(tmp_path)
    begin(journal)
    for seq in range(1, 20):
        append(journal, seq)
        if seq % 4 == 0:
            journal.commit()
    records = read_all(journal)
    assert [record.seq for record in records] == list(range(17))
    assert bytes(records[5].body) == b"body of 5 " * 20
    assert records[5].header == b"header 5"
    assert records[5].received_ns == 1005
    journal.commit()
    assert len(read_all(journal)) == 20
    assert all(a.next_offset == b.offset for a, b in itertools.pairwise(records))
    journal.close()


def test_nothing_is_read_before_it_is_durable(tmp_path):
    """Else a crash forgets an input that already caused a warning."""
    journal = opened(tmp_path)
    begin(journal)
    reader = journal.reader(0)
    assert len(reader.read(1 << 20)) == 1
    append(journal, 1)
    assert reader.read(1 << 20) == []
    assert journal.pending_bytes > 0
    end = append(journal, 2)
    assert journal.commit() == end == journal.durable_offset
    assert [record.seq for record in reader.read(1 << 20)] == [1, 2]
    journal.close()


@pytest.mark.parametrize("limit_bytes", [1, 300, 1 << 20])
def test_a_reader_may_begin_at_any_record_and_cut_anywhere(tmp_path, limit_bytes):
    """The flow resumes at the offset it committed, in pieces of any size, over segments."""
    journal = opened(tmp_path, SMALL)
    begin(journal)
    for seq in range(1, 60):
        append(journal, seq)
        journal.commit()
    assert len(segments.segment_bases(tmp_path)) > 3
    whole = read_all(journal)
    for record in whole[::7]:
        rest = read_all(journal, record.next_offset, limit_bytes)
        assert [r.seq for r in rest] == [r.seq for r in whole if r.seq > record.seq]
    for base in segments.segment_bases(tmp_path):
        assert read_all(journal, base)[0].offset > base
    journal.close()


def test_bodies_are_views_that_outlive_the_reader(tmp_path):
    """Kernels read columns in the mapped file, at addresses they can use, without a copy."""
    journal = opened(tmp_path)
    begin(journal)
    append(journal, 1, body=os.urandom(1 << 20))
    journal.commit()
    tracemalloc.start()
    record = read_all(journal)[1]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 19
    assert record.body.readonly
    journal.close()
    assert len(bytes(record.body)) == 1 << 20


def test_reopening_keeps_the_sequence_table(tmp_path):
    """A gateway that sends again after our restart must meet its own past."""
    journal = opened(tmp_path, SMALL)
    begin(journal, "G-1", 7)
    begin(journal, "G-2", 1)
    for seq in range(1, 40):
        append(journal, seq, session=7, kind=REJECT if seq == 9 else FRAME)
    append(journal, 1, gateway="G-2")
    append(journal, 100, gateway="G-2", kind=SKIP, body=b"")
    append(journal, 101, gateway="G-2")
    append(journal, 0, gateway="", session=0, kind=TICK, body=b"")
    journal.commit()
    append(journal, 102, gateway="G-2")
    journal.close()

    journal = opened(tmp_path, SMALL)
    assert journal.durable_place("G-1") == (7, 39)
    assert journal.durable_place("G-2") == (1, 101)
    assert journal.durable_place("G-3") is None
    begin(journal, "G-2", 2)
    append(journal, 1, gateway="G-2", session=2)
    journal.commit()
    journal.close()
    journal = opened(tmp_path, SMALL)
    assert journal.durable_place("G-2") == (2, 1)
    journal.close()


def test_opening_scans_only_the_last_segment(tmp_path):
    """A week of journal is opened in the time of one segment."""
    journal = opened(tmp_path, SMALL)
    begin(journal)
    for seq in range(1, 60):
        append(journal, seq)
    journal.commit()
    journal.close()
    first = segments.segment_path(tmp_path, 0)
    whole = bytearray(first.read_bytes())
    whole[2000] ^= 1
    first.write_bytes(whole)
    journal = opened(tmp_path, SMALL)
    assert journal.durable_place("G-1") == (1, 59)
    with pytest.raises(JournalDamaged, match=first.name):
        read_all(journal)
    journal.close()


def test_a_torn_tail_is_cut_at_every_byte(tmp_path):
    """Power may go at any byte of a write; what was whole before stays, the rest goes."""
    journal = opened(tmp_path / "whole")
    begin(journal)
    ends = [journal.durable_offset]
    for seq in (1, 2, 3):
        append(journal, seq, body=b"x" * 70)
        ends.append(journal.commit())
    expected = frames(read_all(journal))
    journal.close()
    whole = segments.segment_path(tmp_path / "whole", 0).read_bytes()
    assert len(whole) == ends[-1]
    torn = tmp_path / "torn"
    torn.mkdir()
    for length in range(ends[0], len(whole) + 1):
        segments.segment_path(torn, 0).write_bytes(whole[:length])
        journal = opened(torn)
        kept = sum(end <= length for end in ends[1:])
        assert frames(read_all(journal)) == expected[:kept]
        assert journal.durable_offset == ends[kept]
        assert journal.torn_bytes == length - ends[kept]
        append(journal, kept + 1)
        journal.commit()
        assert len(read_all(journal)) == kept + 2
        journal.close()


@pytest.mark.parametrize("place", ["head", "header", "body", "zeroed"])
def test_damage_in_the_middle_is_named_and_refused(tmp_path, place):
    """Acknowledged frames are gone: only a person may decide to go on without them."""
    journal = opened(tmp_path)
    begin(journal)
    offsets = []
    for seq in (1, 2, 3):
        offsets.append(journal.append_offset)
        append(journal, seq)
        journal.commit()
    journal.close()
    path = segments.segment_path(tmp_path, 0)
    whole = bytearray(path.read_bytes())
    at = {"head": 9, "header": segments.RECORD_HEAD_BYTES + 5, "body": 140, "zeroed": 0}[place]
    whole[offsets[0] + at] ^= 0xFF
    if place == "zeroed":
        whole[offsets[0] : offsets[1]] = bytes(offsets[1] - offsets[0])
    path.write_bytes(whole)
    with pytest.raises(JournalDamaged) as found:
        opened(tmp_path)
    assert found.value.segment == path.name
    assert found.value.offset == offsets[0]
    assert path.name in str(found.value)
    path.write_bytes(whole[: offsets[2]])
    with pytest.raises(JournalDamaged):
        opened(tmp_path)


def test_a_group_that_reached_the_disk_in_pieces_is_a_torn_tail(tmp_path):
    """Blocks of an unsynced group are written in any order: a hole in it is no damage."""
    journal = opened(tmp_path)
    begin(journal)
    hole = journal.append_offset
    for seq in (1, 2, 3):
        append(journal, seq)
    journal.commit()
    journal.close()
    path = segments.segment_path(tmp_path, 0)
    whole = bytearray(path.read_bytes())
    whole[hole : hole + 64] = bytes(64)
    path.write_bytes(whole)
    journal = opened(tmp_path)
    assert journal.durable_place("G-1") == (1, 0)
    assert journal.torn_bytes == len(whole) - hole
    append(journal, 1)
    journal.commit()
    journal.close()
    journal = opened(tmp_path)
    assert journal.durable_place("G-1") == (1, 1), "what was cut has come back"
    journal.close()


def test_a_record_in_another_ones_place_is_not_believed(tmp_path):
    """A lost write leaves old bytes, and old bytes may be a whole record of another place."""
    journal = opened(tmp_path)
    begin(journal)
    places = []
    for seq in range(1, 5):
        places.append(journal.append_offset)
        append(journal, seq, body=b"equally long")
        journal.commit()
    journal.close()
    path = segments.segment_path(tmp_path, 0)
    whole = path.read_bytes()
    first, second = (whole[a:b] for a, b in itertools.pairwise(places[:3]))
    assert len(first) == len(second)
    path.write_bytes(whole[: places[0]] + second + first + whole[places[2] :])
    with pytest.raises(JournalDamaged, match="belongs to offset"):
        opened(tmp_path)


def test_a_missing_or_shortened_segment_is_named(tmp_path):
    """A gap between segments is a gap in what was acknowledged."""
    journal = opened(tmp_path, SMALL)
    begin(journal)
    for seq in range(1, 60):
        append(journal, seq)
    journal.commit()
    journal.close()
    second = segments.segment_path(tmp_path, segments.segment_bases(tmp_path)[1])
    whole = second.read_bytes()
    second.write_bytes(whole[:-1])
    with pytest.raises(JournalDamaged, match=second.name):
        opened(tmp_path, SMALL)
    second.unlink()
    with pytest.raises(JournalDamaged, match="next segment"):
        opened(tmp_path, SMALL)
    second.write_bytes(b"\0" * len(whole))
    with pytest.raises(JournalDamaged, match="segment header"):
        opened(tmp_path, SMALL)


def test_a_folder_has_one_writer(tmp_path):
    """Two engines on one journal would write over each other's records."""
    journal = opened(tmp_path)
    with pytest.raises(JournalLocked):
        opened(tmp_path)
    journal.close()
    opened(tmp_path).close()


def test_retention_keeps_what_is_young_or_needed(tmp_path):
    """A segment goes only when nobody can ask for it: neither the flow nor a replay."""
    journal = opened(tmp_path, SMALL)
    begin(journal)
    for seq in range(1, 60):
        append(journal, seq)
        journal.commit()
    bases = segments.segment_bases(tmp_path)
    created = [
        segments.read_segment_header(segments.segment_path(tmp_path, base)).created_ns
        for base in bases
    ]
    assert created == sorted(created)
    late_ns = 1 << 50
    assert journal.retain(late_ns, 0, 0) == []
    assert journal.retain(late_ns, 0, bases[1] - 1) == []
    assert journal.retain(created[3], late_ns, journal.durable_offset) == []
    assert journal.retain(created[3], 0, bases[2]) == bases[:2]
    assert journal.first_offset == bases[2]
    with pytest.raises(JournalError, match=str(bases[2])):
        journal.reader(0)
    assert journal.retain(late_ns, 0, journal.durable_offset) == bases[2:-1]
    journal.close()
    journal = opened(tmp_path, SMALL)
    assert journal.durable_place("G-1") == (1, 59)
    assert read_all(journal, journal.first_offset)[-1].seq == 59
    journal.close()


def test_a_reader_waits_until_something_is_durable(tmp_path):
    """The flow sleeps on the journal, not on a clock."""
    journal = opened(tmp_path)
    begin(journal)
    after = journal.durable_offset
    assert not journal.wait_durable(after, 0.0)
    append(journal, 1)
    thread = threading.Thread(target=journal.commit)
    thread.start()
    assert journal.wait_durable(after, 20.0)
    thread.join()
    assert journal.wait_durable(after, 0.0)
    journal.close()


def test_offline_reading_ends_where_the_whole_records_end(tmp_path):
    """`tocsin replay` reads the journal of an engine that is not running."""
    journal = opened(tmp_path)
    begin(journal)
    append(journal, 1)
    end = journal.commit()
    journal.close()
    with segments.segment_path(tmp_path, 0).open("ab") as file:
        file.write(b"torn")
    tail = segments.scan_file(segments.segment_path(tmp_path, 0))
    assert tail.end_offset == end
    assert [record.seq for record in Reader(tmp_path, 0, lambda: end).read(1 << 20)] == [0, 1]
    with pytest.raises(JournalError, match="no journal"):
        Reader(tmp_path / "nowhere", 0, lambda: 0)
