"""Judging at scale: 20 rules on a million sensors, beside a C loop of the same traffic and numpy.

Rules look at 12 columns of float32, in turns of 65 536 rows as in the engine; what is counted is
the processor time of the thread for each rule and sensor.

    plain     three comparisons joined by `and`, which half of all sensors meet: no block is quiet
    graded    ladders of four grades with hysteresis, `for` and `clear_for`; the machine of the
              latches included. So many of the sensors stand at some grade, and one in a hundred
              of those changes it between two ticks; at last, all stand and all change.
    quiet     the same ladders, where no value comes near

C keeps 6 bytes of state for each rule and sensor and one hold for all grades; it has no unknown, no
timer per grade, no episodes and says nothing. numpy finds the conditions only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from bench import floor
from bench.kernel_cost import spent_ns
from bench.ledger import Figure, Run, Target
from kernels import standing, sweep, vm, zones
from kernels.columns import aligned
from rules import expression as ex
from rules import program
from rules.errors import Place
from rules.graded import GradePlan
from rules.units import NUMBER

SEED = 20261127
SENSORS, QUICK_SENSORS = 1_000_000, 20_000
RULES, COLUMNS = 20, 12
REPETITIONS = 5
ROWS_AT_ONCE = 65_536
TICK_NS = 10_000_000_000
FOR_NS, CLEAR_FOR_NS = 3 * TICK_NS, 6 * TICK_NS
ROOM = 4096
UNIT = "ns/rule/sensor"
PLACE = Place("bench", 1, 1)
FEATURES = tuple(ex.Feature("mean", (number + 1,), NUMBER, PLACE) for number in range(COLUMNS))
ENTER, LEAVE = (1.0, 2.0, 3.0, 4.0), (0.5, 1.5, 2.5, 3.5)

Floats = npt.NDArray[np.float32]


def measure(*, is_quick: bool) -> Run:
    """All loads; each kernel in turns with what stands beside it."""
    run = Run("judging: 20 rules, thread CPU time", SEED)
    loops = floor.load()
    if loops is None:
        run.notes.append("no floor: there is no C compiler `cc` on this machine")
    sensors = QUICK_SENSORS if is_quick else SENSORS
    rng = np.random.default_rng(SEED)
    plain = Rules([_plain(number) for number in range(RULES)], sensors)
    noise = rng.normal(size=(COLUMNS, sensors)).astype(np.float32)
    calls = [partial(plain.weigh, noise)]
    beside = _conditions_in_c(loops, noise)
    run.figures += _pair("plain", calls, beside, sensors, 0.35)
    run.figures += _pair("plain, numpy", [partial(_conditions_in_numpy, noise)], [], sensors, None)
    for name, tables, bound in _loads(rng, sensors):
        graded = Rules([_ladder(number) for number in range(RULES)], sensors)
        states = _States(sensors) if loops else None
        turns = [partial(graded.judge, table) for table in tables]
        floors = [states.bind(loops, table) for table in tables] if loops and states else []
        if name == "quiet":
            floors = _bounds_in_c(loops, tables[0]) * len(tables)
        run.figures += _pair(name, turns, floors, sensors, bound)
        if name != "quiet":
            slow = [partial(_grades_in_numpy, tables[0])]
            run.figures += _pair(f"{name}, numpy", slow, [], sensors, None)
        said = graded.said
        run.notes.append(f"{name}: {said:,} changes of grade in {graded.ticks} ticks")
    return run


def _loads(rng: np.random.Generator, sensors: int) -> list[tuple[str, list[Floats], float | None]]:
    """Values of two ticks that take turns, and the bound of what judging them may cost."""
    calm = rng.uniform(0.0, 0.4, (COLUMNS, sensors)).astype(np.float32)
    high = rng.uniform(0.0, 4.5, (2, COLUMNS, sensors)).astype(np.float32)
    moves = rng.random((COLUMNS, sensors)) < 0.01
    loads: list[tuple[str, list[Floats], float | None]] = []
    for name, share, bound in (("1 %", 0.01, 1.5), ("10 %", 0.1, None)):
        stands = rng.random((COLUMNS, sensors)) < share
        first = np.where(stands, high[0], calm)
        other = np.where(stands & moves, high[1], first)
        loads.append((f"graded, {name} stand", [first, other], bound))
    loads.append(("graded, all stand and change", [high[0], high[1]], None))
    return [*loads, ("quiet", [calm, calm], 0.25)]


def _pair(
    name: str,
    calls: Sequence[Callable[[], object]],
    beside: Sequence[Callable[[], object]],
    sensors: int,
    bound: float | None,
) -> list[Figure]:
    """Repeat in turns; the first round is not counted."""
    took: list[float] = []
    floors: list[float] = []
    for repetition in range(REPETITIONS + 1):
        share = sensors * RULES * len(calls)
        mine = sum(spent_ns(call, _nothing) for call in calls) / share
        theirs = sum(spent_ns(call, _nothing) for call in beside) / share
        if repetition > 0:
            took.append(mine)
            floors.append(theirs)
    label = f"{name}, {RULES} rules × {sensors:,} sensors"
    target = None if bound is None else Target(bound, is_at_least=False)
    shown = floors if beside else []
    return [Figure(label, UNIT, took, "C loop" if shown else "", shown, target)]


def _nothing() -> None:
    """Nothing is done before a call."""


def _bound(value: float) -> ex.Number:
    return ex.Number(value, NUMBER, PLACE)


def _plain(number: int) -> tuple[GradePlan, ...]:
    """Three columns above a bound that each exceeds with 79 %: half of the sensors meet all."""
    parts = tuple(
        ex.Compare((">",), (FEATURES[(3 * number + k) % COLUMNS], _bound(-0.8)), PLACE)
        for k in range(3)
    )
    return (GradePlan(1, ex.And(parts, PLACE), None, 0, 0, None, None),)


def _ladder(number: int) -> tuple[GradePlan, ...]:
    value = FEATURES[number % COLUMNS]
    return tuple(
        GradePlan(
            grade,
            ex.Compare((">=",), (value, _bound(enter)), PLACE),
            ex.Compare(("<",), (value, _bound(leave)), PLACE),
            *(FOR_NS, CLEAR_FOR_NS, enter, leave),
        )
        for grade, (enter, leave) in enumerate(zip(ENTER, LEAVE, strict=True), 1)
    )


@dataclass(slots=True)
class _Columns:
    """What a rule remembers of every sensor."""

    latch: npt.NDArray[np.void]
    episode: npt.NDArray[np.void]
    due_ns: npt.NDArray[np.int64]
    watch: sweep.Watch


class Rules:
    """Some rules, with their program and their latches."""

    def __init__(self, grades: Sequence[tuple[GradePlan, ...]], sensors: int) -> None:
        graded = [program.Graded(0, (one,)) for one in grades]
        nodes = [column.node for column in program.columns_of(graded)]
        self.number = [FEATURES.index(node) for node in nodes if isinstance(node, ex.Feature)]
        self.program = program.compiled(graded, [True] * len(self.number))
        self.registers = program.registers_for(self.program, len(self.number))
        self.bits = np.zeros((len(grades), ROWS_AT_ONCE // zones.LANES, 16), np.uint64)
        self.terms = np.zeros(1, standing.TERMS)
        self.terms["exists"] = 0x0F
        self.terms["for_ns"], self.terms["clear_for_ns"] = FOR_NS, CLEAR_FOR_NS
        self.terms["stale_ns"] = self.terms["blind_ns"] = standing.FOREVER_NS
        self.changes = np.zeros(ROOM, standing.CHANGE)
        self.sensors = sensors
        self.states: list[_Columns] = []
        self.ticks = self.said = 0

    def _begin(self) -> None:
        for _ in range(len(self.program.rules)):
            state = _Columns(
                aligned(self.sensors, standing.LATCH),
                aligned(self.sensors, standing.EPISODE),
                aligned(self.sensors, np.dtype(np.int64)),
                sweep.watch_of(self.sensors),
            )
            standing.forget(state.latch, state.episode, state.due_ns, 0, self.sensors)
            self.states.append(state)
            sweep.wake(state.latch, state.due_ns, self.terms, state.watch)

    def weigh(self, table: Floats) -> None:
        """The conditions alone."""
        for start in range(0, self.sensors, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, self.sensors - start)
            blocks = -(-rows // zones.BLOCK)
            self._weigh(table, start, rows, np.zeros((len(self.bits), blocks), np.uint8))

    def _weigh(
        self, table: Floats, start: int, rows: int, stirring: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint8]:
        places = [(table[number, start:].ctypes.data, 4) for number in self.number]
        columns = np.array(places, np.int64).T.copy()
        is_loud = np.empty_like(stirring)
        vm.weigh(self.program, columns, rows, stirring, self.registers, self.bits, is_loud)
        return is_loud

    def judge(self, table: Floats) -> None:
        """One tick: the conditions, and what becomes of the grades."""
        if not self.states:
            self._begin()
        self.ticks += 1
        end_ns = self.ticks * TICK_NS
        for start in range(0, self.sensors, ROWS_AT_ONCE):
            rows = np.arange(start, min(start + ROWS_AT_ONCE, self.sensors))
            stirring = np.empty((len(self.bits), -(-rows.size // zones.BLOCK)), np.uint8)
            for state, stirs in zip(self.states, stirring, strict=True):
                sweep.find_stirring(state.watch.awake, rows, stirs)
            is_loud = self._weigh(table, start, rows.size, stirring)
            for number, state in enumerate(self.states):
                if is_loud[number].any():
                    value = table[number % COLUMNS, start : start + rows.size].view()
                    self._sweep(state, number, rows, (end_ns, value, is_loud[number]))

    def _sweep(
        self,
        state: _Columns,
        number: int,
        rows: npt.NDArray[np.int64],
        what: tuple[int, npt.NDArray[np.float64], npt.NDArray[np.uint8]],
    ) -> None:
        end_ns, value, is_loud = what
        # As the engine hands it over: a column that is not written to.
        value.flags.writeable = False
        done = 0
        while done < rows.size:
            done, count = sweep.apply_blocks(
                *(state.latch, state.episode, state.due_ns, self.terms, state.watch, rows),
                *(end_ns, end_ns + TICK_NS, value, self.bits[number], is_loud),
                *(done, self.changes),
            )
            self.said += count


class _States:
    """What the loop in C remembers, and its clock."""

    def __init__(self, sensors: int) -> None:
        self.wish = np.zeros((RULES, sensors), np.uint8)
        self.grade = np.zeros((RULES, sensors), np.uint8)
        self.since = np.zeros((RULES, sensors), np.int32)
        self.ticks = 0

    def bind(self, loops: floor.Floor, table: Floats) -> Callable[[], object]:
        """One tick in C."""
        column_of = np.arange(RULES, dtype=np.int64) % COLUMNS
        enter, leave = np.array(ENTER, np.float32), np.array(LEAVE, np.float32)

        def tick() -> None:
            self.ticks += 1
            loops.bind(
                "floor_grades",
                *(table, table.shape[1], column_of, enter, leave, RULES, self.ticks, 3),
                *(self.wish, self.grade, self.since),
            )()

        return tick


def _conditions_in_c(loops: floor.Floor | None, table: Floats) -> list[Callable[[], object]]:
    if loops is None:
        return []
    column_of = np.array([(3 * r + k) % COLUMNS for r in range(RULES) for k in range(3)])
    bound_of = np.full(3 * RULES, -0.8, np.float32)
    out = np.zeros(zones.BLOCK, np.uint8)
    return [loops.bind("floor_conditions", table, table.shape[1], column_of, bound_of, RULES, out)]


def _bounds_in_c(loops: floor.Floor | None, table: Floats) -> list[Callable[[], object]]:
    if loops is None:
        return []
    return [loops.bind("floor_bounds", table, table.shape[1], COLUMNS, np.zeros(16, np.float32))]


def _conditions_in_numpy(table: Floats) -> None:
    for start in range(0, table.shape[1], ROWS_AT_ONCE):
        part = table[:, start : start + ROWS_AT_ONCE]
        for r in range(RULES):
            a, b, c = (part[(3 * r + k) % COLUMNS] for k in range(3))
            _ = (a > -0.8) & (b > -0.8) & (c > -0.8)


def _grades_in_numpy(table: Floats) -> None:
    for start in range(0, table.shape[1], ROWS_AT_ONCE):
        part = table[:, start : start + ROWS_AT_ONCE]
        for r in range(RULES):
            value = part[r % COLUMNS]
            code = np.zeros(value.size, np.uint16)
            for k in range(4):
                code |= (value >= ENTER[k]).astype(np.uint16) << np.uint16(k)
                code |= (value < LEAVE[k]).astype(np.uint16) << np.uint16(k + 8)
