"""Records that are read in pages: what a store is asked for beside planning."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.checks import require_limit, require_short, to_utc
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.lifecycle import UNSETTLED, AssignmentState

MOST_DUE = 10_000
"""So many bookings that are due are put in order: see `AssignmentStore.due`."""


def is_unfinished(record: AssignmentRecord) -> bool:
    """Whether it is one of those that `RecordQuery.unfinished` asks for."""
    if record.owner is Owner.PIPELINE and record.state is AssignmentState.MANUAL_REVIEW:
        return True
    return may_be_due(record) and record.state in UNSETTLED and record.next_attempt_at is None


def may_be_due(record: AssignmentRecord) -> bool:
    """
    Whether the sweep is to take it up when its time has come.

    What legacy answers for is let be; only not what it was handed and has not answered: that is in progress.
    """
    return record.owner is Owner.PIPELINE or record.state is AssignmentState.ASSIGNMENT_IN_PROGRESS


@attrs.frozen(kw_only=True)
class RecordQuery:
    """
    Which records to read.

    Attributes:
        restaurant_id: Of that restaurant only.

        states: In those states only; none means all.

        booking_ids: Of those bookings only; none means all.

        after: Only those whose booking id sorts behind this one: where the last page ended.

        unfinished: Only what the pipeline has in review, and what `may_be_due` but is neither settled nor due; of all
            restaurants and states.

        sitting: Only those whose party sits at its tables.

        reviews: Only those in manual review; the soonest arrival first, and those without a booking last. Then *after*
            is the ``next`` of such a page: see `place_in_queue`.

        limit: At most so many.
    """

    restaurant_id: str | None = None
    states: tuple[AssignmentState, ...] = ()
    booking_ids: tuple[str, ...] = ()
    after: str | None = None
    unfinished: bool = False
    sitting: bool = False
    reviews: bool = False
    limit: int = 100

    @classmethod
    def in_review(cls, restaurant_id: str | None, after: str | None, limit: int) -> RecordQuery:
        """
        A page of the review queue.

        Raises:
            InvalidValueError: *restaurant_id* is no text, *after* is no ``next`` of such a page, or *limit* is no
                whole number.
        """
        if restaurant_id is not None:
            require_short("restaurant_id", restaurant_id)
        require_limit("limit", limit)
        read_place(after)
        return cls(restaurant_id=restaurant_id, reviews=True, after=after, limit=limit)


NEVER = dt.datetime.max.replace(tzinfo=dt.UTC, microsecond=0)
"""When a review without a booking counts as arriving."""


def urgency(record: AssignmentRecord) -> tuple[dt.datetime, str]:
    """What the review queue is in the order of: the arrival, and the booking's id."""
    return (record.booking.start_at if record.booking else NEVER), record.booking_id


def place_in_queue(record: AssignmentRecord) -> str:
    """Where a page of reviews ends whose last record that is: whatever comes or goes before it, the rest follows."""
    arrival, booking_id = urgency(record)
    return f"{arrival.isoformat()} {booking_id}"


def read_place(after: str | None) -> tuple[dt.datetime, str] | None:
    """
    What `place_in_queue` has made *after* of.

    Raises:
        InvalidValueError: It is nothing of that kind.
    """
    if after is None:
        return None
    arrival, _, booking_id = str(after).partition(" ")
    try:
        found = dt.datetime.fromisoformat(arrival)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not booking_id:
        raise InvalidValueError("after", "the `next` of a page of reviews", repr(after)[:200])
    return found, booking_id


def in_page(record: AssignmentRecord, query: RecordQuery) -> bool:
    """Whether a record comes behind ``RecordQuery.after``, in the order of the page."""
    if query.reviews:
        behind = read_place(query.after)
        return record.state is AssignmentState.MANUAL_REVIEW and (behind is None or urgency(record) > behind)
    return query.after is None or record.booking_id > query.after


@attrs.frozen(kw_only=True)
class RecordPage:
    """
    Records, by booking id; those of `RecordQuery.reviews` by arrival.

    Attributes:
        now: The store's time.

        records: The records.

        next: What `RecordQuery.after` continues with, or None if that was all.
    """

    now: dt.datetime = attrs.field(converter=to_utc)
    records: tuple[AssignmentRecord, ...]
    next: str | None = None
