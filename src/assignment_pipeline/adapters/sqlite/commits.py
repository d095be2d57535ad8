"""What the store writes, on a connection whose transaction somebody else has opened."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from assignment_pipeline.adapters.as_json import dumps
from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.seats import seats_of
from assignment_pipeline.adapters.sqlite.codec import (
    ATTEMPTS,
    SEATS,
    STEPS,
    Row,
    booking_of,
    event_row,
    optional_moment_of,
    record_row,
    text_of,
)
from assignment_pipeline.adapters.sqlite.last_look import LastLook
from assignment_pipeline.adapters.sqlite.opening import HookError, cursor_of
from assignment_pipeline.adapters.sqlite.reads import (
    Reads,
    arrivals,
    blocks,
    find_records,
    generation,
    seats_in,
    sitting,
)
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, in_order, sat_at_twice
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import StaleRecordError, TableConflictError, VenueNotFoundError
from assignment_pipeline.ports import (
    CLAIM,
    MOST_DUE,
    WOKEN_WITHIN,
    Due,
    Occupied,
    alone,
    check_caps,
    woken_at,
)

LONGEST_SLOT_AND_BUFFER = dt.timedelta(hours=30)
LONGEST_SLOT_TURN_AND_BUFFER = dt.timedelta(hours=54)

GIVE_UP = "DELETE FROM booking_table_assignments WHERE booking_id = ?"

TAKE = with_columns("INSERT INTO booking_table_assignments ({SEAT}) VALUES ({?SEAT})")

WRITE_RECORD = with_columns("""
INSERT INTO assignment_records ({RECORD}, start_at, created_at, updated_at) VALUES ({?RECORD}, ?, ?, ?)
ON CONFLICT (booking_id) DO UPDATE SET
    ({RECORD_BESIDES_KEY}, start_at, updated_at)
    = ({excluded.RECORD_BESIDES_KEY}, excluded.start_at, excluded.updated_at)
""")

WRITE_STEP = with_columns("""
INSERT INTO booking_assignment_state_history (booking_id, restaurant_id, change_id, {HISTORY})
VALUES (?, ?, ?, {?HISTORY})
""")

# A change without steps leaves the version as it is, so that its id has to keep it from being committed again.
FIND_STEPLESS = "SELECT 1 FROM assignment_stepless_changes WHERE change_id = ?"

WRITE_STEPLESS = "INSERT INTO assignment_stepless_changes (change_id, booking_id, created_at) VALUES (?, ?, ?)"

WRITE_ATTEMPT = with_columns("""
INSERT INTO booking_assignment_attempts (booking_id, restaurant_id, {ATTEMPT}) VALUES (?, ?, {?ATTEMPT})
""")

# An event may be told twice: its id is the same then.
WRITE_EVENT = with_columns("""
INSERT INTO observability_events ({EVENT}) VALUES ({?EVENT})
ON CONFLICT (created_at, id) DO NOTHING
""")

# Who waits near what was freed; which of them it helps, only the venue's buffers and turns tell.
WAITING = in_sql("""
SELECT booking_id, booking, deliveries, next_attempt_at
FROM assignment_records INDEXED BY assignment_records_waiting
WHERE restaurant_id = ? AND start_at > ? AND start_at < ?
    AND owner = 'pipeline' AND state IN ({WAKEABLE})
    AND (state = {ASSIGNMENT_PENDING} OR reason IN ({WAITS_FOR_TABLES}))
""")

WAKE = "UPDATE assignment_records SET next_attempt_at = ? WHERE booking_id = ?"

ANY_READY = in_sql("""
SELECT 1 FROM assignment_records INDEXED BY assignment_records_due
WHERE (owner = 'pipeline' OR state = {ASSIGNMENT_IN_PROGRESS}) AND next_attempt_at <= ? LIMIT 1
""")

# Restaurants take turns; at one restaurant, expired holds come first, and then the order that is asked for. See
# `domain.wake_order.in_turn`.
READY = in_sql("""
SELECT booking_id, deliveries FROM (
    SELECT booking_id, deliveries, next_attempt_at, row_number() OVER (
        PARTITION BY restaurant_id
        ORDER BY
            state <> {ASSIGNED},
            CASE :order
                WHEN 'soonest_arrival' THEN coalesce(start_at, '9999')
                WHEN 'largest_party' THEN -coalesce(json_extract(booking, '$.party_size'), 0)
            END,
            coalesce(waiting_since, ''), next_attempt_at, booking_id
    ) AS turn
    FROM (
        SELECT * FROM assignment_records INDEXED BY assignment_records_due
        WHERE (owner = 'pipeline' OR state = {ASSIGNMENT_IN_PROGRESS}) AND next_attempt_at <= :now
        ORDER BY next_attempt_at, booking_id LIMIT :most
    )
)
ORDER BY turn, next_attempt_at, booking_id LIMIT :limit
""")

# A claim that ends later than any claim can was made by a clock that was ahead.
AHEAD = in_sql("""
SELECT booking_id FROM assignment_records INDEXED BY assignment_records_claimed
WHERE deliveries > 0 AND next_attempt_at > ? AND (owner = 'pipeline' OR state = {ASSIGNMENT_IN_PROGRESS})
""")

CLAIM_READY = """
UPDATE assignment_records SET next_attempt_at = ?, deliveries = deliveries + 1
WHERE booking_id IN (SELECT value FROM json_each(?))
RETURNING booking_id, restaurant_id, deliveries, version
"""


# What `ports.Due.given_back` says.
PUT_BACK = """
UPDATE assignment_records SET
    next_attempt_at =
        CASE WHEN next_attempt_at >= :until AND next_attempt_at < :woken THEN :due ELSE next_attempt_at END,
    deliveries = deliveries - 1
