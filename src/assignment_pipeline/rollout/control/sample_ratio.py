"""Whether both sides of a comparison have the bookings that they should have, before anybody compares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.metrics import Group
from assignment_pipeline.rollout.control.sequential import log_evidence
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict

SAMPLE_RATIO = "sample_ratio"
"""The name of the verdict."""

RATIO_ERROR = 0.001
"""How often a ratio that is within the range is ever taken for one that is not, at most."""

RANGE = 0.2
"""By so much of itself an arm's share may move: no month is like the one before."""

_WEIGHT = 100.0
_FEW = 200
_MOST_NAMED = 5


def asked_of(found: Mapping[str, Mapping[Group, Outcomes]], restaurants: Iterable[str]) -> int:
    """How many bookings asked for tables at these restaurants, of either planner."""
    return sum(came.asked for name in restaurants for came in found.get(name, {}).values())


@attrs.frozen
class OpenDay:
    """
    How many bookings asked for tables at each restaurant on a day. One without any was closed, or has no events.

    Attributes:
        asked: The bookings, by restaurant.

        part: How much of a day it is, above 0.
    """

    asked: Mapping[str, int]
    part: float = 1.0


def a_day_of(before: Sequence[OpenDay]) -> dict[str, float]:
    """How many ask at each restaurant on a day on which it is open, by days of the past."""
    parts: dict[str, float] = {}
    asked: dict[str, int] = {}
    for day in before:
        for name, number in day.asked.items():
            if number:
                parts[name] = parts.get(name, 0.0) + day.part
                asked[name] = asked.get(name, 0) + number
    return {name: asked[name] / parts[name] for name in asked}


def expected_share(days: Sequence[OpenDay], a_day: Mapping[str, float], own: Iterable[str]) -> float:
    """
    Which share of those who asked would have asked at *own*, by what each restaurant has on a day on which it is open.

    A restaurant counts on the days on which anybody asked. Of Poisson's distribution with mean m, given that it is not
    0, the mean is m / (1 - exp(-m)).
    """
    cells = [
        (name, day.part * a_day[name], asked) for day in days for name, asked in day.asked.items() if name in a_day
    ]
    usual = sum(mean for _, mean, asked in cells if asked)
    times = sum(asked for _, _, asked in cells) / usual if usual else 0.0
    means = [(name, times * mean) for name, mean, asked in cells if asked]
    mine = frozenset(own)
    counted = [(name in mine, mean / -math.expm1(-mean)) for name, mean in means]
    whole = sum(mean for _, mean in counted)
    return sum(mean for is_own, mean in counted if is_own) / whole if whole else 0.0


def silent_of(days: Sequence[OpenDay], a_day: Mapping[str, float]) -> tuple[str, ...]:
    """
    The restaurants at which nobody has asked, though that is no chance by their shares of the past.

    Of Poisson's distribution with mean m, 0 has the probability exp(-m): `RATIO_ERROR` for all of them together.
    """
    whole, usual = sum(sum(day.asked.values()) for day in days), sum(a_day.values())
    least = math.log(len(a_day) / RATIO_ERROR) if a_day else 0.0
    return tuple(
        name
        for name in sorted(a_day)
        if whole * a_day[name] / usual >= least and not any(day.asked.get(name) for day in days)
    )


def sample_ratio(
    own: int, whole: int, own_before: float, whole_before: float, silent: Sequence[str] = ()
) -> Verdict | None:
    """
    Whether the cohort's share of the bookings is what it was in the weeks before; None where too few tell.

    The sequential test of M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", Advances in Neural
    Information Processing Systems 35 (2022), of two arms: the share that is tested is the end of a range around that
    of the weeks before which is nearer to what is found.

    Args:
        own: Bookings of the cohort since the phase began.

        whole: Bookings of both sides since then.

        own_before: Bookings of the same restaurants in the weeks before; or so many of both sides' that
            their share is what it would have been on the days since on which they were open.

        whole_before: Bookings of both sides in them.

        silent: Restaurants that are open and have none any more.
    """
    if whole_before < _FEW or not 0 < own_before < whole_before or not whole:
        return None
    before, now = own_before / whole_before, own / whole
    numbers: dict[str, Any] = {"own": own, "whole": whole, "own_before": own_before, "whole_before": whole_before}
    numbers |= {"silent": list(silent)} if silent else {}
    low, high = before * (1 - RANGE), min(before * (1 + RANGE), 1 - (1 - before) * (1 - RANGE))
    nearest = min(max(now, low), high)
    is_off = nearest != now and (
        log_evidence(own, whole, nearest, (_WEIGHT * nearest, _WEIGHT * (1 - nearest))) >= -math.log(RATIO_ERROR / 2)
    )
    missing = None
    if silent:
        some = f"{', '.join(silent[:_MOST_NAMED])}{' and others' if len(silent) > _MOST_NAMED else ''}"
        missing = f"no booking since the phase began, though open: {some}; they are not reported, or were closed"
    elif is_off:
        said = f"{now:.1%} of {whole:,} bookings are the cohort's, and {before:.1%} of {whole_before:,.0f} were before"
        missing = f"{said}: a side is not reported, or restaurants of it were closed for parts of days"
    return Verdict(
        metric=SAMPLE_RATIO,
        answer=Answer.PASS if missing is None else Answer.UNHEALTHY,
        value=now,
        sample=whole,
        missing=missing,
        numbers=numbers,
    )
