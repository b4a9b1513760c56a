"""Latches: how a grade is held on, rises, falls and waits, in exact event time.

One line of 64 bytes per row, and a row is one rule on one sensor. Each of the four grades of a row
is a machine of four phases, and the grade of the row is the highest latch that is on:

    off -- when --> arming -- held `for` --> on -- clear --> clearing -- held `clear_for` --> off

What a row knows changes at readings (or at ends of panes); between them its code holds, and from
`stale_ns` after the newest reading it is unknown. Unknown stops every timer it touches and moves
nothing. So a latch is a function of event time only, and each change has an instant of its own:
a row sleeps until its next reading or its next timer, whichever is first, and `due_ns` says which
timer that is. At one instant the timers that end there go first, then the conditions, blue before
red; whatever came of it is one record.

An instant is over once the horizon (the clock of the site, less the lateness) has passed it. A
reading may still come for an instant that is over. It is judged as of its own time, but what has
been said is not unsaid: it takes effect no earlier than the latest record of its row.
"""

import numpy as np

from kernels.jit import kernel, prefetch
from kernels.standing import CHANGE as CHANGE
from kernels.standing import EPISODE as EPISODE
from kernels.standing import FOREVER_NS, WHEN_TRUE
from kernels.standing import LATCH as LATCH
from kernels.standing import TERMS as TERMS
from kernels.standing import earliest_due as earliest_due
from kernels.standing import forget as forget

RAISED, UPGRADED, DOWNGRADED, CLEARED, UPDATED, BLINDED, RESTORED = range(7)

OFF, ARMING, ON, CLEARING = range(4)  # two bits per grade; the upper one is set when it counts
FROZEN, BLIND, UNKNOWN = 0x0F, 0x10, 0x20  # bits of `state`; FROZEN holds one per grade

# Random lines of 64 bytes: 38 ns a reading at 1e6 rows without prefetching, 12 ns with it.
AHEAD = 24


@kernel
def refresh(latch, due_ns, terms, start_row, stop_row):
    """Work out anew when rows are due; needed after their terms were changed."""
    for row in range(start_row, stop_row):
        due_ns[row] = next_due(latch[row], terms[latch[row].terms])


@kernel
def apply_readings(
    latch, episode, due_ns, terms, row, time_ns, value, code, applies, horizon_ns, start, changes
):
    """Judge readings in the order of their arrival; how many are done, and how many changes.

    latch       LATCH[rows]     (in place)
    episode     EPISODE[rows]   (in place)
    due_ns      int64[rows]     when the row's next timer ends            (in place)
    terms       TERMS[c]
    row         int32[n]        row of each reading
    time_ns     int64[n]        its event time
    value       float32|64[n]   what was compared
    code        uint16[n]       what it means for each grade
    applies     uint8[n]        0: the reading does not count, nothing is judged
    horizon_ns  int64[n]        horizon of the row's site once this reading has arrived
    changes     CHANGE[room]    filled from 0, in the order of judging

    Begins at reading `start`. When `changes` is full it stops: drain it and call again with
    `start` at the number of readings done; room >= 1. A reading older than the newest one judged
    is skipped; one of the same time replaces it.
    """
    count = 0
    readings = row.size
    for i in range(start, readings):
        prefetch(latch, row[min(i + AHEAD, readings - 1)])
        if applies[i] == 0:
            continue
        line = latch[row[i]]
        # Nothing is on or arming and nothing asks to be: there is nothing to advance or to undo.
        if line.phase == 0 and code[i] & WHEN_TRUE == 0:
            if time_ns[i] >= line.seen_ns:
                line.seen_ns = time_ns[i]
                line.code = code[i]
                line.value = value[i]
            continue
        term = terms[line.terms]
        count = run(line, episode, term, row[i], horizon_ns[i], changes, count)
        if time_ns[i] >= line.seen_ns:
            instant_ns = max(time_ns[i], episode[row[i]].last_ns)
            count = run(line, episode, term, row[i], instant_ns, changes, count)
            due_ns[row[i]] = next_due(line, term)
            if due_ns[row[i]] < instant_ns or count == changes.size:
                return i, count
            count = judge(
                line, episode, term, row[i], time_ns[i], value[i], code[i], changes, count
            )
            count = run(line, episode, term, row[i], horizon_ns[i], changes, count)
        due_ns[row[i]] = next_due(line, term)
    return readings, count


