"""The command that lays out packs: what it writes, and what it only says."""

from engine.cli import run_command
from tests.engine.journals import pack, rule


def test_a_pack_is_changed_in_place_or_only_named(tmp_path, capsys):
    """Continuous integration wants a verdict, an author wants the change."""
    path = tmp_path / "p.yaml"
    tidy = pack(rule())
    path.write_text(tidy.replace("hazard: gas", "hazard:    gas"))
    (tmp_path / "engine.yaml").write_text("engine:   e\n")

    assert run_command(["fmt", "--check", str(tmp_path)]) == 1
    assert f"would change {path}" in capsys.readouterr().out
    assert run_command(["fmt", "--diff", str(tmp_path)]) == 1
    assert "+    hazard: gas" in capsys.readouterr().out
    assert path.read_text() != tidy
    assert run_command(["fmt", str(tmp_path)]) == 0
    assert path.read_text() == tidy
    assert run_command(["fmt", "--check", str(tmp_path)]) == 0
    assert (tmp_path / "engine.yaml").read_text() == "engine:   e\n"
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["engine.yaml", "p.yaml"]


def test_a_pack_that_cannot_be_read_is_named_and_left(tmp_path, capsys):
    path = tmp_path / "p.yaml"
    path.write_text("tocsin: 1\nrules: [\n")
    assert run_command(["fmt", str(path)]) == 2
    assert "E001" in capsys.readouterr().err
    assert path.read_text() == "tocsin: 1\nrules: [\n"
