"""What every flow that plans has in common: whose turn it is, reading, deciding, committing, and again if need be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Decision, Mode, Outcome, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import (
    BookingNotFoundError,
    CommitUnknownError,
    LockManagerUnavailableError,
    SchemaMismatchError,
    StaleRecordError,
    StaleRolloutError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.changes import change, known
from assignment_pipeline.flow.effects import (
    CheckCircuit,
    Commit,
    Flow,
    Hold,
    LoadContext,
    LookUpChange,
    MakePlan,
    Publish,
    ResolveFlags,
    TakeSlot,
)
from assignment_pipeline.flow.legacy import leave_to_legacy
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.shadow import shadowed
from assignment_pipeline.lifecycle import SEATED, SETTLED, AssignmentState
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.ports import AssignmentContext, FlagDecision, LoadQuery, Refused, Wanted


@attrs.frozen
class Target:
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
        return cls(booking.id, booking.restaurant_id, booking, deadline)

    @property
    def ids(self) -> tuple[str, str]:
        """The booking's id and its restaurant's."""
        return self.booking_id, self.restaurant_id

    @property
    def query(self) -> LoadQuery:
        """What loads the context of it."""
        if self.booking is not None:
            return LoadQuery(restaurant_id=self.restaurant_id, bookings=(self.booking,))
        return LoadQuery(restaurant_id=self.restaurant_id, booking_ids=(self.booking_id,))


@attrs.frozen(kw_only=True, eq=False)
class View:
    """
    What a decision is made on.

    Attributes:
        call: The call it is made for.

        settings: How the flow behaves.

        context: Everything as it was loaded.

        booking: What is to be seated: None if only its id was given, and the host does not know it any more.

        generation: The rollout's generation that the change has to be made under, or None if it does not matter.

        contested: Tables that others have taken since planning began.

        provisional: Whether the context holds tables whose commit is still to come: nobody is moved then.

        deadline: For how long moves may be looked for; None leaves that to the settings.
    """

    call: Call
    settings: Settings
    context: AssignmentContext
    booking: Booking | None
    generation: int | None = None
    contested: frozenset[str] = frozenset()
    provisional: bool = False
    deadline: dt.timedelta | None = None

    @property
    def venue(self) -> Venue:
        """The restaurant."""
        return self.context.venue

    @property
    def now(self) -> dt.datetime:
        """The store's time."""
        return self.context.now

    @property
    def record(self) -> AssignmentRecord | None:
        """The booking's record, if there is one."""
        return self.context.records.get(self.call.booking_id)

    @property
    def state(self) -> AssignmentState:
        """Where the assignment stands."""
        return self.record.state if self.record else AssignmentState.CREATED

    @property
    def is_wanted(self) -> bool:
        """Whether the guest still waits for tables: by the booking that was passed, and by the host's."""
        views = (self.booking, self.at_host or self.booking)
        return all(booking is not None and booking.is_pending for booking in views)

    @property
    def at_host(self) -> Booking | None:
        """The booking as the host knows it."""
        return self.context.bookings.get(self.call.booking_id)

    def request(self, booking: Booking) -> SeatingRequest:
        """What the booking asks of the venue. Who arrives within this minute is in time."""
        this_minute = self.now.replace(second=0, microsecond=0)
        return SeatingRequest.at(self.venue, booking, None if self.settings.replay else this_minute)

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
        taken = [attrs.evolve(row, movable=False) if row.booking_id in frozen else row for row in self.context.taken]
        if request is None:
            return FloorSnapshot.of(self.venue, taken, sitting=sitting)
        lost = [Occupied(table_id=name, window=request.blocked, movable=True) for name in sorted(self.contested)]
        return FloorSnapshot.of(self.venue, (*taken, *lost), without={request.booking.id}, sitting=sitting)

    def plan(self, request: SeatingRequest, look: Callable[[View], FloorSnapshot] | None = None) -> Flow[Decision]:
        """
        The best tables for the request; strategies that raised are noted.

        Args:
            look: What of a view is planned on: by default, its floor.
        """
        look = look or (lambda view: view.floor(request))
        budget = self.settings.budget(self.deadline)
        decision = yield from MakePlan(request, look(self), budget)
        if decision.plan is None and self.contested:
            # What others took may be free again, and whom that woke is us: only the floor as read turns anyone away.
            decision = yield from MakePlan(request, look(attrs.evolve(self, contested=frozenset())), budget)
        for fault in decision.faults:
            self.call.note(EventType.ERROR, Severity.ERROR, reason="strategy_fault", strategy=fault)
        return decision


