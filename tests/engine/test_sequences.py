"""Stories in steps beside one that is lived through tick by tick."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sequences import Progress
from rules.judge import Truth
from rules.pack import Sequence, SequenceStep
from tests.engine.handmade import number
from tests.reference.sequences import Story

TICKS = 40
truths = st.sampled_from([True, False, None])
spans = st.integers(0, 6)


@st.composite
def sequences(draw):
    """Three steps; the later ones may follow the earlier ones."""
    steps = []
    for place, name in enumerate(("a", "b", "c")):
        after = draw(st.sampled_from([None, *("a", "b")[:place]]))
        is_absent = after is not None and draw(st.booleans())
        within = draw(spans) if is_absent or (after and draw(st.booleans())) else None
        held = 0 if is_absent else draw(spans)
        steps.append(SequenceStep(name, number(1), is_absent, after, within, held))
    return Sequence(draw(st.one_of(st.none(), st.integers(1, 15))), tuple(steps), None)


@st.composite
def knowns(draw):
    """What the conditions are, and from when on."""
    changes = draw(st.lists(st.tuples(st.integers(0, TICKS), *[truths] * 4), max_size=12))
    return sorted(changes, key=lambda change: change[0])


def truth_of(value):
    return Truth(np.array([value is True]), np.array([value is None]))


@settings(max_examples=300, deadline=None)
@given(sequences(), knowns())
def test_a_story_is_the_same_lived_through_tick_by_tick(sequence, changes):
    """Time alone moves steps, too: whoever sleeps until the next wake misses nothing."""
    rows = np.array([0])
    progress, story = Progress(sequence, 1), Story(sequence.within_ns, sequence.steps)
    now, wake = (None, None, None, None), 0
    for tick in range(TICKS):
        due = [change[1:] for change in changes if change[0] == tick]
        now = due[-1] if due else now
        expected = story.tick(dict(zip("abc", now[:3], strict=True)), now[3] is True)
        if due or tick >= wake or tick == 0:
            progress.meet(rows, tick, [truth_of(one) for one in now[:3]], truth_of(now[3]))
            wake = int(progress.wakes(rows, tick)[0])
            assert wake > tick
        found = {}
        for name in "abc":
            truth = progress.truth_of(name, rows)
            found[name] = None if truth.unknown[0] else bool(truth.true[0])
        assert found == expected, tick
