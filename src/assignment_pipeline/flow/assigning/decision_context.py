"""What a decision about a booking is made on, and the loop that loads it, has it decided on, and commits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import minute_of
from assignment_pipeline.errors import (
    BookingNotFoundError,
    OtherRestaurantError,
    StaleRecordError,
    StaleRolloutError,
    TableConflictError,
)
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit, as_recorded, change, no_longer_due, until_answered
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import SETTLED, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.base import FloorSnapshot, Occupancy, SeatingRequest, Sitting
from assignment_pipeline.planning.pace import Pace
from assignment_pipeline.ports import AssignmentContext, FlagDecision, LoadQuery, waits
from assignment_pipeline.ports.fitting import require_booking


@attrs.frozen(repr=False)
class Target(Printed):
    """
    Which booking a call is about.

    Attributes:
        booking_id: Its id.

        restaurant_id: Its restaurant.

        booking: The booking itself, or None where only the id is at hand and the host has to be asked.

        deadline: For how long moves may be looked for; None leaves that to the settings.
    """

    booking_id: str
    restaurant_id: str
    booking: Booking | None = None
    deadline: dt.timedelta | None = None

    @classmethod
    def of(cls, booking: Booking, deadline: dt.timedelta | None = None) -> Target:
        """The booking at hand."""
        if type(booking) is not Booking:
            require_booking(booking)
        return cls(booking.id, booking.restaurant_id, booking, deadline)

    @property
    def ids(self) -> tuple[str, str]:
        """The booking's id and its restaurant's."""
        return self.booking_id, self.restaurant_id

    @property
    def query(self) -> LoadQuery:
        """What loads the context of it."""
        if self.booking is not None:
            return _unchecked_query(restaurant_id=self.restaurant_id, bookings=(self.booking,), ids=(self.booking_id,))
        return LoadQuery(restaurant_id=self.restaurant_id, booking_ids=(self.booking_id,))


_unchecked_query = maker(LoadQuery)


class Passed:
    """
    Which booking counts while a call is under way.

    What was passed is the truth, until the host changes its own: from then on that is, however often it is looked at.
    """

    def __init__(self) -> None:
        self._first: dict[str, Booking | None] = {}
        self._changed: set[str] = set()

    def truth(self, booking_id: str, passed: Booking | None, at_host: Booking | None) -> Booking | None:
        """The one of the two that counts; None where neither is known."""
        if at_host != self._first.setdefault(booking_id, at_host):
            self._changed.add(booking_id)
        return at_host if passed is None or self.is_outdated(booking_id) else passed

    def is_outdated(self, booking_id: str) -> bool:
        """Whether the host has changed its own meanwhile."""
        return booking_id in self._changed


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class DecisionContext(Printed):
    """
    What a decision is made on.

    Attributes:
        call: The call it is made for.

        settings: How the flow behaves.

        loaded: What the store answered.

        booking: What is to be seated: None if only its id was given, and the host does not know it any more.

        generation: The rollout's generation that the change has to be made under, or None if it does not matter.

        contested: Tables that others have taken since planning began.

        occupancy: What is taken, where that holds tables whose commit is still to come: nobody is moved then.

        deadline: For how long moves may be looked for; None leaves that to the settings.

        unpaced: Whether a person has overruled the caps on arrivals.
    """

    call: Call
    settings: Settings
    loaded: AssignmentContext
    booking: Booking | None
    generation: int | None = None
    contested: frozenset[str] = frozenset()
    occupancy: Occupancy | None = None
    deadline: dt.timedelta | None = None
    unpaced: bool = False

    @property
    def venue(self) -> Venue:
        """The restaurant."""
        return self.loaded.venue

    @property
    def now(self) -> dt.datetime:
        """The store's time."""
        return self.loaded.now

    @property
    def record(self) -> AssignmentRecord | None:
        """The booking's record, if there is one."""
        return self.loaded.records.get(self.call.booking_id)

    @property
    def state(self) -> AssignmentState:
        """Where the assignment stands."""
        return self.record.state if self.record else AssignmentState.CREATED

    @property
    def is_wanted(self) -> bool:
        """Whether the guest still waits for tables: by the booking that was passed, and by the host's."""
        passed, at_host = self.booking, self.at_host
        return passed is not None and passed.is_pending and (at_host is None or at_host.is_pending)

    @property
    def is_unreadable(self) -> bool:
        """Whether the host's row of the booking makes no sense."""
        return self.call.booking_id in self.loaded.unreadable

    @property
    def at_host(self) -> Booking | None:
        """The booking as the host knows it."""
        return self.loaded.bookings.get(self.call.booking_id)

    @property
    def awaits_row(self) -> bool:
        """Whether the host's row of the booking is not there yet, and would be changed by ``on_commit`` if it were."""
        return self.loaded.follows and self.at_host is None

    @property
    def not_before(self) -> dt.datetime | None:
        """The earliest time at which a party can still be seated: who arrives within this minute is in time."""
        return None if self.settings.replay else minute_of(self.now)

    @property
    def pace(self) -> Pace | None:
        """Who arrives when, held against the restaurant's caps; None where it has none, or they do not count."""
        venue = self.loaded.venue
        if self.unpaced:
            return None
        return Pace(venue.calendar, self.loaded.arrivals) if venue.policy.pacing else None

    def request(self, booking: Booking) -> SeatingRequest:
        """What the booking asks of the venue."""
        return SeatingRequest.at(self.venue, booking, self.not_before)

    def floor(
        self, request: SeatingRequest | None, sitting: Iterable[Sitting] = (), frozen: Collection[str] = ()
    ) -> FloorSnapshot:
        """
        The floor as loaded, with the tables that others took meanwhile, without what the booking has itself.

        Args:
            request: What the booking asks for, or None to look at the floor as it is.

            sitting: The parties that may be moved.

            frozen: The bookings that may not, whatever the store says.
        """
        taken = self.loaded.taken
        if frozen:
            taken = tuple(attrs.evolve(row, movable=False) if row.booking_id in frozen else row for row in taken)
        if request is None:
            return FloorSnapshot.of(self.venue, taken, sitting=sitting, pace=self.pace)
        lost = [Occupied(table_id=name, window=request.blocked, movable=True) for name in sorted(self.contested)]
        name = request.booking.id
        shown = self.shown_by_host(name)
        record = self.loaded.records.get(name)
        without = {name} if shown or (record is not None and record.allocation is not None) else ()
        if self.occupancy is not None and not (lost or without):
            return FloorSnapshot(self.venue, self.occupancy, pace=self.pace)
        rows = (*taken, *lost) if lost else taken
        return FloorSnapshot.of(self.venue, rows, without=without, sitting=sitting, shown=shown, pace=self.pace)

    def shown_by_host(self, booking_id: str) -> tuple[Occupied, ...]:
        """
        What is taken for a booking beside the tables of its record.

        The booking itself may have these tables. A commit finds them taken for everybody else, also once it has moved.
        """
        rows = [row for row in self.loaded.taken if row.booking_id == booking_id]
        if not rows:
            return ()
        record = self.loaded.records.get(booking_id)
        if record is not None and record.allocation is not None and record.restaurant_id == self.venue.id:
            for name in record.tables:
                for place, row in enumerate(rows):
                    if row.table_id == name and row.window == record.allocation.occupied(self.now):
                        del rows[place]
                        break
        return tuple(rows)


