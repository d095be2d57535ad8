"""What is said before a rollout begins is what its gates then take."""

import random

import pytest

from assignment_pipeline.rollout.control import PHASES, Answer, Count
from assignment_pipeline.rollout.control.forecast import bookings_for_one_look, bookings_to_compare, bookings_to_show
from assignment_pipeline.rollout.control.gates import decide

CONFIRMED = PHASES["staging-full"].criteria[0]


@pytest.mark.parametrize(("margin", "bookings"), [(0.01, 5874), (0.05, 235)])
def test_one_look_takes_what_text_books_say(margin, bookings):
    """On each side, for planners that confirm 95 %."""
    assert bookings_for_one_look(margin) == bookings


def test_looking_at_any_time_takes_more():
    """And a larger other side takes fewer of one's own."""
    for margin in (0.02, 0.03, 0.05):
        each, few = bookings_to_compare(margin), bookings_to_compare(margin, others=9)
        assert bookings_for_one_look(margin) < each < 5 * bookings_for_one_look(margin)
        assert few < each


@pytest.mark.parametrize("rate", [0.97, 0.98, 0.99])
def test_four_of_five_pass_with_so_many(rate):
    """Of those with that true rate, a few more or less by chance."""
    bookings = bookings_to_show(rate, CONFIRMED.limit)
    chance, runs = random.Random(3), 150
    passed = 0
    for _ in range(runs):
        good = 0
        for whole in range(1, bookings + 1):
            good += chance.random() < rate
            is_look = whole >= 200 and whole % 20 in {0, bookings % 20}
            if is_look and decide(CONFIRMED, Count(good, whole)).answer is Answer.PASS:
                passed += 1
                break
        else:
            passed += bookings < 200  # Fewer than a gate takes anyway.
    assert passed / runs >= 0.75


def test_what_is_no_better_than_the_limit_never_shows():
    """Nothing is planned for it."""
    assert bookings_to_show(0.94, 0.94) is None
    assert bookings_to_show(0.05, 0.05, at_least=False) is None
    assert bookings_to_show(0.0, 0.02, at_least=False) < 300
