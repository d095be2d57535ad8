"""Making room: where nothing is free, parties that have not arrived are given other tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.result import Move
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute
from assignment_pipeline.errors import StaleRecordError
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.flow.landing import change, preconditions
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.ports import LoadQuery

_unchecked_request, _unchecked_party = maker(SeatingRequest), maker(Sitting)

MADE_ROOM = "made_room"
"""Why a booking was given other tables."""

MOST_KNOWN = 4_096
"""So many parties of the last looks are kept; then all are forgotten."""

_KNOWN: dict[str, tuple[AssignmentRecord, Booking | None, dt.datetime | None, Sitting | None]] = {}


def may_help(context: DecisionContext, request: SeatingRequest) -> bool:
    """Whether anybody who is in the way could be moved, as far as the rows tell."""
    policy = context.venue.policy
    if policy.reseat is Reseat.OFF or context.occupancy is not None:
        return False
    in_the_way = (row.window for row in context.loaded.taken if row.movable and row.window.overlaps(request.blocked))
    return any(not _is_frozen(context, window.start + policy.pre_buffer) for window in in_the_way)


def widen(context: DecisionContext, request: SeatingRequest) -> Flow[DecisionContext]:
    """The same context, with everybody who sits on the day of *request*."""
    booking, venue = request.booking, context.venue
    day = venue.service_day(venue.service_date(request.turn.start))
    loaded = yield from LoadContext(LoadQuery(restaurant_id=venue.id, bookings=(booking,), day=day))
    if loaded is None or loaded.generation != context.loaded.generation:
        raise StaleRecordError(booking.id, "rollout")
    wider = attrs.evolve(context, loaded=loaded)
    moved_on = {
        "version": wider.record != context.record,
        "booking": wider.at_host != context.at_host,
        "venue": loaded.venue.version != venue.version,
    }
    for what, has_moved in moved_on.items():
        if has_moved:
            raise StaleRecordError(booking.id, what)
    return wider


def snapshot(context: DecisionContext, request: SeatingRequest | None = None) -> FloorSnapshot:
    """The floor with the parties on it that may be moved, for *request* if there is one."""
    records, bookings, until = context.loaded.records, context.loaded.bookings, _frozen_until(context)
    parties, frozen, holds = [], set(), context.venue.floor.holds
    for booking_id in sorted(records):
        record = records[booking_id]
        if until is not None and record.allocation is not None and record.allocation.turn.start <= until:
            frozen.add(booking_id)
            continue
        party = _party_of(record, bookings.get(booking_id), _last_release(context, record) if holds else None)
        if party is not None:
            parties.append(party)
    return context.floor(request, sitting=parties, frozen=frozen)


def release_to_others(context: DecisionContext) -> dt.datetime | None:
    """When the next tables are released to a party that could be moved then; None where none are."""
    floor, now = context.venue.floor, context.not_before
    if now is None or not floor.holds:
        return None
    found = []
    for record in context.loaded.records.values():
        if record.allocation is not None and record.movable:
            arrival = record.allocation.turn.start
            minutes = floor.next_release(minute(arrival) - minute(now))
            if minutes is not None and minutes * MINUTE > context.venue.policy.freeze:
                found.append(arrival - minutes * MINUTE)
    return min(found, default=None)


def _last_release(context: DecisionContext, record: AssignmentRecord) -> dt.datetime | None:
    """When tables that are held back were last released to a party; None where none were."""
    floor, now = context.venue.floor, context.not_before
    if now is None or record.allocation is None:
        return None
    arrival = record.allocation.turn.start
    minutes = floor.last_release(minute(arrival) - minute(now))
    return None if minutes is None else arrival - minutes * MINUTE


def _party_of(record: AssignmentRecord, at_host: Booking | None, since: dt.datetime | None) -> Sitting | None:
    """
    The party of a record, if it may be moved however soon it arrives. Most are as they were at the last look.

    Args:
        since: When tables were last released to it. As nothing else depends on the time, its request says no later one.
    """
    known = _KNOWN.get(record.booking_id)
    if known is not None and known[0] is record and known[1] is at_host and known[2] == since:
        return known[3]
    if len(_KNOWN) >= MOST_KNOWN:
        _KNOWN.clear()
    party = _sitting(record, at_host, since)
    _KNOWN[record.booking_id] = record, at_host, since, party
    return party


def _sitting(record: AssignmentRecord, at_host: Booking | None, since: dt.datetime | None) -> Sitting | None:
    tables, booking = record.allocation, record.booking
    if tables is None or booking is None or not record.movable:
        return None
    if at_host is not None and (at_host.status == CANCELLED or not at_host.same_request(booking)):
        return None  # The host is about to tell us something.
    request = _unchecked_request(booking=at_host or booking, turn=tables.turn, blocked=tables.blocked, not_before=since)
    return _unchecked_party(request=request, tables=tables.tables)


def _is_frozen(context: DecisionContext, arrival: dt.datetime) -> bool:
    """Whether who arrives then is here, or as good as."""
    until = _frozen_until(context)
    return until is not None and arrival <= until


def _frozen_until(context: DecisionContext) -> dt.datetime | None:
    """Who arrives by then stays; None where the clock does not count."""
    return None if context.settings.replay else context.now + context.venue.policy.freeze


def moves(
    context: DecisionContext,
    planned: Sequence[Move],
    strategy: str,
    why: str = MADE_ROOM,
    *,
    blocked: Mapping[str, TimeWindow] | None = None,
) -> tuple[AssignmentChange, ...]:
    """What is written of those who move, each guarded like any other change, and *blocked* for how long if shorter."""
    found = ((move, context.loaded.records[move.booking_id]) for move in planned)
    return tuple(_move(context, move, _keeping(record, blocked or {}), strategy, why) for move, record in found)


def _keeping(record: AssignmentRecord, blocked: Mapping[str, TimeWindow]) -> AssignmentRecord:
    window = blocked.get(record.booking_id)
    if window is None or record.allocation is None:
        return record
    return attrs.evolve(record, allocation=attrs.evolve(record.allocation, blocked=window))


def _move(context: DecisionContext, move: Move, record: AssignmentRecord, strategy: str, why: str) -> AssignmentChange:
    assert record.allocation is not None  # noqa: S101 - only who has tables is moved
    call = context.call.about(record)
    return change(
        call,
        record,
        (Trigger.MOVE,),
        why=why,
        told=(reseated(context, call, record, move, why),),
        preconditions=preconditions(context.loaded, record.booking_id, context.generation),
        allocation=attrs.evolve(record.allocation, tables=move.tables),
        strategy=strategy,
    )


def reseated(context: DecisionContext, call: Call, record: AssignmentRecord, move: Move, why: str) -> Event:
    """The event of a party that is given other tables. It names the rules that a person has overruled."""
    held = record.allocation
    stood_against = {
        "pinned": record.pinned,
        "sits": held is not None and held.sits,
        "freeze": held is not None and _is_frozen(context, held.turn.start),
    }
    return call.event(
        Source.COORDINATOR,
        EventType.RESEATED,
        trigger=call.trigger,
        reason=why,
        room_for=context.call.booking_id or None,
        origin=move.origin,
        tables=move.tables,
        overruled=tuple(name for name, stood in stood_against.items() if stood) or None,
    )
