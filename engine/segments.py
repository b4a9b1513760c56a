"""The journal's file format: segments of records, each with its own checksum and address.

    segment   magic 8s · version u32 · header_bytes u32 · base u64 · created_ns i64 ·
              table_bytes u32 · crc u32 · table (msgpack) · zeros up to 64 bytes · records
    record    magic 4s · head_crc u32 · kind u8 · gateway_bytes u8 · header_bytes u16 ·
              body_bytes u32 · body_crc u32 · session u64 · seq u64 · received_ns i64 ·
              offset u64 · durable u64 · gateway · header · zeros up to 64 bytes ·
              body · zeros up to 64 bytes

An offset is a place in the whole journal: the sum of the bytes of all segments before, plus
the place in the file, which is named by its first offset. head_crc covers everything from
`kind` to the body's first byte, and body_crc the body: a raw frame carries the same sum on the
wire, so its body is summed once. Bodies begin at multiples of 64 bytes, where columns can be
read in place.

`offset` says where a record belongs: bytes of an old file that a lost write left behind are not
taken for new ones. `durable` is the offset up to which the journal was synced when the record was
made. It tells a torn tail from damage: the blocks of a group that was being synced reach the
disk in any order, so a hole may have whole records behind it; but behind a hole, a record that
was made when the hole had long been synced proves that something durable was lost.
"""

import itertools
import mmap
import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import msgpack
import numpy as np

from engine.errors import JournalDamaged, JournalError

FRAME: Final = 1
TICK: Final = 2
RULES: Final = 3
REJECT: Final = 4
SKIP: Final = 5
SESSION: Final = 6
ACT: Final = 7
KINDS: Final = (FRAME, TICK, RULES, REJECT, SKIP, SESSION, ACT)

SUFFIX: Final = ".segment"
FORMAT: Final = 1
ALIGN: Final = 64
SEGMENT_MAGIC: Final = b"TOCSINJ1"
SEGMENT_HEAD: Final = struct.Struct("<8sIIQqII")
RECORD_MAGIC: Final = b"TREC"
RECORD_LEAD: Final = struct.Struct("<4sI")
RECORD_REST: Final = struct.Struct("<BBHIIQQqQQ")
RECORD_HEAD_BYTES: Final = RECORD_LEAD.size + RECORD_REST.size
GATEWAY_BYTES_MAX: Final = 255
HEADER_BYTES_MAX: Final = 65535
ZEROS: Final = bytes(ALIGN)

# gateway name -> (session, highest seq written)
Table = dict[str, tuple[int, int]]


class Record(NamedTuple):
    """One record of the journal; header and gateway are copies, body is a view of the file."""

    kind: int
    offset: int
    next_offset: int
    gateway: str
    session: int
    seq: int
    received_ns: int
    header: bytes
    body: memoryview
    durable: int


class BadRecord(Exception):
    """There is no whole record at this place; the text says why."""


class SegmentHeader(NamedTuple):
    """What a segment's first bytes say: its base, when it was begun, the sequence table then."""

    base: int
    header_bytes: int
    created_ns: int
    table: Table


class Tail(NamedTuple):
    """What the scan of the last segment found."""

    end_offset: int
    torn_bytes: int
    table: Table


def segment_path(folder: Path, base: int) -> Path:
    """Return the file of the segment that begins at an offset."""
    return folder / f"{base:020d}{SUFFIX}"


def segment_bases(folder: Path) -> list[int]:
    """Return the bases of the folder's segments, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def padding(size: int) -> int:
    """Return how many bytes are missing to a multiple of 64."""
    return -size % ALIGN


def pack_segment_header(base: int, created_ns: int, table: Table) -> bytes:
    """Return the first bytes of a segment; their length is a multiple of 64."""
    packed: bytes = msgpack.packb(table)
    size = SEGMENT_HEAD.size + len(packed)
    header_bytes = size + padding(size)
    fields = (SEGMENT_MAGIC, FORMAT, header_bytes, base, created_ns, len(packed))
    crc = zlib.crc32(SEGMENT_HEAD.pack(*fields, 0) + packed)
    return SEGMENT_HEAD.pack(*fields, crc) + packed + ZEROS[: padding(size)]


def read_segment_header(path: Path) -> SegmentHeader:
    """Return a segment's header; JournalDamaged when it is not what was written."""
    base = int(path.stem)
    with path.open("rb") as file:
        head = file.read(SEGMENT_HEAD.size)
        if len(head) < SEGMENT_HEAD.size or not head.startswith(SEGMENT_MAGIC):
            raise JournalDamaged(path.name, base, "the file does not begin with a segment header")
        magic, version, header_bytes, found, created_ns, table_bytes, crc = SEGMENT_HEAD.unpack(
            head
        )
        if version != FORMAT:
            text = f"journal segment {path.name} has format {version}; this engine reads {FORMAT}"
            raise JournalError(text)
        packed = file.read(table_bytes)
    unsummed = SEGMENT_HEAD.pack(magic, version, header_bytes, found, created_ns, table_bytes, 0)
    if zlib.crc32(unsummed + packed) != crc:
        raise JournalDamaged(path.name, base, "the checksum of the segment header does not hold")
    if found != base:
        raise JournalDamaged(path.name, base, f"the segment header belongs to base {found}")
    table = {name: (session, seq) for name, (session, seq) in msgpack.unpackb(packed).items()}
    return SegmentHeader(base, header_bytes, created_ns, table)


