"""
Rows to values, and back.

Times are text in UTC, in the form that SQLite's own date functions read and write: they
compare as they should with each other and with ``datetime('now')``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from assignment_pipeline.adapters.as_json import dumps, with_tuples
from assignment_pipeline.adapters.columns import ATTEMPT, BLOCK, BOOKING, EVENT, HISTORY, RECORD, SEAT, Kind, Rows
from assignment_pipeline.adapters.seats import Seat, allocation_of
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import Occupied

CACHED = 16_384
FEW = 4_096
"""Of what is larger, so many are kept."""

Row = tuple[Any, ...]


# -- Times --------------------------------------------------------------------------------------------------------


@lru_cache(CACHED)
def text_of(moment: dt.datetime) -> str:
    """``YYYY-MM-DD HH:MM:SS``, with a fraction where there is one, in UTC: sorts as SQLite's own texts do."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")


def optional_text_of(moment: dt.datetime | None) -> str | None:
    """The same, or None."""
    return None if moment is None else text_of(moment)


@lru_cache(CACHED)
def moment_of(text: str) -> dt.datetime:
    """What `text_of` made *text* of."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def optional_moment_of(text: str | None) -> dt.datetime | None:
    """The same, or None."""
    return None if text is None else moment_of(text)


@lru_cache(CACHED)
def window_of(start: str, end: str) -> TimeWindow:
    """A window, from the text of its ends."""
    return TimeWindow(moment_of(start), moment_of(end))


# -- Bookings and records -----------------------------------------------------------------------------------------


_word = attrgetter("_value_")  # As ``value``, which is a property in Python.

_BOOKINGS = Rows(
    Booking,
    BOOKING,
    write={Kind.WORD: _word, Kind.MOMENT: text_of},
    read={Kind.FLAG: bool, Kind.MOMENT: moment_of},
)

booking_facts = _BOOKINGS.named_row
"""A booking without its attributes, in words that SQLite and JSON know."""

booking_of_row = lru_cache(CACHED)(_BOOKINGS.value)
"""A booking, of a row of the table ``bookings``. Most rows of a day are as they were at the last look."""


def booking_text(booking: Booking) -> str:
    """A booking without its attributes, as JSON."""
    return dumps(booking_facts(booking))


def booking_of(text: str | None) -> Booking | None:
    """What `booking_text` made *text* of."""
    if text is None:
        return None
    return _BOOKINGS.named_value(json.loads(text))


WRITTEN: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.WORD: _word,
    Kind.MOMENT: text_of,
    Kind.BOOKING: booking_text,
    Kind.TEXTS: lru_cache(FEW)(dumps),  # The tables of a place, for each of its transitions.
    Kind.DOCUMENT: dumps,
}
READ: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: bool,
    Kind.MOMENT: moment_of,
    Kind.BOOKING: booking_of,
    Kind.TEXTS: json.loads,
    Kind.DOCUMENT: lambda text: with_tuples(json.loads(text)),
}
RECORDS = Rows(AssignmentRecord, RECORD, WRITTEN, READ)
SEATS = Rows(Seat, SEAT, WRITTEN, READ, window_of)
STEPS = Rows(StateChange, HISTORY, WRITTEN, READ)
ATTEMPTS = Rows(Attempt, ATTEMPT, WRITTEN, READ)
BLOCKS = Rows(TableBlock, BLOCK, WRITTEN, READ, window_of)
EVENTS = Rows(Event, EVENT, WRITTEN, READ)
_unchecked_occupied = maker(Occupied)


@lru_cache(FEW)
def record_of(row: Row, seats: tuple[Row, ...]) -> AssignmentRecord:
    """A record, of its row and those of its tables. Most of a day's are as they were at the last look."""
    return RECORDS.value(row, allocation=allocation_of([SEATS.value(seat) for seat in seats]))


event_row = EVENTS.row
"""The columns of an event."""


def record_row(record: AssignmentRecord) -> Row:
    """The columns of a record, its allocation excepted, and when its booking starts."""
    return *RECORDS.row(record), text_of(record.booking.start_at) if record.booking else None


@lru_cache(CACHED)
def occupied_of(text: str) -> Occupied:
    """A seat of ours, from a JSON array. Most of a floor is as it was at the last look."""
    table_id, start, end, booking_id, movable = json.loads(text)
    return _unchecked_occupied(
        table_id=table_id, window=window_of(start, end), booking_id=booking_id, movable=bool(movable)
    )
