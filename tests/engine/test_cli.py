"""The command line is what scripts and tired people hold on to: it must answer fast and plainly."""

import subprocess
import sys
import time

import pytest

from engine import cli, errors
from engine.cli import COMMANDS, run_command
from engine.errors import (
    ConfigError,
    JournalDamaged,
    JournalError,
    TocsinError,
    UnreachableError,
    UsageError,
)
from rules.errors import Fault, Place

# What a command must not import only to say what it could do.
HEAVY = ("numba", "river", "zmq", "bytewax", "numpy", "pydantic", "rich", "yaml", "lark")


def run(*words):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_knows_nothing_heavy():
    """A person who asks what there is must not wait for a compiler to load."""
    code = (
        "import sys\n"
        "from engine.cli import run_command\n"
        "for name in ('', 'run', 'check', 'test', 'feed', 'listen', 'demo', 'warmup', 'explain'):\n"
        "    run_command([name, '--help'] if name else ['--help'])\n"
        f"sys.exit(','.join(name for name in {HEAVY} if name in sys.modules) or 0)\n"
    )

    done = run("-c", code)

    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_help_answers_in_less_than_a_third_of_a_second():
    """The best of five: a busy machine is not this program's fault."""
    took_s = []
    for _ in range(5):
        began_s = time.perf_counter()
        assert run("-m", "engine", "--help").returncode == 0
        took_s.append(time.perf_counter() - began_s)

    assert min(took_s) < 0.3


def test_the_engine_keeps_its_asserts():
    """An assert that is compiled away is a promise that nobody keeps."""
    done = run("-O", "-m", "engine", "version")

    assert done.returncode == 2
    assert "without -O" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["version"], 0),
        (["explain", "codes"], 0),
        (["explain", "features"], 0),
        (["explain", "e713"], 0),
        (["explain", "E99999"], 2),
        (["nonsense"], 2),
        (["run"], 2),
        (["run", "nowhere.yaml"], 2),
        (["check", "nowhere"], 2),
        (["feed", __file__, "--catalogue", "."], 78),
        (["feed", __file__, "--catalogue", ".", "--map", "a"], 2),
        (["feed", __file__, "--catalogue", ".", "--map", "=a"], 2),
        (["listen", "--count", "0"], 2),
    ],
)
def test_each_way_to_end_has_its_exit_code(words, code, capsys):
    """A service manager restarts after 70, and must not after 78."""
    assert run_command(words) == code


def test_an_error_is_a_sentence_and_a_code(monkeypatch, capsys):
    """Nobody reads a traceback at three in the morning, except for our own mistakes."""
    place = Place("engine.yaml", 3, 4, 2, "ab: cd")
    cases = [
        (ConfigError([Fault("E603", place, "no")]), 78, "engine.yaml:3:4: error[E603]: no"),
        (JournalDamaged("0001", 17, "its checksum"), 74, "segment 0001 is damaged at offset 17"),
        (JournalError("no room"), 74, "tocsin: no room"),
        (UnreachableError("nobody there"), 69, "tocsin: nobody there"),
        (UsageError("what?"), 2, "tocsin: what?"),
        (OSError(28, "No space left on device", "/x"), 74, "/x: No space left on device"),
        (AssertionError("ours"), 70, "a fault of Tocsin itself"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ]
    for error, code, said in cases:

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(cli, "_function", lambda _, fail=fail: fail)
        assert run_command(["warmup"]) == code
        assert said in capsys.readouterr().err


def test_every_error_of_the_tree_ends_with_a_code_of_the_table():
    """An exit code that no table has cannot be acted upon."""
    known = {2, 69, 70, 74, 78}
    tree = [TocsinError]
    for parent in tree:
        tree += parent.__subclasses__()

    assert {error.exit_code for error in tree} <= known
    assert all(
        error.__name__ in errors.__doc__ for error in tree if error.__module__ == "engine.errors"
    )
