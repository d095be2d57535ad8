"""Where an assignment stands, and one change to that."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import CANCELLED, CONFIRMED, FAILED, PENDING, Booking
from assignment_pipeline.domain.checks import (
    as_dict,
    as_tuple,
    aware,
    enum_fields,
    flag,
    identifier,
    to_utc,
    whole,
)
from assignment_pipeline.domain.events import Event, Scalar
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.pacing import ArrivingParty, PacingCap
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError, StaleRecordError, StaleRolloutError
from assignment_pipeline.lifecycle import FINAL, SETTLED, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.plain import Printed

_unchecked_occupied = maker(Occupied)

_COUNT = whole(0, 2**31)
_GIVING = frozenset({Trigger.SEAT, Trigger.MOVE})
_HOLD_EXPIRED = "hold_expired"
_WAITING = frozenset(AssignmentState) - SETTLED - WITH_TABLES | {AssignmentState.MANUAL_REVIEW}
_GUEST_STATUS = {
    AssignmentState.CONFIRMED: CONFIRMED,
    AssignmentState.CANCELLED: CANCELLED,
    AssignmentState.FAILED: FAILED,
}


_TOLD_OF = FINAL | {AssignmentState.CONFIRMED}
"""The states that the guest's view has words for: who leaves them is pending again."""


class Owner(enum.StrEnum):
    """Who answers for a booking's tables."""

    PIPELINE = "pipeline"
    LEGACY = "legacy"


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False, weakref_slot=False)
class AssignmentRecord(Printed):
    """
    Where the assignment of one booking stands.

    Attributes:
        booking_id: The booking.

        restaurant_id: Its restaurant; empty only where an unknown booking was cancelled without naming one.

        state: Where it stands.

        version: Counts its transitions.

        owner: Who answers for it.

        booking: The booking as the pipeline last dealt with it, without attributes; None if it never did.

        allocation: Its tables; there are some in the states assigned and confirmed, and in no other.

        strategy: What found its tables.

        attempts: Plannings recorded so far.

        retries: Those of them that found nothing since it was last queued.

        deliveries: How often the sweep has handed it out since something last came of it.

        holds: Holds that have expired.

        next_attempt_at: When the sweep takes it up: the next attempt, or the end of an unconfirmed hold.

        waiting_since: Since when it waits for tables, or for a person; None where it has tables or has ended.

        pinned: Whether it may not be moved.

        reason: Why it is in review, or has failed.
    """

    booking_id: str = attrs.field(validator=identifier)
    restaurant_id: str
    state: AssignmentState = attrs.field(default=AssignmentState.CREATED, converter=AssignmentState)
    version: int = attrs.field(default=0, validator=_COUNT)
    owner: Owner = attrs.field(default=Owner.PIPELINE, converter=Owner)
    booking: Booking | None = None
    allocation: Allocation | None = attrs.field(default=None)
    strategy: str | None = None
    attempts: int = attrs.field(default=0, validator=_COUNT)
    retries: int = attrs.field(default=0, validator=_COUNT)
    deliveries: int = attrs.field(default=0, validator=_COUNT)
    holds: int = attrs.field(default=0, validator=_COUNT)
    next_attempt_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    waiting_since: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    pinned: bool = False
    reason: str | None = None

    @allocation.validator
    def _goes_with_the_state(self, attribute: Any, allocation: Allocation | None) -> None:
        if self.owner is Owner.PIPELINE and (allocation is not None) != (self.state in WITH_TABLES):
            got = f"{allocation!r} while {self.state}"
            raise InvalidValueError(attribute.name, "tables in the states assigned and confirmed only", f"{got}")
        if self.owner is Owner.PIPELINE and allocation is not None and allocation.conflicted:
            raise InvalidValueError(attribute.name, "tables that nobody else has", repr(allocation))

    @property
    def tables(self) -> tuple[str, ...]:
        """The ids of its tables, sorted; none when it holds none."""
        return self.allocation.tables if self.allocation else ()

    @property
    def arrival(self) -> ArrivingParty | None:
        """What counts of it towards caps on arrivals; None where it has no tables."""
        return None if self.allocation is None or self.booking is None else ArrivingParty.of(self.booking)

    def asks_for(self, booking: Booking) -> bool:
        """Whether what *booking* asks for is what the pipeline last dealt with; the status does not count."""
        return self.booking is not None and self.booking.same_request(booking)

    def taking(self, before: AssignmentRecord | None) -> tuple[tuple[str, TimeWindow], ...]:
        """
        The tables that a change from *before* to it takes, each with such a time: nobody else may have them.

        A conflicted allocation may take tables that others have. When it is no longer conflicted, those tables do
        not count as its own.
        """
        if self.allocation is None or self.allocation.conflicted:
            return ()
        if before is None or before.allocation is None:
            return tuple([(name, self.allocation.blocked) for name in self.allocation.tables])
        own = None if before.allocation.conflicted else before
        there = _at(self.restaurant_id, own)
        return _beyond(self.allocation, self.allocation.blocked, there, there.blocked if there else None)

    def giving_up(self, after: AssignmentRecord, now: dt.datetime) -> tuple[tuple[str, TimeWindow], ...]:
        """The tables that a change from it to *after* gives up at *now*, each with the time for which others get it."""
        if self.allocation is None:
            return ()
        there = _at(self.restaurant_id, after)
        kept = there.occupied(now) if there else None
        return _beyond(self.allocation, self.allocation.occupied(now), there, kept)

    @property
    def movable(self) -> bool:
        """Whether a plan may give it other tables."""
        sits = self.allocation is not None and self.allocation.sits
        return self.owner is Owner.PIPELINE and not self.pinned and not sits

    def seats(self, now: dt.datetime) -> tuple[Occupied, ...]:
        """Its tables, as a store reports them at *now* among what is taken."""
        held = self.allocation
        if held is None:
            return ()
        window, movable, sits = held.occupied(now), self.movable, held.sits_at(now)
        return tuple(
            Occupied(table_id=name, window=window, booking_id=self.booking_id, movable=movable, sits=sits)
            for name in held.tables
        )

    def seats_as_written(self) -> tuple[Occupied, ...]:
        """Its tables for the time that is written of them, whether or not its party sits there."""
        if self.allocation is None:
            return ()
        window, movable = self.allocation.blocked, self.movable
        return tuple(
            [
                _unchecked_occupied(table_id=name, window=window, booking_id=self.booking_id, movable=movable)
                for name in self.allocation.tables
            ]
        )

    def freed_for(self, after: AssignmentRecord, now: dt.datetime) -> list[TimeWindow]:
        """
        When others get what a change to *after* gives up at *now*: its tables, or its share of a cap on arrivals.

        A party that stays with fewer guests, or under another channel, leaves room under a cap.
        """
        freed = [window for _, window in self.giving_up(after, now)]
        if self.allocation is not None and self.booking is not None and after.booking is not None:
            asked = self.booking.party_size, self.booking.channel
            if asked != (after.booking.party_size, after.booking.channel):
                freed.append(self.allocation.blocked)
        return freed


