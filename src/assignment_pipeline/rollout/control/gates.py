"""Whether a phase may be left for the next: its criteria, measured."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from assignment_pipeline.rollout.control.exposure import EXPOSURE, answer_of
from assignment_pipeline.rollout.control.metrics import INFEASIBLE_RISE, OF_DAYS, RELATIVE_CONFIRMATION, Count
from assignment_pipeline.rollout.control.phases import OWN_DAYS, Criterion, is_own_day
from assignment_pipeline.rollout.control.sample_ratio import SAMPLE_RATIO, sample_ratio
from assignment_pipeline.rollout.control.sequential import (
    MOSTLY_GOOD,
    MOSTLY_NOT,
    difference_sequence,
    log_evidence,
    log_evidence_of_difference,
    log_evidence_of_mean,
    mean_sequence,
    rate_sequence,
)
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict

HOW = "`worker` and `shadow days` do that"
"""Which commands compare service days."""

PICKED = "restaurants that somebody has listed are left out"

MOST_UNREADABLE = 0.01
"""Of legacy's answers, those that the shadow may fail to read before a gate holds for it: from 0 to 1."""

SILENT = 50
"""Of so many of the pipeline's, legacy has some to report at the other restaurants, too."""

_YEAR = 24 * 365.0
_FAR = 1e6  # As many times as much is never counted.


def decide(criterion: Criterion, counted: Count, since: dt.datetime | None = None, *, sharing: int = 1) -> Verdict:
    """
    What was counted, held against a criterion. Pure: the same numbers give the same verdict.

    Both answers are sequential tests, valid however often one looks. FAIL where the true value is worse than the
    threshold, with the criterion's error; it lasts for as long as `Count.worst` remembers it. PASS where the true value
    is no worse than the margin allows, with the same error, of enough and after long enough. HOLD otherwise, and always
    of nothing. UNHEALTHY where legacy is to be compared and reports nothing.

    Args:
        criterion: What has to hold.

        counted: What was found.

        since: Since when it has been counted, to say when it can pass at the earliest.

        sharing: How many criteria share the error of FAIL: a phase with four of them fails wrongly as rarely as one
            with one. PASS needs no sharing, for all of them have to.
    """
    value = counted.value
    low, high = sequence(criterion, counted) if value is not None else (None, None)
    answer, missing = Answer.HOLD, None
    passes_at = since + dt.timedelta(hours=counted.min_hours) if since is not None else None
    wanted = _wanted(criterion, counted)
    wants = _wants(criterion, counted, wanted)
    silent = counted.whole >= SILENT and counted.other_whole == 0
    failed = _failed(criterion, counted, criterion.error / sharing)
    if silent:
        answer = Answer.UNHEALTHY
        missing = f"legacy reported no outcome to compare with, beside {counted.whole:,} of the pipeline's"
    elif value is None:
        missing = "; ".join(
            [_nothing(criterion, counted), *(want for want in wants if counted.unreadable and "answers" in want)]
        )
    elif failed is not None:
        answer, passes_at = Answer.FAIL, None
        missing = f"{failed} {criterion.bound.bad_side} {criterion.threshold:g}, and not by chance"
    elif wants:
        missing = "; ".join(wants)
    else:
        answer, passes_at = Answer.PASS, None
    if value is None:
        passes_at = None
    elif passes_at is not None and wanted != counted.sample:
        passes_at = _expected(counted, wanted, since, passes_at)
    return Verdict.of(
        criterion,
        answer,
        value=value,
        sample=counted.sample,
        low=low,
        high=high,
        missing=missing,
        passes_at=passes_at if answer is Answer.HOLD else None,
        numbers={**counted.numbers, **_terms(criterion), "sharing": sharing},
    )


