"""What is told of one warning, second by second: slow and obvious.

A feed says what the latches say from some second on: (second, grade, is blind).  Acts are
(second, "shelve", until) and (second, "acknowledge", 0).
"""

from dataclasses import dataclass, field


@dataclass
class Policy:
    flap: tuple[int, int, int] | None = None  # changes, window, hold
    escalate: list[tuple[int, int, int]] = field(default_factory=list)  # from, after, to
    budget: tuple[int, int] | None = None  # raises, window
    never: tuple[int, ...] = ()  # grades a shelf does not mute
    shelf_max: int | None = None


def tell(policy, feed, acts, end):
    """Messages as (second, event, grade, previous, ordinal, revision, muted, demoted)."""
    said = []
    latch = blind = told = escalated = hold = ordinal = revision = 0
    told_blind, told_muted, demoted, seen = False, False, False, False
    hold_until = shelf_until = -1
    since = [None] * 5
    changes, raises, highest = [], [], 0
    feeds, todo = {s: (g, b) for s, g, b in feed}, {}
    for second, what, until in acts:
        todo.setdefault(second, []).append((what, until))
    for now in range(end):
        if shelf_until <= now:
            shelf_until = -1
        if hold_until == now:
            hold_until, hold, changes = -1, 0, []
        for start, after, to in policy.escalate:
            is_due = since[start] is not None and not seen and now >= since[start] + after
            if is_due and escalated < to:
                escalated = to
        if now in feeds:
            before, (latch, blind) = latch, feeds[now]
            for step in range(1, 5):
                since[step] = None if step > latch else now if since[step] is None else since[step]
            if seen and latch > before:
                seen, since[1 : latch + 1] = False, [now] * latch
            kept = [to for start, _, to in policy.escalate if start <= latch and to <= escalated]
            escalated = max(kept, default=0)
            if latch != before and policy.flap:
                count, window, length = policy.flap
                top = max(before, latch)
                changes = [t for t in changes if t > now - window] + [now]
                highest = top if len(changes) == 1 else max(highest, top)
                if hold_until >= 0:
                    hold = max(hold, top)
                elif len(changes) >= count:
                    hold_until, hold = now + length, highest
        acknowledged = False
        for what, until in todo.get(now, []):
            if what == "shelve":
                longest = until if policy.shelf_max is None else min(until, now + policy.shelf_max)
                shelf_until = longest if longest > now else -1
            else:
                acknowledged = True
        grade = max(latch, escalated, hold)
        muted = shelf_until >= 0 and grade not in policy.never
        is_blind = bool(blind) and grade > 0
        if grade != told or is_blind != told_blind or (muted != told_muted and grade > 0):
            if told == 0:
                ordinal, revision = ordinal + 1, 0
                if policy.budget:
                    raises = [t for t in raises if t > now - policy.budget[1]] + [now]
                    demoted = len(raises) > policy.budget[0]
            else:
                revision += 1
            event = _event(told, grade, told_blind, is_blind)
            shown = muted or (grade == 0 and told_muted)
            said.append((now, event, grade, told, ordinal, revision, shown, demoted))
            told, told_blind, told_muted = grade, is_blind, muted and grade > 0
        if acknowledged and told and not seen:
            seen = True
            revision += 1
            said.append((now, "acknowledged", told, told, ordinal, revision, told_muted, demoted))
    return said


def _event(before, after, was_blind, is_blind):
    if after > before:
        return "upgraded" if before else "raised"
    if after < before:
        return "downgraded" if after else "cleared"
    if was_blind != is_blind:
        return "blind" if is_blind else "restored"
    return "updated"
