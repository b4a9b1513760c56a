"""The sets of rules that have judged: whole, unchanged, and there as long as they are needed."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.activations import Activations, digest_in, header_of
from engine.amounts import day_of
from engine.assembly import Assembly, assemble, assemble_kept
from engine.calendars import read_zone
from engine.config import load
from engine.definitions import definition
from engine.errors import StoreError
from tests.engine.plants import MINE


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A configuration that may be edited."""
    folder = tmp_path / "mine"
    shutil.copytree(MINE.parent, folder)
    return folder / "engine.yaml"


def edit(config: Path, old: str, new: str) -> None:
    pack = config.parent / "packs" / "coal-gas.yaml"
    text = pack.read_text(encoding="utf-8")
    assert old in text
    pack.write_text(text.replace(old, new), encoding="utf-8")


def keep(activations: Activations, config: Path) -> Assembly:
    assembly = assemble(load(config))
    activations.keep(assembly.manifest, assembly.texts, assembly.config.catalogue)
    return assembly


def kept(activations: Activations, assembly: Assembly, today: Path) -> Assembly:
    config = activations.configuration(assembly.digest, load(today))
    return assemble_kept(config, assembly.digest, [])


def test_a_kept_set_is_what_it_was_whatever_the_files_say_later(mine, tmp_path):
    """The tail of the journal is judged by it after the files have been edited."""
    activations = Activations(tmp_path / "activations", 0)
    before = keep(activations, mine)
    edit(mine, "red: 1.5}", "red: 1.1}")
    with (mine.parent / "catalogue" / "sites.csv").open("a") as file:
        file.write("new,新,New,140200,40.0,113.0\n")
    mine.write_text(mine.read_text() + "silence: 77s\n")
    again = kept(activations, before, mine)
    assert [definition(r) for r in again.plan.rules] == [definition(r) for r in before.plan.rules]
    assert again.config.silence_ns == before.config.silence_ns
    assert again.catalogue.sites.name == before.catalogue.sites.name
    assert again.fingerprint(0) == before.fingerprint(0)
    after = keep(activations, mine)
    assert after.digest != before.digest
    assert "new" in kept(activations, after, mine).catalogue.sites.name


def test_every_key_that_changes_judging_is_part_of_the_digest(mine):
    """What is not in the digest would act before its place in the journal."""
    plain = load(mine)
    others = [
        replace(plain, clock="wall"),
        replace(plain, status="actual"),
        replace(plain, shards=2),
        replace(plain, silence_ns=1),
        replace(plain, future_max_ns=1),
    ]
    digests = {assemble(config).digest for config in [plain, *others]}
    assert len(digests) == 1 + len(others)
    assert assemble(replace(plain, http="127.0.0.1:1", keep_ns=1)).digest in digests


