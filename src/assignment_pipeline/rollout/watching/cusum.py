"""The test for a change: from a rate that is healthy to one that is to be caught."""

from __future__ import annotations

import math

import attrs

_ENDLESS = 60
_AGAIN = 24  # So many good bookings, one after the other, end any alarm.


@attrs.frozen(kw_only=True)
class Cusum:
    """
    The cumulative sum of E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954), pp. 100 to 115.

    Each booking adds how much likelier it is under the rate that is to be caught than under the healthy one. The sum
    never falls below 0: it goes back to the likeliest change. No test with as few false alarms is quicker in the worst
    case: G. Lorden, "Procedures for reacting to a change in distribution", Annals of Mathematical Statistics 42 (1971),
    pp. 1897 to 1908.

    Attributes:
        bad: What a bad booking adds.

        good: What a good one adds: less than 0.

        limit: The alarm is at that sum.
    """

    bad: float
    good: float
    limit: float

    @classmethod
    def of(cls, healthy: float, caught: float, *, every: float) -> Cusum:
        """
        The test with a false alarm once in so many bookings on average.

        Its limit is that of M. R. Reynolds, Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting
        continuously", Journal of Quality Technology 31 (1999), pp. 87 to 108: the diffusion that has the same drift,
        corrected for the steps in which the sum goes.

        Args:
            healthy: The share of bad bookings while all is well, above 0.

            caught: The share that is to be caught, above *healthy* and below 1.

            every: How many bookings, while all is well, to a false alarm.
        """
        bad, good = math.log(caught / healthy), math.log((1 - caught) / (1 - healthy))
        falls = -(healthy * bad + (1 - healthy) * good)
        low, high = 0.0, float(_ENDLESS)
        for _ in range(_ENDLESS):
            middle = (low + high) / 2
            if math.exp(middle) - middle - 1 < every * falls:
                low = middle
            else:
                high = middle
        return cls(bad=bad, good=good, limit=max(low - _overshoot(healthy) * (bad - good), bad))

    def after(self, before: float, bad: int, good: int, limit: float) -> float:
        """The sum after so many more, not yet held at 0. It ends a little above *limit*, so that an alarm can end."""
        return min(before + bad * self.bad + good * self.good, limit - _AGAIN * self.good)


def _overshoot(healthy: float) -> float:
    """Reynolds and Stoumbos (1999): by how much the sum passes the limit, for shares from 0.01 to 0.5."""
    log = math.log(min(max(healthy, 0.01), 0.5))
    share = 0.410 - 0.0842 * log - 0.0391 * log**3 - 0.00376 * log**4 - 0.000008 * log**7
    return share * math.sqrt(healthy * (1 - healthy))
