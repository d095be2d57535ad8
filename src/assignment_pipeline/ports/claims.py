"""Claims of sweepers on bookings that are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.record import AssignmentRecord

CLAIM = dt.timedelta(minutes=1)
"""How long a claim on a booking lasts: see `AssignmentStore.due`."""

_MOMENT = dt.timedelta(microseconds=1)

WOKEN_WITHIN = dt.timedelta(seconds=1)
"""By less than that is a claim's end moved by the tables that come free meanwhile: see `woken_at`."""


def is_ahead(record: AssignmentRecord, now: dt.datetime) -> bool:
    """Whether its claim ends later than any claim can: the clock that made it was ahead, and the booking is due."""
    return record.deliveries > 0 and record.next_attempt_at is not None and record.next_attempt_at > now + 2 * CLAIM


def woken_at(deliveries: int, next_attempt_at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """
    When a booking that waits is due after tables have come free: now.

    A claimed booking stays claimed, and only its schedule moves. Its sweep may have planned without these tables: the
    commit refuses that plan, and the sweep plans anew.
    """
    if deliveries > 0 and next_attempt_at is not None and next_attempt_at > now:
        return next_attempt_at + _MOMENT
    return now


def alone(ready: Sequence[tuple[str, int]]) -> list[str]:
    """
    Which of the bookings that are due are claimed together.

    One that was handed out before and never came back is claimed alone: it may end the worker, and its neighbours are
    not to pay for that.

    Args:
        ready: The bookings' ids with their deliveries, the longest due first.
    """
    if ready and ready[0][1] > 0:
        return [ready[0][0]]
    return [booking_id for booking_id, deliveries in ready if deliveries == 0]


@attrs.frozen(kw_only=True)
class Due:
    """
    A booking that the sweep is to take up, and the claim on it.

    Attributes:
        booking_id: The booking.

        restaurant_id: Its restaurant.

        deliveries: How often it was handed out, this time included, since something last came of it.

        version: Its record's version.

        until: When the claim ends by itself.
    """

    booking_id: str
    restaurant_id: str
    deliveries: int
    version: int
    until: dt.datetime

    @classmethod
    def of(cls, record: AssignmentRecord) -> Due:
        """
        The claim that a record shows which was just claimed.

        Raises:
            ValueError: It is never due.
        """
        if record.next_attempt_at is None:
            msg = f"record: expected one that is claimed, got {record.booking_id!r}, which is never due"
            raise ValueError(msg)
        return cls(
            booking_id=record.booking_id,
            restaurant_id=record.restaurant_id,
            deliveries=record.deliveries,
            version=record.version,
            until=record.next_attempt_at,
        )

    def holds(self, record: AssignmentRecord | None) -> bool:
        """Whether nothing has come of the booking since, and nobody else has claimed it: the claim is still there."""
        if record is None or record.next_attempt_at is None or not record.deliveries or record.version != self.version:
            return False
        return self.until <= record.next_attempt_at < self.until + WOKEN_WITHIN

    def given_back(self, record: AssignmentRecord, due_at: dt.datetime) -> AssignmentRecord:
        """
        What giving the claim up makes of the booking's record.

        If the claim is still there, the booking is due at *due_at*. A later claim stays: only the delivery does not
        count. Of what was committed since, nothing changes.
        """
        if self.holds(record):
            return attrs.evolve(record, deliveries=record.deliveries - 1, next_attempt_at=due_at)
        if record.version == self.version and record.deliveries > self.deliveries:
            return attrs.evolve(record, deliveries=record.deliveries - 1)
        return record
