"""What a reading means for each grade, said one comparison at a time."""

import numpy as np

Condition = bool | None
FOLDED, LATE, OVER, UNDER = 0, 1, 4, 5


def compare(value: float, threshold: float | None, is_up: bool) -> Condition:
    """Whether a value has reached a threshold, going up or going down; None: who knows."""
    if threshold is None:
        return None
    limit = type(value)(threshold)
    return bool(value >= limit) if is_up else bool(value <= limit)


def invert(condition: Condition) -> Condition:
    return None if condition is None else not condition


def meaning(
    value: np.floating,
    enter: list[float | None],
    clear: list[float | None],
    is_above: bool,
) -> list[tuple[Condition, Condition]]:
    """Of each grade: whether it is entered, whether it is cleared."""
    return [
        (compare(value, up, is_above), invert(compare(value, down, is_above)))
        for up, down in zip(enter, clear, strict=True)
    ]


def judged(
    outcome: int,
    value: np.floating,
    ladder: tuple[list[float | None], list[float | None], bool],
    over: str,
    over_grade: int,
    under: str,
) -> list[tuple[Condition, Condition]] | None:
    """What a reading of any outcome means; None: it does not count."""
    if outcome in (FOLDED, LATE):
        return meaning(value, *ladder)
    policy = {OVER: over, UNDER: under}.get(outcome, "ignore")
    if policy == "ignore":
        return None
    if policy == "raise":
        return [(True, False) if g < over_grade else (None, None) for g in range(4)]
    return [(None, None)] * 4
