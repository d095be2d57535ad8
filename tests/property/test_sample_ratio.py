"""Both sides have the bookings that they should have, or it is said that they do not."""

import json
import random

import pytest

from assignment_pipeline.rollout.control import Answer, Verdict
from assignment_pipeline.rollout.control.gates import recompute
from assignment_pipeline.rollout.control.sample_ratio import sample_ratio


@pytest.mark.parametrize(
    ("own", "whole", "answer"),
    [
        (100, 1000, Answer.PASS),
        (119, 1000, Answer.PASS),  # A fifth more: no month is like the one before.
        (100, 667, Answer.HOLD),  # Half as much again of few: it may be chance.
        (1000, 6670, Answer.UNHEALTHY),  # A third of the others tells nothing any more.
        (0, 500, Answer.UNHEALTHY),  # The cohort does not.
        (500, 500, Answer.UNHEALTHY),
        (0, 10, Answer.HOLD),
    ],
)
def test_a_share_that_moves(own, whole, answer):
    """Of a tenth before; it is unhealthy or it passes, and the row of the verdict gives the same answer."""
    found = sample_ratio(own, whole, 1000, 10_000)
    assert (found.answer is Answer.UNHEALTHY) is (answer is Answer.UNHEALTHY)
    assert recompute(Verdict.read(json.loads(json.dumps(found.document()))), 0) is found.answer
    assert (found.missing is None) is (found.answer is Answer.PASS)


def test_where_nothing_was_before_nothing_is_said():
    """Nor of too few, nor where one side had all of it."""
    assert sample_ratio(10, 100, 0, 0) is None
    assert sample_ratio(10, 100, 10, 100) is None
    assert sample_ratio(10, 100, 0, 1000) is None
    assert sample_ratio(10, 100, 1000, 1000) is None
    assert sample_ratio(0, 0, 100, 1000) is None


def test_it_is_wrong_as_rarely_as_it_says():
    """A share at the end of the range is taken for one beyond it in one of a thousand phases; none of three hundred."""
    chance, wrong = random.Random(1), 0
    for _ in range(300):
        own = 0
        for whole in range(1, 2001):
            own += chance.random() < 0.12
            if whole % 20 == 0 and sample_ratio(own, whole, 1000, 10_000).answer is Answer.UNHEALTHY:
                wrong += 1
                break
    assert wrong <= 2
