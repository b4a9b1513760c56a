"""What a person types: every command explains itself, and one mistake of each kind."""

import json
import re
import subprocess
import sys

import pytest

from tests.end_to_end.engines import MINE, ROOT, tocsin

COMMANDS = ("run", "check", "test", "feed", "listen", "demo", "warmup", "explain", "version")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    """Nobody reads a manual at three in the morning."""
    done = tocsin(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage:")


def test_help_imports_no_compiler_and_no_models():
    """A prompt that waits three seconds for a compiler is not used."""
    code = (
        "import sys\n"
        "from engine.cli import run_command\n"
        "assert run_command(['--help']) == 0\n"
        "heavy = {'numba', 'river', 'bytewax', 'zmq', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_optimised_python_is_refused():
    """Without assertions a broken promise would pass unseen."""
    done = subprocess.run(
        [sys.executable, "-O", "-m", "engine", "version"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "-O" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("check", MINE / "engine.yaml"), 0, "0 errors"),
        (("run", "nowhere.yaml"), 2, "does not exist"),
        (("check", "nowhere"), 2, "nowhere"),
        (("explain", "E9999"), 2, "no page"),
        (("frobnicate",), 2, "No such command"),
        (("run", MINE / "engine.yaml", "--set", "intak=tcp://127.0.0.1:1"), 78, "did you mean"),
        (("run", MINE / "engine.yaml", "--set", "intake=tcp://0.0.0.0:7700"), 78, "E611"),
    ],
)
def test_a_mistake_gets_its_code_and_a_sentence(arguments, code, said, tmp_path):
    """The exit code is for scripts, the sentence for people."""
    more = ("--data", tmp_path / "data") if arguments[0] == "run" else ()
    done = tocsin(*arguments, *more)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_faults_of_rules_have_place_caret_and_help(tmp_path):
    """A rule author sees the line, the letter and the mend; and all mistakes at once."""
    pack = tmp_path / "bad.yaml"
    text = (MINE / "packs" / "coal-gas.yaml").read_text(encoding="utf-8")
    text = text.replace("stale_after: 2m ", "stale_aftr: 2m ", 1)
    text = text.replace("slope(10m)", "slop(10m)", 1)
    pack.write_text(text, encoding="utf-8")
    done = tocsin("check", pack)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert len(re.findall(r"bad\.yaml:\d+:\d+: error\[E\d+\]", said)) >= 2
    assert "did you mean `stale_after`" in said
    assert "^" in said
    as_json = tocsin("check", "--json", pack)
    assert len(json.loads(as_json.stdout)) >= 2


def test_packs_of_the_project_pass_their_own_tests(warm):
    """An example that fails teaches the wrong thing."""
    done = tocsin("test", ROOT / "configs" / "demo", ROOT / "configs" / "mine", timeout_s=120)
    assert done.returncode == 0, done.stdout
    assert ", 0 failed" in done.stdout


def test_the_demonstration_ends_by_itself_with_a_summary(warm, tmp_path):
    """The first minute decides whether somebody looks at the second."""
    done = tocsin("demo", "--seconds", "14", "--data", tmp_path / "demo", timeout_s=150)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ readings in \d+ frames, [1-9]\d* warnings, 0 faults", done.stdout)
    assert "blue" in done.stdout
