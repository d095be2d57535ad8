"""What people look at: all that is kept of a booking, and where parties were."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.sqlite.codec import ATTEMPTS, EVENTS, STEPS, Row, booking_of, text_of
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.reads import Reads, find_records
from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
from assignment_pipeline.errors import BookingUnreadableError
from assignment_pipeline.ports import MOST_EVENTS, NEAR

T = TypeVar("T")

FIND_ATTEMPTS = with_columns("""
SELECT {ATTEMPT} FROM booking_assignment_attempts WHERE booking_id = ? ORDER BY attempt_no
""")

# The index is named, so that no statistics can talk SQLite into reading all events.
FIND_EVENTS = with_columns("""
SELECT {EVENT} FROM observability_events INDEXED BY observability_events_booking
WHERE booking_id = ? ORDER BY rowid DESC LIMIT ?
""")

WHEREABOUTS = with_columns("""
SELECT near.booking_id, r.booking, {h.HISTORY}
FROM (
    SELECT DISTINCT booking_id
    FROM booking_assignment_state_history INDEXED BY booking_assignment_state_history_turns
    WHERE restaurant_id = :restaurant AND turn_start_at > :first AND turn_start_at < :last
) AS near
JOIN booking_assignment_state_history h ON h.booking_id = near.booking_id AND h.version = (
    SELECT max(version) FROM booking_assignment_state_history s
    WHERE s.booking_id = near.booking_id AND s.created_at <= :at
)
JOIN assignment_records r ON r.booking_id = near.booking_id
WHERE h.restaurant_id = :restaurant AND h.turn_start_at > :first AND h.turn_start_at < :last
ORDER BY near.booking_id
""")


class Audits:
    """The part of the store that is an `AuditStore`."""

    _reads: Reads

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise NotImplementedError

    def trail(self, booking_id: str) -> BookingTrail:
        return self._read(lambda connection: _trail(self._reads, connection, booking_id))

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        before, behind = NEAR
        values = {
            "restaurant": restaurant_id,
            "first": text_of(at - before),
            "last": text_of(at + behind),
            "at": text_of(at),
        }
        return self._read(
            lambda connection: tuple(map(_whereabouts, cursor_of(connection).execute(WHEREABOUTS, values)))
        )


def _trail(reads: Reads, connection: sqlite3.Connection, booking_id: str) -> BookingTrail:
    rows = cursor_of(connection)
    try:
        booking = reads.booking(connection, booking_id)
    except BookingUnreadableError:
        booking = None
    newest = rows.execute(FIND_EVENTS, (booking_id, MOST_EVENTS)).fetchall()
    return BookingTrail(
        now=reads.clock.now(),
        record=find_records(rows, [booking_id]).get(booking_id),
        booking=booking,
        history=reads.history(connection, booking_id),
        attempts=map(ATTEMPTS.value, rows.execute(FIND_ATTEMPTS, (booking_id,)).fetchall()),
        events=map(EVENTS.value, reversed(newest)),
    )


def _whereabouts(row: Row) -> Whereabouts:
    booking_id, booking, *step = row
    return Whereabouts(booking_id=booking_id, booking=booking_of(booking), step=STEPS.value(step))
