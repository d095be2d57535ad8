"""How many bookings, and how many days, gates take to decide: what is known before a rollout begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from assignment_pipeline.rollout.control.phases import ERROR
from assignment_pipeline.rollout.control.sequential import (
    MOSTLY_GOOD,
    MOSTLY_NOT,
    log_evidence,
    log_evidence_of_difference,
)

POWER = 0.8
"""How often what is good enough is to pass with so many bookings."""

_MOST = 10**8


def bookings_for_one_look(margin: float, rate: float = 0.95, *, error: float = ERROR, power: float = POWER) -> int:
    """
    How many bookings on each side show that one of two equal planners is not worse by *margin*, for who looks once.

    S.-C. Chow, J. Shao, H. Wang, "Sample Size Calculations in Clinical Research", 2nd edition, 2008, section 4.2.2. No
    gate decides by it: people look before the end. It says what looking at any time costs.

    Args:
        margin: By how much it may be worse, above 0.

        rate: The share of both that is confirmed.

        error: How often a planner that is worse by *margin* is to pass, at most.

        power: How often an equal one is to.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - error) + normal.inv_cdf(power)
    return math.ceil(2 * rate * (1 - rate) * (z / margin) ** 2)


def bookings_to_compare(
    margin: float, rate: float = 0.95, *, others: float = 1.0, error: float = ERROR, power: float = POWER
) -> int | None:
    """
    How many bookings of its own show that a planner that is as good as another is not worse by *margin*, at any look.

    Args:
        margin: By how much it may be worse, above 0.

        rate: The share of both that is confirmed.

        others: How many bookings the other planner has for each of its own.

        error: How often a planner that is worse by *margin* ever passes, at most.

        power: How often an equal one has passed by then; a little more often, as it may pass before.

    Returns:
        None where it takes more than a hundred million.
    """
    low = NormalDist().inv_cdf(power)

    def shows(bookings: int) -> bool:
        theirs = round(bookings * others)
        spread = math.sqrt(rate * (1 - rate) * (1 / bookings + 1 / theirs))
        # The power's share of all differences is above this one. Most of it is the smaller side's.
        worse = low * spread
        own_part = max(0.0, min(1.0, rate - worse * others / (1 + others)))
        other_part = max(0.0, min(1.0, rate + worse / (1 + others)))
        if own_part - other_part <= -margin:
            return False
        one, other = (round(own_part * bookings), bookings), (round(other_part * theirs), theirs)
        return log_evidence_of_difference(one, other, -margin) >= -math.log(error)

    return _least(shows)


def bookings_to_show(
    rate: float, limit: float, *, at_least: bool = True, error: float = ERROR, power: float = POWER
) -> int | None:
    """
    How many bookings show at any look that a rate is at least, or at most, *limit*.

    Args:
        rate: The true rate.

        limit: What is to be shown: a criterion's threshold less its margin.

        at_least: Whether *limit* is the least that it may be, or the most.

        error: How often it is ever shown although it is not so, at most.

        power: How often it has been shown by then.

    Returns:
        None where *rate* is not on the right side of *limit*, or it takes more than a hundred million.
    """
    if (rate <= limit) if at_least else (rate >= limit):
        return None
    sign = -1 if at_least else 1
    low, prior = NormalDist().inv_cdf(power), MOSTLY_GOOD if at_least else MOSTLY_NOT

    def shows(bookings: int) -> bool:
        found = rate + sign * low * math.sqrt(rate * (1 - rate) / bookings)
        if (found <= limit) if at_least else (found >= limit):
            return False
        return log_evidence(round(found * bookings), bookings, limit, prior) >= -math.log(error)

    return _least(shows)


def _least(shows: Callable[[int], bool]) -> int | None:
    """The least number that shows it; what shows it is shown by more, too, up to rounding."""
    many = 16
    while not shows(many):
        many *= 2
        if many > _MOST:
            return None
    few = many // 2
    while many - few > max(1, few // 200):
        middle = (few + many) // 2
        few, many = (few, middle) if shows(middle) else (middle, many)
    return many