def recompute(verdict: Verdict, min_sample: int) -> Answer:
    """
    The answer again, from the numbers that a verdict was recorded with.

    Raises:
        ValueError: They are not those of a gate.
    """
    if verdict.metric == OWN_DAYS:
        own = sum(is_own_day(*found) for found in verdict.numbers["days"].values())
        return Answer.PASS if own >= (verdict.threshold or 0) else Answer.HOLD
    if verdict.metric == SAMPLE_RATIO:
        again = sample_ratio(**verdict.numbers)
        return Answer.HOLD if again is None else again.answer
    if verdict.metric == EXPOSURE:
        return answer_of(verdict.numbers["elsewhere"])
    bound: Any = {verdict.direction: verdict.threshold}
    terms = {name: verdict.numbers[name] for name in _TERMS if name in verdict.numbers}
    sharing = verdict.numbers.get("sharing", 1)
    counted = counted_of(verdict)
    try:
        criterion = Criterion(metric=verdict.metric, min_sample=min_sample, **terms, **bound)
    except TypeError as reason:
        raise ValueError(str(reason)) from reason
    return decide(criterion, counted, sharing=sharing).answer


def counted_of(verdict: Verdict) -> Count:
    """
    What a verdict was decided on.

    Raises:
        ValueError: Its numbers are not those of a gate.
    """
    numbers: Any = {name: found for name, found in verdict.numbers.items() if name not in {*_TERMS, "sharing"}}
    try:
        return Count(**numbers)
    except TypeError as reason:
        raise ValueError(str(reason)) from reason


_TERMS = ("margin", "error", "min_restaurants")


def _terms(criterion: Criterion) -> dict[str, float]:
    """What of a criterion a verdict keeps beside its numbers, so that it can be computed again."""
    return {name: getattr(criterion, name) for name in _TERMS}


# -- The tests ----------------------------------------------------------------------------------------------------


def sequence(criterion: Criterion, counted: Count) -> tuple[float, float]:
    """Where the true value lies, with the criterion's error, however often one looks."""
    if counted.days is not None:
        return mean_sequence(counted.days, criterion.error)
    if counted.other_part is None or counted.other_whole is None:
        return rate_sequence(counted.part, counted.whole, criterion.error, _prior(criterion))
    return difference_sequence(*counted.worth, criterion.error)


def evidence(criterion: Criterion, counted: Count, bound: float) -> float:
    """The logarithm of the evidence that the true value is not *bound*, but on the side on which it was found."""
    if counted.days is not None:
        return log_evidence_of_mean(counted.days, bound, above=(counted.value or 0.0) > bound)
    if counted.other_part is None or counted.other_whole is None:
        return log_evidence(counted.part, counted.whole, min(max(bound, 0.0), 1.0), _prior(criterion))
    return log_evidence_of_difference(*counted.worth, min(max(bound, -1.0), 1.0))


def _prior(criterion: Criterion) -> tuple[float, float]:
    return MOSTLY_GOOD if criterion.bound.is_least else MOSTLY_NOT


def _is_ruled_out(criterion: Criterion, counted: Count, error: float) -> bool:
    value = counted.value
    if value is None or not criterion.bound.is_beyond(value):
        return False
    return evidence(criterion, counted, criterion.threshold) >= -math.log(error)


def _failed(criterion: Criterion, counted: Count, error: float) -> str | None:
    """What rules the threshold out, in words; None if nothing does."""
    if _is_ruled_out(criterion, counted, error):
        return f"{counted.value:.4g} is"
    if counted.worst is not None and _is_ruled_out(criterion, counted.worst, error):
        return f"in this phase it was {counted.worst.value:.4g} of {counted.worst.sample:,}:"
    return None


def _is_shown(criterion: Criterion, counted: Count) -> bool:
    """Whether the true value is no worse than the margin allows."""
    value = counted.value
    if value is None or not criterion.is_met(value):
        return False
    if value == criterion.limit and criterion.limit in (0.0, 1.0):
        return True  # Nothing is better than that.
    return evidence(criterion, counted, criterion.limit) >= -math.log(criterion.error)


# -- What is missing ----------------------------------------------------------------------------------------------