def sat_at_twice(seats: Iterable[Occupied], booking_ids: Container[str]) -> set[str]:
    """The tables at which two parties would sit, one of *booking_ids* at least: no commit leaves any."""
    parties: dict[str, set[str]] = {}
    for seat in seats:
        if seat.sits and seat.booking_id is not None:
            parties.setdefault(seat.table_id, set()).add(seat.booking_id)
    return {name for name, who in parties.items() if len(who) > 1 and any(one in booking_ids for one in who)}


def _at(restaurant_id: str, record: AssignmentRecord | None) -> Allocation | None:
    """What a record has at a restaurant."""
    return record.allocation if record and record.restaurant_id == restaurant_id else None


def _beyond(
    held: Allocation, window: TimeWindow, other: Allocation | None, other_window: TimeWindow | None
) -> tuple[tuple[str, TimeWindow], ...]:
    """The tables of *held* for the time at which *other* does not have them, each with such a time."""
    return tuple(
        (name, span)
        for name in held.tables
        for span in window.without(other_window if other and name in other.tables else None)
    )


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False, weakref_slot=False)
class StateChange(Printed):
    """
    One transition, as the history keeps it.

    Attributes:
        version: The record's version that it led to.

        from_state: Where the assignment stood.

        to_state: Where it stands since.

        trigger: What was fired.

        reason: Why, or None where there is nothing to say.

        actor: Who did it, or None for the pipeline.

        tables: The tables that the booking had after it.

        seated_at: When the party sat down at these tables, or None.

        left_at: When it left them, or None.

        turn_start_at: When the party's turn at these tables starts, or None without tables.

        turn_end_at: When it ends, or None.

        blocked_start_at: From when these tables are kept from others, or None without tables.

        blocked_end_at: Until when, or None.

        created_at: When, by the store's clock.
    """

    version: int
    from_state: AssignmentState = attrs.field(converter=AssignmentState)
    to_state: AssignmentState = attrs.field(converter=AssignmentState)
    trigger: Trigger = attrs.field(converter=Trigger)
    reason: str | None = None
    actor: str | None = None
    tables: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    seated_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    left_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    turn_start_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    turn_end_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    blocked_start_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    blocked_end_at: dt.datetime | None = attrs.field(default=None, converter=to_utc)
    created_at: dt.datetime = attrs.field(converter=to_utc, validator=aware)

    @property
    def turn(self) -> TimeWindow | None:
        """When the party was to sit at these tables; None without tables."""
        if self.turn_start_at is None or self.turn_end_at is None:
            return None
        return TimeWindow(self.turn_start_at, self.turn_end_at)

    @property
    def blocked(self) -> TimeWindow | None:
        """For how long these tables were kept from others: the turn with the laying time left to it; None without."""
        if self.blocked_start_at is None or self.blocked_end_at is None:
            return None
        return TimeWindow(self.blocked_start_at, self.blocked_end_at)