def require_restaurant(at_host: Booking, restaurant_id: str) -> None:
    """
    Refuse a call that names another restaurant than the host's booking has.

    Raises:
        OtherRestaurantError: It does.
    """
    if at_host.restaurant_id != restaurant_id:
        raise OtherRestaurantError(at_host.id, restaurant_id, at_host.restaurant_id)


_unchecked_context = maker(DecisionContext)

Decide = Callable[[DecisionContext], Flow["ToCommit | AssignmentResult"]]
"""A flow from a decision context to what is to be written, or to the answer where nothing is."""


def plan_until_landed(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, decide: Decide, *, passed: Passed
) -> Flow[AssignmentResult]:
    """Load the context of a booking, decide on it and commit, until nobody was faster."""
    contested: frozenset[str] = frozenset()

    def attempt() -> Flow[ToCommit | AssignmentResult | None]:
        loaded = yield from LoadContext(target.query)
        if loaded is None:
            raise BookingNotFoundError(target.booking_id)
        if flags.generation is not None and flags.generation != loaded.generation:
            raise StaleRolloutError(flags.generation, loaded.generation)
        call.now = loaded.now
        context = _unchecked_context(
            call=call,
            settings=settings,
            loaded=loaded,
            booking=passed.truth(target.booking_id, target.booking, loaded.bookings.get(target.booking_id)),
            generation=loaded.generation,
            contested=contested,
            deadline=target.deadline,
        )
        try:
            return (yield from _decided(context, target, decide))
        except StaleRecordError:  # Where somebody has to make room, the context is loaded twice.
            return None

    def conflicted(error: TableConflictError) -> None:
        nonlocal contested
        contested = contested.union(error.table_ids)

    return until_answered(call, settings, attempt, conflicted)


