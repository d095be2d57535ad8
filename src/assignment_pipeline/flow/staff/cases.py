"""The review queue with what can be done about each booking."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.reasons import sentence_of
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import Plan
from assignment_pipeline.domain.review import ReviewCase, ReviewCases
from assignment_pipeline.domain.room import WayOut
from assignment_pipeline.domain.wording import count
from assignment_pipeline.errors import (
    STORE_DOWN,
    StaleRecordError,
    VenueNotFoundError,
)
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.seating import find_tables, make_plan
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Evaluate, Flow, LoadContext, Monotonic, ReadRecords, ReadTrail
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.room import conflicts_of, look, who_sits
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.ports import LoadQuery, RecordQuery

MOST_WAYS = 3

_IN_ALL = 1.0
"""Seconds for which a page looks for moves. Behind that, its cases have only the ways out without moves."""

_NO_TIME = dt.timedelta(microseconds=1)


def review_cases(query: RecordQuery, settings: Settings) -> Flow[ReviewCases]:
    """
    A page of the review queue, with a sentence, what was tried and the best ways out for each booking.

    The first page has the bookings, too, whose tables another party still sits at. Where the page is of all restaurants
    and the host raises for one, its bookings have no way out but the end. A page of that one raises.

    Raises:
        TypeError: The store is no `AuditStore`.
    """
    page = yield from ReadRecords(query)
    begun = yield from Monotonic()
    cases = []
    for record in page.records:
        has_time = (yield from Monotonic()) - begun < _IN_ALL
        budget = settings.reseat_budget if has_time else _NO_TIME
        cases.append((yield from _case(record, settings, budget, alone=query.restaurant_id is not None)))
    conflicts: list[ReviewCase] = []
    if query.after is None:
        conflicts = yield from _conflicts(query.restaurant_id, settings)
    return ReviewCases(now=page.now, cases=cases, conflicts=conflicts, next=page.next)


def _conflicts(restaurant_id: str | None, settings: Settings) -> Flow[list[ReviewCase]]:
    """The bookings at whose tables another party still sits: at a restaurant, or at all of them."""
    sitting = yield from who_sits(restaurant_id)
    found: list[ReviewCase] = []
    for place in sorted({record.restaurant_id for record in sitting}):
        try:
            here = yield from look(place)
            conflicts = yield from conflicts_of(here, settings)
        except Exception as error:
            if not _is_of_one_restaurant(error, alone=restaurant_id is not None):
                raise
            continue
        for conflict in conflicts:
            records = here.loaded.records
            other = records[conflict.sitting].allocation
            found.append(
                ReviewCase(
                    record=records[conflict.booking_id],
                    sentence=conflict.sentence.removesuffix("."),
                    since=min(other.turn.end, here.now) if other is not None else None,
                    ways_out=conflict.ways_out,
                )
            )
    return sorted(found, key=_arrival)


def _is_of_one_restaurant(error: Exception, *, alone: bool) -> bool:
    """Whether *error* hides one restaurant, and nothing of the others: a host's code may raise anything."""
    if isinstance(error, VenueNotFoundError):
        return True
    return not alone and not isinstance(error, STORE_DOWN)


def _arrival(case: ReviewCase) -> tuple[dt.datetime, str]:
    held = case.record.allocation
    assert held is not None  # noqa: S101 - it is in conflict about its tables
    return held.turn.start, case.record.booking_id


def _case(record: AssignmentRecord, settings: Settings, budget: dt.timedelta, *, alone: bool) -> Flow[ReviewCase]:
    trail = yield from ReadTrail(record.booking_id)
    came = (step.created_at for step in reversed(trail.history) if step.trigger is Trigger.ESCALATE)
    case = ReviewCase(record=record, sentence=_why(record), since=next(came, None), tried=trail.attempts)
    booking = trail.booking or record.booking
    ways: tuple[WayOut, ...] = ()
    if booking is not None:
        try:
            loaded = yield from LoadContext(LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,)))
        except Exception as error:
            if not _is_of_one_restaurant(error, alone=alone):
                raise
            loaded = None
        if loaded is not None:
            call = yield from Call.begin((booking.id, booking.restaurant_id), MANUAL)
            call.now = loaded.now
            context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=booking, deadline=budget)
            case = attrs.evolve(case, sentence=f"{_asked(booking, context)}: {_why(record)}")
            ways = yield from _ways_out(context, booking)
    return attrs.evolve(case, ways_out=(*ways, _end(record))[:MOST_WAYS])


def _why(record: AssignmentRecord) -> str:
    return sentence_of(record.reason) or "it waits for a person"


def _asked(booking: Booking, context: DecisionContext) -> str:
    return f"{count(booking.party_size, 'guest')}, {booking.start_at.astimezone(context.venue.zone):%a %d %b %H:%M}"


def _ways_out(context: DecisionContext, booking: Booking) -> Flow[tuple[WayOut, ...]]:
    """The tables that do, with moves or without wishes, and then other times; the best first."""
    ways: list[WayOut] = []
    request = context.request(booking)
    try:
        _, decision = yield from find_tables(context, request)
    except StaleRecordError:  # Somebody is at it just now.
        return ()
    plan = decision.plan or decision.suggestion
    if plan is not None:
        ways.append(_placed(booking, plan))
    elsewhere = attrs.evolve(booking, seating=SeatingPreference.ANY, zone=None, accessible=False)
    if plan is None and not elsewhere.same_request(booking):
        other = yield from make_plan(context, context.request(elsewhere))
        if other.plan is not None:
            found = yield from Evaluate(request, other.plan.tables, context.floor(request))
            ways.append(_placed(booking, other.plan, found.broken))
    zone = context.venue.zone
    ways += [
        WayOut(
            sentence=f"They come at {moment.astimezone(zone):%H:%M} instead, if the guest agrees.",
            method="reassign",
            arguments={"booking_id": booking.id, "start_at": moment.isoformat()},
        )
        for moment in decision.nearest
    ]
    return tuple(ways)


def _placed(booking: Booking, plan: Plan, broken: tuple[Rule, ...] = ()) -> WayOut:
    arguments: dict[str, Any] = {"booking_id": booking.id, "tables": list(plan.tables)}
    told = f"{booking.id!r} gets {', '.join(plan.tables)}"
    if plan.moves:
        arguments["moves"] = [
            {"booking_id": move.booking_id, "origin": list(move.origin), "tables": list(move.tables)}
            for move in plan.moves
        ]
        told += ", once " + " and ".join(
            f"{move.booking_id!r} moves to {', '.join(move.tables)}" for move in plan.moves
        )
    if broken:
        arguments["allow"] = [rule.value for rule in broken]
        told += f", although that breaks {', '.join(arguments['allow'])}"
    return WayOut(sentence=f"{told}.", method="place", arguments=arguments)


def _end(record: AssignmentRecord) -> WayOut:
    return WayOut(
        sentence=f"{record.booking_id!r} is turned down.",
        method="reject",
        arguments={"booking_id": record.booking_id, "reason": "no_table"},
    )
