"""A whole day at once: who waits and could be seated, and who stands on tables that are not to be had."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import attrs

from assignment_pipeline.domain.checks import require_date
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import Decision, Mode, Reason
from assignment_pipeline.errors import BookingNotFoundError, StaleRolloutError
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.reseating import moves, snapshot
from assignment_pipeline.flow.assigning.seating import seat
from assignment_pipeline.flow.assigning.venue_audit import audit_of
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import DoubtFlags, Flow, LoadContext, Rearrange, ResolveFlags
from assignment_pipeline.flow.landing import land, until_landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.base import Rule, SeatingRequest
from assignment_pipeline.planning.rearrange import Rearrangement
from assignment_pipeline.planning.venue_audit import AuditFinding
from assignment_pipeline.ports import LoadQuery, waits

EVER = dt.datetime.min.replace(tzinfo=dt.UTC)

_OF_TABLES = frozenset(
    {
        Rule.UNKNOWN_TABLE,
        Rule.INACTIVE,
        Rule.TAKEN,
        Rule.SIZE,
        Rule.SEATING,
        Rule.ZONE,
        Rule.ACCESSIBLE,
        Rule.NOT_JOINABLE,
    }
)
"""What other tables may put right. Another time, no plan gives a guest."""

REOPTIMIZE = "reoptimize"
"""The trigger of the call, and why somebody was moved by it."""


@attrs.frozen(kw_only=True)
class Reoptimization:
    """
    What a day could be, and whether it is now.

    Attributes:
        restaurant_id: The restaurant.

        service_date: The day.

        diff: Who would move, who would be seated, and what that is worth.

        stranded: The bookings that stay although they break a rule of the restaurant as it is, such as a table that is
            out of use or an hour at which it is closed: see `Coordinator.audit`.

        applied: Whether all of it has been done.

        reason: Why it was not, although it was to be.
    """

    restaurant_id: str
    service_date: dt.date
    diff: Rearrangement
    stranded: tuple[str, ...] = ()
    applied: bool = False
    reason: Reason | None = None


def reoptimize(
    restaurant_id: str, service_date: dt.date, settings: Settings, *, apply: bool, actor: str | None = None
) -> Flow[Reoptimization]:
    """
    Plan a restaurant's day anew, and do it if it is to be applied: all of it in one commit.

    It is applied only where the pipeline is in charge, and only under the rollout that it was planned under.

    Raises:
        CommitUnknownError: Whether it was done could not be found out.
        InvalidValueError: *service_date* is no date.
        MissingExtraError: The extra ``optimize`` is not installed.
        StoreUnavailableError: The store could not be asked.
        VenueNotFoundError: The host has no such restaurant.
    """
    require_date("service_date", service_date)
    call = yield from Call.begin(("", restaurant_id), REOPTIMIZE, actor=actor)
    found: Reoptimization | None = None

    def attempt() -> Flow[Reoptimization | None]:
        nonlocal found
        flags = yield from ResolveFlags(restaurant_id)
        call.mode = flags.mode
        context = yield from _look(call, restaurant_id, service_date, settings)
        stranded = yield from _stranded(context)
        at_wrong_tables = {one.booking_id for one in stranded if _OF_TABLES.intersection(one.rules)}
        floor = snapshot(context)
        sitting = [
            attrs.evolve(party, misplaced=True) if party.request.booking.id in at_wrong_tables else party
            for party in floor.sitting
        ]
        floor = attrs.evolve(floor, sitting=tuple(sitting))
        diff = yield from Rearrange(floor, tuple(_waiting(context)), settings.repack_budget)
        gone = {move.booking_id for move in diff.moves}
        found = Reoptimization(
            restaurant_id=restaurant_id,
            service_date=service_date,
            diff=diff,
            stranded=tuple(one.booking_id for one in stranded if one.booking_id not in gone),
        )
        if not apply or diff.is_empty:
            return found
        if flags.mode is not Mode.ACTIVE:
            return attrs.evolve(found, reason=Reason.PIPELINE_DISABLED)
        if flags.generation not in (None, context.generation):
            yield from DoubtFlags(flags.generation)
            return None
        changes = yield from _changes(context, diff)
        try:
            if (yield from land(*changes)):
                return attrs.evolve(found, applied=True)
        except StaleRolloutError:
            yield from DoubtFlags(flags.generation)
        return None

    done = yield from until_landed(settings.tries, attempt, lambda _: None)
    if done is None:
        assert found is not None  # noqa: S101 - there was an attempt
        return attrs.evolve(found, reason=Reason.CONFLICT)
    return done


def _look(call: Call, restaurant_id: str, service_date: dt.date, settings: Settings) -> Flow[DecisionContext]:
    """Everybody who sits, or waits, at the restaurant on that day."""
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    if loaded is not None:
        day = loaded.venue.service_day(service_date)
        loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, day=day))
    if loaded is None:  # Only a store that was asked for a booking may say so.
        raise BookingNotFoundError(restaurant_id)
    call.now = loaded.now
    return DecisionContext(call=call, settings=settings, loaded=loaded, booking=None, generation=loaded.generation)


def _waiting(context: DecisionContext) -> Iterator[SeatingRequest]:
    """Those who wait and could be seated as they asked, in the order in which they arrive."""
    requests, pace = [], context.pace
    for booking_id, record in context.loaded.records.items():
        booking = context.loaded.bookings.get(booking_id)
        if booking is not None and booking.is_pending and waits(record) and booking.restaurant_id == context.venue.id:
            requests.append(context.request(booking))
    for request in sorted(requests, key=lambda request: (request.turn.start, request.booking.id)):
        in_time = request.not_before is None or request.turn.start >= request.not_before
        is_ours = not context.venue.policy.needs_review(request.booking.party_size)
        if not in_time or not is_ours or context.venue.refusal(request.turn) is not None:
            continue
        if pace is not None:  # Together they keep to the caps, so any of them may be seated.
            if pace.refuses(request.booking):
                continue
            pace = pace.with_arrival(ArrivingParty.of(request.booking))
        yield request


def _stranded(context: DecisionContext) -> Flow[tuple[AuditFinding, ...]]:
    """Those who break a rule of the restaurant as it is, by their tables or their time, and no person meant it."""
    loaded = context.loaded
    found = yield from audit_of(loaded, EVER)
    ours = {name for name, record in loaded.records.items() if record.owner is Owner.PIPELINE}
    findings = (one for one in found.findings if one.booking_id in ours and not one.is_by_hand)
    return tuple(sorted(findings, key=lambda one: one.booking_id))


def _changes(context: DecisionContext, diff: Rearrangement) -> Flow[tuple[AssignmentChange, ...]]:
    changes = list(moves(context, diff.moves, "repack", REOPTIMIZE))
    for booking_id, plan in diff.seated:
        record: AssignmentRecord = context.loaded.records[booking_id]
        booking = context.loaded.bookings[booking_id]
        one = attrs.evolve(context, call=context.call.about(record), booking=booking)
        changes.append((yield from seat(one, one.request(booking), Decision(plan=plan))).change)
    return tuple(changes)