def _decided(context: DecisionContext, target: Target, decide: Decide) -> Flow[ToCommit | AssignmentResult]:
    booking = context.at_host or context.booking  # The host's restaurant decides, whatever was passed.
    if booking is not None and booking.restaurant_id != target.restaurant_id and not _is_over_hold(context):
        return _elsewhere(context, booking)
    if context.is_unreadable and _is_undecided(context):
        return _unreadable(context)
    return decide(context)


def _is_over_hold(context: DecisionContext) -> bool:
    """Whether the sweep has come for a hold that nobody confirmed: it ends, also if its booking has moved away."""
    return context.call.is_sweep and context.record is not None and context.record.state is AssignmentState.ASSIGNED


def _is_undecided(context: DecisionContext) -> bool:
    """Whether the pipeline might still give it tables. What the sweep has claimed of other reviews is put to rest."""
    record = context.record
    if record is None:
        return True
    if record.state is AssignmentState.MANUAL_REVIEW:
        return waits(record) or not context.call.is_sweep
    return record.owner is Owner.PIPELINE and record.state not in SETTLED | WITH_TABLES


def _unreadable(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """A booking whose row at the host makes no sense: a person decides on it. The sweep goes on once it is mended."""
    call, reason = context.call, Reason.BOOKING_UNREADABLE
    triggers: tuple[Trigger, ...] = (Trigger.ESCALATE,)
    if context.record is not None and context.record.state is AssignmentState.MANUAL_REVIEW:
        if not waits(context.record):
            return (yield from call.answer(Outcome.NOOP, reason, record=context.record))
        triggers = (Trigger.REQUEUE, Trigger.ESCALATE)  # It is in review for another reason from now on.
    call.note(EventType.ERROR, Severity.ERROR, reason=reason)
    took = call.elapsed()
    facts: dict[str, Any] = {"allocation": None, "next_attempt_at": None, "deliveries": 0, "reason": reason}
    outcome = Outcome.MANUAL_REVIEW
    made = change(call, context.record, triggers, outcome, reason, took=took, **facts)
    return ToCommit(change=made, outcome=outcome, reason=reason)


def _elsewhere(context: DecisionContext, booking: Booking) -> Flow[ToCommit | AssignmentResult]:
    """A booking of another restaurant: nothing of this one's is planned for it, and its record follows it."""
    record, reason = context.record, Reason.OTHER_RESTAURANT
    if record is None or record.restaurant_id == booking.restaurant_id:
        return (yield from elsewhere(context.call, booking, record=record))
    if record.state in SETTLED | WITH_TABLES and not waits(record):
        if context.call.is_sweep:  # The claim ends: it would count as a crash.
            return ToCommit(change=no_longer_due(context.call, record), outcome=Outcome.NOOP, reason=reason)
        return (yield from elsewhere(context.call, booking, record=record))
    follows = change(
        context.call,
        record,
        restaurant_id=booking.restaurant_id,
        booking=as_recorded(booking),
        next_attempt_at=context.now,
        deliveries=0,
    )
    return ToCommit(change=follows, outcome=Outcome.NOOP, reason=reason)


def elsewhere(call: Call, booking: Booking, record: AssignmentRecord | None = None) -> Flow[AssignmentResult]:
    """The answer to a call that named another restaurant than the host's *booking* has."""
    found = booking.restaurant_id
    error = OtherRestaurantError(call.booking_id, call.restaurant_id, found)
    return call.answer(Outcome.NOOP, Reason.OTHER_RESTAURANT, record=record, error=error, elsewhere=found)
