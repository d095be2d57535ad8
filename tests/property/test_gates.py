"""A gate passes on enough of good numbers, for long enough, and on nothing else."""

import datetime as dt
import json
import random

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assignment_pipeline.domain.counts import Agreement, Calls, Outcomes, Volume
from assignment_pipeline.domain.days import ComparedDay, Side
from assignment_pipeline.domain.metrics import Bucket, Metrics
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout.control import PHASES, Answer, Criterion, Verdict
from assignment_pipeline.rollout.control.gates import decide, recompute
from assignment_pipeline.rollout.control.intervals import newcombe, wilson
from assignment_pipeline.rollout.control.metrics import Count
from assignment_pipeline.rollout.control.store_gates import compare, judge_criteria

SINCE = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PIPELINE = (Owner.PIPELINE, Mode.ACTIVE)
LEGACY = (Owner.LEGACY, Mode.OFF)

thresholds = st.sampled_from([0.0, 0.01, 0.05, 0.5, 0.9, 0.95, 1.0])
criteria = st.builds(
    lambda way, bound, least, margin: Criterion(
        metric="confirmation_rate", min_sample=least, margin=margin, **{way: bound}
    ),
    st.sampled_from(["at_least", "at_most"]),
    thresholds,
    st.sampled_from([0, 1, 20, 200]),
    st.sampled_from([0.0, 0.02]),
)
parts = st.integers(0, 400).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


@st.composite
def counts(draw):
    part, whole = draw(parts)
    other_part, other_whole = draw(st.one_of(st.just((None, None)), parts))
    hours = draw(st.sampled_from([0.0, 23.999, 24.0, 500.0]))
    return Count(part=part, whole=whole, other_part=other_part, other_whole=other_whole, hours=hours, min_hours=24.0)


