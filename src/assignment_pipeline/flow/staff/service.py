"""The service itself: a party leaves, stays on, or never came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import attrs

from assignment_pipeline.domain.allocation import Allocation, next_minute
from assignment_pipeline.domain.booking import MAX_TURN
from assignment_pipeline.domain.checks import aware_minute, to_utc
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of
from assignment_pipeline.errors import (
    InvalidValueError,
    NoTablesError,
    NotBegunError,
    PartySitsError,
    TableConflictError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext, ReadRecords, at_once
from assignment_pipeline.flow.landing import ToCommit, guarded
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.arrivals import came
from assignment_pipeline.flow.staff.confirm_and_cancel import amend_seated, known_record, record_transition, seated_as
from assignment_pipeline.flow.staff.laying import may_shorten_laying, shorten, shortened
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.ports import AssignmentContext, LoadQuery, RecordQuery


def left(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    The party has gone: the rest of its time is free at once, the buffer behind it included.

    Nothing is written of a party that has left already, nor of one that nobody has seen sit once its time is over.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        NotBegunError: Its turn has not begun, and it does not sit.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord, held: Allocation, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        end = next_minute(now)
        if end <= held.turn.start and not held.sits:
            raise NotBegunError(booking_id, held.written(held.turn.start))
        if held.left_at is not None or (end >= held.blocked.end and not held.sits):
            return (yield from call.answer(Outcome.NOOP, record=record))
        return came(call, record, Reason.LEFT, _until_left(held, now))

    return (yield from amend_seated(call, settings, decide))


def no_show(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    The party never came: its tables are free, for good. The assignment is cancelled, with that as the reason.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        NotBegunError: Its turn has not begun.
        PartySitsError: It has come, and sits at its tables.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord, held: Allocation, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        if held.sits:
            raise PartySitsError(booking_id, held.tables)
        if now < held.turn.start:
            raise NotBegunError(booking_id, held.written(held.turn.start))
        why = Reason.NO_SHOW
        facts = {"allocation": None, "next_attempt_at": None, "reason": why}
        return at_once(record_transition(call, record, (Trigger.CANCEL,), Outcome.CANCELLED, why, **facts))

    return (yield from amend_seated(call, settings, decide))


def extend(
    booking_id: str,
    until: dt.datetime,
    settings: Settings,
    *,
    actor: str,
    restaurant_id: str | None = None,
    allow: Collection[str] = (),
) -> Flow[AssignmentResult]:
    """
    The party stays on, and its tables are kept for as much longer; where others have them then, nothing is written.

    It has not left, whatever was said before.

    Args:
        allow: ``laying_time``, to keep them up to the next turn: the laying time in between is shortened.

    Returns:
        With the outcome ``kept``, who is in the way, in `AssignmentResult.displaced`. The reason is ``laying_time`` if
        it is in the way of nothing but laying time.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        ValueError: *until* is no whole minute with an offset, not after the turn's end, or more than 24 hours after
            its start; or *allow* names another rule.
    """
    end, may_shorten = _Until(until).until, may_shorten_laying(allow)
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord, held: Allocation, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        longer = _longer(held, end)
        nearby: tuple[AssignmentChange, ...] = ()
        overruled: tuple[str, ...] = ()
        if may_shorten:
            context, rows = yield from _next_to(record, longer)
            closer = shortened(longer.needed(now), longer.blocked, rows, context.records, now)
            if closer is not None and (closer.others or closer.blocked != longer.blocked):
                longer, overruled = attrs.evolve(longer, blocked=closer.blocked), (Rule.LAYING_TIME.value,)
                nearby = shorten(call, closer.others, context.records)
        made = record_transition(
            call,
            record,
            (Trigger.MOVE,),
            seated_as(record),
            Reason.EXTENDED,
            allocation=longer,
            overruled=overruled,
        )
        return attrs.evolve(made, nearby=nearby)

    try:
        return (yield from amend_seated(call, settings, decide))
    except TableConflictError:
        return (yield from guarded(call, settings, _in_the_way(call, end)))


def _until_left(held: Allocation, now: dt.datetime) -> Allocation:
    """The tables of a party that has gone: up to this minute, so that the next one may have them at once."""
    end = max(minute_of(now), held.turn.start + MINUTE, held.blocked.start + MINUTE)
    turn = TimeWindow(held.turn.start, min(held.turn.end, end))
    blocked = TimeWindow(held.blocked.start, min(held.blocked.end, end))
    return attrs.evolve(held, turn=turn, blocked=blocked, left_at=now)


@attrs.frozen
class _Until:
    """Until when a party stays."""

    until: dt.datetime = attrs.field(converter=to_utc, validator=aware_minute)


def _longer(held: Allocation, end: dt.datetime) -> Allocation:
    if not held.turn.end < end <= held.turn.start + MAX_TURN:
        earliest, latest, got = map(held.written, (held.turn.end, held.turn.start + MAX_TURN, end))
        raise InvalidValueError("until", f"a time after {earliest}, {latest} at the latest", got)
    by = end - held.turn.end
    zero = dt.timedelta()
    return attrs.evolve(held, turn=held.turn.widened(zero, by), blocked=held.blocked.widened(zero, by), left_at=None)


def _next_to(record: AssignmentRecord, longer: Allocation) -> Flow[tuple[AssignmentContext, list[Occupied]]]:
    """What is taken by others at the tables of *record* while it would have them, with their records."""
    context = yield from LoadContext(LoadQuery(restaurant_id=record.restaurant_id, day=longer.blocked))
    assert context is not None  # noqa: S101 - only of bookings is it not known whether they are there
    at_tables = (row for row in context.taken if row.table_id in longer.tables and row.booking_id != record.booking_id)
    return context, [row for row in at_tables if row.window.overlaps(longer.blocked)]


def _in_the_way(call: Call, end: dt.datetime) -> Flow[AssignmentResult]:
    """The answer that names who has the tables that the call's booking would have until *end*, and what for."""
    page = yield from ReadRecords(RecordQuery(booking_ids=(call.booking_id,)))
    record = yield from known_record(next(iter(page.records), None), call.booking_id)
    if record.allocation is None:  # Somebody has ended it meanwhile.
        raise NoTablesError(call.booking_id, record.state.value)
    longer = _longer(record.allocation, end)
    context, rows = yield from _next_to(record, longer)
    closer = shortened(longer.needed(context.now), longer.blocked, rows, context.records, context.now)
    why = Reason.NO_FIT if closer is None else Reason.LAYING_TIME
    displaced = tuple(sorted({row.booking_id for row in rows if row.booking_id}))
    return (yield from call.answer(Outcome.KEPT, why, record=record, displaced=displaced))
