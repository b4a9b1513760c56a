"""Coincidence: whether triggers in space and time could be one wave, and what they enclose.

A wave of one speed starts at one place at one time, and reaches each station after its distance
over that speed.  Places on a grid around the stations are tried with a few speeds; the start time
is the median of what the stations say.  A trigger fits when it is within `TOLERANCE_S` of its
arrival.  Many triggers at the same instant fit no wave: it would have to be everywhere at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.geography import metres_between

Floats = NDArray[np.float64]

# Detectors on short windows are about that late or early, and so is a straight ray.
TOLERANCE_S = 1.0
# Places tried along each axis: with a radius of 60 km, every 12 km, 1.4 s at 8.5 km/s.
PLACES = 21
SPEEDS = 6
REFINEMENTS = 3
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
    speeds = np.linspace(*speeds_m_s, SPEEDS)
    bounds = [_margins(lat), _margins(lon)]
    best = None
    for _ in range(REFINEMENTS):
        grids = [np.linspace(*bound, PLACES) for bound in bounds]
        found = _best(grids, speeds, (lat, lon, time_s))
        if best is None or _rank(found) < _rank(best):
            best = found
        # Again, between the neighbours of the best place.
        steps = [grid[1] - grid[0] for grid in grids]
        bounds = [(best[1].lat - steps[0], best[1].lat + steps[0])]
        bounds.append((best[1].lon - steps[1], best[1].lon + steps[1]))
    assert best is not None
    return best[1]


def _rank(found: tuple[float, Wave]) -> tuple[int, float]:
    return -int(found[1].fits.sum()), found[0]


def _best(
    grids: list[Floats], speeds: Floats, triggers: tuple[Floats, Floats, Floats]
) -> tuple[float, Wave]:
    """The best wave that begins on a grid, and by how much it misses, in seconds."""
    lat, lon, time_s = triggers
    lats, lons = (column.ravel() for column in np.meshgrid(*grids, indexing="ij"))
    away = np.array([metres_between(a, b, lat, lon) for a, b in zip(lats, lons, strict=True)])
    travel = away[:, np.newaxis, :] / speeds[np.newaxis, :, np.newaxis]
    begun = np.median(time_s - travel, axis=2)
    off = np.abs(time_s - travel - begun[:, :, np.newaxis])
    fits = off <= TOLERANCE_S
    count = fits.sum(axis=2)
    misfit = np.where(fits, off, 0.0).sum(axis=2) / np.maximum(count, 1)
    place, speed = np.unravel_index(np.lexsort((misfit.ravel(), -count.ravel()))[0], count.shape)
    wave = Wave(
        fits[place, speed],
        *(float(lats[place]), float(lons[place])),
        *(float(speeds[speed]), float(begun[place, speed])),
    )
    return float(misfit[place, speed]), wave


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
