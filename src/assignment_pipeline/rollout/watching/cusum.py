"""The test for a change: from a rate that is healthy to one that is to be caught."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import attrs

_ENDLESS = 60
_AGAIN = 24  # So many good bookings, one after the other, end any alarm.
_LARGEST = 500  # Bookings of one hour, for the limit: more of them tell little more of that hour.


@attrs.frozen(kw_only=True)
class Cusum:
    """
    The cumulative sum of E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954), pp. 100 to 115.

    Each hour adds how much likelier its bookings are under the rate that is to be caught than under the healthy one.
    The sum never falls below 0: it goes back to the likeliest change. No test with as few false alarms is quicker in
    the worst case: G. Lorden, "Procedures for reacting to a change in distribution", Annals of Mathematical Statistics
    42 (1971), pp. 1897 to 1908.

    Bookings of one hour resemble each other: a full evening turns many away at once. So the rate of an hour is drawn
    from a beta distribution, and what it adds is the ratio of two beta-binomial likelihoods. J. G. Skellam, "A
    probability distribution derived from the binomial distribution by regarding the probability of success as variable
    between the sets of trials", Journal of the Royal Statistical Society B 10 (1948), pp. 257 to 261.

    Attributes:
        healthy: The share of bad bookings while all is well.

        caught: The share that is to be caught.

        alike: The correlation of two bookings of one hour: from 0, where they are independent.

        limit: The alarm is at that sum.
    """

    healthy: float
    caught: float
    alike: float
    limit: float

    @classmethod
    def of(cls, healthy: float, caught: float, *, every: float, an_hour: float = 1.0, alike: float = 0.0) -> Cusum:
        """
        The test with a false alarm once in so many bookings on average.

        Its limit is that of M. R. Reynolds, Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting
        continuously", Journal of Quality Technology 31 (1999), pp. 87 to 108: the diffusion that has the same drift,
        corrected for the steps in which the sum goes.

        Args:
            healthy: The share of bad bookings while all is well, above 0.

            caught: The share that is to be caught, above *healthy* and below 1.

            every: How many bookings, while all is well, to a false alarm.

            an_hour: How many bookings come an hour.

            alike: The correlation of two bookings of one hour.
        """
        return _test(healthy, caught, every, min(max(round(an_hour), 1), _LARGEST), alike)

    def evidence(self, bad: int, whole: int) -> float:
        """What an hour with so many bad bookings of so many adds."""
        return _evidence(self.healthy, self.caught, self.alike, bad, whole)

    def after(self, before: float, bad: int, whole: int, limit: float, *, seen: tuple[int, int] = (0, 0)) -> float:
        """
        The sum after some more bookings, not yet held at 0. It ends a little above *limit*, so that an alarm can end.

        Args:
            before: The sum before them.

            bad: How many of them are bad.

            whole: How many there are.

            limit: No sum ends far above it.

            seen: How many the same hour has had before them, the bad ones first.
        """
        more = self.evidence(seen[0] + bad, seen[1] + whole) - self.evidence(*seen)
        return min(before + more, limit - self.evidence(0, _AGAIN))

    def is_over(self, hours: Sequence[Sequence[tuple[int, int]]], *, at_most: bool) -> bool:
        """
        Whether an alarm is over, by what has come since: so many good bookings, one after the other, end it.

        Args:
            hours: For each hour its stretches, as in `sums`.

            at_most: Whether the sum begins where none can be higher. Else it begins at the limit: what came first is
                not known any more, and it is over with more good ones than bad ones.
        """
        total = self.limit - self.evidence(0, _AGAIN) if at_most else self.limit
        for hour in hours:
            seen = (0, 0)
            for bad, whole in hour:
                if whole:
                    total = self.after(total, bad, whole, self.limit, seen=seen)
                    seen = (seen[0] + bad, seen[1] + whole)
        return total < self.limit

    def sums(self, hours: Sequence[Sequence[tuple[int, int]]], limit: float) -> tuple[int, float, float]:
        """
        Where the likeliest change is, and what it comes to.

        Args:
            hours: For each hour its stretches, oldest first; of each how many are bad, and of how many.

            limit: No sum ends far above it.

        Returns:
            The stretch of the likeliest change, the sum since then, and that since the first stretch.
        """
        change = place = 0
        since_change = since_start = 0.0
        for hour in hours:
            seen = of_all = (0, 0)
            for bad, whole in hour:
                place += 1
                if not whole:
                    change = place if since_change <= 0 else change
                    continue
                since_start = self.after(since_start, bad, whole, limit, seen=of_all)
                since_change = self.after(since_change, bad, whole, limit, seen=seen)
                seen, of_all = (seen[0] + bad, seen[1] + whole), (of_all[0] + bad, of_all[1] + whole)
                if since_change <= 0:
                    since_change, seen, change = 0.0, (0, 0), place
        return change, since_change, since_start


@lru_cache(maxsize=1024)
def _test(healthy: float, caught: float, every: float, an_hour: int, alike: float) -> Cusum:
    """The test, worked out once for the same numbers."""
    bad, good = math.log(caught / healthy), math.log((1 - caught) / (1 - healthy))
    falls = -sum(
        math.exp(_log_chance(healthy, alike, many, an_hour)) * _evidence(healthy, caught, alike, many, an_hour)
        for many in range(an_hour + 1)
    )
    low, high = 0.0, float(_ENDLESS)
    for _ in range(_ENDLESS):
        middle = (low + high) / 2
        if math.exp(middle) - middle - 1 < every / an_hour * falls:
            low = middle
        else:
            high = middle
    past = _overshoot(healthy) * (bad - good)
    return Cusum(healthy=healthy, caught=caught, alike=alike, limit=max(low - past, bad))


@lru_cache(maxsize=65536)
def _evidence(healthy: float, caught: float, alike: float, bad: int, whole: int) -> float:
    return _log_likelihood(caught, alike, bad, whole) - _log_likelihood(healthy, alike, bad, whole)


def _log_likelihood(rate: float, alike: float, bad: int, whole: int) -> float:
    if not alike:
        return bad * math.log(rate) + (whole - bad) * math.log(1 - rate)
    weight = 1 / alike - 1
    a, b = rate * weight, (1 - rate) * weight
    return _log_beta(a + bad, b + whole - bad) - _log_beta(a, b)


def _log_chance(rate: float, alike: float, bad: int, whole: int) -> float:
    ways = math.lgamma(whole + 1) - math.lgamma(bad + 1) - math.lgamma(whole - bad + 1)
    return ways + _log_likelihood(rate, alike, bad, whole)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _overshoot(healthy: float) -> float:
    """Reynolds and Stoumbos (1999): by how much the sum passes the limit, for shares from 0.01 to 0.5."""
    log = math.log(min(max(healthy, 0.01), 0.5))
    share = 0.410 - 0.0842 * log - 0.0391 * log**3 - 0.00376 * log**4 - 0.000008 * log**7
    return share * math.sqrt(healthy * (1 - healthy))
