"""A whole day, from a file to its final seating."""

from __future__ import annotations

import collections
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from assignment_pipeline.cli.day.service_file import Service
from assignment_pipeline.cli.wiring import OwnCoordinator
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.lifecycle import FINAL, SETTLED, AssignmentState
from assignment_pipeline.planning.base import Rule
from assignment_pipeline.ports import AssignmentStore, RecordQuery, waits

PAGE = 500
PATIENCE = 60.0
"""Seconds for which one booking is tried again while others are in the way."""

PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2)

_OUTCOMES = {
    AssignmentState.CONFIRMED: Outcome.CONFIRMED,
    AssignmentState.ASSIGNED: Outcome.CONFIRMED,
    AssignmentState.MANUAL_REVIEW: Outcome.MANUAL_REVIEW,
    AssignmentState.FAILED: Outcome.FAILED,
    AssignmentState.CANCELLED: Outcome.NOOP,
}

_OUTDATED = frozenset(Rule) - {Rule.TAKEN, Rule.PACING, Rule.NOT_AN_ARRIVAL, Rule.TIMEZONE}
"""The rules for which a booking gives up its tables: a table out of service is kept by who sits there, as before."""


# -- Doing it -----------------------------------------------------------------------------------------------------


def assign_day(
    coordinator: OwnCoordinator,
    store: AssignmentStore,
    service: Service,
    *,
    tell: Callable[[Booking], None] = lambda _: None,
) -> None:
    """
    Assign the bookings that are not settled yet, one by one in their order, each until it is.

    Those in review that wait for tables are looked at again where others have freed some, until no booking of the day
    is due.

    Args:
        tell: Called with each booking when it is done.

    Raises:
        StoreUnavailableError: The database is gone.
    """
    records = _records(store, service.venue.id)
    outdated = _outdated(coordinator, service) if records else frozenset()
    for booking in service.bookings:
        if booking.id in outdated:
            coordinator.reassign(booking, keep=False)
        if not _is_done(booking, records.get(booking.id)):
            _until_settled(store, partial(_see_to, coordinator, booking))
        tell(booking)
    for _ in service.bookings:  # Making room for one may free tables for another: a round for each is more than enough.
        due = _due(store, service)
        if not due:
            return
        for booking in due:
            _until_settled(store, partial(_look_again, coordinator, booking))


def _due(store: AssignmentStore, service: Service) -> list[Booking]:
    """The bookings of the day that wait in review, and for which tables have come free, in their order."""
    records, now = _records(store, service.venue.id), store.waiting().now

    def is_due(record: AssignmentRecord | None) -> bool:
        if record is None or record.state is not AssignmentState.MANUAL_REVIEW or not waits(record):
            return False
        return record.next_attempt_at is not None and record.next_attempt_at <= now

    return [booking for booking in service.bookings if booking.is_pending and is_due(records.get(booking.id))]


def _outdated(coordinator: Coordinator, service: Service) -> frozenset[str]:
    """The bookings that an earlier run has seated where, or when, the file no longer allows it."""
    if not service.bookings:
        return frozenset()
    first = min(booking.start_at for booking in service.bookings)
    found = coordinator.audit(service.venue.id, since=first).findings
    return frozenset(one.booking_id for one in found if not one.is_by_hand and _OUTDATED.intersection(one.rules))


def _is_done(booking: Booking, record: AssignmentRecord | None) -> bool:
    if record is None:
        return not booking.is_pending
    if record.state in FINAL or booking.status == CANCELLED:
        return record.state in FINAL
    return record.state in SETTLED and (record.asks_for(booking) or not booking.is_pending)


def _until_settled(store: AssignmentStore, see_to: Callable[[str], AssignmentResult]) -> None:
    deadline = time.monotonic() + PATIENCE
    pauses = iter(PAUSES)
    trigger = "creation"
    while True:
        result = see_to(trigger)
        trigger = "retry"
        if _found_nothing(result):
            continue  # Each try is counted, and the last of them asks for a person.
        if not _is_in_the_way(result) or time.monotonic() > deadline:
            return
        if result.reason is Reason.STORE_UNAVAILABLE:
            store.check_schema()  # A file that others keep locked can be read; one that is gone raises.
        time.sleep(next(pauses, PAUSES[-1]))


def _see_to(coordinator: Coordinator, booking: Booking, trigger: str) -> AssignmentResult:
    """The file is the truth: it may have changed a booking since it was seated, or cancelled it."""
    if booking.status == CANCELLED:
        return coordinator.cancel(booking.id, booking.restaurant_id)
    result = coordinator.assign(booking, trigger=trigger)
    if result.reason is Reason.BOOKING_CHANGED:
        # What it had may not do for what it asks now: it must not be reported at tables too small for it.
        return coordinator.reassign(booking, keep=False)
    return result


def _look_again(coordinator: OwnCoordinator, booking: Booking, _trigger: str) -> AssignmentResult:
    return coordinator.look_for_freed(booking)


