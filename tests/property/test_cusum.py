"""The test for a change is wrong as rarely as it says, and finds what it is for."""

import random
import statistics

import pytest

from assignment_pipeline.rollout.watching.cusum import Cusum


def bookings_until(test, share, chance, most=10**9):
    """How many bookings until the alarm, if such a share of them is bad."""
    total = 0.0
    for number in range(1, most):
        bad = chance.random() < share
        total = max(0.0, test.after(total, int(bad), int(not bad)))
        if total >= test.limit:
            return number
    return most


@pytest.mark.parametrize(("healthy", "caught"), [(0.05, 0.2), (0.1, 0.4), (0.01, 0.1)])
def test_it_is_wrong_as_rarely_as_it_says(healthy, caught):
    """Once in so many bookings on average; the mean of 300 is within a fifth."""
    test, chance = Cusum.of(healthy, caught, every=2000), random.Random(1)
    found = statistics.fmean(bookings_until(test, healthy, chance) for _ in range(300))
    assert found == pytest.approx(2000, rel=0.2)


def test_it_finds_a_true_80_percent_within_40_bookings():
    """At four bookings an hour, with a false alarm in 90 days."""
    test, chance = Cusum.of(0.05, 0.2, every=4 * 24 * 90), random.Random(2)
    assert statistics.median(bookings_until(test, 0.2, chance) for _ in range(1000)) <= 40


def test_some_good_ones_end_an_alarm():
    """However much was bad before."""
    test = Cusum.of(0.05, 0.2, every=10_000)
    alarm = test.after(0.0, 1000, 0)
    assert alarm >= test.limit
    assert test.after(alarm, 0, 23) >= test.limit > test.after(alarm, 0, 25)


def test_one_bad_booking_is_no_alarm():
    """However often a false one is allowed."""
    test = Cusum.of(0.05, 0.2, every=1)
    assert test.limit >= test.bad
