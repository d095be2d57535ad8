"""Many bookings of one restaurant at a time: one snapshot and one commit a service day."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import require_each_once
from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.domain.result import AssignmentResult, Mode, Reason
from assignment_pipeline.errors import (
    AssignmentPipelineError,
    FlagsUnreadError,
    LockManagerUnavailableError,
)
from assignment_pipeline.flow.assigning import assign
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, Passed, Target
from assignment_pipeline.flow.assigning.together import Together
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Apart, CheckCircuit, Flow, Hold, LoadContext, ResolveFlags, TakeSlot
from assignment_pipeline.flow.landing import land, landed, until_landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.ports import AssignmentContext, FlagDecision, LoadQuery, Refused
from assignment_pipeline.ports.fitting import require_booking

Answers = dict[str, AssignmentResult]


def assign_many(
    bookings: Sequence[Booking], settings: Settings, *, legacy: bool = False
) -> Flow[tuple[AssignmentResult, ...]]:
    """
    Assign *bookings*, in their order, with one snapshot and one commit a restaurant and service day.

    What cannot be done so (the pipeline is not in charge, somebody is at work on one of them, others were faster
    every time, somebody would have to make room) is assigned one by one.

    Raises:
        InvalidValueError: A booking comes twice.
    """
    answers: Answers = {}
    passed = Passed()
    restaurants: dict[str, list[Booking]] = collections.defaultdict(list)
    for booking in bookings:
        require_booking(booking)
        restaurants[booking.restaurant_id].append(booking)
    require_each_once("bookings", [booking.id for booking in bookings])
    for group in restaurants.values():
        for day in (yield from Apart(days(group))):
            answers.update((yield from Apart(assign_day(day, settings, passed))))
    results = []
    for booking in bookings:
        answer = answers.get(booking.id)
        if answer is None:
            target = Target.of(booking)
            if passed.is_outdated(booking.id):  # The host is asked instead.
                target = Target(booking.id, booking.restaurant_id)
            answer = yield from Apart(assign.assign(target, settings, legacy=legacy))
        results.append(answer)
    return tuple(results)


def days(bookings: Sequence[Booking]) -> Flow[tuple[tuple[Booking, ...], ...]]:
    """The bookings of one restaurant, by the day to which it counts them."""
    first = bookings[0]
    try:
        flags = yield from ResolveFlags(first.restaurant_id)
        if flags.mode is not Mode.ACTIVE or (yield from CheckCircuit()):
            return ()
        loaded = yield from LoadContext(LoadQuery(restaurant_id=first.restaurant_id, bookings=(first,)))
    except AssignmentPipelineError:
        return ()
    if loaded is None:
        return ()
    groups: dict[dt.date, list[Booking]] = collections.defaultdict(list)
    for booking in bookings:
        groups[loaded.venue.service_date(booking.start_at)].append(booking)
    return tuple(tuple(group) for _, group in sorted(groups.items()))


def assign_day(bookings: Sequence[Booking], settings: Settings, passed: Passed) -> Flow[Answers]:
    """
    Assign bookings of one restaurant and day, in their order, with one commit.

    Returns:
        The answers, by booking; what is missing has to be assigned one by one, because the pipeline is not in charge,
        somebody is at work on one of them, others were faster every time, or somebody would have to make room.
    """
    restaurant_id = bookings[0].restaurant_id
    try:
        flags = yield from ResolveFlags(restaurant_id)
        if flags.mode is not Mode.ACTIVE or (yield from CheckCircuit()):
            return {}
        for hold in (
            TakeSlot.at(restaurant_id, flags.max_parallel, settings.lock_ttl),
            Hold.of((booking.id for booking in bookings), settings.lock_ttl),
        ):
            if isinstance((yield from hold), Refused):
                return {}
    except (FlagsUnreadError, LockManagerUnavailableError):
        return {}
    answers: Answers = {}
    try:
        attempt = partial(_try, bookings, settings, flags, answers, passed)
        yield from until_landed(settings.tries, attempt, lambda _: None)
    except AssignmentPipelineError:
        pass
    return answers


def _truths(
    bookings: Sequence[Booking], loaded: AssignmentContext, passed: Passed
) -> Iterator[tuple[Booking, Booking | None]]:
    """The bookings, each with how it is now; without those of another restaurant, or no sense, at the host."""
    for booking in bookings:
        if booking.id in loaded.unreadable:
            continue
        at_host = loaded.bookings.get(booking.id)
        truth = passed.truth(booking.id, booking, at_host)
        if at_host is None or at_host.restaurant_id == booking.restaurant_id:
            yield booking, truth


def _try(
    bookings: Sequence[Booking], settings: Settings, flags: FlagDecision, answers: Answers, passed: Passed
) -> Flow[bool | None]:
    """True where the rest, if there is any, has to be assigned one by one."""
    open_ones = tuple(booking for booking in bookings if booking.id not in answers)
    if not open_ones:
        return True
    restaurant_id, given = open_ones[0].restaurant_id, {booking.id: booking for booking in open_ones}
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, bookings=open_ones))
    if loaded is None or flags.generation not in (None, loaded.generation):
        return True
    together = Together(loaded)
    for booking, truth in _truths(open_ones, loaded, passed):
        call = yield from Call.begin((booking.id, booking.restaurant_id), assign.CREATION)
        call.mode, call.now = flags.mode, loaded.now
        context = DecisionContext(
            call=call,
            settings=settings,
            loaded=together.loaded,
            booking=truth,
            generation=loaded.generation,
            occupancy=together.occupancy,
        )
        decided = yield from assign.decide(context)
        if isinstance(decided, AssignmentResult):
            answers[booking.id] = decided
            continue
        if decided.reason is Reason.NO_FIT and loaded.venue.policy.reseat is not Reseat.OFF:
            continue  # By itself, others may be moved for it.
        together.add(call, decided)
    writes = together.writes
    if writes and not (yield from land(*(decided.change for _, decided in writes.values()))):
        return None
    for booking_id, (call, decided) in writes.items():
        answers[booking_id] = answer = landed(call, decided)
        yield from assign.held_against_legacy(call, given[booking_id], answer)
    return True
