"""What would be refused at the start must be found without starting, all of it, in one run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.check import packs_in
from engine.cli import run_command
from engine.errors import UsageError
from engine.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
ENGINE = """\
engine: here
catalogue: catalogue
rules: [packs]
intake: tcp://127.0.0.1:7700
warnings: tcp://127.0.0.1:7701
replay: tcp://127.0.0.1:7702
http: 127.0.0.1:7710
security: none
clock: wall
"""
MODELS = """\
models:
  - {name: habit, detector: GaussianScorer, types: [methane], features: [mean(1m)]}
"""
TYPES = """\
types:
  - {name: methane, unit: "%", kind: gauge, pane: 10s}
  - {name: unused, unit: m, kind: gauge}
"""
SITES = "site,name_zh,name_en,division,lat,lon,depth\nM-1,一号,One,140200,,,300 m\n"
GATEWAYS = "gateway,site,public_key\nG-1,M-1,\n"
SENSORS = """\
sensor,gateway,site,type,period,range_low,range_high,limit
A,G-1,M-1,methane,5s,0,4,1.5 %
B,G-1,M-1,methane,5s,0,4,0.8 %
"""
PACK = """\
tocsin: 1
pack: p
version: 1.0.0
rules:
  - id: r
    title: {zh: 甲, en: A}
    hazard: gas
    basis: {zh: 乙, en: B}
    mode: live
    input: {type: methane, unit: "%"}
    by: [sensor]
    ladder: {value: mean(1m), above: {blue: 0.5, red: asset.limit}, clear: {blue: 0.4, red: 0.4}}
