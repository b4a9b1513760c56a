"""Geography: how far places are from each other."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_M = 6_371_008.8


def metres_between(lat: float, lon: float, lats: Floats, lons: Floats) -> Floats:
    """Distance on the sphere from one place to many, in metres; NaN where a place is not known.

    lats, lons  float64[n]  degrees, as lat and lon

    Haversine: exact to rounding also for neighbours; the Earth is no sphere by at most 0.56 %.
    Source: Sinnott 1984, Sky and Telescope 68(2), 159.
    """
    half_lat = np.radians(lats - lat) / 2
    half_lon = np.radians(lons - lon) / 2
    across = np.cos(np.radians(lat)) * np.cos(np.radians(lats))
    h = np.sin(half_lat) ** 2 + across * np.sin(half_lon) ** 2
    found: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(h, 1.0)))
    return found
