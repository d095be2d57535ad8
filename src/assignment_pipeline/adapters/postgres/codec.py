"""Values to documents, and back. Times are ISO 8601; the database writes them in the offset of its session."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from assignment_pipeline.adapters.as_json import dumps, floor_parts, policy_of, with_tuples
from assignment_pipeline.adapters.columns import (
    ATTEMPT,
    BLOCK,
    BOOKING,
    EVENT,
    HISTORY,
    RECORD,
    SEAT,
    Column,
    Kind,
    Rows,
)
from assignment_pipeline.adapters.seats import Seat, allocation_of, seats_of
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import UNREADABLE, Occupied, UnreadableBooking

CACHED = 16_384
FEW = 4_096
"""Of what is larger, so many are kept."""

Facts = dict[str, Any]


# -- Times --------------------------------------------------------------------------------------------------------


@lru_cache(CACHED)
def text_of(moment: dt.datetime) -> str:
    """A time as text."""
    return moment.isoformat()


def optional_text_of(moment: dt.datetime | None) -> str | None:
    """The same, or None."""
    return None if moment is None else text_of(moment)


@lru_cache(CACHED)
def moment_of(text: str) -> dt.datetime:
    """The time that *text* says, in UTC."""
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def optional_moment_of(text: str | None) -> dt.datetime | None:
    """The same, or None."""
    return None if text is None else moment_of(text)


@lru_cache(CACHED)
def window_of(start: str, end: str) -> TimeWindow:
    """A window, from the text of its ends."""
    return TimeWindow(moment_of(start), moment_of(end))


# -- JSON ---------------------------------------------------------------------------------------------------------


def document(value: Any) -> str:
    """JSON for PostgreSQL, without zero characters, which `jsonb` does not take."""
    text = _text(value)
    return _text(_without_zeros(value)) if "\\u0000" in text else text


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # A number of more than 64 bits, or one of NumPy's.
        return dumps(value)


def array(texts: Iterable[str]) -> str:
    """An array of texts in PostgreSQL's own notation. It is much faster than an array written by the driver."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "") for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def alike(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """
    Rows that are much the same: the texts of one, and of each row what differs from them.

    PostgreSQL reads less, with one row as the default of the others. No rows are an empty list.
    """
    if not rows:
        return []
    model = [one if isinstance(one, str) else None for one in rows[len(rows) // 2]]
    return [
        {name: one for name, one in zip(names, model, strict=True) if one is not None},
        [{name: one for name, one, same in zip(names, row, model, strict=True) if one != same} for row in rows],
    ]


def _without_zeros(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, Mapping):
        return {_without_zeros(key): _without_zeros(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_zeros(item) for item in value]
    return value


# -- Bookings and venues ------------------------------------------------------------------------------------------


def _sorted(columns: Iterable[Column]) -> list[Column]:
    """*columns* as `jsonb` keeps an object's keys: keys that come so need no sorting."""
    return sorted(columns, key=lambda column: (len(column.name), column.name))


_BOOKINGS = Rows(Booking, _sorted(BOOKING), write={Kind.MOMENT: text_of}, read={Kind.MOMENT: moment_of})

booking_facts = _BOOKINGS.named_row
"""A booking without its attributes."""


def _optional_facts(booking: Booking | None) -> Facts | None:
    return None if booking is None else booking_facts(booking)


def booking_of(facts: Mapping[str, Any] | None) -> Booking | None:
    """What `booking_facts` made *facts* of."""
    return None if facts is None else _booking_of(orjson.dumps(facts))


@lru_cache(CACHED)
def _booking_of(text: bytes) -> Booking:
    """Most rows of a day are as they were at the last look."""
    return _BOOKINGS.named_value(orjson.loads(text))


def listed(facts: Mapping[str, Any]) -> Booking | UnreadableBooking:
    """The same, in a list: a row that cannot be read does not hide the others."""
    try:
        booking = booking_of(facts)
        assert booking is not None  # noqa: S101 - there are facts
    except UNREADABLE as error:
        return UnreadableBooking(id=facts["id"], restaurant_id=facts["restaurant_id"], problem=str(error))
    return booking


def venue_of(facts: Mapping[str, Any]) -> Venue:
    """A venue, from the view ``venue_documents``."""
    floor = FloorPlan(
        tuple(_table(table) for table in facts["tables"]),
        frozenset(map(frozenset, facts["adjacent"] or ())),
        tuple(_combination(one) for one in facts["combinations"] or ()),
        **floor_parts(document(facts["floor"])),
    )
    policy = policy_of(document(facts["policy"]))
    return Venue(facts["id"], facts["timezone"], floor, policy, version=facts["version"])


def _table(facts: Mapping[str, Any]) -> Table:
    known = {key: value for key, value in facts.items() if key not in {"restaurant_id", "position"}}
    label = facts.get("label") or facts["id"]
    return Table(**{**known, "tags": frozenset(facts["tags"]), "label": label})


def _combination(facts: Mapping[str, Any]) -> Combination:
    return Combination(**{key: value for key, value in facts.items() if key not in {"restaurant_id", "position"}})


# -- Records ------------------------------------------------------------------------------------------------------


