"""The truth about sets: an unknown member could be anything, so every world is looked at."""

from itertools import product

import numpy as np

FURTHEST = (-np.inf, np.inf)


def worlds(members, choices, ignores):
    """Every way in which the unknown members (None) could turn out."""
    if ignores:
        return [[m for m in members if m is not None]]
    options = [choices if m is None else (m,) for m in members]
    return [list(world) for world in product(*options)]


def votes(members, ignores):
    found = [sum(world) for world in worlds(members, (False, True), ignores)]
    return float(min(found)), float(max(found))


def share(members, ignores):
    found = [world for world in worlds(members, (False, True), ignores) if world]
    if not found:
        return None
    shares = [sum(world) / len(world) for world in found]
    return min(shares), max(shares)


def quantified(members, how, ignores):
    """True, False, or None where the worlds do not agree, or where there is nobody to ask."""
    found = {how(world) for world in worlds(members, (False, True), ignores)}
    is_empty = not worlds(members, (False, True), ignores)[0]
    if how is all and is_empty:
        return None
    return found.pop() if len(found) == 1 else None


def gathered(members, how, ignores):
    """The least and greatest that a quantity could be; None where that says nothing."""
    if not members or (ignores and all(m is None for m in members)):
        return None
    if how == "mean_of":
        known = [m for m in members if m is not None]
        return (np.mean(known),) * 2 if ignores or len(known) == len(members) else None
    reduce = {"max_of": max, "min_of": min, "median_of": middle}[how]
    found = [reduce(world) for world in worlds(members, FURTHEST, ignores)]
    return min(found), max(found)


def middle(world):
    ordered = sorted(world)
    below, above = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return below if below == above else below / 2 + above / 2
