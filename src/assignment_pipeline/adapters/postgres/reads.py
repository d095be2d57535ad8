"""What the store reads."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import orjson

from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.postgres.codec import (
    BLOCKS,
    SEATS,
    STEPS,
    array,
    document,
    listed,
    moment_of,
    occupied_of,
    optional_text_of,
    record_of,
    text_of,
    venue_of,
    window_of,
)
from assignment_pipeline.adapters.postgres.host import FIND_BOOKING, RESTAURANTS_WAITING, UNASSIGNED_OF
from assignment_pipeline.adapters.postgres.schema import named
from assignment_pipeline.adapters.postgres.work import HostCall, Statement, Work
from assignment_pipeline.adapters.seats import sitting_at
from assignment_pipeline.adapters.venues import Venues
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import BookingUnreadableError, VenueNotFoundError
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
    read_place,
    unknown_tables,
)

LOAD = "SELECT assignment_pipeline.load(%s)"

LOAD_ALL = """
SELECT assignment_pipeline.load(query)
FROM pg_catalog.jsonb_array_elements(%s) WITH ORDINALITY AS asked(query, place) ORDER BY place
"""

LOOK = "SELECT assignment_pipeline.look(%s, %s, %s, %s, %s, %s, %s)"

TAKEN = "SELECT assignment_pipeline.taken(%s, %s, %s)::text"

ARRIVING = "SELECT pg_catalog.json_agg(a)::text FROM assignment_pipeline.arrivals(%s, %s, %s) AS a"

NOW = "SELECT pg_catalog.to_json(coalesce(%s::timestamptz, pg_catalog.now())) #>> '{}'::text[]"

KNOWS = "SELECT assignment_pipeline.knows(%s, %s, %s)"

# The condition is the one of an index. With a parameter in it, PostgreSQL would not use the index.
UNFINISHED = in_sql("""
SELECT pg_catalog.json_build_array(coalesce(%s::timestamptz, pg_catalog.now()), (
    SELECT pg_catalog.json_agg(found) FROM (
        SELECT d.* FROM (
            SELECT booking_id FROM assignment_pipeline.assignment_records
            WHERE {UNFINISHED} AND booking_id > %s
            ORDER BY booking_id LIMIT %s
        ) AS ids JOIN assignment_pipeline.record_documents d USING (booking_id) ORDER BY d.booking_id
    ) AS found
))::text
""")

PAGE = "SELECT assignment_pipeline.page(%s)"

HISTORY = with_columns("""
SELECT pg_catalog.json_agg(steps)::text FROM (
    SELECT {HISTORY}
    FROM assignment_pipeline.booking_assignment_state_history WHERE booking_id = %s ORDER BY version
) AS steps
""")

BLOCKS_SINCE = with_columns("""
SELECT pg_catalog.json_agg(blocks)::text FROM (
    SELECT {BLOCK} FROM assignment_pipeline.table_blocks
    WHERE restaurant_id = %s AND end_at > %s ORDER BY start_at, id
) AS blocks
""")

UNASSIGNED = """
SELECT pg_catalog.json_agg(pending)::text FROM (
    SELECT d.* FROM assignment_pipeline.bookings b JOIN assignment_pipeline.booking_documents d USING (id)
    WHERE b.status = 'pending' AND b.assignment_state IS NULL AND b.start_at > %s
        AND NOT EXISTS (SELECT FROM assignment_pipeline.assignment_records r WHERE r.booking_id = b.id)
    ORDER BY b.start_at, b.id LIMIT %s
) AS pending
"""

WITHOUT_RECORD = """
SELECT value FROM pg_catalog.jsonb_array_elements_text(%s) AS value
WHERE NOT EXISTS (SELECT FROM assignment_pipeline.assignment_records WHERE booking_id = value)
"""


@attrs.frozen(eq=False)
class Reads:
    """
    The reading half of the store.

    Attributes:
        host: The host's side.

        standalone: Whether that is our own, whose rows our functions read themselves.

        clock: The store's clock; None for the server's.

        schema: The schema that everything is in.

        venues: The venues that were asked for last.
    """

    host: CheckedHost
    standalone: bool
    clock: Clock | None
    schema: str
    venues: Venues = attrs.field(factory=Venues)

    def ask(self, text: str, *values: Any, commits: bool = False) -> Statement:
        """A statement with the names of our schema."""
        return Statement(named(text, self.schema), values, commits)

    def named(self, text: str, values: Mapping[str, Any]) -> Statement:
        """The same, with values by name."""
        return Statement(named(text, self.schema), values)

    def now(self) -> str | None:
        """The time that the database uses; None for its own clock."""
        return None if self.clock is None else text_of(self.clock.now())

    # -- Planning -------------------------------------------------------------------------------------------------

    def load(self, query: LoadQuery) -> Work[AssignmentContext | None]:
        venue = None if self.standalone else (yield from self.venue(query.restaurant_id))
        known = self.venues.known(query.restaurant_id)
        answer = yield from self._look(query, known)
        if answer is None:
            [(answer,)] = yield self.ask(LOAD, document(self._question(query, known)))
        return (yield from self._context(query, venue, known, orjson.loads(answer)))

    def load_all(self, queries: Sequence[LoadQuery]) -> Work[tuple[AssignmentContext | None, ...]]:
        contexts: list[AssignmentContext | None] = []
        if not self.standalone:
            for query in queries:
                context = yield from self.load(query)
                contexts.append(context)
        elif queries:
            known = [self.venues.known(query.restaurant_id) for query in queries]
            rows = yield self.ask(LOAD_ALL, document(list(map(self._question, queries, known))))
            for query, venue, (answer,) in zip(queries, known, rows, strict=True):
                context = yield from self._context(query, None, venue, orjson.loads(answer))
                contexts.append(context)
        return tuple(contexts)

    def _context(
        self, query: LoadQuery, venue: Venue | None, known: Venue | None, found: Any
    ) -> Work[AssignmentContext | None]:
        """The context, from what the database has *found*; the venue from there, too, unless it is given."""
        if venue is None:
            venue = self._venue(query.restaurant_id, known, found["venue"])
            found = found.get("found", found)
        records = self._records(query, venue, found["records"] or ())
        bookings, unreadable = yield from self._bookings(query, records, found)
        if any(key not in {*records, *bookings, *unreadable} for key in query.booking_ids):
            return None
        taken, others, arrivals = yield from self._taken(query, venue, records, bookings, found)
        return AssignmentContext(
            now=moment_of(found["now"]),
            generation=found["generation"],
            venue=venue,
            records=records,
            bookings=bookings,
            taken=(*taken, *others),
            follows=not self.standalone and self.host.follows,
            unknown_tables=unknown_tables(venue, others),
            unreadable=unreadable,
            arrivals=arrivals,
        )

    def _look(self, query: LoadQuery, known: Venue | None) -> Work[str | None]:
        """The load in one query; None if the venue or the bookings are not known, or the venue has changed."""
        if not self.standalone or known is None or query.booking_ids or query.day is not None:
            return None
        window = query.window(known, {}, {})
        if window is None:
            return None
        span = (text_of(window.start), text_of(window.end), bool(known.policy.pacing))
        [(answer,)] = yield self.ask(LOOK, query.restaurant_id, known.version, self.now(), array(query.ids), *span)
        found: str | None = answer
        return found

    def _question(self, query: LoadQuery, known: Venue | None) -> dict[str, Any]:
        given = {booking.id for booking in query.bookings}
        return {
            "restaurant_id": query.restaurant_id,
            "standalone": self.standalone,
            "now": self.now(),
            "known_version": known.version if known else None,
            "ids": query.ids,
            "given": [
                {
                    "start_at": text_of(booking.start_at),
                    "end_at": optional_text_of(booking.end_at),
                    "party_size": booking.party_size,
                }
                for booking in query.bookings
            ],
            "named": [key for key in query.booking_ids if key not in given],
            "day_start": text_of(query.day.start) if query.day else None,
            "day_end": text_of(query.day.end) if query.day else None,
        }

    def _venue(self, restaurant_id: str, known: Venue | None, found: Any) -> Venue:
        if found is None:
            raise VenueNotFoundError(restaurant_id)
        if known is not None and found == known.version:
            return known
        venue = venue_of(found)
        self.venues.keep(venue)
        return venue

    @staticmethod
    def _records(query: LoadQuery, venue: Venue, rows: Iterable[Any]) -> dict[str, AssignmentRecord]:
        ids = set(query.ids)
        records = {row["booking_id"]: record_of(row) for row in rows}
        return {key: record for key, record in records.items() if key in ids or query.is_of_day(venue, record)}

    def _bookings(
        self, query: LoadQuery, records: dict[str, AssignmentRecord], found: Any
    ) -> Work[tuple[dict[str, Booking], frozenset[str]]]:
        bookings: dict[str, Booking] = {}
        unreadable: set[str] = set()
        wanted = query.asked_of_host(records)
        if self.standalone:
            for row in found["bookings"] or ():
                booking = listed(row)
                if isinstance(booking, UnreadableBooking):
                    unreadable.add(booking.id)
                else:
                    bookings[booking.id] = booking
            bookings = {key: booking for key, booking in bookings.items() if key in wanted}
        else:
            for key in sorted(wanted):
                try:
                    answer = yield HostCall(self.host.booking, (key,))
                except BookingUnreadableError:
                    unreadable.add(key)
                    continue
                if answer is not None:
                    bookings[key] = answer
        return bookings, frozenset(unreadable)

    def _taken(
        self,
        query: LoadQuery,
        venue: Venue,
        records: dict[str, AssignmentRecord],
        bookings: dict[str, Booking],
        found: Any,
    ) -> Work[tuple[list[Occupied], tuple[Occupied, ...], tuple[ArrivingParty, ...]]]:
        """What we have written, what the host has, and, where the policy has pacing, who arrives."""
        if self.standalone:
            seats = list(_seats_and_blocks(found["taken"], moment_of(found["now"])))
            return seats, (), _arrivals(found["arrivals"])
        window = query.window(venue, records, bookings)
        if window is None:
            return [], (), ()
        times = (text_of(window.start), text_of(window.end))
        [(answer,)] = yield self.ask(TAKEN, venue.id, *times)
        arriving = "[]"
        if venue.policy.pacing:
            [(arriving,)] = yield self.ask(ARRIVING, venue.id, *times)
        others = yield HostCall(self.host.occupied, (venue.id, window))
        seats = list(_seats_and_blocks(json.loads(answer), moment_of(found["now"])))
        return seats, others, _arrivals(json.loads(arriving or "[]"))

    def venue(self, restaurant_id: str, *, seats: bool = False) -> Work[Venue]:
        """
        The host's venue, as the transaction sees it.

        Args:
            seats: Whether somebody is being seated there: its tables are read then, whatever its version says.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        asked = self.venues.version(restaurant_id, seats=seats and not self.host.is_ours)
        venue: Venue | None = yield HostCall(self.host.venue, (restaurant_id, asked))
        if venue is None:
            venue = self.venues.known(restaurant_id) if asked is not None else None
        else:
            self.venues.keep(venue)
        if venue is None:  # Only a host that takes None for a version would say so.
            raise VenueNotFoundError(restaurant_id)
        return venue

    # -- Looking up -----------------------------------------------------------------------------------------------

    def knows(self, change: AssignmentChange) -> Work[bool]:
        record = change.record
        [(landed,)] = yield self.ask(KNOWS, record.restaurant_id, record.booking_id, change.id)
        return bool(landed)

    def records(self, query: RecordQuery) -> Work[RecordPage]:
        limit = max(query.limit, 0)
        place = read_place(query.after) if query.reviews else None
        facts = {
            "now": self.now(),
            "reviews": query.reviews,
            "behind_arrival": text_of(place[0]) if place else None,
            "behind_id": place[1] if place else None,
            "restaurant_id": query.restaurant_id,
            "states": [state.value for state in query.states],
            "booking_ids": query.booking_ids,
            "after": query.after,
            "sitting": query.sitting,
            "limit": limit + 1,
        }
        if query.unfinished:
            [(answer,)] = yield self.ask(UNFINISHED, self.now(), query.after or "", limit + 1)
        else:
            [(answer,)] = yield self.ask(PAGE, document(facts))
        now, rows = json.loads(answer)
        found = [record_of(row) for row in rows or ()]
        page = tuple(found[:limit])
        more = None
        if page and len(found) > limit:
            more = place_in_queue(page[-1]) if query.reviews else page[-1].booking_id
        return RecordPage(now=moment_of(now), records=page, next=more)

    def history(self, booking_id: str) -> Work[tuple[StateChange, ...]]:
        [(answer,)] = yield self.ask(HISTORY, booking_id)
        return tuple(map(STEPS.named_value, json.loads(answer or "[]")))

    def blocked(self, restaurant_id: str, since: dt.datetime) -> Work[tuple[TableBlock, ...]]:
        [(answer,)] = yield self.ask(BLOCKS_SINCE, restaurant_id, text_of(since))
        return tuple(map(BLOCKS.named_value, json.loads(answer or "[]")))

    def booking(self, booking_id: str) -> Work[Booking | None]:
        if not self.standalone:
            found: Booking | None = yield HostCall(self.host.booking, (booking_id,))
            return found
        rows = yield self.ask(FIND_BOOKING, booking_id)
        if not rows:
            return None
        row = listed(json.loads(rows[0][0]))
        if isinstance(row, UnreadableBooking):
            raise BookingUnreadableError(booking_id, row.problem)
        return row

    def waiting(self) -> Work[Waiting]:
        found: tuple[str, ...] | None = None
        if self.standalone:
            found = tuple(row[0] for row in (yield self.ask(RESTAURANTS_WAITING)))
        elif self.host.knows_restaurants:
            found = yield HostCall(self.host.restaurants_waiting)
        [(now,)] = yield self.ask(NOW, self.now())
        return Waiting(now=moment_of(now), restaurants=found)

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> Work[tuple[Booking | UnreadableBooking, ...]]:
        """
        See `AssignmentStore.unassigned`.

        A host may not know which bookings have a record: it is asked for ever more until
        enough of them have none, or it has no more.
        """
        if self.standalone:
            if restaurants is not None:
                most = max(limit, 0)
                rows = yield self.ask(UNASSIGNED_OF, array(restaurants), text_of(since), most, most)
                return tuple(listed(json.loads(row)) for (row,) in rows)
            [(answer,)] = yield self.ask(UNASSIGNED, text_of(since), max(limit, 0))
            return tuple(map(listed, json.loads(answer or "[]")))
        asked = limit
        seen = -1
        while limit > 0:
            pending = yield HostCall(self.host.unassigned, (since, asked, restaurants))
            ids = document([booking.id for booking in pending])
            without = {row[0] for row in (yield self.ask(WITHOUT_RECORD, ids))}
            found = [booking for booking in pending if booking.id in without]
            if len(found) >= limit or len(pending) < asked or len(pending) <= seen:
                return tuple(found[:limit])
            seen = len(pending)
            asked *= 2
        return ()


def _arrivals(rows: Iterable[Mapping[str, Any]] | None) -> tuple[ArrivingParty, ...]:
    return tuple(ArrivingParty(**{**row, "start_at": moment_of(row["start_at"])}) for row in rows or ())


def _seats_and_blocks(taken: Any, now: dt.datetime) -> Iterator[Occupied]:
    """What is taken. A party that sits keeps its tables for another time than is written of them."""
    if taken is None:
        return
    seats, blocks, present = taken
    sitting = [seat for row in present or () if (seat := sitting_at(SEATS.value(row), now)) is not None]
    known = {(seat.table_id, seat.booking_id) for seat in sitting}
    for row in zip(*(column or () for column in seats), strict=True):
        seat = occupied_of(*row)
        if (seat.table_id, seat.booking_id) not in known:
            yield seat
    yield from sitting
    for table_id, start, end, reason in blocks or ():
        yield Occupied(table_id=table_id, window=window_of(start, end), reason=reason)
