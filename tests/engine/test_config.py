"""A configuration is read once and believed for months: every mistake in it must be said."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import config
from engine.amounts import duration_ns, size_bytes
from engine.endpoints import endpoint_fault, http_fault
from engine.errors import ConfigError, UsageError
from rules.errors import as_text

NS_PER_S = 1_000_000_000
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GOOD = """\
engine: here
catalogue: catalogue
rules: [packs]
intake: tcp://127.0.0.1:7700
warnings: ipc:///tmp/warnings
replay: inproc://replay
http: 127.0.0.1:7710
security: none
clock: wall
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "packs").mkdir()
    (tmp_path / "engine.yaml").write_text(GOOD)
    return tmp_path


def faults_of(home, text, sets=()):
    (home / "engine.yaml").write_text(text)
    _, faults = config.examine(home / "engine.yaml", sets)
    return faults


def test_what_is_not_written_has_the_default_that_the_file_says(home):
    """The comments beside the defaults are a contract with the operator."""
    loaded = config.load(home / "engine.yaml")

    assert loaded.silence_ns == 10 * NS_PER_S
    assert loaded.future_max_ns == 5 * NS_PER_S
    assert loaded.frame_bytes_max == 8 << 20
    assert (loaded.credit, loaded.shards) == (32, 1)
    assert loaded.snapshot_every_ns == 30 * NS_PER_S
    assert (loaded.commit_bytes, loaded.commit_ns) == (256 << 10, 5_000_000)
    assert (loaded.segment_bytes, loaded.keep_ns) == (64 << 20, 7 * 86_400 * NS_PER_S)
    assert loaded.status == "actual"
    assert loaded.catalogue == home / "catalogue"
    assert loaded.rules == (home / "packs",)
    assert loaded.data == home / "data"


def test_recorded_data_may_be_a_day_ahead_and_live_data_may_not(home):
    """A gateway with a wrong year must not close every pane of its site."""
    loaded = config.load(home / "engine.yaml", ["clock=event"])

    assert loaded.future_max_ns == 86_400 * NS_PER_S


@pytest.mark.parametrize("name", ["mine", "demo"])
def test_the_configurations_that_others_use_are_good(name):
    """They are the first thing that a stranger starts."""
    loaded = config.load(CONFIGS / name / "engine.yaml")

    assert loaded.intake == "tcp://127.0.0.1:7700"
    assert loaded.warnings == "tcp://127.0.0.1:7701"
    assert loaded.replay == "tcp://127.0.0.1:7702"
    assert loaded.http == "127.0.0.1:7710"
    assert loaded.security == "none"
    assert loaded.clock == {"mine": "event", "demo": "wall"}[name]


def test_all_mistakes_are_said_at_once_each_at_its_place(home):
    """Mending one mistake to find the next is how a night is lost."""
    text = GOOD.replace("clock: wall", "clock: walk\nsilence: 10\nshrads: 2\ncredit: many")

    faults = faults_of(home, text.replace("engine: here\n", ""))

    said = {(fault.code, fault.place.line, fault.place.column) for fault in faults}
    assert said == {
        ("E602", 1, 1),
        ("E603", 8, 8),
        ("E604", 9, 10),
        ("E021", 10, 1),
        ("E604", 11, 9),
    }
    assert any("did you mean `shards`?" in fault.help for fault in faults)
    assert any("did you mean `wall`?" in fault.help for fault in faults)


def test_a_fault_shows_the_line_and_points_at_the_word(home):
    """A person finds a caret faster than a line number."""
    (fault,) = faults_of(home, GOOD.replace("clock: wall", "clock: walk"))

    lines = as_text(fault).splitlines()
    assert lines[0].endswith("engine.yaml:9:8: error[E603]: `clock` cannot be `walk`")
    assert lines[1].endswith("| clock: walk")
    assert lines[2].index("^^^^") == lines[1].index("walk")
    assert lines[3] == "      = help: did you mean `wall`?"


def test_what_the_command_line_says_wins_and_is_named_when_wrong(home):
    """A typing mistake in a unit file must not be looked for in the YAML."""
    path = home / "engine.yaml"

    assert config.load(path, ["shards=2", "keep=1h"]).keep_ns == 3600 * NS_PER_S
    assert config.load(path, ["rules=[packs, catalogue]"]).rules[1] == home / "catalogue"
    assert config.load(path, [], Path("elsewhere")).data == Path.cwd() / "elsewhere"
    with pytest.raises(ConfigError, match="--set shards=many"):
        config.load(path, ["shards=many"])
    with pytest.raises(ConfigError, match="unknown key `shrads`"):
        config.load(path, ["shrads=2"])
    with pytest.raises(UsageError, match="KEY=VALUE"):
        config.load(path, ["shards"])


