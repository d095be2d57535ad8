"""Reading, deciding and committing, again where others were faster; and what is answered where it cannot be done."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import (
    BookingNotFoundError,
    CommitUnknownError,
    FlagsUnreadError,
    OtherRestaurantError,
    StaleRecordError,
    StaleRolloutError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.assigning.decision_context import Decide, Passed, Target, View, Write
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Commit, Flow, LoadContext, LookUpChange, Publish
from assignment_pipeline.flow.landing.changes import change, known
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import SEATED, SETTLED, Trigger
from assignment_pipeline.ports import FlagDecision

T = TypeVar("T")


def guarded(call: Call, settings: Settings, steps: Flow[T]) -> Flow[T | AssignmentResult]:
    """Answer `retry` to what only the infrastructure is to blame for."""
    try:
        return (yield from steps)
    except FlagsUnreadError as error:
        return (yield from later(call, Reason.FLAGS_UNREAD, settings.outage_retry, error))
    except StoreUnavailableError as error:
        return (yield from later(call, Reason.STORE_UNAVAILABLE, settings.outage_retry, error))
    except CommitUnknownError as error:
        return (yield from later(call, Reason.COMMIT_UNKNOWN, settings.outage_retry, error))


def later(call: Call, reason: Reason, after: dt.timedelta, error: Exception | None = None) -> Flow[AssignmentResult]:
    """The answer `retry`, of something that uses up no attempt."""
    return call.answer(Outcome.RETRY, reason, retry_after=after, error=error)


def land(restaurant_id: str, *changes: AssignmentChange) -> Flow[bool]:
    """
    Commit *changes*; where the answer is lost, look whether they have landed.

    Returns:
        False if the view that they were made on has moved: look again.

    Raises:
        CommitUnknownError: It could not be found out.
        TableConflictError, StaleRolloutError, StoreUnavailableError: As the commit raises them.
    """
    try:
        yield from Commit(changes)
    except StaleRecordError:
        return False
    except CommitUnknownError as error:
        return (yield from _find_out(restaurant_id, changes, error))
    return True


def _find_out(restaurant_id: str, changes: tuple[AssignmentChange, ...], error: CommitUnknownError) -> Flow[bool]:
    """
    Whether changes have landed whose answer was lost.

    Where they have not, they may still be on their way. So the same are sent again: of the two, one can land.
    """
    found = yield from _look_up(restaurant_id, changes, error)
    if not found:
        try:
            yield from Commit(changes)
        except StaleRecordError:  # The first has landed meanwhile; or somebody else was faster.
            found = yield from _look_up(restaurant_id, changes, error)
        except CommitUnknownError as again:
            found = yield from _look_up(restaurant_id, changes, again)
        else:
            return True
    if found:
        yield from Publish(tuple(event for made in changes for event in made.events))
    return found


def _look_up(restaurant_id: str, changes: tuple[AssignmentChange, ...], error: CommitUnknownError) -> Flow[bool]:
    try:
        return (yield from LookUpChange(restaurant_id, changes[0].id))
    except StoreUnavailableError:
        raise error from None


def until_landed(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, decide: Decide, *, passed: Passed
) -> Flow[AssignmentResult]:
    """Read, decide and commit, again where others were faster, as often as `Settings.tries` says."""
    contested: frozenset[str] = frozenset()
    for _ in range(settings.tries):
        context = yield from LoadContext(target.query)
        if context is None:
            raise BookingNotFoundError(target.booking_id)
        if flags.generation is not None and flags.generation != context.generation:
            raise StaleRolloutError(flags.generation, context.generation)
        call.now = context.now
        view = View(
            call=call,
            settings=settings,
            context=context,
            booking=passed.truth(target.booking_id, target.booking, context.bookings.get(target.booking_id)),
            generation=context.generation,
            contested=contested,
            deadline=target.deadline,
        )
        try:
            decided = yield from _decided(view, target, decide)
            if isinstance(decided, AssignmentResult):
                return decided
            done = yield from land(target.restaurant_id, *decided.changes)
        except TableConflictError as error:
            contested = contested.union(error.table_ids)
        except StaleRecordError:
            pass  # Where somebody has to make room, the view is taken twice: look again.
        else:
            if done:
                return (yield from landed(call, decided))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _decided(view: View, target: Target, decide: Decide) -> Flow[Write | AssignmentResult]:
    booking = view.at_host or view.booking  # The host's restaurant decides, whatever was passed.
    if booking is not None and booking.restaurant_id != target.restaurant_id:
        return (yield from _elsewhere(view, booking))
    if view.is_unreadable and (view.record is None or _is_open(view.record)):
        return (yield from _unreadable(view))
    return (yield from decide(view))


def _is_open(record: AssignmentRecord) -> bool:
    return record.owner is Owner.PIPELINE and record.state not in SETTLED | SEATED


def _unreadable(view: View) -> Flow[Write]:
    """A booking whose row at the host makes no sense: a person decides on it. The sweep goes on once it is mended."""
    call, reason = view.call, Reason.BOOKING_UNREADABLE
    call.note(EventType.ERROR, Severity.ERROR, reason=reason)
    took = yield from call.elapsed()
    facts: dict[str, Any] = {"allocation": None, "next_attempt_at": None, "deliveries": 0, "reason": reason}
    outcome = Outcome.MANUAL_REVIEW
    made = change(call, view.record, (Trigger.ESCALATE,), outcome, reason, took=took, **facts)
    return Write(change=made, outcome=outcome, reason=reason)


def _elsewhere(view: View, booking: Booking) -> Flow[Write | AssignmentResult]:
    """A booking of another restaurant: nothing of this one's is planned for it, and its record follows it."""
    record, reason = view.record, Reason.OTHER_RESTAURANT
    if record is None or record.state in SETTLED | SEATED or record.restaurant_id == booking.restaurant_id:
        return (yield from elsewhere(view.call, booking, record=record))
    follows = change(
        view.call,
        record,
        restaurant_id=booking.restaurant_id,
        booking=known(booking),
        next_attempt_at=view.now,
        deliveries=0,
    )
    return Write(change=follows, outcome=Outcome.NOOP, reason=reason)


def elsewhere(call: Call, booking: Booking, record: AssignmentRecord | None = None) -> Flow[AssignmentResult]:
    """The answer to a call that named another restaurant than the host's *booking* has."""
    found = booking.restaurant_id
    error = OtherRestaurantError(call.booking_id, call.restaurant_id, found)
    return call.answer(Outcome.NOOP, Reason.OTHER_RESTAURANT, record=record, error=error, elsewhere=found)


def landed(call: Call, decided: Write) -> Flow[AssignmentResult]:
    """The answer once what was decided has been committed."""
    record = decided.change.record
    retry_after = None
    if decided.outcome is Outcome.RETRY and record.next_attempt_at is not None:
        retry_after = max(record.next_attempt_at - call.now, dt.timedelta())
    took = yield from call.elapsed()
    return call.result(
        decided.outcome,
        decided.reason,
        took,
        record=record,
        decision=decided.decision,
        moved=tuple(made.record.booking_id for made in decided.moved),
        retry_after=retry_after,
    )
