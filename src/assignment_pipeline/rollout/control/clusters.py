"""What bookings are worth that come from few restaurants: those of one resemble each other."""

from __future__ import annotations

from collections.abc import Sequence

from assignment_pipeline.rollout.control.sequential import Counted


def correlation(*sides: Sequence[Counted]) -> float:
    """
    How much bookings of one restaurant resemble each other: 0 where they do no more than those of any two.

    The estimator of the intraclass correlation from an analysis of variance, for restaurants of different sizes, with
    one rate for each side: A. Donner, "A review of inference procedures for the intraclass correlation coefficient in
    the one-way random effects model", International Statistical Review 54 (1986), pp. 67 to 82.

    Args:
        sides: What was counted at each restaurant, for each side of a comparison. All of them tell of one correlation:
            three restaurants on one side borrow from thirty on the other.

    Returns:
        From 0 to 1; 0 where there are no two restaurants on any side.
    """
    between = within = sizes = bookings = 0.0
    degrees = restaurants = 0
    for side in sides:
        counted = [each for each in side if each[1]]
        total = sum(whole for _, whole in counted)
        if not counted:
            continue
        rate = sum(part for part, _ in counted) / total
        between += sum(whole * (part / whole - rate) ** 2 for part, whole in counted)
        within += sum(part * (1 - part / whole) for part, whole in counted)
        sizes += total - sum(whole * whole for _, whole in counted) / total
        degrees += len(counted) - 1
        bookings += total
        restaurants += len(counted)
    if not degrees or bookings == restaurants:
        return 0.0
    among, inside, size = between / degrees, within / (bookings - restaurants), sizes / degrees
    spread = among + (size - 1) * inside
    return min(max((among - inside) / spread, 0.0), 1.0) if spread > 0 else 0.0


def design_effect(side: Sequence[Counted], alike: float) -> float:
    """
    How many bookings of these restaurants are worth one that is independent of the others: 1 and more.

    J. N. K. Rao, A. J. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48 (1992),
    pp. 577 to 585: counts that are divided by it are treated as if they were independent.

    Args:
        side: What was counted at each restaurant.

        alike: How much bookings of one restaurant resemble each other: see `correlation`.
    """
    total = sum(whole for _, whole in side)
    if not total:
        return 1.0
    size = sum(whole * whole for _, whole in side) / total
    return 1 + max(size - 1, 0.0) * alike
