"""What a restaurant's own past explains is taken out of a comparison, and nothing else is."""

import json
import random
import statistics

import pytest

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import PIPELINE
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.rollout.control import PHASES, Answer, Count, Verdict
from assignment_pipeline.rollout.control.covariate import explained_by
from assignment_pipeline.rollout.control.gates import decide, recompute, sequence
from assignment_pipeline.rollout.control.store_gates import compare

LEGACY = (Owner.LEGACY, None)
NO_WORSE = next(each for each in PHASES["production-10"].criteria if each.metric == "relative_confirmation")


def town(chance, *, drawn=3, others=27, bookings=70, past=280, alike=0.05, lasts=True, worse=0.0):
    """Restaurants that differ, and go on to; what was counted, and both halves of their past."""
    weight = 1 / alike - 1
    found, halves = {}, ({}, {})
    for number in range(drawn + others):
        name = f"r-{number}"
        rate = chance.betavariate(0.9 * weight, 0.1 * weight)
        for half in halves:
            half[name] = (sum(chance.random() < rate for _ in range(past // 2)), past // 2)
        now = rate if lasts else chance.betavariate(0.9 * weight, 0.1 * weight)
        good = sum(chance.random() < now - worse * (number < drawn) for _ in range(bookings))
        group = PIPELINE if number < drawn else LEGACY
        found[name] = {group: Outcomes(confirmed=good, review=bookings - good)}
    return found, halves


def test_it_is_what_numpy_computes():
    """The slope of a weighted fit, and the means of the adjusted rates."""
    numpy = pytest.importorskip("numpy")
    chance = random.Random(3)
    found, (earlier, later) = town(chance)
    earlier = {name: (part, whole) for name, (part, whole) in earlier.items()}
    later = {name: (part // 2, whole // 2 + number) for number, (name, (part, whole)) in enumerate(later.items())}
    names = sorted(found)
    first, second = (numpy.array([half[name][0] / half[name][1] for name in names]) for half in (earlier, later))
    many = numpy.array([later[name][1] for name in names], dtype=float)
    slope, _ = numpy.polyfit(first, second, 1, w=numpy.sqrt(many))  # Its weights are those of the residuals.
    assert 0 < slope < 1
    parts = numpy.array([earlier[name][0] + later[name][0] for name in names], dtype=float)
    wholes = numpy.array([earlier[name][1] + later[name][1] for name in names], dtype=float)
    shift = slope * (parts / wholes - parts.sum() / wholes.sum())
    explained = explained_by(earlier, later)
    assert [explained[name] for name in names] == pytest.approx(shift.tolist())

    own = numpy.array([PIPELINE in found[name] for name in names])
    rates = numpy.array([next(iter(found[name].values())).confirmed / 70 for name in names]) - shift
    assert compare(found, frozenset(), explained).value == pytest.approx(
        rates[own].mean() - rates[~own].mean(), abs=1e-6
    )


def test_bookings_tell_more_where_the_past_goes_on():
    """Three restaurants of thirty: the interval is half as wide, and holds the true difference all the same."""
    chance = random.Random(5)
    widths, held = {True: [], False: []}, 0
    for _ in range(25):
        found, halves = town(chance)
        for adjusts in (True, False):
            low, high = sequence(NO_WORSE, compare(found, frozenset(), explained_by(*halves) if adjusts else None))
            widths[adjusts].append(high - low)
            held += adjusts and low <= 0 <= high
    assert held == 25
    assert statistics.mean(widths[True]) < 0.65 * statistics.mean(widths[False])


def test_a_past_that_does_not_go_on_misleads_nobody():
    """The interval holds the true difference, too."""
    chance, held = random.Random(6), 0
    for _ in range(25):
        found, halves = town(chance, lasts=False)
        low, high = sequence(NO_WORSE, compare(found, frozenset(), explained_by(*halves)))
        held += low <= 0 <= high
    assert held >= 24


def test_a_planner_that_is_worse_is_seen_sooner():
    """The same bookings that say nothing by themselves show it with the past; the row says it again."""
    found, halves = town(random.Random(11), drawn=15, others=15, bookings=300, past=1200, worse=0.1)
    plain, adjusted = (decide(NO_WORSE, compare(found, frozenset(), past)) for past in (None, explained_by(*halves)))
    assert (plain.answer, adjusted.answer) == (Answer.HOLD, Answer.FAIL)
    assert adjusted.numbers["explained"]
    row = Verdict.read(json.loads(json.dumps(adjusted.document())))
    assert row == adjusted
    assert recompute(row, NO_WORSE.min_sample) is Answer.FAIL


def test_where_there_is_no_past_nothing_is_adjusted():
    """Nor where few restaurants have one, or few bookings."""
    found, (earlier, later) = town(random.Random(7))
    few = dict(list(earlier.items())[:9])
    small = {name: (part // 10, whole // 10) for name, (part, whole) in earlier.items()}
    for halves in (({}, {}), (few, later), (earlier, few), (small, later)):
        assert explained_by(*halves) == {}
    assert compare(found, frozenset(), {}) == compare(found)
    same = dict.fromkeys(earlier, (130, 140))
    assert set(explained_by(same, same).values()) == {0.0}


def test_a_part_of_it_is_adjusted_by_its_part():
    """What was counted half-way has half of what is explained; and no share leaves 0 to 1."""
    whole = Count(90, 100, 180, 200, explained=4.0, other_explained=-2.0)
    assert whole.value == pytest.approx(0.86 - 0.91)
    half = Count(45, 50, 90, 100).with_effects_of(whole)
    assert (half.explained, half.other_explained) == (2.0, -1.0)
    assert Count(1, 100, 200, 200, explained=4.0, other_explained=-2.0).value == pytest.approx(-1.0)
