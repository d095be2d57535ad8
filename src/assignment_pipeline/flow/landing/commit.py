"""Reading, deciding and committing, again where others were faster; and what is answered where it cannot be done."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import TypeVar

from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import (
    CommitUnknownError,
    FlagsUnreadError,
    StaleRecordError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Commit, Flow, LookUpChange, Publish
from assignment_pipeline.flow.landing.changes import ToCommit
from assignment_pipeline.flow.settings import Settings

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
    tries: int | None,
    attempt: Callable[[], Flow[T | None]],
    conflicted: Callable[[TableConflictError], None] | None = None,
) -> Flow[T | None]:
    """
    Read, decide and commit, again where others were faster. Every loop of that kind is this one.

    Args:
        tries: How often at most; None means as often as it takes.

        attempt: One time: it reads, decides, and commits with `land`. Its answer ends the loop; None is: look again.

        conflicted: Hears which tables others have, before the next attempt. Without it, the error is raised.

    Returns:
        The answer; None if others were faster every time.

    Raises:
        Exception: Whatever an attempt raises; a `TableConflictError` only where nobody hears of it.
    """
    for _ in itertools.count() if tries is None else range(tries):
        try:
            answer = yield from attempt()
        except TableConflictError as error:
            if conflicted is None:
                raise
            conflicted(error)
        else:
            if answer is not None:
                return answer
    return None


def until_answered(
    call: Call,
    settings: Settings,
    attempt: Callable[[], Flow[ToCommit | AssignmentResult | None]],
    conflicted: Callable[[TableConflictError], None] | None = None,
    *,
    restaurant_id: str | None = None,
) -> Flow[AssignmentResult]:
    """
    `until_landed`, as often as `Settings.tries` says, where what lands is the answer of *call*.

    Args:
        attempt: Reads, and decides what is to be written, or on the answer where nothing is; None is: look again.

        conflicted: As in `until_landed`.

        restaurant_id: The restaurant whose commits are looked through where an answer is lost; by default the call's.
    """

    def commit() -> Flow[AssignmentResult | None]:
        decided = yield from attempt()
        if not isinstance(decided, ToCommit):
            return decided
        if not (yield from land(restaurant_id or call.restaurant_id, *decided.changes)):
            return None
        return (yield from landed(call, decided))

    answer = yield from until_landed(settings.tries, commit, conflicted)
    if answer is None:
        return (yield from later(call, Reason.CONFLICT, settings.rate_retry))
    return answer


def landed(call: Call, decided: ToCommit) -> Flow[AssignmentResult]:
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
