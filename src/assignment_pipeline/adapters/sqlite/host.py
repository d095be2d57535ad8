"""A host that keeps its bookings and venues in tables of ours."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from assignment_pipeline.adapters.as_json import dumps, floor_parts, floor_text, policy_of, policy_text
from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.schema_parts import STANDALONE
from assignment_pipeline.adapters.sqlite.codec import booking_facts, booking_of_row, text_of
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.schema import check_part
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import UNREADABLE, Clock, Occupied, UnreadableBooking

FIND_BOOKING = with_columns("SELECT {STORED_BOOKING} FROM bookings WHERE id = ?")

FIND_BOOKINGS = with_columns("SELECT {STORED_BOOKING} FROM bookings WHERE id IN (SELECT value FROM json_each(?))")

# An enqueued booking has a state. The store leaves out the others that have a record.
UNASSIGNED = with_columns("""
SELECT {STORED_BOOKING} FROM bookings INDEXED BY bookings_unassigned
WHERE status = 'pending' AND assignment_state IS NULL AND start_at > ?
ORDER BY start_at, id LIMIT ?
""")

# Entered once a restaurant, by the first columns of the index.
RESTAURANTS_WAITING = """
WITH RECURSIVE names (id) AS (
    SELECT min(restaurant_id) FROM bookings INDEXED BY bookings_waiting
    WHERE status = 'pending' AND assignment_state IS NULL
    UNION ALL
    SELECT (
        SELECT min(restaurant_id) FROM bookings INDEXED BY bookings_waiting
        WHERE status = 'pending' AND assignment_state IS NULL AND restaurant_id > names.id
    )
    FROM names WHERE names.id IS NOT NULL
)
SELECT id FROM names WHERE id IS NOT NULL
"""

UNASSIGNED_OF = with_columns("""
SELECT {b.STORED_BOOKING}
FROM (SELECT DISTINCT value FROM json_each(?)) AS r CROSS JOIN bookings AS b INDEXED BY bookings_waiting
WHERE b.restaurant_id = r.value AND b.status = 'pending' AND b.assignment_state IS NULL AND b.start_at > ?
ORDER BY b.start_at, b.id LIMIT ?
""")

# A booking that comes again as pending says nothing new: how it stands with the guest is what came of it.
PUT_BOOKING = with_columns("""
INSERT INTO bookings ({STORED_BOOKING}, created_at) VALUES ({:BOOKING}, :created_at)
ON CONFLICT (id) DO UPDATE SET
    {EXCLUDED_BOOKING},
    status = CASE
        WHEN excluded.status = 'pending'
            AND EXISTS (SELECT 1 FROM assignment_records WHERE booking_id = excluded.id)
        THEN bookings.status ELSE excluded.status END
""")

CHANGE_BOOKING = with_columns("UPDATE bookings SET {SET_REQUEST} WHERE id = :id")

TELL_BOOKING = """
UPDATE bookings SET assignment_state = ?, assignment_state_version = ?, assignment_strategy = ?,
    status = coalesce(?, status)
WHERE id = ?
"""

# One that was only passed in, with where its assignment stands.
NEW_BOOKING = with_columns("""
INSERT INTO bookings (
    {STORED_BOOKING}, assignment_state, assignment_state_version, assignment_strategy, created_at
) VALUES ({:BOOKING}, :state, :version, :strategy, :created_at)
""")

FIND_VERSION = "SELECT version FROM restaurants WHERE id = ?"

FIND_VENUE = "SELECT timezone, policy, floor, version FROM restaurants WHERE id = ?"

FIND_TABLES = """
SELECT id, capacity, min_party_size, max_party_size, zone, seating, accessible, active, priority, offer,
    held_until_minutes, tags, label, counter, communal
