"""The truth about a program: one step, one row at a time; True, False or None."""

import math

import numpy as np

from kernels import zones
from tests.reference.judge import both, either


def masks(steps, constants, columns, rows):
    """What each mask holds at the end, row by row."""
    found = {}
    for row in range(rows):
        registers = {}
        truths = {}
        for operation, out, a, b, at, is_turned in steps.tolist():
            constant = constants[at] if at < len(constants) else math.nan

            def number(operand, row=row, registers=registers):
                return columns[operand][row] if operand >= 0 else registers[~operand]

            if operation <= zones.FIRST:
                registers[out] = calculated(operation, a, b, number, constant)
            elif operation in (zones.WITH_BOUND, zones.WITH_OTHER):
                pair = (number(a), constant) if operation == zones.WITH_BOUND else (
                    number(a), number(b)
                )  # fmt: skip
                how = b if operation == zones.WITH_BOUND else at
                truths[out] = compared(how, *pair, is_turned)
            elif operation == zones.HAS_NUMBER:
                truths[out] = not math.isnan(number(a))
            else:
                truths[out] = combined(operation, truths.get(out), truths.get(a), a)
        for mask, truth in truths.items():
            found.setdefault(mask, []).append(truth)
    return found


def calculated(operation, a, b, number, constant):
    with np.errstate(all="ignore"):
        match operation:
            case zones.LOAD:
                return number(a)
            case zones.FILL:
                return constant
            case zones.ROUND:
                return float(np.float32(number(a)))
            case zones.NEGATE:
                return -number(a)
            case zones.ADD:
                return number(a) + number(b)
            case zones.SUBTRACT:
                return number(a) - number(b)
            case zones.MULTIPLY:
                return number(a) * number(b)
            case zones.FIRST:
                return number(b) if math.isnan(number(a)) else number(a)
            case _:
                quotient = float(np.float64(number(a)) / np.float64(number(b)))
                return quotient if math.isfinite(quotient) else math.nan


def compared(how, one, other, is_turned):
    if math.isnan(one) or math.isnan(other):
        return None
    found = [one < other, one <= other, one == other][how]
    return found != bool(is_turned)


def combined(operation, mine, other, a):
    match operation:
        case zones.AND:
            return both([mine, other])
        case zones.OR:
            return either([mine, other])
        case zones.NOT:
            return None if other is None else not other
        case zones.KNOWN:
            return other is not None
        case zones.OR_ELSE:
            return other if mine is None else mine
        case _:
            return [False, True, None][a]
