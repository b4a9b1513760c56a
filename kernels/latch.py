"""Latches: how a grade is held on, rises, falls and waits, in exact event time.

A row is one rule on one sensor (its columns: kernels/standing.py). Each of its four grades is a
machine of four phases, and the grade of the row is the highest latch that is on or clearing:

    off -- when --> arming -- held `for` --> on -- clear --> clearing -- held `clear_for` --> off

What a row knows changes at readings (or at ends of panes); between them its code holds, and from
`stale_ns` after the newest reading it is unknown. Unknown stops every timer it touches and moves
nothing. So a latch is a function of event time only, and each change has an instant of its own:
a row sleeps until its next reading or its next timer, whichever is first. At one instant the
timers that end there go first, then the conditions, blue before red; all of it is one record.

An instant is over once the horizon (the site's clock less the lateness; it never goes back) has
passed it. A reading may still come for such an instant. It is judged as of its own time, but what
has been said is not unsaid: it takes effect no earlier than the latest record of its row.
"""

from kernels.jit import kernel, prefetch
from kernels.standing import FOREVER_NS, WHEN_TRUE, after, highest, is_upheld

RAISED, UPGRADED, DOWNGRADED, CLEARED, UPDATED, BLINDED, RESTORED = range(7)
OFF, ARMING, ON, CLEARING = range(4)  # two bits per grade; the upper one is set when it counts
RUNNING = 0x55  # the lower ones: a timer runs, or is frozen
UNSURE = 0x1010  # of a code, for blue: `when` or `clear` is unknown
FROZEN, BLIND, UNKNOWN = 0x0F, 0x10, 0x20  # bits of `state`; FROZEN holds one per grade

# Random lines of 64 bytes: 38 ns a reading at 1e6 rows without prefetching, 12 ns with it.
AHEAD = 24


@kernel
def apply_readings(
    latch, episode, due_ns, terms, row, time_ns, value, code, applies, horizon_ns, start, changes
):
    """Judge readings in the order of their arrival; how many are done, and how many changes.

    latch       LATCH[rows]     (in place)
    episode     EPISODE[rows]   (in place)
    due_ns      int64[rows]     when the row's next timer ends, or earlier    (in place)
    terms       TERMS[c]
    row         int32[n]        row of each reading
    time_ns     int64[n]        its event time
    value       float32|64[n]   what was compared
    code        uint16[n]       what it means for each grade
    applies     uint8[n]        0: the reading does not count, nothing is judged
    horizon_ns  int64[n]        horizon of the row's site once this reading has arrived
    changes     CHANGE[room]    filled from 0, in the order of judging; room >= 1

    Begins at reading `start` and stops when `changes` is full: drain it and call again. A reading
    older than the newest one judged is skipped; one of the same time replaces it.
    """
    count = 0
    for i in range(start, row.size):
        prefetch(latch, row[min(i + AHEAD, row.size - 1)])
        r = row[i]
        line = latch[r]
        if applies[i] == 0 or is_quiet(line, time_ns[i], value[i], code[i]):
            continue
        term = terms[line.terms]
        is_done = True
        if not is_same(line, term, time_ns[i], value[i], code[i], horizon_ns[i], due_ns[r]):
            count, is_done = meet(
                *(line, episode[r], term, r, time_ns[i], value[i], code[i], horizon_ns[i]),
                *(changes, count),
            )
        due_ns[r] = next_due(line, term)
        if not is_done:
            return i, count
    return row.size, count


