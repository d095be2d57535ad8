"""Whether both sides of a comparison have the bookings that they should have, before anybody compares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

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


def asked_of(found: Mapping[str, Mapping[Group, Outcomes]], restaurants: Iterable[str]) -> int:
    """How many asked at these restaurants, whoever answered."""
    return sum(came.asked for name in restaurants for came in found.get(name, {}).values())


def sample_ratio(own: int, whole: int, own_before: int, whole_before: int) -> Verdict | None:
    """
    Whether the cohort's share of the bookings is what it was in the weeks before; None where too few tell.

    The sequential test of M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", Advances in Neural
    Information Processing Systems 35 (2022), of two arms: the share that is tested is the end of a range around that
    of the weeks before which is nearer to what is found.

    Args:
        own: Bookings of the cohort since the phase began.

        whole: Bookings of both sides since then.

        own_before: Bookings of the same restaurants in the weeks before.

        whole_before: Bookings of both sides in them.
    """
    if whole_before < _FEW or not 0 < own_before < whole_before or not whole:
        return None
    before, now = own_before / whole_before, own / whole
    numbers = {"own": own, "whole": whole, "own_before": own_before, "whole_before": whole_before}
    low, high = before * (1 - RANGE), min(before * (1 + RANGE), 1 - (1 - before) * (1 - RANGE))
    nearest = min(max(now, low), high)
    is_off = nearest != now and (
        log_evidence(own, whole, nearest, (_WEIGHT * nearest, _WEIGHT * (1 - nearest))) >= -math.log(RATIO_ERROR / 2)
    )
    said = f"{now:.1%} of {whole:,} bookings are the cohort's, and {before:.1%} of {whole_before:,} were before"
    return Verdict(
        metric=SAMPLE_RATIO,
        answer=Answer.UNHEALTHY if is_off else Answer.PASS,
        value=now,
        sample=whole,
        missing=f"{said}: a side is not reported, or restaurants of it were closed" if is_off else None,
        numbers=numbers,
    )
