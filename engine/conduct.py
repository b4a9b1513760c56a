"""Conduct: how a rule's warnings behave towards people, whatever its latches do.

Enters     changes of grade, row by row in the order of their instants; acts of operators; horizons
Leaves     what is told: the same changes, or fewer, or more, each with its place in its episode
Remembers  a course for each row with an open warning, and where a rule asks for its history
Refuses    nothing

A flapping warning is held at its highest grade, one that nobody acknowledges is escalated, one
that is shelved or under maintenance is told as such, a rule that raises too often goes on as a
shadow.  The latches go on underneath: what they say is never lost, only told differently.

A rule without any of these keywords, and without an act on a row, is told as its latches say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from engine.courses import Course, Facts, Mark, Stay, Told
from kernels.standing import CHANGE, EVENT_NAMES
from rules.grade import Grade
from rules.pack import Rule, Suppression

NS_PER_H = 3600 * 1_000_000_000
FOREVER_NS = 1 << 62
# A shelf without a rule's own word on it: never longer, and it never hides red.
SHELF_DEFAULT = Suppression("shelved", 8 * NS_PER_H, None, frozenset({Grade.RED}))
UPKEEP_DEFAULT = Suppression("maintenance", None, None, frozenset({Grade.RED}))

RAISED, UPGRADED, DOWNGRADED, CLEARED, UPDATED, BLINDED, RESTORED = range(7)


class Conduct:
    """The conduct of one rule on the rows of one bank, or on its instances."""

    __slots__ = ("courses", "plain", "restless", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.plain = not (rule.flap or rule.budget or rule.escalate)
        self.courses: dict[int, Course] = {}
        self.restless: set[int] = set()

    def take(self, change: np.void, more: Facts) -> Iterator[Told]:
        """Follow the latches; timers of a row that end before a change are told before it."""
        row, now_ns = int(change["row"]), int(change["event_ns"])
        course = self.courses.get(row)
        if course is None:
            course = self.courses[row] = Course.before(change)
        if self.plain and course.told.grade == 0:
            course.told.ordinal = int(change["ordinal"]) - 1
        yield from self._run(row, course, now_ns)
        self._end_stays(course, now_ns)
        self._follow(course, change, now_ns)
        course.more = dict(more)
        yield from self._settle(row, course, now_ns)
        if self.plain and course.is_over:
            del self.courses[row]
        self._note(row)

    def advance(self, horizon_ns: Callable[[int], int]) -> Iterator[Told]:
        """Tell what came due strictly before the horizon of each row."""
        for row in sorted(self.restless):
            yield from self._run(row, self.courses[row], horizon_ns(row))
            self._note(row)

    def shelve(self, row: int, stay: Stay, now_ns: int) -> Iterator[Told]:
        """Take a row off the board for a while; `until_ns` is cut to what the rule allows."""
        course = self.courses.setdefault(row, Course())
        now_ns = max(now_ns, course.last_ns)
        yield from self._run(row, course, now_ns)
        self._end_stays(course, now_ns)
        limit = self._suppression(stay.why).max_ns
        until_ns = stay.until_ns if limit is None else min(stay.until_ns, now_ns + limit)
        course.stays = [known for known in course.stays if known.why != stay.why]
        if until_ns > now_ns:
            course.stays.append(Stay(stay.why, until_ns))
        yield from self._settle(row, course, now_ns)
        self._note(row)

    def acknowledge(self, row: int, now_ns: int) -> Iterator[Told]:
        """Somebody has seen the warning of a row; nothing is told where there is none."""
        course = self.courses.get(row)
        if course is None:
            return
        now_ns = max(now_ns, course.last_ns)
        yield from self._run(row, course, now_ns)
        self._end_stays(course, now_ns)
        yield from self._settle(row, course, now_ns)
        if course.told.grade == 0 or course.is_acknowledged:
            return
        course.is_acknowledged = True
        course.told.revision += 1
        course.last_ns = now_ns
        self._note(row)
        yield self._record(row, course, course.told.grade, (UPDATED, "acknowledged"))

    def inhibit(self, row: int, source: str, cap: Grade | None, now_ns: int) -> Iterator[Told]:
        """Another rule mutes this row from now on (`cap` None), or caps it."""
        course = self.courses.setdefault(row, Course())
        yield from self._run(row, course, now_ns)
        self._end_stays(course, now_ns)
        course.inhibitors[source] = -1 if cap is None else int(cap)
        yield from self._settle(row, course, now_ns)
        self._note(row)

    def release(self, row: int, source: str, now_ns: int) -> Iterator[Told]:
        """The other rule no longer holds this row down."""
        course = self.courses.setdefault(row, Course())
        yield from self._run(row, course, now_ns)
        self._end_stays(course, now_ns)
        course.inhibitors.pop(source, None)
        yield from self._settle(row, course, now_ns)
        self._note(row)

    def take_over(self, courses: Mapping[int, Course]) -> None:
        """Go on from courses that were saved."""
        self.courses = dict(courses)
        for row in self.courses:
            self._note(row)

    def _note(self, row: int) -> None:
        """Remember whether something will come due for a row by itself."""
        course = self.courses.get(row)
        if course is not None and self._due_ns(course) < FOREVER_NS:
            self.restless.add(row)
        else:
            self.restless.discard(row)

    def _suppression(self, why: str) -> Suppression:
        default = SHELF_DEFAULT if why == "shelved" else UPKEEP_DEFAULT
        return next((s for s in self.rule.suppress if s.during == why), default)

    def _run(self, row: int, course: Course, limit_ns: int) -> Iterator[Told]:
        """Let what comes due strictly before a limit happen, in order."""
        while (due_ns := self._due_ns(course)) < limit_ns:
            self._end_stays(course, due_ns)
            yield from self._settle(row, course, due_ns)

    def _due_ns(self, course: Course) -> int:
        instants = [stay.until_ns for stay in course.stays]
        if course.hold_until_ns:
            instants.append(course.hold_until_ns)
        instants += [due_ns for due_ns, _ in self._escalations(course)]
        return min(instants, default=FOREVER_NS)

    def _escalations(self, course: Course) -> Iterator[tuple[int, Grade]]:
        """What will be escalated if nobody acknowledges: when, and to which grade."""
        if course.is_acknowledged:
            return
        for step in self.rule.escalate:
            since_ns = course.since_ns[int(step.grade)]
            if since_ns is not None and course.escalated < step.to:
                yield since_ns + step.after_ns, step.to

    def _end_stays(self, course: Course, now_ns: int) -> None:
        """Shelves, holds and patience that end at or before an instant."""
        course.stays = [stay for stay in course.stays if stay.until_ns > now_ns]
        if course.hold_until_ns and course.hold_until_ns <= now_ns:
            course.hold_until_ns = course.hold_grade = 0
            course.changes_ns.clear()
        for due_ns, grade in list(self._escalations(course)):
            if due_ns <= now_ns:
                course.escalated = max(course.escalated, int(grade))

    def _follow(self, course: Course, change: np.void, now_ns: int) -> None:
        """What the latches say now."""
        before, grade = course.grade, int(change["grade"])
        course.grade, course.is_blind = grade, bool(change["blind"])
        course.value, course.seen_ns = float(change["value"]), int(change["seen_ns"])
        for step in range(1, 5):
            if step > grade:
                course.since_ns[step] = None
            elif course.since_ns[step] is None:
                course.since_ns[step] = now_ns
        if grade > before and course.is_acknowledged:
            # What has been seen is not what is now: patience begins anew.
            course.is_acknowledged = False
            course.since_ns[1 : grade + 1] = [now_ns] * grade
        course.escalated = max(
            (
                int(s.to)
                for s in self.rule.escalate
                if s.grade <= grade and s.to <= course.escalated
            ),
            default=0,
        )
        if grade != before:
            self._count_change(course, max(before, grade), now_ns)

    def _count_change(self, course: Course, highest: int, now_ns: int) -> None:
        flap = self.rule.flap
        if flap is None:
            return
        course.hold_grade = max(course.hold_grade, highest) if course.hold_until_ns else 0
        course.changes_ns = [t for t in course.changes_ns if t > now_ns - flap.window_ns]
        course.changes_ns.append(now_ns)
        course.highest = highest if len(course.changes_ns) == 1 else max(course.highest, highest)
        if len(course.changes_ns) >= flap.changes and not course.hold_until_ns:
            course.hold_until_ns = now_ns + flap.for_ns
            course.hold_grade = course.highest

    def _settle(self, row: int, course: Course, now_ns: int) -> Iterator[Told]:
        """Tell the difference between what is and what has been told, if there is one."""
        grade = max(course.grade, course.escalated, course.hold_grade)
        grade, mark = self._suppressed(course, grade)
        told = course.told
        is_blind = course.is_blind and grade > 0
        if grade == told.grade and is_blind == told.is_blind and (mark == told.why or grade == 0):
            return
        course.last_ns = now_ns
        if told.grade == 0:
            told.ordinal, told.revision, told.peak = told.ordinal + 1, 0, 0
            told.began_ns = now_ns
            course.is_demoted = self._is_over_budget(course, now_ns)
        else:
            told.revision += 1
        event = _event(told, grade, is_blind)
        takes_off = told.grade > 0 and not told.why and bool(mark)
        previous, told.grade, told.is_blind = told.grade, grade, is_blind
        told.peak = max(told.peak, grade)
        # The last message of an episode still says whether it was muted.
        told.why = mark if grade or not told.why else told.why
        told_now = self._record(row, course, previous, (event, EVENT_NAMES[event]))
        yield replace(told_now, takes_off=takes_off)
        if grade == 0:
            told.why = ""

    def _is_over_budget(self, course: Course, now_ns: int) -> bool:
        budget = self.rule.budget
        if budget is None or self.rule.is_safety:
            return False
        course.raises_ns = [t for t in course.raises_ns if t > now_ns - budget.window_ns]
        course.raises_ns.append(now_ns)
        return len(course.raises_ns) > budget.raises

    def _suppressed(self, course: Course, grade: int) -> tuple[int, str]:
        """The grade under all caps, and why it is muted; empty where it is not."""
        mark = ""
        for stay in course.stays:
            rule = self._suppression(stay.why)
            if Grade(grade) in rule.never:
                continue
            if rule.cap is None:
                mark = mark or stay.why
            else:
                grade = min(grade, int(rule.cap))
        for cap in course.inhibitors.values():
            if cap < 0:
                mark = mark or "inhibited"
            else:
                grade = min(grade, cap)
        return grade, mark

    def _record(self, row: int, course: Course, previous: int, event: tuple[int, str]) -> Told:
        change = np.zeros(1, CHANGE)[0]
        told = course.told
        change["row"], change["event_ns"], change["seen_ns"] = row, course.last_ns, course.seen_ns
        change["value"], change["ordinal"] = course.value, told.ordinal
        change["revision"], change["event"] = told.revision, event[0]
        change["grade"], change["previous"], change["peak"] = told.grade, previous, told.peak
        change["blind"] = told.is_blind
        return Told(
            *(change, course.more, event[1], told.why, course.is_demoted),
            began_ns=told.began_ns,
        )


def _event(told: Mark, grade: int, is_blind: bool) -> int:
    if grade > told.grade:
        return UPGRADED if told.grade else RAISED
    if grade < told.grade:
        return DOWNGRADED if grade else CLEARED
    if is_blind != told.is_blind:
        return BLINDED if is_blind else RESTORED
    return UPDATED
