"""However often one looks: evidence is rarely large against what is true, and intervals hold all the time."""

import importlib
import importlib.util
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.rollout.control.sequential import (
    MOSTLY_GOOD,
    MOSTLY_NOT,
    difference_sequence,
    log_evidence,
    log_evidence_of_difference,
    rate_sequence,
)

rates = st.sampled_from([0.01, 0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99])
priors = st.sampled_from([MOSTLY_GOOD, MOSTLY_NOT, (1.0, 1.0), (38.0, 2.0)])
parts = st.integers(0, 400).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


def chance(part, whole, rate):
    return math.comb(whole, part) * rate**part * (1 - rate) ** (whole - part)


# -- One rate -----------------------------------------------------------------------------------------------------


@given(whole=st.integers(0, 25), rate=rates, prior=priors)
def test_evidence_against_the_truth_is_one_on_average(whole, rate, prior):
    """At every moment, over all that could have been counted: nothing is gained by choosing when to look."""
    mean = sum(
        chance(part, whole, rate) * math.exp(log_evidence(part, whole, rate, prior)) for part in range(whole + 1)
    )
    assert mean == pytest.approx(1)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("error", [0.05, 0.3])
def test_the_true_rate_is_ever_ruled_out_with_the_stated_error(rate, error):
    """A look after each of 150 bookings, over every way in which they can go: counted, not simulated."""
    still, ruled_out = {0: 1.0}, 0.0
    for whole in range(1, 151):
        reached = {}
        for part, weight in still.items():
            reached[part] = reached.get(part, 0.0) + weight * (1 - rate)
            reached[part + 1] = reached.get(part + 1, 0.0) + weight * rate
        still = {}
        for part, weight in reached.items():
            low, high = rate_sequence(part, whole, error)
            if low <= rate <= high:
                still[part] = weight
            else:
                ruled_out += weight
    assert 0 < ruled_out <= error


@given(counted=parts, prior=priors)
def test_a_sequence_is_around_what_was_found(counted, prior):
    """Within 0 and 1, and all of that where nothing was counted; the less error, the wider."""
    part, whole = counted
    low, high = rate_sequence(part, whole, 0.05, prior)
    assert 0 <= low <= (part / whole if whole else 0.5) <= high <= 1
    lower, higher = rate_sequence(part, whole, 0.01, prior)
    assert lower <= low
    assert high <= higher


@given(counted=parts, rate=rates, prior=priors)
def test_what_is_outside_is_what_the_evidence_rules_out(counted, rate, prior):
    """The interval and the test say the same."""
    low, high = rate_sequence(*counted, 0.05, prior)
    assert (not low <= rate <= high) == (log_evidence(*counted, rate, prior) > math.log(20))


@given(counted=parts, prior=priors)
def test_one_more_that_is_good_raises_the_bounds(counted, prior):
    """And one more that is not lowers them."""
    part, whole = counted
    before, after = rate_sequence(part, whole + 1, 0.05, prior), rate_sequence(part + 1, whole + 1, 0.05, prior)
    assert before[0] <= after[0]
    assert before[1] <= after[1]


def test_what_cannot_be_is_ruled_out_by_the_first():
    """Where none is allowed, one is infinite evidence; none of many is finite."""
    assert log_evidence(1, 1000, 0.0, MOSTLY_NOT) == math.inf
    assert log_evidence(0, 1000, 0.0, MOSTLY_NOT) < 0
    assert rate_sequence(0, 1000, 0.05, MOSTLY_NOT)[0] == 0
    assert rate_sequence(1, 1000, 0.05, MOSTLY_NOT)[0] > 0


# -- Two rates ----------------------------------------------------------------------------------------------------


@given(whole=st.integers(0, 6), other_whole=st.integers(0, 6), rate=rates, other_rate=rates)
def test_evidence_against_the_true_difference_is_at_most_one_on_average(whole, other_whole, rate, other_rate):
    """Whatever the two rates are that differ by so much."""
    mean = sum(
        chance(part, whole, rate)
        * chance(other_part, other_whole, other_rate)
        * math.exp(log_evidence_of_difference((part, whole), (other_part, other_whole), rate - other_rate))
        for part, other_part in itertools.product(range(whole + 1), range(other_whole + 1))
    )
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize(("rate", "other_rate"), [(0.95, 0.95), (0.7, 0.9), (0.5, 0.5)])
def test_the_true_difference_is_ever_ruled_out_with_the_stated_error(rate, other_rate):
    """A look after each of 40 bookings, taken in turns, over every way in which they can go."""
    still, ruled_out = {(0, 0): 1.0}, 0.0
    for number in range(40):
        whole, other_whole = number // 2 + 1, (number + 1) // 2
        reached = {}
        for (part, other_part), weight in still.items():
            true = other_rate if number % 2 else rate
            up = (part, other_part + 1) if number % 2 else (part + 1, other_part)
            reached[up] = reached.get(up, 0.0) + weight * true
            reached[part, other_part] = reached.get((part, other_part), 0.0) + weight * (1 - true)
        still = {}
        for (part, other_part), weight in reached.items():
            evidence = log_evidence_of_difference((part, whole), (other_part, other_whole), rate - other_rate)
            if evidence >= math.log(1 / 0.2):
                ruled_out += weight
            else:
                still[part, other_part] = weight
    assert ruled_out <= 0.2


@given(one=parts, other=parts)
def test_a_sequence_of_differences_is_around_what_was_found(one, other):
    """Within -1 and 1, all of that where nothing was counted; and turned about where the two change places."""
    low, high = difference_sequence(one, other, 0.05)
    assert -1 <= low <= high <= 1
    if one[1] and other[1]:
        assert low <= one[0] / one[1] - other[0] / other[1] <= high
        assert difference_sequence(other, one, 0.05) == pytest.approx((-high, -low), abs=1e-9)
    else:
        assert (low, high) == (-1, 1)


# -- A package that is not ours -----------------------------------------------------------------------------------

is_missing = importlib.util.find_spec("savvi") is None


@pytest.mark.skipif(is_missing, reason="needs savvi")
@pytest.mark.parametrize(("part", "whole", "rate"), [(180, 200, 0.95), (95, 100, 0.95), (3, 40, 0.1), (50, 100, 0.5)])
def test_savvi_finds_the_same(part, whole, rate):
    """Evidence and interval, for a prior around the rate that is tested: two ways to compute one thing."""
    np = importlib.import_module("numpy")
    savvi = importlib.import_module("savvi.multinomial")
    weight = 20
    model = savvi.Multinomial(0.05, np.array([rate, 1 - rate]), k=weight)
    model.update(np.array([part, whole - part]))
    prior = (weight * rate, weight * (1 - rate))
    assert log_evidence(part, whole, rate, prior) == pytest.approx(math.log(model.odds))
    theirs = model.calculate_conf_int()[0]
    assert rate_sequence(part, whole, 0.05, prior) == pytest.approx(tuple(theirs), abs=1e-4)
