"""What people do: place a booking by hand, have it stay there, put it back into the queue, turn it down."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple, code, require_each_once, require_tables
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Move, Outcome, Plan, Reason
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import (
    BookingNotFoundError,
    IllegalTransitionError,
    InvalidValueError,
    NoTablesError,
    PartySitsError,
    StaleRecordError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, require_restaurant
from assignment_pipeline.flow.assigning.seating import TO_BEGIN, record_attempt
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Evaluate, Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit, allocation, guarded, once_more, until_answered
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import (
    amend,
    amend_seated,
    known_record,
    record_transition,
    seated_as,
)
from assignment_pipeline.flow.staff.laying import named, shorten
from assignment_pipeline.flow.staff.rearrange import (
    Room,
    allowed_rules,
    closer_turns,
    refuse,
    with_neighbours,
    with_room,
)
from assignment_pipeline.lifecycle import FINAL, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.planning.base import Evaluation, FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.ports.fitting import require_booking


def requeue(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Have a booking assigned anew: it waits, due at once, with all its attempts before it.

    Raises:
        BookingNotFoundError: It has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        IllegalTransitionError: It is neither in review nor confirmed.
        PartySitsError: Its party sits at its tables.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord | None, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, booking_id, restaurant_id or "")
        if known.owner is Owner.LEGACY and known.state is AssignmentState.CONFIRMED:
            return (yield from call.answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=known))
        if known.allocation is not None and known.allocation.sits:
            raise PartySitsError(booking_id, known.tables)
        facts: dict[str, Any] = {"next_attempt_at": now, "retries": 0, "reason": None}
        facts |= {"allocation": None, "owner": Owner.PIPELINE}
        return record_transition(call, known, (Trigger.REQUEUE,), Outcome.RETRY, Reason.BY_REQUEST, **facts)

    return (yield from amend(call, settings, decide))


@attrs.frozen
class _Rejection:
    """Why a person turns a booking down."""

    reason: str = attrs.field(validator=code)


def reject(
    booking_id: str, settings: Settings, *, actor: str, reason: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Turn a booking down for good.

    Args:
        reason: A short code such as ``guest_withdrew``, for the record; never a guest's name or words.

    Raises:
        BookingNotFoundError: It has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        IllegalTransitionError: It is confirmed, or has ended already.
        InvalidValueError: *reason* is not a code.
    """
    _Rejection(reason)
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord | None, _: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, booking_id, restaurant_id or "")
        facts = {"allocation": None, "next_attempt_at": None, "reason": reason}
        return record_transition(call, known, (Trigger.FAIL,), Outcome.FAILED, Reason.BY_REQUEST, **facts)

    return (yield from amend(call, settings, decide))


def pin(booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None) -> Flow[AssignmentResult]:
    """
    Have a booking stay at its tables until a person says otherwise.

    Raises:
        BookingNotFoundError: It has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        NoTablesError: It has no tables.
    """
    return (yield from _pin((booking_id, restaurant_id or ""), settings, actor, Reason.PINNED))