@kernel
def advance(latch, episode, due_ns, terms, start_row, stop_row, horizon_ns, start, changes):
    """Fire what came due before the horizon of each range of rows; ranges done, and changes.

    latch, episode, due_ns, terms, changes   as in apply_readings
    start_row, stop_row   int64[q]   first row of each range, and one past its last
    horizon_ns            int64[q]   fires what is due strictly before it

    Begins at range `start`. When `changes` is full it stops inside a range, which then does not
    count as done. How often this is called changes when a change is known, never what it says.
    For a rule judged at ends of panes no horizon may lie beyond an end that is not yet applied.
    Rows whose terms were changed need `due_ns` set to NEVER_NS, and are put right here.
    """
    count = 0
    for q in range(start, start_row.size):
        for row in range(start_row[q], stop_row[q]):
            if due_ns[row] < horizon_ns[q]:
                line = latch[row]
                term = terms[line.terms]
                count = run(line, episode[row], term, row, horizon_ns[q], changes, count)
                due_ns[row] = next_due(line, term)
                if due_ns[row] < horizon_ns[q]:
                    return q, count
    return start_row.size, count


@kernel
def reset(latch, episode, due_ns, terms, row, time_ns, start, changes):
    """Let go of latched grades, as somebody who has looked has said; how many rows are done, and
    how many changes.

    latch, episode, due_ns, terms, changes   as in apply_readings
    row       int64[n]  rows that are reset
    time_ns   int       when it was said

    A latched grade ends where its own `clear` is known to be true at that instant: at once, the
    person stands for `clear_for`. Danger that stands, and what is not known, is not reset. Begins
    at place `start` of n.
    """
    count = 0
    for i in range(start, row.size):
        line, tale, term = latch[row[i]], episode[row[i]], terms[latch[row[i]].terms]
        instant_ns = max(time_ns, tale.last_ns, line.seen_ns)
        count = run(line, tale, term, row[i], instant_ns, changes, count)
        if count == changes.size:
            due_ns[row[i]] = next_due(line, term)
            return i, count
        count = release(line, tale, term, row[i], instant_ns, changes, count)
        due_ns[row[i]] = next_due(line, term)
    return row.size, count


@kernel
def release(line, tale, term, row, instant_ns, changes, count):
    """The instant of a reset: timers that end there, then the latched grades that may end."""
    known_ns = after(line.seen_ns, term.stale_ns)
    unknown_ns = unknown_since(line, known_ns)
    was_blind = line.state & BLIND
    expire(line, term, instant_ns, known_ns)
    if instant_ns < known_ns:
        settle(line, term, line.code, instant_ns)
        for g in range(4):
            is_held = term.sticky >> g & 1 and line.phase >> 2 * g & 3 == ON
            if is_held and not is_upheld(line.code, g) and not line.code & UNSURE << g:
                set_phase(line, g, OFF)
    confirm(line, term, instant_ns, known_ns, unknown_ns)
    return say(line, tale, row, instant_ns, was_blind, changes, count)


@kernel
def is_quiet(line, time_ns, value, code):
    """Whether nothing is on or arming and nothing asks to be; then the reading is noted."""
    if line.phase != 0 or code & WHEN_TRUE != 0:
        return False
    if time_ns >= line.seen_ns:
        line.seen_ns, line.value, line.code = time_ns, value, code
    return True


@kernel
def is_same(line, term, time_ns, value, code, horizon_ns, due):
    """Whether a reading repeats what holds, in time and before any timer; then it is noted."""
    is_in_time = max(line.seen_ns, horizon_ns) <= time_ns <= after(line.seen_ns, term.stale_ns)
    if code != line.code or not is_in_time or time_ns >= due:
        return False
    note(line, term, time_ns, value, code)
    return True


@kernel
def meet(line, tale, term, row, time_ns, value, code, horizon_ns, changes, count):
    """One reading meets its row; the changes so far, and False if there was no room for it."""
    count = run(line, tale, term, row, horizon_ns, changes, count)
    if time_ns < line.seen_ns:
        return count, True
    count = run(line, tale, term, row, max(time_ns, tale.last_ns), changes, count)
    if count == changes.size:
        return count, False
    count = judge(line, tale, term, row, time_ns, value, code, changes, count)
    return run(line, tale, term, row, horizon_ns, changes, count), True