def facts_of_tables(held: Allocation | None) -> dict[str, Any]:
    """What a `StateChange` says of the tables that a booking has after it."""
    turn = held.turn_there if held else None
    return {
        "tables": held.tables if held else (),
        "seated_at": held.seated_at if held else None,
        "left_at": held.left_at if held else None,
        "turn_start_at": turn.start if turn else None,
        "turn_end_at": turn.end if turn else None,
        "blocked_start_at": held.blocked.start if held else None,
        "blocked_end_at": held.blocked.end if held else None,
    }


class AttemptResult(enum.StrEnum):
    """How a planning came out."""

    SUCCESS = "success"
    FAILURE = "failure"


@attrs.frozen(kw_only=True, field_transformer=enum_fields, repr=False, weakref_slot=False)
class Attempt(Printed):
    """
    One planning that was recorded.

    Attributes:
        number: Counts them, from 1.

        result: Whether it found tables.

        strategy: What found them.

        reason: Why it found none.

        metadata: With tables: the cost and its parts, the next best plans with their costs (``runners_up``), and how
            many tables each rule turned away (``turned_away``), as text. Without: how many each rule turned away.

        created_at: When, by the store's clock.
    """

    number: int
    result: AttemptResult = attrs.field(converter=AttemptResult)
    strategy: str | None = None
    reason: str | None = None
    metadata: Mapping[str, Scalar] = attrs.field(factory=dict, converter=as_dict, hash=False)
    created_at: dt.datetime = attrs.field(converter=to_utc, validator=aware)


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class CommitPreconditions(Printed):
    """
    What a change took for granted beside its record's version; the commit refuses it where that has moved.

    Attributes:
        booking: The host's booking as it was read; None if the host did not know it.

        venue_version: The version of the venue that was planned on.

        next_attempt_at: When the record was due, which freed tables and other sweeps move.

        pinned: Whether the booking was pinned.

        generation: The rollout's generation, or None for what no rollout gates.

        caps: The caps on arrivals that have to hold once the change is made.
    """

    booking: Booking | None
    venue_version: str
    next_attempt_at: dt.datetime | None
    pinned: bool
    generation: int | None = None
    caps: tuple[PacingCap, ...] = ()