def _finite(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, with the numbers that JSON does not have as text."""
    for key, value in known.items():
        if isinstance(value, float) and not math.isfinite(value):
            return _finite({**known, key: str(value)})
    return known


WRITTEN: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.MOMENT: text_of,
    Kind.BOOKING: booking_facts,
    Kind.DOCUMENT: _finite,
}
READ: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.MOMENT: moment_of,
    Kind.BOOKING: booking_of,
    Kind.DOCUMENT: with_tuples,
}


RECORDS = Rows(AssignmentRecord, _sorted(RECORD), WRITTEN, READ)
SEATS = Rows(Seat, SEAT, WRITTEN, READ, window_of)
STEPS = Rows(StateChange, _sorted(HISTORY), WRITTEN, READ)
ATTEMPTS = Rows(Attempt, _sorted(ATTEMPT), WRITTEN, READ)
BLOCKS = Rows(TableBlock, BLOCK, WRITTEN, READ, window_of)
EVENTS = Rows(Event, _sorted(EVENT), WRITTEN, READ)

block_facts = BLOCKS.filled_row
"""The columns of a block that are not null."""


def events_of(events: Iterable[Event]) -> list[Any]:
    """Events, as the functions of the schema take them."""
    return alike(EVENTS.names, [EVENTS.row(event) for event in events])


def record_facts(record: AssignmentRecord) -> Facts:
    """The columns of a record, its allocation excepted, and when its booking starts."""
    return {**RECORDS.filled_row(record), "start_at": text_of(record.booking.start_at) if record.booking else None}


def record_of(facts: Mapping[str, Any]) -> AssignmentRecord:
    """A record, from the view ``record_documents``. Most of a day's are as they were at the last look."""
    return _record_of(orjson.dumps(facts))


@lru_cache(FEW)
def _record_of(text: bytes) -> AssignmentRecord:
    known = orjson.loads(text)
    seats = [SEATS.value(seat) for seat in known.pop("seats") or ()]
    return RECORDS.named_value(known, allocation=allocation_of(seats))


@lru_cache(CACHED)
def occupied_of(table_id: str, start: str, end: str, booking_id: str, movable: bool) -> Occupied:  # noqa: FBT001
    """A seat of ours. Most of a floor is as it was at the last look."""
    return Occupied(table_id=table_id, window=window_of(start, end), booking_id=booking_id, movable=movable)


def rival_facts(restaurant_id: str, taken: Iterable[Occupied]) -> list[Facts]:
    """The tables that others have taken. A commit compares its seats with them."""
    return [
        {
            "booking_id": one.booking_id,
            "table_id": one.table_id,
            "restaurant_id": restaurant_id,
            "start_at": text_of(one.window.start),
            "end_at": text_of(one.window.end),
        }
        for one in taken
    ]


# -- Changes ------------------------------------------------------------------------------------------------------


def change_facts(change: AssignmentChange) -> Facts:
    """What a change expects to find."""
    preconditions = change.preconditions
    facts: Facts = {
        "booking_id": change.record.booking_id,
        "restaurant_id": change.record.restaurant_id,
        "expected_version": change.expected_version,
        "stepless": None if change.steps else change.id,
        "planned": preconditions is not None,
    }
    if preconditions is not None:
        facts["generation"] = preconditions.generation
        facts["venue_version"] = preconditions.venue_version
        facts["next_attempt_at"] = optional_text_of(preconditions.next_attempt_at)
        facts["pinned"] = preconditions.pinned
        facts["booking"] = _optional_facts(preconditions.booking)
    return facts


def commit_facts(changes: Sequence[AssignmentChange]) -> Facts:
    """Everything that a commit compares and writes. Empty lists are left out."""
    records = [change.record for change in changes]
    facts: Facts = {
        "ids": [record.booking_id for record in records],
        "restaurants": sorted({record.restaurant_id for record in records}),
        "changes": [change_facts(change) for change in changes],
        "records": [record_facts(record) for record in records],
    }
    parts: dict[str, list[Any]] = {
        "seats": [SEATS.filled_row(seat) for record in records for seat in seats_of(record)],
        "steps": alike(_STEP, [row for change in changes for row in _step_rows(change)]),
        "stepless": [
            {"change_id": change.id, "booking_id": change.record.booking_id} for change in changes if not change.steps
        ],
        "attempts": [_attempt_facts(change) for change in changes if change.attempt is not None],
        "events": events_of(event for change in changes for event in change.events),
        "requests": [booking_facts(change.request) for change in changes if change.request is not None],
        "caps": [
            cap
            for change in changes
            if change.preconditions and change.preconditions.caps
            for cap in _cap_facts(change)
        ],
    }
    facts.update((name, rows) for name, rows in parts.items() if rows)
    return facts


def _cap_facts(change: AssignmentChange) -> list[Facts]:
    """The caps that have to hold once the change is made."""
    caps = change.preconditions.caps if change.preconditions is not None else ()
    return [
        {
            "booking_id": change.record.booking_id,
            "restaurant_id": change.record.restaurant_id,
            "first_at": text_of(cap.spans[0].start),
            "last_at": text_of(cap.spans[-1].end),
            "spans": [{"start_at": text_of(span.start), "end_at": text_of(span.end)} for span in cap.spans],
            "covers": cap.covers,
            "parties": cap.parties,
            "channel": cap.channel,
        }
        for cap in caps
    ]


_STEP = ("booking_id", "restaurant_id", "change_id", *STEPS.names)


def _step_rows(change: AssignmentChange) -> Iterator[list[Any]]:
    record = change.record
    return ([record.booking_id, record.restaurant_id, change.id, *STEPS.row(step)] for step in change.steps)


def _attempt_facts(change: AssignmentChange) -> Facts:
    assert change.attempt is not None  # noqa: S101 - the caller looked
    shared = {"booking_id": change.record.booking_id, "restaurant_id": change.record.restaurant_id}
    return {**shared, **ATTEMPTS.filled_row(change.attempt)}
