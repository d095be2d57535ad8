"""
Tests that stay valid however often one looks: gates decide by these.

All of it is one idea. The *evidence* against a hypothesis compares two likelihoods of what was counted: that under a
fixed mixture of rates, and the largest that the hypothesis allows. If the hypothesis is true, evidence is an e-process:
a supermartingale that begins at 1, or less than one. By Ville's inequality it *ever* reaches 1 / error with a
probability of at most *error*: a look after each booking, and any rule for when to stop, change nothing. A confidence
sequence is the interval of the rates that the evidence does not rule out. It holds at all moments at once.

- The mixture: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
  Statistics 41 (1970), pp. 1397 to 1409.
- Confidence sequences: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic
  confidence sequences", Annals of Statistics 49 (2021), pp. 1055 to 1080.
- Differences of pairs, by betting on them: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by
  betting", Journal of the Royal Statistical Society B 86 (2024), pp. 1 to 27.
- A hypothesis that allows several rates: L. Wasserman, A. Ramdas, S. Balakrishnan, "Universal inference", PNAS 117
  (2020), pp. 16880 to 16890.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache

from assignment_pipeline.domain.days import MOST

Counted = tuple[float, float]
"""How many, of how many: whole numbers, unless bookings were found to be worth less than one each."""

Differences = Mapping[int, float]
"""How many service days have which difference, in percent, from -`MOST` to `MOST`."""

Prior = tuple[float, float]
"""The parameters of the beta distribution of a mixture's rates. A wrong one costs bookings, never validity."""

MOSTLY_GOOD: Prior = (9.5, 0.5)
"""Rates of what should nearly always happen: 19 of 20 on average, with the weight of ten bookings."""

MOSTLY_NOT: Prior = (0.5, 9.5)
"""Rates of what should rarely happen."""

TWO_PLANNERS: Prior = (38.0, 2.0)
"""Rates of two planners that are compared: 19 of 20 on average, with the weight of forty bookings."""

_STAKES = (0.1, 0.3, 0.6, 0.9)  # Shares of what one pair may lose that are bet on it; all of them at once.
_STEPS = 60
_EXACT = 1e-9  # How close a bound is to the last value that is ruled out; it is never inside.


def log_evidence(part: float, whole: float, rate: float, prior: Prior = MOSTLY_GOOD) -> float:
    """
    The logarithm of the evidence that the true rate is not *rate*, given *part* of *whole*.

    With s = part, f = whole - part and a beta prior (a, b), the evidence is the beta-binomial e-process
    B(a + s, b + f) / B(a, b) · rate^-s · (1 - rate)^-f. Its mean is 1 at every moment, if *rate* is the true one.

    Args:
        part: How many of them.

        whole: Of how many.

        rate: The rate that is tested, from 0 to 1.

        prior: The mixture.

    Returns:
        Infinity where *rate* cannot be.
    """
    return _log_mixture(part, whole - part, prior) - _log_likelihood(part, whole - part, rate)


@lru_cache(maxsize=65536)
def rate_sequence(part: float, whole: float, error: float, prior: Prior = MOSTLY_GOOD) -> tuple[float, float]:
    """
    The confidence sequence of a rate: those that `log_evidence` does not rule out.

    Args:
        part: How many of them.

        whole: Of how many; of none, nothing is known.

        error: The probability that the true rate is *ever* outside, at most.

        prior: The mixture.

    Returns:
        The lower and the upper bound, from 0 to 1.
    """
    if whole == 0:
        return 0.0, 1.0
    found, limit = part / whole, -math.log(error)

    def is_out(rate: float) -> bool:
        return log_evidence(part, whole, rate, prior) >= limit

    low = _edge(is_out, 0.0, found) if is_out(0.0) else 0.0
    high = _edge(is_out, 1.0, found) if is_out(1.0) else 1.0
    return low, high


def log_evidence_of_difference(one: Counted, other: Counted, difference: float, prior: Prior = TWO_PLANNERS) -> float:
    """
    The logarithm of the evidence that two true rates, the first less the other, do not differ by *difference*.

    The hypothesis allows all pairs of rates that differ by so much. Half of the mixture are pairs of equal rates, half
    are any pairs, so that equal planners show soon, and unequal ones too. Each side may have any number of bookings.

    Args:
        one: What was counted of the first.

        other: What was counted of those that it is compared with.

        difference: What is tested, from -1 to 1.

        prior: The mixture, of each.
    """
    good, bad, other_good, other_bad = one[0], one[1] - one[0], other[0], other[1] - other[0]
    equal = _log_mixture(good + other_good, bad + other_bad, prior)
    any_two = _log_mixture(good, bad, prior) + _log_mixture(other_good, other_bad, prior)
    more, less = max(equal, any_two), min(equal, any_two)
    mixture = more + math.log1p(math.exp(less - more)) - math.log(2)
    return mixture - _log_likeliest(good, bad, other_good, other_bad, difference)


