"""How many bookings, and how many days, gates take to decide: what is known before a rollout begins."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from statistics import NormalDist

import attrs

from assignment_pipeline.rollout.control.metrics import (
    ERROR_RATE,
    EVENT_VOLUME,
    INFEASIBLE_RISE,
    OF_DAYS,
    RELATIVE_CONFIRMATION,
    REVIEW_RATE,
)
from assignment_pipeline.rollout.control.phases import ERROR, PHASES, Criterion, Phase
from assignment_pipeline.rollout.control.sequential import (
    MOSTLY_GOOD,
    MOSTLY_NOT,
    log_evidence,
    log_evidence_of_difference,
    log_evidence_of_mean,
)
from assignment_pipeline.rollout.control.store_gates import ENOUGH_ASKED

POWER = 0.8
"""How often what is good enough is to pass with so many bookings."""

SPREAD = 0.08
"""How far apart two planners are on a service day, more or less: busy evenings differ by some tables."""

SLACK = 0.05
"""What is planned for beyond that where two are compared: the forecast of it is approximate."""

WHOLE = 10_000
"""All restaurants, in basis points."""

_MOST = 10**8


def bookings_for_one_look(margin: float, rate: float = 0.95) -> int:
    """
    How many bookings on each side show that one of two equal planners is not worse by *margin*, for who looks once.

    S.-C. Chow, J. Shao, H. Wang, "Sample Size Calculations in Clinical Research", 2nd edition, 2008, section 4.2.2. No
    gate decides by it: people look before the end. It says what looking at any time costs.

    Args:
        margin: By how much it may be worse, above 0.

        rate: The share of both that is confirmed.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - ERROR) + normal.inv_cdf(POWER)
    return math.ceil(2 * rate * (1 - rate) * (z / margin) ** 2)


def bookings_to_compare(margin: float, rate: float = 0.95, *, others: float = 1.0) -> int | None:
    """
    How many bookings of its own show that a planner that is as good as another is not worse by *margin*, at any look.

    Args:
        margin: By how much it may be worse, above 0.

        rate: The share of both that is confirmed.

        others: How many bookings the other planner has for each of its own.

    Returns:
        None where it takes more than a hundred million.
    """
    low = NormalDist().inv_cdf(POWER + SLACK)

    def shows(bookings: int) -> bool:
        theirs = round(bookings * others)
        spread = math.sqrt(rate * (1 - rate) * (1 / bookings + 1 / theirs))
        # The power's share of all differences is above this one. Most of it is the smaller side's.
        worse = low * spread
        own_part = max(0.0, min(1.0, rate - worse * others / (1 + others)))
        other_part = max(0.0, min(1.0, rate + worse / (1 + others)))
        if own_part - other_part <= -margin:
            return False
        one, other = (round(own_part * bookings), bookings), (round(other_part * theirs), theirs)
        return log_evidence_of_difference(one, other, -margin) >= -math.log(ERROR)

    return _least(shows)


def bookings_to_show(rate: float, limit: float, *, at_least: bool = True) -> int | None:
    """
    How many bookings show at any look that a rate is at least, or at most, *limit*.

    Args:
        rate: The true rate.

        limit: What is to be shown: a criterion's threshold less its margin.

        at_least: Whether *limit* is the least that it may be, or the most.

    Returns:
        None where *rate* is not on the right side of *limit*, or it takes more than a hundred million.
    """
    if (rate <= limit) if at_least else (rate >= limit):
        return None
    sign = -1 if at_least else 1
    low, prior = NormalDist().inv_cdf(POWER), MOSTLY_GOOD if at_least else MOSTLY_NOT

    def shows(bookings: int) -> bool:
        found = rate + sign * low * math.sqrt(rate * (1 - rate) / bookings)
        if (found <= limit) if at_least else (found >= limit):
            return False
        return log_evidence(round(found * bookings), bookings, limit, prior) >= -math.log(ERROR)

    return _least(shows)


def days_to_compare(margin: float) -> int | None:
    """
    How many service days show at any look that a planner that is as good as another does not seat fewer by *margin*.

    Args:
        margin: By which share it may seat fewer, above 0.

    Returns:
        None where it takes more than a hundred million.
    """
    low, apart = NormalDist().inv_cdf(POWER), round(100 * SPREAD)

    def shows(days: int) -> bool:
        mean = -low * SPREAD / math.sqrt(days)
        if mean <= -margin:
            return False
        better = days * (1 + mean / SPREAD) / 2
        found = {apart: better, -apart: days - better}
        return log_evidence_of_mean(found, -margin, above=True) >= -math.log(ERROR)

    return _least(shows)