def _wanted(criterion: Criterion, counted: Count) -> int | None:
    """How many have to be counted before it can pass, if it goes on as it has; None if it never can."""
    least = max(criterion.min_sample, 1)
    if counted.sample >= least and _is_shown(criterion, counted):
        return counted.sample
    value = counted.value
    if value is None or not counted.sample:
        return least
    if not criterion.is_met(value):
        return None
    few, many = 1.0, 2.0
    while not _is_shown(criterion, _scaled(counted, many)):
        few, many = many, 2 * many
        if many > _FAR:
            return None
    while many - few > 0.01 * few:
        middle = (few + many) / 2
        few, many = (few, middle) if _is_shown(criterion, _scaled(counted, middle)) else (middle, many)
    if _is_shown(criterion, counted):
        many = 1.0
    return max(least, math.ceil(many * counted.sample))


def _scaled(counted: Count, times: float) -> Count:
    """So many times as much of everything."""
    if counted.days is not None:
        return Count(days={percent: times * days for percent, days in counted.days.items()})
    numbers = (counted.part, counted.whole, counted.other_part, counted.other_whole)
    part, whole, other_part, other_whole = (None if each is None else round(each * times) for each in numbers)
    return Count(part or 0, whole or 0, other_part, other_whole).with_effects_of(counted)


def _wants(criterion: Criterion, counted: Count, wanted: int | None) -> list[str]:
    """What it lacks, in words."""
    wants = _restaurants_wanted(criterion, counted)
    value = counted.value
    if value is not None and wanted is None and criterion.is_met(value):
        few = "service days differ too much" if counted.days is not None else "restaurants differ too much"
        wants.append(f"{few}: more bookings at the same ones do not show it")
    elif value is not None and wanted is None:
        of = f", {criterion.threshold:g} less a margin of {criterion.margin:g}" if criterion.margin else ""
        wants.append(f"{value:.4g} is not {criterion.bound.good_side} {criterion.limit:g}{of}")
    elif wanted is not None and counted.sample < wanted:
        whose = "" if counted.other_whole is None else " on each side"
        if counted.days is not None:
            whose = " service days"
        if counted.other_whole is not None and counted.whole >= wanted > counted.other_whole:
            whose = " of legacy's"
        wants.append(f"{wanted - counted.sample:,} more of {wanted:,}{whose}")
    elif not counted.sample:
        wants.append(f"{max(criterion.min_sample, 1)} more")
    if counted.unreadable > MOST_UNREADABLE * counted.answered:
        wants.append(f"{counted.unreadable} of {counted.answered} answers of legacy's could not be compared")
    if counted.hours < counted.min_hours:
        wants.append(f"{counted.min_hours - counted.hours:.1f} more hours of {counted.min_hours:g}")
    return wants


def _restaurants_wanted(criterion: Criterion, counted: Count) -> list[str]:
    """The restaurants that are missing, in words."""
    if counted.restaurants is None or counted.other_restaurants is None:
        return []
    sides = ((counted.restaurants, "the pipeline's"), (counted.other_restaurants, "legacy's"))
    least = criterion.min_restaurants
    wants = [f"{least - found} more of {least} restaurants of {whose}" for found, whose in sides if found < least]
    return [*wants, PICKED] if wants else []


def _nothing(criterion: Criterion, counted: Count) -> str:
    if criterion.metric in OF_DAYS:
        return f"no service day was compared yet: {HOW}"
    if criterion.metric == INFEASIBLE_RISE.name:
        return "no restaurant has twenty bookings yet, or none has a past with as many"
    if counted.whole and counted.other_whole == 0:
        return "legacy reported no outcome to compare with"
    if criterion.metric == RELATIVE_CONFIRMATION.name:
        return f"nothing was counted yet; {PICKED}"
    return "nothing was counted yet"


def _expected(
    counted: Count, wanted: int | None, since: dt.datetime | None, earliest: dt.datetime
) -> dt.datetime | None:
    """When so many are counted if it goes on as it has; None where nothing tells."""
    if since is None or wanted is None or not counted.sample or counted.hours <= 0:
        return None
    hours = counted.hours * wanted / counted.sample
    return max(earliest, since + dt.timedelta(hours=hours)) if hours < _YEAR else None