@lru_cache(maxsize=4096)
def difference_sequence(one: Counted, other: Counted, error: float, prior: Prior = TWO_PLANNERS) -> tuple[float, float]:
    """
    The confidence sequence of the difference of two rates, the first less the other.

    Args:
        one: What was counted of the first.

        other: What was counted of those that it is compared with.

        error: The probability that the true difference is *ever* outside, at most.

        prior: The mixture, of each.

    Returns:
        The lower and the upper bound, from -1 to 1.
    """
    if one[1] == 0 or other[1] == 0:
        return -1.0, 1.0
    found, limit = one[0] / one[1] - other[0] / other[1], -math.log(error)

    def is_out(difference: float) -> bool:
        return log_evidence_of_difference(one, other, difference, prior) >= limit

    low = _edge(is_out, -1.0, found) if is_out(-1.0) else -1.0
    high = _edge(is_out, 1.0, found) if is_out(1.0) else 1.0
    return low, high


def log_evidence_of_mean(found: Differences, mean: float, *, above: bool) -> float:
    """
    The logarithm of the evidence that the true mean of the differences lies above *mean*, or else below it.

    A bet of b on each difference d makes 1 + b (d - mean) of 1, and nothing on average if the mean is *mean* or worse.
    The evidence is the mean of what several bets have made.

    Args:
        found: What was counted.

        mean: What is tested, a share from -1 to 1.

        above: Whether the true mean is to be shown above it.
    """
    sign = 1 if above else -1
    worst = max(MOST / 100 + sign * mean, 1e-9)  # What one day may lose.
    logs = []
    for stake in _STAKES:
        bet = sign * stake / worst
        logs.append(sum(days * math.log1p(bet * (percent / 100 - mean)) for percent, days in found.items()))
    most = max(logs)
    return most + math.log(sum(math.exp(each - most) for each in logs) / len(logs))


def mean_sequence(found: Differences, error: float) -> tuple[float, float]:
    """
    The confidence sequence of the mean of differences.

    Args:
        found: What was counted.

        error: The probability that the true mean is *ever* outside, at most.

    Returns:
        The lower and the upper bound, as shares.
    """
    most, limit, number = MOST / 100, -math.log(error / 2), sum(found.values())
    if not number:
        return -most, most
    mean = sum(percent * days for percent, days in found.items()) / number / 100

    def is_below(value: float) -> bool:
        return log_evidence_of_mean(found, value, above=True) >= limit

    def is_above(value: float) -> bool:
        return log_evidence_of_mean(found, value, above=False) >= limit

    low = _edge(is_below, -most, mean) if is_below(-most) else -most
    high = _edge(is_above, most, mean) if is_above(most) else most
    return low, high


def _edge(is_out: Callable[[float], bool], outside: float, inside: float) -> float:
    """The last value from *outside* that is out: what lies between it and *inside* is not."""
    while abs(outside - inside) > _EXACT:
        middle = (outside + inside) / 2
        if is_out(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _log_mixture(good: float, bad: float, prior: Prior) -> float:
    a, b = prior
    return _log_beta(a + good, b + bad) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(good: float, bad: float, rate: float) -> float:
    return _times_log(good, rate) + _times_log(bad, 1 - rate)


def _times_log(times: float, share: float) -> float:
    if not times:
        return 0.0
    return times * math.log(share) if share > 0 else -math.inf


def _log_likeliest(good: float, bad: float, other_good: float, other_bad: float, difference: float) -> float:
    """
    The largest log-likelihood of two rates that differ by *difference*.

    It is concave, so its slope falls: Newton finds where it is 0. Where a step leads too far, what is left is halved.
    """
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    other = (low + high) / 2
    for _ in range(_STEPS):
        rate = other + difference
        if other in (low, high) or not (0 < rate < 1 and 0 < other < 1):
            break
        slope = good / rate - bad / (1 - rate) + other_good / other - other_bad / (1 - other)
        falls = good / rate**2 + bad / (1 - rate) ** 2 + other_good / other**2 + other_bad / (1 - other) ** 2
        if slope > 0:
            low = other
        else:
            high = other
        step = slope / falls if falls else 0.0
        other = other + step if low < other + step < high else (low + high) / 2
        if abs(step) < _EXACT:
            break
    return max(
        _log_likelihood(good, bad, min(max(each + difference, 0.0), 1.0))
        + _log_likelihood(other_good, other_bad, min(max(each, 0.0), 1.0))
        for each in (low, other, high)
    )