def _as_told(events: Any) -> Any:
    return events if callable(events) else as_tuple(events)


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class AssignmentChange(Printed):
    """
    All that one assignment writes: a commit applies the whole of it, or nothing.

    Attributes:
        id: Its id, unique, by which a commit whose answer was lost is looked up.

        record: The record as it is to be.

        expected_version: The version it must have now; None if there must be no record.

        steps: The transitions that lead from the one to the other.

        attempt: The planning to record, if there was one.

        events: Events about it, in the same transaction: given as they are, or as what makes them when they are read.

        preconditions: What must still hold, or None for what does not depend on a plan.

        repeats: Whether it tells the host once more of what it was told before its row was there.

        request: What the booking asks for from now on, for the row of a standalone host; None if nobody has changed it.
    """

    id: str = attrs.field(validator=identifier)
    record: AssignmentRecord
    expected_version: int | None
    steps: tuple[StateChange, ...] = attrs.field(default=(), converter=as_tuple)
    attempt: Attempt | None = None
    _events: tuple[Event, ...] | Callable[[], tuple[Event, ...]] = attrs.field(
        default=(), converter=_as_told, eq=False, repr=False
    )
    preconditions: CommitPreconditions | None = None
    repeats: bool = attrs.field(default=False, validator=flag)
    request: Booking | None = None

    @steps.validator
    def _lead_to_the_record(self, _: Any, steps: tuple[StateChange, ...]) -> None:
        before = self.expected_version or 0
        versions = [change.version for change in steps]
        if versions != list(range(before + 1, self.record.version + 1)):
            raise InvalidValueError("steps", f"versions from {before + 1} to {self.record.version}", f"{versions}")

    @property
    def events(self) -> tuple[Event, ...]:
        """Events about it."""
        events = self._events  # Read once: another thread may put what it has made in its place.
        if callable(events):
            events = events()
            object.__setattr__(self, "_events", events)
        return events

    @property
    def guest_status(self) -> str | None:
        """
        What the change makes of the booking's status, for hosts that follow it; None if nothing.

        A review is not the guest's concern, and who gives up confirmed tables is pending again. What legacy has
        seated is as the host says, if it says so already.
        """
        state, booking = self.record.state, self.record.booking
        if self.record.owner is Owner.LEGACY and booking is not None and not booking.is_pending:
            return None
        if state in _GUEST_STATUS:
            reached = [step for step in self.steps if step.from_state is not state and step.to_state is state]
            return _GUEST_STATUS[state] if reached or self.repeats else None
        left = any(step.from_state in _TOLD_OF for step in self.steps)
        return PENDING if left else None

    @property
    def gives_tables_back(self) -> bool:
        """
        Whether a booking that had tables waits again, so that the host's row has to say so.

        A hold that expires ends whatever the host says.
        """
        return (
            self.record.owner is Owner.PIPELINE
            and self.record.state in _WAITING
            and any(step.from_state in WITH_TABLES for step in self.steps)
            and not any(step.reason == _HOLD_EXPIRED for step in self.steps)
        )

    @property
    def seats(self) -> bool:
        """Whether it was planned, and gives tables."""
        if self.preconditions is not None:
            for step in self.steps:
                if step.trigger in _GIVING:
                    return True
        return False

    def stands_on(self, table_ids: Container[str]) -> bool:
        """Whether the tables that it gives are among *table_ids*."""
        return not self.seats or all(map(table_ids.__contains__, self.record.tables))

    def check_floor(self, table_ids: Container[str]) -> None:
        """
        The guard of tables that were planned, given those that the host has inside the transaction.

        Raises:
            StaleRecordError: One of them is not there any more.
        """
        if not self.stands_on(table_ids):
            raise StaleRecordError(self.record.booking_id, "venue")

    def check_version(self, current: AssignmentRecord | None) -> None:
        """
        The guard of every commit, by which a store refuses what was decided on an older record.

        Raises:
            StaleRecordError: *current* is not the record that was expected.
        """
        if (current.version if current else None) != self.expected_version:
            raise StaleRecordError(self.record.booking_id, "version")

    def check_preconditions(
        self, current: AssignmentRecord | None, booking: Booking | None, venue_version: str, generation: int
    ) -> None:
        """
        The guard of what was planned, given what the store finds inside its transaction.

        Raises:
            StaleRecordError: Something that the plan took for granted has moved.
            StaleRolloutError: The rollout has.
        """
        preconditions = self.preconditions
        if preconditions is None:
            return
        if preconditions.generation is not None and preconditions.generation != generation:
            raise StaleRolloutError(preconditions.generation, generation)
        found = {
            "booking": booking == preconditions.booking,
            "venue": venue_version == preconditions.venue_version,
            "schedule": (current.next_attempt_at if current else None) == preconditions.next_attempt_at,
            "pinned": (current.pinned if current else False) == preconditions.pinned,
        }
        for what, holds in found.items():
            if not holds:
                raise StaleRecordError(self.record.booking_id, what)


def in_order(changes: Iterable[AssignmentChange]) -> tuple[AssignmentChange, ...]:
    """
    The changes of one commit in the order in which every store makes them: by booking.

    Raises:
        ValueError: Two of them are about one booking.
    """
    ordered = tuple(changes)
    if len(ordered) == 1:
        return ordered
    ordered = tuple(sorted(ordered, key=lambda change: change.record.booking_id))
    for change, following in itertools.pairwise(ordered):
        if change.record.booking_id == following.record.booking_id:
            raise InvalidValueError("changes", "one a booking", f"two for {change.record.booking_id!r}")
    return ordered
