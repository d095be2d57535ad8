"""Bookings that wait for a person, with what can be done about each."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.record import AssignmentRecord, Attempt
from assignment_pipeline.domain.room import WayOut


@attrs.frozen(kw_only=True)
class ReviewCase:
    """
    A booking that waits for a person.

    Attributes:
        record: Its record.

        sentence: What it asks for, and why it waits, for people.

        since: When it came into review, or the other party's turn ended; None where nobody knows.

        tried: The plannings that were recorded for it, oldest first.

        ways_out: What a person can do, the best first: at most three.
    """

    record: AssignmentRecord
    sentence: str
    since: dt.datetime | None = None
    tried: tuple[Attempt, ...] = attrs.field(default=(), converter=as_tuple)
    ways_out: tuple[WayOut, ...] = attrs.field(default=(), converter=as_tuple)


@attrs.frozen(kw_only=True)
class ReviewCases:
    """
    A page of the review queue, the soonest arrival first.

    Attributes:
        now: The store's time.

        cases: The bookings.

        conflicts: On the first page, the bookings that have tables at which another party sits, by when they come:
            they are in no review, and need a person, too.

        next: Where the next page begins, or None if that was all.
    """

    now: dt.datetime
    cases: tuple[ReviewCase, ...] = attrs.field(converter=as_tuple)
    conflicts: tuple[ReviewCase, ...] = attrs.field(default=(), converter=as_tuple)
    next: str | None = None
