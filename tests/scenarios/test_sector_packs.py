"""The packs of the sectors: without a fault beside their catalogue, and their tests hold."""

from pathlib import Path

import pytest

from engine import trying
from engine.check import check, packs_in
from engine.trying import TryOptions

PACKS = Path(__file__).resolve().parents[2] / "configs" / "packs"
SECTORS = sorted(path.name for path in PACKS.iterdir() if (path / "engine.yaml").exists())
# Generated tests and gaps are for whoever changes a pack: `tocsin test configs/packs/flood`.
OPTIONS = TryOptions(
    match="", is_generating=False, is_mutating=False, mutate_s=0.0, is_covering=False, is_quiet=True
)


def test_every_sector_has_its_pack():
    assert len(SECTORS) == 13


@pytest.mark.parametrize("sector", SECTORS)
def test_a_pack_and_its_overrides_fit_the_catalogue_beside_them(sector, capsys):
    """Who copies a sector's folder begins with what runs, and with no warning to get used to."""
    path = PACKS / sector / "engine.yaml"
    assert check([path], deny_warnings=True, form="text", language="en") == 0, capsys.readouterr()


@pytest.mark.parametrize("sector", SECTORS)
def test_the_tests_that_a_pack_carries_hold(sector, capsys):
    """A threshold is proved by what it says, and by what it does not."""
    assert trying.test(packs_in([PACKS / sector / "engine.yaml"]), OPTIONS) == 0, (
        capsys.readouterr()
    )
