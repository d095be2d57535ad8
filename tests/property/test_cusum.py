"""The test for a change is wrong as rarely as it says, and finds what it is for."""

import datetime as dt
import random
import statistics

import attrs
import pytest

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Bucket
from assignment_pipeline.rollout.watching import AlertState
from assignment_pipeline.rollout.watching.alerts import HOUR, evaluate
from assignment_pipeline.rollout.watching.cusum import Cusum
from assignment_pipeline.rollout.watching.rules import RULES, STEP

BEGIN = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)


def bookings_until(test, share, chance, most=10**9):
    """How many bookings until the alarm, if such a share of them is bad."""
    total = 0.0
    for number in range(1, most):
        bad = chance.random() < share
        total = max(0.0, test.after(total, int(bad), 1, test.limit))
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
    alarm = test.after(0.0, 1000, 1000, test.limit)
    assert alarm >= test.limit
    assert test.after(alarm, 0, 23, test.limit) >= test.limit > test.after(alarm, 0, 25, test.limit)


def test_one_bad_booking_is_no_alarm():
    """However often a false one is allowed."""
    test = Cusum.of(0.05, 0.2, every=1)
    assert test.limit >= test.evidence(1, 1)


# -- Full evenings ------------------------------------------------------------------------------------------------


def hours_of(*bad, whole=12):
    """Hours with so many bad bookings of *whole*, in stretches of five minutes: the bad ones first."""
    buckets = []
    for hour, many in enumerate(bad):
        for slot in range(12):
            first, last = round(slot * whole / 12), round((slot + 1) * whole / 12)
            worse = max(min(many, last) - first, 0)
            outcomes = {PIPELINE: Outcomes(confirmed=last - first - worse, review=worse)}
            buckets.append(Bucket(start=BEGIN + hour * HOUR + slot * STEP, outcomes=outcomes if last > first else {}))
    return buckets


def by_hour(buckets):
    """The same in stretches of an hour."""
    hours = [buckets[place : place + 12] for place in range(0, len(buckets), 12)]
    outcomes = [sum((bucket.pipeline for bucket in hour), Outcomes()) for hour in hours]
    return [Bucket(start=hour[0].start, outcomes={PIPELINE: each}) for hour, each in zip(hours, outcomes, strict=True)]


def state(week, day):
    """How the alert stands behind a week of hours, and the last of them in a day."""
    past, now = hours_of(*week, *day), hours_of(*week, *day)[-24 * 12 :]
    return evaluate(RULES[0], now, past[-1].start + STEP, past=lambda: by_hour(past)).state


def test_full_evenings_are_no_alarm_where_hours_are_like_that():
    """Two bad hours after a week of such hours; after a week without them, they are an alarm."""
    day = [0] * 20 + [6, 5, 6, 5]
    assert state([0, 0, 0, 1] * 42, day) is AlertState.FIRING
    assert state([0, 0, 0, 6] * 42, day) is AlertState.INACTIVE


def test_one_hour_alone_is_no_alarm_unless_it_fails_whole():
    """Half of it might be one full house; all of it is not."""
    quiet = [0, 1] * 84
    assert state(quiet, [0] * 23 + [6]) is AlertState.INACTIVE
    assert state(quiet, [0] * 23 + [12]) is AlertState.FIRING


@pytest.mark.parametrize("rule", RULES[:2], ids=lambda rule: rule.name)
def test_an_outage_of_days_is_not_taken_for_evenings_that_are_full(rule):
    """Its own hours of yesterday tell nothing of how alike bookings are while all is well."""
    found = []
    for hour in range(24 * 7):
        booked = 12 if hour % 24 >= 20 else 0
        stretches = hours_of(booked if hour >= 24 * 5 else 0, whole=booked)
        found += [attrs.evolve(bucket, start=bucket.start + hour * HOUR) for bucket in stretches]
    end = found[-1].start + STEP
    assert evaluate(rule, found[-24 * 12 :], end, past=lambda: by_hour(found)).state is AlertState.FIRING


@pytest.mark.parametrize("an_hour", [4, 12])
@pytest.mark.parametrize("alike", [0.02, 0.05])
def test_it_is_as_rarely_wrong_where_hours_resemble_themselves(an_hour, alike):
    """Whole evenings are full, and the test knows: hours of a rate of their own give no more alarms than it says."""
    test, chance = Cusum.of(0.05, 0.2, every=200 * an_hour, an_hour=an_hour, alike=alike), random.Random(3)
    weight, found = 1 / alike - 1, []
    for _ in range(200):
        total, hours = 0.0, 0
        while total < test.limit:
            share = chance.betavariate(0.05 * weight, 0.95 * weight)
            bad = sum(chance.random() < share for _ in range(an_hour))
            total, hours = max(0.0, test.after(total, bad, an_hour, test.limit)), hours + 1
        found.append(hours)
    assert statistics.fmean(found) >= 160


def test_what_a_full_hour_adds_is_little_where_hours_resemble_themselves():
    """Ten of ten that were turned away may be one full house."""
    lone, alike = (Cusum.of(0.05, 0.2, every=10_000, an_hour=10, alike=each) for each in (0.0, 0.05))
    assert alike.evidence(10, 10) < lone.evidence(10, 10) / 2
    assert alike.evidence(1, 1) == pytest.approx(lone.evidence(1, 1))