@kernel
def run(line, tale, term, row, limit_ns, changes, count):
    """Let the timers that end before the limit do so, in order; stops early without room."""
    due = next_due(line, term)
    while due < limit_ns and count < changes.size:
        instant_ns = max(due, tale.last_ns)
        known_ns = after(line.seen_ns, term.stale_ns)
        unknown_ns = unknown_since(line, known_ns)
        was_blind = line.state & BLIND
        expire(line, term, instant_ns, known_ns)
        if instant_ns < known_ns:
            settle(line, term, line.code, instant_ns)
        confirm(line, term, instant_ns, known_ns, unknown_ns)
        count = say(line, tale, row, instant_ns, was_blind, changes, count)
        due = next_due(line, term)
    return count


@kernel
def judge(line, tale, term, row, time_ns, value, code, changes, count):
    """The instant of a reading: timers that end there, then what the reading says.

    A reading that came after its instant was over may have run out before it can take effect.
    Then its conditions are judged, but its timers stand where its own validity ended.
    """
    instant_ns = max(time_ns, tale.last_ns)
    known_ns = after(line.seen_ns, term.stale_ns)
    until_ns = after(time_ns, term.stale_ns)
    start_ns = min(instant_ns, until_ns)
    unknown_ns = unknown_since(line, known_ns)
    was_blind = line.state & BLIND
    note(line, term, time_ns, value, code)
    expire(line, term, instant_ns, known_ns)
    unknown_for_ns = start_ns - known_ns if instant_ns > known_ns else 0
    for g in range(4):
        if is_running(line, g):
            # The lesser: closure may have started a timer in an instant that this one precedes.
            line.mark_ns[g] = min(line.mark_ns[g] + unknown_for_ns, start_ns)
    settle(line, term, code, start_ns)
    confirm(line, term, instant_ns, until_ns, unknown_ns)
    return say(line, tale, row, instant_ns, was_blind, changes, count)


@kernel
def note(line, term, time_ns, value, code):
    """Hold what the newest reading said; a value that says nothing does not replace one."""
    unknown = term.exists << 4 | term.exists << 12
    if line.phase == 0 or code & unknown != unknown:
        line.value = value
    line.seen_ns, line.code = time_ns, code


@kernel
def next_due(line, term):
    """The instant at which the row moves by itself if no reading comes."""
    known_ns = after(line.seen_ns, term.stale_ns)
    due = blind_due(line, term, known_ns)
    if line.phase & RUNNING:
        for g in range(4):
            end_ns = timer_end(line, term, g)
            if end_ns <= known_ns:
                due = min(due, end_ns)
    return due


@kernel
def expire(line, term, instant_ns, known_ns):
    """End the timers that are up at an instant, blue before red."""
    for g in range(4):
        if timer_end(line, term, g) <= min(instant_ns, known_ns):
            if line.phase >> 2 * g & 3 == ARMING:
                turn_on(line, term, g)
            else:
                set_phase(line, g, OFF)


@kernel
def settle(line, term, code, start_ns):
    """Let each latch answer to what the code says about it, blue before red."""
    for g in range(4):
        if answer(line, term, code, g, start_ns):
            turn_on(line, term, g)
            for lower in range(g):
                answer(line, term, code, lower, start_ns)


@kernel
def answer(line, term, code, g, start_ns):
    """One latch meets its conditions; True if it has to turn on now."""
    phase = line.phase >> 2 * g & 3
    if not term.exists >> g & 1:
        set_phase(line, g, OFF)
    elif phase in (OFF, ARMING):
        if code >> 4 + g & 1:
            freeze(line, g, start_ns)
        elif code >> g & 1:
            start(line, g, ARMING, start_ns)
            return timer_end(line, term, g) <= start_ns
        else:
            set_phase(line, g, OFF)
    elif term.sticky >> g & 1 or is_upheld(code, g):
        set_phase(line, g, ON)
    elif code & UNSURE << g:
        freeze(line, g, start_ns)
    else:
        start(line, g, CLEARING, start_ns)
        if timer_end(line, term, g) <= start_ns:
            set_phase(line, g, OFF)
    return False


