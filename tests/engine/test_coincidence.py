"""Waves beside a slow search, and hulls beside their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clusters import FITTING_SHARE
from engine.coincidence import TOLERANCE_S, extent_m, fit_wave, hull
from engine.geography import EARTH_RADIUS_M, metres_between

SPEEDS = (3_000.0, 8_500.0)
places = st.tuples(st.floats(35.0, 35.6), st.floats(105.0, 105.6))


def slow_metres(one, other):
    """The spherical law of cosines; exact enough beyond a hundred metres."""
    a, b = (np.radians(place) for place in (one, other))
    cosine = np.sin(a[0]) * np.sin(b[0]) + np.cos(a[0]) * np.cos(b[0]) * np.cos(a[1] - b[1])
    return EARTH_RADIUS_M * np.arccos(np.clip(cosine, -1, 1))


@given(places, places)
def test_distances_are_those_of_the_sphere(one, other):
    found = metres_between(*one, np.array([other[0]]), np.array([other[1]]))[0]

    assert found == pytest.approx(slow_metres(one, other), abs=1.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(places, min_size=4, max_size=8, unique=True),
    places,
    st.floats(3_500, 8_000),
    st.floats(-5, 5),
)
def test_a_true_wave_is_found(stations, source, speed, begun):
    """Every station of a real wave fits it, wherever inside or beside the stations it began."""
    lat, lon = (np.array(column) for column in zip(*stations, strict=True))
    times = np.array([begun + slow_metres(source, place) / speed for place in stations])

    wave = fit_wave(lat, lon, times, SPEEDS)

    assert wave.fits.all()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(places, st.floats(0, 20)), min_size=4, max_size=7, unique_by=lambda x: x[0])
)
def test_what_is_said_to_fit_does(triggers):
    """The definition: within a second of the arrival of the wave that was found."""
    lat, lon = (np.array([place[axis] for place, _ in triggers]) for axis in (0, 1))
    times = np.array([time for _, time in triggers])

    wave = fit_wave(lat, lon, times, SPEEDS)

    for (place, time), fits in zip(triggers, wave.fits, strict=True):
        away = slow_metres((wave.lat, wave.lon), place)
        off = abs(time - wave.start_s - away / wave.speed_m_s)
        assert fits == (off <= TOLERANCE_S) or off == pytest.approx(TOLERANCE_S, abs=1e-2)
    assert SPEEDS[0] <= wave.speed_m_s <= SPEEDS[1]


def test_instants_that_are_all_the_same_fit_no_wave_over_a_wide_network():
    row, column = np.divmod(np.arange(25), 5)
    lat, lon = 35.0 + 0.18 * row, 105.0 + 0.22 * column

    wave = fit_wave(lat, lon, np.zeros(25), SPEEDS)

    assert wave.fits.sum() < FITTING_SHARE * 25


@given(st.lists(places, min_size=1, max_size=8), st.floats(1_000, 50_000))
def test_a_hull_goes_around_every_place_with_its_buffer(stations, buffer_m):
    """Closed, anticlockwise, and every place is inside by about the buffer."""
    lat, lon = (np.array(column) for column in zip(*stations, strict=True))

    ring = np.array(hull(lat, lon, buffer_m))

    assert ring[0].tolist() == ring[-1].tolist()
    step = np.diff(ring, axis=0)
    assert (step[:, 0] * np.roll(step[:, 1], -1) - step[:, 1] * np.roll(step[:, 0], -1) > 0).all()
    for place in zip(lat, lon, strict=True):
        to = np.array([place[1], place[0]]) - ring[:-1]
        across = (step[:, 0] * to[:, 1] - step[:, 1] * to[:, 0]) / np.hypot(*step.T)
        # Degrees of longitude are shorter than those of latitude; the corners cut off 2 %.
        assert across.min() * 111_195.0 > 0.9 * buffer_m - 10


def test_nothing_is_as_wide_as_nothing():
    assert extent_m(np.empty(0), np.empty(0)) == 0.0
