"""A service day at a glance: who sits where when, who waits, and which tables are out of use."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.domain.checks import require_date, require_short
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.flow.effects import Flow, LoadContext, Now, ReadBlocks
from assignment_pipeline.ports import AssignmentContext, LoadQuery

_HOUR = dt.timedelta(hours=1)


def day(restaurant_id: str, date: dt.date | None) -> Flow[ServiceDay]:
    """
    A restaurant's service day; by default the one that it is now, by the store's clock.

    The day is loaded before the restaurant's timezone is known: a window that covers it in all timezones.

    Raises:
        InvalidValueError: *date* is no date.
        VenueNotFoundError: The host has no such restaurant.
    """
    require_short("restaurant_id", restaurant_id)
    if date is not None:
        require_date("date", date)
    wide = _around((yield from Now()).date() if date is None else date)
    loaded = yield from _load(restaurant_id, wide)
    day = loaded.venue.service_date(loaded.now) if date is None else date
    window = loaded.venue.service_day(day)
    if not wide.covers(window):  # This machine's clock is days from the store's.
        loaded = yield from _load(restaurant_id, _around(day))
    venue = loaded.venue
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


def _around(date: dt.date) -> TimeWindow:
    """What covers that service day, and on a machine whose clock is right the one before, in all timezones."""
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return TimeWindow(midnight - 48 * _HOUR, midnight + 72 * _HOUR)


def _load(restaurant_id: str, window: TimeWindow) -> Flow[AssignmentContext]:
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, day=window, records_only=True))
    assert loaded is not None  # noqa: S101 - only of bookings is it not known whether they are there
    return loaded
