"""The truth about the bounds of a block: look at every number."""

import math


def bounds(numbers):
    """The least and the greatest number, and whether any is missing."""
    there = [x for x in numbers if not math.isnan(x)]
    return min(there, default=math.inf), max(there, default=-math.inf), len(there) < len(numbers)
