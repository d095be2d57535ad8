"""What the application does with bookings: the one path is *enqueue inside, assign after*."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
from django.db import connection, transaction

from assignment_pipeline import AssignmentResult, Outcome
from reservations.models import Booking, Restaurant, Seat
from reservations.pipeline import coordinator


def create(restaurant: Restaurant, guest: str, party_size: int, start_at: dt.datetime) -> Booking:
    """Take a booking. It and the note that it wants tables land together, or neither does; tables come after."""
    with transaction.atomic():
        row = Booking.objects.create(
            restaurant=restaurant,
            guest=guest,
            party_size=party_size,
            start_at=start_at.replace(second=0, microsecond=0),
        )
        booking = row.for_pipeline()
        coordinator().joined(connection).enqueue(booking)
        # Robust: the guest has the booking, whatever happens now. If it is not this call, the sweep finds tables.
        transaction.on_commit(lambda: coordinator().assign(booking), robust=True)
    row.refresh_from_db()
    return row


def change(row: Booking, **facts: Any) -> AssignmentResult:
    """
    Another party or another time: the row and its tables change in one commit of the pipeline's, see the host.

    Where there are no tables for it, the outcome is `kept`: everything stays as it was, and `decision.nearest` has the
    nearest times that would do.
    """
    result = coordinator().reassign(attrs.evolve(row.for_pipeline(), **facts))
    row.refresh_from_db()
    return result


def cancel(row: Booking) -> None:
    """
    Cancel a booking and free its tables, in one transaction.

    The pipeline first: it locks before it writes the row, and who does it the other way round may wait for it in a
    circle.
    """
    with transaction.atomic():
        result = coordinator().joined(connection).cancel(str(row.id), str(row.restaurant_id))
        assert result.outcome in {Outcome.CANCELLED, Outcome.NOOP}, result
        Booking.objects.filter(pk=row.pk).update(status=Booking.Status.CANCELLED)
        Seat.objects.filter(booking=row).delete()
    row.refresh_from_db()