@kernel
def confirm(line, term, instant_ns, known_ns, unknown_ns):
    """Note since when the warning is unconfirmed (before the instant: `unknown_ns`) and whether
    that is long enough to be blind; or that it is confirmed again."""
    g = highest(line.phase) - 1
    is_open = g >= 0 and line.code & UNSURE << g != 0 and not is_upheld(line.code, g)
    if g < 0 or (instant_ns < known_ns and not is_open):
        line.state &= FROZEN
    else:
        line.state |= UNKNOWN
        line.unknown_ns = min(unknown_ns, instant_ns)
        if after(line.unknown_ns, term.blind_ns) <= instant_ns:
            line.state |= BLIND


@kernel
def say(line, tale, row, instant_ns, was_blind, changes, count):
    """Write one record of what an instant changed for those who listen, if anything."""
    previous = line.grade
    grade = highest(line.phase)
    is_blind = line.state & BLIND
    if grade == previous and is_blind == was_blind:
        return count
    tale.last_ns = instant_ns
    tale.ordinal += previous == 0
    tale.revision = 0 if previous == 0 else tale.revision + 1
    line.peak = grade if previous == 0 else max(line.peak, grade)
    line.grade = grade
    change = changes[count]
    change.row, change.event_ns, change.value = row, instant_ns, line.value
    change.ordinal, change.revision, change.seen_ns = tale.ordinal, tale.revision, line.seen_ns
    change.grade, change.previous, change.peak = grade, previous, line.peak
    change.blind = is_blind != 0
    if grade == previous:
        change.event = BLINDED if is_blind else RESTORED
    elif grade > previous:
        change.event = UPGRADED if previous > 0 else RAISED
    else:
        change.event = DOWNGRADED if grade > 0 else CLEARED
    return count + 1


@kernel
def turn_on(line, term, g):
    """Switch a latch on, and with closure the lower ones, whatever they were doing."""
    for lower in range(0 if term.closure else g, g + 1):
        set_phase(line, lower, ON if term.exists >> lower & 1 else OFF)


@kernel
def set_phase(line, g, phase):
    """Put a latch into a phase; no timer of it stays frozen."""
    line.phase = line.phase & ~(3 << 2 * g) | phase << 2 * g
    line.state &= ~(1 << g)


@kernel
def start(line, g, phase, start_ns):
    """Have the timer of a latch run: begun now, or thawed with what it had, or as it was."""
    if line.phase >> 2 * g & 3 != phase:
        set_phase(line, g, phase)
        line.mark_ns[g] = start_ns
    elif line.state >> g & 1:
        line.state &= ~(1 << g)
        line.mark_ns[g] = start_ns - line.mark_ns[g]


@kernel
def freeze(line, g, start_ns):
    """Stop the timer of a latch, if one runs, and keep what it has."""
    if is_running(line, g):
        line.state |= 1 << g
        line.mark_ns[g] = start_ns - line.mark_ns[g]


@kernel
def is_running(line, g):
    """Whether a latch is arming or clearing, and not frozen."""
    return line.phase >> 2 * g & 1 and not line.state >> g & 1


@kernel
def timer_end(line, term, g):
    """When the timer of a latch ends if its condition stays; beyond all instants if none runs."""
    if not is_running(line, g):
        return 2 * FOREVER_NS - 1
    is_arming = line.phase >> 2 * g & 3 == ARMING
    return line.mark_ns[g] + (term.for_ns[g] if is_arming else term.clear_for_ns[g])


@kernel
def blind_due(line, term, known_ns):
    """When the warning will be called blind if nothing more is known; FOREVER_NS: never."""
    if line.state & BLIND:
        return FOREVER_NS
    return after(unknown_since(line, known_ns), term.blind_ns)


@kernel
def unknown_since(line, known_ns):
    """Since when the warning is unconfirmed, or will be; FOREVER_NS if there is none."""
    if line.grade == 0:
        return FOREVER_NS
    return line.unknown_ns if line.state & UNKNOWN else known_ns
