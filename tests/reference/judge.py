"""The truth about conditions: one row at a time, True, False or None, numbers or None."""

import math

import numpy as np

from rules import expression as ex


def truth(node, row):
    """True, False, or None when unknown; `row` maps features and attributes to their values."""
    match node:
        case ex.Compare(operators=operators, operands=operands):
            links = zip(operators, operands, operands[1:], strict=False)
            return both([compared(op, a, b, row) for op, a, b in links])
        case ex.And(items=items):
            return both([truth(item, row) for item in items])
        case ex.Or(items=items):
            return either([truth(item, row) for item in items])
        case ex.Not(operand=operand):
            inner = truth(operand, row)
            return None if inner is None else not inner
        case ex.Member(operand=operand, items=items):
            return either([compared("==", operand, item, row) for item in items])
        case ex.Known(operand=operand):
            known = truth(operand, row) if ex.is_condition(operand) else value(operand, row)
            return known is not None
        case ex.OrElse(first=first, second=second):
            found = truth(first, row)
            return truth(second, row) if found is None else found


def both(parts):
    if False in parts:
        return False
    return None if None in parts else True


def either(parts):
    if True in parts:
        return True
    return None if None in parts else False


def compared(operator, left, right, row):
    a, b = value(left, row), value(right, row)
    if a is None or b is None:
        return None
    if not isinstance(a, str):
        # In the precision of what was measured: a float32 reading of 0.7 is 0.7.
        narrow = np.float32 in (type(a), type(b))
        a, b = (np.float32(x) if narrow else float(x) for x in (a, b))
    return {
        "<": a < b,
        "<=": a <= b,
        ">": a > b,
        ">=": a >= b,
        "==": a == b,
        "!=": a != b,
    }[operator]


def value(node, row):
    """A number or a text; None when unknown."""
    match node:
        case ex.Number(value=number) | ex.Text(value=number):
            return number
        case ex.Feature() | ex.Attribute():
            found = row[node]
            is_nan = found is not None and not isinstance(found, str) and math.isnan(found)
            return None if is_nan else found
        case ex.Negate(operand=operand):
            inner = value(operand, row)
            return None if inner is None else -inner
        case ex.OrElse(first=first, second=second):
            found = value(first, row)
            return value(second, row) if found is None else found
        case ex.Arithmetic(operator=operator, left=left, right=right):
            a, b = value(left, row), value(right, row)
            if a is None or b is None or (operator == "/" and b == 0):
                return None
            return a + b if operator == "+" else a - b if operator == "-" else (
                a * b if operator == "*" else a / b
            )  # fmt: skip


def code(grades, row):
    """The sixteen bits of one row: when, when unknown, clear, clear unknown; blue the lowest."""
    bits = 0
    for grade in grades:
        when = truth(grade.when, row)
        clear = (
            truth(grade.clear, row)
            if grade.clear is not None
            else truth(ex.Not(grade.when, grade.when.place), row)
        )
        for at, found in (
            (0, when is True),
            (4, when is None),
            (8, clear is True),
            (12, clear is None),
        ):
            bits |= found << at + grade.grade - 1
    return bits