@attrs.frozen(kw_only=True)
class Write:
    """
    A decision that is to be committed.

    Attributes:
        change: What it writes.

        moved: What it writes of the bookings that make room.

        outcome: How the call comes out once that has landed.

        reason: Why.

        decision: What the engine thought, if it was asked.
    """

    change: AssignmentChange
    outcome: Outcome
    reason: Reason | None = None
    decision: Decision | None = None
    moved: tuple[AssignmentChange, ...] = ()

    @property
    def changes(self) -> tuple[AssignmentChange, ...]:
        """All that has to land together."""
        return self.change, *self.moved


Decide = Callable[[View], Flow["Write | AssignmentResult"]]
"""A flow from a view to what is to be written, or to the answer where nothing is."""


def conduct(
    call: Call, target: Target, settings: Settings, decide: Decide, *, legacy: bool = False
) -> Flow[AssignmentResult]:
    """
    Plan for a booking where, and as far as, the pipeline is in charge of its restaurant.

    Raises:
        BookingNotFoundError: Only the booking's id was given, and nobody knows it.
        VenueNotFoundError: The host has no such restaurant.
    """
    in_turn = False
    for _ in range(settings.tries):
        flags = yield from ResolveFlags(target.restaurant_id)
        call.mode = flags.mode
        if flags.mode is not Mode.ACTIVE:
            reason = Reason.PIPELINE_DISABLED if flags.mode is Mode.OFF else (yield from shadowed())
            return (yield from leave_to_legacy(call, target.booking, reason, wired=legacy))
        if not in_turn:
            answered = yield from _wait_for_no_one(call, target, settings, flags)
            if answered is not None:
                return answered
            in_turn = True  # The locks stay ours, also where the rollout moves on and the flags are asked again.
        try:
            return (yield from guarded(call, settings, _until_landed(call, target, settings, flags, decide)))
        except StaleRolloutError:
            continue
        except SchemaMismatchError as error:
            reason = Reason.RUNTIME_DISABLED
            return (yield from leave_to_legacy(call, target.booking, reason, wired=legacy, error=error))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def guarded(call: Call, settings: Settings, steps: Flow[AssignmentResult]) -> Flow[AssignmentResult]:
    """Answer `retry` to what only the infrastructure is to blame for."""
    try:
        return (yield from steps)
    except StoreUnavailableError as error:
        return (yield from later(call, Reason.STORE_UNAVAILABLE, settings.outage_retry, error))
    except CommitUnknownError as error:
        return (yield from later(call, Reason.COMMIT_UNKNOWN, settings.outage_retry, error))


def later(call: Call, reason: Reason, after: dt.timedelta, error: Exception | None = None) -> Flow[AssignmentResult]:
    """The answer `retry`, of something that uses up no attempt."""
    return call.answer(Outcome.RETRY, reason, retry_after=after, error=error)


def land(restaurant_id: str, *changes: AssignmentChange) -> Flow[bool]:
    """
    Commit *changes*; where the answer is lost, look whether they have landed.

    Returns:
        False if the view that they were made on has moved: look again.

    Raises:
        CommitUnknownError: It could not be found out.
        TableConflictError, StaleRolloutError, StoreUnavailableError: As the commit raises them.
    """
    try:
        yield from Commit(changes)
    except StaleRecordError:
        return False
    except CommitUnknownError as error:
        try:
            found = yield from LookUpChange(restaurant_id, changes[0].id)
        except StoreUnavailableError:
            raise error from None
        if found:
            yield from Publish(tuple(event for made in changes for event in made.events))
        return found
    return True


