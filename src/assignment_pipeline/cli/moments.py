"""Times as they are typed and shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.checks import require_date, require_moment
from assignment_pipeline.errors import InvalidValueError, VenueNotFoundError
from assignment_pipeline.ports import LoadQuery


def read_time(where: str, text: str) -> dt.datetime:
    """
    A time that was typed: ISO 8601 with an offset, in whole minutes.

    Raises:
        BadInputError: It is no such time.
    """
    try:
        time = dt.datetime.fromisoformat(text.upper())
    except ValueError:
        time = None
    if time is None or time.utcoffset() is None or time.second or time.microsecond:
        refuse(where, "an ISO 8601 time with an offset, in whole minutes, such as 2031-05-17T19:30+02:00", repr(text))
    _require(require_moment, where, time, text)
    return time


def read_date(where: str, text: str) -> dt.date:
    """
    A date that was typed: ISO 8601.

    Raises:
        BadInputError: It is no such date.
    """
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        refuse(where, "a date such as 2031-05-17", repr(text))
    _require(require_date, where, date, text)
    return date


def _require(check: Callable[[str, Any], object], where: str, value: dt.date, text: str) -> None:
    try:
        check(where, value)
    except InvalidValueError as error:
        refuse(where, error.expected, repr(text))


def local(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """A moment in a restaurant's time, such as ``2031-05-17 19:30``; it says so if it is in UTC."""
    there = moment.astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M}{' UTC' if there.tzname() == 'UTC' else ''}"


def zone_of(coordinator: Coordinator, restaurant_id: str) -> dt.tzinfo:
    """A restaurant's timezone; UTC where the host does not know it any more."""
    try:
        context = coordinator.store.load(LoadQuery(restaurant_id=restaurant_id))
    except VenueNotFoundError:
        return dt.UTC
    return context.venue.zone if context else dt.UTC
