"""The desk: when turns end changes nothing of what is told; acts and verdicts have their place."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.desk import Desk
from kernels.standing import CHANGE
from rules.grade import Grade
from tests.engine.test_conduct import NS, RULE, as_tuple, change

END = 1 << 60


@dataclass
class Board:
    """Rows that write tuples instead of messages, and count what was reset."""

    resets: list[tuple[int, int]] = field(default_factory=list)

    def write(self, told):
        return "told", {"said": as_tuple(told), "more": told.more}

    def reset(self, row, now_ns):
        self.resets.append((row, now_ns // NS))
        return np.zeros(0, CHANGE)

    def facts(self, change):
        return {}


@st.composite
def stories(draw, sorts):
    """Items by their second: changes of the latches, acts, verdicts of another rule."""
    seconds = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=12)))
    story, grade, is_down, ordinal = [], 0, False, 0
    for second in seconds:
        sort = draw(st.sampled_from(sorts))
        if sort == "change":
            ordinal += grade == 0
            before = grade
            grade = draw(st.sampled_from([g for g in range(5) if g != grade]))
            record = change(second, grade)
            record["previous"], record["ordinal"] = before, ordinal
            story.append((second, "change", record))
        elif sort == "act":
            acts = ["acknowledge", "shelve", "unshelve", "maintenance", "resume", "reset"]
            story.append((second, draw(st.sampled_from(acts)), draw(st.integers(1, 90))))
        else:
            is_down = not is_down
            cap = draw(st.sampled_from([None, Grade.BLUE]))
            story.append((second, "on" if is_down else "off", cap))
    return story


def arrive(desk, item):
    """One item comes to the desk; what it tells at once."""
    second, what, content = item
    if what == "change":
        return list(desk.tell(content, {"at": second}))
    if what == "on":
        desk.rule_on(0, "other/rule", second * NS, content)
    elif what == "off":
        desk.rule_off(0, "other/rule", second * NS)
    else:
        return list(desk.act(0, what, second * NS, content * NS))
    return []


def run(story, order, flushes, *, is_held):
    """Items come in an order; after some of them everything before what is still to come is known.

    flushes  places after which the desk is asked, saved and restored
    """
    board = Board()
    desk, said = Desk(RULE, board, is_held), []
    for place, number in enumerate(order):
        said += arrive(desk, story[number])
        if place in flushes:
            known = min((story[n][0] for n in order[place + 1 :]), default=END // NS) * NS
            said += desk.flush(lambda row, known=known: known)
            packed = desk.packed()
            desk = Desk(RULE, board, is_held)
            desk.unpack(packed)
    said += desk.flush(lambda row: END)
    assert not desk.waiting
    return [body["said"] for _, body in said], board.resets


@given(story=stories(["change", "change", "act"]), data=st.data())
def test_when_turns_end_changes_nothing(story, data):
    in_time = list(range(len(story)))
    places = data.draw(st.sets(st.integers(0, len(story) - 1)))
    straight = run(story, in_time, set(), is_held=False)
    assert run(story, in_time, places, is_held=False) == straight


@given(story=stories(["change", "change", "act", "verdict"]), data=st.data())
def test_whose_word_comes_first_changes_nothing_where_it_is_waited_for(story, data):
    in_time = list(range(len(story)))
    places = st.sets(st.integers(0, len(story) - 1))
    straight = run(story, in_time, set(), is_held=True)
    assert run(story, in_time, data.draw(places), is_held=True) == straight
    late = data.draw(st.permutations(in_time))
    changes = iter([n for n in in_time if story[n][1] == "change"])
    late = [next(changes) if story[n][1] == "change" else n for n in late]
    assert run(story, late, data.draw(places), is_held=True) == straight


def test_a_change_waits_for_the_verdict_of_another_rule():
    desk = Desk(RULE, Board(), is_held=True)
    record = change(7, 3)
    record["ordinal"] = 1
    assert list(desk.tell(record, {})) == []
    assert list(desk.flush(lambda row: 7 * NS)) == []
    desk.rule_on(0, "other/rule", 5 * NS, None)
    ((_, body),) = desk.flush(lambda row: 8 * NS)
    assert body["said"] == (7, "raised", 3, 0, 1, 0, True, False)


def test_an_act_is_obeyed_at_once():
    desk = Desk(RULE, Board())
    assert list(desk.act(0, "shelve", 5 * NS, 100 * NS)) == []
    record = change(7, 3)
    record["ordinal"] = 1
    ((_, body),) = desk.tell(record, {})
    assert body["said"] == (7, "raised", 3, 0, 1, 0, True, False)


def test_nothing_waits_where_nobody_has_a_say():
    desk = Desk(RULE, Board())
    record = change(7, 3)
    record["ordinal"] = 1
    assert len(list(desk.tell(record, {}))) == 1
    assert not desk.waiting