@kernel
def apply_panes(
    latch, episode, due_ns, terms, start_row, stop_row, end_ns, value, code, start, changes
):
    """Judge ranges of rows at one end of a pane; how many rows are done, and how many changes.

    latch, episode, due_ns, terms, changes   as in apply_readings
    start_row   int64[q]        first row of each range
    stop_row    int64[q]        one past its last
    value       float64[m]      what was compared, of the ranges one after another
    code        uint16[m]       what it means; unknown bits stop the timers of their grade

    The old code holds up to `end_ns`, the new one from then on. Begins at place `start` of m.
    """
    count = 0
    base = 0
    for q in range(start_row.size):
        rows = stop_row[q] - start_row[q]
        for k in range(max(start - base, 0), rows):
            row = start_row[q] + k
            line = latch[row]
            i = base + k
            if line.phase != 0:
                term = terms[line.terms]
                count = run(line, episode, term, row, end_ns, changes, count)
                due_ns[row] = next_due(line, term)
                if due_ns[row] < end_ns or count == changes.size:
                    return i, count
            if line.phase == 0 and code[i] & WHEN_TRUE == 0:
                # A line that is only read is half the traffic of one that is written.
                if line.code != code[i]:
                    line.code = code[i]
                continue
            if count == changes.size:
                return i, count
            term = terms[line.terms]
            count = judge(line, episode, term, row, end_ns, value[i], code[i], changes, count)
            due_ns[row] = next_due(line, term)
        base += rows
    return base, count


@kernel
def advance(latch, episode, due_ns, terms, start_row, stop_row, horizon_ns, start, changes):
    """Fire what came due before the horizon of each range of rows; ranges done, and changes.

    latch, episode, due_ns, terms, changes   as in apply_readings
    start_row   int64[q]   first row of each range
    stop_row    int64[q]   one past its last
    horizon_ns  int64[q]   fires what is due strictly before

    Begins at range `start`. When `changes` is full it stops inside a range, which then does not
    count as done. How often this is called changes when a change is known, never what it says.
    For a rule judged at ends of panes no horizon may lie beyond an end that is not yet applied.
    """
    count = 0
    for q in range(start, start_row.size):
        for row in range(start_row[q], stop_row[q]):
            if due_ns[row] >= horizon_ns[q]:
                continue
            line = latch[row]
            term = terms[line.terms]
            count = run(line, episode, term, row, horizon_ns[q], changes, count)
            due_ns[row] = next_due(line, term)
            if due_ns[row] < horizon_ns[q]:
                return q, count
    return start_row.size, count


@kernel
def run(line, episode, term, row, limit_ns, changes, count):
    """Let the timers that end before the limit do so, in order; stops early without room."""
    due = next_due(line, term)
    while due < limit_ns and count < changes.size:
        instant_ns = max(due, episode[row].last_ns)
        known_ns = after(line.seen_ns, term.stale_ns)
        unknown_ns = unknown_since(line, known_ns)
        was_blind = line.state & BLIND
        expire(line, term, instant_ns, known_ns)
        if instant_ns < known_ns:
            settle(line, term, line.code, instant_ns)
        confirm(line, instant_ns, known_ns, unknown_ns)
        count = say(line, episode, row, instant_ns, was_blind, changes, count)
        due = next_due(line, term)
    return count


@kernel
def judge(line, episode, term, row, time_ns, value, code, changes, count):
    """The instant of a reading: timers that end there, then what the reading says.

    A reading that came after its instant was over may have run out before it can take effect.
    Then its conditions are judged, but its timers do not move: `start_ns` is where its own
    validity ends.
    """
    instant_ns = max(time_ns, episode[row].last_ns)
    known_ns = after(line.seen_ns, term.stale_ns)
    unknown_ns = unknown_since(line, known_ns)
    was_blind = line.state & BLIND
    exists_unknown = np.uint16(term.exists << 4 | term.exists << 12)
    if line.phase == 0 or code & exists_unknown != exists_unknown:
        line.value = value
    expire(line, term, instant_ns, known_ns)

    until_ns = after(time_ns, term.stale_ns)
    start_ns = min(instant_ns, until_ns)
    for g in range(4):
        if is_running(line, g):
            if instant_ns > known_ns:
                line.mark_ns[g] += start_ns - known_ns
            # A timer that closure started in an instant which this reading now precedes.
            line.mark_ns[g] = min(line.mark_ns[g], start_ns)
    line.seen_ns = time_ns
    line.code = code
    settle(line, term, code, start_ns)
    confirm(line, instant_ns, until_ns, unknown_ns)
    return say(line, episode, row, instant_ns, was_blind, changes, count)


@kernel
def next_due(line, term):
    """The instant at which the row moves by itself if no reading comes."""
    if line.phase == 0:
        return FOREVER_NS
    known_ns = after(line.seen_ns, term.stale_ns)
    due = blind_due(line, term, known_ns)
    for g in range(4):
        end_ns = timer_end(line, term, g)
        if end_ns <= known_ns:
            due = min(due, end_ns)
    return due


