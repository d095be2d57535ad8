"""Every booking ahead, held against its restaurant as it is now."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.domain.checks import LAST_YEAR, require_moment, require_short
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.errors import BookingNotFoundError
from assignment_pipeline.flow.effects import Flow, LoadContext, PutVenue, ReadHistory
from assignment_pipeline.planning.venue_audit import VenueAudit, audited, in_full_slots
from assignment_pipeline.ports import AssignmentContext, LoadQuery
from assignment_pipeline.ports.fitting import require_kind

LAST = dt.datetime(LAST_YEAR, 12, 1, tzinfo=dt.UTC)
"""Behind every booking."""


def audit(restaurant_id: str, *, since: dt.datetime | None = None) -> Flow[VenueAudit]:
    """
    Hold each booking with tables that is ahead against its restaurant as it is now. Nothing is written.

    Args:
        restaurant_id: The restaurant.

        since: The first arrival to look at; None for the store's time.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
        InvalidValueError: *restaurant_id* is no text, or *since* has no offset or is not in the years 1971 to 9997.
    """
    require_short("restaurant_id", restaurant_id)
    first = None if since is None else require_moment("since", since)
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    if loaded is None:  # Only a store that was asked for a booking may say so.
        raise BookingNotFoundError(restaurant_id)
    first = loaded.now if first is None else first
    day = TimeWindow(minute_of(first), LAST + dt.timedelta(minutes=1))
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, day=day))
    if loaded is None:
        raise BookingNotFoundError(restaurant_id)
    return (yield from audit_of(loaded, first))


def put_venue(venue: Venue) -> Flow[VenueAudit]:
    """
    Have the host of ours keep a restaurant, or change it, and hold the bookings ahead against it.

    Raises:
        InvalidValueError: The store has a host of its own, which keeps its restaurants itself.
        StoreUnavailableError, CommitUnknownError: The store could not do it, or does not say.
        TypeError: *venue* is no `Venue`.
    """
    require_kind("venue", venue, Venue)
    yield from PutVenue(venue)
    return (yield from audit(venue.id))


def audit_of(loaded: AssignmentContext, since: dt.datetime) -> Flow[VenueAudit]:
    """The same, of what was loaded."""
    made: dict[str, dt.datetime] = {}
    for booking_id in in_full_slots(loaded.venue, loaded.arrivals):
        history = yield from ReadHistory(booking_id)
        made |= {booking_id: history[0].created_at} if history else {}
    return audited(loaded.venue, loaded.records.values(), loaded.taken, loaded.arrivals, since, made=made)
