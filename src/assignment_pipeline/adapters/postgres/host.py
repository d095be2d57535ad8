"""A host that keeps its bookings and venues in tables of ours."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import psycopg

from assignment_pipeline.adapters.as_json import floor_text, policy_text
from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.postgres.codec import (
    array,
    booking_facts,
    booking_of,
    document,
    listed,
    text_of,
    venue_of,
)
from assignment_pipeline.adapters.postgres.schema import SCHEMA, named
from assignment_pipeline.adapters.postgres.work import Statement, Work, arun, run
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import Clock, Occupied, UnreadableBooking

T = TypeVar("T")

FIND_BOOKING = "SELECT pg_catalog.to_json(d)::text FROM assignment_pipeline.booking_documents d WHERE id = %s"

# An enqueued booking has a state. The store leaves out the others that have a record.
UNASSIGNED = """
SELECT pg_catalog.to_json(d)::text
FROM assignment_pipeline.bookings b JOIN assignment_pipeline.booking_documents d USING (id)
WHERE b.status = 'pending' AND b.assignment_state IS NULL AND b.start_at > %s
ORDER BY b.start_at, b.id LIMIT %s
"""

# Reads one row of each restaurant, by the first column of the index.
RESTAURANTS_WAITING = """
WITH RECURSIVE names AS (
    (
        SELECT restaurant_id FROM assignment_pipeline.bookings
        WHERE status = 'pending' AND assignment_state IS NULL ORDER BY restaurant_id LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT b.restaurant_id FROM assignment_pipeline.bookings b
        WHERE b.status = 'pending' AND b.assignment_state IS NULL AND b.restaurant_id > names.restaurant_id
        ORDER BY b.restaurant_id LIMIT 1
    )
    FROM names WHERE names.restaurant_id IS NOT NULL
)
SELECT restaurant_id FROM names WHERE restaurant_id IS NOT NULL
"""

UNASSIGNED_OF = """
SELECT pg_catalog.to_json(d)::text
FROM (SELECT DISTINCT pg_catalog.unnest(%s::text[]) AS id) AS r
CROSS JOIN LATERAL (
    SELECT b.id, b.start_at FROM assignment_pipeline.bookings b
    WHERE b.restaurant_id = r.id AND b.status = 'pending' AND b.assignment_state IS NULL AND b.start_at > %s
        AND NOT EXISTS (SELECT FROM assignment_pipeline.assignment_records a WHERE a.booking_id = b.id)
    ORDER BY b.start_at, b.id LIMIT %s
) AS found
JOIN assignment_pipeline.booking_documents d ON d.id = found.id
ORDER BY found.start_at, found.id LIMIT %s
"""

# A booking that comes again as pending keeps its status: the status is the result of its assignment.
PUT_BOOKING = with_columns("""
INSERT INTO assignment_pipeline.bookings AS b ({STORED_BOOKING}, created_at)
SELECT {BOOKING}, %s FROM pg_catalog.jsonb_to_record(%s) AS n({TYPED_BOOKING})
ON CONFLICT (id) DO UPDATE SET
    {EXCLUDED_BOOKING},
    status = CASE
        WHEN excluded.status = 'pending'
            AND EXISTS (SELECT FROM assignment_pipeline.assignment_records r WHERE r.booking_id = excluded.id)
        THEN b.status ELSE excluded.status END
""")

CHANGE_BOOKING = with_columns("""
UPDATE assignment_pipeline.bookings SET {p.SET_REQUEST}
FROM pg_catalog.jsonb_to_record(%s) AS p({TYPED_BOOKING}) WHERE bookings.id = p.id
""")

TELL_BOOKING = """
UPDATE assignment_pipeline.bookings SET assignment_state = %s, assignment_state_version = %s, assignment_strategy = %s,
    status = coalesce(%s, status)
WHERE id = %s RETURNING id
"""

FIND_VERSION = "SELECT version FROM assignment_pipeline.restaurants WHERE id = %s"

FIND_VENUE = "SELECT pg_catalog.to_json(v)::text FROM assignment_pipeline.venue_documents v WHERE id = %s"

PUT_VENUE = """
INSERT INTO assignment_pipeline.restaurants (id, timezone, policy, floor, version) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET
    timezone = excluded.timezone, policy = excluded.policy, floor = excluded.floor, version = excluded.version
