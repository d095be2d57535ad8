"""What is handed to the shadow: what the planner in charge has done, for the other one to be held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.errors import FlagsUnreadError
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Emit, Flow, HasShadow, Monotonic, OfferCase, ResolveFlags
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.ports.fitting import require_booking

if TYPE_CHECKING:
    from assignment_pipeline.domain import shadow
else:
    shadow = module_on_use("domain.shadow")

OBSERVED = "observed"
"""The trigger of what legacy did elsewhere."""


def shadowed() -> Flow[Reason]:
    """What a call in shadow mode answers for a reason."""
    return Reason.SHADOW if (yield from HasShadow()) else Reason.SHADOW_UNAVAILABLE


def summary(call: Call, answer: object, **facts: Any) -> Event:
    """The event of a call of the legacy planner: what it answered or raised, or what it should have answered."""
    result: str
    if isinstance(answer, BaseException):
        result, error, severity = "error", type(answer).__name__, Severity.ERROR
    elif isinstance(answer, LegacyResult):
        result, error, severity = answer.outcome, None, Severity.INFO
    else:
        error, severity = f"expected a LegacyResult, got {type(answer).__name__}", Severity.WARNING
        result = "unknown"
    return call.event(Source.LEGACY, EventType.LEGACY_SUMMARY, severity, result=result, error=error, **facts)


def offer_case(call: Call, booking: Booking, reason: Reason, answer: object, started: float | None) -> Flow[None]:
    """
    Hand to the shadow what legacy answered or raised, if the call runs beside one.

    Args:
        call: The call.

        booking: What legacy was given.

        reason: Why legacy was run.

        answer: What it answered, or the exception that it raised.

        started: When it began, by the process's monotonic clock; None where that is not known.
    """
    if reason is not Reason.SHADOW:
        return
    took = None if started is None else round(((yield from Monotonic()) - started) * 1000, 3)
    case = shadow.ShadowCase(
        id=call.id,
        captured_at=call.now,
        booking=booking,
        legacy=answer if isinstance(answer, LegacyResult) else None,
        error=type(answer).__name__ if isinstance(answer, BaseException) else None,
        legacy_ms=took,
        trigger=call.trigger,
    )
    yield from OfferCase(case)


def offer_reverse(call: Call, given: Booking | None, result: AssignmentResult) -> Flow[None]:
    """
    Hand to the shadow what the pipeline has made of a booking that has settled.

    Args:
        call: The call.

        given: The booking as it was given; None where only its id was.

        result: What came of the call.
    """
    booking = given or (result.record.booking if result.record is not None else None)
    if booking is None:
        return
    seated = result.outcome in (Outcome.CONFIRMED, Outcome.ASSIGNED)
    answer = shadow.PipelineAnswer(
        outcome=result.outcome,
        reason=result.reason,
        tables=result.tables if seated else (),
        strategy=result.record.strategy if result.record is not None and seated else None,
        moved=result.moved,
    )
    case = shadow.ShadowCase(id=call.id, captured_at=call.now, booking=booking, trigger=call.trigger, pipeline=answer)
    yield from OfferCase(case)


def observe(booking: Booking, legacy: LegacyResult | BaseException) -> Flow[bool]:
    """
    Tell of a legacy planner that ran elsewhere, and hand it to the shadow where there is one.

    Returns:
        Whether it was handed over: the restaurant is in shadow mode, and there is a shadow.
    """
    require_booking(booking)
    try:
        flags = yield from ResolveFlags(booking.restaurant_id)
    except FlagsUnreadError:  # Legacy has done its work: the booking must not fail for want of a comparison.
        return False
    call = yield from Call.begin((booking.id, booking.restaurant_id), OBSERVED)
    call.mode = flags.mode
    if flags.mode is not Mode.SHADOW:
        return False
    yield from Emit((summary(call, legacy),))
    reason = yield from shadowed()
    yield from offer_case(call, booking, reason, legacy, None)
    return reason is Reason.SHADOW
