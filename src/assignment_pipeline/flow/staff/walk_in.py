"""A party at the door: tables now, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.booking import MAX_TURN, Booking, SeatingPreference
from assignment_pipeline.domain.checks import as_tuple, aware_minute, require_tables, to_utc
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Mode, Move, Outcome, Plan, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, minute_of, written
from assignment_pipeline.errors import (
    BookingNotFoundError,
    IllegalTransitionError,
    InvalidValueError,
    NoTablesError,
    StaleRecordError,
    StaleRolloutError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, require_restaurant
from assignment_pipeline.flow.assigning.seating import TO_BEGIN, find_tables, make_plan, record_attempt
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import DoubtFlags, Evaluate, Flow, LoadContext, ResolveFlags
from assignment_pipeline.flow.landing import ToCommit, allocation, guarded, later, once_more, until_answered
from assignment_pipeline.flow.settings import Settings
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
from assignment_pipeline.planning.base import FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import LoadQuery

_FULL = frozenset({Reason.NO_FIT, Reason.INFEASIBLE})


@attrs.frozen(kw_only=True)
class AtDoor:
    """
    A party at the door, and what a person wants for it.

    Attributes:
        asks: What it asks for, as a booking of the time that it comes at: its size, and where it wants to sit.

        has_id: Whether the booking is the caller's, and not made by the call.

        tables: The tables that a person chose; none leaves that to the engine.

        moves: Who makes room for it at these.

        until: When it leaves at the latest; None leaves that to the policy.

        allowed: The rules to overrule.

        offer: Whether the tables are only offered, and nothing is written.
    """

    asks: Booking
    has_id: bool
    tables: tuple[str, ...]
    moves: tuple[Move, ...]
    until: dt.datetime | None
    allowed: frozenset[Rule]
    offer: bool

    @classmethod
    def of(
        cls,
        restaurant_id: str,
        party_size: int,
        *,
        booking_id: str | None,
        tables: Collection[str],
        moves: Sequence[Move],
        until: dt.datetime | None,
        allow: Collection[str],
        offer: bool,
        seating: SeatingPreference | str,
        zone: str | None,
        accessible: bool,
        channel: str | None,
    ) -> AtDoor:
        """
        The same, as a caller says it.

        Raises:
            ValueError: It is no such party, *until* is no such time, or *allow* names no rule.
        """
        some_day = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        asks = Booking(
            "walk-in" if booking_id is None else booking_id,
            restaurant_id,
            party_size,
            some_day,
            seating=SeatingPreference(seating),
            zone=zone,
            accessible=accessible,
            channel=channel,
        )
        chosen = as_tuple(tables)
        if moves and not chosen:
            raise InvalidValueError("moves", "tables beside them", "none")
        if chosen:
            require_tables("tables", chosen)
        for move in moves:
            require_tables("moves", move.tables, move.booking_id)
        return cls(
            asks=asks,
            has_id=booking_id is not None,
            tables=chosen,
            moves=tuple(moves),
            until=None if until is None else _Until(until).until,
            allowed=allowed_rules(allow),
            offer=offer,
        )


@attrs.frozen
class _Until:
    """Until when a party may stay."""

    until: dt.datetime = attrs.field(converter=to_utc, validator=aware_minute)


@attrs.frozen(kw_only=True)
class _Found:
    """
    Tables for a party at the door.

    Attributes:
        request: The party, for the time that it may stay.

        decision: Its plan.

        context: What that was found on.

        room: The floor with them that make room, where a person chose the tables.

        broken: The rules that were overruled.
    """

    request: SeatingRequest
    decision: Decision
    context: DecisionContext
    room: Room
    broken: tuple[Rule, ...] = ()

    @property
    def plan(self) -> Plan:
        """The plan."""
        assert self.decision.plan is not None  # noqa: S101 - tables were found
        return self.decision.plan


def walk_in(party: AtDoor, settings: Settings, *, actor: str) -> Flow[AssignmentResult]:
    """
    Seat a party that is at the door, or offer it tables, for as long as it may stay.

    Twice with the id of one booking is once: the second answer is ``noop``, with the tables that it has.

    Where the pipeline is not in charge, it chooses no tables: ``noop`` with the reason ``pipeline_disabled``.

    Returns:
        With the outcome ``kept``, nothing is written, and the reason says why. With the reason ``offered``, nothing is
        written, and the tables and the end are those that the party can have.

    Raises:
        BookingNotFoundError: One that is to move is not known.
        IllegalTransitionError: The booking has tables already and its party has not sat down, or it has ended.
        OtherRestaurantError: The host says that the booking is another restaurant's.
        PlacementRefusedError: The tables that were chosen break rules that were not allowed away.
        StaleRecordError: One that is to move has moved on.
        TableConflictError: Somebody else has one of the tables that were chosen.
        ValueError: The end is not after now, or a host with rows of its own has none for the party.
        VenueNotFoundError: The host has no such restaurant.
    """
    asks = party.asks
    call = yield from Call.by_person((asks.id, asks.restaurant_id), MANUAL, actor=actor)
    if not party.has_id:
        call.booking_id = f"walk-in-{call.id}"
        party = attrs.evolve(party, asks=attrs.evolve(asks, id=call.booking_id))

    def attempt() -> Flow[ToCommit | AssignmentResult | None]:
        try:
            return (yield from _attempt(call, party, settings))
        except NoTablesError as error:  # What was offered is not so any more.
            raise StaleRecordError(error.booking_id, "tables") from error
        except StaleRecordError:
            if party.moves:
                raise
            return None  # Somebody was faster.

    again = once_more(settings) if party.tables else lambda _: None
    try:
        return (yield from guarded(call, settings, until_answered(call, settings, attempt, again)))
    except StaleRolloutError as error:
        yield from DoubtFlags(error.expected)
        return (yield from later(call, Reason.CONFLICT, settings.rate_retry, error))


def _attempt(call: Call, party: AtDoor, settings: Settings) -> Flow[ToCommit | AssignmentResult]:
    movers = tuple(move.booking_id for move in party.moves)
    nearby = yield from LoadContext(LoadQuery(restaurant_id=call.restaurant_id))
    assert nearby is not None  # noqa: S101 - only of bookings is it not known whether they are there
    now = minute_of(nearby.now)
    asks = attrs.evolve(party.asks, start_at=now)
    query = LoadQuery(restaurant_id=call.restaurant_id, bookings=(asks,), booking_ids=movers)
    loaded = yield from LoadContext(query)
    if loaded is None:
        raise BookingNotFoundError(" or ".join(movers))
    call.now = loaded.now
    context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=asks)
    answer = _nothing_to_do(context, party)
    if answer is not None:
        return (yield from answer)
    booking = attrs.evolve(
        context.at_host or asks, party_size=asks.party_size, start_at=minute_of(loaded.now), end_at=None
    )
    context = attrs.evolve(context, unpaced=Rule.PACING in party.allowed)
    if not party.tables:
        flags = yield from ResolveFlags(call.restaurant_id)
        call.mode = flags.mode
        if flags.mode is not Mode.ACTIVE:  # There, only a person chooses tables.
            return (yield from call.answer(Outcome.NOOP, Reason.PIPELINE_DISABLED, record=context.record))
        if flags.generation not in (None, loaded.generation):
            raise StaleRolloutError(flags.generation or 0, loaded.generation)
        context = attrs.evolve(context, generation=loaded.generation)
    found = yield from _find(context, booking, party, query)
    if isinstance(found, AssignmentResult):
        return found
    if party.offer:
        return _offered(call, found)
    return _seated(found, party)


def _nothing_to_do(context: DecisionContext, party: AtDoor) -> Flow[AssignmentResult] | None:
    """
    The answer where the booking is seated already, or is not ours; None where it can be seated.

    Raises:
        IllegalTransitionError: It has tables and its party has not sat down, or it has ended.
        OtherRestaurantError: The host says that it is another restaurant's.
        ValueError: The host has rows of its own, and none of the party.
    """
    call, record, at_host = context.call, context.record, context.at_host
    if at_host is not None:
        require_restaurant(at_host, call.restaurant_id)
    elif context.loaded.follows and not party.has_id and not party.offer:
        raise InvalidValueError("booking_id", "the id of your row of the party, which comes first", "None")
    if record is None:
        return None
    if record.owner is not Owner.PIPELINE:
        return call.answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=record)
    if record.allocation is not None and record.allocation.seated_at is not None:
        return call.answer(Outcome.NOOP, record=record)
    if record.state in WITH_TABLES | FINAL:
        raise IllegalTransitionError(record.state, Trigger.SEAT)
    return None


def _find(
    context: DecisionContext, booking: Booking, party: AtDoor, query: LoadQuery
) -> Flow[_Found | AssignmentResult]:
    """Tables for the longest stay that there are some for."""
    start, call = booking.start_at, context.call
    closes = None if Rule.OUTSIDE_SERVICE in party.allowed else context.venue.calendar.open_until(start)
    if isinstance(closes, Reason):
        return (yield from call.answer(Outcome.KEPT, closes, record=context.record))
    usual = start + context.venue.calendar.stay(booking.party_size, start)
    wished = party.until or _wished(context.venue, start, usual)
    if not start < wished <= start + MAX_TURN:
        earliest, latest, got = (written(one, context.venue.zone) for one in (start, start + MAX_TURN, wished))
        raise InvalidValueError("until", f"a time after {earliest}, {latest} at the latest", got)
    ends = [wished, *_shorter(context, party, start, wished, closes)]
    ends = [end for end in ends if closes is None or end <= closes]
    first = Decision(refusal=Reason.OUTSIDE_SERVICE)
    for place, end in enumerate(ends):
        request = _request(context, booking, end, usual)
        if party.tables:
            chosen = yield from _chosen(context, request, party, query, is_last=end == ends[-1])
            if chosen is not None:
                return chosen
            continue
        found, decision = yield from _planned(context, request, may_move=place == 0)
        if decision.plan is not None:
            broken = _overruled(found, request, party)
            return _Found(request=request, decision=decision, context=found, room=Room((), {}, {}), broken=broken)
        first = decision if place == 0 else first
        if decision.refusal not in _FULL:
            break
    return (yield from call.answer(Outcome.KEPT, first.refusal, record=context.record, decision=first))


def _wished(venue: Venue, start: dt.datetime, usual: dt.datetime) -> dt.datetime:
    """The *usual* end, but no sooner than the shortest stay where that is only what is left of the service."""
    least = venue.policy.shortest_stay
    return usual if least is None or not venue.calendar.sits_to_end(start) else max(usual, start + least)


def _shorter(
    context: DecisionContext, party: AtDoor, start: dt.datetime, wished: dt.datetime, closes: dt.datetime | None
) -> list[dt.datetime]:
    """The ends of shorter stays than was *wished*, the latest first; none where the policy shortens none."""
    policy, taken = context.venue.policy, context.loaded.taken
    if policy.shortest_stay is None or party.until is not None:
        return []
    ends = {row.window.start - policy.post_buffer for row in taken}
    if Rule.LAYING_TIME in party.allowed:
        ends |= {row.window.start + lead for row in taken for lead in (dt.timedelta(), policy.pre_buffer)}
    ends |= {closes} if closes is not None else set()
    return sorted((end for end in ends if start + policy.shortest_stay <= end < wished), reverse=True)


def _request(context: DecisionContext, booking: Booking, end: dt.datetime, usual: dt.datetime) -> SeatingRequest:
    """The party from now until *end*: nothing is laid for it first. Its booking names an end that is not the usual."""
    turn = TimeWindow(booking.start_at, end)
    blocked = TimeWindow(turn.start, context.venue.blocked(turn).end)
    asks = booking if end == usual else attrs.evolve(booking, end_at=end)
    return SeatingRequest(booking=asks, turn=turn, blocked=blocked, not_before=context.not_before, at_door=True)


def _planned(
    context: DecisionContext, request: SeatingRequest, *, may_move: bool
) -> Flow[tuple[DecisionContext, Decision]]:
    """The engine's choice; others make room only for a stay that is not shortened."""
    if may_move:
        return (yield from find_tables(context, request))
    return context, (yield from make_plan(context, request))


