"""What the checks ask of a host, and what they try it with."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.lifecycle import TO_PENDING, WITH_TABLES, AssignmentState, Trigger, walk

T = TypeVar("T")
_T = Trigger

UNKNOWN_ID = "host-check-no-such-booking"
"""An id that no host has."""

TO_PROGRESS = (*TO_PENDING, _T.BEGIN)
TO_CONFIRMED = (*TO_PROGRESS, _T.SEAT, _T.CONFIRM)


@attrs.frozen
class Ask:
    """
    A question that a check puts to the host, inside the transaction that is rolled back.

    Attributes:
        method: The method of the host; or ``on_commit``, ``records`` and ``commit`` of the store's.

        arguments: What it gets, beside the connection.

        reads: Whether it gets a connection on which rows can be read. Without one, only a host that reads none answers.
    """

    method: str
    arguments: tuple[Any, ...] = ()
    reads: bool = True


Asking = Generator[Ask, Any, T]
"""A check, or a part of one: it puts questions, and is sent their answers."""


class Say(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    WRONG = "wrong"
    SKIPPED = "skipped"


class WrongError(Exception):
    """The host does something else than its protocol says: what, and what to do."""


class SkippedError(Exception):
    """A check cannot be made: why."""


@attrs.frozen(kw_only=True)
class Sample:
    """
    What the checks try the host with.

    Attributes:
        restaurant_id: The restaurant.

        now: The store's time, whole minutes.

        bookings: Bookings there that wait for tables, the soonest first.

        seated: What the old planner has seated, as the shadow knows it: the tables of each booking, by its id.

        has_on_commit: Whether the host has code for commits.

        declines_on_commit: Whether the host says that it has none: its ``on_commit`` is None.

        undoes: Whether what that code writes is rolled back.

        holds: Whether tables have to be confirmed.
    """

    restaurant_id: str
    now: dt.datetime
    bookings: Sequence[Booking] = ()
    seated: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    has_on_commit: bool = True
    declines_on_commit: bool = False
    undoes: bool = True
    holds: bool = False

    @property
    def booking(self) -> Booking:
        """
        A booking to try with.

        Raises:
            SkippedError: None waits there.
        """
        if not self.bookings:
            msg = f"no booking waits at restaurant {self.restaurant_id!r}: enter one that does, and run it again"
            raise SkippedError(msg)
        return self.bookings[0]


def leading(booking: Booking, venue: Venue, now: dt.datetime, *ways: tuple[Trigger, ...]) -> list[AssignmentChange]:
    """The changes by which a new booking goes one of *ways* after the other, at the first table of the floor."""
    turn = venue.turn(booking)
    table = next((table for table in venue.floor.tables if table.active), venue.floor.tables[0])
    allocation = Allocation(tables=(table.id,), turn=turn, blocked=venue.blocked(turn))
    record = AssignmentRecord(booking_id=booking.id, restaurant_id=booking.restaurant_id, booking=booking)
    changes: list[AssignmentChange] = []
    for number, way in enumerate(ways):
        before, states = record, (record.state, *walk(record.state, way))
        seated = states[-1] in WITH_TABLES
        record = attrs.evolve(
            before,
            state=states[-1],
            version=before.version + len(way),
            allocation=allocation if seated else None,
            reason="no_fit" if states[-1] is AssignmentState.MANUAL_REVIEW else None,
        )
        steps = [
            StateChange(
                version=before.version + step,
                from_state=states[step - 1],
                to_state=states[step],
                trigger=trigger,
                tables=allocation.tables if states[step] in WITH_TABLES else (),
                created_at=now,
            )
            for step, trigger in enumerate(way, start=1)
        ]
        changes.append(
            AssignmentChange(
                id=f"host-check-{booking.id}-{number}"[:200],
                record=record,
                expected_version=before.version if changes else None,
                steps=steps,
            )
        )
    return changes