FROM table_inventory WHERE restaurant_id = ? ORDER BY position
"""

FIND_ADJACENT = "SELECT table_a, table_b FROM table_adjacencies WHERE restaurant_id = ?"

PUT_VENUE = """
INSERT INTO restaurants (id, timezone, policy, floor, version) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    timezone = excluded.timezone, policy = excluded.policy, floor = excluded.floor, version = excluded.version
"""

CLEAR_TABLES = "DELETE FROM table_inventory WHERE restaurant_id = ?"

PUT_TABLE = """
INSERT INTO table_inventory (
    restaurant_id, id, position, capacity, min_party_size, max_party_size, zone, seating, accessible, active,
    priority, offer, held_until_minutes, tags, label, counter, communal
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

CLEAR_ADJACENT = "DELETE FROM table_adjacencies WHERE restaurant_id = ?"

PUT_ADJACENT = "INSERT INTO table_adjacencies (restaurant_id, table_a, table_b) VALUES (?, ?, ?)"

FIND_COMBINATIONS = """
SELECT id, tables, capacity, min_party_size, max_party_size, priority
FROM table_combinations WHERE restaurant_id = ? ORDER BY position
"""

CLEAR_COMBINATIONS = "DELETE FROM table_combinations WHERE restaurant_id = ?"

PUT_COMBINATION = """
INSERT INTO table_combinations (
    restaurant_id, id, position, tables, capacity, min_party_size, max_party_size, priority
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


class StandaloneHost:
    """
    A `Host` over the tables that ``init(path, standalone=True)`` makes.

    Every commit of the store is reflected in ``bookings``: the assignment's state, and what
    that means to the guest. Nobody but the pipeline seats anyone here.

    Args:
        clock: What bookings say they were created by.
    """

    is_ours = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def check_schema(self, connection: sqlite3.Connection, where: str) -> None:
        """
        Make sure that its tables are there.

        Raises:
            SchemaMismatchError: They are not.
        """
        check_part(connection, where, STANDALONE)

    # -- Host -----------------------------------------------------------------------------------------------------

    def booking(self, connection: sqlite3.Connection, booking_id: str) -> Booking | None:
        row = cursor_of(connection).execute(FIND_BOOKING, (booking_id,)).fetchone()
        return booking_of_row(row) if row else None

    def venue(self, connection: sqlite3.Connection, restaurant_id: str, known_version: str | None) -> Venue | None:
        rows = cursor_of(connection)
        row = rows.execute(FIND_VERSION, (restaurant_id,)).fetchone()
        if row is None:
            raise VenueNotFoundError(restaurant_id)
        if row[0] == known_version:
            return None
        timezone, policy, floor, version = rows.execute(FIND_VENUE, (restaurant_id,)).fetchone()
        tables = tuple(map(_table, rows.execute(FIND_TABLES, (restaurant_id,))))
        pairs = frozenset(map(frozenset, rows.execute(FIND_ADJACENT, (restaurant_id,))))
        combinations = tuple(map(_combination, rows.execute(FIND_COMBINATIONS, (restaurant_id,))))
        known = FloorPlan(tables, pairs, combinations, **floor_parts(floor))
        return Venue(restaurant_id, timezone, known, policy_of(policy), version=version)

    def occupied(
        self,
        connection: sqlite3.Connection,  # noqa: ARG002
        restaurant_id: str,  # noqa: ARG002
        window: TimeWindow,  # noqa: ARG002
    ) -> Iterable[Occupied]:
        """See `Host.occupied`: there is nothing that the store does not know itself."""
        return ()

    def restaurants_waiting(self, connection: sqlite3.Connection) -> Iterable[str]:
        return [row[0] for row in cursor_of(connection).execute(RESTAURANTS_WAITING)]

    def unassigned(
        self,
        connection: sqlite3.Connection,
        since: dt.datetime,
        limit: int,
        *,
        restaurants: Sequence[str] | None = None,
    ) -> Iterable[Booking | UnreadableBooking]:
        rows = cursor_of(connection)
        if restaurants is None:
            return map(listed, rows.execute(UNASSIGNED, (text_of(since), limit)).fetchall())
        names = json.dumps(list(restaurants))
        return map(listed, rows.execute(UNASSIGNED_OF, (names, text_of(since), limit)).fetchall())

    def on_commit(self, connection: sqlite3.Connection, changes: Sequence[AssignmentChange]) -> None:
        """Have bookings that were passed in, and reflect how all of them stand."""
        rows = cursor_of(connection)
        for change in changes:
            record, status = change.record, change.guest_status
            if change.request:
                rows.execute(CHANGE_BOOKING, booking_facts(change.request))
            state, version, strategy = record.state.value, record.version, record.strategy
            rows.execute(TELL_BOOKING, (state, version, strategy, status, record.booking_id))
            if not rows.rowcount and record.booking is not None:
                facts = self._row(record.booking)
                stands = {"state": state, "version": version, "strategy": strategy}
                rows.execute(NEW_BOOKING, {**facts, **stands, "status": status or facts["status"]})

    # -- Keeping it -----------------------------------------------------------------------------------------------

    def put_booking(self, connection: sqlite3.Connection, booking: Booking) -> None:
        """
        Have a booking, or change it. Use it in a transaction: `SQLiteStore.write` gives you one.

        A booking that the pipeline has a record of keeps its status when it comes again as pending.
        """
        cursor_of(connection).execute(PUT_BOOKING, self._row(booking))

    def put_venue(self, connection: sqlite3.Connection, venue: Venue) -> None:
        """
        Have a restaurant, or change it: afterwards it has exactly the tables of *venue*.

        Use it in a transaction: `SQLiteStore.write` gives you one.
        """
        rows = cursor_of(connection)
        facts = (venue.id, venue.timezone, policy_text(venue.policy), floor_text(venue.floor), venue.version)
        rows.execute(PUT_VENUE, facts)
        rows.execute(CLEAR_TABLES, (venue.id,))
        rows.executemany(
            PUT_TABLE, [_table_row(venue.id, position, table) for position, table in enumerate(venue.floor.tables)]
        )
        rows.execute(CLEAR_ADJACENT, (venue.id,))
        rows.executemany(PUT_ADJACENT, sorted((venue.id, *sorted(pair)) for pair in venue.floor.adjacent))
        rows.execute(CLEAR_COMBINATIONS, (venue.id,))
        rows.executemany(
            PUT_COMBINATION,
            [_combination_row(venue.id, position, one) for position, one in enumerate(venue.floor.combinations)],
        )

    def _row(self, booking: Booking) -> dict[str, Any]:
        return {**booking_facts(booking), "created_at": text_of(self._clock.now())}


def listed(row: tuple[Any, ...]) -> Booking | UnreadableBooking:
    """A booking in a list: a row that makes no sense does not hide the others."""
    try:
        return booking_of_row(row)
    except UNREADABLE as error:
        return UnreadableBooking(id=row[0], restaurant_id=row[1], problem=str(error))


def _table(row: tuple[Any, ...]) -> Table:
    table_id, capacity, min_party, max_party, zone, seating, accessible, active, priority, *rest = row
    offer, held_until_minutes, tags, label, counter, communal = rest
    return Table(
        table_id,
        capacity,
        label=table_id if label is None else label,
        min_party_size=min_party,
        max_party_size=max_party,
        zone=zone,
        seating=seating,
        accessible=bool(accessible),
        active=bool(active),
        priority=priority,
        offer=offer,
        held_until_minutes=held_until_minutes,
        tags=frozenset(json.loads(tags)),
        counter=counter,
        communal=communal,
    )


def _table_row(restaurant_id: str, position: int, table: Table) -> tuple[Any, ...]:
    return (
        restaurant_id,
        table.id,
        position,
        table.capacity,
        table.min_party_size,
        table.max_party_size,
        table.zone,
        table.seating.value,
        table.accessible,
        table.active,
        table.priority,
        table.offer and table.offer.value,
        table.held_until_minutes,
        dumps(sorted(table.tags)),
        table.label,
        table.counter,
        table.communal,
    )


def _combination(row: tuple[Any, ...]) -> Combination:
    name, tables, capacity, min_party, max_party, priority = row
    return Combination(
        name,
        json.loads(tables),
        capacity,
        min_party_size=min_party,
        max_party_size=max_party,
        priority=priority,
    )


def _combination_row(restaurant_id: str, position: int, combination: Combination) -> tuple[Any, ...]:
    return (
        restaurant_id,
        combination.id,
        position,
        dumps(combination.tables),
        combination.capacity,
        combination.min_party_size,
        combination.max_party_size,
        combination.priority,
    )
