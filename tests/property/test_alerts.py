"""An alert fires once it has been bad for long enough, and not before."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment_pipeline.domain.counts import Calls, Outcomes
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.metrics import PIPELINE, Bucket
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.rollout import queries
from assignment_pipeline.rollout.control.metrics import METRICS, Count
from assignment_pipeline.rollout.watching import AlertState
from assignment_pipeline.rollout.watching.alerts import STEP, USUALLY_ALIKE, _alike, changes, evaluate, floor
from assignment_pipeline.rollout.watching.rules import FEW, RULES, AlertRule

CONFIRMED, REVIEWS, ERRORS, WORSE = RULES
END = dt.datetime(2031, 5, 3, 20, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def buckets(*stretches):
    """One for each pair of good and bad, the last of them ending at the end."""
    begin = END - len(stretches) * STEP
    return [
        Bucket(
            start=begin + place * STEP,
            outcomes={
                PIPELINE: Outcomes(confirmed=good, review=bad),
                (Owner.LEGACY, Mode.OFF): Outcomes(confirmed=1000),
            },
            calls={PIPELINE: Calls(bookings=good + bad, failing=bad)},
        )
        for place, (good, bad) in enumerate(stretches)
    ]


GOOD, BAD, NONE = (20, 0), (0, 20), (0, 0)


@pytest.mark.parametrize(
    ("stretches", "state", "minutes"),
    [
        ([], AlertState.INACTIVE, None),
        ([NONE] * 40, AlertState.INACTIVE, None),
        ([GOOD] * 40, AlertState.INACTIVE, None),
        ([GOOD] * 39 + [BAD], AlertState.PENDING, 5),
        ([GOOD] * 38 + [BAD] * 2, AlertState.FIRING, 10),
        ([GOOD] * 20 + [BAD] * 20, AlertState.FIRING, 100),
        ([GOOD] * 20 + [BAD] * 18 + [GOOD] * 2, AlertState.INACTIVE, None),
        ([GOOD] * 20 + [BAD, GOOD] * 10, AlertState.FIRING, 100),
        ([GOOD] * 20 + [BAD] * 5 + [NONE] * 5, AlertState.FIRING, 50),  # Nobody books at night: it stays bad.
    ],
)
@pytest.mark.parametrize("rule", [CONFIRMED, ERRORS], ids=["confirmation", "errors"])
def test_it_fires_after_ten_minutes(rule, stretches, state, minutes):
    """Since the change, which the test finds by itself; some good bookings, one after the other, end it."""
    alert = evaluate(rule, buckets(*stretches), END)
    assert alert.state is state
    assert alert.since == (None if minutes is None else END - dt.timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("good", "bad", "fires"),
    [
        (360, 40, False),  # 90 % is not below 90 %.
        (359, 41, True),
        (179, 21, False),  # Fewer: the rate alone may be chance.
    ],
)
def test_of_many_the_rate_itself_decides(good, bad, fires):
    """As the guide has it: at every look for ten minutes."""
    assert CONFIRMED.is_bad(Count(good, good + bad)) is fires
    alert = evaluate(CONFIRMED, buckets(*[GOOD] * 20, *[(good // 2, bad - bad // 2)] * 6), END)
    assert (alert.state is AlertState.FIRING) is fires


def one_by_one(*outcomes, hours=1.0):
    """Bookings with so many hours between them: a good one for each 1, a bad one for each 0."""
    gap = [NONE] * (int(hours * 12) - 1)
    return buckets(*[each for good in outcomes for each in ((good, 1 - good), *gap)])


@pytest.mark.parametrize(
    ("outcomes", "fires"),
    [
        ([1] * 10 + [0] * 4, False),
        ([1] * 10 + [0] * 6, True),  # Six in a row, where one in twenty fails.
        ([1] * 10 + [0, 1, 1, 1, 1] * 4, False),  # Four of twenty.
        ([0] * (FEW - 1), False),  # Too few to say anything.
        ([0] * FEW, True),
    ],
)
def test_few_bookings_say_what_they_can(outcomes, fires):
    """What is no chance fires, whatever the traffic; no time of the day makes anything of what is."""
    for hours in (0.25, 1.0):
        alert = evaluate(CONFIRMED, one_by_one(*outcomes, hours=hours), END)
        assert (alert.state is AlertState.FIRING) is fires


def test_what_begins_with_the_change_is_found_sooner():
    """A release that is bad at once has no good past to be told from."""
    outcomes = one_by_one(*[1, 1, 0] * 6, 1, 1, 1)
    assert evaluate(CONFIRMED, outcomes, END).state is AlertState.INACTIVE
    assert evaluate(CONFIRMED, outcomes, END, from_start=True).state is AlertState.FIRING


def test_time_that_passes_without_bookings_is_no_news():
    """What did not fire at the last booking does not fire for want of another one."""
    late = one_by_one(*[1] * 10, *[0, 1, 1] * 4)
    for hours in range(23):
        assert evaluate(CONFIRMED, [*late, *buckets(*[NONE] * 12 * hours)], END).state is AlertState.INACTIVE


@pytest.mark.parametrize(
    ("own", "legacy", "fires"),
    [
        ((0, 20), (20, 20), True),
        ((0, 20), (0, 20), False),  # A Saturday on which nobody finds a table.
        ((140, 200), (190, 200), False),  # 25 points worse, not more.
        ((139, 200), (190, 200), True),
        ((0, 500), (9, 9), False),  # Too few of legacy's to compare with.
        ((0, 500), (0, 0), False),
    ],
)
def test_far_worse_than_legacy(own, legacy, fires):
    """Among all who ask: what refuses everybody has no rate of its own."""
    assert WORSE.is_bad(Count(*own, *legacy)) is fires


@pytest.mark.parametrize(("good", "bad", "fires"), [(800, 200, False), (799, 201, True), (1000, 0, False)])
def test_a_fifth_of_the_day_in_review(good, bad, fires):
    """More than that fires at once; it is looked at over a day."""
    day = buckets((good, bad), *[NONE] * 287)
    assert (evaluate(REVIEWS, day, END).state is AlertState.FIRING) is fires
    assert evaluate(REVIEWS, buckets((0, 500), *[GOOD] * 288), END).state is AlertState.INACTIVE


def test_few_bookings_are_looked_for_further_back():
    """A small cohort that fails whole is seen, too."""
    assert evaluate(CONFIRMED, buckets(*[(0, 1), *[NONE] * 20] * FEW), END).state is AlertState.FIRING
    assert evaluate(CONFIRMED, buckets(*[(0, 1), *[NONE] * 20] * (FEW - 1)), END).state is AlertState.INACTIVE


stretches = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=45)


@given(stretches=stretches)
def test_firing_means_bad_for_ten_minutes(stretches):
    """And beyond the bound since it has been bad; who looks later, and has not looked before, finds the same."""
    alert = evaluate(CONFIRMED, buckets(*stretches), END)
    if alert.state is AlertState.FIRING:
        assert END - alert.since >= CONFIRMED.hold
        assert alert.value < CONFIRMED.below
    if stretches and alert.state is not AlertState.INACTIVE:
        assert evaluate(CONFIRMED, buckets(*stretches, NONE), END).since == alert.since - STEP


@given(stretches=stretches, legacy=st.integers(0, 10_000))
def test_what_legacy_does_is_no_matter(stretches, legacy):
    """Neither how much nor how well."""
    before = evaluate(CONFIRMED, buckets(*stretches), END)
    others = [
        Bucket(
            start=each.start,
            outcomes={PIPELINE: each.outcomes[PIPELINE], (Owner.LEGACY, None): Outcomes(failed=legacy)},
        )
        for each in buckets(*stretches)
    ]
    assert evaluate(CONFIRMED, others, END) == before


def test_each_change_is_told_once():
    """Whoever else has seen it tells of the same event."""
    bad = buckets(*[GOOD] * 20, *[BAD] * 10)
    firing = evaluate(CONFIRMED, bad, END)
    (told,) = changes([firing], END)
    assert (told.type, told.context["alert"], told.context["sample"]) == (EventType.ALERT_FIRING, CONFIRMED.name, 200)
    assert changes([evaluate(CONFIRMED, bad, END)], END + STEP)[0].id == told.id
    assert changes([evaluate(CONFIRMED, bad, END, announced=told)], END) == ()
    earlier = attrs.evolve(told, created_at=END - HOUR)
    resolved = evaluate(CONFIRMED, buckets(*[GOOD] * 20), END, announced=earlier)
    assert resolved.state is AlertState.RESOLVED
    (over,) = changes([resolved], END)
    assert over.type is EventType.ALERT_RESOLVED
    assert changes([evaluate(CONFIRMED, buckets(*[GOOD] * 20), END)], END) == ()


def told_since(rule, hours):
    """The event that told of a firing alert, so many hours before the end."""
    firing = evaluate(rule, buckets(*[BAD] * 10), END)
    return attrs.evolve(changes([firing], END)[0], created_at=END - hours * HOUR)


DAY = 288


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("hours", [6, 40, 24 * 20])
def test_an_alert_goes_on_while_nothing_says_that_it_is_over(rule, hours):
    """A night without bookings, or a few bad ones in a day, are no recovery: how long ago it fired does not matter."""
    told = told_since(rule, hours)
    for stretches in ([NONE] * DAY, [NONE] * (DAY - 30) + [(0, 1)] * (FEW - 2) + [NONE] * 22):
        alert = evaluate(rule, buckets(*stretches), END, announced=told)
        assert alert.state is AlertState.FIRING
        assert alert.since is not None
        assert changes([alert], END) == ()


@pytest.mark.parametrize("rule", [CONFIRMED, REVIEWS, ERRORS], ids=lambda rule: rule.name)
def test_good_bookings_in_a_row_end_an_alert(rule):
    """Twenty-four do, however far apart they come; some more bad ones among them, and they do not."""
    told = told_since(rule, 6)

    def state(*stretches):
        day = [*[NONE] * (DAY - len(stretches)), *stretches]
        return evaluate(rule, buckets(*day), END, announced=told).state

    assert state(*[(1, 0)] * 23) is AlertState.FIRING
    assert state(*[(1, 0)] * 25) is AlertState.RESOLVED
    assert state(*[(1, 0)] * 13, (0, 3), *[(1, 0)] * 12) is AlertState.FIRING


def test_good_bookings_end_an_alert_of_days_ago():
    """With few bookings a day they come from the hours of the week; after a week, any more good ones than bad do."""
    few = [*[NONE] * (DAY - 8), *[(1, 0)] * 8]

    def state(hours, good_a_day):
        past = [
            Bucket(start=END - number * HOUR, outcomes={PIPELINE: Outcomes(confirmed=good_a_day)})
            for number in range(24 * 7, 24, -24)
        ]
        return evaluate(CONFIRMED, buckets(*few), END, announced=told_since(CONFIRMED, hours), past=lambda: past).state

    assert state(72, 7) is AlertState.FIRING
    assert state(24 * 6, 7) is AlertState.RESOLVED
    assert state(24 * 8, 0) is AlertState.RESOLVED


def test_an_alert_of_a_phase_that_was_left_is_over():
    """It was rolled back for it: what has not been counted yet in the next phase does not keep it."""
    alert = evaluate(CONFIRMED, buckets(*[NONE] * 40), END, announced=told_since(CONFIRMED, 6), goes_on=False)
    assert alert.state is AlertState.RESOLVED


@given(moment=st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=dt.UTC)))  # noqa: DTZ001
def test_looks_are_on_the_full_five_minutes(moment):
    """As ``time_bucket`` and ``date_bin`` have them."""
    at = floor(moment)
    assert at <= moment < at + STEP
    assert (at.minute % 5, at.second, at.microsecond) == (0, 0, 0)


def test_a_rule_has_one_bound():
    """It is bad above something or below something."""
    for bounds in ({}, {"above": 0.5, "below": 0.5}):
        with pytest.raises(ValueError, match="either below or above"):
            AlertRule(name="x", metric="error_rate", says="y", **bounds)


@pytest.mark.parametrize("metric", ["stars", *(metric.name for metric in METRICS.values() if not metric.in_stretches)])
def test_a_rule_on_what_no_alert_can_look_at_is_an_error(metric):
    """It is never taken for a rule on another metric."""
    with pytest.raises(ValueError, match=f"expected .*, got '{metric}'"):
        AlertRule(name="made_up", metric=metric, above=0.5, says="Made up.")


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS.values() if metric.in_stretches], ids=lambda it: it.name
)
def test_whatever_an_alert_may_look_at_is_exported(metric):
    """To Prometheus with its sample, and to Grafana with a query of its own."""
    assert metric.sample is not None
    assert "{over}" not in queries.rule(metric.name, over=dt.timedelta(minutes=10))


def test_bookings_are_taken_for_more_alike_than_their_hours_say():
    """By what is not known: as usual without any hour, less with each; hours that are alike count as that."""
    start = dt.datetime(2031, 5, 1, tzinfo=dt.UTC)

    def taken_for(hours, refused):
        found = [
            Bucket(start=start + number * HOUR, outcomes={PIPELINE: Outcomes(confirmed=20 - bad, review=bad)})
            for number, bad in enumerate(refused(number) for number in range(hours))
        ]
        return _alike(RULES[0], found, start + (hours + 1) * HOUR)

    even = [taken_for(hours, lambda _: 1) for hours in (0, 24, 100, 400)]
    assert even[0] == USUALLY_ALIKE
    assert even == sorted(even, reverse=True)
    assert 0 < even[-1] < 0.02
    assert taken_for(400, lambda number: 20 if number % 20 == 0 else 0) > 0.9
