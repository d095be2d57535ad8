"""The application's own tables. The pipeline's are beside them, in a schema of their own."""

from __future__ import annotations

import uuid

from django.db import models

from assignment_pipeline import Booking as PipelineBooking
from reservations.host import WORDS


class Restaurant(models.Model):
    """A restaurant."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    timezone = models.CharField(max_length=40, default="Europe/Paris")

    def __str__(self) -> str:
        return self.name


class DiningTable(models.Model):
    """A table. The pipeline knows it by its label, and so does the staff."""

    restaurant = models.ForeignKey(Restaurant, models.CASCADE, related_name="tables")
    label = models.CharField(max_length=20)
    seats = models.PositiveSmallIntegerField()
    room = models.CharField(max_length=40, blank=True)
    next_to = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, help_text="It can be pushed up to it.")
    in_use = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["restaurant", "label"], name="label_once")]

    def __str__(self) -> str:
        return self.label


class Booking(models.Model):
    """
    A booking.

    Party and time are changed by `services.change` alone, which changes the tables with them.
    """

    class Status(models.TextChoices):
        """How it stands with the guest."""

        PENDING = "pending"
        CONFIRMED = "confirmed"
        CANCELLED = "cancelled"
        DECLINED = "declined"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    restaurant = models.ForeignKey(Restaurant, models.PROTECT)
    guest = models.CharField(max_length=80)
    party_size = models.PositiveSmallIntegerField()
    start_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["start_at"], condition=models.Q(status="pending"), name="booking_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.guest}, {self.party_size} at {self.start_at:%d %b %H:%M}"

    @property
    def tables(self) -> tuple[str, ...]:
        """The labels of its tables."""
        return tuple(self.seats.order_by("table__label").values_list("table__label", flat=True))

    def for_pipeline(self) -> PipelineBooking:
        """The same, as the pipeline knows it: identifiers are text there."""
        return PipelineBooking(
            str(self.id), str(self.restaurant_id), self.party_size, self.start_at, status=WORDS.status(str(self.status))
        )


class Seat(models.Model):
    """A table that is taken for a while, by a planner or the staff."""

    class By(models.TextChoices):
        """Who gave it away."""

        PIPELINE = "pipeline"
        LEGACY = "legacy"
        STAFF = "staff"

    booking = models.ForeignKey(Booking, models.CASCADE, null=True, blank=True, related_name="seats")
    table = models.ForeignKey(DiningTable, models.CASCADE)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    by = models.CharField(max_length=10, choices=By)

    class Meta:
        indexes = [models.Index(fields=["table", "end_at"], name="seat_span")]

    def __str__(self) -> str:
        return f"{self.table} from {self.start_at:%d %b %H:%M}"
