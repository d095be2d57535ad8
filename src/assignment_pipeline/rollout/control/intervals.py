"""How far a rate that was counted may be from the true one."""

from __future__ import annotations

import math
from fractions import Fraction

Z = 1.959963984540054
"""The standard normal's 97.5th percentile: what 95 % confidence on both sides comes to."""


def wilson(part: int, whole: int) -> tuple[float, float]:
    """
    The 95 % score interval of *part* of *whole*.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), pp. 209 to 212; without a correction for continuity.

    Args:
        part: How many of them.

        whole: Of how many; of none, nothing is known.

    Returns:
        The lower and the upper bound, from 0 to 1.
    """
    if whole == 0:
        return 0.0, 1.0
    share, square = part / whole, Z * Z
    middle = (share + square / (2 * whole)) / (1 + square / whole)
    spread = Z / (1 + square / whole) * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    # At the ends, the formula says so itself, up to rounding.
    low = 0.0 if part == 0 else max(0.0, middle - spread)
    high = 1.0 if part == whole else min(1.0, middle + spread)
    return low, high


def difference(part: int, whole: int, other_part: int, other_whole: int) -> float | None:
    """
    The first share less the other; None where one of them is of nothing.

    As near to the true one as a float is: a point is a point, however it came about.
    """
    if not whole or not other_whole:
        return None
    return float(Fraction(part, whole) - Fraction(other_part, other_whole))


def newcombe(part: int, whole: int, other_part: int, other_whole: int) -> tuple[float, float]:
    """
    The 95 % interval of the difference of two shares, the first less the other.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), pp. 873 to 890, method 10: made of the Wilson intervals of both.

    Returns:
        The lower and the upper bound, from -1 to 1.
    """
    if whole == 0 or other_whole == 0:
        return -1.0, 1.0
    one, other = part / whole, other_part / other_whole
    low, high = wilson(part, whole)
    other_low, other_high = wilson(other_part, other_whole)
    below = math.hypot(one - low, other_high - other)
    above = math.hypot(high - one, other - other_low)
    return max(-1.0, one - other - below), min(1.0, one - other + above)
