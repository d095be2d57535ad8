"""The admin: floors can be edited there, bookings looked at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from reservations.models import Booking, DiningTable, Restaurant


class Tables(admin.TabularInline):
    """A restaurant's tables. What changes here changes the venue's version: plans made on the old floor are refused."""

    model = DiningTable
    fk_name = "restaurant"
    extra = 0


@admin.register(Restaurant)
class RestaurantAdmin(admin.ModelAdmin):
    """Restaurants."""

    inlines = [Tables]


@admin.register(Booking)
class BookingAdmin(admin.ModelAdmin):
    """Bookings, to look at: what is edited here would pass the pipeline by."""

    list_display = ["guest", "restaurant", "party_size", "start_at", "status", "tables"]
    list_filter = ["status", "restaurant"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """No."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """No."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """No."""
        return False