def test_a_model_is_reached_by_a_dotted_key(home):
    """Trying another parameter must not need another file."""
    (home / "engine.yaml").write_text(
        GOOD
        + "models:\n  - {name: a, detector: GaussianScorer, types: [t], features: [mean(1m)],\n"
        + "     parameters: {window_size: 9, q: 0.5, name: x, flag: true}}\n"
    )

    (model,) = config.load(home / "engine.yaml", ["models.0.parameters.window_size=12"]).models

    assert model.parameters == {"window_size": 12, "q": 0.5, "name": "x", "flag": True}
    assert model.features == ("mean(1m)",)
    with pytest.raises(ConfigError, match=r"unknown key `detektor` in `models`"):
        config.load(home / "engine.yaml", ["models.0.detektor=x"])
    with pytest.raises(UsageError, match="not an index"):
        config.load(home / "engine.yaml", ["models.1.name=x"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("tcp://127.0.0.1:7700", "tcp://0.0.0.0:7700"), "E611"),
        (("tcp://127.0.0.1:7700", "tcp://10.0.0.1:7700"), "E611"),
        (("tcp://127.0.0.1:7700", "tcp://*:7700"), "E611"),
        (("tcp://127.0.0.1:7700", "tcp://example.org:7700"), "E611"),
        (("tcp://127.0.0.1:7700", "udp://127.0.0.1:7700"), "E610"),
        (("tcp://127.0.0.1:7700", "tcp://127.0.0.1:70000"), "E610"),
        (("tcp://127.0.0.1:7700", "inproc://replay"), "E612"),
        (("127.0.0.1:7710", "0.0.0.0:7710"), "E611"),
        (("127.0.0.1:7710", "7710"), "E610"),
        (("security: none", "security: curve"), "E900"),
        (("security: none", "security: tls"), "E603"),
        (("catalogue: catalogue", "catalogue: nowhere"), "E613"),
        (("rules: [packs]", "rules: [nowhere]"), "E613"),
        (("rules: [packs]", "rules: []"), "E604"),
        (("clock: wall", "clock: wall\nsegment_bytes: 1 MiB"), "E615"),
        (("clock: wall", "clock: wall\nsegment_bytes: 1"), "E604"),
        (("clock: wall", "clock: wall\nsilence: -1s"), "E604"),
        (("clock: wall", "clock: wall\nclock: event"), "E004"),
        (("clock: wall", "clock: &x wall"), "E007"),
        (("clock: wall", "clock: {a: b}"), "E603"),
        (("clock: wall", "clock: wall\ntime_zone: Beijing"), "E747"),
        (("clock: wall", "clock: wall\ntime_zone: +25:00"), "E747"),
    ],
)
def test_what_cannot_be_is_refused(home, change, code):
    """An engine that starts with it would be open, deaf or lost."""
    codes = {fault.code for fault in faults_of(home, GOOD.replace(*change))}

    assert code in codes


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://127.0.0.1:7700", "tcp://127.8.9.1:1", "tcp://localhost:1", "tcp://[::1]:7700"],
)
def test_loopback_needs_no_key(endpoint):
    """Only this machine can reach it."""
    assert endpoint_fault(endpoint) is None
    assert http_fault(endpoint.removeprefix("tcp://")) is None


@given(text=st.text(max_size=40))
def test_no_text_makes_an_address_check_fail(text):
    """The operator shall get a sentence, not a traceback."""
    for wrong in (endpoint_fault(text), endpoint_fault(f"tcp://{text}"), http_fault(text)):
        assert wrong is None or len(wrong) == 3


@given(content=st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(tmp_path_factory, content):
    """A file that was overwritten with anything at all gets a fault with a place."""
    path = tmp_path_factory.mktemp("config") / "engine.yaml"
    path.write_bytes(content)

    loaded, faults = config.examine(path)

    assert loaded is None
    assert faults


@given(count=st.integers(0, 10**6), unit=st.sampled_from(["B", "KiB", "MiB", "GiB"]))
def test_a_size_is_its_number_times_its_unit(count, unit):
    """A segment of 64 GiB instead of 64 MiB fills the disk."""
    factor = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]

    assert size_bytes(f"{count} {unit}") == size_bytes(f"{count}{unit}") == count * factor


@pytest.mark.parametrize("text", ["", "5", "5 MB", "-5 MiB", "1.5 MiB", "MiB", "５ MiB", "5 mib"])
def test_a_size_without_a_known_unit_is_none(text):
    """MB and MiB differ by five percent; nobody shall guess."""
    assert size_bytes(text) is None


def test_a_duration_is_none_or_nanoseconds():
    """10 could be seconds or minutes."""
    assert duration_ns("1h30m") == 5400 * NS_PER_S
    assert duration_ns("10") is None
