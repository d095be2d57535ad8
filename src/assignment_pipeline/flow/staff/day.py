"""A service day at a glance: who sits where when, who waits, and which tables are out of use."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.effects import Flow, LoadContext, Now, ReadBlocks
from assignment_pipeline.ports import LoadQuery

_HOUR = dt.timedelta(hours=1)


def day(restaurant_id: str, date: dt.date | None) -> Flow[ServiceDay]:
    """
    A restaurant's service day; by default the one that it is now, by the store's clock.

    The day is loaded before the restaurant's timezone is known: a window that covers it in all timezones.

    Raises:
        InvalidValueError: *date* is no date.
        VenueNotFoundError: The host has no such restaurant.
    """
    if date is not None and type(date) is not dt.date:
        raise InvalidValueError("date", "a date", repr(date))
    if date is None:
        here = (yield from Now()).replace(second=0, microsecond=0)
        wide = TimeWindow(here - 48 * _HOUR, here + 48 * _HOUR)
    else:
        midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
        wide = TimeWindow(midnight - 14 * _HOUR, midnight + 60 * _HOUR)
    query = LoadQuery(restaurant_id=restaurant_id, day=wide, records_only=True)
    loaded = yield from LoadContext(query)
    assert loaded is not None  # noqa: S101 - only of bookings is it not known whether they are there
    venue = loaded.venue
    day = venue.service_date(loaded.now) if date is None else date
    window = venue.service_day(day)
    blocks = tuple(
        block for block in (yield from ReadBlocks(restaurant_id, window.start)) if block.window.overlaps(window)
    )
    blocked = [block.occupied for block in blocks]
    of_day = LoadQuery(restaurant_id=restaurant_id, day=window)
    return ServiceDay(
        venue=venue,
        date=day,
        window=window,
        now=loaded.now,
        records=[loaded.records[key] for key in sorted(loaded.records) if of_day.is_of_day(venue, loaded.records[key])],
        blocks=blocks,
        others=[
            row
            for row in loaded.taken
            if row.booking_id not in loaded.records and row.window.overlaps(window) and row not in blocked
        ],
    )