def _least(shows: Callable[[int], bool]) -> int | None:
    """The least number that shows it; what shows it is shown by more, too, up to rounding."""
    many = 16
    while not shows(many):
        many *= 2
        if many > _MOST:
            return None
    few = many // 2
    while many - few > max(1, few // 200):
        middle = (few + many) // 2
        few, many = (few, middle) if shows(middle) else (middle, many)
    return many


@attrs.frozen(kw_only=True)
class PhaseForecast:
    """
    How long a phase takes, at a traffic.

    Attributes:
        phase: The phase.

        restaurants: At how many the pipeline is in charge, or in shadow.

        bookings_a_day: How many bookings a day they have.

        bookings: How many bookings its gates take; None if they never pass.

        decided_by: The metric that takes the most.

        days: How many days that is, the phase's minimum included; None if they never pass.

        lacks_restaurants: Whether it compares more restaurants than one of the two planners has.
    """

    phase: Phase
    restaurants: float
    bookings_a_day: float
    bookings: int | None
    decided_by: str
    days: float | None
    lacks_restaurants: bool = False


def forecast(restaurants: int, bookings_a_day: float, *, confirmed: float = 0.98) -> tuple[PhaseForecast, ...]:
    """
    How long each phase takes until its gates have passed in four of five cases.

    It assumes a pipeline that is well: it makes no errors, and is as good as legacy, on whole service days too.
    Restaurants are taken to be alike: where they differ, comparing takes more of them.

    Args:
        restaurants: How many there are.

        bookings_a_day: How many bookings they have a day, all together.

        confirmed: The share of bookings that is confirmed.
    """
    found = []
    for phase in PHASES.values():
        if not phase.criteria:
            continue
        share = (phase.settings.percent if phase.settings.enabled else WHOLE) / WHOLE
        a_day = bookings_a_day / restaurants
        criteria = [each for each in phase.criteria if not each.optional]
        needs = {each.metric: _needed(each, share, confirmed, a_day) for each in criteria}
        lacking = [each.metric for each in criteria if _lacks(each, restaurants, share)]
        needs |= dict.fromkeys(lacking)
        most = max(needs, key=lambda metric: needs[metric] or _MOST)
        bookings, days = needs[most], None
        if bookings is not None:
            days = max(bookings / (bookings_a_day * share), phase.min_time / dt.timedelta(days=1))
        found.append(
            PhaseForecast(
                phase=phase,
                restaurants=restaurants * share,
                bookings_a_day=bookings_a_day * share,
                bookings=bookings,
                decided_by=most,
                days=days,
                lacks_restaurants=bool(lacking),
            )
        )
    return tuple(found)


def _lacks(criterion: Criterion, restaurants: int, share: float) -> bool:
    """Whether it compares more restaurants than one of the two planners has, on average."""
    fewest = round(restaurants * min(share, 1 - share), 6)  # Shares are no round numbers.
    return criterion.metric == RELATIVE_CONFIRMATION.name and share < 1 and fewest < criterion.min_restaurants


def _needed(criterion: Criterion, share: float, confirmed: float, a_day: float) -> int | None:
    """How many bookings of the cohort a criterion takes, with so many at a restaurant a day."""
    if criterion.metric in OF_DAYS:
        days = days_to_compare(-criterion.limit)
        return None if days is None else math.ceil(max(days, criterion.min_sample) * a_day)
    if criterion.metric == INFEASIBLE_RISE.name:
        days = days_to_compare(criterion.limit)
        return None if days is None else math.ceil(max(days, criterion.min_sample) * max(a_day, ENOUGH_ASKED))
    if criterion.metric == RELATIVE_CONFIRMATION.name:
        needed = bookings_to_compare(-criterion.limit, confirmed, others=(1 - share) / share) if share < 1 else None
    else:
        rates = {REVIEW_RATE.name: 1 - confirmed, ERROR_RATE.name: 0.0, EVENT_VOLUME.name: 1.0}
        rate = rates.get(criterion.metric, confirmed)
        needed = bookings_to_show(rate, criterion.limit, at_least=criterion.bound.is_least)
    return None if needed is None else max(needed, criterion.min_sample)