def _found_nothing(result: AssignmentResult) -> bool:
    return result.outcome is Outcome.RETRY and result.reason is Reason.NO_FIT


def _is_in_the_way(result: AssignmentResult) -> bool:
    return result.outcome is Outcome.RETRY or result.reason is Reason.LOCK_CONTENTION


# -- Looking at it ------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Seated:
    """
    What became of a booking.

    Attributes:
        booking: The booking.

        outcome: What became of it.

        reason: Why, where it has no tables.

        tables: Its tables.

        turn: When it sits, or would have.

        strategy: What found its tables.
    """

    booking: Booking
    outcome: Outcome
    reason: str | None
    tables: tuple[str, ...]
    turn: TimeWindow
    strategy: str | None


@attrs.frozen(kw_only=True)
class Day:
    """
    A day's final seating, as the store has it.

    Attributes:
        service: The day.

        seats: What became of each booking, in their order.

        double_booked: How often a table is taken by two parties at one time: never, or something is broken.
    """

    service: Service
    seats: tuple[Seated, ...]
    double_booked: int

    def count(self, outcome: Outcome) -> int:
        """How many bookings came out like that."""
        return sum(seat.outcome is outcome for seat in self.seats)

    @property
    def covers(self) -> int:
        """The guests of confirmed bookings."""
        return sum(seat.booking.party_size for seat in self.seats if seat.outcome is Outcome.CONFIRMED)

    @property
    def is_done(self) -> bool:
        """Whether nothing is unfinished, or wrong."""
        return not self.double_booked and not self.count(Outcome.RETRY)

    @property
    def unseated(self) -> tuple[Seated, ...]:
        """The bookings without tables that asked for some."""
        return tuple(seat for seat in self.seats if not seat.tables and seat.outcome is not Outcome.NOOP)


def look_at(store: AssignmentStore, service: Service) -> Day:
    """The day as its records tell it, from any run."""
    records = _records(store, service.venue.id)
    seats = tuple(_seated(service, booking, records.get(booking.id)) for booking in service.bookings)
    return Day(service=service, seats=seats, double_booked=_double_booked(records.values()))


def _records(store: AssignmentStore, restaurant_id: str) -> dict[str, AssignmentRecord]:
    return {record.booking_id: record for record in _all_records(store, restaurant_id)}


def _all_records(store: AssignmentStore, restaurant_id: str) -> Iterator[AssignmentRecord]:
    after = None
    while True:
        page = store.records(RecordQuery(restaurant_id=restaurant_id, after=after, limit=PAGE))
        yield from page.records
        if page.next is None:
            return
        after = page.next


def _seated(service: Service, booking: Booking, record: AssignmentRecord | None) -> Seated:
    turn = service.venue.turn(booking)
    if record is None:
        outcome = Outcome.RETRY if booking.is_pending else Outcome.NOOP
    else:
        outcome = _OUTCOMES.get(record.state, Outcome.RETRY)
    reason = record.reason if record else None
    if outcome is Outcome.NOOP:
        reason = reason or Reason.TERMINAL_STATE
    return Seated(
        booking=booking,
        outcome=outcome,
        reason=None if outcome is Outcome.CONFIRMED else reason,
        tables=record.tables if record else (),
        turn=record.allocation.turn if record and record.allocation else turn,
        strategy=record.strategy if record and record.tables else None,
    )


def _double_booked(records: Iterable[AssignmentRecord]) -> int:
    """How many times someone gets a table before it is free again: over the windows alone, without the planner."""
    windows: dict[str, list[TimeWindow]] = collections.defaultdict(list)
    for record in records:
        if record.allocation is not None:
            for table_id in record.tables:
                windows[table_id].append(record.allocation.blocked)
    clashes = 0
    for taken in windows.values():
        taken.sort(key=lambda window: window.start)
        free_at = taken[0].start
        for window in taken:
            clashes += window.start < free_at
            free_at = max(free_at, window.end)
    return clashes


def document(day: Day, took: dt.timedelta) -> Mapping[str, Any]:
    """The day as ``assign --json`` prints it."""
    zone = day.service.venue.zone

    def local(moment: dt.datetime) -> str:
        return moment.astimezone(zone).isoformat(timespec="minutes")

    return {
        "bookings": len(day.seats),
        Outcome.CONFIRMED.value: day.count(Outcome.CONFIRMED),
        Outcome.MANUAL_REVIEW.value: day.count(Outcome.MANUAL_REVIEW),
        Outcome.RETRY.value: day.count(Outcome.RETRY),
        Outcome.FAILED.value: day.count(Outcome.FAILED),
        "noop": day.count(Outcome.NOOP),
        "covers": day.covers,
        "double_booked": day.double_booked,
        "seconds": round(took.total_seconds(), 3),
        "assignments": [
            {
                "booking_id": seat.booking.id,
                "outcome": seat.outcome.value,
                "reason": seat.reason,
                "tables": list(seat.tables),
                "start_at": local(seat.turn.start),
                "end_at": local(seat.turn.end),
                "strategy": seat.strategy,
            }
            for seat in day.seats
        ],
    }
