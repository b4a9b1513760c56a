"""The figures of rules on several sensors: small here, so that they do not rot."""

from bench import groups


def test_both_loads_have_figures_and_the_storm_is_heard():
    """A benchmark whose storm says nothing measures nothing."""
    run = groups.measure(is_quick=True)

    assert [figure.name for figure in run.figures] == [
        "quiet, the whole shard",
        "quiet, signals and tanks",
        "storm, a message",
    ]
    assert all(min(figure.samples) >= 0 for figure in run.figures)
    assert run.figures[2].median > 0
