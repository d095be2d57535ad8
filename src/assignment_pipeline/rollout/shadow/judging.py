"""The pipeline's answer against legacy's, in both directions. Pure: a case and a trial in, a judgement out."""

from __future__ import annotations

import math
from collections.abc import Collection

import attrs

from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.result import Outcome, Reason
from assignment_pipeline.domain.shadow import Difference, Incomparable, ShadowCase, ShadowVerdict
from assignment_pipeline.domain.windows import minute_of
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Engine, Evaluation, FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import AssignmentContext
from assignment_pipeline.rollout.shadow.candidate import Trial, rewound

CLOSE = 1e-6
"""Costs that differ by less are the same."""


@attrs.frozen(kw_only=True)
class Judgement:
    """
    How a case came out.

    Attributes:
        verdict: The verdict.

        kind: What the difference is about, or what went wrong.

        cost: What the pipeline's tables cost, or None.

        legacy_cost: What legacy's cost on the same floor, or None.

        legacy_broken: The rules that legacy's tables break there.
    """

    verdict: ShadowVerdict
    kind: str | None = None
    cost: float | None = None
    legacy_cost: float | None = None
    legacy_broken: tuple[str, ...] = ()

    @property
    def cost_difference(self) -> float | None:
        """The pipeline's cost less legacy's; below zero, the pipeline's tables are better."""
        if self.cost is None or self.legacy_cost is None:
            return None
        return round(self.cost - self.legacy_cost, 9)

    @property
    def better(self) -> bool | None:
        """Of a mismatch, whether the pipeline did better than legacy; None of anything else."""
        if self.verdict is not ShadowVerdict.MISMATCH:
            return None
        if self.kind == Difference.TABLES:
            return bool(self.legacy_broken) or (self.cost_difference is not None and self.cost_difference < 0)
        return self.kind == Difference.PIPELINE_ONLY


def judge(case: ShadowCase, trial: Trial, engine: Engine, settings: Settings, later: Collection[str] = ()) -> Judgement:
    """
    Hold what the pipeline did against what legacy did.

    Args:
        case: What legacy did.

        trial: What the pipeline did.

        engine: What legacy's tables are scored by.

        settings: How the flow behaved.

        later: Other bookings of the restaurant that the planner in charge has answered for since.
    """
    if trial.error is not None:
        return Judgement(
            verdict=ShadowVerdict.BOTH_ERROR if case.error else ShadowVerdict.PIPELINE_ERROR, kind=trial.error
        )
    if case.error is not None:
        return Judgement(verdict=ShadowVerdict.LEGACY_ERROR, kind=case.error)
    if case.legacy is None:
        return Judgement(verdict=ShadowVerdict.INCOMPARABLE, kind=Incomparable.UNREADABLE_ANSWER.value)
    context = trial.contexts[-1] if trial.contexts else None
    result = trial.result
    if context is None or result is None:
        return Judgement(verdict=ShadowVerdict.INCOMPARABLE, kind="nothing_loaded")
    known = context.venue.floor.positions.keys() >= set(case.legacy.tables)
    moved = _moved_on(case, context, later) if known else Incomparable.UNKNOWN_TABLES.value
    if moved is None and result.outcome is Outcome.NOOP:
        moved = str(result.reason or Reason.TERMINAL_STATE)
    if moved is not None:
        return Judgement(verdict=ShadowVerdict.INCOMPARABLE, kind=moved)
    return _compared(case, trial, engine, settings, context)


def _moved_on(case: ShadowCase, context: AssignmentContext, later: Collection[str]) -> str | None:
    """Why the floor is not the one that legacy has seen, as far as can be told."""
    at_host = context.bookings.get(case.booking.id)
    if at_host is not None and (not at_host.same_request(case.booking) or _cancelled_since(at_host.status, case)):
        return "booking_changed"
    if later:
        # Only those count that sit within the time that planning looks at.
        here = {row.booking_id for row in context.taken}
        if here & set(later) - {case.booking.id}:
            return "floor_changed"
    return None


def _cancelled_since(status: str, case: ShadowCase) -> bool:
    return status == CANCELLED and case.booking.status != CANCELLED


def _compared(
    case: ShadowCase, trial: Trial, engine: Engine, settings: Settings, context: AssignmentContext
) -> Judgement:
    assert case.legacy is not None  # noqa: S101 - `judge` has looked
    ours, theirs = tuple(sorted(trial.tables)), tuple(sorted(case.legacy.tables))
    scored = score(case, engine, settings, context, theirs) if theirs else Evaluation(None, ())
    broken = tuple(rule.value for rule in scored.broken)
    plan = trial.result.decision.plan if trial.result is not None and trial.result.decision is not None else None
    cost = plan.cost if plan is not None else _cost_of(score(case, engine, settings, context, ours)) if ours else None
    facts = {
        "cost": _finite(cost) if ours else None,
        "legacy_cost": _finite(scored.plan.cost) if scored.plan is not None else None,
        "legacy_broken": broken,
    }
    judgement = Judgement(verdict=ShadowVerdict.MATCH, **facts)  # type: ignore[arg-type]
    if ours == theirs:
        return judgement
    if Rule.TAKEN in scored.broken:
        # Whom legacy has seated since is not among them: it has given a table away twice.
        return attrs.evolve(judgement, verdict=ShadowVerdict.INCOMPARABLE, kind=Incomparable.LEGACY_TABLES_TAKEN.value)
    if not ours or not theirs:
        kind = Difference.PIPELINE_ONLY if ours else Difference.LEGACY_ONLY
        return attrs.evolve(judgement, verdict=ShadowVerdict.MISMATCH, kind=kind.value)
    difference = judgement.cost_difference
    if not broken and difference is not None and abs(difference) < CLOSE:
        return attrs.evolve(judgement, verdict=ShadowVerdict.EQUIVALENT)
    return attrs.evolve(judgement, verdict=ShadowVerdict.MISMATCH, kind=Difference.TABLES.value)


def score(
    case: ShadowCase, engine: Engine, settings: Settings, context: AssignmentContext, tables: tuple[str, ...]
) -> Evaluation:
    """What given tables are worth to the booking of a case, on the floor without it."""
    now = minute_of(context.now)
    request = SeatingRequest.at(context.venue, case.booking, None if settings.replay else now)
    floor = FloorSnapshot.of(context.venue, rewound(context, case.booking).taken)
    try:
        return engine.evaluate(request, tables, floor)
    except Exception:  # noqa: BLE001 - a candidate that cannot score is no worse for it
        return Evaluation(None, ())


def _cost_of(scored: Evaluation) -> float | None:
    return scored.plan.cost if scored.plan is not None else None


def _finite(cost: object) -> float | None:
    return float(cost) if isinstance(cost, int | float) and math.isfinite(cost) else None