def unpin(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Let a booking be moved again.

    Raises:
        BookingNotFoundError: It has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        NoTablesError: It has no tables.
    """
    return (yield from _pin((booking_id, restaurant_id or ""), settings, actor, Reason.UNPINNED))


def _pin(ids: tuple[str, str], settings: Settings, actor: str, why: Reason) -> Flow[AssignmentResult]:
    call = yield from Call.by_person(ids, MANUAL, actor=actor)
    pinned = why is Reason.PINNED

    def decide(record: AssignmentRecord, _: Allocation, __: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        if record.pinned is pinned:
            return (yield from call.answer(Outcome.NOOP, record=record))
        return record_transition(call, record, (Trigger.MOVE,), seated_as(record), why, pinned=pinned)

    return (yield from amend_seated(call, settings, decide))


@attrs.frozen(kw_only=True)
class Placement:
    """
    What a person wants.

    Attributes:
        table_ids: These tables.

        expect_version: If the record is still at this version; None means whatever it is at.

        allowed: The rules to overrule.

        moves: With these others making room.

        pin: Until a person says otherwise.
    """

    table_ids: tuple[str, ...]
    expect_version: int | None
    allowed: frozenset[Rule]
    moves: tuple[Move, ...]
    pin: bool

    @classmethod
    def of(
        cls,
        tables: Collection[str],
        *,
        expect_version: int | None,
        allow: Collection[str],
        moves: Sequence[Move],
        pin: bool,
    ) -> Placement:
        """
        The same, as a caller says it.

        Raises:
            InvalidValueError: *allow* names no rule, or one that cannot be allowed away; a booking is to move twice; or
                there are no tables, or one twice.
        """
        require_each_once("moves", [move.booking_id for move in moves])
        for move in moves:
            require_tables("moves", move.tables, move.booking_id)
        chosen = as_tuple(tables)
        require_tables("tables", chosen)
        return cls(
            table_ids=chosen,
            expect_version=expect_version,
            allowed=allowed_rules(allow),
            moves=tuple(moves),
            pin=pin,
        )


def place(booking: Booking, wanted: Placement, settings: Settings, *, actor: str) -> Flow[AssignmentResult]:
    """
    Give a booking the tables that a person chose: a walk-in, a move, or the end of a review.

    The row of a standalone host follows in the same commit.

    Raises:
        BookingNotFoundError: One that is to move is not known.
        IllegalTransitionError: The assignment has ended.
        OtherRestaurantError: The host says that the booking is another restaurant's.
        PlacementRefusedError: The tables break rules that were not allowed away.
        StaleRecordError: The record is not at the version that was expected, or one that is to move has moved on.
        TableConflictError: Somebody else has one of the tables.
        InvalidValueError: The booking is to make room for itself.
    """
    require_booking(booking)
    if any(move.booking_id == booking.id for move in wanted.moves):
        raise InvalidValueError("moves", f"other bookings than {booking.id!r}", "it among them")
    call = yield from Call.by_person((booking.id, booking.restaurant_id), MANUAL, actor=actor)
    return (yield from guarded(call, settings, _place(call, booking, settings, wanted)))


def _place(call: Call, booking: Booking, settings: Settings, wanted: Placement) -> Flow[AssignmentResult]:
    movers = tuple(move.booking_id for move in wanted.moves)
    query = LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,), booking_ids=movers)

    def attempt() -> Flow[ToCommit]:
        loaded = yield from LoadContext(query)
        if loaded is None:
            raise BookingNotFoundError(" or ".join(movers))
        call.now = loaded.now
        context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=booking)
        _check(context, booking, wanted)
        try:
            context = yield from with_neighbours(
                context, query, wanted.moves, _request(context, booking, wanted.table_ids)
            )
            _check(context, booking, wanted)
            request = _request(context, booking, wanted.table_ids)
            room = yield from with_room(context, wanted.moves, wanted.allowed, besides={booking.id})
        except NoTablesError as error:  # What was suggested is not so any more.
            raise StaleRecordError(error.booking_id, "tables") from error
        floor = FloorSnapshot.of(context.venue, room.taken, {booking.id}, pace=context.pace)
        found = yield from Evaluate(request, wanted.table_ids, floor)
        closer = closer_turns(context, request, wanted.table_ids, room, _needed(context, request, wanted.table_ids))
        found = attrs.evolve(found, broken=named(found.broken, closer))
        refuse(request, found.broken, wanted.table_ids, wanted.allowed, floor)
        if closer is not None and Rule.LAYING_TIME in found.broken:
            room = room.with_shortened(closer.others)
            request = attrs.evolve(request, blocked=closer.blocked)
        return _placed(context, request, found, wanted, room)

    return (yield from until_answered(call, settings, attempt, once_more(settings)))


def _check(context: DecisionContext, booking: Booking, wanted: Placement) -> None:
    if context.at_host is not None:
        require_restaurant(context.at_host, booking.restaurant_id)
    version = context.record.version if context.record else 0
    if wanted.expect_version not in (None, version):
        raise StaleRecordError(booking.id, "version")
    if context.state in FINAL:
        raise IllegalTransitionError(context.state, Trigger.SEAT)


def _request(context: DecisionContext, booking: Booking, table_ids: tuple[str, ...]) -> SeatingRequest:
    """What the booking asks for; who only changes tables stays as long as before, also where the stay was extended."""
    record, request = context.record, context.request(booking)
    if record is None or record.allocation is None or record.booking is None:
        return request
    if record.restaurant_id != booking.restaurant_id or not booking.same_request(record.booking):
        return request
    held = record.allocation
    if held.sits_at(context.now):
        held = held.moved(table_ids, context.now)
        return attrs.evolve(request, turn=held.turn, blocked=held.blocked)
    # At tables that it has already, nobody has to shorten its laying time once more.
    stays = set(table_ids) == set(held.tables)
    return attrs.evolve(request, turn=held.turn, blocked=held.blocked if stays else context.venue.blocked(held.turn))


def _needed(context: DecisionContext, request: SeatingRequest, table_ids: tuple[str, ...]) -> TimeWindow:
    """When the party itself is at those tables: past its turn, too, where it sits."""
    held = context.record.allocation if context.record is not None else None
    if held is None or not held.sits_at(context.now) or request.turn != held.turn:  # As `_at` has it.
        return request.turn
    return held.moved(table_ids, context.now).needed(context.now)


def _at(context: DecisionContext, request: SeatingRequest, plan: Plan) -> Allocation:
    """The tables of *plan*; a party that has sat down has them for what is left of its turn."""
    held = context.record.allocation if context.record is not None else None
    if held is None or held.seated_at is None or request.turn != held.turn:
        return allocation(request, plan, context.venue)
    return attrs.evolve(held, tables=plan.tables, blocked=request.blocked, conflicted=False)


def _placed(
    context: DecisionContext, request: SeatingRequest, found: Evaluation, wanted: Placement, room: Room
) -> ToCommit:
    booking = request.booking
    assert found.plan is not None  # noqa: S101 - unknown tables were refused
    plan = attrs.evolve(found.plan, moves=wanted.moves)
    if context.state in WITH_TABLES:
        triggers: tuple[Trigger, ...] = (Trigger.MOVE,)
    elif context.state is AssignmentState.MANUAL_REVIEW:
        triggers = (Trigger.SEAT, Trigger.CONFIRM)
    else:
        triggers = (*TO_BEGIN[context.state], Trigger.SEAT, Trigger.CONFIRM)
    held = context.state is AssignmentState.ASSIGNED
    made = record_attempt(
        context,
        request,
        Decision(plan=plan),
        triggers,
        Outcome.ASSIGNED if held else Outcome.CONFIRMED,
        overruled=[rule for rule in found.broken if rule in wanted.allowed],
        blocked=room.blocked,
        allocation=_at(context, request, plan),
        strategy=plan.strategy,
        owner=Owner.PIPELINE,
        pinned=wanted.pin,
        next_attempt_at=context.record.next_attempt_at if held and context.record else None,
        reason=None,
    )
    movers = {move.booking_id for move in wanted.moves}
    others = {name: window for name, window in room.blocked.items() if name not in movers}
    made = attrs.evolve(made, nearby=shorten(context.call, others, context.loaded.records))
    return made.with_request(booking) if context.at_host and not context.at_host.same_request(booking) else made
