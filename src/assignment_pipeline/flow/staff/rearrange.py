"""Several parties change tables at once: two swap, three move round, a room is cleared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.checks import require_each_once, require_tables
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Move, Reason
from assignment_pipeline.domain.windows import TimeWindow
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
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, require_restaurant
from assignment_pipeline.flow.assigning.reseating import reseated
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Evaluate, Flow, LoadContext, ReadRecords
from assignment_pipeline.flow.landing import change, guarded, land, later, once_more, preconditions, until_landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import seated_as
from assignment_pipeline.flow.staff.laying import Shortened, named, shorten, shortened
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import LoadQuery, RecordQuery

T = TypeVar("T")

NEVER_ALLOWED = frozenset({Rule.TAKEN, Rule.UNKNOWN_TABLE})
"""Two parties at one table, and a table that is not there: no person may allow these."""

_OF_THE_TIME = frozenset({Rule.OUTSIDE_SERVICE, Rule.NOT_AN_ARRIVAL, Rule.PACING, Rule.IN_PAST})
"""The rules about the time of a party: other tables change nothing about them."""


def allowed_rules(allow: Collection[str]) -> frozenset[Rule]:
    """
    The rules that a person overrules, by their names.

    Raises:
        InvalidValueError: One is no rule, or cannot be allowed away.
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
            InvalidValueError: There are no moves, one booking is to move twice, or to no tables or to one twice; or
                *allow* names no rule.
        """
        given = tuple(moves)
        if not given or not all(isinstance(move, Move) for move in given):
            raise InvalidValueError("moves", "one Move or more", repr(given))
        require_each_once("moves", [move.booking_id for move in given])
        for move in given:
            require_tables("moves", move.tables, move.booking_id)
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
        OtherRestaurantError: They are not all of one restaurant, or not of the one that was named; or the host has
            one at another by now.
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
        context = yield from with_neighbours(context, query, wanted.moves)
        room = yield from with_room(context, wanted.moves, wanted.allowed)
        took = call.elapsed()
        calls, changes = [], []
        for move in wanted.moves:
            record = context.loaded.records[move.booking_id]
            calls.append(call.about(record))
            changes.append(_change(context, calls[-1], move, room.records[move.booking_id], pin=wanted.pin))
        nearby = {name: window for name, window in room.blocked.items() if name not in ids}
        if not (yield from land(*changes, *shorten(call, nearby, context.loaded.records))):
            return None
        return tuple(
            one.result(seated_as(made.record), Reason.REARRANGED, took, record=made.record)
            for one, made in zip(calls, changes, strict=True)
        )

    answer = yield from until_landed(settings.tries, attempt, once_more(settings))
    return answer if answer is not None else (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _restaurant(wanted: Wanted) -> Flow[str]:
    """The restaurant that all the bookings are of."""
    ids = tuple(move.booking_id for move in wanted.moves)
    page = yield from ReadRecords(RecordQuery(booking_ids=ids, limit=len(ids)))
    records = {record.booking_id: record for record in page.records}
    for booking_id in ids:
        if booking_id not in records:
            raise BookingNotFoundError(booking_id)
        if not records[booking_id].restaurant_id:  # Cancelled before anybody knew of it.
            raise NoTablesError(booking_id, records[booking_id].state.value)
    restaurant_id = wanted.restaurant_id or records[ids[0]].restaurant_id
    for booking_id in ids:
        if records[booking_id].restaurant_id != restaurant_id:
            raise OtherRestaurantError(booking_id, restaurant_id, records[booking_id].restaurant_id)
    return restaurant_id


def _change(
    context: DecisionContext, call: Call, move: Move, after: AssignmentRecord, *, pin: bool
) -> AssignmentChange:
    record, why = context.loaded.records[move.booking_id], Reason.REARRANGED
    return change(
        call,
        record,
        (Trigger.MOVE,),
        seated_as(record),
        why,
        told=(reseated(context, call, record, move, why),),
        preconditions=preconditions(context.loaded, record.booking_id),
        allocation=after.allocation,
        strategy="manual",
        owner=Owner.PIPELINE,
        pinned=pin,
    )


@attrs.frozen
class Room:
    """
    The floor once a person has had bookings move.

    Attributes:
        taken: What is taken, but for the bookings whose tables do not count.

        records: The records of those who have tables there, as they will be.

        blocked: For how long tables are kept by bookings whose laying time is shortened, by id.
    """

    taken: tuple[Occupied, ...]
    records: Mapping[str, AssignmentRecord]
    blocked: Mapping[str, TimeWindow]

    def with_shortened(self, others: Mapping[str, TimeWindow]) -> Room:
        """The same where those others keep their tables for less time."""
        records = dict(self.records)
        taken = list(self.taken)
        for booking_id, window in others.items():
            record = records[booking_id]
            assert record.allocation is not None  # noqa: S101 - it has tables, or it would be in nobody's way
            records[booking_id] = attrs.evolve(record, allocation=attrs.evolve(record.allocation, blocked=window))
            taken = [attrs.evolve(row, window=window) if row.booking_id == booking_id else row for row in taken]
        return Room(tuple(taken), records, {**self.blocked, **others})


def with_neighbours(
    context: DecisionContext, query: LoadQuery, moves: Sequence[Move], request: SeatingRequest | None = None
) -> Flow[DecisionContext]:
    """
    The same context, with the records of the bookings nearby, if somebody has any of the time that is wanted.

    Raises:
        BookingNotFoundError, NoTablesError, OtherTablesError: One has no tables, or others than it is to leave.
    """
    windows = [] if request is None else [request.blocked]
    windows += [_request(context, move).blocked for move in moves]
    around = TimeWindow.around(windows) if windows else None
    leave = {move.booking_id for move in moves} | ({request.booking.id} if request else set())
    in_the_way = (row for row in context.loaded.taken if row.booking_id is not None and row.booking_id not in leave)
    if around is None or not any(row.window.overlaps(around) for row in in_the_way):
        return context
    loaded = yield from LoadContext(attrs.evolve(query, day=around, records_only=True))
    if loaded is None:
        raise BookingNotFoundError(" or ".join(query.booking_ids))
    context.call.now = loaded.now
    return attrs.evolve(context, loaded=loaded)


def with_room(
    context: DecisionContext,
    moves: Sequence[Move],
    allowed: frozenset[Rule],
    *,
    besides: Collection[str] = (),
) -> Flow[Room]:
    """
    The floor once a person has had everybody move, each of whom must be able to.

    Args:
        context: What was loaded.

        moves: Who goes where.

        allowed: The rules that are overruled.

        besides: Other bookings whose tables do not count.

    Raises:
        BookingNotFoundError, NoTablesError, OtherTablesError: One has no tables, or others than it is to leave.
        OtherRestaurantError: The host has one at another restaurant by now.
        PlacementRefusedError, TableConflictError: The tables do not do.
    """
    leave = {*besides, *(move.booking_id for move in moves)}
    taken = [row for row in context.loaded.taken if row.booking_id not in leave]
    # What the host shows of who leaves is taken for the others, until the host changes it.
    taken += [row for booking_id in sorted(leave) for row in context.shown_by_host(booking_id)]
    records = {key: record for key, record in context.loaded.records.items() if key not in leave}
    room = Room(tuple(taken), records, {})
    for move in moves:
        room = yield from _moved(context, move, allowed, room)
    return room


def _moved(context: DecisionContext, move: Move, allowed: frozenset[Rule], room: Room) -> Flow[Room]:
    """The floor once that booking has moved, too."""
    request, record = _request(context, move), context.loaded.records[move.booking_id]
    assert record.allocation is not None  # noqa: S101 - `_request` looked
    held = record.allocation.moved(move.tables, context.now)
    floor = FloorSnapshot.of(context.venue, room.taken, {move.booking_id})
    found = yield from Evaluate(request, move.tables, floor)
    closer = closer_turns(context, request, move.tables, room, held.needed(context.now))
    refuse(request, named(found.broken, closer), move.tables, allowed | _OF_THE_TIME, floor)
    kept = held.blocked
    if closer is not None and Rule.TAKEN in found.broken:
        room = room.with_shortened(closer.others)
        kept = TimeWindow(max(kept.start, closer.blocked.start), min(kept.end, closer.blocked.end))
        room = attrs.evolve(room, blocked={**room.blocked, move.booking_id: kept})
    moved = attrs.evolve(held, blocked=kept)
    window = moved.occupied(context.now)
    rows = [Occupied(table_id=name, window=window, booking_id=move.booking_id) for name in moved.tables]
    there = attrs.evolve(record, owner=Owner.PIPELINE, allocation=attrs.evolve(moved, conflicted=False))
    return attrs.evolve(room, taken=(*room.taken, *rows), records={**room.records, move.booking_id: there})


def closer_turns(
    context: DecisionContext,
    request: SeatingRequest,
    tables: Collection[str],
    room: Room,
    needed: TimeWindow,
) -> Shortened | None:
    """What is kept of laying time if the party sits there; None if more than laying time is in the way."""
    rows = [row for row in room.taken if row.table_id in tables and row.booking_id != request.booking.id]
    return shortened(needed, request.blocked, rows, room.records, context.now)


def _request(context: DecisionContext, move: Move) -> SeatingRequest:
    """The party at its own time, which a move does not change."""
    record = context.loaded.records.get(move.booking_id)
    if record is None:
        raise BookingNotFoundError(move.booking_id)
    held, at_host = record.allocation, context.loaded.bookings.get(move.booking_id)
    if held is None:
        raise NoTablesError(move.booking_id, record.state.value)
    if held.tables != move.origin:
        raise OtherTablesError(move.booking_id, "tables", move.origin, held.tables)
    if at_host is not None:
        require_restaurant(at_host, context.venue.id)
        if at_host.status == CANCELLED and not held.sits:
            raise StaleRecordError(move.booking_id, "booking")
        require_restaurant(at_host, record.restaurant_id)
    booking = at_host or record.booking
    if booking is None:
        raise BookingNotFoundError(move.booking_id)
    then = held.moved(move.tables, context.now)
    return SeatingRequest(booking=booking, turn=held.turn, blocked=then.occupied(context.now))


def refuse(
    request: SeatingRequest,
    broken: Collection[Rule],
    table_ids: tuple[str, ...],
    allowed: frozenset[Rule],
    floor: FloorSnapshot,
) -> None:
    """
    Turn down tables for the rules that are *broken*.

    Raises:
        PlacementRefusedError: They break rules that were not allowed away.
        TableConflictError: Somebody else has one of them, and that is all.
    """
    left = [rule for rule in broken if rule not in allowed]
    positions = floor.venue.floor.positions
    if left and left != [Rule.TAKEN]:
        unknown = tuple(sorted(map(str, {*table_ids} - positions.keys())))
        raise PlacementRefusedError(request.booking.id, tuple(rule.value for rule in left), unknown)
    if left:
        busy = floor.occupancy.busy(request.blocked)
        raise TableConflictError(tuple(sorted(name for name in table_ids if busy >> positions[name] & 1)))
