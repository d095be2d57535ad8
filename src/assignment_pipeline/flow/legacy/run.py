"""What happens where the pipeline is not in charge: the planner that it replaces."""

from __future__ import annotations

from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult, Outcome, Reason
from assignment_pipeline.errors import (
    STORE_DOWN,
    BookingNotFoundError,
    BookingUnreadableError,
)
from assignment_pipeline.flow.assigning.decision_context import elsewhere
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Emit, FindBooking, Flow, Monotonic, RunLegacy
from assignment_pipeline.flow.legacy.shadow import offer_case, summary


def leave_to_legacy(
    call: Call, booking: Booking | None, reason: Reason, *, legacy: bool, error: Exception | None = None
) -> Flow[AssignmentResult]:
    """
    Run the legacy planner if there is one (*legacy*); otherwise say that the host has to.

    Raises:
        BookingNotFoundError: Only the booking's id was given, and the host does not know it.
        Exception: Whatever the legacy planner raises.
    """
    if not legacy:
        return (yield from call.answer(Outcome.NOOP, reason, handled=False, error=error))
    if booking is None:
        try:
            booking = yield from FindBooking(call.booking_id)
        except STORE_DOWN as unreachable:
            error = error or unreachable
            return (yield from call.answer(Outcome.NOOP, reason, handled=False, error=error))
        except BookingUnreadableError as unreadable:
            reason = Reason.BOOKING_UNREADABLE
            return (yield from call.answer(Outcome.NOOP, reason, handled=False, error=unreadable))
        if booking is None:
            raise BookingNotFoundError(call.booking_id)
        if booking.restaurant_id != call.restaurant_id:
            return (yield from elsewhere(call, booking))
    answer = yield from run_legacy(call, booking, reason)
    tables = answer.tables if isinstance(answer, LegacyResult) else ()
    return (yield from call.answer(Outcome.NOOP, reason, legacy=answer, tables=tables, error=error))


def run_legacy(call: Call, booking: Booking, reason: Reason) -> Flow[Any]:
    """
    What the legacy planner answers: whatever it is passes through, but only a `LegacyResult` can be read.

    Args:
        reason: Why it is run.

    Raises:
        Exception: Whatever the legacy planner raises.
    """
    started = yield from Monotonic()
    try:
        answer: Any = yield from RunLegacy(booking)
    except Exception as raised:
        call.legacy_raised = raised
        yield from _summarise(call, reason, started, raised)
        yield from offer_case(call, booking, reason, raised, started)
        raise
    yield from _summarise(call, reason, started, answer)
    yield from offer_case(call, booking, reason, answer, started)
    return answer


def _summarise(call: Call, reason: Reason, started: float, answer: object) -> Flow[None]:
    took = (yield from Monotonic()) - started
    yield from Emit((summary(call, answer, reason=reason, duration_ms=round(took * 1000, 3)),))