def _overruled(context: DecisionContext, request: SeatingRequest, party: AtDoor) -> tuple[Rule, ...]:
    """The rules that the engine's choice breaks because a person allowed it."""
    pace, venue = attrs.evolve(context, unpaced=False).pace, context.venue
    broken = {
        Rule.PACING: pace is not None and pace.refuses(request.booking),
        Rule.OUTSIDE_SERVICE: not venue.serves(request.turn),
    }
    return tuple(rule for rule, breaks in broken.items() if breaks and rule in party.allowed)


def _chosen(
    context: DecisionContext, request: SeatingRequest, party: AtDoor, query: LoadQuery, *, is_last: bool
) -> Flow[_Found | None]:
    """The tables that a person chose; None where they are somebody else's for part of that stay, but for the last."""
    context = yield from with_neighbours(context, query, party.moves, request)
    room = yield from with_room(context, party.moves, party.allowed, besides={request.booking.id})
    pace = attrs.evolve(context, unpaced=False).pace
    floor = FloorSnapshot.of(context.venue, room.taken, {request.booking.id}, pace=pace)
    found = yield from Evaluate(request, party.tables, floor)
    closer = closer_turns(context, request, party.tables, room, request.turn)
    broken = named(found.broken, closer)
    left = {rule for rule in broken if rule not in party.allowed}
    if left and left <= {Rule.TAKEN, Rule.LAYING_TIME} and not is_last:
        return None
    refuse(request, broken, party.tables, party.allowed, floor)
    if closer is not None and Rule.LAYING_TIME in broken:
        room = room.with_shortened(closer.others)
        request = attrs.evolve(request, blocked=closer.blocked)
    assert found.plan is not None  # noqa: S101 - unknown tables were refused
    plan = attrs.evolve(found.plan, moves=party.moves)
    return _Found(request=request, decision=Decision(plan=plan), context=context, room=room, broken=broken)


