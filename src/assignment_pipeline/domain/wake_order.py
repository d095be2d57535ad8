"""Who gets tables first that come free."""

from __future__ import annotations

import datetime as dt
import enum
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.lifecycle import AssignmentState

_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


class WakeOrder(enum.StrEnum):
    """In which order the bookings of a restaurant that are due are taken up."""

    LONGEST_WAIT = "longest_wait"
    """Who has waited for tables the longest."""

    SOONEST_ARRIVAL = "soonest_arrival"
    """Who arrives first."""

    LARGEST_PARTY = "largest_party"
    """The largest party."""


def in_turn(due: Iterable[AssignmentRecord], order: WakeOrder) -> list[str]:
    """
    The order in which bookings that are due are claimed.

    Restaurants take turns: the first of each, then the second of each, and so on. At one restaurant, holds that have
    expired come first, for they free tables; then *order* decides, and the longer wait among equals.

    Args:
        due: The records. One without ``waiting_since`` comes before the others.

        order: The order at a restaurant.

    Returns:
        The ids of the bookings.
    """
    at_restaurant: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for record in due:
        key = (*_rank(record, order), record.next_attempt_at, record.booking_id)
        at_restaurant[record.restaurant_id].append(key)
    turns = (
        (turn, next_attempt_at, booking_id)
        for ranked in at_restaurant.values()
        for turn, (*_, next_attempt_at, booking_id) in enumerate(sorted(ranked))
    )
    return [booking_id for _, _, booking_id in sorted(turns)]


def _rank(record: AssignmentRecord, order: WakeOrder) -> tuple[Any, ...]:
    waits, since = record.state is not AssignmentState.ASSIGNED, record.waiting_since or _EVER
    booking = record.booking
    if order is WakeOrder.SOONEST_ARRIVAL:
        return waits, booking.start_at if booking else _NEVER, since
    if order is WakeOrder.LARGEST_PARTY:
        return waits, -booking.party_size if booking else 0, since
    return waits, since