@pytest.mark.parametrize("what", ["manifest.json", "rules/0/coal-gas.yaml"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_set_that_is_not_whole_is_named_and_not_used(what, gone, mine, tmp_path):
    """Judging by a set that is not the one that judged tells another story."""
    activations = Activations(tmp_path / "activations", 0)
    assembly = keep(activations, mine)
    path = tmp_path / "activations" / assembly.digest / what
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError, match=str(path)):
        activations.configuration(assembly.digest, load(mine))


def test_a_crash_while_a_set_is_kept_leaves_none(mine, tmp_path):
    """A record may only name what is whole."""
    folder = tmp_path / "activations"
    first = Activations(folder, 0)
    assembly = keep(first, mine)
    (folder / assembly.digest).rename(folder / f"{assembly.digest[:16]}.draft-x")
    again = Activations(folder, 0)
    assert not again.has(assembly.digest)
    assert not list(folder.glob("*draft*"))
    keep(again, mine)
    assert again.has(assembly.digest)


@given(
    offsets=st.lists(st.integers(0, 20), unique=True, max_size=6),
    asked=st.integers(0, 25),
    durable=st.integers(0, 25),
)
def test_the_history_tells_who_judges_where(offsets, asked, durable, tmp_path_factory):
    """Also when it is read again, and nothing beyond the journal's end ever was."""
    folder = tmp_path_factory.mktemp("activations")
    first = Activations(folder, 0)
    for offset in offsets:
        first.note(offset, f"set-{offset}")
        first.note(offset, f"set-{offset}")
    again = Activations(folder, durable)
    before = [offset for offset in offsets if offset <= min(asked, durable)]
    assert again.active_at(asked) == (f"set-{max(before)}" if before else None)
    real = [offset for offset in offsets if offset <= durable]
    assert again.last == (f"set-{max(real)}" if real else None)


def test_an_activation_that_may_not_have_been_written_is_written_again(tmp_path):
    """A crash between the record and its line in the history must not leave the old set judging."""
    activations = Activations(tmp_path, 0)
    activations.note(0, "a")
    activations.announce()
    assert activations.last is None
    again = Activations(tmp_path, 10)
    assert again.last is None
    assert again.active_at(5) == "a"
    again.note(7, "b")
    assert Activations(tmp_path, 10).last == "b"


def test_sets_that_nothing_needs_are_dropped_and_others_stay(mine, tmp_path):
    """What the journal still holds must be judged by the sets of then; the rest is in the way."""
    folder = tmp_path / "activations"
    activations = Activations(folder, 100)
    digests = []
    for number, red in enumerate(("1.5", "1.4", "1.3")):
        edit(mine, f"red: {red}}}", f"red: {float(red) - 0.1:.1f}}}")
        digests.append(keep(activations, mine).digest)
        activations.note(10 * number, digests[-1])
    assert activations.forget(9) == 0
    assert activations.forget(15) == 1
    assert [activations.has(digest) for digest in digests] == [False, True, True]
    assert Activations(folder, 100).active_at(15) == digests[1]
    assert activations.forget(1000) == 1
    assert [activations.has(digest) for digest in digests] == [False, False, True]
    assert len(list((folder / "catalogues").iterdir())) == 1


def test_records_of_before_name_no_set():
    assert digest_in(header_of("abc")) == "abc"
    assert digest_in(b"coal-gas 1.0.0 0123456789abcdef\nother 2.0.0 0123") is None


LAPSING = """
      - match: {site: s0}
        set: {ladder.above: {blue: 0.45}}
        reason: a fan is being repaired
        until: 2026-11-30
"""


def with_override(config: Path) -> None:
    pack = config.parent / "packs" / "coal-gas.yaml"
    text = pack.read_text(encoding="utf-8")
    assert "overrides:" not in text
    at = text.index("    ladder:")
    pack.write_text(text[:at] + "    overrides:" + LAPSING + text[at:], encoding="utf-8")


def test_an_override_holds_until_its_last_day_and_judges_again_as_it_did(mine, tmp_path):
    """Whoever plays the journal next year must see the settings of this year."""
    with_override(mine)
    config = load(mine)
    on = {day: assemble(config, today=day) for day in ("2026-11-30", "2026-12-01", "2027-06-01")}
    overrides = [len(one.book.rules[0].overrides) for one in on.values()]
    assert overrides == [1, 0, 0]
    held, lapsed, later = on.values()
    assert held.digest == assemble(config).digest != lapsed.digest
    assert held.plan.digest != lapsed.plan.digest
    # Nothing changes until another override ends: no activation every day.
    assert lapsed.digest == later.digest
    activations = Activations(tmp_path / "activations", 0)
    for one in (held, lapsed):
        activations.keep(one.manifest, one.texts, config.catalogue)
        kept_config = activations.configuration(one.digest, config)
        day = activations.day_of(one.digest)
        again = assemble_kept(kept_config, one.digest, [], today=day)
        assert len(again.book.rules[0].overrides) == len(one.book.rules[0].overrides)


def test_a_kept_set_keeps_its_zone_and_sets_of_before_had_the_usual_one(mine, tmp_path):
    """Nights and last days of a replay are those of then, though somebody moves the zone."""
    activations = Activations(tmp_path / "activations", 0)
    usual = keep(activations, mine)
    assert b"time_zone" not in usual.manifest
    with mine.open("a") as file:
        file.write("time_zone: Asia/Tashkent\n")
    moved = keep(activations, mine)
    assert usual.digest != moved.digest
    zones = [kept(activations, one, mine).catalogue.time_zone for one in (usual, moved)]
    assert zones == ["+08:00", "Asia/Tashkent"]
    lent = activations.configuration(usual.digest, moved.config)
    assert assemble_kept(lent, usual.digest, [moved]).catalogue.time_zone == "+08:00"


def test_a_kept_set_keeps_the_version_of_its_model_and_those_of_before_had_none(mine, tmp_path):
    """A key that did not exist when a set was kept must not make that set another."""
    activations = Activations(tmp_path / "activations", 0)
    model = """
models:
  - {name: habit, detector: GaussianScorer, types: [methane], features: [mean(1m)]}
"""
    assert "models:" not in mine.read_text()
    with mine.open("a") as file:
        file.write(model)
    without = keep(activations, mine)
    assert b'"version": ""' not in without.manifest
    mine.write_text(mine.read_text().replace("{name: habit,", "{name: habit, version: 2026.10,"))
    versioned = keep(activations, mine)
    again = [kept(activations, one, mine) for one in (without, versioned)]
    assert [one.config.models[0].version for one in again] == ["", "2026.10"]


@pytest.mark.parametrize(
    ("zone", "day"), [("+08:00", "2026-12-01"), ("UTC", "2026-11-30"), ("-05:00", "2026-11-30")]
)
def test_the_last_day_of_an_override_ends_at_midnight_of_the_zone(zone, day):
    """A server in UTC must not lengthen what ends at midnight in China by eight hours."""
    now = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert day_of(int(now.timestamp()) * 1_000_000_000, read_zone(zone)) == day
