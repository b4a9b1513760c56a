"""The truth about an instance of several sensors: at each second, everything is asked anew.

Each sensor holds its newest reading until it is stale. Conditions are three-valued; sets are looked
at in every world in which their unknown members could turn out. The grades are lived through by
`tests/reference/engine.py`.
"""

from itertools import product

from rules import expression as ex
from tests.reference import sets
from tests.reference.engine import Ladder, Row
from tests.reference.judge import both, either

COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def held(readings, now, stale):
    """The newest reading of a sensor at an instant, None when there is none that is fresh."""
    before = [reading for reading in readings if reading[0] <= now]
    if not before or now - max(before)[0] >= stale:
        return None
    return max(before)[1]


class Instance:
    """One instance: `members` maps an input to the readings of its sensors, (time, value) each."""

    def __init__(self, members, stale, ignores):
        self.members, self.stale, self.ignores = members, stale, ignores

    def truth(self, node, now):
        match node:
            case ex.Vote(method="any" | "all" as how, members=members, condition=inner):
                found = self.each(members, inner, now)
                return sets.quantified(found, {"any": any, "all": all}[how], self.ignores)
            case ex.Compare(operators=(operator,), operands=(left, right)):
                return self.compared(operator, left, right, now)
            case ex.And(items=items):
                return both([self.truth(item, now) for item in items])
            case ex.Or(items=items):
                return either([self.truth(item, now) for item in items])
            case ex.Not(operand=operand):
                inner = self.truth(operand, now)
                return None if inner is None else not inner
            case ex.Known(operand=operand):
                return self.truth(operand, now) is not None
        raise AssertionError(node)

    def compared(self, operator, left, right, now):
        """True or false if every pair of values between the bounds agrees: corners and a middle."""
        one, other = self.number(left, now), self.number(right, now)
        if one is None or other is None:
            return None
        if operator in ("==", "!="):
            meets = bool(one[0] <= other[1] and other[0] <= one[1])
            same = bool(one[0] == one[1] == other[0] == other[1])
            equal = True if same else (None if meets else False)
            return equal if operator == "==" or equal is None else not equal
        found = {bool(COMPARE[operator](a, b)) for a, b in product(one, other)}
        return found.pop() if len(found) == 1 else None

    def number(self, node, now):
        """The least and the greatest that a quantity could be; None when unknown."""
        match node:
            case ex.Number(value=value):
                return value, value
            case ex.Feature(input=given):
                sensors = self.members.get(given, [])
                value = held(sensors[0], now, self.stale) if sensors else None
                return None if value is None else (value, value)
            case ex.Vote(method=method, members=members, condition=inner):
                count = {"votes": sets.votes, "share": sets.share}[method]
                return count(self.each(members, inner, now), self.ignores)
            case ex.Gather(method=method, members=members, of=inner):
                return sets.gathered(self.each(members, inner, now), method, self.ignores)
            case ex.Arithmetic(operator="-", left=left, right=right):
                one, other = self.number(left, now), self.number(right, now)
                if one is None or other is None:
                    return None
                return one[0] - other[1], one[1] - other[0]
        raise AssertionError(node)

    def each(self, members, inner, now):
        """What the part about one member is for each; a member is an instance of itself alone."""
        found = []
        for readings in self.members.get(members.input, []):
            alone = Instance({members.input: [readings]}, self.stale, self.ignores)
            if ex.is_condition(inner):
                found.append(alone.truth(inner, now))
            else:
                bounds = alone.number(inner, now)
                found.append(None if bounds is None else bounds[0])
        return found


def live(levels, instance, *, start, end, step, blind):
    """All events before `end` of a rule that is looked at every `step` from `start` on.

    levels  by grade, 1 to 4: the condition, and the holds for on and off
    """
    ladder = Ladder(
        enter=dict.fromkeys(levels, 0.0),
        clear=dict.fromkeys(levels, 0.0),
        hold={g: level[1] for g, level in levels.items()},
        clear_hold={g: level[2] for g, level in levels.items()},
        blind=blind,
    )
    known = []
    for now in range(start, end, step):
        meaning = {}
        for g, level in levels.items():
            when = instance.truth(level[0], now)
            meaning[g] = (when, None if when is None else not when)
        known.append((now, meaning))
    return Row(ladder).live(known, end)
