"""What people look at: all that is kept of a booking, and where parties were."""

from __future__ import annotations

import datetime as dt
import json

from assignment_pipeline.adapters.columns import with_columns
from assignment_pipeline.adapters.postgres.codec import (
    ATTEMPTS,
    EVENTS,
    STEPS,
    booking_of,
    moment_of,
    record_of,
    text_of,
)
from assignment_pipeline.adapters.postgres.reads import Reads
from assignment_pipeline.adapters.postgres.work import Work
from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
from assignment_pipeline.errors import BookingUnreadableError
from assignment_pipeline.ports import MOST_EVENTS, NEAR

# One statement, which sees one snapshot.
TRAIL = with_columns("""
SELECT pg_catalog.json_build_array(
    coalesce(%(now)s::timestamptz, pg_catalog.now()),
    (
        SELECT pg_catalog.to_json(d) FROM assignment_pipeline.record_documents d WHERE d.booking_id = %(id)s
    ),
    (
        SELECT pg_catalog.json_agg(steps) FROM (
            SELECT {HISTORY}
            FROM assignment_pipeline.booking_assignment_state_history WHERE booking_id = %(id)s ORDER BY version
        ) AS steps
    ),
    (
        SELECT pg_catalog.json_agg(attempts) FROM (
            SELECT {ATTEMPT}
            FROM assignment_pipeline.booking_assignment_attempts WHERE booking_id = %(id)s ORDER BY attempt_no
        ) AS attempts
    ),
    (
        SELECT pg_catalog.json_agg(events) FROM (
            SELECT {EVENT} FROM assignment_pipeline.observability_events
            WHERE booking_id = %(id)s ORDER BY position DESC LIMIT %(most)s
        ) AS events
    )
)::text
""")

WHEREABOUTS = with_columns("""
SELECT pg_catalog.json_agg(found)::text FROM (
    SELECT near.booking_id, r.booking, (
        SELECT pg_catalog.to_json(step) FROM (SELECT {h.HISTORY}) AS step
    ) AS step
    FROM (
        SELECT DISTINCT booking_id FROM assignment_pipeline.booking_assignment_state_history
        WHERE restaurant_id = %(restaurant)s AND turn_start_at > %(first)s AND turn_start_at < %(last)s
    ) AS near
    CROSS JOIN LATERAL (
        SELECT * FROM assignment_pipeline.booking_assignment_state_history s
        WHERE s.booking_id = near.booking_id AND s.created_at <= %(at)s ORDER BY s.version DESC LIMIT 1
    ) AS h
    JOIN assignment_pipeline.assignment_records r ON r.booking_id = near.booking_id
    WHERE h.restaurant_id = %(restaurant)s AND h.turn_start_at > %(first)s AND h.turn_start_at < %(last)s
    ORDER BY near.booking_id
) AS found
""")


def trail(reads: Reads, booking_id: str) -> Work[BookingTrail]:
    """See `AuditStore.trail`."""
    try:
        booking = yield from reads.booking(booking_id)
    except BookingUnreadableError:
        booking = None
    values = {"now": reads.now(), "id": booking_id, "most": MOST_EVENTS}
    [(answer,)] = yield reads.named(TRAIL, values)
    now, record, history, attempts, events = json.loads(answer)
    return BookingTrail(
        now=moment_of(now),
        record=record_of(record) if record else None,
        booking=booking,
        history=map(STEPS.named_value, history or ()),
        attempts=map(ATTEMPTS.named_value, attempts or ()),
        events=map(EVENTS.named_value, reversed(events or ())),
    )


def whereabouts(reads: Reads, restaurant_id: str, at: dt.datetime) -> Work[tuple[Whereabouts, ...]]:
    """See `AuditStore.whereabouts`."""
    before, behind = NEAR
    times = {"first": text_of(at - before), "last": text_of(at + behind), "at": text_of(at)}
    [(answer,)] = yield reads.named(WHEREABOUTS, {"restaurant": restaurant_id, **times})
    return tuple(
        Whereabouts(
            booking_id=row["booking_id"], booking=booking_of(row["booking"]), step=STEPS.named_value(row["step"])
        )
        for row in json.loads(answer or "[]")
    )
