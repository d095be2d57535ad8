"""What the store reads, on a connection whose transaction somebody else has opened."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import attrs

from assignment_pipeline.adapters.as_json import dumps
from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.seats import LONGEST_BLOCKED, sitting_at
from assignment_pipeline.adapters.sqlite.codec import (
    BLOCKS,
    SEATS,
    STEPS,
    Row,
    moment_of,
    occupied_of,
    record_of,
    text_of,
    window_of,
)
from assignment_pipeline.adapters.sqlite.host import FIND_BOOKINGS, StandaloneHost, listed
from assignment_pipeline.adapters.sqlite.last_look import LONGEST_KNOWN, LastLook
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.venues import Venues
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import MAX_TURN, Booking
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import (
    AssignmentContext,
    CheckedHost,
    Clock,
    LoadQuery,
    Occupied,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
    place_in_queue,
    read_bookings,
    read_place,
    unknown_tables,
)

T = TypeVar("T")

_unchecked_context = maker(AssignmentContext)

HALF_A_DAY = dt.timedelta(hours=12)

# The index is named, so that no statistics can talk SQLite into reading a restaurant's whole past.
# It has all the columns: the table itself is not touched. All rows come as one text: to hand a value over takes
# SQLite and Python longer than to find it.
TAKEN = """
SELECT group_concat(json_array(table_id, start_at, end_at, booking_id, movable), char(10))
FROM booking_table_assignments INDEXED BY booking_table_assignments_span
WHERE restaurant_id = ? AND start_at > ? AND start_at < ? AND end_at > ?
"""

# Parties that sit, whatever is written of their time: until they have left they keep their tables.
SITTING = with_columns("""
SELECT {SEAT} FROM booking_table_assignments INDEXED BY booking_table_assignments_sitting
WHERE restaurant_id = ? AND seated_at IS NOT NULL AND left_at IS NULL
""")

# The same of some tables, and of those between them by name.
TAKEN_BETWEEN = f"{TAKEN}AND table_id BETWEEN ? AND ?"

BLOCKED = """
SELECT table_id, start_at, end_at, reason
FROM table_blocks INDEXED BY table_blocks_span
WHERE restaurant_id = ? AND end_at > ? AND start_at < ?
"""

BLOCKS_SINCE = with_columns("""
SELECT {BLOCK} FROM table_blocks INDEXED BY table_blocks_span
WHERE restaurant_id = ? AND end_at > ?
ORDER BY start_at, id
""")

# Tables are blocked from less than 12 hours before the booked arrival on, or less than 12 hours after it.
ARRIVING = """
SELECT DISTINCT r.booking_id, r.start_at, json_extract(r.booking, '$.party_size'), json_extract(r.booking, '$.channel')
FROM booking_table_assignments a INDEXED BY booking_table_assignments_span
CROSS JOIN assignment_records r ON r.booking_id = a.booking_id
WHERE a.restaurant_id = ? AND a.start_at > ? AND a.start_at < ? AND r.start_at >= ? AND r.start_at < ?
"""

# Who waits has no span of its own yet: only its start is known.
NEAR = in_sql("""
SELECT booking_id FROM booking_table_assignments INDEXED BY booking_table_assignments_span
WHERE restaurant_id = :restaurant AND start_at > :long_before AND start_at < :end AND end_at > :start
UNION
SELECT booking_id FROM assignment_records INDEXED BY assignment_records_waiting
WHERE restaurant_id = :restaurant AND start_at >= :day_before AND start_at < :end
    AND owner = 'pipeline' AND state IN ({WAKEABLE})
""")

# The ids come as one JSON array: one statement, however many there are. It is joined: for ``IN (SELECT ...)``, SQLite
# makes a table each time.
FIND_RECORDS = with_columns("""
SELECT {r.RECORD} FROM json_each(?) AS asked CROSS JOIN assignment_records AS r ON r.booking_id = asked.value
""")

# A page of them: an index, conditions and a limit go behind it.
RECORDS_WHERE = with_columns("SELECT {RECORD} FROM assignment_records")

SITS = """booking_id IN (
    SELECT booking_id FROM booking_table_assignments INDEXED BY booking_table_assignments_sitting
    WHERE seated_at IS NOT NULL AND left_at IS NULL
)"""

FIND_SEATS = with_columns("""
SELECT {a.SEAT} FROM json_each(?) AS asked CROSS JOIN booking_table_assignments AS a ON a.booking_id = asked.value
ORDER BY a.booking_id, a.table_id
""")

HISTORY = with_columns("""
SELECT {HISTORY} FROM booking_assignment_state_history
WHERE booking_id = ? ORDER BY version
""")

# A change without transitions has no history row to be known by.
KNOWS = """
SELECT EXISTS (SELECT 1 FROM booking_assignment_state_history WHERE booking_id = :booking AND change_id = :change)
    OR EXISTS (SELECT 1 FROM assignment_stepless_changes WHERE change_id = :change)