def record_bytes(gateway_bytes: int, header_bytes: int, body_bytes: int) -> int:
    """Return how many bytes a record takes in its segment, padding included."""
    head = RECORD_HEAD_BYTES + gateway_bytes + header_bytes
    return head + padding(head) + body_bytes + padding(body_bytes)


def pack_record_head(
    *,
    kind: int,
    gateway: bytes,
    session: int,
    seq: int,
    received_ns: int,
    header: bytes,
    body_bytes: int,
    body_crc: int,
    offset: int,
    durable: int,
) -> bytes:
    """Return everything of a record that comes before its body."""
    rest = RECORD_REST.pack(
        *(kind, len(gateway), len(header), body_bytes, body_crc),
        *(session, seq, received_ns, offset, durable),
    )
    size = RECORD_HEAD_BYTES + len(gateway) + len(header)
    summed = b"".join((rest, gateway, header, ZEROS[: padding(size)]))
    return RECORD_LEAD.pack(RECORD_MAGIC, zlib.crc32(summed)) + summed


def parse_record(view: memoryview, position: int, base: int) -> Record:
    """Return the record at a position of a segment's bytes, or raise BadRecord with a reason."""
    left = len(view) - position
    if left < RECORD_HEAD_BYTES:
        text = f"{left} bytes are left, too few for a record"
        raise BadRecord(text)
    magic, head_crc = RECORD_LEAD.unpack_from(view, position)
    if magic != RECORD_MAGIC:
        text = "there is no record here"
        raise BadRecord(text)
    start = position + RECORD_LEAD.size
    (kind, gateway_bytes, header_bytes, body_bytes, body_crc, *places) = RECORD_REST.unpack_from(
        view, start
    )
    session, seq, received_ns, offset, durable = places
    if record_bytes(gateway_bytes, header_bytes, body_bytes) > left:
        text = "the record is longer than what is left of the segment"
        raise BadRecord(text)
    gateway_start = start + RECORD_REST.size
    header_start = gateway_start + gateway_bytes
    size = RECORD_HEAD_BYTES + gateway_bytes + header_bytes
    body_start = position + size + padding(size)
    if zlib.crc32(view[start:body_start]) != head_crc:
        text = "the checksum of the record's head does not hold"
        raise BadRecord(text)
    if offset != base + position:
        text = f"the record belongs to offset {offset}"
        raise BadRecord(text)
    body = view[body_start : body_start + body_bytes]
    if zlib.crc32(body) != body_crc:
        text = "the checksum of the record's body does not hold"
        raise BadRecord(text)
    return Record(
        kind,
        offset,
        base + body_start + body_bytes + padding(body_bytes),
        str(view[gateway_start:header_start], "utf-8"),
        session,
        seq,
        received_ns,
        bytes(view[header_start : header_start + header_bytes]),
        body,
        durable,
    )


def note(table: Table, kind: int, gateway: str, *, session: int, seq: int) -> None:
    """Bring the sequence table up to date with a record."""
    if kind in (FRAME, REJECT, SKIP, SESSION):
        table[gateway] = (session, seq)


def check_contiguous(folder: Path, bases: list[int]) -> None:
    """Raise JournalDamaged when a segment does not end where the next one begins."""
    for base, following in itertools.pairwise(bases):
        path = segment_path(folder, base)
        end = base + path.stat().st_size
        if end != following:
            reason = f"it ends at {end}, but the next segment begins at {following}"
            raise JournalDamaged(path.name, min(end, following), reason)
        read_segment_header(path)


def scan_file(path: Path) -> Tail:
    """Return where the whole records of a segment end; see `scan_tail`."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise JournalDamaged(path.name, int(path.stem), "the file is empty")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return scan_tail(path, memoryview(mapped))


def scan_tail(path: Path, view: memoryview) -> Tail:
    """Return where the last segment's whole records end, and the sequence table there.

    view  the segment's bytes
    JournalDamaged when a record behind the end proves that the end was once synced.
    """
    header = read_segment_header(path)
    table = dict(header.table)
    position = header.header_bytes
    while position < len(view):
        try:
            record = parse_record(view, position, header.base)
        except BadRecord as fault:
            _refuse_damage(path, view, position, reason=str(fault))
            break
        note(table, record.kind, record.gateway, session=record.session, seq=record.seq)
        position = record.next_offset - header.base
    return Tail(header.base + position, len(view) - position, table)


def _refuse_damage(path: Path, view: memoryview, position: int, *, reason: str) -> None:
    """Raise JournalDamaged when a whole record behind a hole was made after the hole's sync."""
    base = int(path.stem)
    words = np.frombuffer(view[: len(view) // ALIGN * ALIGN], "<u4").reshape(-1, ALIGN // 4)
    is_magic = words[:, 0] == int.from_bytes(RECORD_MAGIC, "little")
    for row in np.flatnonzero(is_magic[position // ALIGN + 1 :]) + position // ALIGN + 1:
        try:
            record = parse_record(view, int(row) * ALIGN, base)
        except BadRecord:
            continue
        if record.durable > base + position:
            text = f"{reason}, yet offset {record.offset} was written after it had been synced"
            raise JournalDamaged(path.name, base + position, text)
