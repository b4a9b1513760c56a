"""The figures of judging at scale: small here, so that they do not rot."""

import shutil

from bench import judging


def test_every_load_has_a_figure_and_judges_what_it_should():
    """A benchmark that judges nothing is fast, and so is one that skips what is not quiet."""
    run = judging.measure(is_quick=True)
    names = [figure.name.split(", 20 rules")[0] for figure in run.figures]
    assert names == [
        *("plain", "plain, numpy", "graded", "graded, numpy"),
        *("graded, all stand and change", "graded, all stand and change, numpy", "quiet"),
    ]
    for figure in run.figures:
        assert min(figure.samples) > 0
        has_floor = shutil.which("cc") is not None and "numpy" not in figure.name
        assert bool(figure.beside) == has_floor
    said = {note.split(":")[0]: int(note.split()[-7].replace(",", "")) for note in run.notes[-3:]}
    assert said["quiet"] == 0
    assert 0 < said["graded"] < said["graded, all stand and change"]
