"""Operators act on warnings of a running engine; a crash forgets none of it."""

import shutil

import pytest

from tests.end_to_end.edits import log_of, push
from tests.end_to_end.engines import MINE, Engine, running, tocsin, wait_until

TARGET = "coal-gas/ch4-high@MM31"


@pytest.fixture
def engine(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(MINE, folder)
    return Engine(folder / "engine.yaml", tmp_path / "data")


def do(engine, *words):
    return tocsin(*words, "--http", engine.http)


def test_an_acknowledgement_and_a_shelf_are_told_and_survive_a_crash(warm, engine):
    with running(engine):
        push(engine, 1, [1.2] * 4)
        wait_until(lambda: log_of(engine), "the first warning")
        done = do(engine, "acknowledge", TARGET, "--who", "duty")
        assert done.returncode == 0, done.stderr
        assert "in the journal" in done.stdout
        wait_until(lambda: len(log_of(engine)) == 2, "the acknowledgement")
        assert do(engine, "shelve", TARGET, "2h", "--reason", "calibration").returncode == 0
        wait_until(lambda: len(log_of(engine)) == 3, "the shelf")
        before = log_of(engine)
        assert [event for event, *_ in before] == ["raised", "acknowledged", "updated"]
        engine.kill()
        engine.start()
        wait_until(lambda: engine.metrics()["tocsin_warnings_repeated_total"] == 3, "the tail")
        assert engine.metrics()["tocsin_warnings_different_total"] == 0
        # Off the board, but told: red would not be hidden.
        push(engine, 2, [1.2, 0.1] + [0.1] * 14, first_row=4)
        wait_until(lambda: log_of(engine)[-1][0] == "cleared", "the end")
        assert log_of(engine)[:3] == before
        assert engine.stop() == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["acknowledge", "MM31"], "PACK/RULE@KEY"),
        (["acknowledge", "coal-gas/ch4-hihg@MM31"], "did you mean `coal-gas/ch4-high`"),
        (["acknowledge", "coal-gas/ch4-high@MM13"], "did you mean `MM31`"),
        (["shelve", TARGET, "2h", "--reason", " "], "reason"),
        (["maintenance", "M-0002", "2h", "--reason", "x"], "did you mean `M-0001`"),
    ],
)
def test_an_act_that_means_nothing_is_refused_with_a_sentence(warm, engine, words, part):
    with running(engine):
        done = do(engine, *words)
        assert done.returncode == 2
        assert part in done.stderr
        assert log_of(engine) == []
        assert engine.stop() == 0
