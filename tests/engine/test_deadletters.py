"""Laws of the dead letters: a person finds what was refused and why, within bounded disk."""

import base64
import errno
import hashlib
import json

from engine.deadletters import DeadLetter, DeadLetters, DeadLetterSettings
from engine.disk import PosixDisk
from tests.engine.disks import FaultyDisk, FullDisk

SETTINGS = DeadLetterSettings(file_bytes=4000, files_kept=3, gateway_bytes_max=500)


def letter(gateway="G-1", seq=1, body=b"body"):
    return DeadLetter(gateway, 1, seq, "E_CRC", "the sum is wrong", 5, (b"header", body))


def lines(folder):
    paths = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_a_letter_has_the_reason_and_the_frame(tmp_path):
    """Whoever mends the gateway needs the very bytes."""
    letters = DeadLetters(tmp_path / "dead", SETTINGS, PosixDisk())
    letters.append(letter())
    assert letters.is_pending
    letters.flush()
    assert not letters.is_pending
    (line,) = lines(tmp_path / "dead")
    assert (line["gateway"], line["seq"], line["code"]) == ("G-1", 1, "E_CRC")
    assert base64.b64decode(line["whole"]) == b"headerbody"
    assert line["sha256"] == hashlib.sha256(b"headerbody").hexdigest()
    assert line["parts_bytes"] == [6, 4]
    letters.close()


def test_one_mad_gateway_does_not_push_out_the_others(tmp_path):
    """Whole frames have a quota for each gateway; the reason and the hash are always kept."""
    letters = DeadLetters(tmp_path, SETTINGS, PosixDisk())
    for seq in range(4):
        letters.append(letter("G-mad", seq, bytes(200)))
    letters.append(letter("G-2", 1))
    letters.append(letter("G-3", 1, bytes(100_000)))
    letters.flush()
    assert ["whole" in line for line in lines(tmp_path)] == [True, True, False, False, True, False]
    assert len(base64.b64decode(lines(tmp_path)[-1]["head"])) == 256
    letters.close()


def test_the_disk_used_is_bounded(tmp_path):
    """A mad gateway may go on for weeks."""
    for _ in range(3):
        letters = DeadLetters(tmp_path, SETTINGS, PosixDisk())
        for seq in range(200):
            letters.append(letter(seq=seq))
            letters.flush()
        letters.close()
    paths = sorted(tmp_path.glob("*.jsonl"))
    assert len(paths) == SETTINGS.files_kept
    assert all(path.stat().st_size <= SETTINGS.file_bytes for path in paths)
    assert lines(tmp_path)[-1]["seq"] == 199
    assert "whole" in lines(tmp_path)[-1], "the quota is for each file"


def test_a_letter_that_cannot_be_written_is_counted(tmp_path):
    """Other gateways' frames do not wait for it; the journal has the refusal."""
    disk = FullDisk()
    letters = DeadLetters(tmp_path, SETTINGS, disk)
    letters.append(letter(seq=1))
    letters.flush()
    disk.room_bytes = 10
    letters.append(letter(seq=2))
    letters.append(letter(seq=3))
    letters.flush()
    assert (letters.written_count, letters.lost_count) == (1, 2)
    disk.room_bytes = None
    letters.append(letter(seq=4))
    letters.flush()
    assert [line["seq"] for line in lines(tmp_path)] == [1, 4]
    letters.close()


def test_after_a_failed_sync_a_new_file_is_begun(tmp_path):
    """The old descriptor may have forgotten its pages."""
    letters = DeadLetters(tmp_path, SETTINGS, FaultyDisk("fdatasync", 2, errno.EIO))
    for seq in (1, 2, 3):
        letters.append(letter(seq=seq))
        letters.flush()
    assert [line["seq"] for line in lines(tmp_path)] == [1, 3]
    assert letters.lost_count == 1
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    letters.close()