# -- The formulas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_published(part, whole, low, high):
    """To the four places that the tables have."""
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [  # Newcombe 1998, "Interval estimation for the difference", table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_is_as_published(one, other, low, high):
    """Likewise."""
    assert newcombe(*one, *other) == pytest.approx((low, high), abs=5e-5)


@given(counted=parts)
def test_an_interval_is_around_what_was_found(counted):
    """Within 0 and 1, and all of that where nothing was."""
    part, whole = counted
    low, high = wilson(part, whole)
    assert 0 <= low <= (part / whole if whole else 0.5) <= high <= 1
    assert (low, high) != (0, 1) or not whole


# -- Verdicts -----------------------------------------------------------------------------------------------------


@given(criterion=criteria, counted=counts())
def test_a_pass_has_all_that_it_takes(criterion, counted):
    """A bound that is good enough, of enough, for long enough."""
    verdict = decide(criterion, counted, SINCE)
    if verdict.answer is Answer.PASS:
        assert verdict.value is not None
        assert criterion.is_met(verdict.value)
        bound = verdict.low if criterion.at_most is None else verdict.high
        assert criterion.is_met(bound) or verdict.value == criterion.limit in {0, 1}
        assert counted.sample >= max(criterion.min_sample, 1)
        assert counted.hours >= counted.min_hours
        assert (verdict.missing, verdict.passes_at) == (None, None)
    else:
        assert verdict.missing


@given(criterion=criteria, counted=counts())
@example(Criterion(metric="confirmation_rate", at_least=1.0), Count(part=0, whole=1, other_part=0, other_whole=7))
def test_a_failure_is_no_chance(criterion, counted):
    """
    The value lies beyond the threshold, and the bound rules that out.

    Where all has to go well, one that did not rules it out by itself. The bound can be as high as that all the same:
    it is the last value that is ruled out.
    """
    verdict = decide(criterion, counted, SINCE)
    if verdict.answer is Answer.FAIL:
        assert criterion.bound.is_beyond(verdict.value)
        beyond = verdict.high < criterion.threshold if criterion.at_most is None else verdict.low > criterion.threshold
        assert beyond or verdict.high == criterion.at_least == 1


@given(criterion=criteria, hours=st.sampled_from([0.0, 24.0, 1e6]), compared=st.booleans())
def test_nothing_never_passes(criterion, hours, compared):
    """However long there was nothing, and whatever was asked of it; nor does something against nothing."""
    nothing = {"other_part": 0, "other_whole": 0} if compared else {}
    whole = 1000 if compared else 0
    verdict = decide(criterion, Count(part=whole, whole=whole, hours=hours, **nothing), SINCE)
    assert (verdict.answer, verdict.value) == (Answer.UNHEALTHY if compared else Answer.HOLD, None)
    assert verdict.passes_at is None  # Nothing tells when there will be something, whatever the least number is.


def test_that_picked_restaurants_do_not_count_is_said():
    """Where a comparison waits for restaurants: more bookings at those that somebody has listed change nothing."""
    criterion = next(each for each in PHASES["production-10"].criteria if each.metric == "relative_confirmation")
    few = Count(part=50, whole=50, other_part=50, other_whole=50, restaurants=1, other_restaurants=5)
    for counted in (Count(other_part=0, other_whole=0), few):
        assert "restaurants that somebody has listed are left out" in decide(criterion, counted, SINCE).missing


@given(criterion=criteria, counted=counts())
def test_a_verdict_can_be_computed_again_from_its_row(criterion, counted):
    """As it stands in the evidence of a revision: JSON, read back."""
    verdict = decide(criterion, counted, SINCE)
    row = json.loads(json.dumps(verdict.document()))
    assert Verdict.read(row) == verdict
    assert recompute(Verdict.read(row), criterion.min_sample) is verdict.answer


@given(criterion=criteria, counted=counts())
def test_a_hold_says_no_moment_that_is_too_early(criterion, counted):
    """When it can pass at the earliest is not before the phase may end."""
    verdict = decide(criterion, counted, SINCE)
    if verdict.passes_at is not None:
        assert verdict.answer is Answer.HOLD
        assert verdict.passes_at >= SINCE + counted.min_hours * HOUR


@given(criterion=criteria, counted=counts(), more=st.floats(0.001, 100))
def test_time_alone_fails_nothing(criterion, counted, more):
    """Waiting may turn a hold into a pass, and does nothing else."""
    before = decide(criterion, counted).answer
    after = decide(criterion, attrs.evolve(counted, hours=counted.hours + more)).answer
    assert before is after or (before, after) == (Answer.HOLD, Answer.PASS)


# -- At the boundary ----------------------------------------------------------------------------------------------

CONFIRMED = Criterion(metric="confirmation_rate", at_least=0.95, margin=0.01)


@pytest.mark.parametrize(
    ("part", "whole", "hours", "answer"),
    [
        (200, 200, 24, Answer.PASS),
        (197, 200, 24, Answer.PASS),  # 98.5 %: at least 94.4 %.
        (196, 200, 24, Answer.HOLD),  # 98 %: at least 93.6 %, and a point below the threshold is 94 %.
        (214, 218, 24, Answer.PASS),
        (190, 200, 24, Answer.HOLD),  # Just the threshold: it takes 7,000 to show that it is not a point worse.
        (6650, 7000, 24, Answer.PASS),
        (197, 200, 23.999, Answer.HOLD),  # Too early.
        (199, 199, 1000, Answer.HOLD),  # One too few, however good, however long.
        (179, 200, 24, Answer.HOLD),  # 89.5 %: at most 95.1 %.
        (178, 200, 24, Answer.FAIL),  # 89 %: at most 94.8 %.
        (0, 1, 0, Answer.HOLD),  # One booking says nothing.
        (0, 4, 0, Answer.FAIL),
    ],
)
def test_the_boundary(part, whole, hours, answer):
    """The bound decides, and not the value."""
    assert decide(CONFIRMED, Count(part=part, whole=whole, hours=hours, min_hours=24)).answer is answer


def test_one_error_is_one_too_many():
    """Where none is allowed, the first one fails the gate; and none of few shows nothing."""
    none = Criterion(metric="error_rate", at_most=0.0, margin=0.02)
    assert decide(none, Count(part=0, whole=229)).answer is Answer.PASS
    assert decide(none, Count(part=0, whole=228)).answer is Answer.HOLD
    assert decide(none, Count(part=1, whole=100_000)).answer is Answer.FAIL


def test_without_a_margin_none_of_enough_is_enough():
    """No number of bookings shows that there is never an error: then the least number decides."""
    none = Criterion(metric="error_rate", at_most=0.0)
    assert decide(none, Count(part=0, whole=200)).answer is Answer.PASS
    assert decide(none, Count(part=0, whole=199)).answer is Answer.HOLD


@pytest.mark.parametrize(
    ("own", "legacy", "answer"),
    [
        ((1425, 1500), (1425, 1500), Answer.PASS),  # Equal planners, enough of them.
        ((950, 1000), (950, 1000), Answer.HOLD),
        ((560, 560), (5000, 5040), Answer.PASS),  # A cohort that is smaller takes fewer of its own.
        ((200, 200), (192, 200), Answer.PASS),  # Better planners take fewer still.
        ((190, 200), (192, 200), Answer.HOLD),
        ((900, 1000), (990, 1000), Answer.FAIL),
        ((200, 200), (199, 199), Answer.HOLD),  # Too few of legacy's.
        ((200, 200), (0, 0), Answer.UNHEALTHY),  # It reports nothing.
        ((49, 49), (0, 0), Answer.HOLD),
    ],
)
def test_no_worse_than_legacy(own, legacy, answer):
    """By a point, with a margin of two; the bound is that of the difference."""
    criterion = Criterion(metric="relative_confirmation", at_least=-0.01, margin=0.02)
    counted = Count(part=own[0], whole=own[1], other_part=legacy[0], other_whole=legacy[1])
    assert decide(criterion, counted).answer is answer


NO_WORSE = PHASES["production-10"].criteria[3]


def town(own, legacy):
    """Restaurants with so many confirmed of so many, each on its side."""
    sides = ((PIPELINE, own), (LEGACY, legacy))
    return {
        f"{group[0].value}-{number}": {group: Outcomes(confirmed=good, review=asked - good)}
        for group, counted in sides
        for number, (good, asked) in enumerate(counted)
    }


def test_restaurants_that_are_alike_are_compared_booking_by_booking():
    """As if each had come from a restaurant of its own."""
    found = compare(town([(475, 500)] * 3, [(475, 500)] * 27))
    assert (found.part, found.whole, found.other_part, found.other_whole) == (1425, 1500, 12825, 13500)
    assert (found.effect, found.other_effect, found.restaurants, found.other_restaurants) == (1, 1, 3, 27)
    assert decide(NO_WORSE, found).answer is Answer.PASS


def test_restaurants_that_differ_take_more_of_them():
    """As many bookings, at restaurants of which some confirm all and some nine of ten."""
    differ = [(500, 500), (450, 500)] * 15
    found = compare(town([*differ[:2], (475, 500)], differ[3:]))
    assert found.effect > 10
    verdict = decide(NO_WORSE, found)
    assert verdict.answer is Answer.HOLD
    assert "restaurants differ too much: more bookings at the same ones do not show it" in verdict.missing
    row = json.loads(json.dumps(verdict.document()))
    assert Verdict.read(row) == verdict
    assert recompute(Verdict.read(row), NO_WORSE.min_sample) is Answer.HOLD


def test_one_restaurant_is_no_cohort():
    """However many bookings it has."""
    verdict = decide(NO_WORSE, compare(town([(1960, 2000)], [(475, 500)] * 27)))
    assert verdict.answer is Answer.HOLD
    assert "1 more of 2 restaurants of the pipeline's" in verdict.missing


def test_who_was_picked_by_hand_is_not_compared():
    """They are no sample of anything."""
    found = compare(town([(50, 100), (95, 100)], [(95, 100)] * 5), frozenset({"pipeline-0", "legacy-1"}))
    assert (found.whole, found.other_whole, found.restaurants, found.other_restaurants) == (100, 400, 1, 4)


def test_a_cohort_of_which_one_restaurant_fails_whole_fails():
    """Two others that do well do not hide it: the rate says so, whatever the comparison can."""
    phase = PHASES["production-10"]
    places = town([(0, 20), (20, 20), (20, 20)], [(19, 20)] * 27)
    total = well(outcomes={PIPELINE: Outcomes(confirmed=40, review=20), LEGACY: Outcomes(confirmed=513, review=27)})
    verdicts = judge_criteria(phase, total, SINCE, SINCE + 24 * HOUR, compared=compare(places))
    assert [verdict.answer for verdict in verdicts[:2]] == [Answer.FAIL, Answer.FAIL]


# -- However often one looks --------------------------------------------------------------------------------------


def share_that(answer, rate, *, runs, bookings, seed):
    """Of so many phases with that true rate, those in which a gate gave *answer* after any of its bookings."""
    chance, given_by, found = random.Random(seed), {}, 0
    for _ in range(runs):
        good = 0
        for whole in range(1, bookings + 1):
            good += chance.random() < rate
            if (good, whole) not in given_by:
                given_by[good, whole] = decide(CONFIRMED, Count(good, whole)).answer
            if given_by[good, whole] is answer:
                found += 1
                break
    return found / runs


def test_who_looks_after_each_booking_is_not_misled():
    """A phase that is just good enough seldom fails, and one that is a point too bad seldom passes."""
    assert share_that(Answer.FAIL, 0.95, runs=200, bookings=400, seed=1) <= 0.05
    assert share_that(Answer.PASS, 0.94, runs=200, bookings=400, seed=2) <= 0.05


def test_what_is_good_passes_and_what_is_bad_fails_soon():
    """Error is not bought with blindness."""
    assert share_that(Answer.PASS, 0.985, runs=100, bookings=600, seed=3) >= 0.8
    assert share_that(Answer.FAIL, 0.80, runs=100, bookings=150, seed=4) >= 0.8


def test_a_failure_lasts_for_as_long_as_the_phase():
    """A hundred that went wrong are not made up for by thousands that follow; the numbers say when it was."""
    phase = attrs.evolve(PHASES["staging-full"], criteria=(CONFIRMED,))
    stretches = [Outcomes(confirmed=50, review=50), *[Outcomes(confirmed=100)] * 200]
    course = [
        Bucket(start=SINCE + number * HOUR, outcomes={PIPELINE: outcomes}) for number, outcomes in enumerate(stretches)
    ]
    total = well(outcomes={PIPELINE: sum(stretches, Outcomes())})
    now = SINCE + 1000 * HOUR
    (unaware,) = judge_criteria(phase, total, SINCE, now)
    assert unaware.answer is Answer.PASS
    (verdict,) = judge_criteria(phase, total, SINCE, now, course=course)
    assert verdict.answer is Answer.FAIL
    assert verdict.value > 0.99
    assert verdict.missing == "in this phase it was 0.5 of 100: below 0.95, and not by chance"
    row = json.loads(json.dumps(verdict.document()))
    assert recompute(Verdict.read(row), CONFIRMED.min_sample) is Answer.FAIL


@given(counted=parts, sharing=st.integers(1, 5))
def test_criteria_that_share_the_error_fail_more_seldom(counted, sharing):
    """What fails for one of several fails for one alone; what passes does not depend on it."""
    alone = decide(CONFIRMED, Count(*counted)).answer
    shared = decide(CONFIRMED, Count(*counted), sharing=sharing).answer
    assert alone is shared or (alone, shared) == (Answer.FAIL, Answer.HOLD)


def test_a_hold_says_how_many_and_when():
    """At this traffic, if it goes on as it has; nothing where it never can."""
    holds = decide(CONFIRMED, Count(part=98, whole=100, hours=10, min_hours=24), SINCE)
    assert holds.missing == "146 more of 246; 14.0 more hours of 24"
    assert holds.passes_at == SINCE + 24.6 * HOUR
    never = decide(CONFIRMED, Count(part=93, whole=100, hours=10, min_hours=24), SINCE)
    assert never.missing.startswith("0.93 is not above 0.94, 0.95 less a margin of 0.01")
    assert never.passes_at is None


# -- Phases -------------------------------------------------------------------------------------------------------


EVENING = Side(seated=40, covers=120)


def well(**fields):
    """A day of two thousand bookings on which all went well."""
    base = {
        "since": SINCE,
        "until": SINCE + 24 * HOUR,
        "outcomes": {PIPELINE: Outcomes(confirmed=2000), LEGACY: Outcomes(confirmed=2000)},
        "calls": {
            PIPELINE: Calls(bookings=2000, calls=2000),
            (Owner.PIPELINE, Mode.SHADOW): Calls(bookings=2000, calls=2000),
        },
        "volume": {Mode.SHADOW: Volume(bookings=2000, told=2000)},
        "days": tuple(
            ComparedDay(restaurant_id=f"r{number}", date=SINCE.date(), bookings=40, legacy=EVENING, pipeline=EVENING)
            for number in range(60)
        ),
        "rises": (0,) * 60,
    }
    return Metrics(**{**base, **fields})


@pytest.mark.parametrize("phase", [phase for phase in PHASES.values() if phase.criteria], ids=lambda phase: phase.name)
def test_a_phase_judges_each_of_its_criteria(phase):
    """On nothing it holds; before its time it holds; then it passes. What is optional is asked once counted."""
    good = well(agreement=Agreement(match=1990, equivalent=10))
    end = SINCE + phase.min_time
    for metrics, now, answer in (
        (None, end, Answer.HOLD),
        (Metrics(since=SINCE, until=end), end, Answer.HOLD),
        (good, end - dt.timedelta(seconds=1), Answer.HOLD),
        (good, end, Answer.PASS),
    ):
        verdicts = judge_criteria(phase, metrics, SINCE, now)
        counted = metrics is good
        asked = [criterion.metric for criterion in phase.criteria if counted or not criterion.optional]
        assert [verdict.metric for verdict in verdicts] == asked
        assert {verdict.answer for verdict in verdicts} == {answer}


def test_a_tenth_that_fails_whole_shows_as_such():
    """However well the others do: rates are of whom the pipeline is in charge of."""
    phase = PHASES["production-10"]
    failing = {PIPELINE: Outcomes(review=200), LEGACY: Outcomes(confirmed=1800)}
    verdicts = {
        verdict.metric: verdict.answer
        for verdict in judge_criteria(phase, well(outcomes=failing), SINCE, SINCE + phase.min_time)
    }
    assert verdicts["confirmation_rate"] is Answer.FAIL
    assert verdicts["relative_confirmation"] is Answer.FAIL


def test_an_unknown_metric_is_an_error():
    """It neither holds for ever nor is taken for another."""
    phase = attrs.evolve(PHASES["staging-full"], criteria=(Criterion(metric="stars", at_least=4),))
    with pytest.raises(ValueError, match=r"metric: expected one of confirmation_rate, .*, got 'stars'"):
        judge_criteria(phase, well(), SINCE, SINCE + 100 * HOUR)
