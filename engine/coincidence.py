"""Coincidence: whether triggers in space and time could be one wave, and what they enclose.

A wave of one speed starts at one place at one time, and reaches each station after its distance
over that speed.  Places on a grid around the stations are tried with a few speeds; the start time
is the middle of what the stations say.  A trigger fits when it is within `TOLERANCE_S` of its
arrival.  Many triggers at the same instant fit no wave: it would have to be everywhere at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.geography import metres_between

Floats = NDArray[np.float64]

# Detectors on short windows are about that late or early, and so is a straight ray.
TOLERANCE_S = 1.0
# Places tried along each axis: three times 60 km in steps of 6 km are 0.7 s at 8.5 km/s.
PLACES = 31
SPEEDS = 6
REFINEMENTS = 3
# Places from which the way goes down: the stations that were first, and the best of the grid.
STARTS = 4
DESCENTS = 40
# How far beyond the stations the wave may have begun, as a share of their extent.
MARGIN = 1.0
METRES_PER_DEGREE = 111_195.0
CORNERS = 16


@dataclass(frozen=True, slots=True)
class Wave:
    """The wave that most triggers fit; `fits` bool[n] says which."""

    fits: NDArray[np.bool_]
    lat: float
    lon: float
    speed_m_s: float
    start_s: float


def fit_wave(lat: Floats, lon: Floats, time_s: Floats, speeds_m_s: tuple[float, float]) -> Wave:
    """Find the wave that most triggers fit, and of those the one that fits them best.

    lat, lon  float64[n]  degrees
    time_s    float64[n]  seconds after any common instant
    """
    assert lat.size == lon.size == time_s.size > 0
    triggers = lat, lon, time_s
    speeds = np.linspace(*speeds_m_s, SPEEDS)
    first = np.argsort(time_s, kind="stable")[:STARTS]
    starts = [(float(lat[n]), float(lon[n])) for n in first]
    found = [_search(triggers, speeds, for_all=True)]
    if not found[0].fits.all():
        found.append(_search(triggers, speeds, for_all=False))
        starts += [(wave.lat, wave.lon) for wave in found]
        found += [_descended(triggers, start, speeds_m_s) for start in starts]
    return max(found, key=lambda wave: int(wave.fits.sum()))


def _descended(
    triggers: tuple[Floats, Floats, Floats],
    start: tuple[float, float],
    speeds_m_s: tuple[float, float],
) -> Wave:
    """Go down from a place to where the squares of the misses are least (Levenberg, Marquardt)."""
    lat, lon, time_s = triggers
    east = METRES_PER_DEGREE * np.cos(np.radians(start[0]))
    x, y = (lon - start[1]) * east, (lat - start[0]) * METRES_PER_DEGREE
    slowness = np.array([1 / speeds_m_s[1], 1 / speeds_m_s[0]])
    # East and north in the distance of a second at the greatest speed; start; seconds of that.
    at = np.array([1.0, 1.0, float(time_s.min()), float(slowness.mean())])
    damping, miss = 1.0, np.inf
    for _ in range(DESCENTS):
        away = np.hypot(at[0] - x, at[1] - y) + 1.0
        off = time_s - at[2] - at[3] * away
        sides = (at[3] * (at[0] - x) / away, at[3] * (at[1] - y) / away, np.ones(x.size), away)
        slope = np.stack(sides, axis=1)
        scale = np.array([speeds_m_s[1], speeds_m_s[1], 1.0, slowness[0]])
        matrix = slope * scale
        normal = matrix.T @ matrix
        step = np.linalg.solve(normal + damping * np.eye(4), matrix.T @ off) * scale
        trial = at + step
        trial[3] = np.clip(trial[3], *slowness)
        left = time_s - trial[2] - trial[3] * (np.hypot(trial[0] - x, trial[1] - y) + 1.0)
        if float(left @ left) < miss:
            at, miss, damping = trial, float(left @ left), damping / 3
        else:
            damping *= 4
    place = start[0] + at[1] / METRES_PER_DEGREE, start[1] + at[0] / east
    travel = metres_between(*place, lat, lon) * at[3]
    begun = float(at[2])
    fits = np.abs(time_s - travel - begun) <= TOLERANCE_S
    return Wave(fits, *place, 1 / float(at[3]), begun)


def _search(triggers: tuple[Floats, Floats, Floats], speeds: Floats, *, for_all: bool) -> Wave:
    """The wave that misses all triggers least, or that most of them fit; finer and finer."""
    bounds = [_margins(triggers[0]), _margins(triggers[1])]
    for _ in range(REFINEMENTS):
        grids = [np.linspace(*bound, PLACES) for bound in bounds]
        found = _best(grids, speeds, triggers, for_all=for_all)
        # Again, between the neighbours of the best place.
        lat_step, lon_step = (2 * float(grid[1] - grid[0]) for grid in grids)
        bounds = [
            (found.lat - lat_step, found.lat + lat_step),
            (found.lon - lon_step, found.lon + lon_step),
        ]
    return found


def _best(
    grids: list[Floats],
    speeds: Floats,
    triggers: tuple[Floats, Floats, Floats],
    *,
    for_all: bool,
) -> Wave:
    """The best wave that begins on a grid."""
    lat, lon, time_s = triggers
    lats, lons = (column.ravel() for column in np.meshgrid(*grids, indexing="ij"))
    away = np.array([metres_between(a, b, lat, lon) for a, b in zip(lats, lons, strict=True)])
    left = time_s - away[:, np.newaxis, :] / speeds[np.newaxis, :, np.newaxis]
    # The middle one suits most triggers where some are strays, the middle of all where none is.
    middle = (left.min(axis=2) + left.max(axis=2)) / 2
    begun = middle if for_all else np.median(left, axis=2)
    off = np.abs(left - begun[:, :, np.newaxis])
    fits = off <= TOLERANCE_S
    count = fits.sum(axis=2)
    misfit = np.where(fits, off, 0.0).sum(axis=2) / np.maximum(count, 1)
    keys = (off.max(axis=2).ravel(),) if for_all else (misfit.ravel(), -count.ravel())
    place, speed = np.unravel_index(np.lexsort(keys)[0], count.shape)
    return Wave(
        fits[place, speed],
        *(float(lats[place]), float(lons[place])),
        *(float(speeds[speed]), float(begun[place, speed])),
    )


def _margins(column: Floats) -> tuple[float, float]:
    """Over the stations, and as far around them again."""
    low, high = float(column.min()), float(column.max())
    margin = max(MARGIN * (high - low), 0.1)
    return low - margin, high + margin


def extent_m(lat: Floats, lon: Floats) -> float:
    """The diagonal of the box around some places, in metres."""
    if not lat.size:
        return 0.0
    there = metres_between(float(lat.min()), float(lon.min()), lat.max()[None], lon.max()[None])
    return float(there[0])


def hull(lat: Floats, lon: Floats, buffer_m: float) -> list[list[float]]:
    """The convex hull of circles around some places, anticlockwise as [lon, lat], closed.

    Circles are drawn with 16 corners, so the hull falls short of the buffer by 2 % at most.
    """
    turns = np.arange(CORNERS) * 2 * np.pi / CORNERS
    north = buffer_m * np.sin(turns) / METRES_PER_DEGREE
    east = buffer_m * np.cos(turns) / METRES_PER_DEGREE
    points = sorted(
        {
            (round(float(b + e / np.cos(np.radians(a))), 5), round(float(a + n), 5))
            for a, b in zip(lat, lon, strict=True)
            for n, e in zip(north, east, strict=True)
        }
    )
    if len(points) < 3:
        return [list(point) for point in [*points, *points[:1]]]
    ring = _half(points)[:-1] + _half(points[::-1])[:-1]
    return [list(point) for point in [*ring, ring[0]]]


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """One side of the hull (Andrew's monotone chain)."""
    chain: list[tuple[float, float]] = []
    for point in points:
        while len(chain) >= 2 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
