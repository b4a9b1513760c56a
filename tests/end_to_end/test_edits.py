"""An operator stops, starts, edits and starts again; nothing is told twice, nothing forgotten."""

import shutil

import pytest

from engine import segments
from engine.disk import PosixDisk
from engine.journal import Journal, JournalSettings
from tests.end_to_end.edits import METHANE, START_NS, STEP_US, edit, log_of, push
from tests.end_to_end.engines import MINE, Engine, running, tocsin, wait_until
from tests.engine.gateway import pack, points


@pytest.fixture
def mine(tmp_path):
    """The configuration of the mine, to be edited."""
    folder = tmp_path / "mine"
    shutil.copytree(MINE, folder)
    return folder


def test_a_stop_drains_and_a_start_goes_on(warm, mine, tmp_path):
    """SIGTERM is how every upgrade begins; a warning must neither be lost nor repeated."""
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        push(engine, 1, [1.2] * 4)
        assert engine.stop() == 0
        engine.start()
        before = log_of(engine)
        assert [event[:2] for event in before] == [("raised", "orange")]
        push(engine, 2, [1.6], first_row=4)
        wait_until(lambda: len(log_of(engine)) == 2, "the upgrade")
        after = log_of(engine)
        assert after[0] == before[0]
        assert after[1] == ("upgraded", "red", before[0][2], 1)
        assert engine.stop() == 0


def test_a_changed_threshold_keeps_the_warning_and_a_removed_rule_ends_superseded(
    warm, mine, tmp_path
):
    """An edit may not clear a warning: `cleared` would tell people that the danger is over."""
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        assert engine.stop() == 0
        edit(mine, "orange: 1.0, red: 1.5}", "orange: 1.1, red: 1.5}")
        engine.start()
        push(engine, 2, [1.6], first_row=4)
        wait_until(lambda: len(log_of(engine)) == 2, "the upgrade")
        raised, upgraded = log_of(engine)
        assert upgraded == ("upgraded", "red", raised[2], raised[3] + 1)
        assert engine.stop() == 0
        edit(mine, "- id: ch4-high", "- id: ch4-too-high")
        engine.start()
        wait_until(lambda: len(log_of(engine)) >= 3, "the last words of the old rule")
        assert log_of(engine)[2] == ("superseded", "none", raised[2], raised[3] + 2)
        assert engine.stop() == 0


def test_the_tail_is_judged_by_the_rules_that_were_active_then(warm, mine, tmp_path):
    """A crash, and meanwhile a lower threshold: the red that follows is new, and must be sent.

    Judged again from the last snapshot by the rules of today, the first message of the episode
    would say red instead of orange under an id and revision that consumers have already, be
    dropped as different, and nobody would hear of the red.
    """
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        engine.kill()
        edit(mine, "orange: 1.0, red: 1.5}", "orange: 1.0, red: 1.1}")
        engine.start()
        wait_until(lambda: len(log_of(engine)) == 2, "the red of the new rules")
        raised, upgraded = log_of(engine)
        assert raised[:2] == ("raised", "orange")
        assert upgraded == ("upgraded", "red", raised[2], raised[3] + 1)
        assert engine.metrics()["tocsin_warnings_different_total"] == 0
        assert engine.stop() == 0


def test_a_changed_text_keeps_the_warning(warm, mine, tmp_path):
    """Mending a word in a headline must not end a warning."""
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        assert engine.stop() == 0
        edit(mine, "Cut power and evacuate", "Cut the power, evacuate")
        engine.start()
        push(engine, 2, [1.6], first_row=4)
        wait_until(lambda: len(log_of(engine)) == 2, "the upgrade")
        raised, upgraded = log_of(engine)
        assert upgraded == ("upgraded", "red", raised[2], 1)
        assert engine.stop() == 0


def test_a_journal_from_before_sets_were_kept_is_judged_by_those_of_today(warm, mine, tmp_path):
    """An upgrade must not need a clean stop: what is durable is judged, and that is said."""
    data = tmp_path / "data"
    write_old_journal(data / "journal", [1.2] * 4)
    engine = Engine(mine / "engine.yaml", data)
    with running(engine):
        wait_until(lambda: log_of(engine), "the warning of the old journal")
        assert [event[:2] for event in log_of(engine)] == [("raised", "orange")]
        assert engine.log.read_text().count("rules_of_the_past_unknown") == 1
        engine.kill()
        edit(mine, "orange: 1.0, red: 1.5}", "orange: 1.0, red: 1.1}")
        engine.start()
        wait_until(lambda: len(log_of(engine)) == 2, "the red of the new rules")
        assert log_of(engine)[1][:2] == ("upgraded", "red")
        assert engine.log.read_text().count("rules_of_the_past_unknown") == 1
        assert engine.stop() == 0


def write_old_journal(folder, values):
    """What a version left that wrote down which packs it had, but did not keep them."""
    folder.parent.mkdir()
    journal = Journal.open(folder, JournalSettings(1 << 20, 0), PosixDisk())
    at = {"session": 0, "seq": 0, "received_ns": START_NS, "body": b""}
    journal.append(segments.RULES, "", header=b"coal-gas 1.0.0 0123456789abcdef", **at)
    journal.append(segments.SESSION, "G-MINE", header=b"", **at | {"session": 1})
    readings = [(METHANE, row * STEP_US, value) for row, value in enumerate(values)]
    fields, body = points(1, 1, readings, t0=START_NS)
    at |= {"session": 1, "seq": 1, "body": body}
    journal.append(segments.FRAME, "G-MINE", header=pack(fields), **at)
    journal.commit()
    journal.close()


def test_the_number_of_shards_belongs_to_the_data_folder(warm, mine, tmp_path):
    """A site that moves to another shard would begin anew, under ids that have been used."""
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        assert engine.stop() == 0
        engine.sets = ("shards=2",)
        done = tocsin(*engine.arguments())
        assert done.returncode == 78
        assert "E744" in done.stderr
        assert "write `shards: 1`" in done.stderr
        engine.sets = ()
        engine.start()
        assert [event[:2] for event in log_of(engine)] == [("raised", "orange")]
        assert engine.stop() == 0


def test_two_engines_do_not_share_a_folder(warm, mine, tmp_path):
    """Two writers would make one journal that nobody can read."""
    engine = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(engine):
        second = Engine(mine / "engine.yaml", tmp_path / "data")
        done = tocsin(*second.arguments())
        assert done.returncode == 74
        assert "one folder has one writer" in done.stderr
        assert engine.ask("livez") is not None


def test_until_idle_ends_by_itself(warm, mine, tmp_path):
    """Scripts wait for the end of a feed, not for somebody to press a key."""
    options = ("--until-idle", "1")
    engine = Engine(mine / "engine.yaml", tmp_path / "data", options=options)
    with running(engine):
        push(engine, 1, [1.2] * 4)
        assert engine.wait() == 0
    again = Engine(mine / "engine.yaml", tmp_path / "data")
    with running(again):
        assert [event[:2] for event in log_of(again)] == [("raised", "orange")]
