"""The planner that is being replaced: the smallest table that is free."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from assignment_pipeline import Booking as PipelineBooking
from assignment_pipeline import LegacyResult
from reservations.models import Booking, DiningTable, Restaurant, Seat

TURN = dt.timedelta(hours=2)


def plan(booking: PipelineBooking) -> LegacyResult:
    """
    Seat a booking as ever.

    It is given to the coordinator, which calls it where the pipeline is switched off. It looks at every seat, the
    pipeline's too.
    """
    end_at = booking.start_at + TURN
    with transaction.atomic():
        Restaurant.objects.select_for_update().get(pk=booking.restaurant_id)
        taken = Seat.objects.filter(start_at__lt=end_at, end_at__gt=booking.start_at).exclude(booking_id=booking.id)
        free = DiningTable.objects.filter(
            restaurant_id=booking.restaurant_id, in_use=True, seats__gte=booking.party_size
        ).exclude(pk__in=taken.values("table_id"))
        table = free.order_by("seats", "label").first()
        if table is None:
            return LegacyResult()
        Seat.objects.filter(booking_id=booking.id).delete()
        Seat.objects.create(
            booking_id=booking.id, table=table, start_at=booking.start_at, end_at=end_at, by=Seat.By.LEGACY
        )
        Booking.objects.filter(pk=booking.id).update(
            status=Booking.Status.CONFIRMED, party_size=booking.party_size, start_at=booking.start_at
        )
    return LegacyResult((table.label,))