def _wait_for_no_one(
    call: Call, target: Target, settings: Settings, flags: FlagDecision
) -> Flow[AssignmentResult | None]:
    """The answer where the circuit breaker, the restaurant's limit or another worker is in the way."""
    cooldown = yield from CheckCircuit()
    if cooldown:
        return (yield from later(call, Reason.CIRCUIT_OPEN, cooldown))
    slot, lock = slot_at(target.restaurant_id, flags), lock_of(target.booking_id)
    if (yield from _is_refused(call, TakeSlot((slot,), settings.lock_ttl))):
        return (yield from later(call, Reason.RATE_LIMITED, settings.rate_retry))
    if (yield from _is_refused(call, Hold((lock,), settings.lock_ttl))):
        return (yield from call.answer(Outcome.NOOP, Reason.LOCK_CONTENTION))
    call.note(EventType.START)
    return None


def slot_at(restaurant_id: str, flags: FlagDecision) -> Wanted:
    """One of the assignments that may go on at a restaurant at a time."""
    return Wanted(f"restaurant:{restaurant_id}", flags.max_parallel)


def lock_of(booking_id: str) -> Wanted:
    """What keeps two workers from the same booking."""
    return Wanted(f"booking:{booking_id}")


def _is_refused(call: Call, hold: Hold) -> Flow[bool]:
    """Whether somebody else has it; where the lock manager does not answer, it is done without."""
    try:
        return isinstance((yield from hold), Refused)
    except LockManagerUnavailableError as error:
        call.note(EventType.LOCK_UNAVAILABLE, Severity.WARNING, error=str(error))
        return False


def _until_landed(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, decide: Decide
) -> Flow[AssignmentResult]:
    """Read, decide and commit, again where others were faster, as often as `Settings.tries` says."""
    contested: frozenset[str] = frozenset()
    first: View | None = None
    for _ in range(settings.tries):
        context = yield from LoadContext(target.query)
        if context is None:
            raise BookingNotFoundError(target.booking_id)
        if flags.generation is not None and flags.generation != context.generation:
            raise StaleRolloutError(flags.generation, context.generation)
        call.now = context.now
        view = View(
            call=call,
            settings=settings,
            context=context,
            booking=target.booking,
            generation=context.generation,
            contested=contested,
            deadline=target.deadline,
        )
        first = first or view
        # The booking as passed is the truth, until the host changes its own while we are at it.
        if target.booking is None or view.at_host != first.at_host:
            view = attrs.evolve(view, booking=view.at_host)
        try:
            decided = yield from _decided(view, target, decide)
            if isinstance(decided, AssignmentResult):
                return decided
            done = yield from land(target.restaurant_id, *decided.changes)
        except TableConflictError as error:
            contested = contested.union(error.table_ids)
        except StaleRecordError:
            pass  # Where somebody has to make room, the view is taken twice: look again.
        else:
            if done:
                return (yield from landed(call, decided))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _decided(view: View, target: Target, decide: Decide) -> Flow[Write | AssignmentResult]:
    if view.booking is not None and view.booking.restaurant_id != target.restaurant_id:
        return (yield from _elsewhere(view, view.booking))
    return (yield from decide(view))


def _elsewhere(view: View, booking: Booking) -> Flow[Write | AssignmentResult]:
    """A booking that has become another restaurant's: nothing of this one's is planned for it."""
    record, reason = view.record, Reason.BOOKING_CHANGED
    if record is None or record.state in SETTLED | SEATED:
        return (yield from view.call.answer(Outcome.NOOP, reason, record=record))
    follows = change(
        view.call,
        record,
        restaurant_id=booking.restaurant_id,
        booking=known(booking),
        next_attempt_at=view.now,
        deliveries=0,
    )
    return Write(change=follows, outcome=Outcome.NOOP, reason=reason)


def landed(call: Call, decided: Write) -> Flow[AssignmentResult]:
    """The answer once what was decided has been committed."""
    record = decided.change.record
    retry_after = None
    if decided.outcome is Outcome.RETRY and record.next_attempt_at is not None:
        retry_after = max(record.next_attempt_at - call.now, dt.timedelta())
    took = yield from call.elapsed()
    return call.result(
        decided.outcome,
        decided.reason,
        took,
        record=record,
        decision=decided.decision,
        moved=tuple(made.record.booking_id for made in decided.moved),
        retry_after=retry_after,
    )