"""

GENERATION = "SELECT generation FROM assignment_rollout WHERE id = 1"

IN_REVIEW = in_sql("state = {MANUAL_REVIEW}")

# As `NEVER` has it, for a review without a booking.
ARRIVAL = "coalesce(start_at, '9999-12-31 23:59:59')"

WITHOUT_RECORD = """
SELECT value FROM json_each(?)
WHERE NOT EXISTS (SELECT 1 FROM assignment_records WHERE booking_id = value)
"""


@attrs.frozen(eq=False)
class Reads:
    """
    The reading half of the store.

    Attributes:
        host: The host's side.

        clock: The store's clock.

        venues: The venues that were asked for last.
    """

    host: CheckedHost
    clock: Clock
    venues: Venues

    def load(self, connection: sqlite3.Connection, query: LoadQuery) -> AssignmentContext | None:
        found = self.look(connection, query)
        return None if found is None else found[0]

    def look(
        self, connection: sqlite3.Connection, query: LoadQuery, version: int = 0, known: LastLook | None = None
    ) -> tuple[AssignmentContext, LastLook] | None:
        """
        What `load` answers, and what is known then.

        Args:
            version: The connection's `data_version`.

            known: What is known without a look.
        """
        rows = cursor_of(connection)
        now = self.clock.now()
        if known is not None and known.venue.id != query.restaurant_id:
            known = None
        venue = known.venue if known else self.venue(connection, query.restaurant_id)
        records = find_records(rows, query.ids)
        near = find_records(rows, _near(rows, venue, query.day))
        records |= {key: record for key, record in near.items() if query.is_of_day(venue, record)}
        bookings, unreadable = self.bookings(connection, query.asked_of_host(records))
        if any(key not in {*records, *bookings, *unreadable} for key in query.booking_ids):
            return None
        window = query.window(venue, records, bookings)
        others = () if window is None else self.host.occupied(connection, venue.id, window)
        look = LastLook(
            version=version,
            venue=venue,
            generation=known.generation if known else generation(rows),
            **_ours(rows, venue, window, known),
            records=records,
            looked_up={*query.ids, *records},
            bookings=bookings,
            asked_for=query.asked_of_host(records),
        )
        context = _unchecked_context(
            now=now,
            generation=look.generation,
            venue=venue,
            records=records,
            bookings=bookings,
            taken=(*_taken(rows, look, window, now), *others),
            follows=self.host.follows,
            unknown_tables=unknown_tables(venue, others),
            unreadable=unreadable,
            arrivals=tuple(arrivals(rows, venue.id, window)) if window and venue.policy.pacing else (),
        )
        return context, look

    @property
    def asks_no_other(self) -> bool:
        """Whether all that is read is in the tables of ours."""
        return type(self.host.host) is StandaloneHost

    def bookings(
        self, connection: sqlite3.Connection, booking_ids: Collection[str]
    ) -> tuple[dict[str, Booking], frozenset[str]]:
        """See `read_bookings`; those of our own host with one statement."""
        if len(booking_ids) == 1 or not self.asks_no_other:
            return read_bookings(partial(self.host.booking, connection), booking_ids)
        ids = dumps([*booking_ids])
        found = [listed(row) for row in cursor_of(connection).execute(FIND_BOOKINGS, (ids,))]
        unreadable = frozenset(one.id for one in found if isinstance(one, UnreadableBooking))
        return {one.id: one for one in found if isinstance(one, Booking)}, unreadable

    def venue(self, connection: sqlite3.Connection, restaurant_id: str, *, seats: bool = False) -> Venue:
        """
        The venue, as the connection's transaction sees it.

        Args:
            seats: Whether somebody is being seated there: its tables are read then, whatever its version says.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        asked = self.venues.version(restaurant_id, seats=seats and not self.host.is_ours)
        venue: Venue | None = self.host.venue(connection, restaurant_id, asked)
        if venue is None:
            venue = self.venues.known(restaurant_id) if asked is not None else None
        else:
            self.venues.keep(venue)
        if venue is None:  # Only a host that takes None for a version would say so.
            raise VenueNotFoundError(restaurant_id)
        return venue

    def knows(self, connection: sqlite3.Connection, change: AssignmentChange) -> bool:
        asked = {"booking": change.record.booking_id, "change": change.id}
        return bool(cursor_of(connection).execute(KNOWS, asked).fetchone()[0])

    def records(self, connection: sqlite3.Connection, query: RecordQuery) -> RecordPage:
        rows = cursor_of(connection)
        limit = max(query.limit, 0)
        statement, values = _page(query, limit + 1)
        found = rows.execute(statement, values).fetchall()
        page = found[:limit]
        records = tuple(_records(rows, page))
        more = None
        if records and len(found) > limit:
            more = place_in_queue(records[-1]) if query.reviews else records[-1].booking_id
        return RecordPage(now=self.clock.now(), records=records, next=more)

    def blocked(self, connection: sqlite3.Connection, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return tuple(map(BLOCKS.value, cursor_of(connection).execute(BLOCKS_SINCE, (restaurant_id, text_of(since)))))

    def history(self, connection: sqlite3.Connection, booking_id: str) -> tuple[StateChange, ...]:
        return tuple(map(STEPS.value, cursor_of(connection).execute(HISTORY, (booking_id,))))

    def booking(self, connection: sqlite3.Connection, booking_id: str) -> Booking | None:
        found: Booking | None = self.host.booking(connection, booking_id)
        return found

    def waiting(self, connection: sqlite3.Connection) -> Waiting:
        found = self.host.restaurants_waiting(connection) if self.host.knows_restaurants else None
        return Waiting(now=self.clock.now(), restaurants=found)

    def unassigned(
        self, connection: sqlite3.Connection, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        """
        See `AssignmentStore.unassigned`.

        A host may not know which bookings have a record: it is asked for ever more until
        enough of them have none, or it has no more.
        """
        rows = cursor_of(connection)
        asked = limit
        seen = -1
        while limit > 0:
            pending = list(self.host.unassigned(connection, since, asked, restaurants))
            ids = dumps([booking.id for booking in pending])
            without = {row[0] for row in rows.execute(WITHOUT_RECORD, (ids,))}
            found = [booking for booking in pending if booking.id in without]
            if len(found) >= limit or len(pending) < asked or len(pending) <= seen:
                return tuple(found[:limit])
            seen = len(pending)
            asked *= 2
        return ()


def _ours(rows: sqlite3.Cursor, venue: Venue, window: TimeWindow | None, known: LastLook | None) -> dict[str, Any]:
    """What we have written that is taken in *window*, or in a longer time: see `LastLook`."""
    if window is None:
        return {"window": None, "taken": ()}
    if known is not None and known.window is not None:
        if known.window.covers(window):
            return {"window": known.window, "taken": known.taken}
        both = TimeWindow.around([known.window, window])
        window = both if both.duration <= LONGEST_KNOWN else window
    return {"window": window, "taken": [*seats_in(rows, venue.id, window), *blocks(rows, venue.id, window)]}


def _taken(rows: sqlite3.Cursor, look: LastLook, window: TimeWindow | None, now: dt.datetime) -> Iterable[Occupied]:
    """What we have written that overlaps *window*, and the parties that sit there at *now*."""
    if window is None:
        return ()
    taken = look.taken_in(window)
    present = {(seat.table_id, seat.booking_id): seat for seat in sitting(rows, look.venue.id, now)}
    if present:
        taken = [seat for seat in taken if (seat.table_id, seat.booking_id) not in present]
        taken += [seat for seat in present.values() if seat.window.overlaps(window)]
    return taken


def seats_in(
    rows: sqlite3.Cursor, restaurant_id: str, window: TimeWindow, tables: Collection[str] = ()
) -> Iterable[Occupied]:
    """Our seats that overlap *window*: those of *tables*, and of others between them by name; or all."""
    start, end = text_of(window.start), text_of(window.end)
    span = (restaurant_id, text_of(window.start - LONGEST_BLOCKED), end, start)
    asked = (TAKEN_BETWEEN, (*span, min(tables), max(tables))) if tables else (TAKEN, span)
    [text] = rows.execute(*asked).fetchone()
    return map(occupied_of, text.split("\n")) if text else ()


def sitting(rows: sqlite3.Cursor, restaurant_id: str, now: dt.datetime) -> list[Occupied]:
    """The tables of the parties that sit at *now*."""
    seats = (sitting_at(SEATS.value(row), now) for row in rows.execute(SITTING, (restaurant_id,)))
    return [seat for seat in seats if seat is not None]


def arrivals(rows: sqlite3.Cursor, restaurant_id: str, window: TimeWindow) -> Iterator[ArrivingParty]:
    """The parties with tables that arrive in *window*."""
    start, end = text_of(window.start), text_of(window.end)
    long_before, long_after = text_of(window.start - HALF_A_DAY), text_of(window.end + HALF_A_DAY)
    for booking_id, at, size, channel in rows.execute(ARRIVING, (restaurant_id, long_before, long_after, start, end)):
        yield ArrivingParty(booking_id, moment_of(at), size, channel)


def _near(rows: sqlite3.Cursor, venue: Venue, day: TimeWindow | None) -> list[str]:
    """The bookings that sit, or may wait for tables, in the time of *day*."""
    if day is None:
        return []
    values = {
        "restaurant": venue.id,
        "long_before": text_of(day.start - LONGEST_BLOCKED),
        "day_before": text_of(day.start - MAX_TURN),
        "start": text_of(day.start),
        "end": text_of(day.end),
    }
    return [row[0] for row in rows.execute(NEAR, values)]


def blocks(rows: sqlite3.Cursor, restaurant_id: str, window: TimeWindow) -> list[Occupied]:
    """The staff's blocks that overlap *window*."""
    values = (restaurant_id, text_of(window.start), text_of(window.end))
    return [
        Occupied(table_id=table_id, window=window_of(start, end), reason=reason)
        for table_id, start, end, reason in rows.execute(BLOCKED, values)
    ]


def generation(rows: sqlite3.Cursor) -> int:
    """The rollout's generation."""
    row = rows.execute(GENERATION).fetchone()
    return int(row[0]) if row else 0


def find_records(rows: sqlite3.Cursor, booking_ids: Sequence[str]) -> dict[str, AssignmentRecord]:
    """The records of those bookings, by id, where there are any."""
    if not booking_ids:
        return {}
    once = [*dict.fromkeys(booking_ids)]
    found = rows.execute(FIND_RECORDS, (dumps(once),)).fetchall()
    return dict(zip([row[0] for row in found], _records(rows, found), strict=True))


def _records(rows: sqlite3.Cursor, found: Sequence[Row]) -> list[AssignmentRecord]:
    if not found:
        return []
    seats: dict[str, list[Row]] = {}
    for seat in rows.execute(FIND_SEATS, (dumps([row[0] for row in found]),)):
        seats.setdefault(seat[0], []).append(seat)
    return [record_of(row, tuple(seats.get(row[0], ()))) for row in found]


def _page(query: RecordQuery, limit: int) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.restaurant_id is not None:
        conditions.append("restaurant_id = ?")
        values.append(query.restaurant_id)
    if query.states:
        conditions.append(f"state IN ({', '.join('?' * len(query.states))})")
        values += [state.value for state in query.states]
    if query.booking_ids:
        conditions.append("booking_id IN (SELECT value FROM json_each(?))")
        values.append(dumps(query.booking_ids))
    if query.unfinished:
        conditions.append(in_sql("{UNFINISHED}"))
    if query.sitting:
        conditions.append(SITS)
    place = read_place(query.after) if query.reviews else None
    if query.reviews:
        conditions.append(IN_REVIEW)
    if place is not None:
        conditions.append(f"({ARRIVAL}, booking_id) > (?, ?)")
        values += [text_of(place[0]), place[1]]
    elif query.after is not None:
        conditions.append("booking_id > ?")
        values.append(query.after)
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    index = "INDEXED BY assignment_records_unfinished " if query.unfinished else ""
    index = "INDEXED BY assignment_records_reviews " if query.reviews else index
    order = f"{ARRIVAL}, booking_id" if query.reviews else "booking_id"
    return f"{RECORDS_WHERE} {index}{where}ORDER BY {order} LIMIT ?", [*values, limit]


class ReadingStore:
    """The methods of an `AssignmentStore` that only read, for a store that knows how to get at a connection."""

    _reads: Reads

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise NotImplementedError

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        return self._read(lambda connection: self._reads.load(connection, query))

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return self._read(lambda connection: tuple(self._reads.load(connection, query) for query in queries))

    def records(self, query: RecordQuery) -> RecordPage:
        return self._read(lambda connection: self._reads.records(connection, query))

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return self._read(lambda connection: self._reads.blocked(connection, restaurant_id, since))

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return self._read(lambda connection: self._reads.history(connection, booking_id))

    def booking(self, booking_id: str) -> Booking | None:
        return self._read(lambda connection: self._reads.booking(connection, booking_id))

    def waiting(self) -> Waiting:
        return self._read(self._reads.waiting)

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        return self._read(lambda connection: self._reads.unassigned(connection, since, limit, restaurants))
