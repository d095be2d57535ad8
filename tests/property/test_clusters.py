"""Bookings of one restaurant resemble each other: what is compared counts for what it is worth."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.rollout.control.clusters import correlation, design_effect

counted = st.integers(0, 60).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))
sides = st.lists(counted, max_size=8)


@given(own=sides, other=sides)
def test_it_is_a_share_and_no_booking_is_worth_more_than_one(own, other):
    """Whatever was counted, nothing and one booking each among it."""
    alike = correlation(own, other)
    assert 0 <= alike <= 1
    assert design_effect(own, alike) >= 1
    assert correlation(other, own) == pytest.approx(alike)


@pytest.mark.parametrize("true", [0.02, 0.05, 0.1, 0.3])
def test_it_finds_the_true_one(true):
    """On average, over restaurants whose rates differ by that much."""
    chance, found = random.Random(1), []
    for _ in range(60):
        rates = [chance.betavariate(0.8 * (1 / true - 1), 0.2 * (1 / true - 1)) for _ in range(30)]
        drawn = [(sum(chance.random() < rate for _ in range(40)), 40) for rate in rates]
        found.append(correlation(drawn[:10], drawn[10:]))
    assert sum(found) / len(found) == pytest.approx(true, rel=0.15)


def test_restaurants_that_are_all_alike_cost_nothing():
    """Nor do those with one booking each."""
    assert correlation([(19, 20)] * 5, [(38, 40)] * 5) == 0
    assert correlation([(1, 1), (0, 1)], [(1, 1)]) == 0


def test_restaurants_of_which_one_fails_whole_are_worth_little():
    """Sixty bookings at three of them are worth as much as three."""
    alike = correlation([(20, 20), (20, 20), (0, 20)])
    assert alike == 1
    assert design_effect([(20, 20)] * 3, alike) == 20
