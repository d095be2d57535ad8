"""The guard of caps on arrivals, for stores that count in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import StaleRecordError


def check_caps(
    changes: Sequence[AssignmentChange], arriving: Callable[[str, TimeWindow], Iterable[ArrivingParty]]
) -> None:
    """
    Count who arrives once all *changes* of a commit are made, and hold that against the caps of their preconditions.

    Args:
        changes: All of the commit.

        arriving: The parties that have tables now and arrive at a restaurant in a window.

    Raises:
        StaleRecordError: There is a party too many.
    """
    after = {change.record.booking_id: change.record for change in changes}
    for change in changes:
        if change.preconditions is None or not change.preconditions.caps:
            continue
        caps, restaurant_id = change.preconditions.caps, change.record.restaurant_id
        window = TimeWindow.around(span for cap in caps for span in cap.spans)
        parties = [party for party in arriving(restaurant_id, window) if party.booking_id not in after]
        arrivals = (record.arrival for record in after.values() if record.restaurant_id == restaurant_id)
        parties += [party for party in arrivals if party is not None]
        if not all(cap.holds(parties) for cap in caps):
            raise StaleRecordError(change.record.booking_id, "pacing")
