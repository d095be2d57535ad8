"""Several parties change tables at once: two swap, three move round, a room is cleared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

import attrs

from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Move, Reason
from assignment_pipeline.errors import (
    BookingNotFoundError,
    InvalidValueError,
    NoTablesError,
    OtherRestaurantError,
    OtherTablesError,
    PlacementRefusedError,
    StaleRecordError,
    TableConflictError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.reseating import reseated
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Evaluate, Flow, LoadContext, ReadRecords
from assignment_pipeline.flow.landing import change, guarded, land, later, preconditions, until_landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import seated_as
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import Evaluation, FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import LoadQuery, RecordQuery

T = TypeVar("T")

NEVER_ALLOWED = frozenset({Rule.TAKEN, Rule.UNKNOWN_TABLE})
"""Two parties at one table, and a table that is not there: no person may allow these."""

_OF_THE_TIME = frozenset({Rule.OUTSIDE_SERVICE, Rule.NOT_AN_ARRIVAL, Rule.PACING, Rule.IN_PAST})
"""The rules that a party keeps or breaks wherever it sits: its time stays as it is."""


def allowed_rules(allow: Collection[str]) -> frozenset[Rule]:
    """
    The rules that a person overrules, by their names.

    Raises:
        ValueError: One is no rule, or cannot be allowed away.
    """
    allowable = sorted(set(Rule) - NEVER_ALLOWED)
    unknown = [name for name in allow if name not in allowable]
    if unknown:
        raise InvalidValueError("allow", f"rules among {', '.join(allowable)}", f"{unknown[0]!r}")
    return frozenset(map(Rule, allow))


@attrs.frozen(kw_only=True)
class Wanted:
    """
    What a person wants of several bookings.

    Attributes:
        moves: Who goes where, each booking once.

        allowed: The rules to overrule.

        pin: Whether the bookings stay there until a person says otherwise.

        restaurant_id: The restaurant that all of them have to be of; None for the one that they are of.
    """

    moves: tuple[Move, ...]
    allowed: frozenset[Rule]
    pin: bool
    restaurant_id: str | None

    @classmethod
    def of(cls, moves: Iterable[Move], *, allow: Collection[str], pin: bool, restaurant_id: str | None) -> Wanted:
        """
        The same, as a caller says it.

        Raises:
            ValueError: There are no moves, one booking is to move twice, or *allow* names no rule.
        """
        given = tuple(moves)
        if not given or not all(isinstance(move, Move) for move in given):
            raise InvalidValueError("moves", "one Move or more", repr(given))
        if len({move.booking_id for move in given}) != len(given):
            raise InvalidValueError("moves", "each booking once", repr([move.booking_id for move in given]))
        empty = next((move for move in given if not move.tables), None)
        if empty is not None:
            raise InvalidValueError("moves", "tables for each booking", f"none for {empty.booking_id!r}")
        return cls(moves=given, allowed=allowed_rules(allow), pin=pin, restaurant_id=restaurant_id)


def rearrange(wanted: Wanted, settings: Settings, *, actor: str) -> Flow[tuple[AssignmentResult, ...]]:
    """
    Give several bookings other tables, all in one commit, if the floor is right once all have moved.

    It is an act of a person: pins, freezes and parties that sit do not stand against it.

    Returns:
        A result for each move, in their order.

    Raises:
        BookingNotFoundError: One has no record.
        NoTablesError: One has no tables.
        OtherRestaurantError: They are not all of one restaurant, or not of the one that was named.
        PlacementRefusedError: The tables of one break rules that were not allowed away.
        OtherTablesError: One is not at the tables that it is to leave.
        TableConflictError: Somebody who does not move has one of the tables, or two are to have it.
    """
    call = yield from Call.by_person(("", wanted.restaurant_id or ""), MANUAL, actor=actor)
    found = yield from guarded(call, settings, _rearranged(call, wanted, settings))
    if isinstance(found, AssignmentResult):  # The store was not to be had.
        return tuple(attrs.evolve(found, booking_id=move.booking_id) for move in wanted.moves)
    return found


def _rearranged(
    call: Call, wanted: Wanted, settings: Settings
) -> Flow[tuple[AssignmentResult, ...] | AssignmentResult]:
    call.restaurant_id = yield from _restaurant(wanted)
    ids = tuple(move.booking_id for move in wanted.moves)
    query = LoadQuery(restaurant_id=call.restaurant_id, booking_ids=ids)

    def attempt() -> Flow[tuple[AssignmentResult, ...] | None]:
        loaded = yield from LoadContext(query)
        if loaded is None:
            raise BookingNotFoundError(" or ".join(ids))
        call.now = loaded.now
        context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=None)
        yield from with_room(context, wanted.moves, wanted.allowed)
        took = yield from call.elapsed()
        calls, changes = [], []
        for move in wanted.moves:
            record = loaded.records[move.booking_id]
            calls.append(call.about(record))
            changes.append(_change(context, calls[-1], record, move, wanted))
        if not (yield from land(call.restaurant_id, *changes)):
            return None
        return tuple(
            one.result(seated_as(made.record), Reason.REARRANGED, took, record=made.record)
            for one, made in zip(calls, changes, strict=True)
        )

    answer = yield from until_landed(settings.tries, attempt)
    return answer if answer is not None else (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _restaurant(wanted: Wanted) -> Flow[str]:
    """The restaurant that all the bookings are of."""
    ids = tuple(move.booking_id for move in wanted.moves)
    page = yield from ReadRecords(RecordQuery(booking_ids=ids, limit=len(ids)))
    records = {record.booking_id: record for record in page.records}
    for booking_id in ids:
        if booking_id not in records:
            raise BookingNotFoundError(booking_id)
    restaurant_id = wanted.restaurant_id or records[ids[0]].restaurant_id
    for booking_id in ids:
        if records[booking_id].restaurant_id != restaurant_id:
            raise OtherRestaurantError(booking_id, restaurant_id, records[booking_id].restaurant_id)
    return restaurant_id


def _change(
    context: DecisionContext, call: Call, record: AssignmentRecord, move: Move, wanted: Wanted
) -> AssignmentChange:
    assert record.allocation is not None  # noqa: S101 - `with_room` looked
    why = Reason.REARRANGED
    return change(
        call,
        record,
        (Trigger.MOVE,),
        seated_as(record),
        why,
        told=(reseated(context, call, record, move, why),),
        preconditions=preconditions(context.loaded, record.booking_id),
        allocation=attrs.evolve(record.allocation, tables=move.tables, conflicted=False),
        strategy="manual",
        owner=Owner.PIPELINE,
        pinned=wanted.pin,
    )


def with_room(
    context: DecisionContext,
    moves: Sequence[Move],
    allowed: frozenset[Rule],
    *,
    besides: Collection[str] = (),
) -> Flow[tuple[Occupied, ...]]:
    """
    What is taken once a person has had everybody move, each of whom must be able to.

    Args:
        context: What was loaded.

        moves: Who goes where.

        allowed: The rules that are overruled.

        besides: Other bookings whose tables do not count.

    Raises:
        BookingNotFoundError, NoTablesError, OtherTablesError: One has no tables, or others than it is to leave.
        PlacementRefusedError, TableConflictError: The tables do not do.
    """
    leave = {*besides, *(move.booking_id for move in moves)}
    taken = [row for row in context.loaded.taken if row.booking_id not in leave]
    # What the host shows of who leaves is taken for the others, until the host changes it.
    taken += [row for booking_id in sorted(leave) for row in context.shown_by_host(booking_id)]
    for move in moves:
        request = _request(context, move)
        floor = FloorSnapshot.of(context.venue, taken, {move.booking_id})
        found = yield from Evaluate(request, move.tables, floor)
        refuse(request, found, move.tables, allowed | _OF_THE_TIME, floor)
        taken += [Occupied(table_id=name, window=request.blocked) for name in move.tables]
    return tuple(taken)


def _request(context: DecisionContext, move: Move) -> SeatingRequest:
    """The party as it sits, or will: at its own time, wherever it goes."""
    record = context.loaded.records.get(move.booking_id)
    if record is None:
        raise BookingNotFoundError(move.booking_id)
    held, at_host = record.allocation, context.loaded.bookings.get(move.booking_id)
    if held is None:
        raise NoTablesError(move.booking_id, record.state.value)
    if held.tables != move.origin:
        raise OtherTablesError(move.booking_id, "tables", move.origin, held.tables)
    if at_host is not None and at_host.status == CANCELLED and not held.sits:
        raise StaleRecordError(move.booking_id, "booking")
    booking = at_host or record.booking
    if booking is None:
        raise BookingNotFoundError(move.booking_id)
    return SeatingRequest(booking=booking, turn=held.turn, blocked=held.occupied(context.now))


def refuse(
    request: SeatingRequest,
    found: Evaluation,
    table_ids: tuple[str, ...],
    allowed: frozenset[Rule],
    floor: FloorSnapshot,
) -> None:
    """
    Turn down tables that break rules.

    Raises:
        PlacementRefusedError: They break rules that were not allowed away.
        TableConflictError: Somebody else has one of them, and that is all.
    """
    broken = [rule for rule in found.broken if rule not in allowed]
    if broken and broken != [Rule.TAKEN]:
        raise PlacementRefusedError(request.booking.id, tuple(rule.value for rule in broken))
    if broken:
        positions = floor.venue.floor.positions
        busy = floor.occupancy.busy(request.blocked)
        raise TableConflictError(tuple(sorted(name for name in table_ids if busy >> positions[name] & 1)))
