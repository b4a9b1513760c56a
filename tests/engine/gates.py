"""A gate with its journal in a folder, and without a socket: what gate tests stand on."""

import msgpack

from engine import segments
from engine.deadletters import DeadLetters, DeadLetterSettings
from engine.disk import PosixDisk
from engine.errors import JournalError
from engine.gate import Gate, GateSettings
from engine.journal import Journal, JournalSettings
from engine.meters import Meters
from tests.engine import gateway as stranger

SENSOR_COUNTS = {"G-1": 3, "G-2": 2}
LETTERS = DeadLetterSettings(file_bytes=1 << 20, files_kept=3, gateway_bytes_max=1 << 16)
ROWS = [(0, 5, 1.5), (2, 6, 2.5)]


class Bench:
    """One engine's gate: `tell` it messages, `commit`, look at the answers of each peer."""

    def __init__(self, folder, disk=None, segment_bytes=1 << 20):
        self.folder = folder
        self.disk = disk or PosixDisk()
        settings = JournalSettings(segment_bytes, 0)
        self.journal = Journal.open(folder / "journal", settings, self.disk)
        self.dead_letters = DeadLetters(folder / "dead", LETTERS, PosixDisk())
        self.meters = Meters(["methane"])
        self.gate = Gate(
            GateSettings("E-1", 32, 8 << 20),
            SENSOR_COUNTS,
            journal=self.journal,
            dead_letters=self.dead_letters,
            meters=self.meters,
        )
        self.now_ns = 1_000

    def tell_parts(self, peer, parts):
        self.now_ns += 1
        self.gate.receive(peer, parts, self.now_ns)

    def tell(self, peer, fields, body=b""):
        self.tell_parts(peer, [stranger.pack(fields), body])

    def hello(self, peer, gateway="G-1", session=1, next_seq=1):
        fields = {"t": "hello", "v": 1, "gateway": gateway, "session": session}
        self.tell(peer, fields | {"next": next_seq})

    def frame(self, peer, seq, session=1, rows=None):
        self.tell(peer, *stranger.points(session, seq, rows or ROWS))

    def commit(self):
        """Commit and settle as the intake does; return the error, if there was one."""
        error = None
        try:
            self.dead_letters.flush()
            self.journal.commit()
        except JournalError as fault:
            error = fault
            self.journal.rollback()
        self.gate.settle(error)
        return error

    def answers(self, peer):
        """Return and forget the answers to a peer."""
        mine = [msgpack.unpackb(header) for to, header in self.gate.answers if to == peer]
        self.gate.answers = [(to, header) for to, header in self.gate.answers if to != peer]
        return mine

    def only_answer(self, peer):
        (answer,) = self.answers(peer)
        return answer

    def opened(self, peer, gateway="G-1", session=1):
        """Say hello, commit, and return the welcome."""
        self.hello(peer, gateway, session)
        self.commit()
        return self.only_answer(peer)

    def outcomes(self):
        """Return the counters: durable, duplicate, rejected, retry."""
        return self.meters.frames.tolist()

    def records(self):
        """Return (kind, gateway, session, seq) of everything durable."""
        found = self.journal.reader(self.journal.first_offset).read(1 << 40)
        return [(r.kind, r.gateway, r.session, r.seq) for r in found]

    def frames_of(self, gateway):
        """Return (session, seq, body) of a gateway's durable frames."""
        found = self.journal.reader(self.journal.first_offset).read(1 << 40)
        return [
            (r.session, r.seq, bytes(r.body))
            for r in found
            if r.gateway == gateway and r.kind == segments.FRAME
        ]

    def close(self):
        self.journal.close()
        self.dead_letters.close()