WHERE booking_id = :booking_id AND version = :version AND (
    deliveries > :deliveries OR (deliveries > 0 AND next_attempt_at >= :until AND next_attempt_at < :woken)
)
"""


@attrs.frozen
class _Taken:
    """Tables for a time at which a booking did not have them before."""

    booking_id: str
    restaurant_id: str
    tables: frozenset[str]
    window: TimeWindow


@attrs.frozen(eq=False)
class Commits:
    """
    The writing half of the store.

    Attributes:
        reads: The reading half.
    """

    reads: Reads

    def commit(
        self, connection: sqlite3.Connection, changes: Sequence[AssignmentChange], known: LastLook | None = None
    ) -> LastLook | None:
        """
        See `AssignmentStore.commit`.

        Args:
            known: What is known in this transaction: it is not read again.

        Returns:
            What of that is known behind the commit.
        """
        ordered = in_order(changes)
        rows = cursor_of(connection)
        look = known if known is not None and known.covers(ordered) else None
        booking_ids = [change.record.booking_id for change in ordered]
        before = _among(look.records, booking_ids) if look else find_records(rows, booking_ids)
        after = self._check(connection, rows, ordered, before, look)
        check_caps(ordered, partial(arrivals, rows))
        now = self.reads.clock.now()
        taken = [new for booking_id, record in after.items() for new in _taken(before.get(booking_id), record)]
        behind = known.after(after) if known is not None else None
        if look and behind:
            contested = _contested(taken, behind.taken)
        else:  # The host is asked before anything is written, for it may leave out what it finds among our seats.
            contested = self._contested_by_others(connection, rows, taken)
        if before:
            rows.executemany(GIVE_UP, [(booking_id,) for booking_id in before])
        rows.executemany(TAKE, [SEATS.row(seat) for record in after.values() for seat in seats_of(record)])
        if not look:
            contested |= _contested_by_us(rows, taken)
        contested |= _contested_by_sitting(rows, taken, after, now)
        if contested:
            raise TableConflictError(tuple(sorted(contested)))
        self._write(rows, ordered, after, now)
        self.wake(connection, _freed(before, after, now), now, besides=after)
        self._call_hooks(connection, ordered)
        return behind if self.reads.host.on_commit is None else None  # Code that was given may write anything.

    def _check(
        self,
        connection: sqlite3.Connection,
        rows: sqlite3.Cursor,
        changes: Sequence[AssignmentChange],
        before: Mapping[str, AssignmentRecord],
        look: LastLook | None,
    ) -> dict[str, AssignmentRecord]:
        """Refuse what was decided on something older than what is there; else the records as they will be."""
        after: dict[str, AssignmentRecord] = {}
        venues: dict[str, Venue] = {}
        seating = {change.record.restaurant_id for change in changes if change.seats}
        found: Mapping[str, Booking]
        if look:
            venues[look.venue.id] = look.venue
            in_force, found = look.generation, look.bookings
        else:
            in_force = generation(rows)
            guarded = [change.record.booking_id for change in changes if change.preconditions is not None]
            found, _ = self.reads.bookings(connection, guarded)
        for change in changes:
            booking_id, restaurant_id = change.record.booking_id, change.record.restaurant_id
            current = before.get(booking_id)
            change.check_version(current)
            if not change.steps and rows.execute(FIND_STEPLESS, (change.id,)).fetchone():
                raise StaleRecordError(booking_id, "version")
            if change.preconditions is not None:
                if restaurant_id not in venues:
                    venues[restaurant_id] = self._venue(connection, change, seats=restaurant_id in seating)
                venue = venues[restaurant_id]
                change.check_preconditions(current, found.get(booking_id), venue.version, in_force)
                change.check_floor(venue.floor.positions)
            after[booking_id] = change.record
        return after

    def _venue(self, connection: sqlite3.Connection, change: AssignmentChange, *, seats: bool) -> Venue:
        try:
            return self.reads.venue(connection, change.record.restaurant_id, seats=seats)
        except VenueNotFoundError as error:
            raise StaleRecordError(change.record.booking_id, "venue") from error

    def _contested_by_others(
        self, connection: sqlite3.Connection, rows: sqlite3.Cursor, taken: Iterable[_Taken]
    ) -> set[str]:
        """The tables among *taken* that the staff has blocked or the host has given away."""
        contested: set[str] = set()
        by_restaurant: defaultdict[str, list[_Taken]] = defaultdict(list)
        for new in taken:
            by_restaurant[new.restaurant_id].append(new)
        for restaurant_id, wanted in by_restaurant.items():
            around = TimeWindow.around([new.window for new in wanted])
            others = (
                *blocks(rows, restaurant_id, around),
                *self.reads.host.occupied(connection, restaurant_id, around),
            )
            contested |= _contested(wanted, others)
        return contested

    def _write(
        self,
        rows: sqlite3.Cursor,
        changes: Sequence[AssignmentChange],
        after: Mapping[str, AssignmentRecord],
        now: dt.datetime,
    ) -> None:
        written_at = text_of(now)
        rows.executemany(WRITE_RECORD, [(*record_row(record), written_at, written_at) for record in after.values()])
        rows.executemany(WRITE_STEP, [row for change in changes for row in _step_rows(change)])
        stepless = [(change.id, change.record.booking_id, written_at) for change in changes if not change.steps]
        if stepless:
            rows.executemany(WRITE_STEPLESS, stepless)
        rows.executemany(WRITE_ATTEMPT, [row for change in changes for row in _attempt_rows(change)])
        rows.executemany(WRITE_EVENT, [event_row(event) for change in changes for event in change.events])

    def wake(
        self,
        connection: sqlite3.Connection,
        freed: Mapping[str, set[TimeWindow]],
        now: dt.datetime,
        *,
        besides: Collection[str] = (),
    ) -> None:
        """Make due what waits, the bookings in *besides* apart, for tables that came free at a restaurant."""
        rows = cursor_of(connection)
        for restaurant_id, windows in freed.items():
            waiting = self._waiting(connection, rows, restaurant_id, windows)
            rows.executemany(
                WAKE,
                [
                    (text_of(woken_at(deliveries, optional_moment_of(due), now)), booking_id)
                    for booking_id, deliveries, due in waiting
                    if booking_id not in besides
                ],
            )

    def _waiting(
        self, connection: sqlite3.Connection, rows: sqlite3.Cursor, restaurant_id: str, windows: set[TimeWindow]
    ) -> list[tuple[str, int, str | None]]:
        """Who waits for tables that came free: each booking with its deliveries, and when it is due."""
        around = TimeWindow.around(windows)
        earliest, latest = around.start - LONGEST_SLOT_TURN_AND_BUFFER, around.end + LONGEST_SLOT_AND_BUFFER
        near = rows.execute(WAITING, (restaurant_id, text_of(earliest), text_of(latest))).fetchall()
        if not near:
            return []
        try:
            venue = self.reads.venue(connection, restaurant_id)
        except VenueNotFoundError:
            return [(booking_id, deliveries, due) for booking_id, _, deliveries, due in near]
        found = []
        for booking_id, text, deliveries, due in near:
            booking = booking_of(text)
            wanted = venue.wanted(booking) if booking else around
            if any(wanted.overlaps(window) for window in windows):
                found.append((booking_id, deliveries, due))
        return found

    def _call_hooks(self, connection: sqlite3.Connection, changes: Sequence[AssignmentChange]) -> None:
        for call in self.reads.host.calls(changes):
            try:
                call(connection)
            except BaseException as error:
                raise HookError(error) from error

    def tell(self, connection: sqlite3.Connection, events: Sequence[Sequence[Any]]) -> None:
        """Write the rows of events that no commit carries."""
        cursor_of(connection).executemany(WRITE_EVENT, events)

    def any_due(self, connection: sqlite3.Connection) -> bool:
        """Whether there is anything to claim."""
        rows = cursor_of(connection)
        now = self.reads.clock.now()
        ready = rows.execute(ANY_READY, (text_of(now),)).fetchone()
        return ready is not None or rows.execute(AHEAD, (text_of(now + 2 * CLAIM),)).fetchone() is not None

    def due(self, connection: sqlite3.Connection, limit: int, order: WakeOrder) -> tuple[Due, ...]:
        rows = cursor_of(connection)
        now = self.reads.clock.now()
        ahead = rows.execute(AHEAD, (text_of(now + 2 * CLAIM),)).fetchall()
        rows.executemany(WAKE, [(text_of(now), booking_id) for (booking_id,) in ahead])
        asked = {"now": text_of(now), "order": order.value, "most": MOST_DUE, "limit": max(limit, 0)}
        ready = alone(rows.execute(READY, asked).fetchall())
        until = now + CLAIM
        claimed = {
            booking_id: Due(
                booking_id=booking_id, restaurant_id=restaurant_id, deliveries=deliveries, version=version, until=until
            )
            for booking_id, restaurant_id, deliveries, version in rows.execute(
                CLAIM_READY, (text_of(until), dumps(ready))
            )
        }
        return tuple(claimed[booking_id] for booking_id in ready)

    def put_back(self, connection: sqlite3.Connection, claims: Sequence[Due], after: dt.timedelta) -> None:
        due = text_of(self.reads.clock.now() + min(after, CLAIM))
        values = [
            {
                "booking_id": one.booking_id,
                "deliveries": one.deliveries,
                "version": one.version,
                "until": text_of(one.until),
                "woken": text_of(one.until + WOKEN_WITHIN),
                "due": due,
            }
            for one in claims
        ]
        cursor_of(connection).executemany(PUT_BACK, values)


def _among(records: Mapping[str, AssignmentRecord], booking_ids: Iterable[str]) -> dict[str, AssignmentRecord]:
    """Those of *records* that are of these bookings."""
    return {booking_id: records[booking_id] for booking_id in booking_ids if booking_id in records}


def _freed(
    before: Mapping[str, AssignmentRecord], after: Mapping[str, AssignmentRecord], now: dt.datetime
) -> dict[str, set[TimeWindow]]:
    """The times at which tables are given up, by restaurant."""
    freed: defaultdict[str, set[TimeWindow]] = defaultdict(set)
    for booking_id, record in before.items():
        for window in record.freed_for(after[booking_id], now):
            freed[record.restaurant_id].add(window)
    return freed


def _taken(before: AssignmentRecord | None, after: AssignmentRecord) -> list[_Taken]:
    new: defaultdict[TimeWindow, set[str]] = defaultdict(set)
    for table_id, window in after.taking(before):
        new[window].add(table_id)
    return [_Taken(after.booking_id, after.restaurant_id, frozenset(tables), window) for window, tables in new.items()]


def _contested(taken: Iterable[_Taken], others: Iterable[Occupied]) -> set[str]:
    """The tables among *taken* that *others* have for part of their time."""
    wanted: defaultdict[str, list[_Taken]] = defaultdict(list)
    for new in taken:
        for table_id in new.tables:
            wanted[table_id].append(new)
    return {
        other.table_id
        for other in others
        for new in wanted.get(other.table_id, ())
        if other.booking_id != new.booking_id and other.window.overlaps(new.window)
    }


def _contested_by_us(rows: sqlite3.Cursor, taken: Iterable[_Taken]) -> set[str]:
    """The tables among *taken*, written by now, that some other booking of ours has: each evening is read once."""
    contested: set[str] = set()
    by_evening: defaultdict[tuple[str, dt.date], list[_Taken]] = defaultdict(list)
    for new in taken:
        by_evening[new.restaurant_id, new.window.start.date()].append(new)
    for (restaurant_id, _), wanted in by_evening.items():
        around = TimeWindow.around([new.window for new in wanted])
        tables = [table_id for new in wanted for table_id in new.tables]
        contested |= _contested(wanted, seats_in(rows, restaurant_id, around, tables))
    return contested


def _contested_by_sitting(
    rows: sqlite3.Cursor, taken: Iterable[_Taken], after: Mapping[str, AssignmentRecord], now: dt.datetime
) -> set[str]:
    """The tables among *taken* at which another party sits, and those at which two would sit."""
    contested: set[str] = set()
    for restaurant_id in {record.restaurant_id for record in after.values()}:
        present = sitting(rows, restaurant_id, now)
        contested |= sat_at_twice(present, after)
        contested |= _contested([new for new in taken if new.restaurant_id == restaurant_id], present)
    return contested


def _step_rows(change: AssignmentChange) -> list[Row]:
    record = change.record
    return [(record.booking_id, record.restaurant_id, change.id, *STEPS.row(step)) for step in change.steps]


def _attempt_rows(change: AssignmentChange) -> list[Row]:
    key = (change.record.booking_id, change.record.restaurant_id)
    return [] if change.attempt is None else [(*key, *ATTEMPTS.row(change.attempt))]
