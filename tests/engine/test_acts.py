"""Acts of operators: read, refused, packed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.acts import KINDS, Act, ActFault, read_act

NOW = 1_700_000_000_000_000_000
SHELVE = {
    "what": "shelve",
    "target": "coal-gas/ch4-high@T1",
    "seconds": 7200,
    "reason": "calibration",
    "who": "duty",
}


def test_an_act_is_read():
    act = read_act(SHELVE, NOW)
    assert (act.rule, act.key) == ("coal-gas/ch4-high", "T1")
    assert act.until_ns == NOW + 7200 * 1_000_000_000
    assert read_act({"what": "maintenance", "target": "M-1", "seconds": 1, "reason": "x"}, 0).key


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"what": "mute"}, "one of"),
        ({"target": "T1"}, "PACK/RULE@KEY"),
        ({"target": "coal-gas@T1"}, "PACK/RULE@KEY"),
        ({"seconds": 0}, "for how long"),
        ({"seconds": "2h"}, "number of seconds"),
        ({"seconds": True}, "number of seconds"),
        ({"seconds": float("nan")}, "number of seconds"),
        ({"seconds": 1e300}, "number of seconds"),
        ({"reason": " "}, "reason"),
        ({"reason": 7}, "text"),
        ({"who": "x" * 501}, "text"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_sentence(change, part):
    with pytest.raises(ActFault, match=part):
        read_act(SHELVE | change, NOW)


@pytest.mark.parametrize("wish", [None, [], "shelve", 3])
def test_no_object_is_no_act(wish):
    with pytest.raises(ActFault):
        read_act(wish, NOW)


TEXTS = st.text(max_size=40)
TIMES = st.integers(0, 2**62)


@given(st.builds(Act, st.sampled_from(KINDS), TEXTS, TEXTS, TIMES, TIMES, TEXTS, TEXTS))
def test_an_act_survives_the_journal(act):
    assert Act.unpack(act.packed()) == act
