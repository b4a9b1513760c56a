"""Reading the journal: records as views of the mapped files, never past what is durable.

The live flow and an offline replay read alike; they differ in who says where the end is. Each
record's checksums are verified at each reading, because a disk may change its mind: damage
below the durable offset is named by segment and offset, and nothing after it is believed.
"""

import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from engine import segments
from engine.errors import JournalDamaged, JournalError
from engine.segments import BadRecord, Record


class Reader:
    """Reads one journal folder from an offset on; several may read at once, each its own."""

    __slots__ = ("_base", "_durable", "_folder", "_offset", "_view")

    def __init__(self, folder: Path, offset: int, durable: Callable[[], int]) -> None:
        """Begin at an offset that is a record's, a segment's base, or the end of the journal.

        durable  returns the offset up to which records may be read; it may grow
        JournalError when retention has removed the offset or the journal never reached it.
        """
        bases = segments.segment_bases(folder)
        if not bases:
            text = f"there is no journal in {folder}"
            raise JournalError(text)
        if offset < bases[0] or offset > durable():
            text = f"the journal has the offsets {bases[0]} to {durable()}, not {offset}"
            raise JournalError(text)
        self._folder = folder
        self._durable = durable
        self._offset = offset
        self._base = max(base for base in bases if base <= offset)
        self._view = memoryview(b"")

    @property
    def offset(self) -> int:
        """Where the next record is read."""
        return self._offset

    def read(self, limit_bytes: int, count_max: int = sys.maxsize) -> list[Record]:
        """Return the next durable records, whole, until their sum reaches `limit_bytes`.

        At most `count_max` of them.

        Empty when nothing more is durable. Bodies are views of the mapped file; they hold the
        mapping, so they stay readable as long as somebody keeps them.
        """
        end = self._durable()
        last = self._offset + limit_bytes
        records: list[Record] = []
        while self._offset < end and self._offset < last and len(records) < count_max:
            if self._offset >= self._base + len(self._view) and not self._map_more(end):
                break
            record = self._parse()
            self._offset = record.next_offset
            records.append(record)
        return records

    def _parse(self) -> Record:
        try:
            return segments.parse_record(self._view, self._offset - self._base, self._base)
        except BadRecord as fault:
            path = segments.segment_path(self._folder, self._base)
            raise JournalDamaged(path.name, self._offset, str(fault)) from None

    def _map_more(self, end: int) -> bool:
        """Map what has become durable: more of this segment, or the next one; False if none.

        Never more than is durable: what lies behind may still be cut off and written anew.
        """
        path = segments.segment_path(self._folder, self._base)
        size = min(path.stat().st_size, end - self._base)
        if self._base + size <= self._offset:
            self._base = self._offset
            path = segments.segment_path(self._folder, self._base)
            if not path.exists():
                reason = f"the segment that should begin here is missing, {end} is durable"
                raise JournalDamaged(path.name, self._offset, reason)
            size = min(path.stat().st_size, end - self._base)
        with path.open("rb") as file:
            self._view = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
        if self._offset == self._base:
            self._offset += segments.read_segment_header(path).header_bytes
        return self._offset < self._base + size
