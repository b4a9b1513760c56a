"""The figures of judging at scale: small here, so that they do not rot."""

import shutil

from bench import judging


def test_every_load_has_a_figure_and_judges_what_it_should():
    """A benchmark that judges nothing is fast, and so is one that skips what is not quiet."""
    run = judging.measure(is_quick=True)
    names = [figure.name.split(", 20 rules")[0] for figure in run.figures]
    assert names == [
        *("plain", "plain, numpy", "graded, 1 % stand", "graded, 1 % stand, numpy"),
        *("graded, 10 % stand", "graded, 10 % stand, numpy"),
        *("graded, all stand and change", "graded, all stand and change, numpy", "quiet"),
    ]
    for figure in run.figures:
        assert min(figure.samples) > 0
        has_floor = shutil.which("cc") is not None and "numpy" not in figure.name
        assert bool(figure.beside) == has_floor
    said = {note.split(":")[0]: int(note.split()[-7].replace(",", "")) for note in run.notes[-4:]}
    assert said["quiet"] == 0
    assert 0 < said["graded, 1 % stand"] < said["graded, 10 % stand"]
    assert said["graded, 10 % stand"] < said["graded, all stand and change"]
