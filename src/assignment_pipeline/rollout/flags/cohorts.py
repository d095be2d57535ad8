"""Which restaurants a percentage covers."""

from __future__ import annotations

import hashlib
import re

from assignment_pipeline.errors import InvalidValueError

BUCKETS = 10_000
"""How many buckets there are: one for each basis point, a hundredth of a percent."""

_PERCENTAGE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")


def bucket(restaurant_id: str, salt: str) -> int:
    """
    Where a restaurant stands in the cohorts: a rollout at so many basis points covers all lower buckets.

    Never changes, so that a rising percentage only ever adds restaurants.

    Args:
        restaurant_id: The restaurant.

        salt: Names the rollout, in at most 64 bytes. Rollouts with different salts draw independently.

    Returns:
        A number from 0 to 9,999.
    """
    # As the key, the salt cannot run into the id: ("a", "bc") and ("ab", "c") are two pairs.
    digest = hashlib.blake2b(restaurant_id.encode(), key=salt.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def basis_points(text: str) -> int:
    """
    A percentage, from 0 to 100 with at most two decimals, as a whole number of basis points.

    Raises:
        ValueError: It is something else.
    """
    match = _PERCENTAGE.fullmatch(text)
    points = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else None
    if points is None or points > BUCKETS:
        raise InvalidValueError("", "a percentage from 0 to 100 with at most two decimals", repr(text))
    return points


def percentage(points: int) -> str:
    """The same the other way round: 1,250 is ``12.5``."""
    return f"{points // 100}.{points % 100:02}".rstrip("0").rstrip(".")
