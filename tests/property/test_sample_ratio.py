"""Both sides have the bookings that they should have, or it is said that they do not."""

import json
import math
import random

import pytest

from assignment_pipeline.rollout.control import Answer, Verdict
from assignment_pipeline.rollout.control.gates import recompute
from assignment_pipeline.rollout.control.sample_ratio import OpenDay, a_day_of, expected_share, sample_ratio, silent_of


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


def poisson(chance, mean):
    """As many as come by chance."""
    limit, count, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        count += 1
        product *= chance.random()
    return count


def week(chance, rates, closed=(), times=1.0, days=7):
    """What is asked at each restaurant on the days of a week, but for those that are closed on one."""
    return [
        OpenDay({name: 0 if (name, day) in closed else poisson(chance, times * rate) for name, rate in rates.items()})
        for day in range(days)
    ]


def asked_in(days, names):
    """How many, at these."""
    return sum(day.asked.get(name, 0) for day in days for name in names)


def fair(days, past, own):
    """The verdict by the days that were open, and who has fallen silent."""
    a_day, before = a_day_of(past), asked_in(past, past[0].asked)
    share = before * expected_share(days, a_day, own)
    return sample_ratio(asked_in(days, own), asked_in(days, a_day), share, before), silent_of(days, a_day)


def test_a_side_that_was_closed_has_lost_nothing():
    """By all bookings it is unhealthy, by those of the days that were open it passes, whatever the traffic."""
    rates = {f"r-{number}": rate for number, rate in enumerate((0.4, 1, 3, 20, 20, 40, 1, 8, 8, 30))}
    own, shut = ("r-0", "r-3", "r-4"), {(name, day) for name in ("r-5", "r-9") for day in range(4)}
    for seed, times in ((1, 1.0), (2, 3.0), (3, 0.5)):
        chance = random.Random(seed)
        past, days = week(chance, rates, days=28), week(chance, rates, shut, times)
        plain = sample_ratio(asked_in(days, own), asked_in(days, rates), asked_in(past, own), asked_in(past, rates))
        found, silent = fair(days, past, own)
        assert found.answer is Answer.PASS, found
        assert silent == ()
        if times > 1:
            assert plain.answer is Answer.UNHEALTHY
        assert recompute(Verdict.read(json.loads(json.dumps(found.document()))), 0) is Answer.PASS


def test_a_side_of_which_half_is_not_told_is_found_all_the_same():
    """It was open, and has half of its bookings; and a restaurant that fell silent is named."""
    rates = {f"r-{number}": 20.0 for number in range(10)}
    chance = random.Random(4)
    past, days = week(chance, rates, days=28), week(chance, rates)
    half = [OpenDay({name: asked // 2 if name > "r-2" else asked for name, asked in day.asked.items()}) for day in days]
    assert fair(half, past, ("r-0", "r-1", "r-2"))[0].answer is Answer.UNHEALTHY
    found, silent = fair(week(chance, rates, {("r-9", day) for day in range(7)}), past, ("r-0",))
    assert (found.answer, silent) == (Answer.PASS, ("r-9",))
    told = sample_ratio(100, 1000, 1000, 10_000, silent)
    assert (told.answer, "r-9" in told.missing) == (Answer.UNHEALTHY, True)
    assert recompute(Verdict.read(json.loads(json.dumps(told.document()))), 0) is Answer.UNHEALTHY
