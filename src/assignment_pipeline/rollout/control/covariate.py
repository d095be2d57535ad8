"""Each restaurant's own past as a covariate: what it explains is taken out before two planners are compared."""

from __future__ import annotations

from collections.abc import Mapping

from assignment_pipeline.rollout.control.sequential import Counted

FEWEST = 10
"""Restaurants with a past that it takes, to say how much the past explains."""

ENOUGH = 20
"""Bookings that each of them has to have in either half of it."""


def explained_by(earlier: Mapping[str, Counted], later: Mapping[str, Counted]) -> dict[str, float]:
    """
    How far each restaurant's rate is expected above that of all, by its own past.

    CUPED: A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data", Proceedings of WSDM 2013, pp. 123 to 132. Of a restaurant with the rate x in its
    past, and x̄ that of all of them, it is θ (x - x̄); an outcome y counts as y - θ (x - x̄). With θ = 1 that is the
    difference in differences, with θ = 0 nothing is adjusted.

    Here θ is the slope of the later half of the past on the earlier one, by least squares with the later bookings as
    weights, from 0 to 1. So it is fixed before anything is compared. Whatever it is, restaurants that are drawn by
    chance are expected to have the same past on both sides, and the adjusted difference is as valid at every look as
    the other.

    Args:
        earlier: What was confirmed at each restaurant in the first half of its past, and of how many.

        later: The same of the second half.

    Returns:
        By restaurant, from -1 to 1; one that is missing has no past, and nothing of it is explained. Empty if fewer
        than `FEWEST` restaurants have `ENOUGH` bookings in each half.
    """
    both = [name for name in earlier.keys() & later.keys() if min(earlier[name][1], later[name][1]) >= ENOUGH]
    if len(both) < FEWEST:
        return {}
    whole = sum(later[name][1] for name in both)
    weights = {name: later[name][1] / whole for name in both}
    first, second = ({name: half[name][0] / half[name][1] for name in both} for half in (earlier, later))
    mean, other = (sum(weights[name] * rates[name] for name in both) for rates in (first, second))
    spread = sum(weights[name] * (first[name] - mean) ** 2 for name in both)
    together = sum(weights[name] * (first[name] - mean) * (second[name] - other) for name in both)
    slope = min(max(together / spread, 0.0), 1.0) if spread else 0.0
    past = {name: (earlier[name][0] + later[name][0], earlier[name][1] + later[name][1]) for name in both}
    of_all = sum(part for part, _ in past.values()) / sum(many for _, many in past.values())
    return {name: slope * (part / many - of_all) for name, (part, many) in past.items()}
