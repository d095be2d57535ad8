"""Whose turn it is: the circuit breaker, the restaurant's limit, and the lock of a booking."""

from __future__ import annotations

from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import LockManagerUnavailableError
from assignment_pipeline.flow.assigning.decision_context import Target
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import CheckCircuit, Flow, Hold, TakeSlot
from assignment_pipeline.flow.landing.commit import later
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.ports import FlagDecision, Refused, Wanted
from assignment_pipeline.redaction import redacted


def admit(call: Call, target: Target, settings: Settings, flags: FlagDecision) -> Flow[AssignmentResult | None]:
    """The answer where the circuit breaker, the restaurant's limit or another worker is in the way."""
    cooldown = yield from CheckCircuit()
    if cooldown:
        return (yield from later(call, Reason.CIRCUIT_OPEN, cooldown))
    slot, lock = slot_at(target.restaurant_id, flags), lock_of(target.booking_id)
    if (yield from is_refused(call, TakeSlot((slot,), settings.lock_ttl))):
        return (yield from later(call, Reason.RATE_LIMITED, settings.rate_retry))
    if (yield from is_refused(call, Hold((lock,), settings.lock_ttl))):
        return (yield from call.answer(Outcome.NOOP, Reason.LOCK_CONTENTION))
    call.note(EventType.START)
    return None


def slot_at(restaurant_id: str, flags: FlagDecision) -> Wanted:
    """One of the assignments that may go on at a restaurant at a time."""
    return Wanted(f"restaurant:{restaurant_id}", flags.max_parallel)


def lock_of(booking_id: str) -> Wanted:
    """What keeps two workers from the same booking."""
    return Wanted(f"booking:{booking_id}")


def is_refused(call: Call, hold: Hold) -> Flow[bool]:
    """Whether somebody else has it; where the lock manager does not answer, it is done without."""
    try:
        return isinstance((yield from hold), Refused)
    except LockManagerUnavailableError as error:
        call.note(EventType.LOCK_UNAVAILABLE, Severity.WARNING, error=redacted(error))
        return False
