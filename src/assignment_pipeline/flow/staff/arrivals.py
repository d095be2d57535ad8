"""A party sits down: for how long it keeps its tables, and whose time that takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import MAX_TURN
from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.domain.room import FARTHEST, expected_end, is_near, is_of_a_later_day
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of, written
from assignment_pipeline.errors import NotBegunError
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend_seated, record_transition
from assignment_pipeline.flow.staff.laying import may_shorten_laying, shorten, shortened, without_laying
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.ports import AssignmentContext, LoadQuery

_ANOTHER_DAY = "a party that comes on another day is rescheduled with `reassign`, or seated as a walk-in"


def seated(
    booking_id: str,
    settings: Settings,
    *,
    actor: str,
    restaurant_id: str | None = None,
    allow: Collection[str] = (),
) -> Flow[AssignmentResult]:
    """
    The party sits: nobody moves it any more, and tables that were only held are its own.

    Its tables are kept from its arrival on, and until the end that `VenuePolicy.turn_from` says, as far as no other
    booking has them. A party that has left by mistake sits again. Nothing is written of one that sits already.

    Args:
        allow: ``laying_time``, to keep them up to the next turn: the laying time in between is shortened.

    Returns:
        With the outcome ``kept``, nothing is written: the parties in `AssignmentResult.displaced` still sit there. Else
        ``displaced`` are the bookings whose tables the party is expected to need for some of their time.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        NotBegunError: Its turn begins on a later service day.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        ValueError: *allow* names another rule.
        VenueNotFoundError: The host has no such restaurant.
    """
    may_shorten = may_shorten_laying(allow)
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord, held: Allocation, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        if held.sits:
            return (yield from call.answer(Outcome.NOOP, record=record))
        context = yield from around(record, held, now)
        if is_of_a_later_day(context.venue, held.turn, now):
            raise NotBegunError(booking_id, written(held.turn.start, context.venue.zone), _ANOTHER_DAY)
        others = [row for row in context.taken if row.table_id in held.tables and row.booking_id != booking_id]
        sitting = tuple(sorted({row.booking_id for row in others if row.sits and row.booking_id}))
        if sitting:
            return (yield from call.answer(Outcome.KEPT, Reason.TABLE_IN_USE, record=record, displaced=sitting))
        expected = expected_end(context.venue, record, held, now)
        if may_shorten:
            others = [without_laying(row, context.records, now) for row in others]
        sits = _kept(context.venue, held, now, expected, others)
        needed = TimeWindow(minute_of(now), max(expected, minute_of(now) + MINUTE))
        displaced = tuple(sorted({row.booking_id for row in others if row.window.overlaps(needed) and row.booking_id}))
        told = [told_of(call, name, record, until=expected) for name in displaced]
        nearby: tuple[AssignmentChange, ...] = ()
        if may_shorten:
            rows = [row for row in context.taken if row.table_id in held.tables and row.booking_id != booking_id]
            closer = shortened(sits.needed(now), sits.blocked, rows, context.records, now)
            if closer is not None:
                sits = attrs.evolve(sits, blocked=closer.blocked)
                nearby = shorten(call, closer.others, context.records)
        overruled = (Rule.LAYING_TIME.value,) if nearby else ()
        made = came(call, record, Reason.SEATED, sits, told=told, overruled=overruled, pinned=True)
        return attrs.evolve(made, displaced=displaced, nearby=nearby)

    return (yield from amend_seated(call, settings, decide, again=True))


def came(
    call: Call,
    record: AssignmentRecord,
    why: Reason,
    tables: Allocation,
    *,
    told: Sequence[Event] = (),
    **facts: Any,
) -> ToCommit:
    """What is written of a party that is or was there, whether or not anybody has confirmed its tables."""
    trigger = Trigger.CONFIRM if record.state is AssignmentState.ASSIGNED else Trigger.MOVE
    return record_transition(
        call,
        record,
        (trigger,),
        Outcome.CONFIRMED,
        why,
        told=told,
        allocation=tables,
        next_attempt_at=None,
        **facts,
    )


def around(record: AssignmentRecord, held: Allocation, now: dt.datetime) -> Flow[AssignmentContext]:
    """What is taken at the restaurant from *now* on, and for as long as a party that sits down may stay."""
    arrival = minute_of(now)
    day = TimeWindow(arrival, arrival + MINUTE)
    if is_near(held.turn, arrival):
        day = TimeWindow.around((day, held.blocked)).widened(dt.timedelta(), held.turn.duration + FARTHEST)
    context = yield from LoadContext(LoadQuery(restaurant_id=record.restaurant_id, day=day))
    assert context is not None  # noqa: S101 - only of bookings is it not known whether they are there
    return context


def told_of(call: Call, booking_id: str, sitting: AssignmentRecord, *, until: dt.datetime) -> Event:
    """The event for a booking whose tables the party of *sitting* is expected to need *until* then."""
    facts = {"reason": Reason.TABLE_IN_USE, "by": sitting.booking_id, "until": until.isoformat()}
    event = call.event(
        Source.COORDINATOR,
        EventType.TABLE_IN_USE,
        Severity.WARNING,
        trigger=call.trigger,
        tables=sitting.tables,
        **facts,
    )
    return attrs.evolve(event, booking_id=booking_id)


def _kept(
    venue: Venue, held: Allocation, now: dt.datetime, expected: dt.datetime, others: Sequence[Occupied]
) -> Allocation:
    """The tables with the time for which they can be kept: from the arrival to *expected*, but nobody else's."""
    arrival = minute_of(now)
    start, turn = held.blocked.start, held.turn
    if arrival < start <= turn.start and is_near(turn, arrival):
        start = max([arrival, *(row.window.end for row in others if row.window.end <= start)])
    buffer = venue.policy.post_buffer if held.left_at else held.blocked.end - turn.end
    latest = min((row.window.start for row in others if row.window.start >= held.blocked.end), default=None)
    end = min(max(expected, turn.start + MINUTE, start + MINUTE), turn.start + MAX_TURN)
    blocked_end = end + buffer if latest is None else min(end + buffer, latest)
    return attrs.evolve(
        held,
        turn=TimeWindow(turn.start, min(end, blocked_end)),
        blocked=TimeWindow(start, blocked_end),
        seated_at=held.seated_at or now,
        left_at=None,
    )