def _next(found: _Found) -> tuple[str, ...]:
    """The bookings that are next at the tables, and for which the stay is shortened."""
    venue, turn, booking = found.context.venue, found.request.turn, found.request.booking
    usual = turn.start + venue.calendar.stay(booking.party_size, turn.start)
    if turn.end >= usual:
        return ()
    wanted = venue.blocked(TimeWindow(turn.start, usual))
    movers = {move.booking_id for move in found.plan.moves}
    rows = (row for row in found.context.loaded.taken if row.table_id in found.plan.tables)
    names = {row.booking_id for row in rows if row.booking_id and row.window.overlaps(wanted)}
    return tuple(sorted(names - {booking.id, *movers}))


def _offered(call: Call, found: _Found) -> AssignmentResult:
    """The answer where nothing is written."""
    took = call.elapsed()
    return call.result(
        Outcome.NOOP,
        Reason.OFFERED,
        took,
        tables=found.plan.tables,
        until=found.request.turn.end,
        displaced=_next(found),
        decision=found.decision,
    )


def _seated(found: _Found, party: AtDoor) -> ToCommit:
    """What is written: the booking, its tables and that it sits, with what makes room for it."""
    # The commit holds the caps, unless they are passed already and a person allowed that.
    context, request, plan = attrs.evolve(found.context, unpaced=False), found.request, found.plan
    triggers: tuple[Trigger, ...] = (Trigger.SEAT, Trigger.CONFIRM)
    if context.state is not AssignmentState.MANUAL_REVIEW:
        triggers = (*TO_BEGIN[context.state], *triggers)
    tables = attrs.evolve(allocation(request, plan, context.venue), seated_at=context.now)
    facts: dict[str, Any] = {"next_attempt_at": None, "reason": None, "retries": 0}
    made = record_attempt(
        context,
        request,
        found.decision,
        triggers,
        Outcome.CONFIRMED,
        why=Reason.SEATED,
        overruled=[rule for rule in found.broken if rule in party.allowed],
        blocked=found.room.blocked,
        allocation=tables,
        strategy=plan.strategy,
        owner=Owner.PIPELINE,
        pinned=True,
        **facts,
    )
    movers = {move.booking_id for move in plan.moves}
    others = {name: window for name, window in found.room.blocked.items() if name not in movers}
    nearby = shorten(context.call, others, context.loaded.records)
    return attrs.evolve(made, nearby=nearby, displaced=_next(found))