@kernel
def expire(line, term, instant_ns, known_ns):
    """End the timers that are up at an instant, blue before red; also the wait for blind."""
    if blind_due(line, term, known_ns) <= instant_ns:
        line.state |= BLIND
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
        if term.exists >> g & 1 and answer(line, term, code, g, start_ns):
            turn_on(line, term, g)
            for lower in range(g):
                if term.exists >> lower & 1:
                    answer(line, term, code, lower, start_ns)


@kernel
def answer(line, term, code, g, start_ns):
    """One latch meets its conditions; True if it has to turn on now."""
    phase = line.phase >> 2 * g & 3
    if phase in (OFF, ARMING):
        if code >> 4 + g & 1:
            freeze(line, g, start_ns)
            return False
        if not code >> g & 1:
            set_phase(line, g, OFF)
            return False
        start(line, g, ARMING, start_ns)
        return timer_end(line, term, g) <= start_ns
    if term.sticky >> g & 1 or is_upheld(code, g):
        set_phase(line, g, ON)
    elif unsure(code, g):
        freeze(line, g, start_ns)
    else:
        start(line, g, CLEARING, start_ns)
        if timer_end(line, term, g) <= start_ns:
            set_phase(line, g, OFF)
    return False


@kernel
def confirm(line, instant_ns, known_ns, unknown_ns):
    """Note since when the warning is unconfirmed; being known again ends blindness.

    `unknown_ns` is since when that was so before the instant, if it was.
    """
    grade = highest(line.phase)
    is_open = grade > 0 and not is_upheld(line.code, grade - 1) and unsure(line.code, grade - 1)
    if grade == 0 or (not is_open and instant_ns < known_ns):
        line.state &= FROZEN
    elif unknown_ns < instant_ns or is_open:
        line.state |= UNKNOWN
        line.unknown_ns = min(unknown_ns, instant_ns)


@kernel
def say(line, episode, row, instant_ns, was_blind, changes, count):
    """Write one record of what an instant changed for those who listen, if anything."""
    previous = line.grade
    grade = highest(line.phase)
    is_blind = line.state & BLIND
    if grade == previous and is_blind == was_blind:
        return count
    tale = episode[row]
    tale.last_ns = instant_ns
    tale.ordinal += previous == 0
    tale.revision = 0 if previous == 0 else tale.revision + 1
    line.peak = grade if previous == 0 else max(line.peak, grade)
    line.grade = grade
    change = changes[count]
    change.row = row
    change.event_ns = instant_ns
    change.value = line.value
    change.ordinal = tale.ordinal
    change.revision = tale.revision
    change.grade = grade
    change.previous = previous
    change.peak = line.peak
    change.blind = is_blind != 0
    if grade == previous:
        change.event = BLINDED if is_blind else RESTORED
    elif previous == 0 or grade == 0:
        change.event = CLEARED if grade == 0 else RAISED
    else:
        change.event = UPGRADED if grade > previous else DOWNGRADED
    return count + 1


@kernel
def turn_on(line, term, g):
    """Switch a latch on, and with closure the lower ones, whatever they were doing."""
    for lower in range(0 if term.closure else g, g + 1):
        if term.exists >> lower & 1:
            set_phase(line, lower, ON)


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
    """When the timer of a latch ends if its condition stays; after FOREVER_NS if none runs."""
    if not is_running(line, g):
        return 2 * FOREVER_NS - 1
    if line.phase >> 2 * g & 3 == ARMING:
        return line.mark_ns[g] + term.for_ns[g]
    return line.mark_ns[g] + term.clear_for_ns[g]


@kernel
def blind_due(line, term, known_ns):
    """When the warning will be called blind if nothing more is known; FOREVER_NS: never."""
    if line.grade == 0 or line.state & BLIND:
        return FOREVER_NS
    return after(unknown_since(line, known_ns), term.blind_ns)


@kernel
def unknown_since(line, known_ns):
    """Since when the warning is unconfirmed, or will be; FOREVER_NS if there is none."""
    if line.grade == 0:
        return FOREVER_NS
    return line.unknown_ns if line.state & UNKNOWN else known_ns


@kernel
def after(instant_ns, span_ns):
    """A span after an instant; FOREVER_NS if either is."""
    if instant_ns >= FOREVER_NS or span_ns >= FOREVER_NS:
        return FOREVER_NS
    return instant_ns + span_ns


@kernel
def is_upheld(code, g):
    """Whether the code holds a latch on: `when` is true, or `clear` is false."""
    return code >> g & 1 or not code >> 8 + g & 0x11


@kernel
def unsure(code, g):
    """Whether `when` or `clear` of a latch is unknown."""
    return code >> 4 + g & 1 or code >> 12 + g & 1


@kernel
def highest(phase):
    """The grade: the highest latch that is on or clearing, 0 if there is none."""
    grade = 0
    for g in range(4):
        if phase >> 2 * g + 1 & 1:
            grade = g + 1
    return grade
