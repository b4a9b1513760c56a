"""A gateway must deliver every reading exactly once, whatever happens to it or to the engine."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from engine import segments
from engine.cli import run_command
from engine.deadletters import DeadLetters, DeadLetterSettings
from engine.decode import Decoder, Points
from engine.disk import PosixDisk
from engine.intake import Intake, IntakeSettings
from engine.journal import Journal, JournalSettings
from engine.meters import Meters
from engine.recordings import parse_time_ns
from engine.spool import Spool

NS_PER_S = 1_000_000_000
T0_NS = parse_time_ns("2014-03-01T00:00:00Z")
METHANE = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "coal-mine" / "methane"
) / "methane.arff"
ROOT = Path(__file__).resolve().parents[2]
MINE = ROOT / "configs" / "mine" / "catalogue"


class Engine:
    """The real intake and journal, without what comes after them."""

    def __init__(self, folder, endpoint):
        self.journal = Journal.open(
            folder / "journal", JournalSettings(segment_bytes=64 << 20, spare_bytes=0), PosixDisk()
        )
        letters = DeadLetterSettings(file_bytes=1 << 20, files_kept=2, gateway_bytes_max=1 << 20)
        self.dead_letters = DeadLetters(folder / "dead", letters, PosixDisk())
        self.intake = Intake(
            IntakeSettings(
                engine="test",
                endpoint=endpoint,
                credit=8,
                frame_bytes_max=1 << 20,
                commit_bytes=256 << 10,
                commit_ns=5_000_000,
                waiting_bytes_max=16 << 20,
                silence_ns=10 * NS_PER_S,
                writes_ticks=False,
            ),
            {"G-MINE": 4},
            journal=self.journal,
            dead_letters=self.dead_letters,
            meters=Meters(["methane"]),
            clock_ns=time.time_ns,
        )
        self.intake.start()
        self.endpoint = self.intake.endpoint

    def stop(self):
        self.intake.stop()
        self.dead_letters.close()
        self.journal.close()

    def readings(self):
        """Every reading in the journal, as rows (sensor, time, value, quality)."""
        decoder = Decoder({"G-MINE": np.arange(4, dtype=np.int32)})
        reader = self.journal.reader(self.journal.first_offset)
        rows = []
        while records := reader.read(1 << 20):
            for record in records:
                if record.kind == segments.FRAME:
                    rows += _rows(decoder.decode(record))
        return rows


def _rows(table):
    if isinstance(table, Points):
        quality = table.quality if table.quality.size else np.zeros(table.count, np.uint8)
        columns = (table.sensor, table.time_ns, table.value, quality)
        return list(zip(*(column.tolist() for column in columns), strict=True))
    quality = table.quality if table.quality.size else np.zeros(table.value.shape, np.uint8)
    return [
        (int(sensor), table.t0_ns + j * table.period_ns, float(value), int(quality[i, j]))
        for i, sensor in enumerate(table.sensor)
        for j, value in enumerate(table.value[i])
    ]


@pytest.fixture
def engine(tmp_path):
    running = Engine(tmp_path / "engine", f"ipc://{tmp_path}/intake")
    yield running
    running.stop()


def write_table(path, row_count):
    lines = ["time,a,b"]
    for row in range(row_count):
        lines.append(f"2014-03-01T{row // 3600:02d}:{row // 60 % 60:02d}:{row % 60:02d}Z,{row},-1")
    path.write_text("\n".join(lines) + "\n")
    return path


def feed(tmp_path, file, *more, to=None):
    words = ["feed", str(file), "--catalogue", str(MINE), "--spool", str(tmp_path / "spool")]
    words += ["--to", to or f"ipc://{tmp_path}/intake", "--json", *more]
    return words


AB = ["--map", "a=MM31", "--map", "b=AS038", "--time", "time"]


def expected_rows(row_count):
    rows = []
    for row in range(row_count):
        rows.append((0, T0_NS + row * NS_PER_S, float(row), 0))
        rows.append((2, T0_NS + row * NS_PER_S, -1.0, 0))
    return rows


def test_each_cell_arrives_once_with_its_time_and_sensor(tmp_path, engine, capsys):
    """The engine cannot know which cell of a recording a reading was."""
    file = write_table(tmp_path / "a.csv", 500)

    assert run_command(feed(tmp_path, file, *AB, "--frame", "64")) == 0

    assert engine.readings() == expected_rows(500)
    counts = json.loads(capsys.readouterr().out)
    assert counts["readings_sent"] == counts["readings_acked"] == 1000
    assert counts["frames_sent"] == counts["frames_acked"] == 8
    assert not list((tmp_path / "spool").glob("*.frame"))


@pytest.mark.data
@pytest.mark.skipif(not METHANE.exists(), reason="the recorded mine data is not beside the project")
def test_the_recorded_mine_arrives_as_it_was_recorded(tmp_path, engine):
    """The oracle of the end-to-end test reads the file; the engine must have read the same."""
    when = ["--start", "2014-03-01T00:00:00Z", "--period", "30s"]

    assert run_command(feed(tmp_path, METHANE, *when)) == 0

    rows = [line for line in METHANE.read_text().splitlines() if line[:1].isdigit()]
    cells = [[float(cell) for cell in row.split(",")] for row in rows]
    expected = [
        (sensor, T0_NS + row * 30 * NS_PER_S, cells[row][column], 0)
        for row in range(len(cells))
        for column, sensor in ((0, 0), (1, 1), (2, 2), (5, 3))
    ]
    assert engine.readings() == expected


def test_a_cell_that_says_nothing_is_sent_as_missing(tmp_path, engine, capsys):
    """A sensor that is broken must look broken, not absent and not like -200 %."""
    file = tmp_path / "gaps.csv"
    file.write_text("t,x\n1393632000,1\n1393632001,\n1393632002,-200\n1393632003,oops\n,5\n")
    words = ["--map", "x=MM31", "--time", "t", "--missing", "-200"]

    assert run_command(feed(tmp_path, file, *words)) == 0

    values = [(row[2], row[3]) for row in engine.readings()]
    assert values[0] == (1.0, 0)
    assert all(np.isnan(value) and quality == 4 for value, quality in values[1:])
    assert len(values) == 4
    heard = capsys.readouterr()
    counts = json.loads(heard.out)
    assert (counts["missing"], counts["not_numbers"], counts["rows_without_time"]) == (3, 1, 1)
    assert "gaps.csv:6" in heard.err


def test_waveforms_go_out_as_series(tmp_path, engine):
    """A seismogram in `points` frames costs five times the bytes and twenty times the time."""
    file = tmp_path / "wave.npz"
    data = np.arange(300, dtype=np.float32).reshape(100, 3)
    data[7, 1] = np.nan
    np.savez(file, data=data, itp=np.array([30]))
    words = ["--map", "data.0=MM31", "--map", "data.1=MM116", "--series", "--frame", "32"]

    when = ["--start", "2014-03-01", "--period", "10ms"]
    assert run_command(feed(tmp_path, file, *words, *when)) == 0

    rows = sorted(engine.readings(), key=lambda row: (row[0], row[1]))
    assert [row[1] for row in rows[:100]] == [T0_NS + j * 10_000_000 for j in range(100)]
    assert [row[2] for row in rows[:100]] == data[:, 0].tolist()
    assert [j for j in range(100) if rows[100 + j][3] == 4] == [7]


def test_nobody_listening_is_said_after_five_seconds(tmp_path, capsys):
    """A script must not wait for ever for an engine that was never started."""
    file = write_table(tmp_path / "a.csv", 3)

    assert run_command(feed(tmp_path, file, *AB, to="tcp://127.0.0.1:1")) == 69

    assert "nothing listens there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "aa=MM31", "--time", "time"], "did you mean `a`?"),
        (["--map", "a=MM32", "--time", "time"], "did you mean `MM31`?"),
        (["--map", "a=MM31", "--time", "tme"], "did you mean `time`?"),
        (["--map", "a=MM31", "--time", "b"], "no row has a time"),
        (["--map", "a=MM31"], "--time COLUMN, or --start and --period"),
        (["--map", "a=MM31", "--map", "b=MM31", "--time", "time"], "mapped already"),
        (["--time", "time"], "use --map"),
        ([*AB, "--gateway", "G-MINA"], "did you mean `G-MINE`?"),
        ([*AB, "--to", "tcp//x"], "--to tcp//x"),
        ([*AB, "--speed", "fast"], "--speed fast"),
        (["--map", "a=MM31", "--start", "x", "--period", "1s"], "--start x"),
        (["--map", "a=MM31", "--start", "now", "--period", "5"], "write the unit"),
        ([*AB, "--series"], "--series needs a regular spacing"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(tmp_path, capsys, words, said):
    """Half a recording under the wrong names is worse than none."""
    file = write_table(tmp_path / "a.csv", 3)

    assert run_command(feed(tmp_path, file, *words)) == 2

    assert said in capsys.readouterr().err


def test_an_interrupted_feed_goes_on_where_it_was(tmp_path, engine, capsys):
    """Started again after a crash it must neither lose a reading nor send one twice."""
    file = write_table(tmp_path / "a.csv", 200)
    words = feed(tmp_path, file, *AB, "--frame", "10")
    _interrupt_after(5, words)
    done = len(engine.readings()) // 2
    assert 0 < done < 200

    assert run_command(words) == 0

    assert engine.readings() == expected_rows(200)
    assert "went on at row" in capsys.readouterr().err


def test_a_feed_that_is_killed_goes_on_where_it_was(tmp_path, engine):
    """A power cut gives no time to tidy up."""
    file = write_table(tmp_path / "a.csv", 200)
    words = feed(tmp_path, file, *AB, "--speed", "200")
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *words], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    _await_groups(engine, 4)
    process.kill()
    process.wait()

    assert run_command([*words[:-1], "max"]) == 0

    assert engine.readings() == expected_rows(200)


def test_an_engine_that_restarts_in_the_middle_gets_every_reading_once(tmp_path):
    """What was on the way when it died was never acknowledged, so it is sent again."""
    file = write_table(tmp_path / "a.csv", 200)
    codes = []
    words = feed(tmp_path, file, *AB, "--speed", "100")
    first = Engine(tmp_path / "engine", f"ipc://{tmp_path}/intake")
    sender = threading.Thread(target=lambda: codes.append(run_command(words)))
    sender.start()
    _await_groups(first, 3)
    first.stop()

    second = Engine(tmp_path / "engine", f"ipc://{tmp_path}/intake")
    sender.join(30)

    assert codes == [0]
    assert second.readings() == expected_rows(200)
    second.stop()


def _await_groups(engine, count):
    for _ in range(count):
        assert engine.journal.wait_durable(engine.journal.durable_offset, 20)


def test_an_engine_that_forgot_gets_the_recording_from_its_start(tmp_path, capsys):
    """A new journal has none of what the old one acknowledged."""
    file = write_table(tmp_path / "a.csv", 200)
    words = feed(tmp_path, file, *AB, "--frame", "10")
    first = Engine(tmp_path / "first", f"ipc://{tmp_path}/intake")
    _interrupt_after(5, words)
    first.stop()
    second = Engine(tmp_path / "second", f"ipc://{tmp_path}/intake")

    assert run_command(words) == 0

    assert second.readings() == expected_rows(200)
    second.stop()
    assert "sent from the start" in capsys.readouterr().err


def test_a_lost_spool_does_not_lose_the_gateway(tmp_path, engine, capsys):
    """A gateway whose disk was replaced counts its sessions from 1 again."""
    file = write_table(tmp_path / "a.csv", 20)
    assert run_command(feed(tmp_path, file, *AB)) == 0
    (tmp_path / "spool").rename(tmp_path / "lost")

    assert run_command(feed(tmp_path, file, *AB)) == 0

    assert engine.readings() == expected_rows(20) * 2
    assert "a later session" in capsys.readouterr().err


def test_two_feeds_of_one_gateway_do_not_mix(tmp_path, capsys):
    """Two senders with one name would make holes in each other's numbers."""
    spool = Spool(tmp_path / "spool")
    file = write_table(tmp_path / "a.csv", 3)

    assert run_command(feed(tmp_path, file, *AB)) == 2

    spool.close()
    assert "another feed of this gateway is running" in capsys.readouterr().err


class Interrupted(Exception):
    pass


def _interrupt_after(ack_count, words):
    """Run a feed that dies at its n-th acknowledged frame, as suddenly as an exception can."""
    acknowledge = Spool.acknowledge
    seen = [0]

    def die(self, durable):
        acknowledge(self, durable)
        seen[0] += 1
        if seen[0] >= 2 and durable >= ack_count:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "acknowledge", die)
        assert run_command(words) == 70