"""


@pytest.fixture
def home(tmp_path):
    write(tmp_path, "engine.yaml", ENGINE)
    write(tmp_path, "catalogue/types.yaml", TYPES)
    write(tmp_path, "catalogue/sites.csv", SITES)
    write(tmp_path, "catalogue/gateways.csv", GATEWAYS)
    write(tmp_path, "catalogue/sensors.csv", SENSORS)
    write(tmp_path, "packs/p.yaml", PACK)
    return tmp_path


def write(home, name, text):
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def codes(home, capsys, *words):
    """The codes that `check` finds, with the file and line of each."""
    run_command(["check", str(home), "--json", *words])
    found = json.loads(capsys.readouterr().out)
    return {
        (fault["code"], Path(fault["file"]).name, fault["range"]["start"]["line"] + 1)
        for fault in found
        if fault["severity"] != "warning" or fault["code"] in ("W501", "W502", "W503", "W504")
    }


def test_notes_tell_what_rules_miss_and_deny_nothing(capsys, tmp_path):
    """Nobody wants them in CI; whoever tunes a pack does."""
    shutil.copytree(ROOT / "configs" / "packs" / "flood", tmp_path / "flood")
    sheet = tmp_path / "flood" / "catalogue" / "sensors.csv"
    text = sheet.read_text(encoding="utf-8")
    assert ",31.5 m," in text
    sheet.write_text(text.replace(",31.5 m,", ",,"), encoding="utf-8")
    pack = tmp_path / "flood" / "packs" / "flood.yaml"
    rule = pack.read_text(encoding="utf-8")
    rule = rule.replace("require_assets: [warning_level, guarantee_level, historic_level]", "")
    pack.write_text(rule, encoding="utf-8")
    engine = str(tmp_path / "flood" / "engine.yaml")

    def found(*words):
        code = run_command(["check", engine, "--json", *words])
        return code, {one["code"]: one["message"] for one in json.loads(capsys.readouterr().out)}

    assert not {"N501", "N504"} & set(found()[1])
    code, notes = found("--notes")
    assert code == 0
    assert notes["N504"] == "1 point lacks asset.guarantee_level: `BX`"
    whole = str(ROOT / "configs" / "packs" / "flood" / "engine.yaml")
    assert run_command(["check", whole, "--notes", "--deny-warnings"]) == 0


@pytest.mark.parametrize("name", ["mine", "demo"])
def test_the_configurations_that_others_use_are_without_fault(name, capsys):
    """A warning in an example teaches everybody to ignore warnings."""
    assert run_command(["check", str(ROOT / "configs" / name), "--deny-warnings"]) == 0

    said = capsys.readouterr().out
    assert "bytes/sensor" in said
    assert "journal:" in said
    assert "0 errors, 0 warnings" in said


def test_a_good_configuration_gets_its_bill(home, capsys):
    """What it costs must be known before a machine is bought for it."""
    assert run_command(["check", str(home / "engine.yaml")]) == 0

    said = capsys.readouterr().out
    assert "2 sensors of 1 type, 1 site, 1 gateway, 1 rule in 1 pack" in said
    # 2 sensors x 86 400 s / 5 s x 17 bytes = 587 520 bytes.
    assert "journal: 573.8 KiB a day, 3.9 MiB kept for 7 d" in said


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("packs/p.yaml", ("type: methane", "type: methan"), ("E730", "p.yaml", 5)),
        ("packs/p.yaml", ("type: methane", "type: unused"), ("E731", "p.yaml", 5)),
        ("packs/p.yaml", ('unit: "%"', 'unit: "ppm"'), ("E731", "p.yaml", 5)),
        ("packs/p.yaml", ('"%"}', '"%", kind: counter}'), ("E738", "p.yaml", 5)),
        ("packs/p.yaml", ("mean(1m)", "mean(15s)"), ("E737", "p.yaml", 12)),
        ("packs/p.yaml", ("asset.limit", "asset.limt"), ("E736", "p.yaml", 12)),
        ("packs/p.yaml", ("asset.limit", "asset.depth"), ("E739", "sites.csv", 2)),
        ("catalogue/sensors.csv", ("0.8 %", "0.8 m"), ("E739", "sensors.csv", 3)),
        ("catalogue/sensors.csv", ("0.8 %", "high"), ("E739", "sensors.csv", 3)),
        ("catalogue/sensors.csv", ("0.8 %", ""), ("W504", "p.yaml", 12)),
        ("catalogue/sensors.csv", ("methane,5s", "methane,"), ("W502", "p.yaml", 12)),
        ("engine.yaml", ("[methane]", "[methan]"), ("E732", "engine.yaml", 11)),
        ("engine.yaml", ("[mean(1m)]", "[mean]"), ("E740", "engine.yaml", 11)),
        ("engine.yaml", ("[mean(1m)]", "[mean(x)]"), ("E740", "engine.yaml", 11)),
        ("engine.yaml", ("[mean(1m)]", "[mean(1m)], sites: [M-2]"), ("E734", "engine.yaml", 11)),
        (
            "engine.yaml",
            (MODELS, MODELS + MODELS.split("\n")[1].replace("habit", "other")),
            ("E733", "engine.yaml", 12),
        ),
    ],
)
def test_what_rules_and_models_name_must_be_there(home, capsys, name, change, found):
    """A rule about something that is not there is silence that looks like safety."""
    write(home, "engine.yaml", ENGINE + MODELS)
    assert codes(home, capsys) == set()

    text = (home / name).read_text(encoding="utf-8")
    assert change[0] in text
    write(home, name, text.replace(*change))

    assert found in codes(home, capsys)


def test_a_rule_asks_for_a_version_of_a_model_at_its_place(home, capsys):
    """Who swaps a model hears of the rules that were tried with another."""
    asked = PACK + '    model: {name: habit, version: ">=2026.10 <2027"}\n'
    write(home, "packs/p.yaml", asked)
    for version, found in (("2026.11", set()), ("2027.1", {("E753", "p.yaml", 13)})):
        models = MODELS.replace("{name: habit,", f"{{name: habit, version: {version},")
        write(home, "engine.yaml", ENGINE + models)
        assert codes(home, capsys) == found


def test_a_rule_of_a_type_without_sensors_is_a_warning(home, capsys):
    """The pack may be for other mines too."""
    unused = PACK.replace("methane", "unused").replace('"%"', "m").replace("asset.limit", "9")
    write(home, "packs/p.yaml", unused)

    assert codes(home, capsys) == {("W501", "p.yaml", 5)}
    assert run_command(["check", str(home)]) == 0
    assert run_command(["check", str(home), "--deny-warnings"]) == 3


def test_the_mistakes_of_all_files_are_said_in_one_run(home, capsys):
    """One fault of each file: four runs would be four nights."""
    write(home, "engine.yaml", ENGINE.replace("clock: wall", "clock: wall\nfoo: 1"))
    write(home, "packs/p.yaml", PACK.replace("mean(1m)", "meen(1m)"))
    write(home, "catalogue/sensors.csv", SENSORS.replace("A,G-1", "A,G-2"))
    write(home, "catalogue/types.yaml", TYPES.replace("kind: gauge, pane", "kind: gage, pane"))

    assert run_command(["check", str(home)]) == 1
    found = codes(home, capsys.readouterr() and capsys)

    assert {(code, name) for code, name, _ in found} == {
        ("E021", "engine.yaml"),
        ("E110", "p.yaml"),
        ("E713", "sensors.csv"),
        ("E603", "types.yaml"),
    }


def test_a_catalogue_or_a_pack_can_be_checked_alone(home, capsys):
    """Who writes rules need not have the machine's configuration."""
    assert run_command(["check", str(home / "catalogue")]) == 0
    assert run_command(["check", str(home / "packs" / "p.yaml")]) == 0
    assert run_command(["check", str(home / "packs")]) == 0
    write(home, "packs/p.yaml", PACK.replace("by:", "bye:"))
    assert run_command(["check", str(home / "packs")]) == 1
    assert "did you mean `by`?" in capsys.readouterr().out


def test_the_packs_of_a_path_are_found_once(home):
    """`tocsin test` runs what `tocsin check` reads."""
    assert packs_in([home]) == packs_in([home / "engine.yaml"]) == [home / "packs" / "p.yaml"]
    with pytest.raises(UsageError):
        packs_in([home / "catalogue"])


def test_checking_loads_no_compiler():
    """Authors check after every line they write."""
    words = "numba river bytewax zmq"
    code = (
        "import sys\n"
        "from engine.cli import run_command\n"
        f"assert run_command(['check', {str(ROOT / 'configs' / 'mine')!r}]) == 0\n"
        f"sys.exit(','.join(n for n in {words.split()} if n in sys.modules) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_every_code_has_its_page():
    """The last line of help must lead somewhere."""
    used = set()
    for folder in ("engine", "rules"):
        for path in (ROOT / folder).glob("*.py"):
            if path.name != "pages.py":
                used |= _codes_in(path.read_text(encoding="utf-8"))

    assert used - set(PAGES) == set()


def _codes_in(text):
    import re

    return set(re.findall(r'"([EWN]\d{3})"', text))