"""

CLEAR_FLOOR = (
    "DELETE FROM assignment_pipeline.table_inventory WHERE restaurant_id = %s",
    "DELETE FROM assignment_pipeline.table_adjacencies WHERE restaurant_id = %s",
    "DELETE FROM assignment_pipeline.table_combinations WHERE restaurant_id = %s",
)

# Each table's rows as one JSON document: one statement, however many there are.
PUT_FLOOR = tuple(
    f"INSERT INTO assignment_pipeline.{table}"  # noqa: S608 - the names are ours
    f" SELECT * FROM pg_catalog.jsonb_populate_recordset(NULL::assignment_pipeline.{table}, %s)"
    for table in ("table_inventory", "table_adjacencies", "table_combinations")
)


class _Standalone:
    """What both hosts are made of."""

    is_ours = True

    def __init__(self, clock: Clock | None = None, *, schema: str = SCHEMA) -> None:
        self._clock = clock or SystemClock()
        self._schema = schema

    def _ask(self, text: str, *values: Any) -> Statement:
        return Statement(named(text, self._schema), values)

    def _booking(self, booking_id: str) -> Work[Booking | None]:
        rows = yield self._ask(FIND_BOOKING, booking_id)
        return booking_of(json.loads(rows[0][0])) if rows else None

    def _venue(self, restaurant_id: str, known_version: str | None) -> Work[Venue | None]:
        rows = yield self._ask(FIND_VERSION, restaurant_id)
        if not rows:
            raise VenueNotFoundError(restaurant_id)
        if rows[0][0] == known_version:
            return None
        [(answer,)] = yield self._ask(FIND_VENUE, restaurant_id)
        return venue_of(json.loads(answer))

    def _restaurants_waiting(self) -> Work[list[str]]:
        return [row[0] for row in (yield self._ask(RESTAURANTS_WAITING))]

    def _unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None
    ) -> Work[list[Booking | UnreadableBooking]]:
        if restaurants is None:
            rows = yield self._ask(UNASSIGNED, text_of(since), limit)
        else:
            rows = yield self._ask(UNASSIGNED_OF, array(restaurants), text_of(since), limit, limit)
        return [listed(json.loads(row)) for (row,) in rows]

    def _reflect(self, changes: Sequence[AssignmentChange]) -> Work[None]:
        for change in changes:
            record = change.record
            if change.request is not None:
                yield self._ask(CHANGE_BOOKING, document(booking_facts(change.request)))
            facts = (record.state.value, record.version, record.strategy, change.guest_status, record.booking_id)
            if not (yield self._ask(TELL_BOOKING, *facts)) and record.booking is not None:
                yield from self._put_booking(record.booking)
                yield self._ask(TELL_BOOKING, *facts)

    def _put_booking(self, booking: Booking) -> Work[None]:
        created_at = text_of(self._clock.now())
        yield self._ask(PUT_BOOKING, created_at, document(booking_facts(booking)))

    def _put_venue(self, venue: Venue) -> Work[None]:
        policy, floor = policy_text(venue.policy), floor_text(venue.floor)
        yield self._ask(PUT_VENUE, venue.id, venue.timezone, policy, floor, venue.version)
        for statement in CLEAR_FLOOR:
            yield self._ask(statement, venue.id)
        for statement, rows in zip(PUT_FLOOR, _floor_rows(venue), strict=True):
            if rows:
                yield self._ask(statement, document(rows))


class StandaloneHost(_Standalone):
    """
    A `Host` over the tables that ``init(conninfo, standalone=True)`` makes.

    Every commit of the store is reflected in ``bookings``: the assignment's state, and what
    that means to the guest. Nobody but the pipeline seats anyone here. The store reads and writes these tables in its
    own statements, which costs no round trip; a subclass is asked as any host is.

    Args:
        clock: What bookings say they were created by.

        schema: The schema that the tables are in.
    """

    def booking(self, connection: psycopg.Connection[Any], booking_id: str) -> Booking | None:
        return _do(self._booking(booking_id), connection)

    def venue(self, connection: psycopg.Connection[Any], restaurant_id: str, known_version: str | None) -> Venue | None:
        return _do(self._venue(restaurant_id, known_version), connection)

    def occupied(
        self,
        connection: psycopg.Connection[Any],  # noqa: ARG002
        restaurant_id: str,  # noqa: ARG002
        window: TimeWindow,  # noqa: ARG002
    ) -> Iterable[Occupied]:
        """See `Host.occupied`: there is nothing that the store does not know itself."""
        return ()

    def restaurants_waiting(self, connection: psycopg.Connection[Any]) -> Iterable[str]:
        return _do(self._restaurants_waiting(), connection)

    def unassigned(
        self,
        connection: psycopg.Connection[Any],
        since: dt.datetime,
        limit: int,
        *,
        restaurants: Sequence[str] | None = None,
    ) -> Iterable[Booking | UnreadableBooking]:
        return _do(self._unassigned(since, limit, restaurants), connection)

    def on_commit(self, connection: psycopg.Connection[Any], changes: Sequence[AssignmentChange]) -> None:
        """Have bookings that were passed in, and reflect how all of them stand."""
        _do(self._reflect(changes), connection)

    def put_booking(self, connection: psycopg.Connection[Any], booking: Booking) -> None:
        """
        Have a booking, or change it. Use it in a transaction: `PostgresStore.write` gives you one.

        A booking that the pipeline has a record of keeps its status when it comes again as pending.
        """
        _do(self._put_booking(booking), connection)

    def put_venue(self, connection: psycopg.Connection[Any], venue: Venue) -> None:
        """
        Have a restaurant, or change it: afterwards it has exactly the tables of *venue*.

        Use it in a transaction: `PostgresStore.write` gives you one.
        """
        _do(self._put_venue(venue), connection)


class AsyncStandaloneHost(_Standalone):
    """`StandaloneHost`, for `AsyncPostgresStore`."""

    async def booking(self, connection: psycopg.AsyncConnection[Any], booking_id: str) -> Booking | None:
        return await _ado(self._booking(booking_id), connection)

    async def venue(
        self, connection: psycopg.AsyncConnection[Any], restaurant_id: str, known_version: str | None
    ) -> Venue | None:
        return await _ado(self._venue(restaurant_id, known_version), connection)

    async def occupied(
        self,
        connection: psycopg.AsyncConnection[Any],  # noqa: ARG002
        restaurant_id: str,  # noqa: ARG002
        window: TimeWindow,  # noqa: ARG002
    ) -> Iterable[Occupied]:
        return ()

    async def restaurants_waiting(self, connection: psycopg.AsyncConnection[Any]) -> Iterable[str]:
        return await _ado(self._restaurants_waiting(), connection)

    async def unassigned(
        self,
        connection: psycopg.AsyncConnection[Any],
        since: dt.datetime,
        limit: int,
        *,
        restaurants: Sequence[str] | None = None,
    ) -> Iterable[Booking | UnreadableBooking]:
        return await _ado(self._unassigned(since, limit, restaurants), connection)

    async def on_commit(self, connection: psycopg.AsyncConnection[Any], changes: Sequence[AssignmentChange]) -> None:
        await _ado(self._reflect(changes), connection)

    async def put_booking(self, connection: psycopg.AsyncConnection[Any], booking: Booking) -> None:
        await _ado(self._put_booking(booking), connection)

    async def put_venue(self, connection: psycopg.AsyncConnection[Any], venue: Venue) -> None:
        await _ado(self._put_venue(venue), connection)


def is_all_in_sql(host: object) -> bool:
    """Whether our own SQL functions can do all that *host* does."""
    return type(host) in {StandaloneHost, AsyncStandaloneHost}


def _do(work: Work[T], connection: psycopg.Connection[Any]) -> T:
    return run(work, connection, None)


async def _ado(work: Work[T], connection: psycopg.AsyncConnection[Any]) -> T:
    return await arun(work, connection, None)


def _floor_rows(venue: Venue) -> tuple[list[dict[str, Any]], ...]:
    floor = venue.floor
    tables = [
        {
            "restaurant_id": venue.id,
            "id": table.id,
            "position": position,
            "capacity": table.capacity,
            "min_party_size": table.min_party_size,
            "max_party_size": table.max_party_size,
            "zone": table.zone,
            "seating": table.seating.value,
            "accessible": table.accessible,
            "active": table.active,
            "priority": table.priority,
            "offer": table.offer and table.offer.value,
            "held_until_minutes": table.held_until_minutes,
            "tags": sorted(table.tags),
            "label": table.label,
            "counter": table.counter,
            "communal": table.communal,
        }
        for position, table in enumerate(floor.tables)
    ]
    pairs = sorted(sorted(pair) for pair in floor.adjacent)
    adjacent = [{"restaurant_id": venue.id, "table_a": one, "table_b": other} for one, other in pairs]
    combinations = [
        {
            "restaurant_id": venue.id,
            "id": one.id,
            "position": position,
            "tables": one.tables,
            "capacity": one.capacity,
            "min_party_size": one.min_party_size,
            "max_party_size": one.max_party_size,
            "priority": one.priority,
        }
        for position, one in enumerate(floor.combinations)
    ]
    return tables, adjacent, combinations
